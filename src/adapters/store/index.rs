//! Executions by the end of their id and by time, derived from the log and kept in sled.
//!
//! One tree: `e<id>` the execution as JSON, `s<id backwards>` and `t<start><id>` nothing, `a` how far the log has been taken in and the
//! checksum of the last fact that was. What a group of facts changes goes in as one sled batch together with `a`, so **the index is always
//! that of a prefix of the log**, and what is missing is taken in from the log, at the start or before the next question.
//!
//! **Whatever sled does, the facts are safe and the bot goes on.** Its open and its operations are known to panic on files that a crash
//! left behind; that is caught here (and needs panics to unwind), the files are set aside, and the index is built again. Only here is a
//! panic caught: a broken index endangers nothing.

use crate::adapters::store::reading::{Reading, Stored};
use crate::core::action::execution::{Execution, Requested};
use crate::core::effect::Query;
use crate::core::fact::{Dated, Fact};
use crate::core::id::ExecutionId;
use crate::runtime::ports::StoreError;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The layout described above. An index of another is built again.
const LAYOUT: u8 = 1;
/// sled's cache; its default of a gigabyte is meant for a database server.
const CACHE: u64 = 8 << 20;
/// How many facts are taken in at once while catching up, and how many that concern no execution pass before `a` is written.
const STRIDE: usize = 1024;
/// How many executions [`Query::ById`] gives at most.
const MOST_BY_ID: usize = 100;
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
    /// Why there is no `db`.
    failure: String,
}

