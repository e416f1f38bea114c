//! Lines that wait for their time.

use crate::bot::{Machine, said, started};
use crate::ruled::content;
use crate::world::World;
use halcyon::core::action::run::Work;
use halcyon::core::alert::order::Wanted;
use halcyon::core::bot::Step;
use halcyon::core::chat::when::{self, Odd, Wrong};
use halcyon::core::effect::Effect;
use halcyon::core::fact::Fact;
use halcyon::core::id::{ExecutionId, UserId};
use halcyon::core::input::{Identifying, Identity, Input};
use halcyon::core::message::zone::zone;
use halcyon::core::settings::{Grant, Monitored, Settings, Verb};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

#[test]
fn times_are_read_and_mean_what_people_mean() {
    // 10:00 in Zurich.
    let now: Timestamp = "2026-11-23T09:00:00Z".parse().unwrap();
    let check = |text: &str, expected: &str| {
        let said = match when::read(text) {
            None => "none".to_owned(),
            Some((when, line)) => match when::resolve(when, now, &zone("Europe/Zurich")) {
                Ok(due) => format!("{} {line}", due.at),
                Err(Wrong::Over) => "over".to_owned(),
                Err(Wrong::TooFar) => "too far".to_owned(),
            },
        };
        assert_eq!(said, expected, "{text}");
    };
    check("at 22:00 uptime on wn001", "2026-11-23T21:00:00Z uptime on wn001");
    check("AT 9:30   say  'a  b'", "2026-11-24T08:30:00Z say  'a  b'");
    check("at 10:00 x", "2026-11-24T09:00:00Z x");
    check("at today 22:00 x", "2026-11-23T21:00:00Z x");
    check("at today 9:00 x", "over");
    check("at tomorrow 6:30 x", "2026-11-24T05:30:00Z x");
    check("at 2026-12-01 22:00 x", "2026-12-01T21:00:00Z x");
    check("at 2026-07-01 22:00 x", "over");
    check("at 2027-07-01 22:00 x", "2027-07-01T20:00:00Z x");
    check("at 2028-07-01 22:00 x", "too far");
    check("in 10m x", "2026-11-23T09:10:00Z x");
    check("in 1h30m x y", "2026-11-23T10:30:00Z x y");
    check("in 2 hours x", "2026-11-23T11:00:00Z x");
    check("in 90 sec x", "2026-11-23T09:01:30Z x");
    check("in 400d x", "too far");
    check("in 99999999999999999d x", "none");
    for none in [
        "at 22:00",
        "in 10m",
        "at 24:00 x",
        "at 22:60 x",
        "at 2:5 x",
        "at noon x",
        "at 22 x",
        "in 0m x",
        "in m x",
        "in 10 x",
        "in 10x y",
        "at 2026-13-01 22:00 x",
        "at 2026-02-30 1:00 x",
        "at +2026-1-1 1:00 x",
        "at -1:00 x",
        "in -5m x",
        "at x",
        "in 10m5 x",
        "in ⅓h x",
        "at ２２:00 x",
        "later x",
        "",
    ] {
        check(none, "none");
    }
}

#[test]
fn clocks_that_are_changed_are_noticed() {
    let check = |text: &str, now: &str, expected: (&str, Option<Odd>)| {
        let (when, _) = when::read(text).unwrap();
        let due = when::resolve(when, now.parse().unwrap(), &zone("Europe/Zurich")).unwrap();
        assert_eq!((due.at.to_string().as_str(), due.odd), expected, "{text}");
    };
    let spring = "2027-03-27T20:00:00Z";
    check("at 1:59 x", spring, ("2027-03-28T00:59:00Z", None));
    check("at 2:30 x", spring, ("2027-03-28T01:30:00Z", Some(Odd::LeftOut)));
    check("at 3:00 x", spring, ("2027-03-28T01:00:00Z", None));
    let autumn = "2027-10-30T20:00:00Z";
    check("at 2:30 x", autumn, ("2027-10-31T00:30:00Z", Some(Odd::Twice)));
    check("in 12h x", autumn, ("2027-10-31T08:00:00Z", None));
}

/// The lines that wait, and who is to be looked up for one that is due.
fn waiting(machine: &Machine) -> Vec<ExecutionId> {
    machine.bot.memory().scheduled.keys().cloned().collect()
}

fn asked_for(step: &Step) -> Option<ExecutionId> {
    step.effects.iter().find_map(|effect| match effect {
        Effect::Identify { of: Identifying::Due(line), .. } => Some(line.clone()),
        _ => None,
    })
}

fn who(machine: &Machine, active: bool) -> Identity {
    Identity {
        id: UserId::new("u1"),
        username: "operator".into(),
        is_bot: false,
        active,
        member_of: BTreeSet::new(),
        zone: "Europe/Zurich".into(),
        as_of: machine.now,
    }
}

