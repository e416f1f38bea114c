//! The audit as files: lines that are made of the facts and outlive them.
//!
//! ```text
//! <path>/audit/00000000000000000001.entries   records one after the other like those of the log; the payload is a line
//! <path>/audit.damaged-<date>/                an audit that was damaged, kept for whoever wants to know why
//! ```
//!
//! Nothing is written here while a fact is stored. A moment later, before a question is answered, before a snapshot is written and before facts
//! are removed, the audit reads what has been stored since and writes the lines behind its own. **So it costs the facts no time, and no line can
//! be without its fact.**
//!
//! Its newest line names the fact that it was made of; from there on it goes on after a crash. What it has to know of the facts before
//! ([`Trail`]) comes from the newest memory that says how far the audit was when it was written down. **Lines are synced before a memory
//! says so**, so the facts from that memory on are all that a start reads.
//!
//! **A line that has not been synced may be lost, and is made again of its fact, the same.** What has been synced and is not there any more, or
//! is not as it was written, is damage: the audit is then set aside and made again of the facts that are kept, and the bot begins frozen.
//! Its lines are never removed with the facts; [`cut`] removes whole files of them once they are exported.

use crate::adapters::store::disk::make_directory;
use crate::adapters::store::log::{Log, Opening, Rooms, sync_directory};
use crate::adapters::store::reading::Reading;
use crate::adapters::store::segment::{self, AUDIT, Anchor, Place, Rest, Scanner};
use crate::adapters::store::snapshot::Kept;
use crate::core::audit::chain::{self, Check, Head, Parts, Verdict};
use crate::core::audit::question::{Question, Told};
use crate::core::audit::{Entry, Event, Filter, Trail};
use crate::runtime::ports::StoreError;
use jiff::Timestamp;
use std::fs;
use std::io::{self, BufRead, ErrorKind};
use std::path::{Path, PathBuf};

/// How much room files get. They are read whole, one at a time.
const ROOMS: Rooms = Rooms { least: 64 << 10, most: 2 << 20 };
/// How many facts are taken in with one write.
const STRIDE: usize = 1024;
/// How many bytes of lines are written at once, or a few more.
const PIECE: usize = 32 << 10;
/// How many lines a question looks at, at most.
const MOST_LOOKED_AT: usize = 200_000;
/// What the name of an audit that was set aside begins with.
const ASIDE: &str = "audit.damaged-";

/// The audit, open.
pub(crate) struct Audit {
    directory: PathBuf,
    facts: PathBuf,
    log: Log,
    head: Head,
    /// The number of the last fact that was taken in.
    taken: u64,
    /// A record near it, whose place is known.
    anchor: Anchor,
    trail: Trail,
    /// The number of the fact that the newest line was made of. Lines of facts up to here are there already.
    lined: u64,
}

/// What of the audit an administrator should know.
pub(crate) type Notice = Option<String>;

impl Audit {
    /// Opens the audit of a store whose start and base these are, and whose newest fact has this number. What is missing is taken in later.
    /// `anew` begins one behind the base, where the one before has been set aside.
    pub(crate) fn open(
        store: &Path,
        (start, base): (&Kept, &Kept),
        newest: u64,
        anew: bool,
    ) -> Result<(Self, Notice), StoreError> {
        let directory = store.join(AUDIT);
        let damaged = |what: String| StoreError::Damaged { path: directory.clone(), offset: 0, what };
        let removed = base.audit.clone().unwrap_or_default();
        let files = segment::list(&directory)?;
        if files.is_empty() && removed.number > 0 && !anew {
            return Err(damaged(format!(
                "it is gone, and the facts that its first {} entries were made of are, too",
                removed.number
            )));
        }
        let from = files.last().copied().unwrap_or(removed.number);
        let Opening { log, cut, .. } = Log::open(&directory, ROOMS, Anchor { number: from, offset: 0 })?;
        if let Some(cut) = cut {
            tracing::debug!("{cut}");
        }
        let (head, lined) = match line(&directory, log.newest())? {
            None if log.newest() == removed.number => (removed.clone(), base.snapshot.newest),
            None => return Err(damaged(format!("its newest entry, {}, cannot be read", log.newest()))),
            Some(line) => {
                Parts::of(&line).and_then(|parts| Some((parts.head()?, parts.decode()?.fact))).ok_or_else(|| {
                    damaged(format!("its newest entry, {}, is none that this program knows", log.newest()))
                })?
            }
        };
        if lined > newest {
            return Err(damaged(format!("it knows fact {lined}, and the newest in the log is {newest}")));
        }
        // Whether this line is, or was, among those that there are.
        let holds = |known: &Head| -> Result<bool, StoreError> {
            // What was cut off at a checkpoint can be held against nothing.
            let cut = files.first().is_some_and(|first| known.number + 1 < *first);
            if known.number == 0 || *known == head || cut {
                return Ok(true);
            }
            let hash = |line: Option<String>, of: fn(Parts<'_>) -> &str| {
                line.and_then(|line| Some(of(Parts::of(&line)?).to_owned())).is_some_and(|hash| hash == known.hash)
            };
            Ok(match line(&directory, known.number)? {
                there @ Some(_) => hash(there, |parts| parts.hash),
                None => hash(line(&directory, known.number + 1)?, |parts| parts.previous),
            })
        };
        if !holds(&removed)? {
            return Err(damaged(format!("its entry {} is gone, or another than it was", removed.number)));
        }
        let mut notice = None;
        // The newest memory whose facts are certainly all in it. What an older version wrote says nothing of that.
        let known = match &start.audit {
            Some(known) if holds(known)? => start,
            Some(known) if known.number <= head.number => {
                return Err(damaged(format!("its entry {} is another than it was", known.number)));
            }
            Some(known) => {
                let (ends, known) = (head.number, known.number);
                notice = Some(format!(
                    "the audit ended with entry {ends} though it had come to {known}; what is missing is made again of the facts"
                ));
                base
            }
            None => base,
        };
        let mut audit = Self {
            facts: store.join("log"),
            directory,
            log,
            head,
            taken: known.snapshot.newest,
            anchor: known.anchor(),
            trail: Trail::of(&known.snapshot.memory),
            lined,
        };
        if audit.head.number == 0 && base.snapshot.newest > 0 {
            audit.begin(base)?;
        }
        Ok((audit, notice))
    }

