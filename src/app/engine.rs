//! The bot with everything around it: what `serve`, `demo` and the tests run.
//!
//! Life cycle: [`Engine::start`] opens the store, reads the packs, prepares the adapters and turns the loop; [`Engine::stop`] asks it to end and
//! waits; [`Engine::reload`] has configuration and packs read again. Dropping an engine ends it where it stands, as a power cut would.

use super::last_good::LastGood;
use super::monitorings;
use super::reload::{self, Read, Reloader};
use crate::adapters::api;
use crate::adapters::callback_key;
use crate::adapters::clock::SystemClock;
use crate::adapters::content::watch::PackWatch;
use crate::adapters::control;
use crate::adapters::http::HttpRunner;
use crate::adapters::inventory::{self, InventoryOptions};
use crate::adapters::local::{LocalOptions, LocalRunner};
use crate::adapters::mail::{Encryption, MailOptions, MailRunner};
use crate::adapters::mattermost::{Callbacks, Mattermost, MattermostOptions, Pace};
use crate::adapters::monitoring::{MonitoringRunner, Watched};
use crate::adapters::ssh::{self, SshOptions, SshRunner};
use crate::adapters::store::{self, AuditAside, DiskStore, SetAside};
use crate::config::{Config, GroupSource, HostKeys, MailEncryption};
use crate::core::access::approvers::Approvers;
use crate::core::callback::Reply;
use crate::core::callback::signature::CallbackKey;
use crate::core::effect::HealthPart;
use crate::core::input::{Ask, Input};
use crate::core::settings::Settings;
use crate::core::vitals::{OutboxVitals, Vitals};
use crate::runtime::catch_up::CatchUpOptions;
use crate::runtime::dispatch::{Callers, Dispatch, Hands};
use crate::runtime::event_loop::EventLoop;
use crate::runtime::hearing::Hearing;
use crate::runtime::intake::{self, Beginning};
use crate::runtime::metrics::Metrics;
use crate::runtime::outbox::{Outbox, OutboxHandle, OutboxOptions};
use crate::runtime::ports::{
    Blobs, CallbackCall, Chat, Clock, ControlCall, Monitorings, ReloadCall, Runner, SensorKeeper, Store,
};
use crate::runtime::pulse::{self, WatchedStore};
use crate::runtime::sensing::Sensing;
use crate::runtime::storage;
use crate::runtime::swap::Swap;
use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// How many inputs may wait for the loop.
const INPUTS: usize = 4096;
/// How much longer than the grace a stop may take before it is given up: last words, and closing connections.
pub(crate) const ENDING: Duration = Duration::from_secs(15);
/// How many callbacks of the chat server may wait to be looked at.
const CALLBACKS: usize = 256;
/// How long the bot may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest directory in which the sockets of ssh's masters still have names that fit.
const LONGEST_CONTROL_DIR: usize = 60;

/// How fast things go that no configuration names.
#[derive(Debug, Clone, Copy, Default)]
pub struct EngineOptions {
    /// The chat connection's timers.
    pub pace: Pace,
    /// How the outbox behaves, where the configuration does not say it.
    pub outbox: Option<OutboxOptions>,
    /// How what was missed is read.
    pub catch_up: CatchUpOptions,
    /// How old names may be when a line is decided about where roles hang on groups; the usual time when absent.
    pub groups_age: Option<Duration>,
}

/// A running bot.
pub struct Engine {
    urgent: mpsc::Sender<Input>,
    turning: JoinHandle<anyhow::Result<()>>,
    tasks: JoinSet<()>,
    reloads: mpsc::UnboundedSender<ReloadCall>,
    outbox: Option<OutboxHandle>,
    sensing: Sensing,
    shared: Shared,
}