/// Wakes the machine when it wants to be, and tells it who the author is.
fn due(machine: &mut Machine, active: bool) -> Step {
    let step = machine.take(Input::Deadline);
    let memory = machine.bot.memory();
    let schedule =
        asked_for(&step).unwrap_or_else(|| panic!("nobody is looked up: {:?} {}", memory.scheduled, said(&step)));
    let people = Some(vec![who(machine, active)]);
    machine.take(Input::Identified { of: Identifying::Due(schedule), people })
}

/// A process that begins on what is stored.
fn restarted(machine: Machine) -> Machine {
    let now = machine.now;
    Machine::over(machine.facts, now)
}

#[test]
fn what_could_not_be_run_now_is_refused_now() {
    for (line, answer) in [
        ("!in 10m greet you on wn001", "is due at"),
        ("!at 22:00 greet you on wn001", "is due at"),
        ("!at today 0:00 greet you on wn001", "That time has passed"),
        ("!in 500d greet you on wn001", "more than a year away"),
        ("!in 10m make coffee", "I do not know what `make coffee` means, so I did not schedule it"),
        ("!in 10m greet you on wn009", "there is no host `wn009`"),
        ("!in 10m count to many on wn001", "I cannot run"),
        ("!in 10m list", "something that I answer myself"),
        ("!in 10m in 5m greet you on wn001", "something that I answer myself"),
        ("!in 10m login with s3cr3t on wn001", "There is a secret in"),
        ("!in 10m", "as a time with a command behind it"),
        ("!at 25:00 greet you on wn001", "I could not read `at 25:00 greet you on wn001` as a time"),
        ("!at tomorrow greet you on wn001", "as a time with a command behind it"),
        ("!at login with s3cr3t on wn001", "I do not know"),
        ("!at 25:00 login with s3cr3t on wn001", "I could not read `at 25:00 login"),
        ("!in 10 login with s3cr3t on wn001", "as a time with a command behind it"),
        ("!at tomorrow 25:00 login with s3cr3t on wn001", "as a time with a command behind it"),
        ("!at 25:00 key set --encrypt site.word s3cr3t", "as a time with a command behind it"),
    ] {
        let mut machine = Machine::new();
        let step = machine.hear(line, None);
        assert!(said(&step).contains(answer), "{line}: {}", said(&step));
        assert!(started(&step).is_none(), "{line}");
        assert_eq!(waiting(&machine).len(), usize::from(answer == "is due at"), "{line}");
        let facts = serde_json::to_string(&step.facts).unwrap();
        assert!(!facts.contains("s3cr3t"), "{line}: {facts}");
    }
}

/// What is asked of a monitoring is completed by what is known then: it can be put off, and planned.
#[test]
fn what_is_asked_of_a_monitoring_can_be_put_off_and_planned() {
    let asked = |line: &str| {
        let mut machine = Machine::new();
        let mut settings = machine.bot.settings().clone();
        let (name, source) = ("hep".to_owned(), "check_mk".to_owned());
        settings.monitorings = vec![Monitored { name, source, site: None, checks: true, read: None, host_label: None }];
        settings.roles[0].grants.push(Grant::new(Verb::Run, "monitoring.*"));
        machine.take(Input::Settings(Arc::new(settings)));
        let step = machine.hear(line, None);
        (machine, said(&step))
    };
    for (line, answer) in [
        ("!in 10m downtime wn001 2h new disks", "is due at"),
        ("!in 10m downtime wn001 soon", "I do not know"),
        ("!in 10m ack storm", "there is no storm"),
        ("!plan downtime wn001 2h", "`end`"),
        ("!plan ack storm", "there is no storm"),
    ] {
        assert!(asked(line).1.contains(answer), "{line}: {}", asked(line).1);
    }
    let (mut machine, _) = asked("!in 10m downtime wn001 2h new disks");
    let settings = machine.bot.settings().clone();
    machine = restarted(machine);
    machine.take(Input::Settings(Arc::new(settings)));
    machine.wait(600);
    let step = due(&mut machine, true);
    let order = step.effects.iter().find_map(|effect| match effect {
        Effect::Run(run) => Some(&run.work),
        _ => None,
    });
    let Some(Work::Monitoring(order)) = order else { panic!("{}", said(&step)) };
    let Wanted::Downtime { end, .. } = order.wanted else { panic!("{order:?}") };
    assert_eq!(end.duration_since(machine.now).as_secs(), 7_200);
    assert_eq!(order.parts[0].monitoring, "hep");
}

