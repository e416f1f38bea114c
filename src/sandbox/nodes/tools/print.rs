//! Tools that only print: `echo`, `printf`, `seq`, `yes`, `date`, `basename`, `dirname`.

use jiff::tz::TimeZone;

use super::{Call, Ran};
use crate::sandbox::nodes::machine::wall_clock;

/// Lines that `seq` prints at most.
const LINES: f64 = 5_000_000.0;
/// Bytes that one `printf` makes.
const PRINTED: usize = 1 << 20;

pub(super) async fn run(call: &Call<'_>) -> Ran {
    match call.name {
        "echo" => echo(call).await,
        "printf" => printf(call).await,
        "seq" => seq(call).await,
        "yes" => yes(call).await,
        "date" => date(call).await,
        "basename" | "dirname" => path_part(call).await,
        "false" => Ok(1),
        _ => Ok(0),
    }
}

/// A text with its backslash escapes carried out, and whether `\c` ended it.
pub(crate) fn unescape(text: &str) -> (String, bool) {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match rest.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some('a') => plain.push('\u{7}'),
            Some('b') => plain.push('\u{8}'),
            Some('e' | 'E') => plain.push('\u{1b}'),
            Some('f') => plain.push('\u{c}'),
            Some('v') => plain.push('\u{b}'),
            Some('\\') => plain.push('\\'),
            Some('\'') => plain.push('\''),
            Some('"') => plain.push('"'),
            Some('c') => return (plain, true),
            Some(kind @ ('0' | 'x')) => {
                let radix = if kind == 'x' { 16 } else { 8 };
                let mut code = 0;
                let mut digits = 0;
                while digits < 3
                    && let Some(digit) = rest.peek().and_then(|next| next.to_digit(radix))
                {
                    code = code * radix + digit;
                    digits += 1;
                    rest.next();
                }
                plain.push(char::from_u32(code & 0xff).unwrap_or('\u{fffd}'));
            }
            Some(other) => {
                plain.push('\\');
                plain.push(other);
            }
            None => plain.push('\\'),
        }
    }
    (plain, false)
}

async fn echo(call: &Call<'_>) -> Ran {
    let mut words = call.arguments;
    let (mut newline, mut escapes) = (true, false);
    while let [flags, rest @ ..] = words
        && flags.len() > 1
        && flags.starts_with('-')
        && flags[1..].chars().all(|flag| matches!(flag, 'n' | 'e' | 'E'))
    {
        newline &= !flags.contains('n');
        escapes |= flags.contains('e');
        words = rest;
    }
    let mut text = words.join(" ");
    if escapes {
        let (plain, ended) = unescape(&text);
        text = plain;
        newline &= !ended;
    }
    if newline {
        text.push('\n');
    }
    call.print(text).await
}

async fn printf(call: &Call<'_>) -> Ran {
    let mut words = call.arguments;
    if let [first, rest @ ..] = words
        && first == "--"
    {
        words = rest;
    }
    let Some((format, arguments)) = words.split_first() else {
        return call.fail(2, "usage: printf format [arguments]").await;
    };
    let mut rest = arguments.iter();
    let mut text = String::new();
    loop {
        let left = rest.len();
        if !print_once(format, &mut rest, &mut text) || rest.len() == 0 || rest.len() == left {
            break;
        }
        if text.len() > PRINTED {
            return call.fail(1, "output too large for this sandbox node").await;
        }
    }
    call.print(text).await
}

/// Prints the format once; false when `\c` ended it.
fn print_once(format: &str, arguments: &mut std::slice::Iter<'_, String>, text: &mut String) -> bool {
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        let (plain, ended) = unescape(&rest[..at]);
        text.push_str(&plain);
        if ended {
            return false;
        }
        rest = &rest[at + 1..];
        let end = rest.find(|character: char| !matches!(character, '0'..='9' | '.' | '-' | '+' | ' ' | '#' | '*'));
        let Some(end) = end else { break };
        let mut layout = rest[..end].to_owned();
        let kind = rest[end..].chars().next().unwrap_or('%');
        rest = &rest[end + kind.len_utf8()..];
        while layout.contains('*') {
            layout = layout.replacen('*', arguments.next().map_or("0", String::as_str), 1);
        }
        if kind == '%' {
            text.push('%');
            continue;
        }
        let argument = arguments.next().cloned().unwrap_or_default();
        text.push_str(&laid_out(&layout, kind, &argument));
    }
    let (plain, ended) = unescape(rest);
    text.push_str(&plain);
    !ended
}

