//! A command on 1, 50 and 150 nodes, over new connections and over standing ones, beside pdsh and clush.
//!
//! The nodes are real: OpenSSH's server on 127.0.89.1 to .150. Client and nodes share the machine, so a wall has the nodes' work in it too.
//! **CPU is the client's alone, with every process that it starts**: for pdsh and clush the ssh processes and the masters, for us the
//! masters.

use crate::report::{Bound, Report, median, range};
use crate::{Setting, process, scratch};
use halcyon::adapters::clock::SystemClock;
use halcyon::adapters::ssh::{SshOptions, SshRunner};
use halcyon::adapters::store::MemoryBlobs;
use halcyon::core::action::run::{Exit, Parting, RemoteCommand, RemoteHost, Run, RunNews, ShellCommand, Work};
use halcyon::core::action::wrapper::{self, Verb};
use halcyon::core::id::{ExecutionId, Host};
use halcyon::runtime::ports::{Clock, Runner};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const NODES: usize = 150;
/// How many addresses one server listens on; sshd takes at most 16.
const NODES_EACH: usize = 15;
const LOOK: &str = "look";
const QUICK_KEX: &str = "curve25519-sha256";

/// How a command is carried out: so that it outlives its connection and its end is kept, or as one that only looks. What peers run is lost with
/// its connection, so a look is what stands beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Run,
    Look,
}

