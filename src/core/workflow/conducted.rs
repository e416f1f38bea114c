//! A workflow that is an execution: what is remembered of it besides the state of its tasks.
//!
//! Each action of a task is an execution of its own, a **child**. Which child stands for which task, which of them wait for their time, and of
//! whose ends the conductor has been told: that is kept here, folded from [`Moved`] as the state is from its transitions.
//!
//! - **As large as what is live**: of each task, route and item the newest try is known, and no other.
//! - **What was rendered is kept**: a task that waits for its time begins with the input that it had when it came to wait.

use super::board::pairs;
use super::state::State;
use super::status::Status;
use super::transition::Transition;
use crate::core::action::params::MASK;
use crate::core::id::ExecutionId;
use crate::core::input::Principal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An item that is longer is no name.
const LONGEST_ITEM: usize = 60;

/// The text of a workflow, as it was when its execution was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// Its file, for messages.
    pub file: String,
    /// What stands in it.
    pub text: String,
}

/// Whose child an execution is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The workflow.
    pub workflow: ExecutionId,
    /// The workflow that somebody asked for: the same, or the one that all workflows above belong to. Its post is the only one.
    pub root: ExecutionId,
    /// How many workflows are above it.
    pub depth: u32,
    /// The name of the task.
    pub task: Arc<str>,
    /// Which action of the workflow it carries out.
    pub place: TaskPlace,
}

/// A workflow that goes on where another one has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TakesUp {
    /// How that one stood.
    pub conducted: Conducted,
    /// The tasks to be run again, with their routes; those that failed where none is named.
    pub tasks: Vec<(String, u32)>,
}

/// One action of a workflow: of a task, on a route, for an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskPlace {
    /// The task.
    pub task: u32,
    /// Its route.
    pub route: u32,
    /// The item; absent where the task has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
}

/// What happened in a workflow with one decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    /// The workflow's execution.
    pub id: ExecutionId,
    /// What it means for its tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<Transition>,
    /// Actions that began, or came to wait for their time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub began: Vec<Began>,
    /// Children of whose end the tasks know now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<ExecutionId>,
}

impl Moved {
    /// Nothing happened.
    pub fn is_empty(&self) -> bool {
        self.transitions.is_empty() && self.began.is_empty() && self.told.is_empty()
    }
}

/// An action that began or came to wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Began {
    /// Which.
    pub place: TaskPlace,
    /// What is run, as the task says it.
    pub action: String,
    /// How.
    pub how: How,
}

/// How an action began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum How {
    /// It waits for its time.
    Later(Box<Later>),
    /// It is this execution.
    Child {
        /// Which.
        id: ExecutionId,
        /// When its time is over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Its machines, written the short way, as far as that is shown.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        hosts: String,
    },
    /// It could not be begun.
    Declined,
}

/// An action that waits for its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Later {
    /// What is run.
    pub action: String,
    /// What it is given.
    pub input: Arc<Value>,
    /// What of that is not to be taken for the pack's own words, and what may not be seen.
    #[serde(default)]
    pub marks: Marks,
    /// When it begins.
    pub due: Timestamp,
    /// How many seconds it may take then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
}

/// What is known of the values that a task gives its action.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    /// Names of those that stand in the file as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub written: Vec<String>,
    /// The characters that a shell would act on and that expressions put into the command.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub spliced: String,
}

/// One action of a workflow, as far as it has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Child {
    /// Its execution; absent while it waits for its time, and where it could not be begun.
    pub id: Option<ExecutionId>,
    /// What is run, as the task says it.
    pub action: String,
    /// When it began.
    pub began: Timestamp,
    /// When the tasks were told of its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// When its time is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How often it has been tried.
    pub attempt: u32,
    /// Its machines, written the short way, as far as that is shown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hosts: String,
    /// The item that it is for, where that is a word or a number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// A workflow under way, or ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conducted {
    /// How its tasks stand.
    pub state: State,
    /// The newest try of each of its actions.
    #[serde(with = "pairs")]
    pub children: BTreeMap<TaskPlace, Child>,
    /// Those that wait for their time.
    #[serde(skip_serializing_if = "Waiting::is_empty")]
    pub later: Waiting,
    /// Executions of which the tasks wait to hear.
    pub at_work: BTreeMap<ExecutionId, TaskPlace>,
    /// Who paused it, while it stands still for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<Principal>,
    /// How many tasks without an action there were since the last one with one.
    pub idle: u32,
    /// What makes the words that stand for secrets in this workflow ([`secret_word`]).
    pub nonce: String,
    /// The secrets among its parameters, sealed, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sealed: BTreeMap<String, String>,
    /// The execution under whose name they are sealed, where that is another one: the one whose tasks this one took up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed_by: Option<ExecutionId>,
}

/// Actions that wait for their time, found by which they are and by when that is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(TaskPlace, Later)>", into = "Vec<(TaskPlace, Later)>")]
pub struct Waiting {
    all: BTreeMap<TaskPlace, Later>,
    order: BTreeSet<(Timestamp, TaskPlace)>,
}

impl From<Vec<(TaskPlace, Later)>> for Waiting {
    fn from(pairs: Vec<(TaskPlace, Later)>) -> Self {
        let order = pairs.iter().map(|(place, later)| (later.due, *place)).collect();
        Self { all: pairs.into_iter().collect(), order }
    }
}

