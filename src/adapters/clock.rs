//! The machine's clock and its source of randomness.

use crate::runtime::ports::Clock;
use jiff::Timestamp;

/// The real thing.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn entropy(&self) -> u64 {
        let mut bits = [0; 8];
        match getrandom::fill(&mut bits) {
            Ok(()) => u64::from_ne_bytes(bits),
            // No system we run on refuses this after boot. Time still keeps ids apart, and no secret is made of these bits.
            Err(_) => self.now().as_nanosecond() as u64,
        }
    }
}
