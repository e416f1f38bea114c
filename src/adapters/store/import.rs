//! An export becomes a store again.
//!
//! The lines go into a store of their own inside the one that is to be filled, `importing/`. When all of them were good it is called `imported/`,
//! and its parts go into their places one by one.
//!
//! **A store is filled or stays empty, whatever instant an import dies at.** As long as it is `importing/`, nothing of the import counts: the store
//! does not open, so that nobody takes it for one that was never used, and the next import begins anew. From when it is `imported/` it is all
//! there: whoever opens the store next moves what has not been moved yet.

use crate::adapters::store::disk::{DIRECTORIES, DiskStore, Options, make_directory};
use crate::adapters::store::lock::Lock;
use crate::adapters::store::log::{begin, sync_directory};
use crate::adapters::store::segment::AUDIT;
use crate::adapters::store::snapshot::{self, Kept, Kind};
use crate::core::fact::Dated;
use crate::core::memory::Memory;
use crate::runtime::ports::{Snapshot, Store, StoreError};
use serde::Deserialize;
use std::fs;
use std::io::{self, BufRead, ErrorKind};
use std::path::{Path, PathBuf};

/// How many facts are stored at once.
const BATCH: usize = 1024;
/// Where an import gathers what it reads.
const PLACE: &str = "importing";
/// What that is called once all is there.
const WHOLE: &str = "imported";
/// What goes from there into the store.
const PARTS: [&str; 4] = ["index", "snapshots", AUDIT, "log"];

