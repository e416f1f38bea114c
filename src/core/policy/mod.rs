//! # Policies
//!
//! What is said about actions from outside of them about when they run: how many at once, and what happens after a failure. With them goes what
//! needs no file: **two executions never work on one machine at the same time, unless both only look at it.** What an action can do to the world
//! (`action.effect`) is laid over the action when the packs are read, and who has to say yes first is the business of [`super::approval`].
//!
//! - [`turn`]: whose turn it is;
//! - [`claim`]: what an execution needs for itself;
//! - [`out_of_service`]: which machines it takes out of service.
//!
//! Life cycle of a turn: an execution that is asked for and granted **enters** behind all others; when nothing before it is in its way it **begins**,
//! at once or later; when it ends, or is stopped while it waits, it **leaves**, and in the same step those begin whose turn has come.
//!
//! - **An execution takes all its machines at once**, or none and waits; so nobody waits in a circle.
//! - **Nobody is put off by one who came later.**
//! - **What counts is noted when it is asked for** ([`turn::Place`] and the resolved machines); a policy that changes later counts for those
//!   who ask later.
//! - The formats and their meaning are StackStorm's (3.9, `action.concurrency`, `action.concurrency.attr`, `action.retry`); where they differ on
//!   purpose, `docs/policies.md` says so.

pub mod claim;
pub mod out_of_service;
pub mod turn;

use crate::core::action::execution::Status;
use crate::core::action::waiting::Given;
use crate::core::id::ExecutionId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The policies of these types that are in force for one action, those for this very action before those for many.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policies {
    /// How many may run at once. All of them count.
    pub concurrency: Vec<Concurrency>,
    /// What happens after a failure. The first that has something to say about an end counts.
    pub retry: Vec<Retry>,
}

/// `action.concurrency` and `action.concurrency.attr`: how many executions of the actions that it covers may run at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concurrency {
    /// The policy, `pack.name`.
    pub policy: String,
    /// How many may run at once.
    pub threshold: usize,
    /// What happens to one more.
    pub excess: Excess,
    /// Parameters whose values have to be equal for executions to count together; all count together when there are none.
    pub attributes: Vec<String>,
}

/// What happens to an execution for which there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// It waits for one.
    Delay,
    /// It does not run.
    Cancel,
}

impl Excess {
    /// As it is written in a policy, with what it means.
    pub const WORDS: [(&'static str, Excess); 2] = [("delay", Excess::Delay), ("cancel", Excess::Cancel)];
}

/// `action.retry`: what failed is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// The policy, `pack.name`.
    pub policy: String,
    /// After which end.
    pub on: RetryOn,
    /// How many tries there are at most besides the first.
    pub most: u32,
    /// How long it is waited before each.
    pub delay: Duration,
}

/// Ends after which it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryOn {
    /// It failed.
    Failure,
    /// Its time was over.
    Timeout,
}

/// Which of several tries an execution is, and what another one needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tries {
    /// Which it is; the first is 1.
    pub number: u32,
    /// The parameters as they were given; absent where there is a secret among them that could not be kept.
    pub given: Option<Given>,
    /// Where it is not the first: whose try it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
}

/// What led to another try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// The policy that wants it.
    pub policy: String,
    /// How many tries there are at most.
    pub of: u32,
    /// The execution that failed.
    pub after: ExecutionId,
    /// When it may begin.
    pub due: Timestamp,
}

/// The next try of an execution that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NextTry {
    /// It.
    pub id: ExecutionId,
    /// Which it is.
    pub number: u32,
    /// How many there are at most.
    pub of: u32,
    /// When it is begun, or takes its place behind those that wait.
    pub at: Timestamp,
    /// It needs an approval of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
}

impl RetryOn {
    /// As it is written in a policy, with what it means.
    pub const WORDS: [(&'static str, RetryOn); 2] = [("failure", RetryOn::Failure), ("timeout", RetryOn::Timeout)];

    /// Whether an end is one of those. What nobody knows, and what somebody has stopped, never is.
    pub fn covers(self, end: Status) -> bool {
        match self {
            RetryOn::Failure => end == Status::Failed,
            RetryOn::Timeout => end == Status::Timeout,
        }
    }

    /// As it is written in a policy.
    pub fn word(self) -> &'static str {
        match self {
            RetryOn::Failure => "failure",
            RetryOn::Timeout => "timeout",
        }
    }
}
