//! The upgrade of kernels that comes along: its workflows by their rehearsals, and what its actions make of the batch system's words.

use super::auditing::entries_of;
use super::rehearsal::test;
use super::world::{CHANNEL, PATIENCE, World};
use halcyon::adapters::content::read_packs;
use halcyon::cli;
use halcyon::core::action::params::resolve_in;
use halcyon::core::action::plan::{Plan, plan};
use halcyon::core::action::result::{result, to_stackstorm};
use halcyon::core::action::run::{ShellCommand, Work};
use halcyon::core::audit::Filter;
use halcyon::core::content::load::load;
use halcyon::core::effect::Answer;
use halcyon::core::host::Inventory;
use halcyon::core::id::ActionRef;
use halcyon::core::input::Ask;
use halcyon::core::template::surroundings::{Entry, Fixed, Surroundings};
use halcyon::sandbox::mailbox::{Mail, Mailbox};
use halcyon::sandbox::mattermost::Post;
use halcyon::sandbox::nodes::{self, BatchOptions, Fault, MonitoringOptions};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

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

/// Another batch system and another monitoring: files on a machine. They stand in the place of five actions of the pack, and of nothing else.
const ELSEWHERE: [(&str, &str); 5] = [
    (
        "batch_state",
        r#"
state=idle; reason=none; jobs=0
[ -f "/tmp/batch-$NODE" ] && read -r state reason < "/tmp/batch-$NODE"
[ -f "/tmp/jobs-$NODE" ] && read -r jobs < "/tmp/jobs-$NODE"
offline=false; ours=false
case $state in drain*) offline=true ;; esac
case $reason in 'halcyon: '*) ours=true ;; esac
printf '{"state": "%s", "offline": %s, "down": false, "ours": %s, "jobs": %s}\n' "$state" "$offline" "$ours" "$jobs"
"#,
    ),
    ("batch_offline", r#"echo "drained halcyon: $REASON" > "/tmp/batch-$NODE""#),
    ("batch_online", r#"rm "/tmp/batch-$NODE"; echo "$NODE" >> /tmp/online"#),
    ("batch_cancel_jobs", r#"echo 0 > "/tmp/jobs-$NODE""#),
    ("monitoring_state", r#"printf '[["Ping", 0, %s, 0]]\n' $(($(date +%s) + 1000))"#),
];

/// The site's pack, to be changed.
pub(crate) fn copy_of_the_pack(directory: &Path) -> PathBuf {
    let pack = directory.join("site");
    for folder in ["actions", "actions/workflows", "aliases", "policies"] {
        std::fs::create_dir_all(pack.join(folder)).unwrap();
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::copy(&path, pack.join(folder).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    for file in ["pack.yaml", "config.schema.yaml"] {
        std::fs::copy(root().join(file), pack.join(file)).unwrap();
    }
    pack
}

/// The site's pack with those actions, and its configuration.
fn elsewhere(directory: &Path) -> PathBuf {
    let pack = copy_of_the_pack(directory);
    for (action, command) in ELSEWHERE {
        let file = pack.join(format!("actions/{action}.yaml"));
        let text = std::fs::read_to_string(&file).unwrap();
        let (before, rest) =
            text.split_once("  cmd:\n    default: ").or_else(|| text.split_once("  cmd:\n    default:")).unwrap();
        let (_, after) = rest.split_once("    immutable: true\n  timeout:").unwrap();
        let command = serde_json::to_string(command).unwrap();
        std::fs::write(
            &file,
            format!("{before}  cmd:\n    default: {command}\n    immutable: true\n  timeout:{after}"),
        )
        .unwrap();
    }
    let configs = directory.join("configs");
    std::fs::create_dir(&configs).unwrap();
    let config = "batch_server: wn006\nmonitoring_server: wn006\nmail_to: lead@example.org\n";
    std::fs::write(configs.join("site.yaml"), config).unwrap();
    pack
}

/// A world in which the site has another batch system.
async fn world_elsewhere() -> World {
    let mut world = World::without_bot("").await;
    let pack = elsewhere(world.directory.path());
    world.config.content.packs = vec![pack, world.directory.path().join("configs")];
    world.start_bot().await;
    world
}

/// A world with a Slurm, a monitoring and a mail server, and the pack as it is.
async fn world() -> (World, Mailbox) {
    let (mut world, mailbox) = world_without_bot("", |_| {}).await;
    world.start_bot().await;
    (world, mailbox)
}

/// The same before the bot starts, with more in its configuration and other nodes.
pub(crate) async fn world_without_bot(more: &str, change: impl FnOnce(&mut nodes::Options)) -> (World, Mailbox) {
    let mailbox = Mailbox::start().await.unwrap();
    let mail = format!(
        "[mail]\nhost = \"127.0.0.1\"\nport = {}\nencryption = \"none\"\nfrom = \"halcyon@example.org\"\n{more}",
        mailbox.address().port()
    );
    let mut world = World::on_nodes(&mail, |options| {
        options.batch = Some(BatchOptions::new("slurm01"));
        options.monitoring = Some(MonitoringOptions::new("mon01"));
        change(options);
    })
    .await;
    let configs = world.directory.path().join("configs");
    std::fs::create_dir(&configs).unwrap();
    // What the page tells a site to write, with waits that fit nodes that boot at once.
    let page = std::fs::read_to_string(root().join("docs/kernel-upgrade.md")).unwrap();
    let (_, shown) = page.split_once("```yaml\n# configs/site.yaml\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    let text = shown.replace("_poll: 60\n", "_poll: 1\n").replace("_within: 1200\n", "_within: 2\n");
    assert!(text.contains("_poll: 1\n") && text.contains("_within: 2\n"), "{text}");
    std::fs::write(configs.join("site.yaml"), text).unwrap();
    world.config.content.packs.push(configs);
    (world, mailbox)
}

/// Asks for the upgrade of one node, says yes as the lead, and tells how it ended.
async fn upgrade(world: &World, node: &str) -> (String, String) {
    let parameters = json!({"node": node, "poll": 1}).as_object().unwrap().clone().into_iter().collect();
    let ask = Ask::Run { action: ActionRef::new("site.kernel_upgrade"), parameters, trace_tag: None };
    let Answer::Started { id } = world.ask(ask).await else { panic!("it is not started") };
    let asks = |post: &Post| post.message.starts_with(":lock:") && post.message.contains("site.kernel_upgrade");
    let card = world.chat.wait_for(CHANNEL, asks, PATIENCE).await.unwrap();
    approve(world, &card);
    let end = tokio::time::Instant::now() + 2 * PATIENCE;
    let execution = loop {
        match world.ask(Ask::Execution { id: id.to_string() }).await {
            Answer::Execution { execution, .. } if execution.status.is_final() => break execution,
            _ => assert!(tokio::time::Instant::now() < end, "it does not come to an end"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let told = cli::execution_text(
        &to_stackstorm(&execution, result(&execution, &|_| String::new()), None),
        jiff::Timestamp::UNIX_EPOCH,
    );
    (execution.status.word().to_owned(), told)
}

const INSTALLATION: &str = "dnf -y upgrade 'kernel*'";

/// How often a command was the last line of what ran on a node.
fn ran(world: &World, node: &str, command: &str) -> usize {
    world.nodes.ledger(node).iter().filter(|entry| entry.script.lines().last() == Some(command)).count()
}

/// A site with another batch system and another monitoring changes five actions and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_goes_through_it_elsewhere() {
    let world = world_elsewhere().await;
    let (status, told) = upgrade(&world, "wn001").await;
    assert_eq!(status, "succeeded", "{told}\n{:#?}", world.nodes.ledger("wn001"));
    assert!(told.contains("upgraded") && told.contains("online"), "{told}");
    assert_eq!(asked_for(&world).await, 1, "the yes to the upgrade counts for its reboot");
    assert!(world.nodes.file("wn006", "/tmp/batch-wn001").is_none());
    assert_eq!(world.nodes.file("wn006", "/tmp/online"), Some(b"wn001\n".to_vec()));
}

/// A whole node, by the sandbox: a real login, a real installation, a real reboot as far as a model has them; Slurm, the monitoring and the mail
/// server too. One of its jobs does not end by itself, and is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_goes_through_it() {
    let (world, mailbox) = world().await;
    let job = world.nodes.submit_job("wn001").unwrap();
    let (upgraded, ()) = tokio::join!(upgrade(&world, "wn001"), async {
        let end = tokio::time::Instant::now() + 2 * PATIENCE;
        while world.nodes.batch_state("wn001").is_none_or(|node| node.state != "draining" || node.jobs > 1) {
            assert!(tokio::time::Instant::now() < end, "{:?}", world.nodes.batch_state("wn001"));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(ran(&world, "wn001", INSTALLATION), 0, "nothing is done while a job runs");
        world.say("lead", &format!("!run scancel {job} on slurm01")).await;
    });
    let (status, told) = upgraded;
    assert_eq!(status, "succeeded", "{told}\n{:#?}", world.nodes.ledger("wn001"));
    assert!(told.contains("upgraded") && told.contains("online"), "{told}");
    assert_eq!(asked_for(&world).await, 1, "the yes to the upgrade counts for its reboot");
    assert_eq!((ran(&world, "wn001", INSTALLATION), ran(&world, "wn001", "reboot")), (1, 1));
    let node = world.nodes.batch_state("wn001").unwrap();
    assert!(!node.state.contains("drain") && !node.state.contains("down") && node.reason.is_none(), "{node:?}");
    let mails = mailbox.mails();
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!(mail.letter().subject(), "wn001: kernel upgrade upgraded");
    for line in ["What is wrong: nothing", "In the batch system: online", "Kernel: 5.14.0-427.40.1.el9_4.x86_64"] {
        assert!(mail.letter().body.lines().any(|said| said == line), "{line}: {}", mail.letter().body);
    }
}

/// The lead says yes.
pub(crate) fn approve(world: &World, card: &Post) {
    let code = card.message.split("approve ").nth(1).and_then(|rest| rest.split(['`', ' ']).next()).unwrap().to_owned();
    world.write("lead", &format!("!approve {code}"));
}

/// How many approvals were asked for.
async fn asked_for(world: &World) -> usize {
    entries_of(world, Filter { event: Some("approval-asked".to_owned()), ..Filter::default() }).await.len()
}

/// A line of chat, a yes of the lead, and how it ended.
async fn rolled_out(world: &World, line: &str) -> String {
    let line = world.write("operator", line);
    let card = world.answer_that(&line, |post| post.message.starts_with(":lock:")).await;
    approve(world, &card);
    let ended = |post: &Post| post.create_at >= card.create_at && post.message.contains("verdict:");
    world.chat.wait_for(CHANNEL, ended, 4 * PATIENCE).await.unwrap().message
}

/// The text of the only mail about something.
fn about(mails: &[Mail], subject: &str) -> String {
    let subjects: Vec<String> = mails.iter().map(|mail| mail.letter().subject().to_owned()).collect();
    assert_eq!(subjects.iter().filter(|known| *known == subject).count(), 1, "{subject}: {subjects:?}");
    mails.iter().map(Mail::letter).find(|letter| letter.subject() == subject).unwrap().body
}

/// One node does not come back from its reboot and stays out; one that somebody else has drained stays out too, upgraded; the others are upgraded and
/// back. What was left out is found again by the next try.
#[tokio::test(flavor = "multi_thread")]
async fn many_nodes_go_through_it() {
    let (world, mailbox) = world().await;
    let drain = "!run scontrol update nodename=wn003 state=drain reason=bad_disk on slurm01";
    let drained = world.say("lead", drain).await.message;
    assert!(drained.starts_with(":white_check_mark:"), "{drained}");
    assert!(world.nodes.fault("wn002", Fault::StaysDown).await);
    let told = rolled_out(&world, "!upgrade kernel on wn[001-004] at_a_time=2").await;
    for shown in ["done, and not all upgraded", "wn002: the node has not come back from its reboot (offline)"] {
        assert!(told.contains(shown), "{shown}: {told}");
    }
    assert_eq!(asked_for(&world).await, 1, "the yes to the roll-out counts for its nodes");
    for (node, reason) in
        [("wn001", None), ("wn002", Some("halcyon: kernel upgrade ")), ("wn003", Some("bad_disk")), ("wn004", None)]
    {
        assert_eq!((ran(&world, node, INSTALLATION), ran(&world, node, "reboot")), (1, 1), "{node}");
        let stands = world.nodes.batch_state(node).unwrap();
        assert_eq!(stands.state.starts_with("drain"), reason.is_some(), "{node}: {stands:?}");
        assert_eq!(stands.reason.is_some(), reason.is_some(), "{node}: {stands:?}");
        assert!(
            stands.reason.as_deref().unwrap_or_default().starts_with(reason.unwrap_or_default()),
            "{node}: {stands:?}"
        );
        let kernel = String::from_utf8(world.nodes.file(node, "/proc/version").unwrap()).unwrap();
        assert_eq!(kernel.contains("5.14.0-427.40.1"), node != "wn002", "{node}: {kernel}");
    }
    let mails = mailbox.mails();
    assert_eq!(mails.len(), 2, "one node failed, and the end: {mails:?}");
    assert!(mails.iter().all(|mail| mail.to == ["cluster-admins@example.org"]), "{mails:?}");
    let failed = about(&mails, "wn002: kernel upgrade failed");
    for line in ["What is wrong: the node has not come back from its reboot", "In the batch system: offline"] {
        assert!(failed.lines().any(|said| said == line), "{line}: {failed}");
    }
    let end = about(&mails, "Kernel upgrade of wn[001-004]: done, and not all upgraded");
    for line in ["Upgraded: wn001, wn003, wn004", "Failed: wn002", "Asked for by: operator"] {
        assert!(end.lines().any(|said| said == line), "{line}: {end}");
    }

    // Somebody mends it. It boots, and with the new kernel.
    assert!(world.nodes.heal("wn002").await);
    let told = rolled_out(&world, "!upgrade kernel on wn002").await;
    assert!(told.contains("all upgraded") && !told.contains("not all"), "{told}");
    assert_eq!(ran(&world, "wn002", "reboot"), 1, "it runs already");
    let stands = world.nodes.batch_state("wn002").unwrap();
    assert!(!stands.state.starts_with("drain") && stands.reason.is_none(), "{stands:?}");
    about(&mailbox.mails(), "Kernel upgrade of wn002: all upgraded");
}
