//! The bot with everything around it: what `serve`, `demo` and the tests run.
//!
//! Life cycle: [`Engine::start`] opens the store, reads the packs, prepares the adapters and turns the loop; [`Engine::stop`] asks it to end and
//! waits. Dropping an engine ends it where it stands, as a power cut would.

use crate::adapters::clock::SystemClock;
use crate::adapters::control;
use crate::adapters::inventory::{self, InventoryOptions};
use crate::adapters::local::{LocalOptions, LocalRunner};
use crate::adapters::mattermost::{Mattermost, MattermostOptions, Pace};
use crate::adapters::ssh::{self, SshOptions, SshRunner};
use crate::adapters::store::{self, DiskStore, SetAside};
use crate::adapters::{api, content as packs};
use crate::config::{Config, GroupSource, HostKeys};
use crate::core::content::load::load;
use crate::core::host::Inventory;
use crate::core::input::{Ask, Input};
use crate::core::settings::Settings;
use crate::runtime::catch_up::CatchUpOptions;
use crate::runtime::dispatch::{Callers, Dispatch, Hands};
use crate::runtime::event_loop::EventLoop;
use crate::runtime::intake::{self, Beginning};
use crate::runtime::outbox::{Outbox, OutboxHandle, OutboxOptions};
use crate::runtime::ports::{Blobs, Chat, Clock, ControlCall, Store};
use crate::runtime::storage;
use anyhow::Context;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// How many inputs may wait for the loop.
const INPUTS: usize = 4096;
/// How long running executions may go on after a stop was asked for.
const GRACE: Duration = Duration::from_secs(20);
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
}

/// A running bot.
pub struct Engine {
    urgent: mpsc::Sender<Input>,
    turning: JoinHandle<anyhow::Result<()>>,
    tasks: JoinSet<()>,
    remote: Arc<SshRunner>,
    outbox: Option<OutboxHandle>,
    stop: CancellationToken,
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop.cancel();
        self.turning.abort();
        self.tasks.abort_all();
        if let Some(outbox) = &self.outbox {
            outbox.stop();
        }
    }
}

impl Engine {
    /// Puts the parts together and starts them.
    ///
    /// # Errors
    /// What keeps the bot from starting: the store, the token, an address in use.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        Self::start_with(config, EngineOptions::default()).await
    }

    /// The same with other timers.
    ///
    /// # Errors
    /// What keeps the bot from starting.
    pub async fn start_with(config: &Config, options: EngineOptions) -> anyhow::Result<Self> {
        let own_uid = rustix::process::getuid().as_raw();
        let settings = Arc::new(config.settings(own_uid));
        // For a command that is the bot for a moment a damaged store is an error; the bot itself has to be there and say so.
        let (store, aside) = if config.mattermost.is_some() {
            let (store, _, aside) = DiskStore::open_or_set_aside(&config.store.path, store_options(config)).await?;
            (store, aside)
        } else {
            (DiskStore::open_with(&config.store.path, store_options(config)).await?.0, None)
        };
        let blobs: Arc<dyn Blobs> = Arc::new(store.blobs());
        let store: Arc<dyn Store> = Arc::new(store);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let remote = Arc::new(SshRunner::open(ssh_options(config), Arc::clone(&blobs)).await?);
        let local = Arc::new(LocalRunner::new(local_options(config), Arc::clone(&blobs)));

        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (inputs, queue) = mpsc::channel(INPUTS);
        let chat = chat(config, options.pace)?;
        let pace = options.outbox.unwrap_or_else(|| outbox_options(config));
        let outbox = chat.as_ref().map(|chat| outbox(chat, &blobs, pace, &inputs, &mut tasks));
        let callers = Callers::default();
        let hands = Hands { local, remote: Arc::clone(&remote) as _, outbox: outbox.clone() };
        let dispatch = Dispatch::new(&inputs, Arc::clone(&store), hands, callers.clone(), stop.clone());
        tasks.spawn(storage::watch(Arc::clone(&store), inputs.clone(), stop.clone()));
        let events = EventLoop::open(store, clock, Arc::clone(&settings), queue, dispatch).await?;

        let memory = events.memory();
        let beginning = Beginning { heard: memory.heard(), begun: memory.begun(), catch_up: options.catch_up };

        take_in_content(config, &inputs).await;
        take_in_inventory(config, &inputs, &stop, &mut tasks).await;
        if let Some(SetAside { place, why }) = aside {
            inputs.send(Input::SetAside { place: place.display().to_string(), why }).await?;
        }
        inputs.send(Input::Started).await?;
        let urgent = events.urgent();
        let turning = tokio::spawn(async move { events.run(GRACE).await.context("the bot had to stop") });

        answer_calls(config, own_uid, callers, (&inputs, &urgent), &stop, &mut tasks).await?;
        if let (Some(chat), Some(outbox)) = (chat, outbox.clone()) {
            hear(chat, outbox, settings, beginning, &inputs, &stop, &mut tasks);
        }
        Ok(Self { urgent, turning, tasks, remote, outbox, stop })
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

    /// Takes nothing new, lets running executions end within their grace, says what was promised, and ends.
    ///
    /// # Errors
    /// What made the loop end before its time.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        // The loop may have ended already; its own answer says why.
        let _ = self.urgent.send(Input::Stop).await;
        let ended = self.ended().await;
        self.stop.cancel();
        self.tasks.shutdown().await;
        self.remote.shutdown().await;
        ended
    }

    /// Ends when the loop does, which by itself it only does in trouble.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        (&mut self.turning).await.context("the loop panicked")?
    }
}

