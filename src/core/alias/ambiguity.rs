//! Formats of different aliases that one line can mean both, found when content is loaded and not when somebody needs the line.
//!
//! Two rows of words and parameters are walked together: the shortest walk that both can take to their ends is the example. It is then tried
//! on the real matcher, so that nothing is reported that does not happen.

use crate::core::alias::matcher::{Matcher, Selection};
use crate::core::alias::outline::{Outline, Place};
use crate::core::alias::spec::Alias;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The most pairs of formats that are compared.
pub const MOST_PAIRS: usize = 200_000;

/// Two formats of different aliases that a line can mean both.
#[derive(Debug, Clone)]
pub struct Ambiguity {
    /// The alias and format that was loaded first.
    pub first: (Arc<Alias>, Arc<str>),
    /// The other.
    pub second: (Arc<Alias>, Arc<str>),
    /// A line that means both, tried. Words in capitals stand for parameters.
    pub example: String,
    /// It takes words of each format for a value of the other (`service X restart on status on Y`): true, but nobody says such a thing.
    pub far_fetched: bool,
}

impl Matcher {
    /// Pairs of formats that a line can mean both, in load order. At most [`MOST_PAIRS`] are compared;
    /// [`Self::pairs_left_out`] tells how many were not, or that there were very many.
    pub fn ambiguities(&self) -> Vec<Ambiguity> {
        let pairs = self.comparable().into_iter().take(MOST_PAIRS);
        pairs.filter_map(|(first, second)| self.ambiguity(first, second)).collect()
    }

    /// How many pairs [`Self::ambiguities`] does not compare.
    pub fn pairs_left_out(&self) -> usize {
        self.comparable().len().saturating_sub(MOST_PAIRS)
    }

    fn ambiguity(&self, first: usize, second: usize) -> Option<Ambiguity> {
        let (first, second) = (self.entries.get(first)?, self.entries.get(second)?);
        let mut lines: Vec<(bool, String)> = examples(first.format.outlines(), second.format.outlines()).collect();
        lines.sort_by_key(|(far_fetched, line)| (*far_fetched, line.len()));
        let (far_fetched, example) = lines.into_iter().find(|(_, example)| {
            let Selection::Ambiguous(hits) = self.select(example) else { return false };
            [&first.alias, &second.alias]
                .iter()
                .all(|alias| hits.iter().any(|hit| hit.alias.reference == alias.reference))
        })?;
        Some(Ambiguity {
            first: (first.alias.clone(), first.representation.clone()),
            second: (second.alias.clone(), second.representation.clone()),
            example,
            far_fetched,
        })
    }

    /// Pairs whose certain words at the beginning do not exclude each other, in load order.
    fn comparable(&self) -> Vec<(usize, usize)> {
        let rows: Vec<(usize, &Outline)> = self
            .entries
            .iter()
            .enumerate()
            .flat_map(|(at, entry)| entry.format.outlines().iter().map(move |outline| (at, outline)))
            .collect();
        let mut pairs = BTreeSet::new();
        let mut groups = VecDeque::from([(0, (0..rows.len()).collect::<Vec<_>>())]);
        while let Some((depth, members)) = groups.pop_front() {
            let mut words: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            let mut open = Vec::new();
            for &member in &members {
                match rows[member].1.places.get(depth) {
                    Some(Place::Word(word)) => words.entry(word).or_default().push(member),
                    _ => open.push(member),
                }
            }
            for one in open {
                for &other in &members {
                    let (one, other) = (rows[one].0, rows[other].0);
                    if self.entries[one].alias.reference != self.entries[other].alias.reference {
                        pairs.insert((one.min(other), one.max(other)));
                    }
                }
                // Enough is known: this many are not compared anyway.
                if pairs.len() > 2 * MOST_PAIRS {
                    return pairs.into_iter().collect();
                }
            }
            groups.extend(words.into_values().filter(|group| group.len() > 1).map(|group| (depth + 1, group)));
        }
        pairs.into_iter().collect()
    }
}

