//! Times: making them from numbers and text, and writing them.

use super::Entry;
use super::operators::span;
use crate::core::yaql::error::{Kind, Outcome, fail};
use crate::core::yaql::resolve::Call;
use crate::core::yaql::signature::Way::{Function, Method};
use crate::core::yaql::time::{Civil, Moment};
use crate::core::yaql::value::{Number, Value, exact};

pub(super) const FUNCTIONS: &[Entry] = &[
    (
        "datetime",
        Function,
        "year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0, microsecond: Int = 0, \
         offset: Timespan = timespan",
        |call| {
            let part = |at| i64::try_from(call.whole(at)).unwrap_or(-1);
            let civil = Civil {
                year: part(0),
                month: part(1),
                day: part(2),
                hour: part(3),
                minute: part(4),
                second: part(5),
                microsecond: part(6),
            };
            Moment::from_civil(civil, call.span(7)).map(Value::Moment)
        },
    ),
    ("datetime", Function, "timestamp: Number, offset: Timespan = timespan", |call| {
        let microseconds = match call.number(0) {
            Number::Int(seconds) => seconds.checked_mul(1_000_000),
            Number::Float(seconds) => exact((seconds * 1e6).round_ties_even()),
        };
        match microseconds.and_then(|microseconds| i64::try_from(microseconds).ok()) {
            Some(utc) => Moment::at(utc, call.span(1)).map(Value::Moment).map_err(|mut error| {
                error.kind = Kind::Value;
                error
            }),
            None => fail(Kind::Overflow, "years go from 1 to 9999"),
        }
    }),
    ("datetime", Function, "string: String, format: String? = null", |call| {
        let text = call.text(0);
        match call.text_or(1).filter(|format| !format.is_empty()) {
            Some(format) => super::time_text::read_as(&text, &format),
            None => super::time_text::read(&text, Moment { utc: call.run.context.now.as_microsecond(), offset: 0 }),
        }
        .map(Value::Moment)
    }),
    (
        "timespan",
        Function,
        "days: Int = 0, hours: Int = 0, minutes: Int = 0, seconds: Integer = 0, milliseconds: Integer = 0, \
         microseconds: Integer = 0",
        |call| {
            let units = [86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1_000, 1];
            let sum = units.iter().enumerate().try_fold(0_i128, |sum, (at, unit)| {
                call.whole(at).checked_mul(*unit).and_then(|part| sum.checked_add(part))
            });
            span(sum.and_then(|sum| i64::try_from(sum).ok()))
        },
    ),
    ("now", Function, "offset: Timespan? = timespan", |call| {
        Moment::at(call.run.context.now.as_microsecond(), call.span(0)).map(Value::Moment)
    }),
    ("localtz", Function, "", |call| Ok(Value::Span(i64::from(call.run.context.offset) * 1_000_000))),
    ("utctz", Function, "", |_| Ok(Value::Span(0))),
    (
        "replace",
        Method,
        "dt: DateTime, year: Int? = null, month: Int? = null, day: Int? = null, hour: Int? = null, minute: Int? = null, \
         second: Int? = null, microsecond: Int? = null, offset: Timespan? = null",
        replace,
    ),
    ("format", Method, "dt: DateTime, format: String", |call| {
        call.run.room_for(call.text(1).len().saturating_mul(10))?;
        call.run.text(super::time_text::write(call.moment(0), &call.text(1)))
    }),
    ("isDatetime", Function, "value: Any?", |call| Ok(Value::Bool(matches!(call.value(0), Value::Moment(_))))),
    ("isTimespan", Function, "value: Any?", |call| Ok(Value::Bool(matches!(call.value(0), Value::Span(_))))),
];

fn replace(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let moment = call.moment(0);
    let old = moment.civil();
    let part = |at: usize, old: i64| if call.is_null(at) { old } else { i64::try_from(call.whole(at)).unwrap_or(-1) };
    let civil = Civil {
        year: part(1, old.year),
        month: part(2, old.month),
        day: part(3, old.day),
        hour: part(4, old.hour),
        minute: part(5, old.minute),
        second: part(6, old.second),
        microsecond: part(7, old.microsecond),
    };
    Moment::from_civil(civil, if call.is_null(8) { moment.offset } else { call.span(8) }).map(Value::Moment)
}
