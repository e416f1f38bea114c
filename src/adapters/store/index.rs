//! Executions by the end of their id and by time, derived from the log and kept in sled.
//!
//! One tree. `x<id>0<number>` says where in the log a fact about an execution stands; an execution is put together from these when it is
//! looked up, so that **a fact costs the index a few bytes, whatever it says and however many came before it**. `s<id backwards>` has the
//! time of its start and `t<start><id>` its action, for the two ways to look. `f<number><id>` says which fact ended it. `e<id>` is there for
//! executions that began before the first fact that is kept: the execution as it stood then. `a` says how far the log has been taken in,
//! with the checksum of the last fact that was, and `b` which base the index stands on. What a group of facts changes goes in as one sled
//! batch together with `a`, so **the index is always that of a prefix of the log**, and what is missing is taken in from the log, at the
//! start or before the next question.
//!
//! **Whatever sled does, the facts are safe and the bot goes on.** Its open and its operations are known to panic on files that a crash
//! left behind; that is caught here (and needs panics to unwind), the files are set aside, and the index is built again. Only here is a
//! panic caught: a broken index endangers nothing.

use crate::adapters::store::entry::{self, Entry, Turn};
use crate::adapters::store::log::Written;
use crate::adapters::store::reading::Reading;
use crate::adapters::store::segment::{self, Anchor};
use crate::adapters::store::snapshot::Kept;
use crate::core::action::execution::{Execution, Requested};
use crate::core::content::glob::covers;
use crate::core::effect::Query;
use crate::core::fact::{Dated, Fact};
use crate::runtime::ports::StoreError;
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The layout described above. An index of another is built again.
const LAYOUT: u8 = 2;
/// sled's cache; its default of a gigabyte is meant for a database server. What is looked up again soon is in the kernel's cache anyway.
const CACHE: u64 = 1 << 20;
/// sled gives room back in pieces of this size; its default of half a megabyte is more than many an index.
const SEGMENT: usize = 1 << 16;
/// How many facts are taken in at once while catching up, and how many that concern no execution pass before `a` is written.
const STRIDE: usize = 1024;
/// How many executions are removed at once.
const REMOVED: usize = 100;
/// How many facts are taken in while the store is opened; the rest follows in the background.
const AT_ONCE: u64 = 20_000;
/// How many executions [`Query::ById`] gives at most.
const MOST_BY_ID: usize = 100;
/// How many executions are put together to find those that a filter takes.
const MOST_FILTERED: usize = 1000;
/// How long sled may take to let go of its files.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the index came from when the store was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It was there; so many facts were missing in it.
    Kept {
        /// The number of facts that it had to take in.
        behind: u64,
    },
    /// There was none, or nothing was in it, so it was derived from all facts. A crash soon after the store was made leaves it like that.
    Made,
    /// The one that was there could not be used; it was derived again from all facts.
    Rebuilt {
        /// What was wrong with it.
        why: String,
    },
    /// The one that was there knew facts that the log does not have: **facts that had been promised are gone**, or somebody put an older
    /// log in the place of this one. It was derived again from the facts there are.
    Ahead {
        /// The number of the newest fact that it knew.
        known: u64,
        /// The number of the newest fact in the log.
        stored: u64,
    },
    /// It cannot be made at present, so executions cannot be looked up. Every question tries again.
    Missing {
        /// What stands in the way.
        why: String,
    },
}

impl Origin {
    /// What an administrator should know of it.
    pub(crate) fn notice(&self) -> Option<String> {
        match self {
            Origin::Kept { .. } | Origin::Made => None,
            Origin::Rebuilt { why } => Some(format!("the index of executions was built again from the log: {why}")),
            Origin::Missing { why } => Some(format!("past executions cannot be looked up for now: {why}")),
            Origin::Ahead { known, stored } => Some(format!(
                "facts are missing: the index of executions knew {known}, the log has {stored}. Either the log was replaced by an older one, or the disk has lost what it had confirmed"
            )),
        }
    }
}

