//! Starting an execution, whoever asked for it: parameters are resolved, the run is planned, the facts are noted, the run is asked for.
//!
//! Whether somebody may is decided before this is called.

use super::telling::is_quiet;
use super::{Bot, Moment, Step, Watch, recover, uuid};
use crate::core::action::execution::{LOCALHOST, Requested};
use crate::core::action::params::{self, Resolved};
use crate::core::action::plan::{self, Plan, PlanProblem};
use crate::core::action::run::{Captured, Exit, HostOutcome, Run, Work};
use crate::core::action::shell;
use crate::core::action::spec::Action;
use crate::core::alias::spec::Alias;
use crate::core::content::config::ConfigContext;
use crate::core::datastore::lookup::Values;
use crate::core::effect::{Body, Delivery, Effect, Thread};
use crate::core::fact::Fact;
use crate::core::host::HostError;
use crate::core::id::{DeliveryId, ExecutionId, Host};
use crate::core::input::{Back, Principal};
use crate::core::memory::{Contradiction, card_of};
use crate::core::message::card::{Card, Numbered};
use crate::core::message::markdown;
use crate::core::template::surroundings::Surroundings;
use crate::core::template::value::written;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
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
    /// The word under which it is found with others.
    pub(super) trace_tag: Option<String>,
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
        let (resolved, mut plan) = match self.prepare(moment.at, &wish) {
            Ok(prepared) => prepared,
            Err(declined) => return Ok(Err(declined)),
        };
        let announced = match &plan {
            Plan::Announce(announcement) => match self.announcement(announcement, &wish.back) {
                Ok(announced) => Some(announced),
                Err(problem) => return Ok(Err(declined_for(&wish, &problem))),
            },
            _ => None,
        };
        let inquiry = match &plan {
            Plan::Ask(question) => match self.inquiry(moment, question, &wish.by, &wish.back) {
                Ok(inquiry) => Some(Box::new(inquiry)),
                Err(problem) => return Ok(Err(declined_for(&wish, &problem))),
            },
            _ => None,
        };
        let asks = inquiry.is_some();
        let id = ExecutionId::generate(moment.at, moment.bits());
        let (hosts, ends_at) = match &plan {
            Plan::Run(Work::Remote(remote)) => {
                (remote.hosts.iter().map(|host| host.host.clone()).collect::<Vec<Host>>(), None)
            }
            Plan::Run(Work::Local(_) | Work::Http(_) | Work::Mail(_)) | Plan::Ask(_) => (Vec::new(), None),
            Plan::Noop | Plan::Announce(_) | Plan::Uuid { .. } => (Vec::new(), Some(moment.at)),
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
            trace_tag: wish.trace_tag,
            notify: wish.action.notify.as_deref().cloned(),
            reach: match &plan {
                Plan::Run(work) => Some(recover::reach(work)),
                Plan::Noop | Plan::Pause { .. } | Plan::Announce(_) | Plan::Ask(_) | Plan::Uuid { .. } => None,
            },
            telling: None,
            inquiry,
        };
        if let Some(alias) = &wish.alias {
            self.tell_as(&mut request, alias, moment.at);
        }
        let (back, quiet) = (request.back.clone(), is_quiet(&request));
        self.note(step, moment, Fact::ExecutionStarted(Box::new(request)))?;
        if asks {
            self.ask_people(step, moment, &id)?;
            return Ok(Ok(id));
        }
        self.watches.insert(id.clone(), Watch::new(&hosts, moment.at));
        if let (Back::Chat { channel, root, .. }, false) = (&back, quiet) {
            let text = self.first_card(&id, moment.at);
            let root = root.clone().map(|post| Thread::Post { post });
            let body = Body::Post { root, text, files: Vec::new() };
            self.deliver(step, moment, Delivery { id: card_of(&id), channel: channel.clone(), body })?;
        }
        if let Plan::Uuid { by_time } = plan {
            let uuid = if by_time {
                uuid::by_time(moment.at, moment.bits())
            } else {
                uuid::by_chance(moment.bits(), moment.bits())
            };
            let outcome = HostOutcome {
                exit: Exit::Code { code: 0 },
                stdout: Captured::Inline { text: uuid },
                stderr: Captured::empty(),
                seconds: 0.0,
            };
            self.note(step, moment, Fact::HostFinished { id: id.clone(), host: Host::new(LOCALHOST), outcome })?;
        }
        if let Some((channel, card)) = announced {
            let text = self.sentences.say(&card);
            let body = Body::Post { root: None, text, files: Vec::new() };
            self.deliver(step, moment, Delivery { id: DeliveryId::new(format!("{id}-announced")), channel, body })?;
        }
        if let Plan::Run(work) = &mut plan {
            let debug = resolved.values.get("debug") == Some(&Value::Bool(true));
            shell::identify(work, &wish.action.reference, debug, &id);
        }
        if let Plan::Run(work) = plan {
            step.effects.push(Effect::Run(Box::new(Run { execution: id.clone(), work, attempt: 0 })));
        }
        Ok(Ok(id))
    }

    /// Why one of several wishes, which are to come true together, cannot.
    pub(super) fn refused_among(&self, at: Timestamp, wishes: &[Wish]) -> Option<Box<Declined>> {
        let first = wishes.first()?;
        if let Some((most, yours)) = self.bound_reached(&first.by, wishes.len()) {
            let card = Card::TooMany { line: first.line.clone(), most, yours };
            return Some(Box::new(Declined { card, offered: Vec::new() }));
        }
        wishes.iter().find_map(|wish| self.prepare(at, wish).err())
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

    /// What the templates of a pack's actions and aliases may look at, besides parameters.
    pub(super) fn surroundings(&self, at: Timestamp, pack: &str, by: &Principal) -> Surroundings {
        let user = match by {
            Principal::ChatUser { id, .. } => Some(id.clone()),
            Principal::LocalUser { .. } => None,
        };
        let values = Values {
            datastore: Arc::clone(&self.memory.datastore),
            user,
            now: at,
            master_key: self.master_key.clone(),
        };
        let values = Arc::new(values);
        let config = self.catalog.configs.get(pack).cloned().unwrap_or_default();
        let config = ConfigContext { config, values: Arc::clone(&values) };
        Surroundings::default()
            .with("st2kv", Arc::clone(&values) as _)
            .with("config_context", Arc::new(config))
            .unsealing(values)
    }

    pub(super) fn prepare(&self, at: Timestamp, wish: &Wish) -> Result<(Resolved, Plan), Box<Declined>> {
        let line = if wish.line.is_empty() { wish.action.reference.to_string() } else { wish.line.clone() };
        let declined = |card| Box::new(Declined { card, offered: Vec::new() });
        if !wish.action.enabled {
            return Err(declined(Card::Disabled { action: wish.action.reference.to_string() }));
        }
        if let Some((most, yours)) = self.bound_reached(&wish.by, 1) {
            return Err(declined(Card::TooMany { line, most, yours }));
        }
        let said = |problem: &dyn ToString| markdown::prose(&problem.to_string());
        let around = self.surroundings(at, wish.action.reference.pack(), &wish.by);
        let action = hiding(&wish.action, &self.secretly_fixed(at, wish));
        let mut resolved = params::resolve_in(&action, &wish.given, &around).map_err(|problems| {
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

/// The action with these parameters declared secret.
fn hiding(action: &Arc<Action>, names: &BTreeSet<String>) -> Arc<Action> {
    if names.is_empty() {
        return Arc::clone(action);
    }
    let mut hiding = (**action).clone();
    for (_, parameter) in hiding.parameters.iter_mut().filter(|(name, _)| names.contains(*name)) {
        parameter.secret = true;
    }
    Arc::new(hiding)
}

/// What is said of a wish that fails for a reason of its values.
fn declined_for(wish: &Wish, problem: &PlanProblem) -> Box<Declined> {
    let line = if wish.line.is_empty() { wish.action.reference.to_string() } else { wish.line.clone() };
    let problems = vec![markdown::prose(&problem.to_string())];
    Box::new(Declined { card: Card::BadParameters { line, problems }, offered: Vec::new() })
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
