//! What files were found to say, kept for the next reading: only what has changed is parsed again.
//!
//! What comes with the program is parsed once for all readings of the process.

use super::action::ActionFile;
use super::alias::AliasFile;
use super::diagnostic::Diagnostic;
use super::fields::Report;
use super::rule::RuleFile;
use super::sensor::SensorFile;
use super::trigger::TriggerFile;
use super::{SourceFile, load};
use crate::core::action::spec::Workflow;
use crate::core::alias::formats::Formats;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// Files as they were understood, by their names and texts.
#[derive(Debug, Clone)]
pub struct Parsed {
    pub(super) actions: Kept<ActionFile>,
    pub(super) aliases: Kept<AliasFile>,
    pub(super) workflows: Kept<Arc<Workflow>>,
    pub(super) rules: Kept<RuleFile>,
    pub(super) triggers: Kept<TriggerFile>,
    pub(super) sensors: Kept<SensorFile>,
    pub(super) formats: Formats,
}

/// How much was done anew, all readings together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Files that were parsed.
    pub files: usize,
    /// Formats of aliases that were compiled.
    pub formats: usize,
}

/// What the program brings along, read by itself.
static BUILT_IN: LazyLock<Parsed> = LazyLock::new(|| {
    let mut parsed = Parsed::nothing();
    load::load_again(&[], &mut parsed);
    parsed
});

impl Default for Parsed {
    /// Of the packs nothing, of what comes with the program everything.
    fn default() -> Self {
        BUILT_IN.clone()
    }
}

impl Parsed {
    fn nothing() -> Self {
        Self {
            actions: Kept::default(),
            aliases: Kept::default(),
            workflows: Kept::default(),
            rules: Kept::default(),
            triggers: Kept::default(),
            sensors: Kept::default(),
            formats: Formats::default(),
        }
    }

    /// Forgets what was not asked for since this was called last.
    pub fn forget_unused(&mut self) {
        self.actions.forget_unused();
        self.aliases.forget_unused();
        self.workflows.forget_unused();
        self.rules.forget_unused();
        self.triggers.forget_unused();
        self.sensors.forget_unused();
        self.formats.forget_unused();
    }

    /// What has been done so far. Two readings are compared by it: what did not change costs nothing in the second.
    pub fn work(&self) -> Work {
        let files = [
            self.actions.parsed,
            self.aliases.parsed,
            self.workflows.parsed,
            self.rules.parsed,
            self.triggers.parsed,
            self.sensors.parsed,
        ];
        Work { files: files.iter().sum(), formats: self.formats.compiled() }
    }
}

/// Files of one kind.
#[derive(Debug, Clone)]
pub(super) struct Kept<T> {
    /// By pack and file; of a file that has got mistakes the version in force as well.
    files: BTreeMap<(String, String), Vec<Version<T>>>,
    parsed: usize,
}

/// A file with this text.
#[derive(Debug, Clone)]
struct Version<T> {
    text: String,
    found: Option<T>,
    diagnostics: Vec<Diagnostic>,
    used: bool,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { files: BTreeMap::new(), parsed: 0 }
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
        let Ok(text) = &file.text else { return read(report) };
        let versions = self.files.entry((pack.to_owned(), file.shown.clone())).or_default();
        if let Some(known) = versions.iter_mut().find(|version| version.text == *text) {
            known.used = true;
            report.diagnostics.extend(known.diagnostics.iter().cloned());
            return known.found.clone();
        }
        let mut own = Report::new(&file.shown);
        let found = read(&mut own);
        report.diagnostics.extend(own.diagnostics.iter().cloned());
        self.parsed += 1;
        let (text, diagnostics) = (text.clone(), own.diagnostics);
        versions.push(Version { text, found: found.clone(), diagnostics, used: true });
        found
    }

    fn forget_unused(&mut self) {
        for versions in self.files.values_mut() {
            versions.retain_mut(|version| std::mem::take(&mut version.used));
        }
        self.files.retain(|_, versions| !versions.is_empty());
    }
}
