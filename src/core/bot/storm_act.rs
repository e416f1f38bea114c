//! What people have the monitoring do about a storm as a whole: buttons below its post, the same forms as below the post of a problem, and `storm` in the place of a host in words.
//!
//! It is one execution about many problems, whatever way it comes: one answer tells what came of it, and no problem has a line of its own.
//!
//! - **Only what there is to do is asked for**: what somebody has taken on already is not taken on again.
//! - **It lets no rule act**: to take a storm on is not to say that rules may do what they would have done.

use super::press::Presser;
use super::{Bot, Moment, Step};
use crate::core::action::flaw::Flaw;
use crate::core::action::monitoring::MOST;
use crate::core::alert::life::Alert;
use crate::core::alert::offer::Origin;
use crate::core::alert::storm::{Phase, Storm};
use crate::core::callback::{ButtonStyle, Reply};
use crate::core::effect::Effect;
use crate::core::id::{ChannelId, ExecutionId, Host, StormId};
use crate::core::memory::Contradiction;
use crate::core::message::card::{Card, StormOrder, StormTold};
use crate::core::message::phrase::Phrase;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What stands in the place of a host for all of the storm.
pub(super) const STORM: &str = "storm";
/// What can be asked for by buttons.
const ORDERS: [(&str, ButtonStyle); 2] = [("acknowledge", ButtonStyle::Plain), ("downtime", ButtonStyle::Plain)];

impl Bot {
    /// Whether a word in the place of a host means the storm: not where a machine or a problem has that name.
    pub(super) fn names_the_storm(&self, host: &str) -> bool {
        let is_host = |host: &str| {
            let known = self.memory.alerts.alerts().any(|alert| alert.problem.host.eq_ignore_ascii_case(host));
            known || self.inventory.hosts.contains(&Host::new(host))
        };
        host.eq_ignore_ascii_case(STORM) && !is_host(host)
    }

