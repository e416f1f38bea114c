//! What the store's threads have in common.

use crate::adapters::store::audit::Audit;
use crate::adapters::store::blobs::DiskBlobs;
use crate::adapters::store::disk::Options;
use crate::adapters::store::entry::Entry;
use crate::adapters::store::index::Index;
use crate::adapters::store::lock::Lock;
use crate::adapters::store::segment::Anchor;
use crate::adapters::store::snapshot::Kept;
use crate::core::audit::chain::Head;
use crate::runtime::ports::{Room, StoreError};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many facts that the next start would have to fold are worth a snapshot: folding them takes a few hundredths of a second.
const FACTS: u64 = 10_000;
/// So many bytes of facts are, too.
const BYTES: u64 = 4 << 20;
/// How many facts may wait for the index; when there are more it reads them from the log.
const WAITING: usize = 65_536;
/// How many facts the audit takes in without giving way to those who ask.
pub(crate) const AUDITED_AT_ONCE: u64 = 4096;
/// For how long the room on the disk is believed to be what it was.
const BELIEVED: Duration = Duration::from_secs(2);

/// What the store's threads have in common. Nobody waits long for any of its locks, but for that of the index.
pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) options: Options,
    pub(crate) counts: Counts,
    pub(crate) blobs: DiskBlobs,
    pub(crate) stopping: AtomicBool,
    /// The last batch was not stored.
    pub(crate) refusing: AtomicBool,
    /// The last write took so little that it can be waited for on the spot.
    pub(crate) quick: AtomicBool,
    /// Outputs have been swept since the store was opened.
    pub(crate) swept: AtomicBool,
    /// Held by whoever removes what is old.
    pub(crate) retaining: Mutex<()>,
    index: Mutex<Index>,
    audit: Mutex<Audit>,
    /// Facts that are stored and that the index has not seen.
    waiting: Mutex<Vec<Entry>>,
    base: Mutex<Kept>,
    /// The newest fact and its checksum.
    tip: Mutex<(u64, u32)>,
    /// A record near the end of the log whose place is known.
    anchor: Mutex<Anchor>,
    room: Mutex<Option<(Instant, Room)>>,
    pub(crate) _lock: Arc<Lock>,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) batches: AtomicU64,
    pub(crate) facts: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) snapshots: AtomicU64,
    /// Facts, and their bytes, since the newest snapshot.
    pub(crate) facts_since: AtomicU64,
    pub(crate) bytes_since: AtomicU64,
    /// The length of the newest snapshot that this process wrote.
    pub(crate) snapshot_bytes: AtomicU64,
    /// A snapshot is on its way.
    pub(crate) writing: AtomicBool,
}

impl Shared {
    pub(crate) fn new(
        path: PathBuf,
        options: Options,
        blobs: DiskBlobs,
        (index, audit): (Index, Audit),
        base: Kept,
        tip: (u64, u32),
        lock: Arc<Lock>,
    ) -> Self {
        Self {
            path,
            options,
            counts: Counts::default(),
            blobs,
            stopping: AtomicBool::new(false),
            refusing: AtomicBool::new(false),
            quick: AtomicBool::new(false),
            swept: AtomicBool::new(false),
            retaining: Mutex::default(),
            index: Mutex::new(index),
            audit: Mutex::new(audit),
            waiting: Mutex::default(),
            base: Mutex::new(base),
            tip: Mutex::new(tip),
            anchor: Mutex::default(),
            room: Mutex::default(),
            _lock: lock,
        }
    }

    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The number of the newest fact that is stored.
    pub(crate) fn newest(&self) -> u64 {
        self.tip().0
    }

    /// The newest fact that is stored, and its checksum.
    pub(crate) fn tip(&self) -> (u64, u32) {
        *locked(&self.tip)
    }

    pub(crate) fn set_tip(&self, tip: (u64, u32)) {
        *locked(&self.tip) = tip;
    }

    pub(crate) fn anchor(&self) -> Anchor {
        *locked(&self.anchor)
    }

    pub(crate) fn set_anchor(&self, anchor: Anchor) {
        *locked(&self.anchor) = anchor;
    }

