//! A definition as a whole: which tasks lead where, and what cannot work.

use super::definition::Definition;
use super::{At, Problem};
use crate::core::content::suggest::did_you_mean;
use crate::core::workflow::graph::Command;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Which tasks lead where.
pub(super) struct Shape<'d> {
    definition: &'d Definition,
    /// The tasks that nothing leads to, by name.
    pub(super) roots: Vec<Arc<str>>,
    /// How many entries of `next` name each task.
    named: BTreeMap<Arc<str>, usize>,
    reachable: BTreeSet<Arc<str>>,
    cyclic: BTreeSet<Arc<str>>,
}

fn is_command(name: &str) -> bool {
    Command::ALL.iter().any(|command| command.word() == name)
}

impl<'d> Shape<'d> {
    pub(super) fn of(definition: &'d Definition) -> Self {
        let mut named: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for name in definition.tasks.iter().flat_map(|task| &task.next).flat_map(|next| &next.to) {
            *named.entry(Arc::clone(name)).or_default() += 1;
        }
        let mut roots: Vec<_> = definition.tasks.iter().map(|task| Arc::clone(&task.name)).collect();
        roots.retain(|name| !named.contains_key(name));
        roots.sort();
        let mut shape = Self { definition, roots, named, reachable: BTreeSet::new(), cyclic: BTreeSet::new() };
        shape.reachable = shape.reached(shape.roots.clone());
        shape.cyclic = shape.cycles();
        shape
    }

    /// The tasks that an entry of `next` of this one names, by name.
    pub(super) fn next(&self, name: &str) -> Vec<Arc<str>> {
        let next = self.definition.task(name).into_iter().flat_map(|task| &task.next);
        let mut names: Vec<_> = next.flat_map(|next| &next.to).cloned().collect();
        names.sort();
        names
    }

    pub(super) fn is_reachable(&self, name: &str) -> bool {
        self.reachable.contains(name)
    }

    pub(super) fn in_cycle(&self, name: &str) -> bool {
        self.cyclic.contains(name)
    }

    /// Whether more than one entry of `next` leads to a task that does not wait for them.
    pub(super) fn is_split(&self, name: &str) -> bool {
        let joins = self.definition.task(name).is_some_and(|task| task.join.is_some());
        !joins && self.named.get(name).is_some_and(|count| *count > 1)
    }

    /// Whether a task is run on a route of its own for each of them.
    pub(super) fn splits(&self, name: &str) -> bool {
        self.is_split(name) && !self.in_cycle(name)
    }

    fn reached(&self, from: Vec<Arc<str>>) -> BTreeSet<Arc<str>> {
        let mut reached: BTreeSet<Arc<str>> = from.iter().cloned().collect();
        let mut todo = from;
        while let Some(name) = todo.pop() {
            for next in self.next(&name) {
                if reached.insert(Arc::clone(&next)) {
                    todo.push(next);
                }
            }
        }
        reached
    }

    /// The tasks that can lead back to themselves: those of components with more than one task, or with an edge to itself (Tarjan).
    fn cycles(&self) -> BTreeSet<Arc<str>> {
        let names: Vec<Arc<str>> = self.definition.tasks.iter().map(|task| Arc::clone(&task.name)).collect();
        let numbers: BTreeMap<&str, usize> = names.iter().enumerate().map(|(at, name)| (&**name, at)).collect();
        let next: Vec<Vec<usize>> = (names.iter())
            .map(|name| self.next(name).iter().filter_map(|next| numbers.get(&**next).copied()).collect())
            .collect();
        let mut cyclic = BTreeSet::new();
        let count = names.len();
        let (mut order, mut low) = (vec![usize::MAX; count], vec![0; count]);
        let (mut stack, mut on_stack, mut begun) = (Vec::new(), vec![false; count], 0);
        for root in 0..count {
            if order[root] != usize::MAX {
                continue;
            }
            // Each with how many of its edges have been followed.
            let mut path: Vec<(usize, usize)> = vec![(root, 0)];
            while let Some((task, followed)) = path.pop() {
                if followed == 0 {
                    (order[task], low[task]) = (begun, begun);
                    begun += 1;
                    stack.push(task);
                    on_stack[task] = true;
                }
                if let Some(to) = next[task].get(followed).copied() {
                    path.push((task, followed + 1));
                    if order[to] == usize::MAX {
                        path.push((to, 0));
                    } else if on_stack[to] {
                        low[task] = low[task].min(order[to]);
                    }
                    continue;
                }
                if let Some((above, _)) = path.last() {
                    low[*above] = low[*above].min(low[task]);
                }
                if low[task] == order[task] {
                    let from = stack.iter().rposition(|one| *one == task).unwrap_or_default();
                    let component = stack.split_off(from);
                    let cycle = component.len() > 1 || next[task].contains(&task);
                    for one in component {
                        on_stack[one] = false;
                        if cycle {
                            cyclic.insert(Arc::clone(&names[one]));
                        }
                    }
                }
            }
        }
        cyclic
    }
}

