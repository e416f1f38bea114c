//! # Batch: a Slurm in front of the nodes
//!
//! A model of the whole cluster as `slurmctld` has it: nodes with their state, reason and jobs. People reach it by the fake tools of
//! `tools::slurm` on any machine of the cluster; the machine that is called the batch server is where its daemon runs.
//!
//! ## Life cycle
//! [`Batch::new`] registers all nodes, idle or with jobs on them. The keeper tells how each node does ([`Batch::observe`]); what time brings (jobs
//! that end and the ones after them) happens whenever somebody looks. A job that ends makes room for the next, as long as its node is in service:
//! a node that drains is empty after a while.
//!
//! ## Invariants
//! - **Answers are those of Slurm 22.05**, compared with a cluster of Debian's packages: states, flags, exit codes, refusals.
//! - **A node that does not answer is marked with a star, then down**, and what ran there is lost. One that registers again is back in service
//!   unless it is drained (`ReturnToService=2`).
//! - **A node that was just given back is marked with a star** until it has answered, whether it is there or not.
//! - **A boot ends the jobs of its node.**
//! - **Deterministic**: which jobs there are and how long each takes follows from the seed and the node's name.

mod names;
mod node;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::machine::{drawn, wall_clock};

pub(crate) use names::{compress, expand};
pub(crate) use node::{Job, Node, Reason, Standing};

/// How long a node may be silent until it is marked, in seconds of life and at the least.
const SILENT: (f64, Duration) = (20.0, Duration::from_secs(1));
/// How long it may be silent until it is down, in seconds of life.
const LOST: f64 = 60.0;
/// How long a job takes to end when it is stopped, in seconds of life.
const COMPLETING: f64 = 1.0;
/// No job is shorter, however fast the time goes.
const SHORTEST_JOB: Duration = Duration::from_millis(50);
/// The number of the first job. There were others before.
const FIRST_JOB: u32 = 48_901;
/// Looks at a clock that has stood still for long do not take up all of what would have happened.
const CATCH_UP: u32 = 20_000;

/// What a batch system is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchOptions {
    /// The machine that its daemon runs on.
    pub server: String,
    /// How long jobs take at the least and at the most, in seconds of life.
    pub job_seconds: (u32, u32),
    /// How many jobs a node has at the most.
    pub jobs: u32,
    /// How long a node may be silent until it is down, at the least, however fast the time goes.
    pub lost: Duration,
}

impl BatchOptions {
    /// A batch system on this machine, with short jobs on most nodes.
    pub fn new(server: impl Into<String>) -> Self {
        Self { server: server.into(), job_seconds: (20, 120), jobs: 3, lost: Duration::from_secs(3) }
    }
}

/// What the batch system hears of a node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// Whether its daemon answers.
    pub(crate) answers: bool,
    /// The id of its boot, and when that was, in seconds since the epoch.
    pub(crate) boot: String,
    pub(crate) booted: i64,
    pub(crate) kernel: String,
    pub(crate) load: f64,
}

/// A node as it is when the cluster starts.
pub(crate) struct Registered {
    pub(crate) name: String,
    pub(crate) cores: u32,
    /// Mebibytes.
    pub(crate) memory: u64,
    pub(crate) address: String,
}

/// The batch system.
pub(crate) struct Batch {
    model: Mutex<Model>,
}

/// What the batch system knows.
pub(crate) struct Model {
    started: Instant,
    pace: f64,
    seed: u64,
    lengths: (u32, u32),
    lost: Duration,
    next_job: u32,
    pub(crate) nodes: BTreeMap<String, Node>,
    pub(crate) jobs: BTreeMap<u32, Job>,
    /// Whether its daemon runs.
    pub(crate) answers: bool,
}

/// The partitions, the first of them the one that jobs go to by themselves: name, limit, and the share of the nodes that it has.
pub(crate) const PARTITIONS: [(&str, &str, usize); 2] = [("batch", "2-00:00:00", 1), ("long", "infinite", 2)];

impl Batch {
    pub(crate) fn new(options: &BatchOptions, pace: f64, seed: u64, registered: Vec<Registered>) -> Self {
        let mut model = Model {
            started: Instant::now(),
            pace,
            seed,
            lengths: options.job_seconds,
            lost: options.lost,
            next_job: FIRST_JOB,
            nodes: BTreeMap::new(),
            jobs: BTreeMap::new(),
            answers: true,
        };
        for Registered { name, cores, memory, address } in registered {
            let slots = drawn(seed, &name, "jobs", 0, u64::from(options.jobs)) as u32;
            model.nodes.insert(name, Node::new(cores, memory, address, slots));
        }
        model.fill(Duration::ZERO);
        Self { model: Mutex::new(model) }
    }

