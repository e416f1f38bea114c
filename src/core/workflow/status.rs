//! How a workflow, a task or an item stands. The words are StackStorm's.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing has happened yet.
    #[default]
    #[serde(rename = "null")]
    Unset,
    /// Asked for.
    Requested,
    /// Handed over to be run.
    Scheduled,
    /// Waits for its time.
    Delayed,
    /// At work.
    Running,
    /// Waits for a person's answer.
    Pending,
    /// Will be paused when what is at work has ended.
    Pausing,
    /// Stands still until it is resumed.
    Paused,
    /// Goes on after a pause or for another run.
    Resuming,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Took too long.
    Timeout,
    /// Nobody knows what became of it.
    Abandoned,
    /// Will be tried again.
    Retrying,
    /// Will be canceled when what is at work has ended.
    Canceling,
    /// Stopped by somebody.
    Canceled,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Unset,
        Self::Requested,
        Self::Scheduled,
        Self::Delayed,
        Self::Running,
        Self::Pending,
        Self::Pausing,
        Self::Paused,
        Self::Resuming,
        Self::Succeeded,
        Self::Failed,
        Self::Timeout,
        Self::Abandoned,
        Self::Retrying,
        Self::Canceling,
        Self::Canceled,
    ];

    /// StackStorm's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unset => "null",
            Self::Requested => "requested",
            Self::Scheduled => "scheduled",
            Self::Delayed => "delayed",
            Self::Running => "running",
            Self::Pending => "pending",
            Self::Pausing => "pausing",
            Self::Paused => "paused",
            Self::Resuming => "resuming",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Abandoned => "abandoned",
            Self::Retrying => "retrying",
            Self::Canceling => "canceling",
            Self::Canceled => "canceled",
        }
    }

    /// The status of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }

    /// It is on its way to work, or at it.
    pub fn is_starting(self) -> bool {
        matches!(self, Self::Requested | Self::Scheduled | Self::Delayed | Self::Running | Self::Pending)
    }

    /// A workflow that stands so may start tasks.
    pub fn may_start(self) -> bool {
        matches!(
            self,
            Self::Requested | Self::Scheduled | Self::Delayed | Self::Running | Self::Resuming | Self::Retrying
        )
    }

    /// Something is at work, so that its end is still to come.
    pub fn is_active(self) -> bool {
        matches!(
            self,
            Self::Requested
                | Self::Scheduled
                | Self::Delayed
                | Self::Running
                | Self::Resuming
                | Self::Pausing
                | Self::Canceling
        )
    }

    /// It ended badly, other than by being canceled.
    pub fn is_abended(self) -> bool {
        matches!(self, Self::Failed | Self::Timeout | Self::Abandoned)
    }

    /// It has ended.
    pub fn is_completed(self) -> bool {
        self.is_abended() || matches!(self, Self::Succeeded | Self::Canceled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
