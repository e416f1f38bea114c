//! # Remote commands over OpenSSH
//!
//! A run goes through these files from top to bottom:
//!
//! - [`fanout`]: one run on many hosts, all at once, each with its own deadlines;
//! - [`pool`]: one connection for each (host, user, port, way there), kept warm by an ssh master process;
//! - [`master`]: how that process is started, and how those of an earlier process of ours are found and closed;
//! - [`session`]: one command on one host from start to end, its kill and its question;
//! - [`reason`]: what ssh says when it fails, in plain words;
//! - `examine.rs`: what ssh and a node agree on, for `halcyon doctor`.
//!
//! The program `ssh` makes the connections, so that the site's ssh_config means what it always means (keys, agents, Kerberos, jump hosts, key
//! exchange: where a node offers `curve25519-sha256`, preferring it costs a sixth of Debian 12's default). Commands then go over the master's
//! socket by the `openssh` crate without a process each. The masters are started here and not by the crate because the crate cannot end one
//! that hangs in its login.
//!
//! What this way of running commands cannot do: there is **no terminal** on the far side (a `sudo` with `requiretty` refuses, and says so),
//! **no passphrase and no password login** (`BatchMode`: keys, agents and Kerberos only), and the login shell must be a POSIX shell.
//!
//! Invariants:
//!
//! - **A host key that is not known is never accepted in silence.**
//! - **A command runs at most once.** Another try is made only while the script has surely not been sent; of what was lost
//!   later the host itself is asked ([`crate::runtime::attend`]), also for a process before this one.
//! - **A host that hangs delays nobody**: it keeps its place in the queue of connections only while it has work to do on this machine, and
//!   fails by its own deadline.
//! - **No process of ours outlives its use**: masters are closed at the end, those of a killed predecessor at the start, and what escapes
//!   both ends itself when it has been idle for a while.

mod examine;
mod fanout;
mod master;
mod pool;
pub mod reason;
mod session;

pub use examine::{Agreement, agreement};
pub use fanout::SshRunner;

use std::path::PathBuf;
use std::time::Duration;

/// How remote commands are run.
#[derive(Debug, Clone)]
pub struct SshOptions {
    /// The ssh_config to use; ssh's own files when absent.
    pub config_file: Option<PathBuf>,
    /// Where the sockets of the masters live. Made when missing, for us alone. The path must be short: a socket's name has to fit.
    pub control_dir: PathBuf,
    /// Whether unknown host keys are refused.
    pub host_keys: HostKeys,
    /// The file of known host keys, where it is not ssh_config that says it.
    pub known_hosts_file: Option<PathBuf>,
    /// How long connecting and logging in may take on one host.
    pub connect_timeout: Duration,
    /// On how many hosts one run works at the same time.
    pub max_parallel: usize,
    /// How many connections are made at the same time, all runs together.
    pub max_connecting: usize,
    /// How many bytes of output are kept of one host's command.
    pub output_limit: u64,
    /// After how long without use a connection is closed.
    pub idle: Duration,
    /// How long a host that does not answer is asked what became of a command. It may be starting anew.
    pub patience: Duration,
}

impl SshOptions {
    /// The usual options with a directory for the sockets.
    pub fn new(control_dir: impl Into<PathBuf>) -> Self {
        Self {
            config_file: None,
            control_dir: control_dir.into(),
            host_keys: HostKeys::Strict,
            known_hosts_file: None,
            connect_timeout: Duration::from_secs(10),
            max_parallel: 64,
            max_connecting: 32,
            output_limit: 10 * 1024 * 1024,
            idle: Duration::from_mins(30),
            patience: Duration::from_mins(10),
        }
    }
}

/// What is done about a host key that is not in the list. One that has changed is refused in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKeys {
    /// It is refused.
    Strict,
    /// The first key that a host shows is believed and kept.
    AcceptNew,
}

/// Why no remote command can be run at all.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// The operating system refused.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Sockets have short names.
    #[error("the control directory {path} has too long a name for sockets: {length} characters, at most {most}")]
    TooLong {
        /// The directory.
        path: PathBuf,
        /// The length of its name.
        length: usize,
        /// The most it may have.
        most: usize,
    },
    /// Others could put sockets there.
    #[error(
        "the control directory {path} belongs to somebody else or is open to others (it must be ours, with mode 0700)"
    )]
    NotOurs {
        /// The directory.
        path: PathBuf,
    },
}
