//! # Approval
//!
//! Four eyes: an action that a policy guards waits, with its execution's id, until enough people have said yes who may say so. This folder is the
//! machine of one request and the words that it is made of. **Nobody asks yet**: until the bot does, an `action.approval` policy takes the actions
//! that it covers out of service.
//!
//! - [`request`]: the machine: votes, decisions and ends, folded from facts;
//! - [`snapshot`]: what exactly was asked for, and what has changed since.
//!
//! Life cycle: `pending` → `approved` → `begun`, or one of the ends `denied`, `withdrawn`, `expired`, `void`.
//!
//! - **What runs is what stood on the card**: a decision binds to a [`snapshot::Snapshot`], and where that does not hold any more nothing runs.
//! - **One vote a person, by user id**, to be taken back until the quorum is reached. Every policy that covers the action has to be satisfied.
//! - **A pair of state and event that is not drawn in [`request`] is refused**, and so is an event that was decided on an older revision.
//! - **The outcome of silence is a refusal.**

pub mod request;
pub mod snapshot;

use serde::{Deserialize, Serialize};

/// What one policy wants before an action that it covers may begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The policy, `pack.name`.
    pub policy: String,
    /// Who may decide.
    pub approvers: Approvers,
    /// How many of them have to say yes.
    pub quorum: usize,
    /// The one who asks may be one of them.
    pub allow_requester: bool,
    /// How long the request stands, in seconds.
    pub expires: u64,
    /// Whoever says yes has to say why. Who says no has to in any case.
    pub reason_required: bool,
    /// Whoever says yes has to write the host's name, or how many hosts there are.
    pub confirm_target: bool,
}

/// Who may decide: whoever has one of these roles, is one of these users, or is a member of one of these channels. Where nobody is named at all,
/// whoever is granted `approve` on the action.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvers {
    /// Names of roles.
    pub roles: Vec<String>,
    /// User names, lower case and without the at sign; they are resolved to ids.
    pub users: Vec<String>,
    /// Names of channels.
    pub channels: Vec<String>,
}

impl Approvers {
    /// Whether the policy leaves it to the grants.
    pub fn is_open(&self) -> bool {
        self.roles.is_empty() && self.users.is_empty() && self.channels.is_empty()
    }
}

/// A policy for the approval of actions, as its file says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What it wants.
    pub terms: Terms,
    /// Jinja over the parameters: it is asked where this comes to something true, or to nothing but an error. Absent means always.
    pub when: Option<String>,
    /// Its file.
    pub file: String,
}

/// What somebody says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Yes.
    Approve,
    /// No.
    Deny,
    /// Not yes any more.
    Revoke,
    /// It is not wanted any more.
    Withdraw,
}

/// A decision as it reaches the bot.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The request's code, or the whole id of its execution.
    pub of: String,
    /// What.
    pub verdict: Verdict,
    /// What was written behind: the target where it has to be named, then the reason.
    pub words: String,
    /// Where it came from.
    pub via: request::Via,
}
