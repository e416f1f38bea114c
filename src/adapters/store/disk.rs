//! The store on disk: a handle for callers, and the one thread that writes.
//!
//! **Many callers share one sync**: while the disk is busy with one write, batches gather, and the next write takes them all.

use crate::adapters::store::blobs::DiskBlobs;
use crate::adapters::store::index::{Index, Origin};
use crate::adapters::store::lock::Lock;
use crate::adapters::store::log::{Cut, Log, sync_directory};
use crate::adapters::store::reading::Reading;
use crate::adapters::store::record;
use crate::core::action::execution::Execution;
use crate::core::effect::Query;
use crate::core::fact::Dated;
use crate::runtime::ports::{Store, StoreError};
use async_trait::async_trait;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// How many batches may wait before callers wait to hand theirs over.
const WAITING: usize = 4096;
/// How many bytes one write takes at most, unless a single batch is longer.
const WRITE: usize = 4 << 20;

/// How a store is laid out. What is there already stays as it is.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The room that a file of the log gets, in bytes.
    pub file_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { file_bytes: 16 << 20 }
    }
}

/// What was found when a store was opened. The runtime says what is worth saying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// How many facts are stored.
    pub facts: u64,
    /// What had to be cut off the log.
    pub cut: Option<Cut>,
    /// Where the index came from.
    pub index: Origin,
}

impl Opened {
    /// What an administrator should know, a sentence each; empty after an ordinary stop.
    pub fn notices(&self) -> Vec<String> {
        self.cut.iter().map(Cut::to_string).chain(self.index.notice()).collect()
    }
}

/// What the store has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Batches stored.
    pub batches: u64,
    /// Facts stored.
    pub facts: u64,
    /// Bytes of facts stored, without headers.
    pub bytes: u64,
    /// Times the disk was told to sync the log.
    pub syncs: u64,
    /// Batches that could not be stored.
    pub refused: u64,
}

#[derive(Debug, Default)]
struct Counts {
    batches: AtomicU64,
    facts: AtomicU64,
    bytes: AtomicU64,
    syncs: AtomicU64,
    refused: AtomicU64,
    /// The number of the newest fact.
    newest: AtomicU64,
}

/// The store on disk. Dropping it waits for what is being written and gives the store free for the next process.
pub struct DiskStore {
    path: PathBuf,
    /// Absent only while dropping.
    queue: Option<mpsc::Sender<Batch>>,
    writer: Option<JoinHandle<()>>,
    index: Arc<Mutex<Index>>,
    counts: Arc<Counts>,
    blobs: DiskBlobs,
}

struct Batch {
    facts: Vec<Dated>,
    payloads: Vec<Vec<u8>>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl DiskStore {
    /// Opens the store in this directory, or makes one there.
    ///
    /// # Errors
    /// Another process has it, the system refuses, or what is stored is damaged. Nothing is changed in a damaged store.
    pub async fn open(path: impl Into<PathBuf>) -> Result<(Self, Opened), StoreError> {
        Self::open_with(path, Options::default()).await
    }

    /// Opens the store with another layout than usual.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_with(path: impl Into<PathBuf>, options: Options) -> Result<(Self, Opened), StoreError> {
        let path = path.into();
        let place = path.clone();
        let opening = tokio::task::spawn_blocking(move || open(path, options)).await;
        opening
            .unwrap_or_else(|error| Err(StoreError::Io { doing: "open", path: place, source: io::Error::other(error) }))
    }

    /// The outputs that are kept beside the facts.
    pub fn blobs(&self) -> DiskBlobs {
        self.blobs.clone()
    }

    /// What the store has done since it was opened.
    pub fn counters(&self) -> Counters {
        let Counts { batches, facts, bytes, syncs, refused, newest: _ } = &*self.counts;
        let [batches, facts, bytes, syncs, refused] =
            [batches, facts, bytes, syncs, refused].map(|count| count.load(Ordering::Relaxed));
        Counters { batches, facts, bytes, syncs, refused }
    }

    /// The number of the newest fact that is stored; 0 when there is none.
    pub fn newest(&self) -> u64 {
        self.counts.newest.load(Ordering::Acquire)
    }

    /// Room for this account on the file system of the store; nothing where the system does not say.
    pub fn free_bytes(&self) -> Option<u64> {
        let room = rustix::fs::statvfs(&self.path).ok()?;
        Some(room.f_bavail.saturating_mul(room.f_frsize))
    }

    fn gone(&self) -> StoreError {
        let source = io::Error::other("the thread that writes has stopped; restart the bot");
        StoreError::Io { doing: "append to", path: self.path.clone(), source }
    }
}

