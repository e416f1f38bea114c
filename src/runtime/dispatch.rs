//! Effects are carried out here, each in a task of its own; what comes of them returns as an input.

use crate::core::action::capture::without_last_line_end;
use crate::core::action::reason::Reason;
use crate::core::action::run::{Attach, Run, RunNews, Work};
use crate::core::alert::order::Target;
use crate::core::audit::question::{Asker, Question};
use crate::core::callback::{Dialog, Reply};
use crate::core::effect::{Answer, Effect, Query};
use crate::core::id::{BlobId, ChannelId, DeliveryId, ExecutionId, RequestId, UserId};
use crate::core::input::{Ask, Identifying, Input, Principal, Ticket};
use crate::core::memory::Memory;
use crate::core::message::sentences::Sentences;
use crate::runtime::outbox::OutboxHandle;
use crate::runtime::ports::{Blobs, Chat, ChatError, Monitorings, ReloadCall, Runner, Store};
use crate::runtime::reactions::ReactionReader;
use crate::runtime::sensing::Sensing;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

/// How many pieces of news of one run may wait for the loop before its runner has to.
const NEWS: usize = 64;

/// How long it may take to find out who somebody is.
const IDENTIFYING: Duration = Duration::from_secs(10);

/// How long it may take to open a dialog: what opens it is good for three seconds in 5.37, and the one who pressed is waiting.
const OPENING: Duration = Duration::from_millis(2_500);

/// How many bytes of an output a caller gets at a time.
const HANDED_OUT: usize = 1024 * 1024;

/// The hands of the loop.
pub struct Dispatch {
    inputs: mpsc::WeakSender<Input>,
    store: Arc<dyn Store>,
    blobs: Arc<dyn Blobs>,
    local: Arc<dyn Runner>,
    remote: Arc<dyn Runner>,
    http: Arc<dyn Runner>,
    mail: Arc<dyn Runner>,
    monitoring: Arc<dyn Runner>,
    monitorings: Arc<dyn Monitorings>,
    sensing: Sensing,
    outbox: Option<OutboxHandle>,
    chat: Option<Arc<dyn Chat>>,
    reactions: Option<ReactionReader>,
    running: Arc<Mutex<BTreeMap<ExecutionId, Going>>>,
    callers: Callers,
    pressers: Callers<Reply>,
    reloads: mpsc::UnboundedSender<ReloadCall>,
    stop: CancellationToken,
}

/// The runs of one execution: the first, and one for each host where it is tried again.
#[derive(Debug, Default)]
struct Going {
    cancel: CancellationToken,
    runs: usize,
}

/// What a runner is given.
enum Task {
    Run(Run),
    Attach(Attach),
}

impl Task {
    fn execution(&self) -> &ExecutionId {
        match self {
            Task::Run(run) => &run.execution,
            Task::Attach(attach) => &attach.execution,
        }
    }

    fn work(&self) -> &Work {
        match self {
            Task::Run(run) => &run.work,
            Task::Attach(attach) => &attach.work,
        }
    }
}

/// What [`Dispatch`] is made of.
pub struct Hands {
    /// Where long outputs lie.
    pub blobs: Arc<dyn Blobs>,
    /// Carries out commands on this machine.
    pub local: Arc<dyn Runner>,
    /// Carries out commands on nodes.
    pub remote: Arc<dyn Runner>,
    /// Asks web servers.
    pub http: Arc<dyn Runner>,
    /// Sends mails.
    pub mail: Arc<dyn Runner>,
    /// Carries out orders to monitorings.
    pub monitoring: Arc<dyn Runner>,
    /// Asks them how things stand.
    pub monitorings: Arc<dyn Monitorings>,
    /// Runs sensors.
    pub sensing: Sensing,
    /// The way out to chat; absent where there is no chat.
    pub outbox: Option<OutboxHandle>,
    /// Knows who people are; absent where there is no chat.
    pub chat: Option<Arc<dyn Chat>>,
    /// Those who pressed a button and wait for the answer.
    pub pressers: Callers<Reply>,
    /// The way to whoever reads configuration and packs again.
    pub reloads: mpsc::UnboundedSender<ReloadCall>,
}

