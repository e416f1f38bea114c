//! The play itself: the conductor on its stage, actions that end as the file says, and everything that happens written down.

use super::compare::{Ran, compare};
use super::{Complaint, Cue, Happening, Operation, Rehearsal, Step, Verdict, Which};
use crate::core::action::params::{self, ParameterProblem};
use crate::core::action::plan::{PlanProblem, listed, plan};
use crate::core::action::spec::{Action as Spec, RunnerType};
use crate::core::content::Catalog;
use crate::core::content::suggest::did_you_mean;
use crate::core::host::Inventory;
use crate::core::id::ActionRef;
use crate::core::workflow::conductor::{Action, Conductor, Rerun, Start};
use crate::core::workflow::graph::Graph;
use crate::core::workflow::stage::{Audience, Kept, Running, STEPS, Stage};
use crate::core::workflow::status::Status;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Actions that do nothing outside, so that nothing has to be said of them.
const NOTHING_OUTSIDE: [&str; 2] = ["core.noop", "core.pause"];

/// Plays a workflow; `action` is the one that starts it, where the file names one.
pub(super) fn play(rehearsal: &Rehearsal, graph: &Arc<Graph>, action: Option<&Spec>, catalog: &Catalog) -> Verdict {
    let world = Arc::new(Kept(rehearsal.datastore.clone()));
    let record = Record::new(graph, catalog, rehearsal.line);
    let left = rehearsal.mocks.iter().map(|(task, mocks)| {
        let left = mocks.outcomes.iter().map(|outcome| outcome.times).collect();
        (task.as_str(), left)
    });
    let mut player = Player { rehearsal, left: left.collect(), stage: Stage::new(Arc::clone(graph), world), record };
    player.names_are_known(action);
    if let Some(inputs) = player.inputs(action) {
        player.run(&inputs);
    }
    player.judge()
}

struct Player<'r> {
    rehearsal: &'r Rehearsal,
    /// How often each outcome of a task may still be given.
    left: BTreeMap<&'r str, Vec<Option<u64>>>,
    stage: Stage,
    record: Record<'r>,
}

impl<'r> Player<'r> {
    /// Names that stand in the file and not in the workflow are slips.
    fn names_are_known(&mut self, action: Option<&Spec>) {
        let graph = Arc::clone(self.stage.conductor.graph());
        let tasks: Vec<&str> =
            graph.nodes.iter().filter(|node| node.command.is_none()).map(|node| &*node.name).collect();
        let inputs: Vec<&str> = graph.inputs.iter().map(|input| &*input.name).collect();
        let mut unknown = |line: usize, what: &str, name: &str, known: &[&str]| {
            let close = did_you_mean(name, known.iter().copied()).map(|close| format!("; {close}")).unwrap_or_default();
            let message = format!("the workflow has no {what} `{name}`{close}");
            self.record.trouble(line, message);
        };
        let rehearsal = self.rehearsal;
        // What an action takes, it says by itself.
        let names = rehearsal.inputs.keys().filter(|_| action.is_none());
        for name in names.filter(|name| !inputs.contains(&name.as_str())) {
            unknown(rehearsal.line, "input", name, &inputs);
        }
        let mocked = rehearsal.mocks.iter().filter(|(task, _)| *task != "*");
        let mocked = mocked.map(|(task, mocks)| (mocks.line, task));
        let ordered = rehearsal.order.iter().flat_map(|cue| match &cue.what {
            Happening::Ends { task, .. } => vec![(cue.line, task)],
            Happening::Again(tasks) => tasks.iter().map(|task| (cue.line, task)).collect(),
            Happening::Asked(_) => Vec::new(),
        });
        let expected = rehearsal.expected.tasks.iter().flatten().flatten().map(|start| (start.line, &start.task));
        let never = rehearsal.expected.never.iter().map(|never| (never.line, &never.value));
        let mut seen = BTreeSet::new();
        for (line, task) in mocked.chain(ordered).chain(expected).chain(never) {
            if !tasks.contains(&task.as_str()) && seen.insert(task) {
                unknown(line, "task", task, &tasks);
            }
        }
    }

