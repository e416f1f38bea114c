//! Did you mean: lines that would be understood, made of a line that was not.
//!
//! The words of the line are aligned with the row of words and parameters of a format: a misspelt word is put right, a missing one put in, a
//! surplus one left out, and what falls on a parameter stays as it was typed. Each of these has a price, and a line that costs too much is
//! not suggested. Host names are put right where a parameter takes hosts. Where only the expression itself can tell how a format goes, what help
//! shows of it is the row.
//!
//! **Every suggestion has been matched**: sent as it stands it means exactly one alias, and one that its reader may use.

use crate::core::alias::matcher::{Match, Matcher, Selection};
use crate::core::alias::outline::{Outline, Place};
use crate::core::alias::pairs::{QUOTES, Tail};
use crate::core::alias::spec::Alias;
use crate::core::id::Host;
use std::collections::{BTreeMap, BTreeSet};

/// The most lines that are suggested.
pub const MOST_SUGGESTIONS: usize = 3;

/// A longer line is prose, not a command with a slip in it.
const MOST_WORDS: usize = 24;

/// The most characters of a line worth an attempt.
const LONGEST_LINE: usize = 400;

/// The most formats that a line is aligned with.
const MOST_FORMATS: usize = 64;

/// The price above which a format is too far away. Prices are in tenths of a missing word.
const TOO_FAR: u32 = 18;

/// What costs so much more than the best is not shown beside it.
const MUCH_WORSE: u32 = 3;

const MISSING_WORD: u32 = 10;
const MISSING_SMALL_WORD: u32 = 6;
const SURPLUS_WORD: u32 = 14;
const WRONG_LETTER: u32 = 4;
const FURTHER_WORD: u32 = 1;
const HOST_PUT_RIGHT: u32 = 3;
const UNKNOWN_HOST: u32 = 7;

/// Up to [`MOST_SUGGESTIONS`] lines that would match, best first; none when nothing comes near. `may` says whether the asker may use an
/// alias; `hosts` are the known machines and may be empty.
pub fn suggest(line: &str, matcher: &Matcher, may: &dyn Fn(&Alias) -> bool, hosts: &BTreeSet<Host>) -> Vec<String> {
    if line.chars().count() > LONGEST_LINE {
        return Vec::new();
    }
    let tail = Tail::of(line);
    let cut = tail.pairs.first().map_or(line.len(), |pair| pair.start);
    let (head, pairs) = line.split_at(cut);
    let words = words(head);
    if words.is_empty() || words.len() > MOST_WORDS {
        return Vec::new();
    }
    let hosts = Hosts { known: hosts };
    let mut aligned: Vec<(u32, String)> = Vec::new();
    for at in nearby(&words, matcher) {
        let Some(entry) = matcher.entries.get(at).filter(|entry| may(&entry.alias)) else { continue };
        let rows = entry.rows().filter_map(|outline| align(&words, outline, &hosts));
        // Of rows at one price the author's first is taken.
        let Some((price, mut corrected)) = rows.min_by_key(|(price, _)| *price) else { continue };
        if !pairs.trim().is_empty() {
            corrected.push(' ');
            corrected.push_str(pairs.trim());
        }
        if price <= TOO_FAR && corrected != line.trim() {
            aligned.push((price, corrected));
        }
    }
    aligned.sort();
    aligned.dedup_by(|one, other| one.1 == other.1);
    let mut found: Vec<(u32, String)> = Vec::new();
    for (price, corrected) in aligned {
        let worse = found.first().is_some_and(|(best, _)| price > best + MUCH_WORSE);
        if worse || found.len() == MOST_SUGGESTIONS {
            break;
        }
        if let Selection::One(hit) = matcher.select_among(&corrected, may)
            && !swallows_a_word(&hit, &corrected)
        {
            found.push((price, corrected));
        }
    }
    found.into_iter().map(|(_, line)| line).collect()
}

/// Whether a value of the line is nothing but the word of the format beside it: `run on on wn001`. That was a missing value, not a meant one.
fn swallows_a_word(hit: &Match, line: &str) -> bool {
    let lower = line.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let twice = |value: &str| words.windows(2).any(|pair| pair[0] == pair[1] && pair[0] == value);
    hit.parameters.values().any(|value| twice(&value.to_lowercase()))
}

