//! The configuration as it is used: defaults filled in, paths made absolute, names checked, secrets fetched.

use super::document::Document;
use super::inventory::InventorySource;
use super::judge::Judge;
use super::mail::Mail;
use super::monitoring::Monitoring;
use super::{Environment, Network, file};
use crate::core::action::run::Secret;
use crate::core::alert::escalation::Escalation;
use crate::core::alert::storm::Terms;
use crate::core::callback::signature::CallbackKey;
use crate::core::content::diagnostic::{Diagnostic, Severity};
use crate::core::datastore::seal::MasterKey;
use crate::core::rule::guard::Guard;
use crate::core::settings::{Address, Limits, Role, Settings};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that `config.toml` says.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that it came from.
    pub file: PathBuf,
    /// The chat; without it the bot listens to its socket only.
    pub mattermost: Option<Mattermost>,
    /// The HTTP interface; without it there is none.
    pub http: Option<Http>,
    /// What is kept.
    pub store: Store,
    /// The way in for commands on the bot's own machine.
    pub control: Control,
    /// The process itself.
    pub serve: Serve,
    /// The packs.
    pub content: Content,
    /// The key to the secrets of the datastore.
    pub datastore: Datastore,
    /// Remote commands.
    pub ssh: Ssh,
    /// Commands on the bot's own machine.
    pub local: Local,
    /// The server that takes mails; without it none is sent.
    pub mail: Option<Mail>,
    /// The monitorings that can be asked and told.
    pub monitorings: Vec<Monitoring>,
    /// Where the names of machines come from.
    pub inventory: InventorySource,
    /// How much at once.
    pub limits: Limits,
    /// How often rules may act on problems of the monitoring.
    pub guard: Guard,
    /// How long a problem has to end by itself after an execution of ours that had its machine out of service.
    pub settle: Duration,
    /// When many problems at once are told as one.
    pub storms: Terms,
    /// Who is called when nobody touches a problem.
    pub escalation: Escalation,
    /// Who may do what.
    pub roles: Vec<Role>,
    /// Which chat user a user of this machine stands for when approvals are decided.
    pub chat_users: BTreeMap<String, String>,
    /// What the bot tells about itself.
    pub log: Log,
    /// What is probably not as meant, missing secrets included.
    pub warnings: Vec<Diagnostic>,
}

/// `[mattermost]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mattermost {
    /// The server without a slash at its end.
    pub url: String,
    /// The bot's token, or what to tell the one who needs it.
    pub token: Result<Secret, Diagnostic>,
    /// The team's name.
    pub team: String,
    /// Names of the channels where commands are heard.
    pub channels: Vec<String>,
    /// Where alerts are posted.
    pub alert_channel: Option<String>,
    /// Where trouble with the bot itself is told.
    pub admin_channel: Option<String>,
    /// How a line is meant for the bot.
    pub address: Vec<Address>,
    /// The text before a line.
    pub prefix: String,
    /// How the server reaches `[http]`.
    pub callback_url: Option<String>,
    /// The key by which callbacks are known to be ours, or what is wrong with it; absent where the store keeps one of its own.
    pub callback_key: Option<Result<CallbackKey, Diagnostic>>,
    /// Certificates (PEM) to trust in the place of the system's.
    pub ca_file: Option<PathBuf>,
    /// How old a line may be that was written while the bot was away and is run all the same.
    pub late_after: Duration,
    /// How long an execution takes before its end mentions who asked.
    pub mention_after: Duration,
    /// By whose clock times are told to everybody, an IANA name; UTC where it is empty.
    pub time_zone: String,
    /// How many calls a second the server takes from the bot in the long run.
    pub calls_per_second: u32,
    /// How many it takes at once after a rest.
    pub calls_at_once: u32,
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Who may connect; everybody when empty.
    pub allow: Vec<Network>,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Its directory.
    pub path: PathBuf,
    /// How long what has ended is kept; for ever when absent.
    pub keep: Option<Duration>,
    /// How long outputs that are too long for a fact are kept; as long as their executions when absent.
    pub keep_outputs: Option<Duration>,
    /// Below so many bytes of room on its disk nothing new is begun.
    pub reserve: u64,
}