    /// What the workflow is given: all parameters of its action, or what the file says; nothing where the action does not take that. Of the
    /// site's configuration its defaults may see what stands still.
    fn inputs(&mut self, action: Option<&Spec>) -> Option<Map<String, Value>> {
        let rehearsal = self.rehearsal;
        let Some(action) = action else { return Some(rehearsal.inputs.clone()) };
        let given = rehearsal.inputs.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let config = self.record.catalog.configs.get(action.reference.pack()).cloned().unwrap_or_default();
        match params::resolve_in(action, &given, &config.at_rest()) {
            Ok(resolved) => Some(resolved.values),
            Err(problems) => {
                for problem in problems {
                    self.record.stop(rehearsal.line, problem.to_string());
                }
                None
            }
        }
    }

    fn run(&mut self, inputs: &Map<String, Value>) {
        let rehearsal = self.rehearsal;
        self.stage.open(inputs, &rehearsal.context, &mut self.record);
        let mut order: VecDeque<&Cue> = rehearsal.order.iter().collect();
        let mut steps = 0;
        loop {
            let goes_on = match (order.pop_front(), self.stage.running.front().copied()) {
                (Some(cue), _) => self.follow(cue),
                (None, Some(key)) => self.end(key),
                (None, None) => break,
            };
            if !goes_on {
                return;
            }
            self.stage.schedule(&mut self.record);
            steps += 1;
            if steps == STEPS || self.stage.is_worn_out() {
                return self.endless();
            }
        }
        self.stage.close(&mut self.record);
        self.unused();
    }

    fn endless(&mut self) {
        self.record.stop(self.rehearsal.line, format!("it does not come to an end within {STEPS} steps"));
    }

    /// Does what is said to happen next. Gives whether the play can go on.
    fn follow(&mut self, cue: &Cue) -> bool {
        match &cue.what {
            Happening::Ends { task, action } => {
                let meant = |key: &Running| self.name(*key) == task && self.is_meant(action, *key);
                match self.stage.running.iter().copied().find(meant) {
                    Some(key) => self.end(key),
                    None => {
                        let at_work: BTreeSet<&str> = self.stage.running.iter().map(|key| self.name(*key)).collect();
                        let at_work = match at_work.is_empty() {
                            true => "nothing is".to_owned(),
                            false => at_work.into_iter().collect::<Vec<_>>().join(", "),
                        };
                        self.record.stop(cue.line, format!("`{task}` is not at work here; at work: {at_work}"));
                        false
                    }
                }
            }
            Happening::Asked(operation) => {
                let conductor = &mut self.stage.conductor;
                let done = match operation {
                    Operation::Pause => conductor.request(Status::Paused),
                    Operation::Resume => conductor.request(Status::Resuming),
                    Operation::Cancel => conductor.request(Status::Canceled),
                    Operation::Expire => {
                        conductor.expire();
                        Ok(())
                    }
                };
                let refused = done.err().map(|refused| refused.to_string());
                self.asked(cue, operation.word().to_owned(), refused)
            }
            Happening::Again(tasks) => {
                // What the end gave is known to those who ask for another run.
                self.stage.close(&mut self.record);
                let wanted: Vec<Rerun> =
                    tasks.iter().map(|task| Rerun { task: task.clone(), route: 0, reset_items: false }).collect();
                let refused = self.stage.conductor.rerun(&wanted).err().map(|refused| refused.to_string());
                let what = if tasks.is_empty() { "failed".to_owned() } else { tasks.join(", ") };
                self.asked(cue, format!("rerun {what}"), refused)
            }
        }
    }

    fn asked(&mut self, cue: &Cue, what: String, refused: Option<String>) -> bool {
        self.record.steps.push(Step::Asked { what: what.clone(), refused: refused.clone() });
        self.record.stepped(&mut self.stage.conductor);
        if let Some(why) = refused {
            self.record.stop(cue.line, format!("`{what}` is refused: {why}"));
            return false;
        }
        true
    }

