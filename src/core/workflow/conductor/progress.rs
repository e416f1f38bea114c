//! What follows when the action of a task tells something: how the task stands, whether it is tried again, what is published, what is staged.

use super::{Conductor, Criteria, SEE_RESULT, Told, trouble};
use crate::core::workflow::board::{Followed, Retries};
use crate::core::workflow::expression::{Failure, is_true};
use crate::core::workflow::graph::{Command, Edge, FailedItems, Join, Node};
use crate::core::workflow::machine::{self, Activity, Others};
use crate::core::workflow::scene::{Current, Scene};
use crate::core::workflow::status::Status;
use crate::core::workflow::transition::{Transition, Trouble};
use serde_json::Value;
use std::sync::Arc;

impl Conductor {
    /// What the action of a task tells. What is told of a task that is not at work changes nothing.
    pub fn tell(&mut self, task: u32, route: u32, told: &Told) {
        let graph = Arc::clone(&self.graph);
        let Some(node) = graph.nodes.get(task as usize) else { return };
        let staged = self.state.staged(task, route).is_some();
        let itemised = self.state.staged(task, route).is_some_and(|staged| staged.items.is_some());
        if told.item.is_some() && !itemised {
            return;
        }
        let latest = self.state.board.latest(task, route).map(|(number, entry)| (number, entry.status));
        let anew = match latest {
            None => true,
            Some(_) if node.command.is_some() => true,
            Some((_, status)) => status.is_completed() && told.status.is_starting(),
        };
        let entry = match latest {
            _ if anew && staged => match self.enter(task, route) {
                Ok(entry) => entry,
                Err(failure) => {
                    self.note(Transition::Unstaged { task, route });
                    self.erred(vec![failure], Some(task), Some(route), None);
                    self.fail();
                    return;
                }
            },
            Some((entry, _)) if !anew => entry,
            _ => return,
        };
        if staged && !itemised {
            self.note(Transition::Unstaged { task, route });
        }
        if let Some(item) = told.item {
            let result = told.result.clone();
            self.note(Transition::Item { task, route, item, status: told.status, result });
        }
        if told.status == Status::Failed {
            let result = told.result.clone().filter(|result| !result.is_null());
            self.trouble(Trouble { result, ..trouble(SEE_RESULT.to_owned(), Some(&node.name)) });
        }
        let old = self.status_of(entry);
        let stands = match (node.command, told.item) {
            (Some(command), _) => machine::command(old, command == Command::Fail),
            (None, Some(item)) => self.after_item(old, told, task, route, item),
            (None, None) => machine::task(old, told.status),
        };
        self.settle(node, entry, old, stands, told);
    }

    /// How a task stands after one of its items told something.
    fn after_item(&self, now: Status, told: &Told, task: u32, route: u32, item: u32) -> Option<Status> {
        let (activity, others) = self.others(task, route, item);
        let waiting = || self.items(task, route).is_some_and(|items| items.count(|status| status == Status::Unset) > 0);
        let goes_on = self.graph.policy.failed_items == FailedItems::RunAll
            && now == Status::Running
            && (told.status == Status::Succeeded || told.status.is_abended())
            && matches!(others, Others::Failed | Others::Incomplete)
            && waiting();
        if goes_on { None } else { machine::item(now, told.status, activity, others) }
    }

    /// What follows from how an entry stands now.
    fn settle(&mut self, node: &Node, entry: u32, old: Status, stands: Option<Status>, told: &Told) {
        let Some((task, route)) = self.state.board.entry(entry).map(|entry| (entry.task, entry.route)) else { return };
        if let Some(status) = stands {
            self.note(Transition::Task { entry, status });
        }
        let now = stands.unwrap_or(old);
        let mut commands = Vec::new();
        if now == Status::Retrying {
            self.note(Transition::Retried { entry });
            let scoped = self.state.board.entry(entry).map(|entry| (entry.scope, entry.from.clone(), entry.retry));
            let Some((scope, from, retry)) = scoped else { return };
            let again = retry.and_then(|retry| retry.delay).unwrap_or_default();
            self.stage(task, route, scope, from, true, Some(again));
        }
        if now.is_completed() {
            let result = self.result(node, task, route, told);
            if node.items.is_some() && now.is_abended() && self.state.staged(task, route).is_some() {
                self.note(Transition::Kept { task, route });
            } else if self.state.staged(task, route).is_some() && !self.items_active(task, route) {
                self.note(Transition::Unstaged { task, route });
            }
            if node.command.is_none() {
                self.note(Transition::Gave { entry, result: Arc::clone(&result), items: node.items.is_some() });
            }
            let current = Current { task, route, result: Some(result) };
            let again = machine::retry(now);
            if self.state.status.is_active() && again.is_some() && self.tries_again(node, entry, now, &current) {
                let told = Told { item: None, status: Status::Retrying, result: None };
                return self.settle(node, entry, now, again, &told);
            }
            if now != old {
                commands = self.follow(node, entry, &current);
            }
        }
        self.judge(node, entry, now);
        for (command, route) in commands {
            let told = Told { item: None, status: Status::Succeeded, result: None };
            let fails = self.graph.node(command).command == Some(Command::Fail);
            let told = if fails { Told { status: Status::Failed, ..told } } else { told };
            self.tell(command, route, &told);
        }
        if self.state.status.is_completed() && self.state.board.entry(entry).is_some_and(|entry| !entry.terminal) {
            self.note(Transition::Ends { entry, terminal: true });
        }
    }