    /// The batch system as it is now.
    pub(crate) fn look(&self) -> MutexGuard<'_, Model> {
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        model.advance();
        model
    }

    /// Takes how a node does.
    pub(crate) fn observe(&self, name: &str, seen: Seen) {
        self.look().observe(name, seen);
    }
}

impl Model {
    /// Since the start.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// What was at that moment, in seconds since the epoch.
    pub(crate) fn wall(&self, moment: Duration) -> i64 {
        wall_clock().as_second() - self.now().saturating_sub(moment).as_secs() as i64
    }

    fn paced(&self, seconds: f64) -> Duration {
        Duration::from_secs_f64((seconds * self.pace).clamp(0.0, 1e6))
    }

    /// The partitions of a node, as the configuration has them.
    pub(crate) fn partitions_of(&self, name: &str) -> Vec<usize> {
        let place = self.nodes.keys().position(|node| node == name).unwrap_or_default();
        (0..PARTITIONS.len()).filter(|at| place < self.nodes.len().div_ceil(PARTITIONS[*at].2)).collect()
    }

    /// How a node stands, as one value.
    pub(crate) fn standing(&self, name: &str) -> Option<Standing> {
        let node = self.nodes.get(name)?;
        let jobs = self.jobs_on(name);
        Some(Standing {
            down: node.down,
            draining: node.drain,
            failing: node.fail,
            silent: node.silent,
            completing: jobs.iter().any(|job| job.stopped),
            taken: jobs.iter().map(|job| job.cores).sum(),
            cores: node.cores,
        })
    }

    pub(crate) fn jobs_on(&self, name: &str) -> Vec<&Job> {
        self.jobs.values().filter(|job| job.node == name).collect()
    }

    /// How a node stands; nothing when there is none of that name.
    pub(crate) fn state_of(&self, name: &str) -> Option<BatchState> {
        let reason = self.nodes.get(name)?.reason.as_ref().map(|reason| reason.text.clone());
        Some(BatchState { state: self.standing(name)?.word(), reason, jobs: self.jobs_on(name).len() })
    }

    fn advance(&mut self) {
        let now = self.now();
        for _ in 0..CATCH_UP {
            let next = self.jobs.values().filter_map(|job| Some((job.ends?, job.id))).min();
            let Some((moment, id)) = next.filter(|(moment, _)| *moment <= now) else { break };
            self.end(id);
            self.fill(moment);
        }
    }

    fn end(&mut self, id: u32) {
        if let Some(job) = self.jobs.remove(&id)
            && let (Some(slot), Some(node)) = (job.slot, self.nodes.get_mut(&job.node))
            && let Some(slot) = node.slots.get_mut(slot)
        {
            slot.busy = false;
        }
    }

    /// Starts what there is room for on nodes in service.
    fn fill(&mut self, moment: Duration) {
        let names: Vec<String> = self.nodes.keys().cloned().collect();
        for name in names {
            let Some(node) = self.nodes.get_mut(&name) else { continue };
            if !node.in_service() {
                continue;
            }
            let share = node.cores / (node.slots.len() as u32 + 1);
            let mut begun = Vec::new();
            for (at, slot) in node.slots.iter_mut().enumerate().filter(|(_, slot)| !slot.busy) {
                slot.busy = true;
                slot.served += 1;
                begun.push((at, slot.served));
            }
            for (at, served) in begun {
                let draw = |purpose: &str, low, high| drawn(self.seed, &name, purpose, low, high);
                let (low, high) = (u64::from(self.lengths.0), u64::from(self.lengths.1.max(self.lengths.0)));
                // Milliseconds, so that not all end on the second.
                let length = draw(&format!("job {at} {served}"), low * 1_000, high * 1_000) as f64 / 1_000.0;
                let kind = draw(&format!("kind of job {at} {served}"), 0, 4) as usize;
                let user = draw(&format!("user of job {at} {served}"), 1, 40);
                let ends = moment + self.paced(length).max(SHORTEST_JOB);
                let job = Job {
                    id: self.next_job,
                    name: ["simulation", "analysis", "training", "calibration", "unpack"][kind].to_owned(),
                    user: format!("user{user:03}"),
                    uid: 10_000 + user as u32,
                    node: name.clone(),
                    cores: share.max(1),
                    partition: PARTITIONS[0].0,
                    since: moment,
                    ends: Some(ends),
                    slot: Some(at),
                    stopped: false,
                };
                self.next_job += 1;
                self.jobs.insert(job.id, job);
            }
        }
    }

