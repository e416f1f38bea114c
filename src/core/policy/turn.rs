//! Whose turn it is: executions in the order in which they came, each with what it needs for itself.
//!
//! An execution enters with a [`Claim`] and takes its place behind all others, on every host and in every policy at once. There it stays until
//! it leaves, whether it waits or runs. **It may begin once nothing before it is in its way anywhere**:
//!
//! - on a host: everything before it that is there too, unless both only look;
//! - in a policy: as many before it as the policy lets run at once.
//!
//! From this follow the promises: **two never work on one host at the same time**, since the later of them has the earlier one in its way;
//! **there is no deadlock**, since who waits only waits for those who came before; **nobody waits for ever**, since nobody who came later can
//! get in the way: one that passes shares no host with those before it, and takes a place in a policy only where one is left for each of them.
//!
//! An execution of which nobody knows whether it still runs leaves a [`Turns::doubt`] on its hosts. What only looks passes a doubt, and those who wait
//! for it, since somebody has to look there.
//!
//! **What a coming and a going cost** depends on the hosts of that one execution and on those who wait for the same, never on how many
//! executions there are besides. Each wait on a host ends once; to find the next one takes no search.

use crate::core::id::{ExecutionId, Host};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What an execution needs for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claim {
    /// The machines that it works on.
    pub hosts: Vec<Host>,
    /// It only looks at them.
    pub looks: bool,
    /// Its places in policies.
    pub places: Vec<Place>,
}

/// A place among those that a policy lets run at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The policy, `pack.name`.
    pub policy: String,
    /// Which of those that the policy covers count together; empty when all of them do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// How many may run at once.
    pub threshold: usize,
}

/// What stands in somebody's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InTheWay {
    /// The first of those before it there: it runs, or is the first to run.
    pub first: ExecutionId,
    /// Where: these hosts,
    pub hosts: Vec<Host>,
    /// or this policy.
    pub policy: Option<Place>,
    /// Nobody knows whether that one still runs.
    pub doubt: bool,
    /// How many more are before it there.
    pub more: usize,
}

/// A number that says who came first.
type Arrival = u64;

/// How an execution stands in its queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Waits,
    Runs,
    InDoubt,
}

#[derive(Debug, Clone)]
struct Entry {
    arrival: Arrival,
    claim: Claim,
    standing: Standing,
    /// On how many hosts and in how many policies something is in its way.
    blocked: usize,
}

/// Those who are on one host.
#[derive(Debug, Clone, Default)]
struct OnHost {
    /// All but doubts.
    all: BTreeSet<Arrival>,
    /// Those of them that do more than look.
    workers: BTreeSet<Arrival>,
    doubts: BTreeSet<Arrival>,
    /// Those of all who run though they have passed somebody here, because of a doubt.
    passed: BTreeSet<Arrival>,
    /// Those of all who have somebody in their way here.
    blocked: BTreeSet<Arrival>,
}

impl OnHost {
    /// The first who is in the way of this one here, and whether that one is in doubt.
    fn in_the_way_of(&self, arrival: Arrival) -> Option<(Arrival, bool)> {
        let looks = !self.workers.contains(&arrival);
        let rivals = if looks { &self.workers } else { &self.all };
        let doubt = self.doubts.first().map(|doubt| (*doubt, true));
        let before = rivals.first().filter(|first| **first < arrival);
        // Who only looks passes a doubt, and those who wait for it.
        let first = if looks && doubt.is_some() { None } else { doubt.or(before.map(|first| (*first, false))) };
        let passed = self.passed.iter().find(|passed| **passed != arrival && rivals.contains(passed));
        first.or(passed.map(|passed| (*passed, false)))
    }

    fn is_free_for(&self, arrival: Arrival) -> bool {
        self.in_the_way_of(arrival).is_none()
    }

    /// Takes somebody out; tells whether it was one that was in doubt.
    fn remove(&mut self, arrival: Arrival) -> bool {
        for of in [&mut self.all, &mut self.workers, &mut self.passed, &mut self.blocked] {
            of.remove(&arrival);
        }
        self.doubts.remove(&arrival)
    }

    fn is_empty(&self) -> bool {
        self.all.is_empty() && self.doubts.is_empty()
    }
}

/// Those who are in one policy, or in one group of those that it covers.
#[derive(Debug, Clone, Default)]
struct InPolicy {
    /// Each with how many may run at once as that one came.
    all: BTreeMap<Arrival, usize>,
    blocked: BTreeSet<Arrival>,
}

