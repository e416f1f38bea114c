//! What keeps rules that act on problems of the monitoring from doing harm: how often a remedy may be tried, and when a rule rests.
//!
//! A remedy is what a rule has begun because of a problem, or what somebody had begun that was offered for it: **what a person wants is their
//! own matter**, and is neither counted nor held back here. [`Remedies`] is what is remembered of them, [`Remedies::hindrance`] asks whether one
//! more may begin; whether the problem is still one is asked of the alerts ([`Board`](crate::core::alert::life::Board)).
//!
//! - **One remedy of a rule at a time for one problem**, and the next after a rest.
//! - **A rule whose remedies fail one after the other rests until a person lets it act again.** A remedy that is tried again by a policy counts
//!   with its last try; one that a person stopped or refused says nothing of the rule.
//! - **All of it is bounded**: the newest remedies of a rule, within [`LONGEST_COOLDOWN`]; the rules that had one lately.

use crate::core::action::execution::Status;
use crate::core::alert::notification::Problem;
use crate::core::alert::offer::{Offerer, Origin};
use crate::core::id::{ExecutionId, RuleRef};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// A remedy longer ago is not remembered.
pub const LONGEST_COOLDOWN: Duration = Duration::from_secs(24 * 3600);
/// No rule may act more often within an hour.
pub const MOST_AN_HOUR: u32 = 1_000;
/// The same as a length.
const MOST: usize = MOST_AN_HOUR as usize;
/// Of how many rules it is known what they did.
const RULES: usize = 1_000;
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// How often rules may act on problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// So long after a remedy has ended, its rule does not act on the same problem.
    pub cooldown: Duration,
    /// So many remedies a rule begins within an hour, whatever the problems; 0 for any number.
    pub per_hour: u32,
    /// After so many failures in a row a rule rests; 0 for never.
    pub failures: u32,
}

impl Default for Guard {
    fn default() -> Self {
        Self { cooldown: Duration::from_secs(600), per_hour: 10, failures: 3 }
    }
}

/// What a rule says of that itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnGuard {
    /// See [`Guard::cooldown`].
    pub cooldown: Option<Duration>,
    /// See [`Guard::per_hour`].
    pub per_hour: Option<u32>,
    /// See [`Guard::failures`].
    pub failures: Option<u32>,
    /// It acts on problems that are like this, too.
    pub also: Vec<Also>,
}

impl OwnGuard {
    /// What holds for the rule, where this holds for all.
    pub fn over(&self, site: Guard) -> Guard {
        Guard {
            cooldown: self.cooldown.unwrap_or(site.cooldown),
            per_hour: self.per_hour.unwrap_or(site.per_hour),
            failures: self.failures.unwrap_or(site.failures),
        }
    }
}

/// How a problem can be that is otherwise left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Also {
    /// Somebody has taken it on.
    Acknowledged,
    /// Nobody needs to mind.
    Downtime,
    /// It is over.
    Recovered,
}

impl Also {
    /// They, by the words that rules write.
    pub const WORDS: [(&'static str, Also); 3] =
        [("acknowledged", Also::Acknowledged), ("downtime", Also::Downtime), ("recovered", Also::Recovered)];
}

/// Why a rule does not act on a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// This execution has the machine of the problem out of service.
    Held(ExecutionId),
    /// Its last remedies failed, so many of them.
    Rests(u32),
    /// What it has begun for the problem still runs.
    Runs(ExecutionId),
    /// It has acted on it a moment ago, and may again then.
    Cooldown(Timestamp),
    /// It has acted so often within an hour.
    PerHour(u32),
    /// The problem is like this.
    Is(Also),
}

/// What is remembered of remedies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remedies {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    by_rule: BTreeMap<RuleRef, Record>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    open: BTreeMap<ExecutionId, Open>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Record {
    begun: VecDeque<Past>,
    failures: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Past {
    problem: Problem,
    begun: Timestamp,
    /// When it ended; when it began, while that is not known.
    last: Timestamp,
    /// See [`Open::heals`].
    heals: bool,
}

/// A remedy that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Why it was begun.
    #[serde(flatten)]
    pub origin: Origin,
    /// The problem.
    pub problem: Problem,
    /// It was begun since there was a problem, and is for nothing when there is none any more.
    pub heals: bool,
}

