//! How the bot is: each part of the path from a line in chat to a command on a node, since when it does not work, and what to do.
//!
//! That there is an answer at all shows that the loop turns; whoever gets none says so itself.

use super::Bot;
use super::listen::FRESH;
use crate::core::access::Rights;
use crate::core::action::execution::Execution;
use crate::core::action::run::Exit;
use crate::core::effect::HealthPart;
use crate::core::host::Inventory;
use crate::core::id::Host;
use crate::core::input::Connection;
use crate::core::message::card::{Card, StatusPart};
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use crate::core::message::sentences::Sentences;
use crate::core::message::span::{size, span};
use crate::core::settings::Verb;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// So many deliveries waiting mean that the way out is blocked.
const MANY_WAITING: usize = 100;
/// A delivery that waits so long means the same.
const LONG_WAITING: Duration = Duration::from_secs(60);
/// How long a node that could not be reached is spoken of.
const LATELY: SignedDuration = SignedDuration::from_mins(10);
/// How many of those that wait for their turn are named.
const NAMED_WAITING: usize = 5;
/// So many nodes out of reach, and none in reach, mean that the way to the nodes is broken and not the nodes.
const MANY_UNREACHABLE: usize = 3;
/// How many nodes are kept in mind.
const MOST_NODES: usize = 1000;

/// What is known of the parts beside the memory. Lost without harm.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Since when each part that does not work has not.
    since: BTreeMap<String, Timestamp>,
    unreachable: BTreeMap<Host, (Timestamp, String)>,
    /// When a node was last reached.
    reached: Option<Timestamp>,
}

impl Standing {
    /// Takes note of how a command ended on a node.
    pub(super) fn met(&mut self, host: &Host, exit: &Exit, at: Timestamp) {
        match exit {
            Exit::Unreachable { why } => {
                if self.unreachable.len() < MOST_NODES || self.unreachable.contains_key(host) {
                    self.unreachable.insert(host.clone(), (at, why.clone()));
                }
            }
            // The way there was lost, or was not found again; that says nothing of now.
            Exit::Unknown { .. } | Exit::Answered { .. } | Exit::Left => {}
            Exit::Code { .. }
            | Exit::Timeout
            | Exit::Canceled
            | Exit::Unheard { .. }
            | Exit::Rebooted
            | Exit::NeverBegan { .. } => {
                self.reached = Some(at);
                self.unreachable.remove(host);
            }
        }
    }

    fn forget_old(&mut self, now: Timestamp) {
        self.unreachable.retain(|_, (at, _)| now.duration_since(*at) < LATELY);
    }
}

impl Bot {
    /// Takes note of which parts have stopped working and which work again.
    pub(super) fn watch_health(&mut self, at: Timestamp) {
        self.standing.forget_old(at);
        let parts = self.health(at);
        let broken: BTreeMap<String, Timestamp> =
            parts.into_iter().filter_map(|part| Some((part.name, part.since?))).collect();
        self.standing.since = broken;
    }

    /// What somebody is told: nothing is counted, and no machine is named, that they may not know of.
    pub(super) fn status_card(&self, now: Timestamp, rights: &Rights) -> Card {
        let parts = self.health_for(now, Some(rights).filter(|rights| !rights.administers()));
        let seen = |execution: &&Execution| rights.may_with_execution(Verb::View, execution, &self.inventory);
        Card::Status {
            healthy: parts.iter().all(|part| part.works),
            running: self.memory.under_way().filter(seen).count(),
            approvals: self.open_requests().filter(|(execution, _)| seen(execution)).count(),
            delayed: self.delayed().filter(seen).count(),
            turns: self
                .delayed()
                .filter(seen)
                .take(NAMED_WAITING)
                .map(|execution| self.delayed_row(execution))
                .collect(),
            waiting: self.memory.questions.len(),
            frozen: self.frozen_why(),
            parts: parts
                .into_iter()
                .map(|part| StatusPart {
                    name: part.name,
                    works: part.works,
                    says: part.says,
                    since: part.since.map(|since| ago(since, now)).unwrap_or_default(),
                    advice: markdown::prose(&part.advice),
                })
                .collect(),
        }
    }

