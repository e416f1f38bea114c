//! The store on disk: a handle for callers, and the thread that writes for them.
//!
//! **Many callers share one sync**: while the disk is busy with one write, batches gather, and the next write takes them all.
//!
//! **A quick disk is waited for on the spot.** To hand a batch to a thread and to hear of it takes two threads that sleep to be woken, half as
//! long as the sync of a quick disk. So where nobody else wants to write and the last write took less than [`QUICK`], the caller's own thread writes. One
//! write at most is slow there: after it the thread writes again, until the disk has proven quick. The index is left to the threads.

use crate::adapters::store::audit::{self, Audit};
use crate::adapters::store::blobs::DiskBlobs;
use crate::adapters::store::entry::Entry;
use crate::adapters::store::import;
use crate::adapters::store::index::{Index, Origin};
use crate::adapters::store::lock::Lock;
use crate::adapters::store::log::{self, Cut, Log, Rooms, Written, sync_directory};
use crate::adapters::store::opening::{self, Found};
use crate::adapters::store::reading::Reading;
use crate::adapters::store::record;
use crate::adapters::store::retention::{Freed, retain, shed};
use crate::adapters::store::segment::AUDIT;
use crate::adapters::store::set_aside::AuditAside;
use crate::adapters::store::shared::{Shared, same};
use crate::adapters::store::snapshot::Kept;
use crate::adapters::store::upkeep;
use crate::core::action::execution::Execution;
use crate::core::audit::question::{Question, Told};
use crate::core::effect::Query;
use crate::core::fact::Dated;
use crate::runtime::ports::{Recalled, Room, Snapshot, Store, StoreError};
use async_trait::async_trait;
use jiff::Timestamp;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How many batches may wait before callers wait to hand theirs over.
const WAITING: usize = 4096;
/// How many facts the audit takes in before a store is closed; of more the next start takes in the rest.
const AUDITED_AT_THE_END: u64 = 100_000;
/// A disk whose last write took less is waited for by whoever writes, on the spot.
const QUICK: Duration = Duration::from_millis(1);
/// How many facts may wait for the index before the thread takes the next write, and them.
const UNINDEXED: usize = 512;
/// How many bytes one write takes at most, unless a single batch is longer.
const WRITE: usize = 4 << 20;

/// How a store is laid out and kept. What is there already stays as it is.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The most room that a file of the log gets, in bytes.
    pub file_bytes: u64,
    /// The room that the first files of the log get, in bytes.
    pub first_file_bytes: u64,
    /// How long what has ended is kept; for ever when absent.
    pub keep: Option<Duration>,
    /// How long outputs are kept; as long as what refers to them when absent.
    pub keep_outputs: Option<Duration>,
    /// Below so many bytes of free room nothing new should be begun.
    pub reserve: u64,
    /// After how many facts a snapshot is wanted; absent means a sensible number.
    pub snapshot_facts: Option<u64>,
    /// The clock by which things get old; by the default one nothing ever does.
    pub now: fn() -> Timestamp,
    /// Whoever opens it is a command that has it until it is done, so that a bot which is to start waits for it.
    pub brief: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            file_bytes: 16 << 20,
            first_file_bytes: 256 << 10,
            keep: None,
            keep_outputs: None,
            reserve: 64 << 20,
            snapshot_facts: None,
            now: || Timestamp::UNIX_EPOCH,
            brief: false,
        }
    }
}

