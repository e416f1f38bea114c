//! Why a decision falls as it does: every grant that speaks of the action, and what of it does not hold.

use crate::core::access::arguments::Arguments;
use crate::core::access::{Held, Rests, Rights, includes};
use crate::core::action::params::MASK;
use crate::core::action::spec::Action;
use crate::core::content::glob::covers;
use crate::core::host::Inventory;
use crate::core::settings::{Grant, Verb};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One grant, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The role that it comes from.
    pub role: String,
    /// The grant as people write it.
    pub grant: String,
    /// Where it is written: file and line; empty where it is written nowhere.
    pub written: String,
    /// What becomes of it.
    pub outcome: Outcome,
    /// The argument that is not as wanted, for [`Outcome::Argument`].
    pub argument: String,
    /// Its value, or the part of it that is not; empty where it has none or must not be seen.
    pub value: String,
    /// What is wanted: patterns, channels or hours.
    pub wanted: String,
}

/// What becomes of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It grants what is wanted.
    Holds,
    /// It grants something else on the action.
    OtherVerb,
    /// An argument is not as wanted.
    Argument,
    /// It holds in other channels.
    Elsewhere,
    /// It holds at other times.
    AtOtherTimes,
}

/// Every grant that speaks of the action, those that hold first. `secrets` are parameters whose values must not be seen.
pub fn reasons(
    rights: &Rights,
    verb: Verb,
    action: &Action,
    arguments: &Arguments<'_>,
    secrets: &BTreeSet<String>,
    inventory: &Inventory,
) -> Vec<Reason> {
    let speaks = |grant: &Grant| covers(&grant.on, action.reference.as_str());
    let now = rights.grants.iter().map(|held| (held, None));
    let resting = rights.resting.iter().map(|(held, why)| (held, Some(*why)));
    let mut reasons: Vec<Reason> = now
        .chain(resting)
        .filter(|(held, _)| speaks(&held.grant))
        .map(|(held, rests)| judged(held, rests, verb, arguments, secrets, inventory))
        .collect();
    reasons.sort_by_key(|reason| reason.outcome != Outcome::Holds);
    reasons
}

fn judged(
    Held { role, grant }: &Held,
    rests: Option<Rests>,
    verb: Verb,
    arguments: &Arguments<'_>,
    secrets: &BTreeSet<String>,
    inventory: &Inventory,
) -> Reason {
    let mut reason = Reason {
        role: role.clone(),
        grant: grant.to_string(),
        written: grant.written.clone(),
        outcome: Outcome::Holds,
        argument: String::new(),
        value: String::new(),
        wanted: String::new(),
    };
    if !includes(grant.verb, verb) {
        reason.outcome = Outcome::OtherVerb;
        return reason;
    }
    for (name, wanted) in &grant.arguments {
        let (holds, value) = if arguments.runs_on(name) {
            let odd = arguments.hosts.iter().find(|host| !wanted.holds_host(host, inventory));
            (odd.is_none() && !arguments.hosts.is_empty(), odd.map(ToString::to_string).unwrap_or_default())
        } else {
            let value = arguments.values.get(name).map(|value| wanted.odd_one(value, inventory)).unwrap_or_default();
            (arguments.matches(name, wanted, inventory), value)
        };
        if !holds {
            reason.outcome = Outcome::Argument;
            reason.argument.clone_from(name);
            reason.value = if secrets.contains(name) && !value.is_empty() { MASK.to_owned() } else { value };
            reason.wanted = wanted.to_string();
            return reason;
        }
    }
    match rests {
        None => {}
        Some(Rests::Elsewhere) => {
            reason.outcome = Outcome::Elsewhere;
            reason.wanted = grant.channels.join(", ");
        }
        Some(Rests::AtOtherTimes) => {
            reason.outcome = Outcome::AtOtherTimes;
            reason.wanted = grant.hours.as_ref().map(ToString::to_string).unwrap_or_default();
        }
    }
    reason
}
