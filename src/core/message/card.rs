//! What can be said. A card is data; its template, named like its variant, makes the text.

use crate::core::message::output::Outputs;
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
    /// A line lacks a value, and its author is asked for it.
    Lacks(Lacks),
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
    /// The packs that there are.
    Packs {
        /// A row each.
        packs: Vec<PackRow>,
        /// What is wrong with files, the first of it; for administrators only.
        problems: Vec<String>,
        /// How much more is wrong.
        more: usize,
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

/// A file of a pack with mistakes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenFile {
    /// Its name.
    pub file: String,
    /// The version before is in force in its place.
    pub kept: bool,
    /// The mistakes, each with its line.
    pub problems: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

/// See [`Card::Plan`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanCard {
    /// The line, as inline code.
    pub line: String,
    /// The action that it starts.
    pub action: String,
    /// What carries that out.
    pub runner: String,
    /// What it can do to the world.
    pub effect: &'static str,
    /// Its parameters, secrets masked.
    pub parameters: Vec<PlannedParameter>,
    /// How many hosts; 0 for an action without hosts.
    pub count: usize,
    /// The hosts as inline code.
    pub hosts: String,
    /// The login name there; empty where ssh decides.
    pub user: String,
    /// As root, by sudo.
    pub sudo: bool,
    /// How long it may take on one host; empty where there is no command.
    pub timeout: String,
    /// The command in a fence, secrets masked; empty where there is none.
    pub command: String,
    /// How many more executions the line starts.
    pub further: usize,
    /// It is switched off.
    pub off: bool,
    /// Files of the policies that want an approval for it.
    pub guards: Vec<String>,
    /// Why it would not start now; empty when it would.
    pub frozen: String,
}

/// One parameter of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedParameter {
    /// Its name.
    pub name: String,
    /// Its value, as it would be written.
    pub value: String,
}

/// Why a line is not put off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Unfit {
    /// The time is over.
    Over,
    /// The time is more than a year away.
    TooFar,
    /// Its author has put off as many as one may.
    TooMany {
        /// How many.
        most: usize,
    },
    /// It is a command of the bot itself.
    OwnCommand,
    /// Nothing matches it that its author may run.
    Unknown,
    /// Several things match it.
    Ambiguous {
        /// Their formats.
        formats: Vec<String>,
    },
    /// There is a secret in it, and what waits is remembered.
    Secret,
}

/// See [`Card::Audit`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// The entry's number.
    pub number: u64,
    /// When it happened, by the clock of the one who asks.
    pub at: String,
    /// The word for what happened.
    pub event: &'static str,
    /// An emoji for it; empty where there is none.
    pub mark: &'static str,
    /// Who did it; empty when the bot did it by itself.
    pub who: String,
    /// The line, the action or the values that it is about, as inline code; empty where it is about none.
    pub about: String,
    /// The short id of the execution, or of the line that waits; empty where it is about none.
    pub id: String,
    /// On how many hosts; 0 where it is about none.
    pub count: usize,
    /// Those, as inline code.
    pub hosts: String,
    /// StackStorm's word for how it ended; empty where nothing ended.
    pub status: &'static str,
    /// Where it failed, as inline code.
    pub failed: String,
    /// The reason; may be empty.
    pub reason: String,
    /// How long it took; empty where nothing ended.
    pub took: String,
}

/// A line that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScheduledRow {
    /// Its short id.
    pub id: String,
    /// The line, as inline code.
    pub line: String,
    /// Whose it is.
    pub who: String,
    /// When it is due, by the clock of the one who asks.
    pub at: String,
    /// How long that is from now; empty when it is due.
    pub wait: String,
}

/// A pack in a list of packs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackRow {
    /// Its ref.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How many actions it has.
    pub actions: usize,
    /// How many aliases.
    pub aliases: usize,
    /// How many policies.
    pub policies: usize,
    /// How many mistakes its files have; 0 also where the asker is not told.
    pub problems: usize,
}

