//! Regular expressions, in Python's dialect. **Their size, the memory of a compiled one and the steps of a search are bounded.**

use super::error::{Kind, Outcome, YaqlError, fail, shortened};
use super::run::Run;
use crate::core::template::python_regex::translate;
use fancy_regex::{Captures, Error, Regex, RegexBuilder, RuntimeError};
use std::sync::{Arc, OnceLock};

/// Steps that one search may take that has to look around; others take time in proportion to the text.
const MOST_STEPS: usize = 100_000;
/// Bytes of a pattern.
const LONGEST: usize = 10_000;
/// Bytes of a compiled pattern.
const LARGEST: usize = 2 << 20;

/// A regular expression.
#[derive(Debug)]
pub struct Pattern {
    pub(crate) text: Arc<str>,
    flags: String,
    /// `$` means another place in a text that ends with a line break.
    plain: OnceLock<Regex>,
    broken: OnceLock<Regex>,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.flags == other.flags
    }
}

impl Pattern {
    /// Reads a pattern, with the flags of Python's inline notation.
    pub(crate) fn read(run: &Run<'_>, text: Arc<str>, flags: &str) -> Outcome<Self> {
        if text.len() > LONGEST {
            return fail(Kind::MemoryQuotaExceeded, format!("a regular expression may have {LONGEST} bytes"));
        }
        run.charge(text.len() + 100)?;
        let pattern = Self { text, flags: flags.to_owned(), plain: OnceLock::new(), broken: OnceLock::new() };
        pattern.regex("")?;
        Ok(pattern)
    }

    pub(crate) fn regex(&self, text: &str) -> Outcome<&Regex> {
        let place = if text.ends_with('\n') { &self.broken } else { &self.plain };
        if let Some(regex) = place.get() {
            return Ok(regex);
        }
        let flags = if self.flags.is_empty() { String::new() } else { format!("(?{})", self.flags) };
        let translated = translate(&format!("{flags}{}", self.text), text.ends_with('\n'));
        let compiled = translated.and_then(|translated| {
            let mut builder = RegexBuilder::new(&translated);
            builder.backtrack_limit(MOST_STEPS).delegate_size_limit(LARGEST);
            builder.build().map_err(|error| error.to_string())
        });
        match compiled {
            Ok(regex) => Ok(place.get_or_init(|| regex)),
            Err(why) => fail(Kind::Pattern, format!("`{}` is no regular expression: {why}", shortened(&self.text))),
        }
    }

    pub(crate) fn is_in(&self, run: &Run<'_>, text: &str) -> Outcome<bool> {
        run.charge(text.len() / 32 + 1)?;
        self.regex(text)?.is_match(text).map_err(failed)
    }

    /// What is found at this place or behind it.
    pub(crate) fn find<'t>(&self, run: &Run<'_>, text: &'t str, from: usize) -> Outcome<Option<Captures<'t, str>>> {
        run.charge((text.len() - from) / 32 + 1)?;
        self.regex(text)?.captures_from_pos(text, from).map_err(failed)
    }
}

fn failed(error: Error) -> Box<YaqlError> {
    let why = match error {
        Error::RuntimeError(RuntimeError::BacktrackLimitExceeded) => {
            format!("the search takes more than {MOST_STEPS} steps")
        }
        other => other.to_string(),
    };
    Box::new(YaqlError::new(Kind::MemoryQuotaExceeded, why))
}

/// Where the search goes on behind what was found: an empty match may not be found twice.
pub(crate) fn behind(text: &str, start: usize, end: usize) -> usize {
    if start == end { end + text[end..].chars().next().map_or(1, char::len_utf8) } else { end }
}
