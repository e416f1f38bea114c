//! The actions of tasks: begun as executions of their own, and their ends told to the workflow.

use super::{Bot, DEEPEST, Moment, Step, later_by, leave_out_what_waits};
use crate::core::access::{Held, Rights};
use crate::core::action::execution::{Execution, Judgement, Status};
use crate::core::action::plan::{listed, takes_shell_command};
use crate::core::action::result::{TIMEOUT_CODE, UNREACHABLE_CODE, result};
use crate::core::action::run::Captured;
use crate::core::action::spec::{Action, RunnerType};
use crate::core::bot::freeze::Held as HeldBack;
use crate::core::bot::start::Wish;
use crate::core::effect::Effect;
use crate::core::fact::Fact;
use crate::core::host::fold;
use crate::core::id::{ActionRef, BlobId, ExecutionId, Host};
use crate::core::memory::Contradiction;
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use crate::core::settings::{Grant, Verb};
use crate::core::workflow::conducted::{Began, How, Later, Marks, Moved, Parent, TaskPlace};
use crate::core::workflow::conductor::{Conductor, Told};
use crate::core::workflow::status::Status as Stands;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many bytes of one output a task may have as its result; a workflow keeps its results in memory.
pub(super) const MOST_OUTPUT: u64 = 1 << 20;

/// How many characters of its machines a task shows.
const SHOWN_HOSTS: usize = 60;

/// What is to be begun for a task.
struct Wanted {
    place: TaskPlace,
    action: String,
    input: Arc<Value>,
    marks: Marks,
    timeout: Option<u64>,
}

/// What came of wanting to begin it.
enum Begin {
    /// It is this execution.
    Child(ExecutionId),
    /// It cannot be; this is what its task gives.
    Declined(Value),
}

impl Bot {
    /// Tells the tasks of a workflow of the children that have ended.
    pub(super) fn tell_ends(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        id: &ExecutionId,
        conductor: &mut Conductor,
        fuel: &mut usize,
    ) -> Result<(), Contradiction> {
        let mine = |child: &&Execution| child.request.parent.as_ref().is_some_and(|parent| parent.workflow == *id);
        let ended: Vec<ExecutionId> =
            self.memory.untold.values().filter(mine).map(|child| child.request.id.clone()).collect();
        for child_id in ended {
            if *fuel == 0 {
                return Ok(());
            }
            let Some(child) = self.memory.untold.get(&child_id).cloned() else { continue };
            let Some(place) = child.request.parent.as_ref().map(|parent| parent.place) else { continue };
            let Some((status, result)) = self.end_of(step, id, &child) else { continue };
            *fuel -= 1;
            conductor.tell(place.task, place.route, &Told { item: place.item, status, result: Some(Arc::new(result)) });
            self.conducting.read.remove(&child_id);
            let moved = Moved { told: vec![child_id], ..Moved::of(id) };
            self.moved(step, moment, id, conductor, moved)?;
        }
        self.tell_standing(step, moment, id, conductor)
    }

    /// Tells the tasks of those children that stand still or go on again: workflows, and questions to people.
    fn tell_standing(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        conductor: &mut Conductor,
    ) -> Result<(), Contradiction> {
        let Some(conducted) = self.memory.executions.get(id).and_then(|execution| execution.conducted.as_deref())
        else {
            return Ok(());
        };
        let mut changed = Vec::new();
        for (child, place) in &conducted.at_work {
            let Some(child) = self.memory.executions.get(child) else { continue };
            let known = conducted.status(*place);
            match (child.status, known) {
                (Status::Paused, Stands::Running | Stands::Pausing | Stands::Resuming) => {
                    changed.push((*place, Stands::Paused));
                }
                (Status::Running, Stands::Paused | Stands::Pausing) if child.conducted.is_some() => {
                    changed.push((*place, Stands::Running));
                }
                (Status::Pending, Stands::Running) => changed.push((*place, Stands::Pending)),
                _ => {}
            }
        }
        for (place, status) in changed {
            conductor.tell(place.task, place.route, &Told { item: place.item, status, result: None });
        }
        self.moved(step, moment, id, conductor, Moved::of(id))
    }

