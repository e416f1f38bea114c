//! Parameters: what is given, brought together with what the action declares.
//!
//! All problems are found at once. Values that are given are cast and checked and never rendered; defaults with `{{` in them are rendered over
//! the other parameters, in an order that their names dictate.

use crate::core::action::schema;
use crate::core::action::spec::{Action, Parameter, ParameterType};
use crate::core::id::ActionRef;
use crate::core::template::render::{holds_template, names_inside, render_value};
use crate::core::template::value::{cast, written};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What stands for a secret wherever it would be seen.
pub const MASK: &str = "********";

/// Every parameter that has a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The values, cast to their types, in the order of their names.
    pub values: Map<String, Value>,
    /// Those that must not be seen: declared secret, or rendered from one that is.
    pub secrets: BTreeSet<String>,
    /// Those that were given and are not defaults.
    pub given: BTreeSet<String>,
    /// Those given by a pack and not by a person; see [`Resolved::trust`].
    pub trusted: BTreeSet<String>,
}

impl Resolved {
    /// The values with secrets masked, for people and for the record.
    pub fn masked(&self) -> Map<String, Value> {
        let mask = |(name, value): (&String, &Value)| {
            let hidden = self.secrets.contains(name) && !value.is_null();
            (name.clone(), if hidden { Value::from(MASK) } else { value.clone() })
        };
        self.values.iter().map(mask).collect()
    }

    /// Names that were given, but by the author of an alias: a format's defaults, its immutable parameters. They are taken as the pack's
    /// own words when it comes to what may stand in a shell command.
    pub fn trust(&mut self, names: impl IntoIterator<Item = String>) {
        self.trusted.extend(names);
    }
}

/// What is wrong with a parameter; each is a sentence for whoever gave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum ParameterProblem {
    /// The action has no such parameter.
    #[error("{action} has no parameter `{name}`{}", did_you_mean(.similar.as_deref()))]
    Unknown {
        /// The name as given.
        name: String,
        /// The action.
        action: ActionRef,
        /// What was probably meant.
        similar: Option<String>,
    },
    /// The action sets it itself.
    #[error("`{name}` cannot be given: {action} sets it itself")]
    Immutable {
        /// Which.
        name: String,
        /// The action.
        action: ActionRef,
    },
    /// There is no value.
    #[error("`{name}` is missing")]
    Required {
        /// Which.
        name: String,
    },
    /// The value cannot be read as the declared type.
    #[error("{}", not_of_its_type(.name, *.expected, .value.as_deref()))]
    Type {
        /// Which; `hosts[2]` for an item of a list.
        name: String,
        /// The declared type.
        expected: ParameterType,
        /// What was given; absent for a secret.
        value: Option<String>,
    },
    /// Not one of the values that are allowed.
    #[error("`{name}` must be {}{}", one_of(.allowed), but_not(.value.as_deref()))]
    NotAllowed {
        /// Which.
        name: String,
        /// The values that are.
        allowed: Vec<String>,
        /// What was given; absent for a secret.
        value: Option<String>,
    },
    /// Too small, too long, not of the pattern.
    #[error("`{name}` must {limit}{}", but_not(.value.as_deref()))]
    Limit {
        /// Which.
        name: String,
        /// `be at least 1`
        limit: String,
        /// What was given; absent for a secret.
        value: Option<String>,
    },
    /// The action's own default cannot be rendered. The one who asks can do nothing about it but give a value.
    #[error("the default of `{name}` in {action} does not work: {why}")]
    Default {
        /// Whose default.
        name: String,
        /// The action.
        action: ActionRef,
        /// What happened.
        why: String,
    },
}

impl ParameterProblem {
    /// The parameter that it is about.
    pub fn name(&self) -> &str {
        match self {
            Self::Unknown { name, .. }
            | Self::Immutable { name, .. }
            | Self::Required { name }
            | Self::Type { name, .. }
            | Self::NotAllowed { name, .. }
            | Self::Limit { name, .. }
            | Self::Default { name, .. } => name,
        }
    }
}

fn did_you_mean(similar: Option<&str>) -> String {
    similar.map(|similar| format!("; did you mean `{similar}`?")).unwrap_or_default()
}

fn but_not(value: Option<&str>) -> String {
    value.map(|value| format!(", not `{value}`")).unwrap_or_default()
}

fn one_of(allowed: &[String]) -> String {
    either(&allowed.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>())
}

/// `a, b or c`
pub(crate) fn either(words: &[String]) -> String {
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "nothing".into(),
    }
}

