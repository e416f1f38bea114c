//! Commands on the bot's own machine, and the inventory's commands.

use crate::ssh::{MemoryBlobs, execution, group_lives, poll, shell};
use halcyon::adapters::inventory::{self, GroupSource, InventoryOptions};
use halcyon::adapters::local::{LocalOptions, LocalRunner};
use halcyon::core::action::run::{
    Attach, Begun, Captured, Exit, HostOutcome, Progress, Run, RunNews, Secret, ShellCommand, Work,
};
use halcyon::core::action::wrapper::Standing;
use halcyon::core::host::fold;
use halcyon::core::id::{ExecutionId, Host};
use halcyon::runtime::ports::Runner;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

fn runner(run_as: Option<&str>) -> LocalRunner {
    let options = LocalOptions { run_as: run_as.map(str::to_owned), ..LocalOptions::default() };
    LocalRunner::new(options, Arc::new(MemoryBlobs::default()))
}

/// A run in the making.
struct Watched {
    news: mpsc::Receiver<RunNews>,
    cancel: CancellationToken,
    execution: ExecutionId,
}

impl Watched {
    fn start(runner: &LocalRunner, command: ShellCommand) -> Self {
        let (sender, news) = mpsc::channel(16);
        let (cancel, execution) = (CancellationToken::new(), execution());
        let run = Run { execution: execution.clone(), work: Work::Local(command), attempt: 0 };
        let (runner, token) = (runner.clone(), cancel.clone());
        tokio::spawn(async move { runner.run(run, sender, token).await });
        Self { news, cancel, execution }
    }

    async fn next(&mut self) -> RunNews {
        tokio::time::timeout(Duration::from_secs(60), self.news.recv()).await.unwrap().unwrap()
    }

    /// The first progress with so many lines.
    async fn progress(&mut self, lines: u64) -> Progress {
        loop {
            match self.next().await {
                RunNews::Progress(progress) if progress.lines >= lines => return progress,
                RunNews::HostStarted { .. } | RunNews::Progress(_) | RunNews::Read(_) => {}
                other => panic!("it has not written {lines} lines: {other:?}"),
            }
        }
    }

    /// The outcome, or why there is none.
    async fn end(mut self) -> Result<HostOutcome, String> {
        let mut outcome = None;
        loop {
            match self.next().await {
                RunNews::HostFinished { host, outcome: ended } => {
                    assert_eq!(host.as_str(), "localhost");
                    assert!(outcome.replace(ended).is_none());
                }
                RunNews::HostLost { .. } => panic!("the command was not lost"),
                RunNews::Finished { error: Some(why) } => return Err(why),
                RunNews::Finished { error: None } => return Ok(*outcome.unwrap()),
                RunNews::HostStarted { .. } | RunNews::Progress(_) | RunNews::Read(_) => {}
            }
        }
    }
}

async fn run(runner: &LocalRunner, command: ShellCommand) -> Result<HostOutcome, String> {
    Watched::start(runner, command).end().await
}

fn text(captured: &Captured) -> &str {
    match captured {
        Captured::Inline { text } => text,
        Captured::Blob { head, .. } => head,
    }
}

#[tokio::test]
async fn a_command_ends_as_it_ends() {
    let runner = runner(None);
    for (script, code, stdout, stderr) in [
        ("echo out; echo err >&2", 0, "out", "err"),
        ("exit 7", 7, "", ""),
        ("cat; kill -9 $$", 137, "", ""),
        ("pwd", 0, "/", ""),
        ("no-such-command-here 2>/dev/null", 127, "", ""),
    ] {
        let outcome = run(&runner, shell(script)).await.unwrap();
        assert_eq!(outcome.exit, Exit::Code { code }, "{script}");
        assert_eq!((text(&outcome.stdout), text(&outcome.stderr)), (stdout, stderr), "{script}");
    }
    let mut command = shell("true");
    command.env.insert("not a name".to_owned(), Secret::new("x"));
    assert!(run(&runner, command).await.unwrap_err().contains("cannot be the name of an environment variable"));
}

