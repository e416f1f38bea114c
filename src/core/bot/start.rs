//! Starting an execution, whoever asked for it: parameters are resolved, the run is planned, the facts are noted, the run is asked for.
//!
//! Whether somebody may is decided before this is called.

use super::telling::is_quiet;
use super::{Bot, Moment, Step, Watch, recover};
use crate::core::action::execution::Requested;
use crate::core::action::params::{self, Resolved};
use crate::core::action::plan::{self, Plan, PlanProblem};
use crate::core::action::run::{Run, Work};
use crate::core::action::spec::Action;
use crate::core::alias::spec::Alias;
use crate::core::effect::{Body, Delivery, Effect, Thread};
use crate::core::fact::Fact;
use crate::core::host::HostError;
use crate::core::id::{ExecutionId, Host};
use crate::core::input::{Back, Principal};
use crate::core::memory::{Contradiction, card_of};
use crate::core::message::card::{Card, Numbered};
use crate::core::message::markdown;
use crate::core::template::value::written;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What is asked for.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) action: Arc<Action>,
    pub(super) given: BTreeMap<String, Value>,
    pub(super) by: Principal,
    pub(super) back: Back,
    /// The line that it comes from, as it may be remembered.
    pub(super) line: String,
    /// Nothing is hidden in the line, so it may be offered again with a correction: what is offered is remembered.
    pub(super) correctable: bool,
    pub(super) alias: Option<Arc<Alias>>,
    /// Names of given parameters whose values are the pack's own words, not the asker's.
    pub(super) trusted: Vec<String>,
    pub(super) rerun_of: Option<ExecutionId>,
}

/// Why a wish comes to nothing: what is said, and the lines offered instead.
#[derive(Debug)]
pub(super) struct Declined {
    pub(super) card: Card,
    pub(super) offered: Vec<String>,
}

impl Bot {
    /// Starts what is wished for.
    ///
    /// # Errors
    /// The outer result is a contradiction in the memory; the inner one says why nothing was started.
    pub(super) fn start(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        wish: Wish,
    ) -> Result<Result<ExecutionId, Box<Declined>>, Contradiction> {
        if let Some(declined) = self.held_back(&wish) {
            return Ok(Err(declined));
        }
        let (resolved, plan) = match self.prepare(&wish) {
            Ok(prepared) => prepared,
            Err(declined) => return Ok(Err(declined)),
        };
        let id = ExecutionId::generate(moment.at, moment.bits());
        let (hosts, ends_at) = match &plan {
            Plan::Run(Work::Remote(remote)) => {
                (remote.hosts.iter().map(|host| host.host.clone()).collect::<Vec<Host>>(), None)
            }
            Plan::Run(Work::Local(_)) => (Vec::new(), None),
            Plan::Noop => (Vec::new(), Some(moment.at)),
            Plan::Pause { longest, random } => {
                let time = if *random { share(*longest, moment.bits()) } else { *longest };
                (Vec::new(), Some(moment.at.saturating_add(time).unwrap_or(moment.at)))
            }
        };
        let mut request = Requested {
            id: id.clone(),
            action: wish.action.reference.clone(),
            runner: wish.action.runner.word().to_owned(),
            effect: wish.action.effect,
            parameters: resolved.masked(),
            secrets: resolved.secrets.iter().filter(|name| resolved.given.contains(*name)).cloned().collect(),
            by: wish.by,
            back: wish.back.clone(),
            line: wish.line,
            hosts: hosts.clone(),
            ends_at,
            alias: wish.alias.as_ref().map(|alias| alias.reference.clone()),
            rerun_of: wish.rerun_of,
            content: wish.action.content.clone(),
            reach: match &plan {
                Plan::Run(work) => Some(recover::reach(work)),
                Plan::Noop | Plan::Pause { .. } => None,
            },
            telling: None,
        };
        if let Some(alias) = &wish.alias {
            self.tell_as(&mut request, alias, moment.at);
        }
        let (back, quiet) = (request.back.clone(), is_quiet(&request));
        self.note(step, moment, Fact::ExecutionStarted(Box::new(request)))?;
        self.watches.insert(id.clone(), Watch::new(&hosts, moment.at));
        if let (Back::Chat { channel, root, .. }, false) = (&back, quiet) {
            let text = self.first_card(&id, moment.at);
            let root = root.clone().map(|post| Thread::Post { post });
            let body = Body::Post { root, text, files: Vec::new() };
            self.deliver(step, moment, Delivery { id: card_of(&id), channel: channel.clone(), body })?;
        }
        if let Plan::Run(work) = plan {
            step.effects.push(Effect::Run(Box::new(Run { execution: id.clone(), work, attempt: 0 })));
        }
        Ok(Ok(id))
    }

