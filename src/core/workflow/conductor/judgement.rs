//! How the workflow as a whole stands, and what people ask of it.

use super::{Conductor, Criteria, Refused, trouble};
use crate::core::workflow::board::Followed;
use crate::core::workflow::graph::{Command, Join, Node};
use crate::core::workflow::machine::{self, Activity, Rest, TaskEvent};
use crate::core::workflow::status::Status;
use crate::core::workflow::transition::{Transition, Trouble};
use serde_json::{Map, Value};
use std::sync::Arc;

impl Conductor {
    /// How far the tasks that lead to a join have come.
    pub(super) fn criteria(&self, task: u32, route: u32) -> Criteria {
        let node = self.graph.node(task);
        let needed = match node.join {
            None | Some(Join::Count(0)) => 1,
            Some(Join::Count(count)) => count,
            Some(Join::All) => node.inbound.len() as u64,
        };
        let (mut satisfied, mut unknown) = (0, false);
        for (from, edges) in &node.inbound {
            match self.state.board.latest(*from, route) {
                None => unknown = true,
                Some((_, entry)) => {
                    let followed = |edge: &u32| matches!(entry.next.get(edge), Some(Followed::Yes | Followed::Late));
                    satisfied += u64::from(edges.iter().any(followed));
                }
            }
        }
        if satisfied >= needed {
            Criteria::Satisfied
        } else if unknown && (self.is_active() || self.state.has_staged()) {
            Criteria::Open
        } else {
            Criteria::OutOfReach
        }
    }

    /// What follows for the workflow from how one of its tasks stands.
    pub(super) fn judge(&mut self, node: &Node, entry: u32, now: Status) {
        let (handled, follows) = self.follows(node, entry, now);
        let rest = if self.state.board.any(|status| matches!(status, Status::Canceling | Status::Canceled)) {
            Rest::Canceled
        } else if self.state.board.any(|status| matches!(status, Status::Pausing | Status::Paused | Status::Pending)) {
            Rest::Paused
        } else if self.state.has_staged() || follows {
            Rest::Incomplete
        } else {
            Rest::Completed
        };
        let event = match now {
            Status::Succeeded => TaskEvent::Succeeded(rest),
            failed if failed.is_abended() && handled => TaskEvent::Remediated(rest),
            failed if failed.is_abended() => TaskEvent::Failed,
            other => TaskEvent::Stands(other),
        };
        let activity = self.activity();
        let unhandled = event == TaskEvent::Failed && !self.graph.policy.fail_fast;
        // The others run to their end, and then the workflow has failed.
        let event = if unhandled && (activity == Activity::Active || rest == Rest::Incomplete) {
            TaskEvent::Remediated(rest)
        } else {
            event
        };
        let Some(mut stands) = machine::workflow(self.state.status, event, activity) else { return };
        if stands == Status::Succeeded && !self.graph.policy.fail_fast && self.has_unhandled() {
            stands = Status::Failed;
        }
        self.stands(stands);
        if stands.is_completed() {
            let barriers: Vec<_> =
                self.state.all_staged().into_iter().filter(|(_, staged)| !staged.ready).map(|(key, _)| key).collect();
            for (task, route) in barriers {
                if self.graph.node(task).join.is_some() && self.criteria(task, route) == Criteria::OutOfReach {
                    self.stands(Status::Failed);
                    let name = Arc::clone(&self.graph.node(task).name);
                    let message =
                        format!("UnreachableJoinError: `{name}` (route {route}) waits for branches that will not come");
                    self.trouble(Trouble { route: Some(route), ..trouble(message, Some(&name)) });
                }
            }
        }
    }

    /// Whether something that follows an entry takes care of its failure, and whether anything is still to come of it.
    fn follows(&self, node: &Node, entry: u32, now: Status) -> (bool, bool) {
        let Some(entry) = self.state.board.entry(entry).filter(|_| now.is_completed()) else { return (false, false) };
        let (mut handled, mut follows) = (false, false);
        for (number, followed) in &entry.next {
            let Some(edge) = node.edges.get(*number as usize) else { continue };
            let target = self.graph.node(edge.to);
            if *followed == Followed::No || target.command == Some(Command::Continue) {
                continue;
            }
            handled = true;
            follows |= match (followed, target.join) {
                (Followed::Late, _) => false,
                (_, None) => true,
                (_, Some(_)) => self.criteria(edge.to, entry.route) != Criteria::OutOfReach,
            };
        }
        (handled, follows)
    }

