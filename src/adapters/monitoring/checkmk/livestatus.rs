//! Forcing a check over Livestatus. Commands are lines to which nothing is answered; what came of them is read over REST.
//!
//! - **A name never ends a command**: what holds a semicolon or a control character is refused before.
//! - Services of CheckMK have no check of their own: the host's service `Check_MK` looks at all of them.

use crate::core::action::reason::Reason;
use crate::core::alert::order::Target;
use crate::runtime::ports::MonitoringError;
use jiff::Timestamp;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::Command;

/// How long it may take to hand a command over.
const PATIENCE: Duration = Duration::from_secs(15);
/// How much of what a program complains about is told.
const LONGEST_WORDS: u64 = 300;

/// The way to Livestatus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Livestatus {
    /// A host and a port, in clear: for a way that is protected otherwise.
    Tcp(String),
    /// A socket of this machine.
    Unix(PathBuf),
    /// A program that hands its input on, such as `ssh site@mon lq`.
    Command(Vec<String>),
}

impl Livestatus {
    /// Has a host and its services looked at now.
    pub(super) async fn force_check(&self, about: &Target, now: Timestamp) -> Result<(), MonitoringError> {
        let host = &about.host;
        if host.chars().any(|letter| letter.is_control() || letter == ';') {
            return Err(MonitoringError::Refused { why: Reason::NotWatched.to_string() });
        }
        let at = now.as_second();
        let mut text = format!("COMMAND [{at}] SCHEDULE_FORCED_SVC_CHECK;{host};Check_MK;{at}\n\n");
        if about.service.is_none() {
            text = format!("COMMAND [{at}] SCHEDULE_FORCED_HOST_CHECK;{host};{at}\n\n{text}");
        }
        let sent = tokio::time::timeout(PATIENCE, self.send(&text)).await;
        sent.unwrap_or_else(|_| Err(Reason::NoAnswer { seconds: PATIENCE.as_secs() }.to_string()))
            .map_err(|why| MonitoringError::Later { why })
    }

    async fn send(&self, text: &str) -> Result<(), String> {
        let told = |error: std::io::Error| error.to_string();
        match self {
            Livestatus::Tcp(address) => {
                let (reading, writing) = TcpStream::connect(address).await.map_err(told)?.into_split();
                hand_over(reading, writing, text).await.map_err(told)
            }
            Livestatus::Unix(path) => {
                let (reading, writing) = UnixStream::connect(path).await.map_err(told)?.into_split();
                hand_over(reading, writing, text).await.map_err(told)
            }
            Livestatus::Command(words) => hand_to(words, text).await,
        }
    }
}

/// Writes, and waits until the other side has read all of it: it hangs up at the end of what it reads.
async fn hand_over(
    mut reading: impl AsyncRead + Unpin,
    mut writing: impl AsyncWrite + Unpin,
    text: &str,
) -> std::io::Result<()> {
    writing.write_all(text.as_bytes()).await?;
    writing.shutdown().await?;
    let mut rest = [0; 256];
    while reading.read(&mut rest).await? > 0 {}
    Ok(())
}

/// Starts a program and gives it a text. Nothing of it is read by a shell of this machine.
async fn hand_to(words: &[String], text: &str) -> Result<(), String> {
    let (program, arguments) = words.split_first().ok_or_else(|| Reason::NothingToStart.to_string())?;
    let started = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut process = started.map_err(|error| Reason::NoProgram { program, why: &error.to_string() }.to_string())?;
    if let Some(mut input) = process.stdin.take() {
        // A program that does not read says why by its end.
        let _ = input.write_all(text.as_bytes()).await;
    }
    let mut complaint = String::new();
    if let Some(errors) = process.stderr.take() {
        let _ = errors.take(LONGEST_WORDS).read_to_string(&mut complaint).await;
    }
    let ended = process.wait().await.map_err(|error| Reason::NotWaitedFor { why: &error.to_string() }.to_string())?;
    match ended.success() {
        true => Ok(()),
        false => Err(Reason::LivestatusUnsound { why: &format!("{ended}: {}", complaint.trim()) }.to_string()),
    }
}
