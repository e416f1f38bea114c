//! One channel's order: deliveries first, as they were promised; refreshes when nothing is promised; reactions beside both.

use super::ledger::Standing;
use super::text::{fit, remark};
use super::{Delay, Outbox, Shown, dependency, lock};
use crate::core::effect::{Body, Delivery};
use crate::core::id::{ChannelId, DeliveryId, PostId};
use crate::core::input::DeliveryOutcome;
use crate::core::message::phrase::Phrase;
use crate::runtime::ports::ChatError;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// How many reactions of a channel may wait, and how many posts for a refresh before that is said.
const MANY: usize = 256;
/// How often a reaction is tried.
const REACTION_TRIES: usize = 4;

/// What waits for one channel.
pub(crate) struct Lane {
    pub(crate) channel: ChannelId,
    state: Mutex<State>,
    said: Notify,
    reacted: Notify,
}

#[derive(Default)]
struct State {
    /// The first one stays until it has its outcome.
    deliveries: VecDeque<Queued>,
    /// Posts that have something newer to show, or on its way: one entry for each, and none is dropped, since what it shows may be the last for
    /// long. The ledger knows only so many posts, and only those are refreshed.
    refreshes: BTreeMap<DeliveryId, Refresh>,
    /// It was said that many of them wait.
    many_wait: bool,
    resting: Resting,
    reactions: VecDeque<Reaction>,
}

/// A promise.
#[derive(Clone)]
pub(crate) struct Queued {
    pub(crate) delivery: Delivery,
    /// It may stand already: look before making it.
    pub(crate) look: bool,
    /// What it would say stands already, in this post: the post was made with its final text.
    stands: Option<PostId>,
    pub(crate) promised: Promised,
}

/// When something was promised: here, and how long before by another process.
#[derive(Clone, Copy)]
pub(crate) struct Promised {
    here: Instant,
    before: Duration,
}

impl Promised {
    pub(crate) fn new(before: Duration) -> Self {
        Self { here: Instant::now(), before }
    }

    /// How long ago that is. What was made for it is not older.
    pub(crate) fn ago(self) -> Duration {
        self.before.saturating_add(self.here.elapsed())
    }
}

/// An emoji to be put or taken away.
pub(crate) struct Reaction {
    pub(crate) post: PostId,
    pub(crate) emoji: &'static str,
    pub(crate) remove: bool,
}

struct Refresh {
    newest: Option<Shown>,
    not_before: Instant,
    failures: u32,
    /// Something is on its way to the server.
    showing: bool,
}

impl Refresh {
    fn new(not_before: Instant) -> Self {
        Self { newest: None, not_before, failures: 0, showing: false }
    }
}

/// Posts that have nothing newer to show and may not be refreshed before some time. In the order in which they came, and so nearly in that of their
/// times: what is over is forgotten from the front, whose cost does not grow with how many there are.
#[derive(Default)]
struct Resting {
    until: HashMap<DeliveryId, Instant>,
    order: VecDeque<(Instant, DeliveryId)>,
}

impl Resting {
    fn begin(&mut self, of: &DeliveryId, until: Instant) {
        self.until.insert(of.clone(), until);
        self.order.push_back((until, of.clone()));
    }

    /// Ends it; until when it would have gone on.
    fn end(&mut self, of: &DeliveryId) -> Option<Instant> {
        self.until.remove(of)
    }

    fn forget_what_is_over(&mut self, now: Instant) {
        while let Some((until, of)) = self.order.pop_front_if(|(until, _)| *until <= now) {
            // It may rest again since.
            if self.until.get(&of) == Some(&until) {
                self.until.remove(&of);
            }
        }
    }
}

enum Next {
    Delivery(Box<Queued>),
    Refresh(DeliveryId),
    At(Instant),
    Nothing,
}

impl Lane {
    pub(crate) fn new(channel: ChannelId) -> Self {
        Self { channel, state: Mutex::default(), said: Notify::new(), reacted: Notify::new() }
    }

    pub(crate) fn deliver(&self, delivery: Delivery, promised: Promised, look: bool) {
        let mut state = lock(&self.state);
        if let Body::Edit { of, .. } = &delivery.body {
            state.refreshes.remove(of);
            state.resting.end(of);
        }
        state.deliveries.push_back(Queued { delivery, look, stands: None, promised });
        self.said.notify_one();
    }

