//! When workflows want to be looked at.
//!
//! - **No event goes through all that is under way to find that out**: what each workflow wants is kept in order, and worked out anew for those
//!   alone that something has happened to.
//! - **Whatever is remembered of a workflow or of its children makes it doubtful**, as does being held back; so nothing is forgotten here.

use super::{AGAIN, Bot, later_by};
use crate::core::action::execution::{Execution, Status};
use crate::core::fact::Fact;
use crate::core::id::ExecutionId;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The next moment of each workflow that wants one.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    set: BTreeMap<ExecutionId, Timestamp>,
    order: BTreeSet<(Timestamp, ExecutionId)>,
    /// Those whose moment may be another one by now.
    doubtful: BTreeSet<ExecutionId>,
}

impl Alarms {
    /// Something has happened to a workflow.
    pub(super) fn doubt(&mut self, id: &ExecutionId) {
        self.doubtful.insert(id.clone());
    }

    fn set(&mut self, id: &ExecutionId, at: Option<Timestamp>) {
        let before = match at {
            Some(at) => self.set.insert(id.clone(), at),
            None => self.set.remove(id),
        };
        if let Some(before) = before {
            self.order.remove(&(before, id.clone()));
        }
        if let Some(at) = at {
            self.order.insert((at, id.clone()));
        }
    }

    /// The earliest.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Those whose moment has come.
    fn due(&self, now: Timestamp) -> Vec<ExecutionId> {
        self.order.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| id.clone()).collect()
    }
}

impl Bot {
    /// A fact has been remembered: it may concern a workflow, or the child of one.
    pub(in crate::core::bot) fn follow_workflows(&mut self, fact: &Fact) {
        let Some(id) = fact.execution() else { return };
        let execution = self.memory.executions.get(id).or_else(|| self.memory.untold.get(id));
        let parent = execution.and_then(|execution| execution.request.parent.as_ref());
        if let Some(parent) = parent {
            self.conducting.alarms.doubt(&parent.workflow);
        }
        // One that has ended is gone from the memory, and so is its alarm.
        if execution.is_none_or(|execution| execution.request.workflow.is_some()) {
            self.conducting.alarms.doubt(id);
        }
    }

    /// Every workflow is looked at anew.
    pub(in crate::core::bot) fn doubt_all_workflows(&mut self) {
        let all = self.memory.executions.values().filter(|execution| execution.request.workflow.is_some());
        self.conducting.alarms.doubtful.extend(all.map(|execution| execution.request.id.clone()));
    }

    /// Works out when those want to be looked at that something has happened to.
    pub(in crate::core::bot) fn set_alarms(&mut self) {
        for id in std::mem::take(&mut self.conducting.alarms.doubtful) {
            let next = self.memory.executions.get(&id).and_then(|execution| self.next_of(execution));
            self.conducting.alarms.set(&id, next);
        }
    }

    /// Finds the workflows of which something is due.
    pub(super) fn wake_due(&mut self, now: Timestamp) {
        if self.stopping {
            return;
        }
        self.set_alarms();
        for id in self.conducting.alarms.due(now) {
            self.conducting.alarms.doubt(&id);
            self.conducting.unfinished.insert(id);
        }
        if self.memory.frozen.is_none() && !self.storage.is_low() {
            self.conducting.let_go();
        }
    }

    /// When a workflow wants to be looked at: a task begins or is to end, it is to end itself, or it is asked again who somebody is.
    fn next_of(&self, execution: &Execution) -> Option<Timestamp> {
        let conducted = execution.conducted.as_deref()?;
        // What is held is looked at with every event, until nothing holds it any more.
        let held = self.conducting.held.contains(&execution.request.id);
        let later = if held { None } else { conducted.later.first().map(|(due, _)| due) };
        let over = conducted
            .next_end(|child| self.memory.executions.get(child).is_some_and(|child| child.status != Status::Canceling));
        let own = conducted.state.timeout.filter(|_| !conducted.state.status.is_completed());
        let own = own.and_then(|seconds| later_by(execution.began(), seconds));
        let root = execution.request.parent.as_ref().map_or(&execution.request.id, |parent| &parent.root);
        let asked = self.conducting.asked.get(root).and_then(|asked| asked.saturating_add(AGAIN).ok());
        [later, over, own, asked].into_iter().flatten().min()
    }

    /// When workflows want to be looked at.
    pub(in crate::core::bot) fn next_of_workflows(&self) -> Option<Timestamp> {
        if self.stopping {
            return None;
        }
        if !self.conducting.unfinished.is_empty() {
            return Some(self.conducting.now);
        }
        self.conducting.alarms.first()
    }
}