impl InPolicy {
    fn is_free_for(&self, arrival: Arrival) -> bool {
        let threshold = self.all.get(&arrival).copied().unwrap_or(usize::MAX);
        self.all.range(..arrival).take(threshold).count() < threshold
    }
}

/// All who wait and all who run.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    entries: BTreeMap<ExecutionId, Entry>,
    order: BTreeMap<Arrival, ExecutionId>,
    hosts: BTreeMap<Host, OnHost>,
    policies: BTreeMap<(String, String), InPolicy>,
    /// Those who wait with nothing in their way.
    next: BTreeSet<Arrival>,
    last: Arrival,
}

impl Turns {
    /// Somebody comes, behind all others. Nothing changes for those.
    pub fn enter(&mut self, id: ExecutionId, claim: Claim) {
        self.last += 1;
        let arrival = self.last;
        let mut blocked = 0;
        let (hosts, places) = (distinct(&claim.hosts), groups(&claim.places));
        for host in &hosts {
            let on = self.hosts.entry((*host).clone()).or_default();
            on.all.insert(arrival);
            if !claim.looks {
                on.workers.insert(arrival);
            }
            if !on.is_free_for(arrival) {
                on.blocked.insert(arrival);
                blocked += 1;
            }
        }
        for (key, threshold) in places {
            let policy = self.policies.entry(key).or_default();
            policy.all.insert(arrival, threshold);
            if !policy.is_free_for(arrival) {
                policy.blocked.insert(arrival);
                blocked += 1;
            }
        }
        if blocked == 0 {
            self.next.insert(arrival);
        }
        self.order.insert(arrival, id.clone());
        self.entries.insert(id, Entry { arrival, claim, standing: Standing::Waits, blocked });
    }

    /// Whether somebody who came now could begin at once. What is in doubt since `settled` does not count: it is being settled.
    pub fn is_free(&self, claim: &Claim, settled: Option<&ExecutionId>) -> bool {
        let settled = settled.and_then(|id| self.entries.get(id)).map(|entry| entry.arrival);
        let host = |host: &Host| {
            let Some(on) = self.hosts.get(host) else { return true };
            let doubted = on.doubts.iter().any(|doubt| Some(*doubt) != settled);
            let settles = settled.is_some_and(|settled| on.doubts.contains(&settled));
            if claim.looks {
                // Those who wait for a doubt are no reason to wait.
                let runs = |arrival: &Arrival| on.doubts.is_empty() || on.passed.contains(arrival);
                return !on.workers.iter().any(runs);
            }
            let waits = |arrival: &Arrival| {
                let entry = self.order.get(arrival).and_then(|id| self.entries.get(id));
                entry.is_some_and(|entry| entry.standing == Standing::Waits)
            };
            // What is settled goes on where it was, before those who wait for it.
            !doubted && if settles { on.all.iter().all(waits) } else { on.all.is_empty() }
        };
        let place = |place: &Place| self.taken(place) < place.threshold;
        claim.hosts.iter().all(host) && claim.places.iter().all(place)
    }

    /// Whether this one is here, waiting, running, or in doubt.
    pub fn holds(&self, id: &ExecutionId) -> bool {
        self.entries.contains_key(id)
    }

    /// What this one needs.
    pub fn claim(&self, id: &ExecutionId) -> Option<&Claim> {
        self.entries.get(id).map(|entry| &entry.claim)
    }

    /// Whether this one waits and may begin.
    pub fn may_begin(&self, id: &ExecutionId) -> bool {
        self.entries.get(id).is_some_and(|entry| entry.standing == Standing::Waits && entry.blocked == 0)
    }

    /// Whoever may begin and came first.
    pub fn next(&self) -> Option<&ExecutionId> {
        self.all_next().next()
    }

    /// All who may begin, in the order in which they came.
    pub fn all_next(&self) -> impl Iterator<Item = &ExecutionId> {
        self.next.iter().filter_map(|arrival| self.order.get(arrival))
    }

