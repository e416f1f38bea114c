//! From the parameters of an action of the runner `monitoring` to the order. What a line leaves open (which problem, which monitoring, when a downtime ends) has
//! been filled in before, since that depends on what is known of alerts and on the time.

use crate::core::action::flaw::Flaw;
use crate::core::action::plan::PlanProblem;
use crate::core::action::run::Work;
use crate::core::action::shell::{text, unusable};
use crate::core::action::spec::Action;
use crate::core::alert::order::{Mark, Order, Part, Target, Wanted, in_one_line};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// So many things one order may be about.
pub(crate) const MOST: usize = 2_000;
/// Names of hosts and services are not longer.
const LONGEST_NAME: usize = 500;

/// Makes the order.
pub(super) fn order(action: &Action, values: &Map<String, Value>) -> Result<Work, PlanProblem> {
    let given = |name: &str| text(values, name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let parts = parts(values)?;
    let wanted = match given("order").as_deref() {
        Some("acknowledge") => Wanted::Acknowledge {
            sticky: values.get("sticky") != Some(&Value::Bool(false)),
            notify: values.get("notify") != Some(&Value::Bool(false)),
            expires: moment(values, "expires")?,
        },
        Some("remove_acknowledgement") => Wanted::RemoveAcknowledgement,
        Some("downtime") => Wanted::Downtime {
            start: moment(values, "start")?,
            end: moment(values, "end")?.ok_or_else(|| unusable("end", Flaw::NotAMoment))?,
        },
        Some("move_downtime") => Wanted::MoveDowntime {
            id: given("id").ok_or_else(|| unusable("id", Flaw::NoOrder))?,
            end: moment(values, "end")?.ok_or_else(|| unusable("end", Flaw::NotAMoment))?,
        },
        Some("remove_downtime") => Wanted::RemoveDowntime { id: given("id"), token: given("token") },
        Some("comment") => Wanted::Comment,
        Some("recheck") => Wanted::Recheck,
        Some("state") => Wanted::Read,
        _ => return Err(unusable("order", Flaw::NoOrder)),
    };
    let comment = in_one_line(&text(values, "comment").unwrap_or_default());
    if comment.is_empty() && wanted == Wanted::Comment {
        return Err(unusable("comment", Flaw::NoComment));
    }
    let patience = values.get("timeout").and_then(Value::as_u64).filter(|seconds| *seconds > 0);
    let mark = Mark { who: action.reference.to_string(), execution: String::new() };
    let patience = patience.map(Duration::from_secs);
    Ok(Work::Monitoring(Box::new(Order { parts, wanted, mark, comment, patience })))
}

/// The things that an order is about: `host` and `service`, or the list `problems`, in which each may say its `monitoring` where the order says none for all.
fn parts(values: &Map<String, Value>) -> Result<Vec<Part>, PlanProblem> {
    let named = |values: &Map<String, Value>| text(values, "monitoring").map(|text| text.trim().to_owned());
    let all = named(values).filter(|name| !name.is_empty());
    let mut targets: BTreeMap<String, BTreeSet<Target>> = BTreeMap::new();
    let list = values.get("problems").and_then(Value::as_array).filter(|list| !list.is_empty());
    for one in list.into_iter().flatten() {
        let one = one.as_object().ok_or_else(|| unusable("problems", Flaw::NotProblems))?;
        let monitoring = all.clone().or_else(|| named(one)).unwrap_or_default();
        targets.entry(monitoring).or_default().insert(target(one, "problems")?);
    }
    if list.is_none() {
        targets.entry(all.unwrap_or_default()).or_default().insert(target(values, "host")?);
    }
    if targets.values().map(BTreeSet::len).sum::<usize>() > MOST {
        return Err(unusable("problems", Flaw::TooManyProblems { most: MOST }));
    }
    let parts = targets.into_iter();
    Ok(parts.map(|(monitoring, about)| Part { monitoring, about: about.into_iter().collect() }).collect())
}

/// Whether somebody has written an expression over hosts. An address may begin with a bracket and is the name of one.
fn means_several(host: &str) -> bool {
    host.starts_with('@') || host.contains(',') || host.find('[').is_some_and(|place| place > 0)
}

fn target(values: &Map<String, Value>, parameter: &str) -> Result<Target, PlanProblem> {
    let name = |key: &str| text(values, key).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let host = name("host").ok_or_else(|| unusable(parameter, Flaw::NoMachine))?;
    if parameter == "host" && means_several(&host) {
        return Err(unusable(parameter, Flaw::NotOneWatched));
    }
    let service = name("service");
    for name in [Some(&host), service.as_ref()].into_iter().flatten() {
        // These names go into commands of one line, whose parts a semicolon ends.
        if name.len() > LONGEST_NAME || name.chars().any(|letter| letter.is_control() || letter == ';') {
            return Err(unusable(parameter, Flaw::NotWatchedName));
        }
    }
    Ok(Target { host, service })
}

fn moment(values: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, PlanProblem> {
    match text(values, name).filter(|text| !text.trim().is_empty()) {
        None => Ok(None),
        Some(text) => text.trim().parse().map(Some).map_err(|_| unusable(name, Flaw::NotAMoment)),
    }
}
