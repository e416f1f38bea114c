//! A file of `sensors/`. One that names a class is StackStorm's; one that does not is a program of its own.

use super::fields::{Report, Table, check_name, check_pack};
use super::trigger::{self, TriggerFile};
use super::yaml::Node;
use super::{PackSource, ProgramFile};
use crate::core::id::SensorRef;
use crate::core::sensor::spec::{Runs, Sensor};

/// StackStorm's, and `name`.
const KEYS: &[&str] = &[
    "name",
    "class_name",
    "entry_point",
    "description",
    "enabled",
    "poll_interval",
    "trigger_types",
    "pack",
    "artifact_uri",
    "metadata_file",
    "id",
    "ref",
    "uid",
];

/// A sensor as its file says it, before its program is looked for.
#[derive(Debug, Clone)]
pub(crate) struct SensorFile {
    name: Option<String>,
    class: Option<String>,
    entry_point: Option<(String, usize)>,
    description: String,
    enabled: bool,
    poll_interval: Option<u64>,
    pub(crate) triggers: Vec<TriggerFile>,
    line: Option<usize>,
}

/// Reads a document of `sensors/`. The types of triggers are there also where nothing can be made of the rest, so that rules on them are sound.
pub(crate) fn read(document: &Node, pack: &str, report: &mut Report<'_>) -> Option<SensorFile> {
    let table = Table::document(document, report)?;
    // StackStorm takes any key here.
    table.mostly(KEYS, report);
    check_pack(&table, pack, report);
    let name = table.text("name", report).filter(|name| check_name(&table, name, false, report));
    let class = table.text("class_name", report);
    let entry_point = table.required_text("entry_point", report);
    let entry_line = table.entry("entry_point").map_or(0, |entry| entry.line);
    let triggers = trigger::of_sensor(&table, pack, report);
    let key = if class.is_some() { "class_name" } else { "name" };
    Some(SensorFile {
        name: name.map(str::to_owned),
        class: class.map(str::to_owned),
        entry_point: entry_point.map(|entry_point| (entry_point.to_owned(), entry_line)),
        description: table.text("description", report).unwrap_or_default().trim().to_owned(),
        enabled: table.boolean("enabled", report).unwrap_or(true),
        poll_interval: table.whole("poll_interval", 1, report),
        triggers,
        line: table.entry(key).map(|entry| entry.line),
    })
}

impl SensorFile {
    /// The line of its name.
    pub(crate) fn line(&self) -> Option<usize> {
        self.line
    }

    /// The sensor, with its program out of the files of its pack.
    pub(crate) fn sensor(self, source: &PackSource, stem: &str, pack: &str, report: &mut Report<'_>) -> Option<Sensor> {
        let (entry_point, line) = self.entry_point?;
        let (name, runs) = match self.class {
            Some(class) => {
                let message = format!("`{class}` is a class in Python, and the runner for Python is not built yet");
                report.not_supported(self.line, "class_name", message).suggestion =
                    Some("rules on its types of triggers load, and nothing brings such events but webhooks".to_owned());
                (class.clone(), Runs::Class { name: class })
            }
            None => {
                let found = program(source, &entry_point);
                let Ok((path, stamp)) = found.map_err(|(why, suggestion)| {
                    report.error(Some(line), "entry_point", why).suggestion = suggestion;
                }) else {
                    return None;
                };
                (self.name.unwrap_or_else(|| stem.to_owned()), Runs::Program { path, stamp })
            }
        };
        Some(Sensor {
            reference: SensorRef::new(format!("{pack}.{name}")),
            description: self.description,
            enabled: self.enabled,
            poll_interval: self.poll_interval,
            triggers: self.triggers.into_iter().map(|file| file.kind.reference).collect(),
            runs,
            file: report.file().to_owned(),
        })
    }
}

/// The path of a program and what tells it from an earlier one, or why it cannot run and what to do.
fn program(source: &PackSource, entry_point: &str) -> Result<(String, String), (String, Option<String>)> {
    let inside = format!("sensors/{}", entry_point.trim_start_matches("./"));
    let found = source.programs.iter().find(|program| program.inside == inside);
    let Some(found) = found else {
        let python = entry_point.ends_with(".py");
        let suggestion = python.then(|| "a sensor of StackStorm's names its class in `class_name`".to_owned());
        return Err((format!("there is no file {inside} in the pack"), suggestion));
    };
    let ProgramFile { path, stamp, .. } = found;
    let own = stamp.as_ref().map_err(|why| {
        let suggestion = (why == NOT_EXECUTABLE).then(|| format!("chmod +x {path}"));
        (format!("{inside} cannot be run: {why}"), suggestion)
    })?;
    let library = source.programs.iter().filter(|program| program.inside.starts_with("sensors/lib/"));
    let library = library.map(|program| program.stamp.as_deref().unwrap_or_default());
    let stamp = std::iter::once(own.as_str()).chain(library).collect::<Vec<_>>().join(" ");
    Ok((path.clone(), stamp))
}

/// What the reader of files says of one that nobody may execute.
pub const NOT_EXECUTABLE: &str = "it is not executable";
