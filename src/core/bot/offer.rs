//! What is offered for a problem: gathered when the monitoring tells of it, shown at its post, and begun for whoever asks.
//!
//! Rules that offer are asked like those that act, of every problem that is told; only what could be done is offered. It is taken by a button or
//! by its code, and both end in [`Bot::take_offer`].
//!
//! - **Who takes an offer is the one who asks**: the execution is theirs, their rights decide, and policies ask for approvals as if they had
//!   written it. Since one post is seen by many, that is asked when somebody takes it.
//! - **It is taken for the problem as it is now**: what is over, or offered otherwise by now, is answered in words. What has to wait is asked again
//!   when it begins, as for rules.
//! - **Once**: while what was begun has not ended the same is not begun again for the problem, whoever asks. That a rule has rested, or has to, is
//!   no matter of a person's.

use super::hear::{Speaker, is_there};
use super::press::Presser;
use super::start::Wish;
use super::{Bot, Moment, Step};
use crate::core::access::{Asker, Rights};
use crate::core::action::execution::EffectClass;
use crate::core::action::spec::Action;
use crate::core::alert::life::{Alert, Posted};
use crate::core::alert::notification::Problem;
use crate::core::alert::offer::{MOST_PROBLEMS, Offer, Offerer, Offers, Origin, SHOWN, STANDS};
use crate::core::alias::spec::Alias;
use crate::core::callback::{Button, ButtonStyle, Meaning, Reply, Subject};
use crate::core::chat::code::Code;
use crate::core::chat::pace::Passage;
use crate::core::effect::{Body, Delivery, Effect};
use crate::core::fact::{Choice, Fact};
use crate::core::id::{
    ActionRef, AliasRef, ChannelId, DeliveryId, ExecutionId, RuleRef, TriggerInstanceId, TriggerRef,
};
use crate::core::input::{Back, Identity, Principal};
use crate::core::memory::Contradiction;
use crate::core::message::attachment::Attachment;
use crate::core::message::card::{AlertOffer, Card, OfferTold, RuleTold};
use crate::core::message::markdown;
use crate::core::rule::criterion::Scene;
use crate::core::rule::guard::Open;
use crate::core::rule::parameters::{self, Rendered};
use crate::core::rule::spec::{Rule, Verdict};
use crate::core::rule::trigger::{Source, TriggerInstance};
use crate::core::settings::Verb;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The word for what a button means.
const HEAL: &str = "heal";

/// What is offered for a problem that is being told.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// The event.
    pub(super) instance: Option<(TriggerInstanceId, Value)>,
    /// What is offered, codes left open.
    pub(super) list: Vec<Proposal>,
    /// Aliases that would offer themselves and cannot, and why.
    pub(super) lacking: Vec<(AliasRef, String)>,
}

/// An offer that has no code yet.
#[derive(Debug, Clone)]
pub(super) struct Proposal {
    offerer: Offerer,
    label: String,
    action: ActionRef,
    parameters: Map<String, Value>,
}

impl Proposal {
    /// What a rule offers; nothing where it acts by itself.
    pub(super) fn of_rule(rule: &Rule) -> Option<Self> {
        Some(Self {
            offerer: Offerer::Rule { rule: rule.reference.clone() },
            label: rule.offer.as_ref()?.label.clone(),
            action: rule.action.clone(),
            parameters: rule.parameters.clone(),
        })
    }

    /// What an alias offers, which is asked like this rule.
    pub(super) fn of_alias(alias: &AliasRef, rule: &Rule) -> Option<Self> {
        Some(Self { offerer: Offerer::Alias { alias: alias.clone() }, ..Self::of_rule(rule)? })
    }

    fn coded(&self, code: Code) -> Offer {
        let Self { offerer, label, action, parameters } = self.clone();
        Offer { code, offerer, label, action, parameters }
    }
}

/// What stands behind an offer.
#[derive(Debug, Clone)]
pub(super) struct Backing {
    /// What is asked of the event, and what comes of it.
    pub(super) rule: Arc<Rule>,
    /// The alias whose line it stands for; absent for a rule's own.
    pub(super) alias: Option<Arc<Alias>>,
    /// What is run.
    pub(super) action: Arc<Action>,
}

