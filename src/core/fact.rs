//! Everything the bot remembers. The state is the fold of these, in the order in which they were stored.
//!
//! **A fact carries results**: rendered texts, resolved host lists, outcomes. Folding never parses, renders or looks at the catalog, so a
//! log means the same whatever the content says today. **A fact never carries a secret.**

use crate::core::access::names::Named;
use crate::core::action::execution::{Judgement, Requested, Status};
use crate::core::action::run::HostOutcome;
use crate::core::action::waiting::{Turn, Waits};
use crate::core::alert::life::{Alert, Change, OrderEnd, Posted, Turn as AlertTurn};
use crate::core::alert::notification::Problem;
use crate::core::alert::offer::{Offers, Origin};
use crate::core::alert::storm::{Began, StormTurn};
use crate::core::approval::request::Event;
use crate::core::audit::chain::Head;
use crate::core::callback::Refusal;
use crate::core::datastore::Kept;
use crate::core::datastore::key::Key;
use crate::core::effect::Delivery;
use crate::core::id::{
    ActionRef, AliasRef, ChannelId, DeliveryId, ExecutionId, Host, PostId, RuleRef, SensorRef, StormId, UserId,
};
use crate::core::input::{Back, Principal};
use crate::core::policy::NextTry;
use crate::core::rule::guard::Open;
use crate::core::rule::trigger::Taken;
use crate::core::schedule::{ScheduleEnd, Scheduled};
use crate::core::webhook::api_key::ApiKey;
use crate::core::workflow::conducted::{Conducted, Moved};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Lists of facts are made for every line of chat, and the C library has small pieces of memory at hand: what is long is in a box.
const _: () = assert!(size_of::<Fact>() <= 240, "a fact is not to take more than 240 bytes");

/// A fact with the time of the event that it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dated {
    /// When.
    pub at: Timestamp,
    /// What.
    pub fact: Fact,
}

