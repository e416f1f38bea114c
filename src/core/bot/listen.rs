//! How far the bot has listened, and who else speaks with its account.
//!
//! - **The cursor moves only behind what was decided about**: posts come in the order in which they were written, what was missed before what
//!   is heard now, so everything before the newest one has been considered. It is noted sparingly; what is read twice for that is known by its id.
//! - **A post dated in the future moves nothing**: no cursor goes beyond the server's clock at the moment of hearing.

use super::{Bot, Moment, Step};
use crate::core::effect::{Body, Delivery};
use crate::core::fact::{Dated, Fact};
use crate::core::id::{ChannelId, DeliveryId};
use crate::core::input::{HeardPost, Unread};
use crate::core::memory::Contradiction;
use crate::core::message::card::{Card, UnreadPart};
use crate::core::message::zone;
use jiff::{SignedDuration, Timestamp};

/// The cursor is noted when it has moved so far, or with other facts when it has moved a little.
const FAR: SignedDuration = SignedDuration::from_mins(1);
const A_LITTLE: SignedDuration = SignedDuration::from_secs(10);
/// How soon the admins are told again of the same other instance.
const TOLD: SignedDuration = SignedDuration::from_hours(6);
/// How long after its last post another instance counts as running.
pub(super) const FRESH: SignedDuration = SignedDuration::from_mins(10);
/// Names of instances are made here and never longer.
const LONGEST_NAME: usize = 32;

impl Bot {
    /// Gives the store its name, if it has none. The fact is to be made durable before anything is said under that name.
    ///
    /// # Errors
    /// The memory does not take it, which is a bug of ours.
    pub fn introduce(&mut self, at: Timestamp, entropy: u64) -> Result<Option<Dated>, Contradiction> {
        if self.memory.instance.is_some() {
            return Ok(None);
        }
        let (mut moment, mut step) = (Moment { at, entropy }, Step::default());
        let name = format!("{:016x}", moment.bits());
        self.note(&mut step, &moment, Fact::InstanceNamed { name })?;
        Ok(step.facts.pop())
    }

    /// What was missed has been read.
    pub(super) fn caught_up(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        until: Timestamp,
        unread: &[Unread],
    ) -> Result<(), Contradiction> {
        self.heard = self.heard.max(Some(until));
        if self.memory.heard() < Some(until) {
            self.note(step, moment, Fact::Heard { until })?;
        }
        self.caught_up = true;
        self.announce(step, moment)?;
        if unread.is_empty() {
            return Ok(());
        }
        let part = |unread: &Unread| UnreadPart {
            channel: unread.channel.as_ref().map(|channel| self.channel_name(channel)).unwrap_or_default(),
            before: unread.before.map(|before| zone::moment(before, moment.at, &self.clock(""))).unwrap_or_default(),
        };
        let card = Card::Unread { parts: unread.iter().map(part).collect() };
        self.tell_admins(step, moment, "unread", &card)
    }

    /// Moves the cursor behind a post, in a memory that may be lost.
    pub(super) fn considered(&mut self, post: &HeardPost) {
        self.heard = self.heard.max(Some(post.created.min(post.heard)));
    }

    /// Notes the cursor when that is due.
    pub(super) fn note_cursor(&mut self, step: &mut Step, moment: &Moment) -> Result<(), Contradiction> {
        let (Some(noted), Some(until)) = (self.memory.heard(), self.heard) else { return Ok(()) };
        let moved = until.duration_since(noted);
        if moved >= FAR || (moved >= A_LITTLE && !step.facts.is_empty()) {
            self.note(step, moment, Fact::Heard { until })?;
        }
        Ok(())
    }

    /// A post that was just made with our account: was it us?
    pub(super) fn recognise(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        post: &HeardPost,
    ) -> Result<(), Contradiction> {
        let (Some(other), Some(own)) = (&post.instance, &self.memory.instance) else { return Ok(()) };
        let sound = other.len() <= LONGEST_NAME && other.bytes().all(|letter| letter.is_ascii_alphanumeric());
        if other == own || post.missed || post.marks.edited || !sound {
            return Ok(());
        }
        let (other, own) = (other.clone(), own.clone());
        self.other = Some((other.clone(), moment.at));
        if self.memory.others.get(&other).is_some_and(|told| moment.at.duration_since(*told) < TOLD) {
            return Ok(());
        }
        self.note(step, moment, Fact::OtherInstanceSeen { name: other.clone() })?;
        self.tell_admins(step, moment, "other", &Card::OtherInstance { other, own })
    }

    /// Says something in the admin channel, if there is one and it is known.
    pub(super) fn tell_admins(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        what: &str,
        card: &Card,
    ) -> Result<(), Contradiction> {
        let Some(channel) = self.admin_channel() else { return Ok(()) };
        let text = self.sentences.say(card);
        let id = DeliveryId::new(format!("{what}-{:016x}", moment.bits()));
        self.deliver(step, moment, Delivery { id, channel, body: Body::Post { root: None, text, files: Vec::new() } })
    }

    pub(super) fn channel_name(&self, channel: &ChannelId) -> String {
        let known = self.directory.channels.iter().find(|(_, id)| *id == channel);
        known.map_or_else(|| channel.to_string(), |(name, _)| name.clone())
    }
}
