//! A policy file: what is said about actions from outside of them.
//!
//! **An approval that cannot be understood takes the actions it covers out of service**, because a guarded action that runs unguarded is worse
//! than one that does not run. For the same reason a policy file that is no map at all is searched for signs of an approval.

use super::action::{EFFECTS, PARTINGS};
use super::fields::{Report, Table, check_name, check_pack, not_among};
use super::limits;
use super::parameter::check_filters;
use super::yaml::Node;
use crate::core::access::approvers::Approvers;
use crate::core::action::execution::EffectClass;
use crate::core::action::run::Parting;
use crate::core::approval::{self, Terms};
use crate::core::policy::{Concurrency, Retry};
use crate::core::template::render::{is_template, names, unknown_filters};

const KEYS: &[&str] = &[
    "name",
    "description",
    "enabled",
    "resource_ref",
    "policy_type",
    "parameters",
    "pack",
    "id",
    "ref",
    "uid",
    "metadata_file",
];

const APPROVAL: &str = "action.approval";
const EFFECT: &str = "action.effect";
const CONCURRENCY: &str = "action.concurrency";
const CONCURRENCY_BY_ATTRIBUTE: &str = "action.concurrency.attr";
const RETRY: &str = "action.retry";
/// What a policy of that type can say.
const EFFECT_KEYS: [&str; 4] = ["effect", "raw", "connection", "out_of_service"];
const TYPES: &[&str] = &[APPROVAL, EFFECT, CONCURRENCY, CONCURRENCY_BY_ATTRIBUTE, RETRY];

/// How long a request stands where the policy says nothing, in seconds.
const EXPIRES: u64 = 900;
/// How long at most.
const LONGEST: u64 = 30 * 24 * 3600;

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
    Effect {
        class: Option<EffectClass>,
        raw: Option<bool>,
        parting: Option<Parting>,
        /// The parameter that names the machines that are out of service, and the line that says so.
        out_of_service: Option<(String, Option<usize>)>,
    },
    /// Has the actions wait for an approval.
    Ask(Box<approval::Policy>),
    /// Takes the actions out of service: an approval may be meant, and nobody can tell which.
    Guard,
    /// Bounds how many of them run at once.
    Concurrency(Concurrency),
    /// Has what failed tried again.
    Retry(Retry),
    /// Nothing yet.
    Nothing,
}

/// Reads a document of `policies/`.
pub(crate) fn read(document: &Node, pack: &str, report: &mut Report<'_>) -> Option<Policy> {
    let table = Table::document(document, report)?;
    table.only(KEYS, report);
    check_pack(&table, pack, report);
    let name = table.required_text("name", report);
    if let Some(name) = name {
        check_name(&table, name, true, report);
    }
    let reference = format!("{pack}.{}", name.unwrap_or_default());
    for key in ["description", "id", "ref", "uid", "metadata_file"] {
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
            let asked = approval(parameters.as_ref(), report);
            match (asked, name) {
                (Some((terms, when)), Some(name)) if !report.has_errors() => {
                    let terms = Terms { policy: format!("{pack}.{name}"), ..terms };
                    Does::Ask(Box::new(approval::Policy { terms, when, file: report.file().to_owned() }))
                }
                _ => Does::Guard,
            }
        }
        Some(known @ (CONCURRENCY | CONCURRENCY_BY_ATTRIBUTE)) => {
            let by_attribute = known == CONCURRENCY_BY_ATTRIBUTE;
            let concurrency = limits::concurrency(reference, by_attribute, parameters.as_ref(), report);
            concurrency.map_or(Does::Nothing, Does::Concurrency)
        }
        Some(RETRY) => limits::retry(reference, parameters.as_ref(), report).map_or(Does::Nothing, Does::Retry),
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
        Does::Guard | Does::Ask(_) => Some(Policy { covers, line, does }),
        _ if report.has_errors() => None,
        _ => Some(Policy { covers, line, does }),
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
        let message = "the key `parameters` is missing, with `effect`, `raw`, `connection` or `out_of_service` in it";
        report.error(None, "", message);
        return Does::Nothing;
    };
    parameters.only(&EFFECT_KEYS, report);
    let words: Vec<&str> = EFFECTS.iter().map(|(word, _)| *word).collect();
    let word = parameters.word("effect", &words, report);
    let class = EFFECTS.iter().find(|(known, _)| Some(*known) == word).map(|(_, class)| *class);
    let raw = parameters.boolean("raw", report);
    let words: Vec<&str> = PARTINGS.iter().map(|(word, _)| *word).collect();
    let word = parameters.word("connection", &words, report);
    let parting = PARTINGS.iter().find(|(known, _)| Some(*known) == word).map(|(_, parting)| *parting);
    let line = parameters.entry("out_of_service").map(|entry| entry.line);
    let out_of_service = parameters.text("out_of_service", report).map(|name| (name.to_owned(), line));
    if EFFECT_KEYS.iter().all(|key| parameters.entry(key).is_none()) {
        let message = "has none of `effect`, `raw`, `connection` and `out_of_service`";
        report.error(parameters.line, &parameters.path, message);
    }
    Does::Effect { class, raw, parting, out_of_service }
}

