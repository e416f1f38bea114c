//! The variables that a monitoring hands its notification command, by name without what stands before them all.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The variables of one notification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(pub(super) BTreeMap<String, String>);

/// What of a host or service is told under the same key by all of them. In the names of a last state and a long output, HOST stands inside.
const OBJECT: [(&str, &str, &str); 7] = [
    ("state", "", "STATE"),
    ("last_state", "LAST", "STATE"),
    ("output", "", "OUTPUT"),
    ("perf_data", "", "PERFDATA"),
    ("check_command", "", "CHECKCOMMAND"),
    ("notification_number", "", "NOTIFICATIONNUMBER"),
    ("long_output", "LONG", "OUTPUT"),
];

impl Variables {
    /// Those of a process's environment whose names begin so.
    pub(super) fn beginning(prefix: &str, environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let inside = |(name, value): (String, String)| Some((name.strip_prefix(prefix)?.to_owned(), value));
        Self(environment.into_iter().filter_map(inside).collect())
    }

    /// A variable that says something. Nagios once left `$NAME$` where it knew nothing.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?;
        let unset = value.strip_prefix('$').and_then(|rest| rest.strip_suffix('$')).is_some_and(|inner| inner == name);
        (!unset).then_some(value.as_str())
    }

    /// The same, and more than nothing.
    pub(super) fn told(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(|value| value.trim().parse().ok())
    }

    /// The text, or null.
    pub(super) fn text(&self, name: &str) -> Value {
        self.get(name).map_or(Value::Null, Value::from)
    }

    /// The names in a list of groups.
    pub(super) fn groups(&self, name: &str) -> Value {
        self.get(name).unwrap_or_default().split([',', ' ']).filter(|group| !group.is_empty()).collect()
    }

    /// What is told of the host (`HOST`) or the service (`SERVICE`).
    pub(super) fn object(&self, what: &str) -> Map<String, Value> {
        let told = |(key, before, after): &(&str, &str, &str)| {
            ((*key).to_owned(), self.text(&format!("{before}{what}{after}")))
        };
        OBJECT.iter().map(told).collect()
    }

    /// A name of the event, made of what is the same for all contacts.
    pub(super) fn id(&self, before: &str, names: &[&str]) -> String {
        let mut hash = Sha256::new();
        for name in names {
            let value = self.get(name).unwrap_or_default();
            hash.update(value.len().to_be_bytes());
            hash.update(value.as_bytes());
        }
        named(before, hash)
    }
}

/// A name that ends with the first half of a digest.
pub(super) fn named(before: &str, hash: Sha256) -> String {
    hash.finalize().iter().take(16).fold(before.to_owned(), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    })
}
