//! # Nagios 4
//!
//! What is asked of Nagios goes into its command pipe, and how things stand is read from its status file (seen with 4.4.6; Naemon has both). On another machine
//! both are reached by a program of the configuration, `["ssh", "nagios@mon01"]`, which runs `dd` and `cat` there; nothing goes through a shell but these words.
//!
//! - **The pipe is opened without waiting.** Where no daemon reads it that is an error at once, and not a wait without end.
//! - **A line is one command**: semicolons, which part its words, and line breaks are taken out of what people say.
//! - **The pipe answers nothing**; the status file shows what was done. One that is not written any more is no news.
//! - Ids of downtimes come from their blocks in that file.

mod status;

use crate::core::action::reason::Reason;
use crate::core::alert::order::{Order, Target, Wanted};
use crate::core::alert::standing::{Reading, Standing};
use crate::runtime::ports::{Monitoring, MonitoringError, Of};
use async_trait::async_trait;
use jiff::Timestamp;
use rustix::fs::OFlags;
use status::Status;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// As much goes into a pipe at once or not at all (`PIPE_BUF`).
const LONGEST_LINE: usize = 4096;
/// More of a status file is not read: some 200,000 services.
const LONGEST_STATUS: u64 = 512 << 20;
/// A status file that is older was left by a daemon that has gone. Nagios writes it every ten seconds unless told otherwise.
const STALE: Duration = Duration::from_secs(300);

/// A Nagios, and the way to it.
#[derive(Debug, Clone)]
pub struct NagiosOptions {
    /// Its name in the configuration.
    pub name: String,
    /// What its problems are told as, empty where it is the only one.
    pub site: String,
    /// Its pipe, `/var/lib/nagios4/rw/nagios.cmd`.
    pub command_file: PathBuf,
    /// Its status file, `/var/lib/nagios4/status.dat`.
    pub status_file: PathBuf,
    /// The program that runs a command there, with its first words; nothing where it is this machine.
    pub by: Vec<String>,
    /// How long a call may take.
    pub timeout: Duration,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// A Nagios.
pub struct Nagios {
    options: NagiosOptions,
}

impl Nagios {
    /// Prepares the way; nothing is asked yet.
    pub fn new(options: NagiosOptions) -> Self {
        Self { options }
    }

    async fn status(&self) -> Result<Status, MonitoringError> {
        let path = &self.options.status_file;
        let bytes = if self.options.by.is_empty() {
            tokio::fs::read(path).await.map_err(|error| unreached(&format!("{}: {error}", path.display())))?
        } else {
            self.there(&["cat", &path.display().to_string()], b"").await?
        };
        let status = Status::read(&String::from_utf8_lossy(&bytes));
        let now = (self.options.now)();
        match status.written {
            None => Err(unreached(&Reason::NoStatus { file: &path.display().to_string() }.to_string())),
            Some(written) if now.duration_since(written).as_secs() > STALE.as_secs().cast_signed() => {
                let seconds = now.duration_since(written).as_secs().unsigned_abs();
                Err(MonitoringError::Later { why: Reason::StatusStale { seconds }.to_string() })
            }
            Some(_) => Ok(status),
        }
    }

    /// Writes a command.
    async fn command(&self, line: &str) -> Result<(), MonitoringError> {
        let at = (self.options.now)().as_second();
        let line = format!("[{at}] {line}\n");
        if line.len() > LONGEST_LINE {
            return Err(MonitoringError::Refused { why: Reason::TooLongForPipe.to_string() });
        }
        if self.options.by.is_empty() {
            let path = self.options.command_file.clone();
            let written = tokio::task::spawn_blocking(move || write(&path, line.as_bytes())).await;
            // Whatever went wrong, nothing was written.
            let refused = |why| MonitoringError::Refused { why };
            return written.unwrap_or_else(|error| Err(error.to_string())).map_err(refused);
        }
        let of = format!("of={}", self.options.command_file.display());
        let words = ["dd", &of, "bs=4096", "iflag=fullblock", "oflag=nonblock", "conv=nocreat,notrunc", "status=none"];
        self.there(&words, line.as_bytes()).await.map(drop)
    }

    /// Runs a command on the machine of Nagios. Gives what it writes.
    async fn there(&self, words: &[&str], input: &[u8]) -> Result<Vec<u8>, MonitoringError> {
        let Some((program, first)) = self.options.by.split_first() else { return Ok(Vec::new()) };
        let mut command = Command::new(program);
        command.args(first).args(words).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let running = async {
            let mut child = command.spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                match stdin.write_all(input).await {
                    // It says itself why it does not read.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
                    written => written?,
                }
            }
            let mut said = Vec::new();
            if let Some(stdout) = child.stdout.take() {
                stdout.take(LONGEST_STATUS).read_to_end(&mut said).await?;
            }
            let output = child.wait_with_output().await?;
            Ok::<_, std::io::Error>((output, said))
        };
        match tokio::time::timeout(self.options.timeout, running).await {
            Err(_) => Err(unreached(&format!("{program}: {} s", self.options.timeout.as_secs()))),
            Ok(Err(error)) => Err(unreached(&format!("{program}: {error}"))),
            Ok(Ok((output, said))) if output.status.success() => Ok(said),
            Ok(Ok((output, _))) => {
                let told = String::from_utf8_lossy(&output.stderr);
                let last = told.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
                Err(unreached(&format!("{program}: {} {last}", output.status)))
            }
        }
    }
}

