//! Formats in whose place one of the bot's own commands is meant. Such a line never reaches its alias, unless it is written behind `alias`.

use crate::core::alias::matcher::Matcher;
use crate::core::alias::outline::{Outline, Place};
use crate::core::chat::command::Command;
use crate::core::content::diagnostic::{Diagnostic, Severity};

/// What own commands take behind their word, so that a format which leaves room for anything is tried with what matters.
const VALUES: [&str; 6] = ["x", "0a1b", "5", "0a1b ran", "10m status", "22:00 status"];

/// Lines that own commands are asked for with, for formats that are no row of words.
const LINES: [&str; 16] = [
    "help",
    "help x",
    "whoami",
    "status",
    "reload",
    "list",
    "list 5",
    "show 0a1b",
    "cancel 0a1b",
    "rerun 0a1b",
    "tail 0a1b",
    "settle 0a1b ran",
    "freeze x",
    "unfreeze",
    "again",
    "5",
];

impl Matcher {
    /// Every format that an own command shadows, wholly or in part, as a warning with a line for example.
    pub fn shadowed(&self) -> Vec<Diagnostic> {
        let mut warnings = Vec::new();
        // A format that is read is compiled, so that only those are which could match.
        let likely = LINES.map(|line| (line, self.worth_trying(line)));
        for (at, entry) in self.entries.iter().enumerate() {
            let rows = entry.format.outlines().iter();
            let mut samples: Vec<String> = rows.flat_map(samples).collect();
            samples
                .extend(likely.iter().filter(|(_, places)| places.contains(&at)).map(|(line, _)| (*line).to_owned()));
            let known = entry.known.as_deref();
            let hidden = samples
                .into_iter()
                .find(|line| Command::read(line).is_some() && matches!(entry.format.read(line, known), Ok(Some(_))));
            let Some(line) = hidden else { continue };
            let place = entry.alias.formats.iter().flat_map(|format| &format.representations);
            let place = place.into_iter().find(|at| *at.text == *entry.representation);
            warnings.push(Diagnostic {
                file: entry.alias.file.clone(),
                line: place.map(|at| at.line),
                key_path: place.map(|at| at.key_path.clone()).unwrap_or_default(),
                severity: Severity::Warning,
                message: format!("`{line}` is a command of the bot's own, which is meant wherever a line can be both"),
                suggestion: Some(format!("people reach the alias with `alias {line}`")),
            });
        }
        warnings
    }
}

/// Lines of a row of words and parameters: each parameter left out or given as one of [`VALUES`].
fn samples(outline: &Outline) -> Vec<String> {
    let written = |value: Option<&str>| {
        let words = outline.places.iter().filter_map(|place| match place {
            Place::Word(word) => Some(word.as_str()),
            Place::Parameter { optional: true, .. } => value,
            Place::Parameter { optional: false, .. } | Place::Other => Some(value.unwrap_or("x")),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    std::iter::once(None).chain(VALUES.map(Some)).map(written).collect()
}
