//! An event: it is taken up once, the rules that it concerns are asked, and those that match have their actions begun.
//!
//! All of it is one step, so that an event is either taken up with all that comes of it, or not at all. **Whoever brought it is answered when
//! the fact is on disk**, and may bring it again until then. **Before the chat is known nothing is taken up**: what comes of it could not be told.

use super::super::alert::Concern;
use super::super::offer::{Backing, Gathered, Proposal};
use super::super::start::Wish;
use super::super::{Bot, Moment, Step, answer};
use crate::core::access::{Asker, Place, Rights};
use crate::core::action::params::MASK;
use crate::core::action::spec::Action;
use crate::core::alert::notification::{Kind as Sent, Notification};
use crate::core::alert::offer::MOST;
use crate::core::alert::stackstorm;
use crate::core::alert::storm::Held;
use crate::core::alias::spec::Alias;
use crate::core::effect::Answer;
use crate::core::fact::Fact;
use crate::core::host::is_name;
use crate::core::id::{DeliveryId, ExecutionId, TriggerInstanceId};
use crate::core::input::{Back, Principal};
use crate::core::memory::Contradiction;
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use crate::core::rule::criterion::Scene;
use crate::core::rule::parameters::{self, Problem, Rendered};
use crate::core::rule::spec::{Kind, Rule, Verdict};
use crate::core::rule::trigger::{Arrival, Enforcement, Outcome, Status, Taken, TriggerInstance};
use crate::core::rule::{LONGEST_CHAIN, schema};
use crate::core::template::surroundings::{Entry, Fixed, Surroundings};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A payload longer than this is not remembered with its event.
const LONGEST_PAYLOAD: usize = 64 << 10;
/// Bytes of an event's id.
const LONGEST_ID: usize = 200;
/// How many events may follow from one another within one step.
pub(super) const MOST_AT_ONCE: usize = 1_000;

impl Bot {
    /// An event was brought.
    pub(in crate::core::bot) fn arrived(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        arrival: Arrival,
    ) -> Result<(), Contradiction> {
        let Arrival { instance, request } = arrival;
        let tell = |step: &mut Step, told: Answer| {
            if let Some(request) = request {
                answer::answer(step, request, told);
            }
        };
        if let Some(later) = self.not_now() {
            tell(step, later);
            return Ok(());
        }
        if self.memory.events.has_taken(&instance.id) {
            tell(step, Answer::Event { id: instance.id, new: false, executions: Vec::new() });
            return Ok(());
        }
        if let Err(text) = self.is_sound(&instance) {
            tell(step, Answer::Refused { text });
            return Ok(());
        }
        let id = instance.id.clone();
        let executions = self.consider(step, moment, instance)?;
        tell(step, Answer::Event { id, new: true, executions });
        Ok(())
    }

    /// Why no event is taken up at the moment.
    pub(in crate::core::bot) fn not_now(&self) -> Option<Answer> {
        if self.stopping {
            let text = markdown::bare(&self.sentences.say(&crate::core::message::card::Card::Stopping));
            return Some(Answer::Failed { text });
        }
        let starting = Phrase::Event { what: "starting", name: "", why: "" };
        (!self.knows_the_chat()).then(|| Answer::Failed { text: self.sentences.phrase(&starting) })
    }

    /// Why an event cannot be what it says.
    pub(in crate::core::bot) fn is_sound(&self, instance: &TriggerInstance) -> Result<(), String> {
        let name = instance.trigger.as_str();
        let say = |what, why: &str| self.sentences.phrase(&Phrase::Event { what, name, why });
        let id = instance.id.as_str();
        if id.is_empty() || id.len() > LONGEST_ID || !id.chars().all(|letter| letter.is_ascii_graphic()) {
            return Err(say("id", ""));
        }
        let Some(kind) = self.catalog.triggers.get(&instance.trigger) else {
            return Err(say("unknown", ""));
        };
        match schema::mismatches(&kind.payload_schema, &instance.payload).first() {
            Some(mismatch) => Err(say("payload", &mismatch.to_string())),
            None => Ok(()),
        }
    }

