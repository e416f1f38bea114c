//! What truly ran on a node.

use std::time::Instant;

/// One command that a node started, in the order of starting.
#[derive(Debug, Clone)]
pub struct LedgerEntry {
    /// The wrapper's id; none for a bare command.
    pub id: Option<String>,
    /// The script, as it arrived.
    pub script: String,
    /// The account it ran as.
    pub user: String,
    /// When it started.
    pub started: Instant,
    /// When it ended; none while it is running.
    pub ended: Option<Instant>,
    /// Its exit code; none while it is running and when a reboot took it.
    pub code: Option<u8>,
    /// Whether a kill or a reboot ended it.
    pub killed: bool,
}
