//! Filters: what reads text and writes a part of it.

use std::collections::BTreeMap;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::{Call, Ran, read_file};
use crate::sandbox::nodes::stream::Sink;

pub(super) async fn run(call: &Call<'_>) -> Ran {
    match call.name {
        "head" | "tail" => ends(call).await,
        "grep" | "egrep" => grep(call).await,
        "wc" => wc(call).await,
        "sort" => sort(call).await,
        "uniq" => uniq(call).await,
        "cut" => cut(call).await,
        "tr" => tr(call).await,
        "tee" => tee(call).await,
        "tac" | "rev" => turned(call).await,
        _ => digest(call).await,
    }
}

/// Flags with a value apart (`-n 3`) or attached (`-n3`), switches, and operands.
pub(super) struct Given {
    pub(super) values: BTreeMap<char, String>,
    switches: String,
    pub(super) operands: Vec<String>,
}

impl Given {
    pub(super) fn read(arguments: &[String], with_value: &str) -> Given {
        let mut given = Given { values: BTreeMap::new(), switches: String::new(), operands: Vec::new() };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if argument == "--" {
                given.operands.extend(rest.cloned());
                break;
            }
            if let Some((name, value)) = argument.strip_prefix("--").and_then(|long| long.split_once('=')) {
                let short = if name == "lines" { 'n' } else { name.chars().next().unwrap_or('-') };
                given.values.insert(short, value.to_owned());
                continue;
            }
            if argument.len() < 2 || !argument.starts_with('-') || argument.starts_with("--") {
                given.operands.push(argument.clone());
                continue;
            }
            let mut flags = argument[1..].chars();
            while let Some(flag) = flags.next() {
                if with_value.contains(flag) {
                    let attached = flags.as_str();
                    let value = if attached.is_empty() { rest.next().cloned() } else { Some(attached.to_owned()) };
                    given.values.insert(flag, value.unwrap_or_default());
                    break;
                }
                given.switches.push(flag);
            }
        }
        given
    }

    pub(super) fn has(&self, switch: char) -> bool {
        self.switches.contains(switch)
    }

    pub(super) fn operands(&self) -> Vec<&str> {
        self.operands.iter().map(String::as_str).collect()
    }
}

