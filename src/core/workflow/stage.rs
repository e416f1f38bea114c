//! A workflow on a stage: everything of a run but what carries actions out. Whoever directs it says how each action ends; an audience is told of
//! every start and every end. [`super::trace`] and the rehearsals of [`crate::core::rehearsal`] are played on it.

use super::conductor::{Conductor, Start, Told};
use super::graph::Graph;
use super::scene::World;
use super::state::State;
use super::status::Status;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::sync::Arc;

/// How many steps a play takes when nobody says.
pub(crate) const STEPS: usize = 10_000;

/// An action at work: its task, route and item.
pub(crate) type Running = (u32, u32, Option<u32>);

/// Who is told what happens.
pub(crate) trait Audience {
    /// The conductor has done something; its transitions are there to be taken, and what stands in its place goes on.
    fn stepped(&mut self, conductor: &mut Conductor);

    /// A task is started, or more of its items.
    fn started(&mut self, conductor: &Conductor, start: &Start);

    /// An action tells how it stands; nothing follows from it yet.
    fn tells(&mut self, _: &Conductor, _: Running, _: Status, _: Option<&Value>) {}

    /// An action, or a task without one, has told how it stands, and what follows from it has been decided.
    fn told(&mut self, conductor: &Conductor, running: Running, status: Status);
}

/// The datastore of a play.
#[derive(Debug, Clone)]
pub(crate) struct Kept(pub(crate) Map<String, Value>);

impl World for Kept {
    fn kept(&self, name: &str, _: bool) -> Result<Option<Value>, String> {
        Ok(self.0.get(name).cloned())
    }
}

/// A run of a workflow, and what is at work in it.
#[derive(Debug)]
pub(crate) struct Stage {
    /// What decides.
    pub(crate) conductor: Conductor,
    /// What is at work, that which runs for longest first.
    pub(crate) running: VecDeque<Running>,
    /// How many more tasks may end at once. Tasks without an action can lead to one another for ever.
    instants: usize,
}

impl Stage {
    pub(crate) fn new(graph: Arc<Graph>, world: Arc<dyn World>) -> Self {
        let conductor = Conductor::new(graph, State::default(), world);
        Self { conductor, running: VecDeque::new(), instants: STEPS }
    }

    /// Opens the workflow and starts what it begins with. Gives whether it could be opened.
    pub(crate) fn open(
        &mut self,
        inputs: &Map<String, Value>,
        context: &Map<String, Value>,
        audience: &mut dyn Audience,
    ) -> bool {
        self.conductor.open(inputs, context);
        let opened = !self.conductor.state().status.is_completed();
        if opened {
            // From nothing there is always a way to running.
            let _ = self.conductor.request(Status::Running);
        }
        audience.stepped(&mut self.conductor);
        self.schedule(audience);
        opened
    }

    /// Starts what is to be started until there is nothing new.
    pub(crate) fn schedule(&mut self, audience: &mut dyn Audience) {
        while self.instants > 0 {
            let starts = self.conductor.starts();
            audience.stepped(&mut self.conductor);
            if starts.is_empty() {
                return;
            }
            let mut instant = Vec::new();
            for start in starts {
                audience.started(&self.conductor, &start);
                let (task, route) = (start.task, start.route);
                if start.is_instant() {
                    self.tell((task, route, None), Status::Running, None, audience);
                    instant.push((task, route, None));
                    continue;
                }
                for action in &start.actions {
                    let key = (task, route, action.item);
                    self.tell(key, Status::Running, None, audience);
                    self.running.push_back(key);
                }
            }
            for key in instant {
                self.instants = self.instants.saturating_sub(1);
                self.complete(key, Status::Succeeded, None, audience);
            }
        }
    }

    /// An action tells how it stands. One that has ended is at work no more.
    pub(crate) fn complete(
        &mut self,
        key: Running,
        status: Status,
        result: Option<Value>,
        audience: &mut dyn Audience,
    ) {
        if status.is_completed()
            && let Some(at) = self.running.iter().position(|running| *running == key)
        {
            self.running.remove(at);
        }
        audience.tells(&self.conductor, key, status, result.as_ref());
        self.tell(key, status, result, audience);
        audience.told(&self.conductor, key, status);
    }

    /// Works out what the workflow gives, where it has ended.
    pub(crate) fn close(&mut self, audience: &mut dyn Audience) {
        if self.conductor.state().status.is_completed() {
            self.conductor.render_output();
            audience.stepped(&mut self.conductor);
        }
    }

    /// Tasks without an action have led to one another until enough was enough.
    pub(crate) fn is_worn_out(&self) -> bool {
        self.instants == 0
    }

    fn tell(&mut self, key: Running, status: Status, result: Option<Value>, audience: &mut dyn Audience) {
        let (task, route, item) = key;
        self.conductor.tell(task, route, &Told { item, status, result: result.map(Arc::new) });
        audience.stepped(&mut self.conductor);
    }
}
