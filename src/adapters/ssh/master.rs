//! One ssh master process: started, bounded in time, closed; and those that an earlier process of ours has left.

use super::reason::{explain, is_passing};
use super::{HostKeys, SshError, SshOptions};
use crate::core::action::reason::Reason;
use crate::core::action::run::RemoteCommand;
use crate::core::id::Host;
use openssh::Session;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// The longest name that a control directory may have: 108 bytes of a socket's address, less our names and the ending that ssh gives
/// the socket while it makes it.
const LONGEST_DIRECTORY: usize = 56;

/// How long a master is given to take note that it is to end.
const CLOSING: Duration = Duration::from_secs(2);

/// How many times a control directory is looked at again because a login has added to it.
const CLEARING: usize = 5;

/// How often ssh asks a silent node whether it is there, in seconds; after three questions without an answer it gives up.
const ALIVE_EVERY: u32 = 15;

/// The prefix of the directory that one process of ours keeps its sockets in.
const OURS: &str = "m";

/// Which connection is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    pub(super) host: Host,
    port: Option<u16>,
    user: Option<String>,
    bastion: Option<String>,
    key: Option<Key>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// The path of its file.
    Path(String),
    /// Its text, by name of its digest.
    Text(String),
}

impl Way {
    pub(super) fn new(host: &Host, port: Option<u16>, command: &RemoteCommand) -> Self {
        let key = command.private_key.as_ref().map(|key| {
            if key.reveal().contains("PRIVATE KEY") {
                Key::Text(digest(key.reveal()))
            } else {
                Key::Path(key.reveal().trim().to_owned())
            }
        });
        Self {
            host: host.clone(),
            port: port.or(command.port),
            user: command.username.clone(),
            bastion: command.bastion.clone(),
            key,
        }
    }

    pub(super) fn has_bastion(&self) -> bool {
        self.bastion.is_some()
    }

    /// A short name for files.
    fn file_name(&self) -> String {
        digest(&format!("{self:?}"))
    }
}

/// What is wrong with the words of a command that become arguments of ssh.
pub(super) fn check_words(command: &RemoteCommand) -> Result<(), String> {
    // Old versions of ssh hand user and jump host to a shell.
    let harmless = |text: &str, more: &str| {
        let fits = |character: char| character.is_ascii_alphanumeric() || more.contains(character);
        !text.is_empty() && !text.starts_with('-') && text.chars().all(fits)
    };
    match (&command.username, &command.bastion) {
        (Some(user), _) if !harmless(user, "._-@+") => Err(Reason::NotALogin { name: user }.to_string()),
        (_, Some(bastion)) if !harmless(bastion, "._-@+:,[]") => {
            Err(Reason::NotAJumpHost { name: bastion }.to_string())
        }
        _ => Ok(()),
    }
}