/// Why it could not be found out who somebody is.
#[derive(Debug, thiserror::Error)]
enum NotAsked {
    #[error("there is no chat server")]
    NoChat,
    #[error("the chat server does not answer in time")]
    Late,
}

impl Dispatch {
    /// Joins the hands. The inputs are held weakly, so that the loop ends when everybody else has let go. When `stop` fires, runs are let
    /// go of where they stand: their commands go on, and the next process asks what became of them.
    pub fn new(
        inputs: &mpsc::Sender<Input>,
        store: Arc<dyn Store>,
        hands: Hands,
        callers: Callers,
        stop: CancellationToken,
    ) -> Self {
        let Hands {
            blobs,
            local,
            remote,
            http,
            mail,
            monitoring,
            monitorings,
            sensing,
            outbox,
            chat,
            pressers,
            reloads,
        } = hands;
        let reactions = chat.clone().map(|chat| ReactionReader::new(chat, inputs.downgrade(), stop.clone()));
        Self {
            inputs: inputs.downgrade(),
            store,
            blobs,
            local,
            remote,
            http,
            mail,
            monitoring,
            monitorings,
            sensing,
            outbox,
            chat,
            reactions,
            running: Arc::default(),
            callers,
            pressers,
            reloads,
            stop,
        }
    }

    /// Hands the outbox what was promised before the restart.
    pub(crate) fn restore(&self, memory: &Memory, now: Timestamp) {
        let ago = |delivery: &DeliveryId| {
            let promised = memory.promised.get(delivery).copied().unwrap_or(now);
            Duration::try_from(now.duration_since(promised)).unwrap_or_default()
        };
        if let Some(outbox) = &self.outbox {
            if let Some(name) = &memory.instance {
                outbox.set_instance(name);
            }
            let unsent = memory.unsent.iter().map(|delivery| (delivery.clone(), ago(&delivery.id)));
            outbox.restore(unsent.collect(), memory.posts.clone());
        }
    }

    /// What is said from now on is said in this voice.
    pub(crate) fn speak_as(&self, sentences: &Sentences) {
        if let Some(outbox) = &self.outbox {
            outbox.set_sentences(sentences.clone());
        }
    }

    /// Starts carrying an effect out; never waits.
    pub(crate) fn perform(&self, effect: Effect) {
        match effect {
            Effect::Deliver(delivery) => {
                if let Some(outbox) = &self.outbox {
                    outbox.deliver(delivery);
                }
            }
            Effect::Refresh { channel, of, text, attachments } => {
                if let Some(outbox) = &self.outbox {
                    outbox.refresh(&channel, &of, text, attachments);
                }
            }
            Effect::React { channel, post, emoji, remove } => {
                if let Some(outbox) = &self.outbox {
                    outbox.react(&channel, post, emoji, remove);
                }
            }
            Effect::StartSensor(launch) => {
                if let Some(inputs) = self.inputs.upgrade() {
                    self.sensing.start(*launch, inputs, self.callers.clone());
                }
            }
            Effect::StopSensor { sensor, run } => self.sensing.stop(&sensor, run),
            Effect::Run(run) => self.start(Task::Run(*run)),
            Effect::Attach(attach) => self.start(Task::Attach(*attach)),
            Effect::Cancel(execution) => {
                if let Some(going) = self.running.lock().unwrap_or_else(PoisonError::into_inner).get(&execution) {
                    going.cancel.cancel();
                }
            }
            Effect::Audit { question, asker } => self.audit(question, asker),
            Effect::ReadMonitoring { monitoring, named } => self.read_monitoring(monitoring, named),
            Effect::Reload { by, back } => {
                if self.reloads.send(ReloadCall { by: Some(by), back: Some(back), done: None }).is_err() {
                    tracing::warn!("nobody reads the configuration again: the bot is ending");
                }
            }
            Effect::Find { query, ticket } => self.find(query, *ticket),
            Effect::ReadOutputs { execution, blobs, most } => self.read_outputs(execution, blobs, most),
            Effect::Identify { of, users, channels } => self.identify(of, users, channels),
            Effect::LookUpUser { name, channels, ticket } => self.look_up_user(name, channels, *ticket),
            Effect::HandOut { request, blob, offset } => self.hand_out(request, blob, offset),
            Effect::Answer { request, answer } => self.callers.answer(request, *answer),
            Effect::Reply { request, reply } => self.pressers.answer(request, reply),
            Effect::OpenDialog { request, trigger, dialog, otherwise } => {
                self.open_dialog(request, trigger, *dialog, otherwise);
            }
            Effect::ReadReactions { channel, post, channels } => {
                if let Some(reactions) = &self.reactions {
                    reactions.read(channel, post, channels);
                }
            }
        }
    }

