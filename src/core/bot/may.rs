//! `may LINE`, `may @user LINE`: whether somebody may do something, by the rule that decides it.
//!
//! Everybody may ask about themselves. **What they have no right to under any circumstances is answered as what is not there**; of a grant of
//! theirs that does not hold here, now or for these arguments it is said why. About others only those may ask who may do everything, and they
//! are told everything.

use super::authority::is_remote;
use super::hear::is_there;
use super::start::hosts_of;
use super::{Bot, Moment, Step};
use crate::core::access::arguments::Arguments;
use crate::core::access::explain::{self, Outcome};
use crate::core::access::{Asker, Place, Rights, Sight};
use crate::core::action::params;
use crate::core::action::plan;
use crate::core::alias::matcher::{Match, Selection};
use crate::core::alias::spec::Alias;
use crate::core::effect::{Answer, Effect};
use crate::core::id::ChannelId;
use crate::core::input::{Back, Identity, Principal, Purpose, Ticket};
use crate::core::memory::Contradiction;
use crate::core::message::card::{Card, MayCard, Numbered};
use crate::core::message::markdown;
use crate::core::message::verdict::SHOWN_LINE;
use crate::core::settings::Verb;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Whom it is asked about, and by whom.
pub(super) struct Question<'a> {
    /// The name to be said; empty when it is the one who asks.
    pub(super) who: String,
    pub(super) by: &'a Principal,
    /// What they may do there and then.
    pub(super) rights: &'a Rights,
    /// What the one who asks may do, where that is somebody else.
    pub(super) asker: Option<&'a Rights>,
    /// The names of the channel.
    pub(super) here: Vec<String>,
    pub(super) at: Timestamp,
}

impl Bot {
    /// Whether somebody may do what a line says.
    pub(super) fn may(&self, question: &Question<'_>, line: &str) -> Card {
        let everywhere = question.rights.everywhere();
        let eyes = self.eyes(question.asker.unwrap_or(&everywhere));
        let known = |alias: &Alias| eyes.may_use(Verb::View, alias);
        let hidden = self.without_secrets(line, Vec::new(), &known).0;
        let found = match self.catalog.select_among(line, &known) {
            Selection::One(found) => found,
            Selection::None | Selection::Undecided(_) => {
                return Card::NotUnderstood { line: hidden, suggestions: Vec::new(), alike: Vec::new() };
            }
            Selection::Ambiguous(found) => {
                let choices = found.iter().enumerate().map(|(place, found)| Numbered {
                    number: place + 1,
                    line: found.display.to_string(),
                    description: found.alias.description.clone(),
                });
                return Card::Ambiguous { line: hidden, choices: choices.collect(), pick: false };
            }
        };
        let hidden = crate::core::chat::secret::hide(line, self.secrets_in(&found));
        Card::May(self.explained(question, &everywhere, &found, &hidden))
    }

