//! What people have a monitoring do about a problem: buttons below its post, the dialogs that they open, and what is shown of it.
//!
//! Whatever way it comes, it is an execution of an action of the pack `monitoring`. That it was asked for stands in the post until it ends; what came of it stands there as what
//! the monitoring then shows, or as why it was not done.
//!
//! - **One post is seen by many, so rights are asked when somebody presses**, and again when the dialog is submitted.
//! - **There are no buttons where nothing can be asked for**: after the end, where no monitoring is configured, and for what is under way already.

use super::press::Presser;
use super::start::Wish;
use super::storm_act::STORM;
use super::{Bot, Moment, Step};
use crate::core::access::{Asker, Rights};
use crate::core::action::execution::{Execution, LOCALHOST, Status};
use crate::core::action::run::Captured;
use crate::core::alert::life::{Alert, OrderEnd, Posted};
use crate::core::alert::notification::Problem;
use crate::core::alert::offer::Origin;
use crate::core::alert::order::{Order, Target, Wanted};
use crate::core::callback::{Button, ButtonStyle, Dialog, DialogField, FieldKind, Meaning, Reply, Subject};
use crate::core::chat::pace::Passage;
use crate::core::effect::{Effect, Thread};
use crate::core::fact::Fact;
use crate::core::id::{ActionRef, AliasRef, ChannelId, DeliveryId, ExecutionId, Host};
use crate::core::input::{Back, Principal};
use crate::core::memory::Contradiction;
use crate::core::message::card::Card;
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use crate::core::settings::Verb;
use crate::core::template::value::written;
use jiff::SignedDuration;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The pack of the actions.
const PACK: &str = "monitoring";
/// So long after a problem began its buttons can be pressed.
const STANDS: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What a downtime may last, to choose from, and the one that stands there first.
const LENGTHS: [&str; 4] = ["30m", "2h", "8h", "1d"];
const USUAL: &str = "2h";

impl Bot {
    /// An order has begun: the posts of the problems that it is about show it.
    pub(super) fn order_begun(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        execution: &ExecutionId,
        order: &Order,
        wanted_by: &str,
    ) -> Result<(), Contradiction> {
        if order.wanted == Wanted::Read {
            return Ok(());
        }
        let targets: BTreeSet<(&str, &Target)> = order
            .parts
            .iter()
            .flat_map(|part| part.about.iter().map(|target| (part.monitoring.as_str(), target)))
            .collect();
        let open = self.memory.alerts.alerts().filter(|alert| alert.recovered.is_none());
        let about = open.filter(|alert| {
            let target = Target { host: alert.problem.host.clone(), service: alert.problem.service.clone() };
            self.watches_over(&alert.problem).is_some_and(|one| targets.contains(&(one.name.as_str(), &target)))
        });
        let problems: Vec<Problem> = about.map(|alert| alert.problem.clone()).collect();
        if problems.is_empty() {
            return Ok(());
        }
        let origin = Origin::Order { order: order.wanted.word().to_owned(), wanted_by: wanted_by.to_owned() };
        let (id, shown) = (execution.clone(), problems.clone());
        self.note(step, moment, Fact::OrderGiven { execution: id, origin, problems })?;
        for (place, problem) in shown.iter().enumerate() {
            self.show_alert(step, moment, problem, DeliveryId::new(format!("{execution}-alert-asked-{place}")))?;
        }
        Ok(())
    }

    /// An order has ended: the posts show what came of it.
    pub(super) fn order_ended(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        execution: &Execution,
    ) -> Result<(), Contradiction> {
        let id = &execution.request.id;
        let of_it = |alert: &&Alert| alert.remedies.iter().any(|remedy| remedy.execution == *id);
        let problems: Vec<Problem> =
            self.memory.alerts.alerts().filter(of_it).map(|alert| alert.problem.clone()).collect();
        if problems.is_empty() {
            return Ok(());
        }
        let result = execution.outcomes.get(&Host::new(LOCALHOST)).map(|outcome| match &outcome.stdout {
            Captured::Inline { text } => serde_json::from_str::<Value>(text).unwrap_or_default(),
            Captured::Blob { .. } => Value::Null,
        });
        let result = result.unwrap_or_default();
        let entries = result.get("problems").and_then(Value::as_array).cloned().unwrap_or_default();
        let all_named = result.get("left_out").and_then(Value::as_u64) == Some(0);
        let end = |problem: Problem| {
            let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
            // Named where the order went to several.
            let watched = self.watches_over(&problem).map(|one| one.name.clone());
            let same = |entry: &&Value| {
                let its = text(entry, "monitoring").is_none_or(|name| Some(name) == watched);
                its && text(entry, "host").as_ref() == Some(&problem.host) && text(entry, "service") == problem.service
            };
            let entry = entries.iter().find(same);
            let status = match entry.and_then(|entry| text(entry, "end")).as_deref() {
                Some("confirmed" | "already") => Status::Succeeded,
                Some("not_confirmed") => Status::Timeout,
                Some(_) => Status::Failed,
                // Of many only what was not done is named.
                None if all_named => Status::Succeeded,
                None => execution.status,
            };
            OrderEnd { status, why: entry.and_then(|entry| text(entry, "why")).unwrap_or_default(), problem }
        };
        let ends: Vec<OrderEnd> = problems.iter().cloned().map(end).collect();
        self.note(step, moment, Fact::OrderEnded { execution: id.clone(), ends })?;
        for (place, problem) in problems.iter().enumerate() {
            self.show_alert(step, moment, problem, DeliveryId::new(format!("{id}-alert-done-{place}")))?;
        }
        Ok(())
    }

