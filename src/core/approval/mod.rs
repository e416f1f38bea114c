//! # Approval
//!
//! Four eyes: an action that a policy guards waits, with its execution's id, until enough people have said yes who may say so. This folder is the
//! machine of one request and the words that it is made of; the bot asks, hears and begins in `core/bot/approve.rs`. Who may decide is said in
//! [`crate::core::access::approvers`].
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

use crate::core::access::approvers::Approvers;
use serde::{Deserialize, Serialize};

/// What one policy wants before an action that it covers may begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The policy, `pack.name`.
    pub policy: String,
    /// Whom it asks.
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