    /// How a child ended, as its task hears it, and what it gave; nothing while that is not known.
    fn end_of(&mut self, step: &mut Step, id: &ExecutionId, child: &Execution) -> Option<(Stands, Value)> {
        let until = self.memory.executions.get(id).and_then(|execution| {
            let conducted = execution.conducted.as_deref()?;
            conducted.children.get(conducted.at_work.get(&child.request.id)?)?.until
        });
        let overdue = until.zip(child.ended).is_some_and(|(until, ended)| until <= ended);
        let refused =
            child.approval.as_ref().is_some_and(|request| request.ended_by.is_some() || !request.why.is_empty());
        let status = match child.status {
            Status::Succeeded => Stands::Succeeded,
            Status::Timeout if child.request.inquiry.is_some() => Stands::Failed,
            Status::Timeout => Stands::Timeout,
            Status::Canceled if overdue => Stands::Timeout,
            Status::Canceled if refused || child.begun.is_none() && child.approval.is_some() => Stands::Failed,
            Status::Canceled => Stands::Canceled,
            Status::Unknown => match child.judged.as_ref()?.judgement {
                Judgement::Ran => Stands::Succeeded,
                Judgement::NotRun => Stands::Failed,
                // What repeats it has taken its place.
                Judgement::Again => return None,
            },
            _ => Stands::Failed,
        };
        let child_id = &child.request.id;
        let wanted: Vec<BlobId> =
            child.outcomes.values().flat_map(|outcome| [&outcome.stdout, &outcome.stderr]).filter_map(blob).collect();
        let read = self.conducting.read.get(child_id);
        if !wanted.is_empty() && read.is_none() {
            if self.conducting.reading.insert(child_id.clone()) {
                step.effects.push(Effect::ReadOutputs {
                    execution: child_id.clone(),
                    blobs: wanted,
                    most: MOST_OUTPUT,
                });
            }
            return None;
        }
        let text = |captured: &Captured| match captured {
            Captured::Inline { text } => text.clone(),
            Captured::Blob { blob, head, tail, bytes, .. } => match read.and_then(|read| read.get(blob)) {
                Some(text) => text.clone(),
                None => {
                    let gap = self.sentences.phrase(&Phrase::Workflow {
                        what: "output_too_long",
                        name: child_id.short(),
                        why: &bytes.to_string(),
                    });
                    format!("{head}\n[{gap}]\n{tail}")
                }
            },
        };
        let mut given = result(child, &text);
        if overdue && status == Stands::Timeout && given.is_object() && child.outcomes.is_empty() {
            given["return_code"] = json!(TIMEOUT_CODE);
        }
        Some((status, given))
    }

    /// The outputs of a child have been read, or some of them were too long.
    pub(in crate::core::bot) fn outputs_read(&mut self, child: &ExecutionId, texts: BTreeMap<BlobId, String>) {
        self.conducting.reading.remove(child);
        let Some(execution) = self.memory.untold.get(child) else { return };
        if let Some(parent) = execution.request.parent.as_ref() {
            self.conducting.unfinished.insert(parent.workflow.clone());
            self.conducting.read.insert(child.clone(), texts);
        }
    }

    /// A child has ended, or a person has said how: its workflow hears of it, and others may have room now.
    pub(in crate::core::bot) fn child_ended(&mut self, execution: &Execution) {
        if let Some(parent) = &execution.request.parent {
            self.conducting.unfinished.insert(parent.workflow.clone());
            self.conducting.let_go();
        }
    }

