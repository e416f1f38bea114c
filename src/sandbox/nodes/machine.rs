//! The model of a node: what its tools report and change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::batch::Batch;
use super::content;
use super::fault::Fault;
use super::filesystem::FileSystem;
use super::group::{Group, KILL};
use super::keeper::{Site, runs};
use super::ledger::LedgerEntry;
use super::monitoring::Monitoring;

/// One node.
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) domain: &'static str,
    pub(crate) seed: u64,
    /// Factor on the time that slow tools take.
    pub(crate) pace: f64,
    pub(crate) sudo_password: Option<String>,
    pub(crate) role: Role,
    /// What it shares with the others of its cluster; none before they are all there.
    site: OnceLock<Site>,
    state: Mutex<State>,
    /// What the port does; the accept loop follows it.
    pub(crate) port: watch::Sender<Port>,
    next_pid: AtomicU32,
}

/// What a machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Worker,
    BatchServer,
    MonitoringServer,
    /// From where commands are sent to all the others.
    Administration,
}

/// What a node's port does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) open: bool,
    pub(crate) fault: Option<Fault>,
}

/// What changes on a node.
pub(crate) struct State {
    pub(crate) boot_id: String,
    pub(crate) booted: Instant,
    /// How long the node had been up when the cluster started.
    pub(crate) up_before: Duration,
    pub(crate) kernel: String,
    pub(crate) kernels: Vec<String>,
    pub(crate) services: BTreeMap<String, Service>,
    pub(crate) packages: BTreeMap<String, Package>,
    pub(crate) processes: BTreeMap<u32, Process>,
    pub(crate) journal: Vec<String>,
    pub(crate) reboots: u32,
    /// It is away, and will be back or not.
    rebooting: bool,
    files: FileSystem,
    kept: BTreeMap<(String, String), Kept>,
    /// Ids that were killed before they were run.
    barred: BTreeSet<(String, String)>,
    /// When all that the wrapper keeps was last lost but by a reboot.
    notes_lost: Option<Instant>,
    ledger: Vec<LedgerEntry>,
    /// Ends when all open connections must.
    connections: CancellationToken,
}

/// A unit of systemd.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) description: String,
    pub(crate) active: Activity,
    pub(crate) enabled: bool,
    pub(crate) pid: u32,
    pub(crate) since: i64,
}

/// What a unit is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    Active,
    Inactive,
    Failed,
}

impl Activity {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Activity::Active => "active",
            Activity::Inactive => "inactive",
            Activity::Failed => "failed",
        }
    }
}

/// An installed package and the update that waits for it.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) version: String,
    pub(crate) architecture: &'static str,
    pub(crate) update: Option<String>,
    pub(crate) kilobytes: u32,
}

/// A process as `ps` shows it.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) parent: u32,
    pub(crate) user: String,
    pub(crate) command: String,
    pub(crate) started: i64,
    pub(crate) group: Option<Arc<Group>>,
    pub(crate) token: CancellationToken,
}

impl Process {
    /// Whether it is a batch user's and has lost its parent.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.group.is_none() && self.parent == 1 && content::BATCH_USERS.contains(&self.user.as_str())
    }
}

/// What the wrapper keeps under an id.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) group: Arc<Group>,
    pub(crate) code: watch::Receiver<Option<u8>>,
    pub(crate) since: Instant,
    /// It only looks: how it ended is not kept.
    pub(crate) looks: bool,
}

/// What a machine is made from.
pub(crate) struct Blueprint {
    pub(crate) name: String,
    pub(crate) seed: u64,
    pub(crate) pace: f64,
    pub(crate) sudo_password: Option<String>,
    pub(crate) role: Role,
    pub(crate) fault: Option<Fault>,
}

