//! A line came that is one too many: it is answered or marked, and not taken.

use super::hear::HEARD;
use super::{Bot, Moment, Step, react, unreact};
use crate::core::chat::pace::{Bound, Passage};
use crate::core::effect::{Body, Delivery};
use crate::core::input::{Back, HeardPost};
use crate::core::memory::{Contradiction, answer_to};
use crate::core::message::card::Card;

/// With so many deliveries waiting, the marks on lines that are not taken are promised no more.
const MOST_PROMISED: usize = 200;

impl Bot {
    /// A line beyond what may be within a minute: the first is answered, the others are marked.
    pub(super) fn too_fast(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        post: &HeardPost,
        passage: Passage,
        late: bool,
    ) -> Result<(), Contradiction> {
        unreact(step, &post.channel, &post.id, HEARD);
        let Passage::Closing(bound) = passage else {
            // It is all the answer that this line gets, so it is promised like one; in a flood of them it is only tried.
            if self.memory.unsent.len() >= MOST_PROMISED {
                react(step, &post.channel, &post.id, "no_entry_sign");
                return Ok(());
            }
            let body = Body::Mark { post: post.id.clone(), emoji: "no_entry_sign".to_owned() };
            let id = answer_to(&post.id, "closed");
            return self.deliver(step, moment, Delivery { id, channel: post.channel.clone(), body });
        };
        react(step, &post.channel, &post.id, "no_entry_sign");
        let limits = &self.settings.limits;
        let (most, channel) = match bound {
            Bound::User => (limits.lines_per_user, false),
            Bound::Channel => (limits.lines_per_channel, true),
        };
        let back = Back::Chat { channel: post.channel.clone(), root: post.root.clone(), post: post.id.clone() };
        self.say(step, moment, &back, &Card::TooFast { most, channel, late })
    }
}
