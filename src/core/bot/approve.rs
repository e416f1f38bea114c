//! Approvals: who is asked, who decides, and what becomes of it.
//!
//! The gate of `start` has an execution wait where policies want people to say yes first. They decide by a line, a button, an emoji or on
//! the command line; all of these end in [`Bot::decide`]. **A decision is a fact before anybody hears of it.** When enough have said yes, the
//! one who asked and those who said yes are looked up anew ([`Identifying::Beginning`]): whoever may not ask, or not decide, any more does not count.
//! Then what would run is compared with what stood on the card, and it begins.
//!
//! Deadlines are part of the request and looked at with every event, so that a request expires in time, also after a restart.

use super::answer::answer;
use super::approval_card::stands_in;
use super::hear::Speaker;
use super::start::{Declined, Gate, Hold, Prepared, Wish, hosts_of, same_person};
use super::{Bot, Moment, Step};
use crate::core::access::approvers::{Anybody, Deed, anybody, may_approve};
use crate::core::access::arguments::Arguments;
use crate::core::access::{Asker, Place, Rights};
use crate::core::action::execution::{EffectClass, Execution};
use crate::core::action::params::Resolved;
use crate::core::approval::request::{Event, Joined, Request, State, Unseat, Via, Voter};
use crate::core::approval::snapshot::{Change, Snapshot};
use crate::core::approval::{Decision, Policy, Terms, Verdict};
use crate::core::chat::code::Code;
use crate::core::effect::{Answer, Effect};
use crate::core::fact::Fact;
use crate::core::host::{expand, fold};
use crate::core::id::{ActionRef, ChannelId, ExecutionId, Host, RequestId, UserId};
use crate::core::input::{Back, Identifying, Identity, Principal};
use crate::core::memory::Contradiction;
use crate::core::message::card::{Card, Decided, Said};
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use crate::core::message::verdict::{SHOWN_LINE, shown_line};
use crate::core::settings::Verb;
use crate::core::template::render::render_in;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long it is waited before an execution that could begin and did not is tried again.
const AGAIN: SignedDuration = SignedDuration::from_secs(15);

/// Why what was asked for is not what would run.
#[derive(Debug)]
pub(super) enum Changed {
    /// The action is not there any more.
    Gone,
    /// It would be refused, with this sentence.
    Refused(String),
    /// It waited for its turn, and by now needs an approval.
    NeedsApproval,
    /// The one who asked may not run it any more.
    Requester,
    /// This.
    Since {
        /// What.
        change: Change,
        /// The hosts as they were.
        before: Vec<Host>,
        /// And as they are.
        now: Vec<Host>,
    },
}

/// A request that somebody speaks of.
enum Named {
    Waits(Box<Execution>),
    Over(Box<Request>),
}

impl Bot {
    /// What has to be said yes to before this is run.
    pub(super) fn wanted(&self, wish: &Wish, (resolved, _): &Prepared) -> Vec<Terms> {
        let wanted = self.guarding(&wish.action.reference, resolved).map(|policy| policy.terms.clone());
        wanted.filter(|terms| !self.is_covered(wish, terms)).collect()
    }

