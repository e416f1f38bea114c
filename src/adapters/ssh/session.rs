//! One command on one host, from its start to its end.

use super::master::Way;
use super::pool::{Link, Pool};
use crate::core::action::reason::Reason;
use crate::core::action::run::{Captured, Exit, HostOutcome, Parting, RemoteCommand, RemoteHost};
use crate::core::action::wrapper::{self, Killed, Report, Verb};
use crate::core::id::{ExecutionId, Host};
use crate::runtime::attend::{Asked, Attended, Terms, attend};
use crate::runtime::capture::{Allowance, Live, Stream};
use crate::runtime::ports::Blobs;
use crate::runtime::watch::{Limits, watch};
use openssh::{Child, ChildStdin, Session, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// How long a question to the wrapper may take. A kill takes longest: two seconds of grace, three for the kernel.
const ASKING: Duration = Duration::from_secs(15);

/// The longest answer of the wrapper that is read.
const LONGEST_ANSWER: u64 = 2000;

/// One host's share of a run.
pub(super) struct HostCommand<'a> {
    pub(super) pool: &'a Pool,
    pub(super) execution: &'a ExecutionId,
    pub(super) machine: &'a RemoteHost,
    pub(super) command: &'a RemoteCommand,
    /// Which try this is; every one has an id of its own on the host.
    pub(super) attempt: u32,
}

/// What all hosts of a run have in common.
pub(super) struct Surroundings<'a> {
    pub(super) blobs: &'a dyn Blobs,
    pub(super) live: &'a Live,
    pub(super) slots: &'a Semaphore,
    pub(super) cancel: &'a CancellationToken,
}

/// What the far side said about the end.
enum End {
    Code(i32),
    Lost(String),
}

/// A wrapper that waits for its script.
struct Open<'a> {
    link: Arc<Link>,
    child: Child<Arc<Session>>,
    input: ChildStdin,
    _places: (SemaphorePermit<'a>, OwnedSemaphorePermit),
}

/// What the wrapper answered to a question.
struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

