//! Everything that can happen to the bot. One page; nothing else ever reaches the core.

use crate::core::access::Rights;
use crate::core::action::execution::{Execution, Judgement};
use crate::core::action::run::RunNews;
use crate::core::alert::standing::Reading;
use crate::core::approval::{Decision, Verdict};
use crate::core::audit::chain::Head;
use crate::core::audit::question::{Asker, Question, Told};
use crate::core::callback::{Meaning, Refusal};
use crate::core::content::Catalog;
use crate::core::content::diagnostic::Diagnostic;
use crate::core::datastore::request::ValueAsk;
use crate::core::datastore::seal::MasterKey;
use crate::core::effect::Thread;
use crate::core::host::Inventory;
use crate::core::id::{
    ActionRef, BlobId, ChannelId, DeliveryId, ExecutionId, PostId, RequestId, RuleRef, SensorRef, TriggerInstanceId,
    UserId,
};
use crate::core::rule::trigger::Arrival;
use crate::core::sensor::News;
use crate::core::settings::Settings;
use crate::core::vitals::{PackChange, Reload, Vitals};
use crate::core::webhook::Call;
use crate::core::webhook::api_key::ApiKeyAsk;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One thing that happened, with the time at which it was taken up and the randomness that deciding on it may use.
#[derive(Debug, Clone)]
pub struct Event {
    /// Wall-clock time; never goes backwards from one event to the next.
    pub at: Timestamp,
    /// Fresh random bits.
    pub entropy: u64,
    /// What happened.
    pub input: Input,
}

