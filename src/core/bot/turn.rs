//! Whose turn it is: the gate behind that of the approvals, and what is said of those who wait there.
//!
//! [`crate::core::policy::turn`] knows who is in whose way; it follows the facts ([`Bot::follow_turns`]) and is made anew of the memory at a start. What has to wait
//! is `delayed`, has its id and its card, and **begins in the step in which the last one that was in its way has ended**: at the end of each step
//! those begin whose turn has come ([`Bot::take_turns`]). Only where somebody's word has to be looked up first, an approval's or that of one
//! whose rights may have changed, it takes a moment longer, and nobody passes meanwhile.
//!
//! - **What is held back keeps its place**: frozen, a full disk, a bot that is being stopped, as many executions under way as there may be.
//! - **Nothing asked for on the bot's own machine waits without a way to the chat server**: it is refused.
//! - **A wait is bounded** (`limits.longest_wait`) by a moment that is stored, and so is the delay before another try.
//! - **The card says for whom it waits** and is edited when that changes; such an edit may be lost, since the next one says all again.

use super::start::{Declined, Gate, Hold, Prepared, Wish, same_person};
use super::{Bot, Moment, Step};
use crate::core::access::Rights;
use crate::core::action::execution::{EffectClass, Execution, Status};
use crate::core::action::params::Resolved;
use crate::core::action::spec::{Action, RunnerType};
use crate::core::action::waiting::Turn;
use crate::core::effect::Effect;
use crate::core::fact::Fact;
use crate::core::id::{ActionRef, ChannelId, ExecutionId, Host};
use crate::core::input::{Back, Principal};
use crate::core::memory::{Contradiction, Memory, card_of};
use crate::core::message::card::Card;
use crate::core::message::markdown::{self, shorten};
use crate::core::message::phrase::Phrase;
use crate::core::message::span::span;
use crate::core::message::turn::{Awaits, DelayedRow, PolicyLine, PolicyRow, Way};
use crate::core::message::verdict::{SHOWN_LINE, shown_hosts, shown_line, shown_names};
use crate::core::policy::Excess;
use crate::core::policy::claim;
use crate::core::policy::turn::{Claim, InTheWay, Place, Turns};
use crate::core::settings::Verb;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How many of those that are in the way a card names.
const NAMED: usize = 3;
/// How many of the actions that a policy covers are named.
const NAMED_ACTIONS: usize = 5;
/// For how long what somebody may do counts as it was when they asked.
const FRESH: SignedDuration = SignedDuration::from_mins(1);
/// A card that says for whom it waits is edited at most this often.
const SHORTEST_REFRESH: SignedDuration = SignedDuration::from_secs(2);

/// What is known beside the memory of those who wait for their turn. Made anew of the memory at a start.
#[derive(Debug, Default)]
pub(super) struct Queue {
    turns: Turns,
    /// Those whose card may not say any more for whom they wait.
    touched: BTreeSet<ExecutionId>,
    /// What the card of each said last, and when.
    said: BTreeMap<ExecutionId, (Timestamp, Awaits)>,
    /// Those whose rights may have changed since they asked.
    doubtful: BTreeSet<ExecutionId>,
    /// What those who asked might do when they did; looked up anew once that is a while ago, or where it is not known.
    rights: BTreeMap<ExecutionId, (Timestamp, Rights)>,
    /// The process has started, and content is there.
    begun: bool,
}

impl Queue {
    /// The queue as of a memory.
    pub(super) fn of(memory: &Memory) -> Self {
        let mut turns = Turns::default();
        for execution in memory.under_way() {
            let id = &execution.request.id;
            turns.enter(id.clone(), execution.request.claim());
            turns.begin(id);
        }
        for (id, doubt) in &memory.doubts {
            turns.doubt(id, &doubt.hosts);
        }
        for id in &memory.turns {
            let Some(execution) = memory.executions.get(id) else { continue };
            turns.enter(id.clone(), execution.request.claim());
        }
        let waiting: BTreeSet<ExecutionId> = memory.waiting.keys().cloned().collect();
        Self { turns, touched: waiting.clone(), doubtful: waiting, ..Self::default() }
    }
}

