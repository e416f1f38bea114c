//! The state of a workflow: the fold of its transitions.
//!
//! - **Folding decides nothing**: the same transitions give the same state, whatever has become of the workflow's file.
//! - **The state is as large as what is live**: entries and scopes that nothing refers to are forgotten.
//! - It can be written down at any moment and read again ([`State`] is serialisable, with a version).

use super::board::{Board, Entry, pairs};
use super::scope::{Change, Scope, Variables};
use super::status::Status;
use super::transition::{Transition, Trouble};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything that is known of a run of a workflow.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// How the workflow stands.
    pub status: Status,
    /// How many seconds it may take.
    pub timeout: Option<u64>,
    /// How its tasks stand.
    pub board: Arc<Board>,
    /// What went wrong, in order, each once.
    pub errors: Vec<Trouble>,
    /// What it gave.
    pub output: Option<Map<String, Value>>,
    staged: BTreeMap<(u32, u32), Staged>,
    /// How many of those may be started.
    ready: usize,
    stagings: u64,
    scopes: BTreeMap<u32, Scope>,
    next_scope: u32,
    sweep_at: usize,
}

/// A task that is to be started, waits for more branches, or is run for items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Staged {
    /// What it will see.
    pub scope: u32,
    /// The edges that led there, each as its task, its number and the route that it came on.
    pub from: Vec<(u32, u32, u32)>,
    /// Nothing is missing.
    pub ready: bool,
    /// It has failed and is kept for another run of its items.
    pub kept: bool,
    /// It is started though the workflow has failed.
    pub despite: bool,
    /// It is tried again, after so many seconds.
    pub again: Option<i64>,
    /// What it is run for.
    pub items: Option<Items>,
    /// The order in which tasks came to wait.
    order: u64,
}

impl Staged {
    /// Whether it may be started.
    pub fn may_start(&self) -> bool {
        self.ready && !self.kept
    }
}

/// How the items of a task stand: a slot for each, and counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Items {
    /// The items.
    pub list: Arc<Vec<Value>>,
    /// How many may run at once.
    pub concurrency: Option<i64>,
    /// How each stands.
    pub statuses: Vec<Status>,
    /// What each gave.
    pub results: Vec<Option<Arc<Value>>>,
    /// All before this one have been started.
    pub cursor: usize,
    counts: BTreeMap<Status, usize>,
}

impl Items {
    fn new(list: Arc<Vec<Value>>, concurrency: Option<i64>) -> Self {
        let count = list.len();
        let counts = BTreeMap::from([(Status::Unset, count)]);
        Self { list, concurrency, statuses: vec![Status::Unset; count], results: vec![None; count], cursor: 0, counts }
    }

    /// How many stand in one of these.
    pub fn count(&self, wanted: impl Fn(Status) -> bool) -> usize {
        self.counts.iter().filter(|(status, _)| wanted(**status)).map(|(_, count)| count).sum()
    }

    fn set(&mut self, item: usize, status: Status) {
        let Some(old) = self.statuses.get_mut(item) else { return };
        if let Some(count) = self.counts.get_mut(old) {
            *count -= 1;
        }
        *self.counts.entry(status).or_default() += 1;
        *old = status;
        if status == Status::Unset {
            self.cursor = self.cursor.min(item);
        }
        while self.statuses.get(self.cursor).is_some_and(|status| *status != Status::Unset) {
            self.cursor += 1;
        }
    }
}

