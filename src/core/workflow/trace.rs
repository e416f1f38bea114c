//! A workflow run without anything that runs: a script says what every action gave, and a trace tells what the conductor did. It answers what a
//! workflow would do, and it is how ours is held against StackStorm's: the same script given to Orquesta's conductor gives the same trace.
//!
//! A script is a list of outcomes, or
//! `{"inputs": {…}, "context": {…}, "kv": {…}, "order": "fifo"|"script", "max_steps": n, "outcomes": […]}`. An outcome is
//! `{"task": …, "route": …?, "item": …?, "status": "succeeded"?, "result": …?, "times": n?}`: in the order `fifo` the action that runs for longest
//! ends next, with the first outcome that names it (`times` tells how often one may be used; 0: without limit) or well; in the order `script`
//! outcomes are taken as they are listed, and operations may stand among them: `{"op": "pause"|"resume"|"cancel"|"timeout"}`,
//! `{"op": "status", "status": …}`, `{"op": "rerun", "tasks": [{"task": …, "route": …?, "reset_items": …?}]?}`. A status that is no end leaves the
//! action running.

use super::board::Followed;
use super::conductor::{Conductor, Refused, Rerun, Start, Told};
use super::graph::Graph;
use super::scene::World;
use super::state::State;
use super::status::Status;
use super::transition::Transition;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A script.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Script {
    inputs: Map<String, Value>,
    context: Map<String, Value>,
    kv: Map<String, Value>,
    order: Option<String>,
    max_steps: Option<usize>,
    outcomes: Vec<Outcome>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Outcome {
    task: Option<String>,
    route: Option<u32>,
    item: Option<u32>,
    status: Option<String>,
    result: Option<Value>,
    times: Option<i64>,
    op: Option<String>,
    tasks: Vec<Again>,
}

#[derive(Debug, Clone, Deserialize)]
struct Again {
    task: String,
    #[serde(default)]
    route: u32,
    #[serde(default)]
    reset_items: bool,
}

/// How many steps a trace takes when its script does not say.
const STEPS: usize = 10_000;

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(value: Value) -> Result<Self, String> {
        let value = if value.is_array() { json!({ "outcomes": value }) } else { value };
        let script: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
        if !matches!(script.order.as_deref(), None | Some("fifo" | "script")) {
            return Err("`order` has to be fifo or script".to_owned());
        }
        for (at, outcome) in script.outcomes.iter().enumerate() {
            if let Some(op) = &outcome.op {
                if !["pause", "resume", "cancel", "timeout", "status", "rerun"].contains(&op.as_str()) {
                    return Err(format!("outcomes[{at}]: there is no operation `{op}`"));
                }
            } else if outcome.task.is_none() {
                return Err(format!("outcomes[{at}]: `task` is missing"));
            }
            if let Some(status) = outcome.status.as_deref().filter(|status| Status::of(status).is_none()) {
                return Err(format!("outcomes[{at}]: there is no status `{status}`"));
            }
        }
        Ok(script)
    }

    /// The names that whoever starts the workflow hands down.
    pub fn handed_down(&self) -> Vec<&str> {
        self.context.keys().map(String::as_str).collect()
    }
}

/// The datastore of a script.
#[derive(Debug)]
struct Kept(Map<String, Value>);

impl World for Kept {
    fn kept(&self, name: &str, _: bool) -> Result<Option<Value>, String> {
        Ok(self.0.get(name).cloned())
    }
}

/// Runs a workflow as a script says. `reload` writes the state down and reads it again after each step, as a restart would.
pub fn trace(graph: Arc<Graph>, script: &Script, reload: bool) -> Value {
    let world = Arc::new(Kept(script.kv.clone()));
    let conductor = Conductor::new(graph, State::default(), world);
    let left = script.outcomes.iter().map(|outcome| match outcome.times {
        None => 1,
        Some(0) => -1,
        Some(times) => times,
    });
    let left = left.collect();
    let mut tracer = Tracer {
        conductor,
        script,
        left,
        reload,
        running: VecDeque::new(),
        instants: STEPS,
        trace: Vec::new(),
        sequence: Vec::new(),
        replayed: State::default(),
    };
    tracer.run()
}

/// An action at work: task, route, item.
type Running = (u32, u32, Option<u32>);

/// What is told of an entry.
struct Passed {
    task: u32,
    route: u32,
    status: Status,
    next: BTreeMap<u32, bool>,
    terminal: bool,
}

struct Tracer<'s> {
    conductor: Conductor,
    script: &'s Script,
    /// How often each outcome may still be used.
    left: Vec<i64>,
    reload: bool,
    running: VecDeque<Running>,
    /// How many more tasks may end at once.
    instants: usize,
    trace: Vec<Value>,
    sequence: Vec<Passed>,
    /// The fold of all transitions, which has to be the conductor's state.
    replayed: State,
}

