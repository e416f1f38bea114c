//! Starting, breaking, watching and stopping the nodes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{PrivateKey, PublicKey};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::batch::{Batch, BatchOptions, BatchState};
use super::connection::{Gate, config};
use super::content;
use super::fault::Fault;
use super::keeper::{self, Site};
use super::ledger::LedgerEntry;
use super::machine::{Blueprint, Machine, Role};
use super::monitoring::{Access, Face, Monitoring, MonitoringFaults, MonitoringOptions, Notified, Plugin, SITE};

/// How often another loopback network or port is tried.
const ATTEMPTS: u32 = 64;
/// Nodes in one loopback /24.
const PER_NETWORK: usize = 250;

/// What a cluster is made from.
#[derive(Debug, Clone)]
pub struct Options {
    /// The nodes' names.
    pub names: Vec<String>,
    /// Faults that are there from the beginning.
    pub faults: BTreeMap<String, Fault>,
    /// A directory for keys and configuration, private to its owner. It is made when it is missing.
    pub directory: PathBuf,
    /// What the nodes are follows from this and their names.
    pub seed: u64,
    /// Factor on the time that updates, reboots, restarts of services, jobs and checks take: 1 is as in life, 0 is at once.
    pub pace: f64,
    /// The account of the `ssh_config`. Any account may log in.
    pub user: String,
    /// What `sudo` asks for; without one it asks for nothing.
    pub sudo_password: Option<String>,
    /// A batch system over the nodes, on a machine of its own.
    pub batch: Option<BatchOptions>,
    /// A monitoring of the nodes, on a machine of its own.
    pub monitoring: Option<MonitoringOptions>,
    /// A machine from which commands are sent to all the others (`pdsh`).
    pub administration: Option<String>,
}

impl Options {
    /// Healthy nodes at life's pace.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>, directory: impl Into<PathBuf>) -> Options {
        Options {
            names: names.into_iter().map(Into::into).collect(),
            faults: BTreeMap::new(),
            directory: directory.into(),
            seed: 1,
            pace: 1.0,
            user: "halcyon".to_owned(),
            sudo_password: None,
            batch: None,
            monitoring: None,
            administration: None,
        }
    }
}

/// Why the nodes could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A name that cannot stand in an `ssh_config`, or stands there twice.
    #[error("{0:?} cannot name a sandbox node: a name is letters, digits, dots and hyphens, and is used once")]
    Name(String),
    /// A fault for a machine that does not exist.
    #[error("there is a fault for the sandbox node {0:?}, but no node of that name")]
    UnknownNode(String),
    /// No loopback network with a common free port.
    #[error(
        "no loopback addresses for the sandbox nodes: {0}. The nodes need addresses in 127.0.0.0/16, which Linux has by default"
    )]
    Addresses(std::io::Error),
    /// The directory cannot be written.
    #[error("the sandbox nodes cannot write {}: {error}", path.display())]
    Directory {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// No key could be made.
    #[error("the sandbox nodes cannot make an SSH key: {0}")]
    Key(String),
}

/// A running cluster. Dropping it closes all ports and ends all that runs on the nodes.
pub struct Nodes {
    /// Also the servers of the batch system and the monitoring.
    nodes: BTreeMap<String, Node>,
    site: Site,
    face: Option<Face>,
    ssh_config: PathBuf,
    port: u16,
    stop: CancellationToken,
}

struct Node {
    machine: Arc<Machine>,
    address: Ipv4Addr,
    listening: watch::Receiver<bool>,
}

