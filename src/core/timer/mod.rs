//! # Timers
//!
//! When a rule on `core.st2.IntervalTimer`, `core.st2.DateTimer` or `core.st2.CronTimer` is due. Pure arithmetic on moments: a timer is read from the
//! parameters of the rule's trigger, and asked for its next **tick**. Who remembers the last tick, and what is done at one, is not decided here.
//!
//! - [`cron`]: ticks by the clock on the wall; [`field`]: one field of such an expression.
//!
//! Names, parameters and ticks are those of StackStorm 3.9, which asks APScheduler 3; `tests/it/timer.rs` compares with the latter. The parameters
//! `missed`, `grace` and `splay` are additions.
//!
//! - **Ticks do not drift.** The next tick follows from the last tick and not from when somebody came to look.
//! - **A tick is a moment, not an event**: whether it came in time is judged by [`Timer::verdict`], so that what happens after an absence does not depend on
//!   how it is noticed.
//! - **The splay is a function of the timer and the tick**, the same after a restart.
//! - **What cannot be read is refused with its key**, and so is what would never tick.

pub mod cron;
pub mod field;

use crate::core::message::zone::{named_zone, zone};
use cron::Cron;
use jiff::civil;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use thiserror::Error;

/// The trigger types that are timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `core.st2.IntervalTimer`
    Interval,
    /// `core.st2.DateTimer`
    Date,
    /// `core.st2.CronTimer`
    Cron,
}

impl Kind {
    /// The kind of timer that a trigger type is, if it is one.
    pub fn of(trigger: &str) -> Option<Self> {
        match trigger {
            "core.st2.IntervalTimer" => Some(Self::Interval),
            "core.st2.DateTimer" => Some(Self::Date),
            "core.st2.CronTimer" => Some(Self::Cron),
            _ => None,
        }
    }
}

/// What becomes of ticks that nobody was there to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// They are left out. That is what StackStorm does.
    Skip,
    /// The last of them is made up for, once.
    Run,
}

/// What is remembered of a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticked {
    /// When it began.
    pub since: Timestamp,
    /// Up to when its ticks have been considered.
    pub until: Timestamp,
}

/// What is to be done about a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Due,
    /// It came too late.
    TooLate,
}

/// A timer as a rule describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Timer {
    pattern: Pattern,
    missed: Missed,
    grace: SignedDuration,
    splay: SignedDuration,
    identity: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Pattern {
    /// Every so often after its first moment.
    Interval(SignedDuration),
    /// Once.
    Date(Timestamp),
    /// By the clock.
    Cron(Box<Cron>),
}

