//! # Workflows under way
//!
//! An execution of the runner `orquesta` is a workflow: what runs are its tasks. [`crate::core::workflow::conductor`] decides what follows from
//! what; this folder gives it hands:
//! - this file: a workflow is opened, goes on, and ends;
//! - [`mod@child`]: the action of a task is begun and its end is told;
//! - [`mod@wish`]: people stop, pause, resume and repeat;
//! - [`mod@world`]: what expressions see of the datastore, and how secrets are kept out of what is remembered;
//! - [`mod@alarm`]: when they want to be looked at;
//! - [`mod@card`]: how it stands, for people;
//! - [`mod@picture`]: the same, drawn.
//!
//! ```text
//! start → opened → (what is to start → children begin → a child ends → told)* → all has ended → output → end
//! ```
//!
//! - **The state is the fold of [`Fact::WorkflowMoved`]**, part of the execution and so of the memory. The conductor beside it is made anew from that
//!   after a restart; what moved and what began is one transaction.
//! - **A child is an execution like any other**: it goes through `start`, so that rights, freezes, approvals and turns count for it, with the
//!   user who asked for the workflow. Those rights are looked up again where they are older than [`FRESH`]; the rules are in decision 17.
//! - **A child has no post of its own**; what has to be asked of people (an inquiry, an approval, an end that nobody knows) is asked in chat.
//! - **What a child's end comes to is told once**: an ended child waits in [`crate::core::memory::Memory::untold`] until a fact says that its workflow
//!   knows. Output that lies in a blob is read first; an end that nobody knows waits for a person's word.
//! - **Nothing sleeps**: delays and timeouts are moments that `next_deadline` names.
//! - **No event is decided about for long**: one input pays for [`FUEL`] steps, and what is left goes on with the next turn of the loop. Tasks
//!   without actions that lead to one another for ever fail after
//!   [`crate::core::settings::Limits::workflow_idle`].
//! - **A freeze, a full disk and a stop hold a workflow where it stands**; what it has begun goes on to its end.

mod alarm;
mod card;
mod child;
mod picture;
mod wish;
mod world;

use super::{Bot, Moment, Step};
use crate::core::access::{Asker, Rights};
use crate::core::action::execution::{Execution, Status};
use crate::core::action::params::Resolved;
use crate::core::effect::Effect;
use crate::core::fact::Fact;
use crate::core::id::ExecutionId;
use crate::core::input::{Back, Identifying, Identity, Principal};
use crate::core::memory::Contradiction;
use crate::core::message::phrase::Phrase;
use crate::core::workflow::conducted::{Conducted, Moved, TaskPlace};
use crate::core::workflow::conductor::{Conductor, Told};
use crate::core::workflow::graph::Graph;
use crate::core::workflow::orquesta;
use crate::core::workflow::status::Status as Stands;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many steps (children begun, ends told, tasks without actions) one input pays for.
const FUEL: usize = 256;
/// How long what somebody may do is taken to be as it was.
const FRESH: SignedDuration = SignedDuration::from_mins(10);
/// How long it is waited for word on who somebody is before that is asked again.
const AGAIN: SignedDuration = SignedDuration::from_secs(15);
/// How many workflows may be above a task.
const DEEPEST: u32 = 10;

/// What is known of workflows beside the memory. All of it is lost without harm.
#[derive(Debug, Default)]
pub(super) struct Conducting {
    conductors: BTreeMap<ExecutionId, Conductor>,
    /// Those to be looked at.
    unfinished: BTreeSet<ExecutionId>,
    /// Those that have to wait for room, or for the end of a freeze.
    held: BTreeSet<ExecutionId>,
    /// What those who asked may do, and since when that is known.
    authorities: BTreeMap<ExecutionId, (Rights, Timestamp)>,
    /// When it was asked who somebody is.
    asked: BTreeMap<ExecutionId, Timestamp>,
    /// Children whose output is being read.
    reading: BTreeSet<ExecutionId>,
    /// Outputs that were read, by child.
    read: BTreeMap<ExecutionId, BTreeMap<crate::core::id::BlobId, String>>,
    /// When each wants to be looked at.
    alarms: alarm::Alarms,
    /// The time of the newest event, so that what is left is gone on with at once.
    now: Timestamp,
}