/// `[control]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// The socket's file.
    pub socket: PathBuf,
}

/// `[serve]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serve {
    /// How long running executions may go on after a stop was asked for.
    pub grace: Duration,
}

/// `[content]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Directories of packs.
    pub packs: Vec<PathBuf>,
    /// The directory of the packs' configurations.
    pub configs: PathBuf,
    /// How often it is looked whether their files have changed, beside the system's events; never when this is no time.
    pub poll: Duration,
}

impl Content {
    /// The packs' configurations are content like the packs: read, watched and kept like them.
    pub(super) fn take_configs(&mut self) {
        if self.configs.is_dir() && !self.packs.contains(&self.configs) {
            self.packs.push(self.configs.clone());
        }
    }
}

/// `[datastore]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datastore {
    /// The file of the master key.
    pub key_file: Option<PathBuf>,
    /// The master key, or why there is none.
    pub key: Result<MasterKey, Diagnostic>,
}

/// `[ssh]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// The site's own ssh_config.
    pub config_file: Option<PathBuf>,
    /// What to do about host keys.
    pub known_hosts: HostKeys,
    /// Where known host keys are kept.
    pub known_hosts_file: Option<PathBuf>,
    /// On how many machines one execution works at a time.
    pub max_parallel: usize,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// Bytes of output that are kept of one machine and stream.
    pub output_limit: u64,
}

/// What to do about a machine's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKeys {
    /// It must be known.
    Strict,
    /// An unknown one is taken and remembered; a changed one is refused.
    AcceptNew,
}

/// `[local]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// The account that commands run as.
    pub run_as: Option<String>,
    /// Bytes of output that are kept of one command and stream.
    pub output_limit: u64,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A filter as `tracing` reads it: `info` or `info,halcyon::adapters=debug`.
    pub level: String,
    /// Its form.
    pub format: LogFormat,
}

/// The forms of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