/// Why the parameters of a timer cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TimerError {
    /// A parameter that no such timer has.
    #[error("`{0}` is not a parameter of this timer; it has {1}")]
    Unknown(String, &'static str),
    /// A parameter that has to be there.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A value of the wrong type, or out of its range.
    #[error("`{0}` has to be {1}")]
    Wrong(&'static str, &'static str),
    /// A time zone that does not exist.
    #[error("`timezone`: there is no time zone `{0}`; its name is like Europe/Zurich")]
    Zone(String),
    /// A field of a cron expression.
    #[error("`{0}`: {1}")]
    Field(&'static str, field::FieldError),
    /// No moment fits.
    #[error("no day is like that, so this timer would never tick")]
    Never,
}

/// The lateness that is always forgiven where the timer does not say: longer than a restart takes.
const GRACE: SignedDuration = SignedDuration::from_secs(60);

/// Ten years: nobody means more, and arithmetic on moments stays in its range.
const LONGEST_SECONDS: u64 = 10 * 366 * 24 * 3600;

const INTERVAL_PARAMETERS: &str = "unit, delta, timezone, missed, grace, splay";
const DATE_PARAMETERS: &str = "date, timezone, missed, grace, splay";
const CRON_PARAMETERS: &str =
    "year, month, day, week, day_of_week, hour, minute, second, timezone, missed, grace, splay";

impl Timer {
    /// Reads a timer from the parameters of a trigger. Clocks are those of `local` where the parameters name no time zone; a name that means nothing
    /// there is UTC.
    ///
    /// # Errors
    /// A parameter that is unknown, missing or cannot be read, with its name.
    pub fn read(kind: Kind, parameters: &Map<String, Value>, local: &str) -> Result<Self, TimerError> {
        let allowed = match kind {
            Kind::Interval => INTERVAL_PARAMETERS,
            Kind::Date => DATE_PARAMETERS,
            Kind::Cron => CRON_PARAMETERS,
        };
        if let Some(unknown) = parameters.keys().find(|key| !allowed.split(", ").any(|name| name == key.as_str())) {
            return Err(TimerError::Unknown(unknown.clone(), allowed));
        }
        let zone = match given(parameters, "timezone") {
            None => zone(local),
            Some(Value::String(name)) => named_zone(name).ok_or_else(|| TimerError::Zone(name.clone()))?,
            Some(_) => return Err(TimerError::Wrong("timezone", "the name of a time zone")),
        };
        let pattern = match kind {
            Kind::Interval => Pattern::Interval(interval(parameters)?),
            Kind::Date => Pattern::Date(date(parameters, &zone)?),
            Kind::Cron => Pattern::Cron(Box::new(Cron::read(parameters, zone)?)),
        };
        let missed = match given(parameters, "missed") {
            None => Missed::Skip,
            Some(Value::String(word)) if word == "skip" => Missed::Skip,
            Some(Value::String(word)) if word == "run" => Missed::Run,
            Some(_) => return Err(TimerError::Wrong("missed", "`skip` or `run`")),
        };
        Ok(Self {
            pattern,
            missed,
            grace: seconds(parameters, "grace")?.unwrap_or(GRACE),
            splay: seconds(parameters, "splay")?.unwrap_or(SignedDuration::ZERO),
            identity: format!("{kind:?} {}", Value::Object(parameters.clone())),
        })
    }

    /// The first tick after a moment, of a timer that began at `since`. An interval ticks for the first time when it has passed once.
    ///
    /// Nothing when there is none any more.
    pub fn next(&self, since: Timestamp, after: Timestamp) -> Option<Timestamp> {
        match &self.pattern {
            Pattern::Interval(length) => {
                let (length, gone) = (length.as_nanos(), after.duration_since(since).as_nanos().max(0));
                let ticks = gone.div_euclid(length) + 1;
                let wait = i64::try_from(ticks.checked_mul(length)? / 1_000_000_000).ok()?;
                since.checked_add(SignedDuration::from_secs(wait)).ok()
            }
            Pattern::Date(at) => (*at > after).then_some(*at),
            Pattern::Cron(cron) => cron.next(after),
        }
    }

    /// The last tick after `after` and until `now`, that moment included. Takes as long after a year as after a minute.
    pub fn last(&self, since: Timestamp, after: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let next = |after| self.next(since, after).filter(|tick| *tick <= now);
        next(after)?;
        // There is a tick after `low`, and none after `high`; ticks are never nearer to each other than a second.
        let (mut low, mut high) = (after, now);
        while high.duration_since(low) > SignedDuration::from_secs(1) {
            let middle = low.checked_add(high.duration_since(low) / 2).ok()?;
            if next(middle).is_some() {
                low = middle;
            } else {
                high = middle;
            }
        }
        next(low)
    }

    /// Whether a tick that is heard of at `now` counts.
    pub fn verdict(&self, tick: Timestamp, now: Timestamp) -> Verdict {
        match self.missed {
            Missed::Run => Verdict::Due,
            Missed::Skip if now.duration_since(tick) <= self.grace + self.splay => Verdict::Due,
            Missed::Skip => Verdict::TooLate,
        }
    }

    /// A short name, the same for the same parameters.
    pub fn name(&self) -> String {
        let digest = Sha256::digest(self.identity.as_bytes());
        digest.iter().take(6).fold(String::new(), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        })
    }

    /// How much later than its moment a tick is acted upon: less than the splay, and for each tick another.
    pub fn splay(&self, tick: Timestamp) -> SignedDuration {
        let range = self.splay.as_millis();
        if range == 0 {
            return SignedDuration::ZERO;
        }
        let mut hash = Sha256::new();
        hash.update(self.identity.as_bytes());
        hash.update(tick.as_second().to_be_bytes());
        let bytes: [u8; 32] = hash.finalize().into();
        let drawn = bytes.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        let milliseconds = i128::from(drawn) % range;
        SignedDuration::from_millis(i64::try_from(milliseconds).unwrap_or_default())
    }
}

/// A parameter that says something: StackStorm takes null for absence.
fn given<'a>(parameters: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    parameters.get(name).filter(|value| !value.is_null())
}

fn interval(parameters: &Map<String, Value>) -> Result<SignedDuration, TimerError> {
    let unit = match given(parameters, "unit").ok_or(TimerError::Missing("unit"))?.as_str() {
        Some("seconds") => 1,
        Some("minutes") => 60,
        Some("hours") => 3600,
        Some("days") => 24 * 3600,
        Some("weeks") => 7 * 24 * 3600,
        _ => return Err(TimerError::Wrong("unit", "one of weeks, days, hours, minutes, seconds")),
    };
    let delta = given(parameters, "delta").ok_or(TimerError::Missing("delta"))?;
    delta
        .as_u64()
        .and_then(|delta| delta.checked_mul(unit))
        .filter(|seconds| (1..=LONGEST_SECONDS).contains(seconds))
        .and_then(|seconds| i64::try_from(seconds).ok())
        .map(SignedDuration::from_secs)
        .ok_or(TimerError::Wrong("delta", "a whole number above 0, and not more than ten years"))
}

fn date(parameters: &Map<String, Value>, zone: &jiff::tz::TimeZone) -> Result<Timestamp, TimerError> {
    let wrong =
        TimerError::Wrong("date", "a moment like 2026-12-01 22:00, or with its offset 2026-12-01T22:00:00+01:00");
    let text = given(parameters, "date").ok_or(TimerError::Missing("date"))?.as_str().ok_or_else(|| wrong.clone())?;
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let by_the_clock: civil::DateTime = text.parse().map_err(|_| wrong.clone())?;
    Ok(by_the_clock.to_zoned(zone.clone()).map_err(|_| wrong)?.timestamp())
}

fn seconds(parameters: &Map<String, Value>, name: &'static str) -> Result<Option<SignedDuration>, TimerError> {
    let Some(value) = given(parameters, name) else { return Ok(None) };
    value
        .as_u64()
        .filter(|seconds| *seconds <= LONGEST_SECONDS)
        .and_then(|seconds| i64::try_from(seconds).ok())
        .map(|seconds| Some(SignedDuration::from_secs(seconds)))
        .ok_or(TimerError::Wrong(name, "a number of seconds"))
}
