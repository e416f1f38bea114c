//! # Monitoring: a Checkmk site that watches the nodes
//!
//! It looks at the real state of the sandbox's nodes: whether they are up, how full they are, what has failed on them. It is asked by Livestatus
//! ([`livestatus`]) on its machine, by the site's own account.
//!
//! ## Life cycle
//! The keeper tells when time goes on ([`Monitoring::pass`]) and how a node is when a check of it is due. What is answered is what the last check
//! has found, as old as it is.
//!
//! ## Invariants
//! - **Nothing is known before it is checked.** A node that has come back stays down here until its next check.
//! - **Services of a node that is down are not looked at**: they keep their state and the time of their last check, but for `Check_MK` itself, which
//!   cannot reach the agent.
//! - **Checks are spread**: nodes are not all looked at in one moment.

pub(crate) mod livestatus;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::machine::{drawn, wall_clock};

/// No check is more often, however fast the time goes.
const SHORTEST: Duration = Duration::from_millis(100);

/// The name of the site, which is also its account.
pub(crate) const SITE: &str = "cluster";

/// What a monitoring is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitoringOptions {
    /// The machine that it runs on.
    pub server: String,
    /// Seconds of life between two checks of a node.
    pub check_every: f64,
}

impl MonitoringOptions {
    /// A site on this machine that looks at every node once a minute.
    pub fn new(server: impl Into<String>) -> Self {
        Self { server: server.into(), check_every: 60.0 }
    }
}

/// What a check finds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Finding {
    /// Whether the machine answers to a ping.
    pub(crate) up: bool,
    pub(crate) address: String,
    /// Name, state and what it says, of every service.
    pub(crate) services: Vec<(&'static str, u8, String)>,
}

/// A service as it was found last.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) state: u8,
    pub(crate) output: String,
    /// Seconds since the epoch.
    pub(crate) last_check: i64,
    pub(crate) last_state_change: i64,
}

/// A host as it was found last.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) address: String,
    pub(crate) state: u8,
    pub(crate) last_check: i64,
    pub(crate) last_state_change: i64,
    pub(crate) services: BTreeMap<&'static str, Service>,
    next: Duration,
}

/// The site.
pub(crate) struct Monitoring {
    started: Instant,
    every: Duration,
    hosts: Mutex<BTreeMap<String, Host>>,
}

impl Monitoring {
    pub(crate) fn new(options: &MonitoringOptions, pace: f64, seed: u64, hosts: &[String]) -> Self {
        let every = Duration::from_secs_f64((options.check_every * pace).clamp(0.0, 1e6)).max(SHORTEST);
        let first = |name: &String| {
            let host = Host {
                address: String::new(),
                state: 0,
                last_check: 0,
                last_state_change: 0,
                services: BTreeMap::new(),
                next: every.mul_f64(drawn(seed, name, "check", 0, 999) as f64 / 1_000.0),
            };
            (name.clone(), host)
        };
        Self { started: Instant::now(), every, hosts: Mutex::new(hosts.iter().map(first).collect()) }
    }

    /// All hosts as they were found last.
    pub(crate) fn hosts(&self) -> MutexGuard<'_, BTreeMap<String, Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks the hosts whose time has come, and all of them when that is asked for.
    pub(crate) fn pass(&self, all: bool, look: impl Fn(&str) -> Option<Finding>) {
        let (now, wall) = (self.started.elapsed(), wall_clock().as_second());
        for (name, host) in self.hosts().iter_mut() {
            if host.next > now && !all {
                continue;
            }
            while host.next <= now {
                host.next += self.every;
            }
            if let Some(finding) = look(name) {
                host.take(finding, wall);
            }
        }
    }
}

impl Host {
    fn take(&mut self, finding: Finding, now: i64) {
        let state = u8::from(!finding.up);
        if state != self.state || self.last_check == 0 {
            self.last_state_change = now;
        }
        (self.state, self.last_check, self.address) = (state, now, finding.address);
        let found = match finding.up {
            true => finding.services,
            false => {
                let output =
                    format!("[agent] Communication failed: timed out(!!), connecting to {}:6556", self.address);
                vec![("Check_MK", 2, output)]
            }
        };
        for (name, state, output) in found {
            let changed = match self.services.get(name) {
                Some(before) if before.state == state => before.last_state_change,
                _ => now,
            };
            let service = Service { state, output, last_check: now, last_state_change: changed };
            self.services.insert(name, service);
        }
    }
}
