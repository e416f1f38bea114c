//! One execution: the machine from its start to its end, folded from facts, with StackStorm's statuses and fields.
//!
//! ```text
//! start -> running ---------------------------> succeeded | failed | timeout | unknown | canceled
//!             `-- cancel-asked -> canceling --> the same: what happened counts, not what was wished
//! ```
//!
//! **The end is the end**: nothing changes a final status. **A pair of status and fact that is not drawn here is an [`IllegalFact`]**, so
//! a log that lies is noticed and not acted upon. The full table stands in `tests/data/machines/execution.txt`.

use crate::core::action::run::{Exit, HostOutcome};
use crate::core::action::spec::RunnerType;
use crate::core::fact::Fact;
use crate::core::id::{ActionRef, ExecutionId, Host};
use crate::core::input::{Back, Principal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The host name under which the outcome of a run on the bot's own machine is kept.
pub const LOCALHOST: &str = "localhost";

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

impl Execution {
    /// The execution as it stands when its run begins.
    pub fn start(at: Timestamp, request: Requested) -> Self {
        Self {
            request,
            status: Status::Running,
            started: at,
            ended: None,
            log: vec![(at, Status::Running)],
            outcomes: BTreeMap::new(),
            canceled_by: None,
            error: None,
        }
    }

    /// Takes one fact in.
    ///
    /// # Errors
    /// The fact does not belong to this execution or cannot happen as things stand. Nothing has been changed then.
    pub fn apply(&mut self, at: Timestamp, fact: &Fact) -> Result<(), IllegalFact> {
        let illegal = |why| Err(IllegalFact { execution: self.request.id.clone(), status: self.status, why });
        match fact.execution() {
            Some(id) if *id == self.request.id => {}
            Some(id) => return illegal(Illegal::OtherExecution(id.clone())),
            None => return illegal(Illegal::NoExecution),
        }
        match (self.status, fact) {
            (Status::Running | Status::Canceling, Fact::HostFinished { host, .. }) if !self.expects(host) => {
                illegal(Illegal::StrangeHost(host.clone()))
            }
            (Status::Running | Status::Canceling, Fact::HostFinished { host, .. })
                if self.outcomes.contains_key(host) =>
            {
                illegal(Illegal::HostTwice(host.clone()))
            }
            (Status::Running | Status::Canceling, Fact::HostFinished { host, outcome, .. }) => {
                self.outcomes.insert(host.clone(), outcome.clone());
                Ok(())
            }
            (Status::Running, Fact::CancelAsked { by, .. }) => {
                self.canceled_by = Some(by.clone());
                self.turn(at, Status::Canceling);
                Ok(())
            }
            (Status::Canceling, Fact::CancelAsked { .. }) => illegal(Illegal::CancelTwice),
            (Status::Running | Status::Canceling, Fact::ExecutionFinished { status, .. }) if !status.is_final() => {
                illegal(Illegal::NotAnEnd(*status))
            }
            (Status::Running | Status::Canceling, Fact::ExecutionFinished { status, error, .. }) => {
                self.error.clone_from(error);
                self.ended = Some(at);
                self.turn(at, *status);
                Ok(())
            }
            (_, Fact::ExecutionStarted(_)) => illegal(Illegal::StartTwice),
            (
                Status::Succeeded | Status::Failed | Status::Timeout | Status::Canceled | Status::Unknown,
                Fact::HostFinished { .. } | Fact::CancelAsked { .. } | Fact::ExecutionFinished { .. },
            ) => illegal(Illegal::Ended),
            (
                _,
                Fact::PostTaken { .. }
                | Fact::DeliveryIntended(_)
                | Fact::DeliverySent { .. }
                | Fact::DeliveryRefused { .. }
                | Fact::ChoiceOffered { .. }
                | Fact::ChoiceClosed { .. }
                | Fact::Frozen { .. }
                | Fact::Unfrozen { .. },
            ) => illegal(Illegal::NoExecution),
        }
    }

    /// How long it took, or has taken until `now`.
    pub fn elapsed(&self, now: Timestamp) -> Duration {
        Duration::try_from(self.ended.unwrap_or(now).duration_since(self.started)).unwrap_or_default()
    }

    /// The hosts on which the command runs: those asked for, or the bot's own machine, or none where nothing is started anywhere.
    pub fn places(&self) -> Vec<Host> {
        if self.request.hosts.is_empty() && self.request.runner == RunnerType::LocalShellCmd.word() {
            vec![Host::new(LOCALHOST)]
        } else {
            self.request.hosts.clone()
        }
    }

    /// The status with which it ends, now that nothing of its run is left. `error` is what the runner said of the run as a whole: it makes
    /// a failure of what would otherwise be anything but [`Status::Canceled`].
    pub fn verdict(&self, error: Option<&str>) -> Status {
        let canceled = self.outcomes.values().any(|outcome| outcome.exit == Exit::Canceled);
        match error {
            Some(_) if !canceled => Status::Failed,
            _ => judge(&self.outcomes, &self.places()),
        }
    }

    fn expects(&self, host: &Host) -> bool {
        if self.request.hosts.is_empty() { host.as_str() == LOCALHOST } else { self.request.hosts.contains(host) }
    }

    fn turn(&mut self, at: Timestamp, status: Status) {
        self.status = status;
        self.log.push((at, status));
    }
}

/// What the outcomes on `hosts` come to. The first that applies:
///
/// 1. **canceled** when a host was stopped by a cancel. (A cancel that came too late for all of them stopped nothing.)
/// 2. **failed** when a host is certain not to have done what was asked: it returned another code than 0 or was never reached.
/// 3. **unknown** when of a host nobody knows, or there is no outcome of it. A certain failure elsewhere outranks it, since then the whole
///    is certain too; a timeout does not, since there, too, somebody has to look.
/// 4. **timeout** when the time of a host was over: so every host that did not succeed timed out. StackStorm means this rule, but stops at
///    the first bad host, so that its answer depends on the order of the hosts.
/// 5. **succeeded**: all did, or there was none to do anything.
pub fn judge(outcomes: &BTreeMap<Host, HostOutcome>, hosts: &[Host]) -> Status {
    let any = |wanted: fn(&Exit) -> bool| outcomes.values().any(|outcome| wanted(&outcome.exit));
    if any(|exit| matches!(exit, Exit::Canceled)) {
        Status::Canceled
    } else if any(|exit| matches!(exit, Exit::Unreachable { .. }) || matches!(exit, Exit::Code { code } if *code != 0))
    {
        Status::Failed
    } else if any(|exit| matches!(exit, Exit::Unknown { .. })) || hosts.iter().any(|host| !outcomes.contains_key(host))
    {
        Status::Unknown
    } else if any(|exit| matches!(exit, Exit::Timeout)) {
        Status::Timeout
    } else {
        Status::Succeeded
    }
}

/// A fact that an execution cannot take in: the log, or the code that wrote it, is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("execution {execution} is {status} and cannot take this fact in: {why}", status = status.word())]
pub struct IllegalFact {
    /// The execution.
    pub execution: ExecutionId,
    /// How it stood.
    pub status: Status,
    /// What is wrong.
    pub why: Illegal,
}

/// The ways in which a fact can be wrong for an execution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// It belongs to another execution.
    #[error("it is about execution {0}")]
    OtherExecution(ExecutionId),
    /// It belongs to no execution at all.
    #[error("it is not about an execution")]
    NoExecution,
    /// It has been started already.
    #[error("it was started before")]
    StartTwice,
    /// A host that was not asked for.
    #[error("`{0}` is not one of its hosts")]
    StrangeHost(Host),
    /// A host that has ended already.
    #[error("`{0}` ended before")]
    HostTwice(Host),
    /// It is being stopped already.
    #[error("it is being canceled already")]
    CancelTwice,
    /// It cannot end in a status that goes on.
    #[error("`{}` is not a way to end", .0.word())]
    NotAnEnd(Status),
    /// It has ended.
    #[error("it has ended")]
    Ended,
}
