//! The SSH adapter against OpenSSH's server. These tests run when `HALCYON_PEERS=1` is set (`./test.sh peers` sets it) and need `sshd` and,
//! as root, `sudo`. Each starts servers of its own on 127.0.88.1 to .50, with its default configuration but for `MaxStartups`.

pub(crate) mod lab;

use crate::ssh::{MemoryBlobs, execution, group_lives, poll, shell};
use halcyon::adapters::ssh::{HostKeys, SshError, SshRunner};
use halcyon::core::action::capture::TAIL_LINES;
use halcyon::core::action::run::{
    Attach, Begun, Captured, Exit, HostOutcome, Run, RunNews, Secret, ShellCommand, Work,
};
use halcyon::core::action::wrapper::Standing;
use halcyon::core::id::ExecutionId;
use halcyon::runtime::ports::Runner;
use halcyon::sandbox::mattermost::{Options, Server};
use lab::{Lab, Watched, asked_for, inline, processes_with, remote, run, signal};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The time until 49 nodes have answered, checked, with connections that stand or that have to be made; the rest is cancelled.
async fn time_of_49(runner: &SshRunner, hosts: &str) -> Duration {
    let mut watched = Watched::start(runner, remote(hosts, shell("echo $SSH_CONNECTION | cut -d' ' -f3")));
    watched.until(|run| run.outcomes.len() >= 49).await;
    let time = watched.began.elapsed();
    watched.cancel.cancel();
    let watched = watched.end().await;
    for node in 1..=49 {
        let outcome = watched.outcome(&format!("n{node:02}"));
        assert_eq!(outcome.exit, Exit::Code { code: 0 });
        assert_eq!(outcome.stdout, inline(&format!("127.0.88.{node}")));
    }
    assert_eq!(watched.started, 49);
    time
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_nodes_of_which_one_hangs() {
    if !asked_for() {
        return;
    }
    let lab = Lab::start();
    let [without, with] = ["n[01-49]", "n[01-49],hung"];
    // In turn, and the best of each: the machine may have other things to do.
    let [mut cold, mut warm] = [[Duration::MAX; 2], [Duration::MAX; 2]];
    for _ in 0..2 {
        for (at, hosts) in [without, with].into_iter().enumerate() {
            let (runner, _) = lab.runner().await;
            cold[at] = cold[at].min(time_of_49(&runner, hosts).await);
            runner.shutdown().await;
            poll("the masters end", || lab.masters().is_empty());
        }
    }
    let (runner, _) = lab.runner().await;
    time_of_49(&runner, without).await;
    for _ in 0..4 {
        for (at, hosts) in [without, with].into_iter().enumerate() {
            warm[at] = warm[at].min(time_of_49(&runner, hosts).await);
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "peers_ssh: 49 results without and with a node that hangs: {cold:?} cold, {warm:?} warm"
    );
    for [without, with] in [cold, warm] {
        assert!(with.as_secs_f64() <= 1.5 * without.as_secs_f64(), "{without:?} became {with:?}");
    }
    let watched = run(&runner, remote("hung", shell("true"))).await;
    assert_eq!(watched.why("hung"), "it takes connections, but its SSH service does not speak");
    let took = watched.outcomes["hung"].1;
    assert!(took < Duration::from_secs(24), "the node that hangs took {took:?}");
    runner.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_of_packs_run_on_nodes_and_leave_nothing() {
    use halcyon::core::action::launcher::{Place, launcher};
    use halcyon::core::action::spec::Script;
    if !asked_for() {
        return;
    }
    let lab = Lab::start();
    let (runner, _) = lab.runner().await;
    let text = "#!/usr/bin/env bash\n. \"$(dirname \"$0\")/lib/words.sh\"\nprintf '<%s>' \"$word\" \"$@\"; echo\n\
                dirname \"$0\" >&2\nexit 4\n";
    let script = Script {
        entry_point: "deep/a script.sh".to_owned(),
        text: text.to_owned(),
        library: [("words.sh".to_owned(), "word=library\n".to_owned())].into(),
        pack: Some("/not/there".to_owned()),
    };
    let arguments = ["--name=it's; $(id)".to_owned(), String::new(), "two\nlines".to_owned()];
    for sudo in [false, true] {
        let mut command = shell(&launcher(&script, Place::There("/var/tmp"), "t", &arguments));
        command.sudo = sudo;
        let watched = run(&runner, remote("n[01-03]", command)).await;
        assert_eq!(watched.outcomes.len(), 3);
        for (outcome, _) in watched.outcomes.values() {
            assert_eq!(outcome.exit, Exit::Code { code: 4 }, "{outcome:?}");
            let (Captured::Inline { text: said }, Captured::Inline { text: place }) =
                (&outcome.stdout, &outcome.stderr)
            else {
                panic!("{outcome:?}")
            };
            assert_eq!(said, "<library><--name=it's; $(id)><><two\nlines>");
            assert!(place.starts_with("/var/tmp/halcyon-"), "{place}");
            assert!(!std::path::Path::new(place).exists(), "{place} was left");
        }
    }
    runner.shutdown().await;
}

/// A command that says its group, leaves children that do not want to go, and would take ten minutes.
fn stubborn(sudo: bool) -> ShellCommand {
    let mut command =
        shell("echo group $$; sleep 600 & (trap '' TERM; sleep 601; sleep 602) & sleep 603; echo not reached");
    command.sudo = sudo;
    command
}

fn group_in(outcome: &HostOutcome) -> u32 {
    let Captured::Inline { text } = &outcome.stdout else { panic!("{:?}", outcome.stdout) };
    text.strip_prefix("group ").unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stopped_leaves_no_process_also_under_sudo() {
    if !asked_for() {
        return;
    }
    let lab = Lab::start();
    let (runner, _) = lab.runner().await;
    for sudo in [false, true] {
        let mut watched = Watched::start(&runner, remote("n[01-03]", stubborn(sudo)));
        watched.until(|run| run.progress.last().is_some_and(|(_, progress)| progress.lines >= 3)).await;
        watched.cancel.cancel();
        let watched = watched.end().await;
        for (outcome, _) in watched.outcomes.values() {
            assert_eq!(outcome.exit, Exit::Canceled, "sudo: {sudo}");
            assert!(!group_lives(group_in(outcome)), "sudo: {sudo}");
        }

        let mut command = stubborn(sudo);
        command.timeout = Duration::from_secs(1);
        let watched = run(&runner, remote("n[04-05]", command)).await;
        for (outcome, took) in watched.outcomes.values() {
            assert_eq!(outcome.exit, Exit::Timeout, "sudo: {sudo}");
            assert!(!group_lives(group_in(outcome)), "sudo: {sudo}");
            assert!(*took < Duration::from_secs(10), "{took:?}");
            assert!(outcome.seconds >= 1.0);
        }
    }
    // One that is stopped before it has started anywhere.
    let watched = Watched::start(&runner, remote("hung", shell("true")));
    watched.cancel.cancel();
    assert_eq!(watched.end().await.outcome("hung").exit, Exit::Canceled);
    runner.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn output_of_any_length_arrives_and_is_shown_live() {
    if !asked_for() {
        return;
    }
    let lab = Lab::start();
    let (runner, blobs) = lab.runner().await;
    let script = "seq 1 700000; echo err >&2; exit 5";
    let watched = run(&runner, remote("n01", shell(script))).await;
    let expected: String = (1..=700_000).map(|number| format!("{number}\n")).collect();
    let outcome = watched.outcome("n01");
    assert_eq!((&outcome.exit, &outcome.stderr), (&Exit::Code { code: 5 }, &inline("err")));
    let Captured::Blob { blob, bytes, lines, tail, dropped, .. } = &outcome.stdout else { panic!("it is long") };
    assert_eq!((*bytes, *lines, *dropped), (expected.len() as u64, 700_000, 0));
    assert!(blobs.get(blob) == expected.as_bytes(), "the blob holds every byte");
    assert!(tail.ends_with("\n700000"));

    let mut options = lab.options();
    options.control_dir = lab.path("d");
    options.output_limit = 1_000_000;
    let limited = SshRunner::open(options, Arc::new(blobs.clone())).await.unwrap();
    let watched = run(&limited, remote("n01", shell(script))).await;
    let outcome = watched.outcome("n01");
    assert_eq!(outcome.exit, Exit::Code { code: 5 });
    let Captured::Blob { bytes, dropped, .. } = &outcome.stdout else { panic!("it is long") };
    assert!(*bytes <= 1_000_000 && bytes + dropped == expected.len() as u64, "{bytes} and {dropped} dropped");
    limited.shutdown().await;

    let ticking = "for i in $(seq 1 15); do echo tick $i; printf 'e%s\\n' $i >&2; sleep 0.1; done";
    let watched = run(&runner, remote("n[01-02]", shell(ticking))).await;
    let times: Vec<Duration> = watched.progress.iter().map(|(time, _)| *time).collect();
    assert!((2..=5).contains(&times.len()), "{times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] > Duration::from_millis(400)), "{times:?}");
    let last = &watched.progress.last().unwrap().1;
    assert!(last.tail.len() == TAIL_LINES && last.lines > 20, "{last:?}");

    // What a command leaves in the background does not hold the run.
    let watched = run(&runner, remote("n01", shell("sleep 20 & echo done"))).await;
    assert_eq!(watched.outcome("n01").stdout, inline("done"));
    assert!(watched.outcomes["n01"].1 < Duration::from_secs(8));
    runner.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_no_process_list() {
    if !asked_for() {
        return;
    }
    let lab = Lab::start();
    let (runner, _) = lab.runner().await;
    let secret = format!("s3cret{}", lab.port);
    let mut command = shell(&format!("echo ready; : {secret}-script; sleep 600"));
    command.env.insert("TOKEN".to_owned(), Secret::new(format!("{secret}-env")));
    command.sudo_password = Some(Secret::new(format!("{secret}-password")));
    for sudo in [false, true] {
        command.sudo = sudo;
        let mut watched = Watched::start(&runner, remote("n01", command.clone()));
        watched.until(|run| run.shows("ready")).await;
        assert_eq!(processes_with(&secret), Vec::<u32>::new(), "sudo: {sudo}");
        assert!(!processes_with("halcyon-1").is_empty(), "the wrapper is in the list");
        watched.cancel.cancel();
        assert_eq!(watched.end().await.outcome("n01").exit, Exit::Canceled);
    }
    command.script = "echo \"$TOKEN\"; cat".to_owned();
    let watched = run(&runner, remote("n01", command)).await;
    assert_eq!(watched.outcome("n01").stdout, inline(&format!("{secret}-env")));
    assert_eq!(watched.outcome("n01").stderr, Captured::empty());
    runner.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_node_cannot_be_reached_is_said_plainly() {
    if !asked_for() {
        return;
    }
    let lab = Lab::start();
    let (runner, _) = lab.runner().await;
    let watched = run(&runner, remote("closed,no-such-name.invalid,n01", shell("true"))).await;
    assert_eq!(watched.why("closed"), format!("it refuses connections on port {}", lab.port));
    assert_eq!(watched.why("no-such-name.invalid"), "its name no-such-name.invalid cannot be resolved");
    assert_eq!(watched.outcome("n01").exit, Exit::Code { code: 0 });

    lab.write_client_config("stranger", "host");
    let watched = run(&runner, remote("n02", shell("true"))).await;
    assert!(watched.why("n02").starts_with("the login as "), "{}", watched.why("n02"));
    let mut command = remote("n02", shell("echo in"));
    for key in [std::fs::read_to_string(lab.path("client")).unwrap(), lab.path("client").display().to_string()] {
        command.private_key = Some(Secret::new(key));
        assert_eq!(run(&runner, command.clone()).await.outcome("n02").stdout, inline("in"));
    }
    let keys = walk(&lab.path("c")).into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "key"));
    assert_eq!(keys.count(), 0, "a private key stays only for the login");

    lab.write_client_config("client", "other_host");
    let watched = run(&runner, remote("n03", shell("true"))).await;
    let known = lab.path("known_hosts");
    let expected = format!("its host key has changed: it is not the ED25519 key in {} line 1", known.display());
    assert!(watched.why("n03").starts_with(&expected), "{}", watched.why("n03"));

    lab.write_client_config("client", "");
    let watched = run(&runner, remote("n04", shell("true"))).await;
    assert!(watched.why("n04").starts_with("its host key is not known"), "{}", watched.why("n04"));
    assert_eq!(std::fs::read_to_string(&known).unwrap(), "", "nothing is believed in silence");
    let mut options = lab.options();
    options.control_dir = lab.path("d");
    options.host_keys = HostKeys::AcceptNew;
    let trusting = SshRunner::open(options, Arc::new(MemoryBlobs::default())).await.unwrap();
    assert_eq!(run(&trusting, remote("n04", shell("true"))).await.outcome("n04").exit, Exit::Code { code: 0 });
    trusting.shutdown().await;

    for (user, bastion) in
        [(Some("-oProxyCommand=x"), None), (Some("a;b"), None), (None, Some("-x")), (None, Some("a b"))]
    {
        let mut command = remote("n01", shell("true"));
        (command.username, command.bastion) = (user.map(str::to_owned), bastion.map(str::to_owned));
        let watched = run(&runner, command).await;
        assert!(watched.finished.unwrap().unwrap().contains("cannot be a"));
        assert!(watched.outcomes.is_empty());
    }
    runner.shutdown().await;
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() { found.extend(walk(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_lost_is_made_again_and_the_node_is_asked() {
    if !asked_for() {
        return;
    }
    let lab = Lab::start();
    let (runner, _) = lab.runner().await;
    let gate = lab.path("gate");
    let script = format!("echo ready; until [ -e {} ]; do echo still; sleep 0.1; done; exit 9", gate.display());
    let command = remote("n01", shell(&script));
    let mut watched = Watched::start(&runner, command.clone());
    watched.until(|run| run.shows("ready")).await;
    for pid in lab.server_children() {
        signal(pid);
    }
    let machine = &command.hosts[0];
    assert_eq!(runner.standing(&watched.execution, machine, &command).await, Ok(Standing::Running));
    std::fs::write(gate, "").unwrap();
    let watched = watched.end().await;
    assert_eq!(watched.outcome("n01").exit, Exit::Unheard { code: 9 });
    let Captured::Inline { text } = &watched.outcome("n01").stdout else { panic!("it is short") };
    assert!(text.starts_with("ready"), "what was written before is kept: {text}");
    assert_eq!(runner.standing(&watched.execution, machine, &command).await, Ok(Standing::Exited(9)));
    assert_eq!(runner.standing(&execution(), machine, &command).await, Ok(Standing::Nothing));
    runner.shutdown().await;
}

/// Asks after runs as a process would that knows of them from its facts alone.
async fn attached(runner: &SshRunner, execution: &ExecutionId, hosts: &str, timeout: u64, ago: u64) -> Watched {
    let mut command = shell("");
    command.timeout = Duration::from_secs(timeout);
    let command = remote(hosts, command);
    let begun = Begun { attempt: 0, ago: Duration::from_secs(ago) };
    let begun = command.hosts.iter().map(|machine| (machine.host.clone(), begun)).collect();
    Watched::attach(runner, Attach { execution: execution.clone(), work: Work::Remote(command), begun })
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_outlive_their_process_are_seen_to_their_end() {
    if !asked_for() {
        return;
    }
    let lab = Lab::start();
    let (first, _) = lab.runner().await;
    let (ran, gate) = (lab.path("ran"), lab.path("gate"));
    let wait = format!("until [ -e {} ]; do sleep 0.1; done", gate.display());
    let script = format!("echo ran >>{}; echo ready; {wait}; exit 4", ran.display());
    let mut watched = Watched::start(&first, remote("n[01-02]", shell(&script)));
    watched.until(|run| run.progress.last().is_some_and(|(_, progress)| progress.lines >= 2)).await;
    let mut stubborn = Watched::start(&first, remote("n03", stubborn(false)));
    stubborn.until(|run| run.shows("group")).await;
    let mut endless = Watched::start(&first, remote("n04", shell("echo on; sleep 600")));
    endless.until(|run| run.shows("on")).await;
    drop(first);
    let (second, _) = lab.runner().await;
    let mut ended = attached(&second, &watched.execution, "n[01-02]", 600, 3).await;
    ended.until(|run| run.started == 2).await;
    std::fs::write(gate, "").unwrap();
    let ended = ended.end().await;
    for host in ["n01", "n02"] {
        assert_eq!(ended.outcome(host).exit, Exit::Unheard { code: 4 });
    }
    assert_eq!(std::fs::read_to_string(&ran).unwrap().lines().count(), 2, "it ran once on each");
    // One whose time is over by now is killed; one that somebody stops, too.
    let over = attached(&second, &stubborn.execution, "n03", 1, 600).await.end().await;
    assert_eq!(over.outcome("n03").exit, Exit::Timeout);
    let mut stopped = attached(&second, &endless.execution, "n04", 700, 1).await;
    stopped.until(|run| run.started == 1).await;
    stopped.cancel.cancel();
    assert_eq!(stopped.end().await.outcome("n04").exit, Exit::Canceled);
    // One that never arrived is barred; whether it is said to have never begun depends on how long this machine has kept notes, and of an old one
    // nobody can say that.
    let never = attached(&second, &execution(), "n05", 60, 5).await.end().await;
    let exit = &never.lost["n05"].exit;
    assert!(matches!(exit, Exit::NeverBegan { .. } | Exit::Unknown { .. }), "{exit:?}");
    let late = Run { execution: never.execution.clone(), work: Work::Remote(remote("n05", shell("true"))), attempt: 0 };
    let (sender, mut news) = mpsc::channel(16);
    second.run(late, sender, CancellationToken::new()).await;
    let mut refused = false;
    while let Some(news) = news.recv().await {
        if let RunNews::HostFinished { outcome, .. } = news {
            refused = matches!(&outcome.exit, Exit::Unreachable { why } if why.contains("killed before it was run"));
        }
    }
    assert!(refused, "what was barred does not start any more");
    let old = attached(&second, &execution(), "n05", 60, 200_000_000).await.end().await;
    assert!(matches!(old.lost["n05"].exit, Exit::Unknown { .. }), "{:?}", old.lost);
    second.shutdown().await;
}

/// A bot as a process of its own.
struct Daemon {
    process: Child,
    config: PathBuf,
}

impl Daemon {
    fn start(config: &Path, token: &str) -> Self {
        let mut serve = Command::new(env!("CARGO_BIN_EXE_halcyon"));
        serve.arg("serve").arg("--config").arg(config).env("HALCYON_MATTERMOST_TOKEN", token);
        let process = serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let socket = config.with_file_name("control.sock");
        poll("the bot listens", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
        Self { process, config: config.to_owned() }
    }

    fn ask(&self, words: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_halcyon")).args(words).arg("--config").arg(&self.config).output();
        let output = output.unwrap();
        let said = if output.status.success() { output.stdout } else { output.stderr };
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    /// The result on a host, once the execution has ended.
    fn end(&self, id: &str) -> serde_json::Value {
        let mut shown = serde_json::Value::Null;
        poll("the execution ends", || {
            let (_, text) = self.ask(&["execution", "get", id, "--json"]);
            shown = serde_json::from_str(&text).unwrap_or_default();
            shown.get("end_timestamp").is_some()
        });
        shown
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_bot_that_is_killed_tells_the_end_of_what_it_ran() {
    if !asked_for() {
        return;
    }
    let lab = Lab::start();
    let (config, ran) = (lab.path("config.toml"), lab.path("ran"));
    let chat = Server::start(Options::default()).await.unwrap();
    let token = chat.bot_token();
    let text = format!(
        "[mattermost]\nurl = \"{}\"\nteam = \"ops\"\nchannels = [\"cluster\"]\n[store]\npath = {:?}\n[content]\npacks = []\n[control]\nsocket = {:?}\n[ssh]\nconfig_file = {:?}\n[inventory]\nhosts = [\"n[01-02]\"]\n",
        chat.url(),
        lab.path("s"),
        lab.path("control.sock"),
        lab.path("ssh_config"),
    );
    std::fs::write(&config, text).unwrap();
    let command = format!("cmd=echo ran >>{}; sleep 5; exit 7", ran.display());
    for gently in [false, true] {
        let daemon = Daemon::start(&config, &token);
        let before = std::fs::read_to_string(&ran).unwrap_or_default().lines().count();
        let (started, id) = daemon.ask(&["run", "core.remote", "hosts=n[01-02]", &command, "--detach"]);
        assert!(started, "{id}");
        let both = || std::fs::read_to_string(&ran).is_ok_and(|text| text.lines().count() == before + 2);
        poll("both nodes run it", both);
        if gently {
            // Its patience with what runs is longer than the command; what it does not wait for, it lets go on.
            let pid = rustix::process::Pid::from_raw(i32::try_from(daemon.process.id()).unwrap()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
            let mut process = daemon.process;
            poll("it stops", || process.try_wait().unwrap().is_some());
        } else {
            daemon.kill();
        }
        let daemon = Daemon::start(&config, &token);
        let shown = daemon.end(id.trim());
        assert_eq!(shown["status"], "failed", "{shown:#}");
        for host in ["n01", "n02"] {
            assert_eq!(shown["result"][host]["return_code"], 7, "{shown:#}");
        }
        assert!(both(), "it ran once on each node");
        daemon.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_master_is_replaced_and_none_is_left_behind() {
    if !asked_for() {
        return;
    }
    let lab = Lab::start();
    let (runner, _) = lab.runner().await;
    let command = remote("n[01-04]", shell("echo here"));
    let all_here = |watched: &Watched| watched.outcomes.values().all(|(outcome, _)| outcome.stdout == inline("here"));
    assert!(all_here(&run(&runner, command.clone()).await));
    let masters = lab.masters();
    assert_eq!(masters.len(), 4);
    assert!(all_here(&run(&runner, command.clone()).await));
    assert_eq!(lab.masters(), masters, "connections are kept");
    masters.iter().copied().for_each(signal);
    poll("the masters are dead", || lab.masters().is_empty());
    assert!(all_here(&run(&runner, command.clone()).await));
    assert_eq!(lab.masters().len(), 4);
    // Connections that die at the far end.
    lab.server_children().into_iter().for_each(signal);
    assert!(all_here(&run(&runner, command.clone()).await));

    // More commands on one node at a time than its server takes sessions.
    let many: Vec<Watched> =
        (0..20).map(|_| Watched::start(&runner, remote("n01", shell("sleep 0.3; echo here")))).collect();
    for watched in many {
        assert!(all_here(&watched.end().await));
    }

    // A process that dies leaves its masters; the next one closes them, and not those of one that lives.
    let (other, _) = lab.runner().await;
    assert!(all_here(&run(&other, command.clone()).await));
    let before = lab.masters().len();
    drop(runner);
    let (third, _) = lab.runner().await;
    poll("the dead one's masters end", || lab.masters().len() == before - 4);
    assert!(all_here(&run(&other, command.clone()).await));
    other.shutdown().await;
    third.shutdown().await;
    poll("all masters end", || lab.masters().is_empty());
    assert_eq!(walk(&lab.path("c")), Vec::<PathBuf>::new());
    assert!(!all_here(&run(&other, remote("n01", shell("echo here"))).await), "it was shut down");

    let mut options = lab.options();
    options.control_dir = lab.path(&"long".repeat(20));
    assert!(matches!(
        SshRunner::open(options.clone(), Arc::new(MemoryBlobs::default())).await,
        Err(SshError::TooLong { .. })
    ));
    options.control_dir = lab.path("open");
    std::fs::create_dir(&options.control_dir).unwrap();
    std::fs::set_permissions(&options.control_dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(SshRunner::open(options, Arc::new(MemoryBlobs::default())).await, Err(SshError::NotOurs { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_amid_logins_leaves_no_master() {
    if !asked_for() {
        return;
    }
    let lab = Lab::start();
    // From the first process to long after some logins have come to their end.
    for enough in [1, 3, 6, 9, 12, 15, 18, 24, 30, 36] {
        let (runner, _) = lab.runner().await;
        let (news, _watching) = mpsc::channel(1000);
        let work = Work::Remote(remote("n[01-40],hung", shell("sleep 60")));
        let run = Run { execution: execution(), work, attempt: 0 };
        let running = tokio::spawn({
            let runner = runner.clone();
            async move { runner.run(run, news, CancellationToken::new()).await }
        });
        poll("connections are being made", || lab.masters().len() >= enough);
        running.abort();
        let _ = running.await;
        runner.shutdown().await;
        poll(&format!("no master of {enough} is left"), || lab.masters().is_empty());
        assert_eq!(walk(&lab.path("c")), Vec::<PathBuf>::new());
    }
}
