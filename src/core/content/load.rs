//! From the packs' texts to the catalog.
//!
//! Packs are opened first, then all actions are read, then policies are laid over them, and aliases come last, because each can speak
//! of what another pack holds. Every file is read to its end whatever is wrong with the others.

use super::action::{self, ActionFile};
use super::alias::{self, AliasFile};
use super::config::{self, PackConfig};
use super::diagnostic::{Diagnostic, Severity};
use super::entry_point::{script, workflow};
use super::fields::Report;
use super::filed_policy::{FiledPolicy, Standing, characterize, exactness};
use super::glob::covers;
use super::limits;
pub use super::parsed::{Parsed, Work};
use super::policy::{self, Covers, Does, Policy};
use super::rules::Events;
use super::suggest::did_you_mean;
use super::yaml::{self, Node};
use super::{Catalog, Pack, PackSource, SourceFile, builtin, pack, tasks, template};
use crate::core::action::spec::{Action, RunnerType};
use crate::core::alias::ambiguity::Ambiguity;
use crate::core::alias::formats::Formats;
use crate::core::alias::matcher::Matcher;
use crate::core::alias::spec::Alias;
use crate::core::approval;
use crate::core::id::{ActionRef, AliasRef};
use crate::core::message::sentences::Sentences;
use crate::core::policy::Policies;
use crate::core::rule::index::Rules;
use crate::core::rule::spec::Rule;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// What came of reading all packs.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// What is in force.
    pub catalog: Catalog,
    /// What is wrong, in the order of the files and of the lines in each.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the built-in pack and then these, in this order. Never fails: what cannot be read is told in the diagnostics.
pub fn load(sources: &[PackSource]) -> Loaded {
    load_again(sources, &mut Parsed::default())
}

/// The same, where files that have been read before are not parsed again.
pub fn load_again(sources: &[PackSource], parsed: &mut Parsed) -> Loaded {
    let Joined { loading, aliases, offers, configs, sentences, rules } = join(sources, parsed);
    let Loading { packs, actions, guards, approvals, limits, events, mut diagnostics, order, .. } = loading;
    let policies = limits.into_iter().map(|(action, policies)| (action, Arc::new(policies))).collect();
    let from_files = catalog(packs, actions, aliases, &mut parsed.formats, &mut diagnostics);
    let Events { triggers, sensors, .. } = events;
    let rules = Arc::new(Rules::new(rules));
    let with_events = Catalog { rules, triggers, sensors, offers, ..from_files };
    let catalog = Catalog { guards, approvals, policies, sentences, configs, ..with_events };
    sort(&mut diagnostics, &order);
    Loaded { catalog, diagnostics }
}

/// What is wrong with the files, as far as that shows without compiling any format.
pub fn examine(sources: &[PackSource], parsed: &mut Parsed) -> Vec<Diagnostic> {
    let Loading { mut diagnostics, order, .. } = join(sources, parsed).loading;
    sort(&mut diagnostics, &order);
    diagnostics
}

/// All files, brought together.
struct Joined {
    loading: Loading,
    aliases: Vec<Arc<Alias>>,
    offers: BTreeMap<AliasRef, Arc<Rule>>,
    configs: BTreeMap<String, Arc<PackConfig>>,
    sentences: Sentences,
    rules: Vec<Rule>,
}

fn join(sources: &[PackSource], parsed: &mut Parsed) -> Joined {
    let builtin = builtin::packs();
    let not_built = builtin::NOT_BUILT.iter().map(|reference| (ActionRef::new(*reference), Absent::NotBuilt));
    let mut loading = Loading { absent: not_built.collect(), ..Loading::default() };
    let mut opened = Vec::new();
    let (configs, packs): (Vec<&PackSource>, Vec<&PackSource>) = sources.iter().partition(|source| is_configs(source));
    // `core` comes first, so that nobody takes its actions away; of the other built-in packs a site may bring its own version.
    let (first, last) = builtin.split_at(1);
    for source in first.iter().chain(packs).chain(last) {
        loading.number(source);
        match loading.open(source) {
            Opening::As(reference) => opened.push((reference, source)),
            Opening::Second => {}
            Opening::Lost => loading.guards_of_lost(source),
        }
    }
    for (reference, source) in &opened {
        for file in &source.files {
            loading.file(reference, source, file, parsed);
        }
    }
    let configs = loading.configs(&opened, &configs);
    loading.apply_policies();
    let (aliases, offers) = loading.join_aliases();
    let rules = loading.join_rules();
    let unknown = tasks::warnings(&loading.actions, |action| loading.known(action).map(drop));
    loading.diagnostics.extend(unknown);
    let sentences = template::sentences(opened.iter().map(|(_, source)| *source), &mut loading.diagnostics);
    Joined { loading, aliases, offers, configs, sentences, rules }
}

