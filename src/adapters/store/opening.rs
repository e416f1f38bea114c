//! The start: which memory to begin with, and the log from there on.

use crate::adapters::store::log::{Cut, Log, Opening, Rooms};
use crate::adapters::store::segment::{self, Anchor};
use crate::adapters::store::snapshot::{self, Kept, Kind, Unusable};
use crate::runtime::ports::{Snapshot, StoreError};
use std::path::Path;

/// A store as it was found.
pub(crate) struct Found {
    /// Ready for writing.
    pub(crate) log: Log,
    /// What had to be cut off its end.
    pub(crate) cut: Option<Cut>,
    /// The memory to begin with; an empty one as of fact 0 where there is none.
    pub(crate) start: Kept,
    /// What stands for the facts that were removed; the same where none were.
    pub(crate) base: Kept,
    /// What an administrator should know, a sentence each.
    pub(crate) notices: Vec<String>,
}

/// No memory, as of before the first fact.
pub(crate) fn nothing() -> Kept {
    Kept { snapshot: Snapshot::default(), checksum: 0, offset: 0, audit: None }
}

/// Finds the newest memory that can be used, and opens the log after it.
pub(crate) fn open(store: &Path, rooms: Rooms) -> Result<Found, StoreError> {
    let (log_directory, directory) = (store.join("log"), store.join("snapshots"));
    let mut notices = Vec::new();
    let mut foreign = None;
    let mut candidates = Vec::new();
    for kind in [Kind::Base, Kind::Snapshot] {
        candidates.extend(snapshot::list(&directory, kind)?.into_iter().map(|newest| (newest, kind)));
    }
    candidates.sort_unstable();
    let empty = segment::list(&log_directory)?.is_empty();
    let mut chosen = None;
    for (newest, kind) in candidates.into_iter().rev() {
        let path = snapshot::path(&directory, kind, newest);
        let bad = match snapshot::read(&directory, kind, newest)? {
            Err(Unusable::Version(what)) => {
                notices
                    .push(format!("{} is left out: another version of this program wrote it: {what}", path.display()));
                foreign.get_or_insert(StoreError::Version { path, what });
                continue;
            }
            Err(unusable @ Unusable::Broken(_)) => unusable.to_string(),
            Ok(_) if empty && kind == Kind::Snapshot => "the facts that it was made of are missing".to_owned(),
            Ok(kept) => {
                let Opening { log, cut, checksum } = Log::open(&log_directory, rooms, kept.anchor())?;
                if log.newest() < newest {
                    format!(
                        "it knows fact {newest}, and the log ends with {}: facts that had been promised are gone",
                        log.newest()
                    )
                } else if checksum.is_some_and(|checksum| kept.checksum != 0 && kept.checksum != checksum) {
                    "it belongs to another log".to_owned()
                } else {
                    chosen = Some((log, cut, kept));
                    break;
                }
            }
        };
        let aside = snapshot::set_aside(&directory, kind, newest)?;
        notices.push(format!("a snapshot could not be used and was set aside as {}: {bad}", aside.display()));
    }
    let (mut log, cut, start) = match chosen {
        Some(chosen) => chosen,
        None => match Log::open(&log_directory, rooms, Anchor::default()) {
            Ok(Opening { log, cut, .. }) => (log, cut, nothing()),
            // Nothing is wrong with what is stored; it is this program that cannot read it.
            Err(damaged) => return Err(foreign.unwrap_or(damaged)),
        },
    };
    if log.newest() == start.snapshot.newest {
        log.remember(start.checksum);
    }
    let base = match base(store)? {
        Some(base) => base,
        None if segment::list(&log_directory)?.first().is_none_or(|first| *first == 1) => nothing(),
        None => {
            notices.push(format!(
                "what stood for the facts before the oldest that are kept is gone; executions before fact {} cannot be looked up",
                start.snapshot.newest + 1
            ));
            start.clone()
        }
    };
    Ok(Found { log, cut, start, base, notices })
}

/// What stands for the facts that were removed, if any were.
pub(crate) fn base(store: &Path) -> Result<Option<Kept>, StoreError> {
    let directory = store.join("snapshots");
    for newest in snapshot::list(&directory, Kind::Base)? {
        if let Ok(kept) = snapshot::read(&directory, Kind::Base, newest)? {
            return Ok(Some(kept));
        }
    }
    Ok(None)
}
