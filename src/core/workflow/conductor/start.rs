//! Opening a workflow, and what is to be started.

use super::{Action, Conductor, LONGEST, Start};
use crate::core::action::plan::suspicious;
use crate::core::workflow::conducted::Marks;
use crate::core::workflow::expression::{Failure, Tree};
use crate::core::workflow::scene::{Current, Scene};
use crate::core::workflow::scope::Variables;
use crate::core::workflow::status::Status;
use crate::core::workflow::transition::Transition;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Conductor {
    /// Opens the workflow: looks at what it is given, works out what it begins with, and finds the tasks to begin with. `context` is what the
    /// one who started it hands down (`st2`, `parent`). What is given and not asked for is not looked at.
    pub fn open(&mut self, inputs: &Map<String, Value>, context: &Map<String, Value>) {
        let graph = Arc::clone(&self.graph);
        let mut variables: Variables =
            context.iter().map(|(name, value)| (name.as_str().into(), Arc::new(value.clone()))).collect();
        let mut failures = Vec::new();
        for input in &graph.inputs {
            let value = match inputs.get(&*input.name) {
                // What is given is a value, whatever it looks like.
                Some(given) => Ok(Arc::new(given.clone())),
                None => input.default.evaluate(&self.scene(variables.clone(), None, None)),
            };
            match value {
                Ok(value) => variables.set(&input.name, value),
                Err(failure) => failures.push(failure),
            }
        }
        for assignment in &graph.variables {
            match assignment.value.evaluate(&self.scene(variables.clone(), None, None)) {
                Ok(value) => variables.set(&assignment.name, value),
                Err(failure) => failures.push(failure),
            }
        }
        let timeout = match graph
            .timeout
            .as_ref()
            .map(|tree| Self::seconds(tree, &self.scene(variables.clone(), None, None), "the workflow's timeout"))
        {
            None => None,
            Some(Ok(seconds)) => Some(seconds.unsigned_abs()),
            Some(Err(failure)) => {
                failures.push(failure);
                None
            }
        };
        let tasks = graph.nodes.iter().map(|node| Arc::clone(&node.name)).collect();
        self.note(Transition::Opened { tasks, variables: variables.to_map(), timeout });
        if failures.is_empty() {
            for task in &graph.roots {
                self.stage(*task, 0, 0, Vec::new(), true, None);
            }
        } else {
            self.erred(failures, None, None, None);
            self.fail();
        }
    }

    /// The tasks and items to be started now, by name and route. They are asked for until they have been told to be running
    /// ([`Conductor::tell`]). What cannot be worked out fails the workflow, and then nothing is started.
    pub fn starts(&mut self) -> Vec<Start> {
        self.starts_within(usize::MAX)
    }

    /// The same, with `most` actions at most: the rest is asked for again. What begins with nothing to run counts as one.
    pub fn starts_within(&mut self, most: usize) -> Vec<Start> {
        let mut staged: Vec<(u32, u32)> = Vec::new();
        let mut despite = Vec::new();
        if self.state.has_staged() {
            for (key, waiting) in self.state.all_staged() {
                if waiting.may_start() {
                    staged.push(key);
                    if waiting.despite {
                        despite.push(key);
                    }
                }
            }
        }
        let failed = self.state.status == Status::Failed;
        if !failed && !self.state.status.may_start() || failed && despite.is_empty() {
            return Vec::new();
        }
        let mut starts = Vec::new();
        let mut erred = false;
        let mut left = most;
        for (task, route) in if failed { despite } else { staged } {
            if left == 0 {
                break;
            }
            match self.start(task, route, left) {
                Ok(Some(start)) => {
                    left = left.saturating_sub(start.actions.len().max(1));
                    starts.push(start);
                }
                Ok(None) => {}
                Err(failure) => {
                    erred = true;
                    self.erred(vec![failure], Some(task), Some(route), None);
                }
            }
        }
        if erred {
            self.fail();
            return Vec::new();
        }
        let graph = &self.graph;
        starts.sort_by(|one, other| {
            (&graph.node(one.task).name, one.route).cmp(&(&graph.node(other.task).name, other.route))
        });
        starts
    }

    /// What the task is started with; nothing if it has all of its items started.
    fn start(&mut self, task: u32, route: u32, most: usize) -> Result<Option<Start>, Failure> {
        let graph = Arc::clone(&self.graph);
        let node = graph.node(task);
        let Some(staged) = self.state.staged(task, route) else { return Ok(None) };
        let again = staged.again;
        let variables = self.state.scope(staged.scope).variables().clone();
        let current = Current { task, route, result: None };
        let known = staged.items.is_some();
        let scene = self.scene(variables, Some(current), None);
        let delay = match (&node.delay, again) {
            (_, Some(seconds)) => Some(seconds),
            (None, None) => None,
            (Some(delay), None) => Some(Self::seconds(delay, &scene, "the delay")?),
        };
        // A fixed delay of nothing is none.
        let delay =
            delay.filter(|seconds| again.is_some() || *seconds != 0 || !matches!(node.delay, Some(Tree::Fixed(_))));
        let timeout = match &node.timeout {
            None => None,
            Some(timeout) => Some(Self::seconds(timeout, &scene, "the timeout")?.unsigned_abs()),
        };
        let Some(spec) = &node.items else {
            let action = Action {
                item: None,
                action: value_of(node.action.as_ref(), &scene)?,
                input: value_of(node.input.as_ref(), &scene)?,
                marks: marks_of(node.input.as_ref(), &scene)?,
            };
            let start = Start { task, route, delay, timeout, items: None, concurrency: None, actions: vec![action] };
            return Ok(Some(start));
        };
        if !known {
            let list = match Arc::unwrap_or_clone(spec.list.evaluate(&scene)?) {
                Value::Array(list) => list,
                _ => return Err(mistake("TypeError", "the items of the task are not a list")),
            };
            let concurrency = match &spec.concurrency {
                None => None,
                Some(tree) => match &*tree.evaluate(&scene)? {
                    Value::Null => None,
                    Value::Number(number) if number.as_i64().is_some() => number.as_i64().map(|count| count.max(1)),
                    _ => return Err(mistake("TypeError", "the concurrency is not a whole number")),
                },
            };
            // Worked out once: what runs later sees the same items.
            let items: Vec<Value> = list.into_iter().map(|item| named(&spec.names, item)).collect();
            drop(scene);
            self.note(Transition::Itemised { task, route, items: Arc::new(items), concurrency });
            return self.start(task, route, most);
        }
        let Some(items) = self.state.staged(task, route).and_then(|staged| staged.items.as_ref()) else {
            return Ok(None);
        };
        let room = match items.concurrency {
            Some(most) => usize::try_from(most).unwrap_or_default().saturating_sub(items.count(Status::is_active)),
            None => usize::MAX,
        };
        let waiting = (items.cursor..items.list.len()).filter(|at| items.statuses[*at] == Status::Unset);
        let mut scene = scene;
        let mut actions = Vec::new();
        for at in waiting.take(room.min(most)) {
            scene.item = Some(Arc::new(items.list[at].clone()));
            actions.push(Action {
                item: u32::try_from(at).ok(),
                action: value_of(node.action.as_ref(), &scene)?,
                input: value_of(node.input.as_ref(), &scene)?,
                marks: marks_of(node.input.as_ref(), &scene)?,
            });
        }
        let (count, concurrency) = (items.list.len(), items.concurrency);
        let start = Start { task, route, delay, timeout, items: Some(count), concurrency, actions };
        Ok((!start.actions.is_empty() || count == 0).then_some(start))
    }

    /// A whole number of seconds (or of tries) that the file or an expression says.
    pub(super) fn seconds(tree: &Tree, scene: &Scene, what: &str) -> Result<i64, Failure> {
        let value = tree.evaluate(scene)?;
        let number = value.as_i64().filter(|number| (0..=LONGEST).contains(number));
        number.ok_or_else(|| mistake("TypeError", &format!("{what} is not a whole number of at least 0")))
    }
}