    /// Takes an event up. Gives the executions that come of it.
    pub(in crate::core::bot) fn consider(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        instance: TriggerInstance,
    ) -> Result<Vec<ExecutionId>, Contradiction> {
        let rules = Arc::clone(&self.catalog.rules);
        let concerned = rules.concerned(&instance.trigger, &instance.parameters, &instance.payload);
        let concerned: Vec<&Arc<Rule>> = concerned
            .into_iter()
            .filter(|rule| self.memory.events.is_enabled(rule) && rule.is_for(&instance.payload))
            .collect();
        let notification = Notification::read(instance.trigger.as_str(), &instance.payload);
        let theirs = stackstorm::state_change(instance.trigger.as_str(), &instance.payload);
        let mut enforcements = Vec::new();
        let mut matched = Vec::new();
        if !concerned.is_empty() {
            let around = self.around_criteria(moment.at);
            let scene = Scene::new(&instance.payload, &around, moment.at);
            for kind in [Kind::Standard, Kind::Backstop] {
                if kind == Kind::Backstop && !matched.is_empty() {
                    break;
                }
                for rule in concerned.iter().filter(|rule| rule.kind == kind) {
                    match rule.judge(&scene, &instance.payload) {
                        Verdict::Matches => matched.push(Arc::clone(rule)),
                        Verdict::Differs => {}
                        Verdict::Troubled { key, why } => {
                            let why =
                                self.sentences.phrase(&Phrase::Event { what: "criterion", name: &key, why: &why });
                            enforcements.push(enforcement(rule, Outcome::Failed { why }));
                        }
                    }
                }
            }
        }
        let (offering, acting): (Vec<_>, Vec<_>) = matched.into_iter().partition(|rule| rule.offer.is_some());
        // The problem is told, with what is offered for it, before what is made of it.
        let concern = match &notification {
            Some(notification) => {
                let offered = self.gather_offers(moment.at, &offering, &instance, notification, &mut enforcements);
                Some(self.alerted(step, moment, &instance.id, notification, offered)?)
            }
            None => None,
        };
        for rule in &acting {
            let outcome = self.enforce(step, moment, rule, &instance, concern.as_ref())?;
            enforcements.push(enforcement(rule, outcome));
        }
        let executions = enforcements.iter().filter_map(|enforcement| match &enforcement.outcome {
            Outcome::Started { execution } => Some(execution.clone()),
            Outcome::WouldRun { .. }
            | Outcome::Offered
            | Outcome::Failed { .. }
            | Outcome::Refused { .. }
            | Outcome::Held { .. } => None,
        });
        let executions: Vec<ExecutionId> = executions.collect();
        let failed = enforcements.iter().any(|enforcement| matches!(enforcement.outcome, Outcome::Failed { .. }));
        let taken = Taken {
            status: if failed { Status::ProcessingFailed } else { Status::Processed },
            listening: rules.listening(&instance.trigger).len(),
            instance: self.kept(instance),
            enforcements: enforcements.clone(),
        };
        let id = taken.instance.id.clone();
        self.note(step, moment, Fact::TriggerTaken(Box::new(taken)))?;
        if let (Some(concern), false) = (&concern, executions.is_empty()) {
            let shown = DeliveryId::new(format!("{id}-alert-begun"));
            self.show_alert(step, moment, &concern.problem, shown)?;
        }
        for enforcement in enforcements {
            self.tell_of_rule(step, moment, &id, &enforcement, concern.as_ref())?;
        }
        if let Some((trigger, payload)) = theirs {
            self.happens(trigger, format!("{id}-st2"), moment.at, Vec::new(), |_| payload);
        }
        Ok(executions)
    }

    /// What of an event is remembered: secrets masked, and a payload that is very long not at all.
    fn kept(&self, mut instance: TriggerInstance) -> TriggerInstance {
        if let Some(kind) = self.catalog.triggers.get(&instance.trigger) {
            instance.payload = schema::masked(&kind.payload_schema, &instance.payload);
        }
        if instance.payload.to_string().len() > LONGEST_PAYLOAD {
            instance.payload = Value::Null;
        }
        instance
    }

