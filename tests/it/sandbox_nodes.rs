//! The sandbox's SSH nodes, asked by the real `ssh` client.

use std::process::Stdio;
use std::time::{Duration, Instant};

use halcyon::sandbox::nodes::{Fault, LedgerEntry, Nodes, Options};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// How long anything here may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster and the directory that its files are in.
pub(crate) struct Cluster {
    pub(crate) nodes: Nodes,
    directory: tempfile::TempDir,
}

/// What a client saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Cluster {
    pub(crate) async fn start(count: usize) -> Cluster {
        Cluster::start_with(count, |_| {}).await
    }

    pub(crate) async fn start_with(count: usize, change: impl FnOnce(&mut Options)) -> Cluster {
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

    pub(crate) async fn ask(&self, node: &str, line: &str) -> Seen {
        self.ask_with(node, line, b"").await
    }

    async fn ask_with(&self, node: &str, line: &str, input: &[u8]) -> Seen {
        let shared = self.shared();
        let shared: Vec<&str> = shared.iter().map(String::as_str).collect();
        finish(self.ssh(node, &shared).arg(line), input).await
    }

    /// One verb of the wrapper.
    async fn wrapped(&self, node: &str, verb: &str, id: &str, script: &str) -> Seen {
        let mut seen = self.ask_with(node, &wrapper_line("", verb, id), framed(id, script).as_bytes()).await;
        if let ("status", Some((standing, up))) = (verb, seen.out.split_once('\n')) {
            assert!(up.starts_with("up ") && (up.contains(" for ") == (standing == "running")), "{seen:?}");
            seen.out = format!("{standing}\n");
        }
        seen
    }

    /// What is kept of a command once it does not run any more.
    async fn ended(&self, node: &str, id: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let standing = self.wrapped(node, "status", id, "").await.out;
            if standing != "running\n" {
                return standing;
            }
            assert!(Instant::now() < until, "{id} runs on");
        }
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

/// A script between the marks that tell the node that it has arrived whole.
fn framed(id: &str, script: &str) -> String {
    format!("# halcyon-1 begin {id}\n{script}\n# halcyon-1 end {id}\n")
}

async fn finish(command: &mut Command, input: &[u8]) -> Seen {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeding = tokio::spawn(async move {
        // A command that ends early closes its input: that is no failure of the test.
        let _ = stdin.write_all(&input).await;
    });
    let Ok(output) = tokio::time::timeout(PATIENCE, child.wait_with_output()).await else {
        return Seen { code: -2, out: String::new(), err: "ssh did not end".to_owned() };
    };
    let output = output.unwrap();
    feeding.await.unwrap();
    Seen {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Script, standard output, exit code.
const SCRIPTS: &[(&str, &str, i32)] = &[
    // Lists, codes, conditions.
    ("echo a; echo b", "a\nb\n", 0),
    ("true && echo yes || echo no", "yes\n", 0),
    ("false && echo yes || echo no", "no\n", 0),
    ("! false; echo $?", "0\n", 0),
    ("exit 7", "", 7),
    ("(exit 5); echo $?", "5\n", 0),
    ("set -e; false; echo never", "", 1),
    ("set -e; if false; then :; fi; false || true; echo here", "here\n", 0),
    ("false | true; echo $?", "0\n", 0),
    ("set -o pipefail; false | true; echo $?", "1\n", 0),
    ("{ echo a; echo b; } | wc -l", "2\n", 0),
    // Words.
    ("x='a  b'; echo $x; echo \"$x\"", "a b\na  b\n", 0),
    ("echo 'single $x' \"double ${HOME}\"", "single $x double /home/halcyon\n", 0),
    ("x=; echo ${x:-unset} ${y-none} ${#HOME}", "unset none 13\n", 0),
    (
        "f=archive.tar.gz; echo ${f%.*} ${f%%.*} ${f#*.} ${f##*.} ${f/tar/zip}",
        "archive.tar archive tar.gz gz archive.zip.gz\n",
        0,
    ),
    ("x=hello; echo ${x:1:3} ${x^^} ${x: -2}", "ell HELLO lo\n", 0),
    ("echo {1..5} a{b,c}d", "1 2 3 4 5 abd acd\n", 0),
    ("echo $((2 + 3 * 4)) $((7 / 2)) $((1 << 10))", "14 3 1024\n", 0),
    ("i=5; ((i++)); echo $i $((i > 5 ? 1 : 0))", "6 1\n", 0),
    ("echo $(( 1 / 0 )); echo never", "", 1),
    (
        "a=(one 'two three' four); echo ${#a[@]} \"${a[1]}\"; for x in \"${a[@]}\"; do echo \"<$x>\"; done",
        "3 two three\n<one>\n<two three>\n<four>\n",
        0,
    ),
    ("set -- a 'b c'; for x in \"$@\"; do echo \"[$x]\"; done; echo $# $1", "[a]\n[b c]\n2 a\n", 0),
    ("echo $(echo inner; echo $(echo deep))", "inner deep\n", 0),
    ("echo `hostname -s`", "wn001\n", 0),
    ("x=$(false); echo $?", "1\n", 0),
    ("echo ~ /etc/*-release", "/home/halcyon /etc/almalinux-release /etc/os-release /etc/redhat-release\n", 0),
    ("echo ${missing:?is not set}; echo never", "", 1),
    ("IFS=:; p=a:b:c; echo $p; set -- $p; echo $#", "a b c\n3\n", 0),
    // Compound commands.
    ("for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done", "1\n3\n", 0),
    ("for i in a b; do for j in 1 2 3; do [ $j = 2 ] && continue 2; echo $i$j; done; done", "a1\nb1\n", 0),
    ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); done; echo $i", "3\n", 0),
    ("i=0; until test $i -ge 2; do i=$((i+1)); done; echo $i", "2\n", 0),
    ("while true; do break; done; echo out", "out\n", 0),
    ("for ((i=0;i<3;i++)); do printf %s $i; done; echo", "012\n", 0),
    ("case wn042 in wn0*) echo worker;; *) echo other;; esac", "worker\n", 0),
    ("f() { local x=$1; echo in $x; return 4; }; f 9; echo $? [$x]", "in 9\n4 []\n", 0),
    ("if [[ abc == a* && 5 -gt 3 && wn7 =~ ^wn([0-9]+)$ ]]; then echo ${BASH_REMATCH[1]}; fi", "7\n", 0),
    ("printf 'a b\\nc d\\n' | while read x y; do echo $y; done", "b\nd\n", 0),
    ("(cd /tmp; pwd); pwd", "/tmp\n/home/halcyon\n", 0),
    ("trap 'echo bye' EXIT; echo hi", "hi\nbye\n", 0),
    // Redirections and files.
    (
        "echo one > /tmp/f; echo two >> /tmp/f; cat /tmp/f; wc -l < /tmp/f; rm /tmp/f; cat /tmp/f 2>/dev/null",
        "one\ntwo\n2\n",
        1,
    ),
    ("ls /nowhere 2>&1", "ls: cannot access '/nowhere': No such file or directory\n", 2),
    ("cat <<EOF\nhome $HOME\nEOF\ncat <<'EOF'\nplain $HOME\nEOF", "home /home/halcyon\nplain $HOME\n", 0),
    ("tr a-z A-Z <<< shout", "SHOUT\n", 0),
    (
        "mkdir -p /tmp/d/e && touch /tmp/d/e/x && ls /tmp/d /tmp/d/e; rm -rf /tmp/d; test -e /tmp/d; echo $?",
        "/tmp/d:\ne\n\n/tmp/d/e:\nx\n1\n",
        0,
    ),
    ("echo x > /nowhere/f", "", 1),
    (
        "printf '#!/bin/sh\\necho script $1\\n' > /tmp/s.sh; bash /tmp/s.sh A; sh -c 'echo $0 $1' zero one",
        "script A\nzero one\n",
        0,
    ),
    ("exec > /tmp/log; echo hidden; exec > /dev/stderr; cat /tmp/log >&2", "", 0),
    // Filters.
    ("seq 5 | head -2; seq 5 | tail -n 2; seq 5 | tail -n +4", "1\n2\n4\n5\n4\n5\n", 0),
    ("yes | head -3", "y\ny\ny\n", 0),
    ("printf 'b\\na\\nb\\n' | sort | uniq -c", "      1 a\n      2 b\n", 0),
    ("printf '10\\n9\\n100\\n' | sort -n; printf 'x 3\\ny 1\\n' | sort -k2 -n", "9\n10\n100\ny 1\nx 3\n", 0),
    ("echo a:b:c | cut -d: -f1,3", "a:c\n", 0),
    ("printf 'Error 1\\nfine\\nerror 2\\n' | grep -ci error", "2\n", 0),
    ("printf 'a1\\nb\\n' | grep -vE '[0-9]+'; echo x | grep -q y; echo $?", "b\n1\n", 0),
    (
        "echo 'one two three' | awk '{print $2, $NF}'; echo aXbX | sed 's/X/-/g'; seq 5 | sed -n '2,3p'",
        "two three\na-b-\n2\n3\n",
        0,
    ),
    ("echo hello | tee /tmp/t | rev; cat /tmp/t", "olleh\nhello\n", 0),
    ("seq 3 | xargs echo; seq 4 | xargs -n 2 echo", "1 2 3\n1 2\n3 4\n", 0),
    ("printf '%s=%03d|%-4s|%5.2f\\n' a 7 b 3.14159", "a=007|b   | 3.14\n", 0),
    ("seq 100000 | wc -c", "588895\n", 0),
    ("echo -n abc | sha256sum", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  -\n", 0),
    // The node.
    ("hostname; hostname -s; uname -n", "wn001.cluster.example\nwn001\nwn001.cluster.example\n", 0),
    (
        "whoami; sudo whoami; sudo -n -E -H -u nobody -- whoami; id -u; sudo id -u",
        "halcyon\nroot\nnobody\n1000\n0\n",
        0,
    ),
    (
        "uname -r; rpm -q kernel bash nothing",
        "5.14.0-427.13.1.el9_4.x86_64\nkernel-5.14.0-427.13.1.el9_4.x86_64\nbash-5.1.8-9.el9.x86_64\npackage nothing is not installed\n",
        1,
    ),
    ("grep ^ID= /etc/os-release; . /etc/os-release; echo $VERSION_ID", "ID=\"almalinux\"\n9.4\n", 0),
    ("systemctl is-active sshd nothing", "active\ninactive\n", 3),
    ("systemctl stop slurmd", "", 1),
    (
        "sudo systemctl stop slurmd; systemctl is-active slurmd; sudo systemctl start slurmd; systemctl is-active slurmd",
        "inactive\nactive\n",
        0,
    ),
    ("systemctl status nothing", "", 4),
    ("journalctl -u slurmd -n 3 | wc -l; journalctl -n 7 | wc -l", "3\n7\n", 0),
    ("df -P / | awk 'NR>1 {print $NF}'; df -h /scratch | tail -1 | cut -c1-14", "/\n/dev/nvme0n1p1\n", 0),
    ("free -m | awk '/Mem/ {print $1}'; uptime | grep -c 'load average'", "Mem:\n1\n", 0),
    ("ps aux | grep -c [s]lurmd; ps -e | head -1", "1\n    PID TTY          TIME CMD\n", 0),
    ("env | grep ^LOGNAME; A=1 env | grep ^A=; export B=2; sh -c 'echo $B'", "LOGNAME=halcyon\nA=1\n2\n", 0),
    ("timeout 0.05 sleep 30; echo $?; timeout 5 echo fine", "124\nfine\n", 0),
    ("sleep 30 & kill %1 2>/dev/null; kill $(pgrep sleep); wait; echo done", "done\n", 0),
    ("sleep 0.01 & wait $!; echo $?", "0\n", 0),
    ("nosuchcommand", "", 127),
    ("./nosuchfile", "", 127),
    ("command -v ls; which nosuch; type cd", "/usr/bin/ls\ncd is a shell builtin\n", 0),
    ("ssh other uptime", "", 127),
    ("cat /etc/shadow /work /root/.ssh/id_rsa", "", 1),
    ("date -d @0 +%Y-%m-%dT%H:%M:%SZ; basename /a/b.txt .txt; dirname /a/b.txt", "1970-01-01T00:00:00Z\nb\n/a\n", 0),
    (
        "sudo dnf -y update | tail -1; rpm -q kernel | wc -l; needs-restarting -r | head -2 | tail -1",
        "Complete!\n2\n  * kernel\n",
        0,
    ),
    ("dnf -y update", "", 1),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_do_what_they_would_do_on_a_node() {
    let cluster = Cluster::start(1).await;
    let mut wrong = Vec::new();
    for (script, out, code) in SCRIPTS {
        let seen = cluster.ask("wn001", script).await;
        if (seen.out.as_str(), seen.code) != (*out, *code) {
            wrong.push(format!("{script}\n   wanted {code} {out:?}\n      saw {seen:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The ways a connection fails, as the client tells it.
async fn refused(cluster: &Cluster, node: &str, options: &[&str]) -> Seen {
    let mut all = vec!["-o", "ConnectTimeout=1"];
    all.extend(options);
    let seen = finish(cluster.ssh(node, &all).arg("echo reached"), b"").await;
    assert_eq!((seen.code, seen.out.as_str()), (255, ""), "{seen:?}");
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_show_as_on_a_broken_node() {
    let cluster = Cluster::start_with(4, |options| {
        options.faults.insert("wn002".to_owned(), Fault::RefuseConnections);
    })
    .await;
    let nodes = &cluster.nodes;
    assert!(refused(&cluster, "wn002", &[]).await.err.contains("Connection refused"));
    assert!(nodes.heal("wn002").await);
    assert_eq!(cluster.ask("wn002", "echo reached").await.out, "reached\n");
    assert!(!nodes.fault("wn999", Fault::Hang).await);

    // A connection that is open ends with the fault, so that the next request meets it.
    assert_eq!(cluster.ask("wn001", "echo reached").await.out, "reached\n");
    nodes.fault("wn001", Fault::RefuseLogin).await;
    assert!(refused(&cluster, "wn001", &[]).await.err.contains("Permission denied"));
    nodes.fault("wn001", Fault::WrongHostKey).await;
    assert!(refused(&cluster, "wn001", &[]).await.err.contains("Host key verification failed"));
    nodes.fault("wn001", Fault::Hang).await;
    let hung = refused(&cluster, "wn001", &[]).await;
    assert!(hung.err.contains("timed out"), "{hung:?}");

    nodes.fault("wn003", Fault::HangAfterLogin).await;
    let mut command = cluster.ssh("wn003", &[]);
    let child = command.arg("echo reached").spawn().unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(600), child.wait_with_output());
    assert!(waiting.await.is_err(), "a command was answered");
    assert!(nodes.ledger("wn003").is_empty());

    nodes.fault("wn003", Fault::FailCommand(9)).await;
    assert_eq!(cluster.ask("wn003", "echo reached").await.code, 9);
    assert_eq!(cluster.wrapped("wn003", "run", "failing", "echo reached").await.code, 9);
    assert_eq!(cluster.wrapped("wn003", "status", "failing", "").await.out, "exited 9\n");

    nodes.fault("wn003", Fault::Slow(Duration::from_millis(300))).await;
    let began = Instant::now();
    assert_eq!(cluster.ask("wn003", "echo late").await.out, "late\n");
    assert!(began.elapsed() >= Duration::from_millis(300));

    // A wrapped command goes on without its connection.
    nodes.fault("wn004", Fault::DropAfterBytes(1_000)).await;
    let seen = cluster.wrapped("wn004", "run", "cut", "seq 1000; echo kept > /tmp/kept; exit 6").await;
    assert_eq!(seen.code, 255, "{seen:?}");
    assert!(seen.out.len() <= 1_000 && seen.out.starts_with("1\n2\n"), "{}", seen.out.len());
    nodes.heal("wn004").await;
    assert_eq!(cluster.ended("wn004", "cut").await, "exited 6\n");
    assert_eq!(cluster.ask("wn004", "cat /tmp/kept").await.out, "kept\n");

    // One that only looks ends with it, and nothing is kept of it.
    nodes.fault("wn004", Fault::DropAfterBytes(1_000)).await;
    let seen = cluster.wrapped("wn004", "look", "looked", "seq 100000; exit 6").await;
    assert_eq!(seen.code, 255, "{seen:?}");
    nodes.heal("wn004").await;
    assert_eq!(cluster.ended("wn004", "looked").await, "none\n");
    assert_eq!(cluster.wrapped("wn004", "look", "looked", "echo twice").await.code, 125);
    assert_eq!(cluster.wrapped("wn004", "look", "whole", "echo out; exit 6").await.code, 6);

    nodes.fault("wn004", Fault::DropAfter(Duration::from_millis(200))).await;
    assert_eq!(cluster.wrapped("wn004", "run", "cut-later", "sleep 30").await.code, 255);
    nodes.heal("wn004").await;
    assert_eq!(cluster.wrapped("wn004", "status", "cut-later", "").await.out, "running\n");
    assert_eq!(cluster.wrapped("wn004", "kill", "cut-later", "").await.code, 0);

    nodes.close_all().await;
    assert!(refused(&cluster, "wn003", &[]).await.err.contains("Connection refused"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wrapper_keeps_its_word() {
    let cluster = Cluster::start(1).await;
    let node = "wn001";
    let seen = |code: i32, out: &str| Seen { code, out: out.to_owned(), err: String::new() };
    let script = "cd /tmp; export GREETING='it is'\necho $GREETING $PWD; echo wrong >&2; cat; exit 4";
    let ran = cluster.wrapped(node, "run", "a1", script).await;
    assert_eq!(ran, Seen { code: 4, out: "it is /tmp\n".to_owned(), err: "wrong\n".to_owned() });
    assert_eq!(cluster.wrapped(node, "status", "a1", "").await, seen(0, "exited 4\n"));
    assert_eq!(cluster.wrapped(node, "kill", "a1", "").await, seen(0, ""));

    // Once, ever.
    let again = cluster.wrapped(node, "run", "a1", "echo twice").await;
    assert_eq!((again.code, again.out.as_str()), (125, ""));
    assert!(again.err.starts_with("halcyon-1: "), "{again:?}");
    assert_eq!(cluster.nodes.ledger(node).len(), 1);

    assert_eq!(cluster.wrapped(node, "forget", "a1", "").await, seen(0, ""));
    assert_eq!(cluster.wrapped(node, "status", "a1", "").await, seen(0, "none\n"));
    assert_eq!(cluster.wrapped(node, "kill", "a1", "").await, seen(3, ""));
    assert_eq!(cluster.wrapped(node, "forget", "a1", "").await, seen(0, ""));

    // A kill reaches everybody of the group, wherever it is.
    let long = "trap '' TERM; (sleep 60 | cat) & for i in 1 2 3; do sleep 60 & done; timeout 50 sleep 60; wait";
    let (killed, ()) = tokio::join!(cluster.wrapped(node, "run", "b1", long), async {
        cluster.ledger_until(node, |ledger| ledger.len() == 2).await;
        let until = Instant::now() + PATIENCE;
        while cluster.ask(node, "pgrep -f 'sleep 60' | wc -l").await.out != "0\n" && Instant::now() < until {
            if cluster.wrapped(node, "status", "b1", "").await.out == "running\n" {
                assert_eq!(cluster.wrapped(node, "forget", "b1", "").await.code, 4);
                assert_eq!(cluster.wrapped(node, "kill", "b1", "").await, seen(0, ""));
                break;
            }
        }
        assert_eq!(cluster.ask(node, "ps -eo comm= | grep -c ^sleep").await.out, "0\n");
    });
    assert_eq!(killed.code, 143);
    assert_eq!(cluster.wrapped(node, "status", "b1", "").await, seen(0, "exited 143\n"));
    let entry = cluster.nodes.ledger(node).into_iter().find(|entry| entry.id.as_deref() == Some("b1")).unwrap();
    assert_eq!((entry.killed, entry.code, entry.script.as_str()), (true, Some(143), long));

    // Another account knows nothing of an id.
    let rooted = cluster
        .ask_with(node, &wrapper_line("sudo -E -H -n -- ", "run", "c1"), framed("c1", "whoami; echo $HOME").as_bytes())
        .await;
    assert_eq!(rooted, seen(0, "root\n/root\n"));
    assert_eq!(cluster.wrapped(node, "status", "c1", "").await, seen(0, "none\n"));
    let asked = cluster.ask(node, &wrapper_line("sudo -n -- ", "status", "c1")).await;
    assert!(asked.code == 0 && asked.out.starts_with("exited 0\nup "), "{asked:?}");

    // Half a script is none; what stands before it is a password that sudo did not want.
    let whole = framed("d1", "echo whole");
    for cut in ["", "echo bare", &whole[..whole.len() - 4], &whole[6..]] {
        let half = cluster.ask_with(node, &wrapper_line("", "run", "d1"), cut.as_bytes()).await;
        assert_eq!((half.code, half.out.as_str()), (125, ""), "{cut:?}");
    }
    let early = format!("password\n{whole}");
    assert_eq!(
        cluster.ask_with(node, &wrapper_line("sudo -S -- ", "run", "d1"), early.as_bytes()).await,
        seen(0, "whole\n")
    );

    // Who is killed before the start does not start.
    assert_eq!(cluster.wrapped(node, "kill", "e1", "").await, seen(3, ""));
    assert_eq!(cluster.wrapped(node, "run", "e1", "echo never").await.code, 125);

    // What is left in the background does not hold the answer, and is killed with its group.
    let left = cluster.wrapped(node, "run", "f1", "(sleep 45; echo late) & echo early").await;
    assert_eq!(left, seen(0, "early\n"));
    assert_eq!(cluster.ask(node, "pgrep -c -f 'sleep 45'").await.code, 0);
    assert_eq!(cluster.wrapped(node, "kill", "f1", "").await, seen(0, ""));
    assert_eq!(cluster.ask(node, "ps -eo args= | grep -c '^sleep 45'").await.out, "0\n");

    // Malformed requests run nothing.
    let before = cluster.nodes.ledger(node).len();
    for (verb, id, code) in [("run", "-x", 125), ("status", ".hidden", 2), ("dance", "a", 2), ("kill", "a/b", 2)] {
        let answer = cluster.wrapped(node, verb, id, "echo never").await;
        assert_eq!((answer.code, answer.out.as_str()), (code, ""), "{verb} {id}");
        assert!(answer.err.starts_with("halcyon-1: "), "{answer:?}");
    }
    let newer = cluster.ask_with(node, "sh -c : halcyon-2 run a", b"echo never").await;
    assert_eq!((newer.code, newer.out.as_str()), (125, ""));
    assert_eq!(cluster.nodes.ledger(node).len(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sudo_takes_the_password_from_the_first_line() {
    let cluster = Cluster::start_with(1, |options| options.sudo_password = Some("open sesame".to_owned())).await;
    let line = wrapper_line("sudo -S -p '' -- ", "run", "s1");
    let seen = cluster
        .ask_with(
            "wn001",
            &line,
            format!("open sesame\n{}", framed("s1", "read line; echo \"[$line]\"; id -un")).as_bytes(),
        )
        .await;
    assert_eq!((seen.code, seen.out.as_str()), (0, "[]\nroot\n"), "{seen:?}");
    let wrong = cluster
        .ask_with(
            "wn001",
            &wrapper_line("sudo -S -- ", "run", "s2"),
            format!("guess\n{}", framed("s2", "id")).as_bytes(),
        )
        .await;
    assert_eq!((wrong.code, wrong.out.as_str()), (1, ""));
    assert!(wrong.err.contains("incorrect password"), "{wrong:?}");
    let none = cluster.ask("wn001", "sudo -n id").await;
    assert_eq!((none.code, none.err.as_str()), (1, "sudo: a password is required\n"));
    assert!(cluster.nodes.ledger("wn001").iter().all(|entry| !entry.script.contains("open sesame")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_reaches_a_bare_command_and_ends() {
    let cluster = Cluster::start(1).await;
    let input: Vec<u8> = (0..400_000).map(|at: u32| b'a' + (at % 26) as u8).collect();
    assert_eq!(cluster.ask_with("wn001", "wc -c", &input).await.out, "400000\n");
    assert_eq!(cluster.ask_with("wn001", "read x; echo got $x; cat", b"one\ntwo\n").await.out, "got one\ntwo\n");
    // A command that does not read its input is held up by nothing.
    assert_eq!(cluster.ask_with("wn001", "echo fine", &input).await.out, "fine\n");
    let echoed = cluster.ask_with("wn001", "cat", &input).await;
    assert_eq!(echoed.out.as_bytes(), input);
    let shell = finish(&mut cluster.ssh("wn001", &[]), b"").await;
    assert_eq!(shell.code, 1);
    assert!(shell.out.contains("no interactive shell"), "{shell:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reboot_takes_what_runs_and_brings_the_new_kernel() {
    let cluster = Cluster::start_with(1, |options| options.pace = 0.02).await;
    let node = "wn001";
    let facts = "cat /proc/sys/kernel/random/boot_id; uname -r";
    let before = cluster.ask(node, facts).await.out;
    assert_eq!(cluster.ask(node, facts).await.out, before);
    assert_eq!(cluster.ask(node, "sudo dnf -y update kernel | tail -n 1").await.out, "Complete!\n");
    let (taken, ()) = tokio::join!(cluster.wrapped(node, "run", "long", "sleep 60"), async {
        cluster.ledger_until(node, |ledger| ledger.iter().any(|entry| entry.id.is_some())).await;
        assert_eq!(cluster.ask(node, "sudo reboot").await.code, 255);
    });
    assert_eq!(taken.code, 255);
    let until = Instant::now() + PATIENCE;
    let after = loop {
        let seen = cluster.ask(node, facts).await;
        if seen.code == 0 {
            break seen.out;
        }
        assert!(Instant::now() < until, "the node stayed away: {seen:?}");
    };
    let (old_boot, _) = before.split_once('\n').unwrap();
    let (new_boot, kernel) = after.split_once('\n').unwrap();
    assert_ne!(old_boot, new_boot);
    assert_eq!(kernel, "5.14.0-427.40.1.el9_4.x86_64\n");
    assert_eq!(cluster.wrapped(node, "status", "long", "").await.out, "none\n");
    let entry = cluster.nodes.ledger(node).into_iter().find(|entry| entry.id.is_some()).unwrap();
    assert_eq!((entry.killed, entry.code), (true, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_nodes_and_many_channels_at_once() {
    let cluster = Cluster::start(24).await;
    let names: Vec<String> = cluster.nodes.names().map(str::to_owned).collect();
    let first =
        futures_util::future::join_all(names.iter().map(|name| cluster.ask(name, "hostname -s; uname -m"))).await;
    for (name, seen) in names.iter().zip(&first) {
        assert_eq!(*seen, Seen { code: 0, out: format!("{name}\nx86_64\n"), err: String::new() });
    }
    // Ten channels on one connection, one of them silent and one of them loud.
    let scripts: Vec<String> = (0..10)
        .map(|at| match at {
            0 => "sleep 0.2; echo 0".to_owned(),
            1 => "seq 200000 | tail -n 1; echo 1".to_owned(),
            at => format!("echo {at}"),
        })
        .collect();
    let all = futures_util::future::join_all(scripts.iter().map(|script| cluster.ask("wn001", script))).await;
    for (at, seen) in all.iter().enumerate() {
        assert_eq!(seen.out.lines().last(), Some(at.to_string().as_str()), "{seen:?}");
    }
    // What a node is follows from its name.
    let facts = "uptime -p; nproc; free -m; df /scratch; ip -br addr";
    let again = Cluster::start(2).await;
    assert_eq!(cluster.ask("wn002", facts).await.out, again.ask("wn002", facts).await.out);
    assert_ne!(again.ask("wn001", facts).await.out, again.ask("wn002", facts).await.out);
}

/// Scripts that a node must survive, whatever it makes of them.
fn odd_scripts() -> Vec<String> {
    let nested = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    let mut scripts = vec![
        "f() { f; }; f".to_owned(),
        ":(){ :|:& };:".to_owned(),
        "f() { f | f; }; f".to_owned(),
        "f() { eval f; }; f".to_owned(),
        "f() { x=$(f); }; f".to_owned(),
        "while :; do :; done".to_owned(),
        "x=a; while :; do x=$x$x; done".to_owned(),
        "while :; do x=\"$x$(seq 1000)\"; done".to_owned(),
        "while :; do echo x >> /tmp/full; cat /tmp/full /tmp/full >> /tmp/full2; done".to_owned(),
        "yes | sort | tail -1".to_owned(),
        "yes".to_owned(),
        "yes > /tmp/y".to_owned(),
        "echo {1..1000000000}".to_owned(),
        "echo {1..300}{1..300}{1..300}".to_owned(),
        "seq 1e308; seq -1 -1; seq 1 0 5; seq inf; seq nan".to_owned(),
        "x=$(seq 20000); echo ${x%%*9*} ${x//[0-9]*/y}".to_owned(),
        "exec 3>&1; echo $((9223372036854775807 + 1)) $((-9223372036854775808 / -1)) $((1 << 99)) $((2 ** 63))".to_owned(),
        "echo $(( a = b = a ))$((x+++++y)) $((08)) ${x:99999999999999999999}".to_owned(),
        "a=a; echo $((a))".to_owned(),
        "a='a[a]'; echo $((a)) ${a[99999999999]} ${a[-5]}; a[-1]=3; a[99999999]=1".to_owned(),
        "printf '%*d %.99999999f %99999999s' 99999999 1 2 3; printf '%'; printf '%d%d' ; printf".to_owned(),
        "set --; shift 99; shift -1; echo $99999999999 ${99999999}".to_owned(),
        "sleep -1; sleep 1e99 & sleep nan; sleep; timeout x y; timeout; kill; kill -99999999999 1; kill -- -1; kill 0".to_owned(),
        "head -n 99999999999999999999; head -c -5; tail -n x; cut -f 0-; cut; tr; tr a; tr z-a b; sort -k; xargs -I".to_owned(),
        "grep '('; grep -E '(a{1000}){1000}' /etc/passwd; sed s; sed s/; sed 's/a'; sed; awk; awk '{'; awk '{print $x}'".to_owned(),
        "[ ; [ ]; [ a b c d e ]; test ( ; test ! ! ! a; [[ a =~ ( ]]; [[ ]]".to_owned(),
        "[ -n a -a ".repeat(200),
        "cd ''; cd ..; cd ../../..; pwd; ls -la / /..; rm -rf /; ls /; mkdir /; echo > /; cat /; find / -name '['".to_owned(),
        "date +%; date -d; date -d @99999999999999999; date '+%Q %:::z %9999999999Y'".to_owned(),
        "read; read -r; read a b c < /dev/null; read 1x; local x; return 3; break 99; continue 0; exit 99999999999".to_owned(),
        "sudo; sudo -u; sudo -Z x; sudo sudo sudo sudo id; env -u; env A=; nice -n; sh -c; sh -o; sh - ; bash -c 'exit 3' a b".to_owned(),
        "ip; df -h nowhere; ps -o; ps -p x; systemctl; systemctl x y; journalctl -n; journalctl -u; rpm; rpm -q; dnf; dnf x".to_owned(),
        "\u{0}\u{1}\u{7f}\u{fffd}é😀; echo é😀 | cut -c1; x=é😀; echo ${x:1} ${#x} ${x^} ${x%?} ${x#?}".to_owned(),
        "é() { echo 😀; }; é; 'a b'=c; =; ==; a=; a+=b; +=; a[=1; a[0; a[]=".to_owned(),
        "cat <<".to_owned(),
        "cat <<E".to_owned(),
        "cat <<E\n$(\nE".to_owned(),
        "cat <<E\n`\nE\n".to_owned(),
        "cat <<< ; cat < ; > ; >& ; 2>&9 echo; <&7 cat; echo >&-; echo 2>&1 1>&2 &> /tmp/x; cat < /tmp/nothing".to_owned(),
        "case in esac; case x in; for; for x; for x in; do; done; if; then; fi; while; until; {; }; (; ); ;; & | || &&".to_owned(),
        "$ ${ ${} ${!} ${#} ${a ${a: ${a:} ${a/} ${a//} ${a^^^} ${a@Q} ${a@} ${!a} ${!a*} ${!a[@]} $[1] $(( $( $'\\x' $\"x\"".to_owned(),
        "trap 'exit 9' EXIT; trap 'f' ERR; exit 3".to_owned(),
        "trap 'trap \"trap x EXIT\" EXIT; exit' EXIT; exit".to_owned(),
        "eval eval eval eval 'echo $(eval echo x)'; eval '('; . /etc/passwd; . /nowhere; source".to_owned(),
        "exec; exec echo hi; echo never".to_owned(),
        "reboot; shutdown -r now; poweroff; kill -9 1; pkill -f ''; pkill sleep".to_owned(),
        "\\".to_owned(),
        "'".to_owned(),
        "\"".to_owned(),
        "\"$(\"".to_owned(),
        "#".to_owned(),
        String::new(),
        "\n\n\n;\n".to_owned(),
        "echo a;".repeat(30_000),
        "a ".repeat(100_000),
        "! ".repeat(3_000),
        "$a".repeat(20_000),
        format!("echo $(({}1))", "-".repeat(3_000)),
        format!("echo $(({}1))", "1+".repeat(280)),
        format!("echo {}", "\\".repeat(50_001)),
        format!("echo {}", "{".repeat(2_000)),
        format!("x={}; echo $x", "y".repeat(200_000)),
    ];
    for depth in [8, 16, 17, 40, 110, 5_000] {
        scripts.push(nested("(", "echo deep", ")", depth));
        scripts.push(nested("( ", "echo deep", " )", depth));
        scripts.push(nested("{ ", "echo deep;", " };", depth));
        scripts.push(nested("echo $(", "echo deep", ")", depth));
        scripts.push(nested("echo \"${a:-", "deep", "}\"", depth));
        scripts.push(nested("echo $((", "1", "))", depth));
        scripts.push(format!("echo $(({}))", nested("(", "1", ")", depth)));
        scripts.push(nested("if true; then ", "echo deep;", " fi;", depth));
        scripts.push(nested("while true; do ", "break;", " done;", depth));
        scripts.push(nested("case x in x) ", "echo deep", " ;; esac", depth));
        scripts.push(format!("echo {}", nested("{a,", "b", "}", depth)));
        scripts.push(format!("[[ {} ]]", nested("( ", "a", " )", depth)));
        scripts.push(format!("bash -c {}", nested("\"bash -c ", "id", "\"", depth)));
    }
    // Random rows of what shells read, the same in every run.
    let parts = [
        "echo", "x", "$x", "${x:-", "}", "$(", ")", "`", "'", "\"", "(", "((", "))", "{", ";", "&", "|", "&&", "||",
        ">", "<<E\n", "if", "then", "fi", "for", "in", "do", "done", "case", "esac", ";;", "[[", "]]", "=", "*", "?",
        "[", "\\", "\n", " ", "1", "while", "function", "f()", "$((", "+", "-", "seq 3", "cat", "2>&1", "!", "#", "%",
        "é", "\t", "true", "/", "@", "${#",
    ];
    let mut random: u64 = 42;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    for _ in 0..150 {
        let row: Vec<&str> = (0..1 + next(30)).map(|_| parts[next(parts.len())]).collect();
        scripts.push(row.join(if next(2) == 0 { " " } else { "" }));
    }
    scripts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_scripts_never_end_the_server() {
    let cluster = Cluster::start(1).await;
    assert_eq!(cluster.ask("wn001", "echo ready").await.out, "ready\n");
    let mut wrong = Vec::new();
    for (at, script) in odd_scripts().into_iter().enumerate() {
        let id = format!("odd-{at}");
        let shown: String = script.chars().take(120).collect();
        let began = Instant::now();
        // Whoever needs longer is killed, as somebody would do it.
        let ran = tokio::time::timeout(Duration::from_millis(400), cluster.wrapped("wn001", "run", &id, &script)).await;
        let killed = match &ran {
            Ok(_) => None,
            Err(_) => Some(cluster.wrapped("wn001", "kill", &id, "").await),
        };
        if killed.is_some_and(|killed| killed.code != 0)
            || ran.as_ref().is_ok_and(|seen| !(0..255).contains(&seen.code))
        {
            wrong.push(format!("{shown}: {ran:?}"));
        }
        // 134 is the code of a script whose interpreter fell over.
        if ran.is_ok_and(|seen| seen.code == 134) || began.elapsed() > PATIENCE / 2 {
            wrong.push(format!("{shown}: fell over or took {:?}", began.elapsed()));
        }
    }
    assert_eq!(cluster.ask("wn001", "echo still here").await.out, "still here\n");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_openssh_crate_shares_one_connection() {
    let cluster = Cluster::start(1).await;
    let mut builder = openssh::SessionBuilder::default();
    builder.config_file(cluster.nodes.ssh_config()).control_directory(cluster.directory.path());
    let session = builder.connect_mux("wn001").await.unwrap();
    let ask = async |line: String| session.raw_command(line).output().await.unwrap();
    let all = futures_util::future::join_all((0..20).map(|at| ask(format!("echo {at}; exit {at}")))).await;
    for (at, output) in all.iter().enumerate() {
        assert_eq!(output.status.code(), Some(at as i32));
        assert_eq!(output.stdout, format!("{at}\n").into_bytes());
    }
    // With Nagle's algorithm on, each answer would wait some 40 ms for the client's acknowledgement. The best of many
    // tells, whatever else the machine does.
    let mut best = Duration::MAX;
    for _ in 0..50 {
        let began = Instant::now();
        assert_eq!(ask("hostname -s".to_owned()).await.stdout, b"wn001\n");
        best = best.min(began.elapsed());
    }
    assert!(best < Duration::from_millis(25), "a warm command took {best:?}");
    session.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_private_and_goes_whole() {
    use std::os::unix::fs::PermissionsExt;
    let cluster = Cluster::start(2).await;
    let directory = cluster.nodes.ssh_config().parent().unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(directory), 0o700);
    for name in ["id_ed25519", "known_hosts", "ssh_config"] {
        assert_eq!(mode(&directory.join(name)), 0o600, "{name}");
    }
    let address = cluster.nodes.address("wn002").unwrap();
    assert!(address.ip().is_loopback());

    // Another key is no key.
    let other = Cluster::start(1).await;
    let stranger = other.nodes.ssh_config().with_file_name("id_ed25519");
    let own = directory.join("id_ed25519");
    let config = std::fs::read_to_string(cluster.nodes.ssh_config()).unwrap();
    std::fs::write(cluster.nodes.ssh_config(), config.replace(own.to_str().unwrap(), stranger.to_str().unwrap()))
        .unwrap();
    assert!(refused(&cluster, "wn001", &[]).await.err.contains("Permission denied"));
    std::fs::write(cluster.nodes.ssh_config(), config).unwrap();

    let wrong = Options::new(["wn001", "wn001"], directory);
    assert!(Nodes::start(wrong).await.is_err_and(|error| error.to_string().contains("used once")));

    let ran = tokio::spawn(finish_owned(cluster.ssh("wn001", &[]), "sleep 60"));
    cluster.ledger_until("wn001", |ledger| ledger.len() == 1).await;
    drop(cluster);
    // Its end may still be told before the connection is gone.
    let code = ran.await.unwrap().code;
    assert!([137, 255].contains(&code), "{code}");
    let until = Instant::now() + PATIENCE;
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        assert!(Instant::now() < until, "the port stayed open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn finish_owned(mut command: Command, line: &'static str) -> Seen {
    finish(command.arg(line), b"").await
}
