//! The bot holds back: somebody froze it, its store was set aside, or the disk of its store has little room.
//!
//! **What only looks is never frozen, and what runs is never touched**: a freeze and a full disk keep new work from starting, and nothing else.

use super::start::{Declined, Wish};
use super::{Bot, Moment, Step};
use crate::core::access::Rights;
use crate::core::action::execution::EffectClass;
use crate::core::action::spec::Action;
use crate::core::effect::{Answer, Body, Delivery, Effect};
use crate::core::fact::Fact;
use crate::core::id::DeliveryId;
use crate::core::input::{Back, Principal, Storage};
use crate::core::memory::Contradiction;
use crate::core::message::card::Card;
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use crate::core::message::span::size;
use crate::core::settings::Verb;

/// What keeps an action from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// Nothing does.
    No,
    /// Nothing may start that does more than look.
    Frozen,
    /// The disk has too little room.
    LittleRoom,
}

impl Bot {
    /// What keeps an action from starting now.
    pub(super) fn holds_back(&self, action: &Action) -> Held {
        match &self.memory.frozen {
            Some(_) if action.effect != EffectClass::ReadOnly => Held::Frozen,
            _ if self.storage.is_low() => Held::LittleRoom,
            _ => Held::No,
        }
    }

    /// Why a wish has to wait, if it has to.
    pub(super) fn held_back(&self, wish: &Wish) -> Option<Box<Declined>> {
        let action = wish.action.reference.to_string();
        let held = self.holds_back(&wish.action);
        let card = match &self.memory.frozen {
            Some(frozen) if held == Held::Frozen => {
                let by = frozen.by.as_ref().map(|by| super::answer::name_of(by).to_owned()).unwrap_or_default();
                Card::Frozen { action, why: frozen.why.clone(), by, who: self.administrators() }
            }
            _ if held == Held::LittleRoom => Card::LittleRoom {
                action,
                free: size(self.storage.free.unwrap_or_default()),
                reserve: size(self.storage.reserve),
            },
            _ => return None,
        };
        Some(Box::new(Declined { card, offered: Vec::new() }))
    }

    /// Names of the roles that may tell the bot itself what to do.
    pub(super) fn administrators(&self) -> Vec<String> {
        let all = |role: &&crate::core::settings::Role| {
            role.grants.iter().any(|grant| grant.verb == Verb::Admin && grant.on == "*")
        };
        self.settings.roles.iter().filter(all).map(|role| role.name.clone()).collect()
    }

    /// `freeze REASON`, or `unfreeze` when there is no reason.
    pub(super) fn change_freeze(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        by: Principal,
        rights: &Rights,
        reason: Option<String>,
        back: &Back,
    ) -> Result<(), Contradiction> {
        if !rights.administers() {
            let (from, line) =
                ((&by, back), reason.as_ref().map_or("unfreeze".to_owned(), |why| format!("freeze {why}")));
            self.deny(step, moment, from, line, None, "admin:*".to_owned())?;
            let command = if reason.is_some() { "freeze" } else { "unfreeze" }.to_owned();
            return self.say(step, moment, back, &Card::NotAdmin { command, who: self.administrators() });
        }
        let before = self.memory.frozen.is_some();
        match reason {
            // A second reason takes the place of the first.
            Some(why) => self.note(step, moment, Fact::Frozen { why, by: Some(by), from: Some(back.clone()) })?,
            None if before => self.note(step, moment, Fact::Unfrozen { by, from: Some(back.clone()) })?,
            None => {}
        }
        self.show_frozen(step, moment)?;
        let frozen = self.memory.frozen.as_ref();
        let why = frozen.map(|frozen| frozen.why.clone()).unwrap_or_default();
        let card = Card::FreezeChanged { frozen: frozen.is_some(), before, why };
        if let Back::Request { request } = back {
            let text = markdown::bare(&self.sentences.say(&card));
            step.effects.push(Effect::Answer { request: *request, answer: Box::new(Answer::Done { text }) });
            return Ok(());
        }
        self.say(step, moment, back, &card)
    }

    /// The memory is empty since the store was damaged.
    pub(super) fn set_aside(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        place: &str,
        why: Option<&str>,
    ) -> Result<(), Contradiction> {
        let why = self.sentences.phrase(&Phrase::SetAside { place, why: why.unwrap_or_default() });
        self.note(step, moment, Fact::Frozen { why, by: None, from: None })
    }

    /// Why nothing but looking is allowed; empty when everything is.
    pub(super) fn frozen_why(&self) -> String {
        self.memory.frozen.as_ref().map(|frozen| frozen.why.clone()).unwrap_or_default()
    }

    /// How it stands with the store has changed. That it refuses is said at once and without a promise, since it takes no promises.
    pub(super) fn stored(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        storage: Storage,
    ) -> Result<(), Contradiction> {
        let before = std::mem::replace(&mut self.storage, storage);
        let Some(channel) = self.admin_channel() else { return Ok(()) };
        let (card, promised) = match (&before.refused, &self.storage.refused) {
            (None, Some(why)) => (Card::StoreRefuses { why: why.clone() }, false),
            (Some(_), None) => (Card::StoreRecovered, true),
            _ => return Ok(()),
        };
        let id = DeliveryId::new(format!("{}-{:016x}", card.template(), moment.bits()));
        let body = Body::Post { root: None, text: self.sentences.say(&card), files: Vec::new() };
        let delivery = Delivery { id, channel, body };
        if promised {
            return self.deliver(step, moment, delivery);
        }
        step.effects.push(Effect::Deliver(delivery));
        Ok(())
    }
}
