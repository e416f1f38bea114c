//! How fast the bot may speak: a token bucket with a queue before it, and a bar that a server's `Retry-After` lowers.

use super::lock;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Tokens for calls. **First come, first served**: a channel with a thousand things to say has one place in the queue, like all others.
pub(crate) struct Bucket {
    turn: tokio::sync::Mutex<()>,
    level: Mutex<Level>,
    per_second: f64,
    burst: f64,
}

struct Level {
    tokens: f64,
    at: Instant,
    closed_until: Instant,
}

impl Bucket {
    pub(crate) fn new(per_second: f64, burst: u32) -> Self {
        let (per_second, burst) = (per_second.max(0.01), f64::from(burst.max(1)));
        let now = Instant::now();
        let level = Mutex::new(Level { tokens: burst, at: now, closed_until: now });
        Self { turn: tokio::sync::Mutex::new(()), level, per_second, burst }
    }

    /// Waits for the right to make one call.
    pub(crate) async fn take(&self) {
        let _turn = self.turn.lock().await;
        while let Some(due) = self.try_take() {
            sleep_until(due).await;
        }
    }

    /// Gives back a right that was not used.
    pub(crate) fn put_back(&self) {
        let mut level = lock(&self.level);
        level.tokens = (level.tokens + 1.0).min(self.burst);
    }

    /// Nobody calls before `until`.
    pub(crate) fn hold(&self, until: Instant) {
        let mut level = lock(&self.level);
        level.closed_until = level.closed_until.max(until);
    }

    /// Takes a token, or says when to ask again.
    fn try_take(&self) -> Option<Instant> {
        let mut level = lock(&self.level);
        let now = Instant::now();
        let gained = now.duration_since(level.at).as_secs_f64() * self.per_second;
        level.tokens = (level.tokens + gained).min(self.burst);
        level.at = now;
        if now < level.closed_until {
            return Some(level.closed_until);
        }
        if level.tokens >= 1.0 {
            level.tokens -= 1.0;
            return None;
        }
        // A millisecond more than needed, so that rounding does not wake us before the token is whole.
        let missing = Duration::from_secs_f64((1.0 - level.tokens) / self.per_second);
        Some(now + missing + Duration::from_millis(1))
    }
}