/// Words, where text in quotes is one.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = None;
    let mut closing = None;
    for (at, character) in text.char_indices() {
        if closing.is_some() {
            closing = closing.filter(|closing| *closing != character);
        } else if character.is_whitespace() {
            words.extend(start.take().and_then(|start: usize| text.get(start..at)));
        } else if start.is_none() {
            start = Some(at);
            // A quote that is never closed is an apostrophe.
            closing =
                QUOTES.iter().find(|(opening, _)| *opening == character).map(|(_, closing)| *closing).filter(
                    |closing| text.get(at + character.len_utf8()..).is_some_and(|rest| rest.contains(*closing)),
                );
        }
    }
    words.extend(start.and_then(|start| text.get(start..)));
    words
}

/// Formats that have a word of the line, or nearly, those with the most first.
fn nearby(words: &[&str], matcher: &Matcher) -> Vec<usize> {
    let mut scores: BTreeMap<usize, u32> = BTreeMap::new();
    let lower: BTreeSet<String> = words.iter().map(|word| word.to_lowercase()).collect();
    for (vocable, formats) in matcher.vocabulary() {
        let score = lower.iter().filter_map(|word| distance(word, vocable)).map(|slips| 4 - slips.min(3)).max();
        if let Some(score) = score {
            for format in formats {
                *scores.entry(*format).or_default() += score;
            }
        }
    }
    let mut order: Vec<(u32, usize)> = scores.into_iter().map(|(format, score)| (score, format)).collect();
    order.sort_by_key(|(score, format)| (std::cmp::Reverse(*score), *format));
    order.truncate(MOST_FORMATS);
    order.into_iter().map(|(_, format)| format).collect()
}

/// Slips between two words in lower case, if they are few enough for one to be meant by the other.
fn distance(typed: &str, meant: &str) -> Option<u32> {
    if typed == meant {
        return Some(0);
    }
    let (typed_length, meant_length) = (typed.chars().count(), meant.chars().count());
    let allowed = match meant_length {
        0 | 1 => 0,
        2..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    if typed_length.abs_diff(meant_length) > allowed {
        return None;
    }
    let slips = strsim::osa_distance(typed, meant);
    // Of two letters, one wrong is another word; `no` for `on` is a slip.
    if meant_length == 2 && !(typed_length == 2 && typed.chars().rev().eq(meant.chars())) {
        return None;
    }
    (slips <= allowed).then(|| u32::try_from(slips).unwrap_or(u32::MAX))
}

/// How a place of the alignment was reached.
#[derive(Clone, Copy)]
enum Move {
    Start,
    /// A word of the line stands for a word of the format.
    Word,
    /// A word of the format was missing.
    Missing,
    /// A word of the line is too much.
    Surplus,
    /// A word of the line is a parameter's first.
    Parameter,
    /// A word of the line goes to the same parameter.
    Further,
    /// An optional parameter is not there.
    Skip,
}

/// The cheapest way to read the words as this outline, written out again; nothing when no word of the format is there.
fn align(words: &[&str], outline: &Outline, hosts: &Hosts<'_>) -> Option<(u32, String)> {
    let places = &outline.places;
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let width = places.len() + 1;
    let mut best: Vec<Option<(u32, Move)>> = vec![None; (words.len() + 1) * width];
    best[0] = Some((0, Move::Start));
    for taken in 0..=words.len() {
        for next in 0..width {
            let Some((price, _)) = best[taken * width + next] else { continue };
            let mut reach = |taken: usize, next: usize, further: u32, by: Move| {
                let cell = &mut best[taken * width + next];
                if cell.is_none_or(|(known, _)| price + further < known) {
                    *cell = Some((price + further, by));
                }
            };
            if taken < words.len() {
                reach(taken + 1, next, SURPLUS_WORD, Move::Surplus);
                if let Some(Place::Parameter { name, .. }) = next.checked_sub(1).and_then(|at| places.get(at)) {
                    let host = if takes_hosts(name) { hosts.price(words[taken]) } else { 0 };
                    reach(taken + 1, next, FURTHER_WORD + host, Move::Further);
                }
            }
            match places.get(next) {
                Some(Place::Word(word)) => {
                    let small = word.chars().count() <= 3;
                    match lower.get(taken).and_then(|typed| distance(typed, word)) {
                        Some(slips) => reach(taken + 1, next + 1, slips * WRONG_LETTER, Move::Word),
                        // A line without its first word is not one with a slip in it.
                        None if next == 0 => {}
                        None => {
                            reach(
                                taken,
                                next + 1,
                                if small { MISSING_SMALL_WORD } else { MISSING_WORD },
                                Move::Missing,
                            );
                        }
                    }
                }
                Some(Place::Parameter { name, optional }) => {
                    if *optional {
                        reach(taken, next + 1, 0, Move::Skip);
                    }
                    if let Some(word) = words.get(taken) {
                        let further = if takes_hosts(name) { hosts.price(word) } else { 0 };
                        reach(taken + 1, next + 1, further, Move::Parameter);
                    }
                }
                Some(Place::Other) | None => {}
            }
        }
    }
    let (price, _) = best[words.len() * width + places.len()]?;
    write_out(words, places, &best, hosts).map(|line| (price, line))
}

/// Follows the alignment back to its start.
fn write_out(words: &[&str], places: &[Place], best: &[Option<(u32, Move)>], hosts: &Hosts<'_>) -> Option<String> {
    let width = places.len() + 1;
    let (mut taken, mut next) = (words.len(), places.len());
    let mut line: Vec<String> = Vec::new();
    let mut understood = false;
    let parameter_word = |taken: usize, next: usize| -> Option<String> {
        let word = words.get(taken)?;
        match places.get(next)? {
            Place::Parameter { name, .. } if takes_hosts(name) => Some(hosts.put_right(word)),
            _ => Some((*word).to_owned()),
        }
    };
    loop {
        let (_, by) = best.get(taken * width + next).copied().flatten()?;
        match by {
            Move::Start => break,
            Move::Surplus => taken -= 1,
            Move::Further => {
                taken -= 1;
                line.push(parameter_word(taken, next - 1)?);
            }
            Move::Parameter => {
                taken -= 1;
                next -= 1;
                line.push(parameter_word(taken, next)?);
            }
            Move::Skip => next -= 1,
            Move::Word | Move::Missing => {
                next -= 1;
                if let Move::Word = by {
                    taken -= 1;
                    understood = true;
                }
                if let Some(Place::Word(word)) = places.get(next) {
                    line.push(word.clone());
                }
            }
        }
    }
    line.reverse();
    understood.then(|| line.join(" "))
}

/// Whether a parameter takes machines, as its name says.
pub(crate) fn takes_hosts(name: &str) -> bool {
    let name = name.to_lowercase();
    ["host", "node", "machine", "server", "target"].iter().any(|word| name.contains(word))
}

/// The machines that there are.
struct Hosts<'h> {
    known: &'h BTreeSet<Host>,
}

