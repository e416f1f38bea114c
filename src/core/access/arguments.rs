//! Patterns over arguments, and the arguments themselves.
//!
//! A pattern is written as a glob (`wn*`), as a range of host names (`wn[001-050]`) or as a group of the inventory (`@storage`); several are
//! separated by commas or stand in a list, and one of them has to hold. `!` before one takes away what it covers.
//!
//! **Patterns are over what is resolved**, never over what was typed: the machines that an expression came to, a value after its cast, a
//! default after it was rendered. Each machine and each item of a list has to match. In a glob `*` stands for any text, commas and blanks among
//! it.

use crate::core::action::execution::Execution;
use crate::core::action::params::MASK;
use crate::core::action::spec::{Action, RunnerType};
use crate::core::alias::suggest::takes_hosts;
use crate::core::content::glob::covers;
use crate::core::host::{Inventory, expand};
use crate::core::id::Host;
use crate::core::template::render::holds_template;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// The parameter that names the machines of a runner that goes to some.
pub const HOSTS: &str = "hosts";

/// The longest value that is quoted.
const LONGEST: usize = 60;

/// What somebody wants to do something with.
#[derive(Debug, Clone, Copy)]
pub struct Arguments<'a> {
    /// The resolved values by name.
    pub values: &'a Map<String, Value>,
    /// Where it runs; empty where it goes to no machine, or where that is not known yet.
    pub hosts: &'a [Host],
    /// It runs on machines, which the parameter `hosts` names.
    pub remote: bool,
}

impl<'a> Arguments<'a> {
    /// Those of an action, before its machines are known.
    pub fn of(action: &Action, values: &'a Map<String, Value>) -> Self {
        Self { values, hosts: &[], remote: goes_to_machines(action.runner) }
    }

    /// Those of an execution, as they are remembered: its secrets are masks.
    pub fn of_execution(execution: &'a Execution) -> Self {
        let request = &execution.request;
        let remote = RunnerType::of(&request.runner).is_some_and(goes_to_machines);
        Self { values: &request.parameters, hosts: &request.hosts, remote }
    }

    /// Whether this parameter names the machines that it runs on.
    pub fn runs_on(&self, name: &str) -> bool {
        self.remote && name == HOSTS
    }

    /// Whether the value of a parameter is as wanted. What is not there is not, and neither is a secret that is known by its mask alone.
    pub(super) fn matches(&self, name: &str, wanted: &Patterns, inventory: &Inventory) -> bool {
        let value = self.values.get(name).filter(|value| value.as_str() != Some(MASK));
        value.is_some_and(|value| wanted.hold(name, value, inventory))
    }
}

/// Whether a runner goes to machines.
pub fn goes_to_machines(runner: RunnerType) -> bool {
    matches!(runner, RunnerType::RemoteShellCmd | RunnerType::RemoteShellScript)
}

/// What the value of one argument has to be like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns {
    written: Vec<String>,
    /// One of these holds, or there are none.
    some: Vec<Pattern>,
    /// None of these holds.
    none: Vec<Pattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    /// `wn*`
    Glob(String),
    /// `wn[001-050]`
    Hosts(Arc<BTreeSet<Host>>),
    /// `@storage`
    Group(String),
}

impl Patterns {
    /// Reads what is written for one argument.
    ///
    /// # Errors
    /// What is wrong with one of them, as the rest of a sentence about it.
    pub fn read<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, String> {
        let mut read = Self::default();
        for text in texts {
            read.written.push(text.trim().to_owned());
            for item in items(text) {
                match item.strip_prefix('!') {
                    Some(away) => read.none.push(Pattern::read(away.trim())?),
                    None => read.some.push(Pattern::read(item)?),
                }
            }
        }
        if read.some.is_empty() && read.none.is_empty() {
            return Err("says nothing".to_owned());
        }
        Ok(read)
    }

