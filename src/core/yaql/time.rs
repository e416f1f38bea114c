//! Points in time as Python's `datetime` has them, always with an offset, and lengths of time.

use super::error::{Kind, Outcome, fail};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Microseconds of a day.
pub(crate) const DAY: i64 = 86_400_000_000;
const SECOND: i64 = 1_000_000;
/// The longest length of time, in microseconds: 292,000 years, where Python goes on to 2.7 million.
pub(crate) const LONGEST: u64 = i64::MAX.unsigned_abs();
/// The first moment of year 1 and the first after year 9999, in microseconds from 1970.
const FIRST: i64 = -62_135_596_800 * SECOND;
const END: i64 = 253_402_300_800 * SECOND;

/// A point in time, with how far the clock that shows it is ahead of UTC. Two are the same when they are the same time.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Microseconds from 1970.
    pub(crate) utc: i64,
    /// Microseconds.
    pub(crate) offset: i64,
}

/// What a calendar and a clock show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) microsecond: i64,
}

impl PartialEq for Moment {
    fn eq(&self, other: &Self) -> bool {
        self.utc == other.utc
    }
}

impl Eq for Moment {}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> Ordering {
        self.utc.cmp(&other.utc)
    }
}

impl Hash for Moment {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.utc.hash(state);
    }
}

/// Days from 1970 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Moment {
    pub(crate) const EPOCH: Self = Self { utc: 0, offset: 0 };

    /// From microseconds of UTC.
    pub(crate) fn at(utc: i64, offset: i64) -> Outcome<Self> {
        if offset.abs() >= DAY {
            return fail(Kind::Value, "an offset is less than a day");
        }
        match utc.checked_add(offset) {
            Some(local) if (FIRST..END).contains(&local) => Ok(Self { utc, offset }),
            _ => fail(Kind::Overflow, "years go from 1 to 9999"),
        }
    }

    pub(crate) fn from_civil(civil: Civil, offset: i64) -> Outcome<Self> {
        let Civil { year, month, day, hour, minute, second, microsecond } = civil;
        let fits = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_of(year, month)).contains(&day)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second)
            && (0..SECOND).contains(&microsecond);
        if !fits {
            return fail(
                Kind::Value,
                format!("there is no {year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
            );
        }
        let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        let utc = seconds * SECOND + microsecond - offset;
        if offset.abs() >= DAY {
            return fail(Kind::Value, "an offset is less than a day");
        }
        Ok(Self { utc, offset })
    }

    fn local(self) -> i64 {
        self.utc + self.offset
    }

    pub(crate) fn civil(self) -> Civil {
        let number = self.local().div_euclid(DAY) + 719_468;
        let of_day = self.local().rem_euclid(DAY);
        let era = number.div_euclid(146_097);
        let of_era = number.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let second = of_day / SECOND;
        Civil {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month,
            day: of_year - (153 * shifted + 2) / 5 + 1,
            hour: second / 3_600,
            minute: second / 60 % 60,
            second: second % 60,
            microsecond: of_day % SECOND,
        }
    }

    /// Monday is 0.
    pub(crate) fn weekday(self) -> i64 {
        (self.local().div_euclid(DAY) + 3).rem_euclid(7)
    }

    /// The first of January is 1.
    pub(crate) fn day_of_year(self) -> i64 {
        self.local().div_euclid(DAY) - days(self.civil().year, 1, 1) + 1
    }

    pub(crate) fn midnight(self) -> Self {
        Self { utc: self.local().div_euclid(DAY) * DAY - self.offset, offset: self.offset }
    }

    pub(crate) fn plus(self, span: i64) -> Outcome<Self> {
        match self.utc.checked_add(span) {
            Some(utc) => Self::at(utc, self.offset),
            None => fail(Kind::Overflow, "years go from 1 to 9999"),
        }
    }

    pub(crate) fn since(self, other: Self) -> i64 {
        self.utc - other.utc
    }

    /// `+02:00`, with what stands between hours and minutes.
    pub(crate) fn offset_text(self, between: &str) -> String {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let size = self.offset.abs();
        let (seconds, rest) = (size / SECOND, size % SECOND);
        let mut text = format!("{sign}{:02}{between}{:02}", seconds / 3_600, seconds / 60 % 60);
        if seconds % 60 != 0 || rest != 0 {
            text.push_str(&format!("{between}{:02}", seconds % 60));
        }
        if rest != 0 {
            text.push_str(&format!(".{rest:06}"));
        }
        text
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = self.civil();
        write!(f, "{:04}-{:02}-{:02} ", civil.year, civil.month, civil.day)?;
        write!(f, "{:02}:{:02}:{:02}", civil.hour, civil.minute, civil.second)?;
        if civil.microsecond != 0 {
            write!(f, ".{:06}", civil.microsecond)?;
        }
        f.write_str(&self.offset_text(":"))
    }
}

/// `1 day, 2:03:04`
pub(crate) fn span_text(span: i64) -> String {
    let (days, of_day) = (span.div_euclid(DAY), span.rem_euclid(DAY));
    let second = of_day / SECOND;
    let mut text = match days {
        0 => String::new(),
        1 | -1 => format!("{days} day, "),
        _ => format!("{days} days, "),
    };
    text.push_str(&format!("{}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60));
    if of_day % SECOND != 0 {
        text.push_str(&format!(".{:06}", of_day % SECOND));
    }
    text
}
