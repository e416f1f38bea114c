//! An action's metadata file.

use super::fields::{Report, Table, check_name, check_pack, not_among, shorten};
use super::out_of_service::Machines;
use super::parameter::{check_default, check_schema, from_schema};
use super::runner;
use super::suggest::did_you_mean;
use super::yaml::{Node, Value};
use crate::core::action::execution::EffectClass;
use crate::core::action::run::Parting;
use crate::core::action::spec::{Action, Notification, Notify, Parameter, RunnerType};
use crate::core::id::ActionRef;
use serde_json::Map;
use std::collections::BTreeMap;
use std::sync::Arc;

const KEYS: &[&str] = &[
    "name",
    "description",
    "runner_type",
    "enabled",
    "entry_point",
    "pack",
    "parameters",
    "tags",
    "notify",
    "output_schema",
    "metadata_file",
    "id",
    "ref",
    "uid",
];

/// The words for effect classes, in files and in policies.
pub(crate) const EFFECTS: &[(&str, EffectClass)] = &[
    ("read-only", EffectClass::ReadOnly),
    ("idempotent", EffectClass::Idempotent),
    ("destructive", EffectClass::Destructive),
];

/// The words for what becomes of the connection, in files and in policies.
pub(crate) const PARTINGS: &[(&str, Parting)] =
    &[("stays", Parting::Stays), ("reboots", Parting::Reboots), ("leaves", Parting::Leaves)];

/// What a file of `actions/` says.
#[derive(Debug, Clone)]
pub(crate) struct ActionFile {
    /// The ref, where the file says a name.
    pub(crate) reference: Option<ActionRef>,
    /// The line of its name.
    pub(crate) line: Option<usize>,
    /// The action, where everything is sound and built. A script is put in by whoever has the pack's files.
    pub(crate) action: Option<Action>,
    /// The script that it runs, relative to the pack's `actions`, and the line that says so.
    pub(crate) entry_point: Option<(String, usize)>,
}

/// Reads a document of `actions/`.
pub(crate) fn read(document: &Node, pack: &str, content: String, report: &mut Report<'_>) -> ActionFile {
    let nothing = ActionFile { reference: None, line: None, action: None, entry_point: None };
    let Some(table) = Table::document(document, report) else { return nothing };
    table.only(KEYS, report);
    point_to_parameters(report);
    check_pack(&table, pack, report);
    let name = table.required_text("name", report).filter(|name| check_name(&table, name, false, report));
    let reference = name.map(|name| ActionRef::new(format!("{pack}.{name}")));
    let line = table.entry("name").map(|entry| entry.line);
    let description = table.text("description", report).unwrap_or_default().trim().to_owned();
    let enabled = table.boolean("enabled", report).unwrap_or(true);
    let entry_point = entry_point(&table, report);
    let notify = notify(&table, report);
    let secret_output = output_schema(&table, report);
    for key in ["metadata_file", "id", "ref", "uid"] {
        table.text(key, report);
    }
    let tags = tags(&table, report);
    let runner = runner_type(&table, report);
    let parameters = parameters(&table, runner, report);
    // Without its runner's parameters nobody can tell what is one.
    for machines in tags.out_of_service.iter().filter(|_| runner.is_some()) {
        machines.check(&parameters, report);
    }
    match (runner, &entry_point) {
        (Some(runner), None) if runner.runs_script() => {
            let message = format!("the runner {} needs the script that it is to run", runner.word());
            report.error(None, "entry_point", message);
        }
        (Some(RunnerType::Orquesta), None) => {
            report.error(None, "entry_point", "the runner orquesta needs the workflow that it is to conduct");
        }
        (Some(runner @ (RunnerType::LocalShellCmd | RunnerType::RemoteShellCmd)), Some((_, line))) => {
            let message = format!("means nothing to the runner {}, which runs `cmd`", runner.word());
            report.warning(Some(*line), "entry_point", message).suggestion =
                Some(format!("did you mean \"{}\"?", runner.word().replace("-cmd", "-script")));
        }
        _ => {}
    }
    let action = match (&reference, runner) {
        (Some(reference), Some(runner)) if !report.has_errors() => Some(Action {
            reference: reference.clone(),
            description,
            enabled,
            runner,
            parameters,
            runner_parameters: runner::parameters(runner).keys().cloned().collect(),
            effect: tags.effect.unwrap_or(EffectClass::Destructive),
            raw: false,
            parting: tags.parting.unwrap_or_default(),
            out_of_service: tags.out_of_service.into_iter().map(|machines| machines.parameter).collect(),
            file: report.file().to_owned(),
            content,
            script: None,
            workflow: None,
            notify,
            secret_output,
        }),
        _ => None,
    };
    ActionFile { reference, line, action, entry_point }
}

