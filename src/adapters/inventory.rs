//! # Inventory: groups that a command knows
//!
//! A site's groups are lists in its configuration, or what a command of its own prints: host expressions with blanks, commas or line ends
//! between them. Commands are run again and again; an inventory that differs from the last one is sent on.
//!
//! **A command that fails breaks its own group and nothing else**: using the group is an error that says why. **Its output is data**: names
//! are checked like any others.

use crate::core::action::capture::showable;
use crate::core::host::{Inventory, InventoryProblem};
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The most output that is read of a command.
const LONGEST_OUTPUT: u64 = 4 * 1024 * 1024;

/// Where hosts and groups come from.
#[derive(Debug, Clone)]
pub struct InventoryOptions {
    /// Host expressions: all hosts that there are; none when the site keeps no list.
    pub hosts: Vec<String>,
    /// Groups by name.
    pub groups: BTreeMap<String, GroupSource>,
    /// How often commands are run again.
    pub refresh: Duration,
    /// How long a command may take.
    pub timeout: Duration,
}

impl Default for InventoryOptions {
    fn default() -> Self {
        let (refresh, timeout) = (Duration::from_mins(5), Duration::from_secs(30));
        Self { hosts: Vec::new(), groups: BTreeMap::new(), refresh, timeout }
    }
}

/// Where the members of a group come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupSource {
    /// Host expressions.
    Static(Vec<String>),
    /// A program and its arguments, started as they are.
    Program(Vec<String>),
    /// A line for `sh -c`, as the site's administrators wrote it.
    Shell(String),
}

/// Reads the inventory; all commands at once. What is wrong is told beside it.
pub async fn read(options: &InventoryOptions) -> (Inventory, Vec<InventoryProblem>) {
    let asking = options.groups.iter().map(|(name, source)| async {
        let members = match source {
            GroupSource::Static(expressions) => Ok(expressions.clone()),
            GroupSource::Program(words) => output(words, options.timeout).await,
            GroupSource::Shell(line) => {
                output(&["sh".to_owned(), "-c".to_owned(), line.clone()], options.timeout).await
            }
        };
        (name.clone(), members)
    });
    let groups: BTreeMap<_, _> = futures_util::future::join_all(asking).await.into_iter().collect();
    Inventory::build(&options.hosts, &groups)
}

/// Sends the inventory at once, and then whenever it has changed, until `stop`.
pub async fn keep(
    options: InventoryOptions,
    changes: mpsc::Sender<(Inventory, Vec<InventoryProblem>)>,
    stop: CancellationToken,
) {
    let mut last = None;
    let keeping = async {
        loop {
            let now = read(&options).await;
            if last.as_ref() != Some(&now) {
                if changes.send(now.clone()).await.is_err() {
                    return;
                }
                last = Some(now);
            }
            if options.groups.values().all(|source| matches!(source, GroupSource::Static(_))) {
                // Nothing of it can change.
                return;
            }
            tokio::time::sleep(options.refresh).await;
        }
    };
    tokio::select! {
        () = keeping => {}
        () = stop.cancelled() => {}
    }
}

/// The words that a command prints.
async fn output(words: &[String], patience: Duration) -> Result<Vec<String>, String> {
    let (program, arguments) = words.split_first().ok_or_else(|| "its command is empty".to_owned())?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"HALCYON_") || name == "CREDENTIALS_DIRECTORY" {
            command.env_remove(name);
        }
    }
    let shown = showable(&words.join(" "));
    let mut child = command.spawn().map_err(|error| format!("`{shown}` cannot be started: {error}"))?;
    let group = child.id();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let reading = async {
        let (stdout, stderr) = tokio::join!(text(stdout), text(stderr));
        Ok((child.wait().await?, stdout?, stderr?))
    };
    let failed = |error: std::io::Error| format!("`{shown}` failed: {error}");
    let late = |_| format!("`{shown}` took longer than {} s", patience.as_secs_f64());
    let read = tokio::time::timeout(patience, reading).await;
    if read.is_err() {
        kill_group(group);
    }
    let (status, stdout, stderr) = read.map_err(late)?.map_err(failed)?;
    if !status.success() {
        let said = stderr.lines().rfind(|line| !line.trim().is_empty()).map(showable);
        return Err(format!(
            "`{shown}` ended with {status}{}",
            said.map(|line| format!(": {line}")).unwrap_or_default()
        ));
    }
    if stdout.len() as u64 >= LONGEST_OUTPUT {
        return Err(format!("`{shown}` printed more than {LONGEST_OUTPUT} bytes"));
    }
    Ok(stdout.split_whitespace().map(str::to_owned).collect())
}

/// Ends a command that takes too long, and what it has started. Its leader has not been waited for, so the number is still its own.
fn kill_group(leader: Option<u32>) {
    let leader = leader.and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(leader) = leader {
        // Nobody is left of it: as it should be.
        let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
    }
}

async fn text(from: Option<impl tokio::io::AsyncRead + Unpin>) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(LONGEST_OUTPUT).read_to_end(&mut bytes).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