/// Somebody who takes an offer.
struct Taker<'a> {
    identity: &'a Identity,
    rights: Rights,
    /// What the place is called where they are.
    here: Vec<String>,
    /// The choice that they have seen; absent where they name what they want by its code.
    revision: Option<u32>,
}

/// What came of taking an offer.
enum Taken {
    /// It has begun, or waits.
    Begun(ExecutionId),
    /// It has not: the word for why, and more of it.
    Not(&'static str, String),
    /// It was declined with this.
    Declined(Box<Card>),
}

impl Bot {
    /// Something is offered for a problem that was told, in place of what was. True where other buttons have to be drawn.
    pub(super) fn put_offers(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        problem: &Problem,
        gathered: Gathered,
    ) -> Result<bool, Contradiction> {
        let known = self.memory.alerts.offers().of(problem).cloned();
        let old = known.as_ref().map(|offers| offers.list.as_slice()).unwrap_or_default();
        let Some((instance, payload)) = gathered.instance.filter(|_| !old.is_empty() || !gathered.list.is_empty())
        else {
            return Ok(false);
        };
        let mut list: Vec<Offer> = Vec::new();
        for proposal in &gathered.list {
            let same = old.iter().find(|old| old.is_same(&proposal.coded(old.code.clone())));
            let code = match same {
                Some(same) => same.code.clone(),
                None => loop {
                    let code = self.new_code(moment);
                    if list.iter().all(|offer| offer.code != code) {
                        break code;
                    }
                },
            };
            list.push(proposal.coded(code));
        }
        let half = STANDS / 2;
        let stands = known.as_ref().filter(|known| known.list == list && known.until.duration_since(moment.at) > half);
        let redrawn = stands.is_none();
        let (revision, until) = match (stands, &known) {
            (Some(stands), _) => (stands.revision, stands.until),
            (None, known) => {
                let revision = known.as_ref().map_or(1, |known| known.revision.saturating_add(1));
                (revision, moment.at.saturating_add(STANDS).unwrap_or(moment.at))
            }
        };
        let payload = if list.is_empty() { Value::Null } else { payload };
        let offers = Box::new(Offers { revision, until, instance, payload, list });
        self.note(step, moment, Fact::AlertOffered { problem: problem.clone(), offers })?;
        Ok(redrawn)
    }

    /// Says why an alias does not offer itself, once, where it is told what rules do.
    pub(super) fn tell_of_lacking(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        problem: &Problem,
        instance: &TriggerInstanceId,
        (alias, why): (&AliasRef, &str),
    ) -> Result<(), Contradiction> {
        // No rule has such a name.
        let teller = RuleRef::new(format!("alias {alias}"));
        let Some((channel, thread)) = self.told_in(problem) else { return Ok(()) };
        if !self.is_news(step, moment, problem, &teller, why)? {
            return Ok(());
        }
        let (rule, why) = (alias.to_string(), markdown::prose(why));
        let card = Card::RuleTold(RuleTold { rule, what: "not_offered", why, ..RuleTold::default() });
        let (root, text) = (Some(thread), self.sentences.say(&card));
        let id = DeliveryId::new(format!("{instance}-alias-{alias}"));
        self.deliver(step, moment, Delivery { id, channel, body: Body::Post { root, text, files: Vec::new() } })
    }

    /// Whether there is room for one more problem for which something is offered.
    pub(super) fn has_room_for_offers(&self, problem: &Problem) -> bool {
        let offers = self.memory.alerts.offers();
        offers.of(problem).is_some_and(|offers| !offers.list.is_empty()) || offers.len() < MOST_PROBLEMS
    }

    /// Takes away what has been offered for so long that it may not fit any more.
    pub(super) fn lapse_offers(&mut self, step: &mut Step, moment: &Moment) -> Result<(), Contradiction> {
        for problem in self.memory.alerts.offers().lapsed(moment.at) {
            self.withdraw_offers(step, moment, &problem, &|_| false)?;
        }
        Ok(())
    }

