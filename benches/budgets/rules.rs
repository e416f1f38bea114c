//! Events against 100 and 1,000 rules, beside ansible-rulebook, which is given the same conditions and the same events.
//!
//! Ours is counted from the bytes of the event to the rules that it meets: the JSON is parsed, the index asked, the criteria judged. What rules
//! start is a matter of the sections `chat` and `store`. The peer is timed by the difference of two runs, so that its start does not count.

use crate::report::{Bound, Report, median};
use crate::{Setting, peers};
use halcyon::core::content::load::load;
use halcyon::core::content::{PackSource, SourceFile};
use halcyon::core::id::TriggerRef;
use halcyon::core::rule::criterion::Scene;
use halcyon::core::rule::index::Rules;
use halcyon::core::rule::spec::Verdict;
use halcyon::core::template::surroundings::Surroundings;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

/// The rules that one event meets, or whose first criterion it does not meet.
fn rules(count: usize, indexed: bool) -> Arc<Rules> {
    let rule = |number: usize| {
        let host = match indexed {
            true => format!("trigger.host.name: {{type: equals, pattern: wn{number:04}}}"),
            false => format!("trigger.host.name: {{type: regex, pattern: \"wn{number:04}$\"}}"),
        };
        let text = format!(
            "name: r{number:04}\nenabled: true\ntrigger: {{type: check_mk.event_handler}}\ncriteria:\n  \
             trigger.service.state: {{type: equals, pattern: CRITICAL}}\n  {host}\n  \
             trigger.service.output: {{type: contains, pattern: orphan}}\naction: {{ref: core.noop}}\n"
        );
        let inside = format!("rules/r{number:04}.yaml");
        SourceFile { shown: inside.clone(), inside, text: Ok(text) }
    };
    let manifest = "{ref: bench, name: n, description: d, version: 1.0.0, author: a}".to_owned();
    let manifest = SourceFile { shown: "pack.yaml".into(), inside: "pack.yaml".into(), text: Ok(manifest) };
    let files = std::iter::once(manifest).chain((0..count).map(rule)).collect();
    let loaded = load(&[PackSource { directory: "bench".into(), shown: "bench".into(), files, programs: Vec::new() }]);
    assert_eq!(loaded.catalog.rules.all().count(), count);
    loaded.catalog.rules
}

/// An alert of CheckMK in the size that they have.
fn event(host: usize, state: &str) -> Value {
    json!({
        "notification_type": "PROBLEM", "timestamp": 1_795_350_695,
        "contact": {"name": "chatops", "email": "", "pager": ""}, "parameters": [],
        "host": {"name": format!("wn{host:04}"), "alias": "worker", "address": "192.0.2.42", "state": "UP", "last_state": "UP",
            "output": "Packet received via smart PING", "check_command": "check-mk-host-smart"},
        "service": {"desc": "Check orphans", "state": state, "last_state": "OK",
            "output": "CRIT - 3 orphan processes of user atlsqmal, oldest 2 h", "perf_data": "orphans=3;1;2",
            "check_command": "check_mk-orphans", "notification_number": "1", "long_output": ""},
    })
}

/// How many rules an event meets, from its bytes.
fn meets(rules: &Rules, trigger: &TriggerRef, around: &Surroundings, now: Timestamp, bytes: &[u8]) -> usize {
    let payload: Value = serde_json::from_slice(bytes).expect("the events are JSON");
    let scene = Scene::new(&payload, around, now);
    let concerned = rules.concerned(trigger, &Map::new(), &payload);
    concerned.iter().filter(|rule| rule.judge(&scene, &payload) == Verdict::Matches).count()
}

/// Microseconds an event: the median of several rounds, each over all of them.
fn time(rules: &Rules, events: &[Vec<u8>], rounds: usize, met: usize) -> f64 {
    let (trigger, around, now) =
        (TriggerRef::new("check_mk.event_handler"), Surroundings::default(), Timestamp::UNIX_EPOCH);
    let mut times = Vec::new();
    for _ in 0..rounds {
        let began = Instant::now();
        let found: usize = events.iter().map(|bytes| meets(rules, &trigger, &around, now, black_box(bytes))).sum();
        times.push(began.elapsed().as_secs_f64() * 1e6 / events.len() as f64);
        assert_eq!(found, met * events.len(), "what is measured has to find what there is");
    }
    median(&times)
}

pub(crate) fn run(setting: &Setting, report: &mut Report) {
    println!("\nrules");
    let rounds = if setting.quick { 5 } else { 51 };
    for count in [100, 1_000] {
        let bytes = |state: &str, from: usize| -> Vec<Vec<u8>> {
            (0..100).map(|at| serde_json::to_vec(&event(from + at * count / 100, state)).expect("it is JSON")).collect()
        };
        let (hits, misses) = (bytes("CRITICAL", 0), bytes("CRITICAL", 5_000));
        let indexed = rules(count, true);
        let most = if count == 100 { 20.0 } else { 50.0 };
        let hit = time(&indexed, &hits, rounds, 1);
        report.value("7", &format!("event that meets one of {count} rules"), hit, "us", Some(Bound::AtMost(most)));
        let miss = time(&indexed, &misses, rounds, 0);
        report.value("7", &format!("event that meets none of {count} rules"), miss, "us", Some(Bound::AtMost(most)));
        let searched = rules(count, false);
        let slow = time(&searched, &hits, rounds, 1);
        report.value("7", &format!("the same, {count} rules that no index tells apart"), slow, "us", None);
        let request = json!({
            "count": count,
            "events": if setting.quick { 500 } else { 5_000 },
            "event": event(5_000, "CRITICAL"),
        });
        if let Some(peer) = peers::rules(setting, &request) {
            // At least twenty times less.
            report.beside(
                "7",
                &format!("miss, {count} rules"),
                miss,
                "us",
                ("ansible-rulebook", peer),
                Some(Bound::AtMost(0.05)),
            );
        }
    }
}