    /// What criteria may look at besides the event.
    pub(in crate::core::bot) fn around_criteria(&self, at: Timestamp) -> Surroundings {
        let values = Arc::new(self.values_of_nobody(at));
        let system = crate::core::datastore::lookup::SystemValues(Arc::clone(&values));
        Surroundings::default()
            .with("st2kv", Arc::clone(&values) as _)
            .with("system", Arc::new(system))
            .unsealing(values)
    }

    /// What rules offer for a problem that is being told; of each what came of it.
    fn gather_offers(
        &self,
        at: Timestamp,
        offering: &[Arc<Rule>],
        instance: &TriggerInstance,
        notification: &Notification,
        enforcements: &mut Vec<Enforcement>,
    ) -> Gathered {
        let mut gathered = Gathered::default();
        let silent = offering.is_empty() && self.catalog.offers.is_empty() && self.memory.alerts.offers().is_empty();
        if silent || notification.kind != Sent::Problem {
            return gathered;
        }
        let kept = self.kept(instance.clone());
        for rule in offering {
            let room = gathered.list.len() < MOST;
            let outcome = match self.offer_of(at, (rule, None), &kept, notification, room) {
                Err(outcome) => outcome,
                Ok(()) => {
                    gathered.list.extend(Proposal::of_rule(rule));
                    Outcome::Offered
                }
            };
            enforcements.push(enforcement(rule, outcome));
        }
        let around = self.around_criteria(at);
        let scene = Scene::new(&kept.payload, &around, at);
        for (alias, Backing { rule, alias: found, .. }) in self.offering_aliases() {
            let why = match rule.judge(&scene, &kept.payload) {
                Verdict::Differs => continue,
                Verdict::Troubled { key, why } => {
                    self.sentences.phrase(&Phrase::Event { what: "criterion", name: &key, why: &why })
                }
                Verdict::Matches => {
                    let room = gathered.list.len() < MOST;
                    match self.offer_of(at, (&rule, found.as_ref()), &kept, notification, room) {
                        Err(outcome) => outcome.why().to_owned(),
                        Ok(()) => {
                            gathered.list.extend(Proposal::of_alias(&alias, &rule));
                            continue;
                        }
                    }
                }
            };
            gathered.lacking.push((alias, why));
        }
        gathered.instance = Some((kept.id, kept.payload));
        gathered
    }

    /// Whether what a rule, or an alias, offers for a problem could be done; otherwise what came of it.
    fn offer_of(
        &self,
        at: Timestamp,
        (rule, alias): (&Arc<Rule>, Option<&Arc<Alias>>),
        instance: &TriggerInstance,
        notification: &Notification,
        room: bool,
    ) -> Result<(), Outcome> {
        let say = |what, why: &str| self.sentences.phrase(&Phrase::Event { what, name: rule.reference.as_str(), why });
        let Some(action) = self.catalog.actions.get(&rule.action) else {
            return Err(Outcome::Failed { why: say("no_action", rule.action.as_str()) });
        };
        if !is_name(&notification.problem.host) {
            return Err(Outcome::Refused { why: say("no_machine", "") });
        }
        if !room || instance.payload.is_null() || !self.has_room_for_offers(&notification.problem) {
            return Err(Outcome::Refused { why: say("no_room", "") });
        }
        let by = Principal::Rule { rule: rule.reference.clone(), instance: instance.id.clone(), chain: Vec::new() };
        let around = self.around_parameters(at, rule, action, instance, &by);
        let rendered = parameters::render(rule, action, &around).map_err(|problems| declined(&problems))?;
        if rule.dry_run {
            return Err(Outcome::WouldRun { parameters: shown(action, &rendered) });
        }
        let back = Back::Told { channel: None, root: None };
        let backing = Backing { rule: Arc::clone(rule), alias: alias.cloned(), action: Arc::clone(action) };
        let wish = self.wish_of_offer(at, &backing, instance, (by, back)).map_err(|why| Outcome::Failed { why })?;
        self.impossible(at, &wish).map_or(Ok(()), |why| Err(Outcome::Refused { why }))
    }