/// What the parts of an engine have in common, also while they are exchanged.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) settings: watch::Sender<Arc<Settings>>,
    /// Whom the policies name that may decide about approvals, all together.
    pub(super) deciders: watch::Sender<Approvers>,
    pub(super) blobs: Arc<dyn Blobs>,
    pub(super) local: Arc<Swap<dyn Runner>>,
    pub(super) http: Arc<Swap<dyn Runner>>,
    pub(super) mail: Arc<Swap<dyn Runner>>,
    pub(super) monitoring: Arc<Swap<dyn Runner>>,
    pub(super) monitorings: Arc<Swap<dyn Monitorings>>,
    pub(super) sensors: Arc<Swap<dyn SensorKeeper>>,
    pub(super) chat: Option<Arc<Swap<dyn Chat>>>,
    /// The chat connection's timers.
    pub(super) pace: Pace,
    pub(super) own_uid: u32,
    pub(super) metrics: Arc<Metrics>,
    /// The key of the callbacks; absent where the chat server cannot call us.
    pub(super) callback_key: Option<CallbackKey>,
    pub(super) stop: CancellationToken,
    remote: Arc<Swap<dyn Runner>>,
    /// The same runner by its own type, for what only it can do.
    connections: Arc<Mutex<Arc<SshRunner>>>,
}

impl Shared {
    /// Gives later runs on nodes to this runner; the old one ends after its last run.
    pub(super) fn exchange_remote(&self, next: Arc<SshRunner>) {
        self.remote.set(Arc::clone(&next) as _);
        let old = std::mem::replace(&mut *self.connections.lock().unwrap_or_else(PoisonError::into_inner), next);
        reload::retire(old, self.stop.clone());
    }

    fn ssh(&self) -> Arc<SshRunner> {
        Arc::clone(&self.connections.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        self.turning.abort();
        self.tasks.abort_all();
        if let Some(outbox) = &self.outbox {
            outbox.stop();
        }
    }
}

impl Engine {
    /// Puts the parts together and starts them. Reading again finds the same configuration, and the packs as they are then.
    ///
    /// # Errors
    /// What keeps the bot from starting: the store, the token, an address in use.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        Self::start_with(config, EngineOptions::default()).await
    }

