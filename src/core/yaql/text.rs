//! How Python writes values.

use super::value::{Value, View};
use crate::core::template::value::{float_text, python_text};

/// What stands for a value that has left an expression, in the text around it: text as it is, everything else as Python writes it.
pub fn written(value: &Value) -> String {
    match value {
        Value::Text(text) => text.as_ref().into(),
        other => python(other),
    }
}

/// Python's `repr` of a value that has left an expression.
pub fn python(value: &Value) -> String {
    let mut out = String::new();
    write(value, false, &mut out);
    out
}

/// `str(value)` inside of an expression, where lists are tuples and a few words are YAQL's own.
pub(crate) fn inside(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Text(text) => text.as_ref().into(),
        other => {
            let mut out = String::new();
            write(other, true, &mut out);
            out
        }
    }
}

fn write(value: &Value, tuples: bool, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(truth) => out.push_str(if *truth { "True" } else { "False" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&float_text(*number)),
        Value::Text(text) => python_text(text, out),
        Value::List(list) => match (tuples && list.tuple, list.items.as_slice()) {
            (true, [one]) => {
                out.push('(');
                write(one, tuples, out);
                out.push_str(",)");
            }
            (true, items) => sequence(items.iter(), "(", ")", tuples, out),
            (false, items) => sequence(items.iter(), "[", "]", tuples, out),
        },
        Value::Map(map) => {
            out.push('{');
            for (at, (key, item)) in map.entries.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write(key, tuples, out);
                out.push_str(": ");
                write(item, tuples, out);
            }
            out.push('}');
        }
        Value::Set(set) if set.members.is_empty() => out.push_str("frozenset()"),
        Value::Set(set) => sequence(set.members.iter(), "frozenset({", "})", tuples, out),
        Value::View(map, View::Keys) => sequence(map.entries.keys(), "[", "]", tuples, out),
        Value::View(..) => {
            let items = value.members().unwrap_or_default();
            sequence(items.iter(), "[", "]", tuples, out);
        }
        Value::Moment(moment) => out.push_str(&moment.to_string()),
        Value::Span(span) => out.push_str(&super::time::span_text(*span)),
        Value::Pattern(pattern) => {
            out.push_str("re.compile(");
            python_text(&pattern.text, out);
            out.push(')');
        }
        Value::Iterator(_) | Value::Ordered(_) => out.push_str("<iterator>"),
        Value::Lambda(_) => out.push_str("<lambda>"),
        Value::Scope(_) => out.push_str("<context>"),
        Value::Rule(_) => out.push_str("<rule>"),
    }
}

fn sequence<'v>(items: impl Iterator<Item = &'v Value>, open: &str, close: &str, tuples: bool, out: &mut String) {
    out.push_str(open);
    for (at, item) in items.enumerate() {
        out.push_str(if at == 0 { "" } else { ", " });
        write(item, tuples, out);
    }
    out.push_str(close);
}