    /// Takes offers for a problem away, but for these, and draws its post anew.
    fn withdraw_offers(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        problem: &Problem,
        keep: &dyn Fn(&Offer) -> bool,
    ) -> Result<(), Contradiction> {
        let Some(mut offers) = self.memory.alerts.offers().of(problem).cloned() else { return Ok(()) };
        offers.list.retain(keep);
        offers.revision = offers.revision.saturating_add(1);
        if offers.list.is_empty() {
            offers.payload = Value::Null;
        }
        let revision = offers.revision;
        self.note(step, moment, Fact::AlertOffered { problem: problem.clone(), offers: Box::new(offers) })?;
        let post = self.memory.alerts.find(problem).and_then(|alert| alert.post.clone());
        let Some(Posted { delivery, .. }) = post else { return Ok(()) };
        self.show_alert(step, moment, problem, DeliveryId::new(format!("{delivery}-offers-{revision}")))
    }

    /// What can be asked for now: what was begun of it and has not ended is left out.
    fn open_offers(&self, alert: &Alert) -> Option<(&Offers, Vec<&Offer>)> {
        let offers = self.memory.alerts.offers().of(&alert.problem).filter(|_| alert.recovered.is_none())?;
        let idle = |offer: &&Offer| self.memory.remedies.taken(&offer.offerer, &alert.problem).is_none();
        let open: Vec<&Offer> = offers.list.iter().filter(idle).collect();
        (!open.is_empty()).then_some((offers, open))
    }

    /// What is written of it, and how much more there is: where no buttons are drawn all that fits, to somebody who asks what they may have done.
    pub(super) fn shown_offers(&self, alert: &Alert, asker: Option<&Rights>) -> (Vec<AlertOffer>, usize) {
        let Some((_, open)) = self.open_offers(alert) else { return (Vec::new(), 0) };
        let shown = |offer: &&Offer| AlertOffer {
            label: offer.label.clone(),
            line: format!("{HEAL} {}", offer.code),
            action: offer.action.to_string(),
        };
        match asker {
            Some(rights) => {
                let may = |offer: &&&Offer| rights.may(Verb::Run, &offer.action);
                (open.iter().filter(may).map(shown).collect(), 0)
            }
            None if self.settings.buttons => (Vec::new(), open.len().saturating_sub(SHOWN)),
            None => (open.iter().take(SHOWN).map(shown).collect(), open.len().saturating_sub(SHOWN)),
        }
    }

    /// What stands below the post of a problem; absent where nothing does and nothing did.
    pub(super) fn offer_buttons(&self, alert: &Alert) -> Option<Vec<Attachment>> {
        let drawn = || {
            let post = alert.post.as_ref()?;
            self.memory.buttons.get(&post.delivery).filter(|buttons| buttons.gone.is_none())
        };
        let offered = self.open_offers(alert).filter(|_| self.settings.buttons);
        let offered = offered.map(|(offers, open)| self.buttons_of(offers, &open)).unwrap_or_default();
        let rows = [offered, self.acting_buttons(alert)].into_iter().filter(|row| !row.is_empty());
        let drawn_now: Vec<Attachment> = rows
            .map(|buttons| {
                let fallback = buttons.iter().map(|button| button.label.as_str()).collect::<Vec<_>>().join(", ");
                Attachment { fallback, buttons, ..Attachment::default() }
            })
            .collect();
        if drawn_now.is_empty() { drawn().map(|_| drawn_now) } else { Some(drawn_now) }
    }

    fn buttons_of(&self, offers: &Offers, open: &[&Offer]) -> Vec<Button> {
        let button = |offer: &&Offer| Button {
            id: offer.code.to_string(),
            label: offer.label.clone(),
            style: match self.catalog.actions.get(&offer.action).map(|action| action.effect) {
                Some(EffectClass::Destructive) => ButtonStyle::Danger,
                Some(EffectClass::Idempotent) => ButtonStyle::Primary,
                Some(EffectClass::ReadOnly) | None => ButtonStyle::Plain,
            },
            meaning: Meaning {
                subject: Subject::Offer { code: offer.code.clone() },
                action: HEAL.to_owned(),
                value: None,
                revision: offers.revision,
                until: offers.until,
            },
        };
        open.iter().take(SHOWN).map(button).collect()
    }

