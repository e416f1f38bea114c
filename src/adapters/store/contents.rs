//! What one file of the log holds, without opening a store: for whoever has the bytes of such a file, whole or not.

use crate::adapters::store::segment::{Place, Rest, Scanner};
use crate::core::fact::Dated;

/// The facts of one file, and how it ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents {
    /// The facts of all batches up to the first that is not whole.
    pub facts: Vec<Dated>,
    /// What stands behind them.
    pub ending: Ending,
}

/// What stands behind the last whole batch of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Nothing but room for more.
    Clean,
    /// A write that was cut off. None of it was acknowledged.
    Torn {
        /// Where it begins.
        offset: usize,
        /// What gives it away.
        what: String,
    },
    /// Something was acknowledged and is not readable any more, or not by this program.
    Damaged {
        /// Where.
        offset: usize,
        /// What is bad.
        what: String,
    },
}

impl Contents {
    /// Reads the bytes of a file whose first record has the number `first`, which is the file's name.
    pub fn of(bytes: &[u8], first: u64) -> Self {
        let mut scanner = Scanner::new(bytes, Place::start(first));
        let mut facts = Vec::new();
        loop {
            let offset = scanner.place.offset;
            let Some(batch) = scanner.batch() else { break };
            let decoded: serde_json::Result<Vec<Dated>> = batch.iter().map(|record| record.decode()).collect();
            match decoded {
                Ok(decoded) => facts.extend(decoded),
                Err(error) => {
                    let what = format!("a fact is none that this program knows: {error}");
                    return Self { facts, ending: Ending::Damaged { offset, what } };
                }
            }
        }
        let ending = match scanner.rest() {
            Rest::Empty => Ending::Clean,
            Rest::Torn { what } => Ending::Torn { offset: scanner.place.offset, what },
            Rest::Damaged { offset, what } => Ending::Damaged { offset, what },
            Rest::Version { what } => Ending::Damaged { offset: scanner.place.offset, what },
        };
        Self { facts, ending }
    }
}
