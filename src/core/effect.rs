//! Everything the bot can do. One page; the runtime carries effects out only after the facts that came with them are on disk.

use crate::core::access::explain::Reason;
use crate::core::action::execution::Execution;
use crate::core::action::run::{Attach, Progress, Run};
use crate::core::alert::order::Target;
use crate::core::audit::question::{Asker, Question, Told};
use crate::core::callback::{Dialog, Reply};
use crate::core::chat::filter::Filter;
use crate::core::datastore::request::ShownValue;
use crate::core::id::{
    ActionRef, BlobId, ChannelId, DeliveryId, ExecutionId, Host, PostId, RequestId, RuleRef, SensorRef,
    TriggerInstanceId, TriggerRef, UserId,
};
use crate::core::input::{Back, Identifying, Principal, Ticket};
use crate::core::message::attachment::Attachment;
use crate::core::picture::Picture;
use crate::core::rule::trigger::Outcome;
use crate::core::sensor::Launch;
use crate::core::webhook::Refusal;
use crate::core::webhook::api_key::ShownKey;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What can be done.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Say something, exactly once.
    Deliver(Delivery),
    /// Show how a post's matter stands now. May be dropped when a newer one for the same post waits.
    Refresh {
        /// The channel of the post.
        channel: ChannelId,
        /// The delivery that made the post.
        of: DeliveryId,
        /// The whole new text.
        text: String,
        /// What stands below it from now on; what stood there before when absent.
        attachments: Option<Vec<Attachment>>,
    },
    /// Put an emoji on a post; doing it twice changes nothing.
    React {
        /// The channel of the post.
        channel: ChannelId,
        /// The post.
        post: PostId,
        /// The emoji's name without colons.
        emoji: &'static str,
        /// Take it away instead.
        remove: bool,
    },
    /// Start a sensor.
    StartSensor(Box<Launch>),
    /// Have a sensor end.
    StopSensor {
        /// Which.
        sensor: SensorRef,
        /// Which start of it.
        run: u64,
    },
    /// Start a run.
    Run(Box<Run>),
    /// Ask the hosts of a run that was begun before what has become of it, and see it to its end.
    Attach(Box<Attach>),
    /// Stop a run: kill its process groups everywhere.
    Cancel(ExecutionId),
    /// Look executions up in the store.
    Find {
        /// Which ones.
        query: Query,
        /// Comes back with the answer.
        ticket: Box<Ticket>,
    },
    /// Find out who people are now, on whose word something hangs that is about to be done.
    Identify {
        /// What it is asked for.
        of: Identifying,
        /// Who.
        users: Vec<UserId>,
        /// Channels of which it matters whether they are members.
        channels: Vec<ChannelId>,
    },
    /// Find out who has a name.
    LookUpUser {
        /// The user name.
        name: String,
        /// Channels of which it matters whether they are a member.
        channels: Vec<ChannelId>,
        /// Comes back with the answer.
        ticket: Box<Ticket>,
    },
    /// Look into the audit.
    Audit {
        /// What is asked.
        question: Question,
        /// Who wants to know; nobody when the bot itself does.
        asker: Option<Box<Asker>>,
    },
    /// Read outputs whole that a workflow passes on.
    ReadOutputs {
        /// The execution that wrote them.
        execution: ExecutionId,
        /// Which.
        blobs: Vec<BlobId>,
        /// How many bytes of one may be read; what is longer is left out.
        most: u64,
    },
    /// Read a piece of an output for a caller of the control socket.
    HandOut {
        /// Which call.
        request: RequestId,
        /// The output.
        blob: BlobId,
        /// The first byte.
        offset: u64,
    },
    /// Ask a monitoring how things stand: all that is a problem now, and these.
    ReadMonitoring {
        /// Its name in the configuration.
        monitoring: String,
        /// What is known as open.
        named: Vec<Target>,
    },
    /// Read the configuration and the packs again.
    Reload {
        /// Who wants it.
        by: Principal,
        /// Who is told what came of it.
        back: Back,
    },
    /// Read all the emojis that people have put on a post of ours.
    ReadReactions {
        /// The channel of the post.
        channel: ChannelId,
        /// The post.
        post: PostId,
        /// Channels of which it matters whether those people are members.
        channels: Vec<ChannelId>,
    },
    /// Tell whoever pressed a button or submitted a dialog what came of it.
    Reply {
        /// Which press.
        request: RequestId,
        /// What they are told.
        reply: Reply,
    },
    /// Open a dialog for whoever pressed a button, and tell them how that went.
    OpenDialog {
        /// Which press.
        request: RequestId,
        /// What the chat server takes as the proof of it, for a few seconds.
        trigger: String,
        /// The dialog.
        dialog: Box<Dialog>,
        /// What they are told when it cannot be opened.
        otherwise: String,
    },
    /// Answer a caller of the control socket.
    Answer {
        /// Which call.
        request: RequestId,
        /// What it is told.
        answer: Box<Answer>,
    },
}

