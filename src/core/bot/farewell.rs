//! The bot is being stopped: whoever is concerned hears of it, and of what goes on without the bot.

use super::{Bot, Moment, Step};
use crate::core::action::execution::Execution;
use crate::core::effect::{Body, Delivery};
use crate::core::id::{ChannelId, DeliveryId};
use crate::core::input::Back;
use crate::core::memory::Contradiction;
use crate::core::message::card::{Card, StillRunning};
use crate::core::message::span::span;
use crate::core::message::verdict::{shown_hosts, shown_line};
use std::collections::BTreeMap;

/// How many executions one message names.
const NAMED: usize = 10;

impl Bot {
    /// The stop was asked for: nothing new is taken. Said once, however often it is asked.
    pub(super) fn stop(&mut self, step: &mut Step, moment: &mut Moment) -> Result<(), Contradiction> {
        if std::mem::replace(&mut self.stopping, true) {
            return Ok(());
        }
        let grace = span(self.settings.grace);
        self.tell_farewell(step, moment, true, |running, more| Card::GoingAway { running, more, grace: grace.clone() })
    }

    /// The grace is over: what still runs is left to itself.
    pub(super) fn leave(&mut self, step: &mut Step, moment: &mut Moment) -> Result<(), Contradiction> {
        self.tell_farewell(step, moment, false, |running, more| Card::LeftRunning { running, more })
    }

    /// Tells the admin channel of everything that runs, and each channel of what was asked for there. Where there is no connection nobody
    /// would read it before it is no longer true.
    fn tell_farewell(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        also_nothing: bool,
        card: impl Fn(Vec<StillRunning>, usize) -> Card,
    ) -> Result<(), Contradiction> {
        if self.me().is_none() {
            return Ok(());
        }
        let running: Vec<&Execution> =
            self.memory.under_way().filter(|execution| execution.request.is_carried_out()).collect();
        let mut told: BTreeMap<ChannelId, Vec<StillRunning>> = BTreeMap::new();
        for execution in &running {
            if let Back::Chat { channel, .. } = &execution.request.back {
                told.entry(channel.clone()).or_default().push(still_running(execution));
            }
        }
        if let Some(admin) = self.admin_channel()
            && (also_nothing || !running.is_empty())
        {
            told.insert(admin, running.iter().map(|execution| still_running(execution)).collect());
        }
        for (channel, mut running) in told {
            let more = running.len().saturating_sub(NAMED);
            running.truncate(NAMED);
            let card = card(running, more);
            let id = DeliveryId::new(format!("{}-{:016x}", card.template(), moment.bits()));
            let body = Body::Post { root: None, text: self.sentences.say(&card), files: Vec::new() };
            self.deliver(step, moment, Delivery { id, channel, body })?;
        }
        Ok(())
    }
}

fn still_running(execution: &Execution) -> StillRunning {
    let left: Vec<_> =
        execution.request.hosts.iter().filter(|host| !execution.outcomes.contains_key(host)).cloned().collect();
    StillRunning {
        id: execution.request.id.short().to_owned(),
        line: shown_line(execution),
        hosts: if left.is_empty() { String::new() } else { shown_hosts(&left) },
    }
}