/// See [`Card::Running`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Running {
    /// What was asked for, as inline code.
    pub line: String,
    /// The short id.
    pub id: String,
    /// How many hosts take part; 0 for an action without hosts.
    pub count: usize,
    /// How many have ended.
    pub done: usize,
    /// Those that failed so far, the same reason once.
    pub failed: Vec<FailedPart>,
    /// How many more hosts failed than those.
    pub failed_more: usize,
    /// Those that run, written the short way.
    pub running: String,
    /// Those not connected yet, written the short way.
    pub waiting: String,
    /// Time since the start.
    pub elapsed: String,
    /// The newest output in a fence; empty when there was none.
    pub tail: String,
    /// Lines so far.
    pub lines: u64,
    /// Somebody has stopped it.
    pub canceling: bool,
    /// The bot was restarted meanwhile, and what the command wrote before is not seen.
    pub restarted: bool,
    /// What else is to be known, a sentence each.
    pub remarks: Vec<String>,
    /// The pack's words for the start; empty when it has none.
    pub ack: String,
}

/// See [`Card::Ended`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ended {
    /// The emoji that says it at a glance.
    pub mark: &'static str,
    /// What was asked for, as inline code.
    pub line: String,
    /// The short id.
    pub id: String,
    /// How it ended, `done on 24 hosts`.
    pub verdict: String,
    /// How long it took.
    pub took: String,
    /// What went wrong with the run as a whole; empty otherwise.
    pub error: String,
    /// What the hosts wrote.
    pub outputs: Outputs,
    /// The whole output is attached to a reply.
    pub attached: bool,
    /// The whole output is attached to this very post.
    pub attached_here: bool,
    /// Who asked for it; empty in the execution's own post, which stands below the question.
    pub by: String,
    /// When it began, by the clock of the one who wants to know; empty in the execution's own post.
    pub began: String,
    /// The part of its hosts that is shown, written the short way; empty when it is all of them.
    pub part: String,
    /// What else is to be known, a sentence each.
    pub remarks: Vec<String>,
    /// Nobody knows whether it ran to its end.
    pub unknown: bool,
}

/// See [`Card::Lacks`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lacks {
    /// The line.
    pub line: String,
    /// The parameter without a value.
    pub parameter: String,
    /// What its action says of it; may be empty.
    pub description: String,
    /// What it has to be, `a whole number`; empty for any text.
    pub kind: &'static str,
    /// The values that it can have; empty where there are no such.
    pub allowed: Vec<String>,
    /// The answer is expected in the thread.
    pub thread: bool,
    /// For how long.
    pub time: String,
}

/// Hosts that failed the same way while others go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedPart {
    /// The hosts, written the short way.
    pub hosts: String,
    /// Why.
    pub how: String,
}

/// See [`Card::Following`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Following {
    /// What was asked for, as inline code.
    pub line: String,
    /// The short id.
    pub id: String,
    /// Time since the start.
    pub elapsed: String,
    /// The newest output in a fence; empty when there was none.
    pub tail: String,
    /// Lines so far.
    pub lines: u64,
    /// Whether the post is kept up to date; it is not when too many others are.
    pub follows: bool,
}

/// See [`Card::LastLines`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LastLines {
    /// The emoji that says it at a glance.
    pub mark: &'static str,
    /// What was asked for, as inline code.
    pub line: String,
    /// The short id.
    pub id: String,
    /// How it ended.
    pub verdict: String,
    /// How long it took.
    pub took: String,
    /// What went wrong with the run as a whole; empty otherwise.
    pub error: String,
    /// The ends of what the hosts wrote.
    pub outputs: Outputs,
    /// There is more than these lines.
    pub cut: bool,
}

/// See [`Card::Told`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// Mention of the one who asked; empty when nobody needs calling.
    pub who: String,
    /// The emoji.
    pub mark: &'static str,
    /// What was asked for, as inline code.
    pub line: String,
    /// How it ended.
    pub verdict: String,
    /// How long it took.
    pub took: String,
    /// The whole output is attached here.
    pub attached: bool,
}