/// Nor is a secret repeated that stands in the line behind a command of the bot's own, when that comes too late.
#[test]
fn a_line_that_came_too_late_is_repeated_without_its_secret() {
    for line in
        ["!in 10m login with s3cr3t on wn001", "!plan login with s3cr3t on wn001", "!login with s3cr3t on wn001"]
    {
        let mut machine = Machine::new();
        machine.wait(3_600);
        let mut post = machine.post(line, None);
        post.missed = true;
        post.created -= jiff::SignedDuration::from_secs(1_800);
        let step = machine.take(Input::Post(post));
        let facts = serde_json::to_string(&step.facts).unwrap();
        assert!(facts.contains("login") && !facts.contains("s3cr3t"), "{line}: {facts}");
        assert!(!line.contains("hey") || facts.contains("and hey you all"), "{line}: {facts}");
    }
}

/// Whose time zone is not known is told times by the clock of the site.
#[test]
fn times_go_by_the_clock_of_the_author_or_else_of_the_site() {
    for (own, site, expected) in [
        ("Europe/Zurich", "Asia/Tokyo", "**23:23 CET**"),
        ("", "Asia/Tokyo", "**07:23 JST**"),
        ("", "", "**22:23 UTC**"),
        ("Nowhere/Land", "Asia/Tokyo", "**07:23 JST**"),
    ] {
        let mut machine = Machine::new();
        let settings = Settings { zone: site.to_owned(), ..machine.bot.settings().clone() };
        machine.take(Input::Settings(Arc::new(settings)));
        let mut post = machine.post("!in 10m greet you on wn001", None);
        if let Some(identity) = &mut post.identity {
            own.clone_into(&mut identity.zone);
        }
        let step = machine.take(Input::Post(post));
        assert!(said(&step).contains(expected), "{own} {site}: {}", said(&step));
        let unknown = ["", "Nowhere/Land"].contains(&own);
        assert_eq!(said(&step).contains("by the site's clock"), unknown, "{}", said(&step));
    }
}

/// What a task of a workflow asks for is asked by the clock of whoever started the workflow.
#[test]
fn times_of_a_task_go_by_the_clock_of_who_started_its_workflow() {
    let files = content(&[
        ("actions/flow.yaml", "name: flow\nrunner_type: orquesta\nentry_point: workflows/flow.yaml\n"),
        ("actions/workflows/flow.yaml", "version: 1.0\ntasks:\n  first:\n    action: site.careful\n"),
        ("actions/careful.yaml", "name: careful\nrunner_type: noop\n"),
        (
            "policies/careful.yaml",
            "name: careful\nresource_ref: site.careful\npolicy_type: action.approval\nparameters: {approvers: {roles: [operator]}, allow_requester: true}\n",
        ),
        ("aliases/flow.yaml", "name: flow\naction_ref: site.flow\nformats: [go with the flow]\n"),
    ]);
    let mut machine = Machine::with_content(Vec::new(), Timestamp::from_second(1_700_000_000).unwrap(), &files);
    let mut settings = machine.bot.settings().clone();
    settings.roles[0].grants.push(Grant::new(Verb::Approve, "*"));
    machine.take(Input::Settings(Arc::new(settings)));
    let begun = said(&machine.hear("!go with the flow", None));
    let told = begun + &said(&machine.take(Input::Deadline));
    assert!(told.contains("needs an approval") && told.contains("CET") && !told.contains("UTC"), "{told}");
}

#[test]
fn a_line_is_carried_out_when_it_is_due_and_once() {
    // How often the process dies: never, before it is due, while its author is looked up, afterwards.
    for dies in 0..4 {
        let mut machine = Machine::new();
        let step = machine.hear("!in 10m greet you on wn001", None);
        assert!(said(&step).contains("in 10 min"), "{}", said(&step));
        if dies == 1 {
            machine = restarted(machine);
        }
        let (at, _) = machine.bot.next_deadline().unwrap();
        assert_eq!(at.duration_since(machine.now).as_secs(), 600);
        machine.wait(599);
        assert_eq!(asked_for(&machine.take(Input::Deadline)), None, "it is not due yet");
        machine.wait(1);
        if dies == 2 {
            assert!(asked_for(&machine.take(Input::Deadline)).is_some());
            machine = restarted(machine);
        }
        // A process that begins when it is due looks after it when it knows the channels.
        machine.wait(20);
        let step = due(&mut machine, true);
        assert!(started(&step).is_some(), "{}", said(&step));
        let ended = step.facts.iter().position(|dated| matches!(dated.fact, Fact::ScheduleEnded { .. }));
        assert!(ended.is_some(), "that it waits no more is part of the same transaction");
        if dies == 3 {
            machine = restarted(machine);
        }
        assert!(waiting(&machine).is_empty());
        machine.wait(100);
        let step = machine.take(Input::Deadline);
        assert!(asked_for(&step).is_none() && started(&step).is_none());
        let begun = machine.facts.iter().filter(|dated| matches!(dated.fact, Fact::ExecutionStarted(_))).count();
        assert_eq!(begun, 1, "after dying at {dies}");
    }
}