#[tokio::test]
async fn nothing_of_our_environment_gets_through_but_what_is_allowed() {
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "cargo gives the tests an environment of its own");
    let mut command = shell("env; cat /proc/$PPID/cmdline | tr '\\0' ' '");
    command.env.insert("GIVEN".to_owned(), Secret::new("s3cret"));
    let outcome = run(&runner(None), command).await.unwrap();
    let seen = text(&outcome.stdout);
    let (environment, line) = seen.split_once("sh -c").unwrap();
    assert!(environment.contains("GIVEN=s3cret") && environment.contains("PATH="), "{environment}");
    assert!(!line.contains("s3cret"), "{line}");
    for variable in environment.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name) {
        let known =
            ["GIVEN", "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "HALCYON_RUN"];
        let shells = ["PWD", "OLDPWD", "SHLVL", "_"];
        let allowed = known.contains(&variable) || shells.contains(&variable) || variable.starts_with("LC_");
        assert!(allowed, "{variable} got through");
    }
}

#[tokio::test]
async fn what_is_stopped_leaves_no_process() {
    let runner = runner(None);
    let stubborn = "echo $$; sleep 600 & (trap '' TERM; sleep 601; sleep 602) & sleep 603";
    let mut watched = Watched::start(&runner, shell(stubborn));
    let group = watched.progress(1).await.tail[0].text.parse().unwrap();
    assert!(group_lives(group));
    let execution = watched.execution.clone();
    assert_eq!(runner.standing(&execution, &shell("")).await, Ok(Standing::Running));
    watched.cancel.cancel();
    assert_eq!(watched.end().await.unwrap().exit, Exit::Canceled);
    assert!(!group_lives(group));
    assert!(matches!(runner.standing(&execution, &shell("")).await, Ok(Standing::Exited(143 | 137))));

    let mut command = shell(stubborn);
    command.timeout = Duration::from_millis(700);
    let outcome = run(&runner, command).await.unwrap();
    assert_eq!(outcome.exit, Exit::Timeout);
    assert!(!group_lives(text(&outcome.stdout).parse().unwrap()), "what it wrote before is kept");
}

