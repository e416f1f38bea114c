//! A file of the log that holds anything. The bits of the first byte tell what to do with the rest: put the checksums right first, which no
//! mutation would ever do by chance; read it twice; cut it; put it behind what was written whole.

use halcyon::adapters::store::{Contents, Ending};
use std::sync::LazyLock;

/// A file that was written whole.
const GOOD: &[u8] = include_bytes!("../../../tests/data/logs/v1/log/00000000000000000001.facts");

static SOUND: LazyLock<Contents> = LazyLock::new(|| Contents::of(GOOD, 1));

const HEADER: usize = 32;

pub(crate) fn check(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let mut bytes = rest.to_vec();
    if kind % 2 == 1 {
        put_right(&mut bytes);
    }
    let contents = examined(&bytes, 1);
    if kind & 2 != 0 {
        assert_eq!(contents, Contents::of(&bytes, 1), "bytes mean one thing");
    }
    if kind & 4 != 0 {
        // A file that was cut holds the beginning of what it held.
        let shorter = examined(&bytes[..bytes.len() * usize::from(*kind) / 256], 1);
        assert!(contents.facts.starts_with(&shorter.facts), "a shorter file holds other facts");
    }
    if kind & 8 != 0 {
        let behind: Vec<u8> = GOOD.iter().chain(&bytes).copied().collect();
        let appended = examined(&behind, 1);
        assert_eq!(SOUND.ending, Ending::Clean);
        assert!(appended.facts.starts_with(&SOUND.facts), "what stands behind them changes the facts before");
    }
}

fn examined(bytes: &[u8], first: u64) -> Contents {
    let contents = Contents::of(bytes, first);
    if let Ending::Torn { offset, what } | Ending::Damaged { offset, what } = &contents.ending {
        assert!(*offset <= bytes.len(), "{offset} of {}", bytes.len());
        assert!(!what.is_empty());
    }
    for dated in contents.facts.iter().skip(SOUND.facts.len()).chain(contents.facts.first()) {
        let written = serde_json::to_vec(dated).unwrap();
        assert_eq!(*dated, serde_json::from_slice(&written).unwrap(), "what is written is what is read");
    }
    contents
}

/// Gives everything that looks like a record the checksum that it ought to have, from the last to the first, since one may lie in another.
fn put_right(bytes: &mut [u8]) {
    for start in (0..bytes.len().saturating_sub(HEADER - 1)).rev() {
        if bytes[start..].starts_with(&[0xFF, b'H', b'F']) {
            let length = u32::from_le_bytes([8, 9, 10, 11].map(|at| bytes[start + at])) as usize;
            if let Some(covered) = bytes.get(start + 8..start + HEADER + length) {
                let checksum = crc32fast::hash(covered).to_le_bytes();
                bytes[start + 4..start + 8].copy_from_slice(&checksum);
            }
        }
    }
}
