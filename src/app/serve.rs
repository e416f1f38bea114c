//! The bot as a service: signals in, the service manager told.
//!
//! **A command that has the store until it is done is waited for**, since such a command is the bot for as long as no other is there; another bot that has it is an error.
//!
//! SIGTERM and SIGINT stop it in good order, a second one at once; SIGHUP has it read configuration and packs again. The manager hears when the
//! bot is ready, a sentence on how it is, and signs of life for as long as the loop proves that it turns.

use super::engine::{ENDING, Engine, EngineOptions};
use super::in_runtime;
use super::reload::Read;
use crate::adapters::systemd::Notifier;
use crate::config::{Config, Environment};
use crate::runtime::metrics::Metrics;
use crate::runtime::ports::StoreError;
use crate::runtime::pulse;
use anyhow::bail;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep};

/// How often the manager hears how the bot is, unless its watchdog wants to hear more often.
const TELL: Duration = Duration::from_secs(5);

/// How long a command that has the store is waited for.
const HANDOVER: Duration = Duration::from_mins(5);
/// How long whoever has the store may take to note who they are.
const INTRODUCTION: Duration = Duration::from_millis(300);
/// How often it is tried again.
const TRY: Duration = Duration::from_millis(100);
/// How much time the manager is asked for while it is waited, the opening of the store included.
const LONGER: Duration = Duration::from_mins(2);

/// Runs the bot until it is told to stop.
///
/// # Errors
/// When it cannot start, has to end, or was not left the time to end in good order.
pub fn serve(config: Config, read: Read, environment: &Environment) -> anyhow::Result<()> {
    let notifier = Notifier::new(environment);
    in_runtime(async move {
        let mut signals = Signals::new()?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut engine = tokio::select! {
            started = start(&config, &read, &notifier) => started?,
            () = signals.stop() => {
                tracing::info!("told to stop before it had started");
                return Ok(());
            }
        };
        let metrics = engine.metrics();
        let often = notifier.watchdog().map_or(TELL, |watchdog| TELL.min(watchdog / 3));
        let mut ticks = tokio::time::interval(often);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        notifier.ready();
        // What is read may be on a file system that does not answer: the bot is stopped and gives signs of life all the same. A signal that
        // comes meanwhile has everything read once more.
        let mut reload = None;
        loop {
            tokio::select! {
                () = signals.stop() => break,
                _ = hangup.recv(), if reload.is_none() => {
                    tracing::info!("SIGHUP: configuration and packs are read again");
                    notifier.reloading();
                    reload = Some(Box::pin(engine.reload()));
                }
                () = async { reload.as_mut().expect("it goes on").await }, if reload.is_some() => {
                    reload = None;
                    notifier.ready();
                }
                ended = engine.ended() => return ended,
                _ = ticks.tick() => tell(&notifier, &metrics, ""),
            }
        }
        let grace = engine.grace();
        tracing::info!(grace = grace.as_secs(), "stopping: nothing new is taken; running executions have their grace");
        notifier.stopping(grace + ENDING);
        let mut stopping = std::pin::pin!(engine.stop());
        loop {
            tokio::select! {
                ended = &mut stopping => return ended,
                () = signals.stop() => {
                    bail!("told twice to stop, so it ended at once; what ran is looked at by the next start")
                }
                _ = ticks.tick() => tell(&notifier, &metrics, "stopping; "),
            }
        }
    })
}

/// Starts the bot once the store is free.
async fn start(config: &Config, read: &Read, notifier: &Notifier) -> anyhow::Result<Engine> {
    let began = Instant::now();
    let (mut said, mut due) = (String::new(), began);
    loop {
        let refused = match Engine::start_reading(config, EngineOptions::default(), read.clone()).await {
            Ok(engine) => return Ok(engine),
            Err(refused) => refused,
        };
        let Some(StoreError::InUse { holder, brief, .. }) = refused.downcast_ref() else { return Err(refused) };
        if began.elapsed() >= if *brief { HANDOVER } else { INTRODUCTION } {
            return Err(refused);
        }
        let now = Instant::now();
        if *brief && (now >= due || said != *holder) {
            let longest = HANDOVER.as_secs();
            if said != *holder {
                tracing::warn!("the store is in use by another process{holder}; waiting for it, {longest} s at most");
            }
            notifier.starting(LONGER, &format!("waiting for the store, which another process has{holder}"));
            (said, due) = (holder.clone(), now + TELL);
        }
        sleep(TRY).await;
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn tell(notifier: &Notifier, metrics: &Metrics, before: &str) {
    let (running, waiting, connected) = metrics.glance();
    let chat = if connected { "connected to the chat" } else { "no connection to the chat" };
    notifier.status(&format!("{before}{chat}; {running} running, {waiting} waiting to be said"));
    let silent = metrics.silent_for();
    if silent < notifier.watchdog().map_or(pulse::STUCK, |watchdog| pulse::STUCK.min(watchdog / 2)) {
        notifier.alive();
    } else {
        tracing::error!(seconds = silent.as_secs(), "the loop does not turn");
    }
}
