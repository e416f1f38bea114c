//! The parameters of a rule's action, rendered once, when an event has matched.
//!
//! They are templates over the other parameters, as the defaults of an action are, and over `trigger`, `st2kv`, `action_context` and
//! `config_context`. The words of a rule are its pack's own. **What comes from the event is not, wherever it goes**: a value of it that is put
//! into a command, through however many parameters, may hold nothing that a shell acts on; what it gives where machines are named has to be the
//! name of one; and what it gives as a parameter is handed on as if a stranger had typed it.

use super::spec::Rule;
use crate::core::action::params::{self, ParameterProblem, Resolved};
use crate::core::action::plan::{PlanProblem, untainted};
use crate::core::action::spec::{Action, Parameter};
use crate::core::alias::suggest::takes_hosts;
use crate::core::host::is_name;
use crate::core::template::render::{holds_template, is_template, names_inside, render_value_in};
use crate::core::template::surroundings::{Surroundings, Taken};
use crate::core::template::value::written;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What templates of a rule may look at, besides the parameters of its action.
pub const LOOKED_AT: [&str; 5] = ["trigger", "st2kv", "system", "action_context", "config_context"];

/// Parameters as an action is asked for with them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rendered {
    /// The values.
    pub given: BTreeMap<String, Value>,
    /// Names of those that are the pack's own words.
    pub trusted: Vec<String>,
    /// Names of those that a secret was put into.
    pub hidden: BTreeSet<String>,
}