impl Conducting {
    /// A workflow has to wait.
    fn hold(&mut self, id: &ExecutionId) {
        self.held.insert(id.clone());
        self.alarms.doubt(id);
    }

    /// Those that had to wait may have no reason to any more.
    fn let_go(&mut self) {
        for id in std::mem::take(&mut self.held) {
            self.alarms.doubt(&id);
            self.unfinished.insert(id);
        }
    }

    /// A workflow is to be looked at.
    pub(super) fn wake(&mut self, id: &ExecutionId) {
        self.unfinished.insert(id.clone());
    }

    /// What somebody who asked for a workflow may do, as of now.
    pub(super) fn trust(&mut self, id: &ExecutionId, rights: Rights, now: Timestamp) {
        self.authorities.insert(id.clone(), (rights, now));
    }
}

impl Bot {
    /// Opens the workflow of an execution that has just begun.
    pub(super) fn open_workflow(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        id: &ExecutionId,
        resolved: &Resolved,
    ) -> Result<(), Contradiction> {
        let Some(execution) = self.memory.executions.get(id).cloned() else { return Ok(()) };
        if execution.conducted.is_some() {
            self.conducting.wake(id);
            return Ok(());
        }
        if let Some(takes_up) = execution.request.takes_up.as_deref() {
            return self.take_up(step, moment, id, takes_up);
        }
        let nonce = format!("{:016x}{:016x}", moment.bits(), moment.bits());
        let (inputs, sealed) = match self.sealed_inputs(moment, id, &nonce, resolved) {
            Ok(sealed) => sealed,
            Err(why) => return self.finish(step, moment, id, Status::Failed, Some(why)),
        };
        let conducted = Conducted { nonce, sealed, ..Conducted::default() };
        self.note(step, moment, Fact::WorkflowTakenUp { id: id.clone(), conducted: Box::new(conducted) })?;
        let Some(mut conductor) = self.conductor(id, moment) else {
            let why = self.sentences.phrase(&Phrase::Workflow { what: "unreadable", name: "", why: "" });
            return self.finish(step, moment, id, Status::Failed, Some(why));
        };
        conductor.open(&inputs, &handed_down(&execution));
        if !conductor.state().status.is_completed() {
            // From nothing there is always a way to running.
            let _ = conductor.request(Stands::Running);
        }
        self.moved(step, moment, id, &mut conductor, Moved::of(id))?;
        self.conducting.conductors.insert(id.clone(), conductor);
        self.conducting.wake(id);
        Ok(())
    }

    /// The conductor of a workflow, as of what is remembered.
    fn conductor(&mut self, id: &ExecutionId, moment: &Moment) -> Option<Conductor> {
        let execution = self.memory.executions.get(id)?;
        let world = self.world(execution, moment)?;
        if let Some(mut conductor) = self.conducting.conductors.remove(id) {
            conductor.look_into(world);
            return Some(conductor);
        }
        let state = execution.conducted.as_ref().map(|conducted| conducted.state.clone()).unwrap_or_default();
        Some(Conductor::new(self.graph_of(execution)?, state, world))
    }

    /// The graph of a workflow: that of the catalog where nothing has changed, else that of the text that it began with.
    fn graph_of(&self, execution: &Execution) -> Option<Arc<Graph>> {
        let definition = execution.request.workflow.as_deref()?;
        let known = self.catalog.actions.get(&execution.request.action).and_then(|action| action.workflow.as_ref());
        if let Some(known) = known.filter(|known| known.text == definition.text) {
            return Some(Arc::clone(&known.graph));
        }
        let read = orquesta::read(&definition.file, &definition.text, &orquesta::HANDED_DOWN);
        read.ok()?.ok().map(Arc::new)
    }

