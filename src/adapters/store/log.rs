//! The truth: the end of the log, to which one thread writes at a time.
//!
//! **Each file's room is set aside when it is made**, so that a full disk shows between writes rather than in one. **Records overwrite
//! zeros that were synced before**: a sync has then nothing to tell the file system's journal, which makes it faster, and whether it
//! succeeded hangs on the records' own blocks alone. **A write that failed is taken back** before anybody hears of it: the file is cut to where it was good. **A file is
//! begun only when the one before is complete and synced**, so whatever is wrong in any but the last is damage.
//!
//! The audit is kept in such files too, though its records need not be synced one by one ([`Log::append_unsynced`]): what is lost of them is made
//! again. All records since the last sync then belong to one write, so that it is still known what had been synced.

use crate::adapters::store::record;
use crate::adapters::store::segment::{self, Anchor, Loaded, Rest, Scanner};
use crate::adapters::store::shared::Shared;
use crate::runtime::ports::StoreError;
use rustix::fs::{FallocateFlags, fallocate};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How far ahead of the records zeros are written.
const AHEAD: u64 = 1 << 20;
/// Room that is set aside and not used is at most this share of what is kept, so that a small log takes little and a large one has few files.
const SHARE: u64 = 16;

/// How much room files of the log get: the first one, and any.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rooms {
    /// The least.
    pub(crate) least: u64,
    /// The most.
    pub(crate) most: u64,
}

/// Where the bytes of a write begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// The number of the first record of the file.
    pub(crate) first: u64,
    /// The place in it.
    pub(crate) offset: u64,
}

/// The log as it was found.
pub(crate) struct Opening {
    /// Ready for writing.
    pub(crate) log: Log,
    /// What had to be cut off its end.
    pub(crate) cut: Option<Cut>,
    /// The checksum of the fact from which on it was read, where that is still there.
    pub(crate) checksum: Option<u32>,
}

/// What was cut off the end of the log when it was opened: a write that the machine did not live to finish. None of it was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub path: PathBuf,
    /// Where it was cut.
    pub offset: u64,
    /// What gave it away.
    pub what: String,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cut { path, offset, what } = self;
        write!(f, "an unfinished write was cut off {} at byte {offset}: {what}", path.display())
    }
}

/// The log, open for writing.
pub(crate) struct Log {
    directory: PathBuf,
    rooms: Rooms,
    /// How much room this file gets.
    room: u64,
    /// The number of the first record of this file.
    first: u64,
    file: File,
    path: PathBuf,
    /// Where the next record goes.
    end: u64,
    /// How long the file is.
    length: u64,
    /// Up to where zeros were written and synced since the file was opened.
    zeroed: u64,
    /// The number of the next fact.
    next: u64,
    /// The number of the first record that is not known to be synced.
    group: u64,
    /// The checksum of the fact before it.
    checksum: u32,
    /// What is behind `end` may be rubbish, because taking a failed write back failed too.
    dirty: bool,
    buffer: Vec<u8>,
    syncs: u64,
}