impl Nodes {
    /// Binds the nodes' addresses, writes keys and configuration, and answers from then on.
    pub async fn start(options: Options) -> Result<Nodes, StartError> {
        let servers = [
            options.batch.as_ref().map(|batch| (batch.server.clone(), Role::BatchServer)),
            options.monitoring.as_ref().map(|monitoring| (monitoring.server.clone(), Role::MonitoringServer)),
            options.administration.as_ref().map(|name| (name.clone(), Role::Administration)),
        ];
        let workers = options.names.iter().map(|name| (name.clone(), Role::Worker));
        let (names, roles): (Vec<String>, Vec<Role>) = workers.chain(servers.into_iter().flatten()).unzip();
        for (at, name) in names.iter().enumerate() {
            let fits = name.starts_with(|first: char| first.is_ascii_alphanumeric())
                && name.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '.' | '-'));
            if !fits || names[..at].contains(name) {
                return Err(StartError::Name(name.clone()));
            }
        }
        if let Some(stranger) = options.faults.keys().find(|name| !names.contains(name)) {
            return Err(StartError::UnknownNode(stranger.clone()));
        }
        let (listeners, port) = bind(names.len()).await.map_err(StartError::Addresses)?;
        let client = new_key()?;
        let stop = CancellationToken::new();
        let mut nodes = BTreeMap::new();
        let mut known_hosts = String::new();
        for ((name, role), (address, listener)) in names.iter().zip(roles).zip(listeners) {
            let machine = Arc::new(Machine::new(Blueprint {
                name: name.clone(),
                seed: options.seed,
                pace: options.pace,
                sudo_password: options.sudo_password.clone(),
                role,
                fault: options.faults.get(name).cloned(),
            }));
            let host_key = new_key()?;
            let _ = writeln!(known_hosts, "[{address}]:{port} {}", public_text(host_key.public_key())?);
            let (listening, followed) = watch::channel(true);
            let gate = Arc::new(Gate {
                machine: machine.clone(),
                address: SocketAddr::from((address, port)),
                config: config(host_key),
                wrong_config: config(new_key()?),
                client: client.public_key().clone(),
                listening,
                stop: stop.clone(),
            });
            tokio::spawn(gate.serve(listener));
            nodes.insert(name.clone(), Node { machine, address, listening: followed });
        }
        let ssh_config = write_files(&options, &nodes, port, &client, &known_hosts)?;
        let site = found(&options, &names, &nodes);
        let face = match &site.monitoring {
            Some(monitoring) => Some(Face::open(monitoring.clone(), &stop).await.map_err(StartError::Addresses)?),
            None => None,
        };
        let started = Nodes { nodes, site, face, ssh_config, port, stop };
        let machines = started.nodes.iter().map(|(name, node)| (name.clone(), node.machine.clone())).collect();
        keeper::look(&started.site, &machines, true);
        if started.site.batch.is_some() || started.site.monitoring.is_some() {
            tokio::spawn(keeper::keep(started.site.clone(), machines, started.stop.clone()));
        }
        for node in started.nodes.values() {
            node.settled().await;
        }
        Ok(started)
    }

    /// The `ssh_config` with an entry for each node.
    pub fn ssh_config(&self) -> &Path {
        &self.ssh_config
    }

    /// The names of the nodes, in order. The servers of the batch system, the monitoring and the administration are not among them, and answer to their names like them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let workers = self.nodes.iter().filter(|(_, node)| node.machine.role == Role::Worker);
        workers.map(|(name, _)| name.as_str())
    }

    /// How a node stands in the batch system; nothing where there is none of that name.
    pub fn batch_state(&self, name: &str) -> Option<BatchState> {
        self.site.batch.as_ref()?.look().state_of(name)
    }

    /// Puts a job on a node that does not end by itself, whoever waits for it, and gives its number.
    pub fn submit_job(&self, name: &str) -> Option<u32> {
        self.site.batch.as_ref()?.look().submit(name)
    }

    /// Tells the batch system how every node does, without waiting for the moment when it would be told.
    pub fn tell_batch(&self) {
        let machines = self.nodes.iter().map(|(name, node)| (name.clone(), node.machine.clone())).collect();
        keeper::look(&Site { monitoring: None, ..self.site.clone() }, &machines, false);
    }

    /// Lets the batch system take every silent node for lost, without waiting any longer.
    pub fn give_up_on_silent(&self) {
        if let Some(batch) = &self.site.batch {
            batch.look().give_up_on_silent();
        }
    }

    /// Has the monitoring hand what it tells from now on to a plugin.
    pub fn notify_by(&self, plugin: Plugin) {
        if let Some(monitoring) = &self.site.monitoring {
            monitoring.notify_by(Some(plugin), self.stop.clone());
        }
    }

    /// What the monitoring has told so far, to a plugin or to nobody.
    pub fn notified(&self) -> Vec<Notified> {
        self.site.monitoring.as_ref().map(|monitoring| monitoring.told()).unwrap_or_default()
    }

    /// Has the monitoring do what a command of Livestatus says, from its name on.
    pub fn tell_monitoring(&self, command: &str) {
        if let Some(monitoring) = &self.site.monitoring {
            monitoring.command(&format!("COMMAND [0] {command}"));
        }
    }

    /// How the monitoring is asked and told over the network.
    pub fn monitoring_access(&self) -> Option<Access> {
        self.face.as_ref().map(Face::access)
    }

    /// The handle by which the monitoring is made to misbehave.
    pub fn monitoring_faults(&self) -> Option<MonitoringFaults> {
        self.face.as_ref().map(Face::faults)
    }

    /// Puts a process of a batch user on a node whose parent has gone, and gives its number; nothing for a node that does not exist.
    pub fn abandon(&self, name: &str, user: &str) -> Option<u32> {
        let command = "/cvmfs/atlas.example/python/bin/python3 pilot.py --queue EXAMPLE";
        self.nodes.get(name).map(|node| node.machine.abandon(user, command))
    }

    /// The processes of batch users on a node whose parent has gone.
    pub fn abandoned(&self, name: &str) -> Vec<u32> {
        let left = self.nodes.get(name).map(|node| node.machine.abandoned()).unwrap_or_default();
        left.into_iter().map(|(pid, _)| pid).collect()
    }

    /// Ends a process on a node, as if it had come to its end.
    pub fn kill(&self, name: &str, pid: u32) {
        if let Some(node) = self.nodes.get(name) {
            node.machine.end(pid);
        }
    }

    /// Where a node listens.
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        self.nodes.get(name).map(|node| SocketAddr::from((node.address, self.port)))
    }

    /// Sets a fault and waits until it is in force; false when there is no such node.
    pub async fn fault(&self, name: &str, fault: Fault) -> bool {
        self.change(name, Some(fault)).await
    }

    /// Takes the fault away and waits until the node answers again; false when there is no such node.
    pub async fn heal(&self, name: &str) -> bool {
        self.change(name, None).await
    }

    async fn change(&self, name: &str, fault: Option<Fault>) -> bool {
        let Some(node) = self.nodes.get(name) else { return false };
        let may_be_down = node.machine.fault() == Some(Fault::StaysDown) && fault != Some(Fault::StaysDown);
        node.machine.set_fault(fault);
        if may_be_down {
            // An error means that the cluster was closed.
            let _ = node.machine.port.subscribe().wait_for(|port| port.open).await;
        }
        node.settled().await;
        true
    }

    /// Starts a node anew, as somebody at its power button would, and waits until it is back; false when there is no such node.
    pub async fn reboot(&self, name: &str) -> bool {
        let Some(node) = self.nodes.get(name) else { return false };
        let mut port = node.machine.port.subscribe();
        node.machine.reboot();
        // An error means that the cluster was closed.
        let _ = port.wait_for(|port| port.open).await;
        node.settled().await;
        true
    }

    /// Takes away all that a node's wrapper has noted, as what cleans temporary files away does; false when there is no such node.
    pub fn lose_notes(&self, name: &str) -> bool {
        let node = self.nodes.get(name);
        node.inspect(|node| node.machine.lose_notes()).is_some()
    }

    /// What ran on a node, in the order of starting; nothing for a node that does not exist.
    pub fn ledger(&self, name: &str) -> Vec<LedgerEntry> {
        self.nodes.get(name).map(|node| node.machine.ledger()).unwrap_or_default()
    }

    /// The content of a file on a node, as it stands; nothing where there is no such file.
    pub fn file(&self, name: &str, path: &str) -> Option<Vec<u8>> {
        self.nodes.get(name)?.machine.files(|files| files.read(path)).ok()
    }

    /// How many commands have been started on all nodes.
    pub fn started(&self) -> usize {
        self.nodes.values().map(|node| node.machine.started()).sum()
    }

    /// Closes all ports and connections for good. What runs on the nodes goes on.
    pub async fn close_all(&self) {
        self.stop.cancel();
        for node in self.nodes.values() {
            let mut listening = node.listening.clone();
            let _ = listening.wait_for(|listening| !listening).await;
        }
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        self.stop.cancel();
        for node in self.nodes.values() {
            node.machine.halt();
            // Nobody will heal it any more, and it shall not wait for that.
            node.machine.set_fault(None);
        }
    }
}

