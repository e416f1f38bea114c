//! People stop, pause, resume and repeat workflows.

use super::{Bot, Moment, Step};
use crate::core::action::execution::{Execution, Status};
use crate::core::bot::answer::answer;
use crate::core::bot::start::Wish;
use crate::core::effect::Answer;
use crate::core::fact::Fact;
use crate::core::id::ExecutionId;
use crate::core::input::{Back, Ticket};
use crate::core::memory::Contradiction;
use crate::core::message::card::Card;
use crate::core::message::markdown;
use crate::core::message::verdict::{shown_line, verdict};
use crate::core::workflow::conducted::{Conducted, Moved, TakesUp, Waiting};
use crate::core::workflow::conductor::{Conductor, Rerun};
use crate::core::workflow::scene::Nowhere;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Bot {
    /// `rerun ID from TASK`: a new execution goes on with the tasks of one that has ended.
    pub(in crate::core::bot) fn rerun_from(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        ticket: &Ticket,
        execution: &Execution,
        tasks: &[String],
    ) -> Result<(), Contradiction> {
        let request = &execution.request;
        let say =
            |said, names: &str| Card::RerunRefused { id: request.id.short().to_owned(), said, names: names.to_owned() };
        let (Some(definition), Some(conducted)) = (&request.workflow, &execution.conducted) else {
            return self.say(step, moment, &ticket.back, &say("no_workflow", ""));
        };
        if !execution.status.is_final() {
            return self.say(step, moment, &ticket.back, &say("under_way", ""));
        }
        if self.stopping {
            return self.say(step, moment, &ticket.back, &Card::Stopping);
        }
        let action = self.catalog.actions.get(&request.action).cloned();
        let Some(action) = action.filter(|action| action.enabled) else {
            let card = Card::Disabled { action: request.action.to_string() };
            return self.say(step, moment, &ticket.back, &card);
        };
        let Some(workflow) = action.workflow.clone().filter(|known| known.text == definition.text) else {
            return self.say(step, moment, &ticket.back, &say("changed", ""));
        };
        let board = &conducted.state.board;
        let mut named = Vec::new();
        let mut unknown = Vec::new();
        for task in tasks {
            let ran = board.newest().filter(|(_, entry)| board.name(entry.task) == task);
            let ran: Vec<(String, u32)> = ran.map(|(_, entry)| (task.clone(), entry.route)).collect();
            if ran.is_empty() {
                unknown.push(format!("`{task}`"));
            }
            named.extend(ran);
        }
        if !unknown.is_empty() {
            return self.say(step, moment, &ticket.back, &say("not_run", &unknown.join(", ")));
        }
        let conducted = taken_up(&request.id, conducted);
        let mut trial = Conductor::new(Arc::clone(&workflow.graph), conducted.state.clone(), Arc::new(Nowhere));
        if trial.rerun(&reruns(&named)).is_err() || !trial.state().has_staged() {
            return self.say(step, moment, &ticket.back, &say("nothing", ""));
        }
        let mut given = crate::core::bot::recover::given_before(&action, execution);
        for (name, sealed) in &conducted.sealed {
            let under = conducted.sealed_for(&request.id);
            match self.open_sealed(&under, name, sealed) {
                Ok(value) => drop(given.insert(name.clone(), value)),
                Err(_) => {
                    let card = Card::SecretsGone { id: request.id.short().to_owned(), names: vec![name.clone()] };
                    return self.say(step, moment, &ticket.back, &card);
                }
            }
        }
        let wish = Wish {
            action,
            given,
            by: ticket.from.clone(),
            back: ticket.back.clone(),
            line: request.line.clone(),
            correctable: false,
            alias: self.catalog.aliases.iter().find(|alias| Some(&alias.reference) == request.alias.as_ref()).cloned(),
            trusted: Vec::new(),
            rights: ticket.rights.clone(),
            rerun_of: Some(request.id.clone()),
            trace_tag: request.trace_tag.clone(),
            zone: ticket.zone.clone(),
            takes_up: Some(Box::new(TakesUp { conducted, tasks: named })),
            parent: None,
            hidden: BTreeSet::new(),
            settles: None,
            again: None,
        };
        match self.start(step, moment, wish)? {
            Ok(id) => {
                if let Back::Request { request } = ticket.back {
                    answer(step, request, Answer::Started { id });
                }
                Ok(())
            }
            Err(declined) => self.say(step, moment, &ticket.back, &declined.card),
        }
    }

    /// A workflow that has just begun goes on where another one has ended.
    pub(super) fn take_up(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        takes_up: &TakesUp,
    ) -> Result<(), Contradiction> {
        let conducted = Box::new(takes_up.conducted.clone());
        self.note(step, moment, Fact::WorkflowTakenUp { id: id.clone(), conducted })?;
        let Some(mut conductor) = self.conductor(id, moment) else { return Ok(()) };
        // It was tried out when this was asked for.
        let _ = conductor.rerun(&reruns(&takes_up.tasks));
        self.moved(step, moment, id, &mut conductor, Moved::of(id))?;
        self.conducting.conductors.insert(id.clone(), conductor);
        self.conducting.wake(id);
        Ok(())
    }

    /// `pause ID`, `resume ID`
    pub(in crate::core::bot) fn pause_or_resume(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        ticket: &Ticket,
        execution: &Execution,
        pause: bool,
    ) -> Result<(), Contradiction> {
        let id = execution.request.id.clone();
        let short = id.short().to_owned();
        if execution.status.is_final() {
            let card = Card::AlreadyEnded { id: short, verdict: verdict(execution, &self.sentences) };
            return self.say(step, moment, &ticket.back, &card);
        }
        let paused = execution.conducted.as_ref().is_some_and(|conducted| conducted.paused_by.is_some());
        let refused = match execution.status {
            _ if execution.request.workflow.is_none() => Some("no_workflow"),
            Status::Running | Status::Pausing | Status::Paused if pause != paused => None,
            Status::Running | Status::Pausing | Status::Paused if pause => Some("paused_already"),
            Status::Running | Status::Pausing | Status::Paused => Some("not_paused"),
            _ => Some("not_now"),
        };
        let said = refused.unwrap_or(if pause { "paused" } else { "resumed" });
        let card = Card::WorkflowAsked {
            id: short,
            line: shown_line(execution),
            said,
            verdict: verdict(execution, &self.sentences),
        };
        if refused.is_some() {
            return self.say(step, moment, &ticket.back, &card);
        }
        let (by, from) = (ticket.from.clone(), ticket.back.clone());
        let mut all = vec![id.clone()];
        // What stands below stands still with it.
        let below = self.memory.executions.values().filter(|known| {
            known.request.workflow.is_some()
                && matches!(known.status, Status::Running | Status::Pausing | Status::Paused)
                && self.is_below(known, &id)
        });
        all.extend(below.map(|known| known.request.id.clone()));
        for id in all {
            let (by, from) = (by.clone(), from.clone());
            let fact = match pause {
                true => Fact::PauseAsked { id: id.clone(), by, from },
                false => Fact::ResumeAsked { id: id.clone(), by, from },
            };
            self.note(step, moment, fact)?;
            self.conducting.wake(&id);
        }
        if let Back::Request { request } = ticket.back {
            answer(step, request, Answer::Done { text: markdown::bare(&self.sentences.say(&card)) });
            return Ok(());
        }
        self.say(step, moment, &ticket.back, &card)
    }

    /// Whether an execution belongs to a workflow, however many are between.
    pub(in crate::core::bot) fn is_below(&self, execution: &Execution, workflow: &ExecutionId) -> bool {
        let mut parent = execution.request.parent.as_ref();
        while let Some(known) = parent {
            if known.workflow == *workflow {
                return true;
            }
            parent = self.memory.executions.get(&known.workflow).and_then(|known| known.request.parent.as_ref());
        }
        false
    }
}

/// How the tasks of a workflow that has ended stand, for one that goes on with them.
fn taken_up(id: &ExecutionId, ended: &Conducted) -> Conducted {
    let sealed_by = (!ended.sealed.is_empty()).then(|| ended.sealed_for(id));
    Conducted {
        sealed_by,
        paused_by: None,
        idle: 0,
        later: Waiting::default(),
        at_work: BTreeMap::new(),
        ..ended.clone()
    }
}

fn reruns(tasks: &[(String, u32)]) -> Vec<Rerun> {
    tasks.iter().map(|(task, route)| Rerun { task: task.clone(), route: *route, reset_items: false }).collect()
}
