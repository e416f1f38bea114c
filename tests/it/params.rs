//! Parameters: what is given meets what is declared, and becomes work.

use halcyon::core::action::execution::EffectClass;
use halcyon::core::action::params::{Resolved, resolve};
use halcyon::core::action::plan::{Plan, plan};
use halcyon::core::action::run::{Secret, ShellCommand, Work};
use halcyon::core::action::spec::{Action, Parameter, ParameterType, RunnerType};
use halcyon::core::host::Inventory;
use halcyon::core::id::ActionRef;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

fn table(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap()
}

fn parameter(schema: &Value) -> Parameter {
    Parameter {
        kind: schema["type"].as_str().map(|word| match word {
            "string" => ParameterType::String,
            "integer" => ParameterType::Integer,
            "number" => ParameterType::Number,
            "boolean" => ParameterType::Boolean,
            "array" => ParameterType::Array,
            _ => ParameterType::Object,
        }),
        description: String::new(),
        default: schema.get("default").cloned(),
        required: schema["required"] == true,
        immutable: schema["immutable"] == true,
        secret: schema["secret"] == true,
        choices: schema["enum"].as_array().cloned(),
        position: None,
        schema: schema.as_object().unwrap().clone(),
    }
}

/// The parameters that the runners bring along, as far as these tests use them.
fn of_runner(runner: RunnerType) -> Value {
    let shell = json!({"cmd": {"type": "string"}, "cwd": {"type": "string"}, "env": {"type": "object"},
        "sudo": {"type": "boolean", "default": false}, "sudo_password": {"type": "string", "secret": true},
        "timeout": {"type": "integer", "default": 60}});
    let mut all = shell.as_object().unwrap().clone();
    match runner {
        RunnerType::LocalShellCmd => {}
        RunnerType::RemoteShellCmd => all.extend(
            json!({"hosts": {"type": "string", "required": true}, "username": {"type": "string"}, "port": {"type": "integer"},
                "password": {"type": "string", "secret": true}, "passphrase": {"type": "string", "secret": true},
                "private_key": {"type": "string", "secret": true}, "bastion_host": {"type": "string"}})
            .as_object()
            .unwrap()
            .clone(),
        ),
        _ => all.clear(),
    }
    Value::Object(all)
}

fn action(case: &Value) -> Action {
    let runner = match case["runner"].as_str() {
        Some("remote-shell-cmd") => RunnerType::RemoteShellCmd,
        Some("local-shell-cmd") => RunnerType::LocalShellCmd,
        Some("pause") => RunnerType::Pause,
        _ => RunnerType::Noop,
    };
    let runners = of_runner(runner);
    let mut schemas: Map<String, Value> = runners.as_object().unwrap().clone();
    for (name, own) in case["parameters"].as_object().unwrap() {
        let schema = schemas.entry(name).or_insert_with(|| json!({}));
        schema.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    }
    Action {
        parting: halcyon::core::action::run::Parting::default(),
        out_of_service: Vec::new(),
        reference: ActionRef::new("site.x"),
        description: String::new(),
        enabled: true,
        runner,
        parameters: schemas.iter().map(|(name, schema)| (name.clone(), parameter(schema))).collect(),
        runner_parameters: runners.as_object().unwrap().keys().cloned().collect(),
        effect: EffectClass::Destructive,
        raw: case["raw"] == true,
        file: "actions/x.yaml".into(),
        content: String::new(),
        script: None,
        workflow: None,
        notify: None,
        secret_output: Vec::new(),
    }
}