    /// Whether there is a chat to speak in.
    pub(crate) fn speaks(&self) -> bool {
        self.outbox.is_some()
    }

    /// Stops the outbox where it is.
    pub(crate) fn close(&self) {
        if let Some(outbox) = &self.outbox {
            let waiting = outbox.status().queued;
            if waiting > 0 {
                tracing::warn!(waiting, "the outbox could not say everything; it will after the next start");
            }
            outbox.stop();
        }
    }

    fn start(&self, task: Task) {
        let Some(inputs) = self.inputs.upgrade() else { return };
        let runner = match task.work() {
            Work::Local(_) => Arc::clone(&self.local),
            Work::Remote(_) => Arc::clone(&self.remote),
            Work::Http(_) => Arc::clone(&self.http),
            Work::Mail(_) => Arc::clone(&self.mail),
            Work::Monitoring(_) => Arc::clone(&self.monitoring),
        };
        let execution = task.execution().clone();
        let running = Arc::clone(&self.running);
        let cancel = {
            let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
            let going = running.entry(execution.clone()).or_default();
            going.runs += 1;
            going.cancel.clone()
        };
        tracing::debug!(again = matches!(task, Task::Attach(_)), "run starts");
        let stop = self.stop.clone();
        let work = async move {
            tokio::select! {
                () = follow(runner, task, cancel, inputs) => {}
                () = stop.cancelled() => {}
            }
            let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(going) = running.get_mut(&execution) {
                going.runs -= 1;
                if going.runs == 0 {
                    running.remove(&execution);
                }
            }
            tracing::debug!("run ended");
        };
        tokio::spawn(work.in_current_span());
    }

    fn identify(&self, of: Identifying, users: Vec<UserId>, channels: Vec<ChannelId>) {
        let (Some(inputs), Some(chat)) = (self.inputs.upgrade(), self.chat.clone()) else { return };
        tokio::spawn(async move {
            // Something hangs on who they are at this moment, so what is kept of them does not do.
            users.iter().for_each(|user| chat.forget(user));
            let one = async |user: &UserId| match chat.identify(user, &channels).await {
                Ok(identity) => Ok(Some(identity)),
                // Whoever is not there any more is nobody.
                Err(ChatError::Unknown { .. }) => Ok(None),
                Err(problem) => Err(problem),
            };
            let look_ups = try_join_all(users.iter().map(one));
            let people = match tokio::time::timeout(IDENTIFYING, look_ups).await {
                Ok(Ok(people)) => Some(people.into_iter().flatten().collect()),
                Ok(Err(problem)) => {
                    tracing::warn!(%problem, "people on whose word something hangs could not be looked up");
                    None
                }
                Err(_) => {
                    tracing::warn!("people on whose word something hangs could not be looked up in time");
                    None
                }
            };
            // Without a loop nothing is done.
            let _ = inputs.send(Input::Identified { of, people }).await;
        });
    }