impl Bot {
    /// Has the queue follow a fact that has just been remembered.
    pub(super) fn follow_turns(&mut self, fact: &Fact) {
        match fact {
            Fact::ExecutionWaits(waits) if waits.waiting.turn.as_ref().is_some_and(Turn::is_due) => {
                self.queue.turns.enter(waits.request.id.clone(), waits.request.claim());
            }
            Fact::TurnAwaited { id, turn } if turn.is_due() && !self.queue.turns.holds(id) => {
                let Some(execution) = self.memory.executions.get(id) else { return };
                self.queue.turns.enter(id.clone(), execution.request.claim());
                self.queue.touched.insert(id.clone());
            }
            Fact::ExecutionStarted(request) => {
                if !self.queue.turns.holds(&request.id) {
                    self.queue.turns.enter(request.id.clone(), request.claim());
                }
                self.queue.turns.begin(&request.id);
                self.touch_behind(&request.id);
            }
            Fact::ExecutionFinished { id, .. } | Fact::Judged { id, .. } => {
                self.touch_behind(id);
                match self.memory.doubts.get(id) {
                    Some(doubt) => self.queue.turns.doubt(id, &doubt.hosts),
                    None => self.queue.turns.leave(id),
                }
                self.queue.said.remove(id);
                self.queue.doubtful.remove(id);
                self.queue.rights.remove(id);
            }
            // A yes does not count any more: whoever waits for an approval is in nobody's way.
            Fact::Approval { id, .. } if self.queue.turns.holds(id) => {
                let waits = |execution: &Execution| execution.status == Status::Requested;
                if self.memory.executions.get(id).is_some_and(waits) {
                    self.touch_behind(id);
                    self.queue.turns.leave(id);
                }
            }
            _ => {}
        }
    }

    /// Keeps what the one may do who has just asked for what has to wait.
    pub(super) fn keep_rights(&mut self, id: &ExecutionId, at: Timestamp, rights: Rights) {
        self.queue.rights.insert(id.clone(), (at, rights));
    }

    fn touch_behind(&mut self, id: &ExecutionId) {
        if !self.memory.waiting.is_empty() {
            self.queue.touched.extend(self.queue.turns.behind(id));
        }
    }

    /// The process has started: what waits may begin from now on.
    pub(super) fn open_turns(&mut self) {
        self.queue.begun = true;
    }

    /// Rights may have changed: of those who wait it is looked up once more who they are.
    pub(super) fn doubt_rights(&mut self) {
        self.queue.doubtful.extend(self.memory.waiting.keys().cloned());
    }

    /// Whether an execution may begin beside those under way, with this for itself.
    pub(super) fn turn_gate(&self, at: Timestamp, id: &ExecutionId, wish: &Wish, claim: &Claim) -> Gate {
        let turns = &self.queue.turns;
        if turns.holds(id) {
            let turn = self.memory.waiting.get(id).and_then(|waiting| waiting.turn.clone());
            return match turn.filter(|_| !turns.may_begin(id)) {
                Some(turn) => Gate::Waits(Hold::Turn(turn)),
                None => Gate::Open,
            };
        }
        let line = markdown::code(&shorten(
            if wish.line.is_empty() { wish.action.reference.as_str() } else { &wish.line },
            SHOWN_LINE,
        ));
        let refused = |card| Gate::Refused(Box::new(Declined { card, offered: Vec::new() }));
        let full =
            |place: &&Place| turns.taken(place) >= place.threshold && self.cancels(&wish.action.reference, place);
        if let Some(place) = claim.places.iter().find(full) {
            let running = turns.holders(place, NAMED).into_iter();
            let alone = |first| InTheWay { first, hosts: Vec::new(), policy: None, doubt: false, more: 0 };
            let running = running.map(|first| self.way(&alone(first), channel_of(&wish.back)));
            return refused(Card::NoPlace {
                line,
                policy: place.policy.clone(),
                threshold: place.threshold,
                running: running.collect(),
            });
        }
        if turns.is_free(claim, wish.settles.as_ref()) {
            return Gate::Open;
        }
        // A command that is its own bot for a moment would hold the store for as long as it waits: for people who cannot be heard meanwhile.
        if self.me().is_none() && !matches!(wish.by, Principal::ChatUser { .. }) {
            return refused(Card::CannotAsk { line, turn: true });
        }
        if let Some((most, yours)) = self.too_many_wait(wish) {
            return refused(Card::TooManyWait { line, most, yours });
        }
        Gate::Waits(Hold::Turn(self.turn(at, None)))
    }

    /// Whether the policy that this place is in has what is too much canceled.
    fn cancels(&self, action: &ActionRef, place: &Place) -> bool {
        let policies = self.catalog.policies.get(action);
        let mut bounds = policies.into_iter().flat_map(|policies| &policies.concurrency);
        bounds.any(|bound| bound.policy == place.policy && bound.excess == Excess::Cancel)
    }

