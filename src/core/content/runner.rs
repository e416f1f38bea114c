//! The runners: which there are, and the parameters that each brings to its actions.

use super::fields::{Report, Table};
use super::yaml::{self, Node, Value};
use crate::core::action::spec::RunnerType;
use serde_json::Map;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The runners that exist here.
pub(crate) const BUILT: &[RunnerType] = &RunnerType::ALL;

/// StackStorm's other runners.
pub(crate) const NOT_BUILT: &[&str] =
    &["action-chain", "python-script", "winrm-cmd", "winrm-ps-cmd", "winrm-ps-script"];

/// Runners that StackStorm itself has given up, and what its own releases put in their place.
pub(crate) const REMOVED: &[(&str, &str)] = &[
    ("cloudslang", "orquesta"),
    ("mistral-v2", "orquesta"),
    ("run-local", "local-shell-cmd"),
    ("run-local-script", "local-shell-script"),
    ("run-python", "python-script"),
    ("run-remote", "remote-shell-cmd"),
    ("run-remote-script", "remote-shell-script"),
    ("windows-cmd", "winrm-cmd"),
    ("windows-script", "winrm-ps-script"),
];

/// A runner's own parameters, as schemas by name.
pub(crate) type Schemas = BTreeMap<String, Map<String, serde_json::Value>>;

static PARAMETERS: LazyLock<BTreeMap<String, Schemas>> = LazyLock::new(|| {
    let (root, _) = yaml::read("built in: runners.yaml", include_str!("builtin/runners.yaml"));
    let runners = root.as_ref().map(entries).unwrap_or_default();
    runners.into_iter().map(|(runner, node)| (runner, schemas(node))).collect()
});

/// The parameters of a runner that exists here.
pub(crate) fn parameters(runner: RunnerType) -> &'static Schemas {
    PARAMETERS
        .get(runner.word())
        .expect("builtin/runners.yaml has a section for every runner, and a test reads all of them")
}

fn schemas(node: &Node) -> Schemas {
    entries(node).into_iter().filter_map(|(name, schema)| Some((name, schema.json().as_object()?.clone()))).collect()
}

fn entries(node: &Node) -> Vec<(String, &Node)> {
    match &node.value {
        Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), &entry.node)).collect(),
        _ => Vec::new(),
    }
}

/// What an action may change about a parameter that its runner declares.
const OVERRIDABLE: &[&str] = &["default", "description", "enum", "immutable", "required"];

/// Lays an action's word on a runner's parameter over the runner's own.
pub(crate) fn overlay(
    runner: RunnerType,
    own: &Map<String, serde_json::Value>,
    table: &Table<'_>,
    report: &mut Report<'_>,
) -> Map<String, serde_json::Value> {
    let mut merged = own.clone();
    for entry in table.entries {
        let said = entry.node.json();
        let path = table.path_of(&entry.key);
        let line = Some(entry.line);
        let equal = own.get(&entry.key) == Some(&said);
        if entry.key == "immutable" && own.contains_key("immutable") {
            report.error(line, &path, format!("the runner {} fixes this already", runner.word()));
        } else if !equal && !OVERRIDABLE.contains(&entry.key.as_str()) {
            let list = OVERRIDABLE.join(", ");
            let message =
                format!("belongs to the runner {}, and an action changes only {list} of its parameters", runner.word());
            report.error(line, &path, message);
        }
        merged.insert(entry.key.clone(), said);
    }
    merged
}
