//! What people have the monitoring do about a storm as a whole: one order, one answer, and what becomes of the storm, of its rules and of those who are called. Each story is played twice: by
//! one process, and by one that is killed before every step.

use crate::bot::{Machine, ok, said};
use crate::ruled::happens;
use crate::storms::{HEAL, check_where};
use halcyon::config::{Config, Environment};
use halcyon::core::action::execution::{LOCALHOST, Status};
use halcyon::core::action::run::{Exit, HostOutcome, RunNews, Work};
use halcyon::core::alert::escalation::Escalation;
use halcyon::core::alert::order::Order;
use halcyon::core::alert::storm::Terms;
use halcyon::core::bot::Step;
use halcyon::core::effect::Effect;
use halcyon::core::fact::Fact;
use halcyon::core::id::{ExecutionId, Host};
use halcyon::core::input::Input;
use halcyon::core::settings::{Grant, Monitored, Verb};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

const STEPS: &str = "[[escalation.steps]]\nafter = 900\nusers = ['operator']\n";

fn written(text: &str) -> Escalation {
    let config = Config::parse(Path::new("/etc/halcyon/config.toml"), text, &Environment::new());
    config.unwrap_or_else(|problems| panic!("{problems:#?}")).settings(0).escalation
}

#[test]
fn what_is_asked_for_about_a_storm_is_one_order() {
    let begins = "PROBLEM wn001,wn002,wn003,wn004,wn005,wn006,wn007,se01 DOWN";
    check_where(
        "storm_orders",
        &written(STEPS),
        &[
            (
                "taken on, by one order; what rules would do stays held; nobody is called; what was over in a downtime is found",
                &[("rules/heal.yaml", HEAL)],
                false,
                &[
                    begins,
                    "wait 1",
                    "say ack storm the switch is being replaced",
                    "wait 1",
                    "shows but wn003",
                    "wait 1",
                    "say ack storm",
                    "wait 1",
                    "shows",
                    "wait 1",
                    "wait 120",
                    "wait 1000",
                    "say ack storm",
                    "say downtime storm 2h",
                    "wait 1",
                    "shows",
                    "wait 1",
                    "over wn001,wn002",
                    "wait 1",
                    "say downtime storm off",
                    "wait 1",
                    "shows",
                    "wait 1",
                    "say unack storm",
                    "wait 1",
                    "shows",
                    "wait 1",
                    "wait 900",
                    "say storm go",
                    "wait 1",
                ],
            ),
            (
                "where nobody takes it on people are called",
                &[],
                false,
                &[
                    begins,
                    "wait 1",
                    "wait 120",
                    "wait 900",
                    "say downtime storm 2h",
                    "wait 1",
                    "shows",
                    "wait 1",
                    "wait 3000",
                ],
            ),
            (
                "an alert that is taken on stops the steps, and one that is given back, as is seen, begins them anew",
                &[],
                false,
                &[
                    "PROBLEM wn001 DOWN",
                    "wait 300",
                    "say ack wn001",
                    "shows",
                    "wait 3000",
                    "say unack wn001",
                    "shows",
                    "wait 899",
                    "wait 1",
                ],
            ),
            ("where there is no storm", &[], false, &["say ack storm", "say downtime storm 2h"]),
        ],
        true,
    );
}

/// A machine whose problems two monitorings tell.
fn watched_by_two() -> Machine {
    let mut machine = Machine::new();
    let mut settings = machine.bot.settings().clone();
    settings.storms = Terms { problems: 1, ..Terms::default() };
    settings.monitorings = [("hep", "check_mk"), ("lab", "alertmanager")]
        .map(|(name, source)| Monitored {
            name: name.to_owned(),
            source: source.to_owned(),
            site: None,
            checks: true,
            read: None,
            host_label: None,
        })
        .to_vec();
    settings.roles[0].grants.push(Grant::new(Verb::Run, "monitoring.*"));
    machine.take(Input::Settings(Arc::new(settings)));
    machine
}

/// A monitoring tells that a machine is down.
fn tell(machine: &mut Machine, trigger: &str, host: &str) {
    let payload = json!({"notification_type": "PROBLEM", "host": {"name": host, "state": "DOWN"}, "event": {}});
    happens(machine, &format!("{trigger}-{host}"), trigger, payload);
}

