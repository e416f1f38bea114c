//! # The conductor
//!
//! Given a graph, a state and what happened, it says what to start, what was published and how the workflow stands.

mod again;
mod judgement;
mod progress;
mod start;

use super::board::Board;
use super::conducted::Marks;
use super::expression::Failure;
use super::graph::Graph;
use super::machine::{self, Activity};
use super::scene::{Current, Scene, World};
use super::scope::Variables;
use super::state::{Items, State};
use super::status::Status;
use super::transition::{Transition, Trouble};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Runs a workflow: a graph, what has become of it so far, and the world that its expressions may ask.
#[derive(Debug, Clone)]
pub struct Conductor {
    graph: Arc<Graph>,
    state: State,
    world: Arc<dyn World>,
    /// What happened since somebody took it.
    transitions: Vec<Transition>,
    /// Fingerprints of the errors in the state, so that each is told once.
    told: BTreeMap<u64, Vec<usize>>,
}

/// A task to be started, or more of its items.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The task.
    pub task: u32,
    /// Its route.
    pub route: u32,
    /// Seconds before it.
    pub delay: Option<i64>,
    /// How long it may take, in seconds.
    pub timeout: Option<u64>,
    /// How many items it has, where it has items.
    pub items: Option<usize>,
    /// How many of them may run at once.
    pub concurrency: Option<i64>,
    /// What to run: one action, or one for each item that is to be started.
    pub actions: Vec<Action>,
}

impl Start {
    /// There is nothing to run: the task succeeds as soon as it starts.
    pub fn is_instant(&self) -> bool {
        match self.items {
            Some(items) => items == 0,
            None => self.actions.first().is_none_or(|action| action.action.is_null()),
        }
    }
}

/// An action to be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// For which item.
    pub item: Option<u32>,
    /// The action's ref; null where the task has none.
    pub action: Arc<Value>,
    /// What it is given.
    pub input: Arc<Value>,
    /// What is known of that: which of it are the file's own words.
    pub marks: Marks,
}

/// What the action of a task tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Of which item.
    pub item: Option<u32>,
    /// How it stands.
    pub status: Status,
    /// What it gave.
    pub result: Option<Arc<Value>>,
}

/// What cannot be done with a workflow as it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no way from here to there.
    #[error("a workflow that is {now} cannot become {asked}")]
    Transition {
        /// How it stands.
        now: Status,
        /// How it should.
        asked: Status,
    },
    /// A workflow never stands so.
    #[error("a workflow is never {0}")]
    Status(Status),
    /// Only what has ended is run again.
    #[error("the workflow has not ended yet, so nothing of it can be run again")]
    Active,
    /// These tasks have not run.
    #[error("these tasks have not run, so they cannot be run again: {}", .0.join(", "))]
    Tasks(Vec<String>),
}

impl Refused {
    /// StackStorm's name for it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Transition { .. } => "InvalidWorkflowStatusTransition",
            Self::Status(_) => "InvalidEvent",
            Self::Active => "WorkflowIsActiveAndNotRerunableError",
            Self::Tasks(_) => "InvalidTaskRerunRequest",
        }
    }
}

/// What is to be run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rerun {
    /// The task.
    pub task: String,
    /// Its route.
    pub route: u32,
    /// All its items and not only the failed ones.
    pub reset_items: bool,
}

/// The error of an action that failed. StackStorm's words: programs look for them.
const SEE_RESULT: &str = "Execution failed. See result for details.";

/// The longest delay or timeout that is taken, in seconds: a hundred years.
const LONGEST: i64 = 100 * 366 * 86_400;

impl Conductor {
    /// Goes on with a workflow from a state; a new one begins with the state that knows nothing.
    pub fn new(graph: Arc<Graph>, state: State, world: Arc<dyn World>) -> Self {
        let mut told: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (at, error) in state.errors.iter().enumerate() {
            told.entry(fingerprint(error)).or_default().push(at);
        }
        Self { graph, state, world, transitions: Vec::new(), told }
    }

    /// What its expressions may ask from now on.
    pub fn look_into(&mut self, world: Arc<dyn World>) {
        self.world = world;
    }

    /// How it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What it runs.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// What happened since this was asked last, in order. Whoever runs the workflow makes it durable before it acts on it.
    pub fn take_transitions(&mut self) -> Vec<Transition> {
        std::mem::take(&mut self.transitions)
    }

    fn scene(&self, variables: Variables, current: Option<Current>, item: Option<Arc<Value>>) -> Scene {
        Scene { variables, current, item, board: Arc::clone(&self.state.board), world: Arc::clone(&self.world) }
    }

    fn is_active(&self) -> bool {
        self.state.board.any(Status::is_active)
    }

    fn activity(&self) -> Activity {
        if self.is_active() { Activity::Active } else { Activity::Dormant }
    }

    fn status_of(&self, entry: u32) -> Status {
        self.state.board.entry(entry).map(|entry| entry.status).unwrap_or_default()
    }

    fn stage(
        &mut self,
        task: u32,
        route: u32,
        scope: u32,
        from: Vec<(u32, u32, u32)>,
        ready: bool,
        again: Option<i64>,
    ) {
        self.note(Transition::Staged { task, route, scope, from, ready, again });
    }

    fn stands(&mut self, status: Status) {
        if self.state.status != status {
            self.note(Transition::Stands { status });
        }
    }

    /// The workflow has failed, if it can.
    fn fail(&mut self) {
        if machine::request(self.state.status, Status::Failed, Activity::Dormant, false).is_some() {
            self.stands(Status::Failed);
        }
    }

    fn erred(&mut self, failures: Vec<Failure>, task: Option<u32>, route: Option<u32>, transition: Option<String>) {
        let name = task.map(|task| Arc::clone(&self.graph.node(task).name));
        for Failure { kind, message } in failures {
            let message = format!("{kind}: {message}");
            self.trouble(Trouble { route, task_transition_id: transition.clone(), ..trouble(message, name.as_ref()) });
        }
    }

    /// Tells of something that went wrong, once.
    fn trouble(&mut self, error: Trouble) {
        let mark = fingerprint(&error);
        let known = self.told.get(&mark).into_iter().flatten();
        if known.into_iter().any(|at| self.state.errors.get(*at) == Some(&error)) {
            return;
        }
        self.told.entry(mark).or_default().push(self.state.errors.len());
        self.note(Transition::Erred { error });
    }

    fn note(&mut self, transition: Transition) {
        self.state.apply(&transition);
        self.transitions.push(transition);
    }
}

fn trouble(message: String, task: Option<&Arc<str>>) -> Trouble {
    Trouble { message, task_id: task.cloned(), route: None, task_transition_id: None, result: None }
}

/// How far the tasks that lead to a join have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Criteria {
    Satisfied,
    Open,
    OutOfReach,
}

/// FNV-1a over what makes an error another one than the next.
fn fingerprint(error: &Trouble) -> u64 {
    struct Fingerprint(u64);
    impl std::io::Write for Fingerprint {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut mark = Fingerprint(0xcbf2_9ce4_8422_2325);
    // Only what cannot be written as JSON would fail, and an error can.
    let _ = serde_json::to_writer(&mut mark, error);
    mark.0
}

/// Used by whoever shows a workflow: the board and what waits.
impl Conductor {
    /// How the tasks stand.
    pub fn board(&self) -> &Board {
        &self.state.board
    }

    /// The items of a task that is run for items.
    pub fn items(&self, task: u32, route: u32) -> Option<&Items> {
        self.state.staged(task, route)?.items.as_ref()
    }
}