    /// What a task gave: of one with items, what each item gave, and nothing for those that never ran.
    fn result(&self, node: &Node, task: u32, route: u32, told: &Told) -> Arc<Value> {
        if node.items.is_none() {
            return told.result.clone().unwrap_or_default();
        }
        let items = self.state.staged(task, route).and_then(|staged| staged.items.as_ref());
        match items.filter(|_| told.item.is_some()) {
            Some(items) => {
                Arc::new(items.results.iter().map(|result| result.as_deref().cloned().unwrap_or_default()).collect())
            }
            None => match told.result.clone() {
                Some(result) if is_true(&result) => result,
                _ => Arc::new(Value::Array(Vec::new())),
            },
        }
    }

    /// Looks at what follows a task that has ended. Gives the engine's commands that were reached, with their routes.
    fn follow(&mut self, node: &Node, entry: u32, current: &Current) -> Vec<(u32, u32)> {
        let mut commands = Vec::new();
        let mut beside = Vec::new();
        let mut fails = false;
        if node.edges.is_empty() {
            self.note(Transition::Ends { entry, terminal: true });
        }
        for (at, edge) in (0..).zip(&node.edges) {
            let scope = self.state.board.entry(entry).map(|entry| entry.scope).unwrap_or_default();
            let seen = self.state.scope(scope);
            let scene = self.scene(seen.variables().clone(), Some(current.clone()), None);
            let transition = || format!("{}__t{}", self.graph.node(edge.to).name, edge.key);
            let holds = match edge.condition.as_ref().map(|condition| condition.evaluate(&scene)).transpose() {
                Ok(value) => value.is_none_or(|value| is_true(&value)),
                Err(failure) => {
                    let transition = transition();
                    drop(scene);
                    self.erred(vec![failure], Some(current.task), Some(current.route), Some(transition));
                    self.fail();
                    continue;
                }
            };
            if !holds {
                drop(scene);
                self.note(Transition::Edge { entry, edge: at, followed: Followed::No });
                continue;
            }
            let (values, failures) = publish(edge, scene);
            if !failures.is_empty() {
                let transition = transition();
                self.note(Transition::Edge { entry, edge: at, followed: Followed::Yes });
                self.erred(failures, Some(current.task), Some(current.route), Some(transition));
                self.fail();
                continue;
            }
            let late = self.comes_late(edge, current);
            self.note(Transition::Edge {
                entry,
                edge: at,
                followed: if late.is_some() { Followed::Late } else { Followed::Yes },
            });
            if let Some(join) = late {
                self.note(Transition::Late { entry: join, from: current.task });
                continue;
            }
            let scope = self.publish(scope, values);
            let route = self.route(edge, current);
            self.arrive(edge, route, scope, current);
            let reached = self.graph.node(edge.to).command;
            match reached {
                Some(command) => {
                    commands.push((edge.to, route));
                    fails |= command == Command::Fail;
                }
                None if self.state.staged(edge.to, route).is_some_and(|staged| staged.ready) => {
                    beside.push((edge.to, route));
                }
                None => {}
            }
        }
        // What stands beside `fail` is still run: it cleans up.
        if fails {
            for (task, route) in beside {
                self.note(Transition::Despite { task, route });
            }
        }
        commands
    }

    /// Lays values over a scope. Gives the number of the scope that came of it.
    fn publish(&mut self, over: u32, values: Vec<Published>) -> u32 {
        if values.is_empty() {
            return over;
        }
        let scope = self.state.next_scope();
        self.note(Transition::Published { over, values });
        scope
    }

    /// A branch comes to a task.
    fn arrive(&mut self, edge: &Edge, route: u32, scope: u32, current: &Current) {
        let from = (current.task, edge.key, current.route);
        match self.state.staged(edge.to, route) {
            Some(staged) => {
                let first = staged.scope;
                let joined = self.state.next_scope();
                self.note(Transition::Joined { first, then: scope });
                let ready = self.is_ready(edge.to, current.route);
                self.note(Transition::Arrived { task: edge.to, route, scope: joined, from, ready });
            }
            None => {
                let ready = self.is_ready(edge.to, current.route);
                self.stage(edge.to, route, scope, vec![from], ready, None);
            }
        }
    }

    /// Whether nothing is missing for a task to start.
    fn is_ready(&self, task: u32, route: u32) -> bool {
        self.graph.node(task).join.is_none() || self.criteria(task, route) == Criteria::Satisfied
    }