/// In the order of the files and of the lines in each.
fn sort(diagnostics: &mut [Diagnostic], order: &BTreeMap<String, usize>) {
    diagnostics.sort_by_key(|diagnostic| {
        (order.get(&diagnostic.file).copied().unwrap_or(usize::MAX), diagnostic.line.unwrap_or(0))
    });
}

/// The one place where a catalog is made. Formats are compiled here, and what they say about each other is told.
fn catalog(
    packs: BTreeMap<String, Opened>,
    actions: BTreeMap<ActionRef, Action>,
    aliases: Vec<Arc<Alias>>,
    formats: &mut Formats,
    diagnostics: &mut Vec<Diagnostic>,
) -> Catalog {
    let names = |action: &ActionRef| Some(actions.get(action)?.parameters.keys().cloned().collect());
    let (matcher, problems) = Matcher::with(&aliases, &names, formats);
    diagnostics.extend(problems.into_iter().map(|problem| problem.diagnostic));
    diagnostics.extend(matcher.shadowed());
    // A line that nobody would write is asked about when somebody does.
    let likely = matcher.ambiguities();
    diagnostics.extend(likely.iter().filter(|found| !found.far_fetched).map(ambiguity));
    Catalog {
        packs: packs.into_iter().map(|(reference, opened)| (reference, opened.pack)).collect(),
        actions: actions.into_iter().map(|(reference, action)| (reference, Arc::new(action))).collect(),
        aliases,
        matcher: Arc::new(matcher),
        ..Catalog::default()
    }
}

/// Two formats that one line can mean both: not wrong, but whoever writes that line will be asked which one is meant.
fn ambiguity(found: &Ambiguity) -> Diagnostic {
    let Ambiguity { first: (first, format), second: (second, other), example, .. } = found;
    let place = second.formats.iter().flat_map(|format| &format.representations).find(|at| *at.text == **other);
    Diagnostic {
        file: second.file.clone(),
        line: place.map(|at| at.line),
        key_path: place.map(|at| at.key_path.clone()).unwrap_or_default(),
        severity: Severity::Warning,
        message: format!("`{other}` and `{format}` of {} both match `{example}`", first.reference),
        suggestion: Some("whoever writes that will be asked which one is meant".to_owned()),
    }
}

/// A pack whose ref is certain.
struct Opened {
    pack: Pack,
    /// Where it came from, for whoever brings a second one of its name.
    shown: String,
}

/// Why an action that is known of is not in force.
enum Absent {
    /// Its file, this one, has a mistake.
    Spoilt(String),
    /// Its file, this one, asks for what is not built.
    NotSupported(String),
    /// StackStorm brings it along, and Halcyon does not yet.
    NotBuilt,
}

/// What came of opening a pack.
enum Opening {
    /// It is in force under this ref.
    As(String),
    /// Another pack has its ref.
    Second,
    /// Nobody can tell its ref.
    Lost,
}

#[derive(Default)]
struct Loading {
    packs: BTreeMap<String, Opened>,
    actions: BTreeMap<ActionRef, Action>,
    absent: BTreeMap<ActionRef, Absent>,
    policies: Vec<FiledPolicy>,
    /// The files that may be meant as policies for the approval of an action, and cannot be understood.
    guards: BTreeMap<ActionRef, Vec<String>>,
    /// The policies that want an approval for an action.
    approvals: BTreeMap<ActionRef, Vec<Arc<approval::Policy>>>,
    /// How many of each action may run at once, and what happens after a failure.
    limits: BTreeMap<ActionRef, Policies>,
    aliases: Vec<AliasFile>,
    /// What can happen, and the rules that listen to it.
    events: Events,
    diagnostics: Vec<Diagnostic>,
    /// The place of each file among all, which is the order of the diagnostics.
    order: BTreeMap<String, usize>,
}

