//! What is said of an execution under way, and of one that has ended.

use crate::core::message::output::Outputs;
use serde::Serialize;

/// See [`super::Card::Running`].
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

/// Hosts that failed the same way while others go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedPart {
    /// The hosts, written the short way.
    pub hosts: String,
    /// Why.
    pub how: String,
}

/// See [`super::Card::Ended`].
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

/// See [`super::Card::Following`].
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

/// See [`super::Card::LastLines`].
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

/// See [`super::Card::Told`].
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

/// See [`super::Card::Question`].
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

/// See [`super::Card::Announced`].
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

/// One row of [`super::Card::List`].
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