    /// Whether a task has failed that nothing took care of.
    fn has_unhandled(&self) -> bool {
        self.state.board.newest().any(|(number, entry)| {
            entry.status.is_abended() && !self.follows(self.graph.node(entry.task), number, entry.status).0
        })
    }

    /// Somebody wants the workflow to stand otherwise: [`Status::Paused`], [`Status::Resuming`], [`Status::Canceled`], [`Status::Running`] to
    /// begin with.
    ///
    /// # Errors
    /// There is no way from how it stands to that.
    pub fn request(&mut self, asked: Status) -> Result<(), Refused> {
        if matches!(asked, Status::Unset | Status::Pending | Status::Timeout | Status::Abandoned | Status::Retrying) {
            return Err(Refused::Status(asked));
        }
        let now = self.state.status;
        let running: Vec<_> = (self.state.board.newest())
            .filter(|(_, entry)| entry.status.is_active())
            .map(|(number, entry)| (number, entry.task, entry.route, entry.status))
            .collect();
        for (entry, task, route, stands) in running {
            // Only tasks with items hear of it here.
            let Some(items) = self.state.staged(task, route).and_then(|staged| staged.items.as_ref()) else { continue };
            if items.count(|status| !status.is_completed()) == 0 {
                continue;
            }
            let activity = if items.count(Status::is_active) > 0 { Activity::Active } else { Activity::Dormant };
            if let Some(status) = machine::task_hears(stands, asked, activity) {
                self.note(Transition::Task { entry, status });
            }
        }
        let finished = !self.is_active()
            && !self.state.has_staged()
            && !self.state.board.any(|status| matches!(status, Status::Paused | Status::Pending));
        if let Some(status) = machine::request(now, asked, self.activity(), finished) {
            self.stands(status);
        }
        let updated = self.state.status;
        let waits = matches!(
            (asked, now, updated),
            (Status::Paused, Status::Pausing, Status::Pausing)
                | (Status::Canceled, Status::Canceling, Status::Canceling)
        );
        if asked != now && now == updated && !waits {
            return Err(Refused::Transition { now, asked });
        }
        Ok(())
    }

    /// The workflow's time is over: it has failed, and nothing more is started. Whoever runs it stops what is at work.
    pub fn expire(&mut self) {
        if self.state.status.is_completed() {
            return;
        }
        let seconds = self.state.timeout.unwrap_or_default();
        self.trouble(trouble(format!("WorkflowTimeoutError: the workflow took longer than {seconds} s"), None));
        self.fail();
    }

    /// Whoever runs the workflow will not go on with it, for this reason.
    pub fn give_up(&mut self, why: String) {
        if !self.state.status.is_completed() {
            self.trouble(trouble(why, None));
            self.fail();
        }
    }

    /// Works out what the workflow gives, where it has ended.
    pub fn render_output(&mut self) {
        if !self.state.status.is_completed() || self.state.output.is_some() {
            return;
        }
        let graph = Arc::clone(&self.graph);
        let mut terminals =
            self.state.board.entries().filter(|(_, entry)| entry.terminal).map(|(_, entry)| entry.scope);
        let mut seen = terminals.next().map(|scope| self.state.scope(scope)).unwrap_or_default();
        for scope in terminals {
            seen = seen.join(&self.state.scope(scope));
        }
        let mut variables = seen.variables().clone();
        let (mut values, mut failures) = (Map::new(), Vec::new());
        for assignment in &graph.output {
            match assignment.value.evaluate(&self.scene(variables.clone(), None, None)) {
                Ok(value) => {
                    values.insert(assignment.name.to_string(), Value::clone(&value));
                    variables.set(&assignment.name, value);
                }
                Err(failure) => failures.push(failure),
            }
        }
        if !values.is_empty() {
            self.note(Transition::Output { values: Some(values) });
        }
        if !failures.is_empty() {
            self.erred(failures, None, None, None);
            if !matches!(self.state.status, Status::Timeout | Status::Abandoned | Status::Canceled) {
                self.fail();
            }
        }
    }
}
