//! The events that packs know, and their rules: brought together when all files are read.

use super::diagnostic::Diagnostic;
use super::fields::{Report, Table};
use super::load::document;
use super::parsed::Parsed;
use super::rule::{self, RuleFile};
use super::suggest::did_you_mean;
use super::trigger::{self, TriggerFile};
use super::yaml;
use super::{Catalog, PackSource, SourceFile, sensor};
use crate::core::action::spec::Action;
use crate::core::id::{ActionRef, RuleRef, SensorRef, TriggerRef};
use crate::core::rule::spec::Rule;
use crate::core::rule::trial::Event;
use crate::core::rule::trigger::TriggerType;
use crate::core::sensor::spec::Sensor;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rule of a file that belongs to no pack that is loaded, with all that is wrong with the file; of another pack it may speak freely.
pub fn rule_of(shown: &str, text: &str, catalog: &Catalog) -> (Option<Rule>, Vec<Diagnostic>) {
    let (root, diagnostics) = yaml::read(shown, text);
    let mut report = Report::new(shown);
    report.diagnostics = diagnostics;
    let Some(root) = root else { return (None, report.diagnostics) };
    let pack = Table::document(&root, &mut Report::new("")).and_then(|table| table.text("pack", &mut Report::new("")));
    let mut file = rule::read(&root, pack.unwrap_or("default"), &mut report);
    if let Some(file) = &mut file {
        let trigger = catalog.triggers.get(&file.rule.trigger).cloned();
        let action = catalog.actions.get(&file.rule.action);
        let similar = |wanted: &str| did_you_mean(wanted, catalog.triggers.keys().map(TriggerRef::as_str));
        let unknown = || format!("there is no action `{}` here", file.rule.action);
        let action = action.map(AsRef::as_ref).ok_or_else(unknown);
        file.check(trigger.as_deref(), similar, action, &mut report);
    }
    let sound = !report.has_errors();
    (file.filter(|_| sound).map(|file| file.rule), report.diagnostics)
}

/// The event of a file, as StackStorm's rule tester takes it, with what is wrong with the file.
pub fn event_of(shown: &str, text: &str) -> (Option<Event>, Vec<Diagnostic>) {
    let (root, diagnostics) = yaml::read(shown, text);
    let mut report = Report::new(shown);
    report.diagnostics = diagnostics;
    let event = root.as_ref().and_then(|root| {
        let table = Table::document(root, &mut report)?;
        table
            .mostly(&["trigger", "payload", "parameters", "occurrence_time", "status", "id", "trace_tag"], &mut report);
        let trigger = table.required_text("trigger", &mut report)?;
        let payload = table.entry("payload").map(|entry| entry.node.json()).unwrap_or_default();
        let parameters = table.entry("parameters").map(|_| table.free_map("parameters", &mut report));
        Some(Event { trigger: TriggerRef::new(trigger), parameters, payload })
    });
    let sound = !report.has_errors();
    (event.filter(|_| sound), report.diagnostics)
}

/// What can happen, and the rules that listen to it.
#[derive(Default)]
pub(super) struct Events {
    pub(super) triggers: BTreeMap<TriggerRef, Arc<TriggerType>>,
    pub(super) sensors: BTreeMap<SensorRef, Arc<Sensor>>,
    rules: Vec<(String, RuleFile)>,
}

impl Events {
    pub(super) fn rule(&mut self, pack: &str, file: &SourceFile, report: &mut Report<'_>, parsed: &mut Parsed) {
        let read = |report: &mut Report<'_>| rule::read(&document(file, report)?, pack, report);
        let found = parsed.rules.read(pack, file, report, read);
        self.rules.extend(found.map(|rule| (file.shown.clone(), rule)));
    }

    pub(super) fn triggers(&mut self, pack: &str, file: &SourceFile, report: &mut Report<'_>, parsed: &mut Parsed) {
        let read = |report: &mut Report<'_>| trigger::read(&document(file, report)?, pack, report);
        let found = parsed.triggers.read(pack, file, report, read);
        self.declare(found, report);
    }

    pub(super) fn sensor(
        &mut self,
        pack: &str,
        source: &PackSource,
        file: &SourceFile,
        report: &mut Report<'_>,
        parsed: &mut Parsed,
    ) {
        let read = |report: &mut Report<'_>| sensor::read(&document(file, report)?, pack, report);
        let Some(found) = parsed.sensors.read(pack, file, report, read) else { return };
        self.declare(found.triggers.iter().cloned(), report);
        let (line, name) = (found.line(), file.inside.trim_start_matches("sensors/"));
        let stem = name.trim_end_matches(".yaml").trim_end_matches(".yml");
        let Some(sensor) = found.sensor(source, stem, pack, report) else { return };
        if let Some(first) = self.sensors.get(&sensor.reference) {
            report.error(
                line,
                "name",
                format!("the sensor `{}` is defined in {} already", sensor.reference, first.file),
            );
        } else if !report.has_errors() {
            self.sensors.insert(sensor.reference.clone(), Arc::new(sensor));
        }
    }

    fn declare(&mut self, found: impl IntoIterator<Item = TriggerFile>, report: &mut Report<'_>) {
        for TriggerFile { kind, line } in found {
            match self.triggers.get(&kind.reference) {
                // A pack that brings its own version of what is built in says the same.
                Some(first) if super::builtin::is_built_in(&first.file) || super::builtin::is_built_in(&kind.file) => {}
                Some(first) => {
                    let message =
                        format!("the type of triggers `{}` is declared in {} already", kind.reference, first.file);
                    report.error(line, "name", message);
                }
                None => {
                    self.triggers.insert(kind.reference.clone(), Arc::new(kind));
                }
            }
        }
    }

    /// The rules whose names are free, checked against what they speak of.
    pub(super) fn join<'a>(
        &mut self,
        actions: &dyn Fn(&ActionRef) -> Result<&'a Action, String>,
    ) -> (Vec<Rule>, Vec<Diagnostic>) {
        let mut names: BTreeMap<RuleRef, String> = BTreeMap::new();
        let mut rules = Vec::new();
        let mut found = Vec::new();
        for (file, mut rule) in std::mem::take(&mut self.rules) {
            let mut report = Report::new(&file);
            if let Some(first) = names.get(&rule.rule.reference) {
                let message = format!("the rule `{}` is defined in {first} already", rule.rule.reference);
                report.error(rule.name_line(), "name", message);
            } else {
                names.insert(rule.rule.reference.clone(), file.clone());
                let similar = |wanted: &str| did_you_mean(wanted, self.triggers.keys().map(TriggerRef::as_str));
                let action = actions(&rule.rule.action);
                let trigger = self.triggers.get(&rule.rule.trigger).cloned();
                rule.check(trigger.as_deref(), similar, action, &mut report);
            }
            if !report.has_errors() {
                rules.push(rule.rule);
            }
            found.append(&mut report.diagnostics);
        }
        (rules, found)
    }
}