impl Log {
    /// Checks what is stored after this fact, and opens the end for writing. What a snapshot covers is not read where the place of its last
    /// fact is known: it is checked when it is exported or removed.
    pub(crate) fn open(directory: &Path, rooms: Rooms, anchor: Anchor) -> Result<Opening, StoreError> {
        let from = anchor.number;
        let all = segment::list(directory)?;
        let begun = all
            .iter()
            .rposition(|first| *first <= from.max(1))
            .or_else(|| all.iter().position(|first| *first == from + 1));
        let firsts = match begun {
            Some(begun) => all.get(begun..).unwrap_or_default(),
            None if all.is_empty() => &[],
            None => {
                let path = segment::path(directory, all.first().copied().unwrap_or(1));
                let what = format!("the log goes on here, but fact {} is due", from + 1);
                return Err(StoreError::Damaged { path, offset: 0, what });
            }
        };
        let mut next = firsts.first().copied().unwrap_or(from + 1);
        let mut end = 0;
        let mut checksum = 0;
        let mut at_from = None;
        let mut cut = None;
        for (index, first) in firsts.iter().enumerate() {
            let path = segment::path(directory, *first);
            let damaged = |offset: u64, what| Err(StoreError::Damaged { path: path.clone(), offset, what });
            if *first != next {
                return damaged(0, format!("the log goes on here with fact {first}, but fact {next} is due"));
            }
            let Loaded { bytes, base, place } =
                Loaded::read(&path, *first, if index == 0 { anchor } else { Anchor::default() })?;
            let mut scanner = Scanner::new(&bytes, place);
            while let Some(batch) = scanner.batch() {
                at_from = batch.iter().find(|record| record.sequence == from).map(|record| record.checksum).or(at_from);
                checksum = batch.last().map_or(checksum, |record| record.checksum);
            }
            (next, end) = (scanner.place.next, base + scanner.place.offset as u64);
            match (scanner.rest(), firsts.get(index + 1)) {
                (Rest::Damaged { offset, what }, _) => return damaged(base + offset as u64, what),
                (Rest::Version { what }, _) => return Err(StoreError::Version { path, what }),
                (Rest::Torn { what }, None) => cut = Some(Cut { path, offset: end, what }),
                (Rest::Torn { what }, Some(_)) => return damaged(end, what),
                (Rest::Empty, Some(following)) if *following != next => {
                    return damaged(end, format!("facts {next} to {} are missing", following.saturating_sub(1)));
                }
                (Rest::Empty, _) => {}
            }
        }
        let room = room(directory, rooms)?;
        let mut log = match firsts.last() {
            Some(first) => {
                let path = segment::path(directory, *first);
                let file = OpenOptions::new().read(true).write(true).open(&path);
                let file = file.map_err(|source| StoreError::Io { doing: "open", path: path.clone(), source })?;
                let length = file
                    .metadata()
                    .map_err(|source| StoreError::Io { doing: "look at", path: path.clone(), source })?
                    .len();
                Log::at(directory, rooms, room.max(length), *first, file, path, length)
            }
            None => {
                let (file, path, length) = begin(directory, next, room)?;
                Log::at(directory, rooms, room, next, file, path, length)
            }
        };
        (log.next, log.group, log.end, log.checksum) = (next, next, end, checksum);
        if cut.is_some() || log.length < log.room {
            log.take_back()?;
        }
        // What was read may stand in the system's cache alone, if the last process died between writing and syncing.
        log.sync().map_err(|source| StoreError::Io { doing: "sync", path: log.path.clone(), source })?;
        sync_directory(directory)?;
        Ok(Opening { log, cut, checksum: at_from })
    }

    fn at(directory: &Path, rooms: Rooms, room: u64, first: u64, file: File, path: PathBuf, length: u64) -> Self {
        Log {
            directory: directory.to_owned(),
            rooms,
            room,
            first,
            file,
            path,
            end: 0,
            length,
            zeroed: 0,
            next: first,
            group: first,
            checksum: 0,
            dirty: false,
            buffer: Vec::new(),
            syncs: 0,
        }
    }

    /// Says which checksum the newest fact has, where its record is not there any more.
    pub(crate) fn remember(&mut self, checksum: u32) {
        self.checksum = checksum;
    }

    /// The number of the newest fact; 0 when there is none.
    pub(crate) fn newest(&self) -> u64 {
        self.next - 1
    }

    /// The checksum of the newest fact.
    pub(crate) fn checksum(&self) -> u32 {
        self.checksum
    }

