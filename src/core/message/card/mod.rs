//! # Cards
//!
//! What can be said. A card is data; its template, named like its variant, makes the text. A card with much data has a structure of its own:
//! [`execution`] for what is said of an execution, [`approval`] of its approval, [`asking`] for what is said of lines, [`workflow`] of a workflow, [`rule`] of rules, [`alert`] of problems that the monitoring tells of, [`itself`] for what the bot says of itself.

pub mod alert;
pub mod approval;
pub mod asking;
mod escalation;
pub mod execution;
pub mod itself;
pub mod rule;
mod sensor;
mod storm;
pub mod workflow;

pub use alert::{AlertCard, AlertHolder, AlertLine, AlertOffer, AlertRemedy, AlertRow, MonitoringTold, OfferTold};
pub use approval::{ApprovalCard, ApprovalEnd, ApprovalRow, Decided, Reminder, Said, WantedApproval};
pub use asking::{
    Help, HelpLine, HelpPack, Lacks, MayCard, Numbered, PlanCard, PlannedParameter, PlannedTask, ScheduledRow, Unfit,
};
pub use escalation::EscalatedCard;
pub use execution::{Announced, Ended, FailedPart, Following, LastLines, ListRow, Question, Running, Told};
pub use itself::{AuditRow, BrokenFile, MovedName, PackRow, StatusPart, StillRunning, UnreadPart};
pub use rule::{RuleCard, RuleOutcome, RuleRow, RuleTold};
pub use sensor::{SensorCard, SensorDown, SensorRow, SensorTold};
pub use storm::{StormCard, StormLine, StormOrder, StormRow, StormTold};
pub use workflow::{TaskCount, TaskFailure, TaskRow, WorkflowCard};

use crate::core::message::inquiry::{InquiryCard, InquiryEnd, InquiryRow};
use crate::core::message::turn::{Awaits, DelayedRow, PolicyRow, Way};
use crate::core::message::value::{ValueLine, ValueList};
use serde::Serialize;

