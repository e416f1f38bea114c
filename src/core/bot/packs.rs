//! What is wrong with the files of packs: told to the admin channel once, and once more when it is mended.
//!
//! What was told is not remembered beyond the process: the next one tells of everything that is wrong when it starts.

use super::{Bot, Moment, Step, TOLD_PROBLEMS};
use crate::core::access::Rights;
use crate::core::content::diagnostic::{Diagnostic, Severity};
use crate::core::memory::Contradiction;
use crate::core::message::card::{BrokenFile, Card, PackRow};
use crate::core::settings::Verb;
use crate::core::vitals::PackChange;
use std::collections::{BTreeMap, BTreeSet};

/// The mistakes that the admin channel has been told of, by file: where in it, and what. A line moves when another is put before it, and
/// the mistake is still the same.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<String, BTreeSet<(String, String)>>);

impl Told {
    pub(super) fn of(problems: &[Diagnostic]) -> Self {
        let mut told = Self::default();
        for problem in problems.iter().filter(|problem| problem.severity == Severity::Error) {
            let place = (problem.key_path.clone(), problem.message.clone());
            told.0.entry(problem.file.clone()).or_default().insert(place);
        }
        told
    }
}

impl Bot {
    /// Tells what is new. Before the greeting nothing is: the greeting names it.
    pub(super) fn packs_changed(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        change: &PackChange,
    ) -> Result<(), Contradiction> {
        if self.announcement.is_some() || self.admin_channel().is_none() {
            return Ok(());
        }
        let now = Told::of(&self.problems);
        let before = std::mem::take(&mut self.told);
        let fresh = now.0.iter().filter(|(file, mistakes)| before.0.get(*file) != Some(mistakes));
        let mut broken: Vec<BrokenFile> = fresh
            .map(|(file, _)| {
                let problems: Vec<String> =
                    self.errors().filter(|problem| problem.file == *file).map(ToString::to_string).collect();
                BrokenFile {
                    file: file.clone(),
                    kept: change.kept.contains(file),
                    more: problems.len().saturating_sub(TOLD_PROBLEMS),
                    problems: problems.into_iter().take(TOLD_PROBLEMS).collect(),
                }
            })
            .collect();
        let (gone, mended): (Vec<String>, Vec<String>) =
            before.0.into_keys().filter(|file| !now.0.contains_key(file)).partition(|file| change.gone.contains(file));
        self.told = now;
        if broken.is_empty() && mended.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let more = broken.len().saturating_sub(TOLD_PROBLEMS);
        broken.truncate(TOLD_PROBLEMS);
        let card = Card::PacksChanged { broken, more, mended, gone };
        self.tell_admins(step, moment, card.template(), &card)
    }

    /// The packs of which the asker may see something, counted as far as that goes. What is wrong with files is for administrators.
    pub(super) fn packs(&self, rights: &Rights) -> Card {
        let all = rights.administers();
        let eyes = self.eyes(rights);
        let rows = self.catalog.packs.values().map(|pack| {
            let own = |reference: &str| reference.split_once('.').is_some_and(|(of, _)| of == pack.reference);
            let actions = self.catalog.actions.values().filter(|action| own(action.reference.as_str()));
            let aliases = self.catalog.aliases.iter().filter(|alias| own(alias.reference.as_str()));
            PackRow {
                name: pack.reference.clone(),
                version: pack.version.clone(),
                actions: actions.filter(|action| eyes.may(Verb::View, action)).count(),
                aliases: aliases.filter(|alias| eyes.may_use(Verb::View, alias)).count(),
                policies: pack.policies,
                problems: if all {
                    self.errors().filter(|problem| self.catalog.pack_of(&problem.file) == Some(pack)).count()
                } else {
                    0
                },
            }
        });
        let wrong: Vec<String> = if all { self.errors().map(ToString::to_string).collect() } else { Vec::new() };
        Card::Packs {
            in_force: self.policy_rows(rights),
            packs: rows.filter(|row| all || row.actions + row.aliases > 0).collect(),
            more: wrong.len().saturating_sub(TOLD_PROBLEMS),
            problems: wrong.into_iter().take(TOLD_PROBLEMS).collect(),
        }
    }
}