    /// The entry of the join that a branch comes to, where that has had enough branches and has not been led to from this task.
    fn comes_late(&self, edge: &Edge, current: &Current) -> Option<u32> {
        let node = self.graph.node(edge.to);
        let Some(Join::Count(count)) = node.join else { return None };
        if count >= node.inbound.len() as u64 || self.state.staged(edge.to, current.route).is_some() {
            return None;
        }
        let (number, entry) = self.state.board.latest(edge.to, current.route)?;
        let known = entry.from.iter().any(|from| from.0 == current.task) || entry.late.contains(&current.task);
        (!known).then_some(number)
    }

    /// The route on which a task is run that an edge leads to.
    fn route(&mut self, edge: &Edge, current: &Current) -> u32 {
        let by = (current.task, edge.key);
        let here = self.state.board.routes().get(current.route as usize);
        if !self.graph.node(edge.to).splits || here.is_some_and(|edges| edges.contains(&by)) {
            return current.route;
        }
        let next = u32::try_from(self.state.board.routes().len()).unwrap_or(u32::MAX);
        self.note(Transition::Routed { from: current.route, by });
        next
    }

    /// A task that is staged begins.
    fn enter(&mut self, task: u32, route: u32) -> Result<u32, Failure> {
        let graph = Arc::clone(&self.graph);
        let Some(staged) = self.state.staged(task, route) else { return Ok(0) };
        let (scope, from) = (staged.scope, staged.from.clone());
        let retry = self.retries(graph.node(task), scope)?;
        let entry = self.state.board.begun();
        self.note(Transition::Entered { task, route, scope, from, retry });
        Ok(entry)
    }

    pub(super) fn retries(&self, node: &Node, scope: u32) -> Result<Option<Retries>, Failure> {
        let Some(retry) = &node.retry else { return Ok(None) };
        let scene = self.scene(self.state.scope(scope).variables().clone(), None, None);
        let delay = retry.delay.as_ref().map(|delay| Self::seconds(delay, &scene, "the delay of the retry"));
        let count = Self::seconds(&retry.count, &scene, "the count of the retry")?;
        Ok(Some(Retries { count, delay: delay.transpose()?, made: 0 }))
    }

    fn tries_again(&mut self, node: &Node, entry: u32, now: Status, current: &Current) -> bool {
        let Some(entry) = self.state.board.entry(entry) else { return false };
        let (Some(retries), Some(retry)) = (entry.retry, &node.retry) else { return false };
        if retries.made >= retries.count {
            return false;
        }
        let Some(when) = &retry.when else { return now.is_abended() };
        let variables = self.state.scope(entry.scope).variables().clone();
        let scene = self.scene(variables, Some(current.clone()), None);
        match when.evaluate(&scene) {
            Ok(value) => is_true(&value),
            Err(failure) => {
                drop(scene);
                self.erred(vec![failure], Some(current.task), Some(current.route), None);
                self.fail();
                false
            }
        }
    }

    /// How the other items of a task stand.
    fn others(&self, task: u32, route: u32, item: u32) -> (Activity, Others) {
        let Some(items) = self.state.staged(task, route).and_then(|staged| staged.items.as_ref()) else {
            return (Activity::Dormant, Others::Completed);
        };
        let own = items.statuses.get(item as usize).copied().unwrap_or_default();
        let any = |wanted: fn(Status) -> bool| items.count(wanted) > usize::from(wanted(own));
        let incomplete = any(|status| !status.is_completed());
        let rest = if incomplete { Others::Incomplete } else { Others::Completed };
        if any(Status::is_active) {
            (Activity::Active, rest)
        } else if any(|status| matches!(status, Status::Pending | Status::Paused)) {
            (Activity::Dormant, Others::Paused)
        } else if any(|status| status == Status::Canceled) {
            (Activity::Dormant, Others::Canceled)
        } else if any(Status::is_abended) {
            (Activity::Dormant, Others::Failed)
        } else {
            (Activity::Dormant, rest)
        }
    }

    fn items_active(&self, task: u32, route: u32) -> bool {
        let items = self.state.staged(task, route).and_then(|staged| staged.items.as_ref());
        items.is_some_and(|items| items.count(Status::is_active) > 0)
    }
}

/// A name and what it is set to.
type Published = (Arc<str>, Arc<Value>);

/// Works out what is published on an edge; later values see earlier ones.
fn publish(edge: &Edge, mut scene: Scene) -> (Vec<Published>, Vec<Failure>) {
    let (mut values, mut failures): (Vec<Published>, _) = (Vec::new(), Vec::new());
    for assignment in &*edge.publish {
        match assignment.value.evaluate(&scene) {
            Ok(value) => {
                scene.variables.set(&assignment.name, Arc::clone(&value));
                let known = values.iter_mut().find(|(name, _)| *name == assignment.name);
                match known {
                    Some((_, old)) => *old = value,
                    None => values.push((Arc::clone(&assignment.name), value)),
                }
            }
            Err(failure) => failures.push(failure),
        }
    }
    (values, failures)
}