    /// The policies that want an approval for an action with these parameters.
    pub(super) fn guarding<'a>(
        &'a self,
        action: &ActionRef,
        resolved: &'a Resolved,
    ) -> impl Iterator<Item = &'a Policy> {
        // What cannot be told is asked about.
        let applies = |policy: &&Policy| match &policy.when {
            None => true,
            Some(when) => render_in(when, &resolved.values, &resolved.surroundings)
                .map_or(true, |rendered| says_yes(&rendered.output)),
        };
        let policies = self.catalog.approvals.get(action);
        policies.into_iter().flatten().map(Arc::as_ref).filter(applies)
    }

    /// Whether what a policy wants for a task was given for the workflow that it belongs to: by the same people, on no easier terms. That a target
    /// is named is asked for each time.
    fn is_covered(&self, wish: &Wish, terms: &Terms) -> bool {
        let covers = |given: &Terms| {
            given.approvers == terms.approvers
                && given.quorum >= terms.quorum
                && (terms.allow_requester || !given.allow_requester)
                && (given.reason_required || !terms.reason_required)
                && !terms.confirm_target
        };
        let mut parent = wish.parent.as_ref();
        while let Some(workflow) = parent.and_then(|parent| self.memory.executions.get(&parent.workflow)) {
            let begun = workflow.approval.as_ref().filter(|request| request.state == State::Begun);
            if begun.is_some_and(|request| request.terms.iter().any(covers)) {
                return true;
            }
            parent = workflow.request.parent.as_ref();
        }
        false
    }

    /// Whether the one word behind a yes names some of the machines and not all: a yes to these would be one to the others as well.
    fn names_a_part(&self, execution: &Execution, word: &str) -> bool {
        let hosts: BTreeSet<&Host> = execution.request.hosts.iter().collect();
        if hosts.len() < 2 || word.contains(char::is_whitespace) {
            return false;
        }
        if let Ok(count) = word.parse::<usize>() {
            return count != hosts.len();
        }
        let Ok(named) = expand(word, &self.inventory) else { return false };
        let named: BTreeSet<&Host> = named.iter().map(|machine| &machine.host).collect();
        !named.is_disjoint(&hosts) && named != hosts
    }

    /// Whether an execution has to wait for people to say yes.
    pub(super) fn approval_gate(&self, moment: &mut Moment, wish: &Wish, prepared: &Prepared) -> Gate {
        let terms = self.wanted(wish, prepared);
        if terms.is_empty() {
            return Gate::Open;
        }
        let refused = |card| Gate::Refused(Box::new(Declined { card, offered: Vec::new() }));
        let now = Snapshot::of(&wish.action, &prepared.0, &prepared.1, &terms, self.master_key.as_ref());
        let line = shown(wish);
        let open: Vec<(&Execution, &Request)> = self.open_requests().collect();
        let same = open.iter().find(|(execution, _)| {
            execution.request.action == wish.action.reference
                && self
                    .memory
                    .waiting
                    .get(&execution.request.id)
                    .is_some_and(|known| known.snapshot.change(&now).is_none())
        });
        if let Some((execution, _)) = same {
            return Gate::Joined(execution.request.id.clone());
        }
        let most = self.settings.limits.approvals_per_user;
        if open.iter().filter(|(execution, _)| same_person(&execution.request.by, &wish.by)).count() >= most {
            return refused(Card::TooManyRequests { line, most });
        }
        let (values, hosts) = (prepared.0.masked(), hosts_of(&prepared.1));
        let arguments = Arguments { hosts: &hosts, ..Arguments::of(&wish.action, &values) };
        let deed = Deed { action: &wish.action.reference, arguments };
        for terms in &terms {
            if let Some(there) = self.too_few(moment.at, terms, &wish.by, deed) {
                let who = self.sentences.phrase(&Phrase::Deciders(&terms.approvers));
                let policy = terms.policy.clone();
                return refused(Card::NobodyDecides { line, policy, who, there, quorum: terms.quorum });
            }
        }
        let Some(place) = self.card_channel(&wish.back) else { return refused(Card::CannotAsk { line, turn: false }) };
        let shortest = terms.iter().map(|terms| terms.expires).min().unwrap_or_default();
        let stands = SignedDuration::from_secs(i64::try_from(shortest).unwrap_or(i64::MAX));
        Gate::Waits(Hold::Approval(Box::new(Request {
            code: self.new_code(moment).to_string(),
            terms,
            state: State::Pending,
            revision: 1,
            votes: BTreeMap::new(),
            asked: moment.at,
            until: moment.at.saturating_add(stands).unwrap_or(Timestamp::MAX),
            place: Some(place),
            zone: wish.zone.clone(),
            reminded: false,
            joined: Vec::new(),
            ended_by: None,
            why: String::new(),
            lost: None,
            taken_back: BTreeMap::new(),
        })))
    }

    /// The channel where those see it who may decide: where it was asked for, if others read there.
    fn card_channel(&self, back: &Back) -> Option<ChannelId> {
        if let Some((channel, _)) = back.place()
            && self.hears(channel)
        {
            return Some(channel.clone());
        }
        let first = || self.settings.channels.iter().find_map(|name| self.directory.channels.get(name)).cloned();
        self.admin_channel().or_else(first)
    }

    /// How many could decide, where these are too few.
    fn too_few(&self, at: Timestamp, terms: &Terms, by: &Principal, deed: Deed<'_>) -> Option<usize> {
        // Before the names are known nobody is.
        if self.tied.channels.is_empty() && self.tied.users.is_empty() {
            return None;
        }
        let requester = match by {
            Principal::ChatUser { id, .. } if !terms.allow_requester => Some(id),
            Principal::ChatUser { .. } | Principal::LocalUser { .. } | Principal::Rule { .. } => None,
        };
        let but: Vec<&UserId> = self.me().map(|(me, _)| me).into_iter().chain(requester).collect();
        match anybody(&terms.approvers, deed, self.known(), at, &but) {
            Anybody::Nobody => Some(0),
            Anybody::Known { users, perhaps } => (!perhaps && users.len() < terms.quorum).then_some(users.len()),
        }
    }

    /// The places of the terms on which somebody may decide, whoever asked.
    pub(super) fn counts(
        &self,
        voter: &Identity,
        rights: &Rights,
        terms: &[Terms],
        execution: &Execution,
    ) -> Vec<usize> {
        let deed = Deed { action: &execution.request.action, arguments: Arguments::of_execution(execution) };
        let decides = |terms: &Terms| may_approve(voter, rights, &terms.approvers, deed, self.known());
        terms.iter().enumerate().filter(|(_, terms)| decides(terms)).map(|(place, _)| place).collect()
    }

    /// Where a decision is made, as grants name it.
    pub(super) fn place_of_vote(&self, execution: &Execution, via: &Via, at: Timestamp) -> Place {
        let card = || stands_in(execution).map(|(channel, _)| channel);
        let channel = match via {
            Via::Line { channel, .. } => Some(channel),
            Via::Button | Via::Reaction => card(),
            Via::CommandLine { .. } => None,
        };
        channel.map_or_else(|| Place::outside(at), |channel| self.place(channel, !self.hears(channel), at))
    }

    /// The requests that are being decided about, or that have been and whose execution has not begun.
    pub(super) fn open_requests(&self) -> impl Iterator<Item = (&Execution, &Request)> {
        let open =
            |execution: &'_ &Execution| execution.approval.as_ref().is_some_and(|request| !request.state.is_final());
        let both = |execution| -> Option<(&Execution, &Request)> {
            let execution: &Execution = execution;
            Some((execution, execution.approval.as_deref()?))
        };
        self.memory.executions.values().filter(open).filter_map(both)
    }

    fn named(&self, of: &str) -> Option<Named> {
        let is = |id: &ExecutionId, request: &Request| request.code == of || id.as_str() == of;
        let known = self.memory.executions.values().find_map(|execution| {
            let request = execution.approval.as_deref()?;
            is(&execution.request.id, request).then_some((execution, request))
        });
        if let Some((execution, request)) = known {
            return Some(match request.state.is_final() {
                true => Named::Over(Box::new(request.clone())),
                false => Named::Waits(Box::new(execution.clone())),
            });
        }
        let over = self.memory.decided.iter().rev().find(|(id, request)| is(id, request));
        over.map(|(_, request)| Named::Over(request.clone()))
    }

    /// Somebody decides. Gives what they are told.
    pub(super) fn decide(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        voter: &Identity,
        rights: &Rights,
        decision: Decision,
    ) -> Result<Card, Contradiction> {
        let Some(named) = self.named(&decision.of) else {
            return Ok(Card::Decided(Decided { request: decision.of, ..Decided::new(Said::Unknown) }));
        };
        let execution = match named {
            Named::Waits(execution) => execution,
            Named::Over(request) => return Ok(Card::Decided(self.over(&request))),
        };
        let Some(request) = execution.approval.as_deref() else {
            return Ok(Card::Decided(Decided { request: decision.of, ..Decided::new(Said::Unknown) }));
        };
        let id = execution.request.id.clone();
        let told = |said| Decided { request: request.code.clone(), line: shown_line(&execution), ..Decided::new(said) };
        let asked = matches!(&execution.request.by, Principal::ChatUser { id, .. } if *id == voter.id);
        let all = self.counts(voter, rights, &request.terms, &execution);
        let principal = Principal::ChatUser { id: voter.id.clone(), name: voter.username.clone() };
        // Who may neither decide nor look learns nothing.
        if all.is_empty() && !asked && !rights.may_with_execution(Verb::View, &execution, &self.inventory) {
            return Ok(Card::Decided(Decided { request: decision.of, ..Decided::new(Said::Unknown) }));
        }
        let withdraws = decision.verdict == Verdict::Withdraw || (asked && decision.verdict == Verdict::Deny);
        if withdraws {
            if !asked && !rights.may_with_execution(Verb::Run, &execution, &self.inventory) {
                let who = super::answer::name_of(&execution.request.by).to_owned();
                return Ok(Card::Decided(Decided { by: who, ..told(Said::NotTheirs) }));
            }
            self.close(step, moment, &id, Event::Withdrawn { by: principal })?;
            return Ok(Card::Decided(told(Said::Withdrawn)));
        }
        if request.state != State::Pending {
            return Ok(Card::Decided(self.over(request)));
        }
        let by = Voter { id: voter.id.clone(), name: voter.username.clone() };
        let voted = request.votes.contains_key(&voter.id);
        let counts: Vec<usize> =
            all.iter().copied().filter(|place| !asked || request.terms[*place].allow_requester).collect();
        let concerned = || counts.iter().map(|place| &request.terms[*place]);
        match decision.verdict {
            Verdict::Revoke if !voted => Ok(Card::Decided(told(Said::NoVote))),
            Verdict::Revoke => {
                self.hear_event(step, moment, &id, Event::Revoked { by })?;
                self.show_changed(step, moment, &id)?;
                Ok(Card::Decided(told(Said::Revoked)))
            }
            _ if all.is_empty() => {
                let who = request.terms.iter().map(|terms| self.sentences.phrase(&Phrase::Deciders(&terms.approvers)));
                let who: BTreeSet<String> = who.collect();
                let who = who.into_iter().collect::<Vec<_>>().join("; ");
                Ok(Card::Decided(Decided { who, ..told(Said::MayNot) }))
            }
            _ if counts.is_empty() => Ok(Card::Decided(told(Said::OwnRequest))),
            // An emoji cannot say why.
            Verdict::Deny if decision.words.trim().is_empty() && decision.via != Via::Reaction => {
                Ok(Card::Decided(told(Said::DenyWhy)))
            }
            Verdict::Deny => {
                let reason = one_line(&decision.words);
                self.close(step, moment, &id, Event::Denied { by, reason, via: decision.via })?;
                Ok(Card::Decided(told(Said::Denied)))
            }
            _ if voted => Ok(Card::Decided(told(Said::Voted))),
            Verdict::Approve | Verdict::Withdraw => {
                let target = concerned().any(|terms| terms.confirm_target).then(|| Target::of(&execution));
                let written = matches!(decision.via, Via::Line { .. } | Via::CommandLine { .. });
                if target.is_none() && written && self.names_a_part(&execution, decision.words.trim()) {
                    let target = Target::of(&execution).word();
                    return Ok(Card::Decided(Decided { target, ..told(Said::OtherTarget) }));
                }
                let (given, reason) = match &target {
                    None => (None, decision.words.trim()),
                    Some(_) => match decision.words.trim().split_once(char::is_whitespace) {
                        Some((first, rest)) => (Some(first), rest.trim()),
                        None => (Some(decision.words.trim()), ""),
                    },
                };
                if let Some(target) = &target {
                    let given = given.unwrap_or_default();
                    if !target.is(given) {
                        let said = if given.is_empty() { Said::Target } else { Said::OtherTarget };
                        return Ok(Card::Decided(Decided { target: target.word(), ..told(said) }));
                    }
                }
                if reason.is_empty() && concerned().any(|terms| terms.reason_required) {
                    let target = target.map_or("", |target| target.word());
                    return Ok(Card::Decided(Decided { target, ..told(Said::Why) }));
                }
                let reason = one_line(reason);
                self.hear_event(step, moment, &id, Event::Approved { by, reason, counts, via: decision.via })?;
                let request = self.memory.executions.get(&id).and_then(|known| known.approval.clone());
                let enough = request.as_ref().is_some_and(|request| request.state == State::Approved);
                let lacking = request.map(|request| lacking(&request)).unwrap_or_default();
                self.tried.remove(&id);
                self.show_changed(step, moment, &id)?;
                let frozen =
                    if execution.request.effect == EffectClass::ReadOnly { String::new() } else { self.frozen_why() };
                Ok(Card::Decided(match enough {
                    true => Decided { frozen, ..told(Said::Approved) },
                    false => Decided { lacking, ..told(Said::Counted) },
                }))
            }
        }
    }

    /// Somebody decides by a line.
    pub(super) fn decide_by_line(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        speaker: &Speaker<'_>,
        of: String,
        verdict: Verdict,
        words: String,
    ) -> Result<(), Contradiction> {
        let Back::Chat { channel, post, .. } = &speaker.back else { return Ok(()) };
        let via = Via::Line { channel: channel.clone(), post: post.clone() };
        let (identity, rights) = (speaker.identity, speaker.rights.clone());
        let card = self.decide(step, moment, identity, &rights, Decision { of, verdict, words, via })?;
        if let Card::Decided(decided) = &card
            && !decided.said.is_taken()
        {
            self.not_done(step, speaker, "question");
        }
        self.say(step, moment, &speaker.back, &card)
    }

    /// A user of the bot's machine decides, as the chat user that they stand for: who that is now is found out first.
    pub(super) fn decide_by_command(
        &mut self,
        step: &mut Step,
        request: RequestId,
        from: &Principal,
        (of, verdict, words): (String, Verdict, String),
    ) {
        let Principal::LocalUser { name, .. } = from else { return };
        let chat_user = self.settings.chat_users.get(name);
        let user = chat_user.and_then(|name| self.tied.users.get(name)).cloned();
        let Some(user) = user.filter(|_| self.me().is_some()) else {
            let chat_user = chat_user.cloned().unwrap_or_default();
            let connected = self.me().is_some();
            let text = self.sentences.phrase(&Phrase::NoVoter { name, chat_user: &chat_user, connected });
            return answer(step, request, Answer::Refused { text });
        };
        let of = Code::read(&of).map_or(of, |code| code.to_string());
        let decision = Decision { of, verdict, words, via: Via::CommandLine { user: name.clone() } };
        let of = Identifying::Deciding { request, decision: Box::new(decision) };
        step.effects.push(Effect::Identify { of, users: vec![user], channels: self.role_channels() });
    }

    /// It is known who the chat user is that decides on the command line.
    pub(super) fn decided_by_command(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        request: RequestId,
        voter: Option<&Identity>,
        decision: Decision,
    ) -> Result<(), Contradiction> {
        let Some(voter) = voter else {
            let Via::CommandLine { user } = &decision.via else { return Ok(()) };
            let text = self.sentences.phrase(&Phrase::NoVoter { name: user, chat_user: "", connected: false });
            answer(step, request, Answer::Failed { text });
            return Ok(());
        };
        let rights = self.rights(Asker::Chat(voter), &Place::outside(moment.at));
        let card = self.decide(step, moment, voter, &rights, decision)?;
        let text = markdown::bare(&self.sentences.say(&card));
        let taken = matches!(&card, Card::Decided(decided) if decided.said.is_taken());
        answer(step, request, if taken { Answer::Done { text } } else { Answer::Refused { text } });
        Ok(())
    }

    /// What is told of a request that is decided.
    fn over(&self, request: &Request) -> Decided {
        let by = match request.state {
            State::Approved | State::Begun => request.voters().join(", "),
            _ => request.ended_by.as_ref().map(|by| super::answer::name_of(by).to_owned()).unwrap_or_default(),
        };
        let state = request.state.word();
        Decided { request: request.code.clone(), state, by, why: request.why.clone(), ..Decided::new(Said::Over) }
    }

    /// Notes what happened to the request of an execution.
    pub(super) fn hear_event(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        event: Event,
    ) -> Result<(), Contradiction> {
        let known = self.memory.executions.get(id).and_then(|execution| execution.approval.as_ref());
        let Some(revision) = known.map(|request| request.revision) else { return Ok(()) };
        self.note(step, moment, Fact::Approval { id: id.clone(), revision, event })
    }

    /// Ends a request and its execution, which never began.
    pub(super) fn close(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        event: Event,
    ) -> Result<(), Contradiction> {
        self.hear_event(step, moment, id, event)?;
        self.end_unbegun(step, moment, id, None)
    }

    /// What was asked for is not what would run: it does not run.
    pub(super) fn void(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        changed: &Changed,
    ) -> Result<(), Contradiction> {
        let why = self.changed(changed);
        self.give_up(step, moment, id, why)
    }

    /// Ends an execution that has not begun, for this reason.
    pub(super) fn give_up(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        why: String,
    ) -> Result<(), Contradiction> {
        let Some(execution) = self.memory.executions.get(id) else { return Ok(()) };
        match &execution.approval {
            Some(_) => self.close(step, moment, id, Event::Void { why }),
            None => self.end_unbegun(step, moment, id, Some(why)),
        }
    }

    fn changed(&self, changed: &Changed) -> String {
        let phrase = |what, names: &str, before: &str, now: &str| {
            self.sentences.phrase(&Phrase::Changed { what, names, before, now })
        };
        match changed {
            Changed::Gone => phrase("gone", "", "", ""),
            Changed::Refused(why) => phrase("refused", why, "", ""),
            Changed::NeedsApproval => phrase("needs_approval", "", "", ""),
            Changed::Requester => phrase("requester", "", "", ""),
            Changed::Since { change, before, now } => match change {
                Change::Content => phrase("content", "", "", ""),
                Change::Parameters(names) => phrase("parameters", &names.join(", "), "", ""),
                Change::Hosts => phrase("hosts", "", &fold(before), &fold(now)),
                Change::Terms => phrase("terms", "", "", ""),
                Change::Work => phrase("work", "", "", ""),
            },
        }
    }

    /// Somebody asks for what is asked for already.
    pub(super) fn join(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        wish: &Wish,
        id: &ExecutionId,
    ) -> Result<(), Contradiction> {
        let joined = Joined { by: wish.by.clone(), back: wish.back.clone() };
        let Some(execution) = self.memory.executions.get(id).cloned() else { return Ok(()) };
        let Some(request) = execution.approval.as_deref() else { return Ok(()) };
        let same = same_person(&execution.request.by, &wish.by);
        let known = request.joined.iter().any(|known| same_person(&known.by, &wish.by));
        if !same && !known {
            self.hear_event(step, moment, id, Event::Joined { joined })?;
        }
        if let Back::Chat { .. } = &wish.back {
            let card = Card::AskedAlready {
                line: shown(wish),
                request: request.code.clone(),
                who: if same { String::new() } else { super::answer::name_of(&execution.request.by).to_owned() },
                id: id.short().to_owned(),
            };
            self.say(step, moment, &wish.back, &card)?;
        }
        Ok(())
    }

    /// Why a wish with a secret in it cannot wait.
    pub(super) fn cannot_wait(&self, wish: &Wish, secrets: &BTreeSet<String>, why: &str) -> Box<Declined> {
        let names = wish.given.keys().filter(|name| secrets.contains(*name)).cloned().collect();
        let card = Card::SecretCannotWait { line: shown(wish), names, why: why.to_owned() };
        Box::new(Declined { card, offered: Vec::new() })
    }

    /// Looks after what waits: what is over expires, what is half over is called to mind, what can begin is pursued.
    pub(super) fn look_after_waiting(&mut self, step: &mut Step, moment: &mut Moment) -> Result<(), Contradiction> {
        let waiting: Vec<ExecutionId> = self.memory.waiting.keys().cloned().collect();
        self.tried.retain(|id, _| self.memory.waiting.contains_key(id));
        for id in waiting {
            let Some(execution) = self.memory.executions.get(&id) else { continue };
            let request = execution.approval.as_deref();
            match request.map(|request| request.state) {
                Some(_) if request.is_some_and(|request| request.until <= moment.at) => {
                    self.close(step, moment, &id, Event::Expired)?;
                }
                Some(State::Pending) => {
                    let half = request.is_some_and(|request| !request.reminded && request.half() <= moment.at);
                    if half && self.me().is_some() {
                        self.remind(step, moment, &id)?;
                    }
                }
                Some(State::Approved) | None => self.pursue(step, moment, &id)?,
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// When it is looked after what waits next.
    pub(super) fn next_look_after_waiting(&self) -> Option<Timestamp> {
        let next = |id: &ExecutionId| {
            let execution = self.memory.executions.get(id)?;
            let request = execution.approval.as_deref();
            let until = request.map(|request| request.until);
            let pending = request.is_some_and(|request| request.state == State::Pending);
            let half = request.filter(|request| pending && !request.reminded && self.me().is_some());
            let half = half.map(Request::half);
            let again = (!pending && self.can_try(execution) && self.turn_may_have_come(id))
                .then(|| self.tried.get(id).copied().unwrap_or(execution.started));
            [until, half, again].into_iter().flatten().min()
        };
        self.memory.waiting.keys().filter_map(next).min()
    }

    /// Whether it makes sense to find out if it may begin.
    fn can_try(&self, execution: &Execution) -> bool {
        let frozen = self.memory.frozen.is_some() && execution.request.effect != EffectClass::ReadOnly;
        // Who asks on the bot's own machine is looked up nowhere, and neither is a rule.
        let outside = execution.approval.is_none() && !matches!(execution.request.by, Principal::ChatUser { .. });
        !frozen && !self.stopping && (outside || self.knows_the_chat())
    }

    /// Finds out whether those still count on whose word an execution may begin.
    pub(super) fn pursue(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        id: &ExecutionId,
    ) -> Result<(), Contradiction> {
        let Some(execution) = self.memory.executions.get(id) else { return Ok(()) };
        let early = self.tried.get(id).is_some_and(|again| *again > moment.at);
        if early || !self.can_try(execution) || !self.turn_may_have_come(id) {
            return Ok(());
        }
        let asked = match &execution.request.by {
            Principal::ChatUser { id, .. } => Some(id.clone()),
            Principal::LocalUser { .. } | Principal::Rule { .. } => None,
        };
        let voters = execution.approval.iter().flat_map(|request| request.votes.keys().cloned());
        let users: BTreeSet<UserId> = asked.into_iter().chain(voters).collect();
        self.tried.insert(id.clone(), moment.at.saturating_add(AGAIN).unwrap_or(Timestamp::MAX));
        if users.is_empty() {
            return self.counted(step, moment, id, &[]);
        }
        step.effects.push(Effect::Identify {
            of: Identifying::Beginning(id.clone()),
            users: users.into_iter().collect(),
            channels: self.role_channels(),
        });
        Ok(())
    }

    /// It is known who those are by now on whose word an execution may begin.
    pub(super) fn counted(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        id: &ExecutionId,
        people: &[Identity],
    ) -> Result<(), Contradiction> {
        let Some(execution) = self.memory.executions.get(id).cloned() else { return Ok(()) };
        if !execution.status.waits() || self.stopping {
            return Ok(());
        }
        let action = &execution.request.action;
        let place = self.place_of_asking(&execution.request, moment.at);
        let rights = match &execution.request.by {
            Principal::ChatUser { id, .. } => {
                let identity = people.iter().find(|identity| identity.id == *id);
                identity.map(|identity| self.rights(Asker::Chat(identity), &place))
            }
            Principal::LocalUser { uid, name } => Some(self.rights(Asker::Local { uid: *uid, name }, &place)),
            Principal::Rule { rule, .. } => Some(self.rights(Asker::Rule { name: rule }, &place)),
        };
        let Some(rights) = rights.filter(|rights| rights.may(Verb::Run, action)) else {
            return self.void(step, moment, id, &Changed::Requester);
        };
        if let Some(request) = &execution.approval {
            if request.state != State::Approved {
                return Ok(());
            }
            let mut lost = Vec::new();
            for (user, vote) in &request.votes {
                let identity = people.iter().find(|identity| identity.id == *user);
                let account = identity.is_some_and(|identity| identity.active && !identity.is_bot);
                // They have to be who they were, and to have been allowed to say so where and when they said it.
                let place = Place { then: vote.at, ..self.place_of_vote(&execution, &vote.via, moment.at) };
                let counts = identity.map(|identity| {
                    let rights = self.rights(Asker::Chat(identity), &place);
                    self.counts(identity, &rights, &request.terms, &execution)
                });
                let counts = counts.unwrap_or_default();
                if !account {
                    lost.push((user.clone(), Unseat::Account));
                } else if !vote.counts.iter().all(|place| counts.contains(place)) {
                    lost.push((user.clone(), Unseat::Right));
                }
            }
            for (voter, why) in lost {
                self.hear_event(step, moment, id, Event::Unseated { voter, why })?;
            }
            let now = self.memory.executions.get(id).and_then(|execution| execution.approval.as_deref());
            let (now, lost) = (now.map(|request| request.state), now.and_then(|request| request.lost.clone()));
            if now != Some(State::Approved) {
                self.show_changed(step, moment, id)?;
                return self.tell_lost(step, moment, id, lost.as_ref());
            }
        }
        self.resume(step, moment, id, rights)
    }

    /// Stops what has not begun.
    pub(super) fn withdraw(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        by: Principal,
        from: Option<Back>,
    ) -> Result<(), Contradiction> {
        let approval = self.memory.executions.get(id).and_then(|execution| execution.approval.as_ref());
        if approval.is_some_and(|request| !request.state.is_final()) {
            self.hear_event(step, moment, id, Event::Withdrawn { by: by.clone() })?;
        }
        self.note(step, moment, Fact::CancelAsked { id: id.clone(), by, from })?;
        self.end_unbegun(step, moment, id, None)
    }
}

/// What has to be named before somebody says yes.
enum Target<'a> {
    Host(&'a Host),
    Count(usize),
    Action(&'a ActionRef),
}

impl<'a> Target<'a> {
    fn of(execution: &'a Execution) -> Self {
        match execution.request.hosts.as_slice() {
            [] => Target::Action(&execution.request.action),
            [host] => Target::Host(host),
            hosts => Target::Count(hosts.len()),
        }
    }

    fn is(&self, given: &str) -> bool {
        match self {
            Target::Host(host) => given == host.as_str(),
            Target::Count(count) => given.parse() == Ok(*count),
            Target::Action(action) => given == action.as_str(),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Target::Host(_) => "host",
            Target::Count(_) => "count",
            Target::Action(_) => "action",
        }
    }
}

/// What has to be named before somebody says yes to an execution, as templates ask for it; empty when nothing has.
pub(super) fn target(execution: &Execution) -> &'static str {
    let wanted =
        execution.approval.as_ref().is_some_and(|request| request.terms.iter().any(|terms| terms.confirm_target));
    if wanted { Target::of(execution).word() } else { "" }
}

/// How many more have to say yes.
fn lacking(request: &Request) -> usize {
    let of = |(place, terms): (usize, &Terms)| terms.quorum.saturating_sub(request.votes_for(place));
    request.terms.iter().enumerate().map(of).max().unwrap_or_default()
}

/// Whether a condition that was rendered holds.
fn says_yes(rendered: &str) -> bool {
    let word = rendered.trim().to_ascii_lowercase();
    !matches!(word.as_str(), "" | "false" | "no" | "off" | "0" | "0.0" | "none" | "null" | "[]" | "{}")
}

/// A line that a wish came from, or its action, as inline code.
fn shown(wish: &Wish) -> String {
    let line = if wish.line.is_empty() { wish.action.reference.as_str() } else { &wish.line };
    markdown::code(&markdown::shorten(line, SHOWN_LINE))
}

/// A reason as it is kept.
fn one_line(words: &str) -> String {
    const LONGEST: usize = 500;
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    markdown::shorten(&words, LONGEST)
}
