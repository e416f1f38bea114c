//! What expressions of a workflow see of the datastore, and what stands for a secret in what is remembered.
//!
//! A workflow passes values on: from its parameters to its tasks, from the datastore to a command. All that it passes on is remembered in
//! clear, so **a secret is not passed on itself**. What stands for it is a word that nobody can guess, made for this execution alone: expressions see
//! the word, can hand it on and put it into a text, and cannot look into it. **Only where a child is begun the word is replaced by the
//! secret**, and the parameters that hold it are secret there whatever the action says. Secrets of parameters are sealed under the execution's
//! name; those of the datastore stay there.

use super::{Bot, Moment};
use crate::core::action::execution::Execution;
use crate::core::action::params::Resolved;
use crate::core::datastore::key::{Key, Scope};
use crate::core::datastore::lookup::Values;
use crate::core::id::ExecutionId;
use crate::core::input::Principal;
use crate::core::message::phrase::Phrase;
use crate::core::workflow::conducted::{Conducted, secret_word};
use crate::core::workflow::scene::{Chance, World};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

/// The datastore as the expressions of one workflow see it, at one moment.
#[derive(Debug)]
struct Kept {
    values: Values,
    nonce: String,
    chance: Chance,
}

impl Kept {
    fn key(&self, name: &str) -> Option<Key> {
        let (scope, name) = name.split_once('.')?;
        let scope = match scope {
            "system" => Scope::System,
            "user" => Scope::User { user: self.values.user.clone()? },
            _ => return None,
        };
        Some(Key { scope, name: name.to_owned() })
    }
}

impl World for Kept {
    fn kept(&self, name: &str, decrypt: bool) -> Result<Option<Value>, String> {
        let Some(key) = self.key(name) else { return Ok(None) };
        let Some(entry) = self.values.datastore.get(&key, self.values.now) else { return Ok(None) };
        if !decrypt {
            return Ok(Some(Value::from(entry.value.text())));
        }
        if !entry.value.is_sealed() {
            return Err(Closed::NoSecret(name.to_owned()).to_string());
        }
        open(&self.values, &key)?;
        Ok(Some(Value::from(secret_word(&self.nonce, &format!("k{}", hex(name))))))
    }

    fn chance(&self) -> Chance {
        self.chance
    }
}

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
enum Closed {
    /// It is none.
    #[error("{0} is no secret, so there is nothing to decrypt")]
    NoSecret(String),
    /// It is not there.
    #[error("the datastore has no {0}")]
    Missing(String),
    /// It does not open.
    #[error("{0} cannot be decrypted: {1}")]
    Sealed(String, String),
    /// What stands for it means nothing.
    #[error("a secret that was passed on is not known any more")]
    Forgotten,
}