    /// Somebody pressed the button of an offer.
    pub(super) fn offer_pressed(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        presser: &Presser,
        code: &Code,
    ) -> Result<(), Contradiction> {
        let is_here = |alert: &&Alert| alert.post.as_ref().is_some_and(|post| post.delivery == presser.card);
        let found = self.memory.alerts.alerts().find(is_here).and_then(|alert| {
            let Posted { channel, .. } = alert.post.clone()?;
            Some((alert.problem.clone(), channel))
        });
        let taken = match found {
            // Its post tells of another time.
            None => Taken::Not("over", String::new()),
            // A press is bounded like a line, since a refusal of either is noted.
            Some((_, channel)) if self.is_too_fast(&presser.identity, &channel, moment.at) => {
                let most = self.settings.limits.lines_per_user;
                Taken::Declined(Box::new(Card::TooFast { most, channel: false, late: false }))
            }
            Some((problem, channel)) => {
                let rights = self.rights(Asker::Chat(&presser.identity), &self.place(&channel, false, moment.at));
                let (here, revision) = (self.names_in(&channel, false), Some(presser.meaning.revision));
                let taker = Taker { identity: &presser.identity, rights, here, revision };
                self.take_offer(step, moment, &taker, &problem, code)?
            }
        };
        if matches!(taken, Taken::Begun(_)) {
            self.press_taken(step, moment, presser)?;
        }
        let reply = Reply::text(self.sentences.say(&self.told_of_offer(&taken, code)));
        step.effects.push(Effect::Reply { request: presser.request, reply });
        Ok(())
    }

    /// Whether somebody has asked for too much within a minute.
    pub(super) fn is_too_fast(&mut self, identity: &Identity, channel: &ChannelId, now: Timestamp) -> bool {
        let passage = self.pace.take(&identity.id, channel, now, &self.settings.limits);
        !matches!(passage, Passage::Open)
    }

    /// `heal K3QZ`
    pub(super) fn heal(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        speaker: &Speaker<'_>,
        line: &str,
        code: &Code,
    ) -> Result<(), Contradiction> {
        let found = self.memory.alerts.offers().find(code).and_then(|(problem, offers)| {
            let offer = offers.list.iter().find(|offer| offer.code == *code)?;
            Some((problem.clone(), self.catalog.actions.get(&offer.action).map(|action| action.effect)))
        });
        let taken = match found {
            None => Taken::Not("unknown", String::new()),
            Some((_, Some(EffectClass::Destructive))) if speaker.missed.is_some() => {
                let ago = speaker.missed.clone().unwrap_or_default();
                let choice = Choice { line: line.to_owned(), alias: None, again: true };
                return self.ask_again(step, moment, speaker, choice, ago);
            }
            Some((problem, _)) => {
                let (rights, here) = (speaker.rights.clone(), speaker.here.clone());
                let taker = Taker { identity: speaker.identity, rights, here, revision: None };
                match self.take_offer(step, moment, &taker, &problem, code)? {
                    // What is not for somebody is not there.
                    Taken::Not("no_right", _) => Taken::Not("unknown", String::new()),
                    taken => taken,
                }
            }
        };
        if !matches!(taken, Taken::Begun(_)) {
            self.not_done(step, speaker, "question");
        }
        let card = self.told_of_offer(&taken, code);
        self.say(step, moment, &speaker.back, &card)
    }

    fn told_of_offer(&self, taken: &Taken, code: &Code) -> Card {
        let told = |what, id: &str, why: &str| {
            Card::OfferTold(OfferTold { what, code: code.to_string(), id: id.to_owned(), why: markdown::prose(why) })
        };
        match taken {
            Taken::Begun(id) => {
                let waits = self.memory.executions.get(id).is_some_and(|execution| execution.status.waits());
                told(if waits { "waits" } else { "begun" }, id.short(), "")
            }
            Taken::Not("runs", id) => told("runs", id, ""),
            Taken::Not(what, why) => told(what, "", why),
            Taken::Declined(card) => Card::clone(card),
        }
    }