/// Why they cannot be had. Each is a sentence.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// A template of the rule fails.
    #[error("`{name}` cannot be had: {why} ({file}: {at}.{name})")]
    Template {
        /// Of this parameter.
        name: String,
        /// What happened.
        why: String,
        /// Where it stands.
        file: String,
        /// And where there.
        at: &'static str,
    },
    /// A value of the event names something else than one machine.
    #[error("`{taken}` is `{value}`, which is not the name of a machine, and `{name}` takes machines")]
    NoMachine {
        /// The parameter.
        name: String,
        /// The value's name.
        taken: String,
        /// The value.
        value: String,
    },
    /// The event would name a variable of the environment.
    #[error("names of variables in `env` cannot be templates ({file}: {at}.env)")]
    Environment {
        /// Where it stands.
        file: String,
        /// And where there.
        at: &'static str,
    },
    /// The action does not take them.
    #[error("{0}")]
    Parameter(#[from] ParameterProblem),
    /// A shell would act on a value of the event.
    #[error("{0}")]
    Tainted(#[from] PlanProblem),
}

/// Renders them over an event; `surroundings` hold it under the name `trigger`.
///
/// # Errors
/// Every problem with a parameter, or the first value of the event that may not go where the rule wants it.
pub fn render(rule: &Rule, action: &Action, surroundings: &Surroundings) -> Result<Rendered, Vec<Problem>> {
    if rule.parameters.get("env").is_some_and(names_variables_by_templates) {
        return Err(vec![Problem::Environment { file: rule.file.clone(), at: rule.parameters_at }]);
    }
    if !rule.parameters.values().any(holds_template) {
        let given = rule.parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        return Ok(Rendered { given, trusted: rule.parameters.keys().cloned().collect(), hidden: BTreeSet::new() });
    }
    let as_defaults = as_defaults(rule, action);
    let mut rendered = Rendered::default();
    for (name, written) in rule.parameters.iter().filter(|(name, _)| hides(name, action)) {
        let value = render_value_in(written, &Map::new(), surroundings).map_err(|why| {
            vec![Problem::Template {
                name: name.clone(),
                why: why.to_string(),
                file: rule.file.clone(),
                at: rule.parameters_at,
            }]
        })?;
        rendered.take(name, value.output, &value.taken.iter().collect::<Vec<_>>());
    }
    let resolved = params::resolve_in(&as_defaults, &BTreeMap::new(), surroundings);
    let resolved =
        resolved.map_err(|problems| problems.into_iter().map(|problem| told(rule, problem)).collect::<Vec<_>>())?;
    check_machines(&as_defaults, &resolved).map_err(|problem| vec![problem])?;
    untainted(&as_defaults, &resolved).map_err(|problem| vec![problem.into()])?;
    for (name, written) in rule.parameters.iter().filter(|(name, _)| !hides(name, action)) {
        let value = match resolved.values.get(name) {
            Some(value) if holds_template(written) => value.clone(),
            None if holds_template(written) && as_defaults.parameters.contains_key(name) => Value::Null,
            _ => written.clone(),
        };
        let taken: Vec<&Taken> = taken_by(&as_defaults, &resolved, name).collect();
        rendered.take(name, value, &taken);
    }
    Ok(rendered)
}

impl Rendered {
    fn take(&mut self, name: &str, value: Value, taken: &[&Taken]) {
        if taken.iter().all(|taken| taken.entry.trusted) || is_plain_data(name) {
            self.trusted.push(name.to_owned());
        }
        if taken.iter().any(|taken| taken.entry.secret) {
            self.hidden.insert(name.to_owned());
        }
        self.given.insert(name.to_owned(), value);
    }
}

/// Whether a parameter of the action has the name of something that a rule's templates look at. There the name means that, and the parameter is
/// no part of what they can look at.
fn hides(name: &str, action: &Action) -> bool {
    LOOKED_AT.contains(&name) && action.parameters.contains_key(name)
}

/// Names of the rule's parameters by which text of the event gets into a shell command.
pub fn reaches_shell(rule: &Rule, action: &Action) -> Vec<String> {
    let as_defaults = as_defaults(rule, action);
    let sources = params::sources(&as_defaults, "cmd", &BTreeSet::new());
    let speaks = |value: &Value| names_inside(value).is_ok_and(|names| names.contains("trigger"));
    let reaches = |name: &String| name == "cmd" || (sources.contains(name) && name != "hosts");
    rule.parameters
        .iter()
        .filter(|(name, value)| reaches(name) && speaks(value))
        .map(|(name, _)| name.clone())
        .collect()
}

/// The action with the rule's parameters as its defaults: they are found in the same order, cast and checked as these are.
fn as_defaults(rule: &Rule, action: &Action) -> Action {
    let mut changed = action.clone();
    changed.parameters.retain(|name, _| !LOOKED_AT.contains(&name.as_str()));
    for (name, value) in &rule.parameters {
        if let Some(parameter) = changed.parameters.get_mut(name) {
            let default = Some(value.clone()).filter(|value| !value.is_null());
            *parameter = Parameter { default, ..parameter.clone() };
        }
    }
    changed
}

/// What a problem of those defaults is to whoever wrote the rule.
fn told(rule: &Rule, problem: ParameterProblem) -> Problem {
    match problem {
        ParameterProblem::Default { name, why, .. } if rule.parameters.contains_key(&name) => {
            Problem::Template { name, why, file: rule.file.clone(), at: rule.parameters_at }
        }
        other => other.into(),
    }
}

/// Everything of the surroundings that went into a parameter, by way of others, too.
fn taken_by<'r>(action: &Action, resolved: &'r Resolved, name: &str) -> impl Iterator<Item = &'r Taken> {
    let sources = params::sources(action, name, &resolved.given);
    let names = sources.into_iter().chain([name.to_owned()]);
    names.filter_map(|name| resolved.taken.get(&name)).flatten()
}

/// A value of the event that stands where machines are named is the name of one: no group, no range, no list.
fn check_machines(action: &Action, resolved: &Resolved) -> Result<(), Problem> {
    for name in action.parameters.keys().filter(|name| takes_hosts(name)) {
        for taken in taken_by(action, resolved, name).filter(|taken| !taken.entry.trusted) {
            let value = written(&taken.entry.value);
            if !is_name(&value) {
                let (name, taken) = (name.clone(), taken.name.clone());
                return Err(Problem::NoMachine { name, taken, value: params::quoted(&Value::from(value)) });
            }
        }
    }
    Ok(())
}

fn names_variables_by_templates(env: &Value) -> bool {
    match env {
        Value::String(text) => is_template(text),
        Value::Object(map) => map.keys().any(|name| is_template(name)),
        _ => false,
    }
}

/// What a command gets without a shell reading it: the values of its environment, whose names are the pack's own.
fn is_plain_data(name: &str) -> bool {
    name == "env"
}