pub(super) fn text_of(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

async fn ends(call: &Call<'_>) -> Ran {
    let mut given = Given::read(call.arguments, "nc");
    // The old form: `head -5`.
    let digits: String = given.switches.chars().filter(char::is_ascii_digit).collect();
    if !digits.is_empty() {
        given.values.insert('n', digits);
    }
    let wanted = given.values.get(&'n').cloned().unwrap_or_else(|| "10".to_owned());
    let count: usize = match wanted.trim_start_matches(['+', '-']).parse() {
        Ok(count) => count,
        Err(_) => return call.fail(1, &format!("invalid number of lines: '{wanted}'")).await,
    };
    let files = given.operands();
    if call.name == "head" && files.is_empty() && !given.values.contains_key(&'c') && !wanted.starts_with('-') {
        // Line by line, so that what writes without end is told that it is enough.
        for _ in 0..count {
            let Some((mut line, ended)) = call.streams.input.line().await else { break };
            if ended {
                line.push(b'\n');
            }
            call.out(line).await?;
        }
        return Ok(0);
    }
    let (data, fine) = call.input(&files).await;
    if let Some(bytes) = given.values.get(&'c').and_then(|bytes| bytes.parse::<usize>().ok()) {
        let part = match call.name {
            "head" => &data[..bytes.min(data.len())],
            _ => &data[data.len() - bytes.min(data.len())..],
        };
        call.out(part.to_vec()).await?;
        return Ok(i32::from(!fine));
    }
    let lines: Vec<&[u8]> = data.split_inclusive(|byte| *byte == b'\n').collect();
    let part = match (call.name, wanted.chars().next()) {
        ("head", Some('-')) => &lines[..lines.len().saturating_sub(count)],
        ("head", _) => &lines[..count.min(lines.len())],
        (_, Some('+')) => &lines[count.saturating_sub(1).min(lines.len())..],
        _ => &lines[lines.len().saturating_sub(count)..],
    };
    call.out(part.concat()).await?;
    if call.name == "tail" && given.has('f') {
        // Nothing more will come; who follows ends it.
        std::future::pending::<()>().await;
    }
    Ok(i32::from(!fine))
}

/// Whether a class like `[:digit:]` stands by itself and not inside of brackets.
fn is_lonely_class(pattern: &str) -> bool {
    let mut rest = pattern;
    while let Some(open) = rest.find('[') {
        let escaped = rest[..open].ends_with('\\');
        rest = &rest[open + 1..];
        if escaped {
            continue;
        }
        if rest.starts_with(':') && rest.find(']').is_some_and(|close| close > 1 && rest[..close].ends_with(':')) {
            return true;
        }
        // To the end of the brackets, over the classes in them.
        while let Some(class) = rest.find("[:").filter(|class| rest.find(']').is_some_and(|close| *class < close)) {
            let Some(end) = rest[class..].find(":]") else { break };
            rest = &rest[class + end + 2..];
        }
        rest = rest.find(']').map_or("", |close| &rest[close + 1..]);
    }
    false
}

async fn grep(call: &Call<'_>) -> Ran {
    let mut given = Given::read(call.arguments, "emABC");
    let mut patterns: Vec<String> = given.values.get(&'e').cloned().into_iter().collect();
    if patterns.is_empty() {
        if given.operands.is_empty() {
            return call.fail(2, "usage: grep [OPTION]... PATTERNS [FILE]...").await;
        }
        patterns = given.operands.remove(0).split('\n').map(str::to_owned).collect();
    }
    let extended = given.has('E') || given.has('P') || call.name == "egrep";
    if !given.has('F') && patterns.iter().any(|pattern| is_lonely_class(pattern)) {
        return call.fail(2, "character class syntax is [[:space:]], not [:space:]").await;
    }
    let source = patterns
        .iter()
        .map(|pattern| match given.has('F') {
            true => regex::escape(pattern),
            false if extended => pattern.clone(),
            false => basic_to_extended(pattern),
        })
        .map(|pattern| match () {
            () if given.has('w') => format!(r"\b(?:{pattern})\b"),
            () if given.has('x') => format!("^(?:{pattern})$"),
            () => format!("(?:{pattern})"),
        })
        .collect::<Vec<_>>()
        .join("|");
    let built = regex::bytes::RegexBuilder::new(&source).case_insensitive(given.has('i')).size_limit(1 << 20).build();
    let Ok(regex) = built else { return call.fail(2, "Invalid regular expression").await };
    let most = given.values.get(&'m').and_then(|most| most.parse().ok()).unwrap_or(usize::MAX);
    let after: usize =
        given.values.get(&'A').or(given.values.get(&'C')).and_then(|lines| lines.parse().ok()).unwrap_or(0);
    let files = given.operands();
    let several = files.len() > 1 && !given.has('h') || given.has('H');
    let inputs: Vec<Option<&str>> =
        if files.is_empty() { vec![None] } else { files.iter().copied().map(Some).collect() };
    let (mut any, mut trouble) = (false, false);
    for file in inputs {
        let (data, fine) = match file {
            Some(file) => call.input(&[file]).await,
            None => call.input(&[]).await,
        };
        trouble |= !fine;
        let prefix = if several { format!("{}:", file.unwrap_or("(standard input)")) } else { String::new() };
        let (mut count, mut trailing) = (0, 0);
        let mut found: Vec<u8> = Vec::new();
        for (number, line) in data.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let fits = regex.is_match(line) != given.has('v');
            if fits && count < most {
                count += 1;
                trailing = after;
            } else if trailing > 0 && !fits {
                trailing -= 1;
            } else {
                continue;
            }
            found.extend_from_slice(prefix.as_bytes());
            if given.has('n') {
                found.extend_from_slice(format!("{}:", number + 1).as_bytes());
            }
            if given.has('o') && fits {
                let parts: Vec<&[u8]> = regex.find_iter(line).map(|part| part.as_bytes()).collect();
                found.extend_from_slice(&parts.join(&b'\n'));
            } else {
                found.extend_from_slice(line);
            }
            found.push(b'\n');
        }
        any |= count > 0;
        if given.has('q') {
            continue;
        }
        if given.has('c') {
            call.out(format!("{prefix}{count}\n")).await?;
        } else if given.has('l') {
            if count > 0 {
                call.out(format!("{}\n", file.unwrap_or("(standard input)"))).await?;
            }
        } else {
            call.out(found).await?;
        }
    }
    Ok(match (trouble, any) {
        (true, _) => 2,
        (false, true) => 0,
        (false, false) => 1,
    })
}

/// A basic regular expression in the notation of extended ones.
pub(super) fn basic_to_extended(basic: &str) -> String {
    let mut extended = String::with_capacity(basic.len());
    let mut characters = basic.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(special @ ('|' | '(' | ')' | '{' | '}' | '+' | '?')) => extended.push(special),
                Some(other) => {
                    extended.push('\\');
                    extended.push(other);
                }
                None => extended.push_str("\\\\"),
            },
            literal @ ('|' | '(' | ')' | '{' | '}' | '+' | '?') => {
                extended.push('\\');
                extended.push(literal);
            }
            other => extended.push(other),
        }
    }
    extended
}

