//! # Tools: the commands of a node
//!
//! Each is a function over the node's model, its files and the command's streams. **None starts a process or opens a file
//! of the host.** What a real tool prints for a wrong flag is imitated only where people meet it.

mod files;
mod livestatus;
mod packages;
mod parallel;
mod print;
mod process;
mod program;
mod service;
mod slurm;
mod system;
mod text;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::content;
use super::filesystem::{FileError, absolute};
use super::machine::Machine;
use super::stream::{Closed, Streams};

pub(crate) use livestatus::socket as livestatus_socket;
pub(crate) use print::unescape;

/// A tool that is being run.
pub(crate) struct Call<'a> {
    pub(crate) name: &'a str,
    pub(crate) arguments: &'a [String],
    pub(crate) machine: &'a Arc<Machine>,
    pub(crate) streams: &'a Streams,
    pub(crate) user: &'a str,
    pub(crate) directory: &'a str,
    pub(crate) pid: u32,
}

/// Why a tool stopped before its end: nobody reads what it writes.
pub(crate) type Ran = Result<i32, Closed>;

const NAMES: &[&str] = &[
    "awk",
    "basename",
    "cat",
    "check-update",
    "chmod",
    "chown",
    "cp",
    "cut",
    "date",
    "df",
    "dirname",
    "dmesg",
    "dnf",
    "du",
    "echo",
    "false",
    "find",
    "free",
    "getent",
    "grep",
    "egrep",
    "head",
    "hostname",
    "hostnamectl",
    "id",
    "ip",
    "journalctl",
    "kill",
    "last",
    "ln",
    "logger",
    "ls",
    "lscpu",
    "lsblk",
    "md5sum",
    "mkdir",
    "mktemp",
    "mount",
    "mv",
    "needs-restarting",
    "nproc",
    "pdsh",
    "pgrep",
    "pkill",
    "poweroff",
    "printf",
    "ps",
    "realpath",
    "reboot",
    "rev",
    "rm",
    "rmdir",
    "rpm",
    "scancel",
    "scontrol",
    "sed",
    "seq",
    "sha256sum",
    "shutdown",
    "sinfo",
    "sleep",
    "sort",
    "squeue",
    "stat",
    "sync",
    "sysctl",
    "systemctl",
    "tac",
    "tail",
    "tee",
    "touch",
    "tr",
    "true",
    "uname",
    "uniq",
    "unixcat",
    "uptime",
    "users",
    "w",
    "wc",
    "who",
    "whoami",
    "yes",
    "yum",
    "logname",
    "tty",
];

pub(crate) fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Runs a tool to its exit code.
pub(crate) async fn run(call: &Call<'_>) -> i32 {
    let ran = match call.name {
        "echo" | "printf" | "seq" | "yes" | "date" | "true" | "false" | "basename" | "dirname" => {
            print::run(call).await
        }
        "head" | "tail" | "grep" | "egrep" | "wc" | "sort" | "uniq" | "cut" | "tr" | "tee" | "tac" | "rev"
        | "sha256sum" => text::run(call).await,
        "sed" | "awk" => program::run(call).await,
        "cat" | "ls" | "touch" | "mkdir" | "rmdir" | "rm" | "cp" | "mv" | "ln" | "stat" | "du" | "chmod" | "chown"
        | "mktemp" | "realpath" | "find" => files::run(call).await,
        "ps" | "kill" | "pkill" | "pgrep" | "sleep" | "sync" => process::run(call).await,
        "systemctl" | "journalctl" | "dmesg" | "logger" => service::run(call).await,
        "dnf" | "yum" | "rpm" | "reboot" | "shutdown" | "poweroff" | "needs-restarting" => packages::run(call).await,
        "sinfo" | "squeue" | "scontrol" | "scancel" => slurm::run(call).await,
        "unixcat" => livestatus::run(call).await,
        "pdsh" => parallel::run(call).await,
        _ => system::run(call).await,
    };
    // 141 is what a shell reports for a command that SIGPIPE ended.
    ran.unwrap_or(141)
}

/// The bytes of a file of the node, also of those that are made when they are read.
pub(crate) fn read_file(machine: &Machine, path: &str) -> Result<Vec<u8>, FileError> {
    match content::live(machine, path) {
        Some(text) => Ok(text.into_bytes()),
        None => machine.files(|files| files.read(path)),
    }
}

/// A duration as `sleep` and `timeout` take it.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    if text == "infinity" || text == "inf" {
        return Some(Duration::from_secs(u64::from(u32::MAX)));
    }
    let (number, unit) = match text.char_indices().last()? {
        (at, 's') => (&text[..at], 1.0),
        (at, 'm') => (&text[..at], 60.0),
        (at, 'h') => (&text[..at], 3_600.0),
        (at, 'd') => (&text[..at], 86_400.0),
        _ => (text, 1.0),
    };
    let seconds: f64 = number.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then(|| Duration::from_secs_f64((seconds * unit).min(f64::from(u32::MAX))))
}

impl Call<'_> {
    async fn out(&self, text: impl Into<Bytes>) -> Result<(), Closed> {
        self.streams.out.write(text).await
    }

    /// Prints to standard output and ends with 0.
    async fn print(&self, text: impl Into<Bytes>) -> Ran {
        self.out(text).await?;
        Ok(0)
    }

    /// Says a problem with the tool's name before it, and ends with a code.
    async fn fail(&self, code: i32, problem: &str) -> Ran {
        let _ = self.streams.err.write(format!("{}: {problem}\n", self.name)).await;
        Ok(code)
    }

    fn path(&self, path: &str) -> String {
        absolute(self.directory, path)
    }

    /// Whether a flag is given, as `-x` or among others in `-axy`.
    fn has(&self, flag: char) -> bool {
        let flags = self.arguments.iter().take_while(|argument| *argument != "--");
        flags
            .filter(|argument| argument.starts_with('-') && !argument.starts_with("--"))
            .any(|argument| argument[1..].contains(flag))
    }

    fn has_long(&self, flag: &str) -> bool {
        self.arguments.iter().any(|argument| argument == flag)
    }

    /// Arguments that are no flags.
    fn operands(&self) -> Vec<&str> {
        let mut only = false;
        let mut operands = Vec::new();
        for argument in self.arguments {
            if !only && argument == "--" {
                only = true;
            } else if only || argument == "-" || !argument.starts_with('-') {
                operands.push(argument.as_str());
            }
        }
        operands
    }

    /// All of standard input; none when it is too much to hold, which has been said.
    async fn held_input(&self) -> Option<Vec<u8>> {
        let held = self.streams.input.rest().await;
        if held.is_none() {
            let _ = self.fail(1, "memory exhausted on this sandbox node").await;
        }
        held
    }

    /// What is in the operands' files, or on standard input when there are none; false after a problem that was said.
    async fn input(&self, files: &[&str]) -> (Vec<u8>, bool) {
        let mut data = Vec::new();
        let mut fine = true;
        let inputs = if files.is_empty() { &["-"] } else { files };
        for file in inputs {
            if *file == "-" {
                match self.held_input().await {
                    Some(held) => data.extend(held),
                    None => fine = false,
                }
                continue;
            }
            match read_file(self.machine, &self.path(file)) {
                Ok(read) => data.extend(read),
                Err(error) => {
                    fine = false;
                    let _ = self.fail(1, &format!("{file}: {error}")).await;
                }
            }
        }
        (data, fine)
    }
}
