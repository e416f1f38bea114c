//! One field of a cron expression, with the words and ranges of APScheduler 3: `*`, `*/10`, `5`, `5-20`, `5-20/3`, `5/3`; names in the fields of months and
//! weekdays (`jan`, `mon-fri`); `last` and `2nd fri`, `last sun` in the field of days; several of them with commas between.
//!
//! Text behind a name, as in `mon-fri/2`, is a mistake here; there it counts for nothing.

use jiff::civil::{Date, Weekday};
use thiserror::Error;

/// What a field is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 1970 to 9999
    Year,
    /// 1 to 12
    Month,
    /// 1 to the last of the month
    Day,
    /// ISO's weeks, 1 to 53
    Week,
    /// 0 is Monday
    DayOfWeek,
    /// 0 to 23
    Hour,
    /// 0 to 59
    Minute,
    /// 0 to 59
    Second,
}

impl Unit {
    /// The fields in their order, greatest first.
    pub const ALL: [Self; 8] =
        [Self::Year, Self::Month, Self::Day, Self::Week, Self::DayOfWeek, Self::Hour, Self::Minute, Self::Second];

    /// The parameter's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
            Self::Week => "week",
            Self::DayOfWeek => "day_of_week",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
        }
    }

    /// The least and the greatest value.
    pub fn range(self) -> (u16, u16) {
        match self {
            Self::Year => (1970, 9999),
            Self::Month => (1, 12),
            Self::Day => (1, 31),
            Self::Week => (1, 53),
            Self::DayOfWeek => (0, 6),
            Self::Hour => (0, 23),
            Self::Minute | Self::Second => (0, 59),
        }
    }

    /// What the field is when it is less than the least that was given.
    pub fn lowest(self) -> Field {
        match self {
            Self::Month | Self::Day => Field::one(1),
            Self::Hour | Self::Minute | Self::Second => Field::one(0),
            Self::Year | Self::Week | Self::DayOfWeek => Field::any(self),
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::DayOfWeek => &WEEKDAYS,
            _ => &[],
        }
    }
}

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const POSITIONS: [&str; 5] = ["1st", "2nd", "3rd", "4th", "5th"];

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FieldError {
    /// It is none of the words.
    #[error("`{0}` is not understood here; {1}")]
    Unknown(String, &'static str),
    /// A number that is too small or too great.
    #[error("`{text}`: {value} is not within {least} to {most}")]
    Range {
        /// What stands there.
        text: String,
        /// The number.
        value: u64,
        /// The least.
        least: u16,
        /// The greatest.
        most: u16,
    },
    /// The first is behind the last.
    #[error("`{0}` begins after its end")]
    Backwards(String),
    /// Steps of nothing, or beyond everything.
    #[error("`{0}`: the step has to be at least 1 and not longer than the range")]
    Step(String),
}

/// A field that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    parts: Vec<Part>,
    /// Its text begins with `*`.
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// From, to, in steps.
    Span { first: u16, last: u16, step: u16 },
    /// The nth such weekday of the month.
    Nth { nth: u8, weekday: u8 },
    /// The last such weekday of the month.
    Last { weekday: u8 },
    /// The last day of the month.
    LastDay,
}

impl Field {
    fn one(value: u16) -> Self {
        Self { parts: vec![Part::Span { first: value, last: value, step: 1 }], open: false }
    }

    /// `*`
    pub fn any(unit: Unit) -> Self {
        let (first, last) = unit.range();
        Self { parts: vec![Part::Span { first, last, step: 1 }], open: true }
    }

    /// Reads a field.
    ///
    /// # Errors
    /// What of it is wrong.
    pub fn read(unit: Unit, text: &str) -> Result<Self, FieldError> {
        let parts: Result<Vec<_>, _> =
            text.trim().split(',').map(|part| Part::read(unit, part.trim_matches(' '))).collect();
        Ok(Self { parts: parts?, open: text.trim_start().starts_with('*') })
    }

    /// Whether it goes with the clock instead of naming times.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether a value is meant; of a field that does not depend on the month.
    pub fn has(&self, value: u16) -> bool {
        self.parts.iter().any(|part| part.has(value))
    }

    /// The least value from `from` to `most` that is meant.
    pub fn next(&self, from: u16, most: u16) -> Option<u16> {
        self.parts.iter().filter_map(|part| part.next(from)).min().filter(|value| *value <= most)
    }

    /// Whether a date is meant, in the field of days.
    pub fn has_day(&self, date: Date) -> bool {
        let (day, length) = (to_u16(date.day()), to_u16(date.days_in_month()));
        let is = |weekday: u8| weekday_number(date.weekday()) == u16::from(weekday);
        self.parts.iter().any(|part| match part {
            Part::Span { .. } => part.has(day),
            Part::Nth { nth, weekday } => is(*weekday) && (day - 1) / 7 + 1 == u16::from(*nth),
            Part::Last { weekday } => is(*weekday) && day + 7 > length,
            Part::LastDay => day == length,
        })
    }
}

