//! Configuration and packs were read again: whoever asked for it is told what is in force, what needs a restart, and what is wrong.

use super::{Bot, Moment, Step};
use crate::core::access::Rights;
use crate::core::effect::{Answer, Effect};
use crate::core::fact::Fact;
use crate::core::input::{Back, Principal};
use crate::core::memory::Contradiction;
use crate::core::message::card::Card;
use crate::core::message::markdown;
use crate::core::vitals::Reload;

/// How many problems a message names; `halcyon check` shows them all.
const NAMED: usize = 10;

/// A key as it is written in the configuration; else some words.
fn shown(what: &str) -> String {
    if what.contains(' ') { markdown::escape(what) } else { markdown::code(what) }
}

impl Bot {
    /// Somebody wants it.
    pub(super) fn ask_reload(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        by: Principal,
        rights: &Rights,
        back: Back,
    ) -> Result<(), Contradiction> {
        if !rights.administers() {
            self.deny(step, moment, (&by, &back), "reload".to_owned(), None, "admin:*".to_owned())?;
            let card = Card::NotAdmin { command: "reload".to_owned(), who: self.administrators() };
            return self.say(step, moment, &back, &card);
        }
        step.effects.push(Effect::Reload { by, back });
        Ok(())
    }

    /// Tells the one who asked, and the admin channel unless it was asked there.
    pub(super) fn reloaded(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        by: Option<Principal>,
        back: Option<Back>,
        reload: Reload,
    ) -> Result<(), Contradiction> {
        let Reload { in_force, changed, problems, .. } = &reload;
        let (in_force, changed, problems) = (*in_force, changed.clone(), problems.len());
        self.note(step, moment, Fact::Reloaded { by, from: back.clone(), in_force, changed, problems })?;
        if reload.in_force {
            self.told = super::packs::Told::of(&self.problems);
        }
        let admin = self.admin_channel();
        let there = matches!(&back, Some(Back::Chat { channel, .. }) if Some(channel) == admin.as_ref());
        let card = Card::Reloaded {
            in_force: reload.in_force,
            changed: reload.changed.iter().map(|what| shown(what)).collect(),
            restart: reload.restart.clone(),
            more: reload.problems.len().saturating_sub(NAMED),
            problems: reload.problems.iter().take(NAMED).cloned().collect(),
        };
        match back {
            Some(Back::Request { request }) => {
                let text = markdown::bare(&self.sentences.say(&card));
                let Reload { in_force, changed, restart, problems } = reload;
                let answer = Answer::Reloaded { in_force, changed, restart, problems, text };
                step.effects.push(Effect::Answer { request, answer: Box::new(answer) });
            }
            Some(back @ Back::Chat { .. }) => self.say(step, moment, &back, &card)?,
            Some(Back::Told { .. }) | None => {}
        }
        if there { Ok(()) } else { self.tell_admins(step, moment, card.template(), &card) }
    }
}
