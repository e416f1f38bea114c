//! What people have the monitoring do about a storm as a whole: one order, one answer, and what becomes of the storm, of its rules and of those who are called. Each story is played twice: by
//! one process, and by one that is killed before every step.

use crate::bot::{Machine, said};
use crate::storms::{HEAL, check_where};
use halcyon::config::{Config, Environment};
use halcyon::core::action::run::Work;
use halcyon::core::alert::escalation::Escalation;
use halcyon::core::alert::storm::Terms;
use halcyon::core::effect::Effect;
use halcyon::core::id::{TriggerInstanceId, TriggerRef};
use halcyon::core::input::Input;
use halcyon::core::rule::trigger::{Arrival, Source, TriggerInstance};
use halcyon::core::settings::{Grant, Monitored, Verb};
use serde_json::{Map, json};
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

/// Whoever names a monitoring means what that one watches, by the names that it has for it: also where another knows the same machine by another name.
#[test]
fn an_order_for_one_of_several_monitorings_is_about_its_own_problems() {
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
    let tell = |machine: &mut Machine, trigger: &str, host: &str| {
        let payload = json!({"notification_type": "PROBLEM", "host": {"name": host, "state": "DOWN"}, "event": {}});
        let instance = TriggerInstance {
            id: TriggerInstanceId::new(format!("{trigger}-{host}")),
            trigger: TriggerRef::new(trigger),
            parameters: Map::new(),
            payload,
            occurred: machine.now,
            trace_tag: None,
            source: Source::Webhook { name: "st2".into(), key: "monitoring".into() },
            chain: Vec::new(),
        };
        machine.take(Input::Event(Box::new(Arrival { instance, request: None })));
    };
    let orders = |machine: &mut Machine, line: &str| -> Vec<String> {
        machine.wait(60);
        let step = machine.hear(line, None);
        let order = step.effects.iter().find_map(|effect| match effect {
            Effect::Run(run) => Some(&run.work),
            _ => None,
        });
        let Some(Work::Monitoring(order)) = order else { panic!("{line}: {}", said(&step)) };
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