/// Why an export was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is something in the store already.
    #[error(
        "the store {0} is not empty; an import fills only an empty one. Set another `path` in [store], or move this one away"
    )]
    NotEmpty(PathBuf),
    /// A line is not what an export has there.
    #[error("line {line} of the export: {what}")]
    Line {
        /// Its number.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The export cannot be read.
    #[error("cannot read the export: {0}")]
    Read(#[from] io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Deserialize)]
struct FactLine {
    sequence: u64,
    #[serde(flatten)]
    dated: Dated,
}

#[derive(Deserialize)]
struct FirstLine {
    base: BaseLine,
}

#[derive(Deserialize)]
struct BaseLine {
    sequence: u64,
    #[serde(flatten)]
    kept: serde_json::Map<String, serde_json::Value>,
}

/// Fills the empty store in this directory with what [`export`](super::export()) gave. Gives the number of facts that were taken in.
///
/// # Errors
/// The store is not empty or in use, or a line is not as it must be; the store is then as it was. Where the system refuses it is as it was, or the
/// next start has the import finished.
pub async fn import(store: &Path, lines: impl BufRead) -> Result<u64, ImportError> {
    make_directory(store)?;
    let _lock = Lock::take(store, true)?;
    finish(store)?;
    for directory in DIRECTORIES.into_iter().filter(|name| *name != "blobs") {
        if holds_anything(&store.join(directory))? {
            return Err(ImportError::NotEmpty(store.to_owned()));
        }
    }
    let place = store.join(PLACE);
    clear(&place)?;
    let gathered = fill(&place, lines).await.and_then(|count| {
        rename(&place, &store.join(WHOLE))?;
        Ok(count)
    });
    match gathered {
        Ok(count) => {
            sync_directory(store)?;
            finish(store)?;
            Ok(count)
        }
        Err(problem) => {
            clear(&place)?;
            Err(problem)
        }
    }
}

/// Sees to what an import has left that was cut off, before the store is opened: what is whole comes into its places.
///
/// # Errors
/// It was cut off before all was gathered, or the system refuses.
pub(crate) fn settle(store: &Path) -> Result<(), StoreError> {
    finish(store)?;
    refuse_half(store)
}

/// Refuses a store into which an import has gathered something, and not all. Beside facts it means nothing: imports of earlier versions gathered
/// there until the log, which came last, was in its place. Takes no lock.
fn refuse_half(store: &Path) -> Result<(), StoreError> {
    let place = store.join(PLACE);
    if is_there(&place)? && !holds_anything(&store.join("log"))? {
        return Err(StoreError::Unfinished { store: store.to_owned(), place });
    }
    Ok(())
}

/// Refuses a store whose parts are not in their places, for who reads it as it lies.
pub(crate) fn refuse_unsettled(store: &Path) -> Result<(), StoreError> {
    let whole = store.join(WHOLE);
    if is_there(&whole)? {
        let source =
            io::Error::other("an import is not finished; the next start of the bot, or `halcyon doctor`, finishes it");
        return Err(StoreError::Io { doing: "read", path: whole, source });
    }
    refuse_half(store)
}

/// Whether a log has a fact in it, or there is a snapshot. A store that was opened and never used is empty.
fn holds_anything(directory: &Path) -> Result<bool, StoreError> {
    let failed = |source| StoreError::Io { doing: "look into", path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let bytes = fs::read(entry.map_err(failed)?.path()).map_err(failed)?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn clear(directory: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(directory) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(StoreError::Io { doing: "clear", path: directory.to_owned(), source })
        }
        _ => Ok(()),
    }
}

async fn fill(place: &Path, lines: impl BufRead) -> Result<u64, ImportError> {
    let mut memory = Memory::default();
    let mut next = 1;
    let mut store = None;
    let mut batch = Vec::with_capacity(BATCH);
    let mut taken = 0;
    for (line, text) in (1..).zip(lines.lines()) {
        let text = text?;
        let wrong = |what: String| ImportError::Line { line, what };
        if line == 1 && text.starts_with("{\"base\"") {
            let FirstLine { base } = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
            let json = serde_json::to_vec(&base.kept).map_err(|error| wrong(error.to_string()))?;
            let (snapshot, _) =
                snapshot::from_json(base.sequence, &json).map_err(|unusable| wrong(unusable.to_string()))?;
            (memory, next) = (snapshot.memory.clone(), base.sequence + 1);
            begin_after(place, snapshot)?;
            continue;
        }
        let fact: FactLine = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if fact.sequence != next {
            return Err(wrong(format!("fact {} stands where fact {next} is due", fact.sequence)));
        }
        memory.apply(&fact.dated).map_err(|error| wrong(error.to_string()))?;
        batch.push(fact.dated);
        (next, taken) = (next + 1, taken + 1);
        if batch.len() == BATCH {
            into(&mut store, place).await?.append(std::mem::take(&mut batch)).await?;
        }
    }
    into(&mut store, place).await?.append(batch).await?;
    Ok(taken)
}

/// The store that is being filled.
async fn into<'s>(store: &'s mut Option<DiskStore>, place: &Path) -> Result<&'s DiskStore, StoreError> {
    let open = match store.take() {
        Some(open) => open,
        None => DiskStore::open_with(place, Options::default()).await?.0,
    };
    Ok(store.insert(open))
}

/// Lets the log begin after a base.
fn begin_after(place: &Path, snapshot: Snapshot) -> Result<(), StoreError> {
    for directory in ["", "log", "snapshots"] {
        make_directory(&place.join(directory))?;
    }
    begin(&place.join("log"), snapshot.newest + 1, 0)?;
    snapshot::write(&place.join("snapshots"), Kind::Base, &Kept { snapshot, checksum: 0, offset: 0, audit: None })?;
    Ok(())
}

/// Moves what was gathered into its places, as far as it has not been.
fn finish(store: &Path) -> Result<(), StoreError> {
    let whole = store.join(WHOLE);
    if !is_there(&whole)? {
        return Ok(());
    }
    for part in PARTS {
        let (from, to) = (whole.join(part), store.join(part));
        // Not there any more: it has come into its place.
        if is_there(&from)? {
            clear(&to)?;
            rename(&from, &to)?;
            sync_directory(store)?;
        }
    }
    clear(&whole)?;
    sync_directory(store)
}

fn is_there(path: &Path) -> Result<bool, StoreError> {
    path.try_exists().map_err(|source| StoreError::Io { doing: "look for", path: path.to_owned(), source })
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|source| StoreError::Io { doing: "move", path: from.to_owned(), source })
}