pub(crate) fn type_in_words(kind: ParameterType) -> &'static str {
    match kind {
        ParameterType::String => "text",
        ParameterType::Integer => "a whole number",
        ParameterType::Number => "a number",
        ParameterType::Boolean => "true or false",
        ParameterType::Array => "a list",
        ParameterType::Object => "a map like {\"name\": \"value\"}",
        ParameterType::Null => "nothing",
    }
}

/// `` `twelve` is not a whole number: `retries` wants one, as in `retries=3` ``
fn not_of_its_type(name: &str, expected: ParameterType, value: Option<&str>) -> String {
    let (word, one, example) = match expected {
        ParameterType::String => ("text", "that", "\"some words\""),
        ParameterType::Integer => ("a whole number", "one", "3"),
        ParameterType::Number => ("a number", "one", "2.5"),
        ParameterType::Boolean => ("true or false", "one of them", "true"),
        ParameterType::Array => ("a list", "one", "a,b"),
        ParameterType::Object => ("a map", "one", "{\"name\": \"value\"}"),
        ParameterType::Null => return format!("`{name}` must be nothing{}", but_not(value)),
    };
    // An item of a list is not given by its name.
    let as_in = if name.contains(['[', '.']) { String::new() } else { format!(", as in `{name}={example}`") };
    match value {
        Some(value) => format!("`{value}` is not {word}: `{name}` wants {one}{as_in}"),
        None => format!("`{name}` must be {word}{as_in}"),
    }
}

/// A value as a sentence quotes it: one line, not too long, nothing that ends the quotes.
pub(crate) fn quoted(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = written(value);
    let mut short: String = text.chars().take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short.replace(char::is_control, " ").replace('`', "'")
}

/// Brings together what is given and what the action declares.
///
/// # Errors
/// Every problem, those of one kind together and in the order of the parameters' names.
pub fn resolve(action: &Action, given: &BTreeMap<String, Value>) -> Result<Resolved, Vec<ParameterProblem>> {
    let mut problems = Vec::new();
    let mut cast_values = Map::new();
    for (name, value) in given {
        let Some(parameter) = action.parameters.get(name) else {
            let known = action.parameters.iter().filter(|(_, parameter)| !parameter.immutable);
            let similar = crate::core::alias::suggest::nearest(name, known.map(|(name, _)| name.as_str()));
            problems.push(ParameterProblem::Unknown {
                name: name.clone(),
                action: action.reference.clone(),
                similar: similar.map(str::to_owned),
            });
            continue;
        };
        if parameter.immutable {
            problems.push(ParameterProblem::Immutable { name: name.clone(), action: action.reference.clone() });
            continue;
        }
        match fit(name, parameter, value) {
            Ok(value) => {
                cast_values.insert(name.clone(), value);
            }
            Err(mut wrong) => {
                problems.append(&mut wrong);
                // Nothing more is said about what hangs on it.
                cast_values.insert(name.clone(), Value::Null);
            }
        }
    }
    let wrong: BTreeSet<String> = problems.iter().map(|problem| base(problem.name()).to_owned()).collect();
    let evaluated = evaluate(action, &cast_values, &wrong);
    let values = match evaluated {
        Ok(values) => values,
        Err(mut more) => {
            problems.append(&mut more);
            Map::new()
        }
    };
    if !problems.is_empty() {
        problems.sort();
        return Err(problems);
    }
    let given = given.keys().cloned().collect();
    Ok(Resolved { secrets: hidden(action, &given), values, given, trusted: BTreeSet::new() })
}

/// `hosts` of `hosts[2]`.
fn base(name: &str) -> &str {
    name.split(['[', '.']).next().unwrap_or(name)
}

/// Casts and checks one value.
fn fit(name: &str, parameter: &Parameter, value: &Value) -> Result<Value, Vec<ParameterProblem>> {
    let cast_value = match parameter.kind {
        Some(kind) => cast(value, kind).ok_or_else(|| {
            let value = (!parameter.secret).then(|| quoted(value));
            vec![ParameterProblem::Type { name: name.to_owned(), expected: kind, value }]
        })?,
        None => value.clone(),
    };
    if cast_value.is_null() {
        return Ok(cast_value);
    }
    schema::check(name, parameter, cast_value)
}

