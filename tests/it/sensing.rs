//! Sensors in the bot: which are started and stopped, what is taken of what they tell, and what people hear of it.

use crate::bot::{Machine, said};
use crate::ruled::{RUN, enforcements, grant};
use halcyon::core::bot::Step;
use halcyon::core::content::load::load;
use halcyon::core::content::{PackSource, ProgramFile, SourceFile};
use halcyon::core::effect::{Answer, Effect};
use halcyon::core::id::{RequestId, SensorRef};
use halcyon::core::input::{Ask, Input, Principal, SensorAsk};
use halcyon::core::sensor::{End, Heard, Launch, News};
use serde_json::Value;
use std::fmt::Write;
use std::sync::Arc;

const SENSOR: &str = "entry_point: power\ndescription: Watches the power supplies\ntrigger_types:\n  - name: failed\n    payload_schema: {type: object, properties: {unit: {type: integer, required: true}}}\n";
const ON_FAILED: &str = "name: failed\nenabled: true\ntrigger: {type: t.failed}\naction: {ref: core.noop}\n";

/// A pack `t` with these files, and a program for each sensor; its configuration.
fn content(files: &[(&str, &str)], stamp: &str, config: &str) -> (Input, Vec<String>) {
    let file = |(inside, text): (&str, &str)| SourceFile {
        shown: inside.to_owned(),
        inside: inside.to_owned(),
        text: Ok(text.to_owned()),
    };
    let pack = [
        ("pack.yaml", "{ref: t, name: t, description: t, version: 1.0.0, author: t}"),
        ("config.schema.yaml", "token: {type: string, secret: true}\nport: {type: integer}\n"),
    ];
    let program = |name: &str| ProgramFile {
        inside: format!("sensors/{name}"),
        path: format!("/packs/t/sensors/{name}"),
        stamp: Ok(stamp.to_owned()),
    };
    let files = pack.iter().chain(files).map(|(inside, text)| file((inside, text))).collect();
    let mut sources = crate::bot::packs();
    sources.push(PackSource {
        directory: "t".into(),
        shown: "t".into(),
        files,
        programs: vec![program("power"), program("fans")],
    });
    sources.push(PackSource {
        directory: String::new(),
        shown: "configs".into(),
        files: vec![file(("configs/t.yaml", config))],
        programs: Vec::new(),
    });
    let loaded = load(&sources);
    let told = loaded.diagnostics.iter().filter(|told| told.file.starts_with("sensors/")).map(ToString::to_string);
    let told = told.collect();
    (Input::Content { catalog: Arc::new(loaded.catalog), problems: Arc::new(loaded.diagnostics) }, told)
}

const CONFIG: &str = "{token: tops3cret, port: 5}";

fn machine(files: &[(&str, &str)]) -> Machine {
    let mut machine = grant(Machine::new(), RUN);
    let mut settings = halcyon::core::settings::Settings::clone(machine.bot.settings());
    settings.roles.last_mut().unwrap().rules.push("t.*".into());
    settings.roles[0].grants.push(halcyon::core::settings::Grant::new(halcyon::core::settings::Verb::Admin, "t.power"));
    machine.take(Input::Settings(Arc::new(settings)));
    machine.take(content(files, "1", CONFIG).0);
    machine
}

fn orders(step: &Step) -> String {
    let word = |effect: &Effect| match effect {
        Effect::StartSensor(launch) => Some(format!("start {} {}", launch.sensor, launch.run)),
        Effect::StopSensor { sensor, run } => Some(format!("stop {sensor} {run}")),
        _ => None,
    };
    step.effects.iter().filter_map(word).collect::<Vec<_>>().join(", ")
}

fn launch(step: &Step) -> Launch {
    let found = step.effects.iter().find_map(|effect| match effect {
        Effect::StartSensor(launch) => Some((**launch).clone()),
        _ => None,
    });
    found.unwrap()
}

fn tell(machine: &mut Machine, run: u64, news: News) -> Step {
    let request = matches!(news, News::Said(_)).then_some(RequestId(9));
    machine.take(Input::Sensor { sensor: SensorRef::new("t.power"), run, request, news })
}

