//! What actions say in chat, what is told of an end, and what is kept with an execution for others to find.

use super::pack;
use crate::bot::{Machine, started};
use halcyon::core::action::execution::{Execution, Status};
use halcyon::core::action::result::{result, to_stackstorm};
use halcyon::core::action::run::{Captured, Exit, HostOutcome, RunNews, Work};
use halcyon::core::bot::Step;
use halcyon::core::content::load::load;
use halcyon::core::effect::{Answer, Body, Effect, Query};
use halcyon::core::fact::Fact;
use halcyon::core::id::{ActionRef, ChannelId, ExecutionId, Host, RequestId};
use halcyon::core::input::{Ask, Input, Principal};
use serde_json::{Value, json};
use std::sync::Arc;

const FILES: &[(&str, &str)] = &[
    (
        "actions/told.yaml",
        "name: told\nrunner_type: local-shell-cmd\nnotify:\n  on-complete:\n    routes: [slack, cluster]\n    \
         message: '{{action_parameters.word}} by {{action_context.user}}: {{action_results.stdout}} *@all*'\n    \
         data: {code: '{{action_results.return_code}}'}\n  on-success: {routes: [chatops]}\n  \
         on-failure: {channels: ['#cluster'], message: 'alas {{nobody}}'}\n\
         parameters:\n  word: {type: string, default: w}\n  cmd: {default: 'true', immutable: true}\n",
    ),
    (
        "actions/script.yaml",
        "{name: script, runner_type: local-shell-script, entry_point: s.sh, parameters: {debug: {default: true}}}",
    ),
    ("actions/s.sh", "true"),
];

fn machine() -> Machine {
    let mut machine = Machine::new();
    let loaded = load(&[pack("/p", FILES)]);
    assert_eq!(super::told(&loaded), "");
    machine.take(Input::Content { catalog: Arc::new(loaded.catalog), problems: Arc::default() });
    machine
}

fn ask(machine: &mut Machine, action: &str, parameters: Value, trace_tag: Option<&str>) -> Step {
    machine.take(Input::Request {
        request: RequestId(7),
        from: Principal::LocalUser { uid: 1000, name: "halcyon".into() },
        ask: Ask::Run {
            action: ActionRef::new(action),
            parameters: serde_json::from_value(parameters).unwrap(),
            trace_tag: trace_tag.map(str::to_owned),
        },
    })
}

/// What is said, and in which channel.
fn said(step: &Step) -> Vec<(ChannelId, String)> {
    let said = step.effects.iter().filter_map(|effect| match effect {
        Effect::Deliver(delivery) => match &delivery.body {
            Body::Post { text, .. } => Some((delivery.channel.clone(), text.clone())),
            Body::Edit { .. } | Body::Attached { .. } | Body::Mark { .. } => None,
        },
        _ => None,
    });
    said.collect()
}

fn refused(step: &Step) -> String {
    let refused = step.effects.iter().find_map(|effect| match effect {
        Effect::Answer { answer, .. } => match &**answer {
            Answer::Refused { text } => Some(text.clone()),
            _ => None,
        },
        _ => None,
    });
    refused.unwrap()
}

/// The execution with this id as the facts have made it.
fn folded(machine: &Machine, id: &ExecutionId) -> Execution {
    let mut found: Option<Execution> = None;
    for dated in &machine.facts {
        match &dated.fact {
            Fact::ExecutionStarted(request) if request.id == *id => {
                found = Some(Execution::start(dated.at, (**request).clone()));
            }
            fact if fact.execution() == Some(id) => found.as_mut().unwrap().apply(dated.at, fact).unwrap(),
            _ => {}
        }
    }
    found.unwrap()
}

fn shown(execution: &Execution) -> Value {
    let text = |captured: &Captured| match captured {
        Captured::Inline { text } => text.clone(),
        Captured::Blob { .. } => String::new(),
    };
    to_stackstorm(execution, result(execution, &text), None)
}

#[test]
fn an_announcement_is_said_in_its_channel() {
    let cluster = ChannelId::new("c1");
    for (action, given, expected) in [
        (
            "core.announcement",
            json!({"message": {"room": 1, "door": "*open* @all"}}),
            "```text\nroom: 1\ndoor: *open* @all\n```",
        ),
        (
            "chatops.post_message",
            json!({"channel": "#cluster", "message": "one *two*\n@all three", "user": "@operator"}),
            "@operator one \\*two\\*\n@\u{200b}all three",
        ),
        ("chatops.post_message", json!({"channel": "c1", "message": "by id"}), "by id"),
    ] {
        let mut machine = machine();
        let step = ask(&mut machine, action, given.clone(), None);
        let id = started(&step).unwrap_or_else(|| panic!("{}", refused(&step)));
        let said = said(&step);
        assert_eq!(said[0].0, cluster);
        assert!(said[0].1.trim_end().ends_with(expected), "{:?}", said[0].1);
        let execution = folded(&machine, &id);
        assert_eq!(execution.status, Status::Succeeded);
        let shown = shown(&execution);
        assert_eq!(shown["result"]["message"], given["message"]);
        assert_eq!(shown["result"]["output"]["message"], given["message"]);
        assert_eq!(shown["result"].get("route"), None);
    }
    for (given, why) in [
        (json!({"channel": "nowhere", "message": "x"}), "`channel` names none of the channels that I know: cluster"),
        (json!({"channel": "cluster", "message": "x", "whisper": true}), "`whisper` is not offered"),
    ] {
        let step = ask(&mut machine(), "chatops.post_message", given, None);
        assert!(started(&step).is_none());
        assert!(refused(&step).contains(why), "{}", refused(&step));
    }
}