    /// The same with other timers.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub async fn start_with(config: &Config, options: EngineOptions) -> anyhow::Result<Self> {
        let same = config.clone();
        Self::start_reading(config, options, Arc::new(move || Ok(same.clone()))).await
    }

    /// The same with a way to read the configuration again.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub async fn start_reading(config: &Config, options: EngineOptions, read: Read) -> anyhow::Result<Self> {
        let own_uid = rustix::process::getuid().as_raw();
        let settings = Arc::new(config.settings(own_uid));
        let (disk, aside, audit_aside) = open_store(config).await?;
        let disk = Arc::new(disk);
        let blobs: Arc<dyn Blobs> = Arc::new(disk.blobs());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let metrics = Arc::new(Metrics::default());
        let watched = Arc::new(WatchedStore::new(Arc::clone(&disk) as _, Arc::clone(&metrics), Arc::clone(&clock)));
        let store: Arc<dyn Store> = Arc::clone(&watched) as _;
        let remote = Arc::new(SshRunner::open(ssh_options(config), Arc::clone(&blobs)).await?);
        let local = LocalRunner::new(local_options(config), Arc::clone(&blobs));
        let http = HttpRunner::new(config.local.output_limit, Arc::clone(&blobs));
        let mail = MailRunner::new(mail_options(config));
        let monitoring = monitoring_runner(config, &blobs);
        let heard = monitoring.all();

        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (inputs, queue) = mpsc::channel(INPUTS);
        let callback_key = callback_key(config)?;
        let chat = chat(config, options.pace, callback_key.as_ref())?.map(|chat| Arc::new(Swap::new(chat)));
        let pace = options.outbox.unwrap_or_else(|| outbox_options(config));
        let outbox = chat.as_ref().map(|chat| outbox(&(Arc::clone(chat) as _), &blobs, pace, &inputs, &mut tasks));
        let shared = Shared {
            inputs,
            settings: watch::Sender::new(Arc::clone(&settings)),
            deciders: watch::Sender::new(Approvers::default()),
            blobs,
            sensors: Arc::new(Swap::new(Arc::new(local.clone()))),
            local: Arc::new(Swap::new(Arc::new(local))),
            http: Arc::new(Swap::new(Arc::new(http))),
            mail: Arc::new(Swap::new(Arc::new(mail))),
            monitorings: Arc::new(Swap::new(Arc::new(monitoring.clone()))),
            monitoring: Arc::new(Swap::new(Arc::new(monitoring))),
            chat,
            pace: options.pace,
            own_uid,
            metrics: Arc::clone(&metrics),
            callback_key,
            stop: stop.clone(),
            remote: Arc::new(Swap::new(Arc::clone(&remote) as _)),
            connections: Arc::new(Mutex::new(remote)),
        };
        let callers = Callers::default();
        let pressers = Callers::<Reply>::default();
        let hearing = Hearing::new(&shared.inputs, callers.clone(), super::now, &stop);
        let (callback_calls, callbacks) = mpsc::channel(CALLBACKS);
        let (reloads, reload_calls) = mpsc::unbounded_channel();
        let sensing = Sensing::new(Arc::clone(&shared.sensors) as _, stop.clone());
        let hands = Hands {
            blobs: Arc::clone(&shared.blobs),
            local: Arc::clone(&shared.local) as _,
            remote: Arc::clone(&shared.remote) as _,
            http: Arc::clone(&shared.http) as _,
            mail: Arc::clone(&shared.mail) as _,
            monitoring: Arc::clone(&shared.monitoring) as _,
            monitorings: Arc::clone(&shared.monitorings) as _,
            sensing: sensing.clone(),
            outbox: outbox.clone(),
            chat: shared.chat.clone().map(|chat| chat as _),
            pressers: pressers.clone(),
            reloads: reloads.clone(),
        };
        let dispatch = Dispatch::new(&shared.inputs, Arc::clone(&store), hands, callers.clone(), stop.clone());
        tasks.spawn(storage::watch(Arc::clone(&store), shared.inputs.clone(), stop.clone()));
        let events = EventLoop::open(store, clock, settings, queue, dispatch, Arc::clone(&metrics)).await?;

        let memory = events.memory();
        let beginning = Beginning {
            heard: memory.heard(),
            begun: memory.begun(),
            catch_up: options.catch_up,
            groups_age: options.groups_age,
        };

        // The queue is empty and its reader is not turning yet, so these neither wait nor fail.
        let watch = PackWatch::new(config.content.packs.clone(), config.content.poll).await;
        let mut good = LastGood::default();
        take_in_content(config, &mut good, &shared).await;
        let inventory = stop.child_token();
        reload::keep_inventory(config, &shared, &inventory).await;
        if let Some(SetAside { place, why }) = aside {
            shared.inputs.send(Input::SetAside { place: place.display().to_string(), why }).await?;
        }
        if let Some(AuditAside { place, why, head }) = audit_aside {
            let (place, why) = (place.display().to_string(), why.unwrap_or_default());
            shared.inputs.send(Input::AuditSetAside { place, why, head }).await?;
        }
        shared.inputs.send(master_key(config)).await?;
        shared.inputs.send(Input::Started).await?;
        let urgent = events.urgent();
        let turning = tokio::spawn(async move { events.run().await.context("the bot had to stop") });

        let view = View { disk, watched, outbox: outbox.clone(), shared: shared.clone(), started: super::now() };
        answer_calls(config, &view, callers, callback_calls, &urgent, &mut tasks).await?;
        let weak = shared.inputs.downgrade();
        tasks.spawn(pulse::pulse(move || view.vitals(), weak, stop.clone()));
        // Who is the bot for a moment only takes nothing up.
        if shared.chat.is_some() {
            hearing.hear(heard);
        }
        let reloader =
            Reloader { read, current: config.clone(), good, watch, shared: shared.clone(), inventory, hearing };
        tasks.spawn(reloader.serve(reload_calls, stop.clone()));
        if let (Some(chat), Some(outbox)) = (&shared.chat, outbox.clone()) {
            let longest_post = move |characters| outbox.set_max_post(characters);
            let (chat, inputs) = (Arc::clone(chat), shared.inputs.clone());
            let named = intake::Named { settings: shared.settings.subscribe(), deciders: shared.deciders.subscribe() };
            let callbacks = intake::Callbacks { calls: callbacks, pressers };
            tasks.spawn(intake::listen(chat, named, longest_post, beginning, inputs, callbacks, stop));
        }
        Ok(Self { urgent, turning, tasks, reloads, outbox, sensing, shared })
    }

    /// The same without chat and HTTP, for a command that finds no bot running.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub async fn start_alone(config: &Config) -> anyhow::Result<Self> {
        Self::start(&Config { mattermost: None, http: None, ..config.clone() }).await
    }

    /// Whether the loop has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.turning.is_finished()
    }

    /// What tells how the bot is, also while it is being stopped.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.shared.metrics)
    }

    /// How long running executions may go on after a stop, as of now.
    pub fn grace(&self) -> Duration {
        self.shared.settings.borrow().grace
    }

    /// Reads configuration and packs again; what is returned ends when what is in force of them is.
    pub fn reload(&self) -> impl Future<Output = ()> + use<> {
        let (done, ended) = oneshot::channel();
        // An engine that is ending reads nothing any more: then nobody keeps the other end either.
        let _ = self.reloads.send(ReloadCall { by: None, back: None, done: Some(done) });
        async {
            let _ = ended.await;
        }
    }

    /// Takes nothing new, lets running executions end within their grace, says what was promised, and ends.
    ///
    /// # Errors
    /// What made the loop end before its time, or that it did not end in time.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let longest = self.grace() + ENDING;
        let ending = async {
            // The loop may have ended already; its own answer says why.
            let _ = self.urgent.send(Input::Stop).await;
            (&mut self.turning).await.context("the loop panicked")?
        };
        let ended = match tokio::time::timeout(longest, ending).await {
            Ok(ended) => ended,
            Err(_) => bail!("the bot did not come to its end within {} seconds and was cut off", longest.as_secs()),
        };
        self.shared.stop.cancel();
        self.sensing.ended().await;
        self.tasks.shutdown().await;
        self.shared.ssh().shutdown().await;
        ended
    }

    /// Ends when the loop does, which by itself it only does in trouble.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        (&mut self.turning).await.context("the loop panicked")?
    }
}