fn resolved(case: &Value) -> Result<Resolved, Vec<String>> {
    let given: BTreeMap<String, Value> = serde_json::from_value(case["given"].clone()).unwrap();
    resolve(&action(case), &given).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn resolves_or_tells_all_problems() {
    for case in table(include_str!("../data/params/resolve.json")) {
        match resolved(&case) {
            Ok(resolved) => {
                assert_eq!(Value::Object(resolved.values.clone()), case["values"], "{}", case["why"]);
                if let Some(masked) = case.get("masked") {
                    assert_eq!(Value::Object(resolved.masked()), *masked, "{}", case["why"]);
                }
                let given: Vec<&String> = case["given"].as_object().unwrap().keys().collect();
                assert_eq!(resolved.given.iter().collect::<Vec<_>>(), given, "{}", case["why"]);
            }
            Err(problems) => assert_eq!(json!(problems), case["problems"], "{}", case["why"]),
        }
    }
}

fn shell(command: &ShellCommand) -> Map<String, Value> {
    let env: BTreeMap<&String, &str> = command.env.iter().map(|(name, value)| (name, value.reveal())).collect();
    let shown = json!({"script": command.script, "cwd": command.cwd, "env": env, "sudo": command.sudo,
        "sudo_password": command.sudo_password.as_ref().map(Secret::reveal), "timeout": command.timeout.as_secs()});
    shown.as_object().unwrap().clone()
}

fn drawn(plan: &Plan) -> Map<String, Value> {
    match plan {
        Plan::Noop => json!({"noop": true}).as_object().unwrap().clone(),
        Plan::Run(Work::Http(_) | Work::Mail(_) | Work::Monitoring(_))
        | Plan::Announce(_)
        | Plan::Ask(_)
        | Plan::Conduct(_)
        | Plan::Inject(_)
        | Plan::Uuid { .. } => Map::new(),
        Plan::Pause { longest, .. } => json!({"pause": longest.as_secs()}).as_object().unwrap().clone(),
        Plan::Run(Work::Local(command)) => shell(command),
        Plan::Run(Work::Remote(remote)) => {
            let host = |host: &halcyon::core::action::run::RemoteHost| match host.port {
                Some(port) => format!("{}:{port}", host.host),
                None => host.host.to_string(),
            };
            let hosts: Vec<String> = remote.hosts.iter().map(host).collect();
            let mut all = shell(&remote.command);
            let more = json!({"hosts": hosts, "username": remote.username, "port": remote.port, "bastion": remote.bastion,
                "private_key": remote.private_key.as_ref().map(Secret::reveal)});
            all.extend(more.as_object().unwrap().clone());
            all
        }
    }
}

#[test]
fn plans_work_or_refuses_it() {
    for case in table(include_str!("../data/params/plan.json")) {
        let why = &case["why"];
        let mut resolved = resolved(&case).unwrap();
        let trusted: Option<Vec<String>> = serde_json::from_value(case["trusted"].clone()).unwrap();
        resolved.trust(trusted.unwrap_or_default());
        match plan(&action(&case), &resolved, &Inventory::default()) {
            Ok(plan) => {
                let drawn = drawn(&plan);
                let Some(expected) = case["plan"].as_object() else { panic!("{why}: {drawn:?}") };
                for (key, value) in expected {
                    assert_eq!(drawn.get(key), Some(value), "{why}: {key}");
                }
            }
            Err(problem) => {
                let expected = case["problem"].as_str().unwrap_or_default();
                let said = problem.to_string();
                // How a host name is wrong is said by the module of hosts.
                let agree = said == expected || (expected.ends_with(": ") && said.starts_with(expected));
                assert!(agree, "{why}: {said}");
            }
        }
    }
}

#[test]
fn secrets_never_show_in_a_plan() {
    let case = json!({"runner": "local-shell-cmd", "parameters": {"cmd": {"default": "id"}, "env": {"default": {"KEY": "{{key}}"}},
        "key": {"secret": true}}, "given": {"key": "s3cr3t", "sudo_password": "pw-s3cr3t"}});
    let plan = plan(&action(&case), &resolved(&case).unwrap(), &Inventory::default()).unwrap();
    assert!(!format!("{plan:?}").contains("s3cr3t"), "{plan:?}");
}
