//! Pieces of sentences that cards are made of. A phrase is plain text, without Markdown; whoever puts it into a card escapes it or fences it.

use crate::core::access::approvers::Approvers;
use crate::core::action::run::Exit;
use crate::core::message::card::{SensorDown, TaskRow};
use crate::core::message::turn::PolicyLine;
use serde::Serialize;

/// The pieces; each has a template of its name in `templates/phrases/`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "phrase")]
pub enum Phrase<'a> {
    /// How an execution ended or stands, and where.
    Verdict {
        /// StackStorm's word.
        status: &'static str,
        /// How many hosts take part.
        all: usize,
        /// How many of them this is about; 0 leaves the place out.
        some: usize,
        /// Those, written the short way.
        hosts: String,
        /// Who stopped it; empty when nobody did.
        by: &'a str,
    },
    /// How a command ended on a host; empty when it succeeded.
    Exit(&'a Exit),
    /// What an excerpt leaves out.
    LeftOut {
        /// Whole lines; 0 when it is part of one.
        lines: usize,
        /// Bytes that were never kept.
        dropped: u64,
    },
    /// Why an event or a rule comes to nothing.
    Event {
        /// `unknown`, `payload`, `id`: the event cannot be what it says; `starting`: it comes too early; `criterion`: one cannot be judged; `circle`, `chain`, `no_action`, `no_right`: the
        /// rule; `rests`, `runs`, `cooldown`, `per_hour`, `over`, `taken_on`, `in_downtime`, `out_of_service`, `no_machine`, `no_room`: it does not act on a problem, or offers nothing for it; `no_rule`, `not_yours`: to somebody who asks for one.
        what: &'static str,
        /// The rule, the trigger or the criterion.
        name: &'a str,
        /// Why, what is needed, or what may be meant.
        why: &'a str,
    },
    /// Why nothing is done for somebody who asks about a sensor.
    Sensor {
        /// `no_sensor`, `not_yours`, `not_built`.
        what: &'static str,
        /// The sensor.
        name: &'a str,
        /// What may be meant, or what is needed.
        why: &'a str,
    },
    /// What stands on a button of a storm, and above the forms that others open.
    Storm {
        /// `go`: rules are to act; `about`: what a form is about.
        what: &'static str,
        /// For `about`: how many problems.
        count: usize,
    },
    /// How the sensors are.
    HealthSensors {
        /// How many run, or rest between two looks.
        run: usize,
        /// How many should.
        all: usize,
        /// How many nothing can run yet.
        not_built: usize,
        /// Those that do not, or have failed a moment ago.
        down: Vec<SensorDown>,
        /// How many more of them there are.
        more: usize,
    },
    /// Why a call of a webhook, or the asking for a key, came to nothing.
    Webhook {
        /// `no_key`, `bad_signature`, `signature_form`, `stale`, `unchecked`, `not_this`, `no_hook`, `no_trigger`, `no_alertmanager`, `no_alerts`, `too_many_alerts`: a call; `not_admin`, `no_name`, `no_patterns`, `name_taken`, `too_many`, `no_such_key`, `weak_secret`,
        /// `no_master_key`: the asking.
        what: &'static str,
        /// The key or the webhook, or the lower limit.
        name: &'a str,
        /// The limit, or why.
        why: &'a str,
    },
    /// Why a workflow, or a task of it, cannot go on.
    Workflow {
        /// `unreadable`: the workflow; `no_key`: its secret parameter cannot be sealed; `no_action`, `no_right`, `too_deep`, `spliced`: the action of
        /// a task; `no_map`: what a task gives it; `idle`: tasks without actions; `stuck`: the workflow has no way on; `output_too_long`: of an execution;
        /// `on_hosts`: how it went there; `earlier`: so many tasks.
        what: &'static str,
        /// The action, the task, the parameter or the execution.
        name: &'a str,
        /// Who, how many, or why.
        why: &'a str,
    },
    /// What stands below the title of a picture.
    PictureSubtitle {
        /// How the workflow ended or stands.
        verdict: &'a str,
        /// Time since the start, or that it took.
        elapsed: &'a str,
        /// Its short id.
        id: &'a str,
    },
    /// What is known of a task, in the second line of its box; empty when nothing is.
    PictureNote(&'a TaskRow),
    /// A box that stands for several tasks.
    PictureGroup {
        /// How many.
        count: usize,
    },
    /// What a sign in a picture means, with how many tasks stand so.
    PictureState {
        /// `failed`, `timeout`, `unknown`, `running`, `waiting`, `paused`, `succeeded`, `canceled`, or `idle`: it has not begun.
        state: &'static str,
        /// How many tasks.
        count: usize,
    },
    /// What is said below a picture that has fewer boxes than the workflow has tasks.
    PictureFolded {
        /// The tasks.
        tasks: usize,
        /// The boxes.
        boxes: usize,
    },
    /// A command wrote nothing.
    NoOutput,
    /// How many hosts said the same and how many did not.
    Summary {
        /// Those that most are.
        same: usize,
        /// Those that succeeded and said something else.
        differ: usize,
        /// Those that did not do what was asked.
        failed: usize,
    },
    /// How an output differs from what most hosts said.
    Like {
        /// How many said that.
        count: usize,
        /// `but`: these lines read otherwise; `more`: it has more after this line; `without`: it lacks these.
        how: &'static str,
        /// Numbers of lines.
        lines: String,
        /// There are several.
        several: bool,
    },
    /// What stands above standard error where both streams are shown.
    StandardError,
    /// What stands above the output of a group of hosts in a file.
    FileHeading {
        /// The hosts, written the short way.
        hosts: String,
        /// How it ended there; empty when it succeeded.
        how: String,
    },
    /// What a file says where output was thrown away while it came.
    NotKept {
        /// How many bytes.
        bytes: u64,
    },
    /// In the place of an output in a file, when it is not kept any more.
    FileNotKept,
    /// What a file says where its middle is left out.
    FileGap {
        /// How much, written for people.
        size: String,
        /// The longest file, written for people.
        limit: String,
    },
    /// The remark below a text that the chat server does not take whole.
    Cut {
        /// Where the rest is: `thread`, `file`, `end` (it comes with the end of what is under way), or `lost`.
        rest: &'static str,
    },
    /// The text that goes with a file which has what an edit could not hold.
    WholeText,
    /// The remark about a file that could not be attached.
    FileMissing {
        /// Its name.
        name: String,
        /// `unreadable` in the store, `refused` by the chat server, `many` on one post, or `late`: not taken in time.
        why: &'static str,
    },
    /// What stands on buttons and forms.
    Form {
        /// `heading` and `submit` of a form, `button` that opens one, `yes`, `no`; `closed`: it could not be opened; `in words`: what to write then;
        /// `over`: nothing is asked any more; `theirs`: somebody else was asked.
        what: &'static str,
        /// A line that says the same, as inline code; for `closed` only.
        example: &'a str,
    },
    /// What stands on the buttons below a problem that have the monitoring do something, on the forms that they open, and what whoever pressed is told.
    OrderForm {
        /// `button`; `heading`, `submit`, `label_…` and `help_…` of a field, `length_…` for a choice; `begun`; `closed`, `over`, `old`, `gone`, `no_right`, `under_way`, `none_left`: why nothing was done.
        what: &'a str,
        /// `acknowledge`, `remove_acknowledgement`, `downtime`, `recheck`.
        order: &'a str,
    },
    /// Who may answer a question; empty when nobody is named.
    Answerers {
        /// Roles of which one is needed.
        roles: &'a [String],
        /// Users of whom it has to be one.
        users: &'a [String],
        /// Both are named, and both are needed.
        both: bool,
    },
    /// Why a press of a button has no effect.
    PressRefused {
        /// `foreign_post`, `late`, `replayed`, `not_identified`, or `early`: the post is not known to stand yet.
        why: &'static str,
    },
    /// Why the hosts of an execution cannot be asked after a restart.
    NoWay {
        /// Names of parameters that would be needed and were not kept.
        missing: &'a [String],
    },
    /// A host could not be reached when something was to be run there again.
    LostTwice {
        /// Why not.
        why: &'a str,
    },
    /// A command was run again.
    Again {
        /// Where, written the short way; empty when it was here.
        hosts: String,
        /// Because it had certainly never begun.
        never_began: bool,
    },
    /// What a person has said of an execution whose end nobody knew.
    Judged {
        /// `ran`, `not run` or `again`; empty when nobody has said anything yet.
        judgement: &'static str,
        /// Who.
        by: &'a str,
        /// The short id of the execution that repeats it.
        again: &'a str,
    },
    /// A parameter that an alias sets was given.
    FixedParameter {
        /// Which.
        name: &'a str,
    },
    /// What an alias says of the words for its executions cannot be rendered.
    BrokenWords {
        /// The alias.
        alias: &'a str,
        /// The key of its file.
        key: &'a str,
        /// What is wrong.
        why: &'a str,
    },
    /// A local user without a role.
    NoLocalRole {
        /// The user.
        name: &'a str,
    },
    /// No action has this name, as far as the asker may know.
    NoAction {
        /// The name as given.
        action: &'a str,
        /// The name that was probably meant; empty when none is near.
        similar: &'a str,
    },
    /// Who may decide about an approval.
    Deciders(&'a Approvers),
    /// Why what was asked for is not what would run any more.
    Changed {
        /// `content`, `parameters`, `hosts`, `terms`, `work`, `gone`, `refused`, `needs_approval`, `requester`.
        what: &'static str,
        /// Names of parameters, or the sentence of the refusal.
        names: &'a str,
        /// The hosts as they were, written the short way.
        before: &'a str,
        /// And as they are.
        now: &'a str,
    },
    /// Why an execution did not begin.
    NotApproved {
        /// `denied`, `withdrawn`, `expired` or `void`.
        state: &'static str,
        /// Who ended it; empty when nobody did.
        by: &'a str,
        /// Why; may be empty.
        why: &'a str,
    },
    /// A user of the bot's machine cannot decide about an approval.
    NoVoter {
        /// The user.
        name: &'a str,
        /// The chat user that they stand for; empty when they stand for none.
        chat_user: &'a str,
        /// Whether there is a connection to the chat server, which knows who that is.
        connected: bool,
    },
    /// What stands on the buttons, and in the dialog, of a decision.
    DecisionForm {
        /// `approve`, `deny`, `host`, `count`, `action`, `reason`, `look`, `write`.
        of: &'a str,
    },
    /// Who has approved what runs.
    ApprovedBy {
        /// Their names.
        names: &'a str,
    },
    /// The chat connection stands, or was not tried yet.
    HealthChat {
        /// The bot's name; empty before the first try.
        username: &'a str,
    },
    /// Another bot speaks with our account.
    HealthOther {
        /// Its name.
        other: &'a str,
    },
    /// What waits to be said.
    HealthOutbox {
        /// How many deliveries.
        waiting: usize,
        /// How long the oldest has been waiting; empty when that is not long.
        oldest: String,
        /// What the last call met with; empty when it went well.
        trouble: &'a str,
    },
    /// Which nodes could not be reached lately.
    HealthSsh {
        /// How many.
        lost: usize,
        /// One of them; empty when there is none.
        host: &'a str,
        /// Why it could not be reached.
        why: &'a str,
    },
    /// Which of several tries an execution is.
    Tried {
        /// Which; the first is 1.
        number: u32,
        /// How many there are at most.
        of: u32,
        /// The short id of the one before.
        after: &'a str,
    },
    /// What has failed is tried again.
    TriedAgain {
        /// The short id of the next try.
        id: &'a str,
        /// Which it is.
        number: u32,
        /// How many there are at most.
        of: u32,
        /// How long it is waited before; empty when it is not.
        wait: &'a str,
        /// It needs an approval of its own.
        asks: bool,
    },
    /// What has failed is not tried again though a policy wants it.
    NotTriedAgain {
        /// The policy.
        policy: &'a str,
        /// `content`, `hosts`, `secret`, `fixed`, `asked` or `refused`.
        what: &'static str,
        /// More of it; may be empty.
        why: &'a str,
    },
    /// What a policy says of when an action runs.
    Bound(&'a PolicyLine),
    /// Nobody knows whether a command still runs, so nothing begins there that does more than look.
    Locked {
        /// Where, written the short way.
        hosts: &'a str,
        /// Its short id.
        id: &'a str,
    },
    /// The turn of an execution did not come in time.
    WaitedTooLong {
        /// How long it waited.
        waited: &'a str,
    },
    /// Why an execution does not begin though its turn has come.
    HeldBack {
        /// `frozen`, `room`, `executions` or `stopping`.
        what: &'static str,
        /// Why the bot is frozen.
        why: &'a str,
    },
    /// For whom an execution waits.
    WaitsFor {
        /// The short id of the first in its way; empty when nobody is.
        id: &'a str,
        /// On these hosts, written the short way; empty where it is a policy.
        hosts: &'a str,
        /// The policy that says so; empty where it is hosts.
        policy: &'a str,
        /// Nobody knows whether that one still runs.
        doubt: bool,
        /// How many others are in its way elsewhere.
        more: usize,
        /// It waits until it is tried again.
        again: bool,
    },
    /// The bot is being stopped.
    HealthStopping,
    /// What to do about a part that does not work.
    HealthAdvice {
        /// The part.
        part: &'a str,
    },
    /// What the packs hold.
    HealthContent {
        /// Aliases.
        aliases: usize,
        /// Actions.
        actions: usize,
        /// Packs.
        packs: usize,
        /// Files' mistakes.
        problems: usize,
    },
    /// The store, with the room on its disk.
    HealthStore {
        /// Room, written for people; empty when it is not known.
        free: &'a str,
        /// How much there has to be for something to be begun.
        reserve: &'a str,
        /// Whether there is less.
        low: bool,
        /// Why it takes nothing; empty when it does.
        refused: &'a str,
    },
    /// Why the bot froze itself at its start.
    SetAside {
        /// Where the old store lies.
        place: &'a str,
        /// What was wrong with it; empty when that was found out by an earlier process.
        why: &'a str,
    },
    /// Why the bot froze itself at its start: the audit was damaged.
    AuditSetAside {
        /// Where the old one lies.
        place: &'a str,
        /// What was wrong with it; empty when that was found out by an earlier process.
        why: &'a str,
    },
    /// What is known of machines.
    HealthInventory {
        /// Hosts.
        hosts: usize,
        /// Groups.
        groups: usize,
        /// A group whose list could not be had; empty when all could.
        broken: &'a str,
        /// Why not.
        why: &'a str,
    },
}

impl Phrase<'_> {
    /// The name of its template.
    pub fn template(&self) -> &'static str {
        match self {
            Phrase::Verdict { .. } => "verdict",
            Phrase::Exit(_) => "exit",
            Phrase::LeftOut { .. } => "left_out",
            Phrase::Sensor { .. } => "sensor",
            Phrase::Storm { .. } => "storm",
            Phrase::Event { .. } => "event",
            Phrase::Webhook { .. } => "webhook",
            Phrase::Workflow { .. } => "workflow",
            Phrase::PictureSubtitle { .. } => "picture_subtitle",
            Phrase::PictureNote(_) => "picture_note",
            Phrase::PictureGroup { .. } => "picture_group",
            Phrase::PictureState { .. } => "picture_state",
            Phrase::PictureFolded { .. } => "picture_folded",
            Phrase::NoOutput => "no_output",
            Phrase::Summary { .. } => "summary",
            Phrase::Like { .. } => "like",
            Phrase::StandardError => "standard_error",
            Phrase::FileHeading { .. } => "file_heading",
            Phrase::NotKept { .. } => "not_kept",
            Phrase::FileGap { .. } => "file_gap",
            Phrase::FileNotKept => "file_not_kept",
            Phrase::Cut { .. } => "cut",
            Phrase::WholeText => "whole_text",
            Phrase::FileMissing { .. } => "file_missing",
            Phrase::Form { .. } => "form",
            Phrase::OrderForm { .. } => "order_form",
            Phrase::Answerers { .. } => "answerers",
            Phrase::PressRefused { .. } => "press_refused",
            Phrase::NoWay { .. } => "no_way",
            Phrase::LostTwice { .. } => "lost_twice",
            Phrase::Again { .. } => "again",
            Phrase::Judged { .. } => "judged",
            Phrase::FixedParameter { .. } => "fixed_parameter",
            Phrase::BrokenWords { .. } => "broken_words",
            Phrase::NoLocalRole { .. } => "no_local_role",
            Phrase::NoAction { .. } => "no_action",
            Phrase::Deciders(_) => "deciders",
            Phrase::Changed { .. } => "changed",
            Phrase::NotApproved { .. } => "not_approved",
            Phrase::NoVoter { .. } => "no_voter",
            Phrase::DecisionForm { .. } => "decision_form",
            Phrase::ApprovedBy { .. } => "approved_by",
            Phrase::HealthChat { .. } => "health_chat",
            Phrase::HealthOther { .. } => "health_other",
            Phrase::HealthOutbox { .. } => "health_outbox",
            Phrase::HealthSensors { .. } => "health_sensors",
            Phrase::HealthSsh { .. } => "health_ssh",
            Phrase::HealthStopping => "health_stopping",
            Phrase::Bound(_) => "bound",
            Phrase::Locked { .. } => "locked",
            Phrase::Tried { .. } => "tried",
            Phrase::TriedAgain { .. } => "tried_again",
            Phrase::NotTriedAgain { .. } => "not_tried_again",
            Phrase::WaitedTooLong { .. } => "waited_too_long",
            Phrase::HeldBack { .. } => "held_back",
            Phrase::WaitsFor { .. } => "waits_for",
            Phrase::HealthAdvice { .. } => "health_advice",
            Phrase::HealthContent { .. } => "health_content",
            Phrase::HealthInventory { .. } => "health_inventory",
            Phrase::HealthStore { .. } => "health_store",
            Phrase::SetAside { .. } => "set_aside",
            Phrase::AuditSetAside { .. } => "audit_set_aside",
        }
    }
}
