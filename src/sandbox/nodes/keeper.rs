//! The keeper: tells the batch system and the monitoring how the machines do, as their daemons and probes would.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::batch::{Batch, Registered, Seen};
use super::content::{self, Memory};
use super::machine::{Activity, Machine, Role, wall_clock};
use super::monitoring::{Finding, Monitoring};

/// How often it looks, in seconds of life, and the bounds of that.
const LOOK: f64 = 1.0;
const BOUNDS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// What the machines of a cluster have in common.
#[derive(Clone, Default)]
pub(crate) struct Site {
    pub(crate) batch: Option<Arc<Batch>>,
    pub(crate) monitoring: Option<Arc<Monitoring>>,
    /// All machines by their names.
    pub(crate) machines: Arc<BTreeMap<String, Weak<Machine>>>,
    /// The machine that the batch system's daemon runs on.
    pub(crate) batch_server: Option<String>,
}

/// Looks until it is told to stop.
pub(crate) async fn keep(site: Site, machines: BTreeMap<String, Arc<Machine>>, stop: CancellationToken) {
    let pace = machines.values().next().map_or(1.0, |machine| machine.pace);
    let every = Duration::from_secs_f64((LOOK * pace).clamp(0.0, 60.0)).clamp(BOUNDS.0, BOUNDS.1);
    while !stop.is_cancelled() {
        look(&site, &machines, false);
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// Tells once how all machines do; the monitoring looks at all of them where `all` is said, and else at those whose time has come.
pub(crate) fn look(site: &Site, machines: &BTreeMap<String, Arc<Machine>>, all: bool) {
    if let Some(batch) = &site.batch {
        let server = site.batch_server.as_ref().and_then(|name| machines.get(name));
        batch.look().answers = server.is_some_and(|server| runs(server, "slurmctld"));
        for (name, machine) in machines.iter().filter(|(_, machine)| machine.role == Role::Worker) {
            batch.observe(name, seen(machine));
        }
    }
    if let Some(monitoring) = &site.monitoring {
        monitoring.pass(all, |name| machines.get(name).map(|machine| finding(machine)));
    }
}

/// A machine as the batch system has it in its configuration.
pub(crate) fn registered(machine: &Machine) -> Registered {
    Registered {
        name: machine.name.clone(),
        cores: machine.cores() as u32,
        memory: machine.memory() / 1_024,
        address: content::address(machine),
    }
}

/// Whether a machine is up with a service that runs.
pub(crate) fn runs(machine: &Machine, service: &str) -> bool {
    machine.is_up() && machine.state().services.get(service).is_some_and(|service| service.active == Activity::Active)
}

fn seen(machine: &Machine) -> Seen {
    let answers = runs(machine, "slurmd");
    let load = machine.load()[0];
    let booted = wall_clock().as_second() - machine.up().as_secs() as i64;
    let state = machine.state();
    Seen { answers, boot: state.boot_id.clone(), booted, kernel: state.kernel.clone(), load }
}

/// What a check of a machine finds, by the thresholds that Checkmk has by itself.
fn finding(machine: &Machine) -> Finding {
    let address = content::address(machine);
    if !machine.is_up() {
        return Finding { up: false, address, services: Vec::new() };
    }
    let mut services = vec![("Check_MK", 0, "[agent] Success, execution time 0.9 sec".to_owned())];
    let load = machine.load()[2];
    let cores = machine.cores();
    services.push((
        "CPU load",
        graded(load, cores as f64 * 5.0, cores as f64 * 10.0),
        format!("15 min load: {load:.2}, {cores} logical cores"),
    ));
    let memory = Memory::of(machine);
    let used = memory.used as f64 * 100.0 / memory.total as f64;
    services.push(("Memory", graded(used, 80.0, 90.0), format!("RAM: {used:.2}%")));
    for mount in content::mounts(machine) {
        let name = match mount.path {
            "/" => "Filesystem /",
            "/boot" => "Filesystem /boot",
            "/scratch" => "Filesystem /scratch",
            _ => continue,
        };
        let used = mount.used as f64 * 100.0 / mount.size as f64;
        services.push((name, graded(used, 80.0, 90.0), format!("Used: {used:.2}%")));
    }
    let wanted: &[(&str, &str)] = match machine.role {
        Role::Worker => &[("NTP Time", "chronyd"), ("Process slurmd", "slurmd")],
        Role::BatchServer => &[("NTP Time", "chronyd"), ("Process slurmctld", "slurmctld")],
        Role::MonitoringServer => &[("NTP Time", "chronyd"), ("OMD status", "omd")],
        Role::Administration => &[("NTP Time", "chronyd"), ("Process puppetserver", "puppetserver")],
    };
    for (name, service) in wanted {
        let good = runs(machine, service);
        services.push((
            name,
            if good { 0 } else { 2 },
            format!("{service} is {}", if good { "running" } else { "not running" }),
        ));
    }
    if machine.role == Role::Worker {
        let left = machine.abandoned();
        let shown: Vec<String> = left.iter().map(|(pid, user)| format!("{pid} of {user}")).collect();
        let output = match left.len() {
            0 => "No process without a parent".to_owned(),
            1 => format!("1 process without a parent: {}", shown.join(", ")),
            count => format!("{count} processes without a parent: {}", shown.join(", ")),
        };
        services.push(("Unparent processes", if left.is_empty() { 0 } else { 2 }, output));
    }
    let up = machine.up().as_secs();
    services.push(("Uptime", 0, format!("Up since {} days {} hours", up / 86_400, up / 3_600 % 24)));
    let failed: Vec<String> = {
        let state = machine.state();
        let failed = state.services.iter().filter(|(_, service)| service.active == Activity::Failed);
        failed.map(|(name, _)| name.clone()).collect()
    };
    let output = match failed.as_slice() {
        [] => "No service failed".to_owned(),
        failed => format!("{} failed ({})", failed.len(), failed.join(", ")),
    };
    services.push(("Systemd Service Summary", if failed.is_empty() { 0 } else { 2 }, output));
    Finding { up: true, address, services }
}

fn graded(value: f64, warning: f64, critical: f64) -> u8 {
    u8::from(value >= warning) + u8::from(value >= critical)
}
