//! What somebody may do, as the bot asks the authoriser ([`crate::core::access`]): with what it knows of the packs, the machines and the names.
//!
//! **What is forbidden takes the way of what is not there.** A line is matched among the aliases that its author may use for something; a match
//! whose arguments are not for them counts as none, and the line is matched again without that alias. Machines that are not for them are missing
//! from the inventory that the line is planned with.

use super::hear::{Speaker, is_there};
use super::start::{Wish, hosts_of};
use super::{Bot, Moment, Step};
use crate::core::access::approvers::Known;
use crate::core::access::arguments::{Arguments, HOSTS, goes_to_machines};
use crate::core::access::{Asker, Place, Rights, Sight, includes, names};
use crate::core::action::execution::Requested;
use crate::core::action::params::{self, Resolved};
use crate::core::action::plan::{self, Plan, PlanProblem};
use crate::core::action::spec::{Action, RunnerType};
use crate::core::alias::matcher::{Match, Selection};
use crate::core::alias::spec::{Alias, DIRECT};
use crate::core::content::Catalog;
use crate::core::fact::Fact;
use crate::core::host::{HostError, Inventory, expand};
use crate::core::id::{AliasRef, ChannelId, Host};
use crate::core::input::{Back, Directory, Principal};
use crate::core::memory::Contradiction;
use crate::core::message::card::{Card, MovedName};
use crate::core::schedule::Scheduled;
use crate::core::settings::Verb;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Bot {
    /// What somebody may do there and then.
    pub(super) fn rights(&self, asker: Asker<'_>, place: &Place) -> Rights {
        Rights::of(asker, &self.settings, &self.tied, place)
    }

    /// A channel at a moment, as grants name it.
    pub(super) fn place(&self, channel: &ChannelId, direct: bool, at: Timestamp) -> Place {
        let direct = direct.then(|| DIRECT.to_owned());
        Place { here: self.tied.names_of(channel).map(str::to_owned).chain(direct).collect(), at, then: at }
    }

    /// Where something was asked for, as grants name it.
    pub(super) fn place_of_asking(&self, request: &Requested, at: Timestamp) -> Place {
        match (&request.by, &request.back) {
            (_, Back::Chat { channel, .. }) => self.place(channel, !self.hears(channel), at),
            // Who takes an offer is where the problem is told.
            (Principal::ChatUser { .. }, Back::Told { channel: Some(channel), .. }) => self.place(channel, false, at),
            (_, Back::Request { .. } | Back::Told { .. }) => Place::outside(at),
        }
    }

    /// What questions about approvers are answered from; see [`crate::core::access::approvers`].
    pub fn known(&self) -> Known<'_> {
        Known { settings: &self.settings, directory: &self.tied, inventory: &self.inventory }
    }

    /// Names were resolved: those that stand in roles are tied to whom they mean, and that somebody else has one by now is told.
    pub(super) fn resolved(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        directory: Directory,
    ) -> Result<(), Contradiction> {
        let retied = names::retie(
            &names::giving_rights(&self.settings.roles, &self.catalog.deciders()),
            &directory,
            &self.memory.ties,
        );
        for ((kind, name), id) in retied.tied {
            self.note(step, moment, Fact::NameTied { kind, name, id })?;
        }
        for (kind, name) in retied.freed {
            self.note(step, moment, Fact::NameFreed { kind, name })?;
        }
        self.tied = names::tied(directory.clone(), &self.memory.ties);
        self.directory = directory;
        let moved: BTreeSet<(names::Name, String)> = retied.moved.into_iter().collect();
        let news: Vec<MovedName> =
            moved.difference(&self.moved_names).map(|((kind, name), _)| MovedName::new(*kind, name)).collect();
        if self.admin_channel().is_some() {
            self.moved_names = moved;
            if !news.is_empty() {
                self.tell_admins(step, moment, "moved", &Card::NamesMoved { names: news })?;
            }
        }
        Ok(())
    }

    /// What somebody may see of the packs and the machines, for as long as a line is decided about.
    pub(super) fn eyes<'r>(&self, rights: &'r Rights) -> Eyes<'r> {
        let monitored = !self.settings.monitorings.is_empty();
        Eyes { catalog: Arc::clone(&self.catalog), inventory: Arc::clone(&self.inventory), rights, monitored }
    }

    /// What a line means among these aliases, where what its author may not do does not count.
    pub(super) fn select(&self, speaker: &Speaker<'_>, line: &str, wanted: &dyn Fn(&Alias) -> bool) -> Selection {
        let passed = self.forbidden_among(speaker, line, wanted);
        self.catalog.select_among(line, &|alias| !passed.contains(&alias.reference) && wanted(alias))
    }

    /// What a line means that is said here.
    pub(super) fn select_here(&self, speaker: &Speaker<'_>, line: &str) -> Selection {
        let eyes = self.eyes(&speaker.rights);
        self.select(speaker, line, &|alias| is_there(alias, &speaker.here) && eyes.may_use(Verb::Run, alias))
    }

    /// Those of these aliases that a line could mean, and by which it asks for what its author may not do.
    pub(super) fn forbidden_among(
        &self,
        speaker: &Speaker<'_>,
        line: &str,
        wanted: &dyn Fn(&Alias) -> bool,
    ) -> BTreeSet<AliasRef> {
        let mut passed: BTreeSet<AliasRef> = BTreeSet::new();
        while speaker.rights.have_conditions() {
            let among = |alias: &Alias| !passed.contains(&alias.reference) && wanted(alias);
            let found = match self.catalog.select_among(line, &among) {
                Selection::One(found) => vec![*found],
                Selection::Ambiguous(found) => found,
                Selection::None | Selection::Undecided(_) => break,
            };
            let forbidden = found.iter().filter(|found| self.is_forbidden(speaker, found));
            let forbidden: Vec<AliasRef> = forbidden.map(|found| found.alias.reference.clone()).collect();
            if forbidden.is_empty() {
                break;
            }
            passed.extend(forbidden);
        }
        passed
    }

    /// Whether a line asks by an alias for what its author may not do on any machine.
    pub(super) fn is_forbidden(&self, speaker: &Speaker<'_>, found: &Match) -> bool {
        let Some(action) = self.catalog.actions.get(&found.alias.action) else { return false };
        if speaker.rights.unconditionally(Verb::Run, &action.reference) {
            return false;
        }
        let fixed = fixed_of(&found.alias);
        found.all().any(|each| {
            let given = each.parameters.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
            let given: BTreeMap<String, Value> = given.chain(fixed.clone()).collect();
            !self.may_with_given(&speaker.rights, speaker.at, action, &given, &speaker.principal())
        })
    }

    /// Whether an action may be run with what is given, on some machines at least. Where the values are not sound, as far as can be told.
    pub(super) fn may_with_given(
        &self,
        rights: &Rights,
        at: Timestamp,
        action: &Action,
        given: &BTreeMap<String, Value>,
        by: &Principal,
    ) -> bool {
        match params::resolve_in(action, given, &self.surroundings(at, action.reference.pack(), by)) {
            Ok(resolved) => {
                let arguments = Arguments::of(action, &resolved.values);
                rights.sight(Verb::Run, &action.reference, &arguments, &self.inventory).is_some()
            }
            Err(_) => {
                let mut given = given.clone();
                if is_remote(action) {
                    given.remove(HOSTS);
                }
                rights.may_somehow(Verb::Run, action, &given, &self.inventory)
            }
        }
    }

    /// Plans a wish over the machines that are there for the one who wishes; nothing where there are none for what is wished.
    pub(super) fn plan_within(&self, wish: &Wish, resolved: &Resolved) -> Option<Result<Plan, PlanProblem>> {
        let arguments = Arguments::of(&wish.action, &resolved.values);
        let sight = wish.rights.sight(Verb::Run, &wish.action.reference, &arguments, &self.inventory)?;
        let plan = plan::plan(&wish.action, resolved, &sight.of(&self.inventory));
        Some(plan.and_then(|plan| self.within(&sight, plan)))
    }

    /// Where a site keeps no list of machines, any name is taken by an inventory.
    fn within(&self, sight: &Sight, plan: Plan) -> Result<Plan, PlanProblem> {
        let beyond = hosts_of(&plan).into_iter().find(|host| !sight.holds(host, &self.inventory));
        match beyond {
            Some(host) => Err(HostError::UnknownHost { name: host.to_string(), similar: Vec::new() }.into()),
            None => Ok(plan),
        }
    }

    /// The machines that a person may have anything run on, for corrections.
    pub(super) fn hosts_for(&self, rights: &Rights) -> BTreeSet<Host> {
        let runs = rights.grants.iter().map(|held| &held.grant);
        let runs: Vec<_> = runs.filter(|grant| includes(grant.verb, Verb::Run)).collect();
        let over = |host: &Host| {
            runs.iter().any(|grant| {
                let wanted = grant.arguments.get(HOSTS);
                wanted.is_none_or(|wanted| wanted.holds_host(host, &self.inventory))
            })
        };
        self.inventory.hosts.iter().filter(|host| over(host)).cloned().collect()
    }

    /// Whether the machines that a line names are there for its author.
    pub(super) fn knows_hosts_of(&self, speaker: &Speaker<'_>, found: &Match) -> bool {
        let (Some(hosts), Some(action)) = (found.parameters.get(HOSTS), self.catalog.actions.get(&found.alias.action))
        else {
            return true;
        };
        let given = found.parameters.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        let given: BTreeMap<String, Value> = given.chain(fixed_of(&found.alias)).collect();
        let by = speaker.principal();
        let seen =
            params::resolve_in(action, &given, &self.surroundings(speaker.at, action.reference.pack(), &by)).ok();
        let sight = seen.and_then(|resolved| {
            let arguments = Arguments::of(action, &resolved.values);
            speaker.rights.sight(Verb::Run, &action.reference, &arguments, &self.inventory)
        });
        let sight = sight.unwrap_or_else(|| speaker.rights.widest_sight(Verb::Run, &action.reference));
        let machines = expand(hosts, &sight.of(&self.inventory));
        machines.is_ok_and(|machines| machines.iter().all(|machine| sight.holds(&machine.host, &self.inventory)))
    }

    /// Whether somebody may do this with a line that waits, which somebody else may have written.
    pub(super) fn may_with_waiting(&self, speaker: &Speaker<'_>, verb: Verb, line: &Scheduled) -> bool {
        if !speaker.rights.may(verb, &line.action) {
            return false;
        }
        if speaker.rights.unconditionally(verb, &line.action) {
            return true;
        }
        let meant = |alias: &Alias| alias.reference == line.alias;
        let Selection::One(found) = self.catalog.select_among(&line.line, &meant) else { return false };
        let Ok(wishes) = self.wishes(speaker.at, speaker, (&line.line, true), &found) else { return false };
        wishes.iter().all(|wish| {
            let surroundings = self.surroundings(speaker.at, wish.action.reference.pack(), &wish.by);
            let Ok(resolved) = params::resolve_in(&wish.action, &wish.given, &surroundings) else { return false };
            let Ok(plan) = plan::plan(&wish.action, &resolved, &self.inventory) else { return false };
            let (hosts, remote) = (hosts_of(&plan), is_remote(&wish.action));
            let arguments = Arguments { values: &resolved.values, hosts: &hosts, remote };
            speaker.rights.may_with(verb, &wish.action.reference, &arguments, &self.inventory)
        })
    }
}