/// See [`Card::Question`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Question {
    /// Mention of the one who asked for it; empty when that was not in chat.
    pub who: String,
    /// The emoji.
    pub mark: &'static str,
    /// What was asked for, as inline code.
    pub line: String,
    /// The short id.
    pub id: String,
    /// How it stands.
    pub verdict: String,
    /// How long it took.
    pub took: String,
    /// The hosts in question as inline code; empty when it has none.
    pub hosts: String,
    /// The whole output is attached here.
    pub attached: bool,
}

/// See [`Card::Announced`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Announced {
    /// Mention of the one who is called; empty when nobody is.
    pub who: String,
    /// The emoji of the end that it tells of; empty when it tells of none.
    pub mark: &'static str,
    /// What is said, line by line.
    pub lines: Vec<String>,
    /// Values with their names in a fence; empty when there are none.
    pub values: String,
    /// The short id of the execution that it tells of; empty when it tells of none.
    pub id: String,
    /// The route that it was meant for and that names no channel; empty when it stands where it belongs.
    pub route: String,
}

/// A numbered line that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Numbered {
    /// From 1.
    pub number: usize,
    /// The line.
    pub line: String,
    /// What it would do; empty when the line says it.
    pub description: String,
}

/// See [`Card::Help`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Help {
    /// What was searched for; empty for all.
    pub query: String,
    /// How to address the bot, `@halcyon`.
    pub address: String,
    /// Aliases by pack.
    pub packs: Vec<HelpPack>,
    /// The bot's own commands.
    pub own: Vec<HelpLine>,
    /// The page.
    pub page: usize,
    /// How many there are.
    pub pages: usize,
    /// The line that shows the next one; empty on the last.
    pub next: String,
    /// Nothing was found.
    pub nothing: bool,
}

/// The aliases of a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HelpPack {
    /// The pack.
    pub name: String,
    /// Its lines.
    pub lines: Vec<HelpLine>,
}

/// One thing that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HelpLine {
    /// How it is written.
    pub display: String,
    /// What it does.
    pub description: String,
}

/// One part of the path from chat to nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusPart {
    /// Its name.
    pub name: String,
    /// Whether it works.
    pub works: bool,
    /// What it says for itself.
    pub says: String,
    /// How long it has not worked; empty when it works.
    pub since: String,
    /// What to do about it; empty when it works.
    pub advice: String,
}

/// Something that goes on while the bot ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StillRunning {
    /// The short id.
    pub id: String,
    /// What was asked for, as inline code.
    pub line: String,
    /// The hosts where it has not ended, as inline code; empty for a local command.
    pub hosts: String,
}

/// What was not read of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadPart {
    /// The channel's name, or its id where it has none for us; empty for all channels.
    pub channel: String,
    /// What was written before this was not read; empty when nothing was.
    pub before: String,
}

/// One row of [`Card::List`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListRow {
    /// The emoji.
    pub mark: &'static str,
    /// The short id.
    pub id: String,
    /// What was asked for, as inline code.
    pub line: String,
    /// Who asked.
    pub who: String,
    /// How long ago it started; empty when that was more than an hour.
    pub ago: String,
    /// When it started, by the clock of the one who wants to know.
    pub at: String,
    /// How it ended or stands.
    pub verdict: String,
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
            Card::NothingToSettle { .. } => "nothing_to_settle",
            Card::NoRole => "no_role",
            Card::NotIdentified { .. } => "not_identified",
            Card::NotUnderstood { .. } => "not_understood",
            Card::Ambiguous { .. } => "ambiguous",
            Card::Undecided { .. } => "undecided",
            Card::Lacks(_) => "lacks",
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
            Card::Announced(_) => "announced",
            Card::Started { .. } => "started",
        }
    }
}
