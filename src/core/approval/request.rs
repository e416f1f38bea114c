//! One request for an approval: the machine from its asking to its end, folded from facts.
//!
//! ```text
//! pending --approve (quorum)--> approved --begun--> begun
//!   |  ^                          |  |
//!   |  `------- unseated ---------'  |
//!   `-- deny --> denied              |
//!   `-- withdraw, expire, void ------'--> withdrawn | expired | void
//! ```
//!
//! Votes and their withdrawal, a reminder and a second asker leave it `pending`. **Each event was decided on a revision of the request and counts
//! on that one only** (compare and set); whatever changes the card makes a new revision. The full table stands in
//! `tests/data/machines/approval.txt`.

use super::Terms;
use crate::core::id::{ChannelId, PostId, UserId};
use crate::core::input::{Back, Principal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is being decided about.
    Pending,
    /// Enough have said yes; the execution has not begun yet.
    Approved,
    /// The execution has begun.
    Begun,
    /// Somebody said no.
    Denied,
    /// The one who asked, or somebody who may stop it, has taken it back.
    Withdrawn,
    /// Its time was over.
    Expired,
    /// What was asked for is not what would run any more.
    Void,
}

impl State {
    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        !matches!(self, State::Pending | State::Approved)
    }

    /// As it is written in facts and data.
    pub fn word(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Approved => "approved",
            State::Begun => "begun",
            State::Denied => "denied",
            State::Withdrawn => "withdrawn",
            State::Expired => "expired",
            State::Void => "void",
        }
    }
}

/// Somebody who decides: always a chat user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Voter {
    /// The vote hangs on this.
    pub id: UserId,
    /// The name at the time, for reading only.
    pub name: String,
}

/// Where a decision came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "via")]
pub enum Via {
    /// A line of chat.
    Line {
        /// The channel.
        channel: ChannelId,
        /// The post.
        post: PostId,
    },
    /// A button of the card, or the dialog that it opens.
    Button,
    /// An emoji on the card.
    Reaction,
    /// The command line, as a user of the bot's machine who stands for the chat user.
    CommandLine {
        /// The name of that user.
        user: String,
    },
}

/// A yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who, by the name of the time.
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// Why; empty when nothing was said.
    pub reason: String,
    /// The places of the terms that it counts for.
    pub counts: Vec<usize>,
    /// Where it came from.
    pub via: Via,
}

/// Somebody who asked for the same while it was pending.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// Who.
    pub by: Principal,
    /// Where they asked.
    pub back: Back,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// What people call it by.
    pub code: String,
    /// What the policies want, each to be satisfied.
    pub terms: Vec<Terms>,
    /// How it stands.
    pub state: State,
    /// Goes up with whatever changes the card.
    pub revision: u32,
    /// Who has said yes.
    pub votes: BTreeMap<UserId, Vote>,
    /// When it was asked.
    pub asked: Timestamp,
    /// When it expires.
    pub until: Timestamp,
    /// The channel in which the card stands; absent when there is none.
    pub place: Option<ChannelId>,
    /// The time zone in which its times are written; empty when that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub zone: String,
    /// Whether it was reminded of.
    pub reminded: bool,
    /// Who else asked for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<Joined>,
    /// Who ended it by a word: who denied or withdrew it.
    pub ended_by: Option<Principal>,
    /// Why it ended: the reason of a no, or what has changed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Who has taken a yes back, and when, so that an emoji from before counts for nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub taken_back: BTreeMap<UserId, Timestamp>,
    /// The last vote that was lost again without a word of its giver, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

/// A vote that does not count any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Whose it was.
    pub name: String,
    /// Why it does not count.
    pub why: Unseat,
}

/// Why a vote does not count any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unseat {
    /// The account was deactivated, or is a bot's.
    Account,
    /// They may not decide about this any more.
    Right,
}

impl Unseat {
    /// As templates ask for it.
    pub fn word(self) -> &'static str {
        match self {
            Unseat::Account => "account",
            Unseat::Right => "right",
        }
    }
}

/// What can happen to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// Somebody said yes.
    Approved {
        /// Who.
        by: Voter,
        /// Why; may be empty.
        reason: String,
        /// The places of the terms for which they may say so.
        counts: Vec<usize>,
        /// Where it came from.
        via: Via,
    },
    /// Somebody said no; one no is enough.
    Denied {
        /// Who.
        by: Voter,
        /// Why.
        reason: String,
        /// Where it came from.
        via: Via,
    },
    /// Somebody took their yes back.
    Revoked {
        /// Who.
        by: Voter,
    },
    /// Somebody who may, took the request back.
    Withdrawn {
        /// Who.
        by: Principal,
    },
    /// Its time was over.
    Expired,
    /// What was asked for is not what would run any more, or may not be run any more by the one who asked.
    Void {
        /// What has changed, in a sentence for people.
        why: String,
    },
    /// A yes does not count any more.
    Unseated {
        /// Whose.
        voter: UserId,
        /// Why.
        why: Unseat,
    },
    /// Half of its time is over, and those who may decide were called.
    Reminded,
    /// Somebody else asked for the same.
    Joined {
        /// Who, and where.
        joined: Joined,
    },
}

