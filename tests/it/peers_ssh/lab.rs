//! Real servers on fifty addresses, their client's configuration, and runs that are watched.

use crate::ssh::{MemoryBlobs, execution, poll};
use halcyon::adapters::ssh::{SshOptions, SshRunner};
use halcyon::core::action::run::{
    Attach, Captured, Exit, HostOutcome, RemoteCommand, RemoteHost, Run, RunNews, ShellCommand, Work,
};
use halcyon::core::id::ExecutionId;
use halcyon::runtime::ports::Runner;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How many addresses there are: `n01` to `n50`.
pub(super) const NODES: usize = 50;

/// How many addresses one server listens on; sshd takes at most 16.
pub(super) const NODES_EACH: usize = 10;

/// Whether these tests are to run; says so when not.
pub(super) fn asked_for() -> bool {
    let asked = std::env::var_os("HALCYON_PEERS").is_some_and(|value| value == "1");
    if !asked {
        // Past the harness, which keeps the output of tests that pass to itself.
        let _ = writeln!(std::io::stderr(), "peers_ssh: not run; it meets a real sshd when HALCYON_PEERS=1 is set");
    }
    asked
}

/// Servers with their keys, and what a client needs to reach it.
pub(super) struct Lab {
    pub(super) folder: tempfile::TempDir,
    pub(super) servers: Vec<Child>,
    pub(super) port: u16,
    /// Takes connections as `hung` and never speaks.
    pub(super) _hung: TcpListener,
}

impl Lab {
    pub(super) fn start() -> Self {
        let folder = private_folder();
        let path = |name: &str| folder.path().join(name);
        keys(folder.path(), &["host", "other_host", "client", "stranger"]);
        let hung = TcpListener::bind("127.0.88.51:0").unwrap();
        let port = hung.local_addr().unwrap().port();
        let config = server_config(folder.path(), "");
        let nodes: Vec<usize> = (1..=NODES).collect();
        let mut servers = Vec::new();
        for nodes in nodes.chunks(NODES_EACH) {
            let mut config = config.clone();
            for node in nodes {
                writeln!(config, "ListenAddress 127.0.88.{node}:{port}").unwrap();
            }
            let file = path(&format!("sshd_config{}", nodes[0]));
            std::fs::write(&file, config).unwrap();
            servers.push(sshd(&file, &path("sshd.log")));
        }
        let lab = Self { folder, servers, port, _hung: hung };
        lab.write_client_config("client", "host");
        for node in 1..=NODES {
            poll("sshd listens", || TcpStream::connect((format!("127.0.88.{node}").as_str(), port)).is_ok());
        }
        lab
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// ssh's configuration: with this key, expecting that host key.
    pub(super) fn write_client_config(&self, key: &str, host_key: &str) {
        let mut config = String::new();
        for node in 1..=NODES {
            writeln!(config, "Host n{node:02}\n  HostName 127.0.88.{node}").unwrap();
        }
        let (key, known) = (self.path(key), self.path("known_hosts"));
        writeln!(
            config,
            "Host hung\n  HostName 127.0.88.51\nHost closed\n  HostName 127.0.88.52\n\
             Host *\n  Port {}\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  HostKeyAlias lab\n  GlobalKnownHostsFile /dev/null",
            self.port,
            key.display(),
            known.display(),
        )
        .unwrap();
        std::fs::write(self.path("ssh_config"), config).unwrap();
        let known_key = match host_key {
            "" => String::new(),
            name => format!("lab {}", std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap()),
        };
        std::fs::write(known, known_key).unwrap();
    }

    pub(super) fn options(&self) -> SshOptions {
        let mut options = SshOptions::new(self.path("c"));
        options.config_file = Some(self.path("ssh_config"));
        // Fifty logins at once may take long on a busy machine that is client and servers at the same time.
        options.connect_timeout = Duration::from_secs(20);
        options
    }

    pub(super) async fn runner(&self) -> (SshRunner, MemoryBlobs) {
        let blobs = MemoryBlobs::default();
        (SshRunner::open(self.options(), Arc::new(blobs.clone())).await.unwrap(), blobs)
    }

    /// Processes whose command line names something in the control directory: our masters.
    pub(super) fn masters(&self) -> Vec<u32> {
        processes_with(&self.path("c").display().to_string())
    }

    /// The processes of the servers that belong to connections.
    pub(super) fn server_children(&self) -> Vec<u32> {
        children_of(&self.servers.iter().map(Child::id).collect::<Vec<u32>>())
    }
}

/// A folder of one's own. The server refuses keys in one that others can write to, so /tmp will not do.
pub(crate) fn private_folder() -> tempfile::TempDir {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap());
    let folder = tempfile::Builder::new().prefix(".hp").tempdir_in(home).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

/// Makes keys; whoever has `client` may log in.
pub(crate) fn keys(folder: &Path, names: &[&str]) {
    for key in names {
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.join(key)).status();
        assert!(made.unwrap().success());
    }
    std::fs::copy(folder.join("client.pub"), folder.join("authorized_keys")).unwrap();
}

/// The configuration of a server with the keys in this folder, but for where it listens; its logins have this in their environment.
pub(crate) fn server_config(folder: &Path, environment: &str) -> String {
    let root = rustix::process::geteuid().is_root();
    if root {
        std::fs::create_dir_all("/run/sshd").unwrap();
    }
    // With SHLVL bash leaves the .bashrc of whoever runs the tests alone, which may take longer than all the rest.
    format!(
        "HostKey {host}\nAuthorizedKeysFile {keys}\nPidFile none\nMaxStartups 200\nUsePAM {pam}\nSetEnv SHLVL=1 {environment}\n",
        host = folder.join("host").display(),
        keys = folder.join("authorized_keys").display(),
        pam = if root { "yes" } else { "no" },
    )
}

