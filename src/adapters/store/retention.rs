//! Freeing space. What ended longer ago than it is to be kept goes: whole files of the log, with the executions and outputs that only they
//! knew.
//!
//! 0. The audit takes in all that is stored, and is synced.
//! 1. The facts of those files are folded onto the base, and the result is written down as the new base.
//! 2. The index forgets the executions that ended before it.
//! 3. The files of the log go, the oldest first, then what the new base has made useless among the snapshots.
//! 4. What nothing that is kept refers to goes from the outputs.
//!
//! **The process may die at any point**: until a file of the log is gone everything can be derived from it, and from step 1 on from the
//! base. What was begun is finished by the next run. **What goes on stays**: an execution that has not ended is part of the base.
//!
//! **An output is kept as long as anything that is kept looks like its name.** The bytes of the log and the snapshots are searched for
//! anything of the form of a name, so no kind of fact can refer to an output in a way that was forgotten here. An output that this process
//! has finished lately stays in any case: the fact that will name it may not be stored yet.
//!
//! **Outputs may have a shorter time of their own.** They go by the age of their files, also while facts refer to them; an execution that goes on
//! keeps its own, since the snapshots of the memory, or the facts after them, name them. What is written again counts from then on.

use crate::adapters::store::index::size;
use crate::adapters::store::reading::Reading;
use crate::adapters::store::shared::Shared;
use crate::adapters::store::snapshot::{self, Kept, Kind};
use crate::adapters::store::{log, segment};
use crate::runtime::ports::StoreError;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

/// How many facts are folded, and how many outputs looked at, without a pause.
const SLICE: usize = 1024;
/// The longest pause between two slices.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// An index is built again when it takes more than this part of what the log takes; see [`SMALL_INDEX`].
const LARGE_INDEX: u64 = 4;
/// An index of so many bytes is not worth it: building it takes memory that the process does not give back.
const SMALL_INDEX: u64 = 8 << 20;
/// How long the name of an output has.
const NAME: usize = 64;

/// What was freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Freed {
    /// Facts removed.
    pub facts: u64,
    /// Executions that can no longer be looked up.
    pub executions: u64,
    /// Outputs removed.
    pub outputs: u64,
    /// Bytes freed in the log and among outputs and snapshots.
    pub bytes: u64,
}

/// Removes what is older than `cutoff`. Ends early, without harm, when the store is being closed. A file that is damaged where it begins holds up
/// itself and what is after it, and is told of when what is before it has gone.
pub(crate) fn retain(shared: &Shared, cutoff: Timestamp) -> Result<Freed, StoreError> {
    // One at a time; a poisoned lock guards nothing but the order.
    let _alone = shared.retaining.lock().unwrap_or_else(PoisonError::into_inner);
    // Nothing goes that the audit has not taken in.
    shared.audit_all()?;
    let (last, damaged) = last_to_go(shared, cutoff)?;
    let freed = remove_up_to(shared, last)?;
    match damaged {
        Some(damaged) => {
            tracing::info!(?freed, "freed what was older than it is to be kept, up to a file that is damaged");
            Err(damaged)
        }
        None => Ok(freed),
    }
}

/// Removes the files of the log that end with this fact or before, and what hangs on them.
fn remove_up_to(shared: &Shared, last: Option<u64>) -> Result<Freed, StoreError> {
    let mut freed = Freed::default();
    let mut slices = Slices { shared, begun: Instant::now() };
    if let Some(last) = last {
        let known = shared.base();
        if last > known.snapshot.newest {
            let Some(mut base) = fold(shared, known, last, &mut slices)? else { return Ok(freed) };
            base.audit = Some(shared.audit().head_at(last)?);
            snapshot::write(&shared.directory("snapshots"), Kind::Base, &base)?;
            shared.set_base(base.clone());
            shared.index().rest_on(base)?;
        }
        loop {
            let forgotten = shared.index().forget_some().map_err(StoreError::Index);
            // An index that fails is built again from the new base, which knows nothing of these.
            let Ok(forgotten @ 1..) = forgotten else { break };
            freed.executions += forgotten as u64;
            if !slices.pause() {
                return Ok(freed);
            }
        }
        remove_files(shared, last, &mut freed)?;
    }
    freed.bytes += snapshot::tidy(&shared.directory("snapshots"))?;
    let first = !shared.swept.swap(true, Ordering::Relaxed);
    if freed.facts > 0 || first {
        sweep(shared, &mut slices, &mut freed)?;
    }
    if freed.facts == 0 {
        return Ok(freed);
    }
    let log_bytes = size(&shared.directory("log"));
    let newest = shared.newest();
    let mut index = shared.index();
    if index.shrink(newest, SMALL_INDEX.max(log_bytes / LARGE_INDEX))? {
        tracing::info!("the index of executions was built again, as it took far more room than it needs");
    }
    Ok(freed)
}

