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
use super::conductor::{Conductor, Refused, Rerun, Start};
use super::graph::Graph;
use super::stage::{Audience, Kept, Running, STEPS, Stage};
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

/// Runs a workflow as a script says. `reload` writes the state down and reads it again after each step, as a restart would.
pub fn trace(graph: Arc<Graph>, script: &Script, reload: bool) -> Value {
    let world = Arc::new(Kept(script.kv.clone()));
    let left = script.outcomes.iter().map(|outcome| match outcome.times {
        None => 1,
        Some(0) => -1,
        Some(times) => times,
    });
    let record = Record {
        reload: reload.then(|| Arc::clone(&world)),
        trace: Vec::new(),
        sequence: Vec::new(),
        replayed: State::default(),
    };
    let mut tracer = Tracer { left: left.collect(), stage: Stage::new(graph, world), script, record };
    tracer.run()
}

/// What is told of an entry.
struct Passed {
    task: u32,
    route: u32,
    status: Status,
    next: BTreeMap<u32, bool>,
    terminal: bool,
}

struct Tracer<'s> {
    stage: Stage,
    script: &'s Script,
    /// How often each outcome may still be used.
    left: Vec<i64>,
    record: Record,
}

/// What is kept of a run, to be told.
struct Record {
    /// The state is written down and read again after each step, with this world around it.
    reload: Option<Arc<Kept>>,
    trace: Vec<Value>,
    sequence: Vec<Passed>,
    /// The fold of all transitions, which has to be the conductor's state.
    replayed: State,
}

impl Audience for Record {
    /// Takes what happened, and sees that the fold of it is the state.
    fn stepped(&mut self, conductor: &mut Conductor) {
        for transition in conductor.take_transitions() {
            self.replayed.apply(&transition);
            self.pass(&transition);
        }
        if let Some(world) = &self.reload {
            assert!(self.replayed == *conductor.state(), "the fold of the transitions is not the state");
            let written = serde_json::to_string(conductor.state()).expect("a state can be written");
            let state: State = serde_json::from_str(&written).expect("a written state can be read");
            assert!(state == *conductor.state(), "a state is not the same after it was written and read");
            *conductor = Conductor::new(Arc::clone(conductor.graph()), state, Arc::clone(world) as _);
        }
    }

    fn started(&mut self, conductor: &Conductor, start: &Start) {
        let actions = start.actions.iter().map(|action| {
            let mut told = json!({"action": action.action, "input": action.input});
            put(&mut told, "item", action.item);
            told
        });
        let name = &conductor.graph().node(start.task).name;
        let mut note = json!({
            "ev": "schedule", "task": name, "route": start.route, "actions": actions.collect::<Value>(),
        });
        put(&mut note, "delay", start.delay);
        put(&mut note, "timeout", start.timeout);
        put(&mut note, "items_count", start.items);
        put(&mut note, "concurrency", start.concurrency);
        self.trace.push(note);
    }

    fn told(&mut self, conductor: &Conductor, (task, route, item): Running, status: Status) {
        let state = conductor.state();
        let entry = state.board.latest(task, route);
        let name = &conductor.graph().node(task).name;
        let mut note = json!({
            "ev": "update", "task": name, "route": route, "status": status, "workflow_status": state.status,
        });
        put(&mut note, "item", item);
        put(&mut note, "task_status", entry.map(|(_, entry)| entry.status));
        self.trace.push(note);
    }
}

impl Record {
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
}

impl Tracer<'_> {
    fn run(&mut self) -> Value {
        let script = self.script;
        let opened = self.stage.open(&script.inputs, &script.context, &mut self.record);
        let scripted = script.order.as_deref() == Some("script");
        let mut todo: VecDeque<&Outcome> = if scripted { script.outcomes.iter().collect() } else { VecDeque::new() };
        let mut truncated = true;
        for _ in 0..script.max_steps.unwrap_or(STEPS) {
            if let Some(outcome) = todo.pop_front() {
                if let Some(op) = &outcome.op {
                    self.operate(op, outcome);
                } else if let Some(key) = self.names(outcome) {
                    self.complete(key, Some(outcome));
                } else {
                    let mut note = json!({"ev": "mismatch", "task": outcome.task});
                    put(&mut note, "item", outcome.item);
                    self.record.trace.push(note);
                    continue;
                }
            } else if let Some(key) = self.stage.running.front().copied() {
                let picked = if scripted { None } else { self.pick(key) };
                self.complete(key, picked.map(|at| &script.outcomes[at]));
            } else {
                truncated = false;
                break;
            }
            self.stage.schedule(&mut self.record);
        }
        self.stage.close(&mut self.record);
        let mut told = self.told(opened);
        if truncated || self.stage.is_worn_out() {
            told["truncated"] = json!(true);
        }
        told
    }

    fn complete(&mut self, key: Running, outcome: Option<&Outcome>) {
        let status = outcome.and_then(|outcome| outcome.status.as_deref()).and_then(Status::of);
        let status = status.unwrap_or(Status::Succeeded);
        let result = outcome.and_then(|outcome| outcome.result.clone());
        self.stage.complete(key, status, result, &mut self.record);
    }

    /// The running action that an outcome names.
    fn names(&self, outcome: &Outcome) -> Option<Running> {
        self.stage.running.iter().copied().find(|key| self.is_named(outcome, *key))
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
        let conductor = &mut self.stage.conductor;
        let done = match op {
            "rerun" => {
                let wanted = outcome.tasks.iter().map(|again| Rerun {
                    task: again.task.clone(),
                    route: again.route,
                    reset_items: again.reset_items,
                });
                conductor.rerun(&wanted.collect::<Vec<_>>())
            }
            "timeout" => {
                conductor.expire();
                Ok(())
            }
            _ => {
                let status = outcome.status.as_deref().and_then(Status::of);
                conductor.request(match op {
                    "pause" => Status::Paused,
                    "resume" => Status::Resuming,
                    "cancel" => Status::Canceled,
                    _ => status.unwrap_or_default(),
                })
            }
        };
        self.record.stepped(conductor);
        let mut note = json!({"ev": "op", "op": op, "workflow_status": conductor.state().status});
        put(&mut note, "error", done.err().as_ref().map(Refused::kind));
        self.record.trace.push(note);
    }

    fn name(&self, task: u32) -> &str {
        &self.stage.conductor.graph().node(task).name
    }

    /// What is told at the end.
    fn told(&mut self, opened: bool) -> Value {
        let graph = self.stage.conductor.graph();
        let state = self.stage.conductor.state();
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
        let sequence = self.record.sequence.iter().map(|passed| {
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
            "trace": self.record.trace, "status": state.status, "output": state.output, "errors": errors.collect::<Value>(),
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