/// Starts a server.
pub(crate) fn sshd(config: &Path, log: &Path) -> Child {
    let program = ["/usr/sbin/sshd", "/usr/lib/ssh/sshd"].into_iter().find(|path| Path::new(path).exists());
    let mut server = Command::new(program.expect("sshd is installed: apt-get install openssh-server"));
    server.args(["-D", "-E"]).arg(log).arg("-f").arg(config);
    server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The processes that these have started, as far as they are not left alone.
pub(crate) fn children_of(parents: &[u32]) -> Vec<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    all_processes().filter(|&pid| parent(pid).is_some_and(|parent| parents.contains(&parent))).collect()
}

impl Drop for Lab {
    fn drop(&mut self) {
        // A test that fails leaves connections.
        self.masters().into_iter().chain(self.server_children()).for_each(signal);
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

pub(crate) fn all_processes() -> impl Iterator<Item = u32> {
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

pub(super) fn processes_with(text: &str) -> Vec<u32> {
    let named = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(text)
    };
    all_processes().filter(named).collect()
}

pub(crate) fn signal(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

pub(super) fn names(expression: &str) -> Vec<RemoteHost> {
    halcyon::core::host::expand(expression, &halcyon::core::host::Inventory::default()).unwrap()
}

pub(super) fn remote(hosts: &str, command: ShellCommand) -> RemoteCommand {
    RemoteCommand { hosts: names(hosts), command, username: None, port: None, bastion: None, private_key: None }
}

/// A run with what it has reported so far.
pub(super) struct Watched {
    pub(super) news: mpsc::Receiver<RunNews>,
    pub(super) cancel: CancellationToken,
    pub(super) execution: ExecutionId,
    pub(super) began: Instant,
    pub(super) outcomes: BTreeMap<String, (HostOutcome, Duration)>,
    pub(super) lost: BTreeMap<String, HostOutcome>,
    pub(super) started: usize,
    pub(super) progress: Vec<(Duration, halcyon::core::action::run::Progress)>,
    pub(super) finished: Option<Option<String>>,
}

impl Watched {
    pub(super) fn start(runner: &SshRunner, command: RemoteCommand) -> Self {
        let (sender, news) = mpsc::channel(16);
        let (cancel, execution) = (CancellationToken::new(), execution());
        let run = Run { execution: execution.clone(), work: Work::Remote(command), attempt: 0 };
        let (runner, token) = (runner.clone(), cancel.clone());
        tokio::spawn(async move { runner.run(run, sender, token).await });
        Self::of(news, cancel, execution)
    }

    /// The same of a run that was begun before.
    pub(super) fn attach(runner: &SshRunner, attach: Attach) -> Self {
        let (sender, news) = mpsc::channel(16);
        let (cancel, execution) = (CancellationToken::new(), attach.execution.clone());
        let (runner, token) = (runner.clone(), cancel.clone());
        tokio::spawn(async move { runner.attach(attach, sender, token).await });
        Self::of(news, cancel, execution)
    }

    pub(super) fn of(news: mpsc::Receiver<RunNews>, cancel: CancellationToken, execution: ExecutionId) -> Self {
        let (outcomes, lost, progress) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { news, cancel, execution, began: Instant::now(), outcomes, lost, started: 0, progress, finished: None }
    }

    /// Takes news until `enough`.
    pub(super) async fn until(&mut self, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            let news = tokio::time::timeout(Duration::from_secs(120), self.news.recv()).await.unwrap();
            match news.expect("a run does not end before it has said so") {
                RunNews::HostStarted { .. } => self.started += 1,
                RunNews::Read(_) => {}
                RunNews::Progress(progress) => self.progress.push((self.began.elapsed(), progress)),
                RunNews::HostFinished { host, outcome } => {
                    let before = self.outcomes.insert(host.to_string(), (*outcome, self.began.elapsed()));
                    assert!(before.is_none(), "{host} was reported twice");
                }
                RunNews::HostLost { host, outcome } => {
                    self.lost.insert(host.to_string(), *outcome);
                }
                RunNews::Finished { error } => self.finished = Some(error),
            }
        }
    }

    pub(super) async fn end(mut self) -> Self {
        self.until(|run| run.finished.is_some()).await;
        assert!(self.news.recv().await.is_none(), "`Finished` is the last word");
        self
    }

    /// Whether this line has been seen live.
    pub(super) fn shows(&self, text: &str) -> bool {
        self.progress.last().is_some_and(|(_, progress)| progress.tail.iter().any(|line| line.text.contains(text)))
    }

    pub(super) fn outcome(&self, host: &str) -> &HostOutcome {
        &self.outcomes[host].0
    }

    pub(super) fn why(&self, host: &str) -> &str {
        match &self.outcome(host).exit {
            Exit::Unreachable { why } | Exit::Unknown { why } => why,
            other => panic!("{host}: {other:?}"),
        }
    }
}

pub(super) async fn run(runner: &SshRunner, command: RemoteCommand) -> Watched {
    Watched::start(runner, command).end().await
}

pub(super) fn inline(text: &str) -> Captured {
    Captured::Inline { text: text.to_owned() }
}
