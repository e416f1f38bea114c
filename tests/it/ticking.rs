//! Timers of rules in the bot: they tick once, without drift, and an absence is treated as they say.

use crate::bot::Machine;
use crate::ruled::{RUN, content, enforcements, grant};
use halcyon::core::bot::Step;
use halcyon::core::content::load::load;
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::id::RequestId;
use halcyon::core::input::{Ask, Input, Principal, RuleAsk};
use jiff::Timestamp;

fn rule(name: &str, trigger: &str, parameters: &str) -> String {
    format!(
        "name: {name}\nenabled: true\ntrigger: {{type: core.st2.{trigger}, parameters: {{{parameters}}}}}\naction: {{ref: core.noop}}\n"
    )
}

/// 00:00:20 UTC on a Monday.
fn start() -> Timestamp {
    "2026-11-30T00:00:20Z".parse().unwrap()
}

fn machine(facts: Vec<Dated>, now: Timestamp, rules: &[(&str, String)]) -> Machine {
    let files: Vec<(&str, &str)> = rules.iter().map(|(name, text)| (*name, text.as_str())).collect();
    grant(Machine::with_content(facts, now, &content(&files)), RUN)
}

/// The rules that something came of.
fn came(step: &Step) -> Vec<String> {
    enforcements(step).into_iter().map(|one| format!("{} {}", one.rule, one.outcome.word())).collect()
}

/// Lets the time pass until the bot wants to be woken for a timer, and wakes it; gives the second of the minute and what came of it.
fn next(machine: &mut Machine) -> (String, Vec<String>) {
    loop {
        let (at, why) = machine.bot.next_deadline().unwrap();
        machine.now = machine.now.max(at);
        let step = machine.take(Input::Deadline);
        if why == "a timer ticks" {
            return (machine.now.to_string(), came(&step));
        }
    }
}

#[test]
fn intervals_do_not_drift_and_outlive_the_process() {
    let rules = [("rules/often.yaml", rule("often", "IntervalTimer", "unit: minutes, delta: 5"))];
    let mut bot = machine(Vec::new(), start(), &rules);
    let started = vec!["site.often started".to_owned()];
    assert_eq!(next(&mut bot), ("2026-11-30T00:05:20Z".to_owned(), started.clone()));
    // Woken late, the next tick is where it was to be.
    bot.now = "2026-11-30T00:10:45Z".parse().unwrap();
    assert_eq!(came(&bot.take(Input::Deadline)), started);
    assert_eq!(came(&bot.take(Input::Deadline)), Vec::<String>::new());
    assert_eq!(next(&mut bot), ("2026-11-30T00:15:20Z".to_owned(), started.clone()));
    let mut second = machine(bot.facts.clone(), "2026-11-30T00:16:00Z".parse().unwrap(), &rules);
    assert_eq!(next(&mut second), ("2026-11-30T00:20:20Z".to_owned(), started));
}

#[test]
fn what_was_missed() {
    let check = |more: &str, back: &str, expected: &[&str], then: &str| {
        let rules = [("rules/nightly.yaml", rule("nightly", "CronTimer", &format!("hour: 2{more}")))];
        let bot = machine(Vec::new(), start(), &rules);
        let ticked = bot.facts.len();
        let mut second = machine(bot.facts, back.parse().unwrap(), &rules);
        let ticks: Vec<Dated> = second.facts.split_off(ticked);
        let mut found: Vec<String> = ticks
            .iter()
            .filter_map(|dated| match &dated.fact {
                Fact::TriggerTaken(taken) => Some(taken.instance.occurred.to_string()),
                _ => None,
            })
            .collect();
        found.sort();
        assert_eq!(found, expected, "{more} {back}");
        assert_eq!(second.bot.next_deadline().map(|(at, _)| at.to_string()).as_deref(), Some(then), "{more} {back}");
    };
    check("", "2026-11-30T01:00:00Z", &[], "2026-11-30T02:00:00Z");
    check("", "2026-11-30T02:00:30Z", &["2026-11-30T02:00:00Z"], "2026-12-01T02:00:00Z");
    check("", "2026-12-03T09:00:00Z", &[], "2026-12-04T02:00:00Z");
    check(", missed: run", "2026-12-03T09:00:00Z", &["2026-12-03T02:00:00Z"], "2026-12-04T02:00:00Z");
    check(", grace: 36000", "2026-12-03T09:00:00Z", &["2026-12-03T02:00:00Z"], "2026-12-04T02:00:00Z");
}

#[test]
fn a_date_comes_once_and_a_past_one_never() {
    let rules = [
        ("rules/once.yaml", rule("once", "DateTimer", "date: '2026-11-30 03:00'")),
        ("rules/past.yaml", rule("past", "DateTimer", "date: '2026-11-29 03:00'")),
    ];
    let mut bot = machine(Vec::new(), start(), &rules);
    assert_eq!(next(&mut bot), ("2026-11-30T03:00:00Z".to_owned(), vec!["site.once started".to_owned()]));
    assert!(!matches!(bot.bot.next_deadline(), Some((_, "a timer ticks"))));
}

#[test]
fn rules_with_the_same_times_share_a_timer_and_one_that_is_switched_off_has_none() {
    let rules = [
        ("rules/one.yaml", rule("one", "CronTimer", "minute: '*/10'")),
        ("rules/two.yaml", rule("two", "CronTimer", "minute: '*/10'")),
        ("rules/three.yaml", rule("three", "CronTimer", "minute: '*/10', splay: 60")),
    ];
    let mut bot = machine(Vec::new(), start(), &rules);
    assert_eq!(bot.bot.memory().timers.len(), 2);
    let (at, came) = next(&mut bot);
    assert_eq!(
        (at.as_str(), came.as_slice()),
        ("2026-11-30T00:10:00Z", ["site.one started".to_owned(), "site.two started".to_owned()].as_slice())
    );
    // The third comes a little later, each time by another span.
    let (at, came) = next(&mut bot);
    assert!(at.starts_with("2026-11-30T00:10:"), "{at}");
    assert_eq!(came, ["site.three started"]);
    for name in ["site.one", "site.two", "site.three"] {
        let ask = Ask::Rules(RuleAsk::Switch { rule: name.into(), enabled: false });
        let from = Principal::LocalUser { uid: 0, name: "root".into() };
        bot.take(Input::Request { request: RequestId(1), from, ask });
    }
    assert_eq!(bot.bot.memory().timers.len(), 0);
    assert!(!matches!(bot.bot.next_deadline(), Some((_, "a timer ticks"))));
}

#[test]
fn times_that_cannot_be_are_told_with_their_file() {
    let text = rule("odd", "CronTimer", "hour: 25");
    let mut packs = crate::bot::packs();
    packs[0].files.push(halcyon::core::content::SourceFile {
        shown: "rules/odd.yaml".into(),
        inside: "rules/odd.yaml".into(),
        text: Ok(text),
    });
    let told: Vec<String> = load(&packs).diagnostics.iter().map(ToString::to_string).collect();
    let found = told.iter().find(|told| told.contains("rules/odd.yaml"));
    assert!(found.is_some_and(|told| told.contains("`hour`: `25`: 25 is not within 0 to 23")), "{told:?}");
}
