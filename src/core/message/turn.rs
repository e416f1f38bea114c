//! What is said of executions that wait for their turn, and of those that are tried again.

use serde::{Deserialize, Serialize};

/// What an execution waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Awaits {
    /// Whom it waits for, the most important first.
    pub ways: Vec<Way>,
    /// How many more it waits for that are not named.
    pub more: usize,
    /// How long until it is tried again; empty when it does not wait for that.
    pub again_in: String,
    /// Why it does not begin though its turn has come; empty where nothing holds it back.
    pub held: String,
    /// How long it may wait in all.
    pub longest: String,
}

/// Somebody who goes first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// Its short id.
    pub id: String,
    /// What it runs; empty where those who read this may not know.
    pub action: String,
    /// Who asked for it; empty likewise.
    pub who: String,
    /// On which hosts it is in the way, written the short way as inline code; empty where it is a policy.
    pub hosts: String,
    /// The policy that says so; empty where it is hosts.
    pub policy: String,
    /// How many that policy lets run at once.
    pub threshold: usize,
    /// How many more are before this one there.
    pub more: usize,
    /// It waits itself.
    pub waits: bool,
    /// Nobody knows whether it still runs.
    pub doubt: bool,
}

/// An execution that waits, in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DelayedRow {
    /// Its short id.
    pub id: String,
    /// What was asked for, as inline code.
    pub line: String,
    /// For whom it waits, in a few words.
    pub waits: String,
}

/// What a policy says of when an action runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyLine {
    /// The policy, `pack.name`.
    pub policy: String,
    /// How many may run at once; 0 where it is about tries.
    pub threshold: usize,
    /// The parameters whose values have to be equal for executions to count together.
    pub attributes: Vec<String>,
    /// One more does not wait.
    pub cancels: bool,
    /// After which end it is tried again, `failure` or `timeout`; empty where it is about how many run at once.
    pub retry_on: String,
    /// How many tries there are besides the first.
    pub times: u32,
    /// How long it is waited before each; empty when it is not.
    pub delay: String,
}

/// A policy in force, in the list of packs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PolicyRow {
    /// The policy, `pack.name`.
    pub policy: String,
    /// What it says, in a few words.
    pub says: String,
    /// The first of the actions that it covers and the asker may see.
    pub actions: Vec<String>,
    /// How many more those are.
    pub more: usize,
}