    /// A turn that is waited for from now on, or from later on.
    pub(super) fn turn(&self, at: Timestamp, from: Option<Timestamp>) -> Turn {
        let longest = self.settings.limits.longest_wait;
        Turn { until: from.unwrap_or(at).saturating_add(longest).unwrap_or(Timestamp::MAX), from }
    }

    /// The bound on executions that wait for their turn that one more would exceed, and whether it is that of this person.
    fn too_many_wait(&self, wish: &Wish) -> Option<(usize, bool)> {
        let limits = &self.settings.limits;
        let waiting = || {
            let turn = |(id, waiting): (&ExecutionId, &crate::core::action::waiting::Waiting)| {
                waiting.turn.is_some().then(|| self.memory.executions.get(id)).flatten()
            };
            self.memory.waiting.iter().filter_map(turn)
        };
        if waiting().count() >= limits.waiting {
            return Some((limits.waiting, false));
        }
        let theirs = waiting().filter(|execution| same_person(&execution.request.by, &wish.by));
        (theirs.count() >= limits.waiting_per_user).then_some((limits.waiting_per_user, true))
    }

    /// What would be run needs this for itself.
    pub(super) fn claim(&self, wish: &Wish, (resolved, plan): &Prepared) -> Claim {
        let mut machines: BTreeSet<Host> = claim::named(&wish.action, resolved, &self.inventory).into_iter().collect();
        machines.extend(super::start::hosts_of(plan));
        Claim {
            hosts: machines.into_iter().collect(),
            looks: wish.action.effect == EffectClass::ReadOnly,
            places: self.places(&wish.action, resolved),
        }
    }

    /// The places that an execution needs in the policies that are in force. What asks people runs nothing and needs none.
    pub(super) fn places(&self, action: &Action, resolved: &Resolved) -> Vec<Place> {
        let policies = self.catalog.policies.get(&action.reference).filter(|_| action.runner != RunnerType::Inquirer);
        let concurrency = policies.map(|policies| policies.concurrency.as_slice()).unwrap_or_default();
        claim::places(concurrency, resolved, self.master_key.as_ref())
    }

    /// Begins those whose turn has come, and gives up those who have waited too long.
    pub(super) fn take_turns(&mut self, step: &mut Step, moment: &mut Moment) -> Result<(), Contradiction> {
        if !self.queue.begun || self.memory.waiting.is_empty() {
            return Ok(());
        }
        let turns = self.memory.waiting.iter().filter_map(|(id, waiting)| Some((id.clone(), waiting.turn.clone()?)));
        for (id, turn) in turns.collect::<Vec<_>>() {
            if turn.until <= moment.at {
                let waited = span(self.settings.limits.longest_wait);
                let why = self.sentences.phrase(&Phrase::WaitedTooLong { waited: &waited });
                self.give_up(step, moment, &id, why)?;
            } else if turn.from.is_some_and(|from| from <= moment.at) {
                self.note(step, moment, Fact::TurnAwaited { id, turn: Turn { from: None, ..turn } })?;
            }
        }
        let mut tried = BTreeSet::new();
        loop {
            let next = self.queue.turns.all_next().find(|id| !tried.contains(*id)).cloned();
            let Some(id) = next else { break };
            self.try_to_begin(step, moment, &id)?;
            tried.insert(id);
        }
        self.refresh_waits(step, moment.at);
        Ok(())
    }

    /// Begins an execution whose turn has come, unless something holds it back.
    fn try_to_begin(&mut self, step: &mut Step, moment: &mut Moment, id: &ExecutionId) -> Result<(), Contradiction> {
        let Some(execution) = self.memory.executions.get(id) else { return Ok(()) };
        if self.held(execution).is_some() {
            self.queue.touched.insert(id.clone());
            return Ok(());
        }
        if execution.approval.is_none() && !self.queue.doubtful.contains(id) {
            match self.queue.rights.remove(id) {
                Some((at, rights)) if moment.at.duration_since(at) < FRESH => {
                    return self.resume(step, moment, id, rights);
                }
                _ => self.queue.doubtful.insert(id.clone()),
            };
        }
        self.pursue(step, moment, id)
    }

    /// Whether it makes sense to look up those on whose word an execution may begin: nobody else is in its way.
    pub(super) fn turn_may_have_come(&self, id: &ExecutionId) -> bool {
        let turns = &self.queue.turns;
        let Some(execution) = self.memory.executions.get(id) else { return false };
        if turns.holds(id) {
            let asks = execution.approval.is_some() || self.queue.doubtful.contains(id);
            return asks && turns.may_begin(id) && self.held(execution).is_none();
        }
        self.memory.waiting.get(id).is_some_and(|waiting| waiting.turn.as_ref().is_none_or(Turn::is_due))
    }

