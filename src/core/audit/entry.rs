//! One line of the audit, as it is kept and exported.

use crate::core::action::execution::{EffectClass, Status};
use crate::core::audit::chain::Head;
use crate::core::id::{ActionRef, ChannelId, ExecutionId, PostId, UserId};
use crate::core::input::{Back, Principal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest text of a parameter that an entry repeats, in characters. The fact has the whole.
const LONGEST_TEXT: usize = 2_000;

/// Something that somebody did, or that the bot decided. Fields that say nothing about it are absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number; the first is 1, none is left out.
    pub number: u64,
    /// When it happened.
    pub at: Timestamp,
    /// The number of the fact that it was made of, as `halcyon export` has it.
    pub fact: u64,
    /// What happened.
    pub event: Event,
    /// Who did it; absent when the bot did it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Principal>,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Origin>,
    /// The execution, or the line that waits, that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionId>,
    /// The action that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionRef>,
    /// The hash of that action's file as it was then.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content: String,
    /// What that action can do to the world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<EffectClass>,
    /// Where it was to run, or was run again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Hosts>,
    /// The parameters, secrets masked.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// The line of chat, secrets masked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub line: String,
    /// The reason that was given, or what the bot had for one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Where it did not do what was asked, or nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Hosts>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
    /// When a line is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Executions that repeat it, or that a line started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub executions: Vec<ExecutionId>,
    /// Names of values, or of keys of the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The line of the audit that was told, or up to which lines were removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The audit begins here though something happened before; the reason says why.
    Begun,
    /// An execution was asked for that needs an approval, or somebody asked for the same.
    ApprovalAsked,
    /// Somebody said yes to it.
    Approved,
    /// Somebody said no to it.
    Denied,
    /// Somebody took their yes back.
    Revoked,
    /// A yes does not count any more.
    Unseated,
    /// The request was taken back.
    Withdrawn,
    /// Not enough people said yes in time.
    Expired,
    /// What was asked for is not what would run any more.
    Void,
    /// An execution was asked for and granted, and waits for its turn.
    Delayed,
    /// An execution was asked for and granted, and begins.
    Started,
    /// An execution ended.
    Ended,
    /// A command was run on a host once more.
    RanAgain,
    /// A policy has what failed tried again, by another execution.
    TriedAgain,
    /// Somebody stopped an execution.
    CancelAsked,
    /// Somebody had a workflow stand still.
    PauseAsked,
    /// Somebody let it go on.
    ResumeAsked,
    /// Somebody answered what an execution asked.
    Answered,
    /// Somebody said what became of an execution that had ended as unknown.
    Settled,
    /// A line was put off.
    Scheduled,
    /// A line that waited was carried out.
    ScheduleBegun,
    /// A line that waited may not or cannot be carried out any more.
    ScheduleRefused,
    /// A line was due too long ago, and its author was asked.
    ScheduleAsked,
    /// A line was due too long ago.
    ScheduleMissed,
    /// Somebody took a line off.
    ScheduleWithdrawn,
    /// Nothing starts any more that does more than look.
    Frozen,
    /// Everything may start again.
    Unfrozen,
    /// A value of the datastore was set.
    ValueSet,
    /// A secret of the datastore was set.
    SecretSet,
    /// A value of the datastore was deleted.
    ValueDeleted,
    /// Secrets of the datastore were shown.
    SecretsShown,
    /// Somebody switched a rule on.
    RuleEnabled,
    /// Somebody switched a rule off.
    RuleDisabled,
    /// Somebody lets a rule act again that rested.
    RuleReset,
    /// People were called since nobody touched a problem.
    Escalated,
    /// Somebody lets rules act on what broke in a storm.
    StormReleased,
    /// Somebody switched a sensor on.
    SensorEnabled,
    /// Somebody switched a sensor off.
    SensorDisabled,
    /// A rule matched an event and came to nothing, or only told what it would run.
    RuleIdle,
    /// Somebody made a key by which a program can call webhooks.
    ApiKeyMade,
    /// Somebody had such a key go.
    ApiKeyGone,
    /// A name in a role was seen for the first time, and from now on means who has it now.
    NameTied,
    /// A name stands in no role any more.
    NameFreed,
    /// Somebody asked for what they have no right to.
    Refused,
    /// A press of a button or a submitted dialog was refused as one that should not have come. Of very many not every one has an entry.
    CallbackRefused,
    /// Configuration and packs were read again.
    Reloaded,
    /// The newest hash of the audit was told.
    Checkpoint,
    /// The audit was damaged and was set aside.
    SetAside,
    /// Lines of the audit were removed.
    Cut,
}

