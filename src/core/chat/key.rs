//! `key …` in a line of chat: the values of the datastore.
//!
//! Options stand before the name, as `--scope=user`, `--user=NAME`, `--encrypt`, `--decrypt`, `--ttl=SECONDS` (telephones make a long dash of two
//! short ones, which counts as well); what follows the name in `key set` is the value, as it was written, without quotes around the whole of it.

use crate::core::action::params::MASK;
use crate::core::datastore::request::{Asked, Confidential, NewValue, ValueAsk};

/// What the options of a line say.
#[derive(Default)]
struct Options {
    scope: Asked,
    encrypt: bool,
    decrypt: bool,
    ttl: Option<u64>,
}

/// Reads a line that begins with `key`; nothing when it is not exactly of one of the forms.
pub(crate) fn read(line: &str) -> Option<ValueAsk> {
    let (first, rest) = word(line)?;
    let (verb, rest) = word(rest)?;
    if !first.eq_ignore_ascii_case("key") {
        return None;
    }
    let mut options = Options::default();
    let verb = verb.to_lowercase();
    if verb == "list" {
        options.scope = Asked::All;
    }
    let rest = options.take(rest)?;
    match verb.as_str() {
        "set" => {
            let (name, value) = word(rest)?;
            let value = Confidential(unquoted(value.trim()).to_owned());
            let Options { scope, encrypt, ttl, decrypt: false } = options else { return None };
            let new = NewValue { scope, name: name.to_owned(), text: value, secret: encrypt, ttl };
            (!new.text.0.is_empty()).then(|| ValueAsk::Set { values: vec![new] })
        }
        "get" | "delete" | "list" => {
            let (name, after) = word(rest).unwrap_or_default();
            let after = options.take(after)?;
            let decrypt = match after.trim().to_lowercase().as_str() {
                "" => options.decrypt,
                "decrypt" => true,
                _ => return None,
            };
            let Options { scope, encrypt: false, ttl: None, .. } = options else { return None };
            let name = name.to_owned();
            match verb.as_str() {
                "get" if !name.is_empty() => Some(ValueAsk::Get { scope, name, decrypt }),
                "delete" if !name.is_empty() && !decrypt => Some(ValueAsk::Delete { scope, name }),
                "list" if !decrypt => Some(ValueAsk::List { scope, prefix: name, decrypt }),
                _ => None,
            }
        }
        _ => None,
    }
}

impl Options {
    /// Takes the options at the beginning of a text and gives the rest; nothing when one is not known.
    fn take<'l>(&mut self, mut text: &'l str) -> Option<&'l str> {
        while let Some((found, rest)) = word(text) {
            let Some(option) = ["--", "\u{2014}", "\u{2013}"].iter().find_map(|dash| found.strip_prefix(dash)) else {
                return Some(text);
            };
            text = rest;
            let (name, value) = option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
            let mut value = || match value {
                Some(value) => Some(value),
                None => {
                    let (value, rest) = word(text)?;
                    text = rest;
                    Some(value)
                }
            };
            match name.to_lowercase().as_str() {
                "scope" => {
                    self.scope = match value()? {
                        "system" | "st2kv.system" => Asked::System,
                        "user" | "st2kv.user" => Asked::User { user: None },
                        "all" => Asked::All,
                        _ => return None,
                    }
                }
                "user" => self.scope = Asked::User { user: Some(value()?.to_owned()) },
                "ttl" => self.ttl = Some(value()?.parse().ok()?),
                "encrypt" => self.encrypt = true,
                "decrypt" => self.decrypt = true,
                _ => return None,
            }
        }
        Some(text)
    }
}

/// The first word of a text, and what follows the blanks after it.
fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (end > 0).then(|| (&text[..end], text[end..].trim_start()))
}

fn unquoted(value: &str) -> &str {
    let inside = |quote: char| {
        let inside = value.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inside.contains(quote)).then_some(inside)
    };
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

/// A line that sets a value, or was perhaps meant to, without what follows: it may be a secret. Nothing for any other line.
pub(crate) fn hide_value(line: &str) -> Option<String> {
    let (first, rest) = word(line)?;
    let near = |word: &str, name: &str| strsim::osa_distance(&word.to_lowercase(), name) <= 1;
    if !near(first, "key") && !near(first, "keys") {
        return None;
    }
    let (verb, rest) = word(rest)?;
    let looks = ["get", "list", "delete"].contains(&verb.to_lowercase().as_str());
    (!looks && !rest.is_empty()).then(|| format!("{first} {verb} {MASK}"))
}
