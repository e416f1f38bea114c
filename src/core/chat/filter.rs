//! Which executions a list shows: `list`, `list 20`, `list failed`, `list mine`, `list site.upgrade*`, `list since 2h`, `list on wn003`, in any
//! order and all at once.

use crate::core::access::Rights;
use crate::core::action::execution::{Execution, Status};
use crate::core::chat::when;
use crate::core::content::glob::covers;
use crate::core::host::Inventory;
use crate::core::id::{Host, UserId};
use crate::core::input::Principal;
use crate::core::settings::Verb;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// How many executions a list shows that does not say it.
const USUAL: usize = 10;
/// The most executions that one list shows in chat.
pub const LONGEST_LIST: usize = 50;

/// What was written after `list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListWords {
    /// How many, at most.
    pub most: usize,
    /// How they stand; any way when empty.
    pub stands: Vec<Status>,
    /// Only those of the one who asks.
    pub mine: bool,
    /// A glob over their actions.
    pub action: Option<String>,
    /// Not older than this.
    pub since: Option<SignedDuration>,
    /// That ran on this host.
    pub host: Option<Host>,
}

/// What an execution has to be like to be listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// How it stands; any way when empty.
    pub stands: Vec<Status>,
    /// Whose it is.
    pub by: Option<UserId>,
    /// A glob over its action.
    pub action: Option<String>,
    /// It began at this moment or later.
    pub since: Option<Timestamp>,
    /// It ran there.
    pub host: Option<Host>,
    /// Who has to be allowed to see it, where that hangs on more than its action.
    pub seen_by: Option<SeenBy>,
}

/// Somebody to whom a list is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenBy {
    /// What they may do.
    pub rights: Rights,
    /// The machines, as patterns in grants speak of them.
    pub inventory: Arc<Inventory>,
}

impl SeenBy {
    fn may_see(&self, execution: &Execution) -> bool {
        self.rights.may_with_execution(Verb::View, execution, &self.inventory)
    }
}

impl ListWords {
    /// Reads what follows `list`; nothing when one of the words means nothing here.
    pub fn read(words: &[&str]) -> Option<Self> {
        let mut read = Self { most: USUAL, stands: Vec::new(), mine: false, action: None, since: None, host: None };
        let mut words = words.iter().map(|word| word.to_lowercase());
        while let Some(word) = words.next() {
            match word.as_str() {
                "waiting" => read.stands.extend([Status::Requested, Status::Delayed]),
                "running" => read.stands.extend([Status::Running, Status::Canceling]),
                "paused" => read.stands.extend([Status::Pausing, Status::Paused]),
                "pending" | "asking" => read.stands.push(Status::Pending),
                "failed" => read.stands.extend([Status::Failed, Status::Timeout]),
                "done" | "succeeded" => read.stands.push(Status::Succeeded),
                "canceled" | "cancelled" => read.stands.push(Status::Canceled),
                "unknown" => read.stands.push(Status::Unknown),
                "mine" => read.mine = true,
                "since" | "last" => read.since = Some(when::compact(&words.next()?)?),
                "on" => read.host = Some(Host::new(words.next()?)),
                word if word.bytes().all(|b| b.is_ascii_digit()) => {
                    read.most = word.parse().ok().map(|count: usize| count.clamp(1, LONGEST_LIST))?;
                }
                word if word.contains(['.', '*']) && read.action.is_none() => read.action = Some(word.to_owned()),
                _ => return None,
            }
        }
        Some(read)
    }

    /// Whether anything but the number is said.
    pub fn narrows(&self) -> bool {
        *self != Self { stands: Vec::new(), mine: false, action: None, since: None, host: None, ..self.clone() }
    }

    /// The same for somebody at a moment.
    pub fn filter(&self, by: &Principal, now: Timestamp) -> Filter {
        let own = match by {
            Principal::ChatUser { id, .. } => Some(id.clone()),
            Principal::LocalUser { .. } | Principal::Rule { .. } => None,
        };
        Filter {
            stands: self.stands.clone(),
            by: own.filter(|_| self.mine),
            action: self.action.clone(),
            since: self.since.and_then(|since| now.checked_sub(since).ok()),
            host: self.host.clone(),
            seen_by: None,
        }
    }
}

impl Filter {
    /// Whether an execution is to be listed.
    pub fn takes(&self, execution: &Execution) -> bool {
        let request = &execution.request;
        let theirs = |user: &UserId| matches!(&request.by, Principal::ChatUser { id, .. } if id == user);
        (self.stands.is_empty() || self.stands.contains(&execution.status))
            && self.by.as_ref().is_none_or(theirs)
            && self.action.as_ref().is_none_or(|glob| covers(glob, request.action.as_str()))
            && self.since.is_none_or(|since| execution.started >= since)
            && self.host.as_ref().is_none_or(|host| request.hosts.contains(host))
            && self.seen_by.as_ref().is_none_or(|somebody| somebody.may_see(execution))
    }
}