    /// The first line where facts are gone that no line was made of.
    fn begin(&mut self, base: &Kept) -> Result<(), StoreError> {
        let fact = base.snapshot.newest;
        let mut entry = Entry::new(1, fact, base.snapshot.at, Event::Begun);
        entry.reason = format!("the facts up to {fact} were removed before they could be audited");
        self.write(vec![entry])?;
        self.log.settle()
    }

    /// Takes in the facts that are stored up to this one, all of them or so many. Says whether any are left.
    pub(crate) fn catch_up(&mut self, newest: u64, most: u64) -> Result<bool, StoreError> {
        let end = newest.min(self.taken.saturating_add(most));
        if self.taken >= end {
            return Ok(self.taken < newest);
        }
        let mut reading = Reading::new(&self.facts, self.taken + 1, end).near(self.anchor);
        while self.taken < end {
            let (mut entries, mut taken, mut anchor) = (Vec::new(), self.taken, self.anchor);
            // What is made is only true when it is written, so the trail goes ahead on a copy.
            let mut trail = self.trail.clone();
            for stored in reading.by_ref().take(STRIDE) {
                let stored = stored?;
                let number = self.head.number + entries.len() as u64 + 1;
                let entry = trail.take(&stored.dated, stored.sequence, number);
                entries.extend(entry.filter(|_| stored.sequence > self.lined));
                (taken, anchor) = (stored.sequence, Anchor { number: stored.sequence, offset: stored.place.offset });
            }
            if taken == self.taken {
                let what = format!("the log ends with fact {taken}, and {end} is stored");
                return Err(StoreError::Damaged { path: self.facts.clone(), offset: 0, what });
            }
            self.write(entries)?;
            (self.trail, self.taken, self.anchor) = (trail, taken, anchor);
        }
        Ok(self.taken < newest)
    }

    fn write(&mut self, entries: Vec<Entry>) -> Result<(), StoreError> {
        let (mut head, mut lined, mut lines, mut bytes) = (self.head.clone(), self.lined, Vec::new(), 0);
        for entry in entries {
            lined = entry.fact;
            let appended = chain::append(&head, &entry).map_err(|error| StoreError::Io {
                doing: "encode an entry for",
                path: self.directory.clone(),
                source: io::Error::other(error),
            })?;
            bytes += appended.0.len();
            lines.push(appended.0.into_bytes());
            head = appended.1;
            // Files are filled one after the other, and none is made larger for what is written at once.
            if bytes >= PIECE {
                self.log.append_unsynced(&std::mem::take(&mut lines))?;
                (self.head, self.lined, bytes) = (head.clone(), lined, 0);
            }
        }
        if !lines.is_empty() {
            self.log.append_unsynced(&lines)?;
            (self.head, self.lined) = (head, lined);
        }
        Ok(())
    }

    /// Sees that all lines are on disk. Gives the newest.
    pub(crate) fn settle(&mut self) -> Result<Head, StoreError> {
        self.log.settle()?;
        Ok(self.head.clone())
    }