    /// Ends an action as its mock says. Gives whether there is one.
    fn end(&mut self, key: Running) -> bool {
        let Some((status, result)) = self.pick(key) else {
            let graph = self.stage.conductor.graph();
            let node = graph.node(key.0);
            let item = match (key.2, self.item(key)) {
                (Some(number), Some(item)) => format!(" for item {number}, {},", super::compact(item)),
                _ => String::new(),
            };
            let place = format!("`{}` ({}:{})", node.name, graph.file, node.line);
            let runs = self.record.runs.get(&key).copied().unwrap_or(1);
            let (line, message) = match self.rehearsal.mocks.get(&*node.name) {
                None => (self.rehearsal.line, format!("{place} runs{item} and has no mock")),
                Some(mocks) => {
                    (mocks.line, format!("{place} runs{item} for the {} time, and no mock is left", nth(runs)))
                }
            };
            self.record.stop(line, message);
            return false;
        };
        self.stage.complete(key, status, result, &mut self.record);
        true
    }

    /// What an action gives, by the first outcome that is meant for it and not used up.
    fn pick(&mut self, key: Running) -> Option<(Status, Option<Value>)> {
        let rehearsal = self.rehearsal;
        let name = self.name(key);
        let (task, mocks) = match rehearsal.mocks.get_key_value(name).or_else(|| rehearsal.mocks.get_key_value("*")) {
            Some((task, mocks)) => (task.as_str(), mocks),
            None => {
                let action = self.record.actions.get(&key).map(String::as_str).unwrap_or_default();
                let result = json!({"failed": false, "succeeded": true, "return_code": 0});
                return NOTHING_OUTSIDE.contains(&action).then_some((Status::Succeeded, Some(result)));
            }
        };
        let left = self.left.get(task)?;
        let at = (mocks.outcomes.iter().zip(left))
            .position(|(outcome, left)| *left != Some(0) && self.is_meant(&outcome.action, key))?;
        if let Some(Some(left)) = self.left.get_mut(task).and_then(|left| left.get_mut(at)) {
            *left -= 1;
        }
        let outcome = mocks.outcomes.get(at)?;
        Some((outcome.status, outcome.result.clone()))
    }

    /// What was said to be given so many times and was not.
    fn unused(&mut self) {
        for (task, mocks) in &self.rehearsal.mocks {
            let left = self.left.get(task.as_str()).into_iter().flatten();
            for (outcome, left) in mocks.outcomes.iter().zip(left) {
                if let Some(left) = left.filter(|left| *left > 0) {
                    let given = outcome.times.unwrap_or_default() - left;
                    let message = match given {
                        0 => format!("this mock of `{task}` is never used"),
                        given => format!("this mock of `{task}` is used {given} of {} times", given + left),
                    };
                    self.record.trouble(outcome.line, message);
                }
            }
        }
    }

    fn name(&self, key: Running) -> &str {
        &self.stage.conductor.graph().node(key.0).name
    }

    fn item(&self, (task, route, item): Running) -> Option<&Value> {
        self.stage.conductor.items(task, route)?.list.get(item? as usize)
    }

    fn is_meant(&self, which: &Which, key: Running) -> bool {
        which.route.is_none_or(|route| route == key.1)
            && which.item.is_none_or(|item| Some(item) == key.2)
            && which.value.as_ref().is_none_or(|wanted| self.item(key).is_some_and(|item| is_item(item, wanted)))
    }

    fn judge(mut self) -> Verdict {
        let state = self.stage.conductor.state();
        let ran = Ran { status: state.status, output: state.output.as_ref(), errors: &state.errors };
        // What was not played to its end is no less than expected, but nobody knows what it would be.
        let found = compare(&self.rehearsal.expected, &self.record.starts, &ran, self.record.stopped);
        for complaint in found {
            // Of many items the same is said once.
            if !self.record.complaints.contains(&complaint) {
                self.record.complaints.push(complaint);
            }
        }
        self.record.complaints.sort_by_key(Complaint::line);
        Verdict { complaints: self.record.complaints, steps: self.record.steps }
    }
}

