//! The bot's own machine: store, packs, local commands.

use super::Findings;
use crate::adapters::local::LocalRunner;
use crate::adapters::store::{DiskStore, MemoryBlobs, newest_aside};
use crate::app::{catalog, engine, now};
use crate::config::Config;
use crate::core::action::reason::Reason;
use crate::core::action::run::{Captured, Exit, HostOutcome, Parting, Run, RunNews, ShellCommand, Work};
use crate::core::content::diagnostic::Severity;
use crate::core::id::ExecutionId;
use crate::runtime::ports::{Recalled, Runner, Store, StoreError};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Less room than this above the reserve is little: the log grows in pieces of 16 MiB.
const LITTLE: u64 = 256 << 20;
/// How long a trial command may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn examine(config: &Config, runs: bool, findings: &mut Findings) {
    store(config, runs, findings).await;
    content(config, findings);
    local(config, findings).await;
}

async fn store(config: &Config, runs: bool, findings: &mut Findings) {
    let path = &config.store.path;
    let shown = path.display();
    if !path.exists() {
        let parent = path.ancestors().skip(1).find(|parent| parent.exists()).unwrap_or(Path::new("/"));
        match rustix::fs::access(parent, rustix::fs::Access::WRITE_OK) {
            Ok(()) => findings.ok("store", format!("{shown} does not exist yet and can be made")),
            Err(error) => {
                let tried = format!("{shown} does not exist and {} is not writable: {error}", parent.display());
                findings.fail(
                    "store",
                    tried,
                    "make the directory for the bot's account (`StateDirectory=` in the unit)",
                );
                return;
            }
        }
        room(parent, config.store.reserve, findings);
        return;
    }
    match path.metadata() {
        Ok(about) if about.mode() & 0o077 != 0 => {
            let tried = format!("{shown} is open to other accounts (mode {:o})", about.mode() & 0o777);
            findings.warn("store", tried, format!("chmod 700 {shown}"));
        }
        Ok(_) => {}
        Err(error) => {
            findings.fail("store", format!("looking at {shown}: {error}"), "run this as the bot's account");
            return;
        }
    }
    if runs {
        findings.ok("store", format!("{shown} is in the hands of the bot that runs"));
    } else {
        match DiskStore::open_briefly(path).await {
            Ok((store, opened)) => {
                findings.ok("store", format!("{shown} opens; {} facts are stored", opened.facts));
                for notice in opened.notices() {
                    findings.warn("store", notice, "");
                }
                remembered(&store, findings).await;
            }
            Err(problem @ StoreError::InUse { .. }) => {
                let advice =
                    "a bot that does not answer on control.socket has it: end that one, or correct control.socket";
                findings.fail("store", problem.to_string(), advice);
            }
            Err(problem @ StoreError::Damaged { .. }) => {
                findings.fail(
                    "store",
                    problem.to_string(),
                    "restore a backup; a bot that starts on it sets it aside and begins anew, frozen",
                );
            }
            Err(problem @ StoreError::Unfinished { .. }) => findings.fail("store", problem.to_string(), ""),
            Err(problem @ StoreError::Version { .. }) => {
                let advice =
                    "start that version of the bot again; nothing is damaged, and this one changes nothing in it";
                findings.fail("store", problem.to_string(), advice);
            }
            Err(problem) => {
                findings.fail("store", problem.to_string(), "run this as the bot's account; see store.path")
            }
        }
    }
    if let Ok(Some(place)) = newest_aside(path) {
        let tried = format!("a damaged store was set aside in {}", place.display());
        findings.warn("store", tried, "see what was under way by then; remove it when nobody needs it any more");
    }
    room(path, config.store.reserve, findings);
}

/// Whether what is stored makes a memory, and whether the bot would start frozen.
async fn remembered(store: &DiskStore, findings: &mut Findings) {
    let folded = async {
        let Recalled { snapshot, facts } = store.recall().await.map_err(|problem| problem.to_string())?;
        let mut memory = snapshot.memory;
        for fact in &facts {
            memory.apply(fact).map_err(|problem| problem.to_string())?;
        }
        Ok::<_, String>(memory)
    };
    match folded.await {
        Ok(memory) => {
            if let Some(frozen) = memory.frozen {
                let advice = "`unfreeze` in chat or `halcyon unfreeze` lets everything start again";
                findings.warn("store", format!("the bot is frozen: {}", frozen.why), advice);
            }
        }
        Err(problem) => findings.fail("store", problem, "restore a backup, or move the store away to begin anew"),
    }
}

fn room(path: &Path, reserve: u64, findings: &mut Findings) {
    match rustix::fs::statvfs(path) {
        Ok(room) => {
            let free = room.f_bavail.saturating_mul(room.f_frsize);
            let tried = format!("{} MiB are free where the store is", free >> 20);
            if free < reserve {
                findings.fail("store", tried, "make room: with less than store.reserve nothing new is begun");
            } else if free - reserve < LITTLE {
                findings.warn("store", tried, "make room: with less than store.reserve nothing new is begun");
            } else {
                findings.ok("store", tried);
            }
        }
        Err(error) => findings.warn("store", format!("the free room is not known: {error}"), ""),
    }
}

