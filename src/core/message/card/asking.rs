//! What is said of lines: what can be asked for, what is missing, what one would do.

use super::WantedApproval;
use crate::core::access::explain::Reason;
use crate::core::message::turn::{PolicyLine, Way};
use serde::{Deserialize, Serialize};

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

/// See [`super::Card::Help`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Help {
    /// What was searched for; empty for all.
    pub query: String,
    /// How to address the bot, `@halcyon`.
    pub address: String,
    /// How else, `!…`; empty where only the name is listened to.
    pub prefix: String,
    /// Aliases by pack.
    pub packs: Vec<HelpPack>,
    /// The bot's own commands.
    pub own: Vec<HelpLine>,
    /// The page.
    pub page: usize,
    /// How many there are.
    pub pages: usize,
    /// The page that was asked for, where there is none of that number; 0 otherwise.
    pub beyond: usize,
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

/// See [`super::Card::Lacks`].
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

/// A task of a workflow, as a plan shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTask {
    /// Its name.
    pub name: String,
    /// What it runs; empty where it runs nothing, or where that is not known before.
    pub action: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// See [`super::Card::Plan`]. What waits for an approval keeps it, so that what stands on the card is what was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanCard {
    /// The line, as inline code.
    pub line: String,
    /// The action that it starts.
    pub action: String,
    /// What carries that out.
    pub runner: String,
    /// What it can do to the world.
    pub effect: String,
    /// Its parameters, secrets masked.
    pub parameters: Vec<PlannedParameter>,
    /// Those that nobody has said anything about, with the values that they have by themselves.
    #[serde(default)]
    pub defaults: Vec<PlannedParameter>,
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
    /// The tasks of the workflow that it is; empty where it is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<PlannedTask>,
    /// How many more tasks than those it has.
    #[serde(skip_serializing_if = "is_zero")]
    pub tasks_more: usize,
    /// How many more executions the line starts.
    pub further: usize,
    /// It is switched off.
    pub off: bool,
    /// Files that may be meant as policies for its approval, and cannot be understood.
    pub guards: Vec<String>,
    /// The approvals that it needs.
    pub approvals: Vec<WantedApproval>,
    /// What policies say of when it runs.
    pub policies: Vec<PolicyLine>,
    /// Whom it would wait for if it were asked for now.
    pub ways: Vec<Way>,
    /// Why it would not start now; empty when it would.
    pub frozen: String,
}

/// One parameter of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// It begins as if it had a time, and that is none.
    NoTime,
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

/// Whether somebody may do something, and by which rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MayCard {
    /// The line, as inline code.
    pub line: String,
    /// Whom it is about, as inline code; empty when it is the one who asks.
    pub who: String,
    /// They may.
    pub allowed: bool,
    /// The action that the line means.
    pub action: String,
    /// Their roles.
    pub roles: Vec<String>,
    /// What keeps anybody from it: machines that are not there, values that are not sound; Markdown, empty for nothing.
    pub problem: String,
    /// The grants that speak of the action, those that hold first.
    pub reasons: Vec<Reason>,
    /// The channels where the alias is there, where this is none of them.
    pub channels: Vec<String>,
    /// The policies that want it approved.
    pub guards: Vec<String>,
}