fn order_of(step: &Step) -> Option<(ExecutionId, Arc<Order>)> {
    step.effects.iter().find_map(|effect| match effect {
        Effect::Run(run) => match &run.work {
            Work::Monitoring(order) => Some((run.execution.clone(), Arc::new(Order::clone(order)))),
            _ => None,
        },
        _ => None,
    })
}

/// Whoever names a monitoring means what that one watches, by the names that it has for it: also where another knows the same machine by another name.
#[test]
fn an_order_for_one_of_several_monitorings_is_about_its_own_problems() {
    let mut machine = watched_by_two();
    let orders = |machine: &mut Machine, line: &str| -> Vec<String> {
        machine.wait(60);
        let step = machine.hear(line, None);
        let (_, order) = order_of(&step).unwrap_or_else(|| panic!("{line}: {}", said(&step)));
        let named =
            order.parts.iter().flat_map(|part| part.about.iter().map(|target| (&part.monitoring, &target.host)));
        named.map(|(monitoring, host)| format!("{monitoring}: {host}")).collect()
    };
    tell(&mut machine, "alertmanager.notification", "wn001.example.org");
    assert_eq!(orders(&mut machine, "!downtime wn001 2h"), ["lab: wn001.example.org"]);
    assert_eq!(orders(&mut machine, "!downtime wn001 2h monitoring=hep"), ["hep: wn001"]);
    // Where both tell of the same, the one who asks says which is meant.
    for trigger in ["check_mk.event_handler", "alertmanager.notification"] {
        machine.wait(3_600);
        tell(&mut machine, trigger, "wn009");
    }
    let asked = said(&machine.hear("!ack wn009 I look", None));
    assert!(asked.contains("monitoring=hep`") && asked.contains("monitoring=lab`"), "{asked}");
    let number = if asked.find("monitoring=lab") < asked.find("monitoring=hep") { "!1" } else { "!2" };
    assert_eq!(orders(&mut machine, number), ["lab: wn009"]);
    machine.wait(3_600);
    for host in ["wn002", "wn003"] {
        tell(&mut machine, "check_mk.event_handler", host);
    }
    tell(&mut machine, "alertmanager.notification", "wn004.example.org");
    assert!(machine.bot.memory().storms.now().is_some());
    let all = orders(&mut machine, "!recheck storm");
    let of = |name: &str| all.iter().filter(|one| one.starts_with(name)).cloned().collect::<Vec<_>>();
    assert!(!of("hep").is_empty() && !of("lab").is_empty(), "{all:?}");
    assert_eq!(orders(&mut machine, "!recheck storm monitoring=hep"), of("hep"));
}

/// Two monitorings tell of one machine, and one of them refuses: what came of it stands in the post of each.
#[test]
fn what_came_of_an_order_is_told_of_each_monitoring_by_itself() {
    let mut machine = watched_by_two();
    tell(&mut machine, "check_mk.event_handler", "wn009");
    tell(&mut machine, "alertmanager.notification", "wn009");
    machine.wait(60);
    let step = machine.hear("!ack storm I look", None);
    let (id, order) = order_of(&step).unwrap_or_else(|| panic!("{}", said(&step)));
    assert_eq!(order.parts.len(), 2, "{order:?}");
    let entry = |end: &str, monitoring: &str| json!({"host": "wn009", "end": end, "why": "", "monitoring": monitoring});
    let result = json!({"problems": [entry("confirmed", "hep"), entry("refused", "lab")], "left_out": 0});
    let outcome = HostOutcome { exit: Exit::Code { code: 1 }, ..*ok(&result.to_string()) };
    machine.news(&id, RunNews::HostFinished { host: Host::new(LOCALHOST), outcome: Box::new(outcome) });
    let step = machine.news(&id, RunNews::Finished { error: None });
    let ends = step.facts.iter().find_map(|dated| match &dated.fact {
        Fact::OrderEnded { ends, .. } => Some(ends),
        _ => None,
    });
    let ends: Vec<(&str, Status)> = ends.unwrap().iter().map(|end| (end.problem.source.as_str(), end.status)).collect();
    assert_eq!(ends.len(), 2, "{ends:?}");
    assert!(
        ends.contains(&("check_mk", Status::Succeeded)) && ends.contains(&("alertmanager", Status::Failed)),
        "{ends:?}"
    );
}
