//! The prefix test: the facts of a run that has it all, cut after every step; a bot that starts on what is left, in each of several worlds; and
//! the ends of all executions against a committed table.
//!
//! A line of `tests/data/prefix/facts.jsonl` is one step of the bot: its facts are one transaction, which a store keeps whole or not at all, so
//! these are all the states that a crash can leave. `HALCYON_REGENERATE=1` records the run and writes the table anew; read the difference.

use crate::bot::{Machine, started};
use crate::data;
use crate::taking_turns::waits;
use halcyon::core::action::execution::{Execution, Status};
use halcyon::core::action::run::{Captured, Exit, HostOutcome, RunNews, Work};
use halcyon::core::bot::Step;
use halcyon::core::effect::{Effect, Query};
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::id::{ActionRef, DeliveryId, ExecutionId, Host, PostId, RequestId};
use halcyon::core::input::{Ask, DeliveryOutcome, Identifying, Input, Principal};
use halcyon::core::memory::Memory;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

/// What the nodes answer after the restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nodes {
    /// It has ended.
    Ended,
    /// It runs, and then ends.
    Running,
    /// It certainly never began.
    Never,
    /// The same, long after it was asked for.
    NeverLate,
    /// Nothing is known, and nothing runs any more.
    Gone,
    /// No answer.
    Away,
}

const WORLDS: [(&str, Nodes); 6] = [
    ("ended", Nodes::Ended),
    ("running", Nodes::Running),
    ("never", Nodes::Never),
    ("late", Nodes::NeverLate),
    ("gone", Nodes::Gone),
    ("away", Nodes::Away),
];

fn outcome(exit: Exit) -> Box<HostOutcome> {
    Box::new(HostOutcome { exit, stdout: Captured::empty(), stderr: Captured::empty(), seconds: 0.1 })
}

/// The code with which commands end on a host, wherever and whenever they run.
fn code_on(host: &Host) -> i32 {
    if host.as_str() == "wn006" { 3 } else { 0 }
}

/// A bot with a chat that keeps what it is given, nodes, and the store of its facts.
struct World {
    machine: Machine,
    nodes: Nodes,
    /// What was done and not taken up yet.
    waiting: VecDeque<Effect>,
    /// How often each delivery was made.
    sent: BTreeMap<DeliveryId, usize>,
    refused: BTreeSet<DeliveryId>,
    /// How often a command was really started on each host for each execution, after the restart.
    begun: BTreeMap<(ExecutionId, Host), usize>,
    /// Runs are kept back until they are asked for.
    held: Vec<Effect>,
    hold: bool,
    steps: Vec<Vec<Dated>>,
}

impl World {
    fn new(machine: Machine, nodes: Nodes) -> Self {
        let (waiting, steps) = (VecDeque::new(), Vec::new());
        let (sent, refused, begun) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { machine, nodes, waiting, sent, refused, begun, held: Vec::new(), hold: false, steps }
    }

    fn after(&mut self, step: Step) -> Step {
        if !step.facts.is_empty() {
            self.steps.push(step.facts.clone());
        }
        self.waiting.extend(step.effects.iter().cloned());
        step
    }

    fn take(&mut self, input: Input) -> Step {
        let step = self.machine.take(input);
        self.after(step)
    }

    fn say(&mut self, line: &str, root: Option<&str>) -> Step {
        let step = self.machine.hear(line, root);
        let step = self.after(step);
        self.settle();
        step
    }

    fn news(&mut self, id: &ExecutionId, news: RunNews) {
        self.take(Input::Run { execution: id.clone(), news });
    }

