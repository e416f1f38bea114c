//! # Content
//!
//! What the packs say: the texts of their files in, a [`Catalog`] and [`diagnostic::Diagnostic`]s out. Reading the files is the business
//! of `adapters::content`; this folder never sees a disk.
//!
//! The way of a file: [`yaml`] makes a tree with places of it, `pack`, `action`, `alias`, `policy`, `rule`, `sensor`, `trigger` or `config` read the tree through `fields`, and
//! [`load`] joins what they found. [`example`] tries what packs say of their own aliases. The formats are StackStorm's; `docs/packs.md` is their
//! description for those who write packs.
//!
//! - **One bad file never stops the rest**, and a bad file is never half in force: it is there with all it says, or not at all. Only a
//!   pack whose ref is uncertain is left out as a whole, because grants and policies go by it.
//! - **Everything that is wrong is told at once**, with file, line, key path and, where one can be guessed, what was meant.
//! - **Nothing is ignored in silence**: what is sound but not built is `NotSupported`, and an approval that cannot be understood takes the
//!   actions it covers out of service.
//! - **No text makes this panic**, recurse without bound, or take memory out of proportion to its length.

mod action;
mod alias;
mod builtin;
pub mod config;
pub mod diagnostic;
mod entry_point;
pub mod example;
pub(crate) mod fields;
mod filed_policy;
pub mod glob;
mod limits;
pub mod load;
mod out_of_service;
mod pack;
mod parameter;
mod parsed;
mod policy;
mod rule;
mod rules;
mod runner;
pub(crate) mod scalar;
mod sensor;
pub(crate) mod suggest;
mod tasks;
mod template;
mod trigger;
pub mod yaml;

pub use rules::{event_of, rule_of};
pub use sensor::NOT_EXECUTABLE;

use crate::core::access::approvers::Approvers;
use crate::core::action::spec::Action;
use crate::core::alias::matcher::{Match, Matcher, Selection};
use crate::core::alias::spec::Alias;
use crate::core::approval::Policy;
use crate::core::id::{ActionRef, AliasRef, SensorRef, TriggerRef};
use crate::core::message::sentences::Sentences;
use crate::core::policy::Policies;
use crate::core::rule::index::Rules;
use crate::core::rule::spec::Rule;
use crate::core::rule::trigger::TriggerType;
use crate::core::sensor::spec::Sensor;
use crate::core::template::value::cast;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything that is in force, built from one reading of all packs.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Every pack by its ref, `core` included.
    pub packs: BTreeMap<String, Pack>,
    /// Every action, disabled ones included.
    pub actions: BTreeMap<ActionRef, Arc<Action>>,
    /// Every alias, disabled ones included, in load order.
    pub aliases: Vec<Arc<Alias>>,
    /// The configuration of every pack that has one, or a schema for one.
    pub configs: BTreeMap<String, Arc<config::PackConfig>>,
    /// The formats of those aliases, ready to be matched.
    pub matcher: Arc<Matcher>,
    /// What the bot says, the site's own texts among it.
    pub sentences: Sentences,
    /// For each action that they bound or have tried again, the policies in force.
    pub policies: BTreeMap<ActionRef, Arc<Policies>>,
    /// For each action that is out of service since a file may be meant as a policy for its approval and cannot be understood, those files.
    pub guards: BTreeMap<ActionRef, Vec<String>>,
    /// For each action that needs approvals, the policies that want them.
    pub approvals: BTreeMap<ActionRef, Vec<Arc<Policy>>>,
    /// Every rule, disabled ones included.
    pub rules: Arc<Rules>,
    /// What aliases offer for problems, each as the rule that it is then.
    pub offers: BTreeMap<AliasRef, Arc<Rule>>,
    /// Every type of triggers.
    pub triggers: BTreeMap<TriggerRef, Arc<TriggerType>>,
    /// Every sensor, disabled ones and those included that nothing can run yet.
    pub sensors: BTreeMap<SensorRef, Arc<Sensor>>,
}

