//! An alias file. Its formats stay text; what they match is a matter of [`crate::core::alias`].

use super::fields::{Report, Table, check_name, check_pack, wrong_kind};
use super::rule::{self, RuleFile};
use super::yaml::{Node, Value};
use crate::core::alias::spec::{Alias, FormatSpec, Representation, Saying};
use crate::core::id::{ActionRef, AliasRef};
use crate::core::template::render::{holds_template, names_inside};
use serde_json::Map;
use std::sync::Arc;

const KEYS: &[&str] = &[
    "name",
    "description",
    "action_ref",
    "enabled",
    "formats",
    "ack",
    "result",
    "immutable_parameters",
    "extra",
    "pack",
    "metadata_file",
    "id",
    "ref",
    "uid",
];

/// What a file of `aliases/` says, with the lines of what can only be checked when everything is read.
#[derive(Debug, Clone)]
pub(crate) struct AliasFile {
    pub(crate) alias: Arc<Alias>,
    pub(crate) name_line: Option<usize>,
    pub(crate) action_line: Option<usize>,
    /// `immutable_parameters`: each name with its line.
    pub(crate) immutable_lines: Vec<(String, usize)>,
    /// What it offers for problems.
    pub(crate) offer: Option<RuleFile>,
}

/// Reads a document of `aliases/`.
pub(crate) fn read(document: &Node, pack: &str, report: &mut Report<'_>) -> Option<AliasFile> {
    let table = Table::document(document, report)?;
    table.only(KEYS, report);
    check_pack(&table, pack, report);
    let name = table.required_text("name", report).filter(|name| check_name(&table, name, true, report));
    let action = table.required_text("action_ref", report);
    let action_line = table.entry("action_ref").map(|entry| entry.line);
    if let Some(action) = action
        && action.split_once('.').is_none_or(|(pack, name)| pack.is_empty() || name.is_empty())
    {
        let diagnostic = report.error(action_line, "action_ref", "has to be an action's ref, `pack.name`");
        diagnostic.suggestion = Some(format!("did you mean \"{pack}.{action}\"?"));
    }
    let description = table.text("description", report).unwrap_or_default().trim().to_owned();
    let enabled = table.boolean("enabled", report).unwrap_or(true);
    let formats = formats(&table, report);
    let ack = saying(&table, "ack", &["enabled", "format", "append_url", "extra"], report);
    let result = saying(&table, "result", &["enabled", "format", "extra"], report);
    let immutable_parameters = table.free_map("immutable_parameters", report);
    let immutable_lines: Vec<(String, usize)> = table
        .table("immutable_parameters", &mut Report::new(""))
        .map(|map| map.entries.iter().map(|entry| (entry.key.clone(), entry.line)).collect())
        .unwrap_or_default();
    let extra = table.free_map("extra", report);
    let own = own_extra(&table, report);
    immutable_templates(&immutable_parameters, &immutable_lines, report);
    for key in ["metadata_file", "id", "ref", "uid"] {
        table.text(key, report);
    }
    let (reference, action) = (AliasRef::new(format!("{pack}.{}", name.unwrap_or_default())), ActionRef::new(action?));
    let offer = own.and_then(|own| rule::of_alias(&own, &reference, &action, report));
    for (name, line) in offer.iter().flat_map(RuleFile::parameter_lines) {
        if immutable_parameters.contains_key(name) {
            let path = format!("extra.halcyon.offer.parameters.{name}");
            report.error(Some(*line), &path, "is set in `immutable_parameters`, and nobody overrides that");
        }
    }
    if report.has_errors() || name.is_none() {
        return None;
    }
    Some(AliasFile {
        alias: Arc::new(Alias {
            reference,
            description,
            enabled,
            action,
            formats,
            ack,
            result,
            immutable_parameters,
            extra,
            file: report.file().to_owned(),
        }),
        name_line: table.entry("name").map(|entry| entry.line),
        action_line,
        immutable_lines,
        offer,
    })
}

/// What templates of `immutable_parameters` may look at.
pub(crate) const IMMUTABLE_NAMES: [&str; 6] =
    ["user", "api_user", "source_channel", "action_alias_ref", "st2kv", "system"];

