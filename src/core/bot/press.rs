//! Somebody pressed a button, submitted a dialog, or put an emoji on a post of ours.
//!
//! Here is checked what holds for every press, whatever it is about; what it is about decides the rest. That the meaning is ours was proven
//! before. **What a press could prove ends there**: the post has to be the card that had this meaning, its time must not be over, and nobody
//! presses twice with effect on one revision ([decision 13](../../../docs/decisions/0013-a-press-is-bound-by-memory.md)).
//!
//! **An emoji is read, not only heard**: what was put on a post before it was known to be ours, or while nobody listened, is read as a whole
//! when the post stands and after every gap.
//!
//! **What should not have come is noted, but not all of it**: a flood of made-up callbacks cannot fill the disk. The numbers count each.

use super::storm_post::GO;
use super::{Bot, Moment, Step};
use crate::core::callback::{Meaning, Refusal, Reply, Subject};
use crate::core::effect::Effect;
use crate::core::fact::Fact;
use crate::core::id::{ChannelId, DeliveryId, PostId, RequestId, UserId};
use crate::core::input::{Forgery, HeardReaction, Identity, Press, Submission};
use crate::core::memory::Contradiction;
use crate::core::message::phrase::Phrase;
use jiff::{SignedDuration, Timestamp};

/// How many refused callbacks are noted at once, and how long it takes until one more may be.
const NOTED_AT_ONCE: u32 = 30;
const NOTED_EVERY: SignedDuration = SignedDuration::from_secs(30);

/// How many refused callbacks may still be noted. Lost without harm.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// How many have been noted of those that may be at once, as of `since`.
    noted: u32,
    since: Option<Timestamp>,
    unnoted: u64,
}

impl Refusals {
    /// Whether one more may be noted, and how many were left out before it.
    fn take(&mut self, now: Timestamp) -> Option<u64> {
        let since = *self.since.get_or_insert(now);
        let refilled = now.duration_since(since).as_secs() / NOTED_EVERY.as_secs();
        if refilled > 0 {
            self.noted = self.noted.saturating_sub(u32::try_from(refilled).unwrap_or(u32::MAX));
            self.since = Some(now);
        }
        if self.noted >= NOTED_AT_ONCE {
            self.unnoted += 1;
            return None;
        }
        self.noted += 1;
        Some(std::mem::take(&mut self.unnoted))
    }
}

/// Who pressed on what, and where the answer goes: a press that has passed what holds for all of them.
#[derive(Debug)]
pub(super) struct Presser {
    pub(super) request: RequestId,
    pub(super) identity: Identity,
    /// The delivery that made the card.
    pub(super) card: DeliveryId,
    pub(super) meaning: Meaning,
}

impl Bot {
    /// Somebody pressed a button.
    pub(super) fn pressed(&mut self, step: &mut Step, moment: &mut Moment, press: &Press) -> Result<(), Contradiction> {
        let Some(presser) = self.admit_press(step, moment, press)? else { return Ok(()) };
        match presser.meaning.subject.clone() {
            Subject::Approval { execution } => self.decide_by_press(step, moment, &presser, &press.trigger, &execution),
            Subject::Lack { post } => {
                self.lack_pressed(step, moment, &presser, &post, &press.trigger);
                Ok(())
            }
            Subject::Storm { storm } if presser.meaning.action == GO => {
                self.storm_pressed(step, moment, &presser, &storm)
            }
            Subject::Storm { storm } => self.storm_order_pressed(step, moment, &presser, (&storm, &press.trigger)),
            Subject::Offer { code } => self.offer_pressed(step, moment, &presser, &code),
            Subject::Alert => self.alert_pressed(step, moment, &presser, &press.trigger),
            Subject::Inquiry { .. } => self.inquiry_pressed(step, moment, &presser, &press.trigger),
        }
    }

