//! Hours in which a grant holds: `08:00-20:00 Europe/Berlin`, `mon-fri 08:00-20:00 Europe/Berlin`, `sat,sun Europe/Berlin`.
//!
//! Times are those of the clock on the wall there, so an hour that is skipped or comes twice in a night of a change is skipped or comes twice
//! here too. The end is not part of it, and `24:00` is the end of the day. Where the end comes before the beginning the hours go over midnight
//! and belong to the day on which they begin.

use crate::core::message::zone::named_zone;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::fmt;

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// Times of the week in a time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    written: String,
    zone: TimeZone,
    /// By the day of the week, Monday first.
    days: [bool; 7],
    /// Minutes since midnight: from, and up to.
    from: u16,
    to: u16,
}

impl Hours {
    /// Reads days, times and a zone; one of the first two can be left out.
    ///
    /// # Errors
    /// What is wrong, as the rest of a sentence about it.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let example = "such as \"mon-fri 08:00-20:00 Europe/Berlin\"";
        let zone = words.pop().ok_or_else(|| format!("says nothing; write days, times and a time zone, {example}"))?;
        let zone = named_zone(zone).ok_or_else(|| {
            let looks = zone.contains(':') || DAYS.iter().any(|(day, _)| zone.to_lowercase().starts_with(day));
            if looks {
                format!("ends without a time zone; write one behind it, {example}")
            } else {
                format!("names `{zone}`, which is no time zone, {example}")
            }
        })?;
        let mut hours = Self { written: text.trim().to_owned(), zone, days: [true; 7], from: 0, to: DAY };
        let (mut days, mut times) = (None, None);
        for word in words {
            let (known, meaning) = if word.contains(':') {
                let read = span(word).ok_or_else(|| format!("has `{word}`, which is no time such as 08:00-20:00"))?;
                (times.replace(read).is_some(), "times")
            } else {
                let read = week(word).ok_or_else(|| format!("has `{word}`, which is no day such as mon-fri"))?;
                (days.replace(read).is_some(), "days")
            };
            if known {
                return Err(format!("says {meaning} twice; write a list of two"));
            }
        }
        if days.is_none() && times.is_none() {
            return Err(format!("names neither days nor times; write them before the zone, {example}"));
        }
        hours.days = days.unwrap_or(hours.days);
        (hours.from, hours.to) = times.unwrap_or((hours.from, hours.to));
        Ok(hours)
    }

    /// Whether this is such a moment.
    pub fn hold(&self, at: Timestamp) -> bool {
        let there = at.to_zoned(self.zone.clone());
        let today = there.date().weekday();
        let minute = minutes(there.time());
        let on = |day: Weekday| self.days[usize::try_from(day.to_monday_zero_offset()).unwrap_or_default()];
        if self.from < self.to {
            return on(today) && (self.from..self.to).contains(&minute);
        }
        (on(today) && minute >= self.from) || (on(today.previous()) && minute < self.to)
    }

    /// When they end that hold at this moment; nothing where they never do.
    pub fn end(&self, at: Timestamp) -> Option<Timestamp> {
        // Hours over midnight end on the day after the one on which they begin.
        self.turns(at, self.to).find(|turn| !self.hold(*turn))
    }

    /// When they hold next; nothing where they never do.
    pub fn begin(&self, at: Timestamp) -> Option<Timestamp> {
        self.turns(at, self.from).find(|turn| self.hold(*turn))
    }

    /// The moments after this one at which a clock there shows this minute of a day, a week long and a little more.
    fn turns(&self, at: Timestamp, minute: u16) -> impl Iterator<Item = Timestamp> + '_ {
        let today = at.to_zoned(self.zone.clone()).date();
        let days = (0..=8).filter_map(move |days| today.checked_add(SignedDuration::from_hours(24 * days)).ok());
        let moment = move |day: jiff::civil::Date| {
            let midnight = day.to_datetime(Time::midnight());
            let then = midnight.checked_add(SignedDuration::from_mins(i64::from(minute))).ok()?;
            then.to_zoned(self.zone.clone()).ok().map(|then| then.timestamp())
        };
        days.filter_map(moment).filter(move |then| *then > at)
    }
}

/// As it is written.
impl fmt::Display for Hours {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}

fn minutes(time: Time) -> u16 {
    u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).unwrap_or_default()
}

/// `08:00-20:00`
fn span(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-')?;
    let read = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let two = |part: &str| (part.len() == 2).then(|| part.parse::<u16>().ok()).flatten();
        let time = two(hour)? * 60 + two(minute).filter(|minute| *minute < 60)?;
        (time <= DAY).then_some(time)
    };
    let (from, to) = (read(from)?, read(to)?);
    (from != to && from < DAY).then_some((from, to))
}

/// `mon-fri,sun`
fn week(text: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    let number = |text: &str| DAYS.iter().position(|(day, _)| text.eq_ignore_ascii_case(day));
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (number(from)?, number(to)?);
        days[day] = true;
        while day != last {
            day = (day + 1) % 7;
            days[day] = true;
        }
    }
    Some(days)
}
