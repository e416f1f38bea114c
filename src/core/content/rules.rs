//! The events that packs know, and their rules: brought together when all files are read.

use super::SourceFile;
use super::diagnostic::Diagnostic;
use super::fields::Report;
use super::load::document;
use super::parsed::Parsed;
use super::rule::{self, RuleFile};
use super::suggest::did_you_mean;
use super::trigger::{self, TriggerFile};
use crate::core::action::spec::Action;
use crate::core::id::{ActionRef, RuleRef, TriggerRef};
use crate::core::rule::spec::Rule;
use crate::core::rule::trigger::TriggerType;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What can happen, and the rules that listen to it.
#[derive(Default)]
pub(super) struct Events {
    pub(super) triggers: BTreeMap<TriggerRef, Arc<TriggerType>>,
    rules: Vec<(String, RuleFile)>,
}

impl Events {
    pub(super) fn rule(&mut self, pack: &str, file: &SourceFile, report: &mut Report<'_>, parsed: &mut Parsed) {
        let read = |report: &mut Report<'_>| rule::read(&document(file, report)?, pack, report);
        let found = parsed.rules.read(pack, file, report, read);
        self.rules.extend(found.map(|rule| (file.shown.clone(), rule)));
    }

    pub(super) fn triggers(&mut self, pack: &str, file: &SourceFile, report: &mut Report<'_>, parsed: &mut Parsed) {
        let read = |report: &mut Report<'_>| Some(vec![trigger::read(&document(file, report)?, pack, report)?]);
        let found = parsed.triggers.read(pack, file, report, read);
        self.declare(found, report);
    }

    pub(super) fn sensor(&mut self, pack: &str, file: &SourceFile, report: &mut Report<'_>, parsed: &mut Parsed) {
        let read = |report: &mut Report<'_>| trigger::of_sensor(&document(file, report)?, pack, report);
        let found = parsed.triggers.read(pack, file, report, read);
        self.declare(found, report);
    }

    fn declare(&mut self, found: Option<Vec<TriggerFile>>, report: &mut Report<'_>) {
        for TriggerFile { kind, line } in found.into_iter().flatten() {
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