    /// Lets the world do all that was asked of it, until nothing is left to do.
    fn settle(&mut self) {
        while let Some(effect) = self.waiting.pop_front() {
            match effect {
                Effect::Deliver(delivery) => {
                    let refused = self.refused.contains(&delivery.id);
                    *self.sent.entry(delivery.id.clone()).or_default() += 1;
                    let post = PostId::new(format!("post-{}", delivery.id));
                    let outcome = match refused {
                        true => DeliveryOutcome::Refused { why: "no".into() },
                        false => DeliveryOutcome::Sent { post },
                    };
                    self.take(Input::Delivered { delivery: delivery.id, outcome });
                }
                Effect::Run(_) | Effect::Attach(_) if self.hold => self.held.push(effect),
                Effect::Run(run) => {
                    for host in places(&run.work) {
                        *self.begun.entry((run.execution.clone(), host.clone())).or_default() += 1;
                        self.news(&run.execution, RunNews::HostStarted { host: host.clone() });
                        let outcome = outcome(Exit::Code { code: code_on(&host) });
                        self.news(&run.execution, RunNews::HostFinished { host, outcome });
                    }
                    self.news(&run.execution, RunNews::Finished { error: None });
                }
                Effect::Attach(attach) => {
                    let stopped = self.machine.bot.memory().executions.get(&attach.execution);
                    let stopped = stopped.is_some_and(|execution| execution.status == Status::Canceling);
                    for host in attach.begun.into_keys() {
                        let news = self.answer(&host, stopped);
                        if self.nodes == Nodes::Running {
                            self.news(&attach.execution, RunNews::HostStarted { host });
                        }
                        self.news(&attach.execution, news);
                    }
                    self.news(&attach.execution, RunNews::Finished { error: None });
                }
                Effect::Find { query, ticket } => {
                    let executions = self.find(&query);
                    self.take(Input::Found { ticket: *ticket, executions });
                }
                Effect::Cancel(_)
                | Effect::Refresh { .. }
                | Effect::React { .. }
                | Effect::Answer { .. }
                | Effect::ReadReactions { .. }
                | Effect::OpenDialog { .. }
                | Effect::Reply { .. }
                | Effect::LookUpUser { .. }
                | Effect::StartSensor(_)
                | Effect::StopSensor { .. }
                | Effect::Audit { .. }
                | Effect::ReadOutputs { .. }
                | Effect::HandOut { .. }
                | Effect::ReadMonitoring { .. }
                | Effect::Reload { .. } => {}
                Effect::Identify { of: Identifying::Beginning(id), .. } => {
                    let step = self.machine.identify(&id);
                    self.after(step);
                }
                Effect::Identify { .. } => {}
            }
        }
    }

    /// What a node says of a command that was begun before.
    fn answer(&self, host: &Host, stopped: bool) -> RunNews {
        let why = "as the table says".to_owned();
        let exit = match self.nodes {
            Nodes::Ended | Nodes::Running if stopped => Exit::Canceled,
            Nodes::Ended | Nodes::Running => Exit::Unheard { code: code_on(host) },
            Nodes::Never | Nodes::NeverLate => Exit::NeverBegan { why },
            Nodes::Gone | Nodes::Away => Exit::Unknown { why },
        };
        let (host, outcome) = (host.clone(), outcome(exit));
        match self.nodes {
            Nodes::Never | Nodes::NeverLate | Nodes::Gone => RunNews::HostLost { host, outcome },
            Nodes::Ended | Nodes::Running | Nodes::Away => RunNews::HostFinished { host, outcome },
        }
    }

    fn find(&self, query: &Query) -> Vec<Execution> {
        let all = executions(&self.machine.facts);
        let newest = all.into_values().rev();
        match query {
            Query::ById(end) => newest.filter(|one| one.request.id.as_str().ends_with(end)).collect(),
            Query::Newest(most) | Query::Visible { limit: most, .. } | Query::Filtered { limit: most, .. } => {
                newest.take(*most).collect()
            }
        }
    }

    /// When the next pause ends, or the next that waits for its turn is given up.
    fn next_end(&self) -> Option<Timestamp> {
        let memory = self.machine.bot.memory();
        let pauses = memory.executions.values().filter_map(|execution| execution.request.ends_at);
        let waits = memory.waiting.values().filter_map(|waiting| waiting.turn.as_ref()).map(|turn| turn.until);
        pauses.chain(waits).min()
    }

    /// The execution that was started last.
    fn newest(&self) -> ExecutionId {
        let started = self.machine.facts.iter().rev().find_map(|dated| match &dated.fact {
            Fact::ExecutionStarted(request) => Some(request.id.clone()),
            _ => None,
        });
        started.unwrap()
    }

    /// Lets time pass until no pause is left.
    fn sit_out(&mut self) {
        self.settle();
        while let Some(end) = self.next_end() {
            self.machine.now = self.machine.now.max(end);
            self.take(Input::Deadline);
            self.settle();
        }
    }
}

fn places(work: &Work) -> Vec<Host> {
    match work {
        Work::Local(_) | Work::Http(_) | Work::Mail(_) | Work::Monitoring(_) => vec![Host::new("localhost")],
        Work::Remote(remote) => remote.hosts.iter().map(|machine| machine.host.clone()).collect(),
    }
}

