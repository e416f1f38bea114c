//! One execution: the machine from its start to its end, folded from facts, with StackStorm's statuses and fields.
//!
//! ```text
//! waits -> requested -> delayed                                   (where it has to wait; else it starts at once)
//!              |           |
//! start ----> pending ---- inquiry-answered ------> succeeded; or timeout, canceled: nobody answered
//! start ----> running ----------------------------> succeeded | failed | timeout | unknown | canceled
//! start ----> running <-> pausing <-> paused          (a workflow stands as its tasks do, [`Fact::WorkflowMoved`])
//!                `-- cancel-asked -> canceling ---> the same: what happened counts, not what was wished
//! ```
//!
//! What is `requested` waits for an approval, what is `delayed` for its turn; neither has begun, and it ends without having run, or starts. **One
//! that needs an approval takes its start in only when it has that** ([`crate::core::approval`]).
//!
//! A host can be tried again while the execution goes on, and a person can say once what became of one that ended as `unknown`.
//!
//! **The end is the end**: nothing changes a final status, a person's judgement neither. **A pair of status and fact that is not drawn here is an [`IllegalFact`]**, so
//! a log that lies is noticed and not acted upon. The full table stands in `tests/data/machines/execution.txt`.

use crate::core::action::inquiry::{Answered, Inquiry};
use crate::core::action::run::{Exit, HostOutcome, Parting};
use crate::core::action::spec::{Notify, RunnerType};
use crate::core::action::waiting::Waits;
use crate::core::alias::spec::Saying;
use crate::core::approval::request::{self, Request as Approval, State};
use crate::core::fact::Fact;
use crate::core::id::{ActionRef, ExecutionId, Host};
use crate::core::input::{Back, Principal};
use crate::core::policy::turn::Place;
use crate::core::policy::{NextTry, Tries};
use crate::core::workflow;
use crate::core::workflow::conducted::{Conducted, Definition, Parent, TakesUp};
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
    /// It waits for somebody's approval.
    Requested,
    /// It waits for its turn.
    Delayed,
    /// The run goes on.
    Running,
    /// It has asked people, and waits for their answer.
    Pending,
    /// Everything did what was asked.
    Succeeded,
    /// Something did not.
    Failed,
    /// Its time was over.
    Timeout,
    /// Somebody paused the workflow, and what it has begun goes on to its end.
    Pausing,
    /// Nothing of the workflow runs until somebody resumes it, or answers what it asks.
    Paused,
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
            Status::Requested
            | Status::Delayed
            | Status::Running
            | Status::Pending
            | Status::Pausing
            | Status::Paused
            | Status::Canceling => false,
            Status::Succeeded | Status::Failed | Status::Timeout | Status::Canceled | Status::Unknown => true,
        }
    }

    /// Whether its run has not begun yet.
    pub fn waits(self) -> bool {
        matches!(self, Status::Requested | Status::Delayed)
    }

    /// The word that StackStorm's API uses.
    pub fn word(self) -> &'static str {
        match self {
            Status::Requested => "requested",
            Status::Delayed => "delayed",
            Status::Running => "running",
            Status::Pending => "pending",
            Status::Succeeded => "succeeded",
            Status::Failed => "failed",
            Status::Timeout => "timeout",
            Status::Pausing => "pausing",
            Status::Paused => "paused",
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
    /// StackStorm's trace tag: a word under which executions that belong together are found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_tag: Option<String>,
    /// The time zone of whoever asked, an IANA name; empty when that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub zone: String,
    /// Who is told of its end, as the action's file said it when this was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    /// How the machines of its run are reached again after a restart; absent where nothing runs, and in old logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// How the alias wants it to be told, where it says so. Part of what was asked for: an alias that changes meanwhile changes nothing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telling: Option<Box<Telling>>,
    /// What it asks people, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inquiry: Option<Box<Inquiry>>,
    /// The workflow that it conducts, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<Box<Definition>>,
    /// What it goes on with, where it repeats a part of a workflow that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_up: Option<Box<TakesUp>>,
    /// Whose child it is, where a task of a workflow asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Box<Parent>>,
    /// Machines that its parameters name though nothing is run on them over ssh.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<Host>,
    /// Machines that are out of service while it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub out_of_service: Vec<Host>,
    /// Its places in the policies that bound how many run at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Place>,
    /// What another try needs, where a policy may want one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<Box<Tries>>,
}

