//! How a template reads values: `st2kv.system.name`, `st2kv.user.name`, and `decrypt_kv`.
//!
//! As in StackStorm a name may have points in it, a value that does not exist is empty text, and a secret is its sealed text until `decrypt_kv`
//! opens it.
//!
//! - **A value of the scope `system` is the word of whoever administers the bot**; what people keep for themselves is theirs, and looked at as
//!   what they type.
//! - **Only the asker's own values are in reach**, and those of everybody.

use crate::core::datastore::key::{Key, Scope};
use crate::core::datastore::seal::MasterKey;
use crate::core::datastore::{Datastore, Kept};
use crate::core::id::UserId;
use crate::core::template::surroundings::{Entry, Found, Lookup, Unseal};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// The values as somebody's templates see them at a moment.
#[derive(Debug, Clone)]
pub struct Values {
    /// All of them.
    pub datastore: Arc<Datastore>,
    /// Whose own values are in reach; nobody's where nobody in chat asked.
    pub user: Option<UserId>,
    /// The moment.
    pub now: Timestamp,
    /// What opens secrets, or why nothing does.
    pub master_key: Result<MasterKey, String>,
}

impl Values {
    fn scope(&self, word: &str) -> Option<Option<Scope>> {
        match word {
            "system" => Some(Some(Scope::System)),
            "user" => Some(self.user.clone().map(|user| Scope::User { user })),
            _ => None,
        }
    }
}

impl Lookup for Values {
    fn find(&self, path: &[String]) -> Found {
        let Some((scope, name)) = path.split_first() else { return Found::Step(None) };
        let Some(scope) = self.scope(scope) else { return Found::Missing };
        let (Some(scope), false) = (scope, name.is_empty()) else { return Found::Step(None) };
        let key = Key { scope, name: name.join(".") };
        let found = self.datastore.get(&key, self.now).map(|entry| Entry {
            value: Value::from(entry.value.text()),
            secret: false,
            trusted: key.scope == Scope::System && !entry.value.is_sealed(),
        });
        match found {
            Some(entry) if !self.datastore.goes_on(&key, self.now) => Found::Value(entry),
            entry => Found::Step(entry),
        }
    }
}

/// The values of the scope `system` alone: StackStorm's old name `system` in templates.
#[derive(Debug, Clone)]
pub struct SystemValues(pub Arc<Values>);

impl Lookup for SystemValues {
    fn find(&self, path: &[String]) -> Found {
        let path: Vec<String> = ["system".to_owned()].into_iter().chain(path.iter().cloned()).collect();
        self.0.find(&path)
    }
}

impl Unseal for Values {
    fn unseal(&self, sealed: &str) -> Result<String, String> {
        let mine = |key: &Key| key.scope.user().is_none_or(|user| Some(user) == self.user.as_ref());
        let mut found = self.datastore.standing(self.now).filter(|(key, _)| mine(key));
        let found = found.find(|(_, entry)| entry.value.text() == sealed);
        match found {
            Some((key, entry)) => match &entry.value {
                Kept::Sealed { text } => {
                    let master = self.master_key.as_ref();
                    let master = master.map_err(|why| format!("cannot open `{}`: {why}", key.name))?;
                    master.open(key, text).map_err(|why| format!("cannot open `{}`: {why}", key.name))
                }
                Kept::Plain { .. } => Err(format!("is used on `{}`, which is no secret: leave it out", key.name)),
            },
            None => Err("is used on text that is no secret of the datastore".to_owned()),
        }
    }
}
