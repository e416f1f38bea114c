//! So many problems at once that they are told as one: when that begins, what it holds back, and how it ends. What is known of it is
//! [`crate::core::alert::storm`], what its post says [`mod@super::storm_post`].
//!
//! - **One post, drawn anew once a second at most.** What it shows meanwhile may be lost; what happens to the storm as a whole is promised.
//! - **Its thread has a line when the storm turns**, and what people say of a single problem; it has none of each problem.
//! - **Every open problem has a post, is told in somebody's thread, or is listed by the storm's post.** What a storm lists no longer has a post of its own from
//!   the step on in which that is so.
//! - **Rules wait for a person**, also for one who has to look twice: to let them act takes `run`, whatever the arguments, on every action that they could begin.

use super::hear::Speaker;
use super::offer::Gathered;
use super::press::Presser;
use super::{Bot, Moment, Step};
use crate::core::access::{Asker, Rights, includes};
use crate::core::action::execution::Execution;
use crate::core::alert::life::{Change, Posted, Turn};
use crate::core::alert::notification::Problem;
use crate::core::alert::source::Source;
use crate::core::alert::storm::{Asked, Began, FEW, MOST_SAID, Phase, Storm, StormTurn, as_told};
use crate::core::callback::Reply;
use crate::core::content::glob::covers;
use crate::core::effect::{Body, Delivery, Effect, Thread};
use crate::core::fact::Fact;
use crate::core::id::{ActionRef, ChannelId, DeliveryId, StormId, TriggerInstanceId};
use crate::core::input::{Back, Principal};
use crate::core::memory::Contradiction;
use crate::core::message::card::{Card, StormLine, StormTold};
use crate::core::message::span::span;
use crate::core::settings::Verb;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

/// The post is drawn at most this often.
const PACE: SignedDuration = SignedDuration::from_secs(1);
/// So much of what was held is asked again in one step.
const ASKED_AT_ONCE: usize = 50;

/// Where a change is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// By the post of the problem.
    Own,
    /// By the post of the storm.
    Storm,
    /// By the post of a storm that begins with it.
    New,
}

/// What its post shows. Lost without harm.
#[derive(Debug, Default)]
pub(super) struct View {
    changed: bool,
    drawn: Option<Timestamp>,
}

impl View {
    /// There is something new to show.
    pub(super) fn change(&mut self) {
        self.changed = true;
    }
}

impl Bot {
    /// Whether a problem is told by the post of the storm, and nowhere else.
    pub(super) fn in_storm(&self, problem: &Problem) -> bool {
        self.memory.storms.now().is_some_and(|storm| storm.phase != Phase::Over && storm.lists(problem))
    }

    /// Whether rules leave a problem alone until a person lets them act.
    pub(super) fn storm_holds(&self, problem: &Problem) -> bool {
        self.memory.storms.now().is_some_and(|storm| storm.holds(problem))
    }

    /// Where it is told what becomes of the storm that a problem belongs to.
    pub(super) fn storm_thread(&self, problem: &Problem) -> Option<(ChannelId, Thread)> {
        self.memory.storms.now().filter(|_| self.in_storm(problem)).map(thread_of)
    }

    /// Whether a change is told by the post of a storm, and whether one begins since this is one problem too many.
    pub(super) fn goes_to_storm(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        instance: &TriggerInstanceId,
        change: &mut Change,
    ) -> Result<Place, Contradiction> {
        let alert = &change.alert;
        if self.held_by(&alert.problem).is_some() {
            return Ok(Place::Own);
        }
        let before = self.memory.alerts.find(&alert.problem);
        let told = !matches!(change.turn, Turn::Said | Turn::Late);
        change.opens = told && alert.recovered.is_none() && before.is_none_or(|known| known.recovered.is_some());
        let now = self.memory.storms.now().filter(|storm| storm.phase != Phase::Over);
        // What is over by now and was told here is told here to its end.
        let here = now.is_some_and(|storm| storm.member(&alert.problem).is_some_and(|member| !member.apart));
        let rises = now.is_some_and(|storm| storm.phase == Phase::Rising);
        let place = match change.opens {
            true if rises => Place::Storm,
            true if self.begins_storm(step, moment, instance, &alert.problem)? => Place::New,
            false if here => Place::Storm,
            true | false => return Ok(Place::Own),
        };
        (change.in_storm, change.alert.post) = (true, None);
        Ok(place)
    }