/// The index, open.
pub(crate) struct Index {
    store: PathBuf,
    /// Absent after sled has failed, until the index has been built again.
    db: Option<sled::Db>,
    /// The number of the last fact that was taken in.
    applied: u64,
    /// The same, as far as sled has been told.
    noted: u64,
    /// What stands for the facts that were removed.
    base: Kept,
    /// How many bytes it took on disk when it was built last; 0 when that was not by this process.
    least: u64,
    /// A record near the end of the log whose place is known.
    anchor: Anchor,
    /// Why there is no `db`.
    failure: String,
}

impl Index {
    /// Opens the index of a store whose newest fact has this number and this checksum, and lets it catch up as far as that is soon done.
    pub(crate) fn open(
        store: &Path,
        (newest, checksum): (u64, u32),
        base: Kept,
        anchor: Anchor,
    ) -> Result<(Self, Origin), StoreError> {
        let (store, failure) = (store.to_owned(), String::new());
        let mut index = Index { store, db: None, applied: 0, noted: 0, base, least: 0, anchor, failure };
        let origin = match index.attach() {
            Ok(None) => Origin::Made,
            Ok(Some((known, _))) if known > newest => Origin::Ahead { known, stored: newest },
            Ok(Some((known, seen))) if index.agrees(known, seen, newest, checksum)? => {
                (index.applied, index.noted) = (known, known);
                match index.settle(newest) {
                    Ok(()) => return Ok((index, Origin::Kept { behind: newest - known })),
                    Err(StoreError::Index(why)) => Origin::Rebuilt { why },
                    // The log itself is at fault, where the start does not need it: a bot that cannot look back is better than none.
                    Err(other) => Origin::Missing { why: other.to_string() },
                }
            }
            Ok(Some(_)) => Origin::Rebuilt { why: "it belongs to another log".to_owned() },
            Err(why) => Origin::Rebuilt { why },
        };
        let built = match &origin {
            Origin::Made => index.begin(newest),
            Origin::Missing { .. } => Ok(()),
            Origin::Kept { .. } | Origin::Rebuilt { .. } | Origin::Ahead { .. } => index.rebuild(newest),
        };
        let origin = match built {
            Ok(()) => origin,
            Err(error) => {
                index.fail(error.to_string());
                Origin::Missing { why: error.to_string() }
            }
        };
        if let Some(notice) = origin.notice() {
            tracing::warn!("{notice}");
        }
        Ok((index, origin))
    }

    /// Takes in what has just been stored. Never fails: what sled does not take is made up for by the next [`Self::find`].
    pub(crate) fn take(&mut self, entries: Vec<Entry>) {
        // An index that has failed, or has not caught up, may not leave facts out.
        let follows = entries.first().is_some_and(|entry| entry.sequence <= self.applied + 1);
        if self.db.is_none() || !follows {
            return;
        }
        if let Err(error) = self.apply(entries.into_iter()) {
            self.fail(error);
        }
    }

    /// Looks executions up, in an index that has taken in all facts up to `newest`.
    pub(crate) fn find(&mut self, query: &Query, newest: u64) -> Result<Vec<Execution>, StoreError> {
        if self.db.is_none() {
            tracing::warn!(why = %self.failure, "the index of executions has failed and is built again");
            self.rebuild(newest)?;
        }
        self.catch_up(newest)?;
        let found = self.look_up(query).map_err(|why| {
            self.fail(why.clone());
            StoreError::Index(why)
        })?;
        let mut executions = found.into_iter().filter_map(|found| self.put_together(found).transpose());
        let Query::Filtered { limit, filter, .. } = query else { return executions.collect() };
        let mut taken = Vec::new();
        while taken.len() < *limit
            && let Some(execution) = executions.next().transpose()?
        {
            if filter.since.is_some_and(|since| execution.started < since) {
                break;
            }
            if filter.takes(&execution) {
                taken.push(execution);
            }
        }
        Ok(taken)
    }

