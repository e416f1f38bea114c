//! What is asked of a runner and what a runner tells: the words between the core and the adapters that start processes.
//!
//! A run is one execution's command on one machine (`local`) or many (`remote`). The runner streams output into blobs by itself; the
//! core sees counters and a short tail while it runs, and one [`HostOutcome`] a host at the end.

use crate::core::alert::order::Order;
use crate::core::alert::standing::Reading;
use crate::core::id::{BlobId, ExecutionId, Host};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A value that must not be seen: it has no `Display`, its `Debug` is a row of stars, and it is never serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the value into custody.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that uses it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

/// One execution's work, ready to be carried out.
#[derive(Debug, Clone)]
pub struct Run {
    /// The execution that this work belongs to.
    pub execution: ExecutionId,
    /// Where and what.
    pub work: Work,
    /// Which try this is on these hosts: 0 for the first.
    pub attempt: u32,
}

/// A run that was begun before, by this process or one before it: the hosts are asked what has become of it, and it is seen to its end.
#[derive(Debug, Clone)]
pub struct Attach {
    /// The execution that the run belongs to.
    pub execution: ExecutionId,
    /// The hosts to ask and the way there. The script may be empty: it is not sent.
    pub work: Work,
    /// What is known of the run on each of these hosts.
    pub begun: BTreeMap<Host, Begun>,
}

/// What is known of a run that was begun on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// Which try it was.
    pub attempt: u32,
    /// How long ago it was asked for.
    pub ago: Duration,
}

/// Where and what a run does.
#[derive(Debug, Clone)]
pub enum Work {
    /// A command on the bot's own machine, reported under the host name `localhost`.
    Local(ShellCommand),
    /// The same command on many machines, all at once.
    Remote(RemoteCommand),
    /// A question to a web server, reported under the host name `localhost`, which is where it is asked.
    Http(Box<HttpRequest>),
    /// A mail, reported the same way.
    Mail(Box<Letter>),
    /// An order to a monitoring, reported the same way.
    Monitoring(Box<Order>),
}

/// A question to a web server. What may hold a secret is kept as one.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// `GET`, `POST` or another.
    pub method: String,
    /// Where; it may hold a query.
    pub url: Secret,
    /// What is added to the query, in this order.
    pub query: Vec<(String, Secret)>,
    /// Headers, in this order.
    pub headers: Vec<(String, Secret)>,
    /// Name and password for basic authentication.
    pub login: Option<(String, Secret)>,
    /// What is sent.
    pub body: HttpBody,
    /// How long all of it may take.
    pub timeout: Duration,
    /// Whether the server may send us elsewhere.
    pub redirects: bool,
    /// Whether the server's certificate has to be good.
    pub verify: bool,
    /// The proxy for `http`, and that for `https`.
    pub proxies: (Option<String>, Option<String>),
    /// Which hosts may be asked.
    pub hosts: AllowedHosts,
    /// Names of properties of a JSON answer whose values are masked before anything is kept.
    pub secret_output: Vec<String>,
}

/// What goes with a request.
#[derive(Debug, Clone)]
pub enum HttpBody {
    /// Nothing.
    Empty,
    /// A text.
    Text(Secret),
    /// A file in a form of several parts.
    File {
        /// The name of the part, and of the file.
        name: String,
        /// Its content.
        content: Secret,
        /// Its content type; told by nobody where absent.
        kind: Option<String>,
    },
}

/// Which hosts a request may go to, redirects included. Names are in lower case, without port and brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedHosts {
    /// Any.
    All,
    /// Only these.
    Only(Vec<String>),
    /// All but these.
    AllBut(Vec<String>),
}

