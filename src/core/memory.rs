//! # Memory
//!
//! What the bot knows because it happened: the fold of the stored facts and of nothing else. Whoever has the facts has this.
//!
//! It holds what is live. An execution that ended leaves it and is read through the store; the set of posts taken is bounded by a cursor.
//!
//! - **Folding decides nothing**: it parses nothing, renders nothing and looks at no catalog.
//! - **It can be written down and read again** ([`VERSION`]), so that a start need not fold all that ever happened. What folding a fact means
//!   may therefore only change together with the version, and what older versions wrote has to be brought up to date by code.
//! - **A fact that cannot be true as things stand is an error**, so that a damaged log is noticed and not acted on.

use crate::core::action::execution::{Execution, IllegalFact};
use crate::core::effect::Thread;
use crate::core::effect::{Body, Delivery};
use crate::core::fact::{Choice, Dated, Fact};
use crate::core::id::{ChannelId, DeliveryId, ExecutionId, PostId, UserId};
use crate::core::input::{Back, Principal};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How far before the newest post taken in a channel a post may still turn up. What is older has been taken, or is too old to be.
pub const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// The version in which a memory is written down. It goes up whenever the same facts fold to something else than before; a field that only
/// new kinds of facts fill needs no new version.
pub const VERSION: u32 = 1;

/// A fact that cannot be true as things stand: the log, or the code that wrote it, is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The execution cannot take it in.
    #[error(transparent)]
    Illegal(#[from] IllegalFact),
    /// There is no such execution under way.
    #[error("execution {0} is not under way, and a fact says what happened to it")]
    NotLive(ExecutionId),
}

/// The fold of the facts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Executions that have not ended.
    pub executions: BTreeMap<ExecutionId, Execution>,
    /// Deliveries that are promised and not known to stand, in the order of their promise.
    pub unsent: Vec<Delivery>,
    /// Posts that were made and may still be edited or answered: those of live executions and of deliveries that are still promised.
    pub posts: BTreeMap<DeliveryId, PostId>,
    /// Choices offered, the newest for each user and channel.
    #[serde(with = "pairs")]
    pub choices: BTreeMap<(UserId, ChannelId), Offer>,
    /// Why nothing but looking is allowed; absent when everything is.
    pub frozen: Option<Frozen>,
    taken: BTreeMap<ChannelId, Taken>,
}

/// Only what looks may be started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// Why, in a sentence for people.
    pub why: String,
    /// Who wanted it; absent when the bot did it by itself.
    pub by: Option<Principal>,
    /// Since when.
    pub since: Timestamp,
}

/// Choices that somebody was given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Where the answer is expected.
    pub back: Back,
    /// The lines among which to choose.
    pub lines: Vec<Choice>,
    /// When the offer lapses.
    pub until: Timestamp,
}

/// The posts taken in one channel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Taken {
    newest: Timestamp,
    recent: BTreeSet<(Timestamp, PostId)>,
}

impl Memory {
    /// Takes one fact in.
    ///
    /// # Errors
    /// The fact cannot be true after those before it.
    pub fn apply(&mut self, dated: &Dated) -> Result<(), Contradiction> {
        let at = dated.at;
        match &dated.fact {
            Fact::PostTaken { post, channel, created } => self.take(post, channel, *created),
            Fact::ExecutionStarted(request) => {
                let execution = Execution::start(at, (**request).clone());
                if let Some(known) = self.executions.get_mut(&request.id) {
                    return Ok(known.apply(at, &dated.fact)?);
                }
                self.executions.insert(request.id.clone(), execution);
            }
            fact @ (Fact::HostFinished { id, .. } | Fact::CancelAsked { id, .. }) => {
                self.live(id)?.apply(at, fact)?;
            }
            fact @ Fact::ExecutionFinished { id, .. } => {
                self.live(id)?.apply(at, fact)?;
                self.executions.remove(id);
                self.forget_posts();
            }
            Fact::DeliveryIntended(delivery) => self.unsent.push(delivery.clone()),
            Fact::DeliverySent { delivery, post } => {
                self.unsent.retain(|known| known.id != *delivery);
                self.posts.insert(delivery.clone(), post.clone());
                self.forget_posts();
            }
            Fact::DeliveryRefused { delivery, .. } => {
                self.unsent.retain(|known| known.id != *delivery);
                self.forget_posts();
            }
            Fact::ChoiceOffered { user, back, lines, until } => {
                if let Back::Chat { channel, .. } = back {
                    let offer = Offer { back: back.clone(), lines: lines.clone(), until: *until };
                    self.choices.insert((user.clone(), channel.clone()), offer);
                }
            }
            Fact::ChoiceClosed { user, channel } => {
                self.choices.remove(&(user.clone(), channel.clone()));
            }
            Fact::Frozen { why, by } => {
                self.frozen = Some(Frozen { why: why.clone(), by: by.clone(), since: at });
            }
            Fact::Unfrozen { .. } => self.frozen = None,
        }
        Ok(())
    }

    /// Whether a post has been taken up, or is so old that this can no longer be told and it must not be.
    pub fn has_taken(&self, post: &PostId, channel: &ChannelId, created: Timestamp) -> bool {
        self.taken.get(channel).is_some_and(|taken| {
            created < taken.newest.saturating_sub(OVERLAP).unwrap_or(Timestamp::MIN)
                || taken.recent.contains(&(created, post.clone()))
        })
    }

    fn take(&mut self, post: &PostId, channel: &ChannelId, created: Timestamp) {
        let taken = self.taken.entry(channel.clone()).or_default();
        taken.newest = taken.newest.max(created);
        taken.recent.insert((created, post.clone()));
        let oldest = taken.newest.saturating_sub(OVERLAP).unwrap_or(Timestamp::MIN);
        while taken.recent.first().is_some_and(|(created, _)| *created < oldest) {
            taken.recent.pop_first();
        }
    }

    fn live(&mut self, id: &ExecutionId) -> Result<&mut Execution, Contradiction> {
        self.executions.get_mut(id).ok_or_else(|| Contradiction::NotLive(id.clone()))
    }

    /// Keeps the posts that something may still refer to: cards of live executions, and posts named by deliveries that are still promised.
    fn forget_posts(&mut self) {
        let mut wanted: BTreeSet<DeliveryId> = self.executions.keys().map(card_of).collect();
        for delivery in &self.unsent {
            match &delivery.body {
                Body::Edit { of, .. } => {
                    wanted.insert(of.clone());
                }
                Body::Post { root: Some(Thread::Delivery { of }), .. } => {
                    wanted.insert(of.clone());
                }
                Body::Post { .. } => {}
            }
        }
        self.posts.retain(|delivery, _| wanted.contains(delivery));
    }
}

/// The delivery that makes an execution's post.
pub fn card_of(id: &ExecutionId) -> DeliveryId {
    DeliveryId::new(format!("{id}-card"))
}

/// A map whose keys are not text, as JSON can have it: a list of pairs.
mod pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<K, V>, D::Error> {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
