//! The loop: many inputs, one flush, then their effects.
//!
//! **Facts of one input are one transaction; the inputs that wait together share one flush.** While the disk works, further inputs gather,
//! so throughput is bounded by flushes and not by inputs.
//!
//! **What nothing follows from may wait for the next flush**, for a tenth of a second at most: that a post stands, say. Nobody has been told of it and
//! nothing was done because of it, so to lose it is to have died before it was heard. It spares every line of chat a second flush.
//!
//! **A store that refuses stops the loop without making it deaf.** What was decided in that turn is held, facts and effects, and the store is
//! asked again every second. Meanwhile nothing is decided but what needs no fact: health is answered, the admin channel is told once, a stop
//! is heard and ends the process within its grace. All else waits in order, so much of it here that memory stays bounded and the rest with
//! those who bring it; what is urgent has a way of its own past them ([`EventLoop::urgent`]). What was held when the process ends was neither stored nor acted
//! upon; the next process hears it again.

use crate::core::action::run::RunNews;
use crate::core::bot::{Bot, Step};
use crate::core::effect::Effect;
use crate::core::fact::{Dated, Fact};
use crate::core::input::{Ask, Event, Input, Storage};
use crate::core::memory::{Contradiction, Memory};
use crate::core::settings::Settings;
use crate::runtime::dispatch::Dispatch;
use crate::runtime::metrics::Metrics;
use crate::runtime::ports::{Clock, Snapshot, Store, StoreError};
use crate::runtime::story::{Story, Told};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How many inputs share one flush at most: enough to keep the disk the limit, few enough to bound the memory of one turn.
const MOST_INPUTS: usize = 256;
/// How long to wait before a refused flush is tried again.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// How long facts that nothing follows from may wait for a flush.
const LATEST_FLUSH: Duration = Duration::from_millis(100);
/// How many inputs may wait here while the store refuses, give or take a batch; the rest waits with those who bring them.
const MOST_WAITING: usize = 4_096;
/// How many urgent inputs may wait.
const MOST_URGENT: usize = 64;

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
    urgent: (mpsc::Sender<Input>, mpsc::Receiver<Input>),
    dispatch: Dispatch,
    last: Timestamp,
    metrics: Arc<Metrics>,
    story: Story,
    /// The number of the newest fact that is stored.
    newest: u64,
    storage: Storage,
    later: Option<Later>,
    held: Option<Held>,
    /// What was heard while something was held.
    waiting: VecDeque<Input>,
}

/// What was decided and goes with the next flush.
struct Later {
    facts: Vec<Dated>,
    told: Vec<Told>,
    latest: tokio::time::Instant,
}

impl Later {
    fn begin() -> Self {
        Self { facts: Vec::new(), told: Vec::new(), latest: tokio::time::Instant::now() + LATEST_FLUSH }
    }
}

