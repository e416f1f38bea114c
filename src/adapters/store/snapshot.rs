//! A memory written down. A file of version 1, numbers little-endian:
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..3 | `FF 48 53` |
//! | 3 | version |
//! | 4..8 | CRC-32 of all that follows |
//! | 8..16 | length of the payload |
//! | 16..24 | the number of the newest fact that was folded in |
//! | 24..28 | the checksum of that fact's record; 0 when it is not known |
//! | 28..32 | where in its file of the log that record begins, so that the start reads on from there; 0 when it is not known |
//! | 32.. | payload: `{"version": …, "at": …, "audit": …, "memory": …}`, where `version` is that of the memory |
//!
//! Two kinds of files have this form. A **snapshot** makes the next start short; any of them may be lost. A **base** stands for the facts
//! that were removed before the first one that is kept, so there is one as soon as any were.
//!
//! **A file has its name only when all of it is on disk.** One that turns out bad is renamed and never deleted before there is a newer one
//! like it; one of a version that this program does not know is left as it is.

use crate::adapters::store::log::sync_directory;
use crate::adapters::store::reading::Stored;
use crate::adapters::store::segment::{self, Anchor};
use crate::core::audit::chain::Head;
use crate::core::memory::{Memory, VERSION};
use crate::runtime::ports::{Snapshot, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const LAYOUT: u8 = 1;
const MAGIC: [u8; 3] = [0xFF, b'H', b'S'];
const HEADER: usize = 32;
const COVERED: usize = 8;
/// How many snapshots are kept: should the newest be bad, the one before it still makes the start short.
const KEPT: usize = 2;

/// Which of the two a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Makes the start short.
    Snapshot,
    /// Stands for what was removed.
    Base,
}

impl Kind {
    fn extension(self) -> &'static str {
        match self {
            Kind::Snapshot => "snapshot",
            Kind::Base => "base",
        }
    }
}

/// A memory as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    /// The memory and the fact up to which it was folded.
    pub(crate) snapshot: Snapshot,
    /// The checksum of that fact's record; 0 when it is not known.
    pub(crate) checksum: u32,
    /// Where in its file that record begins; 0 when it is not known.
    pub(crate) offset: u32,
    /// A line of the audit that was on disk when all facts up to that one had been taken into it; absent when that was not so.
    pub(crate) audit: Option<Head>,
}

impl Kept {
    /// Folds the next fact in, which stands in the log in this directory.
    pub(crate) fn take(&mut self, log: &Path, stored: &Stored) -> Result<(), StoreError> {
        let Stored { sequence, checksum, place, dated } = stored;
        self.snapshot.memory.apply(dated).map_err(|contradiction| StoreError::Damaged {
            path: segment::path(log, place.first),
            offset: place.offset,
            what: format!("fact {sequence} contradicts those before it: {contradiction}"),
        })?;
        (self.snapshot.newest, self.snapshot.at) = (*sequence, dated.at);
        (self.checksum, self.offset) = (*checksum, u32::try_from(place.offset).unwrap_or_default());
        Ok(())
    }

    /// The record of the newest fact that was folded in.
    pub(crate) fn anchor(&self) -> Anchor {
        Anchor { number: self.snapshot.newest, offset: self.offset.into() }
    }
}

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It is not what was written.
    Broken(String),
    /// It may be in order, but this program cannot tell.
    Version(String),
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unusable::Broken(what) => write!(f, "it is damaged: {what}"),
            Unusable::Version(what) => write!(f, "another version of this program wrote it: {what}"),
        }
    }
}

#[derive(Serialize)]
struct Writing<'a> {
    version: u32,
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<&'a Head>,
    memory: &'a Memory,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Deserialize)]
struct Read {
    at: Timestamp,
    #[serde(default)]
    audit: Option<Head>,
    memory: Memory,
}

/// A memory as JSON, as it stands in files, and without the audit in exports.
pub(crate) fn to_json(snapshot: &Snapshot, audit: Option<&Head>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Writing { version: VERSION, at: snapshot.at, audit, memory: &snapshot.memory })
}

/// The memory in a JSON text, as of this fact, and the line of the audit that it knows.
pub(crate) fn from_json(newest: u64, json: &[u8]) -> Result<(Snapshot, Option<Head>), Unusable> {
    let broken = |error: serde_json::Error| Unusable::Broken(error.to_string());
    let Versioned { version } = serde_json::from_slice(json).map_err(broken)?;
    if version != VERSION {
        return Err(Unusable::Version(format!("the memory in it has version {version}, this program knows {VERSION}")));
    }
    let Read { at, audit, memory } = serde_json::from_slice(json).map_err(broken)?;
    Ok((Snapshot { newest, at, memory }, audit))
}

/// The file that has or would have a memory as of this fact.
pub(crate) fn path(directory: &Path, kind: Kind, newest: u64) -> PathBuf {
    directory.join(format!("{newest:020}.{}", kind.extension()))
}