    /// The ids that a question is about, in the order of the answer, with what is known of each.
    fn look_up(&self, query: &Query) -> Result<Vec<Found>, String> {
        let db = self.db()?;
        guarded(|| {
            let mut found = Vec::new();
            match query {
                Query::ById(digits) if digits.is_empty() => {}
                Query::ById(digits) => {
                    let digits = digits.to_ascii_lowercase();
                    let mut ids = Vec::new();
                    for entry in db.scan_prefix(entry::by_end(&digits)).take(MOST_BY_ID) {
                        let (key, started) = entry.map_err(|error| error.to_string())?;
                        let id: Vec<u8> = key.iter().skip(1).rev().copied().collect();
                        ids.push((started.to_vec(), id));
                    }
                    ids.sort_by(|one, other| other.cmp(one));
                    for (_, id) in ids {
                        found.push(facts_of(db, &id)?);
                    }
                }
                Query::Newest(limit) => found = newest_of(db, *limit, |_| true)?,
                Query::Filtered { actions, filter, .. } => {
                    let wanted = |action: &str| {
                        actions.iter().any(|glob| covers(glob, action))
                            && filter.action.as_ref().is_none_or(|glob| covers(glob, action))
                    };
                    found = newest_of(db, MOST_FILTERED, wanted)?;
                }
                Query::Visible { limit, actions } => {
                    found = newest_of(db, *limit, |action| actions.iter().any(|glob| covers(glob, action)))?;
                }
            }
            Ok(found)
        })
    }

    /// An execution as its facts in the log say.
    fn put_together(&self, found: Found) -> Result<Option<Execution>, StoreError> {
        let directory = self.log();
        let head = found.head.map(|json| serde_json::from_slice(&json)).transpose();
        let mut execution = head.map_err(|error| StoreError::Index(error.to_string()))?;
        for (sequence, place) in found.facts {
            fold(&mut execution, &segment::fetch(&directory, place, sequence)?);
        }
        Ok(execution)
    }

    /// Takes in facts, in order, those already known left out.
    fn apply(&mut self, entries: impl Iterator<Item = Entry>) -> Result<(), String> {
        let db = self.db()?;
        let mut batch = sled::Batch::default();
        let mut touched = false;
        let mut started = BTreeSet::new();
        let mut applied = (self.applied, 0);
        for entry in entries.filter(|entry| entry.sequence > self.applied) {
            applied = (entry.sequence, entry.checksum);
            let Some((id, turn)) = &entry.about else { continue };
            touched = true;
            batch.insert(entry::by_fact(id.as_str().as_bytes(), entry.sequence), entry::place(entry.place).as_slice());
            match turn {
                Turn::Started { at, action } => {
                    let end = entry::by_end(id.as_str());
                    // A second start of the same execution is nonsense, which is found out when it is put together.
                    if started.insert(id.clone())
                        && !guarded(|| db.contains_key(&end).map_err(|error| error.to_string()))?
                    {
                        batch.insert(end, entry::time(*at).as_slice());
                        batch.insert(entry::by_time(*at, id.as_str().as_bytes()), action.as_str());
                    }
                }
                Turn::Within { at } => {
                    let end = entry::by_end(id.as_str());
                    if started.insert(id.clone())
                        && !guarded(|| db.contains_key(&end).map_err(|error| error.to_string()))?
                    {
                        batch.insert(end, entry::time(*at).as_slice());
                    }
                }
                Turn::Finished => batch.insert(entry::by_finish(entry.sequence, id.as_str().as_bytes()), &[]),
                Turn::Other => {}
            }
        }
        let due = applied.0 - self.noted >= STRIDE as u64 && applied.1 != 0;
        if !touched && !due {
            self.applied = applied.0;
            return Ok(());
        }
        batch.insert(b"a", progress(applied.0, applied.1));
        guarded(|| db.apply_batch(batch).map_err(|error| error.to_string()))?;
        (self.applied, self.noted) = (applied.0, applied.0);
        Ok(())
    }

    /// Takes in what is missing.
    fn catch_up(&mut self, newest: u64) -> Result<(), StoreError> {
        while self.catch_up_by(newest, u64::MAX)? {}
        Ok(())
    }