    fn admit_press(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        press: &Press,
    ) -> Result<Option<Presser>, Contradiction> {
        let Press { request, user, identity, post, meaning, .. } = press;
        let claim = Claim { request: *request, user, post: Some(post), meaning };
        let Some(identity) = person(identity.as_ref()) else {
            return self.refuse_press(step, moment, &claim, Refusal::NotIdentified);
        };
        let found = self.memory.card_at(post).filter(|(_, buttons)| buttons.meanings.contains(meaning));
        let Some((card, buttons)) = found else {
            if self.is_being_written(meaning) {
                let text = self.sentences.phrase(&Phrase::PressRefused { why: "early" });
                step.effects.push(Effect::Reply { request: *request, reply: Reply::text(text) });
                return Ok(None);
            }
            return self.refuse_press(step, moment, &claim, Refusal::ForeignPost);
        };
        let (card, used) = (card.clone(), buttons.used.contains(&(user.clone(), meaning.revision)));
        if let Some(why) = untimely(meaning, moment.at, used) {
            return self.refuse_press(step, moment, &claim, why);
        }
        let meaning = meaning.clone();
        Ok(Some(Presser { request: *request, identity, card, meaning }))
    }

    /// Somebody submitted a dialog.
    pub(super) fn submitted(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        submission: &Submission,
    ) -> Result<(), Contradiction> {
        let Some(presser) = self.admit_submission(step, moment, submission)? else { return Ok(()) };
        match presser.meaning.subject.clone() {
            Subject::Approval { execution } => {
                self.decide_by_dialog(step, moment, &presser, &execution, &submission.values)
            }
            Subject::Lack { post } => self.lack_submitted(step, moment, &presser, &post, &submission.values),
            Subject::Storm { storm } if presser.meaning.action != GO => {
                self.storm_order_submitted(step, moment, &presser, (&storm, &submission.values))
            }
            // These are begun by the press; no dialog of ours asks about them.
            Subject::Offer { .. } | Subject::Storm { .. } => {
                step.effects.push(Effect::Reply { request: presser.request, reply: Reply::default() });
                Ok(())
            }
            Subject::Alert => self.alert_submitted(step, moment, &presser, &submission.values),
            Subject::Inquiry { .. } => self.inquiry_submitted(step, moment, &presser, &submission.values),
        }
    }

    fn admit_submission(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        submission: &Submission,
    ) -> Result<Option<Presser>, Contradiction> {
        let Submission { request, user, identity, card, meaning, .. } = submission;
        let claim = Claim { request: *request, user, post: None, meaning };
        let Some(identity) = person(identity.as_ref()) else {
            return self.refuse_press(step, moment, &claim, Refusal::NotIdentified);
        };
        let Some(buttons) = self.memory.buttons.get(card) else {
            return self.refuse_press(step, moment, &claim, Refusal::ForeignPost);
        };
        let used = buttons.used.contains(&(user.clone(), meaning.revision));
        if let Some(why) = untimely(meaning, moment.at, used) {
            return self.refuse_press(step, moment, &claim, why);
        }
        let (card, meaning) = (card.clone(), meaning.clone());
        Ok(Some(Presser { request: *request, identity, card, meaning }))
    }

    /// A callback was refused at the door.
    pub(super) fn forged(&mut self, step: &mut Step, moment: &Moment, forgery: Forgery) -> Result<(), Contradiction> {
        let Forgery { why, user, post, from } = forgery;
        self.note_refusal(step, moment, Refused { why, user, post, from, action: String::new() })
    }

    /// Somebody put an emoji on a post, or took it away.
    pub(super) fn reacted(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        reaction: &HeardReaction,
    ) -> Result<(), Contradiction> {
        let awaited = self.awaited_posts();
        let Some((channel, post)) = awaited.into_iter().find(|(_, post)| *post == reaction.post) else { return Ok(()) };
        if reaction.identity.is_none() {
            // Who that is can be looked up in peace.
            self.read_reactions(step, channel, post);
            return Ok(());
        }
        self.take_reaction(step, moment, reaction)
    }

    /// All emojis on a post have been read.
    pub(super) fn reactions_read(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        post: &PostId,
        reactions: &[HeardReaction],
    ) -> Result<(), Contradiction> {
        if !self.awaited_posts().iter().any(|(_, awaited)| awaited == post) {
            return Ok(());
        }
        for reaction in reactions {
            self.take_reaction(step, moment, reaction)?;
        }
        self.without_emoji(step, moment, post, reactions)
    }

