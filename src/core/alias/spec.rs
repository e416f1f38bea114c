//! An action alias as its file says it; formats are still text. [`super::matcher`] compiles them.

use crate::core::id::{ActionRef, AliasRef};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An action alias (StackStorm `aliases/*.yaml`).
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    /// `pack.name`.
    pub reference: AliasRef,
    /// For help.
    pub description: String,
    /// A disabled alias is loaded and neither matched nor shown.
    pub enabled: bool,
    /// The action that it starts.
    pub action: ActionRef,
    /// Its formats in the file's order.
    pub formats: Vec<FormatSpec>,
    /// The acknowledgement.
    pub ack: Option<Saying>,
    /// The result.
    pub result: Option<Saying>,
    /// Parameters that the alias sets and nobody overrides.
    pub immutable_parameters: Map<String, Value>,
    /// Free-form.
    pub extra: Map<String, Value>,
    /// The file that it came from, as shown in messages.
    pub file: String,
}

/// One entry of `formats`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatSpec {
    /// What help shows. Absent when the entry has only representations.
    pub display: Option<String>,
    /// What is matched, in order; empty for an entry that only stands in help.
    pub representations: Vec<Representation>,
    /// What help says of it in place of the alias's description.
    pub help: Option<String>,
    /// All non-overlapping matches of a line start an execution each.
    pub match_multiple: bool,
}

/// How `extra.halcyon.channels` names direct messages.
pub const DIRECT: &str = "@direct";

impl Alias {
    /// Names of the channels where the alias is there at all (`extra.halcyon.channels`); nothing where it is there everywhere.
    pub fn channels(&self) -> Option<Vec<&str>> {
        let channels = self.extra.get("halcyon")?.get("channels")?.as_array()?;
        Some(channels.iter().filter_map(Value::as_str).collect())
    }
}

/// A format that is matched, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Representation {
    /// The format.
    pub text: String,
    /// Its line in the alias's file, from 1.
    pub line: usize,
    /// Its key path, `formats[0].representation[1]`.
    pub key_path: String,
}

/// `ack` or `result`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saying {
    /// Whether it is said at all.
    pub enabled: bool,
    /// A Jinja template, the pack's own.
    pub format: Option<String>,
    /// `ack.append_url`.
    pub append_url: bool,
    /// Hints for chat adapters.
    pub extra: Map<String, Value>,
}