/// What was decided and could not be stored.
struct Held {
    facts: Vec<Dated>,
    told: Vec<Told>,
    effects: Vec<Effect>,
    retry: tokio::time::Instant,
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
        let recalled = store.recall().await?;
        let Snapshot { newest, at, memory } = recalled.snapshot;
        let mut bot = Bot::recall(memory, &recalled.facts, settings)?;
        let last = recalled.facts.last().map_or(at, |fact| fact.at).max(clock.now());
        let mut newest = newest + recalled.facts.len() as u64;
        if let Some(name) = bot.introduce(last, clock.entropy())? {
            store.append(vec![name]).await?;
            newest += 1;
        }
        dispatch.restore(bot.memory(), last);
        let story = Story::remember(bot.memory());
        let (storage, later, held, waiting) = (Storage::default(), None, None, VecDeque::new());
        let urgent = mpsc::channel(MOST_URGENT);
        Ok(Self {
            bot,
            store,
            clock,
            inputs,
            urgent,
            dispatch,
            last,
            metrics,
            story,
            newest,
            storage,
            later,
            held,
            waiting,
        })
    }

    /// The way in for what has to be heard however much waits: a stop, and who asks for health.
    pub fn urgent(&self) -> mpsc::Sender<Input> {
        self.urgent.0.clone()
    }

    /// What is remembered.
    pub fn memory(&self) -> &Memory {
        self.bot.memory()
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
            if self.held.is_none() && !self.waiting.is_empty() {
                let count = self.waiting.len().min(MOST_INPUTS);
                batch.extend(self.waiting.drain(..count));
            } else {
                let (deadline, retry) = (self.sleep_until(), self.held.as_ref().map(|held| held.retry));
                let room = self.waiting.len() < MOST_WAITING;
                let latest = self.later.as_ref().map(|later| later.latest);
                tokio::select! {
                    biased;
                    () = until(phase.end()), if phase.end().is_some() => match phase {
                        // A store that refuses takes no last words either.
                        Phase::Grace(_) if self.held.is_none() => batch.push(Input::GraceOver),
                        Phase::Turning | Phase::Grace(_) | Phase::LastWords(_) => break,
                    },
                    () = until(retry), if retry.is_some() => self.store_held().await?,
                    () = until(latest), if latest.is_some() => self.store_later().await?,
                    count = self.inputs.recv_many(&mut batch, MOST_INPUTS), if room => if count == 0 { break },
                    Some(input) = self.urgent.1.recv() => batch.push(input),
                    () = until(deadline), if deadline.is_some() && retry.is_none() => batch.push(Input::Deadline),
                }
                // With every batch, so that nothing is too busy to hear them.
                batch.extend(std::iter::from_fn(|| self.urgent.1.try_recv().ok()));
                if matches!(phase, Phase::Turning) && batch.iter().any(|input| matches!(input, Input::Stop)) {
                    phase = Phase::Grace(tokio::time::Instant::now() + self.bot.settings().grace);
                }
            }
            if self.held.is_some() {
                self.wait_with(&mut batch)?;
                continue;
            }
            let over = batch.iter().any(|input| matches!(input, Input::GraceOver));
            self.turn(&mut batch).await?;
            if matches!(phase, Phase::Grace(_)) && (over || (self.is_settled() && !self.is_running())) {
                // What is said now is still noted, so that the next process need not look for it.
                phase = Phase::LastWords(tokio::time::Instant::now() + LAST_WORDS);
            }
            let said = !self.dispatch.speaks() || self.bot.memory().unsent.is_empty();
            if said && self.is_settled() && matches!(phase, Phase::LastWords(_)) {
                break;
            }
        }
        self.store_later().await?;
        if let Some(held) = &self.held {
            let facts = held.facts.len();
            tracing::error!(facts, "ending while the store refuses; nothing of what it refused was acted upon");
        }
        self.dispatch.close();
        Ok(())
    }

    /// Whether everything that was heard has been decided about, and all of it is stored.
    fn is_settled(&self) -> bool {
        self.held.is_none() && self.waiting.is_empty()
    }

    /// Whether something would be lost by ending now. A pause would not: its end is stored; nor would what waits. An inquiry waits for people.
    fn is_running(&self) -> bool {
        self.bot.memory().under_way().any(|execution| execution.request.is_carried_out())
    }

    /// One turn: decide about every input, make the facts durable, then act.
    async fn turn(&mut self, batch: &mut Vec<Input>) -> Result<(), LoopError> {
        let mut facts: Vec<Dated> = Vec::new();
        let mut effects = Vec::new();
        let (began, count) = (Instant::now(), batch.len());
        let proof = batch.iter().any(|input| matches!(input, Input::Vitals(_)));
        for input in batch.drain(..) {
            match &input {
                Input::Storage(storage) => self.storage = storage.clone(),
                Input::Content { catalog, .. } => self.dispatch.speak_as(&catalog.sentences),
                _ => {}
            }
            let step = self.decide(input)?;
            facts.extend(step.facts);
            effects.extend(step.effects);
        }
        self.keep_and_act(facts, effects).await?;
        let memory = self.bot.memory();
        let (running, unsent) = (memory.under_way().count(), memory.unsent.len());
        self.metrics.turned(count, began.elapsed(), running, unsent, self.bot.is_connected());
        self.metrics.sensors(self.bot.sensors());
        if proof {
            self.metrics.prove();
        }
        Ok(())
    }

    fn decide(&mut self, input: Input) -> Result<Step, LoopError> {
        self.metrics.input(&input);
        Story::hear(&input);
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
        Ok(step)
    }

    /// Makes facts durable and acts. What nothing follows from waits for the next flush.
    async fn keep_and_act(&mut self, facts: Vec<Dated>, effects: Vec<Effect>) -> Result<(), LoopError> {
        let told = self.follow(&facts);
        let mut later = self.later.take().unwrap_or_else(Later::begin);
        later.facts.extend(facts);
        later.told.extend(told);
        if effects.is_empty() && later.facts.len() < MOST_INPUTS {
            self.later = Some(later).filter(|later| !later.facts.is_empty());
            return Ok(());
        }
        self.keep(later, effects).await
    }

    /// Makes durable what has waited for a flush.
    async fn store_later(&mut self) -> Result<(), LoopError> {
        match self.later.take() {
            Some(later) => self.keep(later, Vec::new()).await,
            None => Ok(()),
        }
    }

    /// When the store refuses, facts and effects are held.
    async fn keep(&mut self, later: Later, effects: Vec<Effect>) -> Result<(), LoopError> {
        let Later { facts, told, .. } = later;
        if !facts.is_empty() {
            if let Err(problem) = self.store.append(facts.clone()).await {
                tracing::error!(%problem, "the store takes no facts; nothing is done until it does");
                let retry = tokio::time::Instant::now() + STORE_RETRY;
                self.held = Some(Held { facts, told, effects, retry });
                return self.tell_of_storage(Some(problem.to_string())).await;
            }
            self.stored(&facts);
        }
        told.iter().for_each(Told::log);
        self.act(effects);
        Ok(())
    }

    /// The lines of these facts, to be told once they are stored.
    fn follow(&mut self, facts: &[Dated]) -> Vec<Told> {
        facts.iter().filter_map(|fact| self.story.follow(fact)).collect()
    }

    fn act(&self, effects: Vec<Effect>) {
        for effect in effects {
            self.metrics.effect(&effect);
            self.story.span(&effect).in_scope(|| self.dispatch.perform(effect));
        }
    }

    /// All that was decided is stored: only now is the memory the fold of what is stored, and of nothing that is not.
    fn stored(&mut self, facts: &[Dated]) {
        facts.iter().for_each(|dated| self.metrics.fact(&dated.fact));
        self.newest += facts.len() as u64;
        if self.store.wants_snapshot() {
            let memory = self.bot.memory().clone();
            self.store.snapshot(Snapshot { newest: self.newest, at: self.last, memory });
        }
    }

    /// Tries once more to store what was refused.
    async fn store_held(&mut self) -> Result<(), LoopError> {
        let Some(Held { facts, told, effects, .. }) = self.held.take() else { return Ok(()) };
        if let Err(problem) = self.store.append(facts.clone()).await {
            tracing::debug!(%problem, "the store still takes no facts");
            let retry = tokio::time::Instant::now() + STORE_RETRY;
            self.held = Some(Held { facts, told, effects, retry });
            return self.tell_of_storage(Some(problem.to_string())).await;
        }
        tracing::info!("the store takes facts again");
        self.stored(&facts);
        told.iter().for_each(Told::log);
        self.act(effects);
        // Whatever else was decided follows as an input of its own, so that its facts are stored before it is acted upon.
        self.storage.refused = None;
        self.look_at_room().await;
        self.waiting.push_front(Input::Storage(self.storage.clone()));
        Ok(())
    }

    /// Lets the core know how it stands with the store while it refuses.
    async fn tell_of_storage(&mut self, refused: Option<String>) -> Result<(), LoopError> {
        self.storage.refused = refused;
        self.look_at_room().await;
        let step = self.decide(Input::Storage(self.storage.clone()))?;
        self.hold(step);
        Ok(())
    }

    async fn look_at_room(&mut self) {
        if let Some(room) = self.store.room().await {
            (self.storage.free, self.storage.reserve) = (Some(room.free), room.reserve);
        }
    }

    /// While something is held: what needs no fact is decided, all else waits.
    fn wait_with(&mut self, batch: &mut Vec<Input>) -> Result<(), LoopError> {
        for input in batch.drain(..) {
            match input {
                Input::Request { ask: Ask::Health, .. } | Input::Vitals(_) | Input::Stop => {
                    let proof = matches!(input, Input::Vitals(_));
                    let step = self.decide(input)?;
                    self.hold(step);
                    if proof {
                        self.metrics.prove();
                    }
                }
                // It will be looked at again, or told anew, as soon as the store takes facts.
                Input::Storage(_) | Input::Deadline | Input::Run { news: RunNews::Progress(_), .. } => {}
                other => self.waiting.push_back(other),
            }
        }
        Ok(())
    }

    /// Does what needs no fact of a step, and holds the rest: an answer to a caller and what is said without a promise.
    fn hold(&mut self, step: Step) {
        let Step { facts, effects } = step;
        let told = self.follow(&facts);
        let Some(held) = &mut self.held else { return };
        let promised = |effect: &Effect| match effect {
            Effect::Answer { .. } | Effect::StopSensor { .. } => false,
            Effect::Deliver(delivery) => {
                let unsent = &self.bot.memory().unsent;
                unsent.iter().any(|promised| promised.id == delivery.id)
            }
            Effect::Refresh { .. }
            | Effect::React { .. }
            | Effect::Run(_)
            | Effect::StartSensor(_)
            | Effect::Attach(_)
            | Effect::Cancel(_)
            | Effect::LookUpUser { .. }
            | Effect::ReadMonitoring { .. }
            | Effect::Reload { .. }
            | Effect::Identify { .. }
            | Effect::ReadOutputs { .. }
            | Effect::HandOut { .. }
            | Effect::ReadReactions { .. }
            | Effect::OpenDialog { .. }
            // Whoever pressed is told what was decided once it is stored.
            | Effect::Reply { .. }
            | Effect::Audit { .. }
            | Effect::Find { .. } => true,
        };
        held.facts.extend(facts);
        held.told.extend(told);
        // How things stand will be shown again; there is no need to gather it.
        let effects = effects.into_iter().filter(|effect| !matches!(effect, Effect::Refresh { .. }));
        let (later, now): (Vec<Effect>, Vec<Effect>) = effects.partition(promised);
        held.effects.extend(later);
        self.act(now);
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