impl Options {
    fn rooms(&self) -> Rooms {
        Rooms { least: self.first_file_bytes.min(self.file_bytes), most: self.file_bytes }
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
    /// The number of the newest fact in the snapshot that the start begins with; 0 when it begins with none.
    pub snapshot: u64,
    /// What was wrong with snapshots, a sentence each.
    pub snapshots: Vec<String>,
    /// What was missing in the audit, in a sentence.
    pub audit: Option<String>,
    /// The audit that was set aside last, if one ever was.
    pub audit_aside: Option<AuditAside>,
}

impl Opened {
    /// What an administrator should know, a sentence each; empty after an ordinary stop.
    pub fn notices(&self) -> Vec<String> {
        self.cut
            .iter()
            .map(Cut::to_string)
            .chain(self.snapshots.iter().cloned())
            .chain(self.index.notice())
            .chain(self.audit.clone())
            .collect()
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
    /// Snapshots written.
    pub snapshots: u64,
}

/// The store on disk. Dropping it waits for what is being written and gives the store free for the next process.
pub struct DiskStore {
    shared: Arc<Shared>,
    writer: Arc<Mutex<Writer>>,
    /// How many want something written or wait for it.
    callers: AtomicUsize,
    /// Absent only while dropping.
    queue: Option<mpsc::Sender<Batch>>,
    /// Absent only while dropping.
    snapshots: Option<std::sync::mpsc::Sender<Box<Snapshot>>>,
    threads: Vec<JoinHandle<()>>,
    /// What the start begins with, until it is asked for.
    start: Mutex<Option<Kept>>,
}

/// Somebody who wants something written, until it is or they let go.
struct Call<'a>(&'a AtomicUsize);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
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

    /// The same for a command that has it until it is done.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_briefly(path: impl Into<PathBuf>) -> Result<(Self, Opened), StoreError> {
        Self::open_with(path, Options { brief: true, ..Options::default() }).await
    }

    /// Opens the store with another layout than usual.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_with(path: impl Into<PathBuf>, options: Options) -> Result<(Self, Opened), StoreError> {
        let path = path.into();
        let place = path.clone();
        let opening = tokio::task::spawn_blocking(move || open(path, options, false)).await;
        opening
            .unwrap_or_else(|error| Err(StoreError::Io { doing: "open", path: place, source: io::Error::other(error) }))
    }

    /// The outputs that are kept beside the facts.
    pub fn blobs(&self) -> DiskBlobs {
        self.shared.blobs.clone()
    }

    /// What the store has done since it was opened.
    pub fn counters(&self) -> Counters {
        let counts = &self.shared.counts;
        let [batches, facts, bytes, syncs, refused, snapshots] =
            [&counts.batches, &counts.facts, &counts.bytes, &counts.syncs, &counts.refused, &counts.snapshots]
                .map(|count| count.load(Ordering::Relaxed));
        Counters { batches, facts, bytes, syncs, refused, snapshots }
    }

    /// The number of the newest fact that is stored; 0 when there is none.
    pub fn newest(&self) -> u64 {
        self.shared.newest()
    }

    /// Removes what ended before `cutoff`, as is done every hour by itself when the store was opened with a time to keep.
    ///
    /// # Errors
    /// The system refuses, or what is to be removed is damaged. Nothing is lost that was to be kept.
    pub async fn retain(&self, cutoff: Timestamp) -> Result<Freed, StoreError> {
        let shared = Arc::clone(&self.shared);
        let path = shared.path.clone();
        let retained = tokio::task::spawn_blocking(move || retain(&shared, cutoff)).await;
        retained.unwrap_or_else(|error| Err(StoreError::Io { doing: "clear", path, source: io::Error::other(error) }))
    }

    /// Removes outputs that were written before `cutoff`, but for those of executions that go on, as is done every hour by itself when the store was
    /// opened with a time to keep them.
    ///
    /// # Errors
    /// The system refuses.
    pub async fn shed(&self, cutoff: Timestamp) -> Result<Freed, StoreError> {
        let shared = Arc::clone(&self.shared);
        let path = shared.path.clone();
        let shed = tokio::task::spawn_blocking(move || shed(&shared, cutoff)).await;
        shed.unwrap_or_else(|error| Err(StoreError::Io { doing: "clear", path, source: io::Error::other(error) }))
    }

    /// How many facts the audit has not taken in yet.
    pub fn audit_behind(&self) -> u64 {
        self.newest().saturating_sub(self.shared.audit().taken())
    }

    /// Room for this account on the file system of the store, as of a few seconds ago; nothing where the system does not say.
    pub fn free_bytes(&self) -> Option<u64> {
        self.shared.room().map(|room| room.free)
    }

    /// Writes a batch on the caller's thread when the disk is quick, nobody else wants to write and nothing waits; gives it back otherwise.
    async fn write_here(&self, batch: Batch) -> Option<Batch> {
        let waiting = || self.queue.as_ref().is_none_or(|queue| queue.capacity() < queue.max_capacity());
        if !self.shared.quick.load(Ordering::Relaxed) || waiting() || self.shared.waiting_for_index() > UNINDEXED {
            return Some(batch);
        }
        let rested = self.writer.try_lock().is_ok_and(|writer| writer.ended.elapsed() > QUICK);
        if !rested {
            // Others on this thread come to their turn, be it to write as well or to get going what was stored just now.
            tokio::task::yield_now().await;
        }
        if waiting() || self.callers.load(Ordering::Relaxed) > 1 {
            return Some(batch);
        }
        let Ok(mut writer) = self.writer.try_lock() else { return Some(batch) };
        let bytes = batch.bytes() as u64;
        writer.store(&mut vec![batch], bytes);
        None
    }

    fn gone(&self) -> StoreError {
        let source = io::Error::other("the thread that writes has stopped; restart the bot");
        StoreError::Io { doing: "append to", path: self.shared.path.clone(), source }
    }
}