async fn wc(call: &Call<'_>) -> Ran {
    let files = call.operands();
    let (data, fine) = call.input(&files).await;
    let lines = data.iter().filter(|byte| **byte == b'\n').count();
    let words = text_of(&data).split_whitespace().count();
    let chosen: Vec<(char, usize)> =
        [('l', lines), ('w', words), ('c', data.len())].into_iter().filter(|(flag, _)| call.has(*flag)).collect();
    let name = files.first().map(|name| format!(" {name}")).unwrap_or_default();
    let line = match chosen.as_slice() {
        [] => format!("{lines:>7} {words:>7} {:>7}{name}\n", data.len()),
        [(_, count)] => format!("{count}{name}\n"),
        several => {
            format!("{}{name}\n", several.iter().map(|(_, count)| format!("{count:>7}")).collect::<Vec<_>>().join(" "))
        }
    };
    call.out(line).await?;
    Ok(i32::from(!fine))
}

async fn sort(call: &Call<'_>) -> Ran {
    let given = Given::read(call.arguments, "kto");
    let (data, fine) = call.input(&given.operands()).await;
    let text = text_of(&data);
    let mut lines: Vec<&str> = text.lines().collect();
    let key: Option<(usize, String)> = given.values.get(&'k').map(|key| {
        let digits: String = key.chars().take_while(char::is_ascii_digit).collect();
        (digits.parse().unwrap_or(1), key.clone())
    });
    let flagged = |flag: char| given.has(flag) || key.as_ref().is_some_and(|(_, text)| text.contains(flag));
    let (numeric, sizes, backwards) = (flagged('n') || flagged('g'), flagged('h'), flagged('r'));
    let separator = given.values.get(&'t').and_then(|separator| separator.chars().next());
    let part = |line: &str| -> String {
        let Some((field, _)) = &key else { return line.to_owned() };
        let skip = field.saturating_sub(1);
        match separator {
            Some(separator) => line.split(separator).nth(skip).unwrap_or_default().to_owned(),
            None => line.split_whitespace().skip(skip).collect::<Vec<_>>().join(" "),
        }
    };
    let number = |text: &str| -> f64 {
        let text = text.trim_start();
        let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-'))).unwrap_or(text.len());
        let value: f64 = text[..end].parse().unwrap_or(0.0);
        let scale = match text[end..].chars().next() {
            Some('K' | 'k') if sizes => 1e3,
            Some('M') if sizes => 1e6,
            Some('G') if sizes => 1e9,
            Some('T') if sizes => 1e12,
            _ => 1.0,
        };
        value * scale
    };
    if numeric || sizes {
        // Keys are made once: comparing is what a long input does most.
        let mut keyed: Vec<(f64, &str)> = lines.iter().map(|line| (number(&part(line)), *line)).collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1)));
        lines = keyed.into_iter().map(|(_, line)| line).collect();
    } else if key.is_some() {
        let mut keyed: Vec<(String, &str)> = lines.iter().map(|line| (part(line), *line)).collect();
        keyed.sort();
        lines = keyed.into_iter().map(|(_, line)| line).collect();
    } else {
        lines.sort_unstable();
    }
    if backwards {
        lines.reverse();
    }
    if given.has('u') {
        lines.dedup();
    }
    let mut sorted = lines.join("\n");
    if !lines.is_empty() {
        sorted.push('\n');
    }
    call.out(sorted).await?;
    Ok(if fine { 0 } else { 2 })
}

async fn uniq(call: &Call<'_>) -> Ran {
    let (data, fine) = call.input(&call.operands()).await;
    let text = text_of(&data);
    let mut groups: Vec<(usize, &str)> = Vec::new();
    for line in text.lines() {
        match groups.last_mut() {
            Some((count, last)) if *last == line => *count += 1,
            _ => groups.push((1, line)),
        }
    }
    let mut lines = String::new();
    for (count, line) in groups {
        if call.has('d') && count < 2 || call.has('u') && count > 1 {
            continue;
        }
        let _ = if call.has('c') { writeln!(lines, "{count:>7} {line}") } else { writeln!(lines, "{line}") };
    }
    call.out(lines).await?;
    Ok(i32::from(!fine))
}

/// The positions that a list such as `1,3-5,7-` names, counted from one.
fn in_list(list: &str, position: usize) -> bool {
    list.split(',').any(|range| match range.split_once('-') {
        Some((low, high)) => low.parse().unwrap_or(1) <= position && position <= high.parse().unwrap_or(usize::MAX),
        None => range.parse() == Ok(position),
    })
}