    /// Begins a storm where one more problem makes it one.
    fn begins_storm(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        instance: &TriggerInstanceId,
        problem: &Problem,
    ) -> Result<bool, Contradiction> {
        let terms = self.settings.storms;
        let Some(channel) = self.alert_channel().filter(|_| terms.problems > 0) else { return Ok(false) };
        let (recent, since) = self.memory.storms.recent(moment.at, terms.window);
        let others = recent.iter().filter(|known| !known.may_be(problem)).count();
        if others < terms.problems {
            return Ok(false);
        }
        let board = &self.memory.alerts;
        let open = |known: &&&Problem| {
            let alert = board.find(known).filter(|alert| alert.recovered.is_none());
            !known.may_be(problem) && alert.is_some() && self.held_by(known).is_none()
        };
        let members: Vec<Problem> = recent.iter().filter(open).map(|known| Problem::clone(known)).collect();
        let storm = StormId::new(format!("{instance}-storm"));
        let posted = Posted { delivery: DeliveryId::new(format!("{storm}-post")), channel };
        self.end_for_another(step, moment)?;
        let began = Began { storm, posted, since: since.unwrap_or(moment.at), members };
        self.note(step, moment, Fact::StormBegan(Box::new(began)))?;
        Ok(true)
    }

    /// Makes the post of a storm that has begun in this step.
    fn post_storm(&mut self, step: &mut Step, moment: &Moment) -> Result<(), Contradiction> {
        let Some(storm) = self.memory.storms.now() else { return Ok(()) };
        let Posted { delivery, channel } = storm.posted.clone();
        let parts = storm.parts().count();
        let body = match (self.storm_text(moment.at), self.storm_buttons()) {
            (text, Some(attachments)) => Body::Attached { root: None, text, attachments },
            (text, None) => Body::Post { root: None, text, files: Vec::new() },
        };
        self.deliver(step, moment, Delivery { id: delivery, channel, body })?;
        self.storm_view = View { changed: false, drawn: Some(moment.at) };
        let (count, time) = (self.settings.storms.problems, span(self.settings.storms.window));
        self.say_in_storm(step, moment, StormLine { turn: "begun", count, time, apart: parts, ..StormLine::default() })
    }

    /// The storm that is goes on in another.
    fn end_for_another(&mut self, step: &mut Step, moment: &Moment) -> Result<(), Contradiction> {
        let Some(storm) = self.memory.storms.now().filter(|storm| storm.phase != Phase::Over) else { return Ok(()) };
        let (id, posted) = (DeliveryId::new(format!("{}-went-on", storm.id)), storm.posted.clone());
        let card = self.storm_card(storm, moment.at, &self.clock(""));
        let text = self.sentences.say(&Card::Storm(Box::new(crate::core::message::card::StormCard {
            state: "went_on",
            rules: "",
            ..card
        })));
        let attachments = self.settings.buttons.then(Vec::new);
        let body = Body::Edit { of: posted.delivery, text, attachments };
        self.deliver(step, moment, Delivery { id, channel: posted.channel, body })
    }

    /// Something is told of a problem that the post of the storm tells of.
    pub(super) fn tell_storm(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        instance: &TriggerInstanceId,
        (change, offered): (Change, Gathered),
        begins: bool,
    ) -> Result<(), Contradiction> {
        let (turn, problem) = (change.turn, change.alert.problem.clone());
        let said = self.memory.storms.now().map_or(MOST_SAID, |storm| storm.said);
        let line = super::alert_held::named_line(
            &change.alert,
            super::alert::line_of(&change.alert, "said", change.word.clone()),
        );
        let spoken = change.word.is_some();
        self.note(step, moment, Fact::AlertChanged(Box::new(change)))?;
        if turn.is_problem() {
            self.put_offers(step, moment, &problem, offered)?;
        }
        self.storm_view.change();
        if begins {
            self.post_storm(step, moment)?;
        }
        if turn == Turn::Said
            && spoken
            && said < MOST_SAID
            && let Some((channel, thread)) = self.memory.storms.now().map(thread_of)
        {
            let text = self.sentences.say(&Card::AlertLine(line));
            let body = Body::Post { root: Some(thread), text, files: Vec::new() };
            let id = DeliveryId::new(format!("{instance}-alert-line"));
            return self.deliver(step, moment, Delivery { id, channel, body });
        }
        Ok(())
    }