#[async_trait]
impl Monitoring for Nagios {
    fn name(&self) -> &str {
        &self.options.name
    }

    async fn read(&self, of: &Of) -> Result<Reading, MonitoringError> {
        let asked = (self.options.now)();
        let status = self.status().await?;
        let site = &self.options.site;
        let mut reading =
            Reading { monitoring: self.options.name.clone(), asked, all: false, list: Vec::new(), unknown: Vec::new() };
        match of {
            Of::Open => {
                reading.all = true;
                // What changed since the file was written is newer than this.
                reading.asked = status.written.map_or(asked, |written| written.min(asked));
                reading.list.extend(status.open(site));
            }
            Of::Named(targets) => {
                for target in targets {
                    match status.standing(site, target) {
                        Some(standing) => reading.list.push(standing),
                        None => reading.unknown.push(target.clone()),
                    }
                }
            }
        }
        Ok(reading)
    }

    async fn send(&self, order: &Order, about: &Target, found: &Standing) -> Result<(), MonitoringError> {
        for line in lines(order, about, found, (self.options.now)())? {
            self.command(&line).await?;
        }
        Ok(())
    }
}

/// An order as commands of Nagios.
fn lines(order: &Order, about: &Target, found: &Standing, now: Timestamp) -> Result<Vec<String>, MonitoringError> {
    let kind = if about.service.is_some() { "SVC" } else { "HOST" };
    let name = match &about.service {
        Some(service) => format!("{};{}", word(&about.host), word(service)),
        None => word(&about.host),
    };
    let (who, said) = (word(&order.mark.who), word(&order.signed()));
    Ok(match &order.wanted {
        Wanted::Acknowledge { sticky, notify, .. } => {
            let (sticky, notify) = (if *sticky { 2 } else { 1 }, u8::from(*notify));
            vec![format!("ACKNOWLEDGE_{kind}_PROBLEM;{name};{sticky};{notify};0;{who};{said}")]
        }
        Wanted::RemoveAcknowledgement => vec![format!("REMOVE_{kind}_ACKNOWLEDGEMENT;{name}")],
        Wanted::Downtime { start, end } => {
            let start = start.unwrap_or(now).as_second();
            let (end, length) = (end.as_second(), end.as_second() - start);
            vec![format!("SCHEDULE_{kind}_DOWNTIME;{name};{start};{end};1;0;{length};{who};{said}")]
        }
        Wanted::MoveDowntime { .. } => return Err(MonitoringError::Refused { why: Reason::NoMoving.to_string() }),
        Wanted::RemoveDowntime { .. } => {
            let removed = found.downtimes.iter().filter(|downtime| order.wanted.removes(downtime));
            // One of the host's is the host's, also when a service is asked about.
            let line = |id: &str, covers: bool| {
                let kind = if covers { "HOST" } else { kind };
                format!("DEL_{kind}_DOWNTIME;{}", word(id))
            };
            removed.map(|downtime| line(&downtime.id, downtime.covers)).collect()
        }
        Wanted::Comment => vec![format!("ADD_{kind}_COMMENT;{name};1;{who};{said}")],
        Wanted::Recheck => vec![format!("SCHEDULE_FORCED_{kind}_CHECK;{name};{}", now.as_second())],
        Wanted::Read => Vec::new(),
    })
}

/// A text that stays one word of a command.
fn word(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() || letter == ';' { ' ' } else { letter }).collect()
}

/// Writes into a pipe that somebody reads.
fn write(path: &std::path::Path, line: &[u8]) -> Result<(), String> {
    let told = |error: std::io::Error| match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::NXIO.raw_os_error() => Reason::NobodyReadsPipe.to_string(),
        _ => format!("{}: {error}", path.display()),
    };
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut pipe = std::fs::OpenOptions::new().write(true).custom_flags(flags).open(path).map_err(told)?;
    if !pipe.metadata().map_err(told)?.file_type().is_fifo() {
        return Err(Reason::NoPipe { file: &path.display().to_string() }.to_string());
    }
    // So short a text goes in whole, or not at all.
    pipe.write_all(line).map_err(told)
}

fn unreached(why: &str) -> MonitoringError {
    MonitoringError::Later { why: why.to_owned() }
}