/// Something to be said in chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its name, by which a post that was made but not noted is recognised.
    pub id: DeliveryId,
    /// Where.
    pub channel: ChannelId,
    /// What.
    pub body: Body,
}

/// What a delivery does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "does")]
pub enum Body {
    /// Make a post.
    Post {
        /// The thread it belongs to.
        root: Option<Thread>,
        /// Its text, rendered and escaped.
        text: String,
        /// Output too long for the text.
        files: Vec<Upload>,
    },
    /// Make a post with attachments.
    Attached {
        /// The thread it belongs to.
        root: Option<Thread>,
        /// Its text, rendered and escaped; may be empty.
        text: String,
        /// What stands below the text.
        attachments: Vec<Attachment>,
    },
    /// Put an emoji on somebody's post where that is all the answer it gets.
    Mark {
        /// The post.
        post: PostId,
        /// The emoji's name without colons.
        emoji: String,
    },
    /// Change a post to its final text, or to one that has to be seen.
    Edit {
        /// The delivery that made the post.
        of: DeliveryId,
        /// The whole new text.
        text: String,
        /// What stands below it from now on, buttons and all; what stood there before when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attachments: Option<Vec<Attachment>>,
    },
}

impl Body {
    /// What stands below the text of the post, where this says it.
    pub fn attachments(&self) -> Option<&[Attachment]> {
        match self {
            Body::Attached { attachments, .. } => Some(attachments),
            Body::Edit { attachments, .. } => attachments.as_deref(),
            Body::Post { .. } | Body::Mark { .. } => None,
        }
    }
}

/// A thread is named by its first post, or by the delivery that makes that post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Thread {
    /// A post that stands.
    Post {
        /// Its id.
        post: PostId,
    },
    /// A post of ours that may not stand yet.
    Delivery {
        /// The delivery that makes it.
        of: DeliveryId,
    },
}

/// A file that goes with a post. The parts are put one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The file's name.
    pub name: String,
    /// What it is made of.
    pub parts: Vec<UploadPart>,
}

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "from")]
pub enum UploadPart {
    /// Text as it is.
    Text {
        /// The text.
        text: String,
    },
    /// A stored output.
    Blob {
        /// Which.
        blob: BlobId,
    },
    /// What is painted, and is the whole file.
    Picture {
        /// What.
        picture: Box<Picture>,
    },
}

/// Which executions to look up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Those whose id ends with these digits.
    ById(String),
    /// The newest, at most so many.
    Newest(usize),
    /// The newest of those whose action is covered by one of these globs, at most so many.
    Visible {
        /// How many.
        limit: usize,
        /// Globs over `pack.name`.
        actions: Vec<String>,
    },
    /// The same, of those alone that are like this. It is not looked beyond the newest thousand whose action is covered.
    Filtered {
        /// How many.
        limit: usize,
        /// Globs over `pack.name`.
        actions: Vec<String>,
        /// What they are like.
        filter: Filter,
    },
}