    /// Each part of the path from chat to nodes.
    pub(super) fn health(&self, now: Timestamp) -> Vec<HealthPart> {
        self.health_for(now, None)
    }

    /// The same as far as somebody with these rights may know of it; all of it without.
    fn health_for(&self, now: Timestamp, rights: Option<&Rights>) -> Vec<HealthPart> {
        // Whoever may see every machine is told of what is wrong with their list, too.
        let restricted = rights.filter(|rights| rights.have_conditions());
        let seen = restricted.map(|rights| self.inventory.with_only(&|host| self.hosts_for(rights).contains(host)));
        let inventory = seen.as_ref().unwrap_or(&self.inventory);
        let content = self.content_health(rights);
        let mut parts = vec![self.chat_health(now), self.outbox_health(), self.store_health(), content];
        parts.extend([inventory_health(inventory, &self.sentences), self.ssh_health(now, inventory)]);
        parts.extend(self.sensor_health(now, rights));
        if let Some(frozen) = &self.memory.frozen {
            // Somebody wanted it so, or else the bot is in trouble.
            parts.push(("freeze", frozen.by.is_some(), frozen.why.clone()));
        }
        if self.stopping {
            parts.push(("bot", false, self.sentences.phrase(&Phrase::HealthStopping)));
        }
        let told = |(name, works, says): (&str, bool, String)| HealthPart {
            name: name.to_owned(),
            works,
            says,
            since: (!works).then(|| self.broken_since(name).unwrap_or(now)),
            advice: if works && !self.needs_a_look(name, now, inventory) {
                String::new()
            } else {
                self.sentences.phrase(&Phrase::HealthAdvice { part: name })
            },
        };
        parts.into_iter().map(told).collect()
    }

    /// Whether somebody should look after a part although it works.
    fn needs_a_look(&self, part: &str, now: Timestamp, seen: &Inventory) -> bool {
        match part {
            "content" => self.errors().next().is_some(),
            "sensors" => self.sensors_need_a_look(),
            "ssh" => self.lost_lately(now).iter().any(|(host, _)| is_seen(seen, host)),
            _ => false,
        }
    }

    fn chat_health(&self, now: Timestamp) -> (&'static str, bool, String) {
        match (&self.connection, self.other_instance(now)) {
            (Connection::Up { .. }, Some(other)) => {
                ("chat", false, self.sentences.phrase(&Phrase::HealthOther { other }))
            }
            (Connection::Up { username, .. }, None) => {
                ("chat", true, self.sentences.phrase(&Phrase::HealthChat { username }))
            }
            (Connection::Down { why }, _) if why.is_empty() => {
                ("chat", false, self.sentences.phrase(&Phrase::HealthChat { username: "" }))
            }
            (Connection::Down { why }, _) => ("chat", false, why.clone()),
        }
    }

    /// Another bot that speaks with our account, and was heard to lately.
    fn other_instance(&self, now: Timestamp) -> Option<&str> {
        let (other, _) = self.other.as_ref().filter(|(_, seen)| now.duration_since(*seen) < FRESH)?;
        Some(other)
    }

    fn broken_since(&self, name: &str) -> Option<Timestamp> {
        let frozen = self.memory.frozen.as_ref().filter(|_| name == "freeze").map(|frozen| frozen.since);
        frozen.or_else(|| self.standing.since.get(name).copied())
    }

    fn outbox_health(&self) -> (&'static str, bool, String) {
        let vitals = self.vitals.outbox.clone().unwrap_or_default();
        let waiting = self.memory.unsent.len();
        // A measurement is a few seconds old; what has been said since is not waiting any more.
        let oldest = if waiting == 0 { Duration::ZERO } else { vitals.oldest.unwrap_or_default() };
        let trouble = if waiting == 0 { String::new() } else { vitals.trouble.unwrap_or_default() };
        let phrase = Phrase::HealthOutbox { waiting, oldest: long(oldest), trouble: &trouble };
        ("outbox", waiting < MANY_WAITING && oldest < LONG_WAITING, self.sentences.phrase(&phrase))
    }

