//! The thread that keeps the store in order beside the one that writes: snapshots, an index that is behind, the audit, and what is old.

use crate::adapters::store::log::begin_reserve;
use crate::adapters::store::reading::Reading;
use crate::adapters::store::retention::{Freed, retain, shed};
use crate::adapters::store::shared::{AUDITED_AT_ONCE, Shared};
use crate::adapters::store::snapshot::{self, Kept, Kind};
use crate::runtime::ports::{Snapshot, StoreError};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often what is old is removed at least.
const RETAIN_EVERY: Duration = Duration::from_secs(3600);
/// What is kept for a short time is removed more often: nothing is kept longer than it should be by more than this part.
const RETAIN_PART: u32 = 10;
/// How long after the start that is done first: the start has better things to do.
const RETAIN_FIRST: Duration = Duration::from_secs(30);
/// The longest pause between two parts of what the audit lacks.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// How long facts wait for the index and the audit at most, when nobody asks for them.
const AUDIT_EVERY: Duration = Duration::from_secs(2);
/// How many facts an index that is behind takes in without giving way to those who look something up.
const STRIDE: u64 = 4096;

/// Until nobody can ask for a snapshot any more.
pub(crate) fn run(shared: &Arc<Shared>, snapshots: &Receiver<Box<Snapshot>>) {
    let shortest = [shared.options.keep, shared.options.keep_outputs].into_iter().flatten().min();
    let every = shortest.map_or(RETAIN_EVERY, |keep| (keep / RETAIN_PART).clamp(Duration::from_secs(1), RETAIN_EVERY));
    let mut due = Instant::now() + RETAIN_FIRST;
    let (mut behind, mut unaudited) = (true, true);
    let mut trouble = None;
    let mut told = Vec::new();
    loop {
        let rest = due.saturating_duration_since(Instant::now()).min(AUDIT_EVERY);
        let wait = if behind || unaudited { Duration::ZERO } else { rest };
        match snapshots.recv_timeout(wait) {
            Ok(snapshot) => {
                let newest = snapshot.newest;
                if let Err(error) = write(shared, *snapshot) {
                    tracing::warn!(%error, newest, "a snapshot could not be written; the next start takes longer");
                }
                shared.counts.writing.store(false, Ordering::Relaxed);
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) if behind => behind = catch_up(shared),
            Err(RecvTimeoutError::Timeout) if Instant::now() < due => {
                shared.try_index();
                unaudited = audit_some(shared, &mut trouble);
            }
            Err(RecvTimeoutError::Timeout) => {
                due = Instant::now() + every;
                begin_reserve(shared);
                remove_old(shared, &mut told);
            }
        }
        if shared.stopping.load(Ordering::Relaxed) {
            return;
        }
    }
}

fn write(shared: &Shared, snapshot: Snapshot) -> Result<(), StoreError> {
    let newest = snapshot.newest;
    let stored = shared.newest();
    if newest > stored || newest == 0 {
        tracing::error!(newest, stored, "a snapshot of facts that are not stored was not written (a bug of mine)");
        return Ok(());
    }
    let record = Reading::new(&shared.directory("log"), newest, newest).near(shared.anchor()).next().transpose()?;
    let checksum = record.as_ref().map_or(0, |record| record.checksum);
    // In a file that is longer than such a number goes the place is not known, and the next start reads all of it.
    // A memory without it is good too, and only makes the audit of the next start take longer.
    let audit = shared.audit_all().inspect_err(|error| tracing::warn!(%error, "the audit is behind")).ok();
    let offset = record.and_then(|record| u32::try_from(record.place.offset).ok()).unwrap_or_default();
    let directory = shared.directory("snapshots");
    let kept = Kept { snapshot, checksum, offset, audit };
    let length = snapshot::write(&directory, Kind::Snapshot, &kept)?;
    shared.set_anchor(kept.anchor());
    shared.counts.snapshot_bytes.store(length, Ordering::Relaxed);
    shared.counts.snapshots.fetch_add(1, Ordering::Relaxed);
    snapshot::tidy(&directory)?;
    tracing::debug!(newest, length, "snapshot");
    Ok(())
}

/// Lets the index take in some of what it lacks. Says whether it still lacks any.
fn catch_up(shared: &Shared) -> bool {
    let newest = shared.newest();
    shared.index().catch_up_by(newest, STRIDE).unwrap_or_else(|error| {
        tracing::warn!(%error, "the index of executions is behind");
        false
    })
}

/// Lets the audit take in some of what it lacks. Says whether it still lacks any.
fn audit_some(shared: &Shared, trouble: &mut Option<String>) -> bool {
    let (newest, begun) = (shared.newest(), Instant::now());
    let caught_up = shared.audit().catch_up(newest, AUDITED_AT_ONCE);
    match caught_up {
        Ok(more) => {
            // Half of the time is left to others.
            std::thread::sleep(if more { begun.elapsed().min(LONGEST_PAUSE) } else { Duration::ZERO });
            if trouble.take().is_some() {
                tracing::info!("the audit takes entries again");
            }
            more
        }
        Err(error) => {
            let why = error.to_string();
            if trouble.as_ref() != Some(&why) {
                tracing::error!(%error, "the audit takes no entries; they are made later, and nothing that they are made of is removed");
                *trouble = Some(why);
            }
            false
        }
    }
}

/// What keeps it from being removed is told once, as long as it is the same.
fn remove_old(shared: &Shared, told: &mut Vec<String>) {
    // Also where nothing is ever removed: there is one for every output.
    shared.blobs.forget_old();
    let mut problems = Vec::new();
    let now = (shared.options.now)();
    let before = |keep: Option<Duration>| keep.and_then(|keep| now.checked_sub(keep).ok());
    let retained = before(shared.options.keep).map(|cutoff| retain(shared, cutoff));
    let shed = before(shared.options.keep_outputs).map(|cutoff| shed(shared, cutoff));
    for done in [retained, shed].into_iter().flatten() {
        match done {
            Ok(freed) if freed == Freed::default() => {}
            Ok(Freed { facts, executions, outputs, bytes }) => {
                tracing::info!(facts, executions, outputs, bytes, "freed what was older than it is to be kept");
            }
            Err(error) => {
                let why = error.to_string();
                if !told.contains(&why) {
                    tracing::warn!(%error, "what is old could not be removed; it is tried again, at least every hour");
                }
                problems.push(why);
            }
        }
    }
    *told = problems;
}