/// The most rows of two formats that are walked together.
const MOST_WALKS: usize = 256;

/// Lines that two formats may have in common, each with whether it is far-fetched.
fn examples<'o>(one: &'o [Outline], other: &'o [Outline]) -> impl Iterator<Item = (bool, String)> + 'o {
    let rows = one.iter().flat_map(move |one| other.iter().map(move |other| (one, other)));
    rows.take(MOST_WALKS).filter_map(|(one, other)| match (one.plain(), other.plain()) {
        (true, true) => {
            let natural = common(one, other, [true, false]).or_else(|| common(one, other, [false, true]));
            let natural = natural.map(|line| (false, line));
            natural.or_else(|| common(one, other, [true, true]).map(|line| (true, line)))
        }
        (true, false) => Some((false, sample(one))),
        (false, true) => Some((false, sample(other))),
        (false, false) => None,
    })
}

/// Where a walk through an outline stands: the next place, and whether the place before is a parameter that can take more words.
type Stand = (usize, bool);

/// The word that a step says; none where any will do, with the parameter's name.
enum Step<'o> {
    Word(&'o str),
    Any(&'o str),
}

fn steps(outline: &Outline, (next, open): Stand) -> Vec<(Step<'_>, Stand)> {
    let mut steps = Vec::new();
    for (at, place) in outline.places.iter().enumerate().skip(next) {
        match place {
            Place::Word(word) => {
                steps.push((Step::Word(word), (at + 1, false)));
                break;
            }
            Place::Parameter { name, optional } => {
                steps.push((Step::Any(name), (at + 1, true)));
                if !optional {
                    break;
                }
            }
            Place::Other => break,
        }
    }
    if open && let Some(Place::Parameter { name, .. }) = next.checked_sub(1).and_then(|at| outline.places.get(at)) {
        steps.push((Step::Any(name), (next, true)));
    }
    steps
}

fn ends(outline: &Outline, (next, _): Stand) -> bool {
    outline.places.iter().skip(next).all(|place| matches!(place, Place::Parameter { optional: true, .. }))
}

/// The shortest line that two plain outlines have in common. `takes` tells whose parameters may take words of the other.
fn common(one: &Outline, other: &Outline, takes: [bool; 2]) -> Option<String> {
    let start = ((0, false), (0, false));
    let mut before: BTreeMap<(Stand, Stand), ((Stand, Stand), String)> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(stand) = queue.pop_front() {
        if stand != start && ends(one, stand.0) && ends(other, stand.1) {
            let mut words = Vec::new();
            let mut at = stand;
            while let Some((from, word)) = before.get(&at).filter(|_| at != start) {
                words.push(word.clone());
                at = *from;
            }
            words.reverse();
            return Some(words.join(" "));
        }
        for (step, to) in steps(one, stand.0) {
            for (other_step, other_to) in steps(other, stand.1) {
                let word = match (&step, &other_step) {
                    (Step::Word(word), Step::Word(other)) if word == other => (*word).to_owned(),
                    (Step::Word(_), Step::Word(_)) => continue,
                    (Step::Any(_), Step::Word(word)) if takes[0] => (*word).to_owned(),
                    (Step::Word(word), Step::Any(_)) if takes[1] => (*word).to_owned(),
                    (Step::Any(_), Step::Word(_)) | (Step::Word(_), Step::Any(_)) => continue,
                    (Step::Any(name), Step::Any(_)) => name.to_uppercase(),
                };
                let next = (to, other_to);
                if next != start && !before.contains_key(&next) {
                    before.insert(next, (stand, word));
                    queue.push_back(next);
                }
            }
        }
    }
    None
}

/// A line of a plain outline.
fn sample(outline: &Outline) -> String {
    let words = outline.places.iter().filter_map(|place| match place {
        Place::Word(word) => Some(word.clone()),
        Place::Parameter { name, .. } => Some(name.to_uppercase()),
        Place::Other => None,
    });
    words.collect::<Vec<_>>().join(" ")
}