    /// This one runs from now on, whether or not its turn had come.
    pub fn begin(&mut self, id: &ExecutionId) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.standing = Standing::Runs;
            self.next.remove(&entry.arrival);
            for host in distinct(&entry.claim.hosts) {
                let Some(on) = self.hosts.get_mut(host) else { continue };
                let rivals = if entry.claim.looks { &on.workers } else { &on.all };
                let passes = rivals.first().is_some_and(|first| *first < entry.arrival)
                    || (!entry.claim.looks && !on.doubts.is_empty());
                if passes {
                    on.passed.insert(entry.arrival);
                }
            }
        }
    }

    /// This one has ended, or waits no more.
    pub fn leave(&mut self, id: &ExecutionId) {
        self.give_up(id, &BTreeSet::new());
    }

    /// This one has ended, and of these hosts nobody knows whether it still runs there.
    pub fn doubt(&mut self, id: &ExecutionId, hosts: &[Host]) {
        let doubtful: BTreeSet<&Host> = hosts.iter().collect();
        let arrival = self.entries.get(id).map(|entry| entry.arrival);
        self.give_up(id, &doubtful);
        if doubtful.is_empty() {
            return;
        }
        let arrival = arrival.unwrap_or_else(|| {
            self.last += 1;
            self.last
        });
        for host in &doubtful {
            let on = self.hosts.entry((*host).clone()).or_default();
            on.remove(arrival);
            on.doubts.insert(arrival);
            self.sort_anew(host);
        }
        let claim = Claim { hosts: doubtful.into_iter().cloned().collect(), ..Claim::default() };
        self.order.insert(arrival, id.clone());
        self.entries.insert(id.clone(), Entry { arrival, claim, standing: Standing::InDoubt, blocked: 0 });
    }

    /// What stands in the way of one who waits, the hosts of one and the same together; nothing when its turn has come.
    pub fn in_the_way(&self, id: &ExecutionId) -> Vec<InTheWay> {
        let Some(entry) = self.entries.get(id).filter(|entry| entry.standing == Standing::Waits) else {
            return Vec::new();
        };
        let mut found: BTreeMap<Arrival, InTheWay> = BTreeMap::new();
        for host in distinct(&entry.claim.hosts) {
            let Some(on) = self.hosts.get(host) else { continue };
            let Some((first, doubt)) = on.in_the_way_of(entry.arrival) else { continue };
            let Some(named) = self.order.get(&first) else { continue };
            let others = if entry.claim.looks { &on.workers } else { &on.all };
            let known = found.entry(first).or_insert_with(|| InTheWay {
                first: named.clone(),
                hosts: Vec::new(),
                policy: None,
                doubt,
                more: others.range(..entry.arrival).filter(|other| **other != first).count(),
            });
            known.hosts.push(host.clone());
        }
        let mut all: Vec<InTheWay> = found.into_values().collect();
        for place in &entry.claim.places {
            let Some(policy) = self.policies.get(&key(place)) else { continue };
            let first = policy.all.keys().next().and_then(|first| self.order.get(first));
            if let (true, Some(first)) = (policy.blocked.contains(&entry.arrival), first) {
                all.push(InTheWay {
                    first: first.clone(),
                    hosts: Vec::new(),
                    policy: Some(place.clone()),
                    doubt: false,
                    more: policy.all.range(..entry.arrival).count() - 1,
                });
            }
        }
        all
    }

    /// What would stand in the way of somebody who came now.
    pub fn would_be_in_the_way(&self, claim: &Claim) -> Vec<InTheWay> {
        let mut turns = self.clone();
        let id = ExecutionId::new("");
        turns.enter(id.clone(), claim.clone());
        turns.in_the_way(&id)
    }

    /// Those who wait and on whose way something can change when this one goes: they are on one of its hosts, or in one of its policies.
    pub fn behind(&self, id: &ExecutionId) -> BTreeSet<ExecutionId> {
        let Some(entry) = self.entries.get(id) else { return BTreeSet::new() };
        let on_hosts = entry.claim.hosts.iter().filter_map(|host| self.hosts.get(host)).flat_map(|on| &on.blocked);
        let in_policies = entry.claim.places.iter().filter_map(|place| self.policies.get(&key(place)));
        let arrivals: BTreeSet<Arrival> =
            on_hosts.chain(in_policies.flat_map(|policy| &policy.blocked)).copied().collect();
        let behind = arrivals.range(entry.arrival + 1..);
        behind.filter_map(|arrival| self.order.get(arrival).cloned()).collect()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.entries.values().filter(|entry| entry.standing == Standing::Waits).count()
    }

    /// How many are in the group of this place already.
    pub fn taken(&self, place: &Place) -> usize {
        self.policies.get(&key(place)).map_or(0, |policy| policy.all.len())
    }

    /// Those who are in the group of this place, in the order in which they came, at most so many.
    pub fn holders(&self, place: &Place, most: usize) -> Vec<ExecutionId> {
        let policy = self.policies.get(&key(place));
        let arrivals = policy.into_iter().flat_map(|policy| policy.all.keys()).take(most);
        arrivals.filter_map(|arrival| self.order.get(arrival).cloned()).collect()
    }

    /// Takes somebody out, but for these hosts.
    fn give_up(&mut self, id: &ExecutionId, but: &BTreeSet<&Host>) {
        let Some(entry) = self.entries.remove(id) else { return };
        let arrival = entry.arrival;
        self.order.remove(&arrival);
        self.next.remove(&arrival);
        for host in distinct(&entry.claim.hosts) {
            if but.contains(host) {
                continue;
            }
            let Some(on) = self.hosts.get_mut(host) else { continue };
            let doubted = on.remove(arrival);
            if on.is_empty() {
                self.hosts.remove(host);
            } else if doubted || !on.doubts.is_empty() {
                self.sort_anew(host);
            } else {
                self.let_through(host);
            }
        }
        for (key, _) in groups(&entry.claim.places) {
            let Some(policy) = self.policies.get_mut(&key) else { continue };
            policy.all.remove(&arrival);
            policy.blocked.remove(&arrival);
            if policy.all.is_empty() {
                self.policies.remove(&key);
                continue;
            }
            let free: Vec<Arrival> =
                policy.blocked.iter().copied().filter(|waiting| policy.is_free_for(*waiting)).collect();
            for arrival in free {
                policy.blocked.remove(&arrival);
                unblock(&mut self.entries, &self.order, &mut self.next, arrival);
            }
        }
    }

    /// Lets those through who have nothing in their way on this host any more: they are the first of those who had.
    fn let_through(&mut self, host: &Host) {
        let Some(on) = self.hosts.get_mut(host) else { return };
        while let Some(arrival) = on.blocked.first().copied().filter(|first| on.is_free_for(*first)) {
            on.blocked.remove(&arrival);
            unblock(&mut self.entries, &self.order, &mut self.next, arrival);
        }
    }

    /// Finds out for everybody who waits on this host whether something is in their way. A doubt that comes or goes turns things round.
    fn sort_anew(&mut self, host: &Host) {
        let Some(on) = self.hosts.get_mut(host) else { return };
        let all: Vec<Arrival> = on.all.iter().copied().collect();
        for arrival in all {
            let waits = self.order.get(&arrival).and_then(|id| self.entries.get(id));
            if waits.is_none_or(|entry| entry.standing != Standing::Waits) {
                continue;
            }
            match (on.is_free_for(arrival), on.blocked.contains(&arrival)) {
                (true, true) => {
                    on.blocked.remove(&arrival);
                    unblock(&mut self.entries, &self.order, &mut self.next, arrival);
                }
                (false, false) => {
                    on.blocked.insert(arrival);
                    if let Some(entry) = self.order.get(&arrival).and_then(|id| self.entries.get_mut(id)) {
                        entry.blocked += 1;
                    }
                    self.next.remove(&arrival);
                }
                (true, false) | (false, true) => {}
            }
        }
    }
}

/// One thing less is in the way of this one.
fn unblock(
    entries: &mut BTreeMap<ExecutionId, Entry>,
    order: &BTreeMap<Arrival, ExecutionId>,
    next: &mut BTreeSet<Arrival>,
    arrival: Arrival,
) {
    let Some(entry) = order.get(&arrival).and_then(|id| entries.get_mut(id)) else { return };
    entry.blocked = entry.blocked.saturating_sub(1);
    if entry.blocked == 0 && entry.standing == Standing::Waits {
        next.insert(arrival);
    }
}

fn key(place: &Place) -> (String, String) {
    (place.policy.clone(), place.group.clone())
}

/// Each group of each policy once, by its most careful word.
fn groups(places: &[Place]) -> BTreeMap<(String, String), usize> {
    let mut groups = BTreeMap::new();
    for place in places {
        let known = groups.entry(key(place)).or_insert(place.threshold);
        *known = place.threshold.min(*known);
    }
    groups
}

/// Each host once.
fn distinct(hosts: &[Host]) -> BTreeSet<&Host> {
    hosts.iter().collect()
}
