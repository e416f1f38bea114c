//! The name of a value, and where it belongs.

use crate::core::id::UserId;
use serde::{Deserialize, Serialize};

/// The longest name in bytes.
pub const LONGEST: usize = 256;

/// Where a value belongs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "scope")]
pub enum Scope {
    /// To everybody.
    System,
    /// To one chat user.
    User {
        /// Who.
        user: UserId,
    },
}

impl Scope {
    /// StackStorm's word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Scope::System => "st2kv.system",
            Scope::User { .. } => "st2kv.user",
        }
    }

    /// Whose it is.
    pub fn user(&self) -> Option<&UserId> {
        match self {
            Scope::System => None,
            Scope::User { user } => Some(user),
        }
    }
}

/// The whole name of a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Where it belongs.
    #[serde(flatten)]
    pub scope: Scope,
    /// Its name there.
    pub name: String,
}

impl Key {
    /// What grants speak of: `key.system.NAME`, `key.user.ID.NAME`.
    pub fn reference(&self) -> String {
        match &self.scope {
            Scope::System => format!("key.system.{}", self.name),
            Scope::User { user } => format!("key.user.{user}.{}", self.name),
        }
    }
}

/// Why this cannot be a name; nothing when it can. Dots and colons are StackStorm's way to divide names and mean nothing here.
pub fn why_no_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("it is empty")
    } else if name.len() > LONGEST {
        Some("it is longer than 256 bytes")
    } else if name.chars().any(char::is_control) {
        Some("it holds control characters")
    } else if name.trim() != name {
        Some("it begins or ends with a blank")
    } else {
        None
    }
}
