//! # systemd
//!
//! Tells the service manager how the process is, over the datagram socket that it names in `NOTIFY_SOCKET`. Without one nothing is told.
//!
//! **Telling never fails and never waits**: a manager that does not listen loses the message and nothing else. **The watchdog is fed by whoever
//! knows that the bot is alive**, never by a timer of its own.

use crate::config::Environment;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// A way to the service manager.
#[derive(Debug)]
pub struct Notifier {
    manager: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// As the environment says: `NOTIFY_SOCKET` (a path, or `@` and an abstract name), `WATCHDOG_USEC`, `WATCHDOG_PID`.
    pub fn new(environment: &Environment) -> Self {
        let manager = environment.get("NOTIFY_SOCKET").and_then(|name| {
            let address = match name.strip_prefix('@') {
                Some(name) => SocketAddr::from_abstract_name(name),
                None => SocketAddr::from_pathname(name),
            };
            let socket = UnixDatagram::unbound().and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
            match (address, socket) {
                (Ok(address), Ok(socket)) => Some((socket, address)),
                (Err(error), _) | (_, Err(error)) => {
                    tracing::warn!(%error, "NOTIFY_SOCKET is not usable, so the service manager is not told anything");
                    None
                }
            }
        });
        let meant = environment.get("WATCHDOG_PID").is_none_or(|pid| *pid == std::process::id().to_string());
        let interval = environment.get("WATCHDOG_USEC").and_then(|time| time.parse().ok()).filter(|time| *time > 0);
        Self { manager, watchdog: interval.filter(|_| meant).map(Duration::from_micros) }
    }

    /// How long the manager waits for a sign of life before it ends the process; none when it does not.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The bot is there.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// A sentence for `systemctl status`.
    pub fn status(&self, sentence: &str) {
        self.tell(&format!("STATUS={}", sentence.replace(char::is_control, " ")));
    }

    /// The bot is alive.
    pub fn alive(&self) {
        if self.watchdog.is_some() {
            self.tell("WATCHDOG=1");
        }
    }

    /// Configuration is being read again; [`Notifier::ready`] ends that.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The start goes on, and the manager waits for it so much longer at least.
    pub fn starting(&self, longer: Duration, sentence: &str) {
        self.status(sentence);
        self.tell(&format!("EXTEND_TIMEOUT_USEC={}", longer.as_micros()));
    }

    /// The end has begun and takes at most so long.
    pub fn stopping(&self, longest: Duration) {
        self.tell(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}", longest.as_micros()));
    }

    fn tell(&self, message: &str) {
        if let Some((socket, manager)) = &self.manager
            && let Err(error) = socket.send_to_addr(message.as_bytes(), manager)
        {
            tracing::debug!(%error, "the service manager does not listen");
        }
    }
}
