//! The bot as a process of its own, which can be killed, and the command line beside it. Also used by the busy day, so nothing of the test
//! binary is named here.

use halcyon::config::{Config, Environment};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// What the bot is told in its configuration.
pub(crate) struct Site<'a> {
    pub(crate) chat: String,
    pub(crate) token: String,
    pub(crate) ssh_config: &'a Path,
    pub(crate) channels: &'a [&'a str],
    pub(crate) operators: &'a [String],
    pub(crate) hosts: String,
    /// Further keys of `[mattermost]`.
    pub(crate) chat_keys: &'a str,
    /// Further keys of `[store]`.
    pub(crate) store_keys: &'a str,
    /// Further sections.
    pub(crate) more: &'a str,
    /// What is to be loaded; the site's pack and those of these tests when nothing is named.
    pub(crate) packs: &'a [PathBuf],
}

/// The program, its configuration and, while it runs, its process.
pub(crate) struct Bot {
    program: PathBuf,
    file: PathBuf,
    token: String,
    log: PathBuf,
    process: Option<Child>,
    pub(crate) config: Config,
}

impl Bot {
    /// Writes the configuration into `directory`; starts nothing.
    pub(crate) fn new(program: impl Into<PathBuf>, directory: &Path, site: &Site<'_>) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let ours = [root.clone(), root.join("tests/data/packs/trial"), root.join("tests/data/packs/fire")];
        let packs = if site.packs.is_empty() { &ours } else { site.packs };
        let mut text = format!(
            "[mattermost]\nurl = {:?}\nteam = \"ops\"\nchannels = {:?}\nadmin_channel = {:?}\n{}\n",
            site.chat, site.channels, site.channels[0], site.chat_keys
        );
        write!(
            text,
            "[store]\npath = \"store\"\n{}\n[content]\npacks = {packs:?}\n[ssh]\nconfig_file = {:?}\nconnect_timeout = 20\n\
             [inventory]\nhosts = [{:?}]\n{}\n\
             [[access.roles]]\nname = \"operator\"\nusers = {:?}\ngrants = [\"view:*\", \"run:site.*\", \"run:trial.*\", \"run:fire.*\", \"run:core.*\"]\n",
            site.store_keys, site.ssh_config, site.hosts, site.more, site.operators
        )
        .unwrap();
        let file = directory.join("config.toml");
        std::fs::write(&file, &text).unwrap();
        let environment = Environment::from([("HALCYON_MATTERMOST_TOKEN".to_owned(), site.token.clone())]);
        let config = Config::parse(&file, &text, &environment).unwrap();
        let log = directory.join("bot.log");
        Self { program: program.into(), file, token: site.token.clone(), log, process: None, config }
    }

    /// The program with this configuration and these words, its output thrown away unless the caller takes it.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(&self.file).args(words);
        command.env("HALCYON_MATTERMOST_TOKEN", &self.token);
        let unit = include_str!("../../../docs/halcyon.service").lines();
        command.envs(unit.filter_map(|line| line.strip_prefix("Environment=")?.split_once('=')));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Starts `serve` and does not wait for anything.
    pub(crate) fn spawn(&mut self) {
        let log = self.open_log();
        let mut command = self.command(&["serve"]);
        self.process = Some(command.stderr(log).spawn().unwrap());
    }

    fn open_log(&self) -> File {
        OpenOptions::new().create(true).append(true).open(&self.log).unwrap()
    }

    /// Whether the process has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(|process| process.try_wait().unwrap().is_some())
    }

    pub(crate) fn pid(&self) -> Option<i32> {
        self.process.as_ref().and_then(Child::id).and_then(|id| i32::try_from(id).ok())
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // One that has ended by itself cannot be killed, which is as well.
            let _ = process.kill().await;
        }
    }

    /// SIGTERM, and the wait for its end; how it ended, or nothing when it did not within the time.
    pub(crate) async fn terminate(&mut self, within: Duration) -> Option<std::process::ExitStatus> {
        let pid = self.pid().and_then(rustix::process::Pid::from_raw);
        let mut process = self.process.take()?;
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        tokio::time::timeout(within, process.wait()).await.ok().map(|ended| ended.unwrap())
    }

    /// The end of what it has written to its log.
    pub(crate) fn last_words(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// The masters of ssh that belong to this bot's store, whichever of its processes has started them.
    pub(crate) fn masters(&self) -> Vec<i32> {
        let place = self.config.store.path.join("ssh");
        let place = place.as_os_str().as_encoded_bytes();
        let ours = |pid: &i32| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.starts_with(b"ssh\0") && words.windows(place.len()).any(|part| part == place)
        };
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(ours).collect()
    }
}

/// `kill -9` of one process.
pub(crate) fn kill_process(pid: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}
