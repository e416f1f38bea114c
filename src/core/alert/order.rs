//! What is asked of a monitoring: to take a problem on, to open or close a downtime, to look again, to say how things stand.
//!
//! An order is carried out by the runner of the type `monitoring` as the work of an execution, so it may be repeated after a crash: **what is asked for can be
//! found again**, by the mark that ends every comment of ours ([`Mark`]). The mark also names the person, since the monitoring knows one account for all.

use super::standing::Downtime;
use jiff::Timestamp;
use std::time::Duration;

/// The words between a person's name and the execution in a mark.
const VIA: &str = " via Halcyon, #";
/// A comment longer than this is cut. Monitorings hand it on in one line of a command.
const LONGEST_COMMENT: usize = 1_000;

/// A host or a service as it is named in an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The host, as the monitoring calls it.
    pub host: String,
    /// The service; absent for the host itself.
    pub service: Option<String>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Somebody takes a problem on.
    Acknowledge {
        /// It holds until all is well, and not only until the state changes.
        sticky: bool,
        /// The monitoring tells its contacts.
        notify: bool,
        /// It ends by itself then, where the monitoring can do that.
        expires: Option<Timestamp>,
    },
    /// Nobody has it any more.
    RemoveAcknowledgement,
    /// Nothing is told until then.
    Downtime {
        /// Its beginning; as soon as it is carried out when absent.
        start: Option<Timestamp>,
        /// Its end.
        end: Timestamp,
    },
    /// A downtime ends at another time.
    MoveDowntime {
        /// As a reading tells it.
        id: String,
        /// Its new end.
        end: Timestamp,
    },
    /// Downtimes end now: the one of this id, those with this text in their comments, or all of them.
    RemoveDowntime {
        /// As a reading tells it.
        id: Option<String>,
        /// A part of its comment.
        token: Option<String>,
    },
    /// A word in the history.
    Comment,
    /// It is looked at now.
    Recheck,
    /// How it stands.
    Read,
}

impl Wanted {
    /// The word by which actions and messages know it.
    pub fn word(&self) -> &'static str {
        match self {
            Wanted::Acknowledge { .. } => "acknowledge",
            Wanted::RemoveAcknowledgement => "remove_acknowledgement",
            Wanted::Downtime { .. } => "downtime",
            Wanted::MoveDowntime { .. } => "move_downtime",
            Wanted::RemoveDowntime { .. } => "remove_downtime",
            Wanted::Comment => "comment",
            Wanted::Recheck => "recheck",
            Wanted::Read => "state",
        }
    }

    /// Whether a downtime is one of those that are to end now. Those of a host are no service's to take off.
    pub fn removes(&self, downtime: &Downtime) -> bool {
        match self {
            Wanted::RemoveDowntime { id: Some(id), .. } => downtime.id == *id,
            Wanted::RemoveDowntime { id: None, token: Some(token) } => {
                !downtime.covers && downtime.said.comment.contains(token.as_str())
            }
            Wanted::RemoveDowntime { id: None, token: None } => !downtime.covers,
            _ => false,
        }
    }
}

/// The things of one monitoring that an order is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The name of the monitoring in the configuration; the only one where it is empty.
    pub monitoring: String,
    /// To what.
    pub about: Vec<Target>,
}

/// One order, about one thing or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// To what, each monitoring once.
    pub parts: Vec<Part>,
    /// What is to be done.
    pub wanted: Wanted,
    /// In whose name, and with what words.
    pub mark: Mark,
    /// What the person says, in one line.
    pub comment: String,
    /// How long the monitoring has to show it; as configured when absent.
    pub patience: Option<Duration>,
}

impl Order {
    /// The comment as the monitoring gets it.
    pub fn signed(&self) -> String {
        self.mark.sign(&self.comment)
    }
}

/// Who wanted something, and the execution that it was: what stands at the end of each comment of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The person, or the rule.
    pub who: String,
    /// The short id of the execution.
    pub execution: String,
}

impl Mark {
    /// A comment with this mark: `replacing the disk (lead via Halcyon, #ab12cd)`.
    pub fn sign(&self, comment: &str) -> String {
        let Self { who, execution } = self;
        let mark = format!("({who}{VIA}{execution})");
        if comment.is_empty() { mark } else { format!("{comment} {mark}") }
    }

    /// What stands in a comment by which it is known that this execution wrote it.
    pub fn token(&self) -> String {
        format!("{VIA}{})", self.execution)
    }

    /// The words before a mark, and the mark. **Anybody who may write in the monitoring can write one**: it says who wrote only where the execution is known to
    /// have been about that.
    pub fn read(comment: &str) -> Option<(&str, Self)> {
        let inside = comment.trim_end().strip_suffix(')')?;
        let (before, execution) = inside.rsplit_once(VIA)?;
        let open = before.rfind('(')?;
        let (words, who) = (before.get(..open)?, before.get(open + 1..)?);
        let sound = !who.is_empty()
            && !execution.is_empty()
            && execution.len() <= 24
            && execution.bytes().all(|byte| byte.is_ascii_hexdigit());
        sound.then(|| (words.trim_end(), Self { who: who.to_owned(), execution: execution.to_owned() }))
    }
}

/// A comment as every monitoring can take it: one line without control characters, not too long.
pub fn in_one_line(text: &str) -> String {
    let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    line.chars().take(LONGEST_COMMENT).collect()
}
