//! A rule file tried on a file with an event.

use crate::config::Config;
use crate::core::content::diagnostic::{Diagnostic, Severity};
use crate::core::content::load::load;
use crate::core::content::{Catalog, event_of, rule_of};
use crate::core::datastore::lookup::{SystemValues, Values};
use crate::core::rule::spec::Rule;
use crate::core::rule::trial::{Event, Trial, attempt};
use crate::core::template::surroundings::Surroundings;
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;

/// What came of it.
#[derive(Debug)]
pub struct TriedRule {
    /// The rule.
    pub rule: Rule,
    /// The event.
    pub event: Event,
    /// What came of it.
    pub trial: Trial,
    /// Whether the rule's action is known.
    pub knows_action: bool,
    /// What is odd about the rule's file.
    pub warnings: Vec<Diagnostic>,
}

/// Tries a rule on an event as if it were in force. The actions are those of the configuration's packs; without one, those that are built in.
///
/// # Errors
/// What is wrong with the files, a line each.
pub fn try_rule(config: Option<&Config>, rule: &Path, event: &Path, now: Timestamp) -> Result<TriedRule, String> {
    let catalog: Catalog = match config {
        Some(config) => super::catalog(config).0,
        None => load(&[]).catalog,
    };
    let (rule, mut warnings) = rule_of(&rule.display().to_string(), &text(rule)?, &catalog);
    let wrong = |told: &[Diagnostic]| told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let Some(rule) = rule else { return Err(wrong(&warnings)) };
    warnings.retain(|told| told.severity == Severity::Warning);
    let (read, problems) = event_of(&event.display().to_string(), &text(event)?);
    let event = read.ok_or_else(|| wrong(&problems))?;
    let values =
        Values { datastore: Arc::default(), user: None, now, master_key: Err("there is none here".to_owned()) };
    let values = Arc::new(values);
    let around = Surroundings::default()
        .with("st2kv", Arc::clone(&values) as _)
        .with("system", Arc::new(SystemValues(Arc::clone(&values))))
        .unsealing(values);
    let action = catalog.actions.get(&rule.action).map(AsRef::as_ref);
    let trial = attempt(&rule, action, &event, &around, now);
    Ok(TriedRule { knows_action: action.is_some(), rule, event, trial, warnings })
}

fn text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: cannot be read: {error}", path.display()))
}