/// What can happen.
#[derive(Debug, Clone)]
pub enum Input {
    /// The process has started and the stored facts are folded; comes once, first.
    Started,
    /// Settings were read; replaces the ones before.
    Settings(Arc<Settings>),
    /// Content was loaded; replaces the catalog before.
    Content {
        /// What is in force.
        catalog: Arc<Catalog>,
        /// What is wrong with the files.
        problems: Arc<Vec<Diagnostic>>,
    },
    /// Host names and groups as of now.
    Inventory(Arc<Inventory>),
    /// The chat connection changed.
    Connection(Connection),
    /// Names of users and channels resolved to ids as of now.
    Directory(Directory),
    /// A post was heard.
    Post(HeardPost),
    /// Somebody pressed a button of ours; its signature is good.
    Pressed(Box<Press>),
    /// Somebody submitted a dialog of ours; its signature is good, and it is the one for whom it was opened.
    Submitted(Box<Submission>),
    /// A callback came that is none of ours. Nobody waits for an answer.
    Forged(Forgery),
    /// Somebody put an emoji on a post or took it away; never the bot itself.
    Reacted(HeardReaction),
    /// The answer to a [`crate::core::effect::Effect::ReadReactions`]: every emoji that stands on the post, oldest first, but our own.
    ReactionsRead {
        /// The channel of the post.
        channel: ChannelId,
        /// The post.
        post: PostId,
        /// They.
        reactions: Vec<HeardReaction>,
    },
    /// What was written while nobody listened has been read, and every post of it was handed on before this.
    CaughtUp {
        /// The server's clock when the reading began.
        until: Timestamp,
        /// What could not be read; empty when nothing was left out.
        unread: Vec<Unread>,
    },
    /// A delivery came to an end.
    Delivered {
        /// Which one.
        delivery: DeliveryId,
        /// How.
        outcome: DeliveryOutcome,
    },
    /// A runner tells how a run goes.
    Run {
        /// The execution it belongs to.
        execution: ExecutionId,
        /// What it tells.
        news: RunNews,
    },
    /// Something has happened outside that rules may listen to.
    Event(Box<Arrival>),
    /// A monitoring that tells by itself is heard from now on; what it told before was perhaps not.
    MonitoringGap {
        /// Its name in the configuration.
        monitoring: String,
    },
    /// The answer to a [`crate::core::effect::Effect::ReadMonitoring`].
    MonitoringRead {
        /// Its name in the configuration.
        monitoring: String,
        /// What it has said, or why it cannot be asked.
        reading: Result<Box<Reading>, String>,
    },
    /// Something is told of a sensor that was started.
    Sensor {
        /// Which.
        sensor: SensorRef,
        /// Which start of it.
        run: u64,
        /// Where the answer goes to a line that it has written; nobody waits for any else.
        request: Option<RequestId>,
        /// What.
        news: News,
    },
    /// Somebody asks over the control socket or the HTTP interface.
    Request {
        /// The number to answer to.
        request: RequestId,
        /// Who asks.
        from: Principal,
        /// What for.
        ask: Ask,
    },
    /// The answer to a [`crate::core::effect::Effect::Find`].
    Found {
        /// The ticket that went with the question.
        ticket: Ticket,
        /// What was found, newest first; empty when nothing was.
        executions: Vec<Execution>,
    },
    /// What the runtime has measured. Comes every few seconds, and shows by coming through that the loop turns.
    Vitals(Vitals),
    /// The configuration and the packs were read again; what is in force of them has come before this.
    Reloaded {
        /// Who asked for it; nobody when it was a signal.
        by: Option<Principal>,
        /// Who is told what came of it; nobody when it was a signal.
        back: Option<Back>,
        /// What came of it.
        reload: Reload,
    },
    /// Files of packs have changed and have been left alone for a while; what is in force of them has come before this.
    PacksChanged(PackChange),
    /// The answer to a [`crate::core::effect::Effect::Identify`].
    Identified {
        /// What it was asked for.
        of: Identifying,
        /// Who they are now, those who are not there any more left out; absent when the server does not say so of all of them.
        people: Option<Vec<Identity>>,
    },
    /// The answer to a [`crate::core::effect::Effect::LookUpUser`].
    UserLookedUp {
        /// The ticket that went with the question.
        ticket: Ticket,
        /// Who it is; absent when nobody has the name. Or why the server does not say so.
        identity: Result<Option<Identity>, String>,
    },
    /// The store could not answer a [`crate::core::effect::Effect::Find`].
    LookUpFailed {
        /// The ticket that went with the question.
        ticket: Ticket,
        /// What the store said.
        why: String,
    },
    /// The answer to a [`crate::core::effect::Effect::Audit`].
    Audited {
        /// Who asked; nobody when the bot itself did.
        asker: Option<Box<Asker>>,
        /// What the audit says, or why it could not be looked into.
        told: Result<Told, String>,
    },
    /// A damaged audit was set aside, when this process started or an earlier one. Comes before [`Input::Started`], at every start.
    AuditSetAside {
        /// Where it lies.
        place: String,
        /// What was wrong with it; empty when an earlier process found that out.
        why: String,
        /// The line before the first of the new one.
        head: Head,
    },
    /// The answer to a [`crate::core::effect::Effect::ReadOutputs`].
    OutputsRead {
        /// The execution.
        execution: ExecutionId,
        /// What was read; what was too long, or cannot be read any more, is missing.
        texts: BTreeMap<BlobId, String>,
    },
    /// How it stands with the room on the disk and with the store.
    Storage(Storage),
    /// A damaged store was set aside when the process started, and the memory is empty; comes once, before [`Input::Started`].
    SetAside {
        /// Where the old store lies.
        place: String,
        /// What was wrong with it, where that is known.
        why: Option<String>,
    },
    /// The master key of the datastore was read, or why there is none; replaces the one before.
    MasterKey(Result<MasterKey, String>),
    /// The moment that `next_deadline` named has come.
    Deadline,
    /// The process has been asked to stop.
    Stop,
    /// The grace that running executions had after the stop is over; comes once, and little comes after it.
    GraceOver,
}

