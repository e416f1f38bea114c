//! Reads stored facts one after the other, from any number on, also while they are being written by this or another process.

use crate::adapters::store::log::Written;
use crate::adapters::store::segment::{self, Anchor, Loaded, Place, Rest, Scanner};
use crate::core::fact::Dated;
use crate::runtime::ports::StoreError;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// A fact as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// Its number.
    pub(crate) sequence: u64,
    /// The checksum of its record.
    pub(crate) checksum: u32,
    /// Where its record begins.
    pub(crate) place: Written,
    /// The fact.
    pub(crate) dated: Dated,
}

/// The facts of a log in order, up to the last complete batch. Ends with the first error.
pub(crate) struct Reading {
    directory: PathBuf,
    /// The first number that is wanted.
    from: u64,
    /// The last number that is wanted.
    through: u64,
    anchor: Anchor,
    at: At,
    ready: VecDeque<Stored>,
}

enum At {
    /// Before the first file.
    Start,
    /// Within a file.
    File(Open),
    /// Nothing more.
    End,
}

struct Open {
    /// The number of its first record.
    first: u64,
    bytes: Vec<u8>,
    /// Where in the file they begin.
    base: u64,
    place: Place,
    /// It seemed bad and was read anew.
    again: bool,
}

impl Reading {
    /// Facts from number `from` on, and none after number `through`.
    pub(crate) fn new(directory: &Path, from: u64, through: u64) -> Self {
        Self {
            directory: directory.to_owned(),
            from,
            through,
            anchor: Anchor::default(),
            at: At::Start,
            ready: VecDeque::new(),
        }
    }

    /// Begins at a record whose place is known, where nothing before it is wanted.
    pub(crate) fn near(mut self, anchor: Anchor) -> Self {
        if anchor.number <= self.from {
            self.anchor = anchor;
        }
        self
    }

    /// Fills `ready` with the next batch; false at the end.
    fn fill(&mut self) -> Result<bool, StoreError> {
        loop {
            self.at = match std::mem::replace(&mut self.at, At::End) {
                At::End => return Ok(false),
                At::Start => self.begin()?,
                At::File(open) if open.place.next > self.through => At::End,
                At::File(mut open) => {
                    let mut scanner = Scanner::new(&open.bytes, open.place);
                    if let Some(batch) = scanner.batch() {
                        let mut offset = open.base + open.place.offset as u64;
                        for record in batch {
                            let place = Written { first: open.first, offset };
                            offset += record.bytes() as u64;
                            if record.sequence < self.from {
                                continue;
                            }
                            let dated = record.decode().map_err(|error| {
                                let path = segment::path(&self.directory, open.first);
                                segment::not_decoded(path, place.offset, record.sequence, &error)
                            })?;
                            self.ready.push_back(Stored {
                                sequence: record.sequence,
                                checksum: record.checksum,
                                place,
                                dated,
                            });
                        }
                        open.place = scanner.place;
                        self.at = At::File(open);
                        return Ok(true);
                    }
                    let rest = scanner.rest();
                    self.leave(open, rest)?
                }
            }
        }
    }

    fn begin(&self) -> Result<At, StoreError> {
        let firsts = segment::list(&self.directory)?;
        match firsts.first() {
            None => Ok(At::End),
            Some(oldest) if *oldest > self.from => Err(StoreError::Damaged {
                path: segment::path(&self.directory, *oldest),
                offset: 0,
                what: format!("the log begins with fact {oldest}; the facts before it are missing"),
            }),
            Some(oldest) => {
                let oldest = *oldest;
                self.open(firsts.into_iter().rev().find(|first| *first <= self.from).unwrap_or(oldest))
            }
        }
    }

    fn open(&self, first: u64) -> Result<At, StoreError> {
        let Loaded { bytes, base, place } =
            Loaded::read(&segment::path(&self.directory, first), first, self.anchor_in(first))?;
        Ok(At::File(Open { first, bytes, base, place, again: false }))
    }

    /// Only the first file that is read can hold the known record.
    fn anchor_in(&self, first: u64) -> Anchor {
        if first <= self.anchor.number { self.anchor } else { Anchor::default() }
    }

    /// No batch is left in the bytes of this file. What looks like damage may be a write in the making, whose end was read before its
    /// beginning was there; such a one is whole when it is read again.
    fn leave(&self, open: Open, rest: Rest) -> Result<At, StoreError> {
        let path = segment::path(&self.directory, open.first);
        let following = segment::list(&self.directory)?.into_iter().find(|other| *other > open.first);
        let next = open.place.next;
        let (offset, what) = match (rest, following) {
            (_, Some(following)) if following == next => return self.open(next),
            (Rest::Empty | Rest::Torn { .. }, None) => return Ok(At::End),
            (Rest::Version { what }, _) => return Err(StoreError::Version { path, what }),
            (Rest::Damaged { offset, what }, _) => (offset, what),
            (_, Some(following)) => {
                (open.place.offset, format!("facts {next} to {} are missing", following.saturating_sub(1)))
            }
        };
        if open.again {
            return Err(StoreError::Damaged { path, offset: open.base + offset as u64, what });
        }
        Ok(At::File(Open { bytes: segment::load(&path, open.base)?, again: true, ..open }))
    }
}

impl Iterator for Reading {
    type Item = Result<Stored, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(stored) = self.ready.pop_front() {
                return (stored.sequence <= self.through).then_some(Ok(stored));
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
