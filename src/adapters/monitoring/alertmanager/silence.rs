//! Silences: what they are about, and whether they are downtimes or acknowledgements.

use crate::core::alert::standing::{Downtime, Said};
use jiff::Timestamp;
use regex::Regex;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a comment begins with that takes something on. The program karma has it so.
pub(super) const ACK: &str = "ACK!";

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Silence {
    pub(super) id: String,
    pub(super) said: Said,
    pub(super) starts: Timestamp,
    pub(super) ends: Timestamp,
    pub(super) expired: bool,
    matchers: Vec<Matcher>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Matcher {
    name: String,
    value: String,
    regex: bool,
    equal: bool,
}

impl Matcher {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.name).map(String::as_str).unwrap_or_default();
        let same = match self.regex {
            false => value == self.value,
            // What cannot be read here silences as far as is known there.
            true => Regex::new(&format!("^(?:{})$", self.value)).is_ok_and(|pattern| pattern.is_match(value)),
        };
        same == self.equal
    }
}

/// The matcher of everything on a machine, whatever its port.
pub(super) fn host_matcher(label: &str, host: &str) -> Value {
    json!({"name": label, "value": host_pattern(host), "isRegex": true, "isEqual": true})
}

fn host_pattern(host: &str) -> String {
    format!("{}(:[0-9]+)?", regex::escape(host))
}

impl Silence {
    pub(super) fn read(told: &Value) -> Option<Self> {
        let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let moment = |name: &str| told.get(name).and_then(Value::as_str).and_then(|text| text.parse().ok());
        let flag =
            |matcher: &Value, name: &str, absent: bool| matcher.get(name).and_then(Value::as_bool).unwrap_or(absent);
        let matchers = told.get("matchers").and_then(Value::as_array).into_iter().flatten().map(|matcher| Matcher {
            name: matcher["name"].as_str().unwrap_or_default().to_owned(),
            value: matcher["value"].as_str().unwrap_or_default().to_owned(),
            regex: flag(matcher, "isRegex", false),
            equal: flag(matcher, "isEqual", true),
        });
        Some(Self {
            id: Some(text("id")).filter(|id| !id.is_empty())?,
            said: Said { by: text("createdBy"), comment: text("comment") },
            starts: moment("startsAt")?,
            ends: moment("endsAt")?,
            expired: told.pointer("/status/state").and_then(Value::as_str) == Some("expired"),
            matchers: matchers.collect(),
        })
    }

    /// Whether it silences an alert with these labels. One without matchers silences nothing.
    pub(super) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        !self.matchers.is_empty() && self.matchers.iter().all(|matcher| matcher.matches(labels))
    }

    /// Whether it silences all of a machine, and nothing else.
    pub(super) fn of_host(&self, label: &str, host: &str) -> bool {
        let [only] = self.matchers.as_slice() else { return false };
        only.name == label && only.equal && (only.value == host || only.regex && only.value == host_pattern(host))
    }

    pub(super) fn is_acknowledgement(&self) -> bool {
        self.said.comment.starts_with(ACK)
    }

    /// Who has taken something on, and their words without the mark of that.
    pub(super) fn taken_on(&self) -> Said {
        let words = self.said.comment.strip_prefix(ACK).unwrap_or(&self.said.comment).trim_start();
        Said { by: self.said.by.clone(), comment: words.to_owned() }
    }

    pub(super) fn downtime(&self, covers: bool) -> Downtime {
        let (start, end) = (Some(self.starts), Some(self.ends));
        Downtime { id: self.id.clone(), said: self.said.clone(), start, end, covers }
    }
}