/// The directories of a store.
pub(crate) const DIRECTORIES: [&str; 4] = ["log", "blobs", "snapshots", AUDIT];

pub(crate) fn open(path: PathBuf, options: Options, audit_anew: bool) -> Result<(DiskStore, Opened), StoreError> {
    make_directory(&path)?;
    for directory in DIRECTORIES {
        make_directory(&path.join(directory))?;
    }
    let lock = Arc::new(Lock::take(&path, options.brief)?);
    import::settle(&path)?;
    let blobs = DiskBlobs::open(path.join("blobs"), Arc::clone(&lock))?;
    let Found { log, cut, start, base, notices } = opening::open(&path, options.rooms())?;
    for notice in cut.iter().map(Cut::to_string).chain(notices.iter().cloned()) {
        tracing::warn!("{notice}");
    }
    let tip = (log.newest(), log.checksum());
    let (index, origin) = Index::open(&path, tip, base.clone(), start.anchor())?;
    let (audit, missing) = Audit::open(&path, (&start, &base), tip.0, audit_anew)?;
    let audit_aside = match audit::newest_aside(&path)? {
        Some(place) => Some(AuditAside { place, why: None, head: audit.before_first()? }),
        None => None,
    };
    let opened = Opened {
        facts: tip.0,
        cut,
        index: origin,
        snapshot: start.snapshot.newest,
        snapshots: notices,
        audit: missing,
        audit_aside,
    };
    let shared = Arc::new(Shared::new(path, options, blobs, (index, audit), base, tip, lock));
    shared.set_anchor(start.anchor());
    shared.counts.facts_since.store(tip.0 - start.snapshot.newest, Ordering::Relaxed);
    log::begin_reserve(&shared);
    let (queue, batches) = mpsc::channel(WAITING);
    let (snapshots, wanted) = std::sync::mpsc::channel();
    let writer = Arc::new(Mutex::new(Writer { log, shared: Arc::clone(&shared), ended: Instant::now() }));
    let upkeep = Arc::clone(&shared);
    let writing = Arc::clone(&writer);
    let threads = vec![
        begin(&shared, "store", move || write(&writing, batches))?,
        begin(&shared, "store-upkeep", move || upkeep::run(&upkeep, &wanted))?,
    ];
    let start = Mutex::new(Some(start));
    let callers = AtomicUsize::new(0);
    Ok((DiskStore { shared, writer, callers, queue: Some(queue), snapshots: Some(snapshots), threads, start }, opened))
}

fn begin(shared: &Shared, name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let begun = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    begun.map_err(|source| StoreError::Io { doing: "start a thread of", path: shared.path.clone(), source })
}