    fn open_dialog(&self, request: RequestId, trigger: String, dialog: Dialog, otherwise: String) {
        let Some(chat) = self.chat.clone() else { return };
        let pressers = self.pressers.clone();
        tokio::spawn(async move {
            let why = match tokio::time::timeout(OPENING, chat.open_dialog(&trigger, &dialog)).await {
                Ok(Ok(())) => return pressers.answer(request, Reply::default()),
                Ok(Err(problem)) => problem.to_string(),
                Err(_) => "the chat server did not answer in time".to_owned(),
            };
            tracing::warn!(why, "a dialog could not be opened");
            pressers.answer(request, Reply::text(otherwise));
        });
    }

    fn read_monitoring(&self, monitoring: String, named: Vec<Target>) {
        let Some(inputs) = self.inputs.upgrade() else { return };
        let (monitorings, stop) = (Arc::clone(&self.monitorings), self.stop.clone());
        tokio::spawn(async move {
            let reading = tokio::select! {
                reading = monitorings.look(&monitoring, named) => reading,
                () = stop.cancelled() => return,
            };
            let reading = reading.map(Box::new).map_err(|problem| {
                tracing::warn!(monitoring, %problem, "a monitoring could not be asked how things stand");
                problem.to_string()
            });
            // Without a loop nobody wants to know.
            let _ = inputs.send(Input::MonitoringRead { monitoring, reading }).await;
        });
    }

    fn look_up_user(&self, name: String, channels: Vec<ChannelId>, ticket: Ticket) {
        let Some(inputs) = self.inputs.upgrade() else { return };
        let chat = self.chat.clone();
        tokio::spawn(async move {
            let asked = async {
                let Some(chat) = chat else { return Err(NotAsked::NoChat.to_string()) };
                let told = |problem: ChatError| problem.to_string();
                let names = [name.clone()];
                let found = chat.directory(&names, &[], &[], &[]).await.map_err(told)?.users.remove(&name);
                let Some(user) = found else { return Ok(None) };
                chat.identify(&user, &channels).await.map(Some).map_err(told)
            };
            let identity = tokio::time::timeout(IDENTIFYING, asked).await;
            let identity = identity.unwrap_or_else(|_| Err(NotAsked::Late.to_string()));
            // Without a loop nobody waits for it.
            let _ = inputs.send(Input::UserLookedUp { ticket, identity }).await;
        });
    }

    fn audit(&self, question: Question, asker: Option<Box<Asker>>) {
        let Some(inputs) = self.inputs.upgrade() else { return };
        let store = Arc::clone(&self.store);
        tokio::spawn(async move {
            let told = store.audit(&question).await.map_err(|problem| {
                tracing::error!(%problem, "the audit could not be looked into");
                problem.to_string()
            });
            // Without a loop there is nobody left to answer.
            let _ = inputs.send(Input::Audited { asker, told }).await;
        });
    }

    /// Reads outputs; what is longer than `most`, and what cannot be read, is left out.
    fn read_outputs(&self, execution: ExecutionId, wanted: Vec<BlobId>, most: u64) {
        let Some(inputs) = self.inputs.upgrade() else { return };
        let blobs = Arc::clone(&self.blobs);
        tokio::spawn(async move {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let mut texts = BTreeMap::new();
            for blob in wanted {
                match blobs.read(&blob, 0, most.saturating_add(1)).await {
                    Ok(bytes) if bytes.len() <= most => {
                        let text = String::from_utf8_lossy(&bytes);
                        texts.insert(blob, without_last_line_end(&text).to_owned());
                    }
                    Ok(_) => {}
                    Err(problem) => tracing::error!(%problem, %execution, "an output cannot be read"),
                }
            }
            // Without a loop there is nobody left to answer.
            let _ = inputs.send(Input::OutputsRead { execution, texts }).await;
        });
    }

