//! # Datastore
//!
//! Values that packs and people keep under names, as in StackStorm: text, in the scope `system` or in that of one chat user, with a time to
//! live where one was given, sealed where they are secret.
//!
//! - [`key`]: the name of a value and where it belongs;
//! - [`request`]: what can be asked, and what is told;
//! - [`seal`]: the master key, and what it makes of a secret;
//! - [`keyczar`]: values that a StackStorm has encrypted, for those who move over;
//! - [`lookup`]: how a template reads values (`st2kv.system.name`).
//!
//! Life cycle: a value comes into being by [`crate::core::fact::Fact::ValueSet`] and goes by `ValueDeleted` or when its time is over. The fold
//! is [`Datastore`], a part of the memory and of its snapshots.
//!
//! - **A secret is sealed before it becomes a fact.** Facts, memory and snapshots hold sealed text only; the master key is in none of them.
//! - **Sealing is a function**: its nonce is made of the event's time and randomness and of the value itself, so the core needs no other source.
//! - **The end of a value is a moment that is stored.** Whoever reads compares it with the time of the event; nothing sleeps for it. What is over
//!   leaves the memory with the next change.

pub mod key;
pub mod keyczar;
pub mod lookup;
pub mod request;
pub mod seal;

use crate::core::input::Principal;
use jiff::Timestamp;
use key::Key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest value in bytes.
pub const LARGEST: usize = 64 * 1024;
/// How many bytes all names and values may have together: each snapshot holds them.
pub const ROOM: usize = 16 * 1024 * 1024;

/// A value as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kept")]
pub enum Kept {
    /// As it was given.
    Plain {
        /// The value.
        text: String,
    },
    /// Readable with the master key only.
    Sealed {
        /// What [`seal::MasterKey::seal`] made of it.
        text: String,
    },
}

impl Kept {
    /// What is stored.
    pub fn text(&self) -> &str {
        match self {
            Kept::Plain { text } | Kept::Sealed { text } => text,
        }
    }

    /// Whether it is a secret.
    pub fn is_sealed(&self) -> bool {
        matches!(self, Kept::Sealed { .. })
    }
}

/// A value with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The value.
    pub value: Kept,
    /// From this moment on it is not there any more.
    pub expires: Option<Timestamp>,
    /// Who set it.
    pub by: Principal,
    /// When.
    pub at: Timestamp,
}

/// All values: a part of the memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Datastore {
    #[serde(with = "crate::core::memory::pairs")]
    entries: BTreeMap<Key, Entry>,
}

impl Datastore {
    /// Whether no value was ever set, or all were deleted.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A value was set.
    pub(crate) fn set(&mut self, key: Key, entry: Entry) {
        self.forget(entry.at);
        self.entries.insert(key, entry);
    }

    /// A value was deleted.
    pub(crate) fn delete(&mut self, key: &Key, at: Timestamp) {
        self.entries.remove(key);
        self.forget(at);
    }

    fn forget(&mut self, now: Timestamp) {
        self.entries.retain(|_, entry| stands(entry, now));
    }

    /// The value of this name, as long as its time is not over.
    pub fn get(&self, key: &Key, now: Timestamp) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| stands(entry, now))
    }

    /// All values whose time is not over, in the order of scope and name.
    pub fn standing(&self, now: Timestamp) -> impl Iterator<Item = (&Key, &Entry)> {
        self.entries.iter().filter(move |(_, entry)| stands(entry, now))
    }

    /// Whether a value stands whose name begins with this one and a dot.
    pub(crate) fn goes_on(&self, key: &Key, now: Timestamp) -> bool {
        let start = Key { name: format!("{}.", key.name), ..key.clone() };
        let after = self.entries.range(start.clone()..);
        let mut inside =
            after.take_while(|(found, _)| found.scope == start.scope && found.name.starts_with(&start.name));
        inside.any(|(_, entry)| stands(entry, now))
    }

    /// How many bytes names and values have together.
    pub fn size(&self) -> usize {
        self.entries.iter().map(|(key, entry)| key.name.len() + entry.value.text().len()).sum()
    }
}

fn stands(entry: &Entry, now: Timestamp) -> bool {
    entry.expires.is_none_or(|end| now < end)
}
