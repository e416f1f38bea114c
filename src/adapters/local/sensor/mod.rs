//! # Sensors on the bot's own machine
//!
//! A sensor's program runs under a small shell script (`keeper.sh`), as the account of local commands and in their clean environment. Its pipe to
//! the bot is its lifeline: when the bot lets go of it, or is not there any more, the script ends the program's process group, by SIGTERM and after
//! five seconds by SIGKILL.
//!
//! - **Nothing of a sensor outlives the bot**, however the bot ends; what leaves its process group by itself does.
//! - **No line is read before the one before it was taken**, and none is longer than it may be.
//! - **What is written to standard error is kept in its last lines**, and is never waited for.

mod lines;

use super::{LocalRunner, start};
use crate::core::action::reason::Reason;
use crate::core::sensor::{End, Heard, LONGEST_LINE, Launch, News};
use crate::runtime::ports::SensorKeeper;
use async_trait::async_trait;
use lines::{LastLines, Lines};
use std::convert::Infallible;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

const KEEPER: &str = include_str!("keeper.sh");
/// How long after it was let go of a sensor may still be there, before its keeper is killed.
const ENDING: Duration = Duration::from_secs(8);
/// How long what a sensor has written is still read after its end, while nothing comes.
const DRAIN: Duration = Duration::from_millis(500);
/// How long what one has written that was to end may still take to be told.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How often the last lines of standard error are told.
const OFTEN: Duration = Duration::from_secs(1);

#[async_trait]
impl SensorKeeper for LocalRunner {
    async fn keep(&self, launch: Launch, news: mpsc::Sender<News>, stop: CancellationToken) {
        let started = match self.switch().await {
            Ok(switch) => {
                let keeper: Vec<&str> = KEEPER.lines().filter(|line| !line.starts_with('#')).collect();
                let words = ["sh", "-c", &keeper.join("\n"), "halcyon-sensor", &launch.program];
                let words = switch.iter().map(String::as_str).chain(words).map(str::to_owned);
                start(&words.collect::<Vec<_>>())
            }
            Err(why) => Err(why),
        };
        let (end, errors) = match started {
            Ok(child) => follow(child, &launch, &news, &stop).await,
            Err(why) => (End::NotStarted { why }, Vec::new()),
        };
        // Without anybody who listens nothing hangs on it.
        let _ = news.send(News::Ended { end, errors }).await;
    }
}

/// Follows a sensor to its end.
async fn follow(
    mut child: Child,
    launch: &Launch,
    news: &mpsc::Sender<News>,
    stop: &CancellationToken,
) -> (End, Vec<String>) {
    let (lifeline, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (ended, errors) = (CancellationToken::new(), LastLines::default());
    let waiting = async {
        let status = wait(&mut child, lifeline, launch, stop).await;
        ended.cancel();
        status
    };
    let reading = async {
        let Some(stdout) = stdout else { return };
        tokio::select! {
            () = hear(Lines::new(stdout, LONGEST_LINE), news, &ended) => {}
            // Of one that was to end not all that it has still written is waited for.
            () = async { ended.cancelled().await; stop.cancelled().await; sleep(LAST_WORDS).await } => {}
        }
    };
    let complaints = async {
        let Some(stderr) = stderr else { return };
        let mut lines = Lines::new(stderr, LastLines::LONGEST);
        while let Some(line) = until_drained(lines.next(), &ended).await.flatten() {
            errors.add(line);
        }
    };
    let work = async { tokio::join!(waiting, reading, complaints).0 };
    let end = tokio::select! {
        end = work => end,
        never = tell(&errors, news) => match never {},
    };
    (end, errors.all())
}

/// Tells the last lines of standard error whenever there are others.
async fn tell(errors: &LastLines, news: &mpsc::Sender<News>) -> Infallible {
    loop {
        sleep(OFTEN).await;
        if let Some(lines) = errors.news() {
            // Whoever is busy with what it says hears of it the next time.
            if news.try_send(News::Errors(lines)).is_err() {
                errors.again();
            }
        }
    }
}

/// Holds the lifeline until the sensor has ended, or is to.
async fn wait(child: &mut Child, lifeline: Option<ChildStdin>, launch: &Launch, stop: &CancellationToken) -> End {
    let told = async {
        let mut lifeline = lifeline;
        if let Some(lifeline) = &mut lifeline {
            // Whoever does not read this says why by an exit code.
            let _ = lifeline.write_all(format!("{}\n", launch.settings.reveal()).as_bytes()).await;
        }
        std::future::pending::<()>().await;
        drop(lifeline);
    };
    let status = tokio::select! {
        status = child.wait() => Some(status),
        () = stop.cancelled() => None,
        () = told => None,
    };
    let status = match status {
        Some(status) => status,
        None => match timeout(ENDING, child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                if let Some(group) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
                    // One that has just ended is not there to be killed.
                    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
                }
                child.wait().await
            }
        },
    };
    match status {
        Ok(status) => end(status),
        Err(error) => End::NotStarted { why: Reason::NotWaitedFor { why: &error.to_string() }.to_string() },
    }
}

fn end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::of_shell(code),
        (None, signal) => End::Signal(signal.unwrap_or(0)),
    }
}

/// Tells every line. The first one is its process id, and comes from the keeper.
async fn hear<R: AsyncRead + Unpin>(mut lines: Lines<R>, news: &mpsc::Sender<News>, ended: &CancellationToken) {
    let mut began = false;
    while let Some(line) = until_drained(lines.next(), ended).await.flatten() {
        let told = match (&line, began) {
            (Heard::Line(first), false) => match first.parse() {
                Ok(pid) => News::Started { pid },
                // The shell that should have said it could not.
                Err(_) => continue,
            },
            (_, false) => continue,
            (_, true) => News::Said(line),
        };
        began = true;
        if news.send(told).await.is_err() {
            return;
        }
    }
}

/// What is read, until nothing has come for a moment after the end: what the sensor has left behind may hold the pipe open.
async fn until_drained<T>(reading: impl Future<Output = T>, ended: &CancellationToken) -> Option<T> {
    tokio::select! {
        biased;
        read = reading => Some(read),
        () = async { ended.cancelled().await; sleep(DRAIN).await } => None,
    }
}
