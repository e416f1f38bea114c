//! Workflows that run in the bot: from a line of chat to the last task.

use crate::bot::{Content, Machine, said, started};
use halcyon::adapters::content::read_packs;
use halcyon::core::action::execution::{Execution, Status};
use halcyon::core::action::result::result;
use halcyon::core::action::run::{Captured, Exit, HostOutcome, RunNews, Work};
use halcyon::core::bot::Step;
use halcyon::core::content::diagnostic::{Diagnostic, Severity};
use halcyon::core::content::load::load;
use halcyon::core::effect::{Effect, Query};
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::id::{ActionRef, ChannelId, ExecutionId, Host, PostId, UserId};
use halcyon::core::input::{DeliveryOutcome, Directory, Input};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

static FLOWS: LazyLock<Content> = LazyLock::new(|| {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let loaded = load(&read_packs(&[root.clone(), root.join("tests/data/packs/flows")]));
    let errors = |found: &Diagnostic| found.severity == Severity::Error;
    assert!(!loaded.diagnostics.iter().any(errors), "{:?}", loaded.diagnostics);
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
        let waiting: VecDeque<Effect> = machine.first.iter().chain(&machine.connected).cloned().collect();
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
        for _ in 0..50_000 {
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
        let mut turns = 0;
        while let Some((at, why)) = self.machine.bot.next_deadline().filter(|(at, _)| *at <= end) {
            turns += 1;
            assert!(turns < 10_000, "it wakes for nothing: {why} at {at}, and it is {}", self.machine.now);
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
        self.said.iter().rev().find(|said| said.contains(&about)).cloned().unwrap_or_default()
    }
}

#[test]
fn a_task_whose_action_is_not_there_is_told_where_it_stands_and_keeps_nothing_out_of_force() {
    let (catalog, found) = &*FLOWS;
    let said: Vec<String> = found.iter().map(ToString::to_string).collect();
    let told = [
        "actions/workflows/long.yaml:4: warning: tasks.write.action: there is no action `trial.count`",
        "actions/workflows/relay.yaml:4: warning: tasks.wait.action: there is no action `trial.wait`",
    ];
    assert_eq!(said.len(), told.len(), "{said:#?}");
    assert!(said.iter().zip(told).all(|(said, told)| said.ends_with(told)), "{said:#?}");
    assert!(catalog.actions.contains_key(&ActionRef::new("flows.relay")));
    // Where the pack is loaded that has it, nothing is wrong.
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let packs = ["", "tests/data/packs/flows", "tests/data/packs/trial"].map(|pack| root.join(pack));
    let found = load(&read_packs(&packs)).diagnostics;
    assert!(found.iter().all(|found| !found.key_path.starts_with("tasks.")), "{found:?}");
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

fn status_of(world: &World, id: &ExecutionId) -> Status {
    world.execution(id).status
}

#[test]
fn the_post_shows_the_tasks_and_what_failed() {
    let mut world = World::new();
    world.hold = true;
    let id = world.say("!chain on wn001").unwrap();
    let first = world.said.iter().find(|said| said.contains("chain on wn001")).unwrap().clone();
    assert!(first.contains("running"), "{first}");
    world.release();
    let card = world.card(&id);
    assert!(card.starts_with(":white_check_mark: `chain on wn001` · **done**"), "{card}");
    assert!(card.contains("**greet**") && card.contains("**look**") && card.contains("said: hello"), "{card}");

    let mut world = World::new();
    let id = world.say("!break on wn001").unwrap();
    let card = world.card(&id);
    assert!(card.starts_with(":x: `break on wn001` · **failed**"), "{card}");
    assert!(card.contains("**bad**: wn001: exit code 1") && card.contains("it went wrong; false"), "{card}");
    // What cleans up was run, what follows a success was not.
    assert!(card.contains("**tidy**") && !card.contains("**after**"), "{card}");
    // A workflow has one post, and its tasks have none.
    let posts = |fact: &Dated| matches!(&fact.fact, Fact::DeliveryIntended(delivery) if delivery.id.as_str().ends_with("-card"));
    assert_eq!(world.machine.facts.iter().filter(|fact| posts(fact)).count(), 1);
}

#[test]
fn what_a_command_wrote_is_never_an_expression() {
    for written in ["<% ctx(hosts) %>", "{{ ctx().hosts }}", "<% st2kv('system.secret') %>"] {
        static WRITTEN: std::sync::Mutex<String> = std::sync::Mutex::new(String::new());
        written.clone_into(&mut WRITTEN.lock().unwrap());
        let mut world = World::new();
        world.nodes = |_, _| (Exit::Code { code: 0 }, WRITTEN.lock().unwrap().clone());
        let id = world.say("!pass on from wn001").unwrap();
        let (status, given) = world.end(&id);
        assert_eq!((status, &given["output"]["said"]), (Status::Succeeded, &json!(written)));
    }
}

#[test]
fn what_expressions_put_into_a_command_is_looked_at() {
    let mut world = World::new();
    let id = world.say("!splice hello on wn001").unwrap();
    assert_eq!(status_of(&world, &id), Status::Succeeded);
    let mut world = World::new();
    let id = world.say("!splice $(reboot) on wn001").unwrap();
    let (status, given) = world.end(&id);
    assert_eq!(status, Status::Failed);
    let error = given["errors"][0]["result"]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("expressions put `$`"), "{error}");
    assert!(world.card(&id).contains("a shell would act on that"), "{}", world.card(&id));
}

#[test]
fn delays_and_retries_wait_without_sleeping() {
    let mut world = World::new();
    world.nodes = |_, _| (Exit::Code { code: 1 }, String::new());
    let id = world.say("!try again on wn001").unwrap();
    assert_eq!(world.machine.bot.memory().executions.len(), 1, "the first task waits for its time");
    world.wait(4);
    assert_eq!(world.machine.bot.memory().executions.len(), 1);
    world.wait(2);
    let tries = |world: &World| {
        let begun = |fact: &&Dated| matches!(&fact.fact, Fact::ExecutionStarted(request) if request.action.as_str() == "core.remote");
        world.machine.facts.iter().filter(begun).count()
    };
    assert_eq!(tries(&world), 1);
    world.wait(10);
    assert_eq!(tries(&world), 2);
    // A restart while it waits changes nothing.
    let mut world = World { nodes: world.nodes, ..World::over(world.machine.facts, world.machine.now) };
    world.settle();
    assert_eq!(tries(&world), 2);
    world.wait(10);
    assert_eq!(tries(&world), 3);
    assert_eq!(status_of(&world, &id), Status::Failed);
    let shaky = world.execution(&id).conducted.unwrap();
    assert_eq!(shaky.children.values().map(|child| child.attempt).max(), Some(3));
}

#[test]
fn a_task_whose_time_is_over_is_stopped() {
    let mut world = World::new();
    world.hold = true;
    let id = world.say("!be slow on wn001").unwrap();
    world.held.clear();
    world.wait(29);
    assert_eq!(status_of(&world, &id), Status::Running);
    world.wait(2);
    let (status, given) = world.end(&id);
    assert_eq!(status, Status::Succeeded, "what follows a failure takes care of it: {given:#}");
    let conducted = world.execution(&id).conducted.unwrap();
    let names: Vec<&str> = conducted.children.keys().map(|place| conducted.state.board.name(place.task)).collect();
    assert_eq!(names, ["slow", "told"]);
}

#[test]
fn a_workflow_whose_own_time_is_over_has_failed_with_all_that_it_had_begun() {
    let mut world = World::new();
    world.hold = true;
    let id = world.say("!be short on wn001").unwrap();
    world.held.clear();
    world.wait(19);
    assert_eq!(status_of(&world, &id), Status::Running);
    // It is known over a restart, too.
    let mut world = World::over(world.machine.facts, world.machine.now);
    world.hold = true;
    world.settle();
    world.wait(2);
    let (status, given) = world.end(&id);
    assert_eq!(status, Status::Failed, "{given:#}");
    let message = "WorkflowTimeoutError: the workflow took longer than 20 s";
    assert_eq!(given["errors"][0]["message"], message, "{given:#}");
    assert!(world.machine.bot.memory().executions.is_empty(), "what it had begun was stopped");
    assert!(world.card(&id).contains("the workflow took longer than 20 s"), "{}", world.card(&id));
    let begun = world.execution(&id).conducted.unwrap().children.len();
    assert_eq!(begun, 1, "nothing more was begun");
}

#[test]
fn a_workflow_is_stopped_with_all_that_it_has_begun() {
    let mut world = World::new();
    world.hold = true;
    let id = world.say("!fan out on wn001").unwrap();
    assert_eq!(world.machine.bot.memory().executions.len(), 3);
    world.held.clear();
    world.say(&format!("!cancel {}", id.short()));
    assert_eq!(status_of(&world, &id), Status::Canceled);
    assert!(world.machine.bot.memory().executions.is_empty());
    assert!(world.card(&id).contains("stopped by operator"), "{}", world.card(&id));

    let mut world = World::new();
    world.hold = true;
    let id = world.say("!nest on wn001").unwrap();
    assert_eq!(world.machine.bot.memory().executions.len(), 3);
    world.held.clear();
    world.say(&format!("!cancel {}", id.short()));
    assert_eq!(status_of(&world, &id), Status::Canceled, "{:#}", world.end(&id).1);
    assert!(world.machine.bot.memory().executions.is_empty());
}

#[test]
fn a_paused_workflow_begins_nothing_until_it_is_resumed() {
    for line in ["!chain on wn001", "!nest on wn001"] {
        let mut world = World::new();
        world.hold = true;
        let id = world.say(line).unwrap();
        world.say(&format!("!pause {}", id.short()));
        assert_eq!(status_of(&world, &id), Status::Pausing, "{line}");
        world.release();
        assert_eq!(status_of(&world, &id), Status::Paused, "{line}");
        assert!(world.machine.bot.memory().executions.values().all(|known| known.request.workflow.is_some()), "{line}");
        // It stands still over a restart, too.
        let mut world = World::over(world.machine.facts, world.machine.now);
        world.settle();
        assert_eq!(status_of(&world, &id), Status::Paused, "{line}");
        world.say(&format!("!pause {}", id.short()));
        assert!(world.said.iter().any(|said| said.contains("is paused already")), "{:?}", world.said);
        world.say(&format!("!resume {}", id.short()));
        assert_eq!(status_of(&world, &id), Status::Succeeded, "{line}");
    }
}

#[test]
fn a_failed_workflow_goes_on_from_where_it_failed() {
    let mut world = World::new();
    world.nodes = |host, script| match host {
        "wn002" => (Exit::Code { code: 1 }, "no".into()),
        _ => sound(host, script),
    };
    let id = world.say("!fan out on wn001").unwrap();
    assert_eq!(status_of(&world, &id), Status::Failed);
    world.nodes = sound;
    let again = world.say(&format!("!rerun {} from failed", id.short()));
    let again = again.or_else(|| newest(&world)).unwrap();
    assert_ne!(again, id);
    let (status, given) = world.end(&again);
    assert_eq!((status, &given["output"]), (Status::Succeeded, &json!({"all": "one-two"})), "{given:#}");
    assert_eq!(world.execution(&again).request.rerun_of, Some(id.clone()));
    // What had succeeded was not run again.
    let ran = |host: &str| {
        let begun =
            |fact: &&Dated| matches!(&fact.fact, Fact::ExecutionStarted(request) if request.hosts == [Host::new(host)]);
        world.machine.facts.iter().filter(begun).count()
    };
    assert_eq!((ran("wn001"), ran("wn002")), (1, 2));

    for (line, said) in [
        (format!("!rerun {} from failed", again.short()), "Nothing failed in"),
        (format!("!rerun {} from nowhere", again.short()), "there was no task `nowhere`"),
    ] {
        let before = world.machine.facts.len();
        assert_eq!(world.say(&line), None);
        assert!(world.said.iter().any(|text| text.contains(said)), "{line}: {:?}", world.said.last());
        let started = |fact: &Dated| matches!(fact.fact, Fact::ExecutionStarted(_));
        assert!(!world.machine.facts[before..].iter().any(started), "{line}");
    }
    let chain = world.say("!chain on wn001").unwrap();
    world.say(&format!("!rerun {} from look", chain.short()));
    let third = newest(&world).unwrap();
    assert_ne!(third, chain);
    assert_eq!(world.end(&third).1["output"], json!({"said": "hello", "seen": ["wn001"]}));
    assert_eq!(world.end(&third).0, Status::Succeeded, "{:#}", world.end(&third).1);
}

/// The newest execution that somebody asked for.
fn newest(world: &World) -> Option<ExecutionId> {
    world.machine.facts.iter().rev().find_map(|dated| match &dated.fact {
        Fact::ExecutionStarted(request) if request.parent.is_none() => Some(request.id.clone()),
        _ => None,
    })
}

#[test]
fn a_question_holds_the_tasks_behind_it() {
    let mut world = World::new();
    let id = world.say("!ask about wn001").unwrap();
    assert_eq!(status_of(&world, &id), Status::Paused);
    let asking =
        world.machine.bot.memory().executions.values().find_map(|known| known.request.inquiry.clone()).unwrap();
    world.say(&format!("!answer {} yes", asking.code));
    let (status, given) = world.end(&id);
    assert_eq!((status, &given["output"]), (Status::Succeeded, &json!({"go": true})), "{given:#}");
}

#[test]
fn a_circle_that_does_nothing_comes_to_an_end() {
    let mut world = World::new();
    let mut settings = world.machine.bot.settings().clone();
    settings.limits.workflow_idle = 2_000;
    world.take(Input::Settings(Arc::new(settings)));
    let id = world.say("!spin on wn001").unwrap();
    let (status, given) = world.end(&id);
    assert_eq!(status, Status::Failed);
    let errors = given["errors"].to_string();
    assert!(errors.contains("tasks without an action followed one another"), "{errors}");
    assert!(world.steps.iter().all(|facts| facts.len() < 1_500), "no event is decided about for long");
}

#[test]
fn secrets_are_passed_on_and_never_remembered() {
    // Without a key there is nothing to seal a secret with.
    let mut world = World::new();
    let id = world.say("!hide s3cr3t on wn001").unwrap();
    let execution = world.execution(&id);
    assert_eq!(execution.status, Status::Failed);
    assert!(execution.error.unwrap().contains("master key"));

    let mut world = World::new();
    world.take(Input::MasterKey(Ok(halcyon::core::datastore::seal::MasterKey::new([7; 32]))));
    world.nodes = |_, script| {
        assert!(script.contains("login s3cr3t"), "{script}");
        (Exit::Code { code: 0 }, String::new())
    };
    let id = world.say("!hide s3cr3t on wn001").unwrap();
    let (status, given) = world.end(&id);
    assert_eq!((status, &given["output"]["password"]), (Status::Succeeded, &json!("********")), "{given:#}");
    for dated in &world.machine.facts {
        let stored = serde_json::to_string(dated).unwrap();
        assert!(!stored.contains("s3cr3t"), "{stored}");
    }
    assert!(!world.said.iter().any(|said| said.contains("s3cr3t")));
}

#[test]
fn who_may_run_the_workflow_needs_the_rights_for_its_tasks() {
    let mut world = World::new();
    let mut settings = world.machine.bot.settings().clone();
    settings.roles[0].grants = vec![halcyon::core::settings::Grant::new(halcyon::core::settings::Verb::Run, "flows.*")];
    world.take(Input::Settings(Arc::new(settings)));
    let id = world.say("!fan out on wn001").unwrap();
    let (status, given) = world.end(&id);
    assert_eq!(status, Status::Failed);
    let errors = given["errors"].to_string();
    assert!(errors.contains("operator may not run core.remote"), "{errors}");
    assert!(
        world
            .machine
            .facts
            .iter()
            .any(|dated| matches!(&dated.fact, Fact::AccessDenied { needed, .. } if needed == "run:core.remote"))
    );
}

#[test]
fn a_freeze_holds_a_workflow_where_it_stands() {
    let mut world = World::new();
    world.machine.bot.settings();
    let mut settings = world.machine.bot.settings().clone();
    settings.roles[0].grants.push(halcyon::core::settings::Grant::new(halcyon::core::settings::Verb::Admin, "*"));
    world.take(Input::Settings(Arc::new(settings)));
    world.hold = true;
    let id = world.say("!chain on wn001").unwrap();
    world.say("!freeze storm");
    world.release();
    assert_eq!(status_of(&world, &id), Status::Running);
    assert_eq!(world.machine.bot.memory().executions.len(), 1, "the first task has ended, the second does not begin");
    world.say("!unfreeze");
    assert_eq!(status_of(&world, &id), Status::Succeeded);
}

/// Cuts the facts of a run after every step, starts on what is left, and lets it end.
#[test]
fn a_restart_after_any_step_comes_to_the_same_end() {
    for (line, expected) in [
        ("!chain on wn001", json!({"said": "hello", "seen": ["wn001"]})),
        ("!fan out on wn001", json!({"all": "one-two"})),
        ("!each of wn001,wn002,wn003", json!({"names": ["wn001", "wn002", "wn003"]})),
        ("!nest on wn002", json!({"said": "hello"})),
        ("!count to 4", json!({"number": 3})),
    ] {
        let mut whole = World::new();
        let before = whole.machine.facts.len();
        let id = whole.say(line).unwrap();
        let steps = whole.steps.clone();
        let begun = steps.iter().position(|facts| facts.iter().any(|fact| fact.fact.execution() == Some(&id))).unwrap();
        for cut in begun + 1..=steps.len() {
            let mut facts = whole.machine.facts[..before].to_vec();
            facts.extend(steps[..cut].iter().flatten().cloned());
            let mut world = World::over(facts, whole.machine.now);
            // What a node tells of a command that was begun: it has ended, with what it wrote.
            world.settle();
            let (status, given) = world.end(&id);
            let given = &given["output"];
            let memory = world.machine.bot.memory();
            let left: Vec<_> =
                memory.executions.values().map(|known| (known.request.action.clone(), known.status)).collect();
            let untold = memory.untold.len();
            assert_eq!(
                status,
                Status::Succeeded,
                "{line} cut at {cut}: {left:?}, {untold} untold, {:?}",
                world.machine.bot.next_deadline()
            );
            // What was attached to tells only its code, and the test's nodes tell their name.
            if cut == steps.len() {
                assert_eq!(given, &expected, "{line} cut at {cut}");
            }
            assert!(world.machine.bot.memory().executions.is_empty(), "{line} cut at {cut}");
            // The memory is the same when it is written down and read again.
            let written = serde_json::to_string(world.machine.bot.memory()).unwrap();
            let read: halcyon::core::memory::Memory = serde_json::from_str(&written).unwrap();
            assert!(read == *world.machine.bot.memory(), "{line} cut at {cut}");
        }
    }
}

/// Who asked has to be looked up before anything begins; what is to tell of a failure waits for that, and so does the end.
#[test]
fn what_follows_a_failure_begins_after_a_restart_too() {
    let mut world = World::new();
    world.hold = true;
    let id = world.say("!break on wn001").unwrap();
    let mut world = World::over(world.machine.facts, world.machine.now);
    world.nodes = |_, _| (Exit::Code { code: 1 }, String::new());
    world.settle();
    assert_eq!(status_of(&world, &id), Status::Failed);
    let conducted = world.execution(&id).conducted.unwrap();
    let names: Vec<&str> = conducted.children.keys().map(|place| conducted.state.board.name(place.task)).collect();
    assert_eq!(names, ["first", "bad", "tidy"]);
}

/// A process that has just started knows nobody for a moment, and nobody loses their rights by that.
#[test]
fn rights_are_judged_when_it_is_known_who_people_are() {
    let mut world = World::new();
    world.hold = true;
    let id = world.say("!chain on wn001").unwrap();
    let mut world = World::over(world.machine.facts, world.machine.now);
    world.take(Input::Directory(Directory::default()));
    world.settle();
    assert_eq!(status_of(&world, &id), Status::Running);
    let users = BTreeMap::from([("operator".to_owned(), UserId::new("u1"))]);
    let channels = BTreeMap::from([("cluster".to_owned(), ChannelId::new(crate::bot::CHANNEL))]);
    world.take(Input::Directory(Directory { users, channels, ..Directory::default() }));
    world.settle();
    assert_eq!(status_of(&world, &id), Status::Succeeded, "{:#}", world.end(&id).1);
}

/// What is to tell of a failure does not go missing where the process stops meanwhile either.
#[test]
fn what_follows_a_failure_is_not_lost_to_a_stop() {
    let mut world = World::new();
    world.hold = true;
    let id = world.say("!break on wn001").unwrap();
    world.nodes = |_, _| (Exit::Code { code: 1 }, String::new());
    world.take(Input::Stop);
    world.release();
    assert_eq!(status_of(&world, &id), Status::Running, "what is left to do waits for the next process");
    let mut world = World::over(world.machine.facts, world.machine.now);
    world.settle();
    assert_eq!(status_of(&world, &id), Status::Failed);
    let conducted = world.execution(&id).conducted.unwrap();
    let names: Vec<&str> = conducted.children.keys().map(|place| conducted.state.board.name(place.task)).collect();
    assert_eq!(names, ["first", "bad", "tidy"]);
}

#[test]
fn an_end_that_nobody_knows_waits_for_a_person() {
    for (answer, status) in [("1", Status::Succeeded), ("2", Status::Failed), ("3", Status::Succeeded)] {
        let mut world = World::new();
        world.nodes = |host, script| match script.contains("hello") {
            true => (Exit::Unknown { why: "the connection is gone".into() }, String::new()),
            false => sound(host, script),
        };
        let id = world.say("!fan out on wn001").unwrap();
        assert_eq!(status_of(&world, &id), Status::Succeeded);
        let id = world.say("!chain on wn001").unwrap();
        assert_eq!(status_of(&world, &id), Status::Running, "it waits for a judgement");
        let unknown = world.machine.bot.memory().questions.keys().next().cloned().unwrap();
        let asked = world.said.iter().any(|said| said.contains(unknown.short()));
        assert!(asked, "a person is asked: {:?}", world.said);
        world.nodes = sound;
        let words = ["ran", "not run", "again"][answer.parse::<usize>().unwrap() - 1];
        world.say(&format!("!settle {} {words}", unknown.short()));
        assert_eq!(status_of(&world, &id), status, "{words}: {:?}", world.said.last());
    }
}

#[test]
fn many_items_take_time_that_grows_with_their_number() {
    let mut world = World::new();
    let id = world.say("!do many 2000").unwrap();
    let (status, _) = world.end(&id);
    assert_eq!(status, Status::Succeeded);
    let most = world
        .steps
        .iter()
        .map(|facts| facts.iter().filter(|fact| matches!(fact.fact, Fact::ExecutionStarted(_))).count());
    assert!(most.max().unwrap() <= 256, "one event pays for so much only");
}

/// How many facts, bytes of facts, events and edits of posts a line took to its end, with commands that end at once.
fn cost(line: &str) -> [usize; 4] {
    let mut world = World::new();
    let id = world.say(line).unwrap();
    assert_eq!(world.end(&id).0, Status::Succeeded, "{line}");
    assert!(world.machine.bot.memory().executions.is_empty(), "{line}");
    let bytes = world.machine.facts.iter().map(|dated| serde_json::to_vec(&dated.fact).unwrap().len()).sum();
    let edits = world.said.iter().filter(|said| said.contains(&format!("`{}`", id.short()))).count();
    [world.machine.facts.len(), bytes, world.steps.len(), edits]
}

#[test]
fn what_a_workflow_costs_grows_with_its_steps() {
    for (line, few, edits) in [("!do many", 500, 12), ("!count to", 300, 12)] {
        let [once, twice] = [few, 2 * few].map(|count| cost(&format!("{line} {count}")));
        for (what, (once, twice)) in ["facts", "bytes", "events"].into_iter().zip(once.into_iter().zip(twice)) {
            assert!(2 * twice <= 5 * once, "{line}: {once} {what} for {few}, {twice} for twice as many");
        }
        assert!(twice[3] <= edits, "{line}: {} edits", twice[3]);
    }
}
