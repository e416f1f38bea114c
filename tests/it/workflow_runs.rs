//! Workflows that run in the bot: from a line of chat to the last task.

use crate::bot::{Content, Machine, said, started};
use halcyon::adapters::content::read_packs;
use halcyon::core::action::execution::{Execution, Status};
use halcyon::core::action::result::result;
use halcyon::core::action::run::{Captured, Exit, HostOutcome, RunNews, Work};
use halcyon::core::bot::Step;
use halcyon::core::content::load::load;
use halcyon::core::effect::{Effect, Query};
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::id::{ExecutionId, Host, PostId};
use halcyon::core::input::{DeliveryOutcome, Input};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

static FLOWS: LazyLock<Content> = LazyLock::new(|| {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let loaded = load(&read_packs(&[root.clone(), root.join("tests/data/packs/flows")]));
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    (Arc::new(loaded.catalog), Arc::new(loaded.diagnostics))
});

/// How a command ends on a host.
type Nodes = fn(&str, &str) -> (Exit, String);

/// Commands do what they say.
fn sound(host: &str, script: &str) -> (Exit, String) {
    let text = if script.contains("hostname") {
        host.to_owned()
    } else {
        script.rsplit("echo ").next().unwrap_or_default().trim().to_owned()
    };
    let code = i32::from(script.contains("false"));
    (Exit::Code { code }, text)
}

/// A bot, nodes that answer at once, and a clock that moves when it is told to.
struct World {
    machine: Machine,
    nodes: Nodes,
    waiting: VecDeque<Effect>,
    /// Commands that are kept back.
    held: Vec<Effect>,
    hold: bool,
    /// What every step left behind, each a transaction.
    steps: Vec<Vec<Dated>>,
    said: Vec<String>,
}

impl World {
    fn new() -> Self {
        Self::over(Vec::new(), Timestamp::from_second(1_700_000_000).unwrap())
    }

    fn over(facts: Vec<Dated>, now: Timestamp) -> Self {
        let machine = Machine::with_content(facts, now, &FLOWS);
        let waiting: VecDeque<Effect> = machine.first.iter().cloned().collect();
        Self { machine, nodes: sound, waiting, held: Vec::new(), hold: false, steps: Vec::new(), said: Vec::new() }
    }

    fn after(&mut self, step: Step) {
        self.said.push(said(&step));
        if !step.facts.is_empty() {
            self.steps.push(step.facts.clone());
        }
        self.waiting.extend(step.effects);
    }

    fn take(&mut self, input: Input) {
        let step = self.machine.take(input);
        self.after(step);
    }

    /// Writes a line and lets everything happen that happens at once. Gives the execution that the line started.
    fn say(&mut self, line: &str) -> Option<ExecutionId> {
        let step = self.machine.hear(line, None);
        let id = started(&step);
        self.after(step);
        self.settle();
        id
    }

