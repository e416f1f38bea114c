//! What is said of a workflow under way, and of one that has ended.

use serde::Serialize;

/// See [`super::Card::Workflow`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct WorkflowCard {
    /// The emoji that says it at a glance.
    pub mark: &'static str,
    /// What was asked for, as inline code.
    pub line: String,
    /// The short id.
    pub id: String,
    /// How it ended or stands.
    pub verdict: String,
    /// Time since the start, or that it took.
    pub elapsed: String,
    /// It has ended.
    pub over: bool,
    /// Somebody has stopped it.
    pub canceling: bool,
    /// It stands still, or will.
    pub paused: bool,
    /// Who wanted that; empty where it waits for an answer.
    pub paused_by: String,
    /// Why nothing more begins for now, as a sentence; empty when nothing is in the way.
    pub held: String,
    /// How many tasks stand how, where not each has a row of its own.
    pub counts: Vec<TaskCount>,
    /// How many tasks have not begun, where not each has a row of its own.
    pub idle: usize,
    /// Tasks, those that matter most where there are many.
    pub rows: Vec<TaskRow>,
    /// How many more are at work or have failed than have a row.
    pub more: usize,
    /// What failed tasks gave.
    pub failures: Vec<TaskFailure>,
    /// How many more failed than those.
    pub failures_more: usize,
    /// What went wrong with the workflow itself, a sentence each.
    pub errors: Vec<String>,
    /// What it gave, in a fence; empty when nothing.
    pub output: String,
    /// Who asked for it; empty in the workflow's own post.
    pub by: String,
    /// When it began, by the clock of the one who wants to know; empty in the workflow's own post.
    pub began: String,
    /// What else is to be known, a sentence each.
    pub remarks: Vec<String>,
    /// The pack's words for the start; empty when it has none.
    pub ack: String,
    /// The table of its tasks, in a fence; only for `show`.
    pub table: String,
}

/// How many tasks stand in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskCount {
    /// The emoji.
    pub mark: &'static str,
    /// StackStorm's word for it.
    pub status: &'static str,
    /// How many.
    pub count: usize,
}

/// One task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TaskRow {
    /// The emoji.
    pub mark: &'static str,
    /// Its name.
    pub task: String,
    /// StackStorm's word for how it stands.
    pub status: &'static str,
    /// The machines, written the short way; empty when it has none.
    pub hosts: String,
    /// Which try it is; 1 for the first.
    pub attempt: u32,
    /// How many items or routes it is run for; 1 for a task that is run once.
    pub count: usize,
    /// How many of them have ended well.
    pub done: usize,
    /// How many have failed.
    pub failed: usize,
    /// How many are at work.
    pub running: usize,
    /// How long it has taken; empty when that is not known.
    pub elapsed: String,
    /// How many tasks of the workflow that it is have ended; 0 where it is no workflow.
    pub inner_done: usize,
    /// How many of them are at work, by name; empty where it is no workflow.
    pub inner: String,
    /// The short id of the execution, where there is one and it is at work.
    pub id: String,
}

/// What a failed task gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskFailure {
    /// Its name, with the item's number where the item has no name.
    pub task: String,
    /// The item that it was for, where that has a name.
    pub item: String,
    /// What went wrong, in a few words; empty when the output says it all.
    pub why: String,
    /// What it wrote, in a fence; empty when nothing.
    pub output: String,
}