    /// Has done what is offered under a code for a problem.
    fn take_offer(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        taker: &Taker<'_>,
        problem: &Problem,
        code: &Code,
    ) -> Result<Taken, Contradiction> {
        let not = |what| Ok(Taken::Not(what, String::new()));
        if self.stopping {
            return Ok(Taken::Declined(Box::new(Card::Stopping)));
        }
        let Some(alert) = self.memory.alerts.find(problem).filter(|alert| alert.recovered.is_none()).cloned() else {
            return not("over");
        };
        let Some(offers) = self.memory.alerts.offers().of(&alert.problem).cloned() else { return not("old") };
        let Some(offer) = offers.list.iter().find(|offer| offer.code == *code).cloned() else { return not("old") };
        let by = Principal::ChatUser { id: taker.identity.id.clone(), name: taker.identity.username.clone() };
        let back = match self.told_in(&alert.problem) {
            Some((channel, root)) => Back::Told { channel: Some(channel), root: Some(root) },
            None => Back::Told { channel: self.alert_channel(), root: None },
        };
        if !taker.rights.may(Verb::Run, &offer.action) {
            self.deny_offer(step, moment, (&by, &back), &offer)?;
            return not("no_right");
        }
        if let Some(execution) = self.memory.remedies.taken(&offer.offerer, &alert.problem) {
            return Ok(Taken::Not("runs", execution.short().to_owned()));
        }
        if taker.revision.is_some_and(|seen| seen != offers.revision) {
            return not("old");
        }
        let backing = self.backing(&offer);
        let Some(backing) = backing.filter(|backing| self.still_matches(&backing.rule, &offers, moment.at)) else {
            // The packs are others by now.
            let gone = |other: &Offer| other.code != *code;
            self.withdraw_offers(step, moment, &alert.problem, &gone)?;
            return not("gone");
        };
        // What is not there for somebody is not for them.
        if backing.alias.as_ref().is_some_and(|alias| !is_there(alias, &taker.here)) {
            return not("no_right");
        }
        let instance = event_of(&backing.rule, &offers);
        let wish = match self.wish_of_offer(moment.at, &backing, &instance, (by.clone(), back.clone())) {
            Ok(wish) => Wish { rights: taker.rights.clone(), zone: taker.identity.zone.clone(), ..wish },
            Err(why) => return Ok(Taken::Not("refused", why)),
        };
        if !self.may_with_given(&taker.rights, moment.at, &wish.action, &wish.given, &by) {
            self.deny_offer(step, moment, (&by, &back), &offer)?;
            return not("no_right");
        }
        let execution = match self.start(step, moment, wish)? {
            Ok(execution) => execution,
            Err(declined) => return Ok(Taken::Declined(Box::new(declined.card))),
        };
        // The same was asked for already, and waits.
        if self.memory.remedies.open(&execution).is_some() {
            return Ok(Taken::Not("runs", execution.short().to_owned()));
        }
        let origin = Origin::Offer {
            offerer: offer.offerer.clone(),
            label: offer.label.clone(),
            taken_by: taker.identity.username.clone(),
        };
        let open = Open { origin, problem: alert.problem.clone(), heals: true };
        self.note(step, moment, Fact::RemedyBegun { execution: execution.clone(), open })?;
        let shown = DeliveryId::new(format!("{execution}-alert-taken"));
        self.show_alert(step, moment, &alert.problem, shown)?;
        Ok(Taken::Begun(execution))
    }

    fn deny_offer(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        (by, back): (&Principal, &Back),
        offer: &Offer,
    ) -> Result<(), Contradiction> {
        let (line, needed) = (format!("{HEAL} {}", offer.code), format!("run:{}", offer.action));
        self.deny(step, moment, (by, back), line, Some(&offer.action), needed)
    }

