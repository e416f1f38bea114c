//! What happened in a workflow, in steps so small that each is one fact. The state of a workflow is their fold ([`super::state::State`]).
//!
//! Transitions carry results, never expressions: folding them renders nothing and looks at no graph. Tasks are named by their numbers, which the
//! first transition gives names to.

use super::board::{Followed, Retries};
use super::status::Status;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "snake_case")]
pub enum Transition {
    /// The workflow was opened: these are its tasks, and this is what it begins with.
    Opened {
        /// The names of the tasks by their numbers, those of the engine's commands last.
        tasks: Vec<Arc<str>>,
        /// What expressions know from the beginning.
        variables: Map<String, Value>,
        /// How many seconds it may take.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout: Option<u64>,
    },
    /// The workflow stands so from now on.
    Stands {
        /// How.
        status: Status,
    },
    /// A route came about, as the next in number.
    Routed {
        /// The route that it continues.
        from: u32,
        /// The edge that made it, as the task and the number of its edge.
        by: (u32, u32),
    },
    /// Values were published over what is seen, as the next scope in number.
    Published {
        /// The scope that they lie over.
        over: u32,
        /// The values.
        values: Vec<(Arc<str>, Arc<Value>)>,
    },
    /// What two branches see was joined, as the next scope in number.
    Joined {
        /// The branch that came first.
        first: u32,
        /// The branch that came.
        then: u32,
    },
    /// A task is to be started, or waits for more branches.
    Staged {
        /// The task.
        task: u32,
        /// Its route.
        route: u32,
        /// What it will see.
        scope: u32,
        /// The edge that led there, as its task, its number and the route that it came on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        from: Vec<(u32, u32, u32)>,
        /// Nothing is missing.
        ready: bool,
        /// It is tried again, after so many seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<i64>,
    },
    /// Another branch came to a task that waits.
    Arrived {
        /// The task.
        task: u32,
        /// Its route.
        route: u32,
        /// What it will see.
        scope: u32,
        /// The edge that led there, as its task, its number and the route that it came on.
        from: (u32, u32, u32),
        /// Nothing is missing.
        ready: bool,
    },
    /// A branch came to a join that had enough.
    Late {
        /// The entry of the join.
        entry: u32,
        /// The task that led there.
        from: u32,
    },
    /// A task that waits is to be started though the workflow has failed.
    Despite {
        /// The task.
        task: u32,
        /// Its route.
        route: u32,
    },
    /// A task waits no more.
    Unstaged {
        /// The task.
        task: u32,
        /// Its route.
        route: u32,
    },
    /// What a task is to be run for.
    Itemised {
        /// The task.
        task: u32,
        /// Its route.
        route: u32,
        /// The items.
        items: Arc<Vec<Value>>,
        /// How many may run at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        concurrency: Option<i64>,
    },
    /// An item of a task stands so from now on.
    Item {
        /// The task.
        task: u32,
        /// Its route.
        route: u32,
        /// The item.
        item: u32,
        /// How it stands.
        status: Status,
        /// What it gave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<Arc<Value>>,
    },
    /// A task with items has failed and is kept, so that the failed ones can be run again.
    Kept {
        /// The task.
        task: u32,
        /// Its route.
        route: u32,
    },
    /// These items of a task that was kept are run again.
    Reopened {
        /// The task.
        task: u32,
        /// Its route.
        route: u32,
        /// All of them, also those that succeeded.
        all: bool,
    },
    /// A task was started, as the next entry in number.
    Entered {
        /// The task.
        task: u32,
        /// Its route.
        route: u32,
        /// What it sees.
        scope: u32,
        /// The edges that led to it, each as its task, its number and the route that it came on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        from: Vec<(u32, u32, u32)>,
        /// How often it may be tried again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry: Option<Retries>,
    },
    /// An entry stands so from now on.
    Task {
        /// The entry.
        entry: u32,
        /// How it stands.
        status: Status,
    },
    /// What an entry gave.
    Gave {
        /// The entry.
        entry: u32,
        /// What.
        result: Arc<Value>,
        /// It is a list, of what its items gave.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        items: bool,
    },
    /// An entry is tried again.
    Retried {
        /// The entry.
        entry: u32,
    },
    /// What came of an edge.
    Edge {
        /// The entry that it leaves.
        entry: u32,
        /// Its place among the edges of the task.
        edge: u32,
        /// Whether it was followed.
        followed: Followed,
    },
    /// Whether an entry ends the workflow.
    Ends {
        /// The entry.
        entry: u32,
        /// It does.
        terminal: bool,
    },
    /// Something went wrong.
    Erred {
        /// What.
        error: Trouble,
    },
    /// What had gone wrong with a task is forgotten, because it is run again.
    Forgiven {
        /// The task.
        task: Arc<str>,
    },
    /// The workflow gave this.
    Output {
        /// What; nothing when it will give something else later.
        values: Option<Map<String, Value>>,
    },
}

/// What went wrong. The keys are StackStorm's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The name of the kind, and what happened.
    pub message: String,
    /// The task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<Arc<str>>,
    /// Its route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<u32>,
    /// The edge, as the task that it leads to and its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_transition_id: Option<String>,
    /// What the action gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Arc<Value>>,
}
