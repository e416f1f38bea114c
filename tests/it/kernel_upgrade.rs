//! The upgrade of kernels that comes along: its workflows by their rehearsals, and what its actions make of the batch system's words.

use super::rehearsal::test;
use halcyon::adapters::content::read_packs;
use halcyon::core::action::params::resolve_in;
use halcyon::core::action::plan::{Plan, plan};
use halcyon::core::action::run::{ShellCommand, Work};
use halcyon::core::content::load::load;
use halcyon::core::host::Inventory;
use halcyon::core::id::ActionRef;
use halcyon::core::template::surroundings::{Entry, Fixed, Surroundings};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn what_the_pack_says_of_itself_holds() {
    let (out, err, code) = test(&[root().to_str().unwrap()]);
    assert_eq!((err.as_str(), code), ("", 0), "{out}");
    let told = |shown: &str| assert!(out.contains(shown), "{shown} is not rehearsed:\n{out}");
    told("a node that does as it should");
    told("it does not come back, stays out, and people are told");
    told("the monitoring stays red, and the node stays out");
    told("a mail that cannot be sent does not fail the upgrade");
}

/// What an action of the pack would run, and on which machine, when it is given these.
fn planned(action: &str, given: &Value) -> Result<(String, ShellCommand), String> {
    let catalog = load(&read_packs(&[root()])).catalog;
    let action = &catalog.actions[&ActionRef::new(action)];
    let config = json!({"batch_server": "head", "monitoring_server": "mon", "mail_to": "ops@example.org"});
    let config = Fixed(Entry { value: config, secret: false, trusted: true });
    let around = Surroundings::default().with("config_context", Arc::new(config));
    let given = given.as_object().unwrap().clone().into_iter().collect();
    let resolved = resolve_in(action, &given, &around).map_err(|problems| format!("{problems:?}"))?;
    match plan(action, &resolved, &Inventory::default()).map_err(|problem| problem.to_string())? {
        Plan::Run(Work::Remote(remote)) => Ok((remote.hosts[0].host.to_string(), remote.command)),
        other => panic!("{other:?}"),
    }
}

/// Runs a command between programs that note how they were called and say what they are to say, by their names.
fn run(command: &ShellCommand, programs: &[(&str, &str, i32)]) -> (String, i32, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    for (name, says, code) in programs {
        let file = directory.path().join(name);
        let text = format!(
            "#!/bin/sh\n{{ printf '%s' {name}; printf ' <%s>' \"$@\"; echo; }} >>\"$CALLS\"\ncat <<'SAID'\n{says}SAID\nexit {code}\n"
        );
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let calls = directory.path().join("calls");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(&command.script).env_clear();
    shell.env("PATH", format!("{}:/usr/bin:/bin", directory.path().display())).env("CALLS", &calls);
    shell.env("HOME", directory.path());
    shell.envs(command.env.iter().map(|(name, value)| (name, value.reveal())));
    let output = shell.output().unwrap();
    let calls = std::fs::read_to_string(calls).unwrap_or_default().lines().map(str::to_owned).collect();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap(), calls)
}

/// The words of Slurm, and what `batch_state` makes of them.
#[test]
fn slurm_is_understood() {
    let (host, command) = planned("site.batch_state", &json!({"node": "wn007"})).unwrap();
    assert_eq!(host, "head");
    let state = |state: &str, offline: bool, down: bool, ours: bool, jobs: u32| json!({"state": state, "offline": offline, "down": down, "ours": ours, "jobs": jobs});
    for (sinfo, squeue, expected) in [
        ("idle|none\n", "", state("idle", false, false, false, 0)),
        ("mixed|none\nmixed|none\n", "17\n18_[1-3]\n", state("mixed", false, false, false, 2)),
        ("draining|halcyon: kernel upgrade 5b6d\n", "17\n", state("draining", true, false, true, 1)),
        ("drained*|halcyon: kernel upgrade 5b6d\n", "", state("drained", true, false, true, 0)),
        ("drained|bad disk \"sda\" $(reboot)\n", "", state("drained", true, false, false, 0)),
        ("down*|Not responding\n", "", state("down", false, true, false, 0)),
    ] {
        let (out, code, calls) = run(&command, &[("sinfo", sinfo, 0), ("squeue", squeue, 0)]);
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected, "{sinfo}");
        assert_eq!(code, 0);
        assert_eq!(
            calls,
            [
                "sinfo <--noheader> <--Node> <--nodes=wn007> <--format=%T|%E>",
                "squeue <--noheader> <--nodelist=wn007> <--format=%i>"
            ]
        );
    }
    // A node that is not known, and a batch system that does not answer.
    assert_eq!(run(&command, &[("sinfo", "", 0), ("squeue", "", 0)]).1, 1);
    assert_eq!(run(&command, &[("sinfo", "idle|none\n", 0), ("squeue", "", 1)]).1, 1);
}

