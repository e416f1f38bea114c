//! Workflows: what the conductor does beside Orquesta's, where it differs on purpose, and what it costs.

use halcyon::core::workflow::conductor::{Conductor, Told};
use halcyon::core::workflow::graph::{FailedItems, Graph};
use halcyon::core::workflow::orquesta;
use halcyon::core::workflow::scene::{Chance, Nowhere, World};
use halcyon::core::workflow::state::State;
use halcyon::core::workflow::status::Status;
use halcyon::core::workflow::trace::{Script, trace};
use halcyon::core::workflow::transition::Transition;
use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

/// A workflow that is sound.
fn graph(text: &str) -> Arc<Graph> {
    match orquesta::read("w.yaml", text, &[]) {
        Ok(Ok(graph)) => Arc::new(graph),
        Ok(Err(inspection)) => panic!("{:#?}", inspection.diagnostics("w.yaml")),
        Err(unloadable) => panic!("{unloadable:?}"),
    }
}

/// What the program prints for a workflow and a script, with the state written down and read again after each step.
fn traced(text: &str, script: &Value) -> Value {
    let script = Script::read(script.clone()).unwrap();
    match orquesta::read("w.yaml", text, &script.handed_down()) {
        Ok(Ok(graph)) => trace(Arc::new(graph), &script, true),
        Ok(Err(inspection)) => json!({ "inspection": inspection.to_json() }),
        Err(_) => json!({ "load_error": true }),
    }
}

/// Leaves of errors their kinds, and drops the words, which are each engine's own.
fn normalised(mut trace: Value) -> Value {
    for error in trace["errors"].as_array_mut().into_iter().flatten() {
        let message = error["message"].as_str().unwrap_or_default().to_owned();
        let kind = message.split(':').next().unwrap_or_default();
        if message.contains(':') && (kind.ends_with("Exception") || kind.ends_with("Error")) {
            error["message"] = json!(kind);
        }
    }
    if let Some(kinds) = trace["inspection"].as_object_mut() {
        for entries in kinds.values_mut().filter_map(Value::as_array_mut) {
            for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
                entry.remove("message");
            }
            entries.sort_by_key(|entry| sorted(entry).to_string());
        }
    }
    if trace.get("load_error").is_some() {
        trace["load_error"] = json!(true);
    }
    trace
}

/// The same value with its keys in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.keys().collect();
            keys.sort();
            Value::Object(keys.into_iter().map(|key| (key.clone(), sorted(&map[key]))).collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        plain => plain.clone(),
    }
}

/// Where two traces part, for a person.
fn parting(ours: &Value, theirs: &Value) -> String {
    let keys = ["load_error", "inspection", "trace", "status", "output", "errors", "routes", "sequence"];
    let Some(key) = keys.into_iter().find(|key| ours[key] != theirs[key]) else { return "nowhere".to_owned() };
    match (ours[key].as_array(), theirs[key].as_array()) {
        (Some(one), Some(other)) => {
            let at = one.iter().zip(other).position(|(one, other)| one != other).unwrap_or(one.len().min(other.len()));
            format!("{key}[{at}]: ours {:?}, theirs {:?}", one.get(at), other.get(at))
        }
        _ => format!("{key}: ours {}, theirs {}", ours[key], theirs[key]),
    }
}

/// Runs recorded cases. Each that differs has to be in the list of those that differ on purpose, and the other way round.
fn check_recorded(cases: &[(String, String, Value, Value)], on_purpose: &[&str]) {
    let (mut equal, mut wrong, mut differing) = (0, Vec::new(), Vec::new());
    for (name, text, script, theirs) in cases {
        let (ours, theirs) = (normalised(traced(text, script)), normalised(theirs.clone()));
        if ours == theirs {
            equal += 1;
        } else if on_purpose.contains(&name.as_str()) {
            differing.push(name.as_str());
        } else {
            wrong.push(format!("{name}: {}\n{text}\n{script}", parting(&ours, &theirs)));
        }
    }
    let _ = writeln!(std::io::stderr(), "Orquesta's traces: {equal} equal, {} differ on purpose", differing.len());
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(differing, on_purpose, "these no longer differ");
}