    fn settle(&mut self) {
        for _ in 0..1_000_000 {
            if let Some(effect) = self.waiting.pop_front() {
                self.perform(effect);
                continue;
            }
            match self.machine.bot.next_deadline() {
                Some((at, why)) if at <= self.machine.now && why != "a post is to be brought up to date" => {
                    self.take(Input::Deadline);
                }
                _ => return,
            }
        }
        panic!("it never comes to rest: {:?}", self.machine.bot.next_deadline());
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Deliver(delivery) => {
                let post = PostId::new(format!("post-{}", delivery.id));
                self.take(Input::Delivered { delivery: delivery.id, outcome: DeliveryOutcome::Sent { post } });
            }
            Effect::Run(_) | Effect::Attach(_) if self.hold => self.held.push(effect),
            Effect::Run(run) => {
                let Work::Remote(remote) = &run.work else { panic!("{:?}", run.work) };
                for machine in &remote.hosts {
                    let (exit, text) = (self.nodes)(machine.host.as_str(), &remote.command.script);
                    self.end_on(&run.execution, &machine.host, exit, &text);
                }
                self.news(&run.execution, RunNews::Finished { error: None });
            }
            Effect::Attach(attach) => {
                for host in attach.begun.into_keys() {
                    let (exit, text) = (self.nodes)(host.as_str(), "hostname");
                    self.end_on(&attach.execution, &host, exit, &text);
                }
                self.news(&attach.execution, RunNews::Finished { error: None });
            }
            Effect::Cancel(id) => {
                let hosts = self.machine.bot.memory().executions[&id].request.hosts.clone();
                for host in hosts {
                    self.end_on(&id, &host, Exit::Canceled, "");
                }
                self.news(&id, RunNews::Finished { error: None });
            }
            Effect::Find { query: Query::ById(digits), ticket } => {
                let mut found: BTreeMap<ExecutionId, Execution> = BTreeMap::new();
                for dated in &self.machine.facts {
                    match &dated.fact {
                        Fact::ExecutionStarted(request) if request.id.as_str().ends_with(&digits) => {
                            found.insert(request.id.clone(), Execution::start(dated.at, (**request).clone()));
                        }
                        fact => {
                            if let Some(known) = fact.execution().and_then(|id| found.get_mut(id)) {
                                known.apply(dated.at, fact).unwrap();
                            }
                        }
                    }
                }
                self.take(Input::Found { ticket: *ticket, executions: found.into_values().collect() });
            }
            Effect::Identify { of, users, .. } => {
                let identity = self.machine.post("", None).identity;
                let people = identity.filter(|identity| users.contains(&identity.id)).into_iter().collect();
                self.take(Input::Identified { of, people: Some(people) });
            }
            _ => {}
        }
    }

    fn news(&mut self, id: &ExecutionId, news: RunNews) {
        self.take(Input::Run { execution: id.clone(), news });
    }

    fn end_on(&mut self, id: &ExecutionId, host: &Host, exit: Exit, text: &str) {
        let stdout = Captured::Inline { text: text.to_owned() };
        let outcome = Box::new(HostOutcome { exit, stdout, stderr: Captured::empty(), seconds: 0.1 });
        self.news(id, RunNews::HostFinished { host: host.clone(), outcome });
    }

    /// Moves the clock to when the bot wants to be woken, and lets things happen; posts that are only brought up to date do not count.
    fn wait(&mut self, seconds: i64) {
        let end = self.machine.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        while let Some((at, _)) = self.machine.bot.next_deadline().filter(|(at, _)| *at <= end) {
            self.machine.now = self.machine.now.max(at);
            self.take(Input::Deadline);
            self.settle();
        }
        self.machine.now = end;
        self.settle();
    }

    /// Lets the commands go that were kept back.
    fn release(&mut self) {
        self.hold = false;
        self.waiting.extend(std::mem::take(&mut self.held));
        self.settle();
    }

    /// An execution as its facts say.
    fn execution(&self, id: &ExecutionId) -> Execution {
        let mut found: Option<Execution> = None;
        for dated in self.machine.facts.iter().filter(|dated| dated.fact.execution() == Some(id)) {
            match (&mut found, &dated.fact) {
                (None, Fact::ExecutionStarted(request)) => {
                    found = Some(Execution::start(dated.at, (**request).clone()));
                }
                (None, Fact::ExecutionWaits(waits)) => found = Some(Execution::wait(dated.at, waits)),
                (Some(known), fact) => known.apply(dated.at, fact).unwrap(),
                (None, fact) => panic!("{fact:?}"),
            }
        }
        found.unwrap()
    }

    /// How a workflow ended, and what it gave.
    fn end(&self, id: &ExecutionId) -> (Status, Value) {
        let execution = self.execution(id);
        let text = |captured: &Captured| match captured {
            Captured::Inline { text } | Captured::Blob { head: text, .. } => text.clone(),
        };
        (execution.status, result(&execution, &text))
    }

    /// The newest text of the post of a workflow.
    fn card(&self, id: &ExecutionId) -> String {
        let about = format!("`{}`", id.short());
        let cards = self.said.iter().filter(|said| said.contains(&about));
        cards.last().cloned().unwrap_or_default()
    }
}

#[test]
fn a_line_runs_the_tasks_of_a_workflow_to_its_end() {
    let check = |line: &str, status: Status, expected: Value| {
        let mut world = World::new();
        let id = world.say(line).unwrap_or_else(|| panic!("{line}: {:?}", world.said));
        let (ended, given) = world.end(&id);
        assert_eq!((ended, &given["output"]), (status, &expected), "{line}: {given:#}");
        assert!(world.machine.bot.memory().executions.is_empty(), "{line}");
        assert!(world.machine.bot.memory().untold.is_empty(), "{line}");
    };
    check("!chain on wn001", Status::Succeeded, json!({"said": "hello", "seen": ["wn001"]}));
    check("!fan out on wn001", Status::Succeeded, json!({"all": "one-two"}));
    check("!each of wn001,wn002,wn003", Status::Succeeded, json!({"names": ["wn001", "wn002", "wn003"]}));
    check("!break on wn001", Status::Failed, json!({"trouble": "yes"}));
    check("!nest on wn002", Status::Succeeded, json!({"said": "hello"}));
    check("!count to 5", Status::Succeeded, json!({"number": 4}));
    check("!do many 300", Status::Succeeded, Value::Null);
}