/// What an approval policy wants, but for its name, and on which condition.
fn approval(parameters: Option<&Table<'_>>, report: &mut Report<'_>) -> Option<(Terms, Option<String>)> {
    let Some(parameters) = parameters else {
        report.error(None, "", "the key `parameters` is missing, with `approvers` in it");
        return None;
    };
    parameters.only(&["approvers", "quorum", "allow_requester", "expires", "reason", "confirm", "when"], report);
    let mut named = Approvers::default();
    match parameters.table("approvers", report) {
        Some(approvers) => {
            approvers.only(&["roles", "users", "channels"], report);
            let mut texts = |key| approvers.texts(key, report).into_iter().map(str::to_owned).collect::<Vec<_>>();
            let (roles, users, channels) = (texts("roles"), texts("users"), texts("channels"));
            let users = users.iter().map(|name| name.trim_start_matches('@').to_lowercase()).collect();
            let channels = channels.iter().map(|name| name.trim_start_matches(['~', '#']).to_owned()).collect();
            named = Approvers { roles, users, channels };
            if named.names_nobody() {
                report.error(approvers.line, &approvers.path, "names nobody, so nobody could ever approve");
            }
        }
        None if parameters.entry("approvers").is_none() => parameters.missing("approvers", report),
        None => {}
    }
    let quorum = parameters.whole("quorum", 1, report).unwrap_or(1);
    let expires = parameters.whole("expires", 1, report).unwrap_or(EXPIRES);
    if expires > LONGEST {
        let line = parameters.entry("expires").map(|entry| entry.line);
        let message = format!("has to be {LONGEST} at most, which is thirty days");
        report.error(line, &parameters.path_of("expires"), message);
    }
    let when = parameters.text("when", report).map(str::to_owned);
    if let (Some(when), Some(entry)) = (&when, parameters.entry("when")) {
        let path = parameters.path_of("when");
        match names(when) {
            Err(problem) => {
                report.error(Some(entry.line), &path, problem.to_string());
            }
            Ok(_) if !is_template(when) => {
                report.warning(Some(entry.line), &path, "holds no `{{ }}`, so it says the same of every run");
            }
            Ok(_) => check_filters(&unknown_filters(when), Some(entry.line), &path, report),
        }
    }
    let terms = Terms {
        policy: String::new(),
        approvers: named,
        quorum: usize::try_from(quorum).unwrap_or(usize::MAX),
        allow_requester: parameters.boolean("allow_requester", report).unwrap_or(false),
        expires,
        reason_required: parameters.word("reason", &["optional", "required"], report) == Some("required"),
        confirm_target: parameters.word("confirm", &["none", "target"], report) == Some("target"),
    };
    Some((terms, when))
}