/// Servers with their keys.
struct Lab {
    folder: tempfile::TempDir,
    servers: Vec<Child>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let mut kill = Command::new("kill");
        kill.args(process::naming(self.folder.path()).iter().map(u32::to_string)).stderr(Stdio::null());
        // The masters that peers have left; there may be none.
        let _ = kill.status();
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

impl Lab {
    fn start() -> Result<Self, String> {
        let sshd = ["/usr/sbin/sshd", "/usr/lib/ssh/sshd"].into_iter().find(|path| Path::new(path).exists());
        let sshd = sshd.ok_or("there is no sshd here")?;
        // The server refuses keys in a folder that others can write to, so /tmp will not do.
        let home = PathBuf::from(std::env::var_os("HOME").ok_or("there is no HOME")?);
        let folder = tempfile::Builder::new().prefix(".hb").tempdir_in(home).map_err(|error| error.to_string())?;
        let set = |error: std::io::Error| error.to_string();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).map_err(set)?;
        let path = |name: &str| folder.path().join(name);
        for key in ["host", "client"] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path(key)).status();
            made.map_err(set)?;
        }
        fs::copy(path("client.pub"), path("authorized_keys")).map_err(set)?;
        let port = TcpListener::bind("127.0.89.1:0").and_then(|listener| listener.local_addr()).map_err(set)?.port();
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").map_err(set)?;
        }
        let mut lab = Self { folder, servers: Vec::new() };
        let path = |name: &str| lab.folder.path().join(name);
        let nodes: Vec<usize> = (1..=NODES).collect();
        for nodes in nodes.chunks(NODES_EACH) {
            // With that environment bash leaves the .bashrc of whoever runs the bench alone, which may take longer than all the rest.
            let mut config = format!(
                "HostKey {}\nAuthorizedKeysFile {}\nPidFile none\nMaxStartups 400\nUsePAM no\nSetEnv SHLVL=1\n",
                path("host").display(),
                path("authorized_keys").display(),
            );
            for node in nodes {
                // Writing to a string does not fail.
                let _ = writeln!(config, "ListenAddress 127.0.89.{node}:{port}");
            }
            let file = path(&format!("sshd_config{}", nodes[0]));
            fs::write(&file, config).map_err(set)?;
            let mut server = Command::new(sshd);
            server.args(["-D", "-E"]).arg(path("sshd.log")).arg("-f").arg(file);
            let server = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            lab.servers.push(server.map_err(set)?);
        }
        lab.write_configs(port).map_err(set)?;
        let deadline = Instant::now() + Duration::from_secs(20);
        for node in 1..=NODES {
            while TcpStream::connect((format!("127.0.89.{node}").as_str(), port)).is_err() {
                if Instant::now() > deadline {
                    return Err(format!("127.0.89.{node} does not listen"));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(lab)
    }

    /// ssh's configurations: as Debian ships it, with the quick key exchange, and that with masters.
    fn write_configs(&self, port: u16) -> std::io::Result<()> {
        let path = |name: &str| self.folder.path().join(name);
        let mut hosts = String::new();
        for node in 1..=NODES {
            let _ = writeln!(hosts, "Host n{node:03}\n  HostName 127.0.89.{node}");
        }
        let _ = writeln!(
            hosts,
            "Host *\n  Port {port}\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n  \
             HostKeyAlias lab\n  LogLevel ERROR",
            path("client").display(),
            path("known_hosts").display(),
        );
        fs::write(path("known_hosts"), format!("lab {}", fs::read_to_string(path("host.pub"))?))?;
        fs::write(path("default"), &hosts)?;
        let quick = format!("{hosts}  KexAlgorithms {QUICK_KEX}\n");
        fs::write(path("quick"), &quick)?;
        for peer in ["pdsh", "clush"] {
            let masters = path(&format!("m-{peer}"));
            fs::create_dir(&masters)?;
            let place = masters.display();
            let text = format!("{quick}  ControlMaster auto\n  ControlPath {place}/%n\n  ControlPersist 120\n");
            fs::write(path(&format!("masters-{peer}")), text)?;
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A peer's run; nothing when the program is not there.
    fn peer(&self, name: &str, config: &str, parallel: usize, nodes: usize) -> Option<Figures> {
        let config_file = self.path(config);
        let hosts = if nodes == 1 { "n001".to_owned() } else { format!("n[001-{nodes:03}]") };
        let mut command = Command::new(name);
        match name {
            "pdsh" => {
                command.args(["-R", "ssh", "-f", &parallel.to_string(), "-w", &hosts, "hostname"]);
                command.env("PDSH_SSH_ARGS", format!("-F {} %h", config_file.display()));
            }
            "clush" => {
                let options = format!("-F {}", config_file.display());
                command.args(["-f", &parallel.to_string(), "-o", &options, "-w", &hosts, "hostname"]);
            }
            _ => {
                command.arg("-F").arg(&config_file).args([&hosts, "hostname"]);
            }
        }
        let place = self.path(&format!("m-{name}"));
        let masters = || masters_cpu(&place).values().sum::<f64>();
        let (before, children, began) = (masters(), process::waited_children(), Instant::now());
        let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        let wall = began.elapsed().as_secs_f64();
        let cpu = process::waited_children() - children + masters() - before;
        let answers = String::from_utf8_lossy(&output.stdout).lines().count();
        assert_eq!(answers, nodes, "{name} has not heard of every node: {}", String::from_utf8_lossy(&output.stdout));
        Some(Figures { wall, cpu })
    }

    /// Our run in a process of its own: once over new connections, then `warm` times over those.
    fn ours(&self, kind: Kind, config: &str, nodes: usize, warm: usize) -> (Figures, Vec<Figures>, Value) {
        let mut command = Command::new(std::env::current_exe().expect("this program has a file"));
        command.arg("--fleet-client").arg(self.path(config)).arg(self.path("c"));
        command.args([nodes.to_string(), warm.to_string()]);
        command.args((kind == Kind::Look).then_some(LOOK));
        let output =
            command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("this program can be started");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let runs = answer["runs"].as_array().expect("the client tells its runs");
        let mut runs: Vec<Figures> = runs
            .iter()
            .map(|run| Figures {
                wall: run["wall"].as_f64().unwrap_or(f64::NAN),
                cpu: run["cpu"].as_f64().unwrap_or(f64::NAN),
            })
            .collect();
        let cold = runs.remove(0);
        (cold, runs, answer)
    }
}

#[derive(Debug, Clone, Copy)]
struct Figures {
    wall: f64,
    cpu: f64,
}

/// CPU seconds of each ssh process that names this place.
fn masters_cpu(place: &Path) -> BTreeMap<u32, f64> {
    process::naming(place).into_iter().map(|pid| (pid, process::threads_of(pid))).collect()
}

/// The process that plays our part: `CONFIG CONTROL_DIR NODES WARM [look]`.
pub(crate) fn client(words: &[String]) -> ExitCode {
    let [config, control, nodes, warm, rest @ ..] = words else { return ExitCode::from(2) };
    let kind = if rest.iter().any(|word| word == LOOK) { Kind::Look } else { Kind::Run };
    let (Ok(nodes), Ok(warm)) = (nodes.parse::<usize>(), warm.parse::<usize>()) else { return ExitCode::from(2) };
    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    let answer = runtime.block_on(async {
        let mut options = SshOptions::new(control);
        options.config_file = Some(config.into());
        options.connect_timeout = Duration::from_secs(30);
        let runner = SshRunner::open(options, Arc::new(MemoryBlobs::default())).await.expect("the runner opens");
        let place = Path::new(control);
        let mut runs = Vec::new();
        for number in 0..=warm {
            let masters = masters_cpu(place).values().sum::<f64>();
            let (before, began) = (process::own_and_children(), Instant::now());
            let failed = everywhere(&runner, kind, nodes).await;
            let wall = began.elapsed().as_secs_f64();
            assert!(failed.is_empty(), "{failed:?}");
            let own = process::own_and_children() - before;
            let masters = masters_cpu(place).values().sum::<f64>() - masters;
            runs.push(
                json!({ "wall": wall, "cpu": own + masters, "own": own, "masters": masters, "warm": number > 0 }),
            );
        }
        let pids = process::naming(place);
        let memory: f64 = pids.iter().map(|pid| process::proportional(*pid)).sum();
        let own = process::resident(std::process::id());
        runner.shutdown().await;
        json!({ "runs": runs, "masters": pids.len(), "memory": memory, "own": own })
    });
    println!("{answer}");
    ExitCode::SUCCESS
}

async fn everywhere(runner: &SshRunner, kind: Kind, nodes: usize) -> Vec<String> {
    let hosts = (1..=nodes).map(|node| RemoteHost { host: Host::new(format!("n{node:03}")), port: None }).collect();
    let command =
        RemoteCommand { hosts, command: hostname(kind), username: None, port: None, bastion: None, private_key: None };
    let execution = ExecutionId::generate(SystemClock.now(), SystemClock.entropy());
    let (news, mut heard) = mpsc::channel(64);
    let run = Run { execution, attempt: 0, work: Work::Remote(command) };
    let listening = async {
        let mut failed = Vec::new();
        while let Some(news) = heard.recv().await {
            if let RunNews::HostFinished { host, outcome } = news
                && outcome.exit != (Exit::Code { code: 0 })
            {
                failed.push(format!("{host}: {:?}", outcome.exit));
            }
        }
        failed
    };
    tokio::join!(runner.run(run, news, CancellationToken::new()), listening).1
}

fn hostname(kind: Kind) -> ShellCommand {
    ShellCommand {
        parting: Parting::default(),
        read_only: kind == Kind::Look,
        script: "hostname".to_owned(),
        cwd: None,
        env: BTreeMap::new(),
        sudo: false,
        sudo_password: None,
        timeout: Duration::from_secs(60),
    }
}

pub(crate) fn run(setting: &Setting, report: &mut Report) {
    println!("\nfan-out");
    let lab = match Lab::start() {
        Ok(lab) => lab,
        Err(why) => {
            report.remark(format!("fan-out was not measured: {why}"));
            return;
        }
    };
    if fs::read_to_string("/proc/sys/kernel/sched_autogroup_enabled").is_ok_and(|text| text.trim() == "1") {
        report.remark(
            "this kernel shares processors out by session (sched_autogroup_enabled), and pdsh gives each ssh one of its own: beside other work \
             its walls are short for that alone; read CPU, or measure on a quiet machine"
                .to_owned(),
        );
    }
    node_cost(setting, report);
    let (passes, warm) = if setting.quick { (1, 2) } else { (3, 5) };
    for nodes in [1, 50, NODES] {
        let mut runs = Runs::default();
        for pass in 0..passes {
            measure(&lab, nodes, if nodes == 1 { warm * 4 } else { warm }, pass, &mut runs);
        }
        tell(nodes, &runs, report);
    }
}

/// All runs by the name of who made them and how, and what the masters hold in memory.
#[derive(Default)]
struct Runs {
    by: BTreeMap<&'static str, Vec<Figures>>,
    memory: Vec<f64>,
    own: Vec<f64>,
    peer_memory: Vec<f64>,
}

impl Runs {
    fn add(&mut self, who: &'static str, figures: impl IntoIterator<Item = Figures>) {
        self.by.entry(who).or_default().extend(figures);
    }

    fn walls(&self, who: &str) -> Vec<f64> {
        self.by.get(who).map(|runs| runs.iter().map(|run| run.wall).collect()).unwrap_or_default()
    }

    fn cpu(&self, who: &str) -> f64 {
        let runs: Vec<f64> = self.by.get(who).map(|runs| runs.iter().map(|run| run.cpu).collect()).unwrap_or_default();
        median(&runs)
    }
}

fn measure(lab: &Lab, nodes: usize, warm: usize, pass: usize, runs: &mut Runs) {
    let (cold, again, answer) = lab.ours(Kind::Look, "quick", nodes, warm);
    runs.add("ours cold", [cold]);
    runs.add("ours warm", again);
    let (_, again, _) = lab.ours(Kind::Run, "quick", nodes, warm);
    runs.add("ours warm, kept", again);
    runs.memory.extend(answer["memory"].as_f64());
    runs.own.extend(answer["own"].as_f64());
    runs.add("pdsh cold", lab.peer("pdsh", "quick", 32, nodes));
    if pass < 2 {
        // As Debian ships it, it takes three times as long; two passes will do.
        runs.add("pdsh default cold", lab.peer("pdsh", "default", 32, nodes));
        let (cold, _, _) = lab.ours(Kind::Look, "default", nodes, 0);
        runs.add("ours default cold", [cold]);
    }
    runs.add("clush cold", lab.peer("clush", "quick", 32, nodes));
    for (peer, config, name) in [("pdsh", "masters-pdsh", "pdsh warm"), ("clush", "masters-clush", "clush warm")] {
        if lab.peer(peer, config, 32, nodes).is_some() {
            let rounds = if peer == "pdsh" { warm } else { 2 };
            runs.add(name, (0..rounds).filter_map(|_| lab.peer(peer, config, NODES, nodes)));
        }
    }
    if nodes == 1 {
        // The masters of pdsh serve ssh as well.
        runs.add("ssh warm", (0..warm).filter_map(|_| lab.peer("ssh", "masters-pdsh", 1, 1)));
    }
    let masters = process::naming(&lab.path("m-pdsh"));
    if nodes > 1 && !masters.is_empty() {
        runs.peer_memory.push(masters.iter().map(|pid| process::proportional(*pid)).sum());
    }
}

fn tell(nodes: usize, runs: &Runs, report: &mut Report) {
    let most = |bound| (nodes == NODES).then_some(Bound::AtMost(bound));
    let rows = [
        ("1", "ours cold", "pdsh cold", "pdsh, equal kex", most(1.1), None),
        ("1", "ours cold", "pdsh default cold", "pdsh as shipped", most(0.4), None),
        ("1", "ours default cold", "pdsh default cold", "pdsh, both as shipped", None, None),
        ("1", "ours cold", "clush cold", "clush, equal kex", None, None),
        ("3", "ours warm", "pdsh warm", "pdsh + ControlMaster", most(0.35), most(0.35)),
        ("3", "ours warm, kept", "pdsh warm", "pdsh + ControlMaster", None, None),
        ("3", "ours warm", "clush warm", "clush + ControlMaster", None, None),
        ("4", "ours warm", "ssh warm", "ssh + ControlMaster", (nodes == 1).then_some(Bound::AtMost(0.8)), None),
    ];
    for (budget, ours, peer, name, wall, cpu) in rows {
        if !runs.by.contains_key(peer) {
            continue;
        }
        let how = match ours {
            "ours warm" => "warm",
            "ours warm, kept" => "warm, outliving its connection",
            _ => "cold",
        };
        let (our_walls, peer_walls) = (runs.walls(ours), runs.walls(peer));
        let what = format!("{nodes} nodes {how}, wall");
        let both = (name, median(&peer_walls) * 1e3);
        report.beside(budget, &what, median(&our_walls) * 1e3, "ms", both, wall);
        let what = format!("{nodes} nodes {how}, client CPU a node");
        let each = |cpu: f64| cpu * 1e3 / nodes as f64;
        let budget = if how == "cold" { "2" } else { budget };
        report.beside(budget, &what, each(runs.cpu(ours)), "ms", (name, each(runs.cpu(peer))), cpu);
        if nodes == NODES {
            report.remark(format!(
                "{nodes} nodes {how}, wall in seconds, least..most: ours {}, {name} {}",
                range(&our_walls),
                range(&peer_walls),
            ));
        }
    }
    if nodes > 1 {
        let ours = median(&runs.memory) + median(&runs.own);
        let what = format!("{nodes} connections open, memory with the masters");
        report.beside("3", &what, ours, "MB", ("pdsh's masters", median(&runs.peer_memory)), None);
    }
}

/// CPU of a command on the node: under the wrapper and bare, without sshd.
fn node_cost(setting: &Setting, report: &mut Report) {
    let count = if setting.quick { 40 } else { 200 };
    let scratch = scratch();
    let (mut kept, mut looked, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    let each = |work: &dyn Fn()| {
        let before = process::waited_children();
        (0..count).for_each(|_| work());
        (process::waited_children() - before) * 1e3 / f64::from(count)
    };
    for _ in 0..3 {
        kept.push(each(&|| under_wrapper(Kind::Run, scratch.path())));
        looked.push(each(&|| under_wrapper(Kind::Look, scratch.path())));
        bare.push(each(&|| {
            let status = Command::new("bash").args(["-c", "hostname; exit"]).stdout(Stdio::null()).status();
            assert!(status.is_ok_and(|status| status.success()));
        }));
    }
    for (how, ours) in [("a look", &looked), ("outliving its connection", &kept)] {
        let what = format!("CPU of a command on its node, {how}");
        report.beside("-", &what, median(ours), "ms", ("bare bash", median(&bare)), None);
    }
}

fn under_wrapper(kind: Kind, place: &Path) {
    let (command, verb) = (hostname(kind), Verb::of(&hostname(kind)));
    let id = format!("bench{:016x}", getrandom::u64().expect("the system has randomness"));
    let words = wrapper::words(verb, &id, &command);
    let input = wrapper::input(verb, &id, &command).expect("the command has no zero bytes");
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .current_dir(place)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("there is a shell");
    let written = child.stdin.take().map(|mut to| to.write_all(input.reveal().as_bytes()));
    assert!(written.is_some_and(|written| written.is_ok()) && child.wait().is_ok_and(|status| status.success()));
}