/// `timeout`, `hosts` and their like are parameters, and looking for them beside `parameters` is the commonest mistake.
fn point_to_parameters(report: &mut Report<'_>) {
    for diagnostic in &mut report.diagnostics {
        let key = &diagnostic.key_path;
        let belongs = runner::BUILT.iter().any(|runner| runner::parameters(*runner).contains_key(key));
        if belongs && diagnostic.suggestion.is_none() {
            diagnostic.suggestion =
                Some(format!("it is a parameter of runners: write `parameters: {{{key}: {{default: ...}}}}`"));
        }
    }
}

fn runner_type(table: &Table<'_>, report: &mut Report<'_>) -> Option<RunnerType> {
    let written = table.required_text("runner_type", report)?;
    let line = table.entry("runner_type").map(|entry| entry.line);
    let path = table.path_of("runner_type");
    let word = written.replace('_', "-");
    if let Some(runner) = runner::BUILT.iter().find(|runner| runner.word() == word) {
        return Some(*runner);
    }
    if runner::NOT_BUILT.contains(&word.as_str()) {
        report.not_supported(line, &path, format!("the runner {word} is not built yet"));
    } else if let Some((_, successor)) = runner::REMOVED.iter().find(|(removed, _)| *removed == word) {
        report.error(line, &path, format!("the runner {word} is gone from StackStorm")).suggestion =
            Some(format!("its place has taken \"{successor}\""));
    } else {
        let known = runner::BUILT.iter().map(|runner| runner.word()).chain(runner::NOT_BUILT.iter().copied());
        let suggestion = did_you_mean(&word, known);
        report.error(line, &path, format!("there is no runner `{}`", shorten(written))).suggestion = suggestion;
    }
    None
}

fn parameters(table: &Table<'_>, runner: Option<RunnerType>, report: &mut Report<'_>) -> BTreeMap<String, Parameter> {
    let inherited = runner.map(runner::parameters);
    let mut schemas: BTreeMap<String, Map<String, serde_json::Value>> = inherited.cloned().unwrap_or_default();
    let declared = table.table("parameters", report);
    let mut positions: BTreeMap<u64, &str> = BTreeMap::new();
    for entry in declared.as_ref().map(|declared| declared.entries).unwrap_or_default() {
        let path = format!("parameters.{}", entry.key);
        if entry.key.is_empty() || !entry.key.chars().all(|c| c.is_alphanumeric() || c == '_') {
            let message = format!("`{}` cannot be a parameter's name: letters, digits and _ only", shorten(&entry.key));
            report.error(Some(entry.line), "parameters", message);
            continue;
        }
        let before = report.diagnostics.len();
        check_schema(&entry.node, entry.line, &path, report);
        // What is wrong with its kind was said by the check above.
        let Some(own) = Table::nested(&entry.node, entry.line, path.clone(), &mut Report::new("")) else { continue };
        let schema = match (runner, inherited.and_then(|inherited| inherited.get(&entry.key))) {
            (Some(runner), Some(inherited)) => runner::overlay(runner, inherited, &own, report),
            _ => entry.node.json().as_object().cloned().unwrap_or_default(),
        };
        // Without the runner's parameters (it is not built, or unknown) a default may well be the runner's.
        if let Some(immutable) = own.entry("immutable")
            && immutable.node.value == Value::Boolean(true)
            && runner.is_some()
            && !schema.contains_key("default")
        {
            report.error(
                Some(immutable.line),
                &path,
                "is immutable and has no default, so it could never have a value",
            );
        }
        let parameter = from_schema(schema.clone());
        if let (Some(at), Some(position)) = (own.entry("position"), parameter.position)
            && let Some(other) = positions.insert(position, entry.key.as_str())
        {
            let message = format!("{position} is the position of `{other}` already");
            report.error(Some(at.line), &own.path_of("position"), message);
        }
        if report.diagnostics.len() == before {
            let line = own.entry("default").map(|default| default.line).or(Some(entry.line));
            check_default(&parameter, line, &path, report);
        }
        schemas.insert(entry.key.clone(), schema);
    }
    check_contiguous(&positions, declared.as_ref().and_then(|declared| declared.line), report);
    schemas.into_iter().map(|(name, schema)| (name, from_schema(schema))).collect()
}

