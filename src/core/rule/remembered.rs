//! What is remembered of events and of rules: which events were taken up, which rules somebody switched, and what came of each rule last.
//!
//! **All of it is bounded**: the newest events, the newest outcomes of each rule, the rules that had one lately.

use super::spec::Rule;
use super::trigger::{Outcome, Taken};
use crate::core::id::{RuleRef, TriggerInstanceId, TriggerRef};
use crate::core::input::Principal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many events are known to have been taken up. A source that brings one again has to do so before so many others have come.
const KNOWN: usize = 20_000;
/// How many outcomes of one rule are known.
const LAST: usize = 10;
/// Of how many rules.
const RULES: usize = 1_000;

/// What is remembered of events and of rules.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// The events that were taken up, the newest last.
    #[serde(skip_serializing_if = "Known::is_empty")]
    known: Known,
    /// The rules that somebody switched on or off.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    switched: BTreeMap<RuleRef, Switched>,
    /// What came of each rule.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    last: BTreeMap<RuleRef, Past>,
}

/// Ids in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "VecDeque<TriggerInstanceId>", into = "VecDeque<TriggerInstanceId>")]
struct Known {
    order: VecDeque<TriggerInstanceId>,
    all: BTreeSet<TriggerInstanceId>,
}

impl From<VecDeque<TriggerInstanceId>> for Known {
    fn from(order: VecDeque<TriggerInstanceId>) -> Self {
        Self { all: order.iter().cloned().collect(), order }
    }
}

impl From<Known> for VecDeque<TriggerInstanceId> {
    fn from(known: Known) -> Self {
        known.order
    }
}

impl Known {
    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    fn add(&mut self, id: &TriggerInstanceId) {
        if self.all.insert(id.clone()) {
            self.order.push_back(id.clone());
        }
        while self.order.len() > KNOWN {
            let oldest = self.order.pop_front();
            oldest.map(|oldest| self.all.remove(&oldest));
        }
    }
}

/// A rule was switched on or off, whatever its file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switched {
    /// Whether it is in force.
    pub enabled: bool,
    /// Who said so.
    pub by: Principal,
    /// When.
    pub at: Timestamp,
}

/// What came of a rule so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Past {
    /// How often something came of it.
    pub count: u64,
    /// The newest, the newest last.
    pub last: VecDeque<PastOutcome>,
}

/// One time that a rule matched, or could not be judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastOutcome {
    /// When.
    pub at: Timestamp,
    /// On which event.
    pub instance: TriggerInstanceId,
    /// What kind of event.
    pub trigger: TriggerRef,
    /// What came of it.
    pub outcome: Outcome,
}

impl Remembered {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// An event was taken up.
    pub fn take(&mut self, at: Timestamp, taken: &Taken) {
        self.known.add(&taken.instance.id);
        for enforcement in &taken.enforcements {
            let past = self.last.entry(enforcement.rule.clone()).or_default();
            past.count += 1;
            past.last.push_back(PastOutcome {
                at,
                instance: taken.instance.id.clone(),
                trigger: taken.instance.trigger.clone(),
                outcome: enforcement.outcome.clone(),
            });
            while past.last.len() > LAST {
                past.last.pop_front();
            }
        }
        while self.last.len() > RULES {
            let newest = |past: &Past| past.last.back().map(|outcome| outcome.at);
            let oldest = self.last.iter().min_by_key(|(_, past)| newest(past)).map(|(rule, _)| rule.clone());
            oldest.and_then(|rule| self.last.remove(&rule));
        }
    }

    /// Somebody switched a rule.
    pub fn switch(&mut self, rule: &RuleRef, switched: Switched) {
        self.switched.insert(rule.clone(), switched);
    }

    /// Whether an event has been taken up.
    pub fn has_taken(&self, id: &TriggerInstanceId) -> bool {
        self.known.all.contains(id)
    }

    /// Who switched a rule, where somebody did.
    pub fn switched(&self, rule: &RuleRef) -> Option<&Switched> {
        self.switched.get(rule)
    }

    /// Whether a rule is in force: as somebody said, or else as its file says.
    pub fn is_enabled(&self, rule: &Rule) -> bool {
        self.switched(&rule.reference).map_or(rule.enabled, |switched| switched.enabled)
    }

    /// What came of a rule.
    pub fn past(&self, rule: &RuleRef) -> Option<&Past> {
        self.last.get(rule)
    }
}