/// What a caller of the control socket is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub enum Answer {
    /// An execution was started.
    Started {
        /// Its id.
        id: ExecutionId,
    },
    /// One execution.
    Execution {
        /// The execution.
        execution: Box<Execution>,
        /// The newest output while it runs.
        tail: Vec<String>,
    },
    /// A piece of an output.
    Output {
        /// Its bytes in base64; nothing behind the end.
        base64: String,
    },
    /// Several, newest first.
    Executions {
        /// The executions.
        executions: Vec<Execution>,
    },
    /// Done as asked.
    Done {
        /// What was done.
        text: String,
    },
    /// The state of the path from chat to nodes.
    Health {
        /// Whether all of it works.
        healthy: bool,
        /// Each part: its name, whether it works, and what is wrong otherwise.
        parts: Vec<HealthPart>,
    },
    /// Configuration and packs were read again.
    Reloaded {
        /// Whether what was read is in force.
        in_force: bool,
        /// What changed and is in force.
        changed: Vec<String>,
        /// What changed in the file and needs a restart.
        restart: Vec<String>,
        /// What is wrong.
        problems: Vec<String>,
        /// All of it in words.
        text: String,
    },
    /// The open requests for approvals that the asker may see, the most urgent first.
    Approvals {
        /// They.
        requests: Vec<OpenRequest>,
    },
    /// Values of the datastore: those that were asked for, set or deleted.
    Values {
        /// They.
        values: Vec<ShownValue>,
    },
    /// What executions ask people.
    Inquiries {
        /// They.
        inquiries: Vec<OpenInquiry>,
    },
    /// Whether somebody may do what a line says.
    May {
        /// They may.
        allowed: bool,
        /// The action that the line means.
        action: String,
        /// Their roles.
        roles: Vec<String>,
        /// The grants that speak of it.
        reasons: Vec<Reason>,
        /// The policies that want it approved.
        approvals: Vec<String>,
        /// All of it in words.
        text: String,
    },
    /// A picture of a workflow.
    Picture {
        /// It.
        picture: Box<Picture>,
    },
    /// What the audit says.
    Audit {
        /// This.
        told: Told,
    },
    /// Rules: those that were asked for, or the one that was switched.
    Rules {
        /// They.
        rules: Vec<ShownRule>,
    },
    /// The types of triggers.
    Triggers {
        /// They.
        triggers: Vec<ShownTrigger>,
    },
    /// Sensors: those that were asked for, or the one that was switched.
    Sensors {
        /// They.
        sensors: Vec<ShownSensor>,
    },
    /// An event is taken up, for good.
    Event {
        /// Its id.
        id: TriggerInstanceId,
        /// It had not been taken up before.
        new: bool,
        /// The executions that came of it.
        executions: Vec<ExecutionId>,
    },
    /// A call of a webhook came to nothing.
    CallRefused {
        /// Why.
        why: Refusal,
        /// In a sentence.
        text: String,
    },
    /// Keys by which programs call webhooks.
    ApiKeys {
        /// They.
        keys: Vec<ShownKey>,
    },
    /// The asking was sound, and what was asked for failed (exit code 1).
    Failed {
        /// Why, in a sentence.
        text: String,
    },
    /// The asking was wrong or not allowed (exit code 2).
    Refused {
        /// Why, in a sentence.
        text: String,
    },
}

