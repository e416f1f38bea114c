//! A policy file: what is said about actions from outside of them.
//!
//! `action.effect` is in force. The others are StackStorm's, or ours and not built yet, and are only checked; but
//! **an approval that is not enforced takes the actions it covers out of service**, because a guarded action that runs unguarded is
//! worse than one that does not run. For the same reason a policy file that cannot be understood is searched for signs of an approval.

use super::action::{EFFECTS, PARTINGS};
use super::fields::{Report, Table, check_name, check_pack, not_among};
use super::yaml::{Node, Value};
use crate::core::action::execution::EffectClass;
use crate::core::action::run::Parting;

const KEYS: &[&str] =
    &["name", "description", "enabled", "resource_ref", "policy_type", "parameters", "pack", "id", "ref", "uid"];

const APPROVAL: &str = "action.approval";
const EFFECT: &str = "action.effect";
const TYPES: &[&str] = &[APPROVAL, EFFECT, "action.concurrency", "action.concurrency.attr", "action.retry"];

/// What a file of `policies/` does to the actions that it covers.
pub(crate) struct Policy {
    pub(crate) covers: Covers,
    pub(crate) line: Option<usize>,
    pub(crate) does: Does,
}

/// The actions that a policy is about.
pub(crate) enum Covers {
    /// Those whose ref the glob covers.
    Glob(String),
    /// Nobody can tell: every action of the policy's pack that does more than look.
    Unknown,
}

pub(crate) enum Does {
    /// Says what the actions can do to the world.
    Effect { class: Option<EffectClass>, raw: Option<bool>, parting: Option<Parting> },
    /// Takes the actions out of service, as nothing asks for their approval.
    Guard,
    /// Nothing yet.
    Nothing,
}

/// Reads a document of `policies/`.
pub(crate) fn read(document: &Node, pack: &str, report: &mut Report<'_>) -> Option<Policy> {
    let table = Table::document(document, report)?;
    table.only(KEYS, report);
    check_pack(&table, pack, report);
    if let Some(name) = table.required_text("name", report) {
        check_name(&table, name, true, report);
    }
    for key in ["description", "id", "ref", "uid"] {
        table.text(key, report);
    }
    let enabled = table.boolean("enabled", report).unwrap_or(true);
    let resource = table.required_text("resource_ref", report);
    let line = table.entry("resource_ref").map(|entry| entry.line);
    let policy_type = table.required_text("policy_type", report);
    let type_line = table.entry("policy_type").map(|entry| entry.line);
    let parameters = table.table("parameters", report);
    let does = match policy_type {
        Some(EFFECT) => effect(parameters.as_ref(), report),
        Some(APPROVAL) => {
            approval(parameters.as_ref(), report);
            Does::Guard
        }
        Some(known @ ("action.concurrency" | "action.concurrency.attr" | "action.retry")) => {
            limits(known, parameters.as_ref(), report);
            let message = format!("policies of the type {known} are checked and not enforced yet");
            report.not_supported(type_line, "policy_type", message);
            Does::Nothing
        }
        Some(other) => {
            not_among(type_line, "policy_type", other, TYPES, report);
            // A misspelt approval is meant as a guard all the same.
            Does::Guard
        }
        None => Does::Guard,
    };
    if !enabled {
        return None;
    }
    let covers = match resource {
        Some(resource) => Covers::Glob(resource.to_owned()),
        None => Covers::Unknown,
    };
    match does {
        Does::Guard => Some(Policy { covers, line, does }),
        Does::Effect { .. } | Does::Nothing if report.has_errors() => None,
        Does::Effect { .. } | Does::Nothing => Some(Policy { covers, line, does }),
    }
}

/// What to take out of service when a policy file is no map at all: nothing, unless it could be an approval.
pub(crate) fn from_unreadable(text: Option<&str>) -> Vec<Policy> {
    let guard = |covers| Policy { covers, line: None, does: Does::Guard };
    let Some(text) = text else { return vec![guard(Covers::Unknown)] };
    if !text.contains("approval") {
        return Vec::new();
    }
    let named: Vec<Policy> = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("resource_ref")?.trim_start().strip_prefix(':'))
        .map(|rest| rest.split_once(" #").map_or(rest, |(before, _)| before).trim().trim_matches(['"', '\'']))
        .filter(|named| !named.is_empty())
        .map(|named| guard(Covers::Glob(named.to_owned())))
        .collect();
    if named.is_empty() { vec![guard(Covers::Unknown)] } else { named }
}

fn effect(parameters: Option<&Table<'_>>, report: &mut Report<'_>) -> Does {
    let Some(parameters) = parameters else {
        report.error(None, "", "the key `parameters` is missing, with `effect`, `raw` or `connection` in it");
        return Does::Nothing;
    };
    parameters.only(&["effect", "raw", "connection"], report);
    let words: Vec<&str> = EFFECTS.iter().map(|(word, _)| *word).collect();
    let word = parameters.word("effect", &words, report);
    let class = EFFECTS.iter().find(|(known, _)| Some(*known) == word).map(|(_, class)| *class);
    let raw = parameters.boolean("raw", report);
    let words: Vec<&str> = PARTINGS.iter().map(|(word, _)| *word).collect();
    let word = parameters.word("connection", &words, report);
    let parting = PARTINGS.iter().find(|(known, _)| Some(*known) == word).map(|(_, parting)| *parting);
    if ["effect", "raw", "connection"].iter().all(|key| parameters.entry(key).is_none()) {
        report.error(parameters.line, &parameters.path, "has none of `effect`, `raw` and `connection`");
    }
    Does::Effect { class, raw, parting }
}

fn approval(parameters: Option<&Table<'_>>, report: &mut Report<'_>) {
    let Some(parameters) = parameters else {
        report.error(None, "", "the key `parameters` is missing, with `approvers` in it");
        return;
    };
    parameters.only(&["approvers", "quorum", "allow_requester", "expires", "reason", "confirm", "when"], report);
    match parameters.table("approvers", report) {
        Some(approvers) => {
            approvers.only(&["roles", "users", "channels"], report);
            let mut anybody = false;
            for key in ["roles", "users", "channels"] {
                anybody |= !approvers.texts(key, report).is_empty();
            }
            if !anybody {
                report.error(approvers.line, &approvers.path, "names nobody, so nobody could ever approve");
            }
        }
        None if parameters.entry("approvers").is_none() => parameters.missing("approvers", report),
        None => {}
    }
    parameters.whole("quorum", 1, report);
    parameters.whole("expires", 1, report);
    parameters.boolean("allow_requester", report);
    parameters.word("reason", &["optional", "required"], report);
    parameters.word("confirm", &["none", "target"], report);
    parameters.text("when", report);
}

fn limits(policy_type: &str, parameters: Option<&Table<'_>>, report: &mut Report<'_>) {
    let Some(parameters) = parameters else { return };
    if policy_type == "action.retry" {
        parameters.only(&["retry_on", "max_retry_count", "delay"], report);
        parameters.word("retry_on", &["timeout", "failure"], report);
        parameters.whole("max_retry_count", 1, report);
        if let Some(entry) = parameters.entry("delay")
            && !matches!(entry.node.value, Value::Number(_))
        {
            report.error(Some(entry.line), &parameters.path_of("delay"), "has to be a number of seconds");
        }
        return;
    }
    parameters.only(&["action", "threshold", "attributes"], report);
    parameters.word("action", &["delay", "cancel"], report);
    parameters.whole("threshold", 1, report);
    if policy_type == "action.concurrency.attr" {
        parameters.texts("attributes", report);
    }
}