impl Node {
    /// Waits until the port does what the node's state asks for.
    async fn settled(&self) {
        let wanted = {
            let port = self.machine.port.borrow();
            port.open && port.fault != Some(Fault::RefuseConnections)
        };
        let mut listening = self.listening.clone();
        // An error means that the cluster was closed: nothing will change any more.
        let _ = listening.wait_for(|listening| *listening == wanted).await;
    }
}

/// Makes the batch system and the monitoring that are asked for, and tells all machines of them.
fn found(options: &Options, names: &[String], nodes: &BTreeMap<String, Node>) -> Site {
    let workers: Vec<&Arc<Machine>> =
        nodes.values().map(|node| &node.machine).filter(|machine| machine.role == Role::Worker).collect();
    let batch = options.batch.as_ref().map(|wanted| {
        let registered = workers.iter().map(|machine| keeper::registered(machine)).collect();
        let worker_names: Vec<&str> = workers.iter().map(|machine| machine.name.as_str()).collect();
        let configuration = content::slurm_conf(&wanted.server, &worker_names);
        for node in nodes.values() {
            node.machine.files(|files| files.plant("/etc/slurm/slurm.conf", &configuration));
        }
        Arc::new(Batch::new(wanted, options.pace, options.seed, registered))
    });
    let monitoring = options.monitoring.as_ref();
    let site = Site {
        batch,
        monitoring: monitoring.map(|wanted| Arc::new(Monitoring::new(wanted, options.pace, options.seed, names))),
        machines: Arc::new(nodes.iter().map(|(name, node)| (name.clone(), Arc::downgrade(&node.machine))).collect()),
        batch_server: options.batch.as_ref().map(|batch| batch.server.clone()),
    };
    for node in nodes.values() {
        node.machine.belong_to(site.clone());
    }
    site
}