    /// Remembers what the conductor has done.
    fn moved(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        conductor: &mut Conductor,
        moved: Moved,
    ) -> Result<(), Contradiction> {
        let moved = Moved { transitions: conductor.take_transitions(), ..moved };
        if moved.is_empty() {
            return Ok(());
        }
        let before = self.memory.executions.get(id).map(|execution| execution.status);
        self.note(step, moment, Fact::WorkflowMoved(Box::new(moved)))?;
        let Some(execution) = self.memory.executions.get(id) else { return Ok(()) };
        if before != Some(execution.status)
            && let Some(parent) = execution.request.parent.as_ref()
        {
            self.conducting.unfinished.insert(parent.workflow.clone());
        }
        self.changed_below(id);
        Ok(())
    }

    /// The post of the workflow that an execution belongs to has something new to show.
    pub(super) fn changed_below(&mut self, id: &ExecutionId) {
        let parent = self.memory.executions.get(id).and_then(|execution| execution.request.parent.as_ref());
        let root = parent.map_or(id, |parent| &parent.root);
        if let Some(watch) = self.watches.get_mut(root) {
            watch.change();
        }
    }

    /// The process has started again: every workflow is looked at.
    pub(super) fn recover_workflows(&mut self) {
        let all = self.memory.executions.values().filter(|execution| execution.request.workflow.is_some());
        self.conducting.unfinished.extend(all.map(|execution| execution.request.id.clone()));
        self.doubt_all_workflows();
    }

    /// Goes on with all workflows that have something to do, as far as one event may take.
    pub(super) fn go_on_with_workflows(&mut self, step: &mut Step, moment: &mut Moment) -> Result<(), Contradiction> {
        self.conducting.now = moment.at;
        self.wake_due(moment.at);
        if self.conducting.unfinished.is_empty() {
            return Ok(());
        }
        let mut fuel = FUEL;
        while fuel > 0 {
            let Some(id) = self.conducting.unfinished.pop_first() else {
                // What takes no time has ended meanwhile.
                if self.end_what_is_over(step, moment)? && !self.conducting.unfinished.is_empty() {
                    continue;
                }
                break;
            };
            self.conduct(step, moment, &id, &mut fuel)?;
            // A look that comes to nothing is paid for as well, so that two workflows that wake each other leave the loop free.
            fuel = fuel.saturating_sub(1);
        }
        Ok(())
    }

    /// Goes on with one workflow.
    fn conduct(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        id: &ExecutionId,
        fuel: &mut usize,
    ) -> Result<(), Contradiction> {
        self.conducting.alarms.doubt(id);
        let begun = |execution: &&Execution| execution.conducted.is_some() && !execution.status.is_final();
        if self.memory.executions.get(id).filter(begun).is_none() {
            self.conducting.conductors.remove(id);
            return Ok(());
        }
        let Some(mut conductor) = self.conductor(id, moment) else {
            let why = self.sentences.phrase(&Phrase::Workflow { what: "unreadable", name: "", why: "" });
            return self.finish(step, moment, id, Status::Failed, Some(why));
        };
        self.tell_ends(step, moment, id, &mut conductor, fuel)?;
        self.follow_wishes(step, moment, id, &mut conductor)?;
        self.end_overdue(step, moment, id, &mut conductor)?;
        self.begin_what_waited(step, moment, id, &mut conductor, fuel)?;
        self.begin_what_starts(step, moment, id, &mut conductor, fuel)?;
        self.never_stand_still(step, moment, id, (&mut conductor, *fuel))?;
        // What begins although it has failed has to wait like everything else; where it was stopped, nothing begins any more.
        let stopped = self.memory.executions.get(id).is_some_and(|execution| execution.status == Status::Canceling);
        let hindered = !stopped && (*fuel == 0 || self.stopping || self.conducting.held.contains(id));
        let over = !(hindered && conductor.state().has_staged_despite())
            && self
                .memory
                .executions
                .get(id)
                .and_then(|execution| execution.conducted.as_ref())
                .is_some_and(|conducted| conducted.state.status.is_completed() && conducted.at_work.is_empty());
        if !over {
            if *fuel == 0 {
                self.conducting.wake(id);
            }
            self.conducting.conductors.insert(id.clone(), conductor);
            return Ok(());
        }
        conductor.render_output();
        self.moved(step, moment, id, &mut conductor, Moved::of(id))?;
        let stopped = self.memory.executions.get(id).is_some_and(|execution| execution.canceled_by.is_some());
        let status = match conductor.state().status {
            Stands::Succeeded => Status::Succeeded,
            Stands::Canceled => Status::Canceled,
            // Branches that were stopped leave joins that wait for them; that is no failure.
            _ if stopped => Status::Canceled,
            Stands::Timeout => Status::Timeout,
            _ => Status::Failed,
        };
        self.conducting.held.remove(id);
        self.conducting.authorities.remove(id);
        self.conducting.asked.remove(id);
        self.finish(step, moment, id, status, None)
    }

