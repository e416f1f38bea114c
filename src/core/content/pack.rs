//! `pack.yaml`.

use super::Pack;
use super::fields::{Report, Table, shorten};
use super::yaml::{Node, Value};

const KEYS: &[&str] = &[
    "ref",
    "name",
    "description",
    "version",
    "author",
    "email",
    "keywords",
    "stackstorm_version",
    "python_versions",
    "contributors",
    "dependencies",
    "files",
    "system",
    "path",
];

/// Reads the document. There is a pack as soon as its ref is certain: what else is wrong with the file keeps no content out of force.
pub(crate) fn read(document: &Node, directory: &str, report: &mut Report<'_>) -> Option<Pack> {
    let table = Table::document(document, report)?;
    table.mostly(KEYS, report);
    let name = table.required_text("name", report);
    let description = table.required_text("description", report);
    let version = version(&table, report);
    table.required_text("author", report);
    for key in ["email", "stackstorm_version", "path"] {
        table.text(key, report);
    }
    for key in ["keywords", "contributors", "dependencies", "files"] {
        table.texts(key, report);
    }
    table.list("python_versions", report);
    table.table("system", report);
    Some(Pack {
        reference: reference(&table, directory, name, report)?,
        name: name.unwrap_or(directory).to_owned(),
        description: description.unwrap_or_default().trim().to_owned(),
        version: version.unwrap_or_default(),
        directory: String::new(),
        policies: 0,
    })
}

/// A version may be written without quotes, `1.2`, and is text all the same.
fn version(table: &Table<'_>, report: &mut Report<'_>) -> Option<String> {
    let Some(entry) = table.entry("version") else {
        table.missing("version", report);
        return None;
    };
    match &entry.node.value {
        Value::Number(number) => Some(number.to_string()),
        _ => table.required_text("version", report).map(str::to_owned),
    }
}

fn reference(table: &Table<'_>, directory: &str, name: Option<&str>, report: &mut Report<'_>) -> Option<String> {
    let line = table.entry("ref").map(|entry| entry.line);
    let chosen = match table.entry("ref") {
        Some(_) => table.text("ref", report)?,
        None if is_ref(directory) => directory,
        None => match name {
            Some(name) if is_ref(name) => name,
            _ => {
                let message = format!(
                    "the pack has no usable ref: `{}`, its directory, is none, nor is its name",
                    shorten(directory)
                );
                report.error(None, "", message).suggestion = Some("add `ref: a_short_name`".to_owned());
                return None;
            }
        },
    };
    if !is_ref(chosen) {
        let message = format!("`{}` cannot be a ref: lower-case letters, digits and _ only", shorten(chosen));
        report.error(line, "ref", message);
        return None;
    }
    if chosen == "_global" {
        report.error(line, "ref", "`_global` is reserved for overrides");
        return None;
    }
    Some(chosen.to_owned())
}

fn is_ref(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}