    /// What offers something, where it still offers the same.
    fn backing(&self, offer: &Offer) -> Option<Backing> {
        let (rule, alias, now) = match &offer.offerer {
            Offerer::Rule { rule } => {
                let rule = self.catalog.rules.get(rule).filter(|rule| self.memory.events.is_enabled(rule))?;
                (rule, None, Proposal::of_rule(rule).filter(|_| !rule.dry_run)?)
            }
            Offerer::Alias { alias } => {
                let rule = self.catalog.offers.get(alias)?;
                (rule, Some(self.alias_in_force(alias)?), Proposal::of_alias(alias, rule)?)
            }
        };
        let same = now.coded(offer.code.clone()).is_same(offer);
        let action = self.catalog.actions.get(&rule.action).filter(|_| same).cloned()?;
        Some(Backing { rule: Arc::clone(rule), alias, action })
    }

    fn alias_in_force(&self, alias: &AliasRef) -> Option<Arc<Alias>> {
        self.catalog.aliases.iter().find(|known| known.reference == *alias && known.enabled).cloned()
    }

    /// The aliases that offer themselves for problems and are there where these are told.
    pub(super) fn offering_aliases(&self) -> Vec<(AliasRef, Backing)> {
        let here = self.alert_channel().map(|channel| self.names_in(&channel, false)).unwrap_or_default();
        let backing = |(alias, rule): (&AliasRef, &Arc<Rule>)| {
            let found = self.alias_in_force(alias).filter(|alias| is_there(alias, &here))?;
            let action = self.catalog.actions.get(&rule.action)?;
            let (rule, action) = (Arc::clone(rule), Arc::clone(action));
            Some((alias.clone(), Backing { rule, alias: Some(found), action }))
        };
        self.catalog.offers.iter().filter_map(backing).collect()
    }

    fn still_matches(&self, rule: &Rule, offers: &Offers, at: Timestamp) -> bool {
        let around = self.around_criteria(at);
        rule.judge(&Scene::new(&offers.payload, &around, at), &offers.payload) == Verdict::Matches
    }

    /// What is wished for by whoever takes what a rule offers; or why it cannot be. Whose rights count is still to be said.
    pub(super) fn wish_of_offer(
        &self,
        at: Timestamp,
        Backing { rule, alias, action }: &Backing,
        instance: &TriggerInstance,
        (by, back): (Principal, Back),
    ) -> Result<Wish, String> {
        let around = self.around_parameters(at, rule, action, instance, &by);
        let rendered = parameters::render(rule, action, &around);
        let Rendered { mut given, mut trusted, mut hidden } =
            rendered.map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        let mut line = String::new();
        if let Some(alias) = alias {
            let secret = |name: &String| {
                hidden.contains(name) || action.parameters.get(name).is_some_and(|parameter| parameter.secret)
            };
            if !given.keys().any(secret) {
                line = self.catalog.matcher.line_for(alias, &given).unwrap_or_default();
            }
            let channel = back.place().map(|(channel, _)| channel.clone()).or_else(|| self.alert_channel());
            let fixed = self.fixed(at, alias, &by, &channel.unwrap_or_else(|| ChannelId::new("")))?;
            trusted.extend(fixed.values.keys().filter(|name| !fixed.doubtful.contains(*name)).cloned());
            hidden.extend(fixed.secret);
            given.extend(fixed.values);
        }
        Ok(Wish {
            action: Arc::clone(action),
            given,
            by,
            back,
            line,
            correctable: false,
            alias: alias.clone(),
            trusted,
            rights: self.rights_of_rule(rule, at),
            rerun_of: None,
            trace_tag: None,
            zone: String::new(),
            takes_up: None,
            parent: None,
            hidden,
            settles: None,
            again: None,
        })
    }

    /// Why what is wished for could be done by nobody, whatever they may do.
    pub(super) fn impossible(&self, at: Timestamp, wish: &Wish) -> Option<String> {
        let declined = self.prepare_unjudged(at, wish).err()?;
        Some(markdown::bare(&self.sentences.say(&declined.card)))
    }
}

/// The event that an offer speaks of.
fn event_of(rule: &Rule, offers: &Offers) -> TriggerInstance {
    TriggerInstance {
        id: offers.instance.clone(),
        trigger: TriggerRef::clone(&rule.trigger),
        parameters: Map::new(),
        payload: offers.payload.clone(),
        occurred: offers.until,
        trace_tag: None,
        source: Source::Bot,
        chain: Vec::new(),
    }
}
