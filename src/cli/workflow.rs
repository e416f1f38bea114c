//! `workflow inspect`: everything that is wrong with a workflow; `workflow trace`: what it would do, by a script of outcomes.

use super::look::harmless;
use super::{Failure, Surroundings};
use crate::core::content::diagnostic::{Diagnostic, Severity};
use crate::core::workflow::orquesta::{self, Unloadable};
use crate::core::workflow::trace::{Script, trace};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

pub(crate) fn inspect(file: &Path, as_json: bool, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let text = read(file)?;
    let shown = file.display().to_string();
    let found = match orquesta::read(&shown, &text, &orquesta::HANDED_DOWN) {
        Ok(Ok(_)) => Vec::new(),
        Ok(Err(inspection)) => inspection.diagnostics(&shown),
        Err(Unloadable(diagnostics)) => diagnostics,
    };
    let out = &mut *surroundings.out;
    if as_json {
        writeln!(out, "{:#}", found.iter().map(value).collect::<Value>())?;
    } else {
        for diagnostic in &found {
            writeln!(out, "{}", harmless(&diagnostic.to_string()))?;
        }
        if found.is_empty() {
            writeln!(out, "{}: nothing is wrong", harmless(&shown))?;
        }
    }
    if found.is_empty() { Ok(()) } else { Err(Failure::Shown) }
}

fn value(diagnostic: &Diagnostic) -> Value {
    json!({
        "file": diagnostic.file,
        "line": diagnostic.line,
        "key_path": diagnostic.key_path,
        "severity": match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::NotSupported => "not supported",
        },
        "message": diagnostic.message,
        "suggestion": diagnostic.suggestion,
    })
}

/// Prints the trace, which is JSON whether or not it is asked for.
pub(crate) fn run(file: &Path, script: Option<&Path>, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let text = read(file)?;
    let script = match script {
        None => Script::default(),
        Some(path) => {
            let wrong = |why: String| Failure::Wrong(format!("{}: {why}", path.display()));
            let value =
                serde_json::from_str(&read(path)?).map_err(|error| wrong(format!("this is not JSON: {error}")))?;
            Script::read(value).map_err(wrong)?
        }
    };
    let shown = file.display().to_string();
    let out = &mut *surroundings.out;
    match orquesta::read(&shown, &text, &script.handed_down()) {
        Ok(Ok(graph)) => {
            writeln!(out, "{:#}", trace(Arc::new(graph), &script, false))?;
            Ok(())
        }
        Ok(Err(inspection)) => {
            writeln!(out, "{:#}", json!({"inspection": inspection.to_json()}))?;
            Err(Failure::Shown)
        }
        Err(Unloadable(diagnostics)) => {
            let lines: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
            writeln!(out, "{:#}", json!({"load_error": lines.join("\n")}))?;
            Err(Failure::Wrong(format!("{} is not a workflow", harmless(&shown))))
        }
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::Wrong(format!("{}: {error}", path.display())))
}