fn check_contiguous(positions: &BTreeMap<u64, &str>, line: Option<usize>, report: &mut Report<'_>) {
    let gap = positions.keys().zip(positions.keys().skip(1)).find(|(here, next)| here.saturating_add(1) != **next);
    if let Some((here, next)) = gap {
        let message = format!("positions have to follow one another, and after {here} comes {next}");
        report.error(line, "parameters", message);
    }
}

/// What the tags say that mean something here.
#[derive(Default)]
struct Tags {
    /// `{name: effect, value: idempotent}`; of several the most careful.
    effect: Option<EffectClass>,
    /// `{name: connection, value: reboots}`
    parting: Option<Parting>,
    /// `{name: out_of_service, value: node}`
    out_of_service: Vec<Machines>,
}

fn tags(table: &Table<'_>, report: &mut Report<'_>) -> Tags {
    let mut tags = Tags::default();
    for (index, tag) in table.list("tags", report).unwrap_or_default().iter().enumerate() {
        let Some(tag) = Table::nested(tag, tag.line, format!("tags[{index}]"), report) else { continue };
        let name = tag.entry("name").map(|entry| entry.node.json());
        match name.as_ref().and_then(serde_json::Value::as_str) {
            Some("effect") => tags.effect = tags.effect.max(tag_value(&tag, EFFECTS, report)),
            Some("connection") => tags.parting = tag_value(&tag, PARTINGS, report).or(tags.parting),
            Some("out_of_service") => tags.out_of_service.extend(Machines::of_tag(&tag, report)),
            Some(_) | None => {}
        }
    }
    tags
}

/// The value of a tag, which has to be one of these words.
fn tag_value<T: Copy>(tag: &Table<'_>, known: &[(&str, T)], report: &mut Report<'_>) -> Option<T> {
    let value = tag.required_text("value", report)?;
    let found = known.iter().find(|(word, _)| *word == value).map(|(_, said)| *said);
    if found.is_none() {
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        not_among(tag.entry("value").map(|entry| entry.line), &tag.path_of("value"), value, &words, report);
    }
    found
}

fn entry_point(table: &Table<'_>, report: &mut Report<'_>) -> Option<(String, usize)> {
    let path = table.text("entry_point", report).filter(|path| !path.is_empty())?;
    let line = table.entry("entry_point").map(|entry| entry.line)?;
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        report.error(Some(line), "entry_point", "must not lead out of the pack's actions");
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    Some((parts.join("/"), line))
}

fn notify(table: &Table<'_>, report: &mut Report<'_>) -> Option<Arc<Notify>> {
    const MOMENTS: &[&str] = &["on-complete", "on-success", "on-failure"];
    let table = table.table("notify", report)?;
    table.only(MOMENTS, report);
    let notify = Notify {
        on_complete: notification(&table, MOMENTS[0], report),
        on_success: notification(&table, MOMENTS[1], report),
        on_failure: notification(&table, MOMENTS[2], report),
    };
    (notify != Notify::default()).then(|| Arc::new(notify))
}

/// Without a route nobody is told, as in StackStorm.
fn notification(table: &Table<'_>, moment: &str, report: &mut Report<'_>) -> Option<Notification> {
    let what = table.table(moment, report)?;
    what.only(&["message", "data", "routes", "channels"], report);
    let message = what.text("message", report).filter(|message| !message.is_empty()).map(str::to_owned);
    let data = what.free_map("data", report);
    let texts = |key, report: &mut Report<'_>| what.texts(key, report).into_iter().map(str::to_owned).collect();
    let (routes, channels): (Vec<String>, Vec<String>) = (texts("routes", report), texts("channels", report));
    let routes = if routes.is_empty() { channels } else { routes };
    if routes.is_empty() {
        report.warning(what.line, &what.path, "names no route, so nobody is told");
        return None;
    }
    Some(Notification { message, data, routes })
}

/// Results are not checked against it: StackStorm, too, leaves that off unless told otherwise. What it calls secret is masked. The old form,
/// bare properties, is one as well.
fn output_schema(table: &Table<'_>, report: &mut Report<'_>) -> Vec<String> {
    let schema = table.free_map("output_schema", report);
    let properties = schema.get("properties").and_then(serde_json::Value::as_object).unwrap_or(&schema);
    let secret = |schema: &serde_json::Value| schema.get("secret") == Some(&serde_json::Value::Bool(true));
    properties.iter().filter(|(_, schema)| secret(schema)).map(|(name, _)| name.clone()).collect()
}
