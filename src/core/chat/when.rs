//! Times as people write them before a line: `at 22:00 …`, `at tomorrow 6:30 …`, `at 2026-12-01 22:00 …`, `in 10m …`, `in 2 hours …`.

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

/// The longest that a line can be put off.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);

/// A time that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// So long after it was written.
    In(SignedDuration),
    /// By the clock of whoever wrote it.
    At(Day, Time),
}

/// A day that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// None: today, or tomorrow when that time is over.
    Next,
    /// `today`
    Today,
    /// `tomorrow`
    Tomorrow,
    /// `2026-12-01`
    On(Date),
}

/// A moment, and what the clocks do there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The moment.
    pub at: Timestamp,
    /// What is odd about it.
    pub odd: Option<Odd>,
}

/// What clocks do when summer time begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// They leave that time out; the moment is as much later as they leave out.
    LeftOut,
    /// They show that time twice; the moment is the first.
    Twice,
}

/// Why a time cannot be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It is over.
    Over,
    /// It is farther away than [`LONGEST`].
    TooFar,
}

/// Reads a time before a line. Gives the time and the line; nothing when it does not begin so, or nothing follows.
pub fn read(text: &str) -> Option<(When, &str)> {
    let (first, rest) = word(text)?;
    let (when, line) = match first.to_lowercase().as_str() {
        "in" => span(rest)?,
        "at" => clock(rest)?,
        _ => return None,
    };
    let line = line.trim();
    (!line.is_empty()).then_some((when, line))
}

/// Whether a text that [`read`] does not understand was meant to begin with a time: `at 25:00 …`, `in 10 …`, or a time without a line.
pub fn seems_timed(text: &str) -> bool {
    let Some((first, rest)) = word(text) else { return false };
    let first = first.to_lowercase();
    let Some((second, _)) = word(rest) else { return false };
    let named = first == "at" && ["today", "tomorrow", "noon", "midnight"].contains(&second.to_lowercase().as_str());
    named || (["at", "in"].contains(&first.as_str()) && second.starts_with(|first: char| first.is_ascii_digit()))
}

/// Reads how long something lasts: `2h`, `for 30 minutes`, `until 18:00`, `until tomorrow 8:00`. It is the whole text, so nothing follows.
pub fn lasting(text: &str) -> Option<When> {
    let (first, rest) = word(text)?;
    let (when, rest) = match first.to_lowercase().as_str() {
        "until" | "till" => clock(rest)?,
        "for" => span(rest)?,
        _ => span(text)?,
    };
    rest.trim().is_empty().then_some(when)
}

/// The moment that somebody means who wrote this then, in this time zone.
///
/// # Errors
/// It cannot be meant.
pub fn resolve(when: When, written: Timestamp, zone: &TimeZone) -> Result<Due, Wrong> {
    let due = match when {
        When::In(span) => Due { at: written.checked_add(span).map_err(|_| Wrong::TooFar)?, odd: None },
        When::At(day, time) => {
            let today = written.to_zoned(zone.clone()).date();
            let tomorrow = today.checked_add(1.day()).map_err(|_| Wrong::TooFar)?;
            match day {
                Day::Today => moment(today, time, zone)?,
                Day::Tomorrow => moment(tomorrow, time, zone)?,
                Day::On(date) => moment(date, time, zone)?,
                Day::Next => Some(moment(today, time, zone)?)
                    .filter(|due| due.at > written)
                    .map_or_else(|| moment(tomorrow, time, zone), Ok)?,
            }
        }
    };
    let wait = due.at.duration_since(written);
    match () {
        () if wait <= SignedDuration::ZERO => Err(Wrong::Over),
        () if wait > LONGEST => Err(Wrong::TooFar),
        () => Ok(due),
    }
}

fn moment(date: Date, time: Time, zone: &TimeZone) -> Result<Due, Wrong> {
    let ambiguous = zone.to_ambiguous_zoned(date.to_datetime(time));
    let odd = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => None,
        AmbiguousOffset::Gap { .. } => Some(Odd::LeftOut),
        AmbiguousOffset::Fold { .. } => Some(Odd::Twice),
    };
    Ok(Due { at: ambiguous.compatible().map_err(|_| Wrong::TooFar)?.timestamp(), odd })
}

/// `22:00 …`, `tomorrow 6:30 …`, `2026-12-01 22:00 …`
fn clock(text: &str) -> Option<(When, &str)> {
    let (first, rest) = word(text)?;
    if let Some(time) = time(first) {
        return Some((When::At(Day::Next, time), rest));
    }
    let day = match first.to_lowercase().as_str() {
        "today" => Day::Today,
        "tomorrow" => Day::Tomorrow,
        date => Day::On(day(date)?),
    };
    let (second, rest) = word(rest)?;
    Some((When::At(day, time(second)?), rest))
}

fn day(word: &str) -> Option<Date> {
    let mut numbers = word.split('-');
    let (year, month, day) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let plain = |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if numbers.next().is_some() || year.len() != 4 || !plain(year, 4) || !plain(month, 2) || !plain(day, 2) {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

fn time(word: &str) -> Option<Time> {
    let (hours, minutes) = word.split_once(':')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !(1..=2).contains(&hours.len()) || minutes.len() != 2 || !digits(hours) || !digits(minutes) {
        return None;
    }
    Time::new(hours.parse().ok()?, minutes.parse().ok()?, 0, 0).ok()
}

/// `10m …`, `1h30m …`, `2 hours …`
fn span(text: &str) -> Option<(When, &str)> {
    let (first, rest) = word(text)?;
    if first.bytes().all(|b| b.is_ascii_digit()) {
        let (unit, rest) = word(rest)?;
        return Some((When::In(length(first, unit)?), rest));
    }
    compact(first).map(|span| (When::In(span), rest))
}

/// `10m`, `1h30m`, `2d`: how long that is.
pub fn compact(word: &str) -> Option<SignedDuration> {
    let (mut whole, mut left) = (SignedDuration::ZERO, word);
    while !left.is_empty() {
        let digits = left.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = left.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, next) = after.split_at(letters);
        whole = whole.checked_add(length(number, unit)?)?;
        left = next;
    }
    (whole > SignedDuration::ZERO).then_some(whole)
}

fn length(number: &str, unit: &str) -> Option<SignedDuration> {
    let seconds = match unit.to_lowercase().as_str() {
        "s" | "sec" | "second" | "seconds" => 1,
        "m" | "min" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3600,
        "d" | "day" | "days" => 24 * 3600,
        _ => return None,
    };
    let number: i64 = number.parse().ok()?;
    Some(SignedDuration::from_secs(number.checked_mul(seconds)?))
}

/// The first word and what follows it.
fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}