    /// What can be asked for about a problem now, as buttons.
    pub(super) fn acting_buttons(&self, alert: &Alert) -> Vec<Button> {
        let Some(watched) = self.watches_over(&alert.problem) else { return Vec::new() };
        if alert.recovered.is_some() || alert.post.is_none() || !self.settings.buttons {
            return Vec::new();
        }
        let taken = alert.acknowledged.is_some();
        let orders = [
            ("acknowledge", !taken, ButtonStyle::Primary),
            ("remove_acknowledgement", taken, ButtonStyle::Plain),
            ("downtime", true, ButtonStyle::Plain),
            ("recheck", watched.checks, ButtonStyle::Plain),
        ];
        let idle = |order: &str| {
            !alert.remedies.iter().any(|remedy| {
                remedy.ended.is_none() && matches!(&remedy.origin, Origin::Order { order: known, .. } if known == order)
            })
        };
        let orders = orders.into_iter().filter(|(order, fits, _)| *fits && idle(order) && self.is_there(order));
        let until = alert.since.saturating_add(STANDS).unwrap_or(alert.since);
        orders
            .map(|(order, _, style)| Button {
                id: order.replace('_', ""),
                label: self.order_form("button", order),
                style,
                meaning: Meaning {
                    subject: Subject::Alert,
                    action: order.to_owned(),
                    value: None,
                    revision: alert.choices,
                    until,
                },
            })
            .collect()
    }

    /// Whether there is an action for an order.
    pub(super) fn is_there(&self, order: &str) -> bool {
        self.catalog.actions.get(&action(order)).is_some_and(|action| action.enabled)
    }

    pub(super) fn order_form(&self, what: &str, order: &str) -> String {
        self.sentences.phrase(&Phrase::OrderForm { what, order })
    }

    /// The problem that a card tells, and its channel.
    fn alert_at(&self, card: &DeliveryId) -> Option<(Alert, ChannelId)> {
        let is_here = |alert: &&Alert| alert.post.as_ref().is_some_and(|post| post.delivery == *card);
        let alert = self.memory.alerts.alerts().find(is_here)?;
        let Posted { channel, .. } = alert.post.clone()?;
        Some((alert.clone(), channel))
    }

    /// Whether somebody may have this asked for now, and with what rights; otherwise what they are told. A button is refused where its post has been drawn anew since; a form that was
    /// filled in meanwhile only where what it asks for cannot be asked for any more.
    fn may_act(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        presser: &Presser,
        filled: bool,
    ) -> Result<Result<(Alert, ChannelId, Rights), String>, Contradiction> {
        let order = presser.meaning.action.clone();
        let told = |bot: &Self, what| Ok(Err(bot.order_form(what, &order)));
        let Some((alert, channel)) = self.alert_at(&presser.card).filter(|(alert, _)| alert.recovered.is_none()) else {
            return told(self, "over");
        };
        let rights = match self.may_order(step, moment, presser, &channel)? {
            Ok(rights) => rights,
            Err(text) => return Ok(Err(text)),
        };
        let stands = if filled {
            self.acting_buttons(&alert).iter().any(|button| button.meaning.action == order)
        } else {
            presser.meaning.revision == alert.choices
        };
        if !stands {
            return told(self, "old");
        }
        Ok(Ok((alert, channel, rights)))
    }

