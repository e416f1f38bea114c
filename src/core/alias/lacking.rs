//! One value short: lines that a format would read, were one value put in. What is asked back instead of saying that nothing was understood.

use crate::core::alias::matcher::{Match, Matcher};
use crate::core::alias::pairs::Tail;
use crate::core::alias::spec::Alias;
use std::sync::Arc;

/// A longer line is prose, not a command with something left out.
const MOST_WORDS: usize = 12;

/// Stands where the value would stand. From the area that Unicode gives no meaning to.
const STAND_IN: &str = "\u{e0ff}";

/// A format that lacks one value.
#[derive(Debug, Clone)]
pub struct Lacking {
    /// Whose format.
    pub alias: Arc<Alias>,
    /// The format as help shows it.
    pub display: Arc<str>,
    /// The parameter that has no value.
    pub parameter: String,
    /// The byte of the line at which the value would stand.
    pub place: usize,
}

/// A line with a value put in, white space around it.
pub fn put_in(line: &str, place: usize, value: &str) -> String {
    let (before, behind) = line.split_at_checked(place).unwrap_or((line, ""));
    [before.trim(), value, behind.trim()].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ")
}

impl Matcher {
    /// The formats that would read this line if one value were put in, each with the value that it lacks; `may` says whether the asker may
    /// use an alias. Every one of them has been tried. Of several values that one alias may lack it is the one at the end of the line: people
    /// write from left to right.
    pub fn lacking(&self, line: &str, may: &dyn Fn(&Alias) -> bool) -> Vec<Lacking> {
        let end = Tail::of(line).pairs.first().map_or(line.trim_end().len(), |pair| pair.start);
        let head = &line[..end];
        if line.contains(STAND_IN) || head.split_whitespace().count() > MOST_WORDS {
            return Vec::new();
        }
        let mut places: Vec<usize> = head
            .char_indices()
            .filter(|(at, letter)| !letter.is_whitespace() && (*at == 0 || head[..*at].ends_with(char::is_whitespace)))
            .map(|(at, _)| at)
            .collect();
        places.push(end);
        let mut found: Vec<Lacking> = Vec::new();
        for place in places {
            for hit in self.matches(&put_in(line, place, STAND_IN)) {
                let Some(parameter) = stood_in_for(&hit).filter(|_| may(&hit.alias)) else { continue };
                let known =
                    |found: &Lacking| found.alias.reference == hit.alias.reference && found.parameter == parameter;
                if place == end {
                    found.retain(|found| found.alias.reference != hit.alias.reference);
                }
                if !found.iter().any(known) {
                    let (alias, display) = (hit.alias.clone(), hit.display.clone());
                    found.push(Lacking { alias, display, parameter: parameter.to_owned(), place });
                }
            }
        }
        found
    }

    /// A line of this alias with a value put in at a place where its format lacked one.
    pub fn completed(&self, line: &str, place: usize, alias: &Alias, parameter: &str, value: &str) -> Option<Match> {
        let hits = self.matches(&put_in(line, place, STAND_IN));
        let mut hit = hits.into_iter().find(|hit| {
            hit.alias.reference == alias.reference && stood_in_for(hit).is_some_and(|lacked| lacked == parameter)
        })?;
        hit.parameters.insert(parameter.to_owned(), value.to_owned());
        Some(hit)
    }
}

/// The parameter that took the stand-in and nothing else, where no other took part of it.
fn stood_in_for(hit: &Match) -> Option<&str> {
    if hit.piece.is_some() || hit.literal_length == 0 {
        return None;
    }
    let mut took = hit.parameters.iter().filter(|(_, value)| value.contains(STAND_IN));
    match (took.next(), took.next()) {
        // A parameter at the end of a format may take the blanks behind it along.
        (Some((name, value)), None) => (value.trim() == STAND_IN).then_some(name.as_str()),
        _ => None,
    }
}