/// How much output is kept unless said otherwise.
const OUTPUT_LIMIT: u64 = 16 * 1024 * 1024;

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(path: &Path, environment: &Environment) -> Result<Config, Vec<Diagnostic>> {
        match std::fs::read_to_string(path) {
            Ok(text) => Config::parse(path, &text, environment),
            Err(error) => {
                let suggestion = (error.kind() == std::io::ErrorKind::NotFound)
                    .then(|| "go to its directory or name it by --config".to_owned());
                Err(vec![Diagnostic {
                    file: path.display().to_string(),
                    line: None,
                    key_path: String::new(),
                    severity: Severity::Error,
                    message: format!("cannot read the configuration: {error}"),
                    suggestion,
                }])
            }
        }
    }

    /// Reads a text as if it stood in a file at `path`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(path: &Path, text: &str, environment: &Environment) -> Result<Config, Vec<Diagnostic>> {
        let document = Document::new(path.display().to_string(), text);
        let table = document.parse();
        // What the parser guessed of a broken text would only make it complain about its own guesses.
        if document.broken() {
            return Err(document.into_problems());
        }
        let file = file::read(&document, table.get_ref());
        let judge = Judge { document: &document, environment, directory: directory(path) };
        let config = judge.config(path, file);
        let problems = document.into_problems();
        match config {
            Some(mut config) if problems.iter().all(|problem| problem.severity != Severity::Error) => {
                config.warnings.extend(problems);
                Ok(config)
            }
            _ => Err(problems),
        }
    }

    /// A configuration that knows no more than where the running bot is to be found, read from a file that may have mistakes elsewhere.
    /// Nothing when not even that can be read.
    pub fn control_of(path: &Path) -> Option<Config> {
        let text = std::fs::read_to_string(path).ok()?;
        let document = Document::new(path.display().to_string(), &text);
        let table = document.parse();
        let mut written = file::read(&document, table.get_ref());
        let kept = file::File {
            store_path: written.store_path.take(),
            control_socket: written.control_socket.take(),
            ..file::File::default()
        };
        let environment = Environment::new();
        let judge = Judge { document: &document, environment: &environment, directory: directory(path) };
        judge.config(path, kept)
    }

    /// The configuration of somebody who has only a pack.
    pub fn of_pack(pack: &Path) -> Config {
        let mut content = Content { packs: vec![pack.to_owned()], configs: pack.join("configs"), poll: POLL };
        content.take_configs();
        Config {
            file: PathBuf::new(),
            mattermost: None,
            http: None,
            store: Store { path: pack.join("var/halcyon"), keep: Some(KEEP), keep_outputs: None, reserve: RESERVE },
            control: Control { socket: pack.join("var/halcyon/control.sock") },
            serve: Serve { grace: GRACE },
            content,
            datastore: Datastore { key_file: None, key: Err(no_master_key()) },
            ssh: Ssh {
                config_file: None,
                known_hosts: HostKeys::Strict,
                known_hosts_file: None,
                max_parallel: 64,
                connect_timeout: Duration::from_secs(10),
                output_limit: OUTPUT_LIMIT,
            },
            local: Local { run_as: None, output_limit: OUTPUT_LIMIT },
            mail: None,
            monitorings: Vec::new(),
            inventory: InventorySource::default(),
            limits: Limits::default(),
            guard: Guard::default(),
            settle: SETTLE,
            storms: Terms::default(),
            escalation: Escalation::default(),
            roles: Vec::new(),
            chat_users: BTreeMap::new(),
            log: Log { level: "info".to_owned(), format: LogFormat::Text },
            warnings: Vec::new(),
        }
    }

    /// The part that decisions depend on. `own_uid` is the account that the bot runs as.
    pub fn settings(&self, own_uid: u32) -> Settings {
        let chat = self.mattermost.as_ref();
        Settings {
            channels: chat.map(|chat| chat.channels.clone()).unwrap_or_default(),
            admin_channel: chat.and_then(|chat| chat.admin_channel.clone()),
            alert_channel: chat.and_then(|chat| chat.alert_channel.clone()),
            address: chat.map(|chat| chat.address.clone()).unwrap_or_default(),
            prefix: chat.map(|chat| chat.prefix.clone()).unwrap_or_default(),
            roles: self.roles.clone(),
            chat_users: self.chat_users.clone(),
            late_after: chat.map_or(LATE_AFTER, |chat| chat.late_after),
            mention_after: chat.map_or(MENTION_AFTER, |chat| chat.mention_after),
            zone: chat.map(|chat| chat.time_zone.clone()).unwrap_or_default(),
            grace: self.serve.grace,
            limits: self.limits.clone(),
            guard: self.guard,
            settle: self.settle,
            storms: self.storms,
            escalation: self.escalation.clone(),
            monitorings: self.monitorings.iter().map(Monitoring::settings).collect(),
            buttons: self.http.is_some() && chat.is_some_and(|chat| chat.callback_url.is_some()),
            own_uid,
        }
    }
}

/// Nothing was said about a master key.
fn no_master_key() -> Diagnostic {
    Diagnostic {
        file: String::new(),
        line: None,
        key_path: "datastore".to_owned(),
        severity: Severity::Error,
        message: "there is no master key".to_owned(),
        suggestion: None,
    }
}

/// How long running executions may go on after a stop, unless said otherwise. The time that systemd gives a service is longer.
const GRACE: Duration = Duration::from_secs(30);

/// How often packs on a file system without events are looked at.
const POLL: Duration = Duration::from_secs(10);

/// What a Mattermost server that limits calls lets through, with its usual settings.
pub(super) const CALLS_PER_SECOND: u32 = 10;
pub(super) const CALLS_AT_ONCE: u32 = 40;

/// How long a line that was missed is still what its author wants.
pub(super) const LATE_AFTER: Duration = Duration::from_secs(120);

/// Long enough to look back on a quarter of a year.
const KEEP: Duration = Duration::from_secs(90 * 24 * 3600);

/// Enough for the last words of everything that can be under way.
const RESERVE: u64 = 64 << 20;

/// What is taken for long.
pub(super) const MENTION_AFTER: Duration = Duration::from_secs(30);
/// Monitoring looks at everything about once a minute.
const SETTLE: Duration = Duration::from_secs(120);

/// The directory that relative paths start from.
fn directory(path: &Path) -> PathBuf {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned())
}