    /// Brings the conductor in line with what people want of the workflow, and of those above it.
    fn follow_wishes(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        conductor: &mut Conductor,
    ) -> Result<(), Contradiction> {
        let Some(execution) = self.memory.executions.get(id) else { return Ok(()) };
        let Some(conducted) = execution.conducted.as_deref() else { return Ok(()) };
        let stands = conductor.state().status;
        if stands.is_completed() {
            return Ok(());
        }
        if execution.status == Status::Canceling {
            if !matches!(stands, Stands::Canceling | Stands::Canceled) {
                // What cannot be stopped has ended.
                let _ = conductor.request(Stands::Canceled);
            }
            let children: Vec<ExecutionId> = conducted.at_work.keys().cloned().collect();
            leave_out_what_waits(conducted, conductor);
            self.moved(step, moment, id, conductor, Moved::of(id))?;
            for child in children {
                self.stop_child(step, moment, &child)?;
            }
            return Ok(());
        }
        let standing = matches!(stands, Stands::Pausing | Stands::Paused);
        let waits = conducted.state.board.any(|status| status == Stands::Pending);
        if conducted.paused_by.is_some() && !standing {
            let _ = conductor.request(Stands::Paused);
        } else if conducted.paused_by.is_none() && standing && !waits && !self.is_paused_below(conducted) {
            let _ = conductor.request(Stands::Resuming);
        }
        self.moved(step, moment, id, conductor, Moved::of(id))
    }

    /// A workflow that goes on, of which nothing is at work and nothing left to begin, would stand like that for ever: it has failed.
    fn never_stand_still(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        (conductor, fuel): (&mut Conductor, usize),
    ) -> Result<(), Contradiction> {
        let conducted = self.memory.executions.get(id).and_then(|execution| execution.conducted.as_deref());
        let idle = conducted.is_some_and(|conducted| conducted.at_work.is_empty() && conducted.later.is_empty());
        let state = conductor.state();
        if fuel == 0 || !idle || !state.status.may_start() || state.has_staged() {
            return Ok(());
        }
        conductor.give_up(self.sentences.phrase(&Phrase::Workflow { what: "stuck", name: "", why: "" }));
        self.moved(step, moment, id, conductor, Moved::of(id))
    }

    /// Whether a workflow that is one of the tasks stands still.
    fn is_paused_below(&self, conducted: &Conducted) -> bool {
        let children = conducted.at_work.keys().filter_map(|child| self.memory.executions.get(child));
        children.into_iter().any(|child| matches!(child.status, Status::Pausing | Status::Paused))
    }

    /// Ends what has taken too long: a task of it, or the workflow itself.
    fn end_overdue(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        conductor: &mut Conductor,
    ) -> Result<(), Contradiction> {
        let Some(execution) = self.memory.executions.get(id) else { return Ok(()) };
        let Some(conducted) = execution.conducted.as_deref() else { return Ok(()) };
        let own = conducted.state.timeout.and_then(|seconds| later_by(execution.began(), seconds));
        let expired = own.is_some_and(|at| at <= moment.at) && !conductor.state().status.is_completed();
        let over = |place: &TaskPlace| {
            conducted.children.get(place).and_then(|child| child.until).is_some_and(|until| until <= moment.at)
        };
        let overdue: Vec<ExecutionId> = conducted
            .at_work
            .iter()
            .filter(|(_, place)| expired || over(place))
            .map(|(child, _)| child.clone())
            .collect();
        if expired {
            conductor.expire();
            self.moved(step, moment, id, conductor, Moved::of(id))?;
        }
        for child in overdue {
            self.stop_child(step, moment, &child)?;
        }
        Ok(())
    }

