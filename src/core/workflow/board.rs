//! How the tasks of a run stand: one entry for each time that a task was started.
//!
//! **An entry that nothing can ask for any more is forgotten**: one that a newer one of the same task on the same route has taken the place of,
//! and that does not end the workflow. A cycle is as small after its hundred thousandth round as after its second.

use super::graph::Command;
use super::status::Status;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How all tasks stand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Board {
    /// The names of the tasks by their numbers, those of the engine's commands last.
    names: Vec<Arc<str>>,
    /// By which edges each route came about, as the task and the number of its edge.
    routes: Vec<Vec<(u32, u32)>>,
    /// What is remembered of each time that a task was started.
    #[serde(with = "pairs")]
    entries: BTreeMap<u32, Entry>,
    /// The newest entry of each task on each route.
    #[serde(with = "pairs")]
    latest: BTreeMap<(u32, u32), u32>,
    /// How many entries there have been.
    begun: u32,
    /// How many of the newest entries stand in each status.
    standing: BTreeMap<Status, u32>,
}

/// One time that a task was started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The task.
    pub task: u32,
    /// Its route.
    pub route: u32,
    /// How it stands.
    pub status: Status,
    /// The number of what it sees.
    pub scope: u32,
    /// The edges that led to it, as the task, the number of the edge and the route that it came on.
    pub from: Vec<(u32, u32, u32)>,
    /// Which of its edges were followed, by their place in the graph.
    #[serde(with = "pairs")]
    pub next: BTreeMap<u32, Followed>,
    /// It ends the workflow: what it sees goes into the output.
    pub terminal: bool,
    /// How often it may be tried again.
    pub retry: Option<Retries>,
    /// What it gave.
    pub result: Option<Arc<Value>>,
    /// It was run for items, so that what it gave is a list.
    pub itemised: bool,
    /// The tasks that led here when it had been started already: a join that has enough.
    pub late: Vec<u32>,
}

/// Whether an edge was followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Followed {
    /// Its condition did not hold.
    No,
    /// It was.
    Yes,
    /// It was, and led to a join that had enough already.
    Late,
}

/// How often a task may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retries {
    /// How many more times than once.
    pub count: i64,
    /// Seconds before each.
    pub delay: Option<i64>,
    /// How many of them have been.
    pub made: i64,
}

impl Board {
    pub(crate) fn new(names: Vec<Arc<str>>) -> Self {
        Self { names, routes: vec![Vec::new()], ..Self::default() }
    }

    /// The name of a task.
    pub fn name(&self, task: u32) -> &str {
        self.names.get(task as usize).map_or("", |name| name)
    }

    /// The number of a task.
    pub fn task(&self, name: &str) -> Option<u32> {
        self.names.iter().position(|known| **known == *name).and_then(|at| u32::try_from(at).ok())
    }

    /// How many tasks there are, begun or not.
    pub fn task_count(&self) -> usize {
        self.names.len().saturating_sub(Command::ALL.len())
    }

    /// The routes, each by the edges that made it.
    pub fn routes(&self) -> &[Vec<(u32, u32)>] {
        &self.routes
    }

    /// The newest entry of a task on a route, with its number.
    pub fn latest(&self, task: u32, route: u32) -> Option<(u32, &Entry)> {
        let number = *self.latest.get(&(task, route))?;
        Some((number, self.entries.get(&number)?))
    }

    /// An entry by its number.
    pub fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.get(&number)
    }

    /// All that are remembered, in the order in which they began.
    pub fn entries(&self) -> impl Iterator<Item = (u32, &Entry)> {
        self.entries.iter().map(|(number, entry)| (*number, entry))
    }

    /// The newest entries, by task and route.
    pub fn newest(&self) -> impl Iterator<Item = (u32, &Entry)> {
        self.latest.values().filter_map(|number| Some((*number, self.entries.get(number)?)))
    }

    /// How a task stands as it is seen from a route: where it has not run there, as it stands on the route that this one came from.
    pub fn status_seen(&self, task: u32, route: u32) -> Status {
        if let Some((_, entry)) = self.latest(task, route) {
            return entry.status;
        }
        let Some(edges) = self.routes.get(route as usize) else { return Status::Unset };
        for earlier in (0..route).rev() {
            if self.routes[earlier as usize].iter().all(|edge| edges.contains(edge)) {
                return self.status_seen(task, earlier);
            }
        }
        Status::Unset
    }

    /// Whether any task stands in one of these.
    pub(crate) fn any(&self, wanted: impl Fn(Status) -> bool) -> bool {
        self.standing.iter().any(|(status, count)| *count > 0 && wanted(*status))
    }

    pub(crate) fn add_route(&mut self, from: u32, by: (u32, u32)) {
        let mut edges = self.routes.get(from as usize).cloned().unwrap_or_default();
        edges.push(by);
        self.routes.push(edges);
    }

    pub(crate) fn begin(&mut self, entry: Entry) {
        let number = self.begun;
        self.begun += 1;
        if let Some(old) = self.latest.insert((entry.task, entry.route), number)
            && let Some(before) = self.entries.get(&old)
        {
            Self::count(&mut self.standing, before.status, false);
            if !before.terminal {
                self.entries.remove(&old);
            }
        }
        Self::count(&mut self.standing, entry.status, true);
        self.entries.insert(number, entry);
    }

    pub(crate) fn stands(&mut self, number: u32, status: Status) {
        let newest = self.is_newest(number);
        if let Some(entry) = self.entries.get_mut(&number) {
            if newest {
                Self::count(&mut self.standing, entry.status, false);
                Self::count(&mut self.standing, status, true);
            }
            entry.status = status;
        }
    }

    pub(crate) fn ends(&mut self, number: u32, terminal: bool) {
        let newest = self.is_newest(number);
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.terminal = terminal;
            if !terminal && !newest {
                self.entries.remove(&number);
            }
        }
    }

    pub(crate) fn change(&mut self, number: u32, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(&number) {
            change(entry);
        }
    }

    /// How many entries there have been.
    pub(crate) fn begun(&self) -> u32 {
        self.begun
    }

    fn is_newest(&self, number: u32) -> bool {
        let entry = self.entries.get(&number);
        entry.is_some_and(|entry| self.latest.get(&(entry.task, entry.route)) == Some(&number))
    }

    fn count(standing: &mut BTreeMap<Status, u32>, status: Status, more: bool) {
        let count = standing.entry(status).or_default();
        *count = if more { *count + 1 } else { count.saturating_sub(1) };
    }
}

/// Maps whose keys are no text, as lists of pairs, so that JSON can hold them.
pub(crate) mod pairs {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::collections::BTreeMap;

    pub(crate) fn serialize<K: serde::Serialize, V: serde::Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(crate) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