    /// Puts a job on a node that runs until somebody stops it; nothing when there is no such node.
    pub(crate) fn submit(&mut self, name: &str) -> Option<u32> {
        self.nodes.get(name)?;
        let id = self.next_job;
        self.next_job += 1;
        let job = Job {
            id,
            name: "endless".to_owned(),
            user: "user001".to_owned(),
            uid: 10_001,
            node: name.to_owned(),
            cores: 1,
            partition: PARTITIONS[0].0,
            since: self.now(),
            ends: None,
            slot: None,
            stopped: false,
        };
        self.jobs.insert(id, job);
        Some(id)
    }

    /// Whether there was a job of this number since the start.
    pub(crate) fn knew(&self, id: u32) -> bool {
        (FIRST_JOB..self.next_job).contains(&id)
    }

    /// Stops a job.
    pub(crate) fn stop(&mut self, id: u32) {
        let ends = self.now() + self.paced(COMPLETING);
        if let Some(job) = self.jobs.get_mut(&id).filter(|job| !job.stopped) {
            job.stopped = true;
            job.ends = Some(job.ends.map_or(ends, |before| before.min(ends)));
        }
        self.advance();
    }

    fn lose_jobs(&mut self, name: &str) {
        let lost: Vec<u32> = self.jobs_on(name).iter().map(|job| job.id).collect();
        for id in lost {
            self.end(id);
        }
    }

    /// Takes every silent node for lost, without waiting any longer.
    pub(crate) fn give_up_on_silent(&mut self) {
        let silent: Vec<String> =
            self.nodes.iter().filter(|(_, node)| node.silent).map(|(name, _)| name.clone()).collect();
        for name in silent {
            self.give_up(&name);
        }
    }

    fn give_up(&mut self, name: &str) {
        let Some(node) = self.nodes.get_mut(name).filter(|node| !node.down) else { return };
        node.down = true;
        // Who has drained it has said why.
        if !node.drain {
            node.reason = Some(Reason::new("Not responding", "slurm", wall_clock().as_second()));
        }
        self.lose_jobs(name);
    }

    fn observe(&mut self, name: &str, seen: Seen) {
        let now = self.now();
        let (silent, lost) = (self.paced(SILENT.0).max(SILENT.1), self.paced(LOST).max(self.lost));
        let Some(node) = self.nodes.get_mut(name) else { return };
        if !seen.answers {
            let quiet = now.saturating_sub(node.heard);
            node.silent |= quiet >= silent;
            if quiet >= lost {
                self.give_up(name);
            }
            return;
        }
        let rebooted = node.seen.as_ref().is_some_and(|before| before.boot != seen.boot);
        let registers = rebooted || node.registers || node.heard < now.saturating_sub(silent);
        node.registers = false;
        if registers && node.down {
            node.down = false;
            if !node.drain && !node.fail {
                node.reason = None;
            }
        }
        node.silent = false;
        node.heard = now;
        node.seen = Some(seen);
        if rebooted {
            self.lose_jobs(name);
        }
        self.fill(now);
    }

    /// Changes the state of a node as `scontrol update` does.
    pub(crate) fn change(&mut self, name: &str, wanted: Wanted) -> Result<(), Unwanted> {
        let now = self.now();
        let busy = !self.jobs_on(name).is_empty();
        let Some(node) = self.nodes.get_mut(name) else { return Err(Unwanted::Name) };
        let marked = node.down || node.drain || node.fail;
        match wanted {
            Wanted::Drain => node.drain = true,
            Wanted::Fail => node.fail = true,
            Wanted::Down => {
                node.down = true;
                // It is asked to register, and is back in service when it does.
                node.registers = true;
                self.lose_jobs(name);
            }
            Wanted::Resume if !marked => return Err(Unwanted::State),
            Wanted::Idle if busy => return Err(Unwanted::State),
            Wanted::Resume | Wanted::Idle => {
                (node.down, node.drain, node.fail) = (false, false, false);
                node.reason = None;
                node.silent = true;
                node.heard = now;
            }
            Wanted::Undrain => {
                node.silent |= node.drain;
                node.drain = false;
                if !node.down && !node.fail {
                    node.reason = None;
                }
            }
        }
        Ok(())
    }

    /// Says why a node is as it is.
    pub(crate) fn give_reason(&mut self, name: &str, text: &str, user: &str) {
        if let Some(node) = self.nodes.get_mut(name) {
            node.reason = (!text.is_empty()).then(|| Reason::new(text, user, wall_clock().as_second()));
        }
    }
}

/// How a node stands, for who looks from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchState {
    /// As `sinfo` says it in full: `idle`, `drained*`.
    pub state: String,
    /// Why, where somebody has said it.
    pub reason: Option<String>,
    /// How many jobs are on it.
    pub jobs: usize,
}

/// What somebody wants a node to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Drain,
    Down,
    Fail,
    Idle,
    Resume,
    Undrain,
}

/// Why it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwanted {
    Name,
    State,
}