/// Everything that the bot can say in chat.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "card")]
pub enum Card {
    /// An execution under way; edited as it goes.
    Running(Running),
    /// How an execution ended; the last text of its post, and the answer to `show`.
    Ended(Ended),
    /// A workflow under way, edited as it goes; how it ended; and the answer to `show`.
    Workflow(Box<WorkflowCard>),
    /// The answer to `graph ID`, above the picture.
    Pictured {
        /// Its short id.
        id: String,
        /// Its line, as inline code.
        line: String,
        /// How it ended or stands.
        verdict: String,
        /// Time since the start, or that it took.
        elapsed: String,
    },
    /// `graph ID`, and there is nothing to draw.
    NoPicture {
        /// Its short id.
        id: String,
        /// `no_workflow`, `not_begun`, `unreadable`, or `too_many` tasks.
        why: &'static str,
        /// How many it has; 0 where that is not the reason.
        tasks: usize,
        /// How many may be drawn.
        most: usize,
    },
    /// The newest output of an execution under way; edited as it comes.
    Following(Following),
    /// The last lines of an execution that has ended.
    LastLines(LastLines),
    /// `show ID HOSTS` named hosts that took no part.
    NotItsHosts {
        /// Its short id.
        id: String,
        /// What was asked for.
        asked: String,
        /// Its hosts, written the short way; empty when it has none.
        hosts: String,
    },
    /// `show ID failed`, and nothing did.
    NoneFailed {
        /// Its short id.
        id: String,
        /// Its line.
        line: String,
        /// How it ended or stands.
        verdict: String,
    },
    /// The reply that mentions the one who asked, when it took long or has a file.
    Told(Told),
    /// The reply that asks what became of an execution.
    Question(Question),
    /// Somebody has said what became of an execution.
    Settled {
        /// Its short id.
        id: String,
        /// Its line.
        line: String,
        /// What was said, and by whom.
        said: String,
    },
    /// Somebody else was faster.
    AlreadySettled {
        /// Its short id.
        id: String,
        /// What was said, and by whom.
        said: String,
    },
    /// Somebody wants a workflow to stand still, or to go on.
    WorkflowAsked {
        /// Its short id.
        id: String,
        /// Its line.
        line: String,
        /// `paused`, `resumed`; or why not: `no_workflow`, `paused_already`, `not_paused`, `not_now`.
        said: &'static str,
        /// How it stands.
        verdict: String,
    },
    /// A workflow cannot be gone on with as asked.
    RerunRefused {
        /// Its short id.
        id: String,
        /// `no_workflow`, `under_way`, `changed`: its file; `not_run`: these tasks; `nothing`: nothing in it failed.
        said: &'static str,
        /// The tasks; empty otherwise.
        names: String,
    },
    /// Nobody was asked about this execution.
    NothingToSettle {
        /// Its short id.
        id: String,
        /// How it ended or stands.
        verdict: String,
    },
    /// The asker has no role.
    NoRole,
    /// The bot could not find out who asks.
    NotIdentified {
        /// The line.
        line: String,
    },
    /// Nothing matched the line, or the asker may not know of what matched: one answer for both.
    NotUnderstood {
        /// The line.
        line: String,
        /// Numbered corrections.
        suggestions: Vec<Numbered>,
        /// Commands that begin alike, where there is no correction; their descriptions are Markdown.
        alike: Vec<HelpLine>,
    },
    /// Several aliases match.
    Ambiguous {
        /// The line.
        line: String,
        /// What it can mean.
        choices: Vec<Numbered>,
        /// A number picks one; it cannot where the line holds a secret, which is not remembered.
        pick: bool,
    },
    /// Formats that are matched by counting steps ran out of them.
    Undecided {
        /// The line.
        line: String,
        /// The formats.
        formats: Vec<String>,
    },
    /// More lines within a minute than one person, or one channel, may have.
    TooFast {
        /// The bound: lines a minute.
        most: usize,
        /// It is the channel's bound.
        channel: bool,
        /// They were written while nobody listened, and are too old to be taken.
        late: bool,
    },
    /// More executions under way than there may be.
    TooMany {
        /// The line.
        line: String,
        /// The bound.
        most: usize,
        /// It is the bound of the one who asks.
        yours: bool,
    },
    /// An execution asks people.
    Inquiry(InquiryCard),
    /// How that ended.
    InquiryEnd(InquiryEnd),
    /// An execution that was asked for here asks people in another channel.
    InquiryElsewhere {
        /// The line, as inline code.
        line: String,
        /// The channel.
        channel: String,
        /// The code of the question.
        code: String,
    },
    /// What is asked and not answered.
    Inquiries {
        /// It.
        rows: Vec<InquiryRow>,
    },
    /// An answer that does not fit.
    AnswerUnfit {
        /// The code of the question.
        code: String,
        /// What is wrong with it, as Markdown.
        problems: Vec<String>,
        /// A line that would fit.
        example: String,
    },
    /// Nothing waits under a code.
    NoInquiry {
        /// The code, or what was written for one.
        code: String,
    },
    /// Somebody may not answer a question.
    NotYourInquiry {
        /// Its code.
        code: String,
        /// Who may, in words; empty when that is nobody in particular.
        who: String,
    },
    /// A line lacks a value, and its author is asked for it.
    Lacks(Lacks),
    /// A value that a line lacked was given, or is wanted no more: what is left of the question when its button is taken away.
    LackFilled {
        /// The line.
        line: String,
        /// The parameter that had no value.
        parameter: String,
        /// Its author has turned to something else.
        left: bool,
    },
    /// The value is wanted no more.
    ValueDropped {
        /// The line that lacked it.
        line: String,
    },
    /// There is no last line to repeat.
    NothingToRepeat {
        /// A secret stood in it.
        secret: bool,
    },
    /// It is not certain what the last line is on other hosts.
    CannotRepeatOn {
        /// The last line.
        line: String,
        /// The hosts.
        hosts: String,
    },
    /// One line would start more than one line may.
    TooManyMatches {
        /// The line.
        line: String,
        /// The bound.
        most: usize,
    },
    /// What the line asks for is taken in other channels only.
    OtherChannel {
        /// The line.
        line: String,
        /// Names of those channels.
        channels: Vec<String>,
        /// Direct messages are among them.
        direct: bool,
    },
    /// A number came where no choice was open.
    NoChoice,
    /// Parameters are not as they must be.
    BadParameters {
        /// The line.
        line: String,
        /// A sentence each.
        problems: Vec<String>,
    },
    /// A host expression means nothing here.
    BadHosts {
        /// What is wrong.
        problem: String,
        /// Numbered corrections.
        suggestions: Vec<Numbered>,
    },
    /// The action is switched off.
    Disabled {
        /// Its ref.
        action: String,
    },
    /// The bot was addressed where it takes no commands.
    Elsewhere {
        /// Names of the channels where it does.
        channels: Vec<String>,
    },
    /// The bot was away when this was written.
    Late {
        /// The line.
        line: String,
        /// How long ago.
        ago: String,
    },
    /// The bot was away when this was written, and what it asks for is not done without a second word.
    AskAgain {
        /// The line.
        line: String,
        /// How long ago.
        ago: String,
        /// The number that runs it.
        number: usize,
    },
    /// The bot was restarted before it could answer this.
    Restarted {
        /// The line.
        line: String,
    },
    /// The bot was called and nothing was said.
    Called,
    /// What can be asked for.
    Help(Help),
    /// How the asker is known.
    WhoAmI {
        /// The user name.
        name: String,
        /// The user id.
        id: String,
        /// Names of the roles.
        roles: Vec<String>,
        /// What they grant.
        grants: Vec<String>,
    },
    /// Whether everything works.
    Status {
        /// All of it does.
        healthy: bool,
        /// Part by part.
        parts: Vec<StatusPart>,
        /// Executions under way.
        running: usize,
        /// Executions that wait for an approval.
        approvals: usize,
        /// Executions that wait for their turn.
        delayed: usize,
        /// Some of those.
        turns: Vec<DelayedRow>,
        /// Executions of which a person has to say what became of them.
        waiting: usize,
        /// Why nothing but looking is allowed; empty when everything is.
        frozen: String,
    },
    /// The newest executions.
    List {
        /// A row each.
        rows: Vec<ListRow>,
    },
    /// No execution has this id, or the asker may not see it.
    NoExecution {
        /// The id as written.
        id: String,
    },
    /// Several executions have an id that ends so.
    ManyExecutions {
        /// The id as written.
        id: String,
    },
    /// An execution is being stopped.
    Canceling {
        /// Its short id.
        id: String,
        /// Its line.
        line: String,
    },
    /// It cannot be stopped any more.
    AlreadyEnded {
        /// Its short id.
        id: String,
        /// How it ended.
        verdict: String,
    },
    /// It cannot be repeated, since its secrets were not kept.
    SecretsGone {
        /// Its short id.
        id: String,
        /// Names of the parameters.
        names: Vec<String>,
    },
    /// Another bot speaks with the same account; said in the admin channel.
    OtherInstance {
        /// Its name.
        other: String,
        /// Our own.
        own: String,
    },
    /// Names in roles mean somebody else by now; said in the admin channel.
    NamesMoved {
        /// They.
        names: Vec<MovedName>,
    },
    /// Not all that was written while the bot was away was read; said in the admin channel.
    Unread {
        /// What was left out.
        parts: Vec<UnreadPart>,
    },
    /// The bot is being stopped and takes nothing new.
    Stopping,
    /// The bot is being stopped; said in the admin channel, and where something runs.
    GoingAway {
        /// What still runs.
        running: Vec<StillRunning>,
        /// How much more does.
        more: usize,
        /// How long that is waited for.
        grace: String,
    },
    /// The bot ends while something runs.
    LeftRunning {
        /// What goes on without it.
        running: Vec<StillRunning>,
        /// How much more does.
        more: usize,
    },
    /// Configuration and packs were read again.
    Reloaded {
        /// Whether what was read is in force.
        in_force: bool,
        /// Keys whose new values are in force.
        changed: Vec<String>,
        /// Keys whose new values need a restart.
        restart: Vec<String>,
        /// What is wrong with the files, the first of it.
        problems: Vec<String>,
        /// How much more is wrong.
        more: usize,
    },
    /// Files of packs have got mistakes, or are without mistakes again; said in the admin channel.
    PacksChanged {
        /// Files with mistakes that were not told of before.
        broken: Vec<BrokenFile>,
        /// How many more there are.
        more: usize,
        /// Files that are without mistakes again.
        mended: Vec<String>,
        /// Files that had mistakes and are gone.
        gone: Vec<String>,
    },
    /// A problem that the monitoring tells of.
    Alert(Box<AlertCard>),
    /// What has happened with it, in its thread.
    AlertLine(AlertLine),
    /// What came of it that somebody took what is offered for a problem.
    OfferTold(OfferTold),
    /// So many problems at once that they are told as one.
    Storm(Box<StormCard>),
    /// Others are called since nobody touches a problem.
    Escalated(Box<EscalatedCard>),
    /// What has happened with them as a whole, in its thread.
    StormLine(StormLine),
    /// What came of it that somebody wants rules to act on them.
    StormTold(StormTold),
    /// A monitoring cannot be asked how things stand, or can again.
    MonitoringTold(MonitoringTold),
    /// The problems that are open.
    Alerts {
        /// The storm that tells of some of them, which have no rows of their own; none, or one.
        storms: Vec<StormCard>,
        /// Nothing is open.
        none: bool,
        /// A row each, those first that nobody has taken on.
        rows: Vec<AlertRow>,
        /// How many more there are.
        more: usize,
        /// What they were to be about; empty for all.
        about: String,
    },
    /// The rules.
    Rules {
        /// A row each.
        rows: Vec<RuleRow>,
        /// How many more there are.
        more: usize,
    },
    /// One rule with what came of it.
    Rule(Box<RuleCard>),
    /// A rule was switched, or matched an event and came to nothing.
    RuleTold(RuleTold),
    /// The sensors.
    Sensors {
        /// A row each.
        rows: Vec<SensorRow>,
        /// How many more there are.
        more: usize,
    },
    /// One sensor with what is known of it.
    Sensor(Box<SensorCard>),
    /// A sensor was switched, fails, lives again, or has written what cannot be understood.
    SensorTold(SensorTold),
    /// The packs that there are.
    Packs {
        /// A row each.
        packs: Vec<PackRow>,
        /// The policies in force that say when actions run.
        in_force: Vec<PolicyRow>,
        /// What is wrong with files, the first of it; for administrators only.
        problems: Vec<String>,
        /// How much more is wrong.
        more: usize,
    },
    /// Whether somebody may do something.
    May(MayCard),
    /// The chat server has no such user.
    NoUser {
        /// The name.
        name: String,
    },
    /// Nothing that the asker may see is like what they want to have listed.
    NoneListed {
        /// What was written after `list`.
        words: String,
    },
    /// What a line would do.
    Plan(PlanCard),
    /// A line would start nothing.
    NothingToPlan {
        /// The line.
        line: String,
    },
    /// A line waits for its time.
    Scheduled {
        /// The line, as inline code.
        line: String,
        /// Its short id.
        id: String,
        /// When it is due, by its author's clock.
        at: String,
        /// How long that is from now.
        wait: String,
        /// Clocks leave out the time that was written, so it is as much later.
        left_out: bool,
        /// Clocks show the time that was written twice, and the first is taken.
        twice: bool,
        /// The author's time zone is known; otherwise it is UTC.
        zone_known: bool,
    },
    /// A line is not put off.
    NotScheduled {
        /// The line.
        line: String,
        /// Why not.
        unfit: Unfit,
    },
    /// The lines that wait for their time.
    ScheduledLines {
        /// A row each, the next one first.
        rows: Vec<ScheduledRow>,
        /// How many more there are.
        more: usize,
    },
    /// A line does not wait any more.
    Unscheduled {
        /// The line, as inline code.
        line: String,
        /// When it would have been due.
        at: String,
        /// Mention of its author, where that is somebody else.
        who: String,
    },
    /// A line was due while the bot was away, too long ago.
    DueMissed {
        /// Mention of its author.
        who: String,
        /// The line, as inline code.
        line: String,
        /// When it was due.
        at: String,
        /// The bot was away; otherwise it could not find out who its author is.
        away: bool,
    },
    /// A line that can do harm was due while the bot was away.
    DueAsked {
        /// Mention of its author.
        who: String,
        /// The line, as inline code.
        line: String,
        /// When it was due.
        at: String,
        /// The number that runs it.
        number: usize,
    },
    /// A line is due and cannot be carried out.
    DueRefused {
        /// Mention of its author.
        who: String,
        /// The line, as inline code.
        line: String,
        /// When it was due.
        at: String,
        /// Why not, as Markdown; empty when it means nothing any more that its author may run.
        why: String,
    },
    /// The store could not be asked.
    LookUpFailed {
        /// What it said.
        why: String,
    },
    /// The disk has so little room left that nothing new is begun.
    LittleRoom {
        /// What was asked for.
        action: String,
        /// How much room is left.
        free: String,
        /// How much there has to be.
        reserve: String,
    },
    /// The store takes nothing; said in the admin channel.
    StoreRefuses {
        /// What it said.
        why: String,
    },
    /// The store takes facts again; said in the admin channel.
    StoreRecovered,
    /// Nothing that does more than look is started now.
    Frozen {
        /// What was asked for.
        action: String,
        /// Why.
        why: String,
        /// Who wanted it; empty when the bot did it by itself.
        by: String,
        /// Who can lift it: names of roles.
        who: Vec<String>,
    },
    /// It was done as `freeze` and `unfreeze` ask.
    FreezeChanged {
        /// Whether it is frozen now.
        frozen: bool,
        /// Whether it was so before.
        before: bool,
        /// Why it is.
        why: String,
    },
    /// Entries of the audit, oldest first.
    Audit {
        /// A row each.
        rows: Vec<AuditRow>,
        /// What was written after `audit`.
        words: String,
        /// The number of the oldest entry that was looked at; 0 when all were.
        since: u64,
    },
    /// The audit was checked.
    AuditVerified {
        /// Nothing is wrong.
        sound: bool,
        /// How many entries it has.
        entries: u64,
        /// The number of the first one; 0 when there is none.
        first: u64,
        /// The number of the newest one.
        number: u64,
        /// Its hash.
        hash: String,
        /// How many checkpoints were compared.
        checkpoints: usize,
        /// What is wrong, a sentence each without the full stop.
        flaws: Vec<String>,
        /// How much more is wrong.
        more: usize,
    },
    /// The newest hash of the audit.
    Checkpoint {
        /// The number of the entry; 0 when there is none yet.
        number: u64,
        /// Its hash.
        hash: String,
        /// Nobody has asked for it.
        daily: bool,
    },
    /// The asker may not tell the bot itself what to do.
    NotAdmin {
        /// The command.
        command: String,
        /// Who may: names of roles.
        who: Vec<String>,
    },
    /// A value of the datastore.
    Value(ValueLine),
    /// Values of the datastore.
    Values(ValueList),
    /// A value was set.
    ValueSet {
        /// Which.
        value: ValueLine,
        /// It is a secret, and others could read it as it was written.
        warn: bool,
    },
    /// A value was deleted.
    ValueDeleted {
        /// Its name.
        name: String,
    },
    /// A value cannot be shown, set or deleted.
    ValueRefused {
        /// Why, as Markdown, without the full stop.
        problem: String,
    },
    /// An execution that waits for an approval, and what became of that while it had not begun; edited as it goes.
    Approval(Box<ApprovalCard>),
    /// An execution that lets others go first.
    Delayed {
        /// What was asked for, as inline code.
        line: String,
        /// Its short id.
        id: String,
        /// For whom and for what it waits.
        awaits: Awaits,
        /// What else there is to know: which of several tries it is.
        remarks: Vec<String>,
        /// It waits no more and did not begin.
        over: bool,
        /// Why; empty when somebody stopped it.
        error: String,
    },
    /// What stands above the fields of the dialog in which somebody decides.
    DecisionDialog {
        /// What was asked for, as inline code.
        line: String,
        /// The request.
        request: String,
        /// Who asked.
        who: String,
        /// What would be run.
        action: String,
        /// On how many hosts; 0 for an action without hosts.
        count: usize,
        /// They, as inline code.
        hosts: String,
    },
    /// The reply that calls the one who asked for an execution that waited and does not begin.
    NotBegun {
        /// Who is called; empty when nobody can be.
        who: String,
        /// What was asked for, as inline code.
        line: String,
        /// Why it does not begin.
        why: String,
    },
    /// A policy lets no more run at once, and has what is too much canceled.
    NoPlace {
        /// What was asked for, as inline code.
        line: String,
        /// The policy.
        policy: String,
        /// How many it lets run at once.
        threshold: usize,
        /// Some of those that run.
        running: Vec<Way>,
    },
    /// More executions wait for their turn than there may be.
    TooManyWait {
        /// What was asked for, as inline code.
        line: String,
        /// The bound.
        most: usize,
        /// It is the bound of the one who asks.
        yours: bool,
    },
    /// What somebody is told who decided, or tried to.
    Decided(Decided),
    /// Half of a request's time is over; said in the thread of its card.
    Reminder(Reminder),
    /// A yes does not count any more; said in the thread of the card.
    VoteLost {
        /// Whose.
        name: String,
        /// `account` or `right`.
        why: &'static str,
        /// What was asked for, as inline code.
        line: String,
        /// The request.
        request: String,
    },
    /// Those who asked are called, since their request has ended without a run.
    ApprovalEnd(ApprovalEnd),
    /// The same was asked for already, and waits.
    AskedAlready {
        /// The line, as inline code.
        line: String,
        /// The request.
        request: String,
        /// Who asked; empty when it is the same person.
        who: String,
        /// The short id of its execution.
        id: String,
    },
    /// The request stands in another channel, since those who decide do not read here.
    AskedElsewhere {
        /// The line, as inline code.
        line: String,
        /// The request.
        request: String,
        /// The channel.
        channel: String,
    },
    /// Requests of one person that wait already are as many as there may be.
    TooManyRequests {
        /// The line, as inline code.
        line: String,
        /// The bound.
        most: usize,
    },
    /// Nobody, or not enough, could say yes.
    NobodyDecides {
        /// The line, as inline code.
        line: String,
        /// The policy.
        policy: String,
        /// Who it names.
        who: String,
        /// How many of them there are beside the one who asks.
        there: usize,
        /// How many it wants.
        quorum: usize,
    },
    /// Nobody can be asked, since there is no way to the chat server.
    CannotAsk {
        /// The line, as inline code.
        line: String,
        /// It is no approval that it lacks: it would have to wait for its turn.
        turn: bool,
    },
    /// What has to wait holds a secret, and secrets cannot be kept.
    SecretCannotWait {
        /// The line, as inline code.
        line: String,
        /// The parameters.
        names: Vec<String>,
        /// Why they cannot be kept.
        why: String,
    },
    /// The open requests that concern somebody.
    Approvals {
        /// They, the most urgent first.
        rows: Vec<ApprovalRow>,
        /// How many more there are.
        more: usize,
    },
    /// An action says something, or tells of an end.
    Announced(Announced),
    /// The bot is there again; said in the admin channel.
    Started {
        /// Its version.
        version: String,
        /// Executions that were under way when it ended.
        interrupted: usize,
        /// What is wrong with the files, the first of it.
        problems: Vec<String>,
        /// How much more is wrong.
        more: usize,
        /// Why nothing but looking is allowed; empty when everything is.
        frozen: String,
    },
}

