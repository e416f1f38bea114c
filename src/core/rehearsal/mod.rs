//! # Rehearsals
//!
//! A workflow played without anything that runs: a file says what it is given, what each action would give, and what has to come of it. A pack keeps
//! them in `tests/workflows/`, beside the lines of chat of [`crate::core::content::example`]; `halcyon test` plays both. `docs/rehearsals.md` is the
//! description of the format for those who write them.
//!
//! The life of a rehearsal: [`read`] makes a [`Script`] of a file's text; whoever called it finds the workflow that the script names; [`Rehearsal::play`]
//! gives a [`Verdict`]: what is otherwise than expected, and everything that happened until then.
//!
//! - **Nothing is run**, and nothing is asked: time, datastore and outcomes come from the file, so the same file has the same verdict everywhere.
//! - **What is not mocked is said and not guessed**: a task that runs without a mock, or more often than it has mocks, ends the play.
//! - **What is given to an action is held against that action**: unknown actions, unknown, missing or refused parameters are told, as the run would.
//! - **The play is the conductor's own** ([`crate::core::workflow::stage`]); nothing of a workflow's meaning is decided here.

mod compare;
mod file;
mod play;

pub use file::read;

use super::content::Catalog;
use super::workflow::graph::Graph;
use super::workflow::status::Status;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A file of rehearsals.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// The workflow: the path of its file, seen from this one, or an action.
    pub workflow: String,
    /// The line that says so.
    pub line: usize,
    /// What is played.
    pub rehearsals: Vec<Rehearsal>,
}

/// One rehearsal.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsal {
    /// What it shows, in words.
    pub name: String,
    /// Its line, from 1.
    pub line: usize,
    inputs: Map<String, Value>,
    context: Map<String, Value>,
    datastore: Map<String, Value>,
    mocks: BTreeMap<String, Mocks>,
    order: Vec<Cue>,
    expected: Expected,
}

/// What the action of a task gives, each time that it runs.
#[derive(Debug, Clone, PartialEq)]
struct Mocks {
    line: usize,
    outcomes: Vec<Outcome>,
}

/// What an action gives.
#[derive(Debug, Clone, PartialEq)]
struct Outcome {
    line: usize,
    status: Status,
    result: Option<Value>,
    action: Which,
    /// How often it is given; without a number as often as is asked for.
    times: Option<u64>,
}

/// Which of the actions of a task is meant.
#[derive(Debug, Clone, Default, PartialEq)]
struct Which {
    /// The number of its item.
    item: Option<u32>,
    /// Its item, by what it is.
    value: Option<Value>,
    route: Option<u32>,
}

/// What happens next, where that matters.
#[derive(Debug, Clone, PartialEq)]
struct Cue {
    line: usize,
    what: Happening,
}

#[derive(Debug, Clone, PartialEq)]
enum Happening {
    /// An action ends.
    Ends { task: String, action: Which },
    /// Somebody asks for this.
    Asked(Operation),
    /// Somebody runs tasks again; all that failed where none is named.
    Again(Vec<String>),
}

/// What people do with a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Pause,
    Resume,
    Cancel,
    /// Nobody asks for it: the workflow's own time is over.
    Expire,
}

impl Operation {
    const ALL: [(&'static str, Self); 4] =
        [("pause", Self::Pause), ("resume", Self::Resume), ("cancel", Self::Cancel), ("expire", Self::Expire)];

    fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, operation)| *operation == self).map_or("", |(word, _)| word)
    }
}

/// What has to come of it. What is absent is not looked at, but for the status.
#[derive(Debug, Clone, Default, PartialEq)]
struct Expected {
    status: Placed<Status>,
    tasks: Option<Vec<Vec<WantedStart>>>,
    never: Vec<Placed<String>>,
    output: Option<Placed<Value>>,
    errors: Option<Placed<Vec<String>>>,
    /// Where the expectation stands.
    line: usize,
}

/// A value of the file and its line.
#[derive(Debug, Clone, Default, PartialEq)]
struct Placed<T> {
    line: usize,
    value: T,
}

/// A start that is expected; those of one list in any order.
#[derive(Debug, Clone, Default, PartialEq)]
struct WantedStart {
    line: usize,
    task: String,
    action: Option<String>,
    input: Option<Map<String, Value>>,
    delay: Option<i64>,
    /// How many items were started until its end.
    items: Option<usize>,
}