fn laid_out(layout: &str, kind: char, argument: &str) -> String {
    let flags: String = layout.chars().take_while(|flag| matches!(flag, '-' | '+' | ' ' | '0' | '#')).collect();
    let (width, precision) = match layout[flags.len()..].split_once('.') {
        Some((width, precision)) => (width, Some(precision.parse().unwrap_or(0usize).min(PRINTED))),
        None => (&layout[flags.len()..], None),
    };
    let width = width.parse().unwrap_or(0usize).min(10_000);
    let number = || -> i64 {
        match argument.strip_prefix('\'').or_else(|| argument.strip_prefix('"')) {
            Some(quoted) => quoted.chars().next().map_or(0, |character| i64::from(u32::from(character))),
            None => argument.trim().parse().unwrap_or(0),
        }
    };
    let body = match kind {
        'd' | 'i' | 'u' => {
            let value = number();
            if flags.contains('+') && value >= 0 { format!("+{value}") } else { value.to_string() }
        }
        'x' => format!("{:x}", number()),
        'X' => format!("{:X}", number()),
        'o' => format!("{:o}", number()),
        'c' => argument.chars().take(1).collect(),
        'f' | 'e' | 'g' => {
            let value: f64 = argument.trim().parse().unwrap_or(0.0);
            format!("{value:.*}", precision.unwrap_or(6).min(100))
        }
        'b' => unescape(argument).0,
        'q' => format!("'{}'", argument.replace('\'', "'\\''")),
        _ => argument.chars().take(precision.unwrap_or(usize::MAX)).collect(),
    };
    let missing = width.saturating_sub(body.chars().count());
    if flags.contains('-') {
        format!("{body}{}", " ".repeat(missing))
    } else if flags.contains('0') && kind != 's' {
        match body.strip_prefix('-') {
            Some(digits) => format!("-{}{digits}", "0".repeat(missing)),
            None => format!("{}{body}", "0".repeat(missing)),
        }
    } else {
        format!("{}{body}", " ".repeat(missing))
    }
}

async fn seq(call: &Call<'_>) -> Ran {
    let mut separator = "\n".to_owned();
    let mut wide = false;
    let mut numbers: Vec<f64> = Vec::new();
    let mut decimals = 0;
    let mut arguments = call.arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-s" => separator = arguments.next().cloned().unwrap_or_default(),
            "-w" => wide = true,
            number => match number.parse::<f64>() {
                Ok(value) if value.is_finite() => {
                    decimals = decimals.max(number.split_once('.').map_or(0, |(_, after)| after.len().min(20)));
                    numbers.push(value);
                }
                _ => return call.fail(1, &format!("invalid floating point argument: '{number}'")).await,
            },
        }
    }
    let (first, step, last) = match numbers.as_slice() {
        [last] => (1.0, 1.0, *last),
        [first, last] => (*first, 1.0, *last),
        [first, step, last] => (*first, *step, *last),
        _ => return call.fail(1, "missing operand").await,
    };
    if step == 0.0 {
        return call.fail(1, "invalid Zero increment value: '0'").await;
    }
    let count = ((last - first) / step + 1e-9).floor() + 1.0;
    if count < 1.0 {
        return Ok(0);
    }
    let count = count.min(LINES) as u64;
    let shown = |at: u64| format!("{:.decimals$}", first + step * at as f64);
    let width = if wide { shown(0).len().max(shown(count - 1).len()) } else { 0 };
    let mut text = String::new();
    for at in 0..count {
        if at > 0 {
            text.push_str(&separator);
        }
        text.push_str(&format!("{:0>width$}", shown(at)));
        if text.len() > 32_000 {
            call.out(std::mem::take(&mut text)).await?;
        }
    }
    text.push('\n');
    call.print(text).await
}

async fn yes(call: &Call<'_>) -> Ran {
    let word = if call.arguments.is_empty() { "y".to_owned() } else { call.arguments.join(" ") };
    let lines = format!("{word}\n").repeat((8_192 / (word.len() + 1)).max(1));
    loop {
        call.out(lines.clone()).await?;
        tokio::task::yield_now().await;
    }
}

async fn date(call: &Call<'_>) -> Ran {
    let mut time = wall_clock();
    let mut format = None;
    let mut arguments = call.arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-d" | "--date" => {
                let text = arguments.next().map(String::as_str).unwrap_or_default();
                let parsed = text.strip_prefix('@').and_then(|second| second.parse().ok());
                match parsed.and_then(|second| jiff::Timestamp::from_second(second).ok()) {
                    Some(parsed) => time = parsed,
                    None if text == "now" => {}
                    None => return call.fail(1, &format!("invalid date '{text}'")).await,
                }
            }
            "-I" => format = Some("%Y-%m-%d".to_owned()),
            "-Is" | "-Iseconds" | "--iso-8601=seconds" => format = Some("%Y-%m-%dT%H:%M:%S+00:00".to_owned()),
            "-R" => format = Some("%a, %d %b %Y %H:%M:%S +0000".to_owned()),
            other => {
                if let Some(given) = other.strip_prefix('+') {
                    format = Some(given.to_owned());
                }
            }
        }
    }
    let format = format.unwrap_or_else(|| "%a %b %e %I:%M:%S %p UTC %Y".to_owned());
    match jiff::fmt::strtime::format(&format, &time.to_zoned(TimeZone::UTC)) {
        Ok(text) => call.print(format!("{text}\n")).await,
        Err(_) => call.fail(1, &format!("invalid format '{format}'")).await,
    }
}

async fn path_part(call: &Call<'_>) -> Ran {
    let operands = call.operands();
    let Some(path) = operands.first() else { return call.fail(1, "missing operand").await };
    let trimmed = path.trim_end_matches('/');
    let (directory, base) = match trimmed.rsplit_once('/') {
        Some(("", base)) => ("/", base),
        Some((directory, base)) => (directory, base),
        None => (".", trimmed),
    };
    if call.name == "dirname" {
        return call.print(format!("{directory}\n")).await;
    }
    let base = operands.get(1).and_then(|suffix| base.strip_suffix(suffix)).unwrap_or(base);
    call.print(format!("{base}\n")).await
}
