//! `pack list`: the packs of the configuration, as their files are now.

use super::look::{harmless, table};
use super::{Failure, Surroundings};
use crate::app;
use crate::config::Config;
use crate::core::content::Catalog;
use crate::core::content::diagnostic::{Diagnostic, Severity};
use serde_json::{Value, json};

const COLUMNS: [&str; 6] = ["ref", "version", "actions", "aliases", "policies", "problems"];

/// Lists the packs. The exit code is 1 when there are mistakes that belong to no pack: one of the packs is then not in force.
pub(crate) fn list(config: &Config, as_json: bool, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let (catalog, diagnostics) = app::catalog(config);
    let (packs, lost) = packs(&catalog, &diagnostics);
    let out = &mut *surroundings.out;
    if as_json {
        writeln!(out, "{:#}", Value::Array(packs))?;
    } else {
        let rows: Vec<[String; 6]> = packs.iter().map(row).collect();
        writeln!(out, "{}", table(&COLUMNS, &rows))?;
    }
    for problem in &lost {
        writeln!(surroundings.err, "{}", harmless(&problem.to_string()))?;
    }
    if lost.is_empty() { Ok(()) } else { Err(Failure::Shown) }
}

/// Each pack as JSON, and the mistakes in files of packs that are not in force.
fn packs<'d>(catalog: &Catalog, diagnostics: &'d [Diagnostic]) -> (Vec<Value>, Vec<&'d Diagnostic>) {
    let errors = || diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let packs = catalog.packs.values().map(|pack| {
        let own = |reference: &str| reference.split_once('.').is_some_and(|(of, _)| of == pack.reference);
        json!({
            "ref": pack.reference,
            "name": pack.name,
            "description": pack.description,
            "version": pack.version,
            "path": pack.directory,
            "actions": catalog.actions.keys().filter(|action| own(action.as_str())).count(),
            "aliases": catalog.aliases.iter().filter(|alias| own(alias.reference.as_str())).count(),
            "policies": pack.policies,
            "problems": errors().filter(|problem| catalog.pack_of(&problem.file) == Some(pack)).count(),
        })
    });
    (packs.collect(), errors().filter(|problem| catalog.pack_of(&problem.file).is_none()).collect())
}

fn row(pack: &Value) -> [String; 6] {
    COLUMNS.map(|column| match &pack[column] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}