#[test]
fn an_end_is_told_where_the_action_says() {
    for (code, routes) in [
        (
            0,
            vec![
                ":white_check_mark: w by halcyon: out \\*@\u{200b}all\\* · `ID`\n(This was meant for the route `slack`, and I know no channel of that name.)\n\n```text\ncode: 0\n```",
                ":white_check_mark: w by halcyon: out \\*@\u{200b}all\\* · `ID`\n\n```text\ncode: 0\n```",
                ":white_check_mark: Action t.told succeeded. · `ID`",
            ],
        ),
        (
            3,
            vec![
                ":x: w by halcyon: out \\*@\u{200b}all\\* · `ID`\n(This was meant for the route `slack`, and I know no channel of that name.)\n\n```text\ncode: 3\n```",
                ":x: w by halcyon: out \\*@\u{200b}all\\* · `ID`\n\n```text\ncode: 3\n```",
                // As in StackStorm, a template that cannot be rendered is said as it stands.
                ":x: alas \\{\\{nobody\\}\\} · `ID`",
            ],
        ),
    ] {
        let mut machine = machine();
        let step = ask(&mut machine, "t.told", json!({}), None);
        let id = started(&step).unwrap();
        let stdout = Captured::Inline { text: "out".into() };
        let outcome = HostOutcome { exit: Exit::Code { code }, stdout, stderr: Captured::empty(), seconds: 0.1 };
        machine.news(&id, RunNews::HostFinished { host: Host::new("localhost"), outcome: Box::new(outcome) });
        let step = machine.news(&id, RunNews::Finished { error: None });
        let said: Vec<String> = said(&step)
            .into_iter()
            .map(|(channel, text)| {
                assert_eq!(channel.as_str(), "c1");
                text.trim_end().replace(id.short(), "ID")
            })
            .collect();
        assert_eq!(said, routes);
    }
}

#[test]
fn a_uuid_is_what_it_says() {
    let mut machine = machine();
    let mut made = Vec::new();
    for (kind, version) in [("uuid4", '4'), ("uuid4", '4'), ("uuid1", '1')] {
        let step = ask(&mut machine, "core.uuid", json!({"uuid_type": kind}), None);
        let execution = folded(&machine, &started(&step).unwrap());
        assert_eq!(execution.status, Status::Succeeded);
        let result = &shown(&execution)["result"];
        assert_eq!((&result["exit_code"], &result["stdout"]), (&json!(0), &json!("")));
        let uuid = result["result"].as_str().unwrap().to_owned();
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(uuid.chars().nth(14), Some(version), "{uuid}");
        assert!("89ab".contains(uuid.chars().nth(19).unwrap()), "{uuid}");
        assert!(!made.contains(&uuid));
        made.push(uuid);
    }
    // 2023-11-14T22:13:20Z, counted from 1582 in steps of 100 ns.
    assert!(made[2].starts_with("04afc000-833b-11ee-"), "{}", made[2]);
}

#[test]
fn an_execution_is_found_by_its_tag_and_keeps_it_when_it_is_repeated() {
    let mut machine = machine();
    let step = ask(&mut machine, "core.noop", json!({}), Some("storm-7"));
    let execution = folded(&machine, &started(&step).unwrap());
    assert_eq!(shown(&execution)["context"]["trace_context"], json!({"trace_tag": "storm-7"}));
    let step = machine.take(Input::Request {
        request: RequestId(8),
        from: Principal::LocalUser { uid: 1000, name: "halcyon".into() },
        ask: Ask::Rerun { id: execution.request.id.to_string() },
    });
    let ticket = step.effects.iter().find_map(|effect| match effect {
        Effect::Find { query: Query::ById(_), ticket } => Some(ticket.clone()),
        _ => None,
    });
    let step = machine.take(Input::Found { ticket: *ticket.unwrap(), executions: vec![execution] });
    let again = folded(&machine, &started(&step).unwrap());
    assert_eq!(again.request.trace_tag.as_deref(), Some("storm-7"));
    let untagged = ask(&mut machine, "core.noop", json!({}), None);
    let untagged = folded(&machine, &started(&untagged).unwrap());
    assert_eq!(shown(&untagged)["context"].get("trace_context"), None);
}

#[test]
fn a_command_is_told_what_it_belongs_to() {
    for (action, debug) in [("t.told", "False"), ("t.script", "True")] {
        let mut machine = machine();
        let step = ask(&mut machine, action, json!({}), None);
        let id = started(&step).unwrap();
        let command = step.effects.iter().find_map(|effect| match effect {
            Effect::Run(run) => match &run.work {
                Work::Local(command) => Some(command.clone()),
                _ => None,
            },
            _ => None,
        });
        let env: Vec<(String, String)> =
            command.unwrap().env.iter().map(|(name, value)| (name.clone(), value.reveal().to_owned())).collect();
        let expected =
            [("ST2_ACTION_DEBUG", debug), ("ST2_ACTION_EXECUTION_ID", id.as_str()), ("ST2_ACTION_PACK_NAME", "t")];
        assert_eq!(env, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
