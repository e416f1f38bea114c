//! Starting an execution, whoever asked for it: parameters are resolved, the run is planned, the gates are passed, the facts are noted, the run
//! is asked for.
//!
//! ```text
//! wish → held back? (freeze) → prepare → gates (approval, then turn) → begin
//!                                          `→ refused, or it waits and is resumed here later
//! ```
//!
//! **Whether somebody may is decided here at the latest**, over what the parameters came to. Whoever calls this has mostly asked before, since
//! what somebody may not do has to be answered as if it were not there. **Every way to start an action goes through here**, so no way goes past
//! the gates.

use super::approve::Changed;
use super::telling::is_quiet;
use super::{Bot, Moment, Step, Watch, recover, uuid};
use crate::core::access::Rights;
use crate::core::action::execution::{LOCALHOST, Reach, Requested};
use crate::core::action::params::{self, Resolved};
use crate::core::action::plan::{self, Plan, PlanProblem};
use crate::core::action::run::{Captured, Exit, HostOutcome, Run, Work};
use crate::core::action::shell;
use crate::core::action::spec::{Action, RunnerType};
use crate::core::action::waiting::{Given, Turn, Waiting, Waits};
use crate::core::alias::spec::Alias;
use crate::core::approval::request::Request;
use crate::core::approval::snapshot::{Change, Snapshot};
use crate::core::content::config::ConfigContext;
use crate::core::datastore::lookup::Values;
use crate::core::effect::{Body, Delivery, Effect};
use crate::core::fact::Fact;
use crate::core::host::HostError;
use crate::core::id::{DeliveryId, ExecutionId, Host};
use crate::core::input::{Back, Principal};
use crate::core::memory::{Contradiction, card_of};
use crate::core::message::card::{Card, Numbered};
use crate::core::message::markdown;
use crate::core::policy::{Again, claim, out_of_service};
use crate::core::template::surroundings::Surroundings;
use crate::core::template::value::written;
use crate::core::workflow::conducted::{Definition, Parent, TakesUp};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What is asked for.
#[derive(Debug, Clone)]
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
    /// What the one who asks may do. **It is looked at here, with the resolved arguments, whatever has been looked at before.**
    pub(super) rights: Rights,
    pub(super) rerun_of: Option<ExecutionId>,
    /// The word under which it is found with others.
    pub(super) trace_tag: Option<String>,
    /// The time zone in which the one who asks thinks; empty when that is not known.
    pub(super) zone: String,
    /// What it goes on with, where it repeats a part of a workflow.
    pub(super) takes_up: Option<Box<TakesUp>>,
    /// The task of a workflow that wants it.
    pub(super) parent: Option<Box<Parent>>,
    /// Names of given parameters that hold a secret, whatever the action says of them.
    pub(super) hidden: BTreeSet<String>,
    /// The execution that ended as unknown and is settled by running this.
    pub(super) settles: Option<ExecutionId>,
    /// What led to it, where it is another try.
    pub(super) again: Option<(u32, Again)>,
}

/// Why a wish comes to nothing: what is said, and the lines offered instead.
#[derive(Debug)]
pub(super) struct Declined {
    pub(super) card: Card,
    pub(super) offered: Vec<String>,
}

/// What would be run.
pub(super) type Prepared = (Resolved, Plan);

/// What a gate says of an execution that is about to begin.
#[derive(Debug)]
pub(super) enum Gate {
    /// Nothing is in its way.
    Open,
    /// It comes to nothing.
    Refused(Box<Declined>),
    /// The same has been asked for already, and waits.
    Joined(ExecutionId),
    /// It has to wait.
    Waits(Hold),
}

/// What an execution waits for.
#[derive(Debug)]
pub(super) enum Hold {
    /// That people say yes.
    Approval(Box<Request>),
    /// That others have ended.
    Turn(Turn),
}

