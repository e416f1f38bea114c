//! One run on many hosts.

use super::master::check_words;
use super::pool::Pool;
use super::session::{HostCommand, Surroundings};
use super::{SshError, SshOptions};
use crate::core::action::run::{Captured, Exit, HostOutcome, RemoteCommand, RemoteHost, Run, RunNews, Work};
use crate::core::action::wrapper::{self, Standing, Verb};
use crate::core::id::{ExecutionId, Host};
use crate::runtime::capture::Live;
use crate::runtime::ports::{Blobs, Runner};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Runs commands on other machines. Cheap to clone: all clones share their connections.
#[derive(Clone)]
pub struct SshRunner {
    pool: Arc<Pool>,
    blobs: Arc<dyn Blobs>,
}

impl SshRunner {
    /// Makes the directory for the sockets and closes the masters that a killed predecessor has left.
    ///
    /// # Errors
    /// When the directory cannot be had, or not for us alone.
    pub async fn open(options: SshOptions, blobs: Arc<dyn Blobs>) -> Result<Self, SshError> {
        Ok(Self { pool: Arc::new(Pool::open(options).await?), blobs })
    }

    /// How many connections are kept open.
    pub fn connections(&self) -> usize {
        self.pool.open_links()
    }

    /// Closes all connections. To be called when no run is left; runs that come later find every host unreachable.
    pub async fn shutdown(&self) {
        self.pool.close().await;
    }

    /// Asks a node what has become of a command, after its connection or this process was lost. `command` says the way there and whether it
    /// ran through sudo; its script is not sent.
    ///
    /// # Errors
    /// Why the node could not be asked.
    pub async fn standing(
        &self,
        execution: &ExecutionId,
        machine: &RemoteHost,
        command: &RemoteCommand,
    ) -> Result<Standing, String> {
        check_words(command)?;
        HostCommand { pool: &self.pool, execution, machine, command }.standing().await
    }

    /// One host's share, in a task of its own.
    async fn on_host(self, shared: Arc<Shared>, at: usize) -> (Host, HostOutcome) {
        let machine = &shared.command.hosts[at];
        let host = machine.host.clone();
        let one = HostCommand { pool: &self.pool, execution: &shared.execution, machine, command: &shared.command };
        let around =
            Surroundings { blobs: &*self.blobs, live: &shared.live, slots: &shared.slots, cancel: &shared.cancel };
        let started = async || {
            // A receiver that is gone does not stop the run.
            let _ = shared.news.send(RunNews::HostStarted { host: host.clone() }).await;
        };
        let outcome = one.carry_out(&around, started).await;
        (host, outcome)
    }
}

/// What the tasks of a run share.
struct Shared {
    execution: ExecutionId,
    command: RemoteCommand,
    live: Live,
    slots: Semaphore,
    cancel: CancellationToken,
    news: mpsc::Sender<RunNews>,
}

/// What keeps the whole command from being run anywhere.
fn check(execution: &ExecutionId, command: &RemoteCommand) -> Result<(), String> {
    check_words(command)?;
    let id = wrapper::node_id(execution, &Host::new("any"));
    wrapper::input(Verb::Run, &id, &command.command).map(|_| ()).map_err(|error| error.to_string())
}

#[async_trait]
impl Runner for SshRunner {
    async fn run(&self, run: Run, news: mpsc::Sender<RunNews>, cancel: CancellationToken) {
        let error = match run.work {
            Work::Local(_) => Some("a local command was given to the runner for remote ones".to_owned()),
            Work::Remote(command) => match check(&run.execution, &command) {
                Err(why) => Some(why),
                Ok(()) => {
                    let slots = Semaphore::new(self.pool.options.max_parallel.max(1));
                    let (execution, live, news) = (run.execution, Live::default(), news.clone());
                    self.everywhere(Arc::new(Shared { execution, command, live, slots, cancel, news })).await;
                    None
                }
            },
        };
        let _ = news.send(RunNews::Finished { error }).await;
    }
}

impl SshRunner {
    /// All hosts at once; each is told of when it has ended.
    async fn everywhere(&self, shared: Arc<Shared>) {
        let mut tasks = JoinSet::new();
        let mut hosts = BTreeMap::new();
        for at in 0..shared.command.hosts.len() {
            let task = tasks.spawn(self.clone().on_host(Arc::clone(&shared), at));
            hosts.insert(task.id(), at);
        }
        let all = async {
            while let Some(ended) = tasks.join_next_with_id().await {
                let (host, outcome) = match ended {
                    Ok((_, ended)) => ended,
                    Err(error) => {
                        let Some(&at) = hosts.get(&error.id()) else { continue };
                        let why = format!("the task that watched it has died, which is a fault of Halcyon: {error}");
                        let (stdout, stderr) = (Captured::empty(), Captured::empty());
                        let outcome = HostOutcome { exit: Exit::Unknown { why }, stdout, stderr, seconds: 0.0 };
                        (shared.command.hosts[at].host.clone(), outcome)
                    }
                };
                let _ = shared.news.send(RunNews::HostFinished { host, outcome: Box::new(outcome) }).await;
            }
        };
        tokio::select! {
            () = all => {}
            never = shared.live.report(&shared.news) => match never {},
        }
    }
}