fn content(config: &Config, findings: &mut Findings) {
    let (catalog, problems) = catalog(config);
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let (packs, actions, aliases) = (catalog.packs.len(), catalog.actions.len(), catalog.aliases.len());
    let tried = format!(
        "{packs} packs with {actions} actions and {aliases} aliases, {errors} {} in their files",
        if errors == 1 { "mistake" } else { "mistakes" }
    );
    match (errors, aliases) {
        (_, 0) => {
            findings.fail("content", tried, "without an alias there is nothing to ask for in chat: see content.packs")
        }
        (0, _) => findings.ok("content", tried),
        _ => findings.warn("content", tried, "`halcyon check` tells each with its line"),
    }
}

async fn local(config: &Config, findings: &mut Findings) {
    let runner = LocalRunner::new(engine::local_options(config), Arc::new(MemoryBlobs::default()));
    let work = Work::Local(trial("id -un", false));
    let outcomes = carry_out(&runner, work).await;
    let wanted = config.local.run_as.as_deref();
    match outcomes {
        Err(why) => findings.fail("local", format!("running a command on this machine: {why}"), advice(wanted, &why)),
        Ok(outcomes) => {
            match outcomes.into_values().next() {
                Some(HostOutcome { exit: Exit::Code { code: 0 }, stdout, .. }) => {
                    let account = text(&stdout);
                    match wanted {
                    Some(_) => findings.ok("local", format!("local commands run as {account}")),
                    None => findings.warn(
                        "local",
                        format!("local commands run as {account}, the bot's own account, which can read its token and store"),
                        "set local.run_as",
                    ),
                }
                }
                Some(outcome) => {
                    let tried = format!("running a command on this machine: {}", told(&outcome));
                    let advice = advice(wanted, &tried);
                    findings.fail("local", tried, advice);
                }
                None => findings.fail("local", "a command on this machine ended without a word", ""),
            }
        }
    }
}

fn advice(run_as: Option<&str>, why: &str) -> String {
    match run_as {
        Some(user) if why.contains(&Reason::NoAccount { user }.to_string()) => {
            format!("make the account (`useradd --system {user}`), or name another one by local.run_as")
        }
        Some(account) => {
            format!("allow the bot's account `(ALL) NOPASSWD: ALL` for {account} in sudoers: docs/operations.md")
        }
        None => "see the message".to_owned(),
    }
}

/// A command that changes nothing.
pub(super) fn trial(script: &str, sudo: bool) -> ShellCommand {
    ShellCommand {
        parting: Parting::default(),
        script: script.to_owned(),
        cwd: None,
        env: BTreeMap::new(),
        sudo,
        sudo_password: None,
        timeout: PATIENCE,
        read_only: true,
    }
}

/// Runs it to its end.
pub(super) async fn carry_out(runner: &dyn Runner, work: Work) -> Result<BTreeMap<String, HostOutcome>, String> {
    let execution = ExecutionId::generate(now(), getrandom::u64().unwrap_or_default());
    let (news, mut heard) = mpsc::channel(64);
    let running = runner.run(Run { execution, work, attempt: 0 }, news, CancellationToken::new());
    let hearing = async {
        let (mut outcomes, mut failed) = (BTreeMap::new(), None);
        while let Some(news) = heard.recv().await {
            match news {
                RunNews::HostFinished { host, outcome } | RunNews::HostLost { host, outcome } => {
                    drop(outcomes.insert(host.to_string(), *outcome))
                }
                RunNews::Finished { error } => failed = error,
                RunNews::HostStarted { .. } | RunNews::Progress(_) | RunNews::Read(_) => {}
            }
        }
        (outcomes, failed)
    };
    match tokio::join!(running, hearing).1 {
        (_, Some(why)) => Err(why),
        (outcomes, None) => Ok(outcomes),
    }
}

pub(super) fn text(captured: &Captured) -> &str {
    match captured {
        Captured::Inline { text } => text,
        Captured::Blob { head, .. } => head,
    }
}

/// A bad end in words.
pub(super) fn told(outcome: &HostOutcome) -> String {
    let exit = match &outcome.exit {
        Exit::Code { code } | Exit::Unheard { code } => format!("exit code {code}"),
        Exit::Answered { status, .. } => format!("status {status}"),
        Exit::Rebooted | Exit::Left => "the connection was lost".to_owned(),
        Exit::Timeout => "it ran out of time".to_owned(),
        Exit::Canceled => "it was stopped".to_owned(),
        Exit::Unreachable { why } | Exit::Unknown { why } | Exit::NeverBegan { why } => why.clone(),
    };
    match text(&outcome.stderr).lines().rfind(|line| !line.trim().is_empty()) {
        Some(said) => format!("{exit}: {said}"),
        None => exit,
    }
}