    /// The number of the last fact that was taken in.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// The newest line that was made of this fact or one before it.
    pub(crate) fn head_at(&self, fact: u64) -> Result<Head, StoreError> {
        let mut before = None;
        for first in segment::list(&self.directory)?.into_iter().rev() {
            let (lines, _) = lines_of(&self.directory, first)?;
            for line in lines.iter().rev() {
                let Some((parts, entry)) = Parts::of(line).and_then(|parts| Some((parts, parts.decode()?))) else {
                    continue;
                };
                if entry.fact <= fact {
                    return Ok(Head { number: entry.number, hash: parts.hash.to_owned() });
                }
                before = Some(Head { number: entry.number - 1, hash: parts.previous.to_owned() });
            }
        }
        Ok(before.unwrap_or_else(|| self.head.clone()))
    }

    /// The line before the first that there is.
    pub(crate) fn before_first(&self) -> Result<Head, StoreError> {
        let first = segment::list(&self.directory)?.first().copied().unwrap_or(1);
        let line = line(&self.directory, first)?;
        let before = line.and_then(|line| Parts::of(&line).map(|parts| parts.previous.to_owned()));
        Ok(before.map_or_else(|| self.head.clone(), |hash| Head { number: first - 1, hash }))
    }
}

/// Answers a question about the lines there are; nothing where it is about what only the open audit knows.
pub(crate) fn answer(store: &Path, question: &Question) -> Result<Option<Told>, StoreError> {
    let directory = store.join(AUDIT);
    Ok(match question {
        Question::Newest { most, filter } => Some(newest(&directory, *most, filter)?),
        Question::Verify { known } => {
            Some(Told::Verified { verdict: Box::new(verify_files(&directory, known.clone())?) })
        }
        Question::Head => None,
    })
}

/// The lines of one file, in order, and what is bad behind them.
fn lines_of(directory: &Path, first: u64) -> Result<(Vec<String>, Option<String>), StoreError> {
    let path = segment::path(directory, first);
    let bytes = segment::load(&path, 0)?;
    let mut scanner = Scanner::new(&bytes, Place::start(first));
    let mut lines = Vec::new();
    while let Some(batch) = scanner.batch() {
        lines.extend(batch.iter().map(|record| String::from_utf8_lossy(record.payload).into_owned()));
    }
    let bad = match scanner.rest() {
        Rest::Damaged { offset, what } => Some(format!("{} is damaged at byte {offset}: {what}", path.display())),
        Rest::Version { what } => {
            Some(format!("{} was written by another version of this program: {what}", path.display()))
        }
        // A line that is being written.
        Rest::Empty | Rest::Torn { .. } => None,
    };
    Ok((lines, bad))
}

/// One line by its number; nothing where it is not there.
fn line(directory: &Path, number: u64) -> Result<Option<String>, StoreError> {
    let Some(first) = segment::list(directory)?.into_iter().rev().find(|first| *first <= number) else {
        return Ok(None);
    };
    let (lines, _) = lines_of(directory, first)?;
    Ok(usize::try_from(number - first).ok().and_then(|place| lines.into_iter().nth(place)))
}

/// The newest lines that a filter takes. Files are read from the last one back, and none that is not needed.
fn newest(directory: &Path, most: usize, filter: &Filter) -> Result<Told, StoreError> {
    let firsts = segment::list(directory)?;
    let all = *filter == Filter::default();
    let (mut found, mut looked_at, mut since) = (Vec::new(), 0, None);
    'files: for first in firsts.iter().rev() {
        let (lines, _) = lines_of(directory, *first)?;
        for (number, line) in (*first..).zip(lines).collect::<Vec<_>>().into_iter().rev() {
            if found.len() >= most {
                break 'files;
            }
            if looked_at >= MOST_LOOKED_AT {
                since = Some(number + 1);
                break 'files;
            }
            looked_at += 1;
            if all || Parts::of(&line).and_then(|parts| parts.decode()).is_some_and(|entry| filter.takes(&entry)) {
                found.push(line);
            }
        }
    }
    found.reverse();
    Ok(Told::Lines { lines: found, since })
}

/// Checks all lines of the audit of the store in this directory against themselves and against what is known from elsewhere. Takes no lock, so
/// the bot may be running.
///
/// # Errors
/// The system refuses.
pub fn verify(store: &Path, known: Vec<Head>) -> Result<Verdict, StoreError> {
    verify_files(&store.join(AUDIT), known)
}