    pub(crate) fn base(&self) -> Kept {
        locked(&self.base).clone()
    }

    pub(crate) fn set_base(&self, base: Kept) {
        *locked(&self.base) = base;
    }

    /// The index, as far as it has seen the facts.
    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        let mut index = locked(&self.index);
        self.hand_over(&mut index);
        index
    }

    /// Keeps what has been stored for the index.
    pub(crate) fn tell_index(&self, entries: Vec<Entry>) {
        let mut waiting = locked(&self.waiting);
        waiting.extend(entries);
        if waiting.len() > WAITING {
            waiting.clear();
        }
    }

    /// How many facts the index has not been given.
    pub(crate) fn waiting_for_index(&self) -> usize {
        locked(&self.waiting).len()
    }

    /// The audit, as far as it has seen the facts.
    pub(crate) fn audit(&self) -> MutexGuard<'_, Audit> {
        locked(&self.audit)
    }

    /// The audit, when it has taken in all facts that are stored by now and all of it is on disk. Gives its newest line.
    pub(crate) fn audit_all(&self) -> Result<Head, StoreError> {
        let newest = self.newest();
        while self.audit().catch_up(newest, AUDITED_AT_ONCE)? {}
        self.audit().settle()
    }

    /// Lets the index take in what waits, unless somebody else has it.
    pub(crate) fn try_index(&self) {
        if let Ok(mut index) = self.index.try_lock() {
            self.hand_over(&mut index);
        }
    }

    fn hand_over(&self, index: &mut Index) {
        let waiting = std::mem::take(&mut *locked(&self.waiting));
        if !waiting.is_empty() {
            index.take(waiting);
        }
    }

    /// Whether the next start would gain by a snapshot. Writing one never costs more than the facts since the last one did.
    pub(crate) fn wants_snapshot(&self) -> bool {
        let Counts { facts_since, bytes_since, snapshot_bytes, writing, .. } = &self.counts;
        let (facts, bytes) = (facts_since.load(Ordering::Relaxed), bytes_since.load(Ordering::Relaxed));
        let options = &self.options;
        (facts >= options.snapshot_facts.unwrap_or(FACTS) || bytes >= BYTES)
            && bytes >= snapshot_bytes.load(Ordering::Relaxed)
            && !writing.load(Ordering::Relaxed)
    }

    /// What is known of the room holds no more: a disk that refused and takes facts again has been given room.
    pub(crate) fn forget_room(&self) {
        *locked(&self.room) = None;
    }

    /// Room on the disk. Looked at anew after a write that was refused.
    pub(crate) fn room(&self) -> Option<Room> {
        let mut known = locked(&self.room);
        if let Some((at, room)) = *known
            && at.elapsed() < BELIEVED
            && !self.refusing.load(Ordering::Relaxed)
        {
            return Some(room);
        }
        let disk = rustix::fs::statvfs(&self.path).ok()?;
        let room = Room { free: disk.f_bavail.saturating_mul(disk.f_frsize), reserve: self.options.reserve };
        *known = Some((Instant::now(), room));
        Some(room)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same error once more, for each of those whose batches went down together.
pub(crate) fn same(error: &StoreError) -> StoreError {
    match error {
        StoreError::Io { doing, path, source } => StoreError::Io {
            doing,
            path: path.clone(),
            source: match source.raw_os_error() {
                Some(code) => std::io::Error::from_raw_os_error(code),
                None => std::io::Error::new(source.kind(), source.to_string()),
            },
        },
        StoreError::Damaged { path, offset, what } => {
            StoreError::Damaged { path: path.clone(), offset: *offset, what: what.clone() }
        }
        StoreError::InUse { path, holder, brief } => {
            StoreError::InUse { path: path.clone(), holder: holder.clone(), brief: *brief }
        }
        StoreError::Version { path, what } => StoreError::Version { path: path.clone(), what: what.clone() },
        StoreError::Index(what) => StoreError::Index(what.clone()),
        StoreError::Unfinished { store, place } => {
            StoreError::Unfinished { store: store.clone(), place: place.clone() }
        }
        StoreError::NotKept => StoreError::NotKept,
    }
}