    /// Whether somebody may have such a thing asked for from a post in this channel, and with what rights; otherwise what they are told.
    pub(super) fn may_order(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        presser: &Presser,
        channel: &ChannelId,
    ) -> Result<Result<Rights, String>, Contradiction> {
        let order = presser.meaning.action.clone();
        if self.stopping {
            return Ok(Err(self.sentences.say(&Card::Stopping)));
        }
        let identity = &presser.identity;
        let passage = self.pace.take(&identity.id, channel, moment.at, &self.settings.limits);
        if !matches!(passage, Passage::Open) {
            let most = self.settings.limits.lines_per_user;
            return Ok(Err(self.sentences.say(&Card::TooFast { most, channel: false, late: false })));
        }
        let rights = self.rights(Asker::Chat(identity), &self.place(channel, false, moment.at));
        if !rights.may(Verb::Run, &action(&order)) {
            let by = Principal::ChatUser { id: identity.id.clone(), name: identity.username.clone() };
            let back = Back::Told { channel: Some(channel.clone()), root: None };
            let needed = format!("run:{}", action(&order));
            self.deny(step, moment, (&by, &back), order.clone(), Some(&action(&order)), needed)?;
            return Ok(Err(self.order_form("no_right", &order)));
        }
        Ok(Ok(rights))
    }

    /// Somebody pressed a button below the post of a problem.
    pub(super) fn alert_pressed(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        presser: &Presser,
        trigger: &str,
    ) -> Result<(), Contradiction> {
        let (alert, channel, rights) = match self.may_act(step, moment, presser, false)? {
            Ok(may) => may,
            Err(text) => {
                step.effects.push(Effect::Reply { request: presser.request, reply: Reply::text(text) });
                return Ok(());
            }
        };
        let order = presser.meaning.action.as_str();
        if self.fields(order).is_empty() {
            let given = self.about(&alert);
            let begun = self.begin_order(step, moment, presser, (&channel, rights), given)?;
            let text = begun.err().unwrap_or_else(|| self.order_form("begun", order));
            step.effects.push(Effect::Reply { request: presser.request, reply: Reply::text(text) });
            return Ok(());
        }
        let Problem { host, service, .. } = &alert.problem;
        let about = service.as_ref().map_or(host.clone(), |service| format!("{host} · {service}"));
        self.ask_about_order(step, presser, trigger, about);
        Ok(())
    }

    /// What an order about one problem is given.
    fn about(&self, alert: &Alert) -> BTreeMap<String, Value> {
        let Problem { host, service, .. } = &alert.problem;
        let mut given = BTreeMap::from([
            ("host".to_owned(), Value::from(host.as_str())),
            ("service".to_owned(), Value::from(service.as_deref().unwrap_or_default())),
        ]);
        if let Some(watched) = self.watches_over(&alert.problem) {
            given.insert("monitoring".to_owned(), Value::from(watched.name.as_str()));
        }
        given
    }

    /// Asks by a form what an order leaves open.
    pub(super) fn ask_about_order(&self, step: &mut Step, presser: &Presser, trigger: &str, about: String) {
        let order = presser.meaning.action.as_str();
        let dialog = Dialog {
            title: self.order_form("heading", order),
            introduction: markdown::escape(&about),
            submit: self.order_form("submit", order),
            fields: self.fields(order),
            meaning: presser.meaning.clone(),
            user: presser.identity.id.clone(),
            card: presser.card.clone(),
        };
        step.effects.push(Effect::OpenDialog {
            request: presser.request,
            trigger: trigger.to_owned(),
            dialog: Box::new(dialog),
            otherwise: self.order_form("closed", order),
        });
    }

    /// What is asked before an order is given; nothing where it says all by itself.
    fn fields(&self, order: &str) -> Vec<DialogField> {
        let field = |name: &str, kind: FieldKind, default: &str| DialogField {
            name: name.to_owned(),
            label: self.order_form(&format!("label_{name}"), order),
            help: self.order_form(&format!("help_{name}"), order),
            default: default.to_owned(),
            optional: true,
            kind,
        };
        match order {
            "acknowledge" => vec![
                field("comment", FieldKind::Line, ""),
                field("sticky", FieldKind::Switch, "true"),
                field("expires", FieldKind::Line, ""),
            ],
            "downtime" => {
                let shown = |length: &&str| (self.order_form(&format!("length_{length}"), order), (*length).to_owned());
                let lengths = FieldKind::Choice(LENGTHS.iter().map(shown).collect());
                vec![
                    field("length", lengths, USUAL),
                    field("duration", FieldKind::Line, ""),
                    field("comment", FieldKind::Line, ""),
                ]
            }
            _ => Vec::new(),
        }
    }