impl Event {
    /// The word that stands for it.
    pub fn word(self) -> &'static str {
        match self {
            Event::Begun => "begun",
            Event::ApprovalAsked => "approval-asked",
            Event::Approved => "approved",
            Event::Denied => "denied",
            Event::Revoked => "revoked",
            Event::Unseated => "unseated",
            Event::Withdrawn => "withdrawn",
            Event::Expired => "expired",
            Event::Void => "void",
            Event::Delayed => "delayed",
            Event::Started => "started",
            Event::Ended => "ended",
            Event::RanAgain => "ran-again",
            Event::TriedAgain => "tried-again",
            Event::CancelAsked => "cancel-asked",
            Event::PauseAsked => "pause-asked",
            Event::ResumeAsked => "resume-asked",
            Event::Answered => "answered",
            Event::Settled => "settled",
            Event::Scheduled => "scheduled",
            Event::ScheduleBegun => "schedule-begun",
            Event::ScheduleRefused => "schedule-refused",
            Event::ScheduleAsked => "schedule-asked",
            Event::ScheduleMissed => "schedule-missed",
            Event::ScheduleWithdrawn => "schedule-withdrawn",
            Event::Frozen => "frozen",
            Event::Unfrozen => "unfrozen",
            Event::ValueSet => "value-set",
            Event::SecretSet => "secret-set",
            Event::ValueDeleted => "value-deleted",
            Event::SecretsShown => "secrets-shown",
            Event::RuleEnabled => "rule-enabled",
            Event::RuleDisabled => "rule-disabled",
            Event::RuleReset => "rule-reset",
            Event::Escalated => "escalated",
            Event::StormReleased => "storm-released",
            Event::SensorEnabled => "sensor-enabled",
            Event::SensorDisabled => "sensor-disabled",
            Event::RuleIdle => "rule-idle",
            Event::ApiKeyMade => "api-key-made",
            Event::ApiKeyGone => "api-key-gone",
            Event::NameTied => "name-tied",
            Event::NameFreed => "name-freed",
            Event::Refused => "refused",
            Event::CallbackRefused => "callback-refused",
            Event::Reloaded => "reloaded",
            Event::Checkpoint => "checkpoint",
            Event::SetAside => "set-aside",
            Event::Cut => "cut",
        }
    }
}

/// Where something was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "way")]
pub enum Origin {
    /// In chat.
    Chat {
        /// The channel.
        channel: ChannelId,
        /// The post.
        post: PostId,
        /// The post's permalink, to be put behind the address of the chat server. Mattermost sends on to the team's by itself.
        link: String,
    },
    /// On the bot's own machine, over its control socket.
    ControlSocket,
    /// By a rule, on an event.
    Rule,
    /// By a callback that was refused. All of it is what somebody claims.
    Callback {
        /// The address that it came from, where that was not the chat server's proper way.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        address: String,
        /// The post that it names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        post: Option<PostId>,
        /// The user that it names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<UserId>,
    },
}

impl Origin {
    /// Where what was answered there came from.
    pub fn of(back: &Back) -> Self {
        match back {
            Back::Chat { channel, post, .. } => Origin::post(channel, post),
            Back::Request { .. } => Origin::ControlSocket,
            Back::Told { .. } => Origin::Rule,
        }
    }

    /// A post.
    pub fn post(channel: &ChannelId, post: &PostId) -> Self {
        let link = format!("/_redirect/pl/{post}");
        Origin::Chat { channel: channel.clone(), post: post.clone(), link }
    }
}

/// Machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {
    /// How many.
    pub count: usize,
    /// Their names, written the short way.
    pub names: String,
}

impl Entry {
    /// Nothing but that it happened.
    pub fn new(number: u64, fact: u64, at: Timestamp, event: Event) -> Self {
        Self {
            number,
            at,
            fact,
            event,
            by: None,
            from: None,
            execution: None,
            action: None,
            content: String::new(),
            effect: None,
            hosts: None,
            parameters: Map::new(),
            line: String::new(),
            reason: String::new(),
            status: None,
            failed: None,
            milliseconds: None,
            due: None,
            executions: Vec::new(),
            names: Vec::new(),
            head: None,
        }
    }
}

/// Parameters with very long texts shortened, which is said there.
pub(super) fn shortened(parameters: &Map<String, Value>) -> Map<String, Value> {
    let short = |value: &Value| match value {
        Value::String(text) if text.chars().count() > LONGEST_TEXT => {
            let beginning: String = text.chars().take(LONGEST_TEXT).collect();
            Value::from(format!("{beginning} [... {} bytes in all ...]", text.len()))
        }
        other => other.clone(),
    };
    parameters.iter().map(|(name, value)| (name.clone(), short(value))).collect()
}