impl Loading {
    fn number(&mut self, source: &PackSource) {
        for shown in std::iter::once(&source.shown).chain(source.files.iter().map(|file| &file.shown)) {
            let next = self.order.len();
            self.order.entry(shown.clone()).or_insert(next);
        }
    }

    /// Takes over what was found in one file. One that is wrong from end to end has said enough after a while.
    fn keep(&mut self, mut report: Report<'_>) {
        const MOST: usize = 100;
        report.diagnostics.sort_by_key(|diagnostic| diagnostic.line);
        let left_out = report.diagnostics.split_off(report.diagnostics.len().min(MOST));
        if let Some(worst) = left_out.iter().map(|diagnostic| diagnostic.severity).min() {
            let line = left_out.first().and_then(|diagnostic| diagnostic.line);
            let message = format!("from here on {} more problems are not listed", left_out.len());
            let diagnostic = report.warning(line, "", message);
            diagnostic.severity = worst;
        }
        self.diagnostics.append(&mut report.diagnostics);
    }

    /// Finds out which pack this is. Nothing of a pack without a certain ref is read: under a wrong ref, grants and policies would miss it.
    fn open(&mut self, source: &PackSource) -> Opening {
        let Some(manifest) = source.files.iter().find(|file| file.inside == "pack.yaml") else {
            let mut report = Report::new(&source.shown);
            let misnamed = source.files.iter().any(|file| file.inside == "pack.yml");
            report.error(None, "", "this is no pack: it has no pack.yaml").suggestion =
                misnamed.then(|| "rename pack.yml".to_owned());
            self.keep(report);
            return Opening::Lost;
        };
        let mut report = Report::new(&manifest.shown);
        let pack = document(manifest, &mut report).and_then(|root| pack::read(&root, &source.directory, &mut report));
        let opening = match pack {
            None => {
                report.error(None, "", "nothing of this pack is in force until its pack.yaml can be understood");
                Opening::Lost
            }
            Some(pack) => match self.packs.get(&pack.reference) {
                // What is built in fills up what a site brings under its name, and the other way round.
                Some(_) if source.is_built_in() => Opening::As(pack.reference),
                Some(first) if builtin::is_built_in(&first.shown) => {
                    let message =
                        format!("what is built in of `{}` counts; of this pack the rest is taken", pack.reference);
                    report.warning(None, "", message);
                    Opening::As(pack.reference)
                }
                Some(first) => {
                    let message = format!(
                        "the pack `{}` is there already, from {}; this one is left out",
                        pack.reference, first.shown
                    );
                    report.warning(None, "", message);
                    Opening::Second
                }
                None => {
                    let reference = pack.reference.clone();
                    let pack = Pack { directory: source.shown.clone(), ..pack };
                    self.packs.insert(reference.clone(), Opened { pack, shown: source.shown.clone() });
                    Opening::As(reference)
                }
            },
        };
        self.keep(report);
        opening
    }

    /// A pack that is left out cannot guard anything any more, and what it guards in other packs must not run unguarded for that.
    fn guards_of_lost(&mut self, source: &PackSource) {
        for file in source.files.iter().filter(|file| is_content(&file.inside, "policies")) {
            // What else is wrong with the file is told when the pack is in force again.
            let mut report = Report::new(&file.shown);
            let guards = policies_of(file, &source.directory, &mut report)
                .into_iter()
                .filter(|policy| {
                    matches!((&policy.does, &policy.covers), (Does::Guard | Does::Ask(_), Covers::Glob(_)))
                })
                .map(|policy| Policy { does: Does::Guard, ..policy });
            self.policies.extend(guards.map(|policy| FiledPolicy {
                policy,
                file: file.shown.clone(),
                pack: String::new(),
                standing: Standing::Lost,
            }));
        }
    }