/// All executions of these facts, as a store would give them.
fn executions(facts: &[Dated]) -> BTreeMap<ExecutionId, Execution> {
    let mut executions: BTreeMap<ExecutionId, Execution> = BTreeMap::new();
    for dated in facts {
        match (&dated.fact, dated.fact.execution()) {
            (Fact::ExecutionWaits(waits), _) => {
                executions.insert(waits.request.id.clone(), Execution::wait(dated.at, waits));
            }
            (fact @ Fact::ExecutionStarted(request), _) if executions.contains_key(&request.id) => {
                executions.get_mut(&request.id).unwrap().apply(dated.at, fact).unwrap();
            }
            (Fact::ExecutionStarted(request), _) => {
                executions.insert(request.id.clone(), Execution::start(dated.at, (**request).clone()));
            }
            (fact, Some(id)) => executions.get_mut(id).unwrap().apply(dated.at, fact).unwrap(),
            (_, None) => {}
        }
    }
    executions
}

/// The run that has it all. Runs are held so that facts of several executions mix.
fn record() -> Vec<Vec<Dated>> {
    let mut world = World::new(Machine::new(), Nodes::Ended);
    let greeting: Vec<Dated> = world.machine.facts.clone();
    world.steps.push(greeting.clone());
    for dated in &greeting {
        if let Fact::DeliveryIntended(delivery) = &dated.fact {
            world.waiting.push_back(Effect::Deliver(delivery.clone()));
        }
    }
    world.settle();
    world.hold = true;
    let node = |name: &str| Host::new(name);
    let done = |host: &Host| outcome(Exit::Code { code: code_on(host) });
    let finish = |world: &mut World, id: &ExecutionId, hosts: &[&str]| {
        for name in hosts {
            let host = node(name);
            let outcome = done(&host);
            world.machine.wait(1);
            world.news(id, RunNews::HostStarted { host: host.clone() });
            world.news(id, RunNews::HostFinished { host, outcome });
        }
        world.news(id, RunNews::Finished { error: None });
        world.settle();
    };
    let greet = started(&world.say("!greet you on wn[001-003]", None)).unwrap();
    let wait = started(&world.say("!uptime on wn[004-005]", None)).unwrap();
    let rest = started(&world.say("!rest max_pause=40", None)).unwrap();
    let hold = started(&world.say("!hold 60 on wn006", None)).unwrap();
    // One that waits for its turn, and one that waits behind it and is stopped.
    let turn = waits(&world.say("!hold 7 on wn001", None)).unwrap();
    let behind = waits(&world.say("!hold 8 on wn001", None)).unwrap();
    world.say(&format!("!cancel {}", behind.as_str()), None);
    let asked = world.take(Input::Request {
        request: RequestId(1),
        from: Principal::LocalUser { uid: 1000, name: "halcyon".into() },
        ask: Ask::Run {
            action: ActionRef::new("core.echo"),
            parameters: BTreeMap::from([("message".into(), json!("hello"))]),
            trace_tag: None,
        },
    });
    let echo = started(&asked).unwrap();
    world.settle();
    world.news(&greet, RunNews::HostFinished { host: node("wn002"), outcome: done(&node("wn002")) });
    world.machine.wait(2);
    world.say(&format!("!cancel {}", hold.as_str()), None);
    finish(&mut world, &echo, &["localhost"]);
    world.news(&hold, RunNews::HostFinished { host: node("wn006"), outcome: outcome(Exit::Canceled) });
    world.news(&hold, RunNews::Finished { error: None });
    world.settle();
    finish(&mut world, &greet, &["wn003", "wn001"]);
    finish(&mut world, &turn, &["wn001"]);
    // A typo, a number, and a failure.
    world.say("!uptme on wn006", None);
    world.say("1", None);
    let picked = world.newest();
    world.news(&wait, RunNews::HostFinished { host: node("wn004"), outcome: done(&node("wn004")) });
    finish(&mut world, &picked, &["wn006"]);
    finish(&mut world, &wait, &["wn005"]);
    // A host that was lost is tried again; and one that must not be is asked about.
    // A value is missing, and comes after the question.
    let asked = world.say("!uptime on", None);
    let thread = asked.facts.iter().find_map(|dated| match &dated.fact {
        Fact::ValueAsked { thread, .. } => thread.clone(),
        _ => None,
    });
    world.machine.wait(1);
    let completed = started(&world.say("wn003", thread.as_ref().map(PostId::as_str))).unwrap();
    finish(&mut world, &completed, &["wn003"]);
    let again = started(&world.say("!uptime on wn002", None)).unwrap();
    let lost = || outcome(Exit::Unknown { why: "gone".into() });
    world.news(&again, RunNews::HostLost { host: node("wn002"), outcome: lost() });
    world.news(&again, RunNews::Finished { error: None });
    let doubt = started(&world.say("!hold 5 on wn[004-005]", None)).unwrap();
    world.news(&doubt, RunNews::HostFinished { host: node("wn004"), outcome: done(&node("wn004")) });
    world.news(&doubt, RunNews::HostLost { host: node("wn005"), outcome: lost() });
    world.news(&doubt, RunNews::Finished { error: None });
    world.settle();
    finish(&mut world, &again, &["wn002"]);
    let second_doubt = started(&world.say("!hold 5 on wn001", None)).unwrap();
    world.news(&second_doubt, RunNews::HostLost { host: node("wn001"), outcome: lost() });
    world.news(&second_doubt, RunNews::Finished { error: None });
    world.settle();
    let thread = format!("post-{doubt}-card");
    world.say("3", Some(&thread));
    let repeated = world.newest();
    world.say(&format!("!settle {second_doubt} not run"), None);
    world.say(&format!("!rerun {greet}"), None);
    let rerun = world.newest();
    world.machine.wait(40);
    world.take(Input::Deadline);
    world.settle();
    assert!(!world.machine.bot.memory().executions.contains_key(&rest), "the pause is over");
    finish(&mut world, &repeated, &["wn005"]);
    finish(&mut world, &rerun, &["wn001", "wn002", "wn003"]);
    // The server refuses an answer for good.
    let step = world.machine.hear("!whoami", None);
    let refused = step.effects.iter().find_map(|effect| match effect {
        Effect::Deliver(delivery) => Some(delivery.id.clone()),
        _ => None,
    });
    world.refused.insert(refused.unwrap());
    world.after(step);
    world.settle();
    assert!(world.machine.bot.memory().executions.is_empty() && world.machine.bot.memory().unsent.is_empty());
    world.steps
}