/// What somebody may see of the packs.
#[derive(Debug, Clone)]
pub(super) struct Eyes<'r> {
    catalog: Arc<Catalog>,
    inventory: Arc<Inventory>,
    rights: &'r Rights,
    /// There is a monitoring that can be asked.
    monitored: bool,
}

impl Eyes<'_> {
    /// Whether there is anything that somebody may do by this alias, wherever they are.
    pub(super) fn may_use(&self, verb: Verb, alias: &Alias) -> bool {
        match self.catalog.actions.get(&alias.action) {
            // What nobody could carry out is not there.
            Some(action) if action.runner == RunnerType::Monitoring && !self.monitored => false,
            Some(action) => self.rights.may_somehow(verb, action, &fixed_of(alias), &self.inventory),
            None => self.rights.may(verb, &alias.action),
        }
    }

    /// Whether there is anything that somebody may do with this action.
    pub(super) fn may(&self, verb: Verb, action: &Action) -> bool {
        self.rights.may_somehow(verb, action, &BTreeMap::new(), &self.inventory)
    }
}

/// Whether an action goes to machines.
pub(super) fn is_remote(action: &Action) -> bool {
    goes_to_machines(action.runner)
}

/// What an alias sets itself, as it is written.
pub(super) fn fixed_of(alias: &Alias) -> BTreeMap<String, Value> {
    alias.immutable_parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}