pub(crate) fn make_directory(directory: &Path) -> Result<(), StoreError> {
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
        self.shared.stopping.store(true, Ordering::Relaxed);
        (self.queue, self.snapshots) = (None, None);
        for thread in self.threads.drain(..) {
            // It has panicked at worst, which has been reported where it happened.
            let _ = thread.join();
        }
        // What is left undone is done by the next start.
        drop(self.shared.index());
        let newest = self.shared.newest();
        let mut audit = self.shared.audit();
        let audited = audit.catch_up(newest, AUDITED_AT_THE_END).and_then(|_| audit.settle());
        if let Err(error) = audited {
            tracing::warn!(%error, "the audit is behind the facts; the next start makes it good");
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
            let path = self.shared.path.clone();
            StoreError::Io { doing: "encode a fact for", path, source: io::Error::other(error) }
        })?;
        let (done, told) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(|| self.gone())?;
        self.callers.fetch_add(1, Ordering::Relaxed);
        let _calls = Call(&self.callers);
        if let Some(batch) = self.write_here(Batch { facts, payloads, done }).await {
            queue.send(batch).await.map_err(|_| self.gone())?;
        }
        told.await.map_err(|_| self.gone())?
    }

    async fn replay(&self) -> Result<Vec<Dated>, StoreError> {
        self.read_after(self.shared.base().snapshot.newest).await
    }

    async fn recall(&self) -> Result<Recalled, StoreError> {
        let kept = self.start.lock().unwrap_or_else(PoisonError::into_inner).take();
        let snapshot = match kept {
            // What it begins with may have been removed since.
            Some(kept) if kept.snapshot.newest >= self.shared.base().snapshot.newest => kept.snapshot,
            _ => self.shared.base().snapshot,
        };
        let facts = self.read_after(snapshot.newest).await?;
        Ok(Recalled { snapshot, facts })
    }

    fn wants_snapshot(&self) -> bool {
        self.shared.wants_snapshot()
    }

    fn snapshot(&self, snapshot: Snapshot) {
        let counts = &self.shared.counts;
        counts.writing.store(true, Ordering::Relaxed);
        counts.facts_since.store(0, Ordering::Relaxed);
        counts.bytes_since.store(0, Ordering::Relaxed);
        if let Some(snapshots) = &self.snapshots {
            // Without the thread that writes it there is none, and the next start takes longer.
            let _ = snapshots.send(Box::new(snapshot));
        }
    }

    async fn room(&self) -> Option<Room> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.room()).await.ok().flatten()
    }

    async fn audit(&self, question: &Question) -> Result<Told, StoreError> {
        let (shared, question) = (Arc::clone(&self.shared), question.clone());
        let path = shared.path.clone();
        let told = tokio::task::spawn_blocking(move || {
            let head = shared.audit_all()?;
            Ok(audit::answer(&shared.path, &question)?.unwrap_or(Told::Head { head }))
        });
        told.await.unwrap_or_else(|error| {
            Err(StoreError::Io { doing: "look into the audit of", path, source: io::Error::other(error) })
        })
    }

    async fn find(&self, query: &Query) -> Result<Vec<Execution>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let query = query.clone();
        let found = tokio::task::spawn_blocking(move || {
            let newest = shared.newest();
            shared.index().find(&query, newest)
        });
        found.await.unwrap_or_else(|error| Err(StoreError::Index(error.to_string())))
    }
}

impl DiskStore {
    /// Folds what the start begins with up to the newest fact, so that whatever keeps the facts from being a memory is found out before
    /// anybody relies on them. [`Store::recall`] then gives the result.
    ///
    /// # Errors
    /// A fact is none, or cannot be true after those before it.
    pub(crate) async fn fold(&self) -> Result<(), StoreError> {
        let Some(kept) = self.start.lock().unwrap_or_else(PoisonError::into_inner).take() else { return Ok(()) };
        let (shared, newest) = (Arc::clone(&self.shared), self.newest());
        let folding = tokio::task::spawn_blocking(move || {
            let directory = shared.directory("log");
            let mut kept = kept;
            let from = kept.snapshot.newest + 1;
            if from > newest {
                return Ok(kept);
            }
            for stored in Reading::new(&directory, from, newest).near(shared.anchor()) {
                kept.take(&directory, &stored?)?;
            }
            Ok(kept)
        });
        let path = self.shared.path.clone();
        let folded = folding
            .await
            .unwrap_or_else(|error| Err(StoreError::Io { doing: "read", path, source: io::Error::other(error) }))?;
        *self.start.lock().unwrap_or_else(PoisonError::into_inner) = Some(folded);
        Ok(())
    }