    fn file(&mut self, pack: &str, source: &PackSource, file: &SourceFile, parsed: &mut Parsed) {
        let Some((folder, name)) = file.inside.split_once('/') else { return };
        if !is_content(&file.inside, folder) {
            return;
        }
        let mut report = Report::new(&file.shown);
        match folder {
            "actions" if matches!(name, "config.yaml" | "config.yml") => {}
            "actions" => self.action(pack, source, file, &mut report, parsed),
            "policies" => self.policy(pack, file, &mut report),
            "aliases" => {
                let read = |report: &mut Report<'_>| alias::read(&document(file, report)?, pack, report);
                self.aliases.extend(parsed.aliases.read(pack, file, &mut report, read));
            }
            "rules" => self.events.rule(pack, file, &mut report, parsed),
            "triggers" => self.events.triggers(pack, file, &mut report, parsed),
            "sensors" => self.events.sensor(pack, source, file, &mut report, parsed),
            _ => {}
        }
        self.keep(report);
    }

    /// Brings schemas and configurations together. A schema or a configuration with a mistake keeps the whole out of force.
    fn configs(
        &mut self,
        opened: &[(String, &PackSource)],
        folders: &[&PackSource],
    ) -> BTreeMap<String, Arc<PackConfig>> {
        let mut schemas = Schemas::new();
        for (pack, source) in opened {
            let Some(file) = source.files.iter().find(|file| file.inside == SCHEMA) else { continue };
            let mut report = Report::new(&file.shown);
            let schema = document(file, &mut report).and_then(|root| config::read_schema(&root, &mut report));
            schemas.insert(pack.clone(), schema.map(|schema| (schema, file)).ok_or(file));
            self.keep(report);
        }
        let mut configs = BTreeMap::new();
        for folder in folders {
            self.number(folder);
            for file in folder.files.iter().filter(|file| is_content(&file.inside, "configs")) {
                self.config(file, &schemas, &mut configs);
            }
        }
        for (pack, schema) in schemas {
            if configs.contains_key(&pack) {
                continue;
            }
            let config = match schema {
                Ok((schema, file)) => {
                    let mut report = Report::new(&file.shown);
                    config::absent(&schema, &format!("configs/{pack}.yaml"), &mut report);
                    self.keep(report);
                    PackConfig::new(schema, Map::new())
                }
                Err(file) => PackConfig::broken(&file.shown),
            };
            configs.insert(pack, Arc::new(config));
        }
        configs
    }

    fn config(&mut self, file: &SourceFile, schemas: &Schemas<'_>, configs: &mut BTreeMap<String, Arc<PackConfig>>) {
        let mut report = Report::new(&file.shown);
        let name = file.inside.trim_start_matches("configs/");
        let pack = name.trim_end_matches(".yaml").trim_end_matches(".yml");
        if !self.packs.contains_key(pack) {
            let close = did_you_mean(pack, self.packs.keys().map(String::as_str));
            report.warning(None, "", format!("there is no pack `{pack}` that this could configure")).suggestion = close;
            return self.keep(report);
        }
        let none = Map::new();
        let schema = match schemas.get(pack) {
            None => &none,
            Some(Ok((schema, _))) => schema,
            Some(Err(broken)) => {
                report.warning(None, "", format!("is not in force until {} is mended", broken.shown));
                configs.insert(pack.to_owned(), Arc::new(PackConfig::broken(&broken.shown)));
                return self.keep(report);
            }
        };
        let read = document(file, &mut report).and_then(|root| config::read(&root, schema, &mut report));
        let config = match read {
            Some(values) => PackConfig::new(schema.clone(), values),
            // An empty document is a configuration that says nothing.
            None if !report.has_errors() => PackConfig::new(schema.clone(), Map::new()),
            None => PackConfig::broken(&file.shown),
        };
        configs.insert(pack.to_owned(), Arc::new(config));
        self.keep(report);
    }

