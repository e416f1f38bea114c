//! Notices that files of packs have changed.
//!
//! The kernel's events (inotify) only say that it is worth looking; what decides is what the files look like ([`Stamp`]), and it is looked
//! now and then without any event as well. So it does not matter whether an editor writes into the file or puts another in its place,
//! whether a directory or a link was exchanged, whether events were lost, or whether the file system has none to give.
//!
//! **Nothing is told before it has been quiet for a moment**: an editor writes a file in several steps, a checkout many files.

use super::stamp::{Stamp, Watched, stamp};
use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep};

/// How long nothing may have happened before a change is told.
const QUIET: Duration = Duration::from_millis(150);
/// The longest that a change waits for the next moment of quiet.
const LONGEST: Duration = Duration::from_secs(2);

/// Looks after the files of packs.
pub(crate) struct PackWatch {
    packs: Vec<PathBuf>,
    poll: Duration,
    seen: Stamp,
    events: Option<Events>,
    /// Something has happened that was not looked at yet.
    due: bool,
}

/// The kernel's events for a set of directories.
struct Events {
    queue: AsyncFd<OwnedFd>,
    /// The names that matter in each watched directory; all when absent.
    names: BTreeMap<i32, Option<BTreeSet<OsString>>>,
    directories: BTreeMap<PathBuf, Watched>,
}

impl PackWatch {
    /// From now on. Every `poll` it is looked without being asked to; never at all when that is no time.
    pub(crate) async fn new(packs: Vec<PathBuf>, poll: Duration) -> Self {
        let mut watch = Self { packs, poll, seen: Stamp::default(), events: None, due: false };
        if !poll.is_zero() {
            watch.seen = watch.look().await;
        }
        watch
    }

    /// Ends when the files look different from when this ended last, and have for a moment looked the same. May be given up and called
    /// again at any time.
    pub(crate) async fn changed(&mut self) {
        if self.poll.is_zero() {
            return std::future::pending().await;
        }
        loop {
            if !self.due {
                self.wait().await;
                self.due = true;
            }
            let stamp = self.settled().await;
            self.due = false;
            if stamp != self.seen {
                self.seen = stamp;
                return;
            }
        }
    }

    /// Until something has happened that matters, or it is time to look.
    async fn wait(&self) {
        let happened = async {
            match &self.events {
                Some(events) => events.wait().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = happened => {}
            () = sleep(self.poll) => {}
        }
    }

    async fn settled(&mut self) -> Stamp {
        let end = Instant::now() + LONGEST;
        let mut last = self.look().await;
        loop {
            sleep(QUIET).await;
            let busy = self.events.as_ref().is_some_and(Events::drain);
            let next = self.look().await;
            if (!busy && next == last) || Instant::now() >= end {
                return next;
            }
            last = next;
        }
    }

    /// What the files look like, with events for the directories that there are now.
    async fn look(&mut self) -> Stamp {
        let found = self.stamp().await;
        if self.events.as_ref().is_some_and(|events| events.directories == found.directories) {
            return found;
        }
        self.events = match Events::of(&found) {
            Ok(events) => Some(events),
            Err(error) => {
                let seconds = self.poll.as_secs();
                tracing::warn!(%error, seconds, "no events for changes of packs; they are looked at now and then");
                None
            }
        };
        // What changed before there were events is seen now.
        self.stamp().await
    }

    async fn stamp(&self) -> Stamp {
        let packs = self.packs.clone();
        let found = tokio::task::spawn_blocking(move || stamp(&packs)).await;
        // Only while the process ends are such tasks given up.
        found.unwrap_or_else(|_| self.seen.clone())
    }
}

impl Events {
    fn of(stamp: &Stamp) -> io::Result<Self> {
        let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let wanted = WatchFlags::CLOSE_WRITE
            | WatchFlags::ATTRIB
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let mut names: BTreeMap<i32, Option<BTreeSet<OsString>>> = BTreeMap::new();
        for (directory, watched) in &stamp.directories {
            // One that has gone since is missed by the next look, and one that may not be watched is looked at now and then.
            let Ok(number) = inotify::add_watch(&queue, directory, wanted) else { continue };
            let merged = match (names.remove(&number), watched.names.clone()) {
                (None, names) => names,
                (Some(Some(known)), Some(more)) => Some(known.union(&more).cloned().collect()),
                (Some(_), _) => None,
            };
            names.insert(number, merged);
        }
        #[expect(
            deprecated,
            reason = "the other way is unsafe, for descriptors that somebody else may close; this one is owned"
        )]
        let queue = AsyncFd::new(queue)?;
        Ok(Self { queue, names, directories: stamp.directories.clone() })
    }

    /// Until something that matters has happened.
    async fn wait(&self) {
        loop {
            match self.queue.readable().await {
                Ok(mut ready) => {
                    let matters = self.drain();
                    ready.clear_ready();
                    if matters {
                        return;
                    }
                }
                // The runtime is ending.
                Err(_) => return std::future::pending().await,
            }
        }
    }

    /// Takes in what has happened, and says whether any of it matters.
    fn drain(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(self.queue.get_ref(), &mut buffer);
        let mut matters = false;
        while let Ok(event) = reader.next() {
            let named = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            let lost = event.events().contains(ReadFlags::QUEUE_OVERFLOW);
            matters |= lost
                || match (self.names.get(&event.wd()), named) {
                    (Some(Some(names)), Some(name)) => names.contains(name),
                    (Some(_), _) => true,
                    (None, _) => false,
                };
        }
        matters
    }
}
