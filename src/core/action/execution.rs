//! One execution: the machine from its start to its end, folded from facts, with StackStorm's statuses and fields.

use crate::core::action::run::HostOutcome;
use crate::core::id::{ActionRef, ExecutionId, Host};
use crate::core::input::{Back, Principal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// StackStorm's statuses, as far as an execution of ours can have them, and `unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The run goes on.
    Running,
    /// Everything did what was asked.
    Succeeded,
    /// Something did not.
    Failed,
    /// Its time was over.
    Timeout,
    /// Somebody stopped it and its processes are being killed.
    Canceling,
    /// Somebody stopped it.
    Canceled,
    /// It was running when the bot died; nobody knows how it ended. StackStorm has no such status and leaves these `running` for ever.
    Unknown,
}

impl Status {
    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        match self {
            Status::Running | Status::Canceling => false,
            Status::Succeeded | Status::Failed | Status::Timeout | Status::Canceled | Status::Unknown => true,
        }
    }

    /// The word that StackStorm's API uses.
    pub fn word(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Succeeded => "succeeded",
            Status::Failed => "failed",
            Status::Timeout => "timeout",
            Status::Canceling => "canceling",
            Status::Canceled => "canceled",
            Status::Unknown => "unknown",
        }
    }
}

/// What an action can do to the world; StackStorm has no such thing, it is given by a tag or a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectClass {
    /// Looks only.
    ReadOnly,
    /// May be repeated without harm.
    Idempotent,
    /// Everything else; the default.
    Destructive,
}

/// What was asked for and granted, as it is remembered. Secret parameters are masked here; the run gets them in clear by another way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Requested {
    /// The execution.
    pub id: ExecutionId,
    /// The action.
    pub action: ActionRef,
    /// Its runner, in StackStorm's spelling with dashes.
    pub runner: String,
    /// What it can do to the world.
    pub effect: EffectClass,
    /// All parameters with a value, resolved and cast, secrets as `********`.
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// Names of the parameters that are secret and were given: a rerun has to ask for them.
    pub secrets: Vec<String>,
    /// Who asked.
    pub by: Principal,
    /// Where the answer goes.
    pub back: Back,
    /// The line of chat that it came from, as written, secrets masked; empty when it came another way.
    pub line: String,
    /// The machines, in the order in which they are shown; empty when the action needs none.
    pub hosts: Vec<Host>,
    /// When the action pauses: the moment at which it ends.
    pub ends_at: Option<Timestamp>,
    /// Alias and format that matched, for the context that StackStorm keeps.
    pub alias: Option<crate::core::id::AliasRef>,
    /// The execution that this one repeats.
    pub rerun_of: Option<ExecutionId>,
    /// Hash of the action's file as it was when this was asked.
    pub content: String,
}

/// An execution as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// What was asked for.
    pub request: Requested,
    /// How it stands.
    pub status: Status,
    /// When it was started.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Every status with its time.
    pub log: Vec<(Timestamp, Status)>,
    /// How it ended on each host so far.
    pub outcomes: BTreeMap<Host, HostOutcome>,
    /// Who stopped it.
    pub canceled_by: Option<Principal>,
    /// What went wrong with the run as a whole.
    pub error: Option<String>,
}