#[test]
fn slurm_is_told() {
    let (_, command) = planned("site.batch_offline", &json!({"node": "wn007", "reason": "it's; $(hot)"})).unwrap();
    let (_, code, calls) = run(&command, &[("scontrol", "", 0)]);
    let expected = "scontrol <update> <nodename=wn007> <state=drain> <reason=halcyon: it's; $(hot)>";
    assert_eq!((code, calls), (0, vec![expected.to_owned()]));

    let (_, command) = planned("site.batch_online", &json!({"node": "wn007"})).unwrap();
    // Taken; refused, since it is in service already; refused for good; taken, and it does not answer.
    for (scontrol, sinfo, expected) in
        [(0, "idle", 0), (1, "mixed", 0), (1, "drained", 1), (0, "idle*", 1), (0, "down*", 1), (1, "", 1)]
    {
        let sinfo = format!("{sinfo}\n");
        let (_, code, _) = run(&command, &[("scontrol", "", scontrol), ("sinfo", &sinfo, 0), ("sleep", "", 0)]);
        assert_eq!(code, expected, "{scontrol} {sinfo}");
    }

    let (_, command) = planned("site.batch_cancel_jobs", &json!({"node": "wn007"})).unwrap();
    let (_, code, calls) = run(&command, &[("squeue", "17\n18\n", 0), ("scancel", "", 0)]);
    assert_eq!(code, 0);
    assert_eq!(calls[1..], ["scancel <17>", "scancel <18>"]);
    assert_eq!(run(&command, &[("squeue", "", 0)]).1, 0);
    assert_eq!(run(&command, &[("squeue", "17\n", 0), ("scancel", "", 1)]).1, 1);
}

/// Livestatus is asked about the machine that is meant, and its answer is passed on.
#[test]
fn the_monitoring_is_asked() {
    let (host, command) = planned("site.monitoring_state", &json!({"node": "wn007"})).unwrap();
    assert_eq!(host, "mon");
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("bin")).unwrap();
    let lq = home.path().join("bin/lq");
    std::fs::write(&lq, "#!/bin/sh\ncat\n").unwrap();
    std::fs::set_permissions(&lq, std::fs::Permissions::from_mode(0o755)).unwrap();
    let script = command.script.replace("$HOME", home.path().to_str().unwrap());
    let (out, code, _) = run(&ShellCommand { script, ..command }, &[]);
    let query = "GET services\nColumns: description state last_check host_state\nFilter: host_name = wn007\nOutputFormat: json\n\n";
    assert_eq!((out.as_str(), code), (query, 0));
}

/// What is no name of a node goes nowhere, whoever says it.
#[test]
fn names_are_names() {
    for action in [
        "site.batch_state",
        "site.batch_offline",
        "site.batch_online",
        "site.batch_cancel_jobs",
        "site.monitoring_state",
    ] {
        for node in
            ["", "-w wn001", "wn001;reboot", "wn001\nFilter: state = 0", "$(reboot)", "wn[001-150]", "wn001,wn002"]
        {
            let mut given = json!({"node": node});
            if action == "site.batch_offline" {
                given["reason"] = json!("x");
            }
            let refused = planned(action, &given).unwrap_err();
            assert!(refused.contains("node"), "{action} {node}: {refused}");
        }
    }
}

/// The machine's own words about its boot.
#[test]
fn a_boot_is_known_by_its_id() {
    if !Path::new("/proc/sys/kernel/random/boot_id").exists() {
        return;
    }
    let (_, command) = planned("site.boot", &json!({"hosts": "wn007"})).unwrap();
    let kernels = "kernel-5.14.0-427.31.1.el9_4.x86_64\nkernel-5.14.0-427.9.1.el9_4.x86_64\n";
    let (out, code, _) = run(&command, &[("rpm", kernels, 0), ("uname", "5.14.0-427.9.1.el9_4.x86_64\n", 0)]);
    let boot: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert_eq!(boot["id"].as_str().unwrap().len(), 36);
    assert!(boot["began"].as_u64().unwrap() > 1_500_000_000, "{boot}");
    assert_eq!(boot["kernel"], "5.14.0-427.9.1.el9_4.x86_64");
    assert_eq!(boot["newest"], "5.14.0-427.31.1.el9_4.x86_64");
}
