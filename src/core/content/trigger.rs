//! A file of `triggers/`, and the types of triggers that a sensor declares.

use super::fields::{Report, Table, check_name, check_pack};
use super::yaml::Node;
use crate::core::id::TriggerRef;
use crate::core::rule::trigger::TriggerType;

const KEYS: &[&str] = &[
    "name",
    "description",
    "parameters_schema",
    "payload_schema",
    "tags",
    "pack",
    "metadata_file",
    "id",
    "ref",
    "uid",
];

/// A type of triggers with the line of its name.
#[derive(Debug, Clone)]
pub(crate) struct TriggerFile {
    pub(crate) kind: TriggerType,
    pub(crate) line: Option<usize>,
}

/// Reads a document of `triggers/`.
pub(crate) fn read(document: &Node, pack: &str, report: &mut Report<'_>) -> Option<TriggerFile> {
    let table = Table::document(document, report)?;
    declared(&table, pack, report)
}

/// Reads the types that a sensor declares.
pub(super) fn of_sensor(sensor: &Table<'_>, pack: &str, report: &mut Report<'_>) -> Vec<TriggerFile> {
    let items = sensor.list("trigger_types", report).unwrap_or_default();
    let mut found = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let Some(of) = Table::nested(item, item.line, format!("trigger_types[{place}]"), report) else { continue };
        found.extend(declared(&of, pack, report));
    }
    found
}

fn declared(table: &Table<'_>, pack: &str, report: &mut Report<'_>) -> Option<TriggerFile> {
    // StackStorm takes any key here.
    table.mostly(KEYS, report);
    check_pack(table, pack, report);
    let name = table.required_text("name", report).filter(|name| check_name(table, name, false, report));
    let description = table.text("description", report).unwrap_or_default().trim().to_owned();
    let parameters_schema = table.free_map("parameters_schema", report);
    let payload_schema = table.free_map("payload_schema", report);
    if report.has_errors() {
        return None;
    }
    Some(TriggerFile {
        kind: TriggerType {
            reference: TriggerRef::new(format!("{pack}.{}", name?)),
            description,
            parameters_schema,
            payload_schema,
            file: report.file().to_owned(),
        },
        line: table.entry("name").map(|entry| entry.line),
    })
}
