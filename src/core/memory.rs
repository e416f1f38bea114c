//! # Memory
//!
//! What the bot knows because it happened: the fold of the stored facts and of nothing else. Whoever has the facts has this.
//!
//! It holds what is live. An execution that ended leaves it and is read through the store; the set of posts taken is bounded by a cursor.
//!
//! - **Folding decides nothing**: it parses nothing, renders nothing and looks at no catalog.
//! - **A fact that cannot be true as things stand is an error**, so that a damaged log is noticed and not acted on.

use crate::core::action::execution::{Execution, IllegalFact, Status};
use crate::core::effect::Thread;
use crate::core::effect::{Body, Delivery};
use crate::core::fact::{Choice, Dated, Fact};
use crate::core::id::{ChannelId, DeliveryId, ExecutionId, PostId, UserId};
use crate::core::input::{Back, Principal};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How far before the newest post taken in a channel a post may still turn up. What is older has been taken, or is too old to be.
pub const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// A fact that cannot be true as things stand: the log, or the code that wrote it, is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The execution cannot take it in.
    #[error(transparent)]
    Illegal(#[from] IllegalFact),
    /// There is no such execution under way.
    #[error("execution {0} is not under way, and a fact says what happened to it")]
    NotLive(ExecutionId),
    /// Nobody was asked about it.
    #[error("execution {0} does not wait for a judgement, and a fact gives one")]
    NoQuestion(ExecutionId),
}

/// The fold of the facts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// Executions that have not ended.
    pub executions: BTreeMap<ExecutionId, Execution>,
    /// Deliveries that are promised and not known to stand, in the order of their promise.
    pub unsent: Vec<Delivery>,
    /// Posts that were made and may still be edited or answered: those of live executions and of deliveries that are still promised.
    pub posts: BTreeMap<DeliveryId, PostId>,
    /// Executions that ended as unknown and wait for a person's judgement.
    pub questions: BTreeMap<ExecutionId, Question>,
    /// Choices offered, the newest for each user and channel.
    pub choices: BTreeMap<(UserId, ChannelId), Offer>,
    taken: BTreeMap<ChannelId, Taken>,
}

/// Where it was asked what became of an execution.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Question {
    /// Whose execution it is; nobody's in chat when it was asked for elsewhere.
    pub user: Option<UserId>,
    /// The channel of the question; absent while it has not been asked.
    pub channel: Option<ChannelId>,
    /// The thread in which a number answers it, once the post that begins it stands.
    pub thread: Option<PostId>,
    /// The execution, while the question has not been asked.
    pub unasked: Option<Box<Execution>>,
}

/// Choices that somebody was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// Where the answer is expected.
    pub back: Back,
    /// The lines among which to choose.
    pub lines: Vec<Choice>,
    /// When the offer lapses.
    pub until: Timestamp,
}

/// The posts taken in one channel.
#[derive(Debug, Clone, Default, PartialEq)]
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
            fact @ (Fact::HostFinished { id, .. } | Fact::HostAgain { id, .. } | Fact::CancelAsked { id, .. }) => {
                self.live(id)?.apply(at, fact)?;
            }
            fact @ Fact::ExecutionFinished { id, status, .. } => {
                self.live(id)?.apply(at, fact)?;
                let ended = self.executions.remove(id);
                if let (Status::Unknown, Some(execution)) = (status, ended) {
                    self.questions.insert(id.clone(), self.question(&execution));
                }
                self.forget_posts();
            }
            Fact::Judged { id, .. } => {
                self.questions.remove(id).ok_or_else(|| Contradiction::NoQuestion(id.clone()))?;
                self.forget_posts();
            }
            Fact::DeliveryIntended(delivery) => {
                for (id, question) in &mut self.questions {
                    if question.channel.is_none() && delivery.id == question_of(id) {
                        question.channel = Some(delivery.channel.clone());
                        question.unasked = None;
                    }
                }
                self.unsent.push(delivery.clone());
            }
            Fact::DeliverySent { delivery, post } => {
                self.unsent.retain(|known| known.id != *delivery);
                for (id, question) in &mut self.questions {
                    if question.thread.is_none() && (*delivery == card_of(id) || *delivery == question_of(id)) {
                        question.thread = Some(post.clone());
                    }
                }
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

    /// The question that comes with the end of an execution in chat: in the thread where it was asked for, or else in that of its post. What
    /// was asked for elsewhere is asked about by a post of its own.
    fn question(&self, execution: &Execution) -> Question {
        let user = match &execution.request.by {
            Principal::ChatUser { id, .. } => Some(id.clone()),
            Principal::LocalUser { .. } => None,
        };
        match &execution.request.back {
            Back::Chat { channel, root, .. } => {
                let post = self.posts.get(&card_of(&execution.request.id));
                let thread = root.as_ref().or(post).cloned();
                Question { user, channel: Some(channel.clone()), thread, unasked: None }
            }
            Back::Request { .. } => {
                Question { user, channel: None, thread: None, unasked: Some(Box::new(execution.clone())) }
            }
        }
    }

    fn live(&mut self, id: &ExecutionId) -> Result<&mut Execution, Contradiction> {
        self.executions.get_mut(id).ok_or_else(|| Contradiction::NotLive(id.clone()))
    }

    /// Keeps the posts that something may still refer to: cards of executions that are live or to be judged, and posts named by deliveries that are still promised.
    fn forget_posts(&mut self) {
        let mut wanted: BTreeSet<DeliveryId> =
            self.executions.keys().chain(self.questions.keys()).map(card_of).collect();
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

/// The delivery that asks what became of an execution.
pub fn question_of(id: &ExecutionId) -> DeliveryId {
    DeliveryId::new(format!("{id}-question"))
}
