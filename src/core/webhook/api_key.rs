//! Keys by which programs prove who they are. What is kept of one is its digest: a key has as much randomness as the digest is long, so that there is nothing
//! to be guessed and no need to make guessing slow. Of one that signs it is the secret, sealed.

use crate::core::content::glob::covers;
use crate::core::datastore::key::{Key, Scope};
use crate::core::datastore::request::Confidential;
use crate::core::input::Principal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use subtle::ConstantTimeEq;

/// The longest name of a key.
pub const LONGEST_NAME: usize = 100;
/// How many keys there may be.
pub const MOST: usize = 1_000;
/// How many patterns a key may have.
pub const MOST_PATTERNS: usize = 50;

/// What is kept of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of a key.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }
}

/// A key, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Whose it is, in a word.
    pub name: String,
    /// What proves it, where it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The secret that it signs with, sealed; absent for one that is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The webhooks that it is for, as patterns of their paths.
    pub webhooks: Vec<String>,
    /// When it was made.
    pub made: Timestamp,
    /// Who made it.
    pub by: Principal,
}

impl ApiKey {
    /// Whether it is for a webhook.
    pub fn is_for(&self, hook: &str) -> bool {
        self.webhooks.iter().any(|pattern| covers(super::path(pattern), hook))
    }
}

/// The key that a digest is of. Takes as long for one that is right as for one that is wrong.
pub fn find<'a>(keys: &'a BTreeMap<String, ApiKey>, digest: &Digest) -> Option<&'a ApiKey> {
    let is_it = |key: &&ApiKey| key.digest.is_some_and(|known| bool::from(known.0.ct_eq(&digest.0)));
    keys.values().fold(None, |found, key| if is_it(&key) { Some(key) } else { found })
}

/// The name under which the secret of a key is sealed. No value of the datastore has such a one.
pub fn sealed_under(name: &str) -> Key {
    Key { scope: Scope::System, name: format!("\0api-key\0{name}") }
}

/// Whether something can be the name of a key: letters, digits, `.`, `_` and `-`.
pub fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// What is wanted of keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "wants")]
pub enum ApiKeyAsk {
    /// All of them.
    List,
    /// A new one, which whoever asks has drawn.
    Create {
        /// Its name.
        name: String,
        /// Its digest.
        digest: Digest,
        /// What it is for.
        webhooks: Vec<String>,
    },
    /// A new one that signs.
    Sign {
        /// Its name.
        name: String,
        /// What it signs with.
        secret: Confidential,
        /// What it is for.
        webhooks: Vec<String>,
    },
    /// One counts no more.
    Delete {
        /// Its name.
        name: String,
    },
}

/// A key as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownKey {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub webhooks: Vec<String>,
    /// It signs what it sends, and is not sent itself.
    #[serde(default)]
    pub signs: bool,
    /// When it was made.
    pub made: Timestamp,
    /// Who made it.
    pub by: String,
}