/// Whoever looks at the parts from outside of the loop.
#[derive(Clone)]
struct View {
    disk: Arc<DiskStore>,
    watched: Arc<WatchedStore>,
    outbox: Option<OutboxHandle>,
    shared: Shared,
    started: jiff::Timestamp,
}

impl View {
    fn vitals(&self) -> Vitals {
        let outbox = self.outbox.as_ref().map(|outbox| {
            let status = outbox.status();
            OutboxVitals { waiting: status.queued, oldest: status.oldest, trouble: status.trouble }
        });
        Vitals { outbox }
    }

    /// What can be told of a bot that does not answer.
    fn outside(&self) -> Vec<HealthPart> {
        let silent = self.shared.metrics.silent_for();
        let turns = silent < pulse::STUCK;
        let says = if turns { "turns".to_owned() } else { format!("has not turned for {} s", silent.as_secs()) };
        let now = super::now();
        let since = |works: bool, since| (!works).then_some(since);
        let advice = |works: bool, text: &str| if works { String::new() } else { text.to_owned() };
        let event_loop = HealthPart {
            name: "loop".to_owned(),
            works: turns,
            says,
            since: since(turns, now.checked_sub(silent).unwrap_or(now)),
            advice: advice(turns, "the store may hang; the service manager restarts a bot that stays stuck"),
        };
        let trouble = self.watched.trouble();
        let takes = trouble.is_none();
        let (why, at) = trouble.unwrap_or_else(|| ("takes facts".to_owned(), now));
        let advice = advice(takes, "make room on the disk of store.path, or mend it");
        let store = HealthPart { name: "store".to_owned(), works: takes, says: why, since: since(takes, at), advice };
        vec![event_loop, store]
    }