    /// Why one of several wishes, which are to come true together, cannot.
    pub(super) fn refused_among(&self, wishes: &[Wish]) -> Option<Box<Declined>> {
        let first = wishes.first()?;
        if let Some((most, yours)) = self.bound_reached(&first.by, wishes.len()) {
            let card = Card::TooMany { line: first.line.clone(), most, yours };
            return Some(Box::new(Declined { card, offered: Vec::new() }));
        }
        wishes.iter().find_map(|wish| self.prepare(wish).err())
    }

    /// The bound on executions under way that so many more would exceed, and whether it is that of this person.
    fn bound_reached(&self, by: &Principal, more: usize) -> Option<(usize, bool)> {
        let limits = &self.settings.limits;
        if self.memory.executions.len() + more > limits.executions {
            return Some((limits.executions, false));
        }
        let theirs = self.memory.executions.values().filter(|execution| same_person(&execution.request.by, by));
        (theirs.count() + more > limits.executions_per_user).then_some((limits.executions_per_user, true))
    }

    pub(super) fn prepare(&self, wish: &Wish) -> Result<(Resolved, Plan), Box<Declined>> {
        let line = if wish.line.is_empty() { wish.action.reference.to_string() } else { wish.line.clone() };
        let declined = |card| Box::new(Declined { card, offered: Vec::new() });
        if !wish.action.enabled {
            return Err(declined(Card::Disabled { action: wish.action.reference.to_string() }));
        }
        if let Some((most, yours)) = self.bound_reached(&wish.by, 1) {
            return Err(declined(Card::TooMany { line, most, yours }));
        }
        let said = |problem: &dyn ToString| markdown::prose(&problem.to_string());
        let mut resolved = params::resolve(&wish.action, &wish.given).map_err(|problems| {
            declined(Card::BadParameters {
                line: line.clone(),
                problems: problems.iter().map(|problem| said(problem)).collect(),
            })
        })?;
        resolved.trust(wish.trusted.iter().cloned());
        match plan::plan(&wish.action, &resolved, &self.inventory) {
            Ok(plan) => Ok((resolved, plan)),
            Err(PlanProblem::Hosts(problem)) => {
                let offered = if wish.correctable { corrected_lines(&wish.line, &problem) } else { Vec::new() };
                let suggestions = numbered(&offered);
                Err(Box::new(Declined { card: Card::BadHosts { problem: said(&problem), suggestions }, offered }))
            }
            Err(problem) => Err(declined(Card::BadParameters { line, problems: vec![said(&problem)] })),
        }
    }
}

/// The line with the misspelt name put right, once for each similar name.
fn corrected_lines(line: &str, problem: &HostError) -> Vec<String> {
    let (wrong, sigil, similar) = match problem {
        HostError::UnknownHost { name, similar } => (name.clone(), "", similar),
        HostError::UnknownGroup { name, similar } => (format!("@{name}"), "@", similar),
        HostError::Malformed { .. } | HostError::BrokenGroup { .. } | HostError::TooMany | HostError::Empty(_) => {
            return Vec::new();
        }
    };
    let right = similar.iter().take(3).map(|name| line.replace(&wrong, &format!("{sigil}{name}")));
    right.filter(|corrected| corrected != line).collect()
}

/// Whether two are one, whatever they are called by now.
fn same_person(one: &Principal, other: &Principal) -> bool {
    match (one, other) {
        (Principal::ChatUser { id: one, .. }, Principal::ChatUser { id: other, .. }) => one == other,
        (Principal::LocalUser { uid: one, .. }, Principal::LocalUser { uid: other, .. }) => one == other,
        (Principal::ChatUser { .. }, Principal::LocalUser { .. })
        | (Principal::LocalUser { .. }, Principal::ChatUser { .. }) => false,
    }
}

/// A random part of a time.
fn share(longest: Duration, bits: u64) -> Duration {
    let milliseconds = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX - 1);
    Duration::from_millis(bits % (milliseconds + 1))
}

/// Numbers lines from 1.
pub(super) fn numbered(lines: &[String]) -> Vec<Numbered> {
    let lines = lines.iter().enumerate();
    lines.map(|(place, line)| Numbered { number: place + 1, line: line.clone(), description: String::new() }).collect()
}

/// The values of secret parameters as they were written, before they are cast to their types.
pub(super) fn secrets(action: &Action, given: &BTreeMap<String, Value>) -> Vec<String> {
    let secret = |name: &String| action.parameters.get(name).is_some_and(|parameter| parameter.secret);
    given.iter().filter(|(name, value)| secret(name) && !value.is_null()).map(|(_, value)| written(value)).collect()
}