impl AllowedHosts {
    /// Whether this host may be asked.
    pub fn allow(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_lowercase();
        match self {
            AllowedHosts::All => true,
            AllowedHosts::Only(hosts) => hosts.contains(&host),
            AllowedHosts::AllBut(hosts) => !hosts.contains(&host),
        }
    }
}

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Who writes; the site's own address where absent.
    pub from: Option<String>,
    /// To whom, commas between addresses.
    pub to: String,
    /// What about.
    pub subject: String,
    /// `text/html` or `text/plain`.
    pub content_type: String,
    /// The text.
    pub body: Secret,
    /// How long the server may take.
    pub timeout: Duration,
}

/// What becomes of the connection to a machine when the command there does what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parting {
    /// It stays until the command has ended.
    #[default]
    Stays,
    /// The machine is started anew: that is the end, and it is waited for.
    Reboots,
    /// The machine goes away: that the connection is lost is the end.
    Leaves,
}

impl Parting {
    /// Whether it is the usual.
    pub fn stays(&self) -> bool {
        *self == Parting::Stays
    }
}

/// A shell command with its surroundings. `script` is handed to a shell over standard input and never stands in a process list.
#[derive(Clone)]
pub struct ShellCommand {
    /// The text that the shell runs, templates already rendered.
    pub script: String,
    /// Working directory; the runner's default when absent.
    pub cwd: Option<String>,
    /// Environment added to the command's. Secret values come here too, so it is never printed.
    pub env: BTreeMap<String, Secret>,
    /// Run as root by `sudo -E`.
    pub sudo: bool,
    /// Given to `sudo -S` where sudo asks.
    pub sudo_password: Option<Secret>,
    /// How long the command may take on one host before its process group is killed.
    pub timeout: Duration,
    /// What becomes of the connection.
    pub parting: Parting,
    /// It changes nothing: where nobody can say how it ended, nobody needs to know.
    pub read_only: bool,
}

/// Without the script: a template may have put a secret into it.
impl fmt::Debug for ShellCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { script, cwd, env, sudo, sudo_password, timeout, parting, read_only } = self;
        f.debug_struct("ShellCommand")
            .field("script", &format_args!("{} bytes", script.len()))
            .field("cwd", cwd)
            .field("env", env)
            .field("sudo", sudo)
            .field("sudo_password", sudo_password)
            .field("timeout", timeout)
            .field("parting", parting)
            .field("read_only", read_only)
            .finish()
    }
}

/// A command for many hosts.
#[derive(Debug, Clone)]
pub struct RemoteCommand {
    /// The machines, each once, in the order in which they are shown.
    pub hosts: Vec<RemoteHost>,
    /// What to run there.
    pub command: ShellCommand,
    /// The login name; ssh_config's when absent.
    pub username: Option<String>,
    /// A port for hosts that name none; ssh_config's when absent.
    pub port: Option<u16>,
    /// A jump host (`ssh -J`).
    pub bastion: Option<String>,
    /// A private key: its text, or the path of its file.
    pub private_key: Option<Secret>,
}

/// One machine of a remote command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteHost {
    /// The name under which results are kept (StackStorm keeps the port out of it).
    pub host: Host,
    /// The port written behind the name, `host:22`.
    pub port: Option<u16>,
}

/// What a runner reports. Every run ends with exactly one [`RunNews::Finished`], whatever happened.
#[derive(Debug, Clone)]
pub enum RunNews {
    /// The command has started there (for a remote host: the connection stands).
    HostStarted {
        /// Where.
        host: Host,
    },
    /// How things stand; sent at most twice a second and only when something changed.
    Progress(Progress),
    /// The command has ended there, one way or another. Once for each host.
    HostFinished {
        /// Where.
        host: Host,
        /// How.
        outcome: Box<HostOutcome>,
    },
    /// The host was asked, and knows nothing of the command or not how it ended. It does not run there now and will not start any more, so
    /// that it can be run again. Stands in the place of [`RunNews::HostFinished`]; the exit is [`Exit::NeverBegan`] or [`Exit::Unknown`].
    HostLost {
        /// Where.
        host: Host,
        /// What is known.
        outcome: Box<HostOutcome>,
    },
    /// A monitoring has said how things stand. It may come several times in a run.
    Read(Box<Reading>),
    /// Nothing of this run is left running.
    Finished {
        /// Set when the run as a whole could not be carried out: what happened and what to do.
        error: Option<String>,
    },
}

