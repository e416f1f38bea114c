//! Clients that others wrote, on the sandbox's chat server: `@mattermost/client` from npm (`peers_clients/client.mjs`) and `mmpy_bot` from PyPI
//! (`peers_clients/bot.py`), which talk to one another. Both assert each of their steps, and what they saw is a transcript.
//!
//! With `Release::July2021` the transcript is the one that was recorded on a real server of that release; a recent release is held to what the
//! scripts assert. These tests run when `HALCYON_PEERS=1` is set; `./test.sh peers` sets it and puts the clients into a directory outside of the
//! repository, `HALCYON_PEERS_CACHE`.

use crate::real_mattermost::compare;
use crate::real_mattermost::script::Script;
use crate::real_mattermost::server::RealServer;
use crate::real_mattermost::stage::Stage;
use halcyon::sandbox::mattermost::Release;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// For all that a peer does between two lines, and for the whole of it.
const PATIENCE: Duration = Duration::from_secs(180);

const PYTHON: &str = "python/bin/python";

/// Whether these tests are to run; says so when not.
fn asked_for() -> bool {
    let asked = std::env::var_os("HALCYON_PEERS").is_some_and(|value| value == "1");
    if !asked {
        // Past the harness, which keeps the output of tests that pass to itself.
        let _ = writeln!(
            std::io::stderr(),
            "peers_clients: not run; it needs npm's and PyPI's clients, see ./test.sh peers"
        );
    }
    asked
}

/// Where the clients are.
fn cache() -> PathBuf {
    match std::env::var_os("HALCYON_PEERS_CACHE") {
        Some(path) => path.into(),
        None => PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/halcyon-peers"),
    }
}

/// The Python that has what is asked of PyPI, when tests with peers are to run.
pub(crate) fn python() -> Option<PathBuf> {
    asked_for().then(|| cache().join(PYTHON))
}

/// A script that runs, and every line that it has written.
struct Peer {
    name: &'static str,
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    written: Vec<String>,
}

async fn read(from: impl AsyncRead + Unpin, to: mpsc::UnboundedSender<String>) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if to.send(line).is_err() {
            return;
        }
    }
}

impl Peer {
    fn start(name: &'static str, program: &Path, stage: &Value, token: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/peers_clients").join(name);
        let mut child = Command::new(program)
            .arg(script)
            .current_dir(cache())
            .env("STAGE", stage.to_string())
            .env("BOT_TOKEN", token)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|problem| panic!("{}: {problem}; ./test.sh peers installs it", program.display()));
        let (sender, lines) = mpsc::unbounded_channel();
        tokio::spawn(read(child.stdout.take().unwrap(), sender.clone()));
        tokio::spawn(read(child.stderr.take().unwrap(), sender));
        Self { name, child, lines, written: Vec::new() }
    }

    /// The next line that it writes; `None` when it writes no more.
    async fn line(&mut self) -> Option<&str> {
        let line = match timeout(PATIENCE, self.lines.recv()).await {
            Ok(line) => line?,
            Err(_) => panic!("{} writes nothing any more:\n{}", self.name, self.written.join("\n")),
        };
        self.written.push(line);
        self.written.last().map(String::as_str)
    }

    async fn until(&mut self, words: &str) {
        while let Some(line) = self.line().await {
            if line.contains(words) {
                return;
            }
        }
        panic!("{} ended before it wrote {words:?}:\n{}", self.name, self.written.join("\n"));
    }

    async fn end(&mut self) -> ExitStatus {
        while self.line().await.is_some() {}
        self.child.wait().await.unwrap()
    }

    /// What it wrote for the transcript.
    fn told(&mut self) -> Vec<Vec<Value>> {
        while let Ok(line) = self.lines.try_recv() {
            self.written.push(line);
        }
        let lines = self.written.iter().filter_map(|line| line.strip_prefix("PEER "));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// What both clients saw of a server, without ids and times.
async fn play(stage: &Stage, release: &str) -> String {
    let ids = |names: &[&str], id: &dyn Fn(&str) -> String| -> BTreeMap<String, String> {
        names.iter().map(|name| ((*name).to_owned(), id(name))).collect()
    };
    let description = json!({
        "url": stage.url(), "release": release, "password": stage.password(),
        "team_id": stage.team(), "team_name": stage.team_name(),
        "users": ids(&["operator", "lead", "guest", "halcyon"], &|name| stage.user(name)),
        "channels": ids(&["cluster", "town-square", "secret", "aside"], &|name| stage.channel(name)),
    });
    let token = stage.client("halcyon").token;
    let mut bot = Peer::start("bot.py", &cache().join(PYTHON), &description, &token);
    bot.until("Websocket authentification OK").await;
    let mut client = Peer::start("client.mjs", Path::new("node"), &description, "");
    let status = client.end().await;
    let told = [("@mattermost/client", client.told()), ("mmpy_bot", bot.told())];
    let failed = told.iter().flat_map(|(_, lines)| lines).any(|line| line[0] == "failed");
    assert!(
        status.success() && !failed,
        "the client wrote\n{}\n\nthe bot wrote\n{}",
        client.written.join("\n"),
        bot.written.join("\n")
    );
    let mut script = Script::new(stage);
    for line in told.iter().flat_map(|(_, lines)| lines).filter(|line| line[0] == "name") {
        script.name(line[1].as_str().unwrap(), line[2].as_str().unwrap());
    }
    for (peer, lines) in &told {
        script.title(&format!("== {peer}"));
        for line in lines {
            let text = line.get(1).and_then(Value::as_str).unwrap_or_default();
            if line[0] == "title" {
                script.title(text);
            } else if line[0] == "note" {
                let value = script.shown(&line[2]);
                script.note(format!("{text}: {value}"));
            }
        }
    }
    script.lines.join("\n") + "\n"
}

const RECORDED: &str = "peers_clients/july2021.txt";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clients_see_what_they_saw_of_a_real_server() {
    if asked_for() {
        let stage = Stage::sandbox(Release::July2021, None).await;
        compare(RECORDED, &play(&stage, "july2021").await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clients_are_served_as_by_a_recent_release() {
    if asked_for() {
        let stage = Stage::sandbox(Release::Recent, None).await;
        crate::golden("peers_clients/recent.txt", &play(&stage, "recent").await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_mattermost_answers_the_clients_as_recorded() {
    if asked_for() && RealServer::is_named() {
        let stage = Stage::real().await;
        crate::golden(RECORDED, &play(&stage, "july2021").await);
    }
}