    /// Whoever the emoji is for decides what it means.
    fn take_reaction(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        reaction: &HeardReaction,
    ) -> Result<(), Contradiction> {
        self.decide_by_reaction(step, moment, reaction)?;
        self.inquiry_reaction(step, moment, reaction)
    }

    /// The posts on which an emoji would mean something now.
    fn awaited_posts(&self) -> Vec<(ChannelId, PostId)> {
        self.inquiry_posts().into_iter().chain(self.cards_to_decide()).collect()
    }

    /// A post of ours stands: what people have put on it before that was known has to be read.
    pub(super) fn card_stands(&self, step: &mut Step, post: &PostId) {
        self.inquiry_stands(step, post);
        if let Some((channel, post)) = self.awaited_posts().into_iter().find(|(_, awaited)| awaited == post) {
            self.read_reactions(step, channel, post);
        }
    }

    /// What was put on posts while nobody listened has to be read.
    pub(super) fn read_all_reactions(&self, step: &mut Step) {
        for (channel, post) in self.awaited_posts() {
            self.read_reactions(step, channel, post);
        }
    }

    fn read_reactions(&self, step: &mut Step, channel: ChannelId, post: PostId) {
        step.effects.push(Effect::ReadReactions { channel, post, channels: self.role_channels() });
    }

    /// Notes that a press has had its effect: this user presses nothing more on this revision.
    pub(super) fn press_taken(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        presser: &Presser,
    ) -> Result<(), Contradiction> {
        let (card, user) = (presser.card.clone(), presser.identity.id.clone());
        self.note(step, moment, Fact::PressTaken { card, user, revision: presser.meaning.revision })
    }

    /// Whether a card with this meaning is promised and not known to stand: its post may be there already.
    fn is_being_written(&self, meaning: &Meaning) -> bool {
        let cards = self.memory.buttons.iter().filter(|(_, buttons)| buttons.meanings.contains(meaning));
        cards.into_iter().any(|(card, _)| !self.memory.posts.contains_key(card))
    }

    fn refuse_press(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        claim: &Claim<'_>,
        why: Refusal,
    ) -> Result<Option<Presser>, Contradiction> {
        let text = self.sentences.phrase(&Phrase::PressRefused { why: why.word() });
        let reply = Reply { refused: Some(why), ..Reply::text(text) };
        step.effects.push(Effect::Reply { request: claim.request, reply });
        let refused = Refused {
            why,
            user: Some(claim.user.clone()),
            post: claim.post.cloned(),
            from: String::new(),
            action: claim.meaning.action.clone(),
        };
        self.note_refusal(step, moment, refused)?;
        Ok(None)
    }

    fn note_refusal(&mut self, step: &mut Step, moment: &Moment, refused: Refused) -> Result<(), Contradiction> {
        let Some(unnoted) = self.refusals.take(moment.at) else { return Ok(()) };
        let Refused { why, user, post, from, action } = refused;
        self.note(step, moment, Fact::CallbackRefused { why, user, post, from, action, unnoted })
    }
}

/// A press, as far as it says so itself.
struct Claim<'a> {
    request: RequestId,
    user: &'a UserId,
    post: Option<&'a PostId>,
    meaning: &'a Meaning,
}

/// What is noted of a callback that was refused.
struct Refused {
    why: Refusal,
    user: Option<UserId>,
    post: Option<PostId>,
    from: String,
    action: String,
}

/// Who it is, where that is somebody who can press: an account in use, and of no program.
fn person(identity: Option<&Identity>) -> Option<Identity> {
    identity.filter(|identity| identity.active && !identity.is_bot).cloned()
}

fn untimely(meaning: &Meaning, now: Timestamp, used: bool) -> Option<Refusal> {
    if now > meaning.until {
        return Some(Refusal::Late);
    }
    used.then_some(Refusal::Replayed)
}