    /// The open problems of the storm for which there is something to do, as the actions of the pack `monitoring` take them; those of one monitoring, where one is named.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn problems_of_storm(&self, order: &str, monitoring: Option<&str>) -> Result<Value, Flaw> {
        let storm = self.memory.storms.now().filter(|storm| storm.phase != Phase::Over).ok_or(Flaw::NoStorm)?;
        if self.settings.monitorings.is_empty() {
            return Err(Flaw::NoMonitoring);
        }
        let left = self.left_of(storm).filter(|alert| is_left(order, alert));
        let left = left.filter(|alert| self.is_watched_by(monitoring, &alert.problem));
        let left: Vec<&Alert> = left.filter(|alert| self.watches_over(&alert.problem).is_some()).collect();
        match left.len() {
            0 => Err(Flaw::NoneOfStorm),
            count if count > MOST => Err(Flaw::TooManyProblems { most: MOST }),
            _ => Ok(left.into_iter().map(|alert| self.entry_of(alert)).collect()),
        }
    }

    fn entry_of(&self, alert: &Alert) -> Value {
        let mut entry = json!({"host": alert.problem.host});
        if let Some(service) = &alert.problem.service {
            entry["service"] = json!(service);
        }
        if let Some(watched) = self.watches_over(&alert.problem).filter(|_| self.settings.monitorings.len() > 1) {
            entry["monitoring"] = json!(watched.name);
        }
        entry
    }

    /// What is open of it, also what has a post of its own.
    fn left_of<'a>(&'a self, storm: &'a Storm) -> impl Iterator<Item = &'a Alert> {
        let open = storm.members().filter(|(_, member)| member.open);
        open.filter_map(|(problem, _)| self.memory.alerts.find(problem)).filter(|alert| alert.recovered.is_none())
    }

    /// What is being asked for about its problems.
    pub(super) fn orders_of(&self, storm: &Storm) -> Vec<StormOrder> {
        let mut orders: BTreeMap<ExecutionId, StormOrder> = BTreeMap::new();
        for remedy in self.left_of(storm).flat_map(|alert| &alert.remedies).filter(|remedy| remedy.ended.is_none()) {
            let Origin::Order { order, wanted_by } = &remedy.origin else { continue };
            let waits = self.memory.executions.get(&remedy.execution).is_some_and(|known| known.status.waits());
            let state = if waits { "waits" } else { "runs" };
            let known = orders.entry(remedy.execution.clone()).or_insert_with(|| StormOrder {
                order: order.clone(),
                by: wanted_by.clone(),
                id: remedy.execution.short().to_owned(),
                state,
                count: 0,
            });
            known.count += 1;
        }
        orders.into_values().collect()
    }

    /// What can be asked for about all of a storm, with what stands on the button.
    pub(super) fn storm_orders(&self, storm: &Storm) -> Vec<(&'static str, String, ButtonStyle)> {
        if storm.phase == Phase::Over || self.settings.monitorings.is_empty() || self.left_of(storm).next().is_none() {
            return Vec::new();
        }
        let under_way: BTreeSet<String> = self.orders_of(storm).into_iter().map(|known| known.order).collect();
        let there = ORDERS.iter().filter(|(order, _)| self.is_there(order) && !under_way.contains(*order));
        there.map(|(order, style)| (*order, self.order_form("button", order), *style)).collect()
    }

    /// Whether somebody may have this done about a storm now: the problems, and where its post is; otherwise what they are told.
    fn may_act_on_storm(&self, presser: &Presser, id: &StormId) -> Result<(Value, ChannelId), String> {
        let order = presser.meaning.action.as_str();
        let none = || self.sentences.say(&Card::StormTold(StormTold { what: "none", ..StormTold::default() }));
        let storm = self.memory.storms.now().filter(|storm| storm.id == *id && storm.phase != Phase::Over);
        let storm = storm.ok_or_else(none)?;
        if self.orders_of(storm).iter().any(|known| known.order == order) {
            return Err(self.order_form("under_way", order));
        }
        let problems = self.problems_of_storm(order, None).map_err(|_| self.order_form("none_left", order))?;
        Ok((problems, storm.posted.channel.clone()))
    }

    /// Somebody pressed a button that has the monitoring do something about all of a storm.
    pub(super) fn storm_order_pressed(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        presser: &Presser,
        (id, trigger): (&StormId, &str),
    ) -> Result<(), Contradiction> {
        let may = match self.may_act_on_storm(presser, id) {
            Ok((problems, channel)) => self.may_order(step, moment, presser, &channel)?.map(|_| problems),
            Err(text) => Err(text),
        };
        match may {
            Err(text) => step.effects.push(Effect::Reply { request: presser.request, reply: Reply::text(text) }),
            Ok(problems) => {
                let count = problems.as_array().map_or(0, Vec::len);
                let about = self.sentences.phrase(&Phrase::Storm { what: "about", count });
                self.ask_about_order(step, presser, trigger, about);
            }
        }
        Ok(())
    }

    /// Somebody submitted the form of such a button.
    pub(super) fn storm_order_submitted(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        presser: &Presser,
        (id, values): (&StormId, &BTreeMap<String, Value>),
    ) -> Result<(), Contradiction> {
        let begun = match self.may_act_on_storm(presser, id) {
            Err(text) => Err(text),
            Ok((problems, channel)) => match self.may_order(step, moment, presser, &channel)? {
                Err(text) => Err(text),
                Ok(rights) => {
                    let mut given = super::acting::given(&presser.meaning.action, values);
                    given.insert("problems".to_owned(), problems);
                    self.begin_order(step, moment, presser, (&channel, rights), given)?
                }
            },
        };
        let reply = match begun {
            Ok(()) => Reply::default(),
            Err(text) => Reply { stays: true, ..Reply::text(text) },
        };
        step.effects.push(Effect::Reply { request: presser.request, reply });
        Ok(())
    }
}

/// Whether there is something to do about a problem.
fn is_left(order: &str, alert: &Alert) -> bool {
    match order {
        "acknowledge" => alert.acknowledged.is_none(),
        "remove_acknowledgement" => alert.acknowledged.is_some(),
        "downtime" => alert.downtime.is_none(),
        "remove_downtime" => alert.downtime.is_some(),
        _ => true,
    }
}
