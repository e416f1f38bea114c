//! Values as `st2 execution get` shows them: block YAML below the attribute's name.
//!
//! The scalars are written as libyaml chooses to: plain where that cannot be misread, else in single quotes, else in double quotes. Apart
//! from libyaml, and as StackStorm's client makes it in a second step, the line ends of a text are line ends here.
//!
//! It differs from StackStorm in four points, all of them for text that came from far machines. Lines of one text are always indented, so
//! that no output can pass for a line of ours. No empty line is dropped. A backslash before an `n` stays that. Letters of all languages are
//! shown, and characters that steer a terminal are not.

use serde_json::Value;
use std::sync::LazyLock;

/// `name: value`, nested values on lines of their own.
pub(crate) fn attribute(name: &str, value: &Value) -> String {
    let mut out = format!("{name}: ");
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => out.push_str(&super::look::harmless(text)),
        Value::Array(items) if items.is_empty() => out.push_str("\n  []"),
        Value::Object(fields) if fields.is_empty() => out.push_str("\n{}"),
        Value::Array(items) => {
            out.push_str("\n  ");
            sequence(items, 2, &mut out);
        }
        Value::Object(fields) => {
            out.push_str("\n  ");
            mapping(fields, 2, &mut out);
        }
    }
    out
}

/// Writes the fields in the order of their names, the first where the cursor stands.
fn mapping(fields: &serde_json::Map<String, Value>, indent: usize, out: &mut String) {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            line(indent, out);
        }
        scalar(name, None, out);
        out.push(':');
        match value {
            Value::Array(items) if !items.is_empty() => {
                line(indent, out);
                sequence(items, indent, out);
            }
            Value::Object(fields) if !fields.is_empty() => {
                line(indent + 2, out);
                mapping(fields, indent + 2, out);
            }
            value => {
                out.push(' ');
                flat(value, indent + 2, out);
            }
        }
    }
}

/// Writes the items, the first where the cursor stands.
fn sequence(items: &[Value], indent: usize, out: &mut String) {
    for (index, value) in items.iter().enumerate() {
        if index > 0 {
            line(indent, out);
        }
        out.push_str("- ");
        match value {
            Value::Array(items) if !items.is_empty() => sequence(items, indent + 2, out),
            Value::Object(fields) if !fields.is_empty() => mapping(fields, indent + 2, out),
            value => flat(value, indent + 2, out),
        }
    }
}

fn flat(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => scalar(text, Some(indent), out),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

fn line(indent: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Writes a text. `indent` is where its further lines begin; a key has none and stays on its line.
fn scalar(text: &str, indent: Option<usize>, out: &mut String) {
    let style = if indent.is_none() && text.contains('\n') { Style::Double } else { style(text) };
    match style {
        Style::Plain => out.push_str(text),
        Style::Single => {
            out.push('\'');
            let mut lines = text.split('\n').peekable();
            out.push_str(&lines.next().unwrap_or_default().replace('\'', "''"));
            while let Some(next) = lines.next() {
                let blank = next.is_empty() && lines.peek().is_some();
                line(if blank { 0 } else { indent.unwrap_or(0) }, out);
                out.push_str(&next.replace('\'', "''"));
            }
            out.push('\'');
        }
        Style::Double => {
            out.push('"');
            for c in text.chars() {
                match (c, indent) {
                    ('\n', Some(indent)) => line(indent, out),
                    _ => escaped(c, out),
                }
            }
            out.push('"');
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Single,
    Double,
}

fn style(text: &str) -> Style {
    let neighbours = |first: char, second: char| text.contains(&String::from_iter([first, second]));
    if text.chars().any(|c| c != '\n' && !printable(c)) || neighbours(' ', '\n') || neighbours('\n', ' ') {
        return Style::Double;
    }
    let edge = |c: char| matches!(c, ' ' | '\n');
    let plain = !text.is_empty()
        && !text.contains('\n')
        && !text.starts_with(edge)
        && !text.ends_with(edge)
        && !indicates(text)
        && !MEANING.is_match(text);
    if plain { Style::Plain } else { Style::Single }
}

/// Whether the text, written plainly, would begin or contain a mark of YAML's.
fn indicates(text: &str) -> bool {
    let mut chars = text.chars();
    let (first, second) = (chars.next(), chars.next());
    let alone = second.is_none_or(|c| c == ' ');
    let begins = match first {
        Some('#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`') => true,
        Some('-' | '?' | ':') => alone,
        _ => false,
    };
    begins
        || text.starts_with("---")
        || text.starts_with("...")
        || text.ends_with(':')
        || text.contains(": ")
        || text.contains(" #")
}

/// Texts that YAML 1.1 would read as something else than text.
static MEANING: LazyLock<regex::Regex> = LazyLock::new(|| {
    let alternatives = [
        // Truth, nothing, merge and default.
        "yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF",
        "~|null|Null|NULL|<<|=",
        // Whole numbers: binary, octal, decimal, hexadecimal, sexagesimal.
        "[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)",
        // Fractions.
        r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?",
        r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        // Dates and moments.
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
        concat!(
            r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?",
            r"(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?",
        ),
    ];
    regex::Regex::new(&format!("^(?:{})$", alternatives.join("|"))).expect("the pattern is ours and a test runs it")
});

/// Characters that are shown as they are.
fn printable(c: char) -> bool {
    !c.is_control() && !super::look::steers(c)
}

fn escaped(c: char, out: &mut String) {
    let short = match c {
        '\0' => '0',
        '\x07' => 'a',
        '\x08' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\x0b' => 'v',
        '\x0c' => 'f',
        '\r' => 'r',
        '\x1b' => 'e',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        // StackStorm's client takes the backslash away again.
        '"' => return out.push('"'),
        c if printable(c) => return out.push(c),
        c => {
            let number = u32::from(c);
            let code = match number {
                0..=0xff => format!("\\x{number:02X}"),
                0x100..=0xffff => format!("\\u{number:04X}"),
                _ => format!("\\U{number:08X}"),
            };
            return out.push_str(&code);
        }
    };
    out.push('\\');
    out.push(short);
}
