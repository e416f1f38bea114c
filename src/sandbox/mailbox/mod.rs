//! # Mailbox: a mail server that keeps what it is given
//!
//! For `halcyon demo` and the tests: a server on loopback that speaks SMTP (RFC 5321) without encryption, and a page to read its mails on.
//!
//! ## Life cycle
//! [`Mailbox::start`] binds a free port and takes mails until the [`Mailbox`] is dropped. What it has taken stays readable by [`Mailbox::mails`] and on
//! [`Mailbox::page`].
//!
//! ## Invariants
//! - **Loopback only**, and nothing is passed on: a mail to whomever it may be ends here.
//! - **As strict as a real server**: commands out of order, malformed addresses, lines and mails that are too long, unknown commands and parameters are
//!   refused with the code that RFC 5321 has for it.
//! - **A mail is kept when its server has said 250**, and never half.
//! - **Nothing of a mail becomes markup** on the page.
//!
//! ## Modules
//! `conversation`: one client, line by line. `letter`: what is in a mail, decoded. `page`: mails as people read them.

mod conversation;
mod letter;
mod page;

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use letter::Letter;

/// The name by which it greets.
pub(crate) const NAME: &str = "mail.cluster.example";
/// Clients that it talks with at once.
const CLIENTS: usize = 32;

/// A mail as it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The sender of the envelope; empty for a report of non-delivery.
    pub from: String,
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// When it was taken.
    pub received: jiff::Timestamp,
    /// What was sent, with line feeds alone.
    pub raw: String,
}

impl Mail {
    /// What is in it, decoded.
    pub fn letter(&self) -> Letter {
        Letter::read(&self.raw)
    }
}

/// What the server does with mails from now on.
#[derive(Debug, Default)]
struct Manners {
    refused: BTreeSet<String>,
    try_later: bool,
}

/// What every conversation shares.
struct Shared {
    mails: watch::Sender<Vec<Mail>>,
    manners: Mutex<Manners>,
}

impl Shared {
    fn manners(&self) -> MutexGuard<'_, Manners> {
        self.manners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running mail server. It ends when it is dropped.
pub struct Mailbox {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

impl Mailbox {
    /// Binds a free loopback port, and takes mails from then on.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (mails, _) = watch::channel(Vec::new());
        let shared = Arc::new(Shared { mails, manners: Mutex::default() });
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, Arc::clone(&shared), stop.clone()));
        Ok(Self { address, shared, stop })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All mails, in the order of their coming.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.mails.borrow().clone()
    }

    /// Waits for a mail; nothing when none like it comes in this time.
    pub async fn wait_for(&self, wanted: impl Fn(&Mail) -> bool, patience: Duration) -> Option<Mail> {
        let mut mails = self.shared.mails.subscribe();
        let found = async {
            let mails = mails.wait_for(|mails| mails.iter().any(&wanted)).await.ok()?;
            mails.iter().find(|mail| wanted(mail)).cloned()
        };
        tokio::time::timeout(patience, found).await.ok().flatten()
    }

    /// Takes nothing for this address any more.
    pub fn refuse(&self, address: &str) {
        self.shared.manners().refused.insert(address.to_ascii_lowercase());
    }

    /// Whether every mail is put off when it has been sent.
    pub fn try_later(&self, try_later: bool) {
        self.shared.manners().try_later = try_later;
    }

    /// The mails as a page, the newest first. It loads `/page/style.css` and nothing else.
    pub fn page(&self) -> String {
        page::written(&self.shared.mails.borrow())
    }

    /// Makes the page whenever it is called, as long as anybody wants it.
    pub fn pages(&self) -> Arc<dyn Fn() -> String + Send + Sync> {
        let shared = Arc::clone(&self.shared);
        Arc::new(move || page::written(&shared.mails.borrow()))
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let places = Arc::new(tokio::sync::Semaphore::new(CLIENTS));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, for instance: give others the time to close some.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (shared, stop) = (Arc::clone(&shared), stop.clone());
        tokio::spawn(async move {
            // A client that hangs up has said all that it had to say.
            let _ = stop.run_until_cancelled(conversation::converse(stream, &shared)).await;
            drop(place);
        });
    }
}