    /// A person has said how a child ended of which nobody knew; `repeated_as` repeats it in its place.
    pub(in crate::core::bot) fn child_judged(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        execution: &Execution,
        repeated_as: Option<ExecutionId>,
    ) -> Result<(), Contradiction> {
        let Some(parent) = &execution.request.parent else { return Ok(()) };
        if let Some(repeated_as) = repeated_as
            && let Some(workflow) = self.memory.executions.get(&parent.workflow)
            && let Some(conducted) = workflow.conducted.as_deref()
        {
            let action = conducted.children.get(&parent.place).map(|child| child.action.clone()).unwrap_or_default();
            let how = How::Child { id: repeated_as, until: None, hosts: shown_hosts(&execution.request.hosts) };
            let began = vec![Began { place: parent.place, action, how }];
            let told = vec![execution.request.id.clone()];
            let moved = Moved { began, told, ..Moved::of(&parent.workflow) };
            self.note(step, moment, Fact::WorkflowMoved(Box::new(moved)))?;
        }
        self.child_ended(execution);
        Ok(())
    }

    /// Begins what waited for its time.
    pub(super) fn begin_what_waited(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        id: &ExecutionId,
        conductor: &mut Conductor,
        fuel: &mut usize,
    ) -> Result<(), Contradiction> {
        loop {
            let Some(execution) = self.memory.executions.get(id) else { return Ok(()) };
            let Some(conducted) = execution.conducted.as_deref() else { return Ok(()) };
            if conductor.state().status.is_completed() {
                // What has failed begins nothing more.
                leave_out_what_waits(conducted, conductor);
                return self.moved(step, moment, id, conductor, Moved::of(id));
            }
            let due = conducted.later.first().filter(|(due, _)| *due <= moment.at).map(|(_, place)| place);
            let later = due.and_then(|place| Some((place, conducted.later.get(place)?.clone())));
            let Some((place, later)) = later else { return Ok(()) };
            if *fuel == 0 || !conductor.state().status.may_start() || self.room(id) == 0 {
                if *fuel > 0 {
                    self.conducting.hold(id);
                }
                return Ok(());
            }
            let Some(rights) = self.rights_for(step, moment.at, id) else {
                self.conducting.hold(id);
                return Ok(());
            };
            let wanted =
                Wanted { place, action: later.action, input: later.input, marks: later.marks, timeout: later.timeout };
            if self.is_held_back(id, &wanted) {
                self.conducting.hold(id);
                return Ok(());
            }
            *fuel -= 1;
            conductor.tell(place.task, place.route, &Told { item: place.item, status: Stands::Running, result: None });
            self.begin_child(step, moment, id, conductor, (wanted, &rights))?;
        }
    }