    fn action(
        &mut self,
        pack: &str,
        source: &PackSource,
        file: &SourceFile,
        report: &mut Report<'_>,
        parsed: &mut Parsed,
    ) {
        let Some((reference, line, action)) = read_action(pack, source, file, report, parsed) else { return };
        if let Some(first) = self.actions.get(&reference) {
            let built_in = builtin::is_built_in(&first.file);
            match builtin::is_built_in(&file.shown) {
                // The site has brought its own.
                true if !built_in => {}
                false if built_in => {
                    // It is in force all the same, by other means.
                    report.diagnostics.retain(|diagnostic| diagnostic.severity != Severity::NotSupported);
                }
                _ => {
                    let message = format!("the action `{reference}` is defined in {} already", first.file);
                    report.error(line, "name", message);
                }
            }
            return;
        }
        match action {
            Some(action) => {
                self.absent.remove(&reference);
                self.actions.insert(reference, action);
            }
            None => {
                let why = if report.has_errors() { Absent::Spoilt } else { Absent::NotSupported };
                self.absent.insert(reference, why(file.shown.clone()));
            }
        }
    }

    fn policy(&mut self, pack: &str, file: &SourceFile, report: &mut Report<'_>) {
        let found = policies_of(file, pack, report);
        let standing = if report.has_errors() { Standing::Spoilt } else { Standing::Sound };
        if let Some(opened) = self.packs.get_mut(pack) {
            opened.pack.policies += found.len();
        }
        for policy in found {
            self.policies.push(FiledPolicy { policy, file: file.shown.clone(), pack: pack.to_owned(), standing });
        }
    }

    /// Lays the policies over the actions: first what the actions are, then which of them cannot be run.
    fn apply_policies(&mut self) {
        let policies = std::mem::take(&mut self.policies);
        let mut unfit = Vec::new();
        for action in self.actions.values_mut() {
            unfit.extend(characterize(action, &policies));
        }
        unfit.into_iter().for_each(|report| self.keep(report));
        self.apply_limits(&policies);
        for filed in &policies {
            self.guard_or_warn(filed);
        }
    }

    /// Finds for each action the policies that bound it or have it tried again: those for this very action before those for many.
    fn apply_limits(&mut self, policies: &[FiledPolicy]) {
        let mut named: BTreeMap<&str, &FiledPolicy> = BTreeMap::new();
        let mut in_force = Vec::new();
        for filed in policies {
            let Some(name) = filed.policy.does.limit() else { continue };
            if let Some(first) = named.get(name) {
                let mut report = Report::new(&filed.file);
                report.error(None, "name", format!("the policy `{name}` is defined in {} already", first.file));
                self.keep(report);
            } else {
                named.insert(name, filed);
                in_force.push(filed);
            }
        }
        for exact in [true, false] {
            for filed in &in_force {
                for action in self.actions.values().filter(|action| exactness(filed, action) == Some(exact)) {
                    limits::add(self.limits.entry(action.reference.clone()).or_default(), &filed.policy.does);
                }
            }
        }
        for filed in in_force {
            let mut report = Report::new(&filed.file);
            let covered = self.actions.values().filter(|action| exactness(filed, action).is_some());
            limits::check_attributes(&filed.policy, covered, &mut report);
            self.keep(report);
        }
    }

    fn guard_or_warn(&mut self, filed: &FiledPolicy) {
        let covered: Vec<ActionRef> = self
            .actions
            .values()
            .filter(|action| exactness(filed, action).is_some())
            .map(|action| action.reference.clone())
            .collect();
        let mut report = Report::new(&filed.file);
        match (&filed.policy.does, &filed.policy.covers) {
            (Does::Ask(policy), _) if !covered.is_empty() => {
                let policy = Arc::new((**policy).clone());
                for reference in covered {
                    self.approvals.entry(reference).or_default().push(Arc::clone(&policy));
                }
            }
            (Does::Guard, _) if !covered.is_empty() => {
                for reference in &covered {
                    if let Some(action) = self.actions.get_mut(reference) {
                        action.enabled = false;
                    }
                    self.guards.entry(reference.clone()).or_default().push(filed.file.clone());
                }
                let list = enumerate(&covered);
                let line = filed.policy.line;
                match filed.standing {
                    Standing::Sound | Standing::Spoilt => {
                        let why = "until this file is mended, nothing that it may guard runs";
                        report.error(line, "", format!("{why}: disabled {list}"));
                    }
                    Standing::Lost => {
                        let why = "until the pack of this file is in force, nothing that it guards runs";
                        report.error(line, "", format!("{why}: disabled {list}"));
                    }
                }
            }
            (_, Covers::Glob(glob)) if covered.is_empty() && !matches!(filed.standing, Standing::Lost) => {
                let absent = self.absent.keys().any(|reference| covers(glob, reference.as_str()));
                if !absent {
                    let suggestion = did_you_mean(glob, self.actions.keys().map(ActionRef::as_str));
                    report
                        .warning(filed.policy.line, "resource_ref", format!("`{glob}` covers no action"))
                        .suggestion = suggestion;
                }
            }
            _ => {}
        }
        self.keep(report);
    }