    pub(crate) fn refresh(&self, of: &DeliveryId, shown: Shown) {
        let mut state = lock(&self.state);
        let edits = |queued: &Queued| matches!(&queued.delivery.body, Body::Edit { of: edited, .. } if edited == of);
        if state.deliveries.iter().any(edits) {
            return;
        }
        if state.refreshes.len() >= MANY && !state.many_wait {
            tracing::warn!(channel = %self.channel, waiting = state.refreshes.len(), "many posts wait to be shown anew; each will be, later");
        }
        state.many_wait = state.refreshes.len() >= if state.many_wait { MANY / 2 } else { MANY };
        let rested = state.resting.end(of).unwrap_or_else(Instant::now);
        let refresh = state.refreshes.entry(of.clone()).or_insert_with(|| Refresh::new(rested));
        refresh.newest = Some(shown);
        self.said.notify_one();
    }

    pub(crate) fn react(&self, reaction: Reaction) {
        let mut state = lock(&self.state);
        if state.reactions.len() >= MANY {
            tracing::warn!(channel = %self.channel, "too many reactions wait; the oldest is dropped");
            state.reactions.pop_front();
        }
        state.reactions.push_back(reaction);
        self.reacted.notify_one();
    }

    pub(crate) fn waiting_since(&self) -> Vec<Instant> {
        lock(&self.state).deliveries.iter().map(|queued| queued.promised.here).collect()
    }

    fn next(&self) -> Next {
        let mut state = lock(&self.state);
        if let Some(first) = state.deliveries.front() {
            // Promised before what it belongs to: it goes behind that, or both would wait for ever.
            let behind = dependency(&first.delivery.body)
                .and_then(|of| state.deliveries.iter().position(|queued| queued.delivery.id == *of));
            if let Some(behind @ 1..) = behind
                && let Some(first) = state.deliveries.pop_front()
            {
                state.deliveries.insert(behind, first);
            }
            return state.deliveries.front().map_or(Next::Nothing, |first| Next::Delivery(Box::new(first.clone())));
        }
        let due = state.refreshes.iter().filter(|(_, refresh)| refresh.newest.is_some());
        match due.min_by_key(|(_, refresh)| refresh.not_before) {
            None => Next::Nothing,
            Some((of, refresh)) if refresh.not_before <= Instant::now() => Next::Refresh(of.clone()),
            Some((_, refresh)) => Next::At(refresh.not_before),
        }
    }

    /// The newest for a post that is about to be made: its final state where that is promised already, or what a refresh would show.
    pub(crate) fn newest(&self, of: &DeliveryId) -> Option<Shown> {
        let mut state = lock(&self.state);
        let last = state.deliveries.iter().find_map(|queued| match &queued.delivery.body {
            Body::Edit { of: edited, text, attachments } if edited == of => {
                Some(Shown { text: text.clone(), attachments: attachments.clone() })
            }
            Body::Edit { .. } | Body::Post { .. } | Body::Attached { .. } | Body::Mark { .. } => None,
        });
        last.or_else(|| {
            let refresh = state.refreshes.get_mut(of)?;
            let newest = refresh.newest.take();
            if !refresh.showing {
                state.refreshes.remove(of);
            }
            newest
        })
    }

    /// A post was made like this: the promise of an edit to the same is kept with it.
    pub(crate) fn made_with(&self, of: &DeliveryId, shown: &Shown, post: &PostId) {
        for queued in &mut lock(&self.state).deliveries {
            let Body::Edit { of: edited, text, attachments } = &queued.delivery.body else { continue };
            let same = attachments.is_none() || *attachments == shown.attachments;
            if edited == of && *text == shown.text && same {
                queued.stands = Some(post.clone());
            }
        }
    }

    fn finished(&self) {
        lock(&self.state).deliveries.pop_front();
    }

    /// Takes the newest to show, unless something was promised meanwhile.
    fn take_refresh(&self, of: &DeliveryId) -> Option<Shown> {
        let mut state = lock(&self.state);
        if !state.deliveries.is_empty() {
            return None;
        }
        let refresh = state.refreshes.get_mut(of)?;
        refresh.showing = refresh.newest.is_some();
        refresh.newest.take()
    }

