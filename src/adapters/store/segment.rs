//! One file of records: which there are, and what is in one. The log of facts has such files, and the audit.

use crate::adapters::store::log::Written;
use crate::adapters::store::record::{self, Fault, Record};
use crate::core::audit::chain::Parts;
use crate::core::fact::Dated;
use crate::runtime::ports::StoreError;
use jiff::Timestamp;
use rustix::fs::SeekFrom;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Where the lines of the audit are.
pub(crate) const AUDIT: &str = "audit";

/// What the names of files in this directory end with.
fn extension(directory: &Path) -> &'static str {
    if directory.ends_with(AUDIT) { "entries" } else { "facts" }
}

/// The file whose first record has this number.
pub(crate) fn path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}.{}", extension(directory)))
}

/// The first numbers of all files of the log, ascending. Files with other names are not the log's and are left alone.
pub(crate) fn list(directory: &Path) -> Result<Vec<u64>, StoreError> {
    let failed = |source| StoreError::Io { doing: "list", path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let (mut firsts, extension) = (Vec::new(), extension(directory));
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let first = name.to_str().and_then(|name| name.strip_suffix(extension)?.strip_suffix('.')?.parse::<u64>().ok());
        firsts.extend(first.filter(|first| *first > 0));
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// A record whose place in its file is known, so that nothing before it has to be read to find what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Anchor {
    /// The fact's number.
    pub(crate) number: u64,
    /// Where its record begins; 0 when that is not known.
    pub(crate) offset: u64,
}

/// What of a file of the log was read.
pub(crate) struct Loaded {
    /// From `base` on, without the room at the end that was never written to.
    pub(crate) bytes: Vec<u8>,
    /// Where in the file they begin.
    pub(crate) base: u64,
    /// The first place among them.
    pub(crate) place: Place,
}

impl Loaded {
    /// Reads a file from this record on when it stands there, else from the file's beginning. Finding out whether a bad record is the last
    /// needs all that follows.
    pub(crate) fn read(path: &Path, first: u64, anchor: Anchor) -> Result<Self, StoreError> {
        if anchor.offset > 0 && anchor.number >= first {
            let bytes = load(path, anchor.offset)?;
            if let Ok(record) = record::read(&bytes)
                && record.sequence == anchor.number
                && record.last
            {
                let place = Place { offset: 0, next: anchor.number, group: record.group };
                return Ok(Self { bytes, base: anchor.offset, place });
            }
        }
        Ok(Self { bytes: load(path, 0)?, base: 0, place: Place::start(first) })
    }
}

/// Reads a file of the log from here on, as far as anything was ever written to it. What follows is room that was set aside, and zeros.
pub(crate) fn load(path: &Path, from: u64) -> Result<Vec<u8>, StoreError> {
    let read = || {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        // A system that cannot tell has the whole read.
        let end = end_of_data(&file, from).unwrap_or(length).min(length);
        let mut bytes = vec![0; usize::try_from(end.saturating_sub(from)).map_err(io::Error::other)?];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], from + filled as u64) {
                // Cut off while it was read.
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    };
    read().map_err(|source| StoreError::Io { doing: "read", path: path.to_owned(), source })
}

/// Behind the last byte that was written, from here on.
fn end_of_data(file: &File, from: u64) -> rustix::io::Result<u64> {
    let mut end = from;
    loop {
        match rustix::fs::seek(file, SeekFrom::Data(end)) {
            Ok(data) => end = rustix::fs::seek(file, SeekFrom::Hole(data))?,
            Err(rustix::io::Errno::NXIO) => return Ok(end),
            Err(error) => return Err(error),
        }
    }
}

/// Reads one fact from where it is said to stand.
pub(crate) fn fetch(directory: &Path, place: Written, sequence: u64) -> Result<Dated, StoreError> {
    let path = path(directory, place.first);
    let failed = |source| StoreError::Io { doing: "read", path: path.clone(), source };
    let damaged = |what: String| StoreError::Damaged { path: path.clone(), offset: place.offset, what };
    let file = File::open(&path).map_err(failed)?;
    let mut bytes = vec![0; record::HEADER];
    file.read_exact_at(&mut bytes, place.offset).map_err(failed)?;
    let length =
        record::payload_length(&bytes).ok_or_else(|| damaged(format!("fact {sequence} does not begin here")))?;
    bytes.resize(record::HEADER + length, 0);
    let (_, payload) = bytes.split_at_mut(record::HEADER);
    file.read_exact_at(payload, place.offset + record::HEADER as u64).map_err(failed)?;
    let record = record::read(&bytes).map_err(|fault| match fault {
        Fault::Version(version) => StoreError::Version { path: path.clone(), what: foreign(sequence, version) },
        Fault::Broken(_) => damaged(format!("the record of fact {sequence} is bad")),
    })?;
    if record.sequence != sequence {
        return Err(damaged(format!("fact {} stands where fact {sequence} is due", record.sequence)));
    }
    record.decode().map_err(|error| not_decoded(path.clone(), place.offset, sequence, &error))
}

/// Why a fact cannot be had whose bytes are as they were written. Kinds of facts, and of what is in them, come with new versions of this program
/// and never go, so one that is not known here came from a later one; anything else that does not fit was written wrongly.
pub(crate) fn not_decoded(path: PathBuf, offset: u64, sequence: u64, error: &serde_json::Error) -> StoreError {
    let error = error.to_string();
    // It goes on with all that is known, which nobody wants to read.
    match error.split(", expected").next().filter(|_| error.starts_with("unknown variant")) {
        Some(unknown) => StoreError::Version { path, what: format!("fact {sequence} has an {unknown}") },
        None => StoreError::Damaged { path, offset, what: format!("fact {sequence} makes no sense: {error}") },
    }
}