    /// Has a rule's action begun on an event that it matches.
    fn enforce(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        rule: &Rule,
        instance: &TriggerInstance,
        concern: Option<&Concern>,
    ) -> Result<Outcome, Contradiction> {
        let say = |bot: &Self, what, why: &str| {
            bot.sentences.phrase(&Phrase::Event { what, name: rule.reference.as_str(), why })
        };
        if instance.chain.contains(&rule.reference) {
            return Ok(Outcome::Refused { why: say(self, "circle", "") });
        }
        if instance.chain.len() >= LONGEST_CHAIN {
            return Ok(Outcome::Refused { why: say(self, "chain", &LONGEST_CHAIN.to_string()) });
        }
        let Some(action) = self.catalog.actions.get(&rule.action).cloned() else {
            return Ok(Outcome::Failed { why: say(self, "no_action", rule.action.as_str()) });
        };
        // A command may take one name for several machines, whatever a shell makes of it.
        if concern.is_some_and(|concern| !is_name(&concern.problem.host)) {
            return Ok(Outcome::Refused { why: say(self, "no_machine", "") });
        }
        let by = Principal::Rule {
            rule: rule.reference.clone(),
            instance: instance.id.clone(),
            chain: instance.chain.clone(),
        };
        let around = self.around_parameters(moment.at, rule, &action, instance, &by);
        let rendered = match parameters::render(rule, &action, &around) {
            Ok(rendered) => rendered,
            Err(problems) => return Ok(declined(&problems)),
        };
        if rule.dry_run {
            return Ok(Outcome::WouldRun { parameters: shown(&action, &rendered) });
        }
        let thread = concern.and_then(Concern::back);
        let back = thread.unwrap_or_else(|| Back::Told { channel: self.alert_channel(), root: None });
        let rights = self.rights_of_rule(rule, moment.at);
        if !self.may_with_given(&rights, moment.at, &action, &rendered.given, &by) {
            let needed = format!("run:{}", action.reference);
            let line = format!("{} on {}", rule.reference, instance.trigger);
            self.deny(step, moment, (&by, &back), line, Some(&action.reference), needed.clone())?;
            return Ok(Outcome::Refused { why: say(self, "no_right", &needed) });
        }
        if let Some(concern) = concern.filter(|concern| {
            concern.kind == Sent::Problem
                && self.storm_holds(&concern.problem)
                && self.held_by(&concern.problem).is_none()
        }) {
            return Ok(Outcome::Held { why: self.held_by_storm(&rule.reference), problem: concern.problem.clone() });
        }
        if let Some(why) = concern.and_then(|concern| self.hindered(rule, concern, moment.at)) {
            return Ok(Outcome::Refused { why });
        }
        let wish = Wish {
            action,
            given: rendered.given,
            by,
            back,
            line: String::new(),
            correctable: false,
            alias: None,
            trusted: rendered.trusted,
            rights,
            rerun_of: None,
            trace_tag: instance.trace_tag.clone(),
            zone: String::new(),
            takes_up: None,
            parent: None,
            hidden: rendered.hidden,
            settles: None,
            again: None,
        };
        Ok(match self.start(step, moment, wish)? {
            Ok(execution) => {
                if let Some(concern) = concern {
                    self.remedy_begun(step, moment, rule, concern, &execution)?;
                }
                Outcome::Started { execution }
            }
            Err(declined) => Outcome::Refused { why: markdown::bare(&self.sentences.say(&declined.card)) },
        })
    }

