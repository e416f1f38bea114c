//! A workflow as the conductor runs it: nodes, edges and a policy record. Every dialect is read into this; nothing is translated from one
//! dialect into another.
//!
//! Where dialects decide differently, the conductor asks the [`Policy`], never the dialect.

use super::expression::Tree;
use std::sync::Arc;

/// What a dialect decides differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// A failure that nobody takes care of ends the workflow at once: nothing more is started. Otherwise the other branches run to their end.
    pub fail_fast: bool,
    /// The order in which what follows a task is looked at.
    pub edge_order: EdgeOrder,
    /// What follows a failed item of a task.
    pub failed_items: FailedItems,
}

/// In which order the edges of a task are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeOrder {
    /// By the names of the tasks that they lead to.
    ByName,
    /// As they are written.
    AsWritten,
}

/// Whether a task goes on with its other items after one has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedItems {
    /// As soon as no item is at work, the task has failed, and the rest never runs.
    StopWhenDormant,
    /// All items run, and then the task has failed.
    RunAll,
}

/// Orquesta 1.0.
pub const ORQUESTA: Policy =
    Policy { fail_fast: true, edge_order: EdgeOrder::ByName, failed_items: FailedItems::StopWhenDormant };

/// A workflow.
#[derive(Debug, Clone)]
pub struct Graph {
    /// How its dialect decides.
    pub policy: Policy,
    /// Its file, for messages.
    pub file: String,
    /// What it is for, if it says so.
    pub description: Option<String>,
    /// What it takes, in order.
    pub inputs: Vec<Input>,
    /// What it begins with besides, in order.
    pub variables: Vec<Assignment>,
    /// What it gives, in order.
    pub output: Vec<Assignment>,
    /// How long it may take, in seconds.
    pub timeout: Option<Tree>,
    /// Its tasks in the order of the file, and behind them the engine's commands.
    pub nodes: Vec<Node>,
    /// The tasks that nothing leads to, by name.
    pub roots: Vec<u32>,
}

/// One input.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its name.
    pub name: Arc<str>,
    /// What it is when nobody gives it.
    pub default: Tree,
}

/// A name and what it is set to.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The name.
    pub name: Arc<str>,
    /// What it is set to.
    pub value: Tree,
}

/// A task, or a command of the engine.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name.
    pub name: Arc<str>,
    /// Which command it stands for.
    pub command: Option<Command>,
    /// The line of its name, from 1; 0 for a command.
    pub line: usize,
    /// What is run. A task without an action succeeds at once.
    pub action: Option<Tree>,
    /// What the action is given.
    pub input: Option<Tree>,
    /// What it is run for, one by one.
    pub items: Option<Items>,
    /// Seconds before it starts.
    pub delay: Option<Tree>,
    /// When it is tried again.
    pub retry: Option<Retry>,
    /// How long one attempt may take, in seconds.
    pub timeout: Option<Tree>,
    /// It waits for those that lead to it.
    pub join: Option<Join>,
    /// What follows, in the order in which it is looked at.
    pub edges: Vec<Edge>,
    /// The tasks that lead to it, each with those of its edges that do.
    pub inbound: Vec<(u32, Vec<u32>)>,
    /// It is run anew, on a route of its own, for each time that an edge leads to it.
    pub splits: bool,
}

/// The items of a task.
#[derive(Debug, Clone)]
pub struct Items {
    /// The names of the parts of an item; without names an item is taken as it is.
    pub names: Vec<Arc<str>>,
    /// The list.
    pub list: Tree,
    /// How many may run at once.
    pub concurrency: Option<Tree>,
}

/// When a task is tried again.
#[derive(Debug, Clone)]
pub struct Retry {
    /// On what condition; without one, if it failed.
    pub when: Option<Tree>,
    /// How many more times.
    pub count: Tree,
    /// Seconds before each.
    pub delay: Option<Tree>,
}

/// How many of the tasks that lead to one have to have led there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// Each of them.
    All,
    /// So many of them.
    Count(u64),
}

/// What the engine does itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Goes on: a failure stays one.
    Continue,
    /// Goes on: a failure has been taken care of.
    Noop,
    /// Fails the workflow.
    Fail,
    /// Tries the task again. It is read as a [`Retry`], and nothing leads to it.
    Retry,
}

impl Command {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Continue, Self::Fail, Self::Noop, Self::Retry];

    /// Its name in a workflow.
    pub fn word(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Noop => "noop",
            Self::Fail => "fail",
            Self::Retry => "retry",
        }
    }
}

/// What follows a task.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The node that it leads to.
    pub to: u32,
    /// Its number among the edges between the same two.
    pub key: u32,
    /// When it is followed; always without one.
    pub condition: Option<Tree>,
    /// What is published on the way.
    pub publish: Arc<[Assignment]>,
}

impl Graph {
    /// A node by its number.
    pub fn node(&self, number: u32) -> &Node {
        &self.nodes[number as usize]
    }

    /// The number of a task by its name.
    pub fn task(&self, name: &str) -> Option<u32> {
        let at = self.nodes.iter().position(|node| *node.name == *name)?;
        u32::try_from(at).ok()
    }
}