impl Hosts<'_> {
    fn price(&self, expression: &str) -> u32 {
        expression.split(',').map(|item| self.item(item).0).max().unwrap_or_default()
    }

    fn put_right(&self, expression: &str) -> String {
        expression.split(',').map(|item| self.item(item).1).collect::<Vec<_>>().join(",")
    }

    /// What a name costs and what it becomes. Ranges and groups are somebody else's to judge.
    fn item(&self, item: &str) -> (u32, String) {
        let same = |price| (price, item.to_owned());
        if self.known.is_empty() || item.contains(['[', '@', '"', '\'']) {
            return same(0);
        }
        let (prefix, name) = item.strip_prefix('!').map_or(("", item), |name| ("!", name));
        let (name, port) =
            name.split_once(':').map_or((name, String::new()), |(name, port)| (name, format!(":{port}")));
        if self.known.contains(&Host::new(name)) {
            return same(0);
        }
        match close_host(name, self.known) {
            Some(close) => (HOST_PUT_RIGHT, format!("{prefix}{close}{port}")),
            None => same(UNKNOWN_HOST),
        }
    }
}

/// The known machine that a name was probably meant for: the same number under the same or nearly the same stem, else one slip away.
fn close_host<'h>(name: &str, known: &'h BTreeSet<Host>) -> Option<&'h str> {
    let name = name.to_lowercase();
    let typed = split_number(&name);
    known
        .iter()
        .filter_map(|host| {
            let lower = host.as_str().to_lowercase();
            let (stem, number) = split_number(&lower);
            let same_number = number.is_some() && number == typed.1;
            let rank = match strsim::osa_distance(typed.0, stem) {
                0 if same_number => 0,
                1 if same_number => 1,
                _ if strsim::osa_distance(&name, &lower) == 1 => 2,
                _ => return None,
            };
            Some((rank, host.as_str()))
        })
        .min()
        .map(|(_, host)| host)
}

/// `wn0012` is `wn` and 12.
fn split_number(name: &str) -> (&str, Option<u64>) {
    let stem = name.trim_end_matches(|character: char| character.is_ascii_digit());
    (stem, name[stem.len()..].parse().ok())
}

/// The name that was probably meant.
pub(crate) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let lower = name.to_lowercase();
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    names
        .map(|other| (strsim::osa_distance(&lower, &other.to_lowercase()), other))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, other)| other)
}
