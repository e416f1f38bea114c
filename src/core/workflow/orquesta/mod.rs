//! # Orquesta 1.0
//!
//! StackStorm's workflows (`runner_type: orquesta`): the text of a file in, a [`Graph`] out, or everything that is wrong with it.
//!
//! The way of a file: [`syntax`] holds it against its schema, [`definition`] reads what it says (with [`inline`] arguments), [`semantics`] and
//! [`context`] look at it as a whole, [`compose`] makes the graph. **All problems are told at once**, each with its line, its key path and the rule
//! of the schema that it comes from; the kinds and places are Orquesta's, the words ours.

mod compose;
mod context;
mod definition;
mod inline;
mod semantics;
mod syntax;

use super::expression::{Place, Tree, Unreadable};
use super::graph::Graph;
use crate::core::content::diagnostic::{Diagnostic, Severity};
use crate::core::content::yaml;
use definition::Definition;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The names that whoever starts a workflow always hands down.
pub const HANDED_DOWN: [&str; 2] = ["parent", "st2"];

/// What is wrong with one place of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The path of the key.
    pub path: String,
    /// The rule of the schema.
    pub rule: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub suggestion: Option<String>,
    /// The expression that it is about, with its language.
    pub expression: Option<(Option<&'static str>, String)>,
}

impl Problem {
    fn new(line: usize, path: &str, rule: String, message: String) -> Self {
        Self { line, path: path.to_owned(), rule, message, suggestion: None, expression: None }
    }
}

/// Everything that is wrong with a workflow, by Orquesta's four kinds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Shape.
    pub syntax: Vec<Problem>,
    /// Tasks that are not there, cannot be reached, or have no beginning.
    pub semantics: Vec<Problem>,
    /// Expressions that cannot be read.
    pub expressions: Vec<Problem>,
    /// Variables that nobody has set.
    pub context: Vec<Problem>,
}

impl Inspection {
    /// Nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.kinds().iter().all(|(_, problems)| problems.is_empty())
    }

    /// The kinds with their problems.
    pub fn kinds(&self) -> [(&'static str, &[Problem]); 4] {
        [
            ("syntax", &self.syntax),
            ("semantics", &self.semantics),
            ("expressions", &self.expressions),
            ("context", &self.context),
        ]
    }

    /// For people, in the order of the lines.
    pub fn diagnostics(&self, file: &str) -> Vec<Diagnostic> {
        let mut seen = BTreeSet::new();
        let problems = self.kinds().into_iter().flat_map(|(_, problems)| problems);
        let told = problems.map(|problem| {
            let about = problem.expression.as_ref().map(|(_, text)| format!("`{}`: ", text.trim())).unwrap_or_default();
            Diagnostic {
                file: file.to_owned(),
                line: Some(problem.line),
                key_path: problem.path.clone(),
                severity: Severity::Error,
                message: format!("{about}{}", problem.message),
                suggestion: problem.suggestion.clone(),
            }
        });
        let mut told: Vec<_> = told.filter(|diagnostic| seen.insert(diagnostic.clone())).collect();
        told.sort_by_key(|diagnostic| diagnostic.line);
        told
    }

    /// As Orquesta's own inspection gives it; only kinds that have problems.
    pub fn to_json(&self) -> Map<String, Value> {
        let found = self.kinds().into_iter().filter(|(_, problems)| !problems.is_empty());
        found.map(|(kind, problems)| (kind.to_owned(), entries(kind, problems))).collect()
    }

    fn sort(&mut self) {
        for problems in [&mut self.syntax, &mut self.semantics, &mut self.expressions, &mut self.context] {
            problems.sort_by(|one, other| (&one.rule, &one.path).cmp(&(&other.rule, &other.path)));
        }
    }
}