/// A snapshot of a run in the making. It replaces the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Lines of output so far, all hosts together.
    pub lines: u64,
    /// Bytes of output so far, all hosts together.
    pub bytes: u64,
    /// The newest lines, oldest first, at most twenty, each cut to 500 characters.
    pub tail: Vec<TailLine>,
}

/// One line of live output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailLine {
    /// Where it was written.
    pub host: Host,
    /// The line without its end, invalid UTF-8 replaced, control sequences removed.
    pub text: String,
}

/// How the command ended on one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostOutcome {
    /// The way it ended.
    pub exit: Exit,
    /// Standard output.
    pub stdout: Captured,
    /// Standard error.
    pub stderr: Captured,
    /// Time from the start on that host to its end, in seconds.
    pub seconds: f64,
}

/// The ways a command ends on a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum Exit {
    /// It ran and returned this code (128 + n when signal n ended it, as a shell counts).
    Code {
        /// The code.
        code: i32,
    },
    /// Its time was over; its process group was killed.
    Timeout,
    /// Somebody cancelled it; its process group was killed.
    Canceled,
    /// It was never started there: what happened, in a sentence for people.
    Unreachable {
        /// Name resolution, refused connection, host key, login: said plainly.
        why: String,
    },
    /// It may or may not have run to its end: the connection or the bot itself was lost.
    Unknown {
        /// What is known.
        why: String,
    },
    /// It ran and returned this code, as the machine told afterwards: the connection or the bot itself was lost meanwhile, and with it what
    /// the command wrote from then on.
    Unheard {
        /// The code.
        code: i32,
    },
    /// A web server answered; what it said is the standard output.
    Answered {
        /// The status of the answer.
        status: u16,
        /// Its headers, as the server wrote their names; of two with one name both, with a comma between.
        headers: BTreeMap<String, String>,
    },
    /// The machine was started anew after the command was asked for, which is what this was to do ([`Parting::Reboots`]).
    Rebooted,
    /// The connection was lost after the command had got its script, which is what this was to do ([`Parting::Leaves`]).
    Left,
    /// It was certainly never begun there, and will not be: the connection or the bot itself was lost before.
    NeverBegan {
        /// How that is known.
        why: String,
    },
}

impl Exit {
    /// Whether the command did what was asked.
    pub fn succeeded(&self) -> bool {
        match self {
            Exit::Code { code: 0 } | Exit::Unheard { code: 0 } | Exit::Rebooted | Exit::Left => true,
            Exit::Answered { status, .. } => (200..=206).contains(status),
            _ => false,
        }
    }
}

/// How much of an output is kept inline; longer ones become a blob.
pub const INLINE_OUTPUT: usize = 4096;

/// An output stream as it was kept. Text is UTF-8 with invalid bytes replaced; one trailing newline is stripped as StackStorm does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kept")]
pub enum Captured {
    /// All of it, at most [`INLINE_OUTPUT`] bytes.
    Inline {
        /// The text.
        text: String,
    },
    /// Too long for a fact: the whole is in a blob.
    Blob {
        /// Where the whole is.
        blob: BlobId,
        /// Its length in bytes.
        bytes: u64,
        /// Its lines.
        lines: u64,
        /// The first lines, about 1,500 bytes, whole lines where possible.
        head: String,
        /// The last lines, about 1,500 bytes, whole lines where possible.
        tail: String,
        /// Bytes that were thrown away because the host went over its limit; said wherever the output is shown.
        dropped: u64,
    },
}

impl Captured {
    /// Nothing was written.
    pub fn empty() -> Self {
        Captured::Inline { text: String::new() }
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        matches!(self, Captured::Inline { text } if text.is_empty())
    }
}
