//! What the index keeps of a fact, and under which keys.

use crate::adapters::store::log::Written;
use crate::core::fact::{Dated, Fact};
use crate::core::id::{ActionRef, ExecutionId};
use jiff::Timestamp;

/// A fact as far as the index is concerned.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Its number.
    pub(crate) sequence: u64,
    /// The checksum of its record; 0 when nobody has asked for it.
    pub(crate) checksum: u32,
    /// Where its record begins.
    pub(crate) place: Written,
    /// The execution that it is about, and what it is to it.
    pub(crate) about: Option<(ExecutionId, Turn)>,
}

/// What a fact is to an execution.
#[derive(Debug, Clone)]
pub(crate) enum Turn {
    /// The first.
    Started {
        /// When.
        at: Timestamp,
        /// What is run.
        action: ActionRef,
    },
    /// The first of a child of a workflow, which is in no list.
    Within {
        /// When.
        at: Timestamp,
    },
    /// The last.
    Finished,
    /// Any between.
    Other,
}

impl Entry {
    pub(crate) fn new(sequence: u64, checksum: u32, place: Written, dated: &Dated) -> Self {
        let about = dated.fact.execution().map(|id| {
            let turn = match &dated.fact {
                // Who asks for what ran asks for what somebody wanted; what a workflow wanted is shown with it.
                Fact::ExecutionStarted(request) if request.parent.is_some() => Turn::Within { at: dated.at },
                Fact::ExecutionWaits(waits) if waits.request.parent.is_some() => Turn::Within { at: dated.at },
                Fact::ExecutionStarted(request) => Turn::Started { at: dated.at, action: request.action.clone() },
                Fact::ExecutionWaits(waits) => Turn::Started { at: dated.at, action: waits.request.action.clone() },
                Fact::ExecutionFinished { .. } => Turn::Finished,
                _ => Turn::Other,
            };
            (id.clone(), turn)
        });
        Self { sequence, checksum, place, about }
    }
}

/// The key of an execution that began before the first fact that is kept.
pub(crate) fn by_id(id: &[u8]) -> Vec<u8> {
    [b"e", id].concat()
}

/// Backwards, so that all ids with the same end stand together.
pub(crate) fn by_end(digits: &str) -> Vec<u8> {
    std::iter::once(b's').chain(digits.bytes().rev()).collect()
}

/// In the order of time; of those started at once, in the order of ids.
pub(crate) fn by_time(started: Timestamp, id: &[u8]) -> Vec<u8> {
    [b"t".as_slice(), &time(started), id].concat()
}

/// In the order in which they ended.
pub(crate) fn by_finish(sequence: u64, id: &[u8]) -> Vec<u8> {
    [b"f".as_slice(), &sequence.to_be_bytes(), id].concat()
}

/// What the keys of an execution's facts begin with. No id has a zero byte in it, so that none is the beginning of another.
pub(crate) fn facts_of(id: &[u8]) -> Vec<u8> {
    [b"x".as_slice(), id, &[0]].concat()
}

/// The key of one of them.
pub(crate) fn by_fact(id: &[u8], sequence: u64) -> Vec<u8> {
    [b"x".as_slice(), id, &[0], &sequence.to_be_bytes()].concat()
}

/// A moment as bytes in the order of time.
pub(crate) fn time(at: Timestamp) -> [u8; 8] {
    // The sign bit turned, negative numbers come first.
    (at.as_microsecond() ^ i64::MIN).to_be_bytes()
}

/// A place in the log as bytes.
pub(crate) fn place(place: Written) -> Vec<u8> {
    [place.first.to_be_bytes(), place.offset.to_be_bytes()].concat()
}

/// Number and place of a fact, from what [`by_fact`] and [`place`] made.
pub(crate) fn read(key: &[u8], value: &[u8]) -> Option<(u64, Written)> {
    let sequence = u64::from_be_bytes(*key.last_chunk()?);
    let first = u64::from_be_bytes(*value.first_chunk()?);
    let offset = u64::from_be_bytes(*value.last_chunk()?);
    Some((sequence, Written { first, offset }))
}