    fn say_in_storm(&mut self, step: &mut Step, moment: &Moment, line: StormLine) -> Result<(), Contradiction> {
        let Some(storm) = self.memory.storms.now() else { return Ok(()) };
        let ((channel, root), id) = (thread_of(storm), DeliveryId::new(format!("{}-{}", storm.id, line.turn)));
        let text = self.sentences.say(&Card::StormLine(line));
        self.deliver(
            step,
            moment,
            Delivery { id, channel, body: Body::Post { root: Some(root), text, files: Vec::new() } },
        )
    }

    /// Sees to a storm at the end of a step: what is due of it, what was held, and its post.
    pub(super) fn look_after_storm(&mut self, step: &mut Step, moment: &mut Moment) -> Result<(), Contradiction> {
        if self.memory.storms.now().is_none() || !self.knows_the_chat() {
            return Ok(());
        }
        self.link_parts(step, moment)?;
        if self.storm_ends().is_some_and(|then| then <= moment.at) {
            self.end_storm(step, moment)?;
        }
        self.ask_held(step, moment)?;
        self.draw_storm(step, moment)
    }

    /// When the storm becomes calm, or is over.
    fn storm_ends(&self) -> Option<Timestamp> {
        let storm = self.memory.storms.now()?;
        let after = |from: Timestamp, time: Duration| {
            from.saturating_add(SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX)
        };
        let terms = self.settings.storms;
        let quiet = after(storm.last, terms.quiet);
        match storm.phase {
            Phase::Rising => Some(quiet.min(after(storm.begun, terms.longest))),
            Phase::Calm if storm.listed() <= FEW => Some(quiet),
            Phase::Calm | Phase::Over => None,
        }
    }

    /// When it has to be looked after next.
    pub(super) fn next_of_storm(&self) -> Option<Timestamp> {
        let storm = self.memory.storms.now().filter(|_| self.knows_the_chat())?;
        let waits = storm.released.is_some() && !storm.told;
        let draws = self.storm_view.changed || storm.turned > storm.drawn;
        let paced = self.storm_view.drawn.map_or(storm.last, |drawn| drawn.saturating_add(PACE).unwrap_or(drawn));
        let linked = storm.parts().next().is_some() && self.memory.posts.contains_key(&storm.posted.delivery);
        let now = (waits || linked).then_some(storm.last);
        self.storm_ends().into_iter().chain(now).chain(draws.then_some(paced)).min()
    }

    /// The posts that members had say that these are told by the storm's from now on, once that stands and can be named.
    fn link_parts(&mut self, step: &mut Step, moment: &Moment) -> Result<(), Contradiction> {
        let Some(storm) = self.memory.storms.now() else { return Ok(()) };
        let Some(post) = self.memory.posts.get(&storm.posted.delivery) else { return Ok(()) };
        let (id, link) = (storm.id.clone(), format!("/_redirect/pl/{post}"));
        let parts: Vec<(Problem, Posted)> =
            storm.parts().map(|(problem, posted)| (problem.clone(), posted.clone())).collect();
        if parts.is_empty() {
            return Ok(());
        }
        for (problem, Posted { delivery, channel }) in parts {
            let text = self.sentences.say(&Card::StormLine(StormLine {
                turn: "part",
                hosts: super::alert::shown_host(&problem.host),
                service: problem.service.clone().unwrap_or_default(),
                link: link.clone(),
                ..StormLine::default()
            }));
            let attachments = self.memory.buttons.contains_key(&delivery).then(Vec::new);
            let named = DeliveryId::new(format!("{delivery}-{id}"));
            let body = Body::Edit { of: delivery, text, attachments };
            self.deliver(step, moment, Delivery { id: named, channel, body })?;
        }
        let turn = Box::new(StormTurn::Linked);
        self.note(step, moment, Fact::StormTurned { storm: id, turn })
    }

