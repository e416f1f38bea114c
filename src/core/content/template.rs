//! What the bot says, where a pack puts its own text in the place of a template: `templates/ended.hbs`, `templates/phrases/verdict.hbs`,
//! `templates/partials/outputs.hbs`.

use super::diagnostic::{Diagnostic, Severity};
use super::{PackSource, SourceFile};
use crate::core::message::overrides::{differs, examine, speaking};
use crate::core::message::sentences::Sentences;
use std::collections::BTreeMap;

/// The voice with all sound texts of these packs; the first pack that has one for a message gives it. What is wrong is told.
pub(super) fn sentences<'a>(
    sources: impl Iterator<Item = &'a PackSource>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Sentences {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut from: BTreeMap<String, String> = BTreeMap::new();
    for file in sources.flat_map(|source| &source.files) {
        let Some(name) = file.inside.strip_prefix("templates/").and_then(|rest| rest.strip_suffix(".hbs")) else {
            continue;
        };
        let mut tell = |severity, line, message, suggestion| {
            diagnostics.push(Diagnostic {
                file: file.shown.clone(),
                line,
                key_path: String::new(),
                severity,
                message,
                suggestion,
            });
        };
        let SourceFile { shown, text, .. } = file;
        let text = match text {
            Ok(text) => text,
            Err(why) => {
                tell(Severity::Error, None, format!("cannot be read: {why}"), None);
                continue;
            }
        };
        if !differs(name, text) {
            continue;
        }
        if let Some(first) = from.get(name) {
            let message = format!("{first} has a text for this message already, which is the one in force");
            tell(Severity::Warning, None, message, None);
            continue;
        }
        match examine(name, text) {
            Ok(()) => {
                from.insert(name.to_owned(), shown.clone());
                texts.insert(name.to_owned(), text.clone());
            }
            Err(problem) => tell(Severity::Error, problem.line, problem.message, problem.suggestion),
        }
    }
    speaking(&texts)
}