    /// Somebody submitted the dialog of such a button.
    pub(super) fn alert_submitted(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        presser: &Presser,
        values: &BTreeMap<String, Value>,
    ) -> Result<(), Contradiction> {
        let reply = match self.may_act(step, moment, presser, true)? {
            Err(text) => Reply { stays: true, ..Reply::text(text) },
            Ok((alert, channel, rights)) => {
                let mut given = given(&presser.meaning.action, values);
                given.extend(self.about(&alert));
                match self.begin_order(step, moment, presser, (&channel, rights), given)? {
                    Ok(()) => Reply::default(),
                    Err(text) => Reply { stays: true, ..Reply::text(text) },
                }
            }
        };
        step.effects.push(Effect::Reply { request: presser.request, reply });
        Ok(())
    }

    /// Begins an order about what it is given; or what is told of why not.
    pub(super) fn begin_order(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        presser: &Presser,
        (channel, rights): (&ChannelId, Rights),
        given: BTreeMap<String, Value>,
    ) -> Result<Result<(), String>, Contradiction> {
        let order = presser.meaning.action.as_str();
        let Some(known) = self.catalog.actions.get(&action(order)).cloned() else {
            return Ok(Err(self.order_form("gone", order)));
        };
        let (identity, card) = (&presser.identity, presser.card.clone());
        let by = Principal::ChatUser { id: identity.id.clone(), name: identity.username.clone() };
        let root = Thread::Delivery { of: card };
        let back = Back::Told { channel: Some(channel.clone()), root: Some(root) };
        if !self.may_with_given(&rights, moment.at, &known, &given, &by) {
            let needed = format!("run:{}", known.reference);
            self.deny(step, moment, (&by, &back), order.to_owned(), Some(&known.reference), needed)?;
            return Ok(Err(self.order_form("no_right", order)));
        }
        // The alias of the pack says how such an execution is told: without a word where all goes well.
        let reference = AliasRef::new(format!("{PACK}.{order}"));
        let alias = self.catalog.aliases.iter().find(|alias| alias.reference == reference).cloned();
        let mut worded = given.clone();
        if worded.remove("problems").is_some() {
            worded.insert("host".to_owned(), Value::from(STORM));
        }
        let line = alias.as_ref().and_then(|alias| self.catalog.matcher.line_for(alias, &worded));
        let wish = Wish {
            action: Arc::clone(&known),
            given,
            by,
            back,
            line: line.unwrap_or_default(),
            correctable: false,
            alias,
            trusted: Vec::new(),
            rights,
            rerun_of: None,
            trace_tag: None,
            zone: identity.zone.clone(),
            takes_up: None,
            parent: None,
            hidden: BTreeSet::new(),
            settles: None,
            again: None,
        };
        match self.start(step, moment, wish)? {
            Ok(_) => {
                self.press_taken(step, moment, presser)?;
                Ok(Ok(()))
            }
            Err(declined) => Ok(Err(markdown::bare(&self.sentences.say(&declined.card)))),
        }
    }
}

/// The action of an order.
fn action(order: &str) -> ActionRef {
    ActionRef::new(format!("{PACK}.{order}"))
}

/// What was put into a dialog, as the action takes it.
pub(super) fn given(order: &str, values: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let text = |name: &str| {
        let text = values.get(name).filter(|value| !value.is_null()).map(written)?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let mut given = BTreeMap::new();
    let mut put = |name: &str, value: Option<String>| {
        given.extend(value.map(|value| (name.to_owned(), Value::from(value))));
    };
    put("comment", text("comment"));
    match order {
        "acknowledge" => {
            put("expires", text("expires"));
            if values.get("sticky").is_some_and(|sticky| written(sticky).eq_ignore_ascii_case("false")) {
                given.insert("sticky".to_owned(), Value::Bool(false));
            }
        }
        "downtime" => put("duration", text("duration").or_else(|| text("length")).or_else(|| Some(USUAL.to_owned()))),
        _ => {}
    }
    given
}

/// Whether the end of an execution is told by the problem's post and thread alone: an order that a button gave, and that is done. One about many says for how many it is.
pub(super) fn is_seen_at_the_problem(execution: &Execution) -> bool {
    let many =
        execution.request.parameters.get("problems").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let order = execution.request.parameters.get("order").and_then(Value::as_str).unwrap_or_default();
    let shown = matches!(order, "acknowledge" | "remove_acknowledgement" | "downtime" | "remove_downtime");
    let asked_there = matches!(execution.request.back, Back::Told { root: Some(_), .. });
    shown && !many && asked_there && execution.request.runner == PACK && execution.status == Status::Succeeded
}