    /// Reads a piece of an output and tells it to a caller.
    fn hand_out(&self, request: RequestId, blob: BlobId, offset: u64) {
        let (blobs, callers) = (Arc::clone(&self.blobs), self.callers.clone());
        tokio::spawn(async move {
            let answer = match blobs.read(&blob, offset, HANDED_OUT).await {
                Ok(bytes) => Answer::Output { base64: STANDARD.encode(bytes) },
                Err(problem) => Answer::Failed { text: problem.to_string() },
            };
            callers.answer(request, answer);
        });
    }

    fn find(&self, query: Query, ticket: Ticket) {
        let Some(inputs) = self.inputs.upgrade() else { return };
        let store = Arc::clone(&self.store);
        tokio::spawn(async move {
            let found = match store.find(&query).await {
                Ok(executions) => Input::Found { ticket, executions },
                Err(problem) => {
                    tracing::error!(%problem, "a look-up failed");
                    Input::LookUpFailed { ticket, why: problem.to_string() }
                }
            };
            // Without a loop there is nobody left to answer.
            let _ = inputs.send(found).await;
        });
    }
}

/// Carries a run out and hands its news on, the last word above all.
async fn follow(runner: Arc<dyn Runner>, task: Task, cancel: CancellationToken, inputs: mpsc::Sender<Input>) {
    let execution = task.execution().clone();
    let (news, mut heard) = mpsc::channel(NEWS);
    let work = async move {
        match task {
            Task::Run(run) => runner.run(run, news, cancel).await,
            Task::Attach(attach) => runner.attach(attach, news, cancel).await,
        }
    };
    let work = AbortOnDropHandle::new(tokio::spawn(work.in_current_span()));
    let mut finished = false;
    while let Some(news) = heard.recv().await {
        finished |= matches!(news, RunNews::Finished { .. });
        if inputs.send(Input::Run { execution: execution.clone(), news }).await.is_err() {
            return;
        }
    }
    // A runner that ended without its last word has a bug; the execution must end all the same.
    let ended = work.await;
    if !finished {
        let why = ended.err().map_or_else(|| Reason::WithoutAWord.to_string(), |problem| problem.to_string());
        tracing::error!(%execution, why, "a runner broke its promise");
        let news = RunNews::Finished { error: Some(Reason::RunnerFailed { why: &why }.to_string()) };
        // Without a loop there is nobody left to tell.
        let _ = inputs.send(Input::Run { execution, news }).await;
    }
}

/// Those who have asked for something and wait for their answers: callers of the control socket, people who pressed a button.
#[derive(Debug)]
pub struct Callers<A = Answer> {
    waiting: Arc<Mutex<BTreeMap<RequestId, oneshot::Sender<A>>>>,
    next: Arc<AtomicU64>,
}

impl<A> Clone for Callers<A> {
    fn clone(&self) -> Self {
        Self { waiting: Arc::clone(&self.waiting), next: Arc::clone(&self.next) }
    }
}

impl<A> Default for Callers<A> {
    fn default() -> Self {
        Self { waiting: Arc::default(), next: Arc::default() }
    }
}

impl Callers {
    /// Makes an input of a question; its answer goes to `reply`.
    pub fn ask(&self, from: Principal, ask: Ask, reply: oneshot::Sender<Answer>) -> Input {
        Input::Request { request: self.expect(reply), from, ask }
    }
}

impl<A> Callers<A> {
    /// Gives somebody a number; what is answered to it goes to `reply`.
    pub fn expect(&self, reply: oneshot::Sender<A>) -> RequestId {
        let request = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, reply| !reply.is_closed());
        waiting.insert(request, reply);
        request
    }

    fn answer(&self, request: RequestId, answer: A) {
        if let Some(reply) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&request) {
            // A caller who has gone does not want the answer any more.
            let _ = reply.send(answer);
        }
    }
}
