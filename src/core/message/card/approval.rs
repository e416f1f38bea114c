//! What is said of approvals.

use super::PlanCard;
use crate::core::message::turn::Awaits;
use serde::{Deserialize, Serialize};

/// What one policy wants before an action may begin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WantedApproval {
    /// The policy.
    pub policy: String,
    /// Who may decide, in words.
    pub who: String,
    /// How many have to say yes.
    pub quorum: usize,
    /// How many have.
    pub votes: usize,
    /// Who they are.
    pub voters: String,
    /// The one who asks may be one of them.
    pub requester: bool,
}

/// See [`super::Card::Approval`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApprovalCard {
    /// `pending`, `approved` (it has not begun yet), `denied`, `withdrawn`, `expired` or `void`.
    pub state: &'static str,
    /// The four characters that name the request.
    pub request: String,
    /// The short id of the execution.
    pub id: String,
    /// What was asked for, as inline code.
    pub line: String,
    /// Who asked.
    pub who: String,
    /// Who else asked for the same; empty when nobody did.
    pub joined: String,
    /// What each policy wants.
    pub wants: Vec<WantedApproval>,
    /// What exactly would run.
    pub plan: PlanCard,
    /// Until when, by the clock of the one who asked.
    pub until: String,
    /// Who has said yes, or who ended it.
    pub by: String,
    /// The reason of a no, or what has changed; may be empty.
    pub why: String,
    /// What has to be written behind `approve`: `host`, `count`, `action`; empty when nothing has.
    pub target: &'static str,
    /// A yes needs a reason.
    pub reason: bool,
    /// Why it does not begin though it is approved; empty when nothing is frozen.
    pub frozen: String,
    /// For whom it waits though it is approved; absent where nobody is in its way.
    pub awaits: Option<Awaits>,
    /// Which of several tries it is; empty where it is the first.
    pub tried: String,
    /// Whose yes does not count any more; empty when that is nobody's.
    pub lost: String,
    /// Why: `account` or `right`.
    pub lost_why: &'static str,
}

/// See [`super::Card::Decided`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// What it comes to.
    pub said: Said,
    /// The request.
    pub request: String,
    /// What was asked for, as inline code; empty where that is nobody's business.
    pub line: String,
    /// How a request that is over stands.
    pub state: &'static str,
    /// By whom it was decided, or whose it is.
    pub by: String,
    /// The reason of the decision; may be empty.
    pub why: String,
    /// Who may decide.
    pub who: String,
    /// How many more have to say yes.
    pub lacking: usize,
    /// What has to be written behind `approve`: `host`, `count`, `action`; empty when nothing has.
    pub target: &'static str,
    /// Why it does not begin yet; empty when it does.
    pub frozen: String,
}

impl Decided {
    /// One that says nothing more than this.
    pub fn new(said: Said) -> Self {
        Self {
            said,
            request: String::new(),
            line: String::new(),
            state: "",
            by: String::new(),
            why: String::new(),
            who: String::new(),
            lacking: 0,
            target: "",
            frozen: String::new(),
        }
    }
}

/// What a decision comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// No request has this code, as far as the asker may know.
    Unknown,
    /// That was the yes it needed.
    Approved,
    /// It counts, and more are needed.
    Counted,
    /// It is denied.
    Denied,
    /// The yes is taken back.
    Revoked,
    /// The request is taken back.
    Withdrawn,
    /// It was decided before.
    Over,
    /// They have said yes before.
    Voted,
    /// They have not said yes.
    NoVote,
    /// They may not decide.
    MayNot,
    /// Nobody says yes to what they asked for themselves.
    OwnRequest,
    /// It is not theirs to take back.
    NotTheirs,
    /// A yes needs a reason.
    Why,
    /// A no needs a reason.
    DenyWhy,
    /// The target has to be named.
    Target,
    /// Another target was named.
    OtherTarget,
}

impl Said {
    /// Whether something has changed by it.
    pub fn is_taken(self) -> bool {
        matches!(self, Said::Approved | Said::Counted | Said::Denied | Said::Revoked | Said::Withdrawn)
    }
}

/// See [`super::Card::Reminder`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reminder {
    /// Mentions of those who may decide; empty when none is named.
    pub who: String,
    /// What was asked for, as inline code.
    pub line: String,
    /// The request.
    pub request: String,
    /// Who asked.
    pub by: String,
    /// How long it still stands.
    pub left: String,
    /// What has to be written behind `approve`: `host`, `count`, `action`; empty when nothing has.
    pub target: &'static str,
}

/// See [`super::Card::ApprovalEnd`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApprovalEnd {
    /// Mentions of those who asked.
    pub who: String,
    /// `denied`, `withdrawn`, `expired` or `void`.
    pub state: &'static str,
    /// What was asked for, as inline code.
    pub line: String,
    /// Who decided; empty when nobody did.
    pub by: String,
    /// Why; may be empty.
    pub why: String,
    /// How many had said yes.
    pub votes: usize,
}

/// A request in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApprovalRow {
    /// Its code.
    pub request: String,
    /// The short id of its execution.
    pub id: String,
    /// What was asked for, as inline code.
    pub line: String,
    /// Who asked.
    pub who: String,
    /// How many have said yes.
    pub votes: usize,
    /// How many have to.
    pub quorum: usize,
    /// Enough have, and it has not begun.
    pub approved: bool,
    /// Until when, by the clock of the one who wants to know.
    pub until: String,
    /// The one who wants to know may decide and has not.
    pub yours: bool,
}