    /// The groups of the inventory that are named.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.some.iter().chain(&self.none).filter_map(|pattern| match pattern {
            Pattern::Group(name) => Some(name.as_str()),
            Pattern::Glob(_) | Pattern::Hosts(_) => None,
        })
    }

    /// Whether a machine is as wanted.
    pub fn holds_host(&self, host: &Host, inventory: &Inventory) -> bool {
        self.hold_text(host.as_str(), inventory)
    }

    /// Whether the value of a parameter is. A parameter that by its name takes hosts is read as the host expression that it is.
    pub fn hold(&self, name: &str, value: &Value, inventory: &Inventory) -> bool {
        match value {
            Value::Null => false,
            Value::Array(values) => !values.is_empty() && values.iter().all(|value| self.hold(name, value, inventory)),
            Value::String(text) if takes_hosts(name) => match expand(text, inventory) {
                Ok(machines) => machines.iter().all(|machine| self.holds_host(&machine.host, inventory)),
                Err(_) => false,
            },
            other => self.hold_text(&text_of(other), inventory),
        }
    }

    fn hold_text(&self, text: &str, inventory: &Inventory) -> bool {
        let held = |pattern: &Pattern| pattern.holds(text, inventory);
        // A group whose list cannot be had might hold anything.
        let known = |pattern: &Pattern| match pattern {
            Pattern::Group(name) => inventory.groups.contains_key(name),
            Pattern::Glob(_) | Pattern::Hosts(_) => true,
        };
        (self.some.is_empty() || self.some.iter().any(held))
            && self.none.iter().all(|pattern| known(pattern) && !held(pattern))
    }

    /// Whether there could be a value as wanted for a parameter of an action, where those in `known` are given.
    pub(super) fn could_hold(
        &self,
        name: &str,
        action: &Action,
        known: &BTreeMap<String, Value>,
        inventory: &Inventory,
    ) -> bool {
        let Some(parameter) = action.parameters.get(name) else { return false };
        let certain = |value: &&Value| !holds_template(value);
        let fixed = known.get(name).or_else(|| parameter.default.as_ref().filter(|_| parameter.immutable));
        match (fixed.filter(certain), &parameter.choices) {
            (Some(value), _) => self.hold(name, value, inventory),
            (None, Some(choices)) => choices.iter().any(|value| self.hold(name, value, inventory)),
            (None, None) => true,
        }
    }

    /// The part of a value that is not as wanted, for people; the whole of it where it has no parts.
    pub(super) fn odd_one(&self, value: &Value, inventory: &Inventory) -> String {
        let whole = || shortened(&text_of(value));
        match value {
            Value::Array(values) => {
                let odd = values.iter().find(|value| !self.hold_text(&text_of(value), inventory));
                odd.map_or_else(whole, |odd| shortened(&text_of(odd)))
            }
            _ => whole(),
        }
    }
}

/// As it is written.
impl fmt::Display for Patterns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written.join(", "))
    }
}

impl Pattern {
    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("has nothing between two commas".to_owned());
        }
        if let Some(name) = text.strip_prefix('@') {
            let sound = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
            return if sound { Ok(Self::Group(name.to_owned())) } else { Err(format!("names no group by `{text}`")) };
        }
        if text.contains('[') {
            let machines =
                expand(text, &Inventory::default()).map_err(|problem| format!("is no pattern: {problem}"))?;
            return Ok(Self::Hosts(Arc::new(machines.into_iter().map(|machine| machine.host).collect())));
        }
        Ok(Self::Glob(text.to_owned()))
    }

    fn holds(&self, text: &str, inventory: &Inventory) -> bool {
        match self {
            Self::Glob(glob) => covers(glob, text),
            Self::Hosts(hosts) => hosts.contains(&Host::new(text)),
            Self::Group(name) => inventory.groups.get(name).is_some_and(|members| members.contains(&Host::new(text))),
        }
    }
}

/// A value as patterns see it: text as it is, all else as JSON.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What stands between commas that are not inside brackets.
fn items(text: &str) -> Vec<&str> {
    let mut inside = false;
    let split = text.split(|character: char| {
        inside = match character {
            '[' => true,
            ']' => false,
            _ => inside,
        };
        character == ',' && !inside
    });
    split.map(str::trim).collect()
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}