    /// Takes in so many of the facts that are missing, or a few more. Says whether any still are.
    pub(crate) fn catch_up_by(&mut self, newest: u64, most: u64) -> Result<bool, StoreError> {
        if self.db.is_none() || self.applied >= newest {
            return Ok(false);
        }
        let end = newest.min(self.applied.saturating_add(most));
        let mut reading = Reading::new(&self.log(), self.applied + 1, newest).near(self.anchor);
        while self.applied < end {
            let mut facts = Vec::with_capacity(STRIDE);
            for stored in reading.by_ref().take(STRIDE) {
                let stored = stored?;
                facts.push(Entry::new(stored.sequence, stored.checksum, stored.place, &stored.dated));
            }
            if facts.is_empty() {
                return Ok(false);
            }
            if let Err(why) = self.apply(facts.into_iter()) {
                self.fail(why.clone());
                return Err(StoreError::Index(why));
            }
        }
        Ok(self.applied < newest)
    }

    /// Sets aside what is there and derives all anew.
    fn rebuild(&mut self, newest: u64) -> Result<(), StoreError> {
        self.close();
        self.set_aside()?;
        self.attach().map_err(StoreError::Index)?;
        self.begin(newest)
    }

    /// Begins with what stands for the facts that were removed.
    fn begin(&mut self, newest: u64) -> Result<(), StoreError> {
        (self.applied, self.noted) = (self.base.snapshot.newest, self.base.snapshot.newest);
        self.stand_on_base(true).map_err(|why| {
            self.fail(why.clone());
            StoreError::Index(why)
        })?;
        self.settle(newest)
    }

    /// Forgets what was removed from the log and takes in what can soon be taken in.
    fn settle(&mut self, newest: u64) -> Result<(), StoreError> {
        let settled = self.stand_on_base(false).and_then(|()| {
            while self.forget_some()? > 0 {}
            Ok(())
        });
        settled.map_err(|why| {
            self.fail(why.clone());
            StoreError::Index(why)
        })?;
        self.catch_up_by(newest, AT_ONCE)?;
        Ok(())
    }

    /// Takes another base, for facts up to it are about to be removed. [`Self::forget_some`] does the rest.
    pub(crate) fn rest_on(&mut self, base: Kept) -> Result<(), StoreError> {
        self.base = base;
        if self.db.is_none() {
            return Ok(());
        }
        self.stand_on_base(false).map_err(|why| {
            self.fail(why.clone());
            StoreError::Index(why)
        })
    }

    /// Puts the executions that were under way at the base in the place of their facts before it.
    fn stand_on_base(&mut self, new: bool) -> Result<(), String> {
        let db = self.db()?;
        let number = self.base.snapshot.newest.to_be_bytes();
        let known = guarded(|| db.get(b"b").map_err(|error| error.to_string()))?;
        if !new && known.is_some_and(|known| *known == number) {
            return Ok(());
        }
        let mut batch = sled::Batch::default();
        for execution in self.base.snapshot.memory.executions.values() {
            let id = execution.request.id.as_str().as_bytes();
            for (sequence, _) in facts_of(db, id)?.facts {
                if sequence <= self.base.snapshot.newest {
                    batch.remove(entry::by_fact(id, sequence));
                }
            }
            let json = serde_json::to_vec(execution).map_err(|error| error.to_string())?;
            batch.insert(entry::by_id(id), json);
            batch.insert(entry::by_end(execution.request.id.as_str()), entry::time(execution.started).as_slice());
            if execution.request.parent.is_none() {
                batch.insert(entry::by_time(execution.started, id), execution.request.action.as_str());
            }
        }
        batch.insert(b"b", number.as_slice());
        if new && self.base.snapshot.newest > 0 {
            batch.insert(b"a", progress(self.base.snapshot.newest, self.base.checksum));
        }
        guarded(|| db.apply_batch(batch).map_err(|error| error.to_string()))
    }