/// What is said of a record of another version.
fn foreign(number: u64, version: u8) -> String {
    format!("record {number} has version {version}, which this one does not know")
}

/// When the first fact of a file happened. A file that does not begin with it is damaged, or nothing was written to it yet.
pub(crate) fn begins_at(directory: &Path, first: u64) -> Result<Timestamp, StoreError> {
    match fetch(directory, Written { first, offset: 0 }, first) {
        Ok(dated) => Ok(dated.at),
        // Its length goes beyond the file.
        Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::UnexpectedEof => {
            let what = format!("the record of fact {first} is longer than the file");
            Err(StoreError::Damaged { path: path(directory, first), offset: 0, what })
        }
        Err(error) => Err(error),
    }
}

/// A place between two batches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Where the next batch begins.
    pub(crate) offset: usize,
    /// The number that its first record must have.
    pub(crate) next: u64,
    /// The write that the record before came with.
    group: u64,
}

impl Place {
    /// The beginning of the file whose first record has this number.
    pub(crate) fn start(first: u64) -> Self {
        Self { offset: 0, next: first, group: first }
    }

    fn after(self, record: &Record<'_>) -> Self {
        Self { offset: self.offset + record.bytes(), next: self.next + 1, group: record.group }
    }
}

/// Goes through the bytes of a file, batch by batch.
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    /// Behind the last complete batch.
    pub(crate) place: Place,
}

/// What stands behind the last complete batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing but the room kept for more.
    Empty,
    /// What a write that was cut off leaves behind: none of it was ever acknowledged.
    Torn {
        /// What gives it away.
        what: String,
    },
    /// Records of another version of this program, which this one cannot read. Nothing is wrong with them.
    Version {
        /// Which.
        what: String,
    },
    /// Records follow that were written after the bad one had been acknowledged.
    Damaged {
        /// The place of the bad record.
        offset: usize,
        /// What is bad.
        what: String,
    },
}

impl<'a> Scanner<'a> {
    /// Goes on at a place where a batch begins.
    pub(crate) fn new(bytes: &'a [u8], place: Place) -> Self {
        Self { bytes, place }
    }

    /// The next complete batch.
    pub(crate) fn batch(&mut self) -> Option<Vec<Record<'a>>> {
        let mut batch = Vec::new();
        let mut place = self.place;
        loop {
            let record = self.record(place).ok()?;
            place = place.after(&record);
            batch.push(record);
            if record.last {
                self.place = place;
                return Some(batch);
            }
        }
    }

    /// What stands behind the last batch that [`Self::batch`] gave; to be asked when it gives no more.
    pub(crate) fn rest(&self) -> Rest {
        let mut place = self.place;
        let wrong = loop {
            match self.record(place) {
                Ok(record) => place = place.after(&record),
                Err(wrong) => break wrong,
            }
        };
        let Place { offset, next, .. } = place;
        let after = self.bytes.get(offset..).unwrap_or_default();
        let what = match wrong {
            // Behind a record of another version there is none of ours, and none of another can be read as ours: else it is the byte that is bad.
            Wrong::Version(version) if acknowledged(after, next) || reads_as_ours(after) => {
                return Rest::Damaged { offset, what: foreign(next, version) };
            }
            Wrong::Version(version) => return Rest::Version { what: foreign(next, version) },
            Wrong::Sequence(found) => format!("record {found} stands where record {next} is due"),
            Wrong::Broken(_) if after.iter().all(|byte| *byte == 0) => {
                if offset == self.place.offset {
                    return Rest::Empty;
                }
                format!("the batch that begins with record {} has no end", self.place.next)
            }
            Wrong::Broken(what) => format!("{what} (record {next} is due)"),
        };
        if acknowledged(after, self.place.next) { Rest::Damaged { offset, what } } else { Rest::Torn { what } }
    }

    fn record(&self, place: Place) -> Result<Record<'a>, Wrong> {
        match record::read(self.bytes.get(place.offset..).unwrap_or_default()) {
            Ok(record) if record.sequence != place.next => Err(Wrong::Sequence(record.sequence)),
            Ok(record) if record.group != place.group && record.group != place.next => {
                Err(Wrong::Broken("the record comes with another write than its neighbours"))
            }
            Ok(record) => Ok(record),
            Err(Fault::Broken(what)) => Err(Wrong::Broken(what)),
            Err(Fault::Version(version)) => Err(Wrong::Version(version)),
        }
    }
}

enum Wrong {
    Broken(&'static str),
    Version(u8),
    Sequence(u64),
}

/// Whether the record at the beginning of `bytes` is one of ours but for the version that it says.
fn reads_as_ours(bytes: &[u8]) -> bool {
    let ours = record::with_our_version(bytes);
    let is_line = |payload: &[u8]| std::str::from_utf8(payload).is_ok_and(|text| Parts::of(text).is_some());
    record::read(&ours).is_ok_and(|record| record.decode().is_ok() || is_line(record.payload))
}

/// Whether anything among `bytes` proves that the fact with this number had been synced: a record of a later write.
fn acknowledged(mut bytes: &[u8], sequence: u64) -> bool {
    loop {
        if record::read(bytes).is_ok_and(|record| record.group > sequence) {
            return true;
        }
        match record::seek(bytes) {
            Some(at) => bytes = &bytes[at..],
            None => return false,
        }
    }
}