impl Request {
    /// Takes one event in, which was decided on `revision`.
    ///
    /// # Errors
    /// It cannot happen as things stand. Nothing has been changed then.
    pub fn apply(&mut self, at: Timestamp, revision: u32, event: &Event) -> Result<(), Illegal> {
        if revision != self.revision {
            return Err(Illegal::Overtaken { decided_on: revision, stands: self.revision });
        }
        if self.state.is_final() {
            return Err(Illegal::Over(self.state));
        }
        match (self.state, event) {
            (
                State::Approved,
                Event::Approved { .. } | Event::Denied { .. } | Event::Revoked { .. } | Event::Reminded,
            ) => {
                return Err(Illegal::Decided);
            }
            (_, Event::Approved { by, .. }) if self.votes.contains_key(&by.id) => return Err(Illegal::VotedTwice),
            (_, Event::Approved { counts, .. })
                if counts.is_empty() || counts.iter().any(|place| *place >= self.terms.len()) =>
            {
                return Err(Illegal::CountsForNothing);
            }
            (_, Event::Approved { by, reason, counts, via }) => {
                let (name, reason, counts, via) = (by.name.clone(), reason.clone(), counts.clone(), via.clone());
                self.votes.insert(by.id.clone(), Vote { name, at, reason, counts, via });
                if self.is_satisfied() {
                    self.state = State::Approved;
                }
            }
            (_, Event::Denied { by, reason, .. }) => {
                self.end(State::Denied, reason);
                self.ended_by = Some(Principal::ChatUser { id: by.id.clone(), name: by.name.clone() });
            }
            (_, Event::Revoked { by }) => {
                self.votes.remove(&by.id).ok_or(Illegal::NoVote)?;
                self.taken_back.insert(by.id.clone(), at);
            }
            (_, Event::Withdrawn { by }) => {
                self.end(State::Withdrawn, "");
                self.ended_by = Some(by.clone());
            }
            (_, Event::Expired) if at < self.until => return Err(Illegal::TooEarly),
            (_, Event::Expired) => self.end(State::Expired, ""),
            (_, Event::Void { why }) => self.end(State::Void, why),
            (_, Event::Unseated { voter, why }) => {
                let vote = self.votes.remove(voter).ok_or(Illegal::NoVote)?;
                self.taken_back.insert(voter.clone(), at);
                self.lost = Some(Lost { name: vote.name, why: *why });
                if !self.is_satisfied() {
                    self.state = State::Pending;
                }
            }
            (_, Event::Reminded) if self.reminded => return Err(Illegal::RemindedTwice),
            // What does not change the card leaves the buttons on it as they are.
            (_, Event::Reminded) => {
                self.reminded = true;
                return Ok(());
            }
            (_, Event::Joined { joined }) => {
                self.joined.push(joined.clone());
                return Ok(());
            }
        }
        self.revision += 1;
        Ok(())
    }

    /// The execution begins.
    ///
    /// # Errors
    /// It is not approved.
    pub fn begin(&mut self) -> Result<(), Illegal> {
        if self.state != State::Approved {
            return Err(Illegal::NotApproved(self.state));
        }
        self.state = State::Begun;
        self.revision += 1;
        Ok(())
    }

    /// The votes in the order in which they were given.
    pub fn votes_in_order(&self) -> Vec<&Vote> {
        let mut votes: Vec<&Vote> = self.votes.values().collect();
        votes.sort_by_key(|vote| vote.at);
        votes
    }

    /// The names of those who have said yes, in the order in which they did.
    pub fn voters(&self) -> Vec<String> {
        self.votes_in_order().into_iter().map(|vote| vote.name.clone()).collect()
    }

    /// How many have said yes for these terms.
    pub fn votes_for(&self, place: usize) -> usize {
        self.votes.values().filter(|vote| vote.counts.contains(&place)).count()
    }

    /// The moment of the reminder: half of its time.
    pub fn half(&self) -> Timestamp {
        let half = self.until.duration_since(self.asked) / 2;
        self.asked.saturating_add(half).unwrap_or(self.until)
    }

    fn is_satisfied(&self) -> bool {
        self.terms.iter().enumerate().all(|(place, terms)| self.votes_for(place) >= terms.quorum)
    }

    fn end(&mut self, state: State, why: &str) {
        self.state = state;
        why.clone_into(&mut self.why);
    }
}

/// Why an event cannot be taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// The request has changed since.
    #[error("it was decided on revision {decided_on}, and the request is at {stands}")]
    Overtaken {
        /// The revision that was looked at.
        decided_on: u32,
        /// That which is in force.
        stands: u32,
    },
    /// It has ended.
    #[error("the request is {} already", .0.word())]
    Over(State),
    /// Enough have said yes.
    #[error("it is decided already")]
    Decided,
    /// One vote a person.
    #[error("they have said yes before")]
    VotedTwice,
    /// A yes of somebody who may not say so.
    #[error("the yes counts for none of the policies")]
    CountsForNothing,
    /// There is nothing to take back.
    #[error("they have not said yes")]
    NoVote,
    /// Its time is not over.
    #[error("its time is not over yet")]
    TooEarly,
    /// It is called to mind once.
    #[error("it was called to mind before")]
    RemindedTwice,
    /// It may not begin.
    #[error("the request is {} and not approved", .0.word())]
    NotApproved(State),
    /// An execution ends while its request is still being decided about.
    #[error("the request is still {}", .0.word())]
    StillOpen(State),
}
