//! A rule tried on an event, without anything that runs: what each criterion says, and what its action would be asked for with.

use super::criterion::Scene;
use super::parameters::{self, Problem};
use super::spec::{Explained, Rule, Verdict};
use crate::core::action::execution::EffectClass;
use crate::core::action::params::MASK;
use crate::core::action::run::Parting;
use crate::core::action::spec::{Action, Parameter, RunnerType};
use crate::core::id::TriggerRef;
use crate::core::template::surroundings::{Entry, Fixed, Surroundings};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// An event to try a rule on.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What happened.
    pub trigger: TriggerRef,
    /// The parameters of its trigger; those of the rule where they are not given.
    pub parameters: Option<Map<String, Value>>,
    /// What is known of it.
    pub payload: Value,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The rule would start its action.
    pub matched: bool,
    /// The event is one that the rule listens to.
    pub heard: bool,
    /// It is sent for another reason than a problem, and the rule does not look at that.
    pub no_problem: bool,
    /// The payload is empty, and the rule asks something of it.
    pub empty: bool,
    /// What each criterion says.
    pub criteria: Vec<Explained>,
    /// The action's parameters, secrets masked; absent where they were not rendered.
    pub parameters: Option<Map<String, Value>>,
    /// Why they cannot be had.
    pub problems: Vec<Problem>,
}

/// Tries a rule as if it were in force. Without its action the types of parameters are not known, and their values are as the templates give them.
pub fn attempt(rule: &Rule, action: Option<&Action>, event: &Event, around: &Surroundings, now: Timestamp) -> Trial {
    let Event { trigger, parameters, payload } = event;
    let heard = *trigger == rule.trigger && parameters.as_ref().is_none_or(|given| rule.hears(given));
    let scene = Scene::new(payload, around, now);
    let verdict = rule.judge(&scene, payload);
    let criteria = rule.explain(&scene);
    let empty = verdict == Verdict::Differs && criteria.iter().all(|explained| explained.holds);
    let no_problem = heard && !rule.is_for(payload);
    let mut trial =
        Trial { matched: false, heard, no_problem, empty, criteria, parameters: None, problems: Vec::new() };
    if !heard || no_problem || verdict != Verdict::Matches {
        return trial;
    }
    let unknown;
    let action = match action {
        Some(action) => action,
        None => {
            unknown = unknown_action(rule);
            &unknown
        }
    };
    let entry = |value: Value| Arc::new(Fixed(Entry { value, secret: false, trusted: false }));
    let context = json!({
        "rule": {"id": rule.reference, "name": rule.reference},
        "trigger_instance": {"id": "", "name": trigger},
        "user": "halcyon",
        "pack": rule.action.pack(),
    });
    let around =
        around.clone().with("trigger", entry(payload.clone()) as _).with("action_context", entry(context) as _);
    match parameters::render(rule, action, &around) {
        Ok(rendered) => {
            let secret = |name: &String| {
                rendered.hidden.contains(name) || action.parameters.get(name).is_some_and(|parameter| parameter.secret)
            };
            let mask = |(name, value): (&String, &Value)| {
                (name.clone(), if secret(name) { Value::from(MASK) } else { value.clone() })
            };
            trial.parameters = Some(rendered.given.iter().map(mask).collect());
            trial.matched = true;
        }
        Err(problems) => trial.problems = problems,
    }
    trial
}

/// An action that takes what the rule gives.
fn unknown_action(rule: &Rule) -> Action {
    Action {
        reference: rule.action.clone(),
        description: String::new(),
        enabled: true,
        runner: RunnerType::Noop,
        parameters: rule.parameters.keys().map(|name| (name.clone(), Parameter::default())).collect(),
        runner_parameters: Vec::new(),
        effect: EffectClass::Destructive,
        raw: false,
        parting: Parting::default(),
        out_of_service: Vec::new(),
        file: String::new(),
        content: String::new(),
        script: None,
        workflow: None,
        notify: None,
        secret_output: Vec::new(),
    }
}
