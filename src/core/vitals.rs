//! What the runtime measures of the parts around the core, told every few seconds so that `status` can speak of them.

use std::collections::BTreeSet;
use std::time::Duration;

/// The parts that the core cannot see by itself, as they were a moment ago.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vitals {
    /// The way out to chat; absent where there is no chat.
    pub outbox: Option<OutboxVitals>,
}

/// The way out to chat.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutboxVitals {
    /// Deliveries without an outcome.
    pub waiting: usize,
    /// How long the oldest of them has been waiting.
    pub oldest: Option<Duration>,
    /// What the last call to the server met with; absent when it went well.
    pub trouble: Option<String>,
}

/// What came of reading the configuration and the packs again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reload {
    /// Whether what was read is in force. A configuration with mistakes is not, and nothing has changed then.
    pub in_force: bool,
    /// What changed and is in force, by the keys of the configuration.
    pub changed: Vec<String>,
    /// What changed in the file and needs a restart, by the keys of the configuration.
    pub restart: Vec<String>,
    /// What is wrong, each with its file, line and key path.
    pub problems: Vec<String>,
}

/// What became of files of packs that have changed while the bot runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackChange {
    /// Those with mistakes in whose place the version before is in force.
    pub kept: BTreeSet<String>,
    /// Those that had mistakes and are not there any more.
    pub gone: BTreeSet<String>,
}
