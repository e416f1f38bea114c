//! Where notifications wait until the bot has them: a file each, named by its number in the order of coming.
//!
//! `queue/` has those that wait, `refused/` those that the bot did not take for good. `order` is locked while a number is given out, `drainer` by the one that sends.

use crate::core::alert::source::Event;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// So many may wait. A site that has more is better served by the last state than by all of them.
const MOST: usize = 50_000;
/// So many that were refused are kept, the newest.
const MOST_REFUSED: usize = 1_000;

/// A spool in a directory.
#[derive(Debug, Clone)]
pub struct Spool {
    root: PathBuf,
}

/// Why nothing could be put there, or taken.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// The system refused.
    #[error("cannot use {}: {source}", path.display())]
    System {
        /// What of it.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// There are too many.
    #[error("{waiting} notifications wait in {} already; nothing more is kept until the bot has taken some", path.display())]
    Full {
        /// How many.
        waiting: usize,
        /// Where.
        path: PathBuf,
    },
}

/// A notification in the spool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// The same for every copy of it.
    pub id: String,
    /// What the bot knows it as.
    pub trigger: String,
    /// What it says.
    pub payload: Value,
}

/// The right to send, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _lock: File,
}

impl Spool {
    /// The spool in a directory, which is made when it is not there.
    ///
    /// # Errors
    /// The system refuses.
    pub fn open(root: &Path) -> Result<Self, SpoolError> {
        let spool = Self { root: root.to_owned() };
        for directory in [spool.queue(), spool.refused()] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
            made.map_err(|source| SpoolError::System { path: directory, source })?;
        }
        Ok(spool)
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn queue(&self) -> PathBuf {
        self.root.join("queue")
    }

    fn refused(&self) -> PathBuf {
        self.root.join("refused")
    }

    /// Puts notifications behind all others. They are on the disk when this comes back.
    ///
    /// # Errors
    /// The system refuses, or there are too many; none of these is kept then that was not counted before.
    pub fn add(&self, events: Vec<Event>) -> Result<(), SpoolError> {
        let queue = self.queue();
        let mut order = self.lock("order", FlockOperation::LockExclusive)?;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| SpoolError::System { path, source }
        };
        let names = self.names()?;
        if names.len() + events.len() > MOST {
            return Err(SpoolError::Full { waiting: names.len(), path: queue });
        }
        // The number that was noted may be older than the names after the power went off, and there may be no names.
        let mut noted = String::new();
        order.read_to_string(&mut noted).map_err(failed(&self.root))?;
        let last = names.last().and_then(|name| number(name)).max(noted.trim().parse().ok()).unwrap_or(0);
        let mut next = last;
        for event in events {
            next += 1;
            let waiting = Waiting { id: event.id, trigger: event.source.trigger().to_owned(), payload: event.payload };
            let draft = self.root.join("draft");
            let text = serde_json::to_vec(&waiting).map_err(|error| failed(&draft)(error.into()))?;
            let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft);
            written
                .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
                .map_err(failed(&draft))?;
            let path = queue.join(format!("{next:020}.json"));
            std::fs::rename(&draft, &path).map_err(failed(&path))?;
        }
        sync(&queue)?;
        order
            .rewind()
            .and_then(|()| order.set_len(0))
            .and_then(|()| writeln!(order, "{next}"))
            .map_err(failed(&self.root))
    }

    /// The names of those that wait, in order.
    ///
    /// # Errors
    /// The system refuses.
    pub fn names(&self) -> Result<Vec<String>, SpoolError> {
        names(&self.queue())
    }

    /// One of them; nothing when what lies there is none of ours.
    ///
    /// # Errors
    /// The system refuses.
    pub fn read(&self, name: &str) -> Result<Option<Waiting>, SpoolError> {
        let path = self.queue().join(name);
        let text = std::fs::read(&path).map_err(|source| SpoolError::System { path, source })?;
        Ok(serde_json::from_slice(&text).ok())
    }

    /// The bot has it.
    ///
    /// # Errors
    /// The system refuses.
    pub fn delivered(&self, name: &str) -> Result<(), SpoolError> {
        let path = self.queue().join(name);
        std::fs::remove_file(&path).map_err(|source| SpoolError::System { path, source })
    }

    /// The bot will never take it. It is kept beside the queue; of too many, the oldest go.
    ///
    /// # Errors
    /// The system refuses.
    pub fn set_aside(&self, name: &str) -> Result<(), SpoolError> {
        let path = self.refused().join(name);
        std::fs::rename(self.queue().join(name), &path).map_err(|source| SpoolError::System { path, source })?;
        let refused = names(&self.refused())?;
        for old in refused.iter().take(refused.len().saturating_sub(MOST_REFUSED)) {
            let path = self.refused().join(old);
            std::fs::remove_file(&path).map_err(|source| SpoolError::System { path, source })?;
        }
        Ok(())
    }

    /// How many were set aside.
    ///
    /// # Errors
    /// The system refuses.
    pub fn refused_count(&self) -> Result<usize, SpoolError> {
        Ok(names(&self.refused())?.len())
    }

    /// The right to send, unless somebody else has it.
    ///
    /// # Errors
    /// The system refuses.
    pub fn turn(&self) -> Result<Option<Turn>, SpoolError> {
        match self.lock("drainer", FlockOperation::NonBlockingLockExclusive) {
            Ok(lock) => Ok(Some(Turn { _lock: lock })),
            Err(SpoolError::System { source, .. }) if source.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether somebody is sending. Looks without touching the lock: a drainer that found it taken would go.
    pub fn is_being_sent(&self) -> bool {
        let Ok(lock) = std::fs::metadata(self.root.join("drainer")) else { return false };
        let inode = format!(":{}", lock.ino());
        let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
        locks.lines().any(|line| {
            let mut words = line.split_whitespace();
            words.any(|word| word == "FLOCK") && words.any(|word| word.ends_with(&inode))
        })
    }

    fn lock(&self, name: &str, how: FlockOperation) -> Result<File, SpoolError> {
        let path = self.root.join(name);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        opened
            .and_then(|file| flock(&file, how).map(|()| file).map_err(Into::into))
            .map_err(|source| SpoolError::System { path, source })
    }
}

fn names(directory: &Path) -> Result<Vec<String>, SpoolError> {
    let failed = |source| SpoolError::System { path: directory.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        names.extend(name.to_str().filter(|name| number(name).is_some()).map(str::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

fn number(name: &str) -> Option<u64> {
    name.strip_suffix(".json").filter(|digits| digits.len() == 20)?.parse().ok()
}

fn sync(directory: &Path) -> Result<(), SpoolError> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|source| SpoolError::System { path: directory.to_owned(), source })
}