/// Who asks. Closed: whoever is none of these cannot ask.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Principal {
    /// A chat user, by id; the name is for reading only.
    ChatUser {
        /// Rights hang on this.
        id: UserId,
        /// The name at the time of asking.
        name: String,
    },
    /// A user of the machine that the bot runs on, proven by the kernel.
    LocalUser {
        /// The numeric id that the kernel reported.
        uid: u32,
        /// Its name in the password database.
        name: String,
    },
    /// A rule that an event has matched.
    Rule {
        /// Which.
        rule: RuleRef,
        /// The event.
        instance: TriggerInstanceId,
        /// The rules that led to that event one by one, where the bot itself brought it on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        chain: Vec<RuleRef>,
    },
}

/// How it stands with the store. Nothing that is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Storage {
    /// Bytes of room on its disk, where that can be told.
    pub free: Option<u64>,
    /// Below this many nothing new is begun.
    pub reserve: u64,
    /// Why the store refuses what was decided; absent when it takes it.
    pub refused: Option<String>,
}

impl Storage {
    /// Whether so little room is left that nothing new may be begun.
    pub fn is_low(&self) -> bool {
        self.free.is_some_and(|free| free < self.reserve)
    }
}

/// State of the way to the chat server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// The server has greeted us.
    Up {
        /// The bot's own user.
        me: UserId,
        /// Its name, without the at sign.
        username: String,
        /// The longest message in characters.
        max_post: usize,
    },
    /// No connection: why, and what is being done about it.
    Down {
        /// A sentence for people.
        why: String,
    },
}

/// What people are looked up for.
#[derive(Debug, Clone, PartialEq)]
pub enum Identifying {
    /// A line that is due: its author.
    Due(ExecutionId),
    /// An execution that has waited and could begin: who asked for it, and who approved it.
    Beginning(ExecutionId),
    /// A workflow under way: who asked for it.
    Conducting(ExecutionId),
    /// A user of the bot's machine decides about an approval as the chat user that they stand for.
    Deciding {
        /// The call that is answered.
        request: RequestId,
        /// What.
        decision: Box<Decision>,
    },
}

/// Names from the settings and from policies resolved to ids. What could not be resolved is absent and grants nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// User name (lower case, without the at sign) to id.
    pub users: BTreeMap<String, UserId>,
    /// Channel name to id.
    pub channels: BTreeMap<String, ChannelId>,
    /// Those of all these users who are deactivated, or bots.
    pub inactive: BTreeSet<UserId>,
    /// The time zones, IANA names, of those users who have one.
    pub zones: BTreeMap<UserId, String>,
    /// Who is a member of those channels whose members may decide about approvals; absent where that is not known.
    pub members: BTreeMap<ChannelId, BTreeSet<UserId>>,
    /// Group name to who is in it.
    pub groups: BTreeMap<String, GroupMembers>,
    /// Groups of which the server does not tell who is in them, and why; they grant nothing.
    pub untold: BTreeMap<String, String>,
}

/// Who is in a group of the chat server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMembers {
    /// The group's id.
    pub id: String,
    /// Its members.
    pub members: BTreeSet<UserId>,
    /// When the server said so.
    pub as_of: Timestamp,
}

/// A post as the chat adapter heard it. Nothing is filtered before the core sees it.
#[derive(Debug, Clone)]
pub struct HeardPost {
    /// The post.
    pub id: PostId,
    /// Where it was written.
    pub channel: ChannelId,
    /// What kind of channel that is.
    pub channel_kind: ChannelKind,
    /// The first post of the thread, when this is a reply.
    pub root: Option<PostId>,
    /// The author's id as the server gives it.
    pub author: UserId,
    /// Who that is, looked up by id; absent when the server could not say.
    pub identity: Option<Identity>,
    /// The text as it was written.
    pub message: String,
    /// When the server stored it.
    pub created: Timestamp,
    /// The server's clock when it was heard.
    pub heard: Timestamp,
    /// It was not heard as it was written: it was read afterwards, or waited for long.
    pub missed: bool,
    /// The name that a bot put on it when it made it.
    pub instance: Option<String>,
    /// What speaks against its being a person's own words.
    pub marks: PostMarks,
}

