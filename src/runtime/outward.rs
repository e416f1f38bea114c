//! Work that is no command: a question to a server outside, of which there is one outcome, under the name of the bot's own machine.

use crate::core::action::execution::LOCALHOST;
use crate::core::action::reason::Reason;
use crate::core::action::run::{Attach, Captured, Exit, HostOutcome, RunNews};
use crate::core::id::Host;
use crate::runtime::capture::Live;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Carries `work` out, tells how it goes, and lets go of it when it is cancelled: what it had asked for by then may be done all the same.
pub async fn carry_out<F: Future<Output = HostOutcome>>(
    work: impl FnOnce(Host) -> F,
    live: &Live,
    news: &mpsc::Sender<RunNews>,
    cancel: &CancellationToken,
) {
    let host = Host::new(LOCALHOST);
    let began = Instant::now();
    // A receiver that is gone does not stop the work.
    let _ = news.send(RunNews::HostStarted { host: host.clone() }).await;
    let outcome = tokio::select! {
        outcome = work(host.clone()) => outcome,
        () = cancel.cancelled() => silent(Exit::Canceled, began.elapsed().as_secs_f64()),
        never = live.report(news) => match never {},
    };
    let _ = news.send(RunNews::HostFinished { host, outcome: Box::new(outcome) }).await;
    let _ = news.send(RunNews::Finished { error: None }).await;
}

/// Tells of work that a process before this one had begun: nobody can be asked about it.
pub async fn lost(attach: &Attach, news: &mpsc::Sender<RunNews>) {
    for (host, begun) in &attach.begun {
        let exit = Exit::Unknown { why: Reason::AnswerNotAwaited.to_string() };
        let outcome = Box::new(silent(exit, begun.ago.as_secs_f64()));
        let _ = news.send(RunNews::HostLost { host: host.clone(), outcome }).await;
    }
    let _ = news.send(RunNews::Finished { error: None }).await;
}

/// Tells that the work was given to the wrong runner.
pub async fn misled(news: &mpsc::Sender<RunNews>) {
    let error = Some(Reason::WrongRunner.to_string());
    let _ = news.send(RunNews::Finished { error }).await;
}

fn silent(exit: Exit, seconds: f64) -> HostOutcome {
    HostOutcome { exit, stdout: Captured::empty(), stderr: Captured::empty(), seconds }
}
