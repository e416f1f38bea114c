//! What files were found to say, kept for the next reading: only what has changed is parsed again.

use super::action::ActionFile;
use super::alias::AliasFile;
use super::diagnostic::Diagnostic;
use super::fields::Report;
use super::rule::RuleFile;
use super::sensor::SensorFile;
use super::trigger::TriggerFile;
use super::{SourceFile, load};
use crate::core::action::spec::Workflow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Files as they were understood, by their names and texts.
#[derive(Debug, Default)]
pub struct Parsed {
    pub(super) actions: Kept<ActionFile>,
    pub(super) aliases: Kept<AliasFile>,
    pub(super) workflows: Kept<Arc<Workflow>>,
    pub(super) rules: Kept<RuleFile>,
    pub(super) triggers: Kept<TriggerFile>,
    pub(super) sensors: Kept<SensorFile>,
}

impl Parsed {
    /// Forgets what was not asked for since this was called last.
    pub fn forget_unused(&mut self) {
        self.actions.forget_unused();
        self.aliases.forget_unused();
        self.workflows.forget_unused();
        self.rules.forget_unused();
        self.triggers.forget_unused();
        self.sensors.forget_unused();
    }
}

/// Files of one kind.
#[derive(Debug)]
pub(super) struct Kept<T> {
    files: BTreeMap<Key, (Option<T>, Vec<Diagnostic>)>,
    used: BTreeSet<Key>,
}

/// Pack, file and the fingerprint of its text.
type Key = (String, String, String);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { files: BTreeMap::new(), used: BTreeSet::new() }
    }
}

impl<T: Clone> Kept<T> {
    /// What a file says, by `read` where it has not been read before.
    pub(super) fn read(
        &mut self,
        pack: &str,
        file: &SourceFile,
        report: &mut Report<'_>,
        read: impl FnOnce(&mut Report<'_>) -> Option<T>,
    ) -> Option<T> {
        let key = (pack.to_owned(), file.shown.clone(), load::fingerprint(file.text.as_deref().into_iter()));
        let readable = file.text.is_ok();
        if readable && let Some((found, diagnostics)) = self.files.get(&key) {
            report.diagnostics.extend(diagnostics.iter().cloned());
            let found = found.clone();
            self.used.insert(key);
            return found;
        }
        let mut own = Report::new(&file.shown);
        let found = read(&mut own);
        report.diagnostics.extend(own.diagnostics.iter().cloned());
        if readable {
            self.used.insert(key.clone());
            self.files.insert(key, (found.clone(), own.diagnostics));
        }
        found
    }

    fn forget_unused(&mut self) {
        let used = std::mem::take(&mut self.used);
        self.files.retain(|key, _| used.contains(key));
    }
}
