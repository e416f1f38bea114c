//! What people may have done about a problem: what rules and aliases offer for it, as long as it lives.
//!
//! An offer is asked for, by a button or by its code, and then begins as if the one who asks had written it. It says what it was offered with:
//! the parameters as they are written, and the event that they speak of. What was asked for is rendered when somebody asks, so that no secret and
//! no value of yesterday is kept with it.
//!
//! - **An offer stands while the problem lives**, for [`STANDS`] after the monitoring has told of it last.
//! - **The revision goes up whenever another choice is to be had**: offers come, change or go, or one of them begins or ends. Whoever answers an
//!   older one has seen something else.
//! - **A code means the same offer as long as it stands**, and another one never.

use super::notification::Problem;
use crate::core::chat::code::Code;
use crate::core::id::{ActionRef, AliasRef, RuleRef, TriggerInstanceId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// So long after the monitoring has told of the problem last its offers stand.
pub const STANDS: SignedDuration = SignedDuration::from_hours(7 * 24);
/// So many are kept for one problem.
pub const MOST: usize = 20;
/// So many stand below a post; the others are asked for by their codes.
pub const SHOWN: usize = 5;
/// For so many problems something is offered at once.
pub const MOST_PROBLEMS: usize = 1_000;

/// Who offers something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Offerer {
    /// A rule that offers instead of acting.
    Rule {
        /// Which.
        rule: RuleRef,
    },
    /// An alias that can also be had for problems.
    Alias {
        /// Which.
        alias: AliasRef,
    },
}

/// One thing that people may have done about a problem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// By what people name it.
    pub code: Code,
    /// Who offers it.
    pub offerer: Offerer,
    /// What stands on its button: the site's own words.
    pub label: String,
    /// What it runs.
    pub action: ActionRef,
    /// With what, as it is written: values, and templates over the event.
    pub parameters: Map<String, Value>,
}

impl Offer {
    /// Whether both are the same thing, whatever it is called by.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.offerer, &self.label, &self.action, &self.parameters)
            == (&other.offerer, &other.label, &other.action, &other.parameters)
    }
}

/// All that is offered for one problem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offers {
    /// Which choice this is.
    pub revision: u32,
    /// Until when they stand.
    pub until: Timestamp,
    /// The event that told of the problem last, which the parameters speak of.
    pub instance: TriggerInstanceId,
    /// What it said. **Nothing of this can be trusted.**
    pub payload: Value,
    /// They, in the order in which they are shown.
    pub list: Vec<Offer>,
}

/// Why something was begun because of a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Origin {
    /// A rule acted on it.
    Rule {
        /// Which.
        rule: RuleRef,
    },
    /// Somebody took an offer.
    Offer {
        /// Whose.
        offerer: Offerer,
        /// What it was offered as.
        label: String,
        /// The name of the one who took it.
        taken_by: String,
    },
    /// Somebody has asked the monitoring for something.
    Order {
        /// What, as [`Wanted::word`](super::order::Wanted::word) says it.
        order: String,
        /// The name of the one who did.
        wanted_by: String,
    },
}

impl Origin {
    /// The rule that acted, where one did.
    pub fn rule(&self) -> Option<&RuleRef> {
        match self {
            Self::Rule { rule } => Some(rule),
            Self::Offer { .. } | Self::Order { .. } => None,
        }
    }

    /// Whose offer was taken, where one was.
    pub fn offerer(&self) -> Option<&Offerer> {
        match self {
            Self::Rule { .. } | Self::Order { .. } => None,
            Self::Offer { offerer, .. } => Some(offerer),
        }
    }
}

/// What is offered for the problems that are known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offered {
    #[serde(with = "crate::core::memory::pairs")]
    by_problem: BTreeMap<Problem, Offers>,
}

impl Offered {
    /// Whether nothing was ever offered for what is known.
    pub fn is_empty(&self) -> bool {
        self.by_problem.is_empty()
    }

    /// For how many problems something is offered now.
    pub fn len(&self) -> usize {
        self.by_problem.values().filter(|offers| !offers.list.is_empty()).count()
    }

    /// What is offered for a problem; nothing also where nothing is any more.
    pub fn of(&self, problem: &Problem) -> Option<&Offers> {
        self.by_problem.get(problem)
    }

    /// The problem for which something is offered under a code.
    pub fn find(&self, code: &Code) -> Option<(&Problem, &Offers)> {
        self.by_problem.iter().find(|(_, offers)| offers.list.iter().any(|offer| offer.code == *code))
    }

    /// Something is offered for a problem, in place of what was.
    pub(super) fn put(&mut self, problem: Problem, offers: Offers) {
        self.by_problem.insert(problem, offers);
    }

    /// The problem is over, so nothing is offered for it any more; what is offered when it comes back is another choice.
    pub(super) fn withdraw(&mut self, problem: &Problem) {
        if let Some(offers) = self.by_problem.get_mut(problem).filter(|offers| !offers.list.is_empty()) {
            offers.list.clear();
            offers.payload = Value::Null;
            offers.revision = offers.revision.saturating_add(1);
        }
    }

    /// One of them was taken, or what it began has ended.
    pub(super) fn turn(&mut self, problem: &Problem) {
        if let Some(offers) = self.by_problem.get_mut(problem) {
            offers.revision = offers.revision.saturating_add(1);
        }
    }

    /// A problem is called otherwise from now on.
    pub(super) fn rename(&mut self, problem: &Problem, now: &Problem) {
        if let Some(offers) = self.by_problem.remove(problem) {
            self.by_problem.insert(now.clone(), offers);
        }
    }

    pub(super) fn forget(&mut self, problem: &Problem) {
        self.by_problem.remove(problem);
    }

    /// The problems whose offers have stood for too long.
    pub fn lapsed(&self, now: Timestamp) -> Vec<Problem> {
        let over = |offers: &&Offers| !offers.list.is_empty() && offers.until < now;
        self.by_problem.iter().filter(|(_, offers)| over(offers)).map(|(problem, _)| problem.clone()).collect()
    }

    /// When the next ones will have.
    pub fn next_lapse(&self) -> Option<Timestamp> {
        let until = self.by_problem.values().filter(|offers| !offers.list.is_empty()).map(|offers| offers.until).min();
        until?.checked_add(SignedDuration::from_secs(1)).ok()
    }
}
