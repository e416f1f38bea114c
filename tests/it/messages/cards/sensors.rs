//! What is said of sensors.

use halcyon::core::message::card::{Card, SensorCard, SensorRow, SensorTold};
use halcyon::core::message::markdown;

pub(super) fn cards() -> Vec<(&'static str, Card)> {
    let row = SensorRow {
        name: "site.power".into(),
        state: "running",
        since: "3 h".into(),
        next: String::new(),
        why: String::new(),
        events: 12,
        refused: 0,
    };
    let of = |name: &str, state, next: &str| SensorRow {
        name: name.into(),
        state,
        since: String::new(),
        next: next.into(),
        ..row.clone()
    };
    let failing =
        SensorRow { why: "it ended with exit code 1".into(), refused: 3, ..of("site.fans|`odd`", "waiting", "40 s") };
    let card = SensorCard {
        name: "site.power".into(),
        description: "Watches the power *supplies*".into(),
        state: "running",
        since: "3 h".into(),
        events: 12,
        triggers: vec!["site.power_failed".into(), "site.power_back".into()],
        file: "packs/site/sensors/power.yaml".into(),
        ..SensorCard::default()
    };
    let failing_card = SensorCard {
        name: "site.fans".into(),
        state: "waiting",
        next: "40 s".into(),
        switched_by: "lead".into(),
        switched: "2 d".into(),
        poll: 30,
        failures: 7,
        down: "5 min".into(),
        last: "it ended with exit code 1".into(),
        last_ago: "20 s".into(),
        events: 1,
        refused: 2,
        complaint: "it is no JSON: expected value at line 1 column 1".into(),
        complaint_ago: "25 s".into(),
        errors: markdown::fence("Traceback\n```\nKeyError: 'fan'"),
        ..SensorCard::default()
    };
    let bare =
        |state, next: &str| SensorCard { name: "site.other".into(), state, next: next.into(), ..SensorCard::default() };
    let told = |what| SensorTold { sensor: "site.power".into(), what, ..SensorTold::default() };
    let fails = SensorTold {
        why: "it was killed by signal 9".into(),
        failures: 3,
        next: "4.0 s".into(),
        errors: markdown::fence("no such device"),
        ..told("fails")
    };
    let refused = SensorTold {
        why: "it is no JSON: expected value at line 1 column 1".into(),
        line: "warning: `device`\u{1b}[2J @all".into(),
        ..told("refused")
    };
    vec![
        (
            "sensors",
            Card::Sensors {
                rows: vec![
                    row.clone(),
                    failing,
                    of("site.disk", "resting", "12 s"),
                    of("site.new", "waiting", ""),
                    of("site.old", "stopping", ""),
                    of("site.off", "disabled", ""),
                    of("site.Python", "not-built", ""),
                ],
                more: 2,
            },
        ),
        ("no sensors", Card::Sensors { rows: vec![], more: 0 }),
        ("a sensor that runs", Card::Sensor(Box::new(card))),
        ("a sensor that fails", Card::Sensor(Box::new(failing_card))),
        ("a sensor that rests", Card::Sensor(Box::new(bare("resting", "12 s")))),
        ("a sensor that waits", Card::Sensor(Box::new(bare("waiting", "")))),
        ("a sensor that ends", Card::Sensor(Box::new(bare("stopping", "")))),
        ("a sensor that is switched off", Card::Sensor(Box::new(bare("disabled", "")))),
        ("a sensor that is not built", Card::Sensor(Box::new(bare("not-built", "")))),
        ("a sensor on", Card::SensorTold(told("enabled"))),
        ("a sensor off", Card::SensorTold(told("disabled"))),
        ("a sensor on already", Card::SensorTold(told("enabled_already"))),
        ("a sensor off already", Card::SensorTold(told("disabled_already"))),
        ("a sensor fails", Card::SensorTold(fails)),
        (
            "a sensor fails and says nothing",
            Card::SensorTold(SensorTold {
                failures: 3,
                why: "it ended by itself (exit code 0)".into(),
                ..told("fails")
            }),
        ),
        ("a sensor is well again", Card::SensorTold(told("lives"))),
        ("a sensor wrote what cannot be taken", Card::SensorTold(refused)),
        (
            "no such sensor",
            Card::SensorTold(SensorTold { why: "there is no sensor `x`".into(), ..SensorTold::default() }),
        ),
    ]
}
