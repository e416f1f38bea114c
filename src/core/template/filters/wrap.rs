//! `wordwrap`, with the rules of Python's `textwrap`.

use super::text::lines;
use super::{Filter, filter};
use crate::core::template::arguments::Call;
use crate::core::template::python::{refuse, room_for};
use minijinja::{Error, Value};
use std::collections::VecDeque;

pub(super) const FILTERS: &[Filter] =
    &[filter("wordwrap", &["s", "width", "break_long_words", "wrapstring", "break_on_hyphens"], |call| {
        let text = call.text(0)?;
        let width = call.whole_or(1, 79)?;
        let width = usize::try_from(width).ok().filter(|width| *width > 0);
        let width = width.ok_or_else(|| refuse("`width` has to be above 0"))?;
        let between = call.text_or(3, "\n")?;
        let wrap = Wrap { width, break_long_words: call.truth_or(2, true), hyphens: call.truth_or(4, true) };
        let mut out = Vec::new();
        for line in lines(&text, false) {
            out.push(wrap.line(call, line)?.join(&between));
        }
        room_for(out.iter().map(|line| line.len() + between.len()).sum())?;
        Ok(Value::from(out.join(&between)))
    })];

struct Wrap {
    width: usize,
    break_long_words: bool,
    hyphens: bool,
}

fn blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{b}' | '\u{c}')
}

fn letter(character: Option<&char>) -> bool {
    character.is_some_and(|character| character.is_alphabetic())
}

impl Wrap {
    fn line(&self, call: &Call<'_, '_, '_>, line: &str) -> Result<Vec<String>, Error> {
        let mut rest: VecDeque<Vec<char>> = self.chunks(line).into();
        let mut found: Vec<String> = Vec::new();
        let is_blank = |chunk: &Vec<char>| chunk.iter().all(|character| character.is_whitespace());
        while !rest.is_empty() {
            call.state.consume_fuel(1)?;
            if !found.is_empty() && rest.front().is_some_and(is_blank) {
                rest.pop_front();
            }
            let mut here: Vec<Vec<char>> = Vec::new();
            let mut length = 0;
            while let Some(chunk) = rest.pop_front_if(|chunk| length + chunk.len() <= self.width) {
                length += chunk.len();
                here.push(chunk);
            }
            if let Some(long) = rest.pop_front_if(|chunk| chunk.len() > self.width) {
                if self.break_long_words {
                    let space = self.width - length;
                    let hyphen = long.iter().take(space).rposition(|character| *character == '-');
                    let hyphen = hyphen.filter(|at| long[..*at].iter().any(|character| *character != '-'));
                    let end = match hyphen {
                        Some(at) if self.hyphens && at > 0 && long.len() > space => at + 1,
                        _ => space,
                    };
                    let (kept, left) = long.split_at(end.min(long.len()));
                    here.push(kept.to_vec());
                    rest.push_front(left.to_vec());
                } else if here.is_empty() {
                    here.push(long);
                } else {
                    rest.push_front(long);
                }
            }
            if here.last().is_some_and(is_blank) {
                here.pop();
            }
            if !here.is_empty() {
                found.push(here.into_iter().flatten().collect());
            }
        }
        Ok(found)
    }

    /// Words, parts of words up to a hyphen, and the blanks between them.
    fn chunks(&self, line: &str) -> Vec<Vec<char>> {
        let characters: Vec<char> = line.chars().collect();
        let mut found: Vec<Vec<char>> = Vec::new();
        let mut start = 0;
        let mut at = 0;
        while at < characters.len() {
            let here = characters[at];
            let next = characters.get(at + 1);
            at += 1;
            let ends = match next {
                None => true,
                Some(next) if blank(here) != blank(*next) => true,
                Some(_) if !self.hyphens || here != '-' || blank(here) => {
                    self.hyphens && !blank(here) && dash_begins(&characters, at, here)
                }
                Some(_) => hyphen_ends(&characters, start, at) || dash_ends(&characters, start, at),
            };
            if ends {
                found.push(characters[start..at].to_vec());
                start = at;
            }
        }
        found
    }
}

/// Whether the hyphen before `at` is one between two words of two letters or more.
fn hyphen_ends(characters: &[char], start: usize, at: usize) -> bool {
    let before = |count: usize| at.checked_sub(1 + count).filter(|at| *at >= start).and_then(|at| characters.get(at));
    let word = before(1).is_some_and(|character| character.is_alphanumeric() || "_!\"'&.,?".contains(*character));
    let left = (letter(before(1)) && letter(before(2))) || (before(2) == Some(&'-') && word && letter(before(3)));
    let right = letter(characters.get(at))
        && (letter(characters.get(at + 1)) || (characters.get(at + 1) == Some(&'-') && letter(characters.get(at + 2))));
    left && right
}

/// Whether two hyphens or more begin at `at`, behind a word and before one.
fn dash_begins(characters: &[char], at: usize, here: char) -> bool {
    let word = here.is_alphanumeric() || "_!\"'&.,?".contains(here);
    let hyphens = characters[at..].iter().take_while(|character| **character == '-').count();
    let behind = characters.get(at + hyphens);
    word && hyphens >= 2 && behind.is_some_and(|character| character.is_alphanumeric() || *character == '_')
}

/// Whether what began at `start` is such a dash that ends at `at`.
fn dash_ends(characters: &[char], start: usize, at: usize) -> bool {
    let dash = at - start >= 2 && characters[start..at].iter().all(|character| *character == '-');
    dash && characters.get(at).is_some_and(|character| character.is_alphanumeric() || *character == '_')
}
