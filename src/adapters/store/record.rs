//! One fact as bytes. A record of version 1, numbers little-endian:
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..3 | `FF 48 46`; `FF` stands in no UTF-8 text, so nothing that was said in chat can look like the beginning of a record |
//! | 3 | version |
//! | 4..8 | CRC-32 of all that follows |
//! | 8..12 | length of the payload |
//! | 12 | 1 when this is the last record of its batch, else 0 |
//! | 13..16 | 0 |
//! | 16..24 | the fact's number; the first is 1, none is left out |
//! | 24..32 | the number of the first fact of the same write: everything before it had been synced when this was written |
//! | 32.. | payload: the dated fact as JSON |
//!
//! **A version's layout never changes.** Logs of each are kept under `tests/data/logs` and must stay readable.

use crate::core::fact::Dated;

/// The version that is written.
const VERSION: u8 = 1;
const MAGIC: [u8; 3] = [0xFF, b'H', b'F'];
/// Length of what stands before the payload.
pub(crate) const HEADER: usize = 32;
/// Where the bytes begin that the checksum covers.
const COVERED: usize = 8;

/// A record whose checksum is right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    /// The fact's number.
    pub(crate) sequence: u64,
    /// The number of the first fact of the same write.
    pub(crate) group: u64,
    /// Whether its batch ends here.
    pub(crate) last: bool,
    /// The checksum.
    pub(crate) checksum: u32,
    /// The fact as JSON.
    pub(crate) payload: &'a [u8],
}

/// Why there is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// What a write that was cut off, or damage, leaves behind.
    Broken(&'static str),
    /// A record of a version that this program does not know.
    Version(u8),
}

impl Record<'_> {
    /// How many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        HEADER + self.payload.len()
    }

    /// The fact.
    pub(crate) fn decode(&self) -> serde_json::Result<Dated> {
        serde_json::from_slice(self.payload)
    }
}

/// A fact as a payload.
pub(crate) fn payload(dated: &Dated) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(dated)
}

/// Puts a record behind what is in `buffer`.
pub(crate) fn write(buffer: &mut Vec<u8>, sequence: u64, group: u64, last: bool, payload: &[u8]) -> u32 {
    let start = buffer.len();
    // A fact of 4 GiB cannot be: outputs above a few kilobytes are blobs.
    let length = u32::try_from(payload.len()).expect("a fact is shorter than 4 GiB");
    buffer.extend_from_slice(&MAGIC);
    buffer.push(VERSION);
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(&[u8::from(last), 0, 0, 0]);
    buffer.extend_from_slice(&sequence.to_le_bytes());
    buffer.extend_from_slice(&group.to_le_bytes());
    buffer.extend_from_slice(payload);
    let checksum = crc32fast::hash(&buffer[start + COVERED..]);
    buffer[start + 4..start + COVERED].copy_from_slice(&checksum.to_le_bytes());
    checksum
}

/// The record at the beginning of `bytes` as if it had our version, whatever version it says.
pub(crate) fn with_our_version(bytes: &[u8]) -> Vec<u8> {
    let length = payload_length(bytes).map_or(0, |length| (HEADER + length).min(bytes.len()));
    let mut ours = bytes[..length].to_vec();
    if let Some(version) = ours.get_mut(3) {
        *version = VERSION;
    }
    ours
}

/// Reads the record at the beginning of `bytes`.
pub(crate) fn read(bytes: &[u8]) -> Result<Record<'_>, Fault> {
    let Some(header) = bytes.first_chunk::<HEADER>() else {
        return Err(Fault::Broken("the record ends within its header"));
    };
    if header[..3] != MAGIC {
        return Err(Fault::Broken("no record begins here"));
    }
    match header[3] {
        VERSION => {}
        // The rest of a header that never reached the disk.
        0 => return Err(Fault::Broken("the record has no version")),
        other => return Err(Fault::Version(other)),
    }
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
    let checksum = word(4);
    let end = usize::try_from(word(8)).ok().and_then(|length| length.checked_add(HEADER));
    let Some(covered) = end.and_then(|end| bytes.get(COVERED..end)) else {
        return Err(Fault::Broken("the record is longer than the file"));
    };
    if crc32fast::hash(covered) != checksum {
        return Err(Fault::Broken("the checksum is wrong"));
    }
    let (sequence, group) = (long(16), long(24));
    if header[12] > 1 || header[13..16] != [0; 3] || group == 0 || group > sequence {
        return Err(Fault::Broken("the header makes no sense"));
    }
    Ok(Record { sequence, group, last: header[12] == 1, checksum, payload: &covered[HEADER - COVERED..] })
}

/// The longest payload that is believed before its checksum has been looked at.
const LONGEST: usize = 1 << 30;

/// How long the payload behind a header is, if this is a header.
pub(crate) fn payload_length(header: &[u8]) -> Option<usize> {
    let length = header.get(8..12)?.try_into().ok().map(u32::from_le_bytes)?;
    (header.starts_with(&MAGIC)).then_some(usize::try_from(length).ok()?).filter(|length| *length <= LONGEST)
}

/// The next place after the beginning of `bytes` where a record may begin.
pub(crate) fn seek(bytes: &[u8]) -> Option<usize> {
    bytes.windows(MAGIC.len()).skip(1).position(|window| window == MAGIC).map(|at| at + 1)
}