/// A button was pressed. That the meaning is one of ours is proven, and nothing else: whether it belongs to this post, and whether this user may.
#[derive(Debug, Clone)]
pub struct Press {
    /// Where the answer goes; it is waited for, for a few seconds.
    pub request: RequestId,
    /// Who pressed, as the chat server says.
    pub user: UserId,
    /// Who that is, looked up by id; absent when the server could not say.
    pub identity: Option<Identity>,
    /// The post.
    pub post: PostId,
    /// Its channel.
    pub channel: ChannelId,
    /// What it means.
    pub meaning: Meaning,
    /// What a dialog can be opened with, for a few seconds.
    pub trigger: String,
}

/// A dialog was submitted, by the one for whom it was opened.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Where the answer goes; it is waited for, for a few seconds.
    pub request: RequestId,
    /// Who submitted it, as the chat server says.
    pub user: UserId,
    /// Who that is, looked up by id; absent when the server could not say.
    pub identity: Option<Identity>,
    /// The channel in which it was opened.
    pub channel: ChannelId,
    /// The delivery that made the card whose button opened it.
    pub card: DeliveryId,
    /// What it means.
    pub meaning: Meaning,
    /// What was put in, by the names of the fields. Nothing of it is checked.
    pub values: BTreeMap<String, serde_json::Value>,
}

/// A callback that was refused at the door. Everything in it is what somebody claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgery {
    /// Why.
    pub why: Refusal,
    /// The user that it names, where that can be an id.
    pub user: Option<UserId>,
    /// The post that it names, where that can be an id.
    pub post: Option<PostId>,
    /// The address that it came from.
    pub from: String,
}

/// An emoji on a post.
#[derive(Debug, Clone)]
pub struct HeardReaction {
    /// The post.
    pub post: PostId,
    /// Its channel; absent where the server does not say it.
    pub channel: Option<ChannelId>,
    /// Who.
    pub user: UserId,
    /// Who that is, looked up by id; absent when the server could not say.
    pub identity: Option<Identity>,
    /// The emoji's name without colons, and without the tone of the skin.
    pub emoji: String,
    /// It was taken away.
    pub removed: bool,
    /// When it was put there, by the server's clock.
    pub created: Timestamp,
}

/// A part of what was written while nobody listened that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The channel; absent when it is all of them.
    pub channel: Option<ChannelId>,
    /// What was written before this was not read; absent when nothing was.
    pub before: Option<Timestamp>,
}

/// Kinds of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelKind {
    /// Open to the team.
    Public,
    /// By invitation.
    Private,
    /// One person and the bot.
    Direct,
    /// A few people and the bot.
    Group,
}

/// Whatever marks a post as something else than a line that a person just wrote. Marks only ever take trust away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostMarks {
    /// The server's post type; empty for an ordinary post, `me` for an emote.
    pub kind: String,
    /// It has been edited, or arrived as an edit.
    pub edited: bool,
    /// Names of the props that say it came from a bot, a webhook, a plugin or an application.
    pub props: Vec<String>,
    /// It came from another server.
    pub remote: bool,
}

/// Who a chat user is, as of a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub id: UserId,
    /// The user name without the at sign.
    pub username: String,
    /// A bot account.
    pub is_bot: bool,
    /// Not deactivated.
    pub active: bool,
    /// Those channels named in the settings that this user is a member of.
    pub member_of: BTreeSet<ChannelId>,
    /// The time zone that this user has set, an IANA name; empty when that is not known.
    pub zone: String,
    /// When this was looked up.
    pub as_of: Timestamp,
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It stands in the channel.
    Sent {
        /// As this post.
        post: PostId,
    },
    /// The server refused it for good; repeating would not help.
    Refused {
        /// What the server said, for the log.
        why: String,
    },
}