impl From<Waiting> for Vec<(TaskPlace, Later)> {
    fn from(waiting: Waiting) -> Self {
        waiting.all.into_iter().collect()
    }
}

impl Waiting {
    /// None waits.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether one waits.
    pub fn contains(&self, place: TaskPlace) -> bool {
        self.all.contains_key(&place)
    }

    /// One that waits.
    pub fn get(&self, place: TaskPlace) -> Option<&Later> {
        self.all.get(&place)
    }

    /// Which wait.
    pub fn keys(&self) -> impl Iterator<Item = &TaskPlace> {
        self.all.keys()
    }

    /// The one whose time comes first, and when.
    pub fn first(&self) -> Option<(Timestamp, TaskPlace)> {
        self.order.first().copied()
    }

    fn insert(&mut self, place: TaskPlace, later: Later) {
        self.remove(place);
        self.order.insert((later.due, place));
        self.all.insert(place, later);
    }

    fn remove(&mut self, place: TaskPlace) {
        if let Some(later) = self.all.remove(&place) {
            self.order.remove(&(later.due, place));
        }
    }
}

/// The word that stands for a secret: nobody who does not know `nonce` can make one.
pub fn secret_word(nonce: &str, what: &str) -> String {
    format!("{MASK}{nonce}:{what};")
}

impl Conducted {
    /// What is known after a decision.
    pub fn apply(&mut self, at: Timestamp, moved: &Moved) {
        for transition in &moved.transitions {
            self.state.apply(transition);
            if matches!(transition, Transition::Entered { .. }) {
                self.idle = self.idle.saturating_add(1);
            }
        }
        for id in &moved.told {
            if let Some(place) = self.at_work.remove(id)
                && let Some(child) = self.children.get_mut(&place)
                && child.id.as_ref() == Some(id)
            {
                child.ended = Some(at);
            }
        }
        for began in &moved.began {
            self.idle = 0;
            self.later.remove(began.place);
            let known = self.children.get(&began.place);
            let mut child = Child {
                id: None,
                action: began.action.clone(),
                began: at,
                ended: None,
                until: None,
                attempt: known.map_or(0, |known| known.attempt) + 1,
                hosts: String::new(),
                item: self.word_of_item(began.place),
            };
            match &began.how {
                How::Later(later) => {
                    child.attempt -= 1;
                    child.began = later.due;
                    self.later.insert(began.place, (**later).clone());
                }
                How::Child { id, until, hosts } => {
                    child.hosts.clone_from(hosts);
                    child.id = Some(id.clone());
                    child.until = *until;
                    self.at_work.insert(id.clone(), began.place);
                }
                How::Declined => child.ended = Some(at),
            }
            self.children.insert(began.place, child);
        }
    }

    fn word_of_item(&self, place: TaskPlace) -> String {
        let items = || self.state.staged(place.task, place.route)?.items.as_ref();
        let item = place.item.and_then(|item| items()?.list.get(item as usize));
        // A name of its own does not make it more than one value.
        let item = match item {
            Some(Value::Object(parts)) if parts.len() == 1 => parts.values().next(),
            other => other,
        };
        match item {
            Some(Value::String(text)) if text.chars().count() <= LONGEST_ITEM => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    /// When the time of one of those children is over that count.
    pub fn next_end(&self, counts: impl Fn(&ExecutionId) -> bool) -> Option<Timestamp> {
        let over = self.at_work.iter().filter_map(|(id, place)| Some((id, self.children.get(place)?.until?)));
        over.filter(|(id, _)| counts(id)).map(|(_, until)| until).min()
    }

    /// The execution under whose name its secrets are sealed.
    pub fn sealed_for(&self, id: &ExecutionId) -> ExecutionId {
        self.sealed_by.clone().unwrap_or_else(|| id.clone())
    }

    /// A value with stars in the place of words that stand for secrets.
    pub fn without_secrets(&self, value: Value) -> Value {
        match value {
            Value::String(text) if !self.nonce.is_empty() && text.contains(&self.nonce) => {
                let begin = format!("{MASK}{}:", self.nonce);
                let mut parts = text.split(begin.as_str());
                let mut shown = parts.next().unwrap_or_default().to_owned();
                for part in parts {
                    shown.push_str(MASK);
                    shown.push_str(part.split_once(';').map_or("", |(_, rest)| rest));
                }
                Value::String(shown)
            }
            Value::Array(items) => items.into_iter().map(|item| self.without_secrets(item)).collect(),
            Value::Object(map) => {
                Value::Object(map.into_iter().map(|(key, value)| (key, self.without_secrets(value))).collect())
            }
            other => other,
        }
    }

    /// How one of its actions stands.
    pub fn status(&self, place: TaskPlace) -> Status {
        if self.later.contains(place) {
            return Status::Delayed;
        }
        let item = place.item.and_then(|item| {
            let items = self.state.staged(place.task, place.route)?.items.as_ref()?;
            items.statuses.get(item as usize).copied()
        });
        let task = || self.state.board.latest(place.task, place.route).map(|(_, entry)| entry.status);
        item.or_else(task).unwrap_or_default()
    }
}
