//! Names of things, each a type of its own, so that a channel can never be passed for a post.
//!
//! All of them are opaque text to the core, and shared: a line of chat names its post, its channel and its writer fifty times until it is answered.
//! Only [`ExecutionId`] is made here, from time and entropy that come with the input.

use jiff::Timestamp;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// Reads a text that is shared from the beginning.
struct Text;

impl Visitor<'_> for Text {
    type Value = Arc<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<Arc<str>, E> {
        Ok(text.into())
    }
}

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text as it is; nothing is checked.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text).map(Self)
            }
        }
    )*};
}

text_id! {
    /// A Mattermost user. Rights hang on this and never on a name.
    UserId;
    /// A Mattermost channel, direct messages included.
    ChannelId;
    /// A Mattermost post.
    PostId;
    /// `pack.name` of an action.
    ActionRef;
    /// `pack.name` of an action alias.
    AliasRef;
    /// `pack.name` of a rule.
    RuleRef;
    /// `pack.name` of a type of triggers.
    TriggerRef;
    /// `pack.name` of a sensor.
    SensorRef;
    /// One event, by the name that its source gives it: the same event comes under the same name, however often it comes.
    TriggerInstanceId;
    /// One machine as the administrators call it: `wn0189`. Checked at the door by [`crate::core::host`].
    Host;
    /// One thing to be said in chat exactly once. Travels in the post's props, so that it can be looked for after a crash.
    DeliveryId;
    /// One run of an action: 24 hexadecimal digits as StackStorm's ids, time-ordered.
    ExecutionId;
    /// One storm of problems of the monitoring.
    StormId;
    /// A stored piece of output: the SHA-256 of its bytes in hexadecimal.
    BlobId;
}

impl ActionRef {
    /// The pack part of `pack.name`.
    pub fn pack(&self) -> &str {
        self.0.split_once('.').map_or("", |(pack, _)| pack)
    }

    /// The name part of `pack.name`.
    pub fn name(&self) -> &str {
        self.0.split_once('.').map_or(self.as_str(), |(_, name)| name)
    }
}

/// How many trailing digits of an execution's id stand for it in chat.
pub const SHORT_ID: usize = 6;

impl ExecutionId {
    /// Eight digits of seconds since 1970, sixteen of entropy.
    pub fn generate(now: Timestamp, entropy: u64) -> Self {
        let seconds = u32::try_from(now.as_second().max(0)).unwrap_or(u32::MAX);
        Self(format!("{seconds:08x}{entropy:016x}").into())
    }

    /// The trailing digits by which people name it in chat.
    pub fn short(&self) -> &str {
        let start = self.0.len().saturating_sub(SHORT_ID);
        self.0.get(start..).unwrap_or(&self.0)
    }
}

/// The call number of one request over the control socket; lives as long as the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(pub u64);
