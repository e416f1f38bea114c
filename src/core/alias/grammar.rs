//! One format, from StackStorm's notation to an expression that runs in time linear in the line.
//!
//! A format is text, parameters `{{name}}` and `{{name = default}}`, and otherwise a Python regular expression. It is read once and written
//! down again as an expression anchored at both ends. Look-around, back references and possessive repeats go to an engine that counts its
//! steps. The pairs at the end of a line are not the format's business: what they leave is.
//!
//! A format of `match_multiple` reads more than once: each line of a block, or, where it says itself how what it looks for begins or ends, each
//! place of a line.

use crate::core::alias::outline::Outline;
use crate::core::alias::pairs::{Pair, Tail};
use crate::core::alias::reader::{Reader, Slot};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// The most characters that a format may have.
pub const LONGEST_FORMAT: usize = 4_000;

/// The most parameters that a format may have, its own named groups included.
pub const MOST_PARAMETERS: usize = 32;

/// Steps that a format outside the linear engine may take on one line.
pub const MOST_STEPS: usize = 100_000;

/// The most matches of one line that count. With one more, the reader gives up counting.
pub const MOST_MATCHES: usize = 20;

/// Bytes that a compiled expression may take.
const LARGEST_EXPRESSION: usize = 4 << 20;

/// Why a format cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Longer than [`LONGEST_FORMAT`].
    #[error("the format has more than {LONGEST_FORMAT} characters")]
    TooLong,
    /// More than [`MOST_PARAMETERS`].
    #[error("the format has more than {MOST_PARAMETERS} parameters")]
    TooManyParameters,
    /// `{{` without its end.
    #[error("`{{{{` has no matching `}}}}`")]
    Unclosed,
    /// Not a name that a parameter can have.
    #[error("`{0}` is no parameter name: letters, digits and `_` only")]
    Name(String),
    /// Two captures of one name.
    #[error("`{0}` stands in the format twice")]
    Twice(String),
    /// Something of Python's expressions that is not taken over.
    #[error("{0}")]
    Dialect(String),
    /// The expression is malformed or too large.
    #[error("not a regular expression: {0}")]
    Expression(String),
}

/// The engine gave up: the format needs look-around and took more than [`MOST_STEPS`] on this line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the format took more than {MOST_STEPS} steps on this line")]
pub struct Exhausted;

/// A compiled format.
#[derive(Debug)]
pub struct Format {
    expression: String,
    engine: Engine,
    slots: Vec<Slot>,
    outlines: Vec<Outline>,
    searched: bool,
}

/// What a line says when read by a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Captures, defaults of what was not captured, and the pairs at the end, which win over both.
    pub parameters: BTreeMap<String, String>,
    /// Those of them that are the format's own defaults.
    pub defaulted: BTreeSet<String>,
    /// Captures that a pair at the end has replaced: their names and values.
    pub overridden: Vec<(String, String)>,
    /// Characters of the line that the format says literally, white space aside.
    pub literal_length: usize,
    /// The format has no parameters: the line stands in it word by word.
    pub exact: bool,
}

#[derive(Debug)]
enum Engine {
    /// Words, parameters and groups of them. Such an expression compiles when its syntax is right, so that is put off until a line needs
    /// it: a large site has thousands of formats and uses dozens.
    Light(OnceLock<Option<regex::Regex>>),
    Linear(regex::Regex),
    Counting(Box<fancy_regex::Regex>),
}

impl Format {
    /// Reads and compiles a format.
    ///
    /// # Errors
    /// What is wrong with it; see [`FormatError`].
    pub fn compile(text: &str) -> Result<Self, FormatError> {
        Self::compile_as(text, false)
    }

    /// The same for a format of `match_multiple`. As in StackStorm, the start and the end of a line are implied only where the format
    /// does not speak of them itself.
    ///
    /// # Errors
    /// As [`Self::compile`].
    pub fn compile_multiple(text: &str) -> Result<Self, FormatError> {
        Self::compile_as(text, true)
    }