/// How the executions of these facts would have ended without a restart and without another line.
fn undisturbed(facts: &[Dated]) -> BTreeMap<ExecutionId, Status> {
    let mut ends = BTreeMap::new();
    for (id, mut execution) in executions(facts) {
        // What waits for its turn would have had it.
        if execution.status.waits() {
            execution = Execution::start(execution.started, execution.request);
        }
        for host in execution.places() {
            if !execution.status.is_final() && !execution.outcomes.contains_key(&host) {
                let stopped = execution.status == Status::Canceling;
                let exit = if stopped { Exit::Canceled } else { Exit::Code { code: code_on(&host) } };
                let fact = Fact::HostFinished { id: id.clone(), host, outcome: outcome(exit) };
                execution.apply(execution.started, &fact).unwrap();
            }
        }
        ends.insert(id, if execution.status.is_final() { execution.status } else { execution.verdict(None) });
    }
    ends
}

/// Starts a bot on the facts in a world, lets everything come to its end, and writes what has become of what was live.
fn restart(facts: &[Dated], refused: &BTreeSet<DeliveryId>, nodes: Nodes, place: &str) -> String {
    let last = facts.last().map_or(Timestamp::UNIX_EPOCH, |dated| dated.at);
    let away = if nodes == Nodes::NeverLate { SignedDuration::from_hours(1) } else { SignedDuration::from_secs(20) };
    let mut memory = Memory::default();
    facts.iter().for_each(|dated| memory.apply(dated).unwrap());
    let live: BTreeSet<ExecutionId> = memory.executions.keys().cloned().collect();

    let mut machine = Machine::over(facts.to_vec(), last.checked_add(away).unwrap());
    let mut effects = std::mem::take(&mut machine.first);
    // What the bot says once it knows its channels was asked for after its start.
    let started: Vec<DeliveryId> = effects.iter().filter_map(delivered).collect();
    for dated in &machine.facts[facts.len()..] {
        if let Fact::DeliveryIntended(delivery) = &dated.fact
            && !started.contains(&delivery.id)
        {
            effects.push(Effect::Deliver(delivery.clone()));
        }
    }
    let mut world = World::new(machine, nodes);
    world.refused.clone_from(refused);
    for dated in facts {
        if let Fact::DeliverySent { delivery, .. } | Fact::DeliveryRefused { delivery, .. } = &dated.fact {
            *world.sent.entry(delivery.clone()).or_default() += 1;
        }
    }
    world.waiting.extend(memory.unsent.iter().cloned().map(Effect::Deliver));
    world.waiting.extend(effects);
    world.sit_out();

    let after = world.machine.bot.memory();
    assert!(after.executions.is_empty(), "{place}: something runs for ever");
    assert!(after.unsent.is_empty(), "{place}: something is promised for ever");
    let mut promised: BTreeMap<&DeliveryId, usize> = BTreeMap::new();
    for dated in &world.machine.facts {
        if let Fact::DeliveryIntended(delivery) = &dated.fact {
            *promised.entry(&delivery.id).or_default() += 1;
        }
    }
    for (delivery, times) in &promised {
        assert_eq!((*times, world.sent.get(*delivery)), (1, Some(&1)), "{place}: {delivery}");
    }
    assert!(world.begun.values().all(|times| *times == 1), "{place}: {:?}", world.begun);

    let expected = undisturbed(facts);
    let mut cells = Vec::new();
    for (id, execution) in executions(&world.machine.facts) {
        let (end, expected) = (execution.status, expected[&id]);
        if !live.contains(&id) {
            assert_eq!(end, expected, "{place}: an end has changed");
            continue;
        }
        let asked = after.questions.get(&id).is_some_and(|question| question.channel.is_some());
        let never = execution.outcomes.values().any(|outcome| matches!(outcome.exit, Exit::NeverBegan { .. }));
        // What waits behind one of which nobody knows is given up after a while.
        let given_up = end == Status::Canceled && execution.log.iter().all(|(_, status)| *status != Status::Running);
        let sound =
            end == expected || (end == Status::Unknown && asked) || (end == Status::Failed && never) || given_up;
        assert!(sound, "{place}: {} should be {}, not {}", execution.request.line, expected.word(), end.word());
        assert_eq!(asked, end == Status::Unknown, "{place}: {}", execution.request.line);
        if never {
            assert_eq!(nodes, Nodes::NeverLate, "{place}: the promise still stood");
        }
        let again = world.begun.iter().filter(|((begun, _), _)| *begun == id).count();
        let name = if execution.request.line.is_empty() { "echo" } else { &execution.request.line };
        let same = if end == expected { "=" } else { "" };
        let asked = if asked { ", asked" } else { "" };
        let again = if again > 0 { format!(", {again} begun anew") } else { String::new() };
        cells.push(format!("`{name}` {}{same}{asked}{again}", end.word()));
    }
    cells.join(" | ")
}