impl Part {
    fn read(unit: Unit, text: &str) -> Result<Self, FieldError> {
        let lower = text.to_ascii_lowercase();
        let names = unit.names();
        if unit == Unit::Day && lower.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            if lower == "last" {
                return Ok(Self::LastDay);
            }
            if let Some((position, weekday)) = lower.split_once(' ') {
                let weekday = WEEKDAYS.iter().position(|name| *name == weekday.trim_start());
                let nth = POSITIONS.iter().position(|name| *name == position);
                return match (nth, weekday.and_then(|weekday| u8::try_from(weekday).ok())) {
                    (Some(nth), Some(weekday)) => {
                        Ok(Self::Nth { nth: u8::try_from(nth).unwrap_or_default() + 1, weekday })
                    }
                    (None, Some(weekday)) if position == "last" => Ok(Self::Last { weekday }),
                    _ => Err(FieldError::Unknown(text.to_owned(), hint(unit))),
                };
            }
        }
        let unknown = || FieldError::Unknown(text.to_owned(), hint(unit));
        if lower.starts_with(|first: char| first.is_ascii_alphabetic()) {
            let (first, last) = lower.split_once('-').unwrap_or((&lower, &lower));
            let number = |word: &str| names.iter().position(|name| *name == word);
            let (first, last) = number(first).zip(number(last)).ok_or_else(unknown)?;
            let base = usize::from(unit.range().0);
            return Self::span(unit, text, (first + base) as u64, Some((last + base) as u64), None);
        }
        let (range, step) = match lower.split_once('/') {
            Some((range, step)) => (range, Some(digits(step).ok_or_else(unknown)?)),
            None => (lower.as_str(), None),
        };
        if range == "*" {
            let (first, last) = unit.range();
            return Self::span(unit, text, first.into(), Some(last.into()), step);
        }
        match range.split_once('-') {
            Some((first, last)) => {
                let (first, last) = digits(first).zip(digits(last)).ok_or_else(unknown)?;
                Self::span(unit, text, first, Some(last), step)
            }
            None => Self::span(unit, text, digits(range).ok_or_else(unknown)?, None, step),
        }
    }

    /// Without an end it is one value, or with steps all until the unit's end.
    fn span(unit: Unit, text: &str, first: u64, last: Option<u64>, step: Option<u64>) -> Result<Self, FieldError> {
        let (least, most) = unit.range();
        let last = last.unwrap_or(if step.is_some() { most.into() } else { first });
        let within =
            |value: u64| {
                u16::try_from(value)
                    .ok()
                    .filter(|value| (least..=most).contains(value))
                    .ok_or_else(|| FieldError::Range { text: text.to_owned(), value, least, most })
            };
        let (first, last) = (within(first)?, within(last)?);
        if first > last {
            return Err(FieldError::Backwards(text.to_owned()));
        }
        // `0-0/5` is not refused there.
        let reach = if last == 0 { most } else { last } - first;
        let step = match step {
            None => 1,
            Some(step) => u16::try_from(step)
                .ok()
                .filter(|step| (1..=reach).contains(step))
                .ok_or_else(|| FieldError::Step(text.to_owned()))?,
        };
        Ok(Self::Span { first, last, step })
    }

    fn has(&self, value: u16) -> bool {
        self.next(value) == Some(value)
    }

    fn next(&self, from: u16) -> Option<u16> {
        let Self::Span { first, last, step } = self else { return None };
        let beyond = from.saturating_sub(*first).div_ceil(*step);
        first.checked_add(beyond.checked_mul(*step)?).filter(|value| value <= last)
    }
}

/// 0 is Monday.
pub fn weekday_number(weekday: Weekday) -> u16 {
    to_u16(weekday.to_monday_zero_offset())
}

/// Parts of dates are small and positive.
pub fn to_u16(part: i8) -> u16 {
    u16::try_from(part).unwrap_or_default()
}

fn digits(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn hint(unit: Unit) -> &'static str {
    match unit {
        Unit::Month => "it takes 1, 1-6, 1,7, */3, and names: jan, jan-jun",
        Unit::Day => "it takes 1, 1-15, 1,15, */2, last, and weekdays of the month: 1st mon, last fri",
        Unit::DayOfWeek => "it takes 0 (Monday) to 6, 0-4, 0,2, */2, and names: mon, mon-fri",
        Unit::Year | Unit::Week | Unit::Hour | Unit::Minute | Unit::Second => "it takes 5, 5-20, 5,20, */10, 5-20/3",
    }
}
