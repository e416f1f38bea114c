//! Connections kept warm: one for each way to a host.

use super::master::{ControlDir, Master, NoMaster, Way};
use super::{SshError, SshOptions};
use crate::core::action::reason::Reason;
use crate::core::action::run::RemoteCommand;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many commands go over one connection at the same time. A server takes ten (`MaxSessions`); two are left for kills.
const COMMANDS_EACH: usize = 8;

/// How often it is looked at what a connection in the making does. It keeps its place in the queue for as long as it works: one that waits for
/// the network costs nothing, and others may begin.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Less work between two looks is none.
const WORK: Duration = Duration::from_millis(5);

/// Places that a connection through a jump host takes: the jump host's server refuses more than ten at a time.
const PLACES_BY_BASTION: usize = 4;

/// How long to wait before trying again a server that hung up, most likely because too many came at once.
const TRY_AGAIN: Duration = Duration::from_millis(400);

/// How many times a server that hangs up is tried again.
const TRIES: u32 = 3;

/// All connections of this process.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) options: SshOptions,
    control: ControlDir,
    places: Semaphore,
    /// Ends what is still connecting.
    stopping: CancellationToken,
    ways: Mutex<BTreeMap<Way, Arc<Slot>>>,
    started: AtomicU64,
}

/// The place of one way's connection.
#[derive(Debug)]
struct Slot {
    /// Held while connecting: whoever comes meanwhile gets the same connection, or the same reason why there is none.
    state: tokio::sync::Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    link: Option<Arc<Link>>,
    failed: Option<(Instant, NoMaster)>,
}

/// A connection in use.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) master: Master,
    /// One for each command at a time.
    pub(super) commands: Arc<Semaphore>,
}

impl Pool {
    pub(super) async fn open(options: SshOptions) -> Result<Self, SshError> {
        let control = ControlDir::open(&options.control_dir).await?;
        Ok(Self {
            control,
            places: Semaphore::new(options.max_connecting.max(PLACES_BY_BASTION)),
            stopping: CancellationToken::new(),
            ways: Mutex::default(),
            started: AtomicU64::new(0),
            options,
        })
    }

    /// The connection for this way, made when there is none. `instead_of` is one that was found dead.
    pub(super) async fn link(
        &self,
        way: &Way,
        command: &RemoteCommand,
        instead_of: Option<&Arc<Link>>,
    ) -> Result<Arc<Link>, NoMaster> {
        let asked = Instant::now();
        let slot = {
            let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(
                ways.entry(way.clone()).or_insert_with(|| Arc::new(Slot { state: tokio::sync::Mutex::default() })),
            )
        };
        let mut state = slot.state.lock().await;
        if let Some(link) = &state.link {
            if !instead_of.is_some_and(|dead| Arc::ptr_eq(dead, link)) {
                return Ok(Arc::clone(link));
            }
            state.link = None;
        }
        if let Some((when, failure)) = &state.failed
            && *when >= asked
        {
            return Err(failure.clone());
        }
        let connected = self.stopping.run_until_cancelled(self.connect(way, command)).await;
        match connected.unwrap_or_else(|| Err(stopping())) {
            Ok(master) => {
                let link = Arc::new(Link { master, commands: Arc::new(Semaphore::new(COMMANDS_EACH)) });
                *state = State { link: Some(Arc::clone(&link)), failed: None };
                Ok(link)
            }
            Err(failure) => {
                state.failed = Some((Instant::now(), failure.clone()));
                Err(failure)
            }
        }
    }

    async fn connect(&self, way: &Way, command: &RemoteCommand) -> Result<Master, NoMaster> {
        let mut tries = 1;
        loop {
            match self.connect_once(way, command).await {
                Err(failure) if failure.passing && tries < TRIES => {
                    tokio::time::sleep(TRY_AGAIN * tries).await;
                    tries += 1;
                }
                result => return result,
            }
        }
    }

    async fn connect_once(&self, way: &Way, command: &RemoteCommand) -> Result<Master, NoMaster> {
        let wanted = if way.has_bastion() { PLACES_BY_BASTION } else { 1 };
        let wanted = u32::try_from(wanted).unwrap_or(1);
        let place = self.places.acquire_many(wanted).await;
        let place = place.map_err(|_| stopping())?;
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let starting = Master::start(way, command, &self.options, &self.control, number)?;
        let process = starting.process();
        let mut worked = worked(process);
        let mut finish = pin!(starting.finish());
        loop {
            tokio::select! {
                result = &mut finish => return result,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let before = std::mem::replace(&mut worked, self::worked(process));
            if worked < before + WORK {
                break;
            }
        }
        drop(place);
        finish.await
    }

    /// How many connections are open. One that is being made does not count.
    pub(super) fn open_links(&self) -> usize {
        let ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        ways.values().filter(|slot| slot.state.try_lock().is_ok_and(|state| state.link.is_some())).count()
    }

    /// Closes all connections, also those in the making, and makes no more.
    pub(super) async fn close(&self) {
        self.places.close();
        self.stopping.cancel();
        let slots: Vec<_> =
            std::mem::take(&mut *self.ways.lock().unwrap_or_else(PoisonError::into_inner)).into_values().collect();
        for slot in slots {
            // Nobody holds it for long: connecting has been ended.
            slot.state.lock().await.link = None;
        }
        // A login that has just succeeded has left a master that no slot knows: what counts is what is in the directory.
        self.control.clear().await;
    }
}

fn stopping() -> NoMaster {
    NoMaster { why: Reason::Stopping.to_string(), passing: false }
}

/// For how long a process has worked or would have, had there been a processor for it. None that can be seen counts as none: its place is
/// given to others.
fn worked(process: Option<u32>) -> Duration {
    let times = process.and_then(|process| std::fs::read_to_string(format!("/proc/{process}/schedstat")).ok());
    let times = times.unwrap_or_default();
    let nanoseconds = times.split(' ').take(2).filter_map(|time| time.parse::<u64>().ok());
    nanoseconds.map(Duration::from_nanos).sum()
}