impl HostCommand<'_> {
    fn host(&self) -> &Host {
        &self.machine.host
    }

    fn id(&self) -> String {
        wrapper::node_id(self.execution, self.host(), self.attempt)
    }

    fn way(&self) -> Way {
        Way::new(self.host(), self.machine.port, self.command)
    }

    /// Carries the command out. `started` is awaited once the command is on its way.
    /// The second of the pair is whether the host was asked in vain, so that the command may be run again.
    pub(super) async fn carry_out(
        &self,
        around: &Surroundings<'_>,
        started: impl AsyncFnOnce(),
    ) -> (HostOutcome, bool) {
        let began = Instant::now();
        let opened = tokio::select! {
            () = around.cancel.cancelled() => return (not_started(Exit::Canceled, began), false),
            // In boxes of their own: most hosts of a wide run wait for their turn, and a task is as large as the largest thing it may do.
            opened = Box::pin(self.open(around.slots)) => opened,
        };
        match opened {
            Ok(open) => {
                started().await;
                let asked = Instant::now();
                let outcome = Box::pin(self.watch(open, around)).await;
                let reboots = self.command.command.parting == Parting::Reboots;
                let why = match &outcome.exit {
                    Exit::Unknown { why } => Some(why.clone()),
                    // The command has been heard of to its end, the machine has not.
                    Exit::Code { code: 0 } if reboots => None,
                    _ => return (outcome, false),
                };
                // Its connection and its places are given back; the host knows.
                tracing::info!(host = %self.host(), ?why, "the host is asked what became of a command");
                let attended = Box::pin(self.attend(asked.elapsed(), around.cancel, async || {})).await;
                let exit = match (attended.exit, why) {
                    (Exit::Unknown { why: then }, Some(why)) => Exit::Unknown { why: format!("{why}; {then}") },
                    (exit, _) => exit,
                };
                (HostOutcome { exit, seconds: began.elapsed().as_secs_f64(), ..outcome }, attended.lost)
            }
            Err(why) => (not_started(Exit::Unreachable { why }, began), false),
        }
    }

    /// Asks the host what has become of a command that was asked for so long ago, until that is known.
    pub(super) async fn attend(&self, ago: Duration, cancel: &CancellationToken, seen: impl AsyncFnOnce()) -> Attended {
        let terms = Terms::of(&self.command.command, ago, self.pool.options.patience, cancel);
        attend(self, &terms, seen).await
    }

    /// Gets a connection, a place, and a wrapper at the far end that waits for its script. Nothing has run when this fails, so a
    /// connection that turns out to be dead can be replaced; once.
    async fn open<'p>(&self, slots: &'p Semaphore) -> Result<Open<'p>, String> {
        let way = self.way();
        let mut link = Box::pin(self.pool.link(&way, self.command, None)).await.map_err(|failure| failure.why)?;
        let slot = slots.acquire().await.map_err(|_| Reason::RunOver.to_string())?;
        let mut replaced = false;
        loop {
            let place =
                Arc::clone(&link.commands).acquire_owned().await.map_err(|_| Reason::ConnectionClosed.to_string())?;
            match self.begin(&link, Verb::of(&self.command.command)).await {
                Ok((child, input)) => return Ok(Open { link, child, input, _places: (slot, place) }),
                Err(why) if replaced => return Err(why),
                Err(why) => tracing::debug!(host = %self.host(), %why, "a connection is replaced"),
            }
            drop(place);
            link = Box::pin(self.pool.link(&way, self.command, Some(&link))).await.map_err(|failure| failure.why)?;
            replaced = true;
        }
    }

    /// Starts the wrapper over a connection.
    async fn begin(&self, link: &Link, verb: Verb) -> Result<(Child<Arc<Session>>, ChildStdin), String> {
        let line = wrapper::line(verb, &self.id(), &self.command.command);
        let mut request = Session::to_raw_command(Arc::clone(&link.master.session), line);
        request.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let patience = self.pool.options.connect_timeout;
        let silent = |_| Reason::Silent { seconds: patience.as_secs() }.to_string();
        let mut child = timeout(patience, request.spawn()).await.map_err(silent)?.map_err(|error| in_words(&error))?;
        let input = child.stdin().take().ok_or_else(|| Reason::NoInput.to_string())?;
        Ok((child, input))
    }

    /// From the script's going out to the outcome.
    async fn watch(&self, open: Open<'_>, around: &Surroundings<'_>) -> HostOutcome {
        let began = Instant::now();
        let Open { link, mut child, input, _places } = open;
        let (stdout, stderr) = (child.stdout().take(), child.stderr().take());
        let allowance = Allowance::new(self.pool.options.output_limit);
        let stream = Stream { host: self.host(), blobs: around.blobs, allowance: &allowance, live: around.live };
        let abandoned = CancellationToken::new();
        let sent = AtomicBool::new(false);
        // The end is asked for after the output has ended: the crate closes the channel when it hears of the end, and what is still on
        // its way would be lost. The wrapper sees to it that the output does end.
        let hearing = async {
            let (stdout, stderr) = tokio::join!(read(&stream, stdout, &abandoned), read(&stream, stderr, &abandoned));
            let end = tokio::select! {
                end = end_of(child) => end,
                () = abandoned.cancelled() => End::Lost(Reason::DidNotEnd.to_string()),
            };
            (end, stdout, stderr)
        };
        let sending = async {
            tokio::select! {
                () = self.send(Verb::of(&self.command.command), input, &sent) => {}
                () = abandoned.cancelled() => {}
            }
        };
        let work = async { tokio::join!(hearing, sending).0 };
        let limits = Limits { timeout: self.command.command.timeout, cancel: around.cancel };
        let kill = async { Box::pin(self.kill_over(Some(&link))).await };
        let ((end, stdout, stderr), stopped) = watch(work, kill, &abandoned, &limits).await;
        let exit = stopped.unwrap_or_else(|| self.exit_of(end, &stderr, sent.load(Ordering::Relaxed), &link));
        HostOutcome { exit, stdout, stderr, seconds: began.elapsed().as_secs_f64() }
    }

    /// Sends what the wrapper is to read. `sent` is set before the last bytes go: without them it runs nothing.
    async fn send(&self, verb: Verb, mut to: ChildStdin, sent: &AtomicBool) {
        let id = self.id();
        // It was composed once before the run began; what is wrong with it has been said there.
        let Ok(input) = wrapper::input(verb, &id, &self.command.command) else { return };
        let bytes = input.reveal().as_bytes();
        let (most, last) = bytes.split_at(bytes.len().saturating_sub(2));
        // Whoever closes this early says why by an exit code.
        if to.write_all(most).await.is_ok() {
            sent.store(true, Ordering::Relaxed);
            let _ = to.write_all(last).await;
        }
    }

    fn exit_of(&self, end: End, stderr: &Captured, sent: bool, link: &Link) -> Exit {
        match end {
            End::Code(code) => wrapper::exit(code, stderr),
            End::Lost(how) => {
                let how = link.master.why_lost().unwrap_or(how);
                if sent && self.command.command.parting == Parting::Leaves {
                    Exit::Left
                } else if sent {
                    Exit::Unknown { why: Reason::LostRunning { how: &how }.to_string() }
                } else {
                    Exit::Unreachable { why: Reason::LostBefore { how: &how }.to_string() }
                }
            }
        }
    }

    /// Ends the command's process group, over the same connection where that still stands.
    async fn kill_over(&self, link: Option<&Arc<Link>>) -> Result<Killed, String> {
        let Answer { code, stderr, .. } = self.ask(Verb::Kill, link).await?;
        wrapper::killed(code, &stderr)
    }

    async fn ask(&self, verb: Verb, link: Option<&Arc<Link>>) -> Result<Answer, String> {
        let asking = async {
            let way = self.way();
            let link = match link {
                Some(link) => Arc::clone(link),
                None => Box::pin(self.pool.link(&way, self.command, None)).await.map_err(|failure| failure.why)?,
            };
            let (mut child, input) = match self.begin(&link, verb).await {
                Ok(begun) => begun,
                Err(_) => {
                    let fresh = Box::pin(self.pool.link(&way, self.command, Some(&link))).await;
                    let fresh = fresh.map_err(|failure| failure.why)?;
                    self.begin(&fresh, verb).await?
                }
            };
            let (stdout, stderr) = (child.stdout().take(), child.stderr().take());
            let sent = AtomicBool::new(false);
            let (stdout, stderr, ()) = tokio::join!(answer(stdout), answer(stderr), self.send(verb, input, &sent));
            match end_of(child).await {
                End::Code(code) => Ok(Answer { code, stdout, stderr }),
                End::Lost(how) => Err(how),
            }
        };
        timeout(ASKING, asking)
            .await
            .unwrap_or_else(|_| Err(Reason::NoAnswer { seconds: ASKING.as_secs() }.to_string()))
    }
}