fn chat(config: &Config, pace: Pace) -> anyhow::Result<Option<Arc<dyn Chat>>> {
    let Some(section) = &config.mattermost else { return Ok(None) };
    let token = section.token.clone().map_err(|problem| anyhow::anyhow!("{problem}"))?;
    let options = MattermostOptions {
        url: section.url.clone(),
        token,
        team: section.team.clone(),
        ca_file: section.ca_file.clone(),
        now: super::now,
        pace,
    };
    Ok(Some(Arc::new(Mattermost::new(options)?)))
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

fn hear(
    chat: Arc<dyn Chat>,
    outbox: OutboxHandle,
    settings: Arc<Settings>,
    beginning: Beginning,
    inputs: &mpsc::Sender<Input>,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) {
    let longest_post = move |characters| outbox.set_max_post(characters);
    tasks.spawn(intake::listen(chat, settings, longest_post, beginning, inputs.clone(), stop.clone()));
}

async fn take_in_content(config: &Config, inputs: &mpsc::Sender<Input>) {
    let loaded = load(&packs::read_packs(&config.content.packs));
    for problem in &loaded.diagnostics {
        tracing::warn!("{problem}");
    }
    let input = Input::Content { catalog: Arc::new(loaded.catalog), problems: Arc::new(loaded.diagnostics) };
    // The queue is empty and its reader is not turning yet, so this neither waits nor fails.
    let _ = inputs.send(input).await;
}

/// Gives what the configuration says of hosts at once; what commands say comes when they have said it.
async fn take_in_inventory(
    config: &Config,
    inputs: &mpsc::Sender<Input>,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) {
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
    let (first, _) = Inventory::build(&section.hosts, &known);
    // The queue is empty and its reader is not turning yet, so this neither waits nor fails.
    let _ = inputs.send(Input::Inventory(Arc::new(first))).await;
    let (changes, mut changed) = mpsc::channel(1);
    tasks.spawn(inventory::keep(options, changes, stop.clone()));
    let inputs = inputs.clone();
    tasks.spawn(async move {
        while let Some((inventory, problems)) = changed.recv().await {
            for problem in problems {
                tracing::warn!("inventory: {}: {}", problem.key_path, problem.message);
            }
            if inputs.send(Input::Inventory(Arc::new(inventory))).await.is_err() {
                break;
            }
        }
    });
}

/// Listens on the control socket and, where the site has one, on the HTTP address.
async fn answer_calls(
    config: &Config,
    own_uid: u32,
    callers: Callers,
    (inputs, urgent): (&mpsc::Sender<Input>, &mpsc::Sender<Input>),
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let (calls, mut asked) = mpsc::channel::<ControlCall>(64);
    let listener = control::bind(&config.control.socket).await?;
    tasks.spawn(control::serve(listener, calls.clone(), stop.clone()));
    if let Some(http) = &config.http {
        let listener = api::bind(http).await?;
        tasks.spawn(api::serve(listener, http.clone(), calls, own_uid, stop.clone()));
    }
    let (inputs, urgent) = (inputs.clone(), urgent.clone());
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

fn store_options(config: &Config) -> store::Options {
    let section = &config.store;
    store::Options { keep: section.keep, reserve: section.reserve, now: super::now, ..store::Options::default() }
}

fn ssh_options(config: &Config) -> SshOptions {
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

fn local_options(config: &Config) -> LocalOptions {
    LocalOptions { run_as: config.local.run_as.clone(), output_limit: config.local.output_limit }
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