    fn metrics(&self) -> String {
        let counters = self.disk.counters();
        let mut measured = BTreeMap::from([
            ("halcyon_store_facts_total", counters.facts as f64),
            ("halcyon_store_bytes_total", counters.bytes as f64),
            ("halcyon_store_syncs_total", counters.syncs as f64),
            ("halcyon_store_refused_total", counters.refused as f64),
            ("halcyon_store_newest_fact", self.disk.newest() as f64),
            ("halcyon_audit_behind_facts", self.disk.audit_behind() as f64),
            ("halcyon_ssh_connections", self.shared.ssh().connections() as f64),
            ("process_start_time_seconds", self.started.as_millisecond() as f64 / 1000.0),
        ]);
        measured.extend(self.disk.free_bytes().map(|free| ("halcyon_store_free_bytes", free as f64)));
        measured.extend(resident_bytes().map(|bytes| ("process_resident_memory_bytes", bytes)));
        if let Some(outbox) = &self.outbox {
            let (counts, status) = (outbox.counts(), outbox.status());
            measured.extend([
                ("halcyon_chat_calls_repeated_total", counts.repeated as f64),
                ("halcyon_chat_calls_refused_total", counts.refused as f64),
                ("halcyon_chat_pauses_total", counts.pauses as f64),
                ("halcyon_deliveries_oldest_seconds", status.oldest.unwrap_or_default().as_secs_f64()),
            ]);
        }
        self.shared.metrics.text(&measured, env!("CARGO_PKG_VERSION"))
    }
}

fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024.0)
}

pub(super) fn chat(config: &Config, pace: Pace, key: Option<&CallbackKey>) -> anyhow::Result<Option<Arc<dyn Chat>>> {
    let Some(section) = &config.mattermost else { return Ok(None) };
    let url = section.callback_url.clone();
    let callbacks = url.zip(key.cloned()).map(|(url, key)| Callbacks { url, key });
    let options = MattermostOptions { callbacks, ..mattermost_options(section, pace)? };
    Ok(Some(Arc::new(Mattermost::new(options)?)))
}

/// The key by which callbacks are known to be ours, where the chat server can call us.
fn callback_key(config: &Config) -> anyhow::Result<Option<CallbackKey>> {
    let called = config.http.is_some() && config.mattermost.as_ref().is_some_and(|chat| chat.callback_url.is_some());
    if !called {
        return Ok(None);
    }
    match config.mattermost.as_ref().and_then(|chat| chat.callback_key.clone()) {
        Some(given) => given.map(Some).map_err(|problem| anyhow::anyhow!("{problem}")),
        None => Ok(Some(callback_key::keep(&config.store.path)?)),
    }
}

pub(super) fn mattermost_options(section: &crate::config::Mattermost, pace: Pace) -> anyhow::Result<MattermostOptions> {
    let token = section.token.clone().map_err(|problem| anyhow::anyhow!("{problem}"))?;
    Ok(MattermostOptions {
        url: section.url.clone(),
        token,
        team: section.team.clone(),
        ca_file: section.ca_file.clone(),
        now: super::now,
        pace,
        callbacks: None,
    })
}

