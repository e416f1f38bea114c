//! Workflows in memory: a chain, a fan-out with a join, items and a cycle; the first three beside Orquesta's own conductor.
//!
//! A transition is one thing told to the conductor (running, succeeded) with everything that follows from it: what is published, staged and
//! rendered for the next actions. Nothing is made durable here; that is the section `store`.

use crate::report::{Bound, Report, median};
use crate::{Setting, peers};
use halcyon::adapters::content::read_packs;
use halcyon::core::bot::Bot;
use halcyon::core::content::Catalog;
use halcyon::core::content::load::load;
use halcyon::core::id::{ActionRef, RequestId};
use halcyon::core::input::{Ask, Event, Input, Principal};
use halcyon::core::settings::{Address, Limits, Settings};
use halcyon::core::workflow::conductor::{Conductor, Told};
use halcyon::core::workflow::graph::Graph;
use halcyon::core::workflow::orquesta;
use halcyon::core::workflow::scene::Nowhere;
use halcyon::core::workflow::state::State;
use halcyon::core::workflow::status::Status;
use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tasks one after the other; each publishes what it gave and is given what the last one published.
fn chain(length: usize) -> String {
    let mut text = "version: 1.0\nvars: [{out: 0}]\ntasks:\n".to_owned();
    for at in 0..length {
        let _ = writeln!(text, "  t{at:04}:\n    action: core.noop\n    input: {{before: <% ctx(out) %>}}");
        if at + 1 < length {
            let next = at + 1;
            let _ = writeln!(
                text,
                "    next: [{{when: <% succeeded() %>, publish: [{{out: <% result().out %>}}], do: t{next:04}}}]"
            );
        }
    }
    text
}

/// One task, many side by side, and one that waits for all.
fn fan(width: usize) -> String {
    let names: Vec<String> = (0..width).map(|at| format!("t{at:04}")).collect();
    let mut text =
        format!("version: 1.0\ntasks:\n  begin: {{action: core.noop, next: [{{do: '{}'}}]}}\n", names.join(", "));
    for name in names {
        let _ = writeln!(text, "  {name}: {{action: core.noop, next: [{{when: <% succeeded() %>, do: z}}]}}");
    }
    text + "  z: {action: core.noop, join: all}\n"
}

const ITEMS: &str = "
version: 1.0
input: [xs]
tasks:
  each: {with: <% ctx(xs) %>, action: core.noop, input: {x: <% item() %>}}
";

const CYCLE: &str = "
version: 1.0
input: [last]
vars: [{count: 0}]
tasks:
  begin: {next: [{do: step}]}
  step:
    action: core.noop
    next:
      - when: <% succeeded() and ctx(count) < ctx(last) %>
        publish: [{count: <% ctx(count) + 1 %>}]
        do: step
";

fn graph(text: &str) -> Arc<Graph> {
    match orquesta::read("bench.yaml", text, &[]) {
        Ok(Ok(graph)) => Arc::new(graph),
        other => panic!("{other:?}"),
    }
}

/// Runs a workflow to its end; gives seconds and how many things were told.
fn run(graph: &Arc<Graph>, inputs: &Map<String, Value>) -> (f64, usize) {
    let began = Instant::now();
    let mut conductor = Conductor::new(Arc::clone(graph), State::default(), Arc::new(Nowhere));
    conductor.open(inputs, &Map::new());
    conductor.request(Status::Running).expect("a new workflow can run");
    let result = Arc::new(json!({"out": 1}));
    let (mut running, mut told) = (VecDeque::new(), 0);
    loop {
        for start in conductor.starts() {
            let items: Vec<Option<u32>> =
                if start.is_instant() { vec![None] } else { start.actions.iter().map(|action| action.item).collect() };
            for item in items {
                conductor.tell(start.task, start.route, &Told { item, status: Status::Running, result: None });
                running.push_back((start.task, start.route, item));
                told += 1;
            }
        }
        black_box(conductor.take_transitions());
        let Some((task, route, item)) = running.pop_front() else { break };
        conductor.tell(task, route, &Told { item, status: Status::Succeeded, result: Some(Arc::clone(&result)) });
        told += 1;
    }
    conductor.render_output();
    assert_eq!(conductor.state().status, Status::Succeeded, "{:?}", conductor.state().errors);
    (began.elapsed().as_secs_f64(), told)
}

