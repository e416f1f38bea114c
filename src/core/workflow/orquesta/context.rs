//! Variables that are used where nobody can have set them.
//!
//! As in Orquesta, a variable is known from where it is published on, along every path of the workflow, and is found by its look: `ctx(x)`,
//! `ctx('x')`, `ctx().x`.

use super::definition::{Definition, Named, Next, Said, Task};
use super::inline::arguments;
use super::semantics::Shape;
use super::{At, Problem};
use crate::core::content::suggest::did_you_mean;
use crate::core::workflow::expression::{Language, expressions};
use crate::core::workflow::graph::{Command, Join};
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, LazyLock};

type Known = BTreeSet<Arc<str>>;

/// A use of the context with what is attached to it.
static USE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\bctx\(['"]?[\]\[a-zA-Z0-9_'"\.()]*['"]?\)\.?[\]\[a-zA-Z0-9_'"\.()]*"#)
        .expect("the pattern is a constant, and every expression of a workflow goes through it")
});

/// How a use names a variable.
static NAMES: LazyLock<Vec<fancy_regex::Regex>> = LazyLock::new(|| {
    let name = "[a-zA-Z0-9_-]+";
    let patterns = [
        format!(r"(?<=\bctx\(\)\.)({name})\b(?!\()\.?"),
        format!(r"\bctx\(({name})\)"),
        format!(r"\bctx\('({name})'\)"),
        format!(r#"\bctx\("({name})"\)"#),
    ];
    let compile = |pattern: &String| fancy_regex::Regex::new(pattern);
    patterns.iter().map(compile).collect::<Result<_, _>>().expect("the patterns are constants, as above")
});

/// The variables that a value uses, each with its language and the text that it stands in, by name.
fn variables(value: &Value) -> BTreeSet<(String, &'static str, String)> {
    let mut found = BTreeSet::new();
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                found.append(&mut variables(&Value::from(key.as_str())));
                found.append(&mut variables(value));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| found.append(&mut variables(item))),
        Value::String(text) => {
            for language in [Language::Jinja, Language::Yaql] {
                for expression in expressions(language, text) {
                    let inside = expression.trim_matches(['<', '%', '>', '{', '}']).trim();
                    for used in USE.find_iter(inside) {
                        let names =
                            NAMES.iter().filter_map(|pattern| pattern.captures(used.as_str().trim()).ok()??.get(1));
                        found.extend(names.map(|name| (name.as_str().to_owned(), language.word(), text.clone())));
                    }
                }
            }
        }
        _ => {}
    }
    found
}

/// What uses variables that are not known.
pub(super) fn check(definition: &Definition, known: &[&str]) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut known: Known = known.iter().map(|name| (*name).into()).collect();
    sets(&definition.inputs, &mut known, &mut found);
    sets(&definition.vars, &mut known, &mut found);
    if let Some(timeout) = &definition.timeout {
        uses(&timeout.value, &timeout.at, &known, &mut found);
    }
    known = tasks(definition, known, &mut found);
    sets(&definition.output, &mut known, &mut found);
    found
}

/// A list in which each name can be used by those after it.
fn sets(named: &[Named], known: &mut Known, found: &mut Vec<Problem>) {
    for one in named {
        let key = Value::from(&*one.name);
        let mut problems = variables(&key);
        problems.append(&mut variables(&one.value));
        tell(problems, &one.at, known, found);
        known.insert(Arc::clone(&one.name));
    }
}

fn uses(value: &Value, at: &At, known: &Known, found: &mut Vec<Problem>) {
    // What looks like arguments is taken apart, as Orquesta takes it.
    if let Value::String(text) = value {
        let inline = arguments(text);
        if !inline.is_empty() {
            for (number, (_, value)) in inline.iter().enumerate() {
                tell(variables(value), &at.entry(number, at.line), known, found);
            }
            return;
        }
    }
    tell(variables(value), at, known, found);
}

fn tell(used: BTreeSet<(String, &'static str, String)>, at: &At, known: &Known, found: &mut Vec<Problem>) {
    for (name, language, text) in used {
        let mut add = |message: String, suggestion| {
            let mut problem = Problem::new(at.line, &at.path, at.rule.clone(), message);
            problem.expression = Some((Some(language), text.clone()));
            problem.suggestion = suggestion;
            found.push(problem);
        };
        if name.starts_with("__") {
            add(format!("`{name}` is the engine's own and cannot be used"), None);
        }
        if !known.contains(name.as_str()) {
            let guess = did_you_mean(&name, known.iter().map(|name| &**name));
            add(format!("the variable `{name}` is used before anything has set it"), guess);
        }
    }
}

/// Goes along all paths. Gives what is known at the end of any of them.
fn tasks(definition: &Definition, began: Known, found: &mut Vec<Problem>) -> Known {
    let shape = Shape::of(definition);
    let mut rolling = began.clone();
    let mut joined: BTreeMap<Arc<str>, Known> = BTreeMap::new();
    let mut came_with: BTreeMap<Arc<str>, Known> = BTreeMap::new();
    let mut traversed = BTreeSet::new();
    let mut todo: VecDeque<(Arc<str>, Option<Known>)> =
        shape.roots.iter().map(|name| (Arc::clone(name), Some(began.clone()))).collect();
    while let Some((name, known)) = todo.pop_front() {
        traversed.insert(Arc::clone(&name));
        let known = known.filter(|known| !known.is_empty());
        let known = known.unwrap_or_else(|| joined.get(&name).cloned().unwrap_or_default());
        let Some(task) = definition.task(&name) else {
            rolling.extend(known);
            continue;
        };
        let mut here = Vec::new();
        for said in parts(task) {
            uses(&said.value, &said.at, &known, &mut here);
        }
        here.sort_by(|one, other| one.path.cmp(&other.path));
        found.append(&mut here);
        rolling.extend(known.iter().cloned());
        for next in &task.next {
            for to in &next.to {
                let branch = follow(next, &known, found);
                // What is published on the way to a command is known from there on as well.
                let command = Command::ALL.iter().any(|it| it.word() == &**to);
                if traversed.contains(to) || (definition.task(to).is_none() && !command) {
                    continue;
                }
                let joins =
                    definition.task(to).is_some_and(|task| task.join.is_some_and(|join| join != Join::Count(0)));
                if joins {
                    joined.entry(Arc::clone(to)).or_default().extend(branch);
                    todo.push_back((Arc::clone(to), None));
                } else if came_with.get(to) != Some(&branch) {
                    came_with.insert(Arc::clone(to), branch.clone());
                    todo.push_back((Arc::clone(to), Some(branch)));
                }
            }
        }
    }
    rolling
}

/// What of a task is worked out when it starts.
fn parts(task: &Task) -> impl Iterator<Item = &Said> {
    [&task.delay, &task.timeout, &task.items, &task.concurrency, &task.action, &task.input].into_iter().flatten()
}

fn follow(next: &Next, known: &Known, found: &mut Vec<Problem>) -> Known {
    let mut branch = known.clone();
    if let Some(when) = &next.when {
        uses(&when.value, &when.at, known, found);
    }
    sets(&next.publish, &mut branch, found);
    uses(&next.written, &next.to_at, &branch, found);
    branch
}