fn digest(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The directory that holds the sockets of this process, locked for as long as it lives.
#[derive(Debug)]
pub(super) struct ControlDir {
    path: PathBuf,
    _lock: File,
}

impl ControlDir {
    /// Makes a directory of our own in `parent`, after closing the masters in those whose owners are gone.
    pub(super) async fn open(parent: &Path) -> Result<Self, SshError> {
        let length = parent.as_os_str().len();
        if length > LONGEST_DIRECTORY {
            return Err(SshError::TooLong { path: parent.to_owned(), length, most: LONGEST_DIRECTORY });
        }
        make_private(parent, true)?;
        let about = parent.metadata().map_err(failed("look at", parent))?;
        if about.uid() != rustix::process::geteuid().as_raw() || about.mode() & 0o077 != 0 {
            return Err(SshError::NotOurs { path: parent.to_owned() });
        }
        reap(parent).await;
        let mut number = std::process::id();
        let path = loop {
            let path = parent.join(format!("{OURS}{number}"));
            match make_private(&path, false) {
                Ok(()) => break path,
                Err(SshError::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {
                    number = number.wrapping_add(100_003);
                }
                Err(error) => return Err(error),
            }
        };
        let lock_path = path.join("lock");
        let lock = File::create(&lock_path).map_err(failed("create", &lock_path))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| failed("lock", &lock_path)(error.into()))?;
        Ok(Self { path, _lock: lock })
    }

    /// Closes all masters and removes the directory.
    pub(super) async fn clear(&self) {
        clear(&self.path).await;
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> SshError {
    let path = path.to_owned();
    move |source| SshError::Io { doing, path, source }
}

fn make_private(path: &Path, may_exist: bool) -> Result<(), SshError> {
    DirBuilder::new().recursive(may_exist).mode(0o700).create(path).map_err(failed("create", path))
}

/// Closes the masters of processes that are gone. One that is still there holds its lock.
async fn reap(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let named_so = entry.file_name().to_str().is_some_and(|name| name.starts_with(OURS));
        let Ok(lock) = File::open(path.join("lock")) else { continue };
        if !named_so || flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        clear(&path).await;
    }
}

/// Closes the masters whose sockets are in a directory, and removes it. A login under way may add its socket meanwhile: files are removed by
/// name, so that the directory goes only when each of them has been seen. From then on ssh finds no place for its socket, and ends.
async fn clear(directory: &Path) {
    let mut result = Ok(());
    for _ in 0..CLEARING {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        // A directory without its lock is nobody's to clear.
        files.sort_by_key(|file| file.ends_with("lock"));
        let sockets = files.iter().filter(|file| file.extension().is_some_and(|kind| kind == "s"));
        futures_util::future::join_all(sockets.cloned().map(close)).await;
        for file in files {
            // A master that ends removes its socket by itself.
            let _ = std::fs::remove_file(file);
        }
        result = std::fs::remove_dir(directory);
        if !result.as_ref().is_err_and(|error| error.kind() == ErrorKind::DirectoryNotEmpty) {
            break;
        }
    }
    if let Err(error) = result {
        tracing::warn!(path = %directory.display(), %error, "cannot remove the directory of ssh's control sockets");
    }
}

/// Tells a master to take no more commands and to end with its last one.
async fn close(socket: PathBuf) {
    let closing = Session::resume_mux(socket.clone().into_boxed_path(), None).close();
    match tokio::time::timeout(CLOSING, closing).await {
        Ok(Ok(())) | Ok(Err(openssh::Error::Disconnected)) => {}
        Ok(Err(error)) => tracing::debug!(socket = %socket.display(), %error, "an ssh master did not close"),
        Err(_) => tracing::debug!(socket = %socket.display(), "an ssh master did not answer"),
    }
}

/// A connection in the making. The process is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Starting {
    ssh: Child,
    socket: PathBuf,
    log: PathBuf,
    _key: Option<KeyFile>,
    deadline: Instant,
    connect_timeout: Duration,
}

/// A connection that stands.
#[derive(Debug)]
pub(super) struct Master {
    /// For commands.
    pub(super) session: Arc<Session>,
    log: PathBuf,
}

/// Why a connection could not be made.
#[derive(Debug, Clone)]
pub(super) struct NoMaster {
    /// In plain words.
    pub(super) why: String,
    /// Another try may go better.
    pub(super) passing: bool,
}

impl Starting {
    /// The process, for as long as it runs.
    pub(super) fn process(&self) -> Option<u32> {
        self.ssh.id()
    }

    /// Waits for the end of the login.
    pub(super) async fn finish(mut self) -> Result<Master, NoMaster> {
        let status = match tokio::time::timeout_at(self.deadline, self.ssh.wait()).await {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => {
                let why = Reason::SshLost { why: &error.to_string() }.to_string();
                return Err(NoMaster { why, passing: false });
            }
            Err(_) => {
                let seconds = self.connect_timeout.as_secs();
                let why = Reason::LoginHangs { seconds }.to_string();
                return Err(NoMaster { why, passing: false });
            }
        };
        if status.success() {
            let session = Arc::new(Session::resume_mux(self.socket.clone().into_boxed_path(), None));
            return Ok(Master { session, log: self.log });
        }
        let log = &self.log;
        let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        // The next try has a log of its own.
        let _ = std::fs::remove_file(log);
        Err(NoMaster { why: explain(&text), passing: is_passing(&text) })
    }
}

impl Master {
    /// Starts the process that connects and logs in.
    pub(super) fn start(
        way: &Way,
        command: &RemoteCommand,
        options: &SshOptions,
        control: &ControlDir,
        number: u64,
    ) -> Result<Starting, NoMaster> {
        let name = format!("{}{number:x}", way.file_name());
        let socket = control.path.join(format!("{name}.s"));
        let log = control.path.join(format!("{name}.log"));
        let local = |reason: Reason<'_>| NoMaster { why: reason.to_string(), passing: false };
        let key = KeyFile::of(way, command, &control.path.join(format!("{name}.key")))
            .map_err(|error| local(Reason::NoKeyFile { why: &error.to_string() }))?;

        let mut ssh = Command::new("ssh");
        ssh.args(arguments(way, options, &socket, &log, key.as_ref().map(|key| key.path.as_path())))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"HALCYON_") || name == "CREDENTIALS_DIRECTORY" {
                ssh.env_remove(name);
            }
        }
        let ssh = ssh.spawn().map_err(|error| local(Reason::NoProgram { program: "ssh", why: &error.to_string() }))?;
        Ok(Starting {
            ssh,
            socket,
            log,
            _key: key,
            // ssh keeps to the time by itself up to the login, and says more about it; a login that hangs is for us to end.
            deadline: Instant::now() + options.connect_timeout + Duration::from_secs(1),
            connect_timeout: options.connect_timeout,
        })
    }

    /// What its log tells about the end of the connection; nothing when it tells nothing.
    pub(super) fn why_lost(&self) -> Option<String> {
        let text = std::fs::read(&self.log).ok()?;
        let text = String::from_utf8_lossy(&text);
        (!text.trim().is_empty()).then(|| explain(&text))
    }
}