fn delivered(effect: &Effect) -> Option<DeliveryId> {
    match effect {
        Effect::Deliver(delivery) => Some(delivery.id.clone()),
        _ => None,
    }
}

#[test]
fn every_prefix_ends_as_the_table_says() {
    let regenerate = std::env::var_os("HALCYON_REGENERATE").is_some();
    let (log, golden) = (data("prefix/facts.jsonl"), data("prefix/table.txt"));
    if regenerate {
        std::fs::create_dir_all(log.parent().unwrap()).unwrap();
        let lines: String = record().iter().map(|step| serde_json::to_string(step).unwrap() + "\n").collect();
        std::fs::write(&log, lines).unwrap();
    }
    let text = std::fs::read_to_string(&log).unwrap();
    let steps: Vec<Vec<Dated>> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let all: Vec<&Dated> = steps.iter().flatten().collect();
    let refused: BTreeSet<DeliveryId> = all
        .iter()
        .filter_map(|dated| match &dated.fact {
            Fact::DeliveryRefused { delivery, .. } => Some(delivery.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(refused.len(), 1);
    let mut table = String::new();
    for length in 0..=steps.len() {
        let facts: Vec<Dated> = steps[..length].concat();
        let last =
            steps[..length].last().map_or(String::new(), |step| step.iter().map(name).collect::<Vec<_>>().join(" "));
        writeln!(table, "{length:03} {last}").unwrap();
        // Where nothing is left to ask about, all worlds are the same.
        let asks = executions(&facts).values().any(|one| !one.status.is_final() && one.request.ends_at.is_none());
        for (world, nodes) in WORLDS.into_iter().take(if asks { WORLDS.len() } else { 1 }) {
            let ends = restart(&facts, &refused, nodes, &format!("{length} {last}: {world}"));
            if !ends.is_empty() {
                writeln!(table, "    {world:<8} {ends}").unwrap();
            }
        }
    }
    if regenerate {
        std::fs::write(&golden, &table).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    assert!(expected == table, "the ends differ from {}; HALCYON_REGENERATE=1 writes it anew", golden.display());
}

/// The name of a fact in a log.
fn name(dated: &Dated) -> String {
    serde_json::to_value(&dated.fact).unwrap()["fact"].as_str().unwrap().to_owned()
}