    fn compile_as(text: &str, multiple: bool) -> Result<Self, FormatError> {
        if text.chars().count() > LONGEST_FORMAT {
            return Err(FormatError::TooLong);
        }
        let read = Reader::new(text).read()?;
        let switches = if read.case_sensitive { "(?s)" } else { "(?si)" };
        let multiline = if read.multiline { "(?m)" } else { "" };
        let start = if multiple && read.begins { "" } else { r"\A\s*" };
        let end = if multiple && read.ends { "" } else { r"\s*\z" };
        let expression = format!("{switches}{start}(?:{multiline}{}){end}", read.out);
        let engine = if read.hard {
            let mut builder = fancy_regex::RegexBuilder::new(&expression);
            builder.backtrack_limit(MOST_STEPS);
            Engine::Counting(Box::new(builder.build().map_err(|error| FormatError::Expression(one_line(&error)))?))
        } else if read.light {
            let syntax = regex_syntax::ast::parse::Parser::new().parse(&expression);
            syntax.map_err(|error| FormatError::Expression(one_line(&error)))?;
            Engine::Light(OnceLock::new())
        } else {
            Engine::Linear(linear(&expression).map_err(|error| FormatError::Expression(one_line(&error)))?)
        };
        let searched = start.is_empty() || end.is_empty();
        Ok(Self { expression, engine, slots: read.slots, outlines: read.sketch.finish(), searched })
    }

    /// Whether matching takes time linear in the line. If not, it takes at most [`MOST_STEPS`].
    pub fn is_linear(&self) -> bool {
        !matches!(self.engine, Engine::Counting(_))
    }

    /// The expression that is matched, for people who debug formats.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// Names of parameters and of the format's own groups, in order.
    pub fn parameter_names(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().map(|slot| slot.name.as_str())
    }

    /// Whether it is looked for inside a line. Otherwise it stands for a whole one.
    pub(crate) fn is_searched(&self) -> bool {
        self.searched
    }

    pub(crate) fn outlines(&self) -> &[Outline] {
        &self.outlines
    }

    /// Reads a line. `known` holds the parameter names of the action: a pair at the end of the line counts when its key is one of them, or
    /// when the format cannot match otherwise. Without it every pair counts, as in StackStorm.
    ///
    /// # Errors
    /// Only for formats that are not linear.
    pub fn read(&self, line: &str, known: Option<&BTreeSet<String>>) -> Result<Option<Reading>, Exhausted> {
        self.read_with(line, &Tail::of(line), known)
    }

    /// As [`Self::read`], for a line whose pairs have been found.
    pub(crate) fn read_with(
        &self,
        line: &str,
        tail: &Tail<'_>,
        known: Option<&BTreeSet<String>>,
    ) -> Result<Option<Reading>, Exhausted> {
        for pairs in cuts(tail, known) {
            let head = pairs.first().map_or(line, |first| &line[..first.start]);
            if let Some(mut reading) = self.read_head(head)? {
                overlay(&mut reading, pairs);
                return Ok(Some(reading));
            }
        }
        Ok(None)
    }