/// Whether an item is the one that is meant: as it is, by the value of its only name, or by some of its names.
fn is_item(item: &Value, wanted: &Value) -> bool {
    match (item, wanted) {
        (Value::Object(item), Value::Object(wanted)) => {
            wanted.iter().all(|(name, value)| item.get(name) == Some(value))
        }
        (Value::Object(item), wanted) => item.len() == 1 && item.values().all(|value| value == wanted),
        (item, wanted) => item == wanted,
    }
}

fn nth(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// A task that was started.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Started {
    pub(super) task: String,
    pub(super) route: u32,
    pub(super) delay: Option<i64>,
    /// The actions that were started for it.
    pub(super) actions: Vec<(Value, Value)>,
}

/// What is written down of a play.
struct Record<'r> {
    graph: Arc<Graph>,
    catalog: &'r Catalog,
    /// Where the rehearsal stands.
    line: usize,
    complaints: Vec<Complaint>,
    steps: Vec<Step>,
    starts: Vec<Started>,
    /// How often each action was started.
    runs: BTreeMap<Running, usize>,
    /// What is at work for a task, by the ref of the action.
    actions: BTreeMap<Running, String>,
    /// Tasks with items that have not ended: where in `starts` they stand.
    open: BTreeMap<(u32, u32), usize>,
    status: Status,
    errors: usize,
    /// The play could not go on.
    stopped: bool,
}

impl<'r> Record<'r> {
    fn new(graph: &Arc<Graph>, catalog: &'r Catalog, line: usize) -> Self {
        Self {
            graph: Arc::clone(graph),
            catalog,
            line,
            complaints: Vec::new(),
            steps: Vec::new(),
            starts: Vec::new(),
            runs: BTreeMap::new(),
            actions: BTreeMap::new(),
            open: BTreeMap::new(),
            status: Status::Unset,
            errors: 0,
            stopped: false,
        }
    }

    fn trouble(&mut self, line: usize, message: String) {
        let complaint = Complaint::Trouble { line, message };
        if !self.complaints.contains(&complaint) {
            self.complaints.push(complaint);
        }
    }

    fn stop(&mut self, line: usize, message: String) {
        self.stopped = true;
        self.trouble(line, message);
    }

    /// Holds what an action is given against what it takes.
    fn examine(&mut self, task: u32, action: &Action) {
        let node = self.graph.node(task);
        let place = format!("`{}` ({}:{})", node.name, self.graph.file, node.line);
        let Some(reference) = action.action.as_str() else {
            let message =
                format!("{place} runs {}, which is not the name of an action", super::compact(&action.action));
            return self.trouble(self.line, message);
        };
        let Some(spec) = self.catalog.actions.get(&ActionRef::new(reference)) else {
            let known = self.catalog.actions.keys().map(ActionRef::as_str);
            let close = did_you_mean(reference, known).map(|close| format!("; {close}")).unwrap_or_default();
            // Arguments that cannot be read in one line stay with the name of the action.
            let hint = match reference.contains('=') {
                true => "; of arguments in one line text needs quotes: cmd=\"uptime\"".to_owned(),
                false => close,
            };
            return self.trouble(self.line, format!("{place} runs `{reference}`, and there is no such action{hint}"));
        };
        let nothing = Map::new();
        let given = match &*action.input {
            Value::Null => &nothing,
            Value::Object(given) => given,
            other => {
                let message = format!("{place} gives {reference} {}, which is no map", super::compact(other));
                return self.trouble(self.line, message);
            }
        };
        let given: BTreeMap<String, Value> = given.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let spec = Arc::clone(spec);
        let wrong: Vec<String> = match params::resolve(&spec, &given) {
            // What a default lacks is the datastore or the configuration of the site, which nobody has here.
            Err(problems) => (problems.iter())
                .filter(|problem| !matches!(problem, ParameterProblem::Default { .. }))
                .map(ToString::to_string)
                .collect(),
            Ok(_) if !action.marks.spliced.is_empty() && !spec.raw && takes_command(&spec) => {
                let characters = listed(&action.marks.spliced.chars().collect());
                vec![format!("expressions put {characters} into its command, and a shell would act on that")]
            }
            Ok(mut resolved) => {
                resolved.trust(action.marks.written.iter().cloned());
                match plan(&spec, &resolved, &Inventory::default()) {
                    Err(problem @ PlanProblem::Tainted { .. }) => vec![problem.to_string()],
                    _ => Vec::new(),
                }
            }
        };
        for problem in wrong {
            self.trouble(self.line, format!("{place} runs {reference}: {problem}"));
        }
    }
}

