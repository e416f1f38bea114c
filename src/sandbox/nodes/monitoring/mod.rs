//! # Monitoring: a Checkmk site that watches the nodes
//!
//! It looks at the real state of the sandbox's nodes: whether they are up, how full they are, what has failed on them. It is asked and told by Livestatus
//! ([`livestatus`]) on its machine, by the site's own account, and tells what it finds by a [`Plugin`].
//!
//! ## Life cycle
//! The keeper tells when time goes on ([`Monitoring::pass`]) and how a node is when a check of it is due. What is answered is what the last check
//! has found, as old as it is. A bad state that was found often enough is believed, and told once; so is its end.
//!
//! ## Invariants
//! - **Nothing is known before it is checked.** A node that has come back stays down here until its next check.
//! - **Services of a node that is down are not looked at**: they keep their state and the time of their last check, but for `Check_MK` itself, which
//!   cannot reach the agent. Nothing is told of them.
//! - **Checks are spread**: nodes are not all looked at in one moment.
//! - **In a downtime nothing is told but that it begins and ends.** What goes wrong in it and still is at its end is told then; what was told before and is over
//!   before its end is never told, as in life. A downtime of a host goes for its services.
//! - **What somebody has taken on is not told again** before its state changes, but its end is. What comes and goes is told to do so, and no more.
//! - **No two notifications have the same time**, and they are handed over in the order in which they were made.
//!
//! ## Modules
//! - `site`: what it knows, and what it tells; `watched`: one host or service; `command`: what it is told to do.
//! - `notification`: the variables of one; `plugin`: how it is handed over. `livestatus`: questions and answers; `rest`: the same as the REST API has it.

mod command;
pub(crate) mod livestatus;
mod notification;
mod plugin;
mod rest;
mod site;
mod watched;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::machine::{drawn, wall_clock};

pub use notification::Notified;
pub use plugin::Plugin;
pub(crate) use rest::Face;
pub use rest::{Access, MonitoringFaults};
pub(crate) use site::{Host, Site};

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
    /// How often in a row a service must be found bad before that is believed.
    pub attempts: u32,
}

impl MonitoringOptions {
    /// A site on this machine that looks at every node once a minute, and believes what it finds.
    pub fn new(server: impl Into<String>) -> Self {
        Self { server: server.into(), check_every: 60.0, attempts: 1 }
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

/// The site and its clock.
pub(crate) struct Monitoring {
    started: Instant,
    every: Duration,
    site: Mutex<Site>,
}

impl Monitoring {
    pub(crate) fn new(options: &MonitoringOptions, pace: f64, seed: u64, hosts: &[String]) -> Self {
        let every = Duration::from_secs_f64((options.check_every * pace).clamp(0.0, 1e6)).max(SHORTEST);
        let first = |name: &String| {
            let next = every.mul_f64(drawn(seed, name, "check", 0, 999) as f64 / 1_000.0);
            (name.clone(), Host { next, ..Host::default() })
        };
        let site = Site::new(&options.server, options.attempts, hosts.iter().map(first).collect());
        Self { started: Instant::now(), every, site: Mutex::new(site) }
    }

    /// What the site has in mind.
    pub(crate) fn site(&self) -> MutexGuard<'_, Site> {
        self.site.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has what is told from now on handed to a plugin, or to nobody.
    pub(crate) fn notify_by(&self, plugin: Option<Plugin>, stop: CancellationToken) {
        let (outgoing, incoming) = mpsc::unbounded_channel();
        self.site().notify_by(plugin, outgoing);
        tokio::spawn(plugin::deliver(incoming, stop));
    }

    /// What was told so far, to a plugin or not.
    pub(crate) fn told(&self) -> Vec<Notified> {
        self.site().told()
    }

    /// Does what a line of Livestatus says: `COMMAND [time] NAME;argument;…`.
    pub(crate) fn command(&self, line: &str) {
        let now = wall_clock().as_second();
        self.site().command(line, now);
    }

    /// Checks the hosts whose time has come, and all of them when that is asked for.
    pub(crate) fn pass(&self, all: bool, look: impl Fn(&str) -> Option<Finding>) {
        let (now, wall) = (self.started.elapsed(), wall_clock().as_second());
        let mut site = self.site();
        site.pass_time(wall);
        let mut due = Vec::new();
        for (name, host) in &mut site.hosts {
            let regular = host.next <= now || all;
            let forced = host.forced.filter(|(when, _)| *when <= wall);
            if !regular && forced.is_none() {
                continue;
            }
            while host.next <= now {
                host.next += self.every;
            }
            if forced.is_some() {
                host.forced = None;
            }
            due.push((name.clone(), regular || forced.is_some_and(|(_, with_services)| with_services)));
        }
        for (name, with_services) in due {
            if let Some(finding) = look(&name) {
                site.take(&name, finding, with_services, wall);
            }
        }
    }
}