impl Requested {
    /// Whether a runner is at work on it, so that it would be lost sight of when the process ends. A pause has its stored end, an inquiry waits
    /// for people, and of a workflow only its tasks run.
    pub fn is_carried_out(&self) -> bool {
        self.ends_at.is_none() && self.inquiry.is_none() && self.workflow.is_none()
    }
}

/// What an alias says about the words for its executions (`ack`, `result`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Telling {
    /// Nothing is said when it starts.
    pub quiet: bool,
    /// The pack's words for the start, rendered; empty when it has none.
    pub ack: String,
    /// The pack's words for the end; absent when it has none.
    pub result: Option<Saying>,
    /// The alias as StackStorm shows it to those templates.
    pub alias: serde_json::Value,
}

/// The way to the machines of a run, as far as it is no secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// The login name.
    pub username: Option<String>,
    /// A port for hosts that name none.
    pub port: Option<u16>,
    /// Ports written behind the names of hosts.
    pub ports: BTreeMap<Host, u16>,
    /// A jump host.
    pub bastion: Option<String>,
    /// Whether the command runs through sudo: the machine knows it under that account only.
    pub sudo: bool,
    /// How long the command may take, in seconds.
    pub timeout: u64,
    /// Names of parameters that are needed on the way and were not kept.
    pub missing: Vec<String>,
    /// What becomes of the connection.
    #[serde(default, skip_serializing_if = "Parting::stays")]
    pub parting: Parting,
}

/// Another try on a host, with what was known when it was decided on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// Its number; the first try has none, so this is 1 or more.
    pub attempt: u32,
    /// When it was decided on.
    pub at: Timestamp,
    /// Whether the try before certainly never began. Otherwise nobody knows of that one, and the action may be repeated without harm.
    pub never_began: bool,
}

/// What a person said of an execution whose end nobody knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// It ran.
    Ran,
    /// It did not run.
    NotRun,
    /// It shall be run again there.
    Again,
}

impl Judgement {
    /// As it is written in a command, in chat and on the control socket.
    pub fn words(self) -> &'static str {
        match self {
            Judgement::Ran => "ran",
            Judgement::NotRun => "not run",
            Judgement::Again => "again",
        }
    }
}

/// A judgement with who gave it and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// What.
    pub judgement: Judgement,
    /// Who.
    pub by: Principal,
    /// When.
    pub at: Timestamp,
    /// The execution that repeats it.
    pub repeated_as: Option<ExecutionId>,
}

/// An execution as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// What was asked for.
    pub request: Requested,
    /// How it stands.
    pub status: Status,
    /// When it was taken up. Its run began then, unless it had to wait.
    pub started: Timestamp,
    /// When its run began, where it had to wait before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Timestamp>,
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
    /// The newest try on each host where there was more than one.
    #[serde(default)]
    pub attempts: BTreeMap<Host, Again>,
    /// What a person said when nobody knew how it had ended.
    #[serde(default)]
    pub judged: Option<Judged>,
    /// What was answered to what it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Box<Answered>>,
    /// The request for an approval, where policies wanted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Box<Approval>>,
    /// How its tasks stand, where it is a workflow that has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conducted: Option<Box<Conducted>>,
    /// The execution that tries the same again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried: Option<NextTry>,
}

impl Execution {
    /// The execution as it stands when it has to wait before its run begins.
    pub fn wait(at: Timestamp, waits: &Waits) -> Self {
        let status = if waits.approval.is_some() { Status::Requested } else { Status::Delayed };
        Self {
            status,
            log: vec![(at, status)],
            approval: waits.approval.clone(),
            ..Self::start(at, waits.request.clone())
        }
    }