    /// The post may be refreshed again after `pause`; with what `failed`, unless there is something newer.
    fn shown(&self, of: &DeliveryId, pause: Duration, failed: Option<Shown>) {
        let mut state = lock(&self.state);
        let now = Instant::now();
        let not_before = now + pause;
        state.resting.forget_what_is_over(now);
        let before = state.refreshes.remove(of);
        let edits = |queued: &Queued| matches!(&queued.delivery.body, Body::Edit { of: edited, .. } if edited == of);
        if state.deliveries.iter().any(edits) {
            return;
        }
        let (newest, failures) = before.map_or((None, 0), |refresh| (refresh.newest, refresh.failures));
        let failures = if failed.is_some() { failures + 1 } else { 0 };
        match newest.or(failed) {
            Some(newest) => {
                let refresh = Refresh { newest: Some(newest), not_before, failures, showing: false };
                state.refreshes.insert(of.clone(), refresh);
            }
            None => state.resting.begin(of, not_before),
        }
    }

    fn failures(&self, of: &DeliveryId) -> u32 {
        lock(&self.state).refreshes.get(of).map_or(0, |refresh| refresh.failures)
    }
}

/// Says what the lane has to say, for ever.
pub(crate) async fn speak(outbox: &Outbox, lane: &Lane) {
    loop {
        match lane.next() {
            Next::Nothing => lane.said.notified().await,
            Next::At(due) => {
                tokio::select! {
                    () = sleep_until(due) => {}
                    () = lane.said.notified() => {}
                }
            }
            Next::Delivery(queued) => {
                let outcome = match queued.stands.clone() {
                    Some(post) => DeliveryOutcome::Sent { post },
                    None => outbox.carry_out(lane, &queued).await,
                };
                let id = queued.delivery.id;
                let standing = match &outcome {
                    DeliveryOutcome::Sent { post } => Standing::Sent(post.clone()),
                    DeliveryOutcome::Refused { why } => {
                        tracing::error!(delivery = %id, why, "the chat server refused a message for good");
                        Standing::Refused
                    }
                };
                outbox.ledger.set(id.clone(), standing);
                if matches!(queued.delivery.body, Body::Post { .. } | Body::Attached { .. }) {
                    lane.shown(&id, outbox.options.refresh_every, None);
                }
                // Nobody listens only when the process is about to end; the next one finds the post by its key.
                let _ = outbox.done.send((id, outcome)).await;
                lane.finished();
                outbox.finished.notify_waiters();
            }
            Next::Refresh(of) => refresh(outbox, lane, &of).await,
        }
    }
}

async fn refresh(outbox: &Outbox, lane: &Lane, of: &DeliveryId) {
    outbox.bucket.take().await;
    // The wait for a turn may have been long: what is shown is what is newest now.
    let Some(shown) = lane.take_refresh(of) else {
        outbox.bucket.put_back();
        return;
    };
    let Some(Standing::Sent(post)) = outbox.ledger.look(of) else {
        outbox.bucket.put_back();
        lane.shown(of, outbox.options.refresh_every, None);
        return;
    };
    let text = fit(&shown.text, outbox.max_post(), || remark(&outbox.sentences(), Phrase::Cut { rest: "end" }));
    let result = outbox.change(&lane.channel, of, &post, text, shown.attachments.as_deref()).await;
    outbox.note(&result);
    match result {
        Ok(()) => lane.shown(of, outbox.options.refresh_every, None),
        Err(ChatError::Later { after, .. }) => {
            let pause = outbox.options.soonest * 2u32.saturating_pow(lane.failures(of).min(10));
            lane.shown(of, pause.min(outbox.options.slowest).max(after.unwrap_or_default()), Some(shown));
        }
        Err(ChatError::Token { .. }) => lane.shown(of, outbox.options.slowest, Some(shown)),
        Err(problem @ (ChatError::Refused { .. } | ChatError::Unknown { .. })) => {
            tracing::debug!(%of, %problem, "a refresh was refused");
            lane.shown(of, outbox.options.refresh_every, None);
        }
    }
}

/// Puts and takes away emojis, for ever.
pub(crate) async fn react(outbox: &Outbox, lane: &Lane) {
    loop {
        let next = lock(&lane.state).reactions.pop_front();
        let Some(Reaction { post, emoji, remove }) = next else {
            lane.reacted.notified().await;
            continue;
        };
        let mut delay = Delay::new(&outbox.options);
        for attempt in 1..=REACTION_TRIES {
            outbox.bucket.take().await;
            let result = outbox.chat.react(&post, emoji, remove).await;
            outbox.note(&result);
            match result {
                Ok(()) => break,
                Err(ChatError::Later { after, .. }) if attempt < REACTION_TRIES => delay.wait(after).await,
                Err(problem) => {
                    tracing::warn!(%post, emoji, %problem, "a reaction was given up");
                    break;
                }
            }
        }
    }
}