/// What can be asked over the control socket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "ask")]
pub enum Ask {
    /// Run an action.
    Run {
        /// Which.
        action: ActionRef,
        /// With what; strings are cast by the action's schema.
        parameters: BTreeMap<String, serde_json::Value>,
        /// The word under which it is found with others.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace_tag: Option<String>,
    },
    /// The newest executions.
    Executions {
        /// At most so many.
        limit: usize,
    },
    /// One execution, by its id or the end of it.
    Execution {
        /// The id or its last digits.
        id: String,
    },
    /// A piece of what was written on a host, where that is too long to stand in the execution itself.
    Output {
        /// The id of the execution or its last digits.
        id: String,
        /// What of it.
        #[serde(flatten)]
        part: OutputPart,
    },
    /// Stop an execution.
    Cancel {
        /// The id or its last digits.
        id: String,
    },
    /// Run an execution's action again with the same parameters.
    Rerun {
        /// The id or its last digits.
        id: String,
    },
    /// Go on with a workflow that has ended.
    RerunFrom {
        /// The id or its last digits.
        id: String,
        /// The tasks to begin with; those that failed when none is named.
        tasks: Vec<String>,
    },
    /// Draw a workflow.
    Graph {
        /// The id or its last digits.
        id: String,
    },
    /// Have a workflow begin nothing more.
    Pause {
        /// The id or its last digits.
        id: String,
    },
    /// Let a paused workflow go on.
    Resume {
        /// The id or its last digits.
        id: String,
    },
    /// Say what became of an execution that ended as unknown.
    Settle {
        /// The id or its last digits.
        id: String,
        /// What.
        judgement: Judgement,
    },
    /// The open requests for approvals.
    Approvals,
    /// Decide about one, as the chat user that the caller stands for.
    Decide {
        /// Its code, or the id of its execution.
        of: String,
        /// What.
        verdict: Verdict,
        /// What is written behind: the target where it has to be named, then the reason.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        words: String,
    },
    /// Let nothing start that does more than look.
    Freeze {
        /// Why, in a sentence for people.
        reason: String,
    },
    /// Let everything start again.
    Unfreeze,
    /// Whether the path from chat to nodes works.
    Health,
    /// Read the configuration and the packs again.
    Reload,
    /// What executions ask people and nobody has answered: all of it, or one by its id, the end of it, or its code.
    Inquiries {
        /// Which.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// Answer what an execution asks.
    Respond {
        /// Its id, the end of it, or its code.
        id: String,
        /// The answer; strings are cast by its schema.
        response: BTreeMap<String, serde_json::Value>,
    },
    /// Read or change values of the datastore.
    Values(ValueAsk),
    /// Whether somebody may do what a line says, and why.
    May {
        /// The chat user's name; absent for the one who asks.
        user: Option<String>,
        /// The name of the channel where it would be said; absent for none.
        #[serde(default)]
        channel: Option<String>,
        /// The line.
        line: String,
    },
    /// Look into the audit.
    Audit {
        /// What is asked.
        about: Question,
    },
    /// Ask for rules, or switch one.
    Rules(RuleAsk),
    /// Ask for sensors, or switch one.
    Sensors(SensorAsk),
    /// Ask for the keys by which programs call webhooks, or have one made or gone.
    ApiKeys(ApiKeyAsk),
    /// A webhook was called. It comes through the door of the HTTP interface only, which has read the key.
    #[serde(skip)]
    Webhook(Box<Call>),
}

/// What is wanted of rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "wants")]
pub enum RuleAsk {
    /// All that may be seen.
    List,
    /// One, with what came of it last.
    Show {
        /// Its ref, or its name alone.
        rule: String,
    },
    /// Have one in force, or not.
    Switch {
        /// Its ref, or its name alone.
        rule: String,
        /// Whether it is to be in force.
        enabled: bool,
    },
    /// Have one act again that rests since its remedies failed.
    Reset {
        /// Its ref, or its name alone.
        rule: String,
    },
    /// The types of triggers.
    Triggers,
}

impl RuleAsk {
    /// As it is written in chat.
    pub fn words(&self) -> String {
        match self {
            RuleAsk::List => "rule list".to_owned(),
            RuleAsk::Show { rule } => format!("rule show {rule}"),
            RuleAsk::Switch { rule, enabled: true } => format!("rule enable {rule}"),
            RuleAsk::Switch { rule, enabled: false } => format!("rule disable {rule}"),
            RuleAsk::Reset { rule } => format!("rule reset {rule}"),
            RuleAsk::Triggers => "trigger list".to_owned(),
        }
    }
}

/// What is wanted of sensors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "wants")]
pub enum SensorAsk {
    /// All that may be seen.
    List,
    /// One, with what is known of it.
    Show {
        /// Its ref, or its name alone.
        sensor: String,
    },
    /// Have one run, or not.
    Switch {
        /// Its ref, or its name alone.
        sensor: String,
        /// Whether it is to run.
        enabled: bool,
    },
}

impl SensorAsk {
    /// As it is written in chat.
    pub fn words(&self) -> String {
        match self {
            SensorAsk::List => "sensor list".to_owned(),
            SensorAsk::Show { sensor } => format!("sensor show {sensor}"),
            SensorAsk::Switch { sensor, enabled: true } => format!("sensor enable {sensor}"),
            SensorAsk::Switch { sensor, enabled: false } => format!("sensor disable {sensor}"),
        }
    }
}

/// A question's way back: who wanted to know, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Who asked.
    pub from: Principal,
    /// What they may do, as of the question.
    pub rights: Rights,
    /// Where the answer goes.
    pub back: Back,
    /// The time zone of the one who asked; empty when that is not known.
    pub zone: String,
    /// What was asked about, as written.
    pub asked: String,
    /// What to do with what is found.
    pub purpose: Purpose,
    /// It is asked a second time, since the first answer was overtaken by an end.
    pub again: bool,
}