/// Workflows of our own with what Orquesta 1.6 did.
#[test]
fn does_what_orquesta_does() {
    let recorded: Vec<Value> = serde_json::from_str(include_str!("../data/workflow/recorded.json")).unwrap();
    let case = |(at, case): (usize, &Value)| {
        let text = case["workflow"].as_str().unwrap().to_owned();
        (format!("{at}"), text, case["script"].clone(), case["trace"].clone())
    };
    let cases: Vec<_> = recorded.iter().enumerate().map(case).collect();
    assert!(cases.len() >= 400);
    check_recorded(&cases, &[]);
}

/// The shared recording of Orquesta's own fixtures.
#[test]
fn does_what_the_shared_recording_says() {
    let Ok(folder) = std::env::var("HALCYON_CONFORMANCE") else { return };
    let folder = Path::new(&folder).join("orquesta");
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(folder.join("cases.json")).unwrap()).unwrap();
    let mut numbers: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    let cases: Vec<_> = (cases.iter())
        .map(|case| {
            let file = case["workflow"].as_str().unwrap();
            let number = numbers.entry(file.to_owned()).or_default();
            *number += 1;
            let mut script = case["script"].clone();
            script["max_steps"] = json!(300);
            let text = std::fs::read_to_string(folder.join(file)).unwrap();
            (format!("{file} {number}"), text, script, case["trace"].clone())
        })
        .collect();
    // `join: 2` of three fires once.
    check_recorded(&cases, &["join-count.yaml 1", "join-count.yaml 2", "join-count.yaml 4"]);
}

/// Every difference that the page tells of is one, and is held here.
#[test]
fn differs_from_orquesta_where_the_page_says_so() {
    let page = include_str!("../../docs/workflows.md");
    let cases: Vec<Value> = serde_json::from_str(include_str!("../data/workflow/differs.json")).unwrap();
    assert!(cases.len() >= 12);
    for case in cases {
        let why = case["why"].as_str().unwrap();
        assert!(page.contains(why), "the page does not say: {why}");
        let ours = normalised(traced(case["workflow"].as_str().unwrap(), &case["script"]));
        let theirs = normalised(case["theirs"].clone());
        assert_ne!(sorted(&ours), sorted(&theirs), "{why}: does not differ");
        holds(&ours, &case["ours"], why);
    }
}

/// Holds a trace against what is expected of it: its keys, and as `starts` the tasks in the order in which they were started.
fn holds(trace: &Value, expected: &Value, why: &str) {
    for (key, expected) in expected.as_object().unwrap() {
        let starts = || {
            let steps = trace["trace"].as_array().unwrap().iter().filter(|step| step["ev"] == "schedule");
            steps.map(|step| step["task"].clone()).collect()
        };
        let found = if key == "starts" { starts() } else { trace[key].clone() };
        assert_eq!(found, *expected, "{why}: {key}");
    }
}

#[derive(Debug)]
struct Secrets;

impl World for Secrets {
    fn kept(&self, name: &str, _: bool) -> Result<Option<Value>, String> {
        Ok((name == "system.pw").then(|| json!("hunter2")))
    }

    fn chance(&self) -> Chance {
        Chance::default()
    }
}

/// Tells every action that is started that it succeeded, with these results by task.
fn run(conductor: &mut Conductor, results: &Value) -> usize {
    let mut told = 0;
    loop {
        let starts = conductor.starts();
        if starts.is_empty() {
            return told;
        }
        for start in starts {
            let items: Vec<Option<u32>> =
                if start.is_instant() { vec![None] } else { start.actions.iter().map(|action| action.item).collect() };
            for item in items {
                let result = results.get(&*conductor.graph().node(start.task).name).cloned().map(Arc::new);
                conductor.tell(start.task, start.route, &Told { item, status: Status::Running, result: None });
                conductor.tell(start.task, start.route, &Told { item, status: Status::Succeeded, result });
                told += 1;
            }
        }
    }
}

fn opened(text: &str, inputs: &Value) -> Conductor {
    let mut conductor = Conductor::new(graph(text), State::default(), Arc::new(Nowhere));
    conductor.open(inputs.as_object().unwrap_or(&Map::new()), &Map::new());
    conductor.request(Status::Running).unwrap();
    conductor
}