fn entries(kind: &str, problems: &[Problem]) -> Value {
    let mut entries = Vec::new();
    let mut last: Option<&Problem> = None;
    for problem in problems {
        // Each unknown key is a problem of its own here, and one of the map in Orquesta.
        let again = last.is_some_and(|last| (&last.path, &last.rule) == (&problem.path, &problem.rule));
        last = Some(problem);
        if kind == "syntax" && again {
            continue;
        }
        let shown = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
        let mut entry = json!({
            "message": problem.message, "spec_path": shown(&problem.path), "schema_path": shown(&problem.rule),
        });
        if let Some((language, expression)) = &problem.expression {
            entry["type"] = json!(language);
            entry["expression"] = json!(expression);
        }
        entries.push(entry);
    }
    Value::Array(entries)
}

/// A text that is not a workflow at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unloadable(pub Vec<Diagnostic>);

/// Reads a workflow. `known` are the variables that whoever starts it hands down (`st2`, `parent`).
///
/// # Errors
/// It is not YAML, says a key twice, or is no map.
pub fn read(file: &str, text: &str, known: &[&str]) -> Result<Result<Graph, Inspection>, Unloadable> {
    let (document, mut diagnostics) = yaml::read(file, text);
    for diagnostic in &mut diagnostics {
        // Two equal keys are two tasks of one name, and one of them would be lost.
        if diagnostic.message.contains("is set twice") {
            diagnostic.severity = Severity::Error;
        }
    }
    diagnostics.retain(|diagnostic| diagnostic.severity == Severity::Error);
    let Some(document) = document.filter(|_| diagnostics.is_empty()) else { return Err(Unloadable(diagnostics)) };
    if !matches!(document.value, yaml::Value::Map(_)) {
        let message = format!("a workflow has to be a map, and this is {}", document.kind());
        return Err(Unloadable(vec![Diagnostic {
            file: file.to_owned(),
            line: None,
            key_path: String::new(),
            severity: Severity::Error,
            message,
            suggestion: None,
        }]));
    }
    let mut inspection = Inspection { syntax: syntax::check(&document), ..Inspection::default() };
    let definition = Definition::read(&document);
    inspection.semantics = semantics::check(&definition);
    inspection.context = context::check(&definition, known);
    let mut compiler = Compiler { found: Vec::new() };
    let graph = compose::compose(file, &definition, &mut compiler);
    inspection.expressions = compiler.found;
    inspection.sort();
    Ok(if inspection.is_sound() { Ok(graph) } else { Err(inspection) })
}

/// Compiles the values of a definition, and collects what is wrong with them.
struct Compiler {
    found: Vec<Problem>,
}

impl Compiler {
    fn compile(&mut self, value: &Value, at: &At) -> Tree {
        let mut problems = Vec::new();
        let place = Place { line: at.line, path: at.path.clone() };
        let tree = Tree::compile(value, &place, &mut problems);
        for Unreadable { language, expression, message } in problems {
            let mut problem = Problem::new(at.line, &at.path, at.rule.clone(), message);
            problem.expression = Some((language.map(super::expression::Language::word), expression));
            self.found.push(problem);
        }
        tree
    }
}

/// Where something stands: in the file, under which key, by which rule of the schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct At {
    line: usize,
    path: String,
    rule: String,
}

impl At {
    /// The place of a key of the map that is here.
    fn key(&self, key: &str, line: usize) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        let rules = if self.rule.is_empty() { "" } else { "." };
        Self { line, path: format!("{}{dot}{key}", self.path), rule: format!("{}{rules}properties.{key}", self.rule) }
    }

    /// The place of a task, in the map of tasks that is here.
    fn task(&self, name: &str, line: usize) -> Self {
        Self { line, path: format!("{}.{name}", self.path), rule: format!("{}.patternProperties.^\\w+$", self.rule) }
    }

    /// The place of an entry of the list that is here.
    fn item(&self, at: usize, line: usize) -> Self {
        Self { line, path: format!("{}[{at}]", self.path), rule: format!("{}.items", self.rule) }
    }

    /// The same place with the number of an entry, whose rule is that of the list.
    fn entry(&self, at: usize, line: usize) -> Self {
        Self { line, path: format!("{}[{at}]", self.path), rule: self.rule.clone() }
    }
}

/// Shares the text of a name.
fn shared(name: &str) -> Arc<str> {
    name.into()
}