impl Catalog {
    /// What a line means, among the aliases that `may` lets through. Where several match, those whose values are of the types that their
    /// actions want stand before those that could only be refused: `wait 5 on wn001` is no number of seconds.
    pub fn select_among(&self, line: &str, may: &dyn Fn(&Alias) -> bool) -> Selection {
        match self.matcher.select_among(line, may) {
            Selection::Ambiguous(found) if found.iter().any(|hit| self.is_typed(hit)) => {
                let mut sound: Vec<Match> = found.into_iter().filter(|hit| self.is_typed(hit)).collect();
                match sound.len() {
                    1 => sound.pop().map_or(Selection::None, |hit| Selection::One(Box::new(hit))),
                    _ => Selection::Ambiguous(sound),
                }
            }
            other => other,
        }
    }

    /// Whether every value of a match can be read as its parameter's type.
    fn is_typed(&self, hit: &Match) -> bool {
        let Some(action) = self.actions.get(&hit.alias.action) else { return false };
        let fits = |name: &String, value: &String| {
            let kind = action.parameters.get(name).and_then(|parameter| parameter.kind);
            kind.is_none_or(|kind| cast(&serde_json::Value::from(value.as_str()), kind).is_some())
        };
        hit.all().all(|each| each.parameters.iter().all(|(name, value)| fits(name, value)))
    }

    /// Whom the policies name that may decide about approvals, all together.
    pub fn deciders(&self) -> Approvers {
        let mut all = Approvers::default();
        for policy in self.approvals.values().flatten() {
            let named = policy.terms.approvers.clone();
            all.roles.extend(named.roles);
            all.users.extend(named.users);
            all.channels.extend(named.channels);
        }
        for names in [&mut all.roles, &mut all.users, &mut all.channels] {
            names.sort();
            names.dedup();
        }
        all
    }

    /// The pack that a file lies in, by the name that messages use.
    pub fn pack_of(&self, file: &str) -> Option<&Pack> {
        let holds = |pack: &&Pack| {
            file.strip_prefix(&pack.directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                || (pack.directory == "." && !file.starts_with('/'))
        };
        self.packs.values().filter(holds).max_by_key(|pack| pack.directory.len())
    }
}

/// A pack as its `pack.yaml` says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    /// Its ref.
    pub reference: String,
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// Its version.
    pub version: String,
    /// Its directory as the user would name it, for messages; `built in` for the pack `core`.
    pub directory: String,
    /// How many policies its files hold.
    pub policies: usize,
}

/// One pack as it was read from disk.
#[derive(Debug, Clone)]
pub struct PackSource {
    /// The name of its directory, which is its ref when `pack.yaml` gives none.
    pub directory: String,
    /// That directory as the user would name it, for messages.
    pub shown: String,
    /// Its files, sorted by name: those that say something, and those in `actions` that actions may run. Of the folder of the packs'
    /// configurations they are all `configs/PACK.yaml`, and it is no pack.
    pub files: Vec<SourceFile>,
    /// What lies in `sensors` and may be a program, or belong to one.
    pub programs: Vec<ProgramFile>,
}

impl PackSource {
    /// Whether it comes from the program itself.
    pub(crate) fn is_built_in(&self) -> bool {
        builtin::is_built_in(&self.shown)
    }
}

/// A file that may be a program; what is in it is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramFile {
    /// The path inside the pack, with slashes: `sensors/power`.
    pub inside: String,
    /// Its absolute path.
    pub path: String,
    /// What tells it from an earlier version, or why it cannot be run.
    pub stamp: Result<String, String>,
}

/// One file as it was read.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The path as the user would name it, for messages.
    pub shown: String,
    /// The path inside the pack, with slashes: `aliases/uptime.yaml`.
    pub inside: String,
    /// Its text, or why there is none.
    pub text: Result<String, String>,
}
