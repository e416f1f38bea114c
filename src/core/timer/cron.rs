//! Ticks by the clock on the wall, as APScheduler 3's `CronTrigger` finds them, which StackStorm calls.
//!
//! Fields that are not given are `*` when they are greater than the least one that is given, and as low as can be when they are smaller: `hour: 5` ticks once a day. (StackStorm's
//! documentation says `*`; its program does this.) Nothing given ticks every second.
//!
//! ## When the clocks change
//! Here it differs on purpose from APScheduler 3.11, where what happens depends on the moment at which it is asked.
//! - **Times that are named tick once for each time they name**: one that the clocks leave out comes as much later as they leave out, one that they show twice comes
//!   the first time.
//! - **Times that go with the clock** (the field of hours or of minutes begins with `*`) **follow it**: what is left out does not come, what is shown twice comes twice.

use super::TimerError;
use super::field::{Field, Unit, to_u16, weekday_number};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Map, Value};

/// A cron expression in a time zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Cron {
    year: Field,
    month: Field,
    day: Field,
    week: Field,
    weekday: Field,
    hour: Field,
    minute: Field,
    second: Field,
    zone: TimeZone,
}

/// A stretch of time in which the clocks do not change, and how it began.
struct Stretch {
    offset: Offset,
    /// When the clocks change next.
    end: Option<Timestamp>,
    /// The clocks were put forward at its beginning: the times that they left out.
    left_out: Option<(DateTime, DateTime)>,
    /// They were put back: until when they show what they have shown before.
    again_until: Option<DateTime>,
}

impl Cron {
    /// Reads the fields among the parameters of a trigger: texts, or whole numbers.
    ///
    /// # Errors
    /// What is wrong with which field, or that no day is ever like that.
    pub fn read(parameters: &Map<String, Value>, zone: TimeZone) -> Result<Self, TimerError> {
        let given = |unit: Unit| parameters.get(unit.name()).filter(|value| !value.is_null());
        let least = Unit::ALL.iter().rposition(|unit| given(*unit).is_some());
        let mut fields = Vec::with_capacity(Unit::ALL.len());
        for (place, unit) in Unit::ALL.into_iter().enumerate() {
            fields.push(match given(unit) {
                Some(Value::String(text)) => {
                    Field::read(unit, text).map_err(|error| TimerError::Field(unit.name(), error))?
                }
                Some(Value::Number(number)) => {
                    Field::read(unit, &number.to_string()).map_err(|error| TimerError::Field(unit.name(), error))?
                }
                Some(_) => return Err(TimerError::Wrong(unit.name(), "a text or a whole number")),
                None if least.is_some_and(|least| place > least) => unit.lowest(),
                None => Field::any(unit),
            });
        }
        let Ok([year, month, day, week, weekday, hour, minute, second]) = <[Field; 8]>::try_from(fields) else {
            return Err(TimerError::Never);
        };
        let cron = Self { year, month, day, week, weekday, hour, minute, second, zone };
        let ever = cron.day_from(Date::constant(1970, 1, 1));
        ever.map(|_| cron).ok_or(TimerError::Never)
    }

