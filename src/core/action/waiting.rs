//! What waits before its run begins: for somebody's approval, or for its turn. All that is needed to begin it later stands here, and no secret
//! in clear: secret parameters are sealed with the master key, each under its name and the execution's.

use crate::core::action::execution::Requested;
use crate::core::approval::request::Request;
use crate::core::approval::snapshot::Snapshot;
use crate::core::datastore::key::{Key, Scope};
use crate::core::datastore::seal::{MasterKey, OpenError};
use crate::core::id::ExecutionId;
use crate::core::message::card::PlanCard;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// An execution that was asked for and granted, and may not begin yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waits {
    /// What was asked for. What is found out anew when it begins (the end of a pause, the way to its hosts) is as it would be now.
    pub request: Requested,
    /// What it needs to begin.
    pub waiting: Waiting,
    /// The request for an approval, where policies want one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Box<Request>>,
}

/// What an execution that waits needs to begin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// The parameters as they were given.
    pub given: Given,
    /// What exactly was asked for.
    pub snapshot: Snapshot,
    /// The same for people, as it stands on the card.
    pub shown: Box<PlanCard>,
    /// How it waits for its turn; absent while it waits for an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
}

/// How an execution waits for its turn. Whom it lets go first is known from those who came before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// When it is given up.
    pub until: Timestamp,
    /// When it takes its place behind the others; absent when it has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
}

impl Turn {
    /// Whether it has its place.
    pub fn is_due(&self) -> bool {
        self.from.is_none()
    }
}

/// Parameters as they were given, so that they can be resolved once more.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// Those that are no secrets.
    pub plain: Map<String, Value>,
    /// The secrets, sealed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sealed: BTreeMap<String, String>,
    /// Names of those that are the pack's own words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted: Vec<String>,
}

impl Given {
    /// Puts parameters away; secrets need the key.
    ///
    /// # Errors
    /// There is a secret among them, and no key.
    pub fn keep(
        id: &ExecutionId,
        given: &BTreeMap<String, Value>,
        secrets: &BTreeSet<String>,
        trusted: &[String],
        key: Result<&MasterKey, &String>,
        (at, mut bits): (Timestamp, impl FnMut() -> u64),
    ) -> Result<Self, String> {
        let mut kept = Self { trusted: trusted.to_vec(), ..Self::default() };
        for (name, value) in given {
            if secrets.contains(name) && !value.is_null() {
                let key = key.map_err(String::clone)?;
                let sealed = key.seal(&name_of(id, name), &value.to_string(), at, bits());
                kept.sealed.insert(name.clone(), sealed);
            } else {
                kept.plain.insert(name.clone(), value.clone());
            }
        }
        Ok(kept)
    }

    /// Takes them out again.
    ///
    /// # Errors
    /// A secret does not open.
    pub fn open(
        &self,
        id: &ExecutionId,
        key: Result<&MasterKey, &String>,
    ) -> Result<BTreeMap<String, Value>, CannotOpen> {
        let mut given: BTreeMap<String, Value> = self.plain.clone().into_iter().collect();
        for (name, sealed) in &self.sealed {
            let key = key.map_err(|why| CannotOpen::NoKey(why.clone()))?;
            let text = key.open(&name_of(id, name), sealed)?;
            let value = serde_json::from_str(&text).unwrap_or(Value::from(text.as_str()));
            given.insert(name.clone(), value);
        }
        Ok(given)
    }
}

/// Why what was given cannot be had any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotOpen {
    /// There is no master key.
    #[error("there is no master key: {0}")]
    NoKey(String),
    /// It is another one, or what it sealed is damaged.
    #[error("{0}")]
    Sealed(#[from] OpenError),
}

/// What a secret is bound to: no value of the datastore can have this name.
fn name_of(id: &ExecutionId, parameter: &str) -> Key {
    Key { scope: Scope::System, name: format!("{id}\u{1}{parameter}") }
}