    /// When something changes by itself for those who wait for their turn.
    pub(super) fn next_turn(&self) -> Option<Timestamp> {
        let turns = self.memory.waiting.values().filter_map(|waiting| waiting.turn.as_ref());
        let ends = turns.map(|turn| turn.from.unwrap_or(turn.until)).min();
        let said = self.queue.touched.iter().filter_map(|id| self.queue.said.get(id));
        let edits = said.map(|(at, _)| at.saturating_add(SHORTEST_REFRESH).unwrap_or(Timestamp::MAX)).min();
        ends.into_iter().chain(edits).min().filter(|_| self.queue.begun)
    }

    /// What holds an execution back though its turn has come; nothing where that is not for people to know.
    fn held(&self, execution: &Execution) -> Option<String> {
        let (what, why) = match &self.memory.frozen {
            _ if self.stopping => ("stopping", String::new()),
            Some(frozen) if execution.request.effect != EffectClass::ReadOnly => ("frozen", frozen.why.clone()),
            _ if self.storage.is_low() => ("room", String::new()),
            _ if self.bound_reached(&execution.request.by, 1).is_some() => ("executions", String::new()),
            _ => return None,
        };
        Some(self.sentences.phrase(&Phrase::HeldBack { what, why: &why }))
    }

    /// Edits the cards that do not say any more for whom an execution waits.
    fn refresh_waits(&mut self, step: &mut Step, at: Timestamp) {
        for id in std::mem::take(&mut self.queue.touched) {
            let Some(execution) = self.memory.executions.get(&id).filter(|known| known.status == Status::Delayed)
            else {
                continue;
            };
            let awaits = self.awaits(execution);
            match self.queue.said.get(&id) {
                Some((_, said)) if *said == awaits => continue,
                Some((before, _)) if at.duration_since(*before) < SHORTEST_REFRESH => {
                    self.queue.touched.insert(id);
                    continue;
                }
                _ => {}
            }
            if let Some((channel, _)) = super::approval_card::stands_in(execution) {
                let text = self.waiting_text(execution, at);
                let refresh = Effect::Refresh { channel: channel.clone(), of: card_of(&id), text, attachments: None };
                step.effects.push(refresh);
            }
            self.queue.said.insert(id, (at, awaits));
        }
    }

    /// The card of an execution that waits says all that there is to say now.
    pub(super) fn said_all(&mut self, id: &ExecutionId, at: Timestamp) {
        let Some(execution) = self.memory.executions.get(id).filter(|known| known.status == Status::Delayed) else {
            return;
        };
        let awaits = self.awaits(execution);
        self.queue.said.insert(id.clone(), (at, awaits));
    }

    /// For whom and for what an execution waits.
    pub(super) fn awaits(&self, execution: &Execution) -> Awaits {
        let id = &execution.request.id;
        let turn = self.memory.waiting.get(id).and_then(|waiting| waiting.turn.as_ref());
        let ways = self.queue.turns.in_the_way(id);
        let ready = ways.is_empty() && self.queue.turns.holds(id);
        let since = execution.log.last().map_or(execution.started, |(since, _)| *since);
        let delay = turn.and_then(|turn| turn.from).map(|from| from.duration_since(since));
        let here = super::approval_card::stands_in(execution).map(|(channel, _)| channel);
        Awaits {
            more: ways.len().saturating_sub(NAMED),
            ways: ways.iter().take(NAMED).map(|way| self.way(way, here)).collect(),
            again_in: delay.map(|delay| span(Duration::try_from(delay).unwrap_or_default())).unwrap_or_default(),
            held: if ready { self.held(execution).unwrap_or_default() } else { String::new() },
            longest: turn.map(|_| span(self.settings.limits.longest_wait)).unwrap_or_default(),
        }
    }

    /// Somebody who goes first, as it is said in a channel. **What it runs and who asked for that is told only to those who read it there anyway**:
    /// where its own card stands.
    fn way(&self, way: &InTheWay, here: Option<&ChannelId>) -> Way {
        let execution = self.memory.executions.get(&way.first);
        let known = execution.filter(|execution| {
            let place = super::approval_card::stands_in(execution).map(|(channel, _)| channel);
            place.is_some() && place == here
        });
        let place = way.policy.as_ref();
        Way {
            id: way.first.short().to_owned(),
            action: known.map(|execution| execution.request.action.to_string()).unwrap_or_default(),
            who: known.map(|execution| super::answer::name_of(&execution.request.by).to_owned()).unwrap_or_default(),
            hosts: if way.hosts.is_empty() { String::new() } else { shown_hosts(&way.hosts) },
            policy: place.map(|place| place.policy.clone()).unwrap_or_default(),
            threshold: place.map_or(0, |place| place.threshold),
            more: way.more,
            waits: execution.is_some_and(|execution| execution.status.waits()),
            doubt: way.doubt,
        }
    }