    /// All facts after this one.
    async fn read_after(&self, number: u64) -> Result<Vec<Dated>, StoreError> {
        if number == self.newest() {
            return Ok(Vec::new());
        }
        let reading = Reading::new(&self.shared.directory("log"), number + 1, self.newest()).near(self.shared.anchor());
        let path = self.shared.path.clone();
        let read =
            tokio::task::spawn_blocking(move || reading.map(|stored| stored.map(|stored| stored.dated)).collect());
        read.await.unwrap_or_else(|error| Err(StoreError::Io { doing: "read", path, source: io::Error::other(error) }))
    }
}

/// Whoever holds it writes.
struct Writer {
    log: Log,
    shared: Arc<Shared>,
    /// When the last write was over.
    ended: Instant,
}

/// Writes what waits until nobody can append any more.
fn write(writer: &Mutex<Writer>, mut batches: mpsc::Receiver<Batch>) {
    let mut group = Vec::new();
    let mut carried = None;
    loop {
        let Some(first) = carried.take().or_else(|| batches.blocking_recv()) else { return };
        // While somebody else writes, more gathers.
        let Ok(mut writer) = writer.lock() else { return };
        let mut bytes = first.bytes();
        group.push(first);
        while let Ok(batch) = batches.try_recv() {
            if bytes + batch.bytes() > WRITE {
                carried = Some(batch);
                break;
            }
            bytes += batch.bytes();
            group.push(batch);
        }
        writer.store(&mut group, bytes as u64);
        let shared = Arc::clone(&writer.shared);
        drop(writer);
        shared.try_index();
    }
}

impl Writer {
    fn store(&mut self, group: &mut Vec<Batch>, bytes: u64) {
        let before = self.log.newest();
        let began = Instant::now();
        let counts = &self.shared.counts;
        let mut appended = self.log.append(group.iter().map(|batch| batch.payloads.as_slice()));
        if let Err(StoreError::Io { source, .. }) = &appended
            && log::is_full(source)
            && log::give_up_reserve(&self.shared.path)
        {
            tracing::warn!("the disk is full; the room that was set aside for the end of what runs is used now");
            appended = self.log.append(group.iter().map(|batch| batch.payloads.as_slice()));
        }
        counts.syncs.store(self.log.syncs(), Ordering::Relaxed);
        self.ended = Instant::now();
        self.shared.quick.store(self.ended.duration_since(began) < QUICK, Ordering::Relaxed);
        if self.shared.refusing.swap(appended.is_err(), Ordering::Relaxed) {
            self.shared.forget_room();
        }
        let written = match appended {
            Ok(written) => written,
            Err(error) => {
                counts.refused.fetch_add(group.len() as u64, Ordering::Relaxed);
                for batch in group.drain(..) {
                    // A caller that has stopped waiting does not want to know.
                    let _ = batch.done.send(Err(same(&error)));
                }
                return;
            }
        };
        let facts = self.log.newest() - before;
        counts.batches.fetch_add(group.len() as u64, Ordering::Relaxed);
        counts.facts.fetch_add(facts, Ordering::Relaxed);
        counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        counts.facts_since.fetch_add(facts, Ordering::Relaxed);
        counts.bytes_since.fetch_add(bytes, Ordering::Relaxed);
        let tip = (self.log.newest(), self.log.checksum());
        self.shared.tell_index(entries(group, before + 1, written, tip));
        self.shared.set_tip(tip);
        for batch in group.drain(..) {
            let _ = batch.done.send(Ok(()));
        }
    }
}

/// What the index keeps of batches that were written one behind the other.
fn entries(group: &[Batch], first: u64, written: Written, tip: (u64, u32)) -> Vec<Entry> {
    let facts = group.iter().flat_map(|batch| batch.facts.iter().zip(&batch.payloads));
    let mut offset = written.offset;
    let entry = |(sequence, (dated, payload)): (u64, (&Dated, &Vec<u8>))| {
        let place = Written { offset, ..written };
        offset += (record::HEADER + payload.len()) as u64;
        Entry::new(sequence, if sequence == tip.0 { tip.1 } else { 0 }, place, dated)
    };
    (first..).zip(facts).map(entry).collect()
}

impl Batch {
    fn bytes(&self) -> usize {
        self.payloads.iter().map(Vec::len).sum()
    }
}