/// Where an answer goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "to")]
pub enum Back {
    /// Into a channel.
    Chat {
        /// Which.
        channel: ChannelId,
        /// The thread, when the question was asked in one.
        root: Option<PostId>,
        /// The post that asked.
        post: PostId,
    },
    /// To a caller on the control socket.
    Request {
        /// Which.
        request: RequestId,
    },
    /// Nobody asked in words, and it is told here.
    Told {
        /// In this channel; nowhere while none is known.
        channel: Option<ChannelId>,
        /// In this thread.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "thread")]
        root: Option<Thread>,
    },
}

impl Back {
    /// Where in chat it goes: the channel, and the thread.
    pub fn place(&self) -> Option<(&ChannelId, Option<Thread>)> {
        match self {
            Back::Chat { channel, root, .. } => Some((channel, root.clone().map(|post| Thread::Post { post }))),
            Back::Told { channel: Some(channel), root } => Some((channel, root.clone())),
            Back::Request { .. } | Back::Told { channel: None, .. } => None,
        }
    }
}

/// A thread. What was written down when that was always a post which stood is the post's id.
fn thread<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Thread>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Post(PostId),
        Thread(Thread),
    }
    let written = Option::<Written>::deserialize(from)?;
    Ok(written.map(|written| match written {
        Written::Post(post) => Thread::Post { post },
        Written::Thread(thread) => thread,
    }))
}

/// A piece of an output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputPart {
    /// Where it was written.
    pub host: String,
    /// The error output instead of the usual one.
    #[serde(default)]
    pub stderr: bool,
    /// The first byte of the piece.
    #[serde(default)]
    pub offset: u64,
}

/// What is done with executions that were looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// Show one.
    Show,
    /// Show one on these hosts, or on those where it failed.
    ShowPart(String),
    /// Hand out a piece of what was written.
    HandOut(OutputPart),
    /// Show the newest output of one, and keep it up to date.
    Tail,
    /// List many.
    List,
    /// Stop one.
    Cancel,
    /// Run one again.
    Rerun,
    /// Go on with a workflow that has ended, from these tasks; from those that failed when none is named.
    RerunFrom(Vec<String>),
    /// Have a workflow stand still.
    Pause,
    /// Draw a workflow.
    Draw,
    /// Let it go on.
    Resume,
    /// Judge one that ended as unknown.
    Settle(Judgement),
    /// Tell whether somebody may do what a line says.
    May {
        /// The line.
        line: String,
        /// The names of the channel where it would be said.
        here: Vec<String>,
    },
}