/// Whether a task gives it the command itself.
fn takes_command(action: &Spec) -> bool {
    matches!(action.runner, RunnerType::LocalShellCmd | RunnerType::RemoteShellCmd)
}

impl Audience for Record<'_> {
    fn stepped(&mut self, conductor: &mut Conductor) {
        conductor.take_transitions();
        let state = conductor.state();
        for error in state.errors.iter().skip(self.errors) {
            self.steps.push(Step::Erred { message: super::compare::error(error) });
        }
        self.errors = state.errors.len();
        if state.status != self.status {
            self.status = state.status;
            if !matches!(self.status, Status::Running | Status::Unset) {
                self.steps.push(Step::Stands { status: self.status });
            }
        }
    }

    fn started(&mut self, conductor: &Conductor, start: &Start) {
        let task = conductor.graph().node(start.task).name.to_string();
        let actions = start.actions.iter().map(|action| (Value::clone(&action.action), Value::clone(&action.input)));
        match self.open.get(&(start.task, start.route)).and_then(|at| self.starts.get_mut(*at)) {
            // More of its items.
            Some(started) => started.actions.extend(actions),
            None => {
                if start.items.is_some() {
                    self.open.insert((start.task, start.route), self.starts.len());
                }
                self.starts.push(Started {
                    task: task.clone(),
                    route: start.route,
                    delay: start.delay,
                    actions: actions.collect(),
                });
            }
        }
        if start.actions.is_empty() {
            self.steps.push(Step::Starts {
                task: task.clone(),
                route: start.route,
                item: None,
                action: Value::Null,
                input: Value::Null,
                delay: start.delay,
            });
        }
        for action in &start.actions {
            let key = (start.task, start.route, action.item);
            let items = conductor.items(start.task, start.route);
            let item = action.item.and_then(|number| Some((number, items?.list.get(number as usize)?.clone())));
            self.steps.push(Step::Starts {
                task: task.clone(),
                route: start.route,
                item,
                action: Value::clone(&action.action),
                input: Value::clone(&action.input),
                delay: start.delay,
            });
            if !action.action.is_null() {
                *self.runs.entry(key).or_default() += 1;
                self.actions.insert(key, super::plain(&action.action));
                self.examine(start.task, action);
            }
        }
    }

    fn tells(&mut self, conductor: &Conductor, (task, route, item): Running, status: Status, result: Option<&Value>) {
        let node = conductor.graph().node(task);
        // Of a task without an action its start says all there is to say.
        if node.action.is_some() && !(node.items.is_some() && item.is_none()) {
            let task = node.name.to_string();
            self.steps.push(Step::Ends { task, route, item, status, result: result.cloned() });
        }
    }

    fn told(&mut self, conductor: &Conductor, (task, route, _): Running, _: Status) {
        let stands = conductor.state().board.latest(task, route).map(|(_, entry)| entry.status);
        if stands.is_some_and(|stands| stands.is_completed() || stands == Status::Retrying) {
            self.open.remove(&(task, route));
        }
    }
}