impl Asked for HostCommand<'_> {
    async fn status(&self) -> Result<Report, String> {
        let Answer { code, stdout, stderr } = self.ask(Verb::Status, None).await?;
        let said = || format!("{} {}", stdout.trim(), stderr.trim());
        Report::parse(&stdout).ok_or_else(|| Reason::NotUnderstood { code, said: said().trim() }.to_string())
    }

    async fn kill(&self) -> Result<Killed, String> {
        self.kill_over(None).await
    }
}

async fn end_of(child: Child<Arc<Session>>) -> End {
    match child.wait().await {
        Ok(status) => status.code().map_or_else(|| End::Lost(Reason::NoCode.to_string()), End::Code),
        // The crate's way to say 127.
        Err(openssh::Error::Remote(_)) => End::Code(127),
        Err(error) => End::Lost(in_words(&error)),
    }
}

async fn read(stream: &Stream<'_>, from: Option<impl AsyncRead>, abandoned: &CancellationToken) -> Captured {
    match from {
        Some(from) => stream.read(from, abandoned).await,
        None => Captured::empty(),
    }
}

async fn answer(from: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        // Half an answer is not understood, and that is said.
        let _ = from.take(LONGEST_ANSWER).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn not_started(exit: Exit, began: Instant) -> HostOutcome {
    let seconds = began.elapsed().as_secs_f64();
    HostOutcome { exit, stdout: Captured::empty(), stderr: Captured::empty(), seconds }
}

/// An error of the connection, with its cause.
fn in_words(error: &openssh::Error) -> String {
    match error {
        openssh::Error::Disconnected => Reason::ConnectionGone.to_string(),
        openssh::Error::RemoteProcessTerminated => Reason::HungUp.to_string(),
        other => {
            let cause = std::error::Error::source(other).map(|cause| format!(": {cause}"));
            format!("{other}{}", cause.unwrap_or_default())
        }
    }
}