    /// Every reading of a line or block by a format of `match_multiple`, in order, each with its piece of the text; at most one more than
    /// [`MOST_MATCHES`]. A block is read line by line where each of its lines can be; otherwise as a whole.
    ///
    /// # Errors
    /// Only for formats that are not linear.
    pub(crate) fn read_multiple(
        &self,
        line: &str,
        known: Option<&BTreeSet<String>>,
    ) -> Result<Vec<(String, Reading)>, Exhausted> {
        if self.searched {
            let tail = Tail::of(line);
            for pairs in cuts(&tail, known) {
                let head = pairs.first().map_or(line, |first| &line[..first.start]);
                let mut found = self.search(head)?;
                if !found.is_empty() {
                    found.iter_mut().for_each(|(_, reading)| overlay(reading, pairs));
                    return Ok(found);
                }
            }
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for line in line.lines().map(str::trim).filter(|line| !line.is_empty()).take(MOST_MATCHES + 1) {
            match self.read(line, known)? {
                Some(reading) => found.push((line.to_owned(), reading)),
                None => {
                    found.clear();
                    break;
                }
            }
        }
        if found.is_empty() {
            found.extend(self.read(line, known)?.map(|reading| (line.trim().to_owned(), reading)));
        }
        Ok(found)
    }

    /// What is found in the text before the pairs, from left to right, nothing of it twice.
    fn search(&self, head: &str) -> Result<Vec<(String, Reading)>, Exhausted> {
        let padded = format!(" {} ", head.trim());
        let mut found = Vec::new();
        let mut take = |captured: Vec<Option<&str>>| {
            let piece = captured.first().copied().flatten().unwrap_or_default();
            if !piece.trim().is_empty() {
                found.push((piece.trim().to_owned(), self.reading(piece, &captured)));
            }
        };
        match &self.engine {
            Engine::Counting(expression) => {
                for captures in expression.captures_iter(&padded).take(MOST_MATCHES + 1) {
                    let captures = captures.map_err(|_| Exhausted)?;
                    let groups = (0..captures.len()).map(|group| captures.get(group).map(|found| found.as_str()));
                    take(groups.collect());
                }
            }
            Engine::Linear(_) | Engine::Light(_) => {
                let Some(expression) = self.linear() else { return Ok(found) };
                for captures in expression.captures_iter(&padded).take(MOST_MATCHES + 1) {
                    take(captures.iter().map(|found| found.map(|found| found.as_str())).collect());
                }
            }
        }
        Ok(found)
    }

    fn read_head(&self, head: &str) -> Result<Option<Reading>, Exhausted> {
        // Formats count on white space around the line: `foo .*` matches `foo`.
        let padded = format!(" {} ", head.trim());
        Ok(self.captures(&padded)?.map(|captured| self.reading(&padded, &captured)))
    }

    /// What the groups of a match say; `text` is what they matched.
    fn reading(&self, text: &str, captured: &[Option<&str>]) -> Reading {
        let mut reading = Reading {
            parameters: BTreeMap::new(),
            defaulted: BTreeSet::new(),
            overridden: Vec::new(),
            literal_length: solid(text),
            exact: self.slots.is_empty(),
        };
        for slot in &self.slots {
            let value = slot.groups.clone().find_map(|group| captured.get(group).copied().flatten());
            if let Some(value) = value {
                reading.literal_length = reading.literal_length.saturating_sub(solid(value));
                let value = if slot.own { value } else { value.trim_end() };
                reading.parameters.insert(slot.name.clone(), value.to_owned());
            } else if let Some(default) = &slot.default {
                reading.parameters.insert(slot.name.clone(), default.clone());
                reading.defaulted.insert(slot.name.clone());
            }
        }
        reading
    }

    /// The expression of a format that is matched in linear time.
    fn linear(&self) -> Option<&regex::Regex> {
        match &self.engine {
            Engine::Linear(expression) => Some(expression),
            Engine::Light(cell) => cell.get_or_init(|| linear(&self.expression).ok()).as_ref(),
            Engine::Counting(_) => None,
        }
    }

    /// The text of each group, or nothing when the line does not match.
    fn captures<'l>(&self, padded: &'l str) -> Result<Option<Vec<Option<&'l str>>>, Exhausted> {
        let expression = match &self.engine {
            Engine::Counting(expression) => {
                let captures = expression.captures(padded).map_err(|_| Exhausted)?;
                return Ok(captures.map(|captures| {
                    (0..captures.len()).map(|group| captures.get(group).map(|found| found.as_str())).collect()
                }));
            }
            Engine::Linear(_) | Engine::Light(_) => match self.linear() {
                Some(expression) => expression,
                None => return Ok(None),
            },
        };
        if self.slots.is_empty() {
            return Ok(expression.is_match(padded).then(Vec::new));
        }
        let captures = expression.captures(padded);
        Ok(captures.map(|captures| captures.iter().map(|found| found.map(|found| found.as_str())).collect()))
    }
}

/// The ways to cut pairs off a line, in the order in which they are tried.
fn cuts<'t, 'l>(tail: &'t Tail<'l>, known: Option<&BTreeSet<String>>) -> impl Iterator<Item = &'t [Pair<'l>]> {
    let all = tail.pairs.len();
    let surely = known.map_or(all, |known| tail.known(|key| known.contains(key)));
    let ways = [Some(surely), (all != surely).then_some(all), (surely != 0).then_some(0)];
    ways.into_iter().flatten().map(move |cut| &tail.pairs[all - cut..])
}

/// Pairs win over what a format captured.
fn overlay(reading: &mut Reading, pairs: &[Pair<'_>]) {
    for pair in pairs {
        reading.defaulted.remove(pair.key);
        let before = reading.parameters.insert(pair.key.to_owned(), pair.value.to_owned());
        reading.overridden.extend(before.map(|before| (pair.key.to_owned(), before)));
    }
}

fn linear(expression: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(expression).size_limit(LARGEST_EXPRESSION).build()
}

fn solid(text: &str) -> usize {
    text.chars().filter(|character| !character.is_whitespace()).count()
}

/// The last line of the engine's message says what is wrong, the others draw the expression, which is not what the author wrote.
fn one_line(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let last = text.lines().next_back().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