    /// What the one may do who asked for a workflow; nothing while that is not known, and then it is being asked.
    fn authority(&mut self, step: &mut Step, now: Timestamp, root: &ExecutionId) -> Option<Rights> {
        let execution = self.memory.executions.get(root)?;
        let place = self.place_of_asking(&execution.request, now);
        let user = match &execution.request.by {
            Principal::LocalUser { uid, name } => return Some(self.rights(Asker::Local { uid: *uid, name }, &place)),
            Principal::Rule { rule, .. } => return Some(self.rights(Asker::Rule { name: rule }, &place)),
            Principal::ChatUser { id, .. } => id.clone(),
        };
        if let Some((rights, since)) = self.conducting.authorities.get(root)
            && now.duration_since(*since) <= FRESH
        {
            return Some(rights.clone());
        }
        let recently = |asked: &Timestamp| now.duration_since(*asked) < AGAIN;
        if self.knows_the_chat() && !self.conducting.asked.get(root).is_some_and(recently) {
            self.conducting.asked.insert(root.clone(), now);
            step.effects.push(Effect::Identify {
                of: Identifying::Conducting(root.clone()),
                users: vec![user],
                channels: self.role_channels(),
            });
        }
        None
    }

    /// It is known who the one is that asked for a workflow.
    pub(super) fn knows_conductor(&mut self, now: Timestamp, root: &ExecutionId, people: Option<&[Identity]>) {
        let Some(execution) = self.memory.executions.get(root) else { return };
        let (Principal::ChatUser { id, .. }, Back::Chat { channel, .. }, Some(people)) =
            (&execution.request.by, &execution.request.back, people)
        else {
            return;
        };
        let place = self.place(channel, !self.hears(channel), now);
        let identity = people.iter().find(|identity| identity.id == *id);
        // Who is not there any more may do nothing.
        let rights = identity.map(|identity| self.rights(Asker::Chat(identity), &place)).unwrap_or_default();
        self.conducting.asked.remove(root);
        self.conducting.trust(root, rights, now);
        let below = self.memory.executions.values().filter(|execution| {
            execution.request.workflow.is_some()
                && execution.request.parent.as_ref().map_or(&execution.request.id, |parent| &parent.root) == root
        });
        let below: Vec<ExecutionId> = below.map(|execution| execution.request.id.clone()).collect();
        self.conducting.unfinished.extend(below);
    }
}

impl Moved {
    /// Nothing yet.
    fn of(id: &ExecutionId) -> Self {
        Self { id: id.clone(), transitions: Vec::new(), began: Vec::new(), told: Vec::new() }
    }
}

/// What waits for its time in a workflow begins no more.
fn leave_out_what_waits(conducted: &Conducted, conductor: &mut Conductor) {
    for place in conducted.later.keys() {
        conductor.tell(place.task, place.route, &Told { item: place.item, status: Stands::Canceled, result: None });
    }
}

/// A moment so many seconds later.
fn later_by(at: Timestamp, seconds: u64) -> Option<Timestamp> {
    let seconds = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    Some(at.saturating_add(seconds).unwrap_or(Timestamp::MAX))
}

/// What a workflow knows of itself from the beginning: StackStorm's `st2` and `parent`.
fn handed_down(execution: &Execution) -> Map<String, Value> {
    let request = &execution.request;
    let user = super::answer::name_of(&request.by);
    let mut st2 = json!({
        "action_execution_id": request.id,
        "workflow_execution_id": request.id,
        "api_url": "",
        "user": user,
        "pack": request.action.pack(),
        "action": request.action,
        "runner": request.runner,
    });
    if let (Principal::ChatUser { .. }, Back::Chat { channel, .. }) = (&request.by, &request.back) {
        st2["api_user"] = json!(user);
        st2["source_channel"] = json!(channel);
    }
    let parent = request.parent.as_ref().map_or_else(
        || json!({}),
        |parent| json!({"execution_id": parent.workflow, "workflow_execution_id": parent.workflow, "task_name": parent.task}),
    );
    Map::from_iter([("st2".to_owned(), st2), ("parent".to_owned(), parent)])
}