    /// The execution as it stands when its run begins.
    pub fn start(at: Timestamp, request: Requested) -> Self {
        let status = if request.inquiry.is_some() { Status::Pending } else { Status::Running };
        Self {
            request,
            status,
            started: at,
            begun: None,
            ended: None,
            log: vec![(at, status)],
            outcomes: BTreeMap::new(),
            canceled_by: None,
            error: None,
            attempts: BTreeMap::new(),
            judged: None,
            answered: None,
            approval: None,
            conducted: None,
            retried: None,
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
            (Status::Requested | Status::Delayed, Fact::ExecutionStarted(request)) => {
                if let Some(approval) = &mut self.approval
                    && let Err(why) = approval.begin()
                {
                    return illegal(Illegal::Approval(why));
                }
                self.request = Requested::clone(request);
                self.begun = Some(at);
                self.turn(at, if self.request.inquiry.is_some() { Status::Pending } else { Status::Running });
                Ok(())
            }
            (Status::Requested | Status::Delayed, Fact::Approval { revision, event, .. }) => {
                let Some(approval) = &mut self.approval else { return illegal(Illegal::NoApproval) };
                if let Err(why) = approval.apply(at, *revision, event) {
                    return illegal(Illegal::Approval(why));
                }
                // A yes that does not count any more sends it back to where it waits for one.
                if approval.state == State::Pending && self.status == Status::Delayed {
                    self.turn(at, Status::Requested);
                }
                Ok(())
            }
            (Status::Requested | Status::Delayed, Fact::TurnAwaited { .. }) => {
                if let Some(approval) = self.approval.as_ref().filter(|approval| approval.state != State::Approved) {
                    return illegal(Illegal::Approval(request::Illegal::NotApproved(approval.state)));
                }
                if self.status != Status::Delayed {
                    self.turn(at, Status::Delayed);
                }
                Ok(())
            }
            (Status::Requested | Status::Delayed, Fact::ExecutionFinished { .. } | Fact::CancelAsked { .. })
                if self.approval.as_ref().is_some_and(|approval| !approval.state.is_final()) =>
            {
                let state = self.approval.as_ref().map_or(State::Pending, |approval| approval.state);
                illegal(Illegal::Approval(request::Illegal::StillOpen(state)))
            }
            (Status::Requested | Status::Delayed, Fact::HostFinished { .. } | Fact::HostAgain { .. }) => {
                illegal(Illegal::NotBegun)
            }
            (_, Fact::ExecutionWaits(_)) => illegal(Illegal::StartTwice),
            (_, Fact::Approval { .. } | Fact::TurnAwaited { .. }) => illegal(Illegal::NotWaiting),
            (Status::Running | Status::Canceling, Fact::TriedAgain { next, .. }) => {
                self.retried = Some(next.clone());
                Ok(())
            }
            (Status::Requested | Status::Delayed, Fact::TriedAgain { .. }) => illegal(Illegal::NotBegun),
            (_, Fact::TriedAgain { .. }) => illegal(Illegal::Ended),
            (Status::Running | Status::Canceling, Fact::HostFinished { host, .. }) if !self.expects(host) => {
                illegal(Illegal::StrangeHost(host.clone()))
            }
            (Status::Running | Status::Canceling, Fact::HostFinished { host, .. })
                if self.outcomes.contains_key(host) =>
            {
                illegal(Illegal::HostTwice(host.clone()))
            }
            (Status::Running | Status::Canceling, Fact::HostFinished { host, outcome, .. }) => {
                self.outcomes.insert(host.clone(), HostOutcome::clone(outcome));
                Ok(())
            }
            (Status::Running | Status::Canceling, Fact::HostAgain { host, .. }) if !self.expects(host) => {
                illegal(Illegal::StrangeHost(host.clone()))
            }
            (Status::Running | Status::Canceling, Fact::HostAgain { host, .. }) if self.outcomes.contains_key(host) => {
                illegal(Illegal::HostTwice(host.clone()))
            }
            (Status::Running | Status::Canceling, Fact::HostAgain { host, attempt, never_began, .. }) => {
                let again = Again { attempt: *attempt, at, never_began: *never_began };
                self.attempts.insert(host.clone(), again);
                Ok(())
            }
            (Status::Unknown, Fact::Judged { .. }) if self.judged.is_some() => illegal(Illegal::JudgedTwice),
            (Status::Unknown, Fact::Judged { by, judgement, repeated_as, .. }) => {
                let (judgement, by, repeated_as) = (*judgement, by.clone(), repeated_as.clone());
                self.judged = Some(Judged { judgement, by, at, repeated_as });
                Ok(())
            }
            (_, Fact::Judged { .. }) => illegal(Illegal::Known),
            (Status::Pending, Fact::InquiryAnswered { .. }) if self.answered.is_some() => {
                illegal(Illegal::AnsweredTwice)
            }
            (Status::Pending, Fact::InquiryAnswered { by, response, .. }) => {
                self.answered = Some(Box::new(Answered { by: by.clone(), at, response: response.clone() }));
                Ok(())
            }
            (
                Status::Requested
                | Status::Delayed
                | Status::Running
                | Status::Pausing
                | Status::Paused
                | Status::Canceling,
                Fact::InquiryAnswered { .. },
            ) => illegal(Illegal::NotAsking),
            (
                Status::Pending | Status::Pausing | Status::Paused,
                Fact::HostFinished { host, .. } | Fact::HostAgain { host, .. },
            ) => illegal(Illegal::StrangeHost(host.clone())),
            (Status::Requested | Status::Delayed, Fact::ExecutionFinished { status, .. })
                if *status != Status::Canceled =>
            {
                illegal(Illegal::NotAnEnd(*status))
            }
            (
                Status::Requested
                | Status::Delayed
                | Status::Running
                | Status::Pending
                | Status::Pausing
                | Status::Paused,
                Fact::CancelAsked { by, .. },
            ) => {
                self.canceled_by = Some(by.clone());
                self.turn(at, Status::Canceling);
                Ok(())
            }
            (Status::Canceling, Fact::CancelAsked { .. }) => illegal(Illegal::CancelTwice),
            (
                Status::Running | Status::Pausing | Status::Paused | Status::Canceling,
                Fact::WorkflowMoved(_)
                | Fact::PauseAsked { .. }
                | Fact::ResumeAsked { .. }
                | Fact::WorkflowTakenUp { .. },
            ) if self.request.workflow.is_none() => illegal(Illegal::NoWorkflow),
            (Status::Running | Status::Pausing | Status::Paused | Status::Canceling, Fact::WorkflowMoved(moved)) => {
                self.conducted.get_or_insert_default().apply(at, moved);
                self.stand_as_its_tasks(at);
                Ok(())
            }
            (Status::Running, Fact::WorkflowTakenUp { conducted, .. }) if self.conducted.is_none() => {
                self.conducted = Some(conducted.clone());
                Ok(())
            }
            (Status::Running | Status::Pausing | Status::Paused, Fact::PauseAsked { by, .. }) => {
                self.conducted.get_or_insert_default().paused_by = Some(by.clone());
                Ok(())
            }
            (Status::Running | Status::Pausing | Status::Paused, Fact::ResumeAsked { .. }) => {
                self.conducted.get_or_insert_default().paused_by = None;
                Ok(())
            }
            (
                Status::Requested | Status::Delayed | Status::Running | Status::Pending | Status::Canceling,
                Fact::WorkflowMoved(_)
                | Fact::WorkflowTakenUp { .. }
                | Fact::PauseAsked { .. }
                | Fact::ResumeAsked { .. },
            ) => illegal(Illegal::NoWorkflow),
            (Status::Pausing | Status::Paused, Fact::WorkflowTakenUp { .. }) => illegal(Illegal::NoWorkflow),
            (
                Status::Requested
                | Status::Delayed
                | Status::Running
                | Status::Pending
                | Status::Pausing
                | Status::Paused
                | Status::Canceling,
                Fact::ExecutionFinished { status, .. },
            ) if !status.is_final() => illegal(Illegal::NotAnEnd(*status)),
            (
                Status::Requested
                | Status::Delayed
                | Status::Running
                | Status::Pending
                | Status::Pausing
                | Status::Paused
                | Status::Canceling,
                Fact::ExecutionFinished { status, error, .. },
            ) => {
                self.error.clone_from(error);
                self.ended = Some(at);
                self.turn(at, *status);
                Ok(())
            }
            (_, Fact::ExecutionStarted(_)) => illegal(Illegal::StartTwice),
            (
                Status::Succeeded | Status::Failed | Status::Timeout | Status::Canceled | Status::Unknown,
                Fact::HostFinished { .. }
                | Fact::HostAgain { .. }
                | Fact::CancelAsked { .. }
                | Fact::InquiryAnswered { .. }
                | Fact::WorkflowMoved(_)
                | Fact::WorkflowTakenUp { .. }
                | Fact::PauseAsked { .. }
                | Fact::ResumeAsked { .. }
                | Fact::ExecutionFinished { .. },
            ) => illegal(Illegal::Ended),
            (
                _,
                Fact::PostTaken { .. }
                | Fact::DeliveryIntended(_)
                | Fact::DeliverySent { .. }
                | Fact::DeliveryRefused { .. }
                | Fact::AnswerOwed { .. }
                | Fact::TailBegun { .. }
                | Fact::Heard { .. }
                | Fact::InstanceNamed { .. }
                | Fact::OtherInstanceSeen { .. }
                | Fact::ChoiceOffered { .. }
                | Fact::ChoiceClosed { .. }
                | Fact::ValueAsked { .. }
                | Fact::ValueClosed { .. }
                | Fact::LineKept { .. }
                | Fact::Frozen { .. }
                | Fact::Unfrozen { .. }
                | Fact::ValueSet { .. }
                | Fact::ValueDeleted { .. }
                | Fact::ValuesOpened { .. }
                | Fact::Scheduled(_)
                | Fact::ScheduleEnded { .. }
                | Fact::PressTaken { .. }
                | Fact::CallbackRefused { .. }
                | Fact::NameTied { .. }
                | Fact::NameFreed { .. }
                | Fact::AccessDenied { .. }
                | Fact::Reloaded { .. }
                | Fact::CheckpointTold { .. }
                | Fact::AuditSetAside { .. }
                | Fact::TriggerTaken(_)
                | Fact::RuleSwitched { .. }
                | Fact::SensorSwitched { .. }
                | Fact::TimerBegun { .. }
                | Fact::TimerTicked { .. }
                | Fact::TimerGone { .. }
                | Fact::AlertChanged(_)
                | Fact::StormBegan(_)
                | Fact::StormTurned { .. }
                | Fact::StormReleased { .. }
                | Fact::Touched { .. }
                | Fact::Escalated { .. }
                | Fact::AlertOffered { .. }
                | Fact::AlertPosted { .. }
                | Fact::AlertSettles { .. }
                | Fact::AlertForgotten { .. }
                | Fact::RemedyBegun { .. }
                | Fact::OrderGiven { .. }
                | Fact::OrderEnded { .. }
                | Fact::AlertSeen { .. }
                | Fact::ToldOfRule { .. }
                | Fact::RuleReset { .. }
                | Fact::ApiKeyMade { .. }
                | Fact::ApiKeyGone { .. }
                | Fact::AuditCut { .. },
            ) => illegal(Illegal::NoExecution),
        }
    }

