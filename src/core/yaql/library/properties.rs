//! What stands behind a dot of times and lengths of time.

use crate::core::yaql::error::{Kind, Outcome, fail};
use crate::core::yaql::time::{DAY, Moment};
use crate::core::yaql::value::{Number, Value};

const OF_SPANS: [(&str, i64); 6] = [
    ("microseconds", 1),
    ("milliseconds", 1_000),
    ("seconds", 1_000_000),
    ("minutes", 60_000_000),
    ("hours", 3_600_000_000),
    ("days", DAY),
];
const OF_TIMES: [&str; 13] = [
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "microsecond",
    "date",
    "time",
    "weekday",
    "utc",
    "offset",
    "timestamp",
];

pub(crate) fn get(value: &Value, name: &str) -> Outcome<Value> {
    let of_spans = OF_SPANS.iter().find(|(known, _)| *known == name);
    match (value, of_spans) {
        (Value::Span(span), Some((_, 1))) => Ok(Value::from(*span)),
        (Value::Span(span), Some((_, unit))) => {
            let float = |number: i64| Number::Int(i128::from(number)).float();
            Ok(Value::Float(float(*span) / float(*unit)))
        }
        (Value::Moment(moment), _) if OF_TIMES.contains(&name) => of_time(*moment, name),
        _ if of_spans.is_some() || OF_TIMES.contains(&name) => {
            fail(Kind::NoMatchingFunction, format!("{} has no `.{name}`, which is of times", value.kind()))
        }
        (Value::Null, _) => fail(Kind::NoFunction, format!("null has no `.{name}`; `?.` passes over null")),
        _ => fail(Kind::NoFunction, format!("{} has no `.{name}`", value.kind())),
    }
}

fn of_time(moment: Moment, name: &str) -> Outcome<Value> {
    let civil = moment.civil();
    Ok(match name {
        "year" => Value::from(civil.year),
        "month" => Value::from(civil.month),
        "day" => Value::from(civil.day),
        "hour" => Value::from(civil.hour),
        "minute" => Value::from(civil.minute),
        "second" => Value::from(civil.second),
        "microsecond" => Value::from(civil.microsecond),
        "date" => Value::Moment(moment.midnight()),
        "time" => Value::Span(moment.since(moment.midnight())),
        "weekday" => Value::from(moment.weekday()),
        // As the reference has it: the clock of UTC under the old offset.
        "utc" => Value::Moment(moment.plus(-moment.offset)?),
        "offset" => Value::Span(moment.offset),
        _ => {
            let since = moment.plus(-moment.offset)?.utc;
            Value::Float(Number::Int(i128::from(since)).float() / 1e6)
        }
    })
}