    /// Those who wait for their turn.
    pub(super) fn delayed(&self) -> impl Iterator<Item = &Execution> {
        self.memory
            .waiting
            .keys()
            .filter_map(|id| self.memory.executions.get(id))
            .filter(|execution| execution.status == Status::Delayed)
    }

    pub(super) fn delayed_row(&self, execution: &Execution) -> DelayedRow {
        DelayedRow {
            id: execution.request.id.short().to_owned(),
            line: shown_line(execution),
            waits: self.waits_for(execution),
        }
    }

    /// Whom a wish would wait for.
    pub(super) fn would_wait(&self, wish: &Wish, prepared: &Prepared) -> Vec<Way> {
        let claim = self.claim(wish, prepared);
        if self.queue.turns.is_free(&claim, None) {
            return Vec::new();
        }
        let ways = self.queue.turns.would_be_in_the_way(&claim);
        ways.iter().take(NAMED).map(|way| self.way(way, channel_of(&wish.back))).collect()
    }

    /// What policies say of when an action runs.
    pub(super) fn policy_lines(&self, action: &ActionRef) -> Vec<PolicyLine> {
        let Some(policies) = self.catalog.policies.get(action) else { return Vec::new() };
        let concurrency = policies.concurrency.iter().map(|policy| PolicyLine {
            policy: policy.policy.clone(),
            threshold: policy.threshold,
            attributes: policy.attributes.clone(),
            cancels: policy.excess == Excess::Cancel,
            ..PolicyLine::default()
        });
        let retry = policies.retry.iter().map(|policy| PolicyLine {
            policy: policy.policy.clone(),
            retry_on: policy.on.word().to_owned(),
            times: policy.most,
            delay: if policy.delay.is_zero() { String::new() } else { span(policy.delay) },
            ..PolicyLine::default()
        });
        concurrency.chain(retry).collect()
    }

    /// The same in a few words.
    pub(super) fn bounds(&self, action: &ActionRef) -> String {
        let lines = self.policy_lines(action);
        let words = lines.iter().map(|line| self.sentences.phrase(&Phrase::Bound(line)));
        words.collect::<Vec<_>>().join(", ")
    }

    /// The policies in force for the actions that somebody may see, each with those.
    pub(super) fn policy_rows(&self, rights: &Rights) -> Vec<PolicyRow> {
        let mut rows: BTreeMap<String, PolicyRow> = BTreeMap::new();
        for action in self.catalog.policies.keys().filter(|action| rights.may(Verb::View, action)) {
            for line in self.policy_lines(action) {
                let says = self.sentences.phrase(&Phrase::Bound(&line));
                let row = rows.entry(line.policy.clone());
                let row = row.or_insert_with(|| PolicyRow { policy: line.policy, says, actions: Vec::new(), more: 0 });
                if row.actions.len() < NAMED_ACTIONS {
                    row.actions.push(action.to_string());
                } else {
                    row.more += 1;
                }
            }
        }
        rows.into_values().collect()
    }

    /// For whom an execution waits, in a few words.
    pub(super) fn waits_for(&self, execution: &Execution) -> String {
        let id = &execution.request.id;
        let ways = self.queue.turns.in_the_way(id);
        let turn = self.memory.waiting.get(id).and_then(|waiting| waiting.turn.as_ref());
        let first = ways.first();
        let phrase = Phrase::WaitsFor {
            id: first.map_or("", |way| way.first.short()),
            hosts: &first.map(|way| shown_names(&way.hosts)).unwrap_or_default(),
            policy: first.and_then(|way| way.policy.as_ref()).map_or("", |place| place.policy.as_str()),
            doubt: first.is_some_and(|way| way.doubt),
            more: ways.len().saturating_sub(1),
            again: turn.is_some_and(|turn| turn.from.is_some()),
        };
        self.sentences.phrase(&phrase)
    }
}

/// The channel that somebody asked in.
fn channel_of(back: &Back) -> Option<&ChannelId> {
    match back {
        Back::Chat { .. } | Back::Told { .. } => back.place().map(|(channel, _)| channel),
        Back::Request { .. } => None,
    }
}
