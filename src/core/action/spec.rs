//! An action as its file says it, runner parameters merged in.

use crate::core::action::execution::EffectClass;
use crate::core::action::run::Parting;
use crate::core::id::ActionRef;
use crate::core::workflow::graph::Graph;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

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
    /// What becomes of the connection to a machine when it does what it should: its `connection` tag, or a policy.
    pub parting: Parting,
    /// Names of the parameters whose machines are out of service while it runs: its `out_of_service` tags, or a policy.
    pub out_of_service: Vec<String>,
    /// The file that it came from, as shown in messages; `built in` for the core pack.
    pub file: String,
    /// SHA-256 of the file's text, and of the texts of its script.
    pub content: String,
    /// What a script runner runs.
    pub script: Option<Arc<Script>>,
    /// What the workflow runner conducts.
    pub workflow: Option<Arc<Workflow>>,
    /// Who is told of its end, as the file says it.
    pub notify: Option<Arc<Notify>>,
    /// Names of properties that its `output_schema` calls secret.
    pub secret_output: Vec<String>,
}

/// The script of an action, as it was when the action was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its file, relative to the pack's `actions`: `checks/load.py`.
    pub entry_point: String,
    /// Its text.
    pub text: String,
    /// The files of the pack's `actions/lib`, by their paths in it.
    pub library: BTreeMap<String, String>,
    /// The pack's directory on the bot's own machine; absent for what is built in.
    pub pack: Option<String>,
}

impl Script {
    /// The file's own name.
    pub fn name(&self) -> &str {
        self.entry_point.rsplit('/').next().unwrap_or_default()
    }
}

/// The workflow of an action, as it was when the action was loaded.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// Its file, for messages.
    pub file: String,
    /// Its text. An execution keeps it, so that it is conducted to its end whatever becomes of the file.
    pub text: String,
    /// What the text says.
    pub graph: Arc<Graph>,
}

impl PartialEq for Workflow {
    fn eq(&self, other: &Self) -> bool {
        (&self.file, &self.text) == (&other.file, &other.text)
    }
}

/// StackStorm's `notify`: who is told of an end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Notify {
    /// However it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_complete: Option<Notification>,
    /// When it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_success: Option<Notification>,
    /// When it failed, its time was over, or nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Notification>,
}

/// What is said, and where.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// A template; StackStorm's own sentence where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Templates, said below the message.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub data: serde_json::Map<String, Value>,
    /// Channels by name.
    pub routes: Vec<String>,
}

/// The runners that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunnerType {
    /// `local-shell-cmd`
    LocalShellCmd,
    /// `local-shell-script`
    LocalShellScript,
    /// `remote-shell-cmd`
    RemoteShellCmd,
    /// `remote-shell-script`
    RemoteShellScript,
    /// `http-request`
    HttpRequest,
    /// `announcement`
    Announcement,
    /// `noop`
    Noop,
    /// Waits. StackStorm's `core.pause` is a Python script; ours is a stored deadline.
    Pause,
    /// Sends a mail. StackStorm's `core.sendmail` is a script around `sendmail`; ours speaks SMTP.
    Mail,
    /// `inquirer`: asks people, and waits for their answer.
    Inquirer,
    /// Gives a new UUID. StackStorm's `core.uuid` is a Python script.
    Uuid,
    /// Brings an event on. StackStorm's `core.inject_trigger` is a Python script.
    InjectTrigger,
    /// `monitoring`: asks something of a monitoring. StackStorm has packs with Python scripts for that.
    Monitoring,
    /// `orquesta`: a workflow. What runs are its tasks, each an execution of its own.
    Orquesta,
}

impl RunnerType {
    /// All of them.
    pub const ALL: [RunnerType; 14] = [
        RunnerType::LocalShellCmd,
        RunnerType::LocalShellScript,
        RunnerType::RemoteShellCmd,
        RunnerType::RemoteShellScript,
        RunnerType::HttpRequest,
        RunnerType::Announcement,
        RunnerType::Noop,
        RunnerType::Pause,
        RunnerType::Mail,
        RunnerType::Inquirer,
        RunnerType::Uuid,
        RunnerType::InjectTrigger,
        RunnerType::Monitoring,
        RunnerType::Orquesta,
    ];

    /// StackStorm's spelling.
    pub fn word(self) -> &'static str {
        match self {
            RunnerType::LocalShellCmd => "local-shell-cmd",
            RunnerType::LocalShellScript => "local-shell-script",
            RunnerType::RemoteShellCmd => "remote-shell-cmd",
            RunnerType::RemoteShellScript => "remote-shell-script",
            RunnerType::HttpRequest => "http-request",
            RunnerType::Announcement => "announcement",
            RunnerType::Noop => "noop",
            RunnerType::Pause => "pause",
            RunnerType::Mail => "mail",
            RunnerType::Inquirer => "inquirer",
            RunnerType::Uuid => "uuid",
            RunnerType::InjectTrigger => "inject-trigger",
            RunnerType::Monitoring => "monitoring",
            RunnerType::Orquesta => "orquesta",
        }
    }

    /// The runner of this word.
    pub fn of(word: &str) -> Option<RunnerType> {
        RunnerType::ALL.into_iter().find(|runner| runner.word() == word)
    }

    /// Whether it runs the script that the action's `entry_point` names.
    pub fn runs_script(self) -> bool {
        matches!(self, RunnerType::LocalShellScript | RunnerType::RemoteShellScript)
    }

    /// Whether its outcome is kept under the name of the bot's own machine.
    pub fn ends_here(self) -> bool {
        match self {
            RunnerType::LocalShellCmd
            | RunnerType::LocalShellScript
            | RunnerType::HttpRequest
            | RunnerType::Mail
            | RunnerType::Monitoring
            | RunnerType::Uuid => true,
            RunnerType::RemoteShellCmd
            | RunnerType::RemoteShellScript
            | RunnerType::Announcement
            | RunnerType::Inquirer
            | RunnerType::Noop
            | RunnerType::Pause
            | RunnerType::InjectTrigger
            | RunnerType::Orquesta => false,
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