    /// The first tick after a moment; nothing when there is none before the year 9999 is over.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let mut from = Timestamp::from_second(after.as_second().checked_add(1)?).ok()?;
        loop {
            let stretch = self.stretch(from);
            let local = stretch.offset.to_datetime(from);
            if let Some(made_up) = self.made_up(&stretch, local) {
                // The times that were left out come later than the same times of the clock; whichever comes first.
                let shown = self.shown(&stretch, local);
                return Some(shown.map_or(made_up, |shown| shown.min(made_up)));
            }
            let candidate = self.shown(&stretch, local)?;
            match stretch.end {
                // Nothing is like it until a day before the candidate, and what is shown twice is less than that apart.
                Some(end) if candidate >= end => {
                    from = candidate.checked_sub(SignedDuration::from_hours(48)).ok()?.max(end);
                }
                _ => return Some(candidate),
            }
        }
    }

    /// The first time of the clock from `local` on, as if the clocks were never changed again.
    fn shown(&self, stretch: &Stretch, local: DateTime) -> Option<Timestamp> {
        let from = match stretch.again_until {
            Some(until) if !self.follows_the_clock() => local.max(until),
            _ => local,
        };
        stretch.offset.to_timestamp(self.civil_from(from)?).ok()
    }

    /// The first of the times that the clocks have left out at the beginning of the stretch which is still to come at `local`.
    fn made_up(&self, stretch: &Stretch, local: DateTime) -> Option<Timestamp> {
        let (first, end) = stretch.left_out.filter(|_| !self.follows_the_clock())?;
        let length = end.duration_since(first);
        let from = local.checked_sub(length).ok()?.max(first);
        if from >= end {
            return None;
        }
        let time = self.civil_from(from).filter(|time| *time < end)?;
        stretch.offset.to_timestamp(time.checked_add(length).ok()?).ok()
    }

    fn follows_the_clock(&self) -> bool {
        self.hour.is_open() || self.minute.is_open()
    }

    fn stretch(&self, at: Timestamp) -> Stretch {
        let offset = self.zone.to_offset(at);
        let end = self.zone.following(at).find(|change| change.offset() != offset).map(|change| change.timestamp());
        let just_after = at.checked_add(1.nanosecond()).unwrap_or(at);
        let mut stretch = Stretch { offset, end, left_out: None, again_until: None };
        let Some(change) = self.zone.preceding(just_after).next() else { return stretch };
        let Ok(before) = change.timestamp().checked_sub(1.nanosecond()) else { return stretch };
        let before = self.zone.to_offset(before).to_datetime(change.timestamp());
        let after = offset.to_datetime(change.timestamp());
        if after > before {
            stretch.left_out = Some((before, after));
        } else if after < before {
            stretch.again_until = Some(before);
        }
        stretch
    }

    /// The first time of the calendar from this one on, whatever clocks do.
    fn civil_from(&self, from: DateTime) -> Option<DateTime> {
        let today = self.day_from(from.date())?;
        if today > from.date() {
            return Some(today.to_datetime(self.time_from(Time::midnight())?));
        }
        if let Some(time) = self.time_from(from.time()) {
            return Some(today.to_datetime(time));
        }
        let later = self.day_from(today.tomorrow().ok()?)?;
        Some(later.to_datetime(self.time_from(Time::midnight())?))
    }

    fn day_from(&self, from: Date) -> Option<Date> {
        let (mut year, mut month, mut day) = (from.year(), from.month(), from.day());
        // The calendar repeats itself after four hundred years: what has not come then does not come.
        for _ in 0..=400 {
            let next_year = self.year.next(u16::try_from(year).ok()?, 9999)?;
            if i32::from(next_year) != i32::from(year) {
                (year, month, day) = (i16::try_from(next_year).ok()?, 1, 1);
            }
            while let Some(next_month) = self.month.next(to_u16(month), 12) {
                if next_month != to_u16(month) {
                    (month, day) = (i8::try_from(next_month).ok()?, 1);
                }
                let length = Date::new(year, month, 1).ok()?.days_in_month();
                if let Some(date) =
                    (day..=length).filter_map(|day| Date::new(year, month, day).ok()).find(|date| self.has_date(*date))
                {
                    return Some(date);
                }
                (month, day) = (month + 1, 1);
            }
            (year, month, day) = (year + 1, 1, 1);
        }
        None
    }

    fn has_date(&self, date: Date) -> bool {
        self.day.has_day(date)
            && self.weekday.has(weekday_number(date.weekday()))
            && self.week.has(to_u16(date.iso_week_date().week()))
    }

    fn time_from(&self, from: Time) -> Option<Time> {
        let (hour, minute, second) = (to_u16(from.hour()), to_u16(from.minute()), to_u16(from.second()));
        let first_minute = || self.minute.next(0, 59);
        let first_second = || self.second.next(0, 59);
        let time = |hour: u16, minute: u16, second: u16| {
            let part = |value: u16| i8::try_from(value).ok();
            Time::new(part(hour)?, part(minute)?, part(second)?, 0).ok()
        };
        if self.hour.has(hour) {
            if self.minute.has(minute)
                && let Some(second) = self.second.next(second, 59)
            {
                return time(hour, minute, second);
            }
            if let Some(minute) = self.minute.next(minute + 1, 59) {
                return time(hour, minute, first_second()?);
            }
        }
        time(self.hour.next(hour + 1, 23)?, first_minute()?, first_second()?)
    }
}
