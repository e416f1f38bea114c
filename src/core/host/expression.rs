//! From the text of an expression to machines.

use super::{HostError, Inventory, MOST_HOSTS};
use crate::core::action::run::RemoteHost;
use crate::core::id::Host;
use std::collections::{BTreeMap, BTreeSet};

/// The longest host name there is.
const LONGEST_NAME: usize = 253;

/// The longest number that a range may be written with.
const LONGEST_NUMBER: usize = 18;

/// Expands an expression to machines, each once, in the order written.
///
/// # Errors
/// The first item that cannot be understood or is not known.
pub fn expand(expression: &str, inventory: &Inventory) -> Result<Vec<RemoteHost>, HostError> {
    let mut taken_away = BTreeSet::new();
    let mut wanted: Vec<RemoteHost> = Vec::new();
    let mut place: BTreeMap<Host, usize> = BTreeMap::new();
    let mut room = MOST_HOSTS;
    for written in split(expression)? {
        let item = Item::parse(written)?;
        let hosts = item.hosts(inventory, &mut room)?;
        if item.away {
            taken_away.extend(hosts);
            continue;
        }
        for host in hosts {
            let Some(&at) = place.get(&host) else {
                place.insert(host.clone(), wanted.len());
                wanted.push(RemoteHost { host, port: item.port });
                continue;
            };
            let known = &mut wanted[at].port;
            match (*known, item.port) {
                (Some(first), Some(second)) if first != second => {
                    let why = format!("`{host}` is in the list with port {first} already; results are kept by name");
                    return Err(malformed(written, why));
                }
                (None, port) => *known = port,
                (Some(_), _) => {}
            }
        }
    }
    wanted.retain(|machine| !taken_away.contains(&machine.host));
    if wanted.is_empty() { Err(HostError::Empty(expression.trim().to_owned())) } else { Ok(wanted) }
}

/// One item between commas or blanks.
struct Item<'a> {
    written: &'a str,
    /// `!`: its hosts are taken away.
    away: bool,
    meaning: Meaning<'a>,
    port: Option<u16>,
}

enum Meaning<'a> {
    Group(&'a str),
    Names(Vec<Part<'a>>),
}

/// A piece of a name.
enum Part<'a> {
    Text(&'a str),
    Ranges(Vec<Range>),
}

/// `001-150/2`
struct Range {
    from: u64,
    to: u64,
    step: u64,
    /// Numbers are filled with zeros to this width; 0 writes them as they are.
    width: usize,
}

impl Range {
    fn count(&self) -> usize {
        usize::try_from((self.to - self.from) / self.step).unwrap_or(usize::MAX).saturating_add(1)
    }

    fn numbers(&self) -> impl Iterator<Item = String> {
        let step = usize::try_from(self.step).unwrap_or(usize::MAX);
        (self.from..=self.to).step_by(step).map(|number| format!("{number:0width$}", width = self.width))
    }
}

impl<'a> Item<'a> {
    fn parse(written: &'a str) -> Result<Self, HostError> {
        let (away, rest) = match written.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, written),
        };
        if let Some(name) = rest.strip_prefix('@') {
            if name.is_empty() || !name.chars().all(is_name_character) {
                return Err(malformed(written, "a group is written `@name`"));
            }
            return Ok(Self { written, away, meaning: Meaning::Group(name), port: None });
        }
        let (name, port) = match rest.rsplit_once(':') {
            None => (rest, None),
            Some((name, port)) => {
                let number = port.parse().ok().filter(|&port: &u16| port != 0 && !port_is_padded(rest));
                let number = number.ok_or_else(|| malformed(written, "after `:` comes a port, 1 to 65535"))?;
                (name, Some(number))
            }
        };
        if away && port.is_some() {
            return Err(malformed(written, "what is taken away has no port"));
        }
        Ok(Self { written, away, meaning: Meaning::Names(parts(name, written)?), port })
    }

    /// Its hosts, all checked. `room` is what is left of [`MOST_HOSTS`].
    fn hosts(&self, inventory: &Inventory, room: &mut usize) -> Result<Vec<Host>, HostError> {
        let parts = match &self.meaning {
            Meaning::Group(name) => {
                let members = inventory.group(name)?;
                *room = room.checked_sub(members.len()).ok_or(HostError::TooMany)?;
                return Ok(members.to_vec());
            }
            Meaning::Names(parts) => parts,
        };
        let count = parts.iter().fold(1_usize, |count, part| match part {
            Part::Text(_) => count,
            Part::Ranges(ranges) => {
                count.saturating_mul(ranges.iter().fold(0, |sum: usize, range| sum.saturating_add(range.count())))
            }
        });
        *room = room.checked_sub(count).ok_or(HostError::TooMany)?;
        let shortest = parts.iter().map(|part| match part {
            Part::Text(text) => text.len(),
            Part::Ranges(_) => 1,
        });
        if shortest.sum::<usize>() > LONGEST_NAME {
            return Err(too_long(self.written));
        }

        let mut names = vec![String::new()];
        for part in parts {
            match part {
                Part::Text(text) => names.iter_mut().for_each(|name| name.push_str(text)),
                Part::Ranges(ranges) => {
                    let numbers: Vec<String> = ranges.iter().flat_map(Range::numbers).collect();
                    // Many brackets with one number each mean one name, and must not cost a copy of all names each.
                    if let [number] = numbers.as_slice() {
                        names.iter_mut().for_each(|name| name.push_str(number));
                        continue;
                    }
                    let behind =
                        |name: &String| numbers.iter().map(|number| format!("{name}{number}")).collect::<Vec<_>>();
                    names = names.iter().flat_map(behind).collect();
                }
            }
        }
        names.into_iter().map(|name| self.known(name, inventory)).collect()
    }

    fn known(&self, name: String, inventory: &Inventory) -> Result<Host, HostError> {
        check_name(&name, self.written)?;
        inventory.host(name)
    }
}

