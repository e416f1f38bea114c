//! What can be asked of the audit, and what is told.

use crate::core::audit::chain::{self, Check, Head, Parts, Verdict};
use crate::core::audit::filter::Filter;
use crate::core::audit::trail::Trail;
use crate::core::fact::Dated;
use crate::core::input::{Back, Principal};
use serde::{Deserialize, Serialize};

/// Who wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// Who.
    pub by: Principal,
    /// Where the answer goes.
    pub back: Back,
    /// The time zone of the one who asked; empty when that is not known.
    pub zone: String,
    /// What was written to say what is wanted.
    pub words: String,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "question")]
pub enum Question {
    /// The newest lines.
    Newest {
        /// At most so many.
        most: usize,
        /// What they are like.
        filter: Filter,
    },
    /// Whether all of it is as it was written.
    Verify {
        /// What is known from elsewhere.
        known: Vec<Head>,
    },
    /// The newest line, which is on disk when this is told.
    Head,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "told")]
pub enum Told {
    /// Lines, oldest first.
    Lines {
        /// They.
        lines: Vec<String>,
        /// It was not looked through all; the number of the oldest that was looked at.
        since: Option<u64>,
    },
    /// What the check has found.
    Verified {
        /// This.
        verdict: Box<Verdict>,
    },
    /// The newest line.
    Head {
        /// This.
        head: Head,
    },
}

/// All lines that these facts make, from the first fact on.
pub fn derive(facts: &[Dated]) -> Vec<String> {
    let (mut trail, mut head, mut lines) = (Trail::default(), Head::default(), Vec::new());
    for (number, dated) in (1..).zip(facts) {
        // An entry that cannot be written is a bug, and leaves no line.
        if let Some(entry) = trail.take(dated, number, head.number + 1)
            && let Ok((line, next)) = chain::append(&head, &entry)
        {
            lines.push(line);
            head = next;
        }
    }
    lines
}

/// Answers from lines that are all at hand.
pub fn answer(lines: &[String], question: &Question) -> Told {
    match question {
        Question::Newest { most, filter } => {
            let takes = |line: &&String| {
                Parts::of(line).and_then(|parts| parts.decode()).is_some_and(|entry| filter.takes(&entry))
            };
            let mut lines: Vec<String> = lines.iter().rev().filter(takes).take(*most).cloned().collect();
            lines.reverse();
            Told::Lines { lines, since: None }
        }
        Question::Verify { known } => {
            let mut check = Check::against(known.clone());
            lines.iter().for_each(|line| check.take(line));
            Told::Verified { verdict: Box::new(check.end()) }
        }
        Question::Head => {
            let head = lines.last().and_then(|line| Parts::of(line)?.head()).unwrap_or_default();
            Told::Head { head }
        }
    }
}