impl Remedies {
    /// Nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.by_rule.is_empty() && self.open.is_empty()
    }

    /// An execution was begun because of a problem. What a person wanted counts for no rule.
    pub fn begin(&mut self, at: Timestamp, execution: &ExecutionId, open: Open) {
        let Some(rule) = open.origin.rule() else {
            self.open.insert(execution.clone(), open);
            return;
        };
        let record = self.by_rule.entry(rule.clone()).or_default();
        record.begun.push_back(Past { problem: open.problem.clone(), begun: at, last: at, heals: open.heals });
        let long_ago = |past: &Past| at.duration_since(past.last).unsigned_abs() > LONGEST_COOLDOWN;
        while record.begun.len() > MOST || record.begun.front().is_some_and(long_ago) {
            record.begun.pop_front();
        }
        self.open.insert(execution.clone(), open);
        while self.by_rule.len() > RULES {
            let newest = |record: &Record| record.begun.back().map(|past| past.last);
            let oldest = self.by_rule.iter().min_by_key(|(_, record)| newest(record)).map(|(rule, _)| rule.clone());
            oldest.and_then(|rule| self.by_rule.remove(&rule));
        }
    }

    /// An execution is tried again as another, which goes on with the remedy that it was. Gives the remedy.
    pub fn go_on(&mut self, execution: &ExecutionId, next: &ExecutionId) -> Option<Open> {
        let open = self.open.remove(execution)?;
        self.open.insert(next.clone(), open.clone());
        Some(open)
    }

    /// An execution has ended. Gives the remedy that it was.
    pub fn end(&mut self, at: Timestamp, execution: &ExecutionId, status: Status) -> Option<Open> {
        let open = self.open.remove(execution)?;
        if let Some(record) = open.origin.rule().and_then(|rule| self.by_rule.get_mut(rule)) {
            if let Some(past) = record.begun.iter_mut().rev().find(|past| past.problem == open.problem) {
                past.last = at;
            }
            match status {
                Status::Succeeded => record.failures = 0,
                Status::Failed | Status::Timeout | Status::Unknown => {
                    record.failures = record.failures.saturating_add(1)
                }
                _ => {}
            }
        }
        Some(open)
    }

    /// A person lets a rule act again.
    pub fn reset(&mut self, rule: &RuleRef) {
        if let Some(record) = self.by_rule.get_mut(rule) {
            record.failures = 0;
        }
    }

    /// Those whose execution is nowhere any more are over: the next try of one that never came to be.
    pub fn forget_lost(&mut self, lives: impl Fn(&ExecutionId) -> bool) {
        self.open.retain(|execution, _| lives(execution));
    }

    /// What an execution is a remedy for.
    pub fn open(&self, execution: &ExecutionId) -> Option<&Open> {
        self.open.get(execution)
    }

    /// What was begun of an offer for a problem and has not ended.
    pub fn taken(&self, offerer: &Offerer, problem: &Problem) -> Option<&ExecutionId> {
        let same = |open: &Open| open.origin.offerer() == Some(offerer) && open.problem.may_be(problem);
        self.open.iter().find(|(_, open)| same(open)).map(|(execution, _)| execution)
    }

    /// How many remedies of a rule failed in a row.
    pub fn failures(&self, rule: &RuleRef) -> u32 {
        self.by_rule.get(rule).map_or(0, |record| record.failures)
    }

    /// Whether a rule rests.
    pub fn rests(&self, rule: &RuleRef, guard: Guard) -> bool {
        guard.failures > 0 && self.failures(rule) >= guard.failures
    }

    /// Why a rule may not act on a problem now; nothing where it may. What does not heal, since the event is none of a problem but of what becomes of
    /// it, comes once, and nothing of it may be lost for another that came before.
    pub fn hindrance(
        &self,
        rule: &RuleRef,
        problem: &Problem,
        guard: Guard,
        heals: bool,
        now: Timestamp,
    ) -> Option<Hindrance> {
        let record = self.by_rule.get(rule)?;
        if self.rests(rule, guard) {
            return Some(Hindrance::Rests(record.failures));
        }
        let same =
            |open: &Open| heals && open.heals && open.origin.rule() == Some(rule) && open.problem.may_be(problem);
        if let Some((execution, _)) = self.open.iter().find(|(_, open)| same(open)) {
            return Some(Hindrance::Runs(execution.clone()));
        }
        let same = record.begun.iter().filter(|past| heals && past.heals && past.problem.may_be(problem));
        let last = same.map(|past| past.last).max();
        let again = last.and_then(|last| last.checked_add(guard.cooldown).ok());
        if let Some(again) = again.filter(|again| *again > now) {
            return Some(Hindrance::Cooldown(again));
        }
        let lately = record.begun.iter().filter(|past| now.duration_since(past.begun) < HOUR).count();
        let most = usize::try_from(guard.per_hour).unwrap_or(MOST);
        (guard.per_hour > 0 && lately >= most).then_some(Hindrance::PerHour(guard.per_hour))
    }
}