    /// Keeps the aliases whose name is free and whose action is there, with what they offer for problems.
    fn join_aliases(&mut self) -> (Vec<Arc<Alias>>, BTreeMap<AliasRef, Arc<Rule>>) {
        let mut names: BTreeMap<AliasRef, String> = BTreeMap::new();
        let (mut kept, mut offers) = (Vec::new(), BTreeMap::new());
        for AliasFile { alias, name_line, action_line, immutable_lines, mut offer } in std::mem::take(&mut self.aliases)
        {
            let mut report = Report::new(&alias.file);
            if let Some(first) = names.get(&alias.reference) {
                let message = format!("the alias `{}` is defined in {first} already", alias.reference);
                report.error(name_line, "name", message);
            } else {
                names.insert(alias.reference.clone(), alias.file.clone());
                self.check_action(&alias.action, action_line, &mut report);
                if let Some(action) = self.actions.get(&alias.action) {
                    for (name, line) in immutable_lines {
                        if !action.parameters.contains_key(&name) {
                            let path = format!("immutable_parameters.{name}");
                            let message = format!("the action `{}` has no such parameter", action.reference);
                            report.warning(Some(line), &path, message).suggestion =
                                did_you_mean(&name, action.parameters.keys().map(String::as_str));
                        }
                    }
                    if let Some(offer) = &mut offer {
                        let trigger = self.events.triggers.get(&offer.rule.trigger).cloned();
                        offer.check(trigger.as_deref(), |_| None, Ok(action), &mut report);
                    }
                }
            }
            let in_force = report.diagnostics.iter().all(|diagnostic| diagnostic.severity == Severity::Warning);
            self.keep(report);
            if in_force {
                offers.extend(offer.map(|offer| (alias.reference.clone(), Arc::new(offer.rule))));
                kept.push(alias);
            }
        }
        (kept, offers)
    }

    /// Keeps the rules whose name is free.
    fn join_rules(&mut self) -> Vec<Rule> {
        let mut events = std::mem::take(&mut self.events);
        let actions = |reference: &ActionRef| self.known(reference);
        let (rules, mut found) = events.join(&actions);
        self.diagnostics.append(&mut found);
        self.events = events;
        rules
    }

    /// An action that a rule or a task starts, or why there is none.
    fn known(&self, reference: &ActionRef) -> Result<&Action, String> {
        if let Some(action) = self.actions.get(reference) {
            return Ok(action);
        }
        let mut report = Report::new("");
        self.check_action(reference, None, &mut report);
        let told = report.diagnostics.pop();
        Err(told.map_or_else(String::new, |told| match told.suggestion {
            Some(suggestion) => format!("{}; {suggestion}", told.message),
            None => told.message,
        }))
    }

    fn check_action(&self, action: &ActionRef, line: Option<usize>, report: &mut Report<'_>) {
        if self.actions.contains_key(action) {
            return;
        }
        match self.absent.get(action) {
            Some(Absent::NotBuilt) => {
                report.not_supported(line, "action_ref", format!("the action `{action}` is not built yet"));
            }
            Some(Absent::NotSupported(file)) => {
                report.not_supported(line, "action_ref", format!("the action `{action}` cannot run yet, see {file}"));
            }
            Some(Absent::Spoilt(file)) => {
                report.error(line, "action_ref", format!("the action `{action}` is not in force, see {file}"));
            }
            None => {
                let suggestion = did_you_mean(action.as_str(), self.actions.keys().map(ActionRef::as_str));
                report.error(line, "action_ref", format!("there is no action `{action}`")).suggestion = suggestion;
            }
        }
    }
}