    fn store_health(&self) -> (&'static str, bool, String) {
        let storage = &self.storage;
        let phrase = Phrase::HealthStore {
            free: &storage.free.map(size).unwrap_or_default(),
            reserve: &size(storage.reserve),
            low: storage.is_low(),
            refused: storage.refused.as_deref().unwrap_or_default(),
        };
        ("store", !storage.is_low() && storage.refused.is_none(), self.sentences.phrase(&phrase))
    }

    fn content_health(&self, rights: Option<&Rights>) -> (&'static str, bool, String) {
        let eyes = rights.map(|rights| self.eyes(rights));
        let aliases = self.catalog.aliases.iter();
        let aliases = aliases.filter(|alias| eyes.as_ref().is_none_or(|eyes| eyes.may_use(Verb::View, alias))).count();
        let actions = self.catalog.actions.values();
        let actions: Vec<_> =
            actions.filter(|action| eyes.as_ref().is_none_or(|eyes| eyes.may(Verb::View, action))).collect();
        let packs: BTreeSet<&str> = actions.iter().map(|action| action.reference.pack()).collect();
        let phrase = Phrase::HealthContent {
            aliases,
            actions: actions.len(),
            packs: if rights.is_some() { packs.len() } else { self.catalog.packs.len() },
            problems: if rights.is_some() { 0 } else { self.errors().count() },
        };
        ("content", !self.catalog.aliases.is_empty(), self.sentences.phrase(&phrase))
    }

    /// Some nodes are always down; that is told and is no fault of the path. When none of many answers, it is.
    fn ssh_health(&self, now: Timestamp, seen: &Inventory) -> (&'static str, bool, String) {
        let lost = self.lost_lately(now);
        let reached = self.standing.reached.is_some_and(|at| now.duration_since(at) < LATELY);
        let works = lost.len() < MANY_UNREACHABLE || reached;
        let lost: Vec<(&Host, &String)> = lost.into_iter().filter(|(host, _)| is_seen(seen, host)).collect();
        let first = lost.first();
        let phrase = Phrase::HealthSsh {
            lost: lost.len(),
            host: first.map_or("", |(host, _)| host.as_str()),
            why: first.map_or("", |(_, why)| why.as_str()),
        };
        ("ssh", works, self.sentences.phrase(&phrase))
    }

    /// The nodes that could not be reached lately, and why.
    fn lost_lately(&self, now: Timestamp) -> Vec<(&Host, &String)> {
        let lately = |(_, (at, _)): &(&Host, &(Timestamp, String))| now.duration_since(*at) < LATELY;
        self.standing.unreachable.iter().filter(lately).map(|(host, (_, why))| (host, why)).collect()
    }
}

fn inventory_health(inventory: &Inventory, sentences: &Sentences) -> (&'static str, bool, String) {
    let broken = inventory.broken.iter().next();
    let (group, why) = broken.map_or(("", ""), |(name, why)| (name.as_str(), why.as_str()));
    let phrase =
        Phrase::HealthInventory { hosts: inventory.hosts.len(), groups: inventory.groups.len(), broken: group, why };
    ("inventory", broken.is_none(), sentences.phrase(&phrase))
}

/// A wait that is worth a word; empty for a short one.
fn long(wait: Duration) -> String {
    if wait < Duration::from_secs(10) { String::new() } else { span(wait) }
}

fn ago(then: Timestamp, now: Timestamp) -> String {
    span(Duration::try_from(now.duration_since(then)).unwrap_or_default())
}

/// Whether a node is there at all for whoever looks.
fn is_seen(seen: &Inventory, host: &Host) -> bool {
    !seen.closed || seen.hosts.contains(host)
}
