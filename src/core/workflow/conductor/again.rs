//! Running failed or named tasks again after the end.

use super::{Conductor, Refused, Rerun, fingerprint};
use crate::core::workflow::board::Followed;
use crate::core::workflow::graph::Node;
use crate::core::workflow::status::Status;
use crate::core::workflow::transition::Transition;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Conductor {
    /// Runs tasks again: those that are named, or those that failed at the end. What followed them runs again too; what they had published is
    /// forgotten; of items only those that failed run again, unless all are asked for.
    ///
    /// # Errors
    /// The workflow has not ended, or a task has not run.
    pub fn rerun(&mut self, wanted: &[Rerun]) -> Result<(), Refused> {
        if !self.state.status.is_completed() {
            return Err(Refused::Active);
        }
        let mut named: BTreeMap<(u32, u32), bool> = BTreeMap::new();
        let mut unknown = Vec::new();
        for rerun in wanted {
            let task = self.state.board.task(&rerun.task);
            match task.filter(|task| self.state.board.latest(*task, rerun.route).is_some()) {
                Some(task) => drop(named.insert((task, rerun.route), rerun.reset_items)),
                None => unknown.push(format!("{} (route {})", rerun.task, rerun.route)),
            }
        }
        if !unknown.is_empty() {
            return Err(Refused::Tasks(unknown));
        }
        let mut candidates: Vec<(u32, u32)> = if wanted.is_empty() {
            let ended = self.state.board.entries().filter(|(_, entry)| entry.terminal && entry.status.is_abended());
            ended.map(|(_, entry)| (entry.task, entry.route)).collect()
        } else {
            self.earliest(named.keys().copied().collect())
        };
        let graph = Arc::clone(&self.graph);
        candidates.sort_by(|one, other| (&graph.node(one.0).name, one.1).cmp(&(&graph.node(other.0).name, other.1)));
        candidates.dedup();
        for (task, route) in candidates {
            self.run_again(graph.node(task), task, route, named.get(&(task, route)).copied().unwrap_or_default());
        }
        // What ended the workflow and leads on does so now.
        let going_on: Vec<u32> = (self.state.board.entries())
            .filter(|(_, entry)| entry.terminal && entry.next.values().any(|followed| *followed != Followed::No))
            .map(|(number, _)| number)
            .collect();
        for entry in going_on {
            self.note(Transition::Ends { entry, terminal: false });
        }
        if self.state.output.is_some() {
            self.note(Transition::Output { values: None });
        }
        self.stands(Status::Resuming);
        Ok(())
    }

    /// Of tasks that lead to one another, those that come first.
    fn earliest(&self, tasks: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
        if tasks.len() < 2 {
            return tasks;
        }
        let sequences: Vec<Vec<u32>> = tasks.iter().map(|task| self.sequence(*task)).collect();
        let within = |one: &[u32], other: &[u32]| one.iter().all(|number| other.contains(number));
        let kept = (0..tasks.len()).filter(|at| sequences.iter().any(|other| !within(&sequences[*at], other)));
        kept.map(|at| tasks[at]).collect()
    }

    /// The newest entry of a task and those that it led to.
    fn sequence(&self, (task, route): (u32, u32)) -> Vec<u32> {
        let own = self.state.board.latest(task, route).map(|(number, _)| number);
        let led = self
            .state
            .board
            .entries()
            .filter(|(_, entry)| entry.from.iter().any(|(from, _, on)| (*from, *on) == (task, route)));
        own.into_iter().chain(led.map(|(number, _)| number)).collect()
    }

    fn run_again(&mut self, node: &Node, task: u32, route: u32, reset_items: bool) {
        let Some((number, entry)) = self.state.board.latest(task, route) else { return };
        let (scope, from) = (entry.scope, entry.from.clone());
        self.note(Transition::Ends { entry: number, terminal: false });
        if self.state.errors.iter().any(|error| error.task_id.as_deref() == Some(&*node.name)) {
            self.note(Transition::Forgiven { task: Arc::clone(&node.name) });
            self.told.clear();
            for (at, error) in self.state.errors.iter().enumerate() {
                self.told.entry(fingerprint(error)).or_default().push(at);
            }
        }
        let itemised = self.state.staged(task, route).is_some_and(|staged| staged.items.is_some());
        if node.items.is_some() && itemised {
            self.note(Transition::Reopened { task, route, all: reset_items });
        } else {
            if node.items.is_none() {
                let retry = self.retries(node, scope).unwrap_or_default();
                self.note(Transition::Entered { task, route, scope, from: from.clone(), retry });
            }
            self.stage(task, route, scope, from, true, None);
        }
        for entry in self.sequence((task, route)) {
            if self.state.board.entry(entry).is_some_and(|entry| entry.terminal) {
                self.note(Transition::Ends { entry, terminal: false });
            }
        }
    }
}