/// A private key that came as text, in a file for as long as the login takes.
#[derive(Debug)]
struct KeyFile {
    path: PathBuf,
    ours: bool,
}

impl KeyFile {
    fn of(way: &Way, command: &RemoteCommand, place: &Path) -> std::io::Result<Option<Self>> {
        match (&way.key, &command.private_key) {
            (Some(Key::Text(_)), Some(text)) => {
                let key = Self { path: place.to_owned(), ours: true };
                let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(place)?;
                file.write_all(text.reveal().trim().as_bytes())?;
                file.write_all(b"\n")?;
                Ok(Some(key))
            }
            (Some(Key::Path(path)), _) => Ok(Some(Self { path: path.into(), ours: false })),
            (Some(Key::Text(_)) | None, _) => Ok(None),
        }
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::error!(path = %self.path.display(), %error, "a private key could not be removed: remove it");
        }
    }
}

fn arguments(way: &Way, options: &SshOptions, socket: &Path, log: &Path, key: Option<&Path>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add =
        |words: &[&dyn AsRef<std::ffi::OsStr>]| arguments.extend(words.iter().map(|word| word.as_ref().to_owned()));
    add(&[&"-M", &"-N", &"-f", &"-T", &"-S", &socket, &"-E", &log]);
    let strict = match options.host_keys {
        HostKeys::Strict => "yes",
        HostKeys::AcceptNew => "accept-new",
    };
    for option in [
        "BatchMode=yes".to_owned(),
        format!("StrictHostKeyChecking={strict}"),
        format!("ControlPersist={}s", options.idle.as_secs().max(1)),
        format!("ConnectTimeout={}", options.connect_timeout.as_secs().max(1)),
        format!("ServerAliveInterval={ALIVE_EVERY}"),
        // What a person's configuration may have for use at a terminal.
        "ClearAllForwardings=yes".to_owned(),
        "PermitLocalCommand=no".to_owned(),
        "RemoteCommand=none".to_owned(),
        "ConnectionAttempts=1".to_owned(),
    ] {
        add(&[&"-o", &option]);
    }
    if let Some(file) = &options.known_hosts_file {
        let mut option = OsString::from("UserKnownHostsFile=");
        option.push(file);
        add(&[&"-o", &option]);
    }
    if let Some(file) = &options.config_file {
        add(&[&"-F", &file]);
    }
    if let Some(key) = key {
        add(&[&"-o", &"IdentitiesOnly=yes", &"-i", &key]);
    }
    if let Some(port) = way.port {
        add(&[&"-p", &port.to_string()]);
    }
    if let Some(user) = &way.user {
        add(&[&"-l", &user]);
    }
    if let Some(bastion) = &way.bastion {
        add(&[&"-J", &bastion]);
    }
    add(&[&"--", &way.host.as_str()]);
    arguments
}