/// The number of the last fact in the files that may go, and what is wrong with the first that does not begin as it should: it cannot be folded.
/// The file that is written to never goes.
fn last_to_go(shared: &Shared, cutoff: Timestamp) -> Result<(Option<u64>, Option<StoreError>), StoreError> {
    let directory = shared.directory("log");
    let base = shared.base().snapshot.newest;
    let (mut last, mut damaged) = (None, None);
    let mut firsts = segment::list(&directory)?.into_iter().skip(1).peekable();
    while let Some(first) = firsts.next() {
        // What comes first in a file is younger than all that is in those before it.
        let begins = if first <= base + 1 { Ok(Timestamp::MIN) } else { segment::begins_at(&directory, first) };
        match begins {
            Ok(begins) if begins >= cutoff => break,
            // What is before a file that cannot tell when it begins is as old as a later one says.
            Ok(_) => last = Some(damaged.as_ref().map_or(first, |(bad, _)| *bad) - 1),
            // Nothing has been written to the newest yet, or it is not whole.
            Err(StoreError::Damaged { .. }) if firsts.peek().is_none() => break,
            Err(error @ StoreError::Damaged { .. }) => {
                damaged.get_or_insert((first, error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok((last, damaged.map(|(_, error)| error)))
}

/// Folds facts onto a base. Nothing when the store is being closed.
fn fold(shared: &Shared, mut base: Kept, last: u64, slices: &mut Slices<'_>) -> Result<Option<Kept>, StoreError> {
    let directory = shared.directory("log");
    let reading = Reading::new(&directory, base.snapshot.newest + 1, last);
    for (count, stored) in reading.enumerate() {
        let stored = stored?;
        base.take(&directory, &stored)?;
        if count % SLICE == SLICE - 1 && !slices.pause() {
            return Ok(None);
        }
    }
    if base.snapshot.newest != last {
        let what = format!("the log ends before fact {last}");
        return Err(StoreError::Damaged { path: directory, offset: 0, what });
    }
    Ok(Some(base))
}

/// Removes all files of the log that hold nothing after `last`.
fn remove_files(shared: &Shared, last: u64, freed: &mut Freed) -> Result<(), StoreError> {
    let directory = shared.directory("log");
    let firsts = segment::list(&directory)?;
    for (first, following) in firsts.iter().zip(firsts.iter().skip(1)) {
        if *following > last + 1 {
            break;
        }
        let path = segment::path(&directory, *first);
        freed.bytes += fs::metadata(&path).map_or(0, |file| file.len());
        remove(&path)?;
        freed.facts += following - first;
    }
    log::sync_directory(&directory)
}

/// Removes outputs that nothing refers to.
fn sweep(shared: &Shared, slices: &mut Slices<'_>, freed: &mut Freed) -> Result<(), StoreError> {
    // Facts that are decided and cannot be stored may name anything.
    if shared.refusing.load(Ordering::Relaxed) {
        return Ok(());
    }
    shared.blobs.forget_old();
    let Some(named) = named_in(shared, &["log", "snapshots"], slices)? else { return Ok(()) };
    clear(shared, slices, freed, |name, _| !named.contains(name.as_bytes()))
}

/// Removes outputs that were written before `cutoff`, whatever refers to them, but for what the snapshots and the facts after them name: what
/// goes on may need it yet.
pub(crate) fn shed(shared: &Shared, cutoff: Timestamp) -> Result<Freed, StoreError> {
    let _alone = shared.retaining.lock().unwrap_or_else(PoisonError::into_inner);
    let mut freed = Freed::default();
    let mut slices = Slices { shared, begun: Instant::now() };
    let cutoff = SystemTime::from(cutoff);
    shared.blobs.forget_old();
    // Before the snapshots are looked at, so that what a newer one leaves out is looked at here.
    let anchor = shared.anchor();
    let Some(mut named) = named_in(shared, &["snapshots"], &mut slices)? else { return Ok(freed) };
    for stored in Reading::new(&shared.directory("log"), anchor.number + 1, shared.newest()).near(anchor) {
        // What cannot be written as it was read names nothing, and there is no such fact.
        names(&serde_json::to_vec(&stored?.dated).unwrap_or_default(), &mut named);
    }
    let old = |file: &fs::Metadata| file.modified().is_ok_and(|written| written < cutoff);
    clear(shared, &mut slices, &mut freed, |name, file| old(file) && !named.contains(name.as_bytes()))?;
    Ok(freed)
}

/// All names of outputs in the files of these directories. Nothing when the store is being closed.
fn named_in(
    shared: &Shared,
    directories: &[&str],
    slices: &mut Slices<'_>,
) -> Result<Option<BTreeSet<Vec<u8>>>, StoreError> {
    let mut named = BTreeSet::new();
    for directory in directories {
        for path in files(&shared.directory(directory))? {
            match fs::read(&path) {
                Ok(bytes) => names(&bytes, &mut named),
                // A snapshot that a newer one has replaced meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(source) => return Err(StoreError::Io { doing: "read", path, source }),
            }
            if !slices.pause() {
                return Ok(None);
            }
        }
    }
    Ok(Some(named))
}

/// Removes the outputs that are to go by their name and file.
fn clear(
    shared: &Shared,
    slices: &mut Slices<'_>,
    freed: &mut Freed,
    goes: impl Fn(&str, &fs::Metadata) -> bool,
) -> Result<(), StoreError> {
    let shelves = files(&shared.directory("blobs"))?;
    for shelf in shelves.into_iter().filter(|shelf| shelf.file_name().is_some_and(|name| name.len() == 2)) {
        for path in files(&shelf)? {
            let name = format!("{}{}", last_part(&shelf), last_part(&path));
            let Ok(file) = fs::metadata(&path) else { continue };
            if name.len() == NAME && goes(&name, &file) && shared.blobs.remove(&name, &path)? {
                freed.outputs += 1;
                freed.bytes += file.len();
            }
        }
        if !slices.pause() {
            return Ok(());
        }
    }
    Ok(())
}

/// Everything in these bytes that has the form of an output's name.
fn names(bytes: &[u8], named: &mut BTreeSet<Vec<u8>>) {
    let runs = bytes.split(|byte| !(byte.is_ascii_digit() || (b'a'..=b'f').contains(byte)));
    named.extend(runs.filter(|run| run.len() == NAME).map(<[u8]>::to_vec));
}

fn last_part(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn files(directory: &Path) -> Result<Vec<std::path::PathBuf>, StoreError> {
    let failed = |source| StoreError::Io { doing: "list", path: directory.to_owned(), source };
    let entries = fs::read_dir(directory).map_err(failed)?;
    entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>().map_err(failed)
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(StoreError::Io { doing: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Work in slices: half of the time is left to others.
struct Slices<'a> {
    shared: &'a Shared,
    begun: Instant,
}

impl Slices<'_> {
    /// False when the store is being closed.
    fn pause(&mut self) -> bool {
        std::thread::sleep(self.begun.elapsed().min(LONGEST_PAUSE));
        self.begun = Instant::now();
        !self.shared.stopping.load(Ordering::Relaxed)
    }
}