    /// Forgets some of the executions that ended before the base. Says how many.
    pub(crate) fn forget_some(&mut self) -> Result<usize, String> {
        let db = self.db()?;
        let newest = self.base.snapshot.newest;
        guarded(|| {
            let mut batch = sled::Batch::default();
            let mut count = 0;
            for entry in db.range(entry::by_finish(0, &[])..entry::by_finish(newest + 1, &[])).keys().take(REMOVED) {
                let key = entry.map_err(|error| error.to_string())?;
                let id = key.get(9..).unwrap_or_default();
                let end = entry::by_end(&String::from_utf8_lossy(id));
                if let Some(started) = db.get(&end).map_err(|error| error.to_string())? {
                    batch.remove([b"t".as_slice(), &started, id].concat());
                }
                for (sequence, _) in facts_of(db, id)?.facts {
                    batch.remove(entry::by_fact(id, sequence));
                }
                batch.remove(end);
                batch.remove(entry::by_id(id));
                batch.remove(&key);
                count += 1;
            }
            if count > 0 {
                db.apply_batch(batch).map_err(|error| error.to_string())?;
            }
            Ok(count)
        })
    }

    /// How many bytes it takes on disk, and builds it again from the log when that is far more than it has to take: sled gives little back.
    pub(crate) fn shrink(&mut self, newest: u64, most: u64) -> Result<bool, StoreError> {
        let bytes = size(&self.directory());
        // What it took when it was new is what it has to take.
        if self.db.is_none() || bytes <= most || bytes <= self.least.saturating_mul(2) {
            return Ok(false);
        }
        self.close();
        let directory = self.directory();
        match fs::remove_dir_all(&directory) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                self.failure = source.to_string();
                return Err(StoreError::Io { doing: "remove", path: directory, source });
            }
            _ => {}
        }
        self.attach().map_err(StoreError::Index)?;
        self.begin(newest)?;
        self.catch_up(newest)?;
        self.least = size(&self.directory());
        Ok(true)
    }

    /// Opens sled's files. Gives what is noted there of the last fact, if anything is.
    fn attach(&mut self) -> Result<Option<(u64, u32)>, String> {
        let config = sled::Config::default()
            .path(self.directory())
            .cache_capacity(CACHE)
            .mode(sled::Mode::LowSpace)
            .segment_size(SEGMENT)
            .flush_every_ms(Some(1000));
        let patience = Instant::now();
        let db = loop {
            match guarded(|| config.open().map_err(|error| error.to_string())) {
                // Only we can hold sled's lock, as we hold the store's: an earlier handle in this process that is still being dropped.
                Err(why) if why.contains("could not acquire lock") && patience.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                other => break other?,
            }
        };
        let noted = guarded(|| db.get(b"a").map_err(|error| error.to_string()));
        // What it stands on is noted before anything is taken in.
        let nothing = || Ok(db.iter().keys().all(|key| key.is_ok_and(|key| *key == *b"b")));
        let empty = noted.is_ok() && guarded(nothing)?;
        self.db = Some(db);
        match noted? {
            Some(noted) => match *noted {
                [LAYOUT, a, b, c, d, e, f, g, h, i, j, k, l] => {
                    Ok(Some((u64::from_be_bytes([a, b, c, d, e, f, g, h]), u32::from_be_bytes([i, j, k, l]))))
                }
                _ => Err("its layout is another".to_owned()),
            },
            None if empty => Ok(None),
            None => Err("it does not say how far it has got".to_owned()),
        }
    }

    /// Whether the fact that the index saw last is the one that stands in the log.
    fn agrees(&self, known: u64, seen: u32, newest: u64, checksum: u32) -> Result<bool, StoreError> {
        if known == newest {
            return Ok(seen == checksum);
        }
        if known <= self.base.snapshot.newest {
            return Ok(known == self.base.snapshot.newest && seen == self.base.checksum);
        }
        let stored = Reading::new(&self.log(), known, known).near(self.anchor).next().transpose()?;
        Ok(stored.is_some_and(|stored| stored.checksum == seen))
    }

    /// Moves sled's files out of the way. Of those set aside before only the newest numbers survive: what is in them can be derived.
    fn set_aside(&self) -> Result<(), StoreError> {
        let failed = |source| StoreError::Io { doing: "set aside", path: self.directory(), source };
        let mut newest = 0;
        for entry in fs::read_dir(&self.store).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if let Some(number) = name.to_str().and_then(|name| name.strip_prefix("index.broken-")?.parse::<u64>().ok())
            {
                newest = newest.max(number);
                fs::remove_dir_all(entry.path()).map_err(failed)?;
            }
        }
        match fs::rename(self.directory(), self.store.join(format!("index.broken-{}", newest + 1))) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }

    fn fail(&mut self, why: String) {
        tracing::error!(%why, "the index of executions has failed; the facts are safe");
        self.failure = why;
        self.close();
    }

    /// Lets go of sled. It waits for its own flushing thread without end, even when that has died, so the waiting is done elsewhere.
    fn close(&mut self) {
        let Some(db) = self.db.take() else { return };
        let (done, closed) = mpsc::channel();
        let closing = std::thread::Builder::new().name("index-close".to_owned()).spawn(move || {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
            let _ = done.send(());
        });
        if closing.is_ok() && closed.recv_timeout(PATIENCE).is_err() {
            tracing::warn!("the index of executions does not close; it is left as it is");
        }
    }

    fn db(&self) -> Result<&sled::Db, String> {
        self.db.as_ref().ok_or_else(|| self.failure.clone())
    }

    fn directory(&self) -> PathBuf {
        self.store.join("index")
    }

    fn log(&self) -> PathBuf {
        self.store.join("log")
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.close();
    }
}

