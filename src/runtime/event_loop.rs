//! The loop: many inputs, one flush, then their effects.
//!
//! **Facts of one input are one transaction; the inputs that wait together share one flush.** While the disk works, further inputs gather,
//! so throughput is bounded by flushes and not by inputs.

use crate::core::bot::Bot;
use crate::core::fact::{Dated, Fact};
use crate::core::input::{Event, Input};
use crate::core::memory::{Contradiction, Memory};
use crate::core::settings::Settings;
use crate::runtime::dispatch::Dispatch;
use crate::runtime::ports::{Clock, Store, StoreError};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How many inputs share one flush at most: enough to keep the disk the limit, few enough to bound the memory of one turn.
const MOST_INPUTS: usize = 256;
/// How long to wait before a refused flush is tried again.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// How long the end waits for what was promised to be said, once nothing runs any more.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Why the loop ended.
#[derive(Debug, thiserror::Error)]
pub enum LoopError {
    /// The stored facts could not be read.
    #[error("cannot read what was stored: {0}")]
    Store(#[from] StoreError),
    /// Facts contradict each other: the store is damaged or the program has a bug. Nothing more is done on such ground.
    #[error("the stored facts contradict each other, so nothing more is done: {0}")]
    Contradiction(#[from] Contradiction),
}

/// The loop's way in and the parts it turns.
pub struct EventLoop {
    bot: Bot,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    inputs: mpsc::Receiver<Input>,
    dispatch: Dispatch,
    last: Timestamp,
}

impl EventLoop {
    /// Folds the stored facts and hands the deliveries that are still promised to the outbox.
    ///
    /// # Errors
    /// The store cannot be read, or its facts contradict each other.
    pub async fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        settings: Arc<Settings>,
        inputs: mpsc::Receiver<Input>,
        dispatch: Dispatch,
    ) -> Result<Self, LoopError> {
        let facts = store.replay().await?;
        let mut bot = Bot::remember(&facts, settings)?;
        let last = facts.last().map_or(Timestamp::UNIX_EPOCH, |fact| fact.at).max(clock.now());
        if let Some(name) = bot.introduce(last, clock.entropy())? {
            store.append(vec![name]).await?;
        }
        dispatch.restore(bot.memory(), last);
        Ok(Self { bot, store, clock, inputs, dispatch, last })
    }

    /// What is remembered.
    pub fn memory(&self) -> &Memory {
        self.bot.memory()
    }

    /// Turns until the stop has been asked for, nothing runs any more and everything is said, or `grace` after the stop, or until all senders
    /// are gone.
    ///
    /// # Errors
    /// A decision contradicted what is remembered: a bug of ours. What is on disk is sound; start again.
    pub async fn run(mut self, grace: Duration) -> Result<(), LoopError> {
        let mut batch = Vec::with_capacity(MOST_INPUTS);
        let mut stop_at: Option<tokio::time::Instant> = None;
        loop {
            let deadline = self.sleep_until();
            tokio::select! {
                biased;
                () = until(stop_at), if stop_at.is_some() => break,
                count = self.inputs.recv_many(&mut batch, MOST_INPUTS) => if count == 0 { break },
                () = until(deadline), if deadline.is_some() => batch.push(Input::Deadline),
            }
            if batch.iter().any(|input| matches!(input, Input::Stop)) {
                stop_at = Some(tokio::time::Instant::now() + grace);
            }
            self.turn(&mut batch).await?;
            if let Some(end) = stop_at
                && !self.is_running()
            {
                if !self.dispatch.speaks() || self.bot.memory().unsent.is_empty() {
                    break;
                }
                // What is said now is still noted, so that the next process need not look for it.
                stop_at = Some(end.min(tokio::time::Instant::now() + LAST_WORDS));
            }
        }
        self.dispatch.close();
        Ok(())
    }

    /// Whether something would be lost by ending now. A pause would not: its end is stored.
    fn is_running(&self) -> bool {
        self.bot.memory().executions.values().any(|execution| execution.request.ends_at.is_none())
    }

    /// One turn: decide about every input, make the facts durable, then act.
    async fn turn(&mut self, batch: &mut Vec<Input>) -> Result<(), LoopError> {
        let mut facts: Vec<Dated> = Vec::new();
        let mut effects = Vec::new();
        for input in batch.drain(..) {
            // The wall clock may be set back; what the core sees never is.
            self.last = self.last.max(self.clock.now());
            let event = Event { at: self.last, entropy: self.clock.entropy(), input };
            let step = self.bot.handle(event)?;
            if let Some(Fact::OtherInstanceSeen { name }) = step.facts.iter().map(|dated| &dated.fact).find(is_other) {
                tracing::error!(
                    other = name,
                    "another bot speaks with our account: every line may be run twice; stop one of them"
                );
            }
            facts.extend(step.facts);
            effects.extend(step.effects);
        }
        if !facts.is_empty() {
            self.keep(facts).await;
        }
        for effect in effects {
            self.dispatch.perform(effect);
        }
        Ok(())
    }

    /// Makes facts durable, however long the disk refuses: what was decided is neither lost nor acted on before.
    async fn keep(&self, facts: Vec<Dated>) {
        let mut refused = false;
        while let Err(problem) = self.store.append(facts.clone()).await {
            if !refused {
                tracing::error!(%problem, "the store takes no facts; nothing new is begun until it does");
            }
            refused = true;
            tokio::time::sleep(STORE_RETRY).await;
        }
        if refused {
            tracing::info!("the store takes facts again");
        }
    }

    fn sleep_until(&self) -> Option<tokio::time::Instant> {
        let (at, _why) = self.bot.next_deadline()?;
        let wait = Duration::try_from(at.duration_since(self.clock.now())).unwrap_or_default();
        Some(tokio::time::Instant::now() + wait)
    }
}

fn is_other(fact: &&Fact) -> bool {
    matches!(fact, Fact::OtherInstanceSeen { .. })
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