    /// When its run began; of one that waits, when it was taken up.
    pub fn began(&self) -> Timestamp {
        self.begun.unwrap_or(self.started)
    }

    /// How long it took, or has taken until `now`. What it waited before it began does not count.
    pub fn elapsed(&self, now: Timestamp) -> Duration {
        Duration::try_from(self.ended.unwrap_or(now).duration_since(self.began())).unwrap_or_default()
    }

    /// The hosts on which the command runs: those asked for, or the bot's own machine, or none where nothing is started anywhere.
    pub fn places(&self) -> Vec<Host> {
        let here = RunnerType::of(&self.request.runner).is_some_and(RunnerType::ends_here);
        if self.request.hosts.is_empty() && here { vec![Host::new(LOCALHOST)] } else { self.request.hosts.clone() }
    }

    /// The hosts of which nobody knows how it ended there.
    pub fn unknown_hosts(&self) -> Vec<Host> {
        let unknown =
            |host: &Host| self.outcomes.get(host).is_none_or(|outcome| matches!(outcome.exit, Exit::Unknown { .. }));
        self.places().into_iter().filter(unknown).collect()
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

    /// A workflow that is not being stopped stands as its tasks do; its end is a fact of its own.
    fn stand_as_its_tasks(&mut self, at: Timestamp) {
        let Some(conducted) = &self.conducted else { return };
        let stands = match conducted.state.status {
            workflow::status::Status::Pausing => Status::Pausing,
            workflow::status::Status::Paused => Status::Paused,
            _ => Status::Running,
        };
        if self.status != Status::Canceling && self.status != stands {
            self.turn(at, stands);
        }
    }

    fn turn(&mut self, at: Timestamp, status: Status) {
        self.status = status;
        self.log.push((at, status));
    }
}

/// What the outcomes on `hosts` come to. The first that applies:
///
/// 1. **canceled** when a host was stopped by a cancel. (A cancel that came too late for all of them stopped nothing.)
/// 2. **failed** when a host is certain not to have done what was asked: it returned another code than 0, was never reached or never began.
/// 3. **unknown** when of a host nobody knows, or there is no outcome of it. A certain failure elsewhere outranks it, since then the whole
///    is certain too; a timeout does not, since there, too, somebody has to look.
/// 4. **timeout** when the time of a host was over: so every host that did not succeed timed out. StackStorm means this rule, but stops at
///    the first bad host, so that its answer depends on the order of the hosts.
/// 5. **succeeded**: all did, or there was none to do anything.
pub fn judge(outcomes: &BTreeMap<Host, HostOutcome>, hosts: &[Host]) -> Status {
    let any = |wanted: fn(&Exit) -> bool| outcomes.values().any(|outcome| wanted(&outcome.exit));
    if any(|exit| matches!(exit, Exit::Canceled)) {
        Status::Canceled
    } else if any(|exit| match exit {
        Exit::Unreachable { .. } | Exit::NeverBegan { .. } => true,
        Exit::Code { code } | Exit::Unheard { code } => *code != 0,
        Exit::Answered { .. } => !exit.succeeded(),
        Exit::Rebooted | Exit::Left | Exit::Timeout | Exit::Canceled | Exit::Unknown { .. } => false,
    }) {
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
    /// It was answered already.
    #[error("it was answered before")]
    AnsweredTwice,
    /// It has asked nothing.
    #[error("it has asked nothing")]
    NotAsking,
    /// It has ended.
    #[error("it has ended")]
    Ended,
    /// It was judged already.
    #[error("it was judged before")]
    JudgedTwice,
    /// There is nothing to judge.
    #[error("nobody needs to say how it ended")]
    Known,
    /// It waits and has not begun.
    #[error("it has not begun yet")]
    NotBegun,
    /// It does not wait.
    #[error("it does not wait for anything")]
    NotWaiting,
    /// It is no workflow, or cannot take that in as it stands.
    #[error("it is not a workflow that this can happen to")]
    NoWorkflow,
    /// Nobody was asked for an approval.
    #[error("it needs no approval")]
    NoApproval,
    /// Its request for an approval does not allow it.
    #[error("{0}")]
    Approval(request::Illegal),
}