    /// How often it has synced since it was opened.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Writes batches of payloads behind each other and syncs once. When it fails, none of them is stored. Says where the first one begins.
    pub(crate) fn append<'a>(
        &mut self,
        batches: impl Iterator<Item = &'a [Vec<u8>]> + Clone,
    ) -> Result<Written, StoreError> {
        self.append_and(batches, true)
    }

    /// Writes payloads behind each other, each a batch of its own, and leaves it to [`Self::settle`] to sync them. Until then they may be lost,
    /// from any of them on.
    pub(crate) fn append_unsynced(&mut self, payloads: &[Vec<u8>]) -> Result<Written, StoreError> {
        self.append_and(payloads.iter().map(std::slice::from_ref), false)
    }

    /// Syncs what was written and is not synced yet.
    pub(crate) fn settle(&mut self) -> Result<(), StoreError> {
        if self.group < self.next {
            self.sync().map_err(|source| StoreError::Io { doing: "sync", path: self.path.clone(), source })?;
            self.group = self.next;
        }
        Ok(())
    }

    fn append_and<'a>(
        &mut self,
        batches: impl Iterator<Item = &'a [Vec<u8>]> + Clone,
        sync: bool,
    ) -> Result<Written, StoreError> {
        if self.dirty {
            self.take_back()?;
        }
        let needed: usize = batches.clone().flatten().map(|payload| record::HEADER + payload.len()).sum();
        if self.end > 0 && self.end + needed as u64 > self.room {
            self.settle()?;
            self.turn_over(needed as u64)?;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut next = self.next;
        let mut checksum = self.checksum;
        // A file is begun when all before it is synced, so a group never goes on in another.
        let group = self.group;
        for payloads in batches {
            for (index, payload) in payloads.iter().enumerate() {
                checksum = record::write(&mut buffer, next, group, index + 1 == payloads.len(), payload);
                next += 1;
            }
        }
        let written = self.write(&buffer, sync);
        // A burst should not keep its memory for ever.
        buffer.shrink_to(1 << 20);
        self.buffer = buffer;
        let written = written?;
        (self.next, self.checksum) = (next, checksum);
        if sync {
            self.group = next;
        }
        Ok(written)
    }

    fn write(&mut self, bytes: &[u8], sync: bool) -> Result<Written, StoreError> {
        let needed = bytes.len() as u64;
        let stored = self.write_zeros(self.end + needed).map_err(|error| ("sync", error)).and_then(|()| {
            self.file.write_all_at(bytes, self.end).map_err(|error| ("write to", error))?;
            if sync { self.sync().map_err(|error| ("sync", error)) } else { Ok(()) }
        });
        if let Err((doing, source)) = stored {
            self.dirty = true;
            if let Err(error) = self.take_back() {
                tracing::error!(%error, "a failed write could not be taken back; it is tried again before the next");
            }
            return Err(StoreError::Io { doing, path: self.path.clone(), source });
        }
        let written = Written { first: self.first, offset: self.end };
        self.end += needed;
        self.length = self.length.max(self.end);
        Ok(written)
    }

    /// Sees that there are synced zeros up to this place, for records to overwrite.
    fn write_zeros(&mut self, through: u64) -> io::Result<()> {
        if through <= self.zeroed {
            return Ok(());
        }
        let from = self.zeroed.max(self.end);
        let to = self.room.min(through + AHEAD).max(through);
        let zeros = vec![0; usize::try_from(to - from).map_err(io::Error::other)?];
        if let Err(error) = self.file.write_all_at(&zeros, from) {
            // What is left of a disk that is nearly full may do for the records; when it does not, their own write says so.
            tracing::debug!(%error, path = %self.path.display(), "cannot write ahead in the log");
            return Ok(());
        }
        self.sync()?;
        self.zeroed = to;
        Ok(())
    }

    /// Begins the next file.
    fn turn_over(&mut self, needed: u64) -> Result<(), StoreError> {
        let room = room(&self.directory, self.rooms)?;
        let (file, path, length) = begin(&self.directory, self.next, room.max(needed))?;
        // The room that was not used. What is left of it after a crash is harmless, so nothing hangs on this.
        if let Err(error) = self.file.set_len(self.end) {
            tracing::warn!(%error, path = %self.path.display(), "cannot give back the room behind the end of a complete file of the log");
        }
        (self.file, self.path, self.length) = (file, path, length);
        (self.first, self.room) = (self.next, room);
        (self.end, self.zeroed) = (0, 0);
        Ok(())
    }

    /// Cuts the file to what is good and sets its room aside again. Cutting drops whatever a failed sync left in the system's cache, and
    /// marks the block that the cut goes through as to be written anew.
    fn take_back(&mut self) -> Result<(), StoreError> {
        self.dirty = true;
        let failed = |source| StoreError::Io { doing: "cut the end of", path: self.path.clone(), source };
        self.file.set_len(self.end).map_err(failed)?;
        self.file.sync_all().map_err(failed)?;
        self.syncs += 1;
        (self.length, self.zeroed) = (self.end, self.end);
        if self.length < self.room {
            // Without room set aside the file grows as it is written; that is slower and just as safe.
            match fallocate(&self.file, FallocateFlags::empty(), self.end, self.room - self.end) {
                Ok(()) => self.length = self.room,
                Err(error) => tracing::warn!(%error, path = %self.path.display(), "cannot set room aside for the log"),
            }
        }
        self.dirty = false;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.syncs += 1;
        self.file.sync_data()
    }
}