/// What can be remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fact")]
pub enum Fact {
    /// A post that was meant for the bot has been taken up; it will never be taken up again.
    PostTaken {
        /// The post.
        post: PostId,
        /// Its channel.
        channel: ChannelId,
        /// When the server stored it.
        created: Timestamp,
    },
    /// An execution was asked for and granted, and has to wait before it may begin.
    ExecutionWaits(Box<Waits>),
    /// Something happened to the request for the approval that an execution waits for.
    Approval {
        /// The execution.
        id: ExecutionId,
        /// The revision of the request on which this was decided.
        revision: u32,
        /// What.
        event: Event,
    },
    /// An execution that waits takes its place behind the others, and lets them go first.
    TurnAwaited {
        /// The execution.
        id: ExecutionId,
        /// Until when.
        turn: Turn,
    },
    /// An execution was asked for and granted, and had to wait for nothing or has waited long enough; its run starts now.
    ExecutionStarted(Box<Requested>),
    /// The command ended on one host.
    HostFinished {
        /// The execution.
        id: ExecutionId,
        /// The host.
        host: Host,
        /// How it ended there.
        outcome: Box<HostOutcome>,
    },
    /// A command of which its host knows nothing, or not how it ended, is run there again; it cannot start under its old id any more.
    HostAgain {
        /// The execution.
        id: ExecutionId,
        /// The host.
        host: Host,
        /// The number of the new try; it is part of the id under which the host knows it.
        attempt: u32,
        /// Whether the try before certainly never began.
        never_began: bool,
    },
    /// A person said what became of an execution that had ended as unknown.
    Judged {
        /// The execution.
        id: ExecutionId,
        /// Who.
        by: Principal,
        /// What.
        judgement: Judgement,
        /// The execution that repeats it, where it was to be run again.
        repeated_as: Option<ExecutionId>,
        /// What was run; absent in old logs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        action: Option<ActionRef>,
        /// From where; absent in old logs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Back>,
    },
    /// A post shows the newest output of an execution and is to be kept up to date.
    TailBegun {
        /// The execution.
        execution: ExecutionId,
        /// The delivery that makes the post.
        delivery: DeliveryId,
        /// Its channel.
        channel: ChannelId,
    },
    /// Somebody stopped an execution; it ends when its processes are gone.
    CancelAsked {
        /// The execution.
        id: ExecutionId,
        /// Who.
        by: Principal,
        /// From where; absent in old logs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Back>,
    },
    /// Something happened in a workflow.
    WorkflowMoved(Box<Moved>),
    /// A workflow goes on where another one of the same text has ended: it takes up how the tasks of that one stood.
    WorkflowTakenUp {
        /// The workflow that goes on.
        id: ExecutionId,
        /// How the other one stood.
        conducted: Box<Conducted>,
    },
    /// Somebody paused a workflow; it stands still when what it has begun has ended.
    PauseAsked {
        /// The execution.
        id: ExecutionId,
        /// Who.
        by: Principal,
        /// From where.
        from: Back,
    },
    /// Somebody lets a paused workflow go on.
    ResumeAsked {
        /// The execution.
        id: ExecutionId,
        /// Who.
        by: Principal,
        /// From where.
        from: Back,
    },
    /// Somebody answered what an execution asks.
    InquiryAnswered {
        /// The execution.
        id: ExecutionId,
        /// Who.
        by: Principal,
        /// The answer, checked.
        response: serde_json::Map<String, serde_json::Value>,
    },
    /// A policy has an execution that has failed tried again, by another one. Its end follows.
    TriedAgain {
        /// The execution.
        id: ExecutionId,
        /// The one that tries the same.
        next: NextTry,
    },
    /// An execution came to its end.
    ExecutionFinished {
        /// The execution.
        id: ExecutionId,
        /// How it ended.
        status: Status,
        /// What went wrong with the run as a whole.
        error: Option<String>,
    },
    /// Something will be said.
    DeliveryIntended(Delivery),
    /// It stands in the channel.
    DeliverySent {
        /// Which.
        delivery: DeliveryId,
        /// As this post.
        post: PostId,
    },
    /// The server refused it for good.
    DeliveryRefused {
        /// Which.
        delivery: DeliveryId,
        /// What the server said.
        why: String,
    },
    /// A line was taken up that can only be answered once the store has been asked. What answers it is noted later.
    AnswerOwed {
        /// The post.
        post: PostId,
        /// Its channel.
        channel: ChannelId,
        /// The thread, when it was asked in one.
        root: Option<PostId>,
        /// The line.
        line: String,
    },
    /// Every post that the server dates before this has been considered, whoever wrote it and in whichever of the bot's channels.
    Heard {
        /// By the server's clock.
        until: Timestamp,
    },
    /// This store got its name, by which the posts of the bot that works with it are told from those of another.
    InstanceNamed {
        /// Random.
        name: String,
    },
    /// A bot that works with another store spoke with our account, and the admins were told.
    OtherInstanceSeen {
        /// The other's name.
        name: String,
    },
    /// Somebody was given numbered choices; a number answers until `until`.
    ChoiceOffered {
        /// Who may choose.
        user: UserId,
        /// Where the answer is expected.
        back: Back,
        /// The lines among which to choose.
        lines: Vec<Choice>,
        /// When the offer lapses.
        until: Timestamp,
    },
    /// The choice was made or withdrawn.
    ChoiceClosed {
        /// Who had it.
        user: UserId,
        /// In which channel.
        channel: ChannelId,
    },
    /// Somebody was asked for a value that a line of theirs lacked. Their next line there is taken for it, until `until`.
    ValueAsked {
        /// Who.
        user: UserId,
        /// In which channel.
        channel: ChannelId,
        /// In which thread; absent outside threads of a direct channel.
        thread: Option<PostId>,
        /// What was asked for, and for what.
        lack: Lack,
        /// When the question lapses.
        until: Timestamp,
    },
    /// The value was given, or is wanted no more.
    ValueClosed {
        /// Who was asked.
        user: UserId,
        /// In which channel.
        channel: ChannelId,
        /// In which thread.
        thread: Option<PostId>,
    },
    /// The last line of somebody in a channel for which something was started.
    LineKept {
        /// Who.
        user: UserId,
        /// In which channel.
        channel: ChannelId,
        /// The line; absent where it cannot be said again, since a secret stood in it.
        line: Option<String>,
        /// The alias that it meant.
        alias: AliasRef,
    },
    /// From now on nothing starts that does more than look.
    Frozen {
        /// Why, in a sentence for people.
        why: String,
        /// Who wanted it; absent when the bot did it by itself.
        #[serde(default)]
        by: Option<Principal>,
        /// From where; absent in old logs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Back>,
    },
    /// Everything may start again.
    Unfrozen {
        /// Who said so.
        by: Principal,
        /// From where; absent in old logs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Back>,
    },
    /// A value of the datastore was set.
    ValueSet {
        /// Which.
        key: Key,
        /// What it is; a secret is sealed.
        value: Box<Kept>,
        /// When it is over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
        /// Who set it.
        by: Principal,
        /// From where; absent in old logs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Back>,
    },
    /// A value of the datastore was deleted.
    ValueDeleted {
        /// Which.
        key: Key,
        /// Who deleted it.
        by: Principal,
        /// From where; absent in old logs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Back>,
    },
    /// Somebody had secrets shown.
    ValuesOpened {
        /// Which.
        keys: Vec<Key>,
        /// Who.
        by: Principal,
        /// From where; absent in old logs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Back>,
    },
    /// Somebody pressed a button of a card, or submitted the dialog behind it, with effect. Nothing on this revision is open to them any more.
    PressTaken {
        /// The delivery that made the card.
        card: DeliveryId,
        /// Who.
        user: UserId,
        /// Which drawing of the card.
        revision: u32,
    },
    /// A callback was refused as one that should not have come. Nothing hangs on it; not every one of many is noted.
    CallbackRefused {
        /// Why.
        why: Refusal,
        /// The user that it named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<UserId>,
        /// The post that it named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        post: Option<PostId>,
        /// Where it came from, where that was not the chat server's proper way.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        from: String,
        /// What it wanted, where it was rightly signed.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        action: String,
        /// How many were refused before this one and not noted, since they were too many.
        #[serde(default, skip_serializing_if = "is_none")]
        unnoted: u64,
    },
    /// A line is to be carried out later.
    Scheduled(Box<Scheduled>),
    /// A line does not wait for its time any more.
    ScheduleEnded {
        /// Which.
        id: ExecutionId,
        /// What became of it.
        end: ScheduleEnd,
    },
    /// A name in a role was seen for the first time; from now on it means this.
    NameTied {
        /// What it is the name of.
        kind: Named,
        /// The name.
        name: String,
        /// The id.
        id: String,
    },
    /// A name stands in no role any more.
    NameFreed {
        /// What it was the name of.
        kind: Named,
        /// The name.
        name: String,
    },
    /// Somebody asked for what they have no right to. There are no more of these than lines that are taken up, which are bounded.
    AccessDenied {
        /// Who.
        by: Principal,
        /// From where.
        from: Back,
        /// What they asked for, secrets masked.
        line: String,
        /// The action that it would have started or touched, where it is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        action: Option<ActionRef>,
        /// The right that they lack, as a grant is written; `a role` where they have none at all.
        needed: String,
    },
    /// Configuration and packs were read again.
    Reloaded {
        /// Who wanted it; absent when it was a signal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Principal>,
        /// From where; absent when it was a signal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Back>,
        /// Whether what was read is in force.
        in_force: bool,
        /// Keys of the configuration whose new values are.
        changed: Vec<String>,
        /// How many mistakes the files have.
        problems: usize,
    },
    /// The newest hash of the audit was told in the admin channel, or to whoever asked for it.
    CheckpointTold {
        /// What was told.
        head: Head,
        /// Who wanted it; absent when the bot did it by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Principal>,
        /// From where; absent when the bot did it by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Back>,
    },
    /// The audit was damaged when the process started; it was set aside and made again of the facts that are kept.
    AuditSetAside {
        /// Where the old one lies.
        place: String,
        /// What was wrong with it; empty when an earlier process found that out.
        why: String,
        /// The line before the first of the new one.
        head: Head,
    },
    /// An event was taken up; it will never be taken up again.
    TriggerTaken(Box<Taken>),
    /// Somebody switched a rule on or off, whatever its file says.
    RuleSwitched {
        /// Which.
        rule: RuleRef,
        /// Whether it is in force from now on.
        enabled: bool,
        /// Who.
        by: Principal,
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Back>,
    },
    /// Somebody switched a sensor on or off, whatever its file says.
    SensorSwitched {
        /// Which.
        sensor: SensorRef,
        /// Whether it is to run from now on.
        enabled: bool,
        /// Who.
        by: Principal,
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Back>,
    },
    /// A timer is there that was not there before.
    TimerBegun {
        /// Its trigger and parameters.
        timer: String,
    },
    /// A timer has ticked, and every tick until then has been considered.
    TimerTicked {
        /// Its trigger and parameters.
        timer: String,
        /// The tick.
        tick: Timestamp,
    },
    /// No rule has a timer any more.
    TimerGone {
        /// Its trigger and parameters.
        timer: String,
    },
    /// A problem stands as the monitoring has told.
    AlertChanged(Box<Change>),
    /// There are so many new problems that they are told as one.
    StormBegan(Box<Began>),
    /// Something happens to a storm.
    StormTurned {
        /// Which.
        storm: StormId,
        /// What.
        #[serde(flatten)]
        turn: Box<StormTurn>,
    },
    /// Somebody said something about a problem or a storm in its thread, or it is nobody's any more: the time until others are called begins anew.
    Touched {
        /// What.
        #[serde(flatten)]
        what: Concerned,
        /// When, by the clock of where it happened.
        at: Timestamp,
        /// Who; absent where it is nobody's any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserId>,
    },
    /// Others were called since nobody touched these.
    Escalated {
        /// What.
        what: Vec<Concerned>,
        /// Which step of those that the site has written.
        step: usize,
        /// Who was called.
        called: Vec<String>,
    },
    /// Somebody lets rules act on what broke in a storm.
    StormReleased {
        /// Which.
        storm: StormId,
        /// Who.
        by: Principal,
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Back>,
    },
    /// Something is offered for a problem, in place of what was.
    AlertOffered {
        /// The problem.
        problem: Problem,
        /// All of it; empty where nothing is offered any more.
        offers: Box<Offers>,
    },
    /// A problem that had no post gets one.
    AlertPosted {
        /// Which.
        problem: Problem,
        /// It.
        posted: Posted,
    },
    /// The execution has ended well that had the machine of a problem out of service; the problem has until then to end by itself.
    AlertSettles {
        /// Which.
        problem: Problem,
        /// Until when; absent when nothing is waited for any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A rule has begun something because of a problem, or somebody took what was offered for it.
    RemedyBegun {
        /// The execution.
        execution: ExecutionId,
        /// Why, and for which problem.
        #[serde(flatten)]
        open: Open,
    },
    /// Somebody has asked the monitoring for something because of these problems.
    OrderGiven {
        /// The execution.
        execution: ExecutionId,
        /// What, and who.
        origin: Origin,
        /// The problems that are known of those that it is about.
        problems: Vec<Problem>,
    },
    /// An order has ended.
    OrderEnded {
        /// The execution.
        execution: ExecutionId,
        /// What came of it for each of these problems.
        ends: Vec<OrderEnd>,
    },
    /// A problem stands as the monitoring has said when it was asked.
    AlertSeen {
        /// How it stands.
        alert: Box<Alert>,
        /// What that means, one after the other; nothing where only what stands there is another.
        turns: Vec<AlertTurn>,
    },
    /// It was told in the thread of a problem that a rule did not act, and why.
    ToldOfRule {
        /// The problem.
        problem: Problem,
        /// The rule.
        rule: RuleRef,
        /// What was told.
        what: String,
    },
    /// Somebody lets a rule act again that rested since its remedies failed.
    RuleReset {
        /// Which.
        rule: RuleRef,
        /// Who.
        by: Principal,
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Back>,
    },
    /// A problem has been over for so long that it cannot come back.
    AlertForgotten {
        /// Which.
        problem: Problem,
    },
    /// A key was made by which a program can call webhooks.
    ApiKeyMade {
        /// It; what is kept of it cannot be turned back into it.
        key: Box<ApiKey>,
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Back>,
    },
    /// A key counts no more.
    ApiKeyGone {
        /// Its name.
        name: String,
        /// Who had it go.
        by: Principal,
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Back>,
    },
    /// Lines of the audit were removed after they had been exported.
    AuditCut {
        /// The last of them.
        head: Head,
        /// Who did it.
        by: Principal,
    },
}

impl Fact {
    /// The execution that it is about, if it is about one.
    pub fn execution(&self) -> Option<&ExecutionId> {
        match self {
            Fact::ExecutionStarted(request) => Some(&request.id),
            Fact::ExecutionWaits(waits) => Some(&waits.request.id),
            Fact::Approval { id, .. }
            | Fact::TurnAwaited { id, .. }
            | Fact::TriedAgain { id, .. }
            | Fact::HostFinished { id, .. }
            | Fact::HostAgain { id, .. }
            | Fact::Judged { id, .. }
            | Fact::CancelAsked { id, .. }
            | Fact::InquiryAnswered { id, .. }
            | Fact::WorkflowTakenUp { id, .. }
            | Fact::PauseAsked { id, .. }
            | Fact::ResumeAsked { id, .. }
            | Fact::ExecutionFinished { id, .. } => Some(id),
            Fact::WorkflowMoved(moved) => Some(&moved.id),
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
            | Fact::PressTaken { .. }
            | Fact::CallbackRefused { .. }
            | Fact::Scheduled(_)
            | Fact::ScheduleEnded { .. }
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
            | Fact::Touched { .. }
            | Fact::Escalated { .. }
            | Fact::StormBegan(_)
            | Fact::StormTurned { .. }
            | Fact::StormReleased { .. }
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
            | Fact::AuditCut { .. } => None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What others are called for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "of")]
pub enum Concerned {
    /// A problem.
    Problem {
        /// Which.
        problem: Problem,
    },
    /// A storm.
    Storm {
        /// Which.
        storm: StormId,
    },
}

/// A line that lacks a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lack {
    /// The post that it was written in.
    pub post: PostId,
    /// The line.
    pub line: String,
    /// Its byte at which the value belongs; absent where the line is understood without it and the value is a pair at its end.
    #[serde(default)]
    pub place: Option<usize>,
    /// The alias that is meant.
    pub alias: AliasRef,
    /// The parameter that has no value.
    pub parameter: String,
}

/// One numbered line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The line to be taken as if it had been written.
    pub line: String,
    /// The alias that is meant, where the line alone does not say it.
    pub alias: Option<crate::core::id::AliasRef>,
    /// It was asked for while the bot was away, and stands until it is chosen or lapses, whatever else is chosen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}