fn verify_files(directory: &Path, known: Vec<Head>) -> Result<Verdict, StoreError> {
    let mut check = Check::against(known);
    for first in segment::list(directory)? {
        let (lines, bad) = lines_of(directory, first)?;
        lines.iter().for_each(|line| check.take(line));
        if let Some(bad) = bad {
            check.damaged(bad);
        }
    }
    Ok(check.end())
}

/// Checks exported lines in the same way.
///
/// # Errors
/// They cannot be read.
pub fn verify_lines(lines: impl BufRead, known: Vec<Head>) -> io::Result<Verdict> {
    let mut check = Check::against(known);
    for line in lines.lines() {
        check.take(&line?);
    }
    Ok(check.end())
}

/// All lines of the audit of the store in this directory from this number on. Takes no lock, so the bot may be running. Ends with the first
/// error.
pub fn export_audit(store: &Path, from: u64) -> impl Iterator<Item = Result<String, StoreError>> + use<> {
    let directory = store.join(AUDIT);
    let (firsts, failed) = match segment::list(&directory) {
        Ok(firsts) => (firsts, None),
        Err(error) => (Vec::new(), Some(Err(error))),
    };
    let needed = firsts.iter().rposition(|first| *first <= from).unwrap_or_default();
    let files = firsts.into_iter().skip(needed).flat_map(move |first| {
        let (lines, bad) = match lines_of(&directory, first) {
            Ok((lines, bad)) => {
                (lines, bad.map(|what| StoreError::Damaged { path: directory.clone(), offset: 0, what }))
            }
            Err(error) => (Vec::new(), Some(error)),
        };
        let numbered = (first..).zip(lines).filter(move |(number, _)| *number >= from);
        numbered.map(|(_, line)| Ok(line)).chain(bad.map(Err)).collect::<Vec<_>>()
    });
    failed.into_iter().chain(files)
}

/// Files of the audit that hold nothing behind this line, and the last line in them; nothing where there is no such file.
fn files_before(directory: &Path, last: u64) -> Result<Option<(Vec<PathBuf>, Head)>, StoreError> {
    let firsts = segment::list(directory)?;
    let whole = firsts.iter().zip(firsts.iter().skip(1)).take_while(|(_, following)| **following <= last + 1);
    let whole: Vec<(u64, u64)> = whole.map(|(first, following)| (*first, *following)).collect();
    let Some((_, following)) = whole.last() else { return Ok(None) };
    let Some(head) = line(directory, following - 1)?.and_then(|line| Parts::of(&line)?.head()) else {
        return Ok(None);
    };
    Ok(Some((whole.iter().map(|(first, _)| segment::path(directory, *first)).collect(), head)))
}

/// The last line of those files of the audit that hold nothing behind this one: what a [`cut`] there would remove up to.
///
/// # Errors
/// The system refuses.
pub fn cut_at(store: &Path, last: u64) -> Result<Option<Head>, StoreError> {
    Ok(files_before(&store.join(AUDIT), last)?.map(|(_, head)| head))
}

/// Removes the files of the audit that hold nothing behind this line, the oldest first. Gives how many files went. That it is done has to be
/// stored as a fact before.
///
/// # Errors
/// The system refuses.
pub fn cut(store: &Path, last: u64) -> Result<usize, StoreError> {
    let directory = store.join(AUDIT);
    let Some((files, _)) = files_before(&directory, last)? else { return Ok(0) };
    for path in &files {
        fs::remove_file(path).map_err(|source| StoreError::Io { doing: "remove", path: path.clone(), source })?;
    }
    sync_directory(&directory)?;
    Ok(files.len())
}

/// Moves a damaged audit out of the way. Gives where it lies.
pub(crate) fn set_aside(store: &Path, now: Timestamp) -> Result<PathBuf, StoreError> {
    let from = store.join(AUDIT);
    let to = store.join(format!("{ASIDE}{}", now.strftime("%Y-%m-%dT%H-%M-%SZ")));
    match fs::rename(&from, &to) {
        // The place says that it was gone.
        Err(error) if error.kind() == ErrorKind::NotFound => make_directory(&to)?,
        moved => moved.map_err(|source| StoreError::Io { doing: "set aside", path: from, source })?,
    }
    sync_directory(store)?;
    Ok(to)
}

/// The newest audit that was set aside in this store.
///
/// # Errors
/// The directory cannot be read.
pub(crate) fn newest_aside(store: &Path) -> Result<Option<PathBuf>, StoreError> {
    let entries = match fs::read_dir(store) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(|source| StoreError::Io { doing: "list", path: store.to_owned(), source })?,
    };
    let places = entries.flatten().map(|entry| entry.path());
    let aside =
        |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(ASIDE));
    Ok(places.filter(aside).max())
}