    /// Begins what the conductor wants to have begun.
    pub(super) fn begin_what_starts(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        id: &ExecutionId,
        conductor: &mut Conductor,
        fuel: &mut usize,
    ) -> Result<(), Contradiction> {
        while *fuel > 0 {
            if self.stopping || self.memory.executions.get(id).is_none_or(|known| known.status == Status::Canceling) {
                return Ok(());
            }
            let room = self.room(id);
            if room == 0 {
                self.conducting.hold(id);
                return Ok(());
            }
            let starts = conductor.starts_within(room.min(*fuel));
            self.moved(step, moment, id, conductor, Moved::of(id))?;
            if starts.is_empty() {
                return Ok(());
            }
            let mut instant = Vec::new();
            let mut wanted = Vec::new();
            for start in starts {
                let (task, route) = (start.task, start.route);
                if start.is_instant() {
                    instant.push((task, route));
                    continue;
                }
                // Only what is begun at first waits: of items that have their turn later the delay is over.
                let first = start.items.is_none() || conductor.items(task, route).is_none_or(|items| items.cursor == 0);
                let delay = start.delay.filter(|seconds| *seconds > 0 && first);
                for action in start.actions {
                    let place = TaskPlace { task, route, item: action.item };
                    let name = action.action.as_str().map_or_else(|| action.action.to_string(), str::to_owned);
                    let wants = Wanted {
                        place,
                        action: name,
                        input: action.input,
                        marks: action.marks,
                        timeout: start.timeout,
                    };
                    wanted.push((wants, delay));
                }
            }
            let mut progressed = false;
            if !wanted.is_empty() {
                progressed |= self.begin_all(step, moment, id, conductor, (wanted, fuel))?;
            }
            for (task, route) in instant {
                progressed = true;
                *fuel = fuel.saturating_sub(1);
                conductor.tell(task, route, &Told { item: None, status: Stands::Running, result: None });
                conductor.tell(task, route, &Told { item: None, status: Stands::Succeeded, result: None });
                self.moved(step, moment, id, conductor, Moved::of(id))?;
            }
            let idle = self
                .memory
                .executions
                .get(id)
                .and_then(|known| known.conducted.as_ref())
                .map_or(0, |conducted| conducted.idle as usize);
            let most = self.settings.limits.workflow_idle;
            if idle > most && !conductor.state().status.is_completed() {
                let why = self.sentences.phrase(&Phrase::Workflow { what: "idle", name: "", why: &most.to_string() });
                conductor.give_up(why);
                self.moved(step, moment, id, conductor, Moved::of(id))?;
            }
            if !progressed {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Begins these, or has them wait for their time. Says whether any of it could be.
    fn begin_all(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        id: &ExecutionId,
        conductor: &mut Conductor,
        (wanted, fuel): (Vec<(Wanted, Option<i64>)>, &mut usize),
    ) -> Result<bool, Contradiction> {
        let mut progressed = false;
        let mut declined = Vec::new();
        for (wants, delay) in wanted {
            let place = wants.place;
            if let Some(seconds) = delay {
                let due = later_by(moment.at, seconds.unsigned_abs()).unwrap_or(Timestamp::MAX);
                let Wanted { action, input, marks, timeout, .. } = wants;
                // What is tried again is at work from now on: of one that waits the conductor would think that it failed once more.
                let latest = conductor.board().latest(place.task, place.route);
                let again = latest.is_some_and(|(_, entry)| entry.status == Stands::Retrying);
                let status = if again { Stands::Running } else { Stands::Delayed };
                *fuel = fuel.saturating_sub(1);
                let told = Told { item: place.item, status, result: None };
                conductor.tell(place.task, place.route, &told);
                let later = Later { action: action.clone(), input, marks, due, timeout };
                let began = Began { place, action, how: How::Later(Box::new(later)) };
                self.moved(step, moment, id, conductor, Moved { began: vec![began], ..Moved::of(id) })?;
                progressed = true;
                continue;
            }
            let Some(rights) = self.rights_for(step, moment.at, id) else {
                self.conducting.hold(id);
                break;
            };
            if self.is_held_back(id, &wants) {
                self.conducting.hold(id);
                continue;
            }
            *fuel = fuel.saturating_sub(1);
            progressed = true;
            let told = Told { item: place.item, status: Stands::Running, result: None };
            conductor.tell(place.task, place.route, &told);
            if let Some(given) = self.begin_one(step, moment, id, conductor, (wants, &rights))? {
                declined.push((place, given));
            }
        }
        // Only when all have begun: what fails ends the others' chance to begin.
        for (place, given) in declined {
            let told = Told { item: place.item, status: Stands::Failed, result: Some(Arc::new(given)) };
            conductor.tell(place.task, place.route, &told);
            self.moved(step, moment, id, conductor, Moved::of(id))?;
        }
        Ok(progressed)
    }

    /// Begins one, and tells its task at once where it cannot be.
    fn begin_child(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        id: &ExecutionId,
        conductor: &mut Conductor,
        (wanted, rights): (Wanted, &Rights),
    ) -> Result<(), Contradiction> {
        let place = wanted.place;
        if let Some(given) = self.begin_one(step, moment, id, conductor, (wanted, rights))? {
            let told = Told { item: place.item, status: Stands::Failed, result: Some(Arc::new(given)) };
            conductor.tell(place.task, place.route, &told);
            self.moved(step, moment, id, conductor, Moved::of(id))?;
        }
        Ok(())
    }

    /// Begins one; where it cannot be begun, gives what its task gives.
    fn begin_one(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        id: &ExecutionId,
        conductor: &mut Conductor,
        (wanted, rights): (Wanted, &Rights),
    ) -> Result<Option<Value>, Contradiction> {
        let place = wanted.place;
        let action = wanted.action.clone();
        let until = wanted.timeout.and_then(|seconds| later_by(moment.at, seconds));
        let name = Arc::clone(&conductor.graph().node(place.task).name);
        let (how, declined) = match self.want_to_begin(step, moment, id, (name, wanted, rights))? {
            Begin::Child(child) => {
                let begun = self.memory.executions.get(&child);
                let hosts = begun.map(|child| shown_hosts(&child.request.hosts)).unwrap_or_default();
                if begun.is_some_and(|child| child.status == Status::Pending) {
                    let told = Told { item: place.item, status: Stands::Pending, result: None };
                    conductor.tell(place.task, place.route, &told);
                }
                (How::Child { id: child, until, hosts }, None)
            }
            Begin::Declined(given) => (How::Declined, Some(given)),
        };
        let began = Began { place, action, how };
        self.moved(step, moment, id, conductor, Moved { began: vec![began], ..Moved::of(id) })?;
        Ok(declined)
    }

    fn want_to_begin(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        id: &ExecutionId,
        (task, wanted, rights): (Arc<str>, Wanted, &Rights),
    ) -> Result<Begin, Contradiction> {
        let say = |bot: &Self, what, name: &str, why: &str| {
            Begin::Declined(failed(&bot.sentences.phrase(&Phrase::Workflow { what, name, why })))
        };
        // Not a copy: all its items and children are in it, and it is asked for each of them.
        let Some(workflow) = self.memory.executions.get(id) else {
            return Ok(say(self, "no_action", &wanted.action, ""));
        };
        let Some(action) = self.catalog.actions.get(&ActionRef::new(wanted.action.as_str())).cloned() else {
            return Ok(say(self, "no_action", &wanted.action, ""));
        };
        let depth = workflow.request.parent.as_ref().map_or(0, |parent| parent.depth) + 1;
        if depth > DEEPEST {
            return Ok(say(self, "too_deep", &wanted.action, &DEEPEST.to_string()));
        }
        let nothing = Map::new();
        let input = match &*wanted.input {
            Value::Object(input) => input,
            Value::Null => &nothing,
            _ => return Ok(say(self, "no_map", &task, "")),
        };
        if !wanted.marks.spliced.is_empty() && takes_shell_command(&action) && !action.raw {
            let characters: BTreeSet<char> = wanted.marks.spliced.chars().collect();
            return Ok(say(self, "spliced", &wanted.action, &listed(&characters)));
        }
        let (given, hidden) = match self.unsealed(workflow, input, moment.at) {
            Ok(unsealed) => unsealed,
            Err(why) => return Ok(Begin::Declined(failed(&why))),
        };
        let (by, back) = (workflow.request.by.clone(), workflow.request.back.clone());
        let rights = if touches_nothing(&action) { &everything() } else { rights };
        if !self.may_with_given(rights, moment.at, &action, &given, &by) {
            let needed = format!("run:{}", action.reference);
            let line = format!("{} in {}", task, workflow.request.action);
            self.deny(step, moment, (&by, &back), line, Some(&action.reference), needed)?;
            let who = super::super::answer::name_of(&by);
            return Ok(say(self, "no_right", action.reference.as_str(), who));
        }
        let parent = Parent {
            workflow: id.clone(),
            root: workflow.request.parent.as_ref().map_or_else(|| id.clone(), |parent| parent.root.clone()),
            depth,
            task,
            place: wanted.place,
        };
        let wish = Wish {
            action,
            given,
            by,
            back,
            line: String::new(),
            correctable: false,
            alias: None,
            trusted: wanted.marks.written,
            rights: rights.clone(),
            rerun_of: None,
            trace_tag: workflow.request.trace_tag.clone(),
            zone: workflow.request.zone.clone(),
            takes_up: None,
            parent: Some(Box::new(parent)),
            hidden,
            settles: None,
            again: None,
        };
        Ok(match self.start(step, moment, wish)? {
            Ok(child) => Begin::Child(child),
            Err(declined) => Begin::Declined(failed(&markdown::bare(&self.sentences.say(&declined.card)))),
        })
    }

    /// Whether what is to be begun has to wait for the end of a freeze, or for room on the disk.
    fn is_held_back(&self, _id: &ExecutionId, wanted: &Wanted) -> bool {
        let action = self.catalog.actions.get(&ActionRef::new(wanted.action.as_str()));
        action.is_some_and(|action| self.holds_back(action) != HeldBack::No)
    }

    /// How many more children a workflow may have begun now.
    fn room(&self, id: &ExecutionId) -> usize {
        let most = self.settings.limits.workflow_tasks;
        let leaf = |execution: &&Execution| execution.request.parent.is_some() && execution.request.workflow.is_none();
        let all = self.memory.executions.values().filter(leaf).count();
        let own = self.memory.executions.get(id).and_then(|known| known.conducted.as_ref());
        let own = own.map_or(0, |conducted| conducted.at_work.len());
        most.saturating_sub(all).min(most.saturating_sub(own))
    }

    fn rights_for(&mut self, step: &mut Step, now: Timestamp, id: &ExecutionId) -> Option<Rights> {
        let parent = self.memory.executions.get(id)?.request.parent.as_ref();
        let root = parent.map_or_else(|| id.clone(), |parent| parent.root.clone());
        self.authority(step, now, &root)
    }

    /// Stops a child, whatever it is doing.
    pub(super) fn stop_child(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        child: &ExecutionId,
    ) -> Result<(), Contradiction> {
        let Some(execution) = self.memory.executions.get(child).cloned() else { return Ok(()) };
        if execution.status == Status::Canceling {
            return Ok(());
        }
        let by = self.canceler(&execution).unwrap_or_else(|| execution.request.by.clone());
        if execution.status.waits() {
            return self.withdraw(step, moment, child, by, None);
        }
        self.note(step, moment, Fact::CancelAsked { id: child.clone(), by, from: None })?;
        if execution.request.workflow.is_some() {
            self.conducting.wake(child);
        } else if execution.request.is_carried_out() {
            step.effects.push(Effect::Cancel(child.clone()));
        } else {
            self.finish(step, moment, child, Status::Canceled, None)?;
        }
        Ok(())
    }

    /// Who stopped the workflow that an execution is a child of.
    fn canceler(&self, execution: &Execution) -> Option<crate::core::input::Principal> {
        let parent = execution.request.parent.as_ref()?;
        self.memory.executions.get(&parent.workflow)?.canceled_by.clone()
    }
}

/// Machines as the post of a workflow shows them.
fn shown_hosts(hosts: &[Host]) -> String {
    markdown::shorten(&fold(hosts), SHOWN_HOSTS)
}

/// What a task gives whose action could not be begun: the shape of a run that could not be carried out.
fn failed(why: &str) -> Value {
    json!({"error": why, "traceback": "", "failed": true, "succeeded": false, "return_code": UNREACHABLE_CODE})
}

/// Whether it does nothing but wait, ask or say something: who may run the workflow may have that done by it.
fn touches_nothing(action: &Action) -> bool {
    matches!(
        action.runner,
        RunnerType::Noop | RunnerType::Pause | RunnerType::Inquirer | RunnerType::Announcement | RunnerType::Uuid
    )
}

fn everything() -> Rights {
    let held = Held { role: String::new(), grant: Grant::new(Verb::Run, "*") };
    Rights { grants: vec![held], ..Rights::default() }
}

/// Where the whole of an output lies.
fn blob(captured: &Captured) -> Option<BlobId> {
    match captured {
        Captured::Inline { .. } => None,
        Captured::Blob { blob, .. } => Some(blob.clone()),
    }
}