impl Card {
    /// The name of its template, which is the file's name in `templates/` without `.hbs`.
    pub fn template(&self) -> &'static str {
        match self {
            Card::Running(_) => "running",
            Card::Ended(_) => "ended",
            Card::Following(_) => "following",
            Card::LastLines(_) => "last_lines",
            Card::NotItsHosts { .. } => "not_its_hosts",
            Card::NoneFailed { .. } => "none_failed",
            Card::Told(_) => "told",
            Card::Question(_) => "question",
            Card::Settled { .. } => "settled",
            Card::AlreadySettled { .. } => "already_settled",
            Card::RerunRefused { .. } => "rerun_refused",
            Card::Workflow(_) => "workflow",
            Card::Pictured { .. } => "pictured",
            Card::NoPicture { .. } => "no_picture",
            Card::WorkflowAsked { .. } => "workflow_asked",
            Card::NothingToSettle { .. } => "nothing_to_settle",
            Card::NoRole => "no_role",
            Card::NotIdentified { .. } => "not_identified",
            Card::NotUnderstood { .. } => "not_understood",
            Card::Ambiguous { .. } => "ambiguous",
            Card::Undecided { .. } => "undecided",
            Card::Inquiry(_) => "inquiry",
            Card::InquiryEnd(_) => "inquiry_end",
            Card::InquiryElsewhere { .. } => "inquiry_elsewhere",
            Card::Inquiries { .. } => "inquiries",
            Card::AnswerUnfit { .. } => "answer_unfit",
            Card::NoInquiry { .. } => "no_inquiry",
            Card::NotYourInquiry { .. } => "not_your_inquiry",
            Card::Lacks(_) => "lacks",
            Card::LackFilled { .. } => "lack_filled",
            Card::ValueDropped { .. } => "value_dropped",
            Card::NothingToRepeat { .. } => "nothing_to_repeat",
            Card::CannotRepeatOn { .. } => "cannot_repeat_on",
            Card::TooManyMatches { .. } => "too_many_matches",
            Card::OtherChannel { .. } => "other_channel",
            Card::NoChoice => "no_choice",
            Card::BadParameters { .. } => "bad_parameters",
            Card::BadHosts { .. } => "bad_hosts",
            Card::Disabled { .. } => "disabled",
            Card::Elsewhere { .. } => "elsewhere",
            Card::Late { .. } => "late",
            Card::TooFast { .. } => "too_fast",
            Card::TooMany { .. } => "too_many",
            Card::AskAgain { .. } => "ask_again",
            Card::Restarted { .. } => "restarted",
            Card::OtherInstance { .. } => "other_instance",
            Card::NamesMoved { .. } => "names_moved",
            Card::May(_) => "may",
            Card::NoUser { .. } => "no_user",
            Card::Unread { .. } => "unread",
            Card::Called => "called",
            Card::Help(_) => "help",
            Card::WhoAmI { .. } => "whoami",
            Card::Status { .. } => "status",
            Card::List { .. } => "list",
            Card::NoExecution { .. } => "no_execution",
            Card::ManyExecutions { .. } => "many_executions",
            Card::Canceling { .. } => "canceling",
            Card::AlreadyEnded { .. } => "already_ended",
            Card::SecretsGone { .. } => "secrets_gone",
            Card::Stopping => "stopping",
            Card::GoingAway { .. } => "going_away",
            Card::LeftRunning { .. } => "left_running",
            Card::Reloaded { .. } => "reloaded",
            Card::PacksChanged { .. } => "packs_changed",
            Card::Packs { .. } => "packs",
            Card::Alert(_) => "alert",
            Card::AlertLine(_) => "alert_line",
            Card::Alerts { .. } => "alerts",
            Card::Storm(_) => "storm",
            Card::Escalated(_) => "escalated",
            Card::StormLine(_) => "storm_line",
            Card::StormTold(_) => "storm_told",
            Card::Rules { .. } => "rules",
            Card::Rule(_) => "rule",
            Card::RuleTold(_) => "rule_told",
            Card::OfferTold(_) => "offer_told",
            Card::MonitoringTold(_) => "monitoring_told",
            Card::Sensors { .. } => "sensors",
            Card::Sensor(_) => "sensor",
            Card::SensorTold(_) => "sensor_told",
            Card::NoneListed { .. } => "none_listed",
            Card::Plan(_) => "plan",
            Card::NothingToPlan { .. } => "nothing_to_plan",
            Card::Scheduled { .. } => "scheduled",
            Card::NotScheduled { .. } => "not_scheduled",
            Card::ScheduledLines { .. } => "scheduled_lines",
            Card::Unscheduled { .. } => "unscheduled",
            Card::DueMissed { .. } => "due_missed",
            Card::DueAsked { .. } => "due_asked",
            Card::DueRefused { .. } => "due_refused",
            Card::LookUpFailed { .. } => "look_up_failed",
            Card::LittleRoom { .. } => "little_room",
            Card::StoreRefuses { .. } => "store_refuses",
            Card::StoreRecovered => "store_recovered",
            Card::Frozen { .. } => "frozen",
            Card::FreezeChanged { .. } => "freeze_changed",
            Card::Audit { .. } => "audit",
            Card::AuditVerified { .. } => "audit_verified",
            Card::Checkpoint { .. } => "checkpoint",
            Card::NotAdmin { .. } => "not_admin",
            Card::Value(_) => "value",
            Card::Values(_) => "values",
            Card::ValueSet { .. } => "value_set",
            Card::ValueDeleted { .. } => "value_deleted",
            Card::ValueRefused { .. } => "value_refused",
            Card::Approval(_) => "approval",
            Card::Delayed { .. } => "delayed",
            Card::DecisionDialog { .. } => "decision_dialog",
            Card::NotBegun { .. } => "not_begun",
            Card::NoPlace { .. } => "no_place",
            Card::TooManyWait { .. } => "too_many_wait",
            Card::Decided(_) => "decided",
            Card::Reminder(_) => "reminder",
            Card::VoteLost { .. } => "vote_lost",
            Card::ApprovalEnd(_) => "approval_end",
            Card::AskedAlready { .. } => "asked_already",
            Card::AskedElsewhere { .. } => "asked_elsewhere",
            Card::TooManyRequests { .. } => "too_many_requests",
            Card::NobodyDecides { .. } => "nobody_decides",
            Card::CannotAsk { .. } => "cannot_ask",
            Card::SecretCannotWait { .. } => "secret_cannot_wait",
            Card::Approvals { .. } => "approvals",
            Card::Announced(_) => "announced",
            Card::Started { .. } => "started",
        }
    }
}