/// What cannot work.
pub(super) fn check(definition: &Definition) -> Vec<Problem> {
    let shape = Shape::of(definition);
    let mut found = Vec::new();
    let mut tell = |at: &At, message: String| {
        found.push(Problem::new(at.line, &at.path, at.rule.clone(), message));
        found.len() - 1
    };
    for task in &definition.tasks {
        if is_command(&task.name) {
            tell(&task.at, format!("`{}` is a command of the engine, so no task can have that name", task.name));
        }
        if task.itemised && task.action.is_none() {
            tell(&task.at, "a task with items needs an action to run for them".to_owned());
        }
    }
    if !definition.tasks.is_empty() && shape.roots.is_empty() {
        let message = "no task begins the workflow: each has one that leads to it; add one that leads into the loop";
        tell(&definition.at, message.to_owned());
    }
    let mut guesses = Vec::new();
    for (at, name) in undefined(definition, &shape) {
        let number = tell(&at, format!("there is no task `{name}`"));
        let names = definition.tasks.iter().map(|task| &*task.name).chain(Command::ALL.map(Command::word));
        guesses.push((number, did_you_mean(&name, names)));
    }
    for name in out_of_reach(definition, &shape) {
        let Some(task) = definition.task(&name) else { continue };
        let message = "the branches that this join waits for come from forks at different levels (tasks that more than one \
                       entry of `next` leads to), so it cannot be told which of them belong together";
        tell(&task.at, message.to_owned());
    }
    for (number, guess) in guesses {
        found[number].suggestion = guess;
    }
    found
}

/// The names in `do` that no task has, as far as they are reached from the beginning.
fn undefined(definition: &Definition, shape: &Shape<'_>) -> Vec<(At, Arc<str>)> {
    let mut found = Vec::new();
    let mut todo: VecDeque<Arc<str>> = shape.roots.iter().cloned().collect();
    let mut queued: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut traversed: BTreeSet<Arc<str>> = BTreeSet::new();
    while let Some(name) = todo.pop_front() {
        traversed.insert(Arc::clone(&name));
        let Some(task) = definition.task(&name) else { continue };
        for next in &task.next {
            for to in &next.to {
                if is_command(to) || traversed.contains(to) {
                    continue;
                }
                if definition.task(to).is_none() {
                    found.push((next.to_at.clone(), Arc::clone(to)));
                } else if queued.insert(Arc::clone(to)) {
                    todo.push_back(Arc::clone(to));
                }
            }
        }
    }
    found
}

/// The joins that wait for branches from different levels of forks.
fn out_of_reach(definition: &Definition, shape: &Shape<'_>) -> Vec<Arc<str>> {
    type Names = BTreeSet<Arc<str>>;
    type Visit = (Option<Arc<str>>, Arc<str>, Names);
    #[derive(Default)]
    struct Staged {
        splits: BTreeSet<Arc<str>>,
        from: BTreeSet<Arc<str>>,
    }
    let mut staging: BTreeMap<Arc<str>, Staged> = BTreeMap::new();
    let mut known: BTreeMap<(Arc<str>, Arc<str>), Names> = BTreeMap::new();
    let mut todo: VecDeque<Visit> = shape.roots.iter().map(|name| (None, Arc::clone(name), BTreeSet::new())).collect();
    while let Some((from, name, mut splits)) = todo.pop_front() {
        if definition.task(&name).is_none() {
            continue;
        }
        if shape.splits(&name) {
            splits.insert(Arc::clone(&name));
        }
        let staged = staging.entry(Arc::clone(&name)).or_default();
        staged.splits.extend(splits.iter().cloned());
        staged.from.extend(from);
        for next in shape.next(&name) {
            if staging.contains_key(&next) && shape.in_cycle(&next) {
                continue;
            }
            let edge = (Arc::clone(&name), Arc::clone(&next));
            let seen = known.get(&edge).is_some_and(|seen| !seen.is_empty() && splits.is_subset(seen));
            if !seen {
                known.entry(edge).or_default().extend(splits.iter().cloned());
                todo.push_back((Some(Arc::clone(&name)), next, splits.clone()));
            }
        }
    }
    let joins = staging.iter().filter(|(name, _)| definition.task(name).is_some_and(|task| task.join.is_some()));
    let unlike = joins.filter(|(_, staged)| {
        let mut from = staged.from.iter().filter_map(|from| staging.get(from));
        from.any(|from| from.splits != staged.splits)
    });
    unlike.map(|(name, _)| Arc::clone(name)).collect()
}