/// A secret of the datastore in clear.
fn open(values: &Values, key: &Key) -> Result<String, String> {
    let entry = values.datastore.get(key, values.now).ok_or_else(|| Closed::Missing(key.name.clone()).to_string())?;
    let master =
        values.master_key.as_ref().map_err(|why| Closed::Sealed(key.name.clone(), why.to_string()).to_string())?;
    master.open(key, entry.value.text()).map_err(|why| Closed::Sealed(key.name.clone(), why.to_string()).to_string())
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut hex, byte| {
        // Writing into a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn unhex(hex: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> =
        (0..hex.len() / 2).map(|at| u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()).collect();
    String::from_utf8(bytes?).ok()
}

/// What the secret parameter of a workflow is sealed under: no value of the datastore can have this name.
fn sealed_under(id: &ExecutionId, name: &str) -> Key {
    Key { scope: Scope::System, name: format!("{id}\u{1}workflow\u{1}{name}") }
}

/// Values with all secret parameters taken out, and these sealed, by name.
type Inputs = (Map<String, Value>, BTreeMap<String, String>);

impl Bot {
    /// What the expressions of a workflow may ask.
    pub(super) fn world(&self, execution: &Execution, moment: &Moment) -> Option<Arc<dyn World>> {
        let nonce = execution.conducted.as_ref().map(|conducted| conducted.nonce.clone()).unwrap_or_default();
        let values = self.values_of(&execution.request.by, moment.at);
        let chance = Chance { now: moment.at.as_microsecond(), entropy: moment.entropy };
        Some(Arc::new(Kept { values, nonce, chance }))
    }

    fn values_of(&self, by: &Principal, now: Timestamp) -> Values {
        let user = match by {
            Principal::ChatUser { id, .. } => Some(id.clone()),
            Principal::LocalUser { .. } | Principal::Rule { .. } => None,
        };
        Values { datastore: Arc::clone(&self.memory.datastore), user, now, master_key: self.master_key.clone() }
    }

    /// What a workflow begins with, words in the place of secrets.
    pub(super) fn sealed_inputs(
        &self,
        moment: &mut Moment,
        id: &ExecutionId,
        nonce: &str,
        resolved: &Resolved,
    ) -> Result<Inputs, String> {
        let (mut inputs, mut sealed) = (Map::new(), BTreeMap::new());
        for (name, value) in &resolved.values {
            if !resolved.secrets.contains(name) || value.is_null() {
                inputs.insert(name.clone(), value.clone());
                continue;
            }
            let key = self
                .master_key
                .as_ref()
                .map_err(|why| self.sentences.phrase(&Phrase::Workflow { what: "no_key", name, why }))?;
            let text = key.seal(&sealed_under(id, name), &value.to_string(), moment.at, moment.bits());
            sealed.insert(name.clone(), text);
            inputs.insert(name.clone(), Value::from(secret_word(nonce, &format!("p{}", hex(name)))));
        }
        Ok((inputs, sealed))
    }

    /// What a task gives its action, secrets in the place of the words for them. Comes with the names of those values that hold one.
    pub(super) fn unsealed(
        &self,
        execution: &Execution,
        input: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<(BTreeMap<String, Value>, BTreeSet<String>), String> {
        let mut given = BTreeMap::new();
        let mut secret = BTreeSet::new();
        for (name, value) in input {
            let (value, found) = match execution.conducted.as_deref() {
                Some(conducted) => self.put_in(execution, conducted, value, now)?,
                None => (value.clone(), false),
            };
            if found {
                secret.insert(name.clone());
            }
            given.insert(name.clone(), value);
        }
        Ok((given, secret))
    }

    fn put_in(
        &self,
        execution: &Execution,
        conducted: &Conducted,
        value: &Value,
        now: Timestamp,
    ) -> Result<(Value, bool), String> {
        Ok(match value {
            Value::String(text) => {
                let begin = secret_word(&conducted.nonce, "");
                let begin = begin.trim_end_matches(';');
                let (mut whole, mut rest, mut found) = (String::new(), text.as_str(), false);
                while let Some((before, after)) = rest.split_once(begin) {
                    let Some((what, after)) = after.split_once(';') else { break };
                    whole.push_str(before);
                    let secret = self.secret(execution, conducted, what, now)?;
                    if before.is_empty() && whole.is_empty() && after.is_empty() {
                        return Ok((secret, true));
                    }
                    whole.push_str(&crate::core::template::value::written(&secret));
                    (rest, found) = (after, true);
                }
                whole.push_str(rest);
                (Value::String(whole), found)
            }
            Value::Array(items) => {
                let mut found = false;
                let mut all = Vec::with_capacity(items.len());
                for item in items {
                    let (item, has) = self.put_in(execution, conducted, item, now)?;
                    found |= has;
                    all.push(item);
                }
                (Value::Array(all), found)
            }
            Value::Object(map) => {
                let mut found = false;
                let mut all = Map::new();
                for (key, item) in map {
                    let (item, has) = self.put_in(execution, conducted, item, now)?;
                    found |= has;
                    all.insert(key.clone(), item);
                }
                (Value::Object(all), found)
            }
            other => (other.clone(), false),
        })
    }

    /// The secret that a word stands for.
    fn secret(
        &self,
        execution: &Execution,
        conducted: &Conducted,
        what: &str,
        now: Timestamp,
    ) -> Result<Value, String> {
        let unknown = || Closed::Forgotten.to_string();
        let name = what.get(1..).and_then(unhex).ok_or_else(unknown)?;
        if what.starts_with('p') {
            let sealed = conducted.sealed.get(&name).ok_or_else(unknown)?;
            return self.open_sealed(&conducted.sealed_for(&execution.request.id), &name, sealed);
        }
        let values = self.values_of(&execution.request.by, now);
        let kept = Kept { values, nonce: String::new(), chance: Chance::default() };
        let key = kept.key(&name).ok_or_else(unknown)?;
        open(&kept.values, &key).map(Value::from)
    }

    /// A secret parameter of a workflow in clear.
    pub(super) fn open_sealed(&self, id: &ExecutionId, name: &str, sealed: &str) -> Result<Value, String> {
        let key =
            self.master_key.as_ref().map_err(|why| Closed::Sealed(name.to_owned(), why.to_string()).to_string())?;
        let text = key.open(&sealed_under(id, name), sealed);
        let text = text.map_err(|why| Closed::Sealed(name.to_owned(), why.to_string()).to_string())?;
        serde_json::from_str(&text).map_err(|_| Closed::Forgotten.to_string())
    }
}