/// Takes a fact into the execution that it is about. One that cannot be is left out: the core judges the log, not the index.
pub(crate) fn fold(execution: &mut Option<Execution>, dated: &Dated) {
    let taken = match (execution.as_mut(), &dated.fact) {
        (None, Fact::ExecutionStarted(request)) => {
            *execution = Some(Execution::start(dated.at, Requested::clone(request)));
            Ok(())
        }
        (None, Fact::ExecutionWaits(waits)) => {
            *execution = Some(Execution::wait(dated.at, waits));
            Ok(())
        }
        (Some(execution), fact) => execution.apply(dated.at, fact).map_err(|illegal| illegal.to_string()),
        (None, _) => Err("it was never started".to_owned()),
    };
    if let Err(why) = taken {
        tracing::warn!(execution = ?dated.fact.execution(), %why, "a fact in the log makes no sense and is left out of the index");
    }
}

/// Does something with sled, which may panic.
fn guarded<T>(act: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| {
        let why = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("sled panicked: {}", why.unwrap_or("it does not say why")))
    })
}

/// What the index knows of an execution.
struct Found {
    /// The execution before its first fact that is kept, as JSON.
    head: Option<Vec<u8>>,
    /// Its facts by number.
    facts: Vec<(u64, Written)>,
}

fn facts_of(db: &sled::Db, id: &[u8]) -> Result<Found, String> {
    let head = db.get(entry::by_id(id)).map_err(|error| error.to_string())?.map(|json| json.to_vec());
    let mut facts = Vec::new();
    for found in db.scan_prefix(entry::facts_of(id)) {
        let (key, value) = found.map_err(|error| error.to_string())?;
        facts.push(entry::read(&key, &value).ok_or("an entry of it makes no sense")?);
    }
    Ok(Found { head, facts })
}

/// The newest executions whose action is wanted.
fn newest_of(db: &sled::Db, limit: usize, wanted: impl Fn(&str) -> bool) -> Result<Vec<Found>, String> {
    let mut found = Vec::new();
    let mut entries = db.scan_prefix(b"t").rev();
    while found.len() < limit {
        let Some(entry) = entries.next() else { break };
        let (key, action) = entry.map_err(|error| error.to_string())?;
        if wanted(&String::from_utf8_lossy(&action)) {
            found.push(facts_of(db, key.get(9..).unwrap_or_default())?);
        }
    }
    Ok(found)
}

/// The bytes that the files in a directory take.
pub(crate) fn size(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(file) if file.is_dir() => size(&entry.path()),
        Ok(file) => file.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}

fn progress(applied: u64, checksum: u32) -> Vec<u8> {
    [[LAYOUT].as_slice(), &applied.to_be_bytes(), &checksum.to_be_bytes()].concat()
}