/// Seconds since the epoch on the node's clock.
#[expect(clippy::disallowed_methods, reason = "a sandbox node has a clock of its own, as a real one has")]
pub(crate) fn wall_clock() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// A number between `low` and `high` (both included) that follows from the seed, a machine's name and what it is for.
pub(crate) fn drawn(seed: u64, name: &str, purpose: &str, low: u64, high: u64) -> u64 {
    let mut mixed = seed ^ 0x9e37_79b9_7f4a_7c15;
    for byte in name.bytes().chain([0]).chain(purpose.bytes()) {
        mixed = (mixed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    mixed ^= mixed >> 31;
    mixed = mixed.wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 29;
    low + mixed % (high - low + 1)
}

impl Machine {
    pub(crate) fn new(blueprint: Blueprint) -> Machine {
        let (port, _) = watch::channel(Port { open: true, fault: blueprint.fault });
        let mut machine = Machine {
            name: blueprint.name,
            domain: "cluster.example",
            seed: blueprint.seed,
            pace: blueprint.pace,
            sudo_password: blueprint.sudo_password,
            role: blueprint.role,
            site: OnceLock::new(),
            state: Mutex::new(State::empty()),
            port,
            next_pid: AtomicU32::new(20_000),
        };
        let state = content::first_state(&machine);
        machine.next_pid = AtomicU32::new(20_000 + machine.draw("pid", 0, 9_000) as u32);
        *machine.state() = state;
        content::write_proc(&machine);
        machine
    }

    /// A number between `low` and `high` (both included) that follows from the seed, the node's name and what it is for.
    pub(crate) fn draw(&self, purpose: &str, low: u64, high: u64) -> u64 {
        drawn(self.seed, &self.name, purpose, low, high)
    }

    /// Makes it one of a cluster.
    pub(crate) fn belong_to(&self, site: Site) {
        let _ = self.site.set(site);
    }

    /// The batch system of its cluster.
    pub(crate) fn batch(&self) -> Option<&Arc<Batch>> {
        self.site.get()?.batch.as_ref()
    }

    /// Another machine of its cluster.
    pub(crate) fn neighbour(&self, name: &str) -> Option<Arc<Machine>> {
        self.site.get()?.machines.get(name)?.upgrade()
    }

    /// Where the batch system's daemon runs.
    pub(crate) fn batch_server(&self) -> Option<&str> {
        self.site.get()?.batch_server.as_deref()
    }

    /// The monitoring that listens here.
    pub(crate) fn monitoring(&self) -> Option<&Arc<Monitoring>> {
        let here = self.role == Role::MonitoringServer && runs(self, "omd");
        self.site.get()?.monitoring.as_ref().filter(|_| here)
    }

    /// Whether it is not away for a reboot.
    pub(crate) fn is_up(&self) -> bool {
        self.port.borrow().open
    }

    /// Where an account is at home, by `/etc/passwd`.
    pub(crate) fn home(&self, user: &str) -> String {
        let known = self.files(|files| files.read("/etc/passwd")).unwrap_or_default();
        let of_user = |line: &str| {
            let mut fields = line.split(':');
            (fields.next() == Some(user)).then(|| fields.nth(4).map(str::to_owned)).flatten()
        };
        let home = String::from_utf8_lossy(&known).lines().find_map(of_user);
        home.unwrap_or_else(|| format!("/home/{user}"))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn files<T>(&self, look: impl FnOnce(&mut FileSystem) -> T) -> T {
        look(&mut self.state().files)
    }

    pub(crate) fn up(&self) -> Duration {
        let state = self.state();
        state.up_before + state.booted.elapsed()
    }

    /// For how long the wrapper's notes have been kept: its accounts have been used ever since the node is up.
    pub(crate) fn noted(&self) -> Duration {
        let lost = self.state().notes_lost.map(|at| at.elapsed());
        lost.map_or(self.up(), |since| since.min(self.up()))
    }

    /// Loses all that the wrapper keeps, as where temporary files are cleaned away. What runs goes on.
    pub(crate) fn lose_notes(&self) {
        let mut state = self.state();
        state.kept.clear();
        state.barred.clear();
        state.notes_lost = Some(Instant::now());
    }

    /// Load averages now: a steady value for the node, with a slow swing.
    pub(crate) fn load(&self) -> [f64; 3] {
        let base = self.draw("load", 2, 4_800) as f64 / 100.0;
        let base = if self.draw("busy", 0, 3) == 0 { base / 40.0 } else { base };
        let swing = (self.up().as_secs() / 60 % 10) as f64 / 100.0;
        [base * (1.0 + swing), base, base * (1.0 - swing / 2.0)]
    }

    pub(crate) fn cores(&self) -> u64 {
        [32, 48, 64, 64, 128][self.draw("cores", 0, 4) as usize]
    }

    /// Total memory in KiB, a bit less than what the modules say.
    pub(crate) fn memory(&self) -> u64 {
        let gigabytes = [128, 192, 256, 256, 512][self.draw("memory", 0, 4) as usize];
        gigabytes * 1_048_576 - gigabytes * 16_000
    }

    /// How long something that takes so many seconds in life takes here.
    pub(crate) fn paced(&self, seconds: f64) -> Duration {
        Duration::from_secs_f64((seconds * self.pace).clamp(0.0, 3_600.0))
    }

    pub(crate) fn note(&self, unit: &str, message: &str) {
        let line = content::journal_line(wall_clock(), &self.name, unit, message);
        let mut state = self.state();
        state.journal.push(line);
        if state.journal.len() > 5_000 {
            state.journal.drain(..1_000);
        }
    }

    // Processes.

    pub(crate) fn next_pid(&self) -> u32 {
        self.next_pid.fetch_add(1, Ordering::Relaxed)
    }

    /// Puts a process on the list until the returned guard goes.
    pub(crate) fn enter(self: &Arc<Machine>, parent: u32, user: &str, command: &str, group: &Arc<Group>) -> Presence {
        let pid = self.next_pid();
        let token = CancellationToken::new();
        let command = command.chars().take(200).collect();
        let process = Process {
            parent,
            user: user.to_owned(),
            command,
            started: wall_clock().as_second(),
            group: Some(group.clone()),
            token: token.clone(),
        };
        self.state().processes.insert(pid, process);
        Presence { machine: self.clone(), pid, token }
    }

    // What the wrapper keeps.

    /// Takes an id for a command that starts; an error says why it cannot be had.
    pub(crate) fn keep(&self, user: &str, id: &str, kept: Kept) -> Result<(), &'static str> {
        let mut state = self.state();
        let key = (user.to_owned(), id.to_owned());
        if state.barred.contains(&key) {
            return Err("killed before it was run");
        }
        if state.kept.contains_key(&key) {
            return Err("the id was run before; nothing was run");
        }
        state.kept.insert(key, kept);
        Ok(())
    }

    /// What is kept of an id. One that is not known is barred: a run that is still on its way will not start.
    pub(crate) fn kept_or_barred(&self, user: &str, id: &str) -> Option<Kept> {
        let mut state = self.state();
        let key = (user.to_owned(), id.to_owned());
        let kept = state.kept.get(&key).cloned();
        if kept.is_none() {
            state.barred.insert(key);
        }
        kept
    }

    pub(crate) fn kept(&self, user: &str, id: &str) -> Option<Kept> {
        self.state().kept.get(&(user.to_owned(), id.to_owned())).cloned()
    }

    pub(crate) fn forget(&self, user: &str, id: &str) {
        let mut state = self.state();
        let key = (user.to_owned(), id.to_owned());
        state.kept.remove(&key);
        state.barred.remove(&key);
    }

    // The ledger.

    pub(crate) fn open_entry(&self, id: Option<String>, script: &str, user: &str) -> usize {
        let mut state = self.state();
        let started = Instant::now();
        let entry = LedgerEntry {
            id,
            script: script.to_owned(),
            user: user.to_owned(),
            started,
            ended: None,
            code: None,
            killed: false,
        };
        state.ledger.push(entry);
        state.ledger.len() - 1
    }

    pub(crate) fn close_entry(&self, at: usize, code: Option<u8>, killed: bool) {
        if let Some(entry) = self.state().ledger.get_mut(at)
            && entry.ended.is_none()
        {
            entry.ended = Some(Instant::now());
            entry.code = code;
            entry.killed = killed;
        }
    }

    pub(crate) fn ledger(&self) -> Vec<LedgerEntry> {
        self.state().ledger.clone()
    }

    pub(crate) fn started(&self) -> usize {
        self.state().ledger.len()
    }

    // Connections, faults, reboots.

    pub(crate) fn fault(&self) -> Option<Fault> {
        self.port.borrow().fault.clone()
    }

    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        let cut = fault.as_ref().is_some_and(Fault::concerns_connecting)
            || self.fault().as_ref().is_some_and(Fault::concerns_connecting);
        self.port.send_modify(|port| port.fault = fault);
        if cut {
            self.cut_connections();
        }
    }

    pub(crate) fn set_open(&self, open: bool) {
        self.port.send_modify(|port| port.open = open);
        if !open {
            self.cut_connections();
        }
    }

    /// The token that ends when the connections that are open now must.
    pub(crate) fn connections(&self) -> CancellationToken {
        self.state().connections.clone()
    }

    fn cut_connections(&self) {
        let cut = std::mem::take(&mut self.state().connections);
        cut.cancel();
    }

    /// Puts a process of a batch user there whose parent has gone, and gives its number.
    pub(crate) fn abandon(&self, user: &str, command: &str) -> u32 {
        let pid = self.next_pid();
        let age = self.draw(&format!("age {pid}"), 3_700, 90_000) as i64;
        let process = Process {
            parent: 1,
            user: user.to_owned(),
            command: command.to_owned(),
            started: wall_clock().as_second() - age,
            group: None,
            token: CancellationToken::new(),
        };
        self.state().processes.insert(pid, process);
        pid
    }

    /// The processes of batch users whose parent has gone: their numbers and users.
    pub(crate) fn abandoned(&self) -> Vec<(u32, String)> {
        let state = self.state();
        let left = state.processes.iter().filter(|(_, process)| process.is_abandoned());
        left.map(|(pid, process)| (*pid, process.user.clone())).collect()
    }

    /// Ends one process.
    pub(crate) fn end(&self, pid: u32) {
        let group = self.state().processes.remove(&pid).and_then(|process| process.group);
        if let Some(group) = group {
            group.signal(KILL);
        }
    }

    /// Ends all that runs.
    pub(crate) fn halt(&self) {
        let groups: Vec<Arc<Group>> =
            self.state().processes.values().filter_map(|process| process.group.clone()).collect();
        for group in groups {
            group.signal(KILL);
        }
    }

    /// Ends all that runs, is away for a while and comes back with a new boot id and the newest kernel, unless it stays down.
    pub(crate) fn reboot(self: &Arc<Machine>) {
        let entries: Vec<usize> = {
            let mut state = self.state();
            if std::mem::replace(&mut state.rebooting, true) {
                return;
            }
            state.kept.clear();
            state.barred.clear();
            let open = state.ledger.iter().enumerate().filter(|(_, entry)| entry.ended.is_none());
            open.map(|(at, _)| at).collect()
        };
        for at in entries {
            self.close_entry(at, None, true);
        }
        self.set_open(false);
        self.halt();
        let machine = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(machine.paced(6.0)).await;
            // The sender lives as long as the machine.
            let _ = machine.port.subscribe().wait_for(|port| port.fault != Some(Fault::StaysDown)).await;
            {
                let mut state = machine.state();
                state.rebooting = false;
                state.processes.retain(|_, process| !process.is_abandoned());
                state.reboots += 1;
                let reboots = state.reboots;
                state.boot_id = content::boot_id(&machine, reboots);
                state.booted = Instant::now();
                state.up_before = Duration::ZERO;
                if let Some(newest) = state.kernels.last().cloned() {
                    state.kernel = newest;
                }
                for service in state.services.values_mut().filter(|service| service.enabled) {
                    service.active = Activity::Active;
                    service.since = wall_clock().as_second();
                }
            }
            content::write_proc(&machine);
            machine.note("systemd[1]", "Startup finished in 1.921s (kernel) + 4.118s (userspace) = 6.039s.");
            machine.set_open(true);
        });
    }
}

impl State {
    /// A node before anything is known of it.
    pub(crate) fn empty() -> State {
        State {
            boot_id: String::new(),
            booted: Instant::now(),
            up_before: Duration::ZERO,
            kernel: String::new(),
            kernels: Vec::new(),
            services: BTreeMap::new(),
            packages: BTreeMap::new(),
            processes: BTreeMap::new(),
            journal: Vec::new(),
            reboots: 0,
            rebooting: false,
            files: FileSystem::default(),
            kept: BTreeMap::new(),
            barred: BTreeSet::new(),
            notes_lost: None,
            ledger: Vec::new(),
            connections: CancellationToken::new(),
        }
    }

    pub(crate) fn files_mut(&mut self) -> &mut FileSystem {
        &mut self.files
    }
}

/// A process that is on the list as long as this lives.
pub(crate) struct Presence {
    machine: Arc<Machine>,
    pub(crate) pid: u32,
    pub(crate) token: CancellationToken,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.machine.state().processes.remove(&self.pid);
    }
}