/// Pack to the schema of its configuration with its file, or to the file whose mistakes keep it out of force.
type Schemas<'s> = BTreeMap<String, Result<(Map<String, Value>, &'s SourceFile), &'s SourceFile>>;

/// The file of a pack that says what its configuration can hold.
const SCHEMA: &str = "config.schema.yaml";

/// Whether this is the folder of the packs' configurations.
fn is_configs(source: &PackSource) -> bool {
    source.directory.is_empty() && source.files.iter().all(|file| file.inside.starts_with("configs/"))
}

/// Whether a file lies directly in this folder and is of the kind that is read there.
fn is_content(inside: &str, folder: &str) -> bool {
    inside
        .strip_prefix(folder)
        .and_then(|rest| rest.strip_prefix('/'))
        .is_some_and(|name| !name.contains('/') && (name.ends_with(".yaml") || name.ends_with(".yml")))
}

/// The policies of a file; of one that cannot be understood, those that it may have been meant to hold.
fn policies_of(file: &SourceFile, pack: &str, report: &mut Report<'_>) -> Vec<Policy> {
    let root = document(file, report);
    let read = root.as_ref().and_then(|root| policy::read(root, pack, report));
    match root {
        Some(Node { value: yaml::Value::Map(_), .. }) => read.into_iter().collect(),
        _ => policy::from_unreadable(file.text.as_deref().ok()),
    }
}

/// Reads a file's text as YAML. What is wrong with the YAML is in the report, and keeps the file out of force.
pub(super) fn document(file: &SourceFile, report: &mut Report<'_>) -> Option<Node> {
    match &file.text {
        Ok(text) => {
            let (root, mut diagnostics) = yaml::read(&file.shown, text);
            report.diagnostics.append(&mut diagnostics);
            root
        }
        Err(why) => {
            report.error(None, "", format!("cannot be read: {why}"));
            None
        }
    }
}

/// An action's file with the script that it names: the ref, the line of its name, and the action where everything is sound and built.
fn read_action(
    pack: &str,
    source: &PackSource,
    file: &SourceFile,
    report: &mut Report<'_>,
    parsed: &mut Parsed,
) -> Option<(ActionRef, Option<usize>, Option<Action>)> {
    let text = || file.text.as_deref().into_iter();
    // The script is looked at each time: it may have changed where the file has not.
    let read =
        |report: &mut Report<'_>| Some(action::read(&document(file, report)?, pack, fingerprint(text()), report));
    let ActionFile { reference, line, mut action, entry_point } = parsed.actions.read(pack, file, report, read)?;
    if let (Some(wanted), Some((entry_point, line))) = (&mut action, &entry_point)
        && wanted.runner == RunnerType::Orquesta
    {
        match workflow(source, entry_point, *line, report, parsed) {
            Some(workflow) => {
                wanted.content = fingerprint(text().chain([workflow.text.as_str()]));
                wanted.workflow = Some(workflow);
            }
            None => action = None,
        }
    }
    if let (Some(wanted), Some((entry_point, line))) = (&mut action, entry_point)
        && wanted.runner.runs_script()
    {
        match script(source, &entry_point) {
            Ok(script) => {
                let texts = std::iter::once(&script.text).chain(script.library.values()).map(String::as_str);
                wanted.content = fingerprint(text().chain(texts));
                wanted.script = Some(Arc::new(script));
            }
            Err(why) => {
                report.error(Some(line), "entry_point", why);
                action = None;
            }
        }
    }
    Some((reference?, line, action))
}

/// One text's digest; of several each with its length before it, so that they cannot be cut another way.
pub(super) fn fingerprint<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let mut digest = Sha256::new();
    for (number, text) in texts.enumerate() {
        if number > 0 {
            digest.update(text.len().to_be_bytes());
        }
        digest.update(text);
    }
    digest.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn enumerate(references: &[ActionRef]) -> String {
    const MOST: usize = 8;
    let mut list = references.iter().take(MOST).map(ActionRef::as_str).collect::<Vec<_>>().join(", ");
    if references.len() > MOST {
        let _ = write!(list, " and {} more", references.len() - MOST);
    }
    list
}
