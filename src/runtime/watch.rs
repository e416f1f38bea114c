//! A command being watched to its end, whether it comes to it by itself or is stopped. Every runner uses it.

use crate::core::action::reason::Reason;
use crate::core::action::run::Exit;
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long a killed command's last output is waited for.
const LAST_WORDS: Duration = Duration::from_secs(4);

/// What ends a command before it ends by itself.
#[derive(Debug)]
pub struct Limits<'a> {
    /// How long it may take.
    pub timeout: Duration,
    /// Fires when somebody wants it to end.
    pub cancel: &'a CancellationToken,
}

/// Waits for `work`, the command's end with its output. When a limit comes first, `kill` is carried out while the output is read on; when
/// nobody can be sure that the command is dead, `abandoned` is fired, on which `work` has to end. The way it was stopped comes with the
/// result, nothing when it was not.
pub async fn watch<T, K>(
    work: impl Future<Output = T>,
    kill: impl Future<Output = Result<K, String>>,
    abandoned: &CancellationToken,
    limits: &Limits<'_>,
) -> (T, Option<Exit>) {
    let mut work = pin!(work);
    let over = tokio::select! {
        done = &mut work => return (done, None),
        () = tokio::time::sleep(limits.timeout) => true,
        () = limits.cancel.cancelled() => false,
    };
    let mut done = None;
    let mut kill = pin!(kill);
    let killed = loop {
        tokio::select! {
            killed = &mut kill => break killed,
            last = &mut work, if done.is_none() => done = Some(last),
        }
    };
    if done.is_none() && killed.is_ok() {
        done = timeout(LAST_WORDS, &mut work).await.ok();
    }
    let done = match done {
        Some(done) => done,
        None => {
            abandoned.cancel();
            work.await
        }
    };
    let exit = match (killed, over) {
        (Ok(_), true) => Exit::Timeout,
        (Ok(_), false) => Exit::Canceled,
        (Err(why), true) => {
            let seconds = limits.timeout.as_secs_f64();
            Exit::Unknown { why: Reason::NotKilled { seconds, why: &why }.to_string() }
        }
        (Err(why), false) => Exit::Unknown { why: Reason::NotStopped { why: &why }.to_string() },
    };
    (done, Some(exit))
}