impl Index {
    /// Opens the index of a store whose newest fact has this number and this checksum, and lets it catch up.
    pub(crate) fn open(store: &Path, newest: u64, checksum: u32) -> Result<(Self, Origin), StoreError> {
        let mut index = Index { store: store.to_owned(), db: None, applied: 0, noted: 0, failure: String::new() };
        let origin = match index.attach() {
            Ok(None) => Origin::Made,
            Ok(Some((known, _))) if known > newest => Origin::Ahead { known, stored: newest },
            Ok(Some((known, seen))) if index.agrees(known, seen, newest, checksum)? => {
                (index.applied, index.noted) = (known, known);
                match index.catch_up(newest) {
                    Ok(()) => return Ok((index, Origin::Kept { behind: newest - known })),
                    Err(StoreError::Index(why)) => Origin::Rebuilt { why },
                    Err(other) => return Err(other),
                }
            }
            Ok(Some(_)) => Origin::Rebuilt { why: "it belongs to another log".to_owned() },
            Err(why) => Origin::Rebuilt { why },
        };
        let built = if origin == Origin::Made { index.catch_up(newest) } else { index.rebuild(newest) };
        let origin = match built {
            Ok(()) => origin,
            // The log itself is at fault.
            Err(damaged @ StoreError::Damaged { .. }) => return Err(damaged),
            // The facts are there, and a bot that cannot look back is better than none.
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
    pub(crate) fn take(&mut self, first: u64, facts: impl Iterator<Item = Dated>, newest: u64, checksum: u32) {
        // An index that has failed, or has not caught up, may not leave facts out.
        if self.db.is_none() || self.applied + 1 < first {
            return;
        }
        let facts = (first..).zip(facts).map(|(sequence, dated)| {
            let checksum = if sequence == newest { checksum } else { 0 };
            Stored { sequence, checksum, dated }
        });
        if let Err(error) = self.apply(facts) {
            self.fail(error);
        }
    }

    /// Looks executions up, in an index that has taken in all facts up to `newest`.
    pub(crate) fn find(&mut self, query: &Query, newest: u64) -> Result<Vec<Execution>, StoreError> {
        if self.db.is_none() {
            tracing::warn!(why = %self.failure, "the index of executions has failed and is built again");
            self.rebuild(newest)?;
        } else if self.applied < newest {
            self.catch_up(newest)?;
        }
        self.look_up(query).map_err(|why| {
            self.fail(why.clone());
            StoreError::Index(why)
        })
    }

    fn look_up(&self, query: &Query) -> Result<Vec<Execution>, String> {
        let db = self.db()?;
        guarded(|| {
            let mut found = Vec::new();
            match query {
                Query::ById(digits) if digits.is_empty() => {}
                Query::ById(digits) => {
                    let digits = digits.to_ascii_lowercase();
                    for entry in db.scan_prefix(by_end(&digits)).keys().take(MOST_BY_ID) {
                        let key = entry.map_err(|error| error.to_string())?;
                        let id: Vec<u8> = key.iter().skip(1).rev().copied().collect();
                        found.extend(load(db, &id)?);
                    }
                    found.sort_by(|one: &Execution, other| {
                        (other.started, &other.request.id).cmp(&(one.started, &one.request.id))
                    });
                }
                Query::Newest(limit) => {
                    for entry in db.scan_prefix(b"t").keys().rev().take(*limit) {
                        let key = entry.map_err(|error| error.to_string())?;
                        found.extend(load(db, key.get(9..).unwrap_or_default())?);
                    }
                }
            }
            Ok(found)
        })
    }

    /// Takes in facts, in order, those already known left out.
    fn apply(&mut self, facts: impl Iterator<Item = Stored>) -> Result<(), String> {
        let db = self.db()?;
        let mut touched: BTreeMap<ExecutionId, Option<Execution>> = BTreeMap::new();
        let mut applied = (self.applied, 0);
        for stored in facts.filter(|stored| stored.sequence > self.applied) {
            applied = (stored.sequence, stored.checksum);
            if let Some(id) = stored.dated.fact.execution() {
                let execution = match touched.entry(id.clone()) {
                    std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                    std::collections::btree_map::Entry::Vacant(entry) => {
                        entry.insert(guarded(|| load(db, id.as_str().as_bytes()))?)
                    }
                };
                fold(execution, &stored.dated);
            }
        }
        let due = applied.0 - self.noted >= STRIDE as u64 && applied.1 != 0;
        if touched.is_empty() && !due {
            self.applied = applied.0;
            return Ok(());
        }
        let mut batch = sled::Batch::default();
        for execution in touched.values().flatten() {
            let id = &execution.request.id;
            batch.insert(
                by_id(id.as_str().as_bytes()),
                serde_json::to_vec(execution).map_err(|error| error.to_string())?,
            );
            batch.insert(by_end(id.as_str()), &[]);
            batch.insert(by_time(execution.started, id), &[]);
        }
        batch.insert(b"a", progress(applied.0, applied.1));
        guarded(|| db.apply_batch(batch).map_err(|error| error.to_string()))?;
        (self.applied, self.noted) = (applied.0, applied.0);
        Ok(())
    }

    fn catch_up(&mut self, newest: u64) -> Result<(), StoreError> {
        let mut reading = Reading::new(&self.store.join("log"), self.applied + 1, newest);
        loop {
            let facts = reading.by_ref().take(STRIDE).collect::<Result<Vec<_>, _>>()?;
            if facts.is_empty() {
                return Ok(());
            }
            if let Err(why) = self.apply(facts.into_iter()) {
                self.fail(why.clone());
                return Err(StoreError::Index(why));
            }
        }
    }

    /// Sets aside what is there and derives all anew.
    fn rebuild(&mut self, newest: u64) -> Result<(), StoreError> {
        self.close();
        self.set_aside()?;
        (self.applied, self.noted) = (0, 0);
        self.attach().map_err(StoreError::Index)?;
        self.catch_up(newest)
    }

    /// Opens sled's files. Gives what is noted there of the last fact, if anything is.
    fn attach(&mut self) -> Result<Option<(u64, u32)>, String> {
        let config = sled::Config::default()
            .path(self.directory())
            .cache_capacity(CACHE)
            .mode(sled::Mode::LowSpace)
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
        let empty = noted.is_ok() && db.is_empty();
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
        let stored = Reading::new(&self.store.join("log"), known, known).next().transpose()?;
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

fn load(db: &sled::Db, id: &[u8]) -> Result<Option<Execution>, String> {
    let stored = db.get(by_id(id)).map_err(|error| error.to_string())?;
    stored.map(|json| serde_json::from_slice(&json).map_err(|error| error.to_string())).transpose()
}

fn by_id(id: &[u8]) -> Vec<u8> {
    [b"e", id].concat()
}

/// Backwards, so that all ids with the same end stand together.
fn by_end(digits: &str) -> Vec<u8> {
    std::iter::once(b's').chain(digits.bytes().rev()).collect()
}

/// In the order of time; of those started at once, in the order of ids.
fn by_time(started: Timestamp, id: &ExecutionId) -> Vec<u8> {
    // The sign bit turned, negative numbers come first.
    let time = started.as_microsecond() ^ i64::MIN;
    [b"t".as_slice(), &time.to_be_bytes(), id.as_str().as_bytes()].concat()
}

fn progress(applied: u64, checksum: u32) -> Vec<u8> {
    [[LAYOUT].as_slice(), &applied.to_be_bytes(), &checksum.to_be_bytes()].concat()
}