#[tokio::test]
async fn a_command_that_outlives_its_process_is_seen_to_its_end() {
    let gate = tempfile::tempdir().unwrap();
    let open = gate.path().join("open");
    let first = runner(None);
    let script = format!("echo on; until [ -e {} ]; do sleep 0.05; done; exit 5", open.display());
    let mut command = shell(&script);
    command.timeout = Duration::from_secs(600);
    let mut watched = Watched::start(&first, command.clone());
    watched.progress(1).await;
    let execution = watched.execution.clone();
    let attach = |execution: &ExecutionId, ago| {
        let mut command = shell("");
        command.timeout = Duration::from_secs(600);
        let begun = Begun { attempt: 0, ago: Duration::from_secs(ago) };
        let begun = BTreeMap::from([(Host::new("localhost"), begun)]);
        Attach { execution: execution.clone(), work: Work::Local(command), begun }
    };
    let attached = |attach: Attach| {
        let (sender, news) = mpsc::channel(16);
        let (cancel, runner) = (CancellationToken::new(), runner(None));
        let (token, execution) = (cancel.clone(), attach.execution.clone());
        tokio::spawn(async move { runner.attach(attach, sender, token).await });
        Watched { news, cancel, execution }
    };
    let mut other = attached(attach(&execution, 1));
    assert!(matches!(other.next().await, RunNews::HostStarted { .. }));
    std::fs::write(&open, "").unwrap();
    assert_eq!(other.end().await.unwrap().exit, Exit::Unheard { code: 5 });
    assert_eq!(watched.end().await.unwrap().exit, Exit::Code { code: 5 });
    let mut never = attached(attach(&super::ssh::execution(), 1));
    let RunNews::HostLost { outcome, .. } = never.next().await else { panic!("nobody knows it") };
    // Which of the two depends on how long this machine has kept notes: `attending.rs` has the table.
    assert!(matches!(outcome.exit, Exit::NeverBegan { .. } | Exit::Unknown { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_command_runs_as_the_account_that_the_site_has_named() {
    let why = run(&runner(Some("no-such-account")), shell("true")).await.unwrap_err();
    assert_eq!(why, "local commands are to run as `no-such-account`, and there is no such account on my host");
    let script = "id -un; env | grep -c CARGO; echo $$; exec sleep 600";
    if rustix::process::geteuid().is_root() {
        let mut watched = Watched::start(&runner(Some("nobody")), shell(script));
        let tail = watched.progress(3).await.tail;
        assert_eq!((tail[0].text.as_str(), tail[1].text.as_str()), ("nobody", "0"));
        let group = tail[2].text.parse().unwrap();
        assert!(group_lives(group));
        watched.cancel.cancel();
        assert_eq!(watched.end().await.unwrap().exit, Exit::Canceled);
        poll("nobody is left", || !group_lives(group));
    } else {
        // Without a rule in sudoers nothing runs; with one it runs as that account.
        match run(&runner(Some("nobody")), shell("id -un")).await {
            Ok(outcome) => assert_eq!(text(&outcome.stdout), "nobody"),
            Err(why) => assert!(why.contains("may not switch to it"), "{why}"),
        }
    }
}

#[tokio::test]
async fn groups_come_from_commands_and_a_broken_one_breaks_nothing_else() {
    let program = |words: &[&str]| GroupSource::Program(words.iter().map(|&word| word.to_owned()).collect());
    let groups = BTreeMap::from([
        ("lists".to_owned(), GroupSource::Static(vec!["wn[01-02]".to_owned()])),
        ("prints".to_owned(), GroupSource::Shell("printf 'wn01 wn02,wn03\\nwn[05-06]\\n'".to_owned())),
        ("words".to_owned(), program(&["echo", "wn07", "$(id)"])),
        (
            "fails".to_owned(),
            GroupSource::Shell("echo wn01; echo 'no contact to the controller' >&2; exit 3".to_owned()),
        ),
        ("misses".to_owned(), program(&["no-such-program-here"])),
        ("hangs".to_owned(), program(&["sleep", "600"])),
        ("strange".to_owned(), GroupSource::Shell("echo wn99".to_owned())),
        ("silent".to_owned(), program(&["true"])),
    ]);
    let timeout = Duration::from_secs(2);
    let options =
        InventoryOptions { hosts: vec!["wn[01-20]".to_owned()], groups, timeout, ..InventoryOptions::default() };
    let (inventory, problems) = inventory::read(&options).await;
    let folded: Vec<String> = inventory.groups.iter().map(|(name, hosts)| format!("{name}={}", fold(hosts))).collect();
    assert_eq!(folded, ["lists=wn[01-02]", "prints=wn[01-03,05-06]", "silent="]);
    let broken: Vec<(&str, &str)> = inventory.broken.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect();
    let expected = [
        (
            "fails",
            "`sh -c echo wn01; echo 'no contact to the controller' >&2; exit 3` ended with exit status: 3: no contact to the controller",
        ),
        ("hangs", "`sleep 600` took longer than 2 s"),
        ("misses", "`no-such-program-here` cannot be started: No such file or directory (os error 2)"),
        ("strange", "there is no host `wn99`"),
        (
            "words",
            "`$(id)` is not a host name or range: '$' cannot be in a host name, which has letters, digits, `.`, `-` and `_`",
        ),
    ];
    assert_eq!(broken, expected);
    assert_eq!(problems.len(), expected.len());
}

#[tokio::test]
async fn an_inventory_is_sent_when_it_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    std::fs::write(&list, "wn01").unwrap();
    let groups = BTreeMap::from([("all".to_owned(), GroupSource::Shell(format!("cat {}", list.display())))]);
    let refresh = Duration::from_millis(20);
    let options = InventoryOptions { groups, refresh, ..InventoryOptions::default() };
    let (sender, mut changes) = mpsc::channel(4);
    let stop = CancellationToken::new();
    let keeping = tokio::spawn(inventory::keep(options, sender, stop.clone()));
    for names in ["wn01", "wn01,wn02", ""] {
        std::fs::write(folder.path().join("new"), names).unwrap();
        std::fs::rename(folder.path().join("new"), &list).unwrap();
        let next = tokio::time::timeout(Duration::from_secs(20), changes.recv()).await.unwrap().unwrap().0;
        let names: Vec<&str> = names.split_terminator(',').collect();
        assert_eq!(next.groups["all"].iter().map(|host| host.as_str()).collect::<Vec<_>>(), names);
    }
    stop.cancel();
    keeping.await.unwrap();
    assert!(changes.recv().await.is_none());
}
