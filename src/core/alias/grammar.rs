//! One format, from StackStorm's notation to an expression that runs in time linear in the line.
//!
//! A format is text, parameters `{{name}}` and `{{name = default}}`, and otherwise a Python regular expression. It is read once and written
//! down again as an expression anchored at both ends. Look-around, back references and possessive repeats go to an engine that counts its
//! steps. The pairs at the end of a line are not the format's business: what they leave is.

use crate::core::alias::outline::Outline;
use crate::core::alias::pairs::Tail;
use crate::core::alias::reader::{Reader, Slot};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// The most characters that a format may have.
pub const LONGEST_FORMAT: usize = 4_000;

/// The most parameters that a format may have, its own named groups included.
pub const MOST_PARAMETERS: usize = 32;

/// Steps that a format outside the linear engine may take on one line.
pub const MOST_STEPS: usize = 100_000;

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
        if text.chars().count() > LONGEST_FORMAT {
            return Err(FormatError::TooLong);
        }
        let read = Reader::new(text).read()?;
        let switches = if read.case_sensitive { "(?s)" } else { "(?si)" };
        let multiline = if read.multiline { "(?m)" } else { "" };
        let expression = format!(r"{switches}\A\s*(?:{multiline}{})\s*\z", read.out);
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
        Ok(Self { expression, engine, slots: read.slots, outlines: read.sketch.finish() })
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
        let all = tail.pairs.len();
        let surely = known.map_or(all, |known| tail.known(|key| known.contains(key)));
        let mut tries = vec![surely];
        if all != surely {
            tries.push(all);
        }
        if surely != 0 {
            tries.push(0);
        }
        for cut in tries {
            let pairs = &tail.pairs[all - cut..];
            let head = pairs.first().map_or(line, |first| &line[..first.start]);
            if let Some(mut reading) = self.read_head(head)? {
                for pair in pairs {
                    reading.defaulted.remove(pair.key);
                    let before = reading.parameters.insert(pair.key.to_owned(), pair.value.to_owned());
                    reading.overridden.extend(before.map(|before| (pair.key.to_owned(), before)));
                }
                return Ok(Some(reading));
            }
        }
        Ok(None)
    }

    fn read_head(&self, head: &str) -> Result<Option<Reading>, Exhausted> {
        // Formats count on white space around the line: `foo .*` matches `foo`.
        let padded = format!(" {} ", head.trim());
        let Some(captured) = self.captures(&padded)? else { return Ok(None) };
        let mut reading = Reading {
            parameters: BTreeMap::new(),
            defaulted: BTreeSet::new(),
            overridden: Vec::new(),
            literal_length: solid(&padded),
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
        Ok(Some(reading))
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
            Engine::Linear(expression) => expression,
            Engine::Light(cell) => match cell.get_or_init(|| linear(&self.expression).ok()) {
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
