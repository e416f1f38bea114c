//! What happens to the bot itself, as events: executions end, questions are asked, values are set.
//!
//! **It costs nothing where no rule listens.** What follows from such an event belongs to the same step.

use super::super::{Bot, Moment, Step};
use super::take_up::MOST_AT_ONCE;
use crate::core::action::execution::{Execution, Requested};
use crate::core::action::flaw::Flaw;
use crate::core::action::plan::{Injection, PlanProblem};
use crate::core::action::result;
use crate::core::action::run::Captured;
use crate::core::action::shell::unusable;
use crate::core::datastore::Kept;
use crate::core::datastore::key::Key;
use crate::core::fact::Fact;
use crate::core::id::{ExecutionId, RuleRef, TriggerInstanceId, TriggerRef};
use crate::core::input::Principal;
use crate::core::memory::Contradiction;
use crate::core::rule::trigger::{
    ACTION_TRIGGER, INQUIRY_TRIGGER, KEY_CHANGED, KEY_CREATED, KEY_DELETED, KEY_UPDATED, Source, TriggerInstance,
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

impl Bot {
    /// Asks the rules about everything that has happened to the bot in this step.
    pub(in crate::core::bot) fn follow_events(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
    ) -> Result<(), Contradiction> {
        let mut left = MOST_AT_ONCE;
        while let Some(instance) = self.happened.pop_front() {
            if left == 0 || self.stopping || self.memory.events.has_taken(&instance.id) {
                continue;
            }
            left -= 1;
            self.consider(step, moment, instance)?;
        }
        Ok(())
    }

    /// Whether a rule that is in force listens to a trigger.
    fn is_heard(&self, trigger: &TriggerRef) -> bool {
        self.catalog.rules.listening(trigger).iter().any(|rule| self.memory.events.is_enabled(rule))
    }

    pub(in crate::core::bot) fn happens(
        &mut self,
        trigger: &str,
        id: String,
        at: Timestamp,
        chain: Vec<RuleRef>,
        payload: impl FnOnce(&Self) -> Value,
    ) {
        let trigger = TriggerRef::new(trigger);
        if !self.is_heard(&trigger) {
            return;
        }
        let payload = payload(self);
        self.happened.push_back(TriggerInstance {
            id: TriggerInstanceId::new(id),
            trigger,
            parameters: Map::new(),
            payload,
            occurred: at,
            trace_tag: None,
            source: Source::Bot,
            chain,
        });
    }

    /// An execution has ended.
    pub(in crate::core::bot) fn ended_event(&mut self, execution: &Execution, at: Timestamp) {
        let request = &execution.request;
        self.happens(ACTION_TRIGGER, format!("{}-ended", request.id), at, chain_of(request), |_| {
            let text = |captured: &Captured| match captured {
                Captured::Inline { text } => text.clone(),
                Captured::Blob { head, tail, .. } => format!("{head}\n…\n{tail}"),
            };
            json!({
                "execution_id": request.id,
                "status": execution.status.word(),
                "start_timestamp": format!("{:.6}", execution.started),
                "action_name": request.action.name(),
                "action_ref": request.action,
                "runner_ref": request.runner,
                "parameters": request.parameters,
                "result": result::result(execution, &text),
            })
        });
    }

    /// An execution asks people something.
    pub(in crate::core::bot) fn asked_event(&mut self, request: &Requested, at: Timestamp) {
        let Some(inquiry) = request.inquiry.as_deref() else { return };
        let (id, route) = (request.id.clone(), inquiry.route.clone());
        self.happens(
            INQUIRY_TRIGGER,
            format!("{id}-asked"),
            at,
            chain_of(request),
            |_| json!({"id": id, "route": route}),
        );
    }

    /// A value is about to be set or deleted, by the fact at this place of its step. Secrets are told as they are kept.
    pub(in crate::core::bot) fn value_event(&mut self, fact: &Fact, moment: &Moment, place: usize) {
        let (key, now, by) = match fact {
            Fact::ValueSet { key, value, by, .. } => (key, Some(&**value), by),
            Fact::ValueDeleted { key, by, .. } => (key, None, by),
            _ => return,
        };
        let before = self.memory.datastore.get(key, moment.at).map(|entry| entry.value.clone());
        let chain = chain_of_principal(by);
        let id = |what: &str| {
            format!("{}-{what}-{}-{:016x}-{place}", key.reference(), moment.at.as_microsecond(), moment.entropy)
        };
        let object = |value: &Kept| described(key, value);
        match (before, now) {
            (None, Some(value)) => {
                self.happens(KEY_CREATED, id("created"), moment.at, chain, |_| json!({"object": object(value)}));
            }
            (Some(old), Some(value)) => {
                self.happens(
                    KEY_UPDATED,
                    id("updated"),
                    moment.at,
                    chain.clone(),
                    |_| json!({"object": object(value)}),
                );
                if old.text() != value.text() {
                    let both = |_: &Self| json!({"old_object": object(&old), "new_object": object(value)});
                    self.happens(KEY_CHANGED, id("changed"), moment.at, chain, both);
                }
            }
            (Some(old), None) => {
                self.happens(KEY_DELETED, id("deleted"), moment.at, chain, |_| json!({"object": object(&old)}));
            }
            (None, None) => {}
        }
    }

    /// Why an event cannot be brought on.
    pub(in crate::core::bot) fn injection(&self, injection: &Injection, at: Timestamp) -> Result<(), PlanProblem> {
        let Injection { trigger, payload, trace_tag } = injection.clone();
        let source = Source::Bot;
        let (id, parameters, chain) = (TriggerInstanceId::new("injected"), Map::new(), Vec::new());
        let instance = TriggerInstance { id, trigger, parameters, payload, occurred: at, trace_tag, source, chain };
        self.is_sound(&instance).map_err(|why| unusable("trigger", Flaw::NoEvent { why }))
    }

    /// An execution brings an event on: `core.inject_trigger`.
    pub(in crate::core::bot) fn inject(&mut self, request: &Requested, at: Timestamp, injection: Injection) {
        let Injection { trigger, payload, trace_tag } = injection;
        self.happened.push_back(TriggerInstance {
            id: injected(&request.id),
            trigger,
            parameters: Map::new(),
            payload,
            occurred: at,
            trace_tag,
            source: Source::Injected { execution: request.id.clone() },
            chain: chain_of(request),
        });
    }
}

/// The event that an execution of `core.inject_trigger` brings on.
fn injected(execution: &ExecutionId) -> TriggerInstanceId {
    TriggerInstanceId::new(format!("{execution}-injected"))
}

/// The rules that led to an execution.
fn chain_of(request: &Requested) -> Vec<RuleRef> {
    chain_of_principal(&request.by)
}

fn chain_of_principal(by: &Principal) -> Vec<RuleRef> {
    match by {
        Principal::Rule { rule, chain, .. } => chain.iter().chain([rule]).cloned().collect(),
        Principal::ChatUser { .. } | Principal::LocalUser { .. } => Vec::new(),
    }
}

/// A value as StackStorm's triggers show it.
fn described(key: &Key, value: &Kept) -> Value {
    json!({
        "name": key.name,
        "scope": if key.scope.user().is_some() { "st2kv.user" } else { "st2kv.system" },
        "value": value.text(),
        "secret": value.is_sealed(),
    })
}