    /// Asks rules again about an event that they were kept from acting on. Gives what they began, and why they did not.
    pub(in crate::core::bot) fn ask_rules_again(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        problem: &crate::core::alert::notification::Problem,
        Held { instance, rules }: Held,
    ) -> Result<(Vec<ExecutionId>, Vec<String>), Contradiction> {
        let instance = TriggerInstance { id: TriggerInstanceId::new(format!("{}-released", instance.id)), ..instance };
        let told = self.told_in(problem);
        let concern = Concern { problem: problem.clone(), kind: Sent::Problem, told };
        let mut enforcements = Vec::new();
        for reference in rules {
            let known = self.catalog.rules.get(&reference).cloned();
            let acts = known.filter(|rule| self.memory.events.is_enabled(rule) && rule.offer.is_none());
            let Some(rule) = acts else { continue };
            let around = self.around_criteria(moment.at);
            let scene = Scene::new(&instance.payload, &around, moment.at);
            if rule.judge(&scene, &instance.payload) == Verdict::Matches {
                let outcome = self.enforce(step, moment, &rule, &instance, Some(&concern))?;
                enforcements.push(enforcement(&rule, outcome));
            }
        }
        let begun = enforcements.iter().filter_map(|one| one.outcome.execution().cloned()).collect();
        let not = enforcements.iter().map(|one| one.outcome.why()).filter(|why| !why.is_empty());
        let not = not.map(str::to_owned).collect();
        let listening = self.catalog.rules.listening(&instance.trigger).len();
        let taken = Taken { status: Status::Processed, listening, instance, enforcements };
        self.note(step, moment, Fact::TriggerTaken(Box::new(taken)))?;
        Ok((begun, not))
    }

    /// What a rule may do now.
    pub(in crate::core::bot) fn rights_of_rule(&self, rule: &Rule, at: Timestamp) -> Rights {
        self.rights(Asker::Rule { name: &rule.reference }, &Place::outside(at))
    }

    /// What the parameters of a rule's action may look at.
    pub(in crate::core::bot) fn around_parameters(
        &self,
        at: Timestamp,
        rule: &Rule,
        action: &Action,
        instance: &TriggerInstance,
        by: &Principal,
    ) -> Surroundings {
        let entry = |value: Value, trusted| Arc::new(Fixed(Entry { value, secret: false, trusted }));
        let (_, name) = rule.reference.as_str().split_once('.').unwrap_or_default();
        let context = json!({
            "rule": {"id": rule.reference, "name": name},
            "trigger_instance": {"id": instance.id, "name": instance.trigger},
            "user": self.me().map_or("halcyon", |(_, name)| name),
            "pack": action.reference.pack(),
            "trace_context": {"trace_tag": instance.trace_tag},
        });
        self.surroundings(at, action.reference.pack(), by)
            .with("system", Arc::new(crate::core::datastore::lookup::SystemValues(Arc::new(self.values_of_nobody(at)))))
            .with("trigger", entry(instance.payload.clone(), false) as _)
            // The name of an event comes from outside, too.
            .with("action_context", entry(context, false) as _)
    }

    /// Where alerts are told, and what rules do.
    pub(in crate::core::bot) fn alert_channel(&self) -> Option<crate::core::id::ChannelId> {
        let named = self.settings.alert_channel.as_ref().and_then(|name| self.directory.channels.get(name).cloned());
        named.or_else(|| self.admin_channel())
    }
}

fn enforcement(rule: &Rule, outcome: Outcome) -> Enforcement {
    Enforcement { rule: rule.reference.clone(), action: rule.action.clone(), outcome }
}

/// What becomes of a rule whose parameters cannot be had: what is wrong with the rule is a failure, what is wrong with the event a refusal.
fn declined(problems: &[Problem]) -> Outcome {
    let why = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let refused = |problem: &Problem| matches!(problem, Problem::Tainted(_) | Problem::NoMachine { .. });
    if problems.iter().all(refused) { Outcome::Refused { why } } else { Outcome::Failed { why } }
}

/// The parameters as they may be seen.
fn shown(action: &Action, rendered: &Rendered) -> Map<String, Value> {
    let secret = |name: &String| {
        rendered.hidden.contains(name) || action.parameters.get(name).is_some_and(|parameter| parameter.secret)
    };
    let shown = rendered.given.iter();
    shown.map(|(name, value)| (name.clone(), if secret(name) { Value::from(MASK) } else { value.clone() })).collect()
}