/// A result, an input or an item that looks like an expression stays text, in every place that data can reach; the file's own expression
/// reads the datastore.
#[test]
fn data_is_never_evaluated() {
    let text = r#"
version: 1.0
input: [given]
vars:
  - own: <% st2kv('system.pw') %>
tasks:
  a:
    action: core.local cmd=<% ctx(given) %>
    next:
      - when: <% succeeded() %>
        publish:
          - yaql: <% result().yaql %>
          - jinja: "{{ result().jinja }}"
          - mixed: said <% result().yaql %>
        do: b
  b:
    with: <% list(ctx(yaql), ctx(jinja)) %>
    action: core.local
    input: {cmd: <% item() %>, deep: [<% ctx(mixed) %>]}
output:
  - yaql: <% ctx(yaql) %>
  - jinja: "{{ ctx('jinja') }}"
  - mixed: <% ctx(mixed) %>
  - given: <% ctx(given) %>
  - own: <% ctx(own) %>
"#
    .replace("\"{{ result().jinja }}\"", "<% result().jinja %>")
    .replace("\"{{ ctx('jinja') }}\"", "<% ctx(jinja) %>");
    for (yaql, jinja) in [
        ("<% st2kv('system.pw') %>", "{{ st2kv('system.pw') }}"),
        ("x <% st2kv('system.pw') %> y", "{% if true %}{{ st2kv('system.pw') }}{% endif %}"),
    ] {
        let mut conductor = Conductor::new(graph(&text), State::default(), Arc::new(Secrets));
        conductor.open(json!({ "given": yaql }).as_object().unwrap(), &Map::new());
        conductor.request(Status::Running).unwrap();
        let started = conductor.starts();
        assert_eq!(*started[0].actions[0].input, json!({ "cmd": yaql }));
        run(&mut conductor, &json!({"a": {"yaql": yaql, "jinja": jinja}}));
        conductor.render_output();
        let output = conductor.state().output.clone().unwrap();
        let expected = json!({
            "yaql": yaql, "jinja": jinja, "mixed": format!("said {yaql}"), "given": yaql, "own": "hunter2",
        });
        assert_eq!(Value::Object(output), expected);
        let told = serde_json::to_string(&conductor.take_transitions()).unwrap();
        assert_eq!(told.matches("hunter2").count(), 2, "only what the file asks for: {told}");
    }
}

const LOOP: &str = "
version: 1.0
vars:
  - count: 0
tasks:
  begin:
    next:
      - do: step
  step:
    action: core.noop
    next:
      - when: <% ctx(count) < LAST %>
        publish: count=<% ctx(count) + 1 %>
        do: step
";

/// A cycle costs the same in each round, in time and in memory.
#[test]
fn a_long_cycle_stays_small() {
    let mut sizes = Vec::new();
    for last in [100, 20_000] {
        let mut conductor = opened(&LOOP.replace("LAST", &last.to_string()), &json!({}));
        assert_eq!(run(&mut conductor, &json!({})), last + 2);
        assert_eq!(conductor.state().status, Status::Succeeded);
        sizes.push(serde_json::to_string(conductor.state()).unwrap().len());
        assert!(conductor.board().entries().count() <= 4, "{} entries", conductor.board().entries().count());
    }
    assert!(sizes[1] < 2 * sizes[0] + 4_000, "{sizes:?}");
}

/// Ten thousand items, ten at a time: the transitions of each are as small as those of one.
#[test]
fn many_items_are_counters_and_slots() {
    let text = "
version: 1.0
input: [hosts]
tasks:
  each:
    with: {items: host in <% ctx(hosts) %>, concurrency: 10}
    action: core.local
    input: {host: <% item(host) %>}
";
    let hosts: Vec<String> = (0..10_000).map(|at| format!("wn{at:05}")).collect();
    let mut conductor = opened(text, &json!({ "hosts": hosts }));
    let first = conductor.starts();
    assert_eq!(first[0].actions.len(), 10);
    conductor.take_transitions();
    let mut largest = 0;
    loop {
        let starts = conductor.starts();
        if starts.is_empty() {
            break;
        }
        for action in &starts[0].actions {
            for status in [Status::Running, Status::Succeeded] {
                let told = Told { item: action.item, status, result: Some(Arc::new(json!(1))) };
                conductor.tell(starts[0].task, 0, &told);
            }
        }
        // The list itself is one fact, and so is what the task gave.
        let small = conductor
            .take_transitions()
            .into_iter()
            .filter(|transition| !matches!(transition, Transition::Itemised { .. } | Transition::Gave { .. }));
        largest = small.map(|transition| serde_json::to_string(&transition).unwrap().len()).max().unwrap().max(largest);
    }
    assert_eq!(conductor.state().status, Status::Succeeded);
    assert!(largest < 200, "{largest}");
}