impl Tracer<'_> {
    fn run(&mut self) -> Value {
        self.conductor.open(&self.script.inputs, &self.script.context);
        let opened = !self.conductor.state().status.is_completed();
        if opened {
            // From nothing there is always a way to running.
            let _ = self.conductor.request(Status::Running);
        }
        self.step();
        self.schedule();
        let scripted = self.script.order.as_deref() == Some("script");
        let mut todo: VecDeque<&Outcome> =
            if scripted { self.script.outcomes.iter().collect() } else { VecDeque::new() };
        let mut truncated = true;
        for _ in 0..self.script.max_steps.unwrap_or(STEPS) {
            if let Some(outcome) = todo.pop_front() {
                if let Some(op) = &outcome.op {
                    self.operate(op, outcome);
                } else if let Some(key) = self.names(outcome) {
                    self.complete(key, Some(outcome));
                } else {
                    let mut note = json!({"ev": "mismatch", "task": outcome.task});
                    put(&mut note, "item", outcome.item);
                    self.trace.push(note);
                    continue;
                }
            } else if let Some(key) = self.running.front().copied() {
                let script = self.script;
                let picked = if scripted { None } else { self.pick(key) };
                self.complete(key, picked.map(|at| &script.outcomes[at]));
            } else {
                truncated = false;
                break;
            }
            self.schedule();
        }
        if self.conductor.state().status.is_completed() {
            self.conductor.render_output();
            self.step();
        }
        let mut told = self.told(opened);
        if truncated || self.instants == 0 {
            told["truncated"] = json!(true);
        }
        told
    }

    /// Takes what happened, and sees that the fold of it is the state.
    fn step(&mut self) {
        for transition in self.conductor.take_transitions() {
            self.replayed.apply(&transition);
            self.pass(&transition);
        }
        if self.reload {
            assert!(self.replayed == *self.conductor.state(), "the fold of the transitions is not the state");
            let written = serde_json::to_string(self.conductor.state()).expect("a state can be written");
            let state: State = serde_json::from_str(&written).expect("a written state can be read");
            assert!(state == *self.conductor.state(), "a state is not the same after it was written and read");
            let graph = Arc::clone(self.conductor.graph());
            self.conductor = Conductor::new(graph, state, Arc::new(Kept(self.script.kv.clone())));
        }
    }

    /// Keeps what is told at the end of each entry, also of those that the state forgets.
    fn pass(&mut self, transition: &Transition) {
        let at = |entry: &u32| *entry as usize;
        match transition {
            Transition::Entered { task, route, .. } => self.sequence.push(Passed {
                task: *task,
                route: *route,
                status: Status::Unset,
                next: BTreeMap::new(),
                terminal: false,
            }),
            Transition::Task { entry, status } => self.sequence[at(entry)].status = *status,
            Transition::Edge { entry, edge, followed } => {
                self.sequence[at(entry)].next.insert(*edge, *followed != Followed::No);
            }
            Transition::Ends { entry, terminal } => self.sequence[at(entry)].terminal = *terminal,
            _ => {}
        }
    }

    /// Starts what is to be started until there is nothing new. Tasks that end at once can lead to one another for ever, so what they take is
    /// counted.
    fn schedule(&mut self) {
        while self.instants > 0 {
            let starts = self.conductor.starts();
            self.step();
            if starts.is_empty() {
                return;
            }
            let mut instant = Vec::new();
            for start in starts {
                self.note_start(&start);
                let (task, route) = (start.task, start.route);
                if start.is_instant() {
                    self.tell((task, route, None), Status::Running, None);
                    instant.push((task, route, None));
                    continue;
                }
                for action in &start.actions {
                    let key = (task, route, action.item);
                    self.tell(key, Status::Running, None);
                    self.running.push_back(key);
                }
            }
            for key in instant {
                self.instants = self.instants.saturating_sub(1);
                self.complete(key, None);
            }
        }
    }

    fn note_start(&mut self, start: &Start) {
        let actions = start.actions.iter().map(|action| {
            let mut told = json!({"action": action.action, "input": action.input});
            put(&mut told, "item", action.item);
            told
        });
        let mut note = json!({
            "ev": "schedule", "task": self.name(start.task), "route": start.route, "actions": actions.collect::<Value>(),
        });
        put(&mut note, "delay", start.delay);
        put(&mut note, "timeout", start.timeout);
        put(&mut note, "items_count", start.items);
        put(&mut note, "concurrency", start.concurrency);
        self.trace.push(note);
    }

    fn tell(&mut self, (task, route, item): Running, status: Status, result: Option<Value>) {
        self.conductor.tell(task, route, &Told { item, status, result: result.map(Arc::new) });
        self.step();
    }

    fn complete(&mut self, key: Running, outcome: Option<&Outcome>) {
        let status = outcome.and_then(|outcome| outcome.status.as_deref()).and_then(Status::of);
        let status = status.unwrap_or(Status::Succeeded);
        if status.is_completed()
            && let Some(at) = self.running.iter().position(|running| *running == key)
        {
            self.running.remove(at);
        }
        self.tell(key, status, outcome.and_then(|outcome| outcome.result.clone()));
        let (task, route, item) = key;
        let state = self.conductor.state();
        let entry = state.board.latest(task, route);
        let mut note = json!({
            "ev": "update", "task": self.name(task), "route": route, "status": status, "workflow_status": state.status,
        });
        put(&mut note, "item", item);
        put(&mut note, "task_status", entry.map(|(_, entry)| entry.status));
        self.trace.push(note);
    }

    /// The running action that an outcome names.
    fn names(&self, outcome: &Outcome) -> Option<Running> {
        self.running.iter().copied().find(|key| self.is_named(outcome, *key))
    }

    fn is_named(&self, outcome: &Outcome, (task, route, item): Running) -> bool {
        outcome.task.as_deref() == Some(self.name(task))
            && outcome.route.is_none_or(|wanted| wanted == route)
            && outcome.item.is_none_or(|wanted| Some(wanted) == item)
    }

    /// The first outcome that may be used for an action.
    fn pick(&mut self, key: Running) -> Option<usize> {
        let named = |(_, outcome): &(usize, &Outcome)| outcome.op.is_none() && self.is_named(outcome, key);
        let mut named = self.script.outcomes.iter().enumerate().filter(named).map(|(at, _)| at);
        let at = named.find(|at| self.left[*at] != 0)?;
        self.left[at] -= 1;
        Some(at)
    }

    fn operate(&mut self, op: &str, outcome: &Outcome) {
        let done = match op {
            "rerun" => {
                let wanted = outcome.tasks.iter().map(|again| Rerun {
                    task: again.task.clone(),
                    route: again.route,
                    reset_items: again.reset_items,
                });
                self.conductor.rerun(&wanted.collect::<Vec<_>>())
            }
            "timeout" => {
                self.conductor.expire();
                Ok(())
            }
            _ => {
                let status = outcome.status.as_deref().and_then(Status::of);
                self.conductor.request(match op {
                    "pause" => Status::Paused,
                    "resume" => Status::Resuming,
                    "cancel" => Status::Canceled,
                    _ => status.unwrap_or_default(),
                })
            }
        };
        self.step();
        let mut note = json!({"ev": "op", "op": op, "workflow_status": self.conductor.state().status});
        put(&mut note, "error", done.err().as_ref().map(Refused::kind));
        self.trace.push(note);
    }

    fn name(&self, task: u32) -> &str {
        &self.conductor.graph().node(task).name
    }

    /// What is told at the end.
    fn told(&mut self, opened: bool) -> Value {
        let graph = self.conductor.graph();
        let state = self.conductor.state();
        let errors = state.errors.iter().map(|error| {
            let mut told = json!({"type": "error", "message": error.message});
            put(&mut told, "task_id", error.task_id.clone());
            put(&mut told, "route", error.route);
            put(&mut told, "task_transition_id", error.task_transition_id.clone());
            put(&mut told, "result", error.result.clone());
            told
        });
        let routes = state.board.routes().iter().map(|edges| {
            edges.iter().map(|(task, key)| json!(format!("{}__t{key}", graph.node(*task).name))).collect::<Value>()
        });
        let routes = if opened { routes.collect() } else { json!([]) };
        let sequence = self.sequence.iter().map(|passed| {
            let node = graph.node(passed.task);
            let next = passed.next.iter().map(|(edge, followed)| {
                let edge = &node.edges[*edge as usize];
                (format!("{}__t{}", graph.node(edge.to).name, edge.key), json!(followed))
            });
            let status = if passed.status == Status::Unset { Value::Null } else { json!(passed.status) };
            json!({
                "task": node.name, "route": passed.route, "status": status, "next": next.collect::<Map<_, _>>(),
                "term": passed.terminal,
            })
        });
        json!({
            "trace": self.trace, "status": state.status, "output": state.output, "errors": errors.collect::<Value>(),
            "routes": routes, "sequence": sequence.collect::<Value>(),
        })
    }
}

/// Adds a value that is there.
fn put(note: &mut Value, key: &str, value: Option<impl serde::Serialize>) {
    if let Some(value) = value {
        note[key] = json!(value);
    }
}