/// All files of one kind, the newest first.
pub(crate) fn list(directory: &Path, kind: Kind) -> Result<Vec<u64>, StoreError> {
    let failed = |source| StoreError::Io { doing: "list", path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(kind.extension())?.strip_suffix('.'));
        found.extend(stem.and_then(|stem| stem.parse::<u64>().ok()));
    }
    found.sort_unstable_by(|one: &u64, other| other.cmp(one));
    Ok(found)
}

/// Writes a file whole or not at all. Gives its length.
pub(crate) fn write(directory: &Path, kind: Kind, kept: &Kept) -> Result<u64, StoreError> {
    let newest = kept.snapshot.newest;
    let target = path(directory, kind, newest);
    let failed = |doing, source| StoreError::Io { doing, path: target.clone(), source };
    let payload =
        to_json(&kept.snapshot, kept.audit.as_ref()).map_err(|error| failed("encode", io::Error::other(error)))?;
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.push(LAYOUT);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&newest.to_le_bytes());
    bytes.extend_from_slice(&kept.checksum.to_le_bytes());
    bytes.extend_from_slice(&kept.offset.to_le_bytes());
    bytes.extend_from_slice(&payload);
    let checksum = crc32fast::hash(&bytes[COVERED..]);
    bytes[4..COVERED].copy_from_slice(&checksum.to_le_bytes());

    let new = directory.join(format!("new.{}", kind.extension()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&new, &target));
    if let Err(error) = written {
        // What is left of it would only take room.
        let _ = fs::remove_file(&new);
        return Err(failed("write", error));
    }
    sync_directory(directory)?;
    Ok(bytes.len() as u64)
}

/// Reads a file.
pub(crate) fn read(directory: &Path, kind: Kind, newest: u64) -> Result<Result<Kept, Unusable>, StoreError> {
    let path = path(directory, kind, newest);
    let bytes = fs::read(&path).map_err(|source| StoreError::Io { doing: "read", path: path.clone(), source })?;
    Ok(decode(&bytes, newest))
}

/// What the bytes of a file say.
fn decode(bytes: &[u8], newest: u64) -> Result<Kept, Unusable> {
    let broken = |what: &str| Unusable::Broken(what.to_owned());
    let Some(header) = bytes.first_chunk::<HEADER>() else { return Err(broken("it ends within its header")) };
    if header[..3] != MAGIC {
        return Err(broken("it does not begin like a snapshot"));
    }
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
    if crc32fast::hash(&bytes[COVERED..]) != word(4) {
        return Err(broken("the checksum is wrong"));
    }
    if header[3] != LAYOUT {
        return Err(Unusable::Version(format!("the file has version {}, this program knows {LAYOUT}", header[3])));
    }
    let payload = &bytes[HEADER..];
    if long(8) != payload.len() as u64 || long(16) != newest {
        return Err(broken("its header belongs to another file"));
    }
    let (snapshot, audit) = from_json(newest, payload)?;
    Ok(Kept { snapshot, checksum: word(24), offset: word(28), audit })
}

/// Renames a bad file, so that it is not met again.
pub(crate) fn set_aside(directory: &Path, kind: Kind, newest: u64) -> Result<PathBuf, StoreError> {
    let from = path(directory, kind, newest);
    let to = from.with_extension(format!("{}.broken", kind.extension()));
    fs::rename(&from, &to).map_err(|source| StoreError::Io { doing: "set aside", path: from, source })?;
    Ok(to)
}

/// Removes what a newer file has made useless: all snapshots but the newest, those before the newest base, and all bases but that one.
/// What was set aside goes with them. Gives the bytes that this freed.
pub(crate) fn tidy(directory: &Path) -> Result<u64, StoreError> {
    let bases = list(directory, Kind::Base)?;
    let base = bases.first().copied();
    let snapshots = list(directory, Kind::Snapshot)?;
    let stale = |(place, newest): &(usize, &u64)| *place >= KEPT || base.is_some_and(|base| **newest < base);
    let mut useless: Vec<PathBuf> = snapshots
        .iter()
        .enumerate()
        .filter(stale)
        .map(|(_, newest)| path(directory, Kind::Snapshot, *newest))
        .chain(bases.iter().skip(1).map(|newest| path(directory, Kind::Base, *newest)))
        .collect();
    if snapshots.len() >= KEPT {
        let entries = fs::read_dir(directory);
        let entries = entries.map_err(|source| StoreError::Io { doing: "list", path: directory.to_owned(), source })?;
        useless.extend(
            entries
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "broken")),
        );
    }
    let mut freed = 0;
    for path in useless {
        let bytes = fs::metadata(&path).map_or(0, |file| file.len());
        match fs::remove_file(&path) {
            Ok(()) => freed += bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(StoreError::Io { doing: "remove", path, source }),
        }
    }
    if freed > 0 {
        sync_directory(directory)?;
    }
    Ok(freed)
}
