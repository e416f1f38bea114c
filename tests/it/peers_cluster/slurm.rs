//! A Slurm of one's own: its key, its ports, its folder; all its nodes are on this machine, each a `slurmd` at a port.

use crate::callbacks::free_port;
use crate::ssh::poll;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

pub(super) struct Slurm {
    folder: tempfile::TempDir,
    /// `munged` and `slurmctld`, in the order in which they are ended.
    servers: Vec<Child>,
    daemons: BTreeMap<String, Child>,
}

impl Slurm {
    /// Starts it and waits until all nodes are idle.
    pub(super) fn start(nodes: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("halslurm").tempdir().unwrap();
        // Whoever speaks to munged needs to get to its socket.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        let mut slurm = Self { folder, servers: Vec::new(), daemons: BTreeMap::new() };
        for name in ["state", "log", "spool"] {
            std::fs::create_dir(slurm.path(name)).unwrap();
        }
        std::fs::write(slurm.path("slurm.conf"), slurm.configuration(nodes)).unwrap();
        std::fs::write(slurm.path("key"), std::array::from_fn::<u8, 64, _>(|at| at as u8)).unwrap();
        std::fs::set_permissions(slurm.path("key"), std::fs::Permissions::from_mode(0o400)).unwrap();
        let mut munged = program("munged");
        munged.args(["--foreground", "--force", "--num-threads=2"]);
        for (option, name) in [("key-file", "key"), ("socket", "munge"), ("pid-file", "pid"), ("seed-file", "seed")] {
            munged.arg(format!("--{option}={}", slurm.path(name).display()));
        }
        let munged = slurm.spawn(munged, "munged");
        slurm.servers.push(munged);
        poll("munged listens", || slurm.path("munge").exists());
        let mut controller = program("slurmctld");
        controller.arg("-D").arg("-f").arg(slurm.path("slurm.conf"));
        let controller = slurm.spawn(controller, "slurmctld");
        slurm.servers.insert(0, controller);
        for node in nodes {
            slurm.up(node, false);
        }
        poll("all nodes are idle", || nodes.iter().all(|node| slurm.node(node).0 == "idle"));
        slurm
    }

    fn configuration(&self, nodes: &[&str]) -> String {
        let place = self.folder.path().display();
        let name = rustix::system::uname().nodename().to_str().unwrap().to_owned();
        let name = name.split('.').next().unwrap_or_default().to_owned();
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(user).unwrap().trim().to_owned();
        let mut text = format!(
            "ClusterName=trial\nSlurmctldHost={name}(127.0.0.1)\nSlurmctldPort={}\nSlurmUser={user}\nSlurmdUser={user}\n\
             AuthType=auth/munge\nCredType=cred/munge\nAuthInfo=socket={place}/munge\n\
             StateSaveLocation={place}/state\nSlurmdSpoolDir={place}/spool/%n\n\
             SlurmctldPidFile={place}/slurmctld.pid\nSlurmdPidFile={place}/%n.pid\n\
             SlurmctldLogFile={place}/log/slurmctld\nSlurmdLogFile={place}/log/%n\nMailProg=/bin/true\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nJobAcctGatherType=jobacct_gather/none\n\
             AccountingStorageType=accounting_storage/none\nSwitchType=switch/none\nMpiDefault=none\nSelectType=select/cons_tres\n\
             SlurmdParameters=config_overrides\nReturnToService=1\nSlurmdTimeout=300\nKillWait=2\n",
            free_port()
        );
        for node in nodes {
            let port = free_port();
            writeln!(text, "NodeName={node} NodeHostname={name} NodeAddr=127.0.0.1 Port={port} CPUs=1 RealMemory=100")
                .unwrap();
        }
        text.push_str("PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n");
        text
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn conf(&self) -> PathBuf {
        self.path("slurm.conf")
    }

    fn spawn(&self, mut command: Command, name: &str) -> Child {
        let said = File::create(self.path(&format!("log/{name}.said"))).unwrap();
        command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        command.spawn().unwrap()
    }

    /// The daemon of a node starts; after a boot, it says so.
    pub(super) fn up(&mut self, node: &str, booted: bool) {
        std::fs::create_dir_all(self.path("spool").join(node)).unwrap();
        let mut daemon = program("slurmd");
        daemon.args(["-D", "-N", node, "-f"]).arg(self.conf());
        if booted {
            daemon.arg("-b");
        }
        let daemon = self.spawn(daemon, node);
        self.daemons.insert(node.to_owned(), daemon);
    }

    /// The daemon of a node is gone, as with a reboot.
    pub(super) fn down(&mut self, node: &str) {
        if let Some(mut daemon) = self.daemons.remove(node) {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    }

    /// What one of its commands says.
    fn said(&self, name: &str, words: &[&str]) -> String {
        let output = program(name).args(words).env("SLURM_CONF", self.conf()).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// How a node stands, and why.
    pub(super) fn node(&self, node: &str) -> (String, String) {
        let said = self.said("sinfo", &["--noheader", "--Node", &format!("--nodes={node}"), "--format=%T|%E"]);
        let (state, why) = said.split_once('|').unwrap_or_default();
        (state.to_owned(), why.to_owned())
    }

    /// Somebody takes a node out of service.
    pub(super) fn drain(&self, node: &str, why: &str) {
        self.said("scontrol", &["update", &format!("nodename={node}"), "state=drain", &format!("reason={why}")]);
        poll("it is out", || self.node(node) == ("drained".to_owned(), why.to_owned()));
    }

    /// Somebody hands in a job for a node; gives its number.
    pub(super) fn submit(&self, node: &str, script: &str) -> String {
        let wrap = format!("--wrap={script}");
        let id = self
            .said("sbatch", &["--parsable", "--chdir=/", "--output=/dev/null", &format!("--nodelist={node}"), &wrap]);
        assert!(id.parse::<u32>().is_ok(), "sbatch: {id:?}");
        id
    }

    /// How a job stands.
    pub(super) fn job(&self, id: &str) -> String {
        self.said("squeue", &["--noheader", "--states=all", &format!("--jobs={id}"), "--format=%T"])
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        self.said("scancel", &["--state=RUNNING", "--state=PENDING", "--partition=all"]);
        for mut server in std::mem::take(&mut self.daemons).into_values().chain(std::mem::take(&mut self.servers)) {
            if let Ok(pid) = i32::try_from(server.id())
                && let Some(pid) = rustix::process::Pid::from_raw(pid)
            {
                // Told to end they take their helpers along.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
            poll("it ends", || server.try_wait().is_ok_and(|ended| ended.is_some()));
        }
    }
}

fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    // Servers live in sbin, which is not on everybody's path.
    command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
    command
}