fn open(path: PathBuf, options: Options) -> Result<(DiskStore, Opened), StoreError> {
    let log_directory = path.join("log");
    for directory in [&path, &log_directory, &path.join("blobs")] {
        make_directory(directory)?;
    }
    let lock = Arc::new(Lock::take(&path)?);
    let blobs = DiskBlobs::open(path.join("blobs"), Arc::clone(&lock))?;
    let (log, cut) = Log::open(&log_directory, options.file_bytes)?;
    if let Some(cut) = &cut {
        tracing::warn!("{cut}");
    }
    let (index, origin) = Index::open(&path, log.newest(), log.checksum())?;
    let facts = log.newest();
    let opened = Opened { facts, cut, index: origin };
    let counts = Arc::new(Counts { newest: AtomicU64::new(facts), ..Counts::default() });
    let index = Arc::new(Mutex::new(index));
    let (queue, batches) = mpsc::channel(WAITING);
    let writer = Writer { log, batches, index: Arc::clone(&index), counts: Arc::clone(&counts), _lock: lock };
    let writer = std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || writer.run())
        .map_err(|source| StoreError::Io { doing: "start the writer of", path: path.clone(), source })?;
    Ok((DiskStore { path, queue: Some(queue), writer: Some(writer), index, counts, blobs }, opened))
}

fn make_directory(directory: &Path) -> Result<(), StoreError> {
    if directory.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|source| StoreError::Io { doing: "make the directory", path: directory.to_owned(), source })?;
    match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        _ => sync_directory(Path::new(".")),
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // It has panicked at worst, which has been reported where it happened.
            let _ = writer.join();
        }
    }
}

#[async_trait]
impl Store for DiskStore {
    /// Once handed over, the batch is stored even when the caller stops waiting.
    async fn append(&self, facts: Vec<Dated>) -> Result<(), StoreError> {
        if facts.is_empty() {
            return Ok(());
        }
        let payloads = facts.iter().map(record::payload).collect::<Result<Vec<_>, _>>().map_err(|error| {
            StoreError::Io { doing: "encode a fact for", path: self.path.clone(), source: io::Error::other(error) }
        })?;
        let (done, told) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(|| self.gone())?;
        queue.send(Batch { facts, payloads, done }).await.map_err(|_| self.gone())?;
        told.await.map_err(|_| self.gone())?
    }

    async fn replay(&self) -> Result<Vec<Dated>, StoreError> {
        let reading = Reading::new(&self.path.join("log"), 1, self.newest());
        let path = self.path.clone();
        let read =
            tokio::task::spawn_blocking(move || reading.map(|stored| stored.map(|stored| stored.dated)).collect());
        read.await.unwrap_or_else(|error| Err(StoreError::Io { doing: "read", path, source: io::Error::other(error) }))
    }

    async fn find(&self, query: &Query) -> Result<Vec<Execution>, StoreError> {
        let index = Arc::clone(&self.index);
        let counts = Arc::clone(&self.counts);
        let query = query.clone();
        let found = tokio::task::spawn_blocking(move || {
            let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
            index.find(&query, counts.newest.load(Ordering::Acquire))
        });
        found.await.unwrap_or_else(|error| Err(StoreError::Index(error.to_string())))
    }
}

/// What the writer's thread owns.
struct Writer {
    log: Log,
    batches: mpsc::Receiver<Batch>,
    index: Arc<Mutex<Index>>,
    counts: Arc<Counts>,
    _lock: Arc<Lock>,
}

impl Writer {
    /// Until nobody can append any more.
    fn run(mut self) {
        let mut group = Vec::new();
        let mut carried = None;
        loop {
            let Some(first) = carried.take().or_else(|| self.batches.blocking_recv()) else { return };
            let mut bytes = first.bytes();
            group.push(first);
            while let Ok(batch) = self.batches.try_recv() {
                if bytes + batch.bytes() > WRITE {
                    carried = Some(batch);
                    break;
                }
                bytes += batch.bytes();
                group.push(batch);
            }
            self.store(&mut group, bytes as u64);
        }
    }

    fn store(&mut self, group: &mut Vec<Batch>, bytes: u64) {
        let before = self.log.newest();
        let appended = self.log.append(group.iter().map(|batch| batch.payloads.as_slice()));
        self.counts.syncs.store(self.log.syncs(), Ordering::Relaxed);
        if let Err(error) = appended {
            self.counts.refused.fetch_add(group.len() as u64, Ordering::Relaxed);
            for batch in group.drain(..) {
                // A caller that has stopped waiting does not want to know.
                let _ = batch.done.send(Err(same(&error)));
            }
            return;
        }
        self.counts.batches.fetch_add(group.len() as u64, Ordering::Relaxed);
        self.counts.facts.fetch_add(self.log.newest() - before, Ordering::Relaxed);
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.counts.newest.store(self.log.newest(), Ordering::Release);
        let facts = group.iter_mut().flat_map(|batch| std::mem::take(&mut batch.facts));
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        index.take(before + 1, facts, self.log.newest(), self.log.checksum());
        drop(index);
        for batch in group.drain(..) {
            let _ = batch.done.send(Ok(()));
        }
    }
}

impl Batch {
    fn bytes(&self) -> usize {
        self.payloads.iter().map(Vec::len).sum()
    }
}

/// The same error once more, for each of those whose batches went down together.
fn same(error: &StoreError) -> StoreError {
    match error {
        StoreError::Io { doing, path, source } => StoreError::Io {
            doing,
            path: path.clone(),
            source: match source.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(source.kind(), source.to_string()),
            },
        },
        StoreError::Damaged { path, offset, what } => {
            StoreError::Damaged { path: path.clone(), offset: *offset, what: what.clone() }
        }
        StoreError::InUse { path, holder } => StoreError::InUse { path: path.clone(), holder: holder.clone() },
        StoreError::Index(what) => StoreError::Index(what.clone()),
    }
}
