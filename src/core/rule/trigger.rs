//! What can happen outside, and that it did.

use crate::core::alert::notification::Problem;
use crate::core::id::{ActionRef, ExecutionId, RequestId, RuleRef, TriggerInstanceId, TriggerRef};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The end of an execution.
pub const ACTION_TRIGGER: &str = "core.st2.generic.actiontrigger";
/// An execution asks people something.
pub const INQUIRY_TRIGGER: &str = "core.st2.generic.inquiry";
/// A value of the datastore was set that was not there.
pub const KEY_CREATED: &str = "core.st2.key_value_pair.create";
/// One that was there was set.
pub const KEY_UPDATED: &str = "core.st2.key_value_pair.update";
/// One that was there was set to something else.
pub const KEY_CHANGED: &str = "core.st2.key_value_pair.value_change";
/// One was deleted.
pub const KEY_DELETED: &str = "core.st2.key_value_pair.delete";
/// The program of a sensor has begun.
pub const SENSOR_SPAWN: &str = "core.st2.sensor.process_spawn";
/// The program of a sensor has ended.
pub const SENSOR_EXIT: &str = "core.st2.sensor.process_exit";
/// A request came to a webhook.
pub const WEBHOOK_TRIGGER: &str = "core.st2.webhook";

/// A kind of events, as a file of `triggers/` or a sensor declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerType {
    /// Its name.
    pub reference: TriggerRef,
    /// For people.
    pub description: String,
    /// What the `parameters` of a rule's trigger have to be like; empty when the file does not say.
    pub parameters_schema: Map<String, Value>,
    /// What its payload is like; empty when the file does not say.
    pub payload_schema: Map<String, Value>,
    /// Where it is declared, for messages.
    pub file: String,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriggerInstance {
    /// Its name. **Whoever brings an event names it so that the same event always has the same name**: it is taken up once.
    pub id: TriggerInstanceId,
    /// What happened.
    pub trigger: TriggerRef,
    /// With which parameters of the trigger its source watched for it: the path of a webhook, the times of a timer. Rules whose trigger has the
    /// same ones hear it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// What is known of it. **Nothing of this can be trusted.**
    pub payload: Value,
    /// When it happened, as its source says.
    pub occurred: Timestamp,
    /// The word under which all that comes of it is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_tag: Option<String>,
    /// Who brought it.
    pub source: Source,
    /// The rules that led to it one by one, where the bot itself brought it on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<RuleRef>,
}

/// Who brings events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Source {
    /// A request over HTTP.
    Webhook {
        /// The path behind `webhooks/`.
        name: String,
        /// The name of the key that it came with.
        #[serde(default)]
        key: String,
    },
    /// A timer of a rule.
    Timer,
    /// A sensor of a pack.
    Sensor {
        /// Its ref.
        name: String,
    },
    /// A monitoring that is listened to.
    Monitoring {
        /// Its name in the configuration.
        name: String,
    },
    /// The action `core.inject_trigger`.
    Injected {
        /// The execution.
        execution: ExecutionId,
    },
    /// The bot, of what happens to itself.
    Bot,
}

/// How far an event is taken care of; the words are StackStorm's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It has come.
    Pending,
    /// Rules are looked through.
    Processing,
    /// Every rule was asked, and did what it does.
    Processed,
    /// A rule failed on it.
    ProcessingFailed,
}

/// An event that a source brings.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// It.
    pub instance: TriggerInstance,
    /// Who waits to hear that it is taken up for good; nobody where it can be brought again at any time.
    pub request: Option<RequestId>,
}

/// What came of a rule that an event concerned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Enforcement {
    /// The rule.
    pub rule: RuleRef,
    /// The action that it starts.
    pub action: ActionRef,
    /// What came of it.
    pub outcome: Outcome,
}

/// What can come of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Outcome {
    /// Its action was asked for, and begins or waits.
    Started {
        /// The execution.
        execution: ExecutionId,
    },
    /// It matched and only tells what it would have run.
    WouldRun {
        /// The action's parameters, secrets masked.
        parameters: Map<String, Value>,
    },
    /// It matched, and people may have its action begun.
    Offered,
    /// It could not be judged, or its parameters not be had.
    Failed {
        /// Why.
        why: String,
    },
    /// It matched, and its action was refused.
    Refused {
        /// Why.
        why: String,
    },
    /// It matched, and a person has to let rules act first.
    Held {
        /// Why.
        why: String,
        /// The problem that it would have acted on.
        problem: Problem,
    },
}

impl Outcome {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::WouldRun { .. } => "would-run",
            Self::Offered => "offered",
            Self::Failed { .. } => "failed",
            Self::Refused { .. } => "refused",
            Self::Held { .. } => "held",
        }
    }

    /// The execution that was started.
    pub fn execution(&self) -> Option<&ExecutionId> {
        match self {
            Self::Started { execution } => Some(execution),
            Self::WouldRun { .. } | Self::Offered | Self::Failed { .. } | Self::Refused { .. } | Self::Held { .. } => {
                None
            }
        }
    }

    /// Why nothing was started; empty where something was, or was not to be.
    pub fn why(&self) -> &str {
        match self {
            Self::Failed { why } | Self::Refused { why } | Self::Held { why, .. } => why,
            Self::Started { .. } | Self::WouldRun { .. } | Self::Offered => "",
        }
    }
}

/// An event that was taken up, as it is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// The event. A payload that is very long is left out.
    pub instance: TriggerInstance,
    /// How it ended.
    pub status: Status,
    /// How many rules listen to such events; those that are not among `enforcements` did not match.
    pub listening: usize,
    /// What came of those that matched, or could not be judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enforcements: Vec<Enforcement>,
}
