//! Examples beside aliases: what people say, and what has to come of it. A pack keeps them in `tests/aliases.yaml`, where StackStorm has a pack's
//! tests, and in the files of `tests/aliases/`.
//!
//! ```yaml
//! - say: uptime on wn001
//!   expect: {action: site.uptime, parameters: {hosts: wn001}}
//! - say: make coffee
//!   expect: nothing
//! - say: restart nginx
//!   expect: {asks: [site.service_restart, site.service_reload]}
//! - say: uptime on
//!   expect: {lacks: hosts}
//! - say: log sshd on wn001 20
//!   expect: {resolved: {cmd: journalctl -u sshd -n 20 --no-pager}}
//! - say: log sshd on wn001 99999
//!   expect: {refused: must be at most 5000}
//! ```
//!
//! A list under `expect` is for a line that starts several executions, in their order. `parameters` are all that the line and the alias give, as the action takes
//! them; `resolved` are some of all that the action then has, its defaults rendered. `refused` is a part of what is said of a line whose values
//! the action does not take.

use super::Catalog;
use super::diagnostic::Diagnostic;
use super::fields::{Report, Table, wrong_kind};
use super::yaml::{self, Node, Value};
use crate::core::action::params::{self, ParameterProblem, Resolved};
use crate::core::action::plan::{PlanProblem, plan};
use crate::core::alias::matcher::{Match, Selection};
use crate::core::host::Inventory;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// One example.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The line.
    pub say: String,
    /// Where it stands in its file.
    pub line: usize,
    expected: Expected,
}

#[derive(Debug, Clone, PartialEq)]
enum Expected {
    Nothing,
    Asks(Vec<String>),
    Lacks(String),
    Refused(String),
    Runs(Vec<Wanted>),
}

/// What one execution has to be like; what is not said is not looked at.
#[derive(Debug, Clone, Default, PartialEq)]
struct Wanted {
    alias: Option<String>,
    action: Option<String>,
    parameters: Option<Map<String, Json>>,
    resolved: Map<String, Json>,
}

/// Reads a file of examples.
pub fn read(file: &str, text: &str) -> (Vec<Example>, Vec<Diagnostic>) {
    let (root, diagnostics) = yaml::read(file, text);
    let mut report = Report::new(file);
    report.diagnostics = diagnostics;
    let examples = match root.as_ref().map(|root| (&root.value, root)) {
        Some((Value::List(items), _)) => {
            let items = items.iter().enumerate();
            items.filter_map(|(at, item)| example(item, &format!("[{at}]"), &mut report)).collect()
        }
        Some((Value::Null, _)) | None => Vec::new(),
        Some((_, root)) => {
            wrong_kind(root, root.line, "", "a list of examples", &mut report);
            Vec::new()
        }
    };
    (examples, report.diagnostics)
}

fn example(item: &Node, path: &str, report: &mut Report<'_>) -> Option<Example> {
    let table = Table::nested(item, item.line, path.to_owned(), report)?;
    table.only(&["say", "expect"], report);
    let say = table.required_text("say", report);
    let Some(expect) = table.entry("expect") else {
        table.missing("expect", report);
        return None;
    };
    let path = table.path_of("expect");
    let expected = match &expect.node.value {
        Value::Text(word) if word == "nothing" => Expected::Nothing,
        Value::Map(_) => {
            let inner = Table::nested(&expect.node, expect.line, path, report)?;
            if inner.entry("asks").is_some() {
                inner.only(&["asks"], report);
                Expected::Asks(inner.texts("asks", report).into_iter().map(str::to_owned).collect())
            } else if inner.entry("lacks").is_some() {
                inner.only(&["lacks"], report);
                Expected::Lacks(inner.text("lacks", report)?.to_owned())
            } else if inner.entry("refused").is_some() {
                inner.only(&["refused"], report);
                Expected::Refused(inner.text("refused", report)?.to_owned())
            } else {
                Expected::Runs(vec![wanted(&inner, report)])
            }
        }
        Value::List(items) => {
            let mut several = Vec::new();
            for (at, item) in items.iter().enumerate() {
                let inner = Table::nested(item, item.line, format!("{path}[{at}]"), report)?;
                several.push(wanted(&inner, report));
            }
            Expected::Runs(several)
        }
        _ => {
            wrong_kind(&expect.node, expect.line, &path, "`nothing`, a map or a list of maps", report);
            return None;
        }
    };
    Some(Example { say: say?.to_owned(), line: item.line, expected })
}

fn wanted(table: &Table<'_>, report: &mut Report<'_>) -> Wanted {
    table.only(&["alias", "action", "parameters", "resolved"], report);
    Wanted {
        alias: table.text("alias", report).map(str::to_owned),
        action: table.text("action", report).map(str::to_owned),
        parameters: table.entry("parameters").map(|_| table.free_map("parameters", report)),
        resolved: table.free_map("resolved", report),
    }
}

/// The parameters of a match as its action would get them; as they were written where the action would refuse them. Templates of immutable
/// parameters stay as they are: they hang on who asks, and where.
pub fn parameters(catalog: &Catalog, found: &Match) -> Map<String, Json> {
    let given = given(found);
    match resolve(catalog, found) {
        Some(Ok(resolved)) => resolved.masked().into_iter().filter(|(name, _)| given.contains_key(name)).collect(),
        _ => given.into_iter().collect(),
    }
}

/// What the line and the alias give.
fn given(found: &Match) -> BTreeMap<String, Json> {
    let given = found.parameters.iter().map(|(name, value)| (name.clone(), Json::String(value.clone())));
    let fixed = found.alias.immutable_parameters.iter().map(|(name, value)| (name.clone(), value.clone()));
    given.chain(fixed).collect()
}