async fn cut(call: &Call<'_>) -> Ran {
    let given = Given::read(call.arguments, "dfcb");
    let (data, fine) = call.input(&given.operands()).await;
    let text = text_of(&data);
    let separator = given.values.get(&'d').and_then(|separator| separator.chars().next()).unwrap_or('\t');
    let mut lines = String::new();
    for line in text.lines() {
        if let Some(list) = given.values.get(&'c').or(given.values.get(&'b')) {
            lines.extend(
                line.chars().enumerate().filter(|(at, _)| in_list(list, at + 1)).map(|(_, character)| character),
            );
        } else if let Some(list) = given.values.get(&'f') {
            if !line.contains(separator) {
                lines.push_str(line);
            } else {
                let fields = line.split(separator).enumerate().filter(|(at, _)| in_list(list, at + 1));
                lines.push_str(&fields.map(|(_, field)| field).collect::<Vec<_>>().join(&separator.to_string()));
            }
        } else {
            return call.fail(1, "you must specify a list of bytes, characters, or fields").await;
        }
        lines.push('\n');
    }
    call.out(lines).await?;
    Ok(i32::from(!fine))
}

/// The characters of a `tr` set.
fn characters(set: &str) -> Vec<char> {
    let set = set
        .replace("[:upper:]", "A-Z")
        .replace("[:lower:]", "a-z")
        .replace("[:digit:]", "0-9")
        .replace("[:alpha:]", "A-Za-z")
        .replace("[:alnum:]", "A-Za-z0-9")
        .replace("[:space:]", " \\t\\n\\r")
        .replace("[:blank:]", " \\t");
    let plain: Vec<char> = super::unescape(&set).0.chars().collect();
    let mut all = Vec::new();
    let mut at = 0;
    while at < plain.len() {
        if at + 2 < plain.len() && plain[at + 1] == '-' && plain[at] <= plain[at + 2] {
            all.extend((plain[at]..=plain[at + 2]).take(1_000));
            at += 3;
        } else {
            all.push(plain[at]);
            at += 1;
        }
    }
    all
}

async fn tr(call: &Call<'_>) -> Ran {
    let sets: Vec<&String> =
        call.arguments.iter().filter(|argument| !argument.starts_with('-') || argument.len() == 1).collect();
    let Some(first) = sets.first() else { return call.fail(1, "missing operand").await };
    let from = characters(first);
    let to = sets.get(1).map(|set| characters(set)).unwrap_or_default();
    let complement = call.has('c') || call.has('C');
    let Some(data) = call.held_input().await else { return Ok(1) };
    let text = text_of(&data);
    let squeezed = if sets.len() > 1 && !call.has('d') { &to } else { &from };
    let mut changed = String::with_capacity(text.len());
    let mut last = None;
    for character in text.chars() {
        let place = from.iter().position(|other| *other == character);
        let hit = place.is_some() != complement;
        if hit && call.has('d') {
            continue;
        }
        let mut now = character;
        if hit && !to.is_empty() {
            let at = place.unwrap_or(usize::MAX).min(to.len() - 1);
            now = to[at];
        }
        if call.has('s') && last == Some(now) && (squeezed.contains(&now) || complement && hit) {
            continue;
        }
        last = Some(now);
        changed.push(now);
    }
    call.print(changed).await
}

async fn tee(call: &Call<'_>) -> Ran {
    let mut sinks = Vec::new();
    let mut code = 0;
    for file in call.operands() {
        let path = call.path(file);
        let opened = call.machine.files(|files| match call.has('a') {
            true => files.append(&path, b""),
            false => files.write(&path, b""),
        });
        match opened {
            Ok(()) => sinks.push(Sink::File { machine: call.machine.clone(), path }),
            Err(error) => code = call.fail(1, &format!("{file}: {error}")).await?,
        }
    }
    while let Some(piece) = call.streams.input.piece().await {
        for sink in &sinks {
            if sink.write(piece.clone()).await.is_err() {
                code = 1;
            }
        }
        call.out(piece).await?;
    }
    Ok(code)
}

async fn turned(call: &Call<'_>) -> Ran {
    let (data, fine) = call.input(&call.operands()).await;
    let text = text_of(&data);
    let lines: String = match call.name {
        "tac" => text.lines().rev().map(|line| format!("{line}\n")).collect(),
        _ => text.lines().map(|line| format!("{}\n", line.chars().rev().collect::<String>())).collect(),
    };
    call.out(lines).await?;
    Ok(i32::from(!fine))
}

async fn digest(call: &Call<'_>) -> Ran {
    let files = call.operands();
    let mut code = 0;
    let inputs: Vec<&str> = if files.is_empty() { vec!["-"] } else { files };
    for file in inputs {
        let data = match file {
            "-" => match call.held_input().await {
                Some(data) => data,
                None => return Ok(1),
            },
            file => match read_file(call.machine, &call.path(file)) {
                Ok(data) => data,
                Err(error) => {
                    code = call.fail(1, &format!("{file}: {error}")).await?;
                    continue;
                }
            },
        };
        let digest: String = Sha256::digest(&data).iter().map(|byte| format!("{byte:02x}")).collect();
        call.out(format!("{digest}  {file}\n")).await?;
    }
    Ok(code)
}