/// One listener a node, all on one port, in a loopback network of their own.
async fn bind(count: usize) -> std::io::Result<(Vec<(Ipv4Addr, TcpListener)>, u16)> {
    let mut problem = std::io::Error::other("too many nodes");
    'attempts: for _ in 0..ATTEMPTS {
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        let networks = count.div_ceil(PER_NETWORK).max(1);
        let Some(span) = 250_usize.checked_sub(networks) else { break };
        let network = 2 + usize::from(random[0]) % span.max(1);
        // Below the ports that outgoing connections take, so that none of them is in the way.
        let port = 12_000 + u16::from_be_bytes([random[1], random[2]]) % 18_000;
        let mut listeners = Vec::with_capacity(count);
        for at in 0..count {
            let address = Ipv4Addr::new(127, 0, (network + at / PER_NETWORK) as u8, (1 + at % PER_NETWORK) as u8);
            match TcpListener::bind((address, port)).await {
                Ok(listener) => listeners.push((address, listener)),
                Err(error) => {
                    problem = error;
                    continue 'attempts;
                }
            }
        }
        return Ok((listeners, port));
    }
    Err(problem)
}

fn new_key() -> Result<PrivateKey, StartError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| StartError::Key(error.to_string()))?;
    Ok(PrivateKey::from(Ed25519Keypair::from_seed(&seed)))
}

fn public_text(key: &PublicKey) -> Result<String, StartError> {
    key.to_openssh().map_err(|error| StartError::Key(error.to_string()))
}

fn write_files(
    options: &Options,
    nodes: &BTreeMap<String, Node>,
    port: u16,
    client: &PrivateKey,
    known_hosts: &str,
) -> Result<PathBuf, StartError> {
    let directory = &options.directory;
    let at = |path: &Path, error| StartError::Directory { path: path.to_owned(), error };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| at(directory, error))?;
    // ssh reads the files from its own working directory, so that their names must be absolute.
    let directory = std::fs::canonicalize(directory).map_err(|error| at(directory, error))?;
    let (key_file, hosts_file, config_file) =
        (directory.join("id_ed25519"), directory.join("known_hosts"), directory.join("ssh_config"));
    let key = client.to_openssh(LineEnding::LF).map_err(|error| StartError::Key(error.to_string()))?;
    write_private(&key_file, key.as_bytes()).map_err(|error| at(&key_file, error))?;
    write_private(&hosts_file, known_hosts.as_bytes()).map_err(|error| at(&hosts_file, error))?;
    let mut text = String::new();
    for (name, node) in nodes {
        let _ = writeln!(text, "Host {name}\n    HostName {}", node.address);
        if node.machine.role == Role::MonitoringServer {
            // Livestatus is asked by the site's own account.
            let _ = writeln!(text, "    User {SITE}");
        }
    }
    let _ = write!(
        text,
        "Host *\n    Port {port}\n    User {}\n    IdentityFile {}\n    IdentitiesOnly yes\n    IdentityAgent none\n    \
         UserKnownHostsFile {}\n    GlobalKnownHostsFile /dev/null\n    StrictHostKeyChecking yes\n    BatchMode yes\n    \
         PreferredAuthentications publickey\n    KexAlgorithms curve25519-sha256\n    LogLevel ERROR\n",
        options.user,
        quoted(&key_file),
        quoted(&hosts_file),
    );
    write_private(&config_file, text.as_bytes()).map_err(|error| at(&config_file, error))?;
    Ok(config_file)
}

/// A path as `ssh_config` takes it: quoted, its percent signs doubled.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}

fn write_private(path: &Path, data: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    // A file that is there already may be readable by others; a new one is not.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(data)
}