fn say(machine: &mut Machine, run: u64, line: &str) -> Step {
    tell(machine, run, News::Said(Heard::Line(line.to_owned())))
}

fn end(machine: &mut Machine, run: u64, code: i32, errors: &[&str]) -> Step {
    let errors = errors.iter().map(|line| (*line).to_owned()).collect();
    tell(machine, run, News::Ended { end: End::Code(code), errors })
}

fn answered(step: &Step) -> String {
    let answer = step.effects.iter().find_map(|effect| match effect {
        Effect::Answer { answer, .. } => Some((**answer).clone()),
        _ => None,
    });
    match answer.unwrap() {
        Answer::Event { new, executions, .. } => format!("event, new: {new}, executions: {}", executions.len()),
        Answer::Refused { text } => format!("refused: {text}"),
        Answer::Failed { text } => format!("failed: {text}"),
        Answer::Done { .. } => "done".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Lets the time pass until a sensor is to be looked after.
fn next(machine: &mut Machine) -> Step {
    loop {
        let (at, why) = machine.bot.next_deadline().unwrap();
        machine.now = machine.now.max(at);
        let step = machine.take(Input::Deadline);
        if why == "a sensor" {
            return step;
        }
    }
}

const FILES: &[(&str, &str)] = &[("sensors/power.yaml", SENSOR), ("rules/failed.yaml", ON_FAILED)];

/// One sensor that runs as run 1.
fn running() -> Machine {
    let mut machine = machine(&[]);
    let step = machine.take(content(FILES, "1", CONFIG).0);
    assert_eq!(orders(&step), "start t.power 1");
    tell(&mut machine, 1, News::Started { pid: 4711 });
    machine
}

#[test]
fn what_a_program_is_told() {
    let mut machine = machine(&[]);
    let step = machine.take(content(FILES, "1", CONFIG).0);
    let told = launch(&step);
    assert_eq!(told.program, "/packs/t/sensors/power");
    let settings: Value = serde_json::from_str(told.settings.reveal()).unwrap();
    let expected = r#"{"config":{"port":5,"token":"tops3cret"},"pack":"t","poll_interval":null,"sensor":"t.power"}"#;
    assert_eq!(settings, serde_json::from_str::<Value>(expected).unwrap());
    assert!(!told.settings.reveal().contains('\n'), "it is one line");
    assert!(!format!("{step:?}").contains("tops3cret"), "it is a secret to every log");
}

#[test]
fn what_is_started_and_stopped() {
    let mut machine = running();
    let take = |machine: &mut Machine, files: &[(&str, &str)], stamp: &str, config: &str| {
        orders(&machine.take(content(files, stamp, config).0))
    };
    // Packs that are read again disturb nothing; what has changed is started anew, when the old one has ended.
    assert_eq!(take(&mut machine, FILES, "1", CONFIG), "");
    assert_eq!(take(&mut machine, FILES, "2", CONFIG), "stop t.power 1");
    assert_eq!(orders(&end(&mut machine, 1, 143, &[])), "start t.power 2");
    assert_eq!(take(&mut machine, FILES, "2", "{token: another1, port: 5}"), "stop t.power 2");
    assert_eq!(orders(&end(&mut machine, 2, 143, &[])), "start t.power 3");
    // A configuration with a mistake ends nothing that runs.
    assert_eq!(take(&mut machine, FILES, "2", "{token: another1, port: x}"), "");
    assert_eq!(take(&mut machine, FILES, "2", "{token: another1, port: 5}"), "");
    let fans: &[(&str, &str)] = &[("sensors/fans.yaml", "entry_point: fans\n")];
    assert_eq!(take(&mut machine, fans, "2", CONFIG), "stop t.power 3, start t.fans 1");
    assert_eq!(orders(&end(&mut machine, 3, 143, &[])), "");
    let off: &[(&str, &str)] = &[("sensors/fans.yaml", "entry_point: fans\nenabled: false\n")];
    assert_eq!(take(&mut machine, off, "2", CONFIG), "stop t.fans 1");
}

#[test]
fn nothing_is_started_before_the_chat_is_known_and_all_is_stopped_at_the_end() {
    let bot = halcyon::core::bot::Bot::remember(&[], Arc::new(crate::bot::settings())).unwrap();
    let mut early = running();
    early.bot = bot;
    assert_eq!(orders(&early.take(content(FILES, "1", CONFIG).0)), "");
    assert_eq!(orders(&early.take(Input::Deadline)), "");
    let mut machine = running();
    assert_eq!(orders(&machine.take(Input::Stop)), "stop t.power 1");
    let late = say(&mut machine, 1, r#"{"trigger": "t.failed", "payload": {"unit": 1}}"#);
    assert!(answered(&late).starts_with("failed:"), "{}", answered(&late));
    assert_eq!(orders(&end(&mut machine, 1, 143, &[])), "");
    assert_eq!(orders(&machine.take(Input::Deadline)), "");
}

#[test]
fn what_is_taken_of_what_it_writes() {
    let mut machine = running();
    let mut told = String::new();
    for line in [
        r#"{"trigger": "t.failed", "payload": {"unit": 1}}"#,
        r#"{"trigger": "t.failed", "payload": {"unit": 1}}"#,
        r#"{"trigger": "t.failed", "payload": {"unit": 1}, "id": "a"}"#,
        r#"{"trigger": "t.failed", "payload": {"unit": 1}, "id": "a"}"#,
        r#"{"trigger": "t.failed", "payload": {"unit": 1}, "id": "ö ß"}"#,
        r#"{"trigger": "t.failed", "payload": {"unit": 1}, "id": "ö ß"}"#,
        r#"{"trigger": "t.failed", "payload": {"unit": "one"}}"#,
        r#"{"trigger": "t.failed", "payload": {"unit": "two"}}"#,
        r#"{"trigger": "t.filed", "payload": {"unit": 1}}"#,
        "no more tops3cret `things` @all",
        "nothing new",
        "",
    ] {
        let step = say(&mut machine, 1, line);
        writeln!(told, "{line}\n  {}", answered(&step)).unwrap();
        let said = said(&step);
        if said.contains("t.power") {
            writeln!(told, "  {said}").unwrap();
        }
    }
    for heard in [Heard::TooLong("{\"trigger\": \"aaa".into()), Heard::NotText("\u{fffd}PNG".into())] {
        let step = tell(&mut machine, 1, News::Said(heard));
        writeln!(told, "{}\n  {}", answered(&step), said(&step)).unwrap();
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sensor_events.txt");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(file, &told).unwrap();
    }
    assert_eq!(told, std::fs::read_to_string(file).unwrap());
    let shown = said(&machine.hear("!sensor show power", None));
    assert!(shown.contains("4 events since I started, and 7 lines refused"), "{shown}");
    assert!(!shown.contains("tops3cret"), "{shown}");
}

#[test]
fn one_that_fails_is_told_of_once_and_one_that_lives_again_too() {
    let mut machine = running();
    let mut run = 1;
    let mut told = Vec::new();
    for _ in 0..5 {
        let step = end(&mut machine, run, 1, &["the key is tops3cret", "no such `device`"]);
        told.push(said(&step));
        let step = next(&mut machine);
        run += 1;
        assert_eq!(orders(&step), format!("start t.power {run}"));
    }
    let whole: Vec<&String> = told.iter().filter(|said| !said.is_empty()).collect();
    assert_eq!(whole.len(), 1, "{told:?}");
    assert!(whole[0].contains("The sensor `t.power` failed 3 times in a row: it ended with exit code 1."), "{whole:?}");
    assert!(whole[0].contains("no such `device`"), "{whole:?}");
    let status = said(&machine.hear("!status", None));
    assert!(status.contains(":x: **sensors**: 1 runs; t.power has not been well for"), "{status}");
    let step = next(&mut machine);
    assert_eq!(said(&step), ":white_check_mark: The sensor `t.power` is well again.");
    let status = said(&machine.hear("!status", None));
    assert!(status.contains(":white_check_mark: **sensors**: 1 runs\n"), "{status}");
}

#[test]
fn rules_hear_of_its_process() {
    let rule = |name: &str, trigger: &str, of: &str| {
        format!(
            "name: {name}\nenabled: true\ndry_run: true\ntrigger: {{type: core.st2.sensor.{trigger}}}\naction: {{ref: core.echo, parameters: {{message: \"{{{{ trigger.id }}}} {{{{ trigger.{of} }}}} {{{{ trigger.object.{of} }}}}\"}}}}\n"
        )
    };
    let (spawn, exit) = (rule("spawn", "process_spawn", "pid"), rule("exit", "process_exit", "exit_code"));
    let files = [("rules/spawn.yaml", spawn.as_str()), ("rules/exit.yaml", exit.as_str()), FILES[0]];
    let mut machine = machine(&[]);
    machine.take(content(&files, "1", CONFIG).0);
    let came = |step: &Step| enforcements(step).iter().map(|one| format!("{:?}", one.outcome)).collect::<String>();
    let step = tell(&mut machine, 1, News::Started { pid: 4711 });
    assert!(came(&step).contains("t.power 4711 4711"), "{}", came(&step));
    let step = end(&mut machine, 1, 3, &[]);
    assert!(came(&step).contains("t.power 3 3"), "{}", came(&step));
    // One that was to end is nothing to hear of.
    next(&mut machine);
    machine.take(content(&files, "2", CONFIG).0);
    assert_eq!(came(&end(&mut machine, 2, 143, &[])), "");
}

#[test]
fn who_may_see_and_switch_it() {
    let mut machine = running();
    let class = "class_name: Mail\nentry_point: mail.py\ntrigger_types: [{name: mail}]\n";
    let mut files = FILES.to_vec();
    files.push(("sensors/mail.yaml", class));
    files.push(("sensors/fans.yaml", "entry_point: fans\nenabled: false\n"));
    let (input, told) = content(&files, "1", CONFIG);
    assert_eq!(told.len(), 1, "{told:?}");
    machine.take(input);
    let list = said(&machine.hear("!sensors", None));
    for row in ["- `t.Mail` · not built yet", "- `t.fans` · switched off", "- `t.power` · running for"] {
        assert!(list.contains(row), "{list}");
    }
    let check = |machine: &mut Machine, line: &str, expected: &str, ordered: &str| {
        let step = machine.hear(line, None);
        let told = said(&step);
        assert!(told.contains(expected), "{line}: {told}");
        assert_eq!(orders(&step), ordered, "{line}");
    };
    check(&mut machine, "!sensor enable Mail", "takes `admin:t.Mail`", "");
    check(&mut machine, "!sensor enable fans", "takes `admin:t.fans`, which no role of yours grants", "");
    check(&mut machine, "!sensor show powr", "there is no sensor `powr`; did you mean `power`?", "");
    check(&mut machine, "!sensor enable power", "is to run already", "");
    check(&mut machine, "!sensor disable t.power", "`t.power` does not run any more", "stop t.power 1");
    check(&mut machine, "!sensor list", "- `t.power` · ending", "");
    end(&mut machine, 1, 143, &[]);
    check(&mut machine, "!sensor disable t.power", "is switched off already", "");
    // That is remembered, whatever the packs say.
    let facts = machine.facts.clone();
    let mut second = Machine::over(facts, machine.now);
    assert_eq!(orders(&second.take(content(&files, "1", CONFIG).0)), "");
    check(&mut machine, "!sensor enable power", "`t.power` runs from now on", "start t.power 2");
    let nobody = Principal::LocalUser { uid: 4, name: "nobody".into() };
    let ask = Ask::Sensors(SensorAsk::List);
    let step = machine.take(Input::Request { request: RequestId(1), from: nobody, ask });
    assert!(answered(&step).contains("has no role here"), "{}", answered(&step));
}