impl State {
    /// The state after one more transition.
    pub fn apply(&mut self, transition: &Transition) {
        match transition {
            Transition::Opened { tasks, variables, timeout } => {
                self.board = Arc::new(Board::new(tasks.clone()));
                self.timeout = *timeout;
                let began = variables.iter().map(|(name, value)| (name.as_str().into(), Arc::new(value.clone())));
                self.add_scope(Scope::of(began.collect()));
            }
            Transition::Stands { status } => self.status = *status,
            Transition::Routed { from, by } => Arc::make_mut(&mut self.board).add_route(*from, *by),
            Transition::Published { over, values } => self.add_scope(self.scope(*over).publish(values)),
            Transition::Joined { first, then } => self.add_scope(self.scope(*first).join(&self.scope(*then))),
            Transition::Staged { task, route, scope, from, ready, again } => {
                self.unstage((*task, *route));
                let staged = Staged {
                    scope: *scope,
                    from: from.clone(),
                    ready: *ready,
                    kept: false,
                    despite: false,
                    again: *again,
                    items: None,
                    order: self.stagings,
                };
                self.stagings += 1;
                self.ready += usize::from(staged.may_start());
                self.staged.insert((*task, *route), staged);
            }
            Transition::Arrived { task, route, scope, from, ready } => self.restage((*task, *route), |staged| {
                staged.scope = *scope;
                staged.from.retain(|(task, key, _)| (*task, *key) != (from.0, from.1));
                staged.from.push(*from);
                staged.ready = *ready;
                staged.kept = false;
                staged.items = None;
            }),
            Transition::Late { entry, from } => {
                Arc::make_mut(&mut self.board).change(*entry, |entry| entry.late.push(*from));
            }
            Transition::Despite { task, route } => self.restage((*task, *route), |staged| staged.despite = true),
            Transition::Unstaged { task, route } => self.unstage((*task, *route)),
            Transition::Itemised { task, route, items, concurrency } => self.restage((*task, *route), |staged| {
                staged.items = Some(Items::new(Arc::clone(items), *concurrency));
            }),
            Transition::Item { task, route, item, status, result } => self.restage((*task, *route), |staged| {
                if let Some(items) = &mut staged.items {
                    let item = *item as usize;
                    items.set(item, *status);
                    if let (Some(slot), Some(result)) = (items.results.get_mut(item), result) {
                        *slot = Some(Arc::clone(result)).filter(|result| !result.is_null());
                    }
                }
            }),
            Transition::Kept { task, route } => self.restage((*task, *route), |staged| staged.kept = true),
            Transition::Reopened { task, route, all } => self.restage((*task, *route), |staged| {
                staged.kept = false;
                let Some(items) = &mut staged.items else { return };
                for item in 0..items.statuses.len() {
                    if *all || items.statuses[item].is_abended() {
                        items.set(item, Status::Unset);
                    }
                }
            }),
            Transition::Entered { task, route, scope, from, retry } => {
                Arc::make_mut(&mut self.board).begin(Entry {
                    task: *task,
                    route: *route,
                    status: Status::Unset,
                    scope: *scope,
                    from: from.clone(),
                    next: BTreeMap::new(),
                    terminal: false,
                    retry: *retry,
                    result: None,
                    itemised: false,
                    late: Vec::new(),
                });
            }
            Transition::Task { entry, status } => Arc::make_mut(&mut self.board).stands(*entry, *status),
            Transition::Gave { entry, result, items } => Arc::make_mut(&mut self.board).change(*entry, |entry| {
                entry.result = Some(Arc::clone(result)).filter(|result| !result.is_null());
                entry.itemised = *items;
            }),
            Transition::Retried { entry } => Arc::make_mut(&mut self.board).change(*entry, |entry| {
                if let Some(retry) = &mut entry.retry {
                    retry.made += 1;
                }
            }),
            Transition::Edge { entry, edge, followed } => {
                Arc::make_mut(&mut self.board).change(*entry, |entry| {
                    entry.next.insert(*edge, *followed);
                });
            }
            Transition::Ends { entry, terminal } => Arc::make_mut(&mut self.board).ends(*entry, *terminal),
            Transition::Erred { error } => self.errors.push(error.clone()),
            Transition::Forgiven { task } => self.errors.retain(|error| error.task_id.as_ref() != Some(task)),
            Transition::Output { values } => self.output.clone_from(values),
        }
    }

    /// A task that waits, or is run for items.
    pub fn staged(&self, task: u32, route: u32) -> Option<&Staged> {
        self.staged.get(&(task, route))
    }

    /// Whether any task may be started.
    pub fn has_staged(&self) -> bool {
        self.ready > 0
    }

    /// Whether any task may be started although the workflow has failed.
    pub fn has_staged_despite(&self) -> bool {
        self.status == Status::Failed
            && self.has_staged()
            && self.staged.values().any(|staged| staged.despite && staged.may_start())
    }

    /// All tasks that wait, as task and route, in the order in which they came to wait.
    pub fn all_staged(&self) -> Vec<((u32, u32), &Staged)> {
        let mut all: Vec<_> = self.staged.iter().map(|(key, staged)| (*key, staged)).collect();
        all.sort_by_key(|(_, staged)| staged.order);
        all
    }

    /// What is seen in a scope.
    pub fn scope(&self, number: u32) -> Scope {
        self.scopes.get(&number).cloned().unwrap_or_default()
    }

    /// The number that the next scope will have.
    pub(crate) fn next_scope(&self) -> u32 {
        self.next_scope
    }

    /// Whether the workflow has been opened.
    pub fn is_open(&self) -> bool {
        self.next_scope > 0
    }

    fn unstage(&mut self, key: (u32, u32)) {
        if let Some(staged) = self.staged.remove(&key) {
            self.ready -= usize::from(staged.may_start());
        }
    }