impl Bot {
    /// Starts what is wished for, or has it wait. Either way it has its id from now on.
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
        let wish = match self.complete_order(moment.at, wish) {
            Ok(wish) => wish,
            Err(declined) => return Ok(Err(declined)),
        };
        let prepared = match self.prepare(moment.at, &wish) {
            Ok(prepared) => prepared,
            Err(declined) => return Ok(Err(declined)),
        };
        if let Plan::Announce(announcement) = &prepared.1
            && let Err(problem) = self.announcement(announcement, &wish.back)
        {
            return Ok(Err(declined_for(&wish, &problem)));
        }
        if let Plan::Ask(question) = &prepared.1
            && let Err(problem) = self.inquiry(moment, question, &wish.by, &wish.back, &wish.zone)
        {
            return Ok(Err(declined_for(&wish, &problem)));
        }
        if let Plan::Inject(injection) = &prepared.1
            && let Err(problem) = self.injection(injection, moment.at)
        {
            return Ok(Err(declined_for(&wish, &problem)));
        }
        let id = ExecutionId::generate(moment.at, moment.bits());
        let gate = match self.approval_gate(moment, &wish, &prepared) {
            Gate::Open => self.turn_gate(moment.at, &id, &wish, &self.claim(&wish, &prepared)),
            other => other,
        };
        match gate {
            Gate::Open => {
                self.trust_conductor(moment.at, &id, &wish);
                let request = self.requested(moment, &id, &wish, &prepared);
                self.begin(step, moment, request, &wish.action, prepared).map(|()| Ok(id))
            }
            Gate::Refused(declined) => Ok(Err(declined)),
            Gate::Joined(other) => self.join(step, moment, &wish, &other).map(|()| Ok(other)),
            Gate::Waits(hold) => {
                let waits = self.wait(step, moment, id.clone(), &wish, &prepared, hold)?;
                self.keep_rights(&id, moment.at, wish.rights);
                Ok(waits.map(|()| id))
            }
        }
    }

    /// What is asked for, as it is remembered.
    fn requested(&self, moment: &mut Moment, id: &ExecutionId, wish: &Wish, (resolved, plan): &Prepared) -> Requested {
        let hosts = hosts_of(plan);
        let mut request = Requested {
            id: id.clone(),
            action: wish.action.reference.clone(),
            runner: wish.action.runner.word().to_owned(),
            effect: wish.action.effect,
            parameters: resolved.masked(),
            secrets: resolved.secrets.iter().filter(|name| resolved.given.contains(*name)).cloned().collect(),
            by: wish.by.clone(),
            back: wish.back.clone(),
            line: wish.line.clone(),
            hosts,
            ends_at: ends_at(moment, plan),
            alias: wish.alias.as_ref().map(|alias| alias.reference.clone()),
            rerun_of: wish.rerun_of.clone(),
            content: wish.action.content.clone(),
            trace_tag: wish.trace_tag.clone(),
            zone: wish.zone.clone(),
            notify: wish.action.notify.as_deref().cloned(),
            reach: reach_of(plan),
            telling: None,
            inquiry: None,
            workflow: match plan {
                Plan::Conduct(workflow) => {
                    Some(Box::new(Definition { file: workflow.file.clone(), text: workflow.text.clone() }))
                }
                _ => None,
            },
            takes_up: wish.takes_up.clone(),
            parent: wish.parent.clone(),
            named: claim::named(&wish.action, resolved, &self.inventory),
            out_of_service: out_of_service::machines(&wish.action, resolved, &self.inventory),
            places: self.places(&wish.action, resolved),
            tries: self.tries(moment, id, wish, resolved),
        };
        if let Some(alias) = &wish.alias {
            self.tell_as(&mut request, alias, moment.at);
        }
        request
    }

    /// Begins what is asked for: all gates are passed.
    pub(super) fn begin(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        mut request: Requested,
        action: &Action,
        (resolved, plan): Prepared,
    ) -> Result<(), Contradiction> {
        let id = request.id.clone();
        let announced = match &plan {
            Plan::Announce(announcement) => self.announcement(announcement, &request.back).ok(),
            _ => None,
        };
        if let Plan::Ask(question) = &plan {
            request.inquiry =
                self.inquiry(moment, question, &request.by, &request.back, &request.zone).ok().map(Box::new);
        }
        let asks = request.inquiry.is_some();
        // What a task of a workflow does is shown in the post of that.
        let quiet = is_quiet(&request) || request.parent.is_some();
        let (back, hosts) = (request.back.clone(), request.hosts.clone());
        let by = super::answer::name_of(&request.by).to_owned();
        let order = match &plan {
            Plan::Run(Work::Monitoring(order)) => Some(order.clone()),
            _ => None,
        };
        let waited = self.memory.executions.contains_key(&id);
        self.note(step, moment, Fact::ExecutionStarted(Box::new(request)))?;
        if asks {
            if waited {
                self.show_begun(step, moment, &id)?;
            }
            if let Some(request) = self.memory.executions.get(&id).map(|execution| execution.request.clone()) {
                self.asked_event(&request, moment.at);
            }
            return self.ask_people(step, moment, &id);
        }
        self.watches.insert(id.clone(), Watch::new(&hosts, moment.at));
        if waited {
            self.show_begun(step, moment, &id)?;
        } else if let (Some((channel, root)), false) = (back.place(), quiet) {
            let text = self.first_card(&id, moment.at);
            let body = Body::Post { root, text, files: Vec::new() };
            self.deliver(step, moment, Delivery { id: card_of(&id), channel: channel.clone(), body })?;
        }
        if let Some(order) = order {
            self.order_begun(step, moment, &id, &order, &by)?;
        }
        if let Plan::Conduct(_) = plan {
            self.open_workflow(step, moment, &id, &resolved)?;
        }
        if let Plan::Uuid { by_time } = plan {
            let uuid = if by_time {
                uuid::by_time(moment.at, moment.bits())
            } else {
                uuid::by_chance(moment.bits(), moment.bits())
            };
            let outcome = Box::new(HostOutcome {
                exit: Exit::Code { code: 0 },
                stdout: Captured::Inline { text: uuid },
                stderr: Captured::empty(),
                seconds: 0.0,
            });
            self.note(step, moment, Fact::HostFinished { id: id.clone(), host: Host::new(LOCALHOST), outcome })?;
        }
        if let Some((channel, card)) = announced {
            let text = self.sentences.say(&card);
            let body = Body::Post { root: None, text, files: Vec::new() };
            self.deliver(step, moment, Delivery { id: DeliveryId::new(format!("{id}-announced")), channel, body })?;
        }
        if let Plan::Inject(injection) = &plan
            && let Some(request) = self.memory.executions.get(&id).map(|execution| execution.request.clone())
        {
            self.inject(&request, moment.at, injection.clone());
        }
        if let Plan::Run(mut work) = plan {
            let debug = resolved.values.get("debug") == Some(&Value::Bool(true));
            shell::identify(&mut work, (&action.reference, &by), debug, &id);
            step.effects.push(Effect::Run(Box::new(Run { execution: id, work, attempt: 0 })));
        }
        Ok(())
    }

    /// Has what is asked for wait, with all that it needs to begin later.
    pub(super) fn wait(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        id: ExecutionId,
        wish: &Wish,
        prepared: &Prepared,
        hold: Hold,
    ) -> Result<Result<(), Box<Declined>>, Contradiction> {
        let mut request = self.requested(moment, &id, wish, prepared);
        // The end of a pause is counted from its beginning.
        request.ends_at = None;
        // What waits is told in any case.
        if let Some(telling) = &mut request.telling {
            telling.quiet = false;
        }
        let (approval, turn) = match hold {
            Hold::Approval(request) => (Some(request), None),
            Hold::Turn(turn) => (None, Some(turn)),
        };
        let secrets = prepared.0.secrets.clone();
        let (at, key) = (moment.at, self.master_key.clone());
        let given = Given::keep(&id, &wish.given, &secrets, &wish.trusted, key.as_ref(), (at, || moment.bits()));
        let given = match given {
            Ok(given) => given,
            Err(why) => return Ok(Err(self.cannot_wait(wish, &secrets, &why))),
        };
        let terms = approval.as_ref().map(|request| request.terms.clone()).unwrap_or_default();
        let snapshot = Snapshot::of(&wish.action, &prepared.0, &prepared.1, &terms, self.master_key.as_ref());
        let shown = Box::new(self.shown_plan(wish, prepared));
        let waiting = Waiting { given, snapshot, shown, turn };
        self.note(step, moment, Fact::ExecutionWaits(Box::new(Waits { request, waiting, approval })))?;
        self.show_waiting(step, moment, &id)?;
        Ok(Ok(()))
    }

    /// Begins an execution that has waited, where nothing is in its way any more. What exactly was asked for has to be what would run now.
    pub(super) fn resume(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        id: &ExecutionId,
        rights: Rights,
    ) -> Result<(), Contradiction> {
        let (Some(execution), Some(waiting)) = (self.memory.executions.get(id), self.memory.waiting.get(id)) else {
            return Ok(());
        };
        let (old, waiting) = (execution.request.clone(), waiting.clone());
        let wish = match self.wish_again(&old, &waiting, rights) {
            Ok(wish) => wish,
            Err(change) => return self.void(step, moment, id, &change),
        };
        let child = wish.parent.is_some();
        if self.held_back(&wish).is_some() || (!child && self.bound_reached(&wish.by, 1).is_some()) {
            return Ok(());
        }
        let prepared = match self.prepare_unbounded(moment.at, &wish) {
            Ok(prepared) => prepared,
            Err(declined) => {
                let why = markdown::bare(&self.sentences.say(&declined.card));
                return self.void(step, moment, id, &Changed::Refused(why));
            }
        };
        let terms = self.wanted(&wish, &prepared);
        // What waits for its turn only was never shown to anybody who decides; what it would do is what it does when its turn comes.
        if self.memory.executions.get(id).is_some_and(|execution| execution.approval.is_some()) {
            let now = Snapshot::of(&wish.action, &prepared.0, &prepared.1, &terms, self.master_key.as_ref());
            if let Some(change) = waiting.snapshot.change(&now) {
                let change = Changed::Since { change, before: waiting.snapshot.hosts.clone(), now: now.hosts };
                return self.void(step, moment, id, &change);
            }
        } else if !terms.is_empty() {
            return self.void(step, moment, id, &Changed::NeedsApproval);
        }
        // It has its place for these machines and in these policies.
        let (claim, now) = (old.claim(), self.claim(&wish, &prepared).hosts);
        if claim.hosts != now {
            let change = Changed::Since { change: Change::Hosts, before: claim.hosts, now };
            return self.void(step, moment, id, &change);
        }
        if let Some((_, again)) = wish.again.as_ref().filter(|(_, again)| again.due > moment.at) {
            let turn = self.turn(moment.at, Some(again.due));
            return self.await_turn(step, moment, id, turn);
        }
        match self.turn_gate(moment.at, id, &wish, &claim) {
            Gate::Open => {}
            Gate::Waits(Hold::Turn(turn)) => return self.await_turn(step, moment, id, turn),
            Gate::Refused(declined) => {
                let why = markdown::bare(&self.sentences.say(&declined.card));
                return self.void(step, moment, id, &Changed::Refused(why));
            }
            Gate::Waits(Hold::Approval(_)) | Gate::Joined(_) => return Ok(()),
        }
        if let Plan::Ask(question) = &prepared.1
            && let Err(problem) = self.inquiry(moment, question, &wish.by, &wish.back, &wish.zone)
        {
            let why = markdown::bare(&self.sentences.say(&declined_for(&wish, &problem).card));
            return self.void(step, moment, id, &Changed::Refused(why));
        }
        if let Some(why) = self.not_needed(id, moment.at) {
            return self.give_up(step, moment, id, why);
        }
        let request = Requested {
            ends_at: ends_at(moment, &prepared.1),
            reach: reach_of(&prepared.1),
            hosts: hosts_of(&prepared.1),
            out_of_service: out_of_service::machines(&wish.action, &prepared.0, &self.inventory),
            parameters: prepared.0.masked(),
            content: wish.action.content.clone(),
            ..old
        };
        let action = Arc::clone(&wish.action);
        self.trust_conductor(moment.at, id, &wish);
        self.begin(step, moment, request, &action, prepared)
    }

    /// What the one who asks may do holds for the tasks of a workflow, too, as of now.
    fn trust_conductor(&mut self, now: Timestamp, id: &ExecutionId, wish: &Wish) {
        if wish.parent.is_none() && matches!(wish.action.runner, RunnerType::Orquesta) {
            self.conducting.trust(id, wish.rights.clone(), now);
        }
    }

    /// What was wished for when an execution began to wait, as it is wished for now.
    fn wish_again(&self, old: &Requested, waiting: &Waiting, rights: Rights) -> Result<Wish, Changed> {
        let action = self.catalog.actions.get(&old.action).cloned().ok_or(Changed::Gone)?;
        let given = waiting.given.open(&old.id, self.master_key.as_ref());
        let given = given.map_err(|why| Changed::Refused(why.to_string()))?;
        Ok(Wish {
            action,
            given,
            by: old.by.clone(),
            back: old.back.clone(),
            line: old.line.clone(),
            correctable: false,
            alias: self.catalog.aliases.iter().find(|alias| Some(&alias.reference) == old.alias.as_ref()).cloned(),
            trusted: waiting.given.trusted.clone(),
            rights,
            rerun_of: old.rerun_of.clone(),
            trace_tag: old.trace_tag.clone(),
            zone: old.zone.clone(),
            takes_up: old.takes_up.clone(),
            parent: old.parent.clone(),
            hidden: waiting.given.sealed.keys().cloned().collect(),
            settles: None,
            again: old.tries.as_ref().and_then(|tries| Some((tries.number, tries.again.clone()?))),
        })
    }

    /// An execution lets others go first.
    fn await_turn(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        turn: Turn,
    ) -> Result<(), Contradiction> {
        let known = self.memory.waiting.get(id).and_then(|waiting| waiting.turn.as_ref());
        if known == Some(&turn) {
            return Ok(());
        }
        self.note(step, moment, Fact::TurnAwaited { id: id.clone(), turn })?;
        self.show_changed(step, moment, id)
    }

    /// Why one of several wishes, which are to come true together, cannot.
    pub(super) fn refused_among(&self, at: Timestamp, wishes: &[Wish]) -> Option<Box<Declined>> {
        let first = wishes.first()?;
        if let Some((most, yours)) = self.bound_reached(&first.by, wishes.len()) {
            let card = Card::TooMany { line: first.line.clone(), most, yours };
            return Some(Box::new(Declined { card, offered: Vec::new() }));
        }
        wishes.iter().find_map(|wish| self.would_begin(at, wish.clone()).err())
    }

    /// The bound on executions under way that so many more would exceed, and whether it is that of this person.
    pub(super) fn bound_reached(&self, by: &Principal, more: usize) -> Option<(usize, bool)> {
        let limits = &self.settings.limits;
        // What waits is bounded otherwise.
        // Tasks of workflows have a bound of their own.
        let under_way = || self.memory.under_way().filter(|execution| execution.request.parent.is_none());
        if under_way().count() + more > limits.executions {
            return Some((limits.executions, false));
        }
        let theirs = under_way().filter(|execution| same_person(&execution.request.by, by));
        (theirs.count() + more > limits.executions_per_user).then_some((limits.executions_per_user, true))
    }

    /// What the templates of a pack's actions and aliases may look at, besides parameters.
    pub(super) fn surroundings(&self, at: Timestamp, pack: &str, by: &Principal) -> Surroundings {
        let user = match by {
            Principal::ChatUser { id, .. } => Some(id.clone()),
            Principal::LocalUser { .. } | Principal::Rule { .. } => None,
        };
        let values = Arc::new(Values { user, ..self.values_of_nobody(at) });
        let config = self.catalog.configs.get(pack).cloned().unwrap_or_default();
        let config = ConfigContext { config, values: Arc::clone(&values) };
        Surroundings::default()
            .with("st2kv", Arc::clone(&values) as _)
            .with("config_context", Arc::new(config))
            .unsealing(values)
    }

    /// The values of the datastore that everybody has.
    pub(super) fn values_of_nobody(&self, at: Timestamp) -> Values {
        let datastore = Arc::clone(&self.memory.datastore);
        Values { datastore, user: None, now: at, master_key: self.master_key.clone() }
    }

    /// What would be run, or why that cannot be.
    pub(super) fn prepare(&self, at: Timestamp, wish: &Wish) -> Result<Prepared, Box<Declined>> {
        if let Some((most, yours)) =
            self.bound_reached(&wish.by, 1).filter(|_| wish.action.enabled && wish.parent.is_none())
        {
            let line = if wish.line.is_empty() { wish.action.reference.to_string() } else { wish.line.clone() };
            return Err(Box::new(Declined { card: Card::TooMany { line, most, yours }, offered: Vec::new() }));
        }
        self.prepare_unbounded(at, wish)
    }

    /// The same, however much is under way.
    fn prepare_unbounded(&self, at: Timestamp, wish: &Wish) -> Result<Prepared, Box<Declined>> {
        self.prepare_with(at, wish, &|resolved| self.plan_within(wish, resolved))
    }

    /// The same, whatever the one who asks may do: only to have it wait, and to be judged when it begins.
    pub(super) fn prepare_unjudged(&self, at: Timestamp, wish: &Wish) -> Result<Prepared, Box<Declined>> {
        self.prepare_with(at, wish, &|resolved| Some(plan::plan(&wish.action, resolved, &self.inventory)))
    }

    fn prepare_with(
        &self,
        at: Timestamp,
        wish: &Wish,
        planned: &dyn Fn(&Resolved) -> Option<Result<Plan, PlanProblem>>,
    ) -> Result<Prepared, Box<Declined>> {
        let line = if wish.line.is_empty() { wish.action.reference.to_string() } else { wish.line.clone() };
        let declined = |card| Box::new(Declined { card, offered: Vec::new() });
        if !wish.action.enabled {
            return Err(declined(Card::Disabled { action: wish.action.reference.to_string() }));
        }
        let said = |problem: &dyn ToString| markdown::prose(&problem.to_string());
        let around = self.surroundings(at, wish.action.reference.pack(), &wish.by);
        let mut secret = self.secretly_fixed(at, wish);
        secret.extend(wish.hidden.iter().cloned());
        let action = hiding(&wish.action, &secret);
        let mut resolved = params::resolve_in(&action, &wish.given, &around).map_err(|problems| {
            declined(Card::BadParameters {
                line: line.clone(),
                problems: problems.iter().map(|problem| said(problem)).collect(),
            })
        })?;
        resolved.trust(wish.trusted.iter().cloned());
        let Some(plan) = planned(&resolved) else {
            return Err(declined(Card::NotUnderstood { line, suggestions: Vec::new(), alike: Vec::new() }));
        };
        match plan {
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

/// The machines that a plan goes to.
pub(super) fn hosts_of(plan: &Plan) -> Vec<Host> {
    match plan {
        Plan::Run(Work::Remote(remote)) => remote.hosts.iter().map(|host| host.host.clone()).collect(),
        _ => Vec::new(),
    }
}

/// When what ends by the clock ends, where it begins now.
fn ends_at(moment: &mut Moment, plan: &Plan) -> Option<Timestamp> {
    match plan {
        Plan::Run(_) | Plan::Ask(_) | Plan::Conduct(_) => None,
        Plan::Noop | Plan::Announce(_) | Plan::Uuid { .. } | Plan::Inject(_) => Some(moment.at),
        Plan::Pause { longest, random } => {
            let time = if *random { share(*longest, moment.bits()) } else { *longest };
            Some(moment.at.saturating_add(time).unwrap_or(moment.at))
        }
    }
}

fn reach_of(plan: &Plan) -> Option<Reach> {
    match plan {
        Plan::Run(work) => Some(recover::reach(work)),
        Plan::Noop
        | Plan::Pause { .. }
        | Plan::Announce(_)
        | Plan::Ask(_)
        | Plan::Conduct(_)
        | Plan::Uuid { .. }
        | Plan::Inject(_) => None,
    }
}

/// What is said of a wish that fails for a reason of its values.
pub(super) fn declined_for(wish: &Wish, problem: &PlanProblem) -> Box<Declined> {
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
pub(super) fn same_person(one: &Principal, other: &Principal) -> bool {
    match (one, other) {
        (Principal::ChatUser { id: one, .. }, Principal::ChatUser { id: other, .. }) => one == other,
        (Principal::LocalUser { uid: one, .. }, Principal::LocalUser { uid: other, .. }) => one == other,
        (Principal::Rule { rule: one, .. }, Principal::Rule { rule: other, .. }) => one == other,
        (Principal::ChatUser { .. } | Principal::LocalUser { .. } | Principal::Rule { .. }, _) => false,
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
