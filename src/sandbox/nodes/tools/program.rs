//! `sed` and `awk`, as far as people use them in one-liners.

use super::text::{Given, basic_to_extended, text_of};
use super::{Call, Ran};

pub(super) async fn run(call: &Call<'_>) -> Ran {
    match call.name {
        "sed" => sed(call).await,
        _ => awk(call).await,
    }
}

/// Which lines a `sed` command is for.
enum Lines {
    All,
    Numbers(usize, usize),
    Fitting(regex::Regex),
}

/// `sed` with one substitution, `p` or `d`, each with a line number, a range or a pattern before it.
async fn sed(call: &Call<'_>) -> Ran {
    let mut given = Given::read(call.arguments, "e");
    let script = match given.values.get(&'e').cloned() {
        Some(script) => script,
        None if given.operands.is_empty() => return call.fail(1, "no script").await,
        None => given.operands.remove(0),
    };
    let extended = given.has('E') || given.has('r');
    let compile = |pattern: &str| {
        let pattern = if extended { pattern.to_owned() } else { basic_to_extended(pattern) };
        regex::RegexBuilder::new(&pattern).size_limit(1 << 20).build().ok()
    };
    let (data, fine) = call.input(&given.operands()).await;
    let text = text_of(&data);
    let mut rest = script.trim();
    let mut lines = Lines::All;
    if let Some(after) = rest.strip_prefix('/')
        && let Some((pattern, command)) = after.split_once('/')
    {
        let Some(regex) = compile(pattern) else { return call.fail(1, "invalid regular expression").await };
        lines = Lines::Fitting(regex);
        rest = command;
    } else {
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | ',' | '$')).unwrap_or(rest.len());
        if end > 0 {
            let total = text.lines().count();
            let number = |part: &str| if part == "$" { total } else { part.parse().unwrap_or(0) };
            let (low, high) = rest[..end].split_once(',').unwrap_or((&rest[..end], &rest[..end]));
            lines = Lines::Numbers(number(low), number(high));
            rest = &rest[end..];
        }
    }
    let substitution = match rest.strip_prefix('s') {
        Some(after) => {
            let Some(mark) = after.chars().next() else { return call.fail(1, "unterminated `s' command").await };
            let parts: Vec<&str> = after[mark.len_utf8()..].split(mark).collect();
            let [pattern, replacement, flags] = parts.as_slice() else {
                return call.fail(1, "unterminated `s' command").await;
            };
            let Some(regex) = compile(pattern) else { return call.fail(1, "invalid regular expression").await };
            let mut wanted = String::new();
            let mut characters = replacement.replace('$', "$$").chars().collect::<Vec<_>>().into_iter();
            while let Some(character) = characters.next() {
                match character {
                    '&' => wanted.push_str("${0}"),
                    '\\' => match characters.next() {
                        Some(digit @ '0'..='9') => wanted.push_str(&format!("${{{digit}}}")),
                        Some('n') => wanted.push('\n'),
                        Some(other) => wanted.push(other),
                        None => {}
                    },
                    other => wanted.push(other),
                }
            }
            Some((regex, wanted, flags.contains('g'), flags.contains('p')))
        }
        None if matches!(rest, "p" | "d" | "q") => None,
        None => return call.fail(1, "this sandbox node knows s, p, d and q only").await,
    };
    let silent = given.has('n');
    let mut output = String::new();
    for (at, line) in text.lines().enumerate() {
        let chosen = match &lines {
            Lines::All => true,
            Lines::Numbers(low, high) => *low <= at + 1 && at < *high,
            Lines::Fitting(regex) => regex.is_match(line),
        };
        let mut now = line.to_owned();
        let mut print = usize::from(!silent);
        if chosen {
            match (&substitution, rest) {
                (Some((regex, wanted, everywhere, printed)), _) => {
                    if *printed && regex.is_match(line) {
                        print += 1;
                    }
                    now = regex.replacen(line, if *everywhere { 0 } else { 1 }, wanted.as_str()).into_owned();
                }
                (None, "p") => print += 1,
                (None, "d") => print = 0,
                _ => {}
            }
        }
        for _ in 0..print {
            output.push_str(&now);
            output.push('\n');
        }
        if chosen && rest == "q" {
            break;
        }
    }
    call.out(output).await?;
    Ok(i32::from(!fine))
}

/// `awk '[/PATTERN/] {print $1, "text", $NF}'`: what people use it for most.
async fn awk(call: &Call<'_>) -> Ran {
    let mut given = Given::read(call.arguments, "Fv");
    if given.operands.is_empty() {
        return call.fail(2, "usage: awk [-F fs] 'prog' [file ...]").await;
    }
    let program = given.operands.remove(0);
    let unknown = "this sandbox node knows programs like '/PATTERN/ {print $1, $NF}' and 'NR>1 {…}' only";
    let (condition, body) = match program.split_once('{') {
        Some((condition, body)) => (condition.trim(), body.trim().strip_suffix('}').map(str::trim)),
        None => (program.trim(), Some("print")),
    };
    let Some(list) = body.and_then(|body| body.trim_end_matches(';').strip_prefix("print")) else {
        return call.fail(2, unknown).await;
    };
    let mut first = 0;
    let mut pattern = None;
    if let Some(inner) = condition.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        let Ok(regex) = regex::RegexBuilder::new(inner).size_limit(1 << 20).build() else {
            return call.fail(2, unknown).await;
        };
        pattern = Some(regex);
    } else if let Some(number) = condition.strip_prefix("NR>").or_else(|| condition.strip_prefix("NR >")) {
        first = number.trim().parse().unwrap_or(0);
    } else if !condition.is_empty() {
        return call.fail(2, unknown).await;
    }
    let parts: Vec<&str> = list.split(',').map(str::trim).collect();
    let separator = given.values.get(&'F').map(|separator| super::unescape(separator).0);
    let (data, fine) = call.input(&given.operands()).await;
    let text = text_of(&data);
    let mut output = String::new();
    for (at, line) in text.lines().enumerate() {
        if at < first || pattern.as_ref().is_some_and(|regex| !regex.is_match(line)) {
            continue;
        }
        let fields: Vec<&str> = match &separator {
            Some(separator) if separator != " " => line.split(separator.as_str()).collect(),
            _ => line.split_whitespace().collect(),
        };
        let mut shown = Vec::new();
        for part in &parts {
            shown.push(match part.strip_prefix('$') {
                Some("0") => line.to_owned(),
                Some("NF") => fields.last().copied().unwrap_or_default().to_owned(),
                Some(number) => match number.parse::<usize>() {
                    Ok(number) => fields.get(number.wrapping_sub(1)).copied().unwrap_or_default().to_owned(),
                    Err(_) => return call.fail(2, unknown).await,
                },
                None if part.is_empty() => line.to_owned(),
                None if *part == "NR" => (at + 1).to_string(),
                None if *part == "NF" => fields.len().to_string(),
                None => match part.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
                    Some(text) => super::unescape(text).0,
                    None => return call.fail(2, unknown).await,
                },
            });
        }
        output.push_str(&shown.join(" "));
        output.push('\n');
    }
    call.out(output).await?;
    Ok(if fine { 0 } else { 2 })
}