/// Whether a port has a sign or leading zeros, which `parse` would let pass.
fn port_is_padded(rest: &str) -> bool {
    rest.rsplit_once(':').is_some_and(|(_, port)| port.starts_with(['0', '+']))
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_')
}

fn malformed(item: &str, why: impl Into<String>) -> HostError {
    HostError::Malformed { item: item.chars().take(100).collect(), why: why.into() }
}

fn too_long(item: &str) -> HostError {
    malformed(item, format!("a name has at most {LONGEST_NAME} characters"))
}

/// Whether a text is the name of one machine, and no list, range or group of them.
pub fn is_name(text: &str) -> bool {
    check_name(text, text).is_ok()
}

/// The door: what a name may be made of.
fn check_name(name: &str, written: &str) -> Result<(), HostError> {
    if name.is_empty() {
        return Err(malformed(written, "there is no name in it"));
    }
    if name.starts_with(['-', '.']) {
        return Err(malformed(written, "a name starts with a letter or a digit"));
    }
    if name.contains(['*', '?']) {
        return Err(malformed(
            written,
            "there are no wildcards; write a range, as in `wn[001-024]`, or a group, as in `@workers`",
        ));
    }
    if let Some(stranger) = name.chars().find(|&character| !is_name_character(character)) {
        let why = format!("{stranger:?} cannot be in a host name, which has letters, digits, `.`, `-` and `_`");
        return Err(malformed(written, why));
    }
    if name.len() > LONGEST_NAME {
        return Err(too_long(written));
    }
    Ok(())
}

/// Cuts at commas and blanks outside brackets.
fn split(expression: &str) -> Result<Vec<&str>, HostError> {
    let mut items = Vec::new();
    let mut start = 0;
    let mut inside = false;
    for (at, character) in expression.char_indices() {
        match character {
            '[' => inside = true,
            ']' => inside = false,
            _ if !inside && (character == ',' || character.is_whitespace()) => {
                items.push(&expression[start..at]);
                start = at + character.len_utf8();
            }
            _ => {}
        }
    }
    let last = &expression[start..];
    if inside {
        return Err(malformed(last, "`[` is not closed"));
    }
    items.push(last);
    items.retain(|item| !item.is_empty());
    Ok(items)
}

/// Cuts a name at its brackets.
fn parts<'a>(name: &'a str, written: &str) -> Result<Vec<Part<'a>>, HostError> {
    let mut parts = Vec::new();
    let mut rest = name;
    while let Some((before, behind)) = rest.split_once('[') {
        let (inner, after) = behind.split_once(']').ok_or_else(|| malformed(written, "`[` is not closed"))?;
        if !before.is_empty() {
            parts.push(text(before, written)?);
        }
        let ranges = inner.split(',').map(|range| parse_range(range.trim(), written)).collect::<Result<_, _>>()?;
        parts.push(Part::Ranges(ranges));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(text(rest, written)?);
    }
    Ok(parts)
}

fn text<'a>(text: &'a str, written: &str) -> Result<Part<'a>, HostError> {
    if text.contains(']') {
        return Err(malformed(written, "`]` without `[`"));
    }
    Ok(Part::Text(text))
}

/// `7`, `001-150` or `1-9/2`
fn parse_range(range: &str, written: &str) -> Result<Range, HostError> {
    let number = |text: &str| -> Result<u64, HostError> {
        let digits = !text.is_empty() && text.len() <= LONGEST_NUMBER && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if digits => Ok(number),
            _ => Err(malformed(written, format!("`[{range}]` is not a range such as `[001-150]`"))),
        }
    };
    let (span, step) = match range.split_once('/') {
        Some((span, step)) => (span, number(step)?),
        None => (range, 1),
    };
    if step == 0 {
        return Err(malformed(written, "a step of 0 leads nowhere"));
    }
    let (first, last) = span.split_once('-').unwrap_or((span, span));
    let (from, to) = (number(first)?, number(last)?);
    if to < from {
        return Err(malformed(written, format!("`{first}-{last}` runs backwards")));
    }
    let width = if first.starts_with('0') { first.len() } else { 0 };
    if last.starts_with('0') && last.len() != first.len() {
        return Err(malformed(written, format!("`{first}` and `{last}` are not of the same width")));
    }
    Ok(Range { from, to, step, width })
}