fn outbox(
    chat: &Arc<dyn Chat>,
    blobs: &Arc<dyn Blobs>,
    options: OutboxOptions,
    inputs: &mpsc::Sender<Input>,
    tasks: &mut JoinSet<()>,
) -> OutboxHandle {
    let (done, mut outcomes) = mpsc::channel(INPUTS);
    let inputs = inputs.clone();
    tasks.spawn(async move {
        while let Some((delivery, outcome)) = outcomes.recv().await {
            if inputs.send(Input::Delivered { delivery, outcome }).await.is_err() {
                break;
            }
        }
    });
    Outbox::start(Arc::clone(chat), Arc::clone(blobs), done, options)
}

fn outbox_options(config: &Config) -> OutboxOptions {
    let usual = OutboxOptions::default();
    match &config.mattermost {
        Some(chat) => {
            OutboxOptions { per_second: f64::from(chat.calls_per_second), burst: chat.calls_at_once, ..usual }
        }
        None => usual,
    }
}

/// The key to the secrets of the datastore, as the core takes it.
pub(super) fn master_key(config: &Config) -> Input {
    Input::MasterKey(config.datastore.key.clone().map_err(|problem| problem.message))
}

async fn take_in_content(config: &Config, good: &mut LastGood, shared: &Shared) {
    let loaded = good.read(&config.content.packs).loaded;
    for problem in &loaded.diagnostics {
        tracing::warn!("{problem}");
    }
    shared.deciders.send_replace(loaded.catalog.deciders());
    let input = Input::Content { catalog: Arc::new(loaded.catalog), problems: Arc::new(loaded.diagnostics) };
    let _ = shared.inputs.send(input).await;
}

/// What the adapter needs to know of hosts and groups, and what is known of the groups without asking.
pub(super) fn inventory_options(config: &Config) -> (InventoryOptions, BTreeMap<String, Result<Vec<String>, String>>) {
    let section = &config.inventory;
    let mut options = InventoryOptions { hosts: section.hosts.clone(), ..InventoryOptions::default() };
    let mut known = BTreeMap::new();
    for (name, source) in &section.groups {
        let source = match source {
            GroupSource::Members(members) => {
                known.insert(name.clone(), Ok(members.clone()));
                inventory::GroupSource::Static(members.clone())
            }
            GroupSource::Command { command, refresh } => {
                known.insert(name.clone(), Err("its command has not answered yet".to_owned()));
                options.refresh = options.refresh.min(*refresh);
                inventory::GroupSource::Shell(command.clone())
            }
        };
        options.groups.insert(name.clone(), source);
    }
    (options, known)
}

/// Listens on the control socket and, where the site has one, on the HTTP address.
async fn answer_calls(
    config: &Config,
    view: &View,
    callers: Callers,
    callbacks: mpsc::Sender<CallbackCall>,
    urgent: &mpsc::Sender<Input>,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let (calls, mut asked) = mpsc::channel::<ControlCall>(64);
    let Shared { inputs, stop, own_uid, .. } = view.shared.clone();
    let listener = control::bind(&config.control.socket).await?;
    tasks.spawn(control::serve(listener, calls.clone(), stop.clone()));
    if let Some(http) = &config.http {
        let listener = api::bind(http).await?;
        let (metrics, outside) = (view.clone(), view.clone());
        let counting = Arc::clone(&view.shared.metrics);
        let door = view.shared.callback_key.clone().map(|key| api::Door {
            key,
            calls: callbacks,
            refused: Arc::new(move |why| counting.callback_refused(why)),
        });
        let sources = api::Sources {
            calls,
            uid: own_uid,
            metrics: Arc::new(move || metrics.metrics()),
            outside: Arc::new(move || outside.outside()),
            patience: PATIENCE,
            door,
        };
        tasks.spawn(api::serve(listener, http.clone(), sources, stop));
    }
    let urgent = urgent.clone();
    tasks.spawn(async move {
        // Each connection asks one thing at a time, so there are never more here than connections.
        let mut waiting = JoinSet::new();
        while let Some(ControlCall { from, ask, reply }) = asked.recv().await {
            let way = if matches!(ask, Ask::Health) { &urgent } else { &inputs };
            match way.try_send(callers.ask(from, ask, reply)) {
                Ok(()) => {}
                // Whoever asks next need not wait for it.
                Err(TrySendError::Full(input)) => {
                    let way = way.clone();
                    waiting.spawn(async move { way.send(input).await.is_ok() });
                }
                Err(TrySendError::Closed(_)) => break,
            }
            while waiting.try_join_next().is_some() {}
        }
    });
    Ok(())
}