/// A rule, as the control socket shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownRule {
    /// Its name.
    pub reference: RuleRef,
    /// For people.
    pub description: String,
    /// Whether it is in force.
    pub enabled: bool,
    /// Who has said so, where that is not its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched_by: Option<Principal>,
    /// `standard` or `backstop`.
    pub kind: String,
    /// It only tells what it would run.
    pub dry_run: bool,
    /// As what people are offered what it would run; empty where it acts by itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub offer: String,
    /// Its last remedies failed, so it does not act until a person lets it.
    #[serde(default)]
    pub rests: bool,
    /// The events that it listens to.
    pub trigger: TriggerRef,
    /// The parameters of its trigger.
    pub trigger_parameters: serde_json::Map<String, serde_json::Value>,
    /// Its criteria, a line each.
    pub criteria: Vec<String>,
    /// What it starts.
    pub action: ActionRef,
    /// With what.
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// How often something came of it.
    pub count: u64,
    /// What came of it last, the newest first.
    pub last: Vec<ShownOutcome>,
}

/// A sensor, as the control socket shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownSensor {
    /// Its name.
    pub reference: SensorRef,
    /// For people.
    pub description: String,
    /// Whether it is to run.
    pub enabled: bool,
    /// Who has said so, where that is not its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched_by: Option<Principal>,
    /// `running`, `waiting` to be started, `resting` between two looks, `stopping`, `disabled`, `not-built`.
    pub state: String,
    /// Since when it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Its process id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Seconds between two looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_interval: Option<u64>,
    /// How often it failed in a row.
    pub failures: u32,
    /// Since when it does not run although it should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<Timestamp>,
    /// When it is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// How it ended last; empty when it never did.
    pub last_end: String,
    /// Events that it has brought since the bot started.
    pub events: u64,
    /// Lines that were refused since then.
    pub refused: u64,
    /// Why the last of them was; empty when none was.
    pub complaint: String,
    /// The last lines of its standard error.
    pub errors: Vec<String>,
    /// The types of triggers that it declares.
    pub triggers: Vec<TriggerRef>,
    /// Its file.
    pub file: String,
}

/// What came of a rule once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownOutcome {
    /// When.
    pub at: Timestamp,
    /// On which event.
    pub instance: TriggerInstanceId,
    /// What.
    pub outcome: Outcome,
}

/// A type of triggers, as the control socket shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownTrigger {
    /// Its name.
    pub reference: TriggerRef,
    /// For people.
    pub description: String,
    /// The rules that listen to it, as far as they may be seen.
    pub rules: Vec<RuleRef>,
}

/// What an execution asks people, as the control socket shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenInquiry {
    /// The execution.
    pub id: ExecutionId,
    /// By which people name it.
    pub code: String,
    /// The action that asks.
    pub action: ActionRef,
    /// StackStorm's result while nobody has answered: schema, roles, users, route, ttl.
    pub result: serde_json::Map<String, serde_json::Value>,
    /// Until when it waits; absent when for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A request for an approval, as the control socket shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRequest {
    /// Its code.
    pub code: String,
    /// The execution that waits.
    pub execution: ExecutionId,
    /// What would be run.
    pub action: String,
    /// The line that it came from; empty when it came another way.
    pub line: String,
    /// Who asked.
    pub by: String,
    /// The machines.
    pub hosts: Vec<Host>,
    /// Who has said yes.
    pub votes: Vec<String>,
    /// How many have to.
    pub quorum: usize,
    /// `pending`, or `approved` when it has not begun yet.
    pub state: String,
    /// When it expires.
    pub until: Timestamp,
}

/// One part of the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthPart {
    /// `chat`, `outbox`, `store`, `content`, `inventory`, `ssh`; `bot` and `loop` when the bot itself is the trouble.
    pub name: String,
    /// Whether it works.
    pub works: bool,
    /// What it says for itself.
    pub says: String,
    /// Since when it does not work; absent when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What to do about it; empty where there is nothing to do. A part may work and need a look all the same: one node of many is out of
    /// reach, one file of many has a mistake.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub advice: String,
}

/// Live lines of a run, as the control socket shows them.
pub fn tail_lines(progress: &Progress) -> Vec<String> {
    progress.tail.iter().map(|line| format!("{}: {}", line.host, line.text)).collect()
}