/// What a workflow of so many items comes to in the bot, children, facts and all: seconds of this thread's processor, facts, and bytes of
/// facts. Nothing is made durable.
fn in_the_bot(content: &Arc<Catalog>, count: usize) -> (f64, usize, usize) {
    let settings = Settings {
        alert_channel: None,
        channels: Vec::new(),
        admin_channel: None,
        address: vec![Address::Prefix],
        prefix: "!".into(),
        roles: Vec::new(),
        late_after: Duration::from_secs(120),
        chat_users: BTreeMap::new(),
        zone: String::new(),
        mention_after: Duration::from_secs(30),
        grace: Duration::from_secs(30),
        guard: halcyon::core::rule::guard::Guard::default(),
        settle: Duration::from_secs(120),
        storms: Default::default(),
        escalation: Default::default(),
        monitorings: Vec::new(),
        limits: Limits::default(),
        buttons: false,
        own_uid: 0,
    };
    let mut bot = Bot::remember(&[], Arc::new(settings)).expect("nothing contradicts nothing");
    let (mut at, mut turn, mut seconds) = (Timestamp::UNIX_EPOCH, 0_u64, 0.0);
    let (mut facts, mut bytes) = (0, 0);
    let ask = Ask::Run {
        action: ActionRef::new("flows.many"),
        parameters: BTreeMap::from([("count".to_owned(), json!(count))]),
        trace_tag: None,
    };
    let from = Principal::LocalUser { uid: 0, name: "root".into() };
    let mut inputs = VecDeque::from([
        Input::Content { catalog: Arc::clone(content), problems: Arc::default() },
        Input::Started,
        Input::Request { request: RequestId(1), from, ask },
    ]);
    loop {
        let Some(input) = inputs.pop_front().or_else(|| {
            let (due, _) = bot.next_deadline().filter(|_| !bot.memory().executions.is_empty())?;
            at = at.max(due);
            Some(Input::Deadline)
        }) else {
            break;
        };
        turn += 1;
        let event = Event { at, entropy: turn.wrapping_mul(0x9e37_79b9), input };
        let began = processor();
        let step = bot.handle(event).expect("no event contradicts what is remembered");
        seconds += processor() - began;
        facts += step.facts.len();
        bytes +=
            step.facts.iter().filter_map(|fact| serde_json::to_vec(fact).ok()).map(|fact| fact.len()).sum::<usize>();
    }
    assert!(facts > count, "{count} items gave {facts} facts");
    (seconds, facts, bytes)
}

/// How long this thread has been at work.
fn processor() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn measure_in_the_bot(report: &mut Report) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let loaded = load(&read_packs(&[root.join("tests/data/packs/flows")]));
    let content = Arc::new(loaded.catalog);
    let mut thousand = (0.0, 0, 0);
    for count in [1_000, 2_000, 4_000, 8_000, 10_000] {
        let runs: Vec<_> = (0..3).map(|_| in_the_bot(&content, count)).collect();
        let seconds = median(&runs.iter().map(|(seconds, ..)| *seconds).collect::<Vec<_>>());
        let (_, facts, bytes) = runs[0];
        report.value("8", &format!("{count} items in the bot, processor time"), seconds * 1e3, "ms", None);
        report.value(
            "8",
            &format!("{count} items in the bot, bytes of facts an item"),
            bytes as f64 / count as f64,
            "B",
            None,
        );
        match count {
            1_000 => thousand = (seconds, facts, bytes),
            10_000 => {
                let times = seconds / thousand.0;
                report.value("8", "10,000 items in the bot, times 1,000", times, "x", Some(Bound::AtMost(15.0)));
                let times = facts as f64 / thousand.1 as f64;
                report.value("8", "10,000 items in the bot, facts times 1,000", times, "x", Some(Bound::AtMost(10.5)));
            }
            _ => {}
        }
    }
}

pub(crate) fn measure(setting: &Setting, report: &mut Report) {
    println!("\nworkflow");
    let rounds = if setting.quick { 3 } else { 15 };
    let inputs = |value: Value| value.as_object().cloned().unwrap_or_default();
    let items = |count: usize| inputs(json!({"xs": (0..count).collect::<Vec<_>>()}));
    let time = |graph: &Arc<Graph>, inputs: &Map<String, Value>| {
        let runs: Vec<(f64, usize)> = (0..rounds).map(|_| run(graph, inputs)).collect();
        (median(&runs.iter().map(|(seconds, _)| *seconds).collect::<Vec<_>>()), runs[0].1)
    };
    let shared = [
        ("chain of 100", chain(100), inputs(json!({}))),
        ("fan-out of 100 with a join", fan(100), inputs(json!({}))),
        ("100 items", ITEMS.to_owned(), items(100)),
    ];
    let request: Map<String, Value> = shared
        .iter()
        .map(|(name, text, inputs)| ((*name).to_owned(), json!({"workflow": text, "inputs": inputs})))
        .collect();
    let theirs = peers::workflow(setting, &Value::Object(request));
    for (name, text, inputs) in &shared {
        let (seconds, _) = time(&graph(text), inputs);
        report.value("8", name, seconds * 1e3, "ms", None);
        if let Some(peer) = theirs.as_ref().and_then(|theirs| theirs[*name].as_f64()) {
            report.beside("8", name, seconds * 1e3, "ms", ("Orquesta", peer * 1e3), None);
        }
    }
    let (seconds, told) = time(&graph(&chain(100)), &inputs(json!({})));
    report.value("8", "transitions a second, chain", told as f64 / seconds, "1/s", Some(Bound::AtLeast(100_000.0)));
    let each = graph(ITEMS);
    let (thousand, _) = time(&each, &items(1_000));
    report.value("8", "1,000 items", thousand * 1e3, "ms", Some(Bound::AtMost(20.0)));
    let (ten, _) = time(&each, &items(10_000));
    report.value("8", "10,000 items", ten * 1e3, "ms", None);
    report.value("8", "10,000 items, times 1,000", ten / thousand, "x", Some(Bound::AtMost(15.0)));
    let cycle = graph(CYCLE);
    let last = if setting.quick { 10_000 } else { 100_000 };
    let (short, _) = run(&cycle, &inputs(json!({ "last": last / 10 })));
    let (long, told) = run(&cycle, &inputs(json!({ "last": last })));
    report.value("8", &format!("a cycle of {last} rounds"), long * 1e3, "ms", None);
    report.value("8", "ten times as many rounds", long / short, "x", Some(Bound::AtMost(15.0)));
    report.value("8", "transitions a second, cycle", told as f64 / long, "1/s", Some(Bound::AtLeast(100_000.0)));
    measure_in_the_bot(report);
}
