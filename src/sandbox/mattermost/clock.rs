//! Milliseconds since 1970, as the protocol counts.

use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock. The sandbox is a peer of the program, with a clock of its own.
#[expect(clippy::disallowed_methods, reason = "a simulated server has its own clock; nothing of it is replayed")]
pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |past| i64::try_from(past.as_millis()).unwrap_or(i64::MAX))
}
