//! An action as its file says it, runner parameters merged in.

use crate::core::action::execution::EffectClass;
use crate::core::id::ActionRef;
use serde_json::Value;
use std::collections::BTreeMap;

/// An action (StackStorm `actions/*.yaml`).
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// `pack.name`.
    pub reference: ActionRef,
    /// For help.
    pub description: String,
    /// A disabled action is loaded and cannot be run.
    pub enabled: bool,
    /// What carries it out.
    pub runner: RunnerType,
    /// The action's own parameters and the runner's, overrides applied.
    pub parameters: BTreeMap<String, Parameter>,
    /// Names of the parameters that the runner declares; they go to the runner, the rest is the action's.
    pub runner_parameters: Vec<String>,
    /// What it can do to the world: its `effect` tag, or a policy, or the default.
    pub effect: EffectClass,
    /// A policy (`action.effect` with `raw: true`) lets values with shell characters into its templates.
    pub raw: bool,
    /// The file that it came from, as shown in messages; `built in` for the core pack.
    pub file: String,
    /// SHA-256 of the file's text.
    pub content: String,
}

/// The runners that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunnerType {
    /// `local-shell-cmd`
    LocalShellCmd,
    /// `remote-shell-cmd`
    RemoteShellCmd,
    /// `noop`
    Noop,
    /// Waits. StackStorm's `core.pause` is a Python script; ours is a stored deadline.
    Pause,
}

impl RunnerType {
    /// StackStorm's spelling.
    pub fn word(self) -> &'static str {
        match self {
            RunnerType::LocalShellCmd => "local-shell-cmd",
            RunnerType::RemoteShellCmd => "remote-shell-cmd",
            RunnerType::Noop => "noop",
            RunnerType::Pause => "pause",
        }
    }
}

/// A parameter's schema: the part of JSON Schema draft 4 that StackStorm's packs use, with boolean `required`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameter {
    /// Absent means any.
    pub kind: Option<ParameterType>,
    /// For help.
    pub description: String,
    /// Used when nothing is given. A string with `{{` is a template over the other parameters.
    pub default: Option<Value>,
    /// Must have a value.
    pub required: bool,
    /// Cannot be given.
    pub immutable: bool,
    /// Masked everywhere but in the run.
    pub secret: bool,
    /// The only values allowed.
    pub choices: Option<Vec<Value>>,
    /// The order of positional arguments.
    pub position: Option<u64>,
    /// The whole schema as written, for what has no field of its own (`items`, `properties`, `minimum`, ...).
    pub schema: serde_json::Map<String, Value>,
}

/// The types a parameter can declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ParameterType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// A list.
    Array,
    /// A map.
    Object,
    /// Nothing.
    Null,
}
