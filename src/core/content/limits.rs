//! StackStorm's own policies: `action.concurrency`, `action.concurrency.attr`, `action.retry`.

use super::fields::{Report, Table};
use super::policy::{Does, Policy};
use super::suggest::did_you_mean;
use super::yaml::Value;
use crate::core::action::spec::Action;
use crate::core::policy::{Concurrency, Excess, Policies, Retry, RetryOn};
use std::collections::BTreeSet;
use std::time::Duration;

/// The bounds of StackStorm's own schema.
const MOST_RETRIES: u64 = 5;
const LONGEST_DELAY: f64 = 120.0;
/// What StackStorm takes where the number of tries is not given.
const RETRIES: u64 = 2;

/// How many may run at once; with `attributes`, how many with the same values of these.
pub(super) fn concurrency(
    policy: String,
    with_attributes: bool,
    parameters: Option<&Table<'_>>,
    report: &mut Report<'_>,
) -> Option<Concurrency> {
    let Some(parameters) = parameters else {
        report.error(None, "", "the key `parameters` is missing, with `threshold` in it");
        return None;
    };
    let keys: &[&str] = if with_attributes { &["action", "threshold", "attributes"] } else { &["action", "threshold"] };
    parameters.only(keys, report);
    let words = Excess::WORDS.map(|(word, _)| word);
    let excess = parameters.word("action", &words, report);
    let excess = Excess::WORDS.iter().find(|(word, _)| Some(*word) == excess).map_or(Excess::Delay, |(_, it)| *it);
    if parameters.entry("threshold").is_none() {
        parameters.missing("threshold", report);
    }
    let threshold = parameters.whole("threshold", 1, report);
    let attributes = if with_attributes { attributes(parameters, report) } else { Vec::new() };
    let threshold = threshold?;
    let threshold = usize::try_from(threshold).unwrap_or(usize::MAX);
    Some(Concurrency { policy, threshold, excess, attributes })
}

fn attributes(parameters: &Table<'_>, report: &mut Report<'_>) -> Vec<String> {
    let mut attributes: Vec<String> = Vec::new();
    for (index, name) in parameters.texts("attributes", report).into_iter().enumerate() {
        let line = parameters.entry("attributes").map(|entry| entry.line);
        let path = format!("{}[{index}]", parameters.path_of("attributes"));
        if name.is_empty() {
            report.error(line, &path, "must not be empty");
        } else if attributes.iter().any(|known| known == name) {
            report.error(line, &path, "is named twice");
        } else {
            attributes.push(name.to_owned());
        }
    }
    attributes
}

/// What is tried again.
pub(super) fn retry(policy: String, parameters: Option<&Table<'_>>, report: &mut Report<'_>) -> Option<Retry> {
    let Some(parameters) = parameters else {
        report.error(None, "", "the key `parameters` is missing, with `retry_on` in it");
        return None;
    };
    parameters.only(&["retry_on", "max_retry_count", "delay"], report);
    if parameters.entry("retry_on").is_none() {
        parameters.missing("retry_on", report);
    }
    let words = RetryOn::WORDS.map(|(word, _)| word);
    let on = parameters.word("retry_on", &words, report);
    let most = parameters.whole("max_retry_count", 1, report);
    if let (Some(most), Some(entry)) = (most, parameters.entry("max_retry_count"))
        && most > MOST_RETRIES
    {
        let message = format!("must be at most {MOST_RETRIES}, and it is {most}");
        report.error(Some(entry.line), &parameters.path_of("max_retry_count"), message);
    }
    let delay = delay(parameters, report);
    let on = RetryOn::WORDS.iter().find(|(word, _)| Some(*word) == on).map(|(_, on)| *on)?;
    let most = u32::try_from(most.unwrap_or(RETRIES)).unwrap_or(u32::MAX);
    Some(Retry { policy, on, most, delay })
}

/// Seconds, with a fraction where that is wanted.
fn delay(parameters: &Table<'_>, report: &mut Report<'_>) -> Duration {
    let Some(entry) = parameters.entry("delay") else { return Duration::ZERO };
    let seconds = match &entry.node.value {
        Value::Number(number) => number.as_f64(),
        _ => None,
    };
    match seconds.filter(|seconds| (0.0..=LONGEST_DELAY).contains(seconds)) {
        Some(seconds) => Duration::from_secs_f64(seconds),
        None => {
            let message = format!("has to be a number of seconds from 0 to {LONGEST_DELAY}");
            report.error(Some(entry.line), &parameters.path_of("delay"), message);
            Duration::ZERO
        }
    }
}

impl Does {
    /// The name of a policy of StackStorm's own types.
    pub(super) fn limit(&self) -> Option<&str> {
        match self {
            Does::Concurrency(concurrency) => Some(&concurrency.policy),
            Does::Retry(retry) => Some(&retry.policy),
            Does::Effect { .. } | Does::Ask(_) | Does::Guard | Does::Nothing => None,
        }
    }
}

/// Puts what a policy says behind what others say.
pub(super) fn add(policies: &mut Policies, does: &Does) {
    match does {
        Does::Concurrency(concurrency) => policies.concurrency.push(concurrency.clone()),
        Does::Retry(retry) => policies.retry.push(retry.clone()),
        Does::Effect { .. } | Does::Ask(_) | Does::Guard | Does::Nothing => {}
    }
}

/// Warns of attributes that nothing has which the policy covers: all their values would be equal.
pub(super) fn check_attributes<'a>(
    policy: &Policy,
    covered: impl Iterator<Item = &'a Action>,
    report: &mut Report<'_>,
) {
    let Does::Concurrency(concurrency) = &policy.does else { return };
    let mut covered = covered.peekable();
    if covered.peek().is_none() {
        return;
    }
    let parameters: BTreeSet<&str> = covered.flat_map(|action| action.parameters.keys()).map(String::as_str).collect();
    for name in concurrency.attributes.iter().filter(|name| !parameters.contains(name.as_str())) {
        let message = format!("nothing that it covers has a parameter `{name}`");
        report.warning(policy.line, "parameters.attributes", message).suggestion =
            did_you_mean(name, parameters.iter().copied());
    }
}