/// How much room the next file gets beside those that there are.
fn room(directory: &Path, rooms: Rooms) -> Result<u64, StoreError> {
    let mut kept = 0;
    for first in segment::list(directory)? {
        let path = segment::path(directory, first);
        kept += std::fs::metadata(&path).map_err(|source| StoreError::Io { doing: "look at", path, source })?.len();
    }
    Ok((kept / SHARE).max(rooms.least).min(rooms.most))
}

/// Makes the file whose first record will have this number, with room for `room` bytes.
pub(crate) fn begin(directory: &Path, first: u64, room: u64) -> Result<(File, PathBuf, u64), StoreError> {
    let path = segment::path(directory, first);
    let failed = |doing, source| StoreError::Io { doing, path: path.clone(), source };
    // A file of this name can only be one that was begun and never used.
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .map_err(|source| failed("make", source))?;
    let ready = match fallocate(&file, FallocateFlags::empty(), 0, room.max(1)) {
        Ok(()) => file.sync_all().map(|()| room),
        // The file system cannot set room aside; the file grows as it is written.
        Err(rustix::io::Errno::OPNOTSUPP) => file.sync_all().map(|()| 0),
        Err(error) => Err(error.into()),
    };
    let ready = ready.map_err(|source| failed("set room aside in", source)).and_then(|length| {
        sync_directory(directory)?;
        Ok(length)
    });
    match ready {
        Ok(length) => Ok((file, path, length)),
        Err(error) => {
            // Best effort: an unused file at the end is as good as none.
            let _ = std::fs::remove_file(&path);
            Err(error)
        }
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|source| StoreError::Io { doing: "sync", path: directory.to_owned(), source })
}

/// Room that is given up when the disk is full, so that the end of what runs can still be noted.
const RESERVE: u64 = 1 << 20;

/// Sets the reserve aside, if it is not and the disk has room enough.
pub(crate) fn begin_reserve(shared: &Shared) {
    let path = shared.path.join("reserve");
    let enough = shared.room().is_some_and(|room| room.free > room.reserve && room.free > 4 * RESERVE);
    if !enough || path.exists() {
        return;
    }
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let made = made.and_then(|file| Ok(fallocate(&file, FallocateFlags::empty(), 0, RESERVE)?));
    if let Err(error) = made {
        tracing::debug!(%error, path = %path.display(), "cannot set room aside");
    }
}

/// Gives the reserve up. Says whether there was one.
pub(crate) fn give_up_reserve(store: &Path) -> bool {
    std::fs::remove_file(store.join("reserve")).is_ok()
}

/// Whether this is how a system says that there is no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
