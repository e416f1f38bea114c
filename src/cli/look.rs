//! Executions as StackStorm's client `st2` shows them.
//!
//! One difference of substance: the line below that speaks of `output_schema` and an option `--with-schema` is left out, because there is no
//! such option here.

use super::yaml;
use crate::core::action::execution::Execution;
use crate::core::action::result::{result, to_stackstorm};
use crate::core::action::run::Captured;
use jiff::Timestamp;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

/// The attributes of `st2 execution get`, in its order.
const ATTRIBUTES: [&str; 9] =
    ["id", "action.ref", "context.user", "parameters", "status", "start_timestamp", "end_timestamp", "log", "result"];

/// The columns of `st2 execution list`.
const COLUMNS: [&str; 6] = ["id", "action.ref", "context.user", "status", "start_timestamp", "end_timestamp"];

/// An execution in StackStorm's JSON, with outputs as far as the facts have them.
pub(crate) fn stackstorm(execution: &Execution) -> Value {
    to_stackstorm(execution, result(execution, &output), None)
}

/// A sentence of the bot, without the name of the sign before it that a terminal does not draw.
pub(super) fn spoken(text: &str) -> String {
    let sign = text.strip_prefix(':').and_then(|rest| rest.split_once(": "));
    let named = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    harmless(sign.filter(|(name, _)| named(name)).map_or(text, |(_, rest)| rest))
}

/// A number of lines in words.
pub(super) fn counted_lines(lines: u64) -> String {
    if lines == 1 { "1 line".to_owned() } else { format!("{lines} lines") }
}

/// An output: the whole, or beginning and end with a word on what is between.
pub(crate) fn output(captured: &Captured) -> String {
    match captured {
        Captured::Inline { text } => text.clone(),
        Captured::Blob { bytes, lines, head, tail, dropped, .. } => {
            let lost = if *dropped > 0 { format!(", {dropped} bytes more were thrown away") } else { String::new() };
            format!(
                "{}\n[... {}, {bytes} bytes in all{lost} ...]\n{}",
                head.trim_end_matches('\n'),
                counted_lines(*lines),
                tail.trim_end_matches('\n')
            )
        }
    }
}

/// One execution, given in StackStorm's JSON, as `st2 execution get` shows it.
pub fn execution_text(execution: &Value, now: Timestamp) -> String {
    let lines = ATTRIBUTES.map(|name| yaml::attribute(name, &attribute(execution, name, now)));
    lines.join("\n")
}

/// Executions, given in StackStorm's JSON, as `st2 execution list` shows them.
pub fn execution_list(executions: &[Value], now: Timestamp) -> String {
    let row = |execution: &Value| {
        COLUMNS.map(|name| match attribute(execution, name, now) {
            Value::String(text) => harmless(&text).replace('\n', " "),
            Value::Null => String::new(),
            other => other.to_string(),
        })
    };
    let rows: Vec<_> = executions.iter().map(row).collect();
    table(&COLUMNS, &rows)
}

/// Rows in a frame, as StackStorm's client draws it.
pub(crate) fn table<const N: usize>(columns: &[&str; N], rows: &[[String; N]]) -> String {
    let widths: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(column, name)| rows.iter().map(|row| row[column].width()).fold(name.width(), usize::max))
        .collect();
    let rule: String = widths.iter().map(|width| format!("+{}", "-".repeat(width + 2))).collect::<String>() + "+";
    let line = |cells: &[&str]| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| {
            let gap = " ".repeat(width - cell.width());
            format!("| {cell}{gap} ")
        });
        cells.collect::<String>() + "|"
    };
    let mut lines = vec![rule.clone(), line(columns), rule.clone()];
    lines.extend(rows.iter().map(|row| line(&row.each_ref().map(String::as_str))));
    lines.push(rule);
    lines.join("\n")
}

/// An attribute as it is shown: `a.b` is a field of a field, times are written for people, the status tells the time it took.
fn attribute(execution: &Value, name: &str, now: Timestamp) -> Value {
    let found = name.split('.').try_fold(execution, |value, key| value.get(key)).cloned().unwrap_or_default();
    match name {
        "start_timestamp" | "end_timestamp" => Value::from(moment(&found).map(for_people).unwrap_or_default()),
        "status" => {
            let word = found.as_str().unwrap_or_default();
            let started = execution.get("start_timestamp").and_then(moment);
            let ended = execution.get("end_timestamp").and_then(moment);
            let until = ended.or((word == "running").then_some(now));
            match started.zip(until) {
                // Whole seconds of both clocks, as StackStorm counts.
                Some((start, end)) => {
                    Value::from(format!("{word} ({}s elapsed)", (end.as_second() - start.as_second()).max(0)))
                }
                None => found,
            }
        }
        _ => found,
    }
}

fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// `Tue, 02 Dec 2014 19:56:06 UTC`
fn for_people(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S UTC").to_string()
}

/// A text that may come from anywhere, safe to be printed: line ends stay, what steers a terminal is escaped.
pub(crate) fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && (c.is_control() || steers(c)) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Characters that are not seen but change how others are: directions, joiners, marks of byte order.
pub(crate) fn steers(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
