//! The loop: many inputs, one flush, then their effects.
//!
//! **Facts of one input are one transaction; the inputs that wait together share one flush.** While the disk works, further inputs gather,
//! so throughput is bounded by flushes and not by inputs.

use crate::core::bot::Bot;
use crate::core::fact::Dated;
use crate::core::input::{Event, Input};
use crate::core::memory::Contradiction;
use crate::core::settings::Settings;
use crate::runtime::dispatch::Dispatch;
use crate::runtime::metrics::Metrics;
use crate::runtime::ports::{Clock, Store, StoreError};
use crate::runtime::story::{Story, Told};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};
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

/// How far the end has come.
#[derive(Clone, Copy)]
enum Phase {
    /// No stop was asked for.
    Turning,
    /// Running executions may go on until then.
    Grace(tokio::time::Instant),
    /// What was promised may be said until then.
    LastWords(tokio::time::Instant),
}

impl Phase {
    fn end(self) -> Option<tokio::time::Instant> {
        match self {
            Phase::Turning => None,
            Phase::Grace(end) | Phase::LastWords(end) => Some(end),
        }
    }
}

/// The loop's way in and the parts it turns.
pub struct EventLoop {
    bot: Bot,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    inputs: mpsc::Receiver<Input>,
    dispatch: Dispatch,
    last: Timestamp,
    metrics: Arc<Metrics>,
    story: Story,
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
        metrics: Arc<Metrics>,
    ) -> Result<Self, LoopError> {
        let facts = store.replay().await?;
        let bot = Bot::remember(&facts, settings)?;
        let last = facts.last().map_or(Timestamp::UNIX_EPOCH, |fact| fact.at);
        dispatch.restore(bot.memory());
        let story = Story::remember(bot.memory());
        Ok(Self { bot, store, clock, inputs, dispatch, last, metrics, story })
    }

    /// Turns until the stop has been asked for, nothing runs any more and everything is said, or until the grace after the stop is over and the
    /// last words are said, or until all senders are gone.
    ///
    /// # Errors
    /// A decision contradicted what is remembered: a bug of ours. What is on disk is sound; start again.
    pub async fn run(mut self) -> Result<(), LoopError> {
        let mut batch = Vec::with_capacity(MOST_INPUTS);
        let mut phase = Phase::Turning;
        loop {
            let deadline = self.sleep_until();
            tokio::select! {
                biased;
                () = until(phase.end()), if phase.end().is_some() => match phase {
                    Phase::Grace(_) => batch.push(Input::GraceOver),
                    Phase::Turning | Phase::LastWords(_) => break,
                },
                count = self.inputs.recv_many(&mut batch, MOST_INPUTS) => if count == 0 { break },
                () = until(deadline), if deadline.is_some() => batch.push(Input::Deadline),
            }
            if matches!(phase, Phase::Turning) && batch.iter().any(|input| matches!(input, Input::Stop)) {
                phase = Phase::Grace(tokio::time::Instant::now() + self.bot.settings().grace);
            }
            let over = batch.iter().any(|input| matches!(input, Input::GraceOver));
            self.turn(&mut batch).await?;
            if matches!(phase, Phase::Grace(_)) && (over || !self.is_running()) {
                // What is said now is still noted, so that the next process need not look for it.
                phase = Phase::LastWords(tokio::time::Instant::now() + LAST_WORDS);
            }
            let said = !self.dispatch.speaks() || self.bot.memory().unsent.is_empty();
            if said && matches!(phase, Phase::LastWords(_)) {
                break;
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
        let (began, count) = (Instant::now(), batch.len());
        let proof = batch.iter().any(|input| matches!(input, Input::Vitals(_)));
        for input in batch.drain(..) {
            self.metrics.input(&input);
            Story::hear(&input);
            // The wall clock may be set back; what the core sees never is.
            self.last = self.last.max(self.clock.now());
            let event = Event { at: self.last, entropy: self.clock.entropy(), input };
            let step = self.bot.handle(event)?;
            facts.extend(step.facts);
            effects.extend(step.effects);
        }
        let told: Vec<Told> = facts.iter().filter_map(|fact| self.story.follow(fact)).collect();
        if !facts.is_empty() {
            let metrics = Arc::clone(&self.metrics);
            facts.iter().for_each(|dated| metrics.fact(&dated.fact));
            self.keep(facts).await;
        }
        told.iter().for_each(Told::log);
        for effect in effects {
            self.story.span(&effect).in_scope(|| self.dispatch.perform(effect));
        }
        let memory = self.bot.memory();
        let (running, unsent) = (memory.executions.len(), memory.unsent.len());
        self.metrics.turned(count, began.elapsed(), running, unsent, self.bot.is_connected());
        if proof {
            self.metrics.prove();
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

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