/// Which values of an input the file itself says, and what expressions put into its command.
fn marks_of(tree: Option<&Tree>, scene: &Scene) -> Result<Marks, Failure> {
    let mut marks = Marks::default();
    let Some(tree) = tree else { return Ok(marks) };
    marks.written = tree.written_keys();
    for value in tree.spliced_under("cmd", scene)? {
        let mut characters = BTreeSet::new();
        suspicious(&value, &mut characters);
        marks
            .spliced
            .extend(characters.into_iter().filter(|known| !marks.spliced.contains(*known)).collect::<Vec<_>>());
    }
    Ok(marks)
}

fn value_of(tree: Option<&Tree>, scene: &Scene) -> Result<Arc<Value>, Failure> {
    tree.map_or_else(|| Ok(Arc::default()), |tree| tree.evaluate(scene))
}

/// An item under its names.
fn named(names: &[Arc<str>], item: Value) -> Value {
    match (names, item) {
        ([], item) => item,
        (names, Value::Array(parts)) => Value::Object(names.iter().map(|name| name.to_string()).zip(parts).collect()),
        ([name], item) => Value::Object(Map::from_iter([(name.to_string(), item)])),
        (_, item) => item,
    }
}

fn mistake(kind: &'static str, message: &str) -> Failure {
    Failure { kind, message: message.to_owned() }
}
