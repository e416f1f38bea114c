//! What came of a play beside what was expected of it.

use super::play::Started;
use super::{Complaint, Expected, WantedStart, compact, plain};
use crate::core::workflow::status::Status;
use crate::core::workflow::transition::Trouble;
use serde_json::{Map, Value};

/// How a workflow ended.
pub(super) struct Ran<'s> {
    pub(super) status: Status,
    pub(super) output: Option<&'s Map<String, Value>>,
    pub(super) errors: &'s [Trouble],
}

/// An error as it is told: the task, and what happened.
pub(super) fn error(error: &Trouble) -> String {
    match &error.task_id {
        Some(task) => format!("{task}: {}", error.message),
        None => error.message.clone(),
    }
}

/// What is otherwise than expected. Of a play that was `stopped` only what happened is looked at, not what is missing.
pub(super) fn compare(expected: &Expected, starts: &[Started], ran: &Ran<'_>, stopped: bool) -> Vec<Complaint> {
    let mut found = Vec::new();
    if let Some(wanted) = &expected.tasks {
        tasks(wanted, starts, stopped, expected.line, &mut found);
    }
    for never in &expected.never {
        if starts.iter().any(|start| start.task == never.value) {
            let message = format!("`{}` has run, and never should", never.value);
            found.push(Complaint::Trouble { line: never.line, message });
        }
    }
    if stopped {
        return found;
    }
    let mut differs = |line: usize, about: &str, expected: String, got: String| {
        found.push(Complaint::Differs { line, about: about.to_owned(), expected, got });
    };
    if ran.status != expected.status.value {
        differs(expected.status.line, "status", expected.status.value.to_string(), ran.status.to_string());
    }
    if let Some(wanted) = &expected.output {
        let got = Value::Object(ran.output.cloned().unwrap_or_default());
        values("output", &wanted.value, &got, &mut |about, expected, got| differs(wanted.line, about, expected, got));
    }
    if let Some(wanted) = &expected.errors {
        let got: Vec<String> = ran.errors.iter().map(error).collect();
        let equal = wanted.value.len() == got.len()
            && wanted.value.iter().zip(&got).all(|(wanted, got)| got.contains(wanted.as_str()));
        if !equal {
            let none = |list: &[String]| if list.is_empty() { "none".to_owned() } else { list.join("; ") };
            differs(wanted.line, "errors", none(&wanted.value), none(&got));
        }
    }
    found
}

/// Holds the starts against groups of expected ones; those of a group come in any order.
fn tasks(wanted: &[Vec<WantedStart>], starts: &[Started], stopped: bool, line: usize, found: &mut Vec<Complaint>) {
    let mut rest = starts;
    for group in wanted {
        let (now, later) = rest.split_at(group.len().min(rest.len()));
        let mut open: Vec<&WantedStart> = group.iter().collect();
        for start in now {
            // Where several of one name stand side by side, the one that is as this one is meant.
            let named = |wanted: &&WantedStart| wanted.task == start.task;
            let exact = open.iter().position(|wanted| named(wanted) && details(wanted, start).is_empty());
            let Some(at) = exact.or_else(|| open.iter().position(named)) else {
                let line = open.first().map_or(line, |wanted| wanted.line);
                return found.push(sequence(wanted, starts, line));
            };
            found.extend(details(open.remove(at), start));
        }
        if let Some(missing) = open.first() {
            if !stopped {
                found.push(sequence(wanted, starts, missing.line));
            }
            return;
        }
        rest = later;
    }
    if !rest.is_empty() {
        let line = wanted.last().and_then(|group| group.last()).map_or(line, |wanted| wanted.line);
        found.push(sequence(wanted, starts, line));
    }
}

/// Both sequences as a whole.
fn sequence(wanted: &[Vec<WantedStart>], starts: &[Started], line: usize) -> Complaint {
    let group = |group: &Vec<WantedStart>| {
        let names: Vec<&str> = group.iter().map(|start| start.task.as_str()).collect();
        if names.len() == 1 { names.concat() } else { format!("({} in any order)", names.join(", ")) }
    };
    let expected = run_lengths(wanted.iter().map(group));
    let got = run_lengths(starts.iter().map(|start| start.task.clone()));
    Complaint::Differs { line, about: "tasks".to_owned(), expected, got }
}

/// `look ×3, report`
fn run_lengths(names: impl Iterator<Item = String>) -> String {
    let mut runs: Vec<(String, usize)> = Vec::new();
    for name in names {
        match runs.last_mut() {
            Some((last, count)) if *last == name => *count += 1,
            _ => runs.push((name, 1)),
        }
    }
    let shown = runs.into_iter().map(|(name, count)| if count == 1 { name } else { format!("{name} ×{count}") });
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}

/// What is otherwise about one start than expected.
fn details(wanted: &WantedStart, start: &Started) -> Vec<Complaint> {
    let mut found = Vec::new();
    let mut differs = |about: String, expected: String, got: String| {
        found.push(Complaint::Differs { line: wanted.line, about, expected, got });
    };
    let about = |what: &str| format!("{}.{what}", wanted.task);
    if let Some(items) = wanted.items
        && items != start.actions.len()
    {
        differs(about("items"), format!("{items} started"), format!("{} started", start.actions.len()));
    }
    if let Some(delay) = wanted.delay
        && delay != start.delay.unwrap_or_default()
    {
        differs(about("delay"), delay.to_string(), start.delay.unwrap_or_default().to_string());
    }
    for (action, input) in &start.actions {
        if let Some(wanted) = &wanted.action
            && *wanted != plain(action)
        {
            differs(about("action"), wanted.clone(), plain(action));
        }
        for (name, wanted) in wanted.input.iter().flatten() {
            let got = input.get(name).unwrap_or(&Value::Null);
            values(&about(&format!("input.{name}")), wanted, got, &mut |about, expected, got| {
                differs(about.to_owned(), expected, got);
            });
        }
    }
    found
}

/// Tells where two values part, by the paths of their keys.
fn values(path: &str, wanted: &Value, got: &Value, differs: &mut dyn FnMut(&str, String, String)) {
    match (wanted, got) {
        (Value::Object(wanted), Value::Object(got)) => {
            for (name, value) in wanted {
                let path = format!("{path}.{name}");
                match got.get(name) {
                    Some(got) => values(&path, value, got, differs),
                    None => differs(&path, compact(value), "nothing".to_owned()),
                }
            }
            for (name, value) in got.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
                differs(&format!("{path}.{name}"), "nothing".to_owned(), compact(value));
            }
        }
        (Value::Array(wanted), Value::Array(got)) if wanted.len() == got.len() => {
            for (at, (wanted, got)) in wanted.iter().zip(got).enumerate() {
                values(&format!("{path}[{at}]"), wanted, got, differs);
            }
        }
        (wanted, got) if wanted == got => {}
        (wanted, got) => differs(path, compact(wanted), compact(got)),
    }
}