/// All that the action then has; nothing where there is no such action.
fn resolve(catalog: &Catalog, found: &Match) -> Option<Result<Resolved, Vec<ParameterProblem>>> {
    let action = catalog.actions.get(&found.alias.action)?;
    let config = catalog.configs.get(found.alias.action.pack()).cloned().unwrap_or_default();
    Some(params::resolve_in(action, &given(found), &config.at_rest()))
}

/// What the action says of the values of a line, where it does not take them.
fn refusals(catalog: &Catalog, found: &Match) -> Vec<String> {
    match resolve(catalog, found) {
        Some(Err(problems)) => problems.iter().map(ToString::to_string).collect(),
        Some(Ok(resolved)) => {
            let Some(action) = catalog.actions.get(&found.alias.action) else { return Vec::new() };
            match plan(action, &resolved, &Inventory::default()) {
                Err(problem @ PlanProblem::Tainted { .. }) => vec![problem.to_string()],
                _ => Vec::new(),
            }
        }
        None => Vec::new(),
    }
}

impl Example {
    /// What came of the line, where that is not what was expected: first what was, then what came.
    pub fn judge(&self, catalog: &Catalog) -> Option<(String, String)> {
        let selection = catalog.select_among(&self.say, &|_| true);
        let lacks: Vec<String> = match selection {
            Selection::None => {
                catalog.matcher.lacking(&self.say, &|_| true).into_iter().map(|lacking| lacking.parameter).collect()
            }
            _ => Vec::new(),
        };
        let refused: Vec<String> = match &selection {
            Selection::One(found) => found.all().flat_map(|found| refusals(catalog, found)).collect(),
            _ => Vec::new(),
        };
        let good = match (&self.expected, &selection) {
            (Expected::Nothing, Selection::None) => true,
            (Expected::Lacks(name), Selection::None) => lacks == [name.clone()],
            (Expected::Refused(part), Selection::One(_)) => refused.iter().any(|said| said.contains(part.as_str())),
            (Expected::Asks(names), Selection::Ambiguous(found)) => {
                let mut found: Vec<&str> = found.iter().map(|found| found.alias.reference.as_str()).collect();
                let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
                found.sort_unstable();
                names.sort_unstable();
                found == names
            }
            (Expected::Runs(wanted), Selection::One(found)) => {
                let found: Vec<&Match> = found.all().collect();
                found.len() == wanted.len()
                    && found.iter().zip(wanted).all(|(found, wanted)| fits(catalog, found, wanted))
            }
            _ => false,
        };
        let lack = |names: &[String]| format!("nothing, for lack of {}", names.join(" or "));
        let came = match &selection {
            Selection::None if lacks.is_empty() => "nothing".to_owned(),
            Selection::None => lack(&lacks),
            Selection::One(found) => {
                let ran = found.all().map(|found| {
                    let given = Json::Object(parameters(catalog, found));
                    let resolved = match (&self.expected, resolve(catalog, found)) {
                        (Expected::Runs(wanted), Some(Ok(resolved))) => shown(wanted, &resolved.masked()),
                        _ => String::new(),
                    };
                    format!("{} by {} with {given}{resolved}", found.alias.action, found.alias.reference)
                });
                let ran = ran.collect::<Vec<_>>().join(", ");
                if refused.is_empty() { ran } else { format!("{ran}, refused: {}", refused.join("; ")) }
            }
            Selection::Ambiguous(found) => {
                let names: Vec<&str> = found.iter().map(|found| found.alias.reference.as_str()).collect();
                format!("a question which of {} is meant", names.join(", "))
            }
            Selection::Undecided(_) => "no decision: the line is too difficult".to_owned(),
        };
        let expected = match &self.expected {
            Expected::Nothing => "nothing".to_owned(),
            Expected::Lacks(name) => lack(std::slice::from_ref(name)),
            Expected::Refused(part) => format!("a refusal: {part}"),
            Expected::Asks(names) => format!("a question which of {} is meant", names.join(", ")),
            Expected::Runs(wanted) => wanted.iter().map(Wanted::to_string).collect::<Vec<_>>().join(", "),
        };
        (!good).then_some((expected, came))
    }
}

fn fits(catalog: &Catalog, found: &Match, wanted: &Wanted) -> bool {
    wanted.alias.as_ref().is_none_or(|alias| found.alias.reference.as_str() == alias)
        && wanted.action.as_ref().is_none_or(|action| found.alias.action.as_str() == action)
        && wanted.parameters.as_ref().is_none_or(|given| parameters(catalog, found) == *given)
        && (wanted.resolved.is_empty()
            || resolve(catalog, found).and_then(Result::ok).is_some_and(|resolved| {
                let values = resolved.masked();
                wanted.resolved.iter().all(|(name, value)| values.get(name).unwrap_or(&Json::Null) == value)
            }))
}

/// Those of the resolved values that are asked about.
fn shown(wanted: &[Wanted], values: &Map<String, Json>) -> String {
    let asked = wanted.iter().flat_map(|wanted| wanted.resolved.keys());
    let asked: Map<String, Json> =
        asked.map(|name| (name.clone(), values.get(name).cloned().unwrap_or_default())).collect();
    if asked.is_empty() { String::new() } else { format!(", resolved to {}", Json::Object(asked)) }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let action = self.action.as_deref().unwrap_or("any action");
        let alias = self.alias.as_ref().map(|alias| format!(" by {alias}")).unwrap_or_default();
        let given = self.parameters.as_ref().map(|given| format!(" with {}", Json::Object(given.clone())));
        let resolved = match self.resolved.is_empty() {
            true => String::new(),
            false => format!(", resolved to {}", Json::Object(self.resolved.clone())),
        };
        write!(f, "{action}{alias}{}{resolved}", given.unwrap_or_default())
    }
}