#[test]
fn what_was_due_while_nobody_was_there() {
    // (the line, how long after it was due the bot comes back, what happens)
    for (line, later, runs, answer) in [
        ("!in 10m uptime on wn001", 300, true, ""),
        ("!in 10m uptime on wn001", 601, false, "was due at"),
        ("!in 10m hold 5 on wn001", 10, true, ""),
        ("!in 10m hold 5 on wn001", 300, false, "answer `1` if you still want it"),
        ("!in 10m hold 5 on wn001", 100_000, false, "I was away, so I did not run it"),
    ] {
        let mut machine = Machine::new();
        let step = machine.hear(line, None);
        assert!(said(&step).contains("is due at"), "{}", said(&step));
        machine.wait(600 + later);
        let known = machine.facts.len();
        let mut machine = restarted(machine);
        if later <= 600 {
            machine.wait(16);
            due(&mut machine, true);
        }
        let facts = &machine.facts[known..];
        let begun = facts.iter().any(|dated| matches!(dated.fact, Fact::ExecutionStarted(_)));
        assert_eq!(begun, runs, "{line} {later}");
        let facts = serde_json::to_string(facts).unwrap();
        assert!(facts.contains(answer), "{line} {later}: {facts}");
        assert!(waiting(&machine).is_empty(), "{line} {later}");
        if answer.starts_with("answer") {
            assert!(started(&machine.hear("1", None)).is_some(), "what is offered can be picked");
        }
    }
}

#[test]
fn who_its_author_is_then_counts() {
    let mut machine = Machine::new();
    machine.hear("!in 10m greet you on wn001", None);
    machine.wait(600);
    let step = due(&mut machine, false);
    assert!(started(&step).is_none() && said(&step).contains("was not run"), "{}", said(&step));
    assert!(said(&step).contains("@operator"), "{}", said(&step));
    assert!(waiting(&machine).is_empty());

    // A server that does not say who somebody is, is asked again, and after the grace nothing is run.
    let mut machine = Machine::new();
    machine.hear("!in 10m greet you on wn001", None);
    machine.wait(600);
    let schedule = asked_for(&machine.take(Input::Deadline)).unwrap();
    machine.take(Input::Identified { of: Identifying::Due(schedule.clone()), people: None });
    assert_eq!(asked_for(&machine.take(Input::Deadline)), None, "not at once");
    machine.wait(15);
    assert_eq!(asked_for(&machine.take(Input::Deadline)), Some(schedule.clone()));
    machine.wait(600);
    let step = machine.take(Input::Deadline);
    assert!(said(&step).contains("I could not check who you are"), "{}", said(&step));
    let people = Some(vec![who(&machine, true)]);
    assert!(started(&machine.take(Input::Identified { of: Identifying::Due(schedule), people })).is_none());
}

#[test]
fn lines_that_wait_are_listed_and_taken_off() {
    let mut machine = Machine::new();
    assert!(said(&machine.hear("!scheduled", None)).contains("Nothing is scheduled"));
    machine.hear("!in 2h greet you on wn002", None);
    machine.hear("!in 10m greet you on wn001", None);
    let step = machine.hear("!list scheduled", None);
    let list = said(&step);
    assert!(list.find("wn001").unwrap() < list.find("wn002").unwrap(), "the next one stands first: {list}");
    let first = machine.bot.memory().scheduled.values().find(|line| line.line.contains("wn001")).unwrap().id.clone();
    let step = machine.hear(&format!("!cancel {}", first.short()), None);
    assert!(said(&step).contains("is called off"), "{}", said(&step));
    machine = restarted(machine);
    assert_eq!(waiting(&machine).len(), 1);
    machine.wait(700);
    assert_eq!(asked_for(&machine.take(Input::Deadline)), None);
    for number in 0..19 {
        assert!(said(&machine.hear("!in 1h greet you on wn001", None)).contains("is due"), "{number}");
    }
    let step = machine.hear("!in 1h greet you on wn001", None);
    assert!(said(&step).contains("You already have 20 scheduled lines"), "{}", said(&step));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_is_put_off_and_carried_out_in_the_world() {
    let mut world = World::start().await;
    let said = world.say("operator", "!in 4s uptime on wn001").await;
    assert!(said.message.contains("is due at"), "{}", said.message);
    let list = world.say("operator", "!scheduled").await;
    assert!(list.message.contains("`uptime on wn001` · "), "{}", list.message);
    world.kill_bot();
    world.start_bot().await;
    let ended = world.answer_that(&list.id, |post| post.message.contains("done on wn001")).await;
    assert!(ended.message.contains("uptime on wn001"));
    world.settle().await;
    assert_eq!(world.started(), 1);
    assert!(world.say("operator", "!scheduled").await.message.contains("Nothing is scheduled"));
}
