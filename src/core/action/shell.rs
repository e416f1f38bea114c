//! What a runner's parameters say of a shell command: the words between the values and a [`ShellCommand`].

use crate::core::action::flaw::Flaw;
use crate::core::action::launcher::{Place, arguments, launcher};
use crate::core::action::plan::PlanProblem;
use crate::core::action::run::{Parting, Secret, ShellCommand, Work};
use crate::core::action::spec::{Action, Script};
use crate::core::alert::order::Mark;
use crate::core::id::{ActionRef, ExecutionId};
use crate::core::template::value::written;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// The time that a command has when the action says nothing; StackStorm's.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn unusable(parameter: &str, why: Flaw) -> PlanProblem {
    PlanProblem::Unusable { parameter: parameter.to_owned(), why }
}

pub(super) fn text(values: &Map<String, Value>, name: &str) -> Option<String> {
    values.get(name).filter(|value| !value.is_null()).map(written)
}

/// The command of a runner for commands.
pub(super) fn command(values: &Map<String, Value>) -> Result<ShellCommand, PlanProblem> {
    let script = text(values, "cmd").filter(|script| !script.trim().is_empty());
    let script = script.ok_or_else(|| unusable("cmd", Flaw::NoCommand))?;
    if script.contains('\0') {
        return Err(unusable("cmd", Flaw::ZeroByte));
    }
    around(script, values)
}

/// The command of a runner for scripts.
pub(super) fn script(
    action: &Action,
    script: &Script,
    place: Place<'_>,
    values: &Map<String, Value>,
) -> Result<ShellCommand, PlanProblem> {
    if text(values, "content_version").is_some_and(|version| !version.is_empty()) {
        return Err(unusable("content_version", Flaw::ContentVersion));
    }
    let kwarg_op = text(values, "kwarg_op").unwrap_or_else(|| "--".to_owned());
    let arguments = arguments(action, values, &kwarg_op);
    if let Some(place) = arguments.iter().position(|argument| argument.contains('\0')) {
        return Err(unusable("the arguments", Flaw::ZeroByteAt { number: place + 1 }));
    }
    around(launcher(script, place, action.reference.pack(), &arguments), values)
}

/// Tells a command which execution it belongs to, by the names that StackStorm gave this; the action's own environment cannot change it. An order to a monitoring is
/// marked with the one who wants it.
pub(crate) fn identify(work: &mut Work, (action, by): (&ActionRef, &str), debug: bool, execution: &ExecutionId) {
    let command = match work {
        Work::Local(command) => command,
        Work::Remote(remote) => &mut remote.command,
        Work::Monitoring(order) => {
            order.mark = Mark { who: by.to_owned(), execution: execution.short().to_owned() };
            return;
        }
        Work::Http(_) | Work::Mail(_) => return,
    };
    let told = [
        ("ST2_ACTION_PACK_NAME", action.pack()),
        ("ST2_ACTION_EXECUTION_ID", execution.as_str()),
        ("ST2_ACTION_DEBUG", if debug { "True" } else { "False" }),
    ];
    command.env.extend(told.map(|(name, value)| (name.to_owned(), Secret::new(value))));
}

/// The text for the shell with its surroundings.
fn around(script: String, values: &Map<String, Value>) -> Result<ShellCommand, PlanProblem> {
    let cwd = text(values, "cwd").filter(|cwd| !cwd.is_empty());
    if cwd.as_ref().is_some_and(|text| text.contains('\0')) {
        return Err(unusable("cwd", Flaw::ZeroByte));
    }
    Ok(ShellCommand {
        script,
        cwd,
        env: environment(values)?,
        sudo: values.get("sudo") == Some(&Value::Bool(true)),
        sudo_password: text(values, "sudo_password").map(Secret::new),
        timeout: timeout(values)?,
        parting: Parting::default(),
        read_only: false,
    })
}

pub(super) fn timeout(values: &Map<String, Value>) -> Result<Duration, PlanProblem> {
    match values.get("timeout") {
        None | Some(Value::Null) => Ok(TIMEOUT),
        Some(value) => value
            .as_u64()
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs)
            .ok_or_else(|| unusable("timeout", Flaw::NotATimeout)),
    }
}

fn environment(values: &Map<String, Value>) -> Result<BTreeMap<String, Secret>, PlanProblem> {
    let Some(map) = values.get("env").and_then(Value::as_object) else { return Ok(BTreeMap::new()) };
    let mut environment = BTreeMap::new();
    for (name, value) in map.iter().filter(|(_, value)| !value.is_null()) {
        let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        if !starts || !name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_') {
            return Err(unusable("env", Flaw::NotVariables));
        }
        let value = written(value);
        if value.contains('\0') {
            return Err(unusable("env", Flaw::ZeroByte));
        }
        environment.insert(name.clone(), Secret::new(value));
    }
    Ok(environment)
}

/// A name that becomes an argument of ssh.
pub(super) fn login(values: &Map<String, Value>, name: &str) -> Result<Option<String>, PlanProblem> {
    let Some(value) = text(values, name).filter(|value| !value.is_empty()) else { return Ok(None) };
    let harmless = |character: char| character.is_ascii_alphanumeric() || "._-@:\\".contains(character);
    if value.starts_with('-') || !value.chars().all(harmless) {
        return Err(unusable(name, Flaw::NotAName));
    }
    Ok(Some(value))
}

pub(super) fn port(values: &Map<String, Value>) -> Result<Option<u16>, PlanProblem> {
    match values.get("port") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let port = value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
            port.map(Some).ok_or_else(|| unusable("port", Flaw::NotAPort))
        }
    }
}
