//! How much may be asked in how little time: fairness between people, and a fuse against programs that talk to each other.
//!
//! Lost at a restart without harm: nothing hangs on it but when the next line is taken up.

use crate::core::id::{ChannelId, UserId};
use crate::core::settings::Limits;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// The time over which lines are counted.
const WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// The lines of the last minute.
#[derive(Debug, Default)]
pub struct Pace {
    users: BTreeMap<UserId, Count>,
    channels: BTreeMap<ChannelId, Count>,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// It is taken up.
    Open,
    /// It is the first one too many; whoever wrote it is told.
    Closing(Bound),
    /// One of many more; a sign on it is enough.
    Closed,
}

/// Which bound was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// That of one person: reopens as the lines grow older than a minute.
    User,
    /// That of a channel: reopens when nothing was asked there for a minute, since only a program asks on and on.
    Channel,
}

#[derive(Debug, Default)]
struct Count {
    lines: VecDeque<Timestamp>,
    /// The bound is reached; since when nothing more came.
    closed: Option<Timestamp>,
}

impl Pace {
    /// Counts a line that is meant for the bot.
    pub fn take(&mut self, user: &UserId, channel: &ChannelId, at: Timestamp, limits: &Limits) -> Passage {
        self.users.retain(|_, count| !count.is_idle(at));
        self.channels.retain(|_, count| !count.is_idle(at));
        let in_channel = self.channels.entry(channel.clone()).or_default();
        if let Some(quiet_since) = in_channel.closed {
            if at.duration_since(quiet_since) < WINDOW {
                in_channel.closed = Some(at);
                return Passage::Closed;
            }
            *in_channel = Count::default();
        }
        let of_user = self.users.entry(user.clone()).or_default();
        of_user.forget(at);
        if of_user.lines.len() >= limits.lines_per_user {
            let told = of_user.closed.replace(at).is_some();
            return if told { Passage::Closed } else { Passage::Closing(Bound::User) };
        }
        of_user.closed = None;
        of_user.lines.push_back(at);
        in_channel.forget(at);
        if in_channel.lines.len() >= limits.lines_per_channel {
            in_channel.closed = Some(at);
            return Passage::Closing(Bound::Channel);
        }
        in_channel.lines.push_back(at);
        Passage::Open
    }
}

impl Count {
    fn forget(&mut self, at: Timestamp) {
        while self.lines.front().is_some_and(|line| at.duration_since(*line) >= WINDOW) {
            self.lines.pop_front();
        }
    }

    fn is_idle(&self, at: Timestamp) -> bool {
        let newest = self.lines.back().max(self.closed.as_ref());
        newest.is_none_or(|newest| at.duration_since(*newest) >= WINDOW)
    }
}