/// What came of a rehearsal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    /// What is otherwise than expected. Nothing: it went as it should.
    pub complaints: Vec<Complaint>,
    /// What happened, in order.
    pub steps: Vec<Step>,
}

/// Something that is otherwise than expected.
#[derive(Debug, Clone, PartialEq)]
pub enum Complaint {
    /// A value.
    Differs {
        /// The line that expects it.
        line: usize,
        /// Which value: `output.jobs`.
        about: String,
        /// What was expected.
        expected: String,
        /// What there is.
        got: String,
    },
    /// The play could not go on, or goes on in a way that no run would.
    Trouble {
        /// The line of the rehearsal that it is about.
        line: usize,
        /// What happened.
        message: String,
    },
}

impl Complaint {
    /// The line of the rehearsal's file that it is about.
    pub fn line(&self) -> usize {
        match self {
            Self::Differs { line, .. } | Self::Trouble { line, .. } => *line,
        }
    }
}

/// Something that happened in a play.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A task was started, or another try of it, or one of its items.
    Starts {
        /// The task.
        task: String,
        /// Its route, where it is not the first.
        route: u32,
        /// The number of the item and the item.
        item: Option<(u32, Value)>,
        /// The action; nothing where the task has none.
        action: Value,
        /// What it is given.
        input: Value,
        /// Seconds before it.
        delay: Option<i64>,
    },
    /// An action ended.
    Ends {
        /// Its task.
        task: String,
        /// The route, where it is not the first.
        route: u32,
        /// The number of the item.
        item: Option<u32>,
        /// How.
        status: Status,
        /// What it gave.
        result: Option<Value>,
    },
    /// Somebody did something with the workflow.
    Asked {
        /// What.
        what: String,
        /// Why that could not be, where it could not.
        refused: Option<String>,
    },
    /// Something went wrong.
    Erred {
        /// What.
        message: String,
    },
    /// The workflow stands otherwise.
    Stands {
        /// How.
        status: Status,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starts { task, route, item, action, input, delay } => {
                write!(f, "{task}{}", Branch(*route))?;
                if let Some((number, item)) = item {
                    write!(f, "[{number}] for {}", compact(item))?;
                }
                f.write_str(" starts")?;
                if let Some(seconds) = delay.filter(|seconds| *seconds > 0) {
                    write!(f, " after {seconds} s")?;
                }
                match action {
                    Value::Null => Ok(()),
                    action if input.is_null() => write!(f, ": {}", plain(action)),
                    action => write!(f, ": {} {}", plain(action), compact(input)),
                }
            }
            Self::Ends { task, route, item, status, result } => {
                write!(f, "{task}{}", Branch(*route))?;
                if let Some(number) = item {
                    write!(f, "[{number}]")?;
                }
                write!(f, " ends: {status}")?;
                match result {
                    Some(result) if !result.is_null() => write!(f, " {}", compact(result)),
                    _ => Ok(()),
                }
            }
            Self::Asked { what, refused: None } => write!(f, "somebody asks: {what}"),
            Self::Asked { what, refused: Some(why) } => write!(f, "somebody asks: {what}; refused, since {why}"),
            Self::Erred { message } => write!(f, "error: {message}"),
            Self::Stands { status } if status.is_completed() => write!(f, "the workflow ends: {status}"),
            Self::Stands { status } => write!(f, "the workflow is {status}"),
        }
    }
}

/// A route as it is shown behind a task's name; the first is not.
struct Branch(u32);

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 0 { write!(f, " (route {})", self.0) } else { Ok(()) }
    }
}

/// A value in one line of which the beginning is enough.
fn compact(value: &Value) -> String {
    const MOST: usize = 300;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// A text without quotes, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Rehearsal {
    /// The names that whoever starts the workflow hands down.
    pub fn handed_down(&self) -> impl Iterator<Item = &str> {
        self.context.keys().map(String::as_str)
    }

    /// Plays it.
    pub fn play(&self, graph: &Arc<Graph>, catalog: &Catalog) -> Verdict {
        play::play(self, graph, catalog)
    }
}
