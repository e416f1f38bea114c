//! What can be asked of the datastore, and what is told: the same for the command line and for chat.

use crate::core::action::params::MASK;
use crate::core::datastore::seal::OpenError;
use crate::core::datastore::{LARGEST, ROOM};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A text that may be secret, on its way in or out. It travels, and is not shown by accident.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Confidential(pub String);

impl fmt::Debug for Confidential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Which scope is meant, as it was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "scope")]
pub enum Asked {
    /// Everybody's values.
    #[default]
    System,
    /// Those of a user.
    User {
        /// Name or id; the asker when absent.
        #[serde(default)]
        user: Option<String>,
    },
    /// All that the asker may see; for lists.
    All,
}

/// A question about values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "value")]
pub enum ValueAsk {
    /// One value.
    Get {
        /// Where.
        #[serde(flatten)]
        scope: Asked,
        /// Its name.
        name: String,
        /// Open it when it is a secret.
        decrypt: bool,
    },
    /// All values whose names begin so.
    List {
        /// Where.
        #[serde(flatten)]
        scope: Asked,
        /// The beginning of the names.
        prefix: String,
        /// Open those that are secrets.
        decrypt: bool,
    },
    /// Set values: all of them or none.
    Set {
        /// Which.
        values: Vec<NewValue>,
    },
    /// Delete a value.
    Delete {
        /// Where.
        #[serde(flatten)]
        scope: Asked,
        /// Its name.
        name: String,
    },
    /// Delete all values whose names begin so.
    DeleteByPrefix {
        /// Where.
        #[serde(flatten)]
        scope: Asked,
        /// The beginning of the names, which is not empty.
        prefix: String,
    },
}

/// A value to be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewValue {
    /// Where.
    #[serde(flatten)]
    pub scope: Asked,
    /// Its name.
    pub name: String,
    /// The value.
    pub text: Confidential,
    /// Seal it.
    pub secret: bool,
    /// How many seconds it stands; for ever when absent.
    pub ttl: Option<u64>,
}

/// A value as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownValue {
    /// Its name.
    pub name: String,
    /// StackStorm's word for the scope.
    pub scope: String,
    /// The id of the user whose it is.
    pub user: Option<String>,
    /// The value; stars for a secret that was not opened.
    pub text: Confidential,
    /// Whether it is a secret.
    pub secret: bool,
    /// Whether it is hidden.
    pub hidden: bool,
    /// When its time is over.
    pub expires: Option<Timestamp>,
}

/// Why a question about values is not answered, or not done. Each is a sentence for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueProblem {
    /// There is none, or the asker may not know of it.
    #[error("there is no value `{name}` in the scope {scope}")]
    Absent {
        /// The name.
        name: String,
        /// The scope.
        scope: &'static str,
    },
    /// The asker lacks a right.
    #[error("this needs the grant `{needed}`")]
    Denied {
        /// The grant that is missing.
        needed: String,
    },
    /// Values of others.
    #[error("the values of others are for those who may do everything (`admin:*`)")]
    Others,
    /// A secret where others read it.
    #[error("I show secrets in a direct message only")]
    InChannel,
    /// A scope of a user, and nobody is one.
    #[error("values of the scope user belong to a chat user: say whose")]
    Whose,
    /// No such user.
    #[error("I do not know the user `{user}`: write the id, or a name that stands in a role of config.toml")]
    UnknownUser {
        /// As written.
        user: String,
    },
    /// A scope that is good for lists only.
    #[error("the scope all is for lists")]
    ScopeAll,
    /// Everything is too much.
    #[error("an empty beginning would delete everything: write how the names begin")]
    EmptyPrefix,
    /// The name is none.
    #[error("`{name}` cannot be a name: {why}")]
    Name {
        /// As written.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// Not a time.
    #[error("a time to live is a number of seconds from 1 to 3155760000")]
    Ttl,
    /// The value is too long.
    #[error("the value of `{name}` has {bytes} bytes, and {LARGEST} is the most that is kept")]
    TooLarge {
        /// The name.
        name: String,
        /// How long it is.
        bytes: usize,
    },
    /// All values together are too much.
    #[error("all values together would have more than {ROOM} bytes: delete some first")]
    Full,
    /// No master key is there.
    #[error(
        "`{name}` is a secret and can be neither sealed nor opened: {why}. `halcyon key create-master-key FILE` makes a master key, and `[datastore] key_file` in config.toml names it"
    )]
    NoMasterKey {
        /// The value.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The secret does not open.
    #[error("`{name}` does not open: {why}")]
    Sealed {
        /// The value.
        name: String,
        /// Why.
        why: OpenError,
    },
}

impl ValueProblem {
    /// Whether the asking was sound and the thing asked for failed.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::NoMasterKey { .. } | Self::Sealed { .. })
    }
}
