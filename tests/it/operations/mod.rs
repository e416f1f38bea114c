//! The bot as a service: stopped, told to read again, watched, and looked at by `doctor`.

mod doctor;
mod numbers;
mod reload;
mod service;

use crate::world::{PATIENCE, World};
use std::fs::File;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// `halcyon serve` in a process of its own, with the test as its service manager.
pub(crate) struct Service {
    child: Child,
    manager: UnixDatagram,
    log: PathBuf,
}

impl Drop for Service {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    /// Starts it on the world's `config.toml`. The manager's socket is a file, or an abstract one.
    pub(crate) fn start(world: &World, abstract_socket: bool) -> Self {
        let place = world.directory.path();
        let path = place.join("manager");
        let name = if abstract_socket { format!("@{}", path.display()) } else { path.display().to_string() };
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name).unwrap(),
            None => SocketAddr::from_pathname(&path).unwrap(),
        };
        let _ = std::fs::remove_file(&path);
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        manager.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let log = place.join("log");
        let written = File::create(&log).unwrap();
        let about = written.metadata().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_halcyon"));
        if abstract_socket {
            // As for a service whose output goes to the journal.
            command.env("JOURNAL_STREAM", format!("{}:{}", about.dev(), about.ino()));
        }
        let child = command
            .arg("serve")
            .arg("--config")
            .arg(place.join("config.toml"))
            .env("NOTIFY_SOCKET", name)
            .env("WATCHDOG_USEC", "3000000")
            .env_remove("WATCHDOG_PID")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(written)
            .spawn()
            .unwrap();
        Self { child, manager, log }
    }

    /// The manager's next message that begins so; those before it are passed over.
    fn told(&self, beginning: &str) -> String {
        let end = Instant::now() + PATIENCE;
        let mut bytes = [0; 4096];
        while Instant::now() < end {
            if let Ok(length) = self.manager.recv(&mut bytes) {
                let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
                if text.starts_with(beginning) {
                    return text;
                }
            }
        }
        panic!("the manager was not told {beginning:?}; the log:\n{}", self.log());
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it does not end; the log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

/// A world without a bot whose token stands in a file, for processes that have no variable for it.
pub(crate) async fn world(more: &str) -> World {
    let world = World::without_bot(more).await;
    let file = world.directory.path().join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replacen("[mattermost]\n", "[mattermost]\ntoken_file = \"token\"\n", 1);
    std::fs::write(&file, text).unwrap();
    write_token(&world, &world.chat.bot_token());
    world
}

fn write_token(world: &World, token: &str) {
    use std::os::unix::fs::PermissionsExt;
    let file = world.directory.path().join("token");
    std::fs::write(&file, token).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Changes the world's `config.toml`.
fn rewrite(world: &World, from: &str, to: &str) {
    let file = world.directory.path().join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
}

/// A command line in the world, in a process of its own.
pub(crate) async fn halcyon(world: &World, words: &[&str]) -> (i32, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_halcyon"));
    command.arg("--config").arg(world.directory.path().join("config.toml")).args(words).kill_on_drop(true);
    let output = tokio::time::timeout(2 * PATIENCE, command.output()).await.unwrap().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8(text).unwrap())
}

/// Waits for a post of the bot in the channel.
pub(crate) async fn heard(world: &World, wanted: &str) -> String {
    let posts = world.chat.wait_for(crate::world::CHANNEL, |post| post.message.contains(wanted), PATIENCE).await;
    posts.unwrap_or_else(|problem| panic!("nobody says {wanted:?}: {problem}")).message
}
