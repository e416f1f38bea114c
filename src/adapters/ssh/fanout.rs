//! One run on many hosts.

use super::master::check_words;
use super::pool::Pool;
use super::session::{HostCommand, Surroundings};
use super::{SshError, SshOptions};
use crate::core::action::reason::Reason;
use crate::core::action::run::{
    Attach, Begun, Captured, Exit, HostOutcome, RemoteCommand, RemoteHost, Run, RunNews, Work,
};
use crate::core::action::wrapper::{self, Standing, Verb};
use crate::core::id::{ExecutionId, Host};
use crate::runtime::attend::Asked;
use crate::runtime::capture::Live;
use crate::runtime::ports::{Blobs, Runner};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
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

    /// Asks a node how a command stands that was run there as the first try. `command` says the way there and whether it ran through sudo; its
    /// script is not sent.
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
        let one = HostCommand { pool: &self.pool, execution, machine, command, attempt: 0 };
        one.status().await.map(|report| report.standing)
    }

    /// One host's share, in a task of its own.
    async fn on_host(self, shared: Arc<Shared>, at: usize) -> (Host, HostOutcome, bool) {
        let machine = &shared.command.hosts[at];
        let host = machine.host.clone();
        let (execution, command) = (&shared.execution, &shared.command);
        let begun = match &shared.begun {
            Beginning::Now { attempt } => Err(*attempt),
            Beginning::Before(begun) => begun.get(&host).copied().ok_or(0),
        };
        let attempt = begun.map_or_else(|attempt| attempt, |begun| begun.attempt);
        let one = HostCommand { pool: &self.pool, execution, machine, command, attempt };
        let around =
            Surroundings { blobs: &*self.blobs, live: &shared.live, slots: &shared.slots, cancel: &shared.cancel };
        let started = async || {
            // A receiver that is gone does not stop the run.
            let _ = shared.news.send(RunNews::HostStarted { host: host.clone() }).await;
        };
        if let Ok(begun) = begun {
            let asked = Instant::now();
            let attended = Box::pin(one.attend(begun.ago, &shared.cancel, started)).await;
            let seconds = (begun.ago + asked.elapsed()).as_secs_f64();
            let (stdout, stderr) = (Captured::empty(), Captured::empty());
            return (host, HostOutcome { exit: attended.exit, stdout, stderr, seconds }, attended.lost);
        }
        let (outcome, lost) = one.carry_out(&around, started).await;
        (host, outcome, lost)
    }
}

/// What the tasks of a run share.
struct Shared {
    execution: ExecutionId,
    command: RemoteCommand,
    begun: Beginning,
    live: Live,
    slots: Semaphore,
    cancel: CancellationToken,
    news: mpsc::Sender<RunNews>,
}

/// When the command is begun.
enum Beginning {
    /// Now.
    Now {
        /// Which try it is.
        attempt: u32,
    },
    /// Before, on each host.
    Before(BTreeMap<Host, Begun>),
}

/// What keeps the whole command from being run anywhere.
fn check(execution: &ExecutionId, command: &RemoteCommand) -> Result<(), String> {
    check_words(command)?;
    let id = wrapper::node_id(execution, &Host::new("any"), 0);
    wrapper::input(Verb::Run, &id, &command.command).map(|_| ()).map_err(|error| error.to_string())
}

#[async_trait]
impl Runner for SshRunner {
    async fn run(&self, run: Run, news: mpsc::Sender<RunNews>, cancel: CancellationToken) {
        let begun = Beginning::Now { attempt: run.attempt };
        self.carry_out(run.execution, run.work, begun, news, cancel).await;
    }

    async fn attach(&self, attach: Attach, news: mpsc::Sender<RunNews>, cancel: CancellationToken) {
        let begun = Beginning::Before(attach.begun);
        self.carry_out(attach.execution, attach.work, begun, news, cancel).await;
    }
}

impl SshRunner {
    async fn carry_out(
        &self,
        execution: ExecutionId,
        work: Work,
        begun: Beginning,
        news: mpsc::Sender<RunNews>,
        cancel: CancellationToken,
    ) {
        let error = match work {
            Work::Local(_) | Work::Http(_) | Work::Mail(_) | Work::Monitoring(_) => {
                Some(Reason::WrongRunner.to_string())
            }
            Work::Remote(command) => match check(&execution, &command) {
                Err(why) => Some(why),
                Ok(()) => {
                    let slots = Semaphore::new(self.pool.options.max_parallel.max(1));
                    let (live, news) = (Live::default(), news.clone());
                    self.everywhere(Arc::new(Shared { execution, command, begun, live, slots, cancel, news })).await;
                    None
                }
            },
        };
        let _ = news.send(RunNews::Finished { error }).await;
    }

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
                let (host, outcome, lost) = match ended {
                    Ok((_, ended)) => ended,
                    Err(error) => {
                        let Some(&at) = hosts.get(&error.id()) else { continue };
                        let why = Reason::WatcherDied { why: &error.to_string() }.to_string();
                        let (stdout, stderr) = (Captured::empty(), Captured::empty());
                        let outcome = HostOutcome { exit: Exit::Unknown { why }, stdout, stderr, seconds: 0.0 };
                        (shared.command.hosts[at].host.clone(), outcome, false)
                    }
                };
                let outcome = Box::new(outcome);
                let told =
                    if lost { RunNews::HostLost { host, outcome } } else { RunNews::HostFinished { host, outcome } };
                let _ = shared.news.send(told).await;
            }
        };
        tokio::select! {
            () = all => {}
            never = shared.live.report(&shared.news) => match never {},
        }
    }
}