    fn restage(&mut self, key: (u32, u32), change: impl FnOnce(&mut Staged)) {
        if let Some(staged) = self.staged.get_mut(&key) {
            self.ready -= usize::from(staged.may_start());
            change(staged);
            self.ready += usize::from(staged.may_start());
        }
    }

    fn add_scope(&mut self, scope: Scope) {
        if self.scopes.len() >= self.sweep_at.max(64) {
            let entries = self.board.entries().map(|(_, entry)| entry.scope);
            let mut live: BTreeSet<u32> = entries.chain(self.staged.values().map(|staged| staged.scope)).collect();
            // The first is what everything else lies over, and the last ones may not have found their tasks yet.
            live.insert(0);
            let fresh = self.next_scope.saturating_sub(32);
            self.scopes.retain(|number, _| *number >= fresh || live.contains(number));
            self.sweep_at = 2 * self.scopes.len() + 64;
        }
        self.scopes.insert(self.next_scope, scope);
        self.next_scope += 1;
    }
}

/// The version of what is written.
const VERSION: u32 = 1;

/// The state as it is written: each value once, however many scopes know it.
#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<u64>,
    board: Arc<Board>,
    errors: Vec<Trouble>,
    output: Option<Map<String, Value>>,
    #[serde(with = "pairs")]
    staged: BTreeMap<(u32, u32), Staged>,
    stagings: u64,
    began: Variables,
    values: Vec<Arc<Value>>,
    scopes: Vec<(u32, WrittenChanges)>,
    next_scope: u32,
    sweep_at: usize,
}

/// What a scope changes, by name.
type WrittenChanges = Vec<(Arc<str>, WrittenChange)>;

#[derive(Serialize, Deserialize)]
enum WrittenChange {
    Set(usize),
    Merge(WrittenChanges),
}

/// Values in the order in which they were met, each by its address.
#[derive(Default)]
struct Values {
    all: Vec<Arc<Value>>,
    known: BTreeMap<usize, usize>,
}

impl Values {
    fn number(&mut self, value: &Arc<Value>) -> usize {
        *self.known.entry(Arc::as_ptr(value).addr()).or_insert_with(|| {
            self.all.push(Arc::clone(value));
            self.all.len() - 1
        })
    }

    fn write(&mut self, changes: &[(Arc<str>, Change)]) -> WrittenChanges {
        let write = |(name, change): &(Arc<str>, Change)| {
            let written = match change {
                Change::Set(value) => WrittenChange::Set(self.number(value)),
                Change::Merge(inside) => WrittenChange::Merge(self.write(inside)),
            };
            (Arc::clone(name), written)
        };
        changes.iter().map(write).collect()
    }
}

fn read(changes: WrittenChanges, values: &[Arc<Value>]) -> Option<Vec<(Arc<str>, Change)>> {
    let read = |(name, written)| {
        let change = match written {
            WrittenChange::Set(number) => Change::Set(Arc::clone(values.get(number)?)),
            WrittenChange::Merge(inside) => Change::Merge(read(inside, values)?),
        };
        Some((name, change))
    };
    changes.into_iter().map(read).collect()
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut values = Values::default();
        let scopes = self.scopes.iter().filter(|(number, _)| **number > 0);
        let scopes = scopes.map(|(number, scope)| (*number, values.write(scope.changes()))).collect();
        let written = Written {
            version: VERSION,
            status: self.status,
            timeout: self.timeout,
            board: Arc::clone(&self.board),
            errors: self.errors.clone(),
            output: self.output.clone(),
            staged: self.staged.clone(),
            stagings: self.stagings,
            began: self.scope(0).variables().clone(),
            values: values.all,
            scopes,
            next_scope: self.next_scope,
            sweep_at: self.sweep_at,
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let written = Written::deserialize(deserializer)?;
        if written.version != VERSION {
            return Err(D::Error::custom(format!("a workflow of version {} cannot be read", written.version)));
        }
        let mut scopes = BTreeMap::new();
        if written.next_scope > 0 {
            scopes.insert(0, Scope::of(written.began.clone()));
        }
        for (number, changes) in written.scopes {
            let changes = read(changes, &written.values).ok_or_else(|| D::Error::custom("a value is missing"))?;
            scopes.insert(number, Scope::from_changes(&written.began, &changes));
        }
        Ok(Self {
            status: written.status,
            timeout: written.timeout,
            board: written.board,
            errors: written.errors,
            output: written.output,
            ready: written.staged.values().filter(|staged| staged.may_start()).count(),
            staged: written.staged,
            stagings: written.stagings,
            scopes,
            next_scope: written.next_scope,
            sweep_at: written.sweep_at,
        })
    }
}