/// Adds the defaults to values that are cast already. Names in `wrong` are known to be bad; what needs them is passed over.
pub(crate) fn evaluate(
    action: &Action,
    given: &Map<String, Value>,
    wrong: &BTreeSet<String>,
) -> Result<Map<String, Value>, Vec<ParameterProblem>> {
    let mut defaults = Defaults { action, values: given.clone(), state: BTreeMap::new(), problems: Vec::new() };
    for name in wrong {
        defaults.state.insert(name.clone(), State::Failed);
    }
    for name in given.keys() {
        defaults.state.entry(name.clone()).or_insert(State::Done);
    }
    for (name, parameter) in &action.parameters {
        let done = defaults.value(name, &mut Vec::new());
        if done && parameter.required && defaults.values.get(name).is_none_or(Value::is_null) {
            defaults.problems.push(ParameterProblem::Required { name: name.clone() });
        }
    }
    if !defaults.problems.is_empty() {
        return Err(defaults.problems);
    }
    let mut values: Vec<(String, Value)> = defaults.values.into_iter().filter(|(_, value)| !value.is_null()).collect();
    values.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(values.into_iter().collect())
}

/// Where a parameter stands on the way to its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Done,
    Failed,
}

struct Defaults<'a> {
    action: &'a Action,
    values: Map<String, Value>,
    state: BTreeMap<String, State>,
    problems: Vec<ParameterProblem>,
}

impl Defaults<'_> {
    /// Finds the value of a parameter, those that it needs first. False when there is a problem with it, which has been noted.
    fn value(&mut self, name: &str, path: &mut Vec<String>) -> bool {
        match self.state.get(name) {
            Some(State::Done) => return true,
            Some(State::Failed) => return false,
            Some(State::Open) => {
                let circle = path.iter().skip_while(|on_path| *on_path != name).map(|name| format!("`{name}`"));
                let circle = circle.chain([format!("`{name}`")]).collect::<Vec<_>>().join(" needs ");
                return self.fail(name, format!("it needs itself: {circle}"));
            }
            None => {}
        }
        let Some(parameter) = self.action.parameters.get(name) else { return false };
        let Some(default) = &parameter.default else {
            self.state.insert(name.to_owned(), State::Done);
            return true;
        };
        let value = if holds_template(default) {
            self.state.insert(name.to_owned(), State::Open);
            path.push(name.to_owned());
            let rendered = self.rendered(name, default, path);
            path.pop();
            match rendered {
                Some(value) => value,
                None => {
                    self.state.insert(name.to_owned(), State::Failed);
                    return false;
                }
            }
        } else {
            default.clone()
        };
        match fit(name, parameter, &value) {
            Ok(value) => {
                self.values.insert(name.to_owned(), value);
                self.state.insert(name.to_owned(), State::Done);
                true
            }
            Err(mut problems) => {
                let why = problems.pop().map(|problem| problem.to_string()).unwrap_or_default();
                self.fail(name, why)
            }
        }
    }

    fn rendered(&mut self, name: &str, default: &Value, path: &mut Vec<String>) -> Option<Value> {
        let needed = match names_inside(default) {
            Ok(needed) => needed,
            Err(error) => {
                self.fail(name, error.to_string());
                return None;
            }
        };
        for needed in &needed {
            if !self.action.parameters.contains_key(needed) {
                self.fail(name, format!("it needs `{needed}`, and there is no such parameter"));
                return None;
            }
            if !self.value(needed, path) {
                return None;
            }
        }
        // As in StackStorm, a parameter that nobody gave is there and is nothing. Names that were not seen are not there: whatever a
        // template manages to hide from the search for names, it cannot put into its text either.
        let context = needed
            .into_iter()
            .map(|needed| {
                let value = self.values.get(&needed).cloned().unwrap_or_default();
                (needed, value)
            })
            .collect();
        match render_value(default, &context) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fail(name, error.to_string());
                None
            }
        }
    }

    fn fail(&mut self, name: &str, why: String) -> bool {
        self.state.insert(name.to_owned(), State::Failed);
        self.problems.push(ParameterProblem::Default {
            name: name.to_owned(),
            action: self.action.reference.clone(),
            why,
        });
        false
    }
}

/// Every parameter that the default of `name` takes its value from, through other defaults as far as they are in force.
pub(crate) fn sources(action: &Action, name: &str, given: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        if given.contains(&name) {
            continue;
        }
        let default = action.parameters.get(&name).and_then(|parameter| parameter.default.as_ref());
        for needed in default.and_then(|default| names_inside(default).ok()).unwrap_or_default() {
            if found.insert(needed.clone()) {
                open.push(needed);
            }
        }
    }
    found
}

/// Parameters that are secret, or that a secret is rendered into.
fn hidden(action: &Action, given: &BTreeSet<String>) -> BTreeSet<String> {
    let secret = |name: &String| action.parameters.get(name).is_some_and(|parameter| parameter.secret);
    let hides = |name: &&String| secret(name) || sources(action, name, given).iter().any(secret);
    action.parameters.keys().filter(hides).cloned().collect()
}