/// What of `extra` means something here: `halcyon`, which is ours and is given back, and what a pack would rely on in vain.
fn own_extra<'n>(table: &Table<'n>, report: &mut Report<'_>) -> Option<Table<'n>> {
    let extra = table.table("extra", &mut Report::new(""))?;
    let own = extra.entry("halcyon").and_then(|_| extra.table("halcyon", report));
    if let Some(own) = &own {
        own.only(&["channels", "offer"], report);
        if own.entry("channels").is_some() {
            let line = own.entry("channels").map(|entry| entry.line);
            let channels = own.texts("channels", report);
            if channels.is_empty() {
                report.error(line, &own.path_of("channels"), "names no channel, so the alias would be heard nowhere");
            }
            for name in channels {
                let plain = name.trim_start_matches('~');
                if plain.is_empty() || plain != name {
                    let problem = format!("`{name}` is no name of a channel");
                    let told = report.error(line, &own.path_of("channels"), problem);
                    told.suggestion = (!plain.is_empty()).then(|| format!("write \"{plain}\""));
                }
            }
        }
    }
    let security = extra.entry("security").and_then(|_| extra.table("security", &mut Report::new("")));
    if let Some(entry) = security.as_ref().and_then(|security| security.entry("twofactor")) {
        let message = "nobody is asked for a second factor; this alias starts its action without it";
        let told = report.warning(Some(entry.line), "extra.security.twofactor", message);
        told.suggestion = Some("guard the action with an `action.approval` policy".to_owned());
    }
    own
}

/// Immutable parameters may be templates; what is wrong with them is told before somebody needs the alias.
fn immutable_templates(given: &Map<String, serde_json::Value>, lines: &[(String, usize)], report: &mut Report<'_>) {
    for (name, value) in given.iter().filter(|(_, value)| holds_template(value)) {
        let line = lines.iter().find(|(key, _)| key == name).map(|(_, line)| *line);
        let path = format!("immutable_parameters.{name}");
        match names_inside(value) {
            Err(error) => {
                report.error(line, &path, format!("is no template: {error}"));
            }
            Ok(names) => {
                for unknown in names.iter().filter(|name| !IMMUTABLE_NAMES.contains(&name.as_str())) {
                    let there = IMMUTABLE_NAMES.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                    let message = format!("`{unknown}` has no value here; there are {there}");
                    report.error(line, &path, message);
                }
            }
        }
    }
}

fn formats(table: &Table<'_>, report: &mut Report<'_>) -> Vec<FormatSpec> {
    if table.entry("formats").is_none() {
        report.warning(None, "", "the key `formats` is missing, so no line of chat ever starts this");
    }
    let items = table.list("formats", report).unwrap_or_default();
    items.iter().enumerate().filter_map(|(index, item)| format(item, &format!("formats[{index}]"), report)).collect()
}

fn format(item: &Node, path: &str, report: &mut Report<'_>) -> Option<FormatSpec> {
    match &item.value {
        Value::Text(text) => {
            let matched = representation(text, item.line, path.to_owned(), report)?;
            Some(FormatSpec {
                display: Some(text.clone()),
                representations: vec![matched],
                help: None,
                match_multiple: false,
            })
        }
        Value::Map(entries) => {
            let table = Table { entries, line: Some(item.line), path: path.to_owned() };
            // StackStorm lets other keys pass here; a misspelt one would turn the format into a line of help.
            table.mostly(&["display", "representation", "match_multiple", "help"], report);
            let display = table.text("display", report).map(str::to_owned);
            let representations = representations(&table, report);
            let help = table.text("help", report).map(str::to_owned);
            let match_multiple = table.boolean("match_multiple", report).unwrap_or(false);
            if display.is_none() && representations.is_empty() && table.entry("representation").is_none() {
                report.error(Some(item.line), path, "has neither `display` nor `representation`");
            }
            Some(FormatSpec { display, representations, help, match_multiple })
        }
        _ => {
            wrong_kind(item, item.line, path, "text or a map with `display` and `representation`", report);
            None
        }
    }
}

fn representations(table: &Table<'_>, report: &mut Report<'_>) -> Vec<Representation> {
    let path = table.path_of("representation");
    let Some(entry) = table.entry("representation") else { return Vec::new() };
    match &entry.node.value {
        Value::Text(text) => representation(text, entry.line, path, report).into_iter().collect(),
        Value::List(items) => items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                let path = format!("{path}[{index}]");
                match &item.value {
                    Value::Text(text) => representation(text, item.line, path, report),
                    _ => {
                        wrong_kind(item, item.line, &path, "text", report);
                        None
                    }
                }
            })
            .collect(),
        _ => {
            wrong_kind(&entry.node, entry.line, &path, "a list of texts", report);
            None.into_iter().collect()
        }
    }
}

fn representation(text: &str, line: usize, key_path: String, report: &mut Report<'_>) -> Option<Representation> {
    if text.trim().is_empty() {
        report.error(Some(line), &key_path, "must not be empty");
        return None;
    }
    Some(Representation { text: text.to_owned(), line, key_path })
}

fn saying(table: &Table<'_>, key: &str, keys: &[&str], report: &mut Report<'_>) -> Option<Saying> {
    let inner = table.table(key, report)?;
    inner.only(keys, report);
    Some(Saying {
        enabled: inner.boolean("enabled", report).unwrap_or(true),
        format: inner.text("format", report).map(str::to_owned),
        append_url: inner.boolean("append_url", report).unwrap_or(true),
        extra: inner.free_map("extra", report),
    })
}