    /// Nothing comes any more: few that are left get posts, many stay where they are.
    fn end_storm(&mut self, step: &mut Step, moment: &mut Moment) -> Result<(), Contradiction> {
        let Some(storm) = self.memory.storms.now() else { return Ok(()) };
        let (id, over) = (storm.id.clone(), storm.listed() <= FEW);
        let listed: Vec<Problem> =
            storm.members().filter(|(problem, _)| storm.lists(problem)).map(|(problem, _)| problem.clone()).collect();
        let turn = if over { StormTurn::Over } else { StormTurn::Calm };
        let quiet = span(self.settings.storms.quiet);
        let card = self.storm_card(storm, moment.at, &self.clock(""));
        self.note(step, moment, Fact::StormTurned { storm: id, turn: Box::new(turn) })?;
        if over {
            for problem in &listed {
                self.bring_to_channel(step, moment, problem)?;
            }
        }
        // What nobody has to be told of any more is forgotten with the storm.
        let Some(storm) = self.memory.storms.now() else { return Ok(()) };
        let open: Vec<&Problem> =
            storm.members().filter(|(_, member)| member.open).map(|(problem, _)| problem).collect();
        let line = StormLine {
            turn: if over { "over" } else { "calm" },
            count: card.count,
            open: open.len(),
            gone: card.count - open.len(),
            hosts: super::storm_post::shown_hosts(open),
            apart: if over { listed.len() } else { 0 },
            time: if over { card.lasted } else { quiet },
            ..StormLine::default()
        };
        self.say_in_storm(step, moment, line)
    }

    /// Asks again what was held, now that a person lets rules act.
    fn ask_held(&mut self, step: &mut Step, moment: &mut Moment) -> Result<(), Contradiction> {
        let Some(storm) = self.memory.storms.now().filter(|storm| storm.released.is_some() && !storm.told) else {
            return Ok(());
        };
        let id = storm.id.clone();
        for _ in 0..ASKED_AT_ONCE {
            let Some((problem, held)) = self.memory.storms.now().and_then(Storm::next_held) else { break };
            let (problem, held) = (problem.clone(), held.clone());
            let (begun, not) = self.ask_rules_again(step, moment, &problem, held)?;
            let asked = Asked {
                begun: begun.len(),
                not: not.len(),
                why: not.first().map(|why| as_told(why)).unwrap_or_default(),
            };
            let turn = Box::new(StormTurn::Asked { problem, asked });
            self.note(step, moment, Fact::StormTurned { storm: id.clone(), turn })?;
            self.storm_view.change();
        }
        let Some(storm) = self.memory.storms.now().filter(|storm| storm.held() == 0) else { return Ok(()) };
        let who = storm.released.as_ref().map(|released| super::answer::name_of(&released.by).to_owned());
        let Asked { begun, not: refused, why } = storm.asked.clone();
        let line =
            StormLine { turn: "released", who: who.unwrap_or_default(), begun, refused, why, ..StormLine::default() };
        self.say_in_storm(step, moment, line)?;
        self.note(step, moment, Fact::StormTurned { storm: id, turn: Box::new(StormTurn::Told) })
    }

    /// Brings the post up to date.
    fn draw_storm(&mut self, step: &mut Step, moment: &Moment) -> Result<(), Contradiction> {
        let Some(storm) = self.memory.storms.now() else { return Ok(()) };
        let recently = self.storm_view.drawn.is_some_and(|drawn| moment.at.duration_since(drawn) < PACE);
        let turned = storm.turned > storm.drawn;
        if recently || !(turned || self.storm_view.changed) {
            return Ok(());
        }
        self.storm_view = View { changed: false, drawn: Some(moment.at) };
        let Posted { delivery, channel } = storm.posted.clone();
        let (id, turns) = (storm.id.clone(), storm.turned);
        let (text, attachments) = (self.storm_text(moment.at), self.storm_buttons());
        if !turned {
            step.effects.push(Effect::Refresh { channel, of: delivery, text, attachments: None });
            return Ok(());
        }
        let body = Body::Edit { of: delivery, text, attachments };
        self.deliver(step, moment, Delivery { id: DeliveryId::new(format!("{id}-turn-{turns}")), channel, body })?;
        self.note(step, moment, Fact::StormTurned { storm: id, turn: Box::new(StormTurn::Drawn { turned: turns }) })
    }

    /// The actions that rules could begin because of problems.
    fn actions_of_rules(&self) -> BTreeSet<ActionRef> {
        let acts = self.catalog.rules.all().filter(|rule| {
            Source::of(rule.trigger.as_str()).is_some()
                && rule.offer.is_none()
                && !rule.dry_run
                && self.memory.events.is_enabled(rule)
        });
        acts.map(|rule| rule.action.clone()).collect()
    }

    /// Whether there is anything that a person could let rules do.
    pub(super) fn rules_act(&self) -> bool {
        !self.actions_of_rules().is_empty()
    }

