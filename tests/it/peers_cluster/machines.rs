//! The machines: a real server each, a folder that holds what a kernel would know, and who switches them off and on.

use super::slurm::Slurm;
use crate::data;
use crate::peers_ssh::lab::{all_processes, children_of, keys, private_folder, server_config, signal, sshd};
use crate::ssh::poll;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a machine is away when it reboots.
const AWAY: Duration = Duration::from_millis(2500);
const KERNEL: &str = "5.14.0-427.9.1.el9_4.x86_64";
/// Those that are no nodes: on one of them the batch system is spoken to, the other is the monitoring's.
const SERVERS: [&str; 2] = ["head", "mon"];

/// All machines, until this is dropped.
pub(super) struct Machines {
    folder: tempfile::TempDir,
    over: Arc<AtomicBool>,
    power: Option<JoinHandle<()>>,
}

impl Machines {
    /// Starts a server for each; `broken` will not come back from a reboot.
    pub(super) fn start(nodes: &[&str], slurm: &Arc<Mutex<Slurm>>, broken: &'static str) -> Self {
        let folder = private_folder();
        let place = folder.path().to_owned();
        keys(&place, &["host", "client"]);
        let port = crate::callbacks::free_port();
        let mut config = String::new();
        let mut machines = BTreeMap::new();
        std::fs::create_dir_all(place.join("mon/machines")).unwrap();
        for (number, name) in nodes.iter().chain(&SERVERS).enumerate() {
            let address = format!("127.0.87.{}", number + 1);
            writeln!(config, "Host {name}\n  HostName {address}").unwrap();
            let machine = Machine::new(&place, name, &address, port, &slurm.lock().unwrap().conf());
            std::fs::write(place.join("mon/machines").join(name), format!("{address} {port}\n")).unwrap();
            machines.insert((*name).to_owned(), machine);
        }
        std::fs::create_dir_all(place.join("mon/bin")).unwrap();
        std::fs::copy(data("peers_cluster/monitoring/lq"), place.join("mon/bin/lq")).unwrap();
        let (key, known) = (place.join("client"), place.join("known_hosts"));
        writeln!(
            config,
            "Host *\n  Port {port}\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  HostKeyAlias lab\n  GlobalKnownHostsFile /dev/null",
            key.display(),
            known.display(),
        )
        .unwrap();
        std::fs::write(place.join("ssh_config"), config).unwrap();
        let host_key = std::fs::read_to_string(place.join("host.pub")).unwrap();
        std::fs::write(known, format!("lab {host_key}")).unwrap();
        for machine in machines.values_mut() {
            machine.on();
        }
        for machine in machines.values() {
            poll("sshd listens", || TcpStream::connect((machine.address.as_str(), port)).is_ok());
        }
        let over = Arc::new(AtomicBool::new(false));
        let (ends, slurm) = (Arc::clone(&over), Arc::clone(slurm));
        let power = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                for machine in machines.values_mut() {
                    machine.look(&slurm, broken);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            for machine in machines.values_mut() {
                machine.off();
            }
        });
        Self { folder, over, power: Some(power) }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn ssh_config(&self) -> PathBuf {
        self.path("ssh_config")
    }

    /// What was done to a node, and when.
    pub(super) fn ledger(&self, node: &str) -> Vec<(f64, String)> {
        let text = std::fs::read_to_string(self.path(node).join("ledger")).unwrap_or_default();
        let line = |line: &str| line.split_once(' ').map(|(at, what)| (at.parse().unwrap(), what.to_owned()));
        text.lines().filter_map(line).collect()
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(power) = self.power.take() {
            let _ = power.join();
        }
    }
}

struct Machine {
    name: String,
    address: String,
    place: PathBuf,
    server: Option<Child>,
    booted: Instant,
    boots: u32,
    /// It is off, and comes back then.
    until: Option<Instant>,
}

impl Machine {
    fn new(folder: &Path, name: &str, address: &str, port: u16, slurm_conf: &Path) -> Self {
        let place = folder.join(name);
        std::fs::create_dir_all(&place).unwrap();
        // Only where the batch system is spoken to its configuration is known.
        let environment = match name {
            "head" => format!("SLURM_CONF={}", slurm_conf.display()),
            "mon" => format!("HOME={}", place.display()),
            _ => format!("PATH={}:/usr/bin:/bin HALCYON_NODE={}", data("peers_cluster/bin").display(), place.display()),
        };
        let config = server_config(folder, &environment) + &format!("ListenAddress {address}:{port}\n");
        std::fs::write(place.join("sshd_config"), config).unwrap();
        std::fs::write(place.join("kernels"), format!("kernel-{KERNEL}\n")).unwrap();
        let (name, address) = (name.to_owned(), address.to_owned());
        Self { name, address, place, server: None, booted: Instant::now(), boots: 0, until: None }
    }

    /// The kernel that was installed last runs, under a new id.
    fn on(&mut self) {
        self.boots += 1;
        self.booted = Instant::now();
        let number: u32 = self.name.bytes().map(u32::from).sum();
        let id = format!("{:08x}-0000-4000-8000-{number:012x}\n", self.boots);
        std::fs::write(self.place.join("boot_id"), id).unwrap();
        let kernels = std::fs::read_to_string(self.place.join("kernels")).unwrap();
        let newest = kernels.lines().last().unwrap_or_default().trim_start_matches("kernel-");
        std::fs::write(self.place.join("kernel"), format!("{newest}\n")).unwrap();
        self.write_uptime();
        self.server = Some(sshd(&self.place.join("sshd_config"), &self.place.join("sshd.log")));
    }

    /// Everything that runs there is gone: the server, its connections, and what was begun over them.
    fn off(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let sessions = children_of(&[server.id()]);
        server.kill().unwrap();
        server.wait().unwrap();
        let mark = format!("HALCYON_NODE={}", self.place.display());
        let marked = |pid: &u32| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|word| word == mark.as_bytes())
        };
        sessions.into_iter().chain(all_processes().filter(marked)).for_each(signal);
    }

    fn write_uptime(&self) {
        let up = self.booted.elapsed().as_secs_f64();
        let new = self.place.join("uptime.new");
        std::fs::write(&new, format!("{up:.2} 0.00\n")).unwrap();
        std::fs::rename(new, self.place.join("uptime")).unwrap();
    }

    /// What a machine does by itself.
    fn look(&mut self, slurm: &Mutex<Slurm>, broken: &str) {
        if self.server.is_some() {
            self.write_uptime();
            if std::fs::remove_file(self.place.join("reboot")).is_ok() {
                self.off();
                slurm.lock().unwrap().down(&self.name);
                self.until = (self.name != broken).then(|| Instant::now() + AWAY);
            }
        } else if self.until.is_some_and(|until| until <= Instant::now()) {
            self.until = None;
            self.on();
            slurm.lock().unwrap().up(&self.name, true);
        }
    }
}