    fn explained(&self, question: &Question<'_>, everywhere: &Rights, found: &Match, line: &str) -> MayCard {
        let mut card = MayCard {
            line: markdown::code(&markdown::shorten(line, SHOWN_LINE)),
            who: question.who.clone(),
            allowed: false,
            action: found.alias.action.to_string(),
            roles: question.rights.roles.clone(),
            problem: String::new(),
            reasons: Vec::new(),
            channels: Vec::new(),
            guards: Vec::new(),
        };
        if !is_there(&found.alias, &question.here) {
            card.channels = found.alias.channels().unwrap_or_default().into_iter().map(str::to_owned).collect();
        }
        let Some(action) = self.catalog.actions.get(&found.alias.action) else { return card };
        let given = found.parameters.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        let given: BTreeMap<String, Value> = given.chain(super::authority::fixed_of(&found.alias)).collect();
        let resolved = match params::resolve_in(
            action,
            &given,
            &self.surroundings(question.at, action.reference.pack(), question.by),
        ) {
            Ok(resolved) => resolved,
            Err(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                card.problem = markdown::prose(&problems.join("; "));
                let (values, remote) = (Map::new(), is_remote(action));
                let arguments = Arguments { values: &values, hosts: &[], remote };
                let secrets = Default::default();
                card.reasons =
                    explain::reasons(question.rights, Verb::Run, action, &arguments, &secrets, &self.inventory);
                return card;
            }
        };
        card.guards = self.guarding(&action.reference, &resolved).map(|policy| policy.terms.policy.clone()).collect();
        let arguments = Arguments::of(action, &resolved.values);
        // Whoever asks about others sees all machines. Of their own everybody sees those that they could ever use.
        let sight = match question.asker {
            Some(_) => Sight::All,
            None => {
                let sight = everywhere.sight(Verb::Run, &action.reference, &arguments, &self.inventory);
                sight.unwrap_or_else(|| everywhere.widest_sight(Verb::Run, &action.reference))
            }
        };
        let planned = plan::plan(action, &resolved, &sight.of(&self.inventory)).map(|plan| hosts_of(&plan));
        let hosts = match planned {
            Ok(hosts) => hosts,
            Err(problem) => {
                card.problem = markdown::prose(&problem.to_string());
                Vec::new()
            }
        };
        let arguments = Arguments { hosts: &hosts, ..arguments };
        card.reasons =
            explain::reasons(question.rights, Verb::Run, action, &arguments, &resolved.secrets, &self.inventory);
        card.allowed = card.problem.is_empty()
            && card.channels.is_empty()
            && question.rights.may_with(Verb::Run, &action.reference, &arguments, &self.inventory);
        // Two grants may hold for some of the machines each, and for all of them together.
        if card.allowed && !card.reasons.iter().any(|reason| reason.outcome == Outcome::Holds) {
            for reason in card.reasons.iter_mut().filter(|reason| reason.outcome == Outcome::Argument) {
                if arguments.runs_on(&reason.argument) {
                    reason.outcome = Outcome::Holds;
                }
            }
        }
        card
    }

    /// Asks who somebody is, to tell what they may do.
    pub(super) fn ask_who(&mut self, step: &mut Step, user: &str, ticket: Ticket) {
        let names = self.settings.roles.iter().flat_map(|role| &role.channels);
        let channels: Vec<ChannelId> = names.filter_map(|name| self.directory.channels.get(name).cloned()).collect();
        let name = user.trim_start_matches('@').to_lowercase();
        step.effects.push(Effect::LookUpUser { name, channels, ticket: Box::new(ticket) });
    }

    /// It is known who somebody is.
    pub(super) fn user_looked_up(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        ticket: &Ticket,
        identity: Result<Option<Identity>, String>,
    ) -> Result<(), Contradiction> {
        let Purpose::May { line, here } = &ticket.purpose else { return Ok(()) };
        let identity = match identity {
            Ok(Some(identity)) => identity,
            Ok(None) => {
                let card = Card::NoUser { name: ticket.asked.trim_start_matches('@').to_owned() };
                return self.say(step, moment, &ticket.back, &card);
            }
            Err(why) => return self.say(step, moment, &ticket.back, &Card::LookUpFailed { why }),
        };
        let place = Place { here: here.clone(), at: moment.at, then: moment.at };
        let rights = self.rights(Asker::Chat(&identity), &place);
        let by = Principal::ChatUser { id: identity.id.clone(), name: identity.username.clone() };
        let question = Question {
            who: markdown::code(&identity.username),
            by: &by,
            rights: &rights,
            asker: Some(&ticket.rights),
            here: here.clone(),
            at: moment.at,
        };
        let card = self.may(&question, line);
        self.tell_may(step, moment, &ticket.back, &card)
    }

    /// Says it, over the control socket with all that a program may want of it.
    pub(super) fn tell_may(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        back: &Back,
        card: &Card,
    ) -> Result<(), Contradiction> {
        match (back, card) {
            (Back::Request { request }, Card::May(may)) => {
                let answer = Answer::May {
                    allowed: may.allowed,
                    action: may.action.clone(),
                    roles: may.roles.clone(),
                    reasons: may.reasons.clone(),
                    approvals: may.guards.clone(),
                    text: markdown::bare(&self.sentences.say(card)),
                };
                step.effects.push(Effect::Answer { request: *request, answer: Box::new(answer) });
                Ok(())
            }
            _ => self.say(step, moment, back, card),
        }
    }
}