    /// The roles whose holders may let rules act.
    pub(super) fn releasers(&self) -> Vec<String> {
        let actions = self.actions_of_rules();
        let may = |role: &&crate::core::settings::Role| {
            actions.iter().all(|action| {
                role.grants.iter().any(|grant| {
                    includes(grant.verb, Verb::Run) && grant.arguments.is_empty() && covers(&grant.on, action.as_str())
                })
            })
        };
        let people = |role: &&crate::core::settings::Role| {
            !(role.users.is_empty() && role.channels.is_empty() && role.groups.is_empty())
        };
        self.settings.roles.iter().filter(people).filter(may).map(|role| role.name.clone()).collect()
    }

    /// `storm`, `storm go`
    pub(super) fn hear_of_storm(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        speaker: &Speaker<'_>,
        go: bool,
    ) -> Result<(), Contradiction> {
        let card = match self.memory.storms.now() {
            None => Card::StormTold(StormTold { what: "none", ..StormTold::default() }),
            Some(storm) if !go => Card::Storm(Box::new(self.storm_card(storm, moment.at, &self.clock("")))),
            Some(_) => {
                let told = self.release_storm(step, moment, (&speaker.principal(), &speaker.back), &speaker.rights)?;
                if told.what != "released" {
                    self.not_done(step, speaker, "question");
                }
                Card::StormTold(told)
            }
        };
        self.say(step, moment, &speaker.back, &card)
    }

    /// Somebody pressed the button that lets rules act.
    pub(super) fn storm_pressed(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        presser: &Presser,
        id: &StormId,
    ) -> Result<(), Contradiction> {
        let found = self.memory.storms.now().filter(|storm| storm.id == *id).map(|storm| storm.posted.channel.clone());
        let card = match found {
            None => Card::StormTold(StormTold { what: "none", ..StormTold::default() }),
            Some(channel) if self.is_too_fast(&presser.identity, &channel, moment.at) => {
                Card::TooFast { most: self.settings.limits.lines_per_user, channel: false, late: false }
            }
            Some(channel) => {
                let identity = &presser.identity;
                let by = Principal::ChatUser { id: identity.id.clone(), name: identity.username.clone() };
                let rights = self.rights(Asker::Chat(identity), &self.place(&channel, false, moment.at));
                let root = self.memory.storms.now().map(|storm| thread_of(storm).1);
                let told =
                    self.release_storm(step, moment, (&by, &Back::Told { channel: Some(channel), root }), &rights)?;
                if told.what == "released" {
                    self.press_taken(step, moment, presser)?;
                }
                Card::StormTold(told)
            }
        };
        let reply = Reply::text(self.sentences.say(&card));
        step.effects.push(Effect::Reply { request: presser.request, reply });
        Ok(())
    }

    fn release_storm(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        (by, back): (&Principal, &Back),
        rights: &Rights,
    ) -> Result<StormTold, Contradiction> {
        let told = |what| StormTold { what, ..StormTold::default() };
        let Some(storm) = self.memory.storms.now() else { return Ok(told("none")) };
        if let Some(released) = &storm.released {
            return Ok(StormTold { by: super::answer::name_of(&released.by).to_owned(), ..told("already") });
        }
        let (id, held) = (storm.id.clone(), storm.held());
        let actions = self.actions_of_rules();
        let lacking = actions.iter().find(|action| !rights.unconditionally(Verb::Run, action)).cloned();
        if let Some(action) = lacking {
            let needed = format!("run:{action}");
            self.deny(step, moment, (by, back), "storm go".to_owned(), Some(&action), needed)?;
            return Ok(StormTold { who: self.releasers(), ..told("not_yours") });
        }
        if actions.is_empty() {
            return Ok(told("no_rules"));
        }
        self.note(step, moment, Fact::StormReleased { storm: id, by: by.clone(), from: Some(back.clone()) })?;
        Ok(StormTold { held, ..told("released") })
    }

    /// Whether what waits to begin is a remedy for what broke in a storm, and no person has said yes to it.
    pub(super) fn waits_for_storm(&self, execution: Option<&Execution>, problem: &Problem) -> bool {
        self.storm_holds(problem) && execution.is_none_or(|execution| execution.approval.is_none())
    }
}

fn thread_of(storm: &Storm) -> (ChannelId, Thread) {
    (storm.posted.channel.clone(), Thread::Delivery { of: storm.posted.delivery.clone() })
}