/// For a command that is the bot for a moment a damaged store is an error; the bot itself has to be there and say so.
async fn open_store(config: &Config) -> anyhow::Result<(DiskStore, Option<SetAside>, Option<AuditAside>)> {
    let (path, options) = (&config.store.path, store_options(config));
    let (store, opened, aside) = if config.mattermost.is_some() {
        DiskStore::open_or_set_aside(path, options).await.map_err(super::not_opened)?
    } else {
        let (store, opened) = DiskStore::open_with(path, options).await.map_err(super::not_opened)?;
        (store, opened, None)
    };
    for notice in opened.notices() {
        tracing::warn!("{notice}");
    }
    Ok((store, aside, opened.audit_aside))
}

pub(super) fn store_options(config: &Config) -> store::Options {
    let section = &config.store;
    store::Options {
        keep: section.keep,
        keep_outputs: section.keep_outputs,
        reserve: section.reserve,
        now: super::now,
        brief: config.mattermost.is_none(),
        ..store::Options::default()
    }
}

pub(super) fn ssh_options(config: &Config) -> SshOptions {
    let section = &config.ssh;
    SshOptions {
        config_file: section.config_file.clone(),
        host_keys: match section.known_hosts {
            HostKeys::Strict => ssh::HostKeys::Strict,
            HostKeys::AcceptNew => ssh::HostKeys::AcceptNew,
        },
        known_hosts_file: section.known_hosts_file.clone(),
        connect_timeout: section.connect_timeout,
        max_parallel: section.max_parallel,
        output_limit: section.output_limit,
        ..SshOptions::new(control_dir(&config.store.path))
    }
}

pub(super) fn local_options(config: &Config) -> LocalOptions {
    LocalOptions { run_as: config.local.run_as.clone(), output_limit: config.local.output_limit }
}

pub(super) fn mail_options(config: &Config) -> Option<MailOptions> {
    let section = config.mail.as_ref()?;
    let encryption = match section.encryption {
        MailEncryption::Tls => Encryption::Tls,
        MailEncryption::StartTls => Encryption::StartTls,
        MailEncryption::None => Encryption::None,
    };
    let login = section.login.clone();
    Some(MailOptions {
        host: section.host.clone(),
        port: section.port,
        encryption,
        ca_file: section.ca_file.clone(),
        from: section.from.clone(),
        login: login.map(|(name, password)| (name, password.map_err(|problem| problem.to_string()))),
    })
}

/// What carries orders to the configured monitorings out.
pub(super) fn monitoring_runner(config: &Config, blobs: &Arc<dyn Blobs>) -> MonitoringRunner {
    let watched = config.monitorings.iter().map(|section| {
        let monitoring = monitorings::monitoring(section);
        Watched { monitoring, patience: section.confirm }
    });
    MonitoringRunner::new(watched.collect(), config.local.output_limit, Arc::clone(blobs), super::now)
}

/// A directory whose name is short enough for sockets: in the store, or else one of ours in the runtime directory, named after the store.
fn control_dir(store: &Path) -> PathBuf {
    let inside = std::path::absolute(store).unwrap_or_else(|_| store.to_owned()).join("ssh");
    if inside.as_os_str().len() <= LONGEST_CONTROL_DIR {
        return inside;
    }
    let name: String = Sha256::digest(inside.as_os_str().as_encoded_bytes())
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    std::env::temp_dir().join(format!("halcyon-{}-{name}", rustix::process::getuid().as_raw()))
}
