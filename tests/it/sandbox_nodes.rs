//! The sandbox's SSH nodes, asked by the real `ssh` client.

use std::process::Stdio;
use std::time::{Duration, Instant};

use halcyon::sandbox::nodes::{Fault, LedgerEntry, Nodes, Options};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// How long anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster and the directory that its files are in.
struct Cluster {
    nodes: Nodes,
    directory: tempfile::TempDir,
}

/// What a client saw.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    code: i32,
    out: String,
    err: String,
}

impl Cluster {
    async fn start(count: usize) -> Cluster {
        Cluster::start_with(count, |_| {}).await
    }

    async fn start_with(count: usize, change: impl FnOnce(&mut Options)) -> Cluster {
        let directory = tempfile::tempdir().unwrap();
        let names = (1..=count).map(|at| format!("wn{at:03}"));
        let mut options = Options::new(names, directory.path().join("nodes"));
        options.pace = 0.0;
        change(&mut options);
        let nodes = Nodes::start(options).await.unwrap();
        Cluster { nodes, directory }
    }

    /// A client's command line, without the command that the node is asked to run.
    fn ssh(&self, node: &str, options: &[&str]) -> Command {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(self.nodes.ssh_config()).args(options).arg(node);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Options that make connections shared.
    fn shared(&self) -> [String; 6] {
        let path = self.directory.path().join("%n");
        let path = format!("ControlPath={}", path.display());
        ["-o", "ControlMaster=auto", "-o", "ControlPersist=20", "-o", &path].map(str::to_owned)
    }

    async fn ask(&self, node: &str, line: &str) -> Seen {
        self.ask_with(node, line, b"").await
    }

    async fn ask_with(&self, node: &str, line: &str, input: &[u8]) -> Seen {
        let shared = self.shared();
        let shared: Vec<&str> = shared.iter().map(String::as_str).collect();
        finish(self.ssh(node, &shared).arg(line), input).await
    }

    /// One verb of the wrapper.
    async fn wrapped(&self, node: &str, verb: &str, id: &str, script: &str) -> Seen {
        self.ask_with(node, &wrapper_line("", verb, id), script.as_bytes()).await
    }

    /// Waits until a node's ledger is as wanted.
    async fn ledger_until(&self, node: &str, wanted: impl Fn(&[LedgerEntry]) -> bool) -> Vec<LedgerEntry> {
        let until = Instant::now() + PATIENCE;
        loop {
            let ledger = self.nodes.ledger(node);
            if wanted(&ledger) {
                return ledger;
            }
            assert!(Instant::now() < until, "the ledger stayed {ledger:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn wrapper_line(before: &str, verb: &str, id: &str) -> String {
    // The text of the wrapper does not matter to the sandbox; this one has what is hard to quote.
    format!("{before}sh -c 'case $1 in run) echo \"it'\\''s $2\" ;; esac' halcyon-1 {verb} {id}")
}

async fn finish(command: &mut Command, input: &[u8]) -> Seen {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeding = tokio::spawn(async move {
        // A command that ends early closes its input: that is no failure of the test.
        let _ = stdin.write_all(&input).await;
    });
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("ssh did not end").unwrap();
    feeding.await.unwrap();
    Seen {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bare_command_and_a_wrapped_one() {
    let cluster = Cluster::start(1).await;
    let seen = cluster.ask("wn001", "hostname -s; uptime; exit 3").await;
    eprintln!("{seen:?}");
    assert_eq!(seen.code, 3);
    let seen = cluster.wrapped("wn001", "run", "x1", "cd /tmp; export A=5\necho $A $PWD; exit 4").await;
    assert_eq!(seen, Seen { code: 4, out: "5 /tmp\n".into(), err: String::new() });
    assert_eq!(cluster.wrapped("wn001", "status", "x1", "").await.out, "exited 4\n");
}