/// The other policies of the record: a failure that stops nothing, and items that all run.
#[test]
fn dialects_differ_by_their_policy() {
    let text = "
version: 1.0
tasks:
  a: {action: x, next: [{when: <% succeeded() %>, do: c}]}
  b: {action: x}
  c: {action: x}
  d: {action: x, with: {items: '<% list(1, 2, 3) %>', concurrency: 1}}
";
    let run = |change: fn(&mut Graph)| {
        let mut graph = Graph::clone(&graph(text));
        change(&mut graph);
        let mut conductor = Conductor::new(Arc::new(graph), State::default(), Arc::new(Nowhere));
        conductor.open(&Map::new(), &Map::new());
        conductor.request(Status::Running).unwrap();
        let mut ran = Vec::new();
        loop {
            let starts = conductor.starts();
            if starts.is_empty() {
                return (ran, conductor.state().status);
            }
            for start in starts {
                let name = conductor.graph().node(start.task).name.to_string();
                for action in &start.actions {
                    ran.push(format!("{name}{}", action.item.map(|item| item.to_string()).unwrap_or_default()));
                    conductor.tell(start.task, 0, &Told { item: action.item, status: Status::Running, result: None });
                    let bad = name == "b" || action.item == Some(0);
                    let status = if bad { Status::Failed } else { Status::Succeeded };
                    conductor.tell(start.task, 0, &Told { item: action.item, status, result: None });
                }
            }
        }
    };
    // All that was started at once runs; `c` would have come later.
    assert_eq!(run(|_| {}), (vec!["a".into(), "b".into(), "d0".into()], Status::Failed));
    let (ran, status) = run(|graph| {
        graph.policy.fail_fast = false;
        graph.policy.failed_items = FailedItems::RunAll;
    });
    assert_eq!(status, Status::Failed);
    assert_eq!(ran, ["a", "b", "d0", "c", "d1", "d2"]);
}

/// A task and a workflow that take too long.
#[test]
fn time_is_the_callers() {
    let text = "
version: 1.0
timeout: 60
tasks:
  a: {action: x, timeout: <% 2 * 5 %>, next: [{when: <% failed() %>, do: tidy}]}
  tidy: {action: x}
";
    let mut conductor = opened(text, &json!({}));
    assert_eq!(conductor.state().timeout, Some(60));
    let start = conductor.starts().remove(0);
    assert_eq!(start.timeout, Some(10));
    conductor.tell(start.task, 0, &Told { item: None, status: Status::Running, result: None });
    conductor.tell(start.task, 0, &Told { item: None, status: Status::Timeout, result: None });
    let tidy = conductor.starts().remove(0);
    assert_eq!(&*conductor.graph().node(tidy.task).name, "tidy");
    conductor.tell(tidy.task, 0, &Told { item: None, status: Status::Running, result: None });
    conductor.expire();
    assert_eq!(conductor.state().status, Status::Failed);
    assert!(conductor.state().errors[0].message.starts_with("WorkflowTimeoutError: "));
    assert!(conductor.starts().is_empty());
}

/// What is wrong with a file, all at once, with line and key path.
#[test]
fn an_inspection_tells_everything_at_once() {
    let text = "version: 1.0
input:
  - hosts
tasks:
  first:
    action: core.local cmd=<% ctx(hsots) %>
    next:
      - when: <% succeeded( %>
        do: second, thrid
  second:
    descripton: x
    action: core.noop
  fail:
    action: core.noop
  third:
    with: <% ctx(hosts) %>
    join: -1
";
    let Ok(Err(inspection)) = orquesta::read("w.yaml", text, &[]) else { panic!("it is not sound") };
    let told: Vec<String> = inspection.diagnostics("w.yaml").iter().map(ToString::to_string).collect();
    super::golden("workflow/inspection.txt", &(told.join("\n") + "\n"));
}
