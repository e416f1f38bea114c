//! # Memory
//!
//! What the bot knows because it happened: the fold of the stored facts and of nothing else. Whoever has the facts has this.
//!
//! It holds what is live. An execution that ended leaves it and is read through the store; the set of posts taken is bounded by one cursor
//! for all channels, the time (by the server's clock) up to which every post has been considered.
//!
//! - **The cursor never goes back**, so what was forgotten below it is never taken for new.
//! - **Folding decides nothing**: it parses nothing, renders nothing and looks at no catalog.
//! - **It can be written down and read again** ([`VERSION`]), so that a start need not fold all that ever happened. What folding a fact means
//!   may therefore only change together with the version, and what older versions wrote has to be brought up to date by code.
//! - **A fact that cannot be true as things stand is an error**, so that a damaged log is noticed and not acted on.

use crate::core::access::names::Ties;
use crate::core::action::execution::{EffectClass, Execution, IllegalFact, Status};
use crate::core::action::waiting::{Turn, Waiting};
use crate::core::alert::life::Board;
use crate::core::alert::notification::Problem;
use crate::core::alert::storm::Storms;
use crate::core::approval::request::Request;
use crate::core::audit::chain::Head;
use crate::core::callback::Meaning;
use crate::core::datastore::{Datastore, Entry};
use crate::core::effect::Thread;
use crate::core::effect::{Body, Delivery};
use crate::core::fact::{Choice, Concerned, Dated, Fact, Lack};
use crate::core::id::{AliasRef, ChannelId, DeliveryId, ExecutionId, Host, PostId, SensorRef, UserId};
use crate::core::input::{Back, Principal};
use crate::core::message::attachment::meanings;
use crate::core::policy::out_of_service::OutOfService;
use crate::core::rule::guard::Remedies;
use crate::core::rule::remembered::{Remembered, Switched};
use crate::core::schedule::Scheduled;
use crate::core::timer::Ticked;
use crate::core::webhook::api_key::ApiKey;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// How far before the cursor a post may still turn up that was not considered: servers store posts later than they date them, and read from
/// replicas that lag.
pub const OVERLAP: SignedDuration = SignedDuration::from_mins(2);
/// How long a post that was taken is remembered at least: longer than a server repeats events to a connection that comes back.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(10);
/// How many other instances are remembered to have been told of.
const OTHERS: usize = 16;
/// How many last lines are kept, all together: people who are at work, each in a few channels.
const KEPT_LINES: usize = 1_000;

/// How long after its time a button is still known, so that whoever presses it is told what became of its matter.
const LINGER: SignedDuration = SignedDuration::from_hours(24);
/// How many revisions of one card are known.
const REVISIONS: usize = 16;
/// How many checkpoints of the audit are remembered.
const CHECKPOINTS: usize = 16;
/// How many requests for an approval are remembered after their end.
const DECIDED: usize = 200;

/// The version in which a memory is written down. It goes up whenever the same facts fold to something else than before; a field that only
/// new kinds of facts fill needs no new version.
pub const VERSION: u32 = 1;

/// A fact that cannot be true as things stand: the log, or the code that wrote it, is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The execution cannot take it in.
    #[error(transparent)]
    Illegal(#[from] IllegalFact),
    /// There is no such execution under way.
    #[error("execution {0} is not under way, and a fact says what happened to it")]
    NotLive(ExecutionId),
    /// No such line waits.
    #[error("line {0} does not wait for its time, and a fact ends its waiting")]
    NotScheduled(ExecutionId),
    /// Nobody was asked about it.
    #[error("execution {0} does not wait for a judgement, and a fact gives one")]
    NoQuestion(ExecutionId),
}

/// The fold of the facts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Executions that have not ended.
    pub executions: BTreeMap<ExecutionId, Execution>,
    /// Deliveries that are promised and not known to stand, in the order of their promise.
    pub unsent: Vec<Delivery>,
    /// Posts that were made and may still be edited or answered: those of live executions, of alerts, and of deliveries that are still promised.
    pub posts: BTreeMap<DeliveryId, PostId>,
    /// Executions that ended as unknown and wait for a person's judgement.
    pub questions: BTreeMap<ExecutionId, Question>,
    /// Choices offered, the newest for each user and channel.
    #[serde(with = "pairs")]
    pub choices: BTreeMap<(UserId, ChannelId), Offer>,
    /// Values that somebody was asked for, by who was, in which channel and thread.
    #[serde(with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub asked: BTreeMap<(UserId, ChannelId, Option<PostId>), Asked>,
    /// The last line of each user in each channel for which something was started.
    #[serde(with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<(UserId, ChannelId), KeptLine>,
    /// Why nothing but looking is allowed; absent when everything is.
    pub frozen: Option<Frozen>,
    /// The timers of rules, by their trigger and parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub timers: BTreeMap<String, Ticked>,
    /// The problems that the monitoring has told of.
    #[serde(default, skip_serializing_if = "Board::is_empty")]
    pub alerts: Board,
    /// What so many problems at once are told as.
    #[serde(default, skip_serializing_if = "Storms::is_empty")]
    pub storms: Storms,
    /// What rules have begun because of problems, and how that went.
    #[serde(default, skip_serializing_if = "Remedies::is_empty")]
    pub remedies: Remedies,
    /// The machines that executions under way have out of service.
    #[serde(default, skip_serializing_if = "OutOfService::is_empty")]
    pub out_of_service: OutOfService,
    /// The sensors that somebody switched on or off.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sensors: BTreeMap<SensorRef, Switched>,
    /// The keys by which programs call webhooks, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub api_keys: BTreeMap<String, ApiKey>,
    /// Lines whose answer is still to be found.
    pub owed: BTreeMap<PostId, Owed>,
    /// Posts that follow the output of executions under way.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tails: BTreeMap<ExecutionId, Vec<Tail>>,
    /// When each delivery that is not known to stand was promised.
    pub promised: BTreeMap<DeliveryId, Timestamp>,
    /// The name of this store.
    pub instance: Option<String>,
    /// Others that speak with our account, and when the admins were told.
    pub others: BTreeMap<String, Timestamp>,
    /// The values that packs and people keep; shared with whoever reads it while it changes.
    #[serde(skip_serializing_if = "nothing_in")]
    pub datastore: Arc<Datastore>,
    /// What those of the executions need to begin that wait for it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub waiting: BTreeMap<ExecutionId, Waiting>,
    /// Requests for an approval whose executions have ended, the newest last, so that whoever comes late is told how it was decided.
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    pub decided: VecDeque<(ExecutionId, Box<Request>)>,
    /// Children of workflows that have ended, and of whose end their tasks do not know yet.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub untold: BTreeMap<ExecutionId, Execution>,
    /// Executions that wait for their turn, in the order in which they came.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<ExecutionId>,
    /// Executions that ended as unknown and may still work on their hosts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub doubts: BTreeMap<ExecutionId, Doubt>,
    /// Lines that wait for their time.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub scheduled: BTreeMap<ExecutionId, Scheduled>,
    /// The cards with buttons, by the delivery that makes each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub buttons: BTreeMap<DeliveryId, Buttons>,
    /// The ids that names in roles are tied to.
    #[serde(with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub ties: Ties,
    /// The newest checkpoints of the audit that were told, the newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<Checkpoint>,
    /// Where the audit lies that was set aside last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_aside: Option<String>,
    /// Events that were taken up, rules that were switched, and what came of rules.
    #[serde(skip_serializing_if = "Remembered::is_empty")]
    pub events: Remembered,
    heard: Option<Timestamp>,
    begun: Option<Timestamp>,
    taken: Taken,
}

/// What was written down before there were values says nothing of them.
fn nothing_in(datastore: &Arc<Datastore>) -> bool {
    datastore.is_empty()
}

/// What the buttons of one card mean.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Buttons {
    /// Its meanings, those of its newest revisions; what the card does not show any more may still be on its way.
    pub meanings: Vec<Meaning>,
    /// Who has pressed with effect, and on which revision.
    pub used: BTreeSet<(UserId, u32)>,
    /// Since when the card shows none any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone: Option<Timestamp>,
}

impl Buttons {
    fn add<'a>(&mut self, shown: impl Iterator<Item = &'a Meaning>) {
        for meaning in shown {
            if !self.meanings.contains(meaning) {
                self.meanings.push(meaning.clone());
            }
        }
        let newest = self.meanings.iter().map(|meaning| meaning.revision).max().unwrap_or_default();
        let oldest = newest.saturating_sub(u32::try_from(REVISIONS).unwrap_or(u32::MAX));
        self.meanings.retain(|meaning| meaning.revision >= oldest);
        self.used.retain(|(_, revision)| *revision >= oldest);
    }

    fn is_over(&self, now: Timestamp) -> bool {
        let until = self.meanings.iter().map(|meaning| meaning.until).max().min(self.gone.or(Some(Timestamp::MAX)));
        until.is_none_or(|until| until.saturating_add(LINGER).is_ok_and(|until| until < now))
    }
}

/// The newest hash of the audit, as it was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// What was told.
    pub head: Head,
    /// When.
    pub at: Timestamp,
}

/// A post that follows the output of an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// The delivery that makes the post.
    pub delivery: DeliveryId,
    /// Its channel.
    pub channel: ChannelId,
}

/// A line that was taken up and is not answered yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Owed {
    /// Where the answer goes.
    pub back: Back,
    /// The line.
    pub line: String,
}

/// Where it was asked what became of an execution.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Whose execution it is; nobody's in chat when it was asked for elsewhere.
    pub user: Option<UserId>,
    /// The channel of the question; absent while it has not been asked.
    pub channel: Option<ChannelId>,
    /// The thread in which a number answers it, once the post that begins it stands.
    pub thread: Option<PostId>,
    /// The execution, while the question has not been asked.
    pub unasked: Option<Box<Execution>>,
}

/// An execution of which nobody knows whether it still works somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// Where.
    pub hosts: Vec<Host>,
}

impl Doubt {
    /// What is in doubt since an execution ended so; nothing where it only looked, or works on no machine.
    pub(crate) fn of(execution: &Execution) -> Option<Self> {
        let request = &execution.request;
        let hosts = if request.hosts.is_empty() { request.named.clone() } else { execution.unknown_hosts() };
        let harmless = hosts.is_empty() || request.effect == EffectClass::ReadOnly;
        (!harmless).then_some(Self { hosts })
    }
}

/// Only what looks may be started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// Why, in a sentence for people.
    pub why: String,
    /// Who wanted it; absent when the bot did it by itself.
    pub by: Option<Principal>,
    /// Since when.
    pub since: Timestamp,
}

/// Choices that somebody was given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Where the answer is expected.
    pub back: Back,
    /// The lines among which to choose.
    pub lines: Vec<Choice>,
    /// When the offer lapses.
    pub until: Timestamp,
}

/// A value that somebody was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Which, and for what.
    pub lack: Lack,
    /// When the question lapses.
    pub until: Timestamp,
}

/// A line that can be said again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptLine {
    /// The line; absent where a secret stood in it.
    pub line: Option<String>,
    /// The alias that it meant.
    pub alias: AliasRef,
    /// When something was started for it.
    pub at: Timestamp,
}

/// The posts taken that may still turn up again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Taken {
    /// When the server stored the newest of all.
    newest: Option<Timestamp>,
    /// When the server stored each, and when it was taken.
    posts: BTreeMap<PostId, (Timestamp, Timestamp)>,
    order: BTreeSet<(Timestamp, PostId)>,
}

impl Memory {
    /// Takes one fact in.
    ///
    /// # Errors
    /// The fact cannot be true after those before it.
    pub fn apply(&mut self, dated: &Dated) -> Result<(), Contradiction> {
        let at = dated.at;
        match &dated.fact {
            Fact::PostTaken { post, created, .. } => self.take(post, *created, at),
            Fact::ExecutionStarted(request) => {
                let execution = Execution::start(at, (**request).clone());
                self.out_of_service.begin(&request.id, &request.out_of_service);
                if let Back::Chat { post, .. } = &request.back {
                    self.owed.remove(post);
                }
                if let Some(known) = self.executions.get_mut(&request.id) {
                    known.apply(at, &dated.fact)?;
                    self.waiting.remove(&request.id);
                    self.turns.retain(|waiting| *waiting != request.id);
                    return Ok(());
                }
                self.executions.insert(request.id.clone(), execution);
            }
            Fact::ExecutionWaits(waits) => {
                let id = &waits.request.id;
                if let Back::Chat { post, .. } = &waits.request.back {
                    self.owed.remove(post);
                }
                if let Some(known) = self.executions.get_mut(id) {
                    return Ok(known.apply(at, &dated.fact)?);
                }
                self.executions.insert(id.clone(), Execution::wait(at, waits));
                self.waiting.insert(id.clone(), waits.waiting.clone());
                if waits.waiting.turn.as_ref().is_some_and(Turn::is_due) {
                    self.turns.push(id.clone());
                }
            }
            fact @ Fact::TurnAwaited { id, turn } => {
                self.live(id)?.apply(at, fact)?;
                if let Some(waiting) = self.waiting.get_mut(id) {
                    waiting.turn = Some(turn.clone());
                    if turn.is_due() && !self.turns.contains(id) {
                        self.turns.push(id.clone());
                    }
                }
            }
            fact @ (Fact::HostFinished { id, .. }
            | Fact::HostAgain { id, .. }
            | Fact::CancelAsked { id, .. }
            | Fact::WorkflowTakenUp { id, .. }
            | Fact::PauseAsked { id, .. }
            | Fact::ResumeAsked { id, .. }
            | Fact::InquiryAnswered { id, .. }) => {
                self.live(id)?.apply(at, fact)?;
            }
            fact @ Fact::TriedAgain { id, next } => {
                self.live(id)?.apply(at, fact)?;
                if let Some(open) = self.remedies.go_on(id, &next.id) {
                    self.alerts.remedied(&open.problem, &next.id, &open.origin);
                }
            }
            fact @ Fact::WorkflowMoved(moved) => {
                self.live(&moved.id)?.apply(at, fact)?;
                for told in &moved.told {
                    self.untold.remove(told);
                }
            }
            fact @ Fact::Approval { id, .. } => {
                let execution = self.live(id)?;
                execution.apply(at, fact)?;
                // Sent back to where it waits for an approval, it is in nobody's way.
                if execution.status == Status::Requested {
                    self.turns.retain(|waiting| waiting != id);
                }
            }
            fact @ Fact::ExecutionFinished { id, status, .. } => {
                self.live(id)?.apply(at, fact)?;
                let ended = self.executions.remove(id);
                if let Some(ended) = &ended {
                    self.out_of_service.end(id, &ended.request.out_of_service);
                }
                let remedied = match self.remedies.end(at, id, *status) {
                    Some(open) => Some(open),
                    None => {
                        ended.as_ref().and_then(|ended| Some(self.remedies.open(&ended.retried.as_ref()?.id)?.clone()))
                    }
                };
                if let Some(open) = remedied {
                    self.alerts.remedy_ended(&open.problem, id, *status, at);
                }
                if let Some(child) = ended.as_ref().filter(|ended| self.is_waited_for(ended)) {
                    self.untold.insert(id.clone(), child.clone());
                }
                self.untold
                    .retain(|_, child| child.request.parent.as_ref().is_none_or(|parent| parent.workflow != *id));
                self.tails.remove(id);
                self.waiting.remove(id);
                self.turns.retain(|waiting| waiting != id);
                if let Some(approval) = ended.as_ref().and_then(|ended| ended.approval.clone()) {
                    self.keep_decided(id.clone(), approval);
                }
                if let (Status::Unknown, Some(execution)) = (status, ended) {
                    self.questions.insert(id.clone(), self.question(&execution));
                    if let Some(doubt) = Doubt::of(&execution) {
                        self.doubts.insert(id.clone(), doubt);
                    }
                }
                self.forget_posts();
            }
            fact @ Fact::Judged { id, .. } => {
                if let Some(child) = self.untold.get_mut(id) {
                    child.apply(at, fact)?;
                }
                self.questions.remove(id).ok_or_else(|| Contradiction::NoQuestion(id.clone()))?;
                self.doubts.remove(id);
                self.forget_posts();
            }
            Fact::DeliveryIntended(delivery) => {
                for (id, question) in &mut self.questions {
                    if question.channel.is_none() && delivery.id == question_of(id) {
                        question.channel = Some(delivery.channel.clone());
                        question.unasked = None;
                    }
                }
                self.owed.retain(|post, _| !answers(post, &delivery.id));
                self.draw_buttons(delivery, at);
                self.promised.insert(delivery.id.clone(), at);
                self.unsent.push(delivery.clone());
            }
            Fact::DeliverySent { delivery, post } => {
                self.follow_redrawn(delivery, post);
                self.unsent.retain(|known| known.id != *delivery);
                for (id, question) in &mut self.questions {
                    if question.thread.is_none() && (*delivery == card_of(id) || *delivery == question_of(id)) {
                        question.thread = Some(post.clone());
                    }
                }
                self.promised.remove(delivery);
                self.posts.insert(delivery.clone(), post.clone());
                self.forget_posts();
            }
            Fact::DeliveryRefused { delivery, .. } => {
                self.unsent.retain(|known| known.id != *delivery);
                self.promised.remove(delivery);
                self.forget_posts();
            }
            Fact::ChoiceOffered { user, back, lines, until } => {
                if let Back::Chat { channel, .. } = back {
                    let offer = Offer { back: back.clone(), lines: lines.clone(), until: *until };
                    self.choices.insert((user.clone(), channel.clone()), offer);
                }
            }
            Fact::AnswerOwed { post, channel, root, line } => {
                let back = Back::Chat { channel: channel.clone(), root: root.clone(), post: post.clone() };
                self.owed.insert(post.clone(), Owed { back, line: line.clone() });
            }
            Fact::Heard { until } => {
                if self.heard().is_none() {
                    self.begun = Some(*until);
                }
                self.heard = self.heard.max(Some(*until));
                self.forget_taken(at);
            }
            Fact::TailBegun { execution, delivery, channel } => {
                self.live(execution)?;
                let tail = Tail { delivery: delivery.clone(), channel: channel.clone() };
                self.tails.entry(execution.clone()).or_default().push(tail);
            }
            Fact::InstanceNamed { name } => self.instance = Some(name.clone()),
            Fact::OtherInstanceSeen { name } => {
                self.others.insert(name.clone(), at);
                while self.others.len() > OTHERS {
                    let oldest = self.others.iter().min_by_key(|(_, told)| **told).map(|(name, _)| name.clone());
                    oldest.and_then(|name| self.others.remove(&name));
                }
            }
            Fact::ValueAsked { user, channel, thread, lack, until } => {
                self.asked.retain(|_, asked| asked.until >= at);
                let asked = Asked { lack: lack.clone(), until: *until };
                self.asked.insert((user.clone(), channel.clone(), thread.clone()), asked);
            }
            Fact::ValueClosed { user, channel, thread } => {
                self.asked.remove(&(user.clone(), channel.clone(), thread.clone()));
            }
            Fact::LineKept { user, channel, line, alias } => {
                let kept = KeptLine { line: line.clone(), alias: alias.clone(), at };
                self.lines.insert((user.clone(), channel.clone()), kept);
                while self.lines.len() > KEPT_LINES {
                    let oldest = self.lines.iter().min_by_key(|(_, kept)| kept.at).map(|(key, _)| key.clone());
                    oldest.and_then(|key| self.lines.remove(&key));
                }
            }
            Fact::ChoiceClosed { user, channel } => {
                self.choices.remove(&(user.clone(), channel.clone()));
            }
            Fact::Frozen { why, by, .. } => {
                self.frozen = Some(Frozen { why: why.clone(), by: by.clone(), since: at });
            }
            Fact::Unfrozen { .. } => self.frozen = None,
            Fact::ValueSet { key, value, expires, by, .. } => {
                let entry = Entry { value: value.as_ref().clone(), expires: *expires, by: by.clone(), at };
                Arc::make_mut(&mut self.datastore).set(key.clone(), entry);
            }
            Fact::ValueDeleted { key, .. } => Arc::make_mut(&mut self.datastore).delete(key, at),
            Fact::PressTaken { card, user, revision } => {
                self.buttons.entry(card.clone()).or_default().used.insert((user.clone(), *revision));
            }
            // These are for the audit; nothing hangs on them.
            Fact::ValuesOpened { .. }
            | Fact::AccessDenied { .. }
            | Fact::CallbackRefused { .. }
            | Fact::Reloaded { .. }
            | Fact::AuditCut { .. } => {}
            Fact::TimerBegun { timer } => {
                self.timers.insert(timer.clone(), Ticked { since: at, until: at });
            }
            Fact::TimerTicked { timer, tick } => {
                if let Some(known) = self.timers.get_mut(timer) {
                    known.until = known.until.max(*tick);
                }
            }
            Fact::TimerGone { timer } => {
                self.timers.remove(timer);
            }
            Fact::AlertChanged(change) => {
                self.storms.changed(at, change, &self.alerts);
                self.alerts.apply(&change.alert);
            }
            Fact::StormBegan(began) => self.storms.begin(at, began, &mut self.alerts),
            Fact::Touched { what, at, .. } => match what {
                Concerned::Problem { problem } => self.alerts.touch(problem, *at),
                Concerned::Storm { storm } => self.storms.touch(storm, *at),
            },
            Fact::Escalated { what, step, .. } => {
                for what in what {
                    match what {
                        Concerned::Problem { problem } => self.alerts.escalate(problem, step + 1),
                        Concerned::Storm { storm } => self.storms.escalate(storm, step + 1),
                    }
                }
            }
            Fact::StormTurned { storm, turn } => self.storms.turn(storm, turn),
            Fact::StormReleased { storm, by, .. } => self.storms.release(storm, at, by),
            Fact::AlertOffered { problem, offers } => self.alerts.offer(problem, offers),
            Fact::AlertPosted { problem, posted } => {
                self.alerts.post(problem, posted, at);
                self.storms.post(problem);
            }
            Fact::AlertSettles { problem, until } => self.alerts.settle(problem, *until),
            Fact::AlertForgotten { problem } => self.alerts.forget(problem),
            Fact::RemedyBegun { execution, open } => {
                let executions = &self.executions;
                self.remedies.forget_lost(|known| executions.contains_key(known));
                self.alerts.remedied(&open.problem, execution, &open.origin);
                self.remedies.begin(at, execution, open.clone());
            }
            Fact::OrderGiven { execution, origin, problems } => {
                self.storms.ordered(at, problems);
                problems.iter().for_each(|problem| self.alerts.remedied(problem, execution, origin));
            }
            Fact::OrderEnded { execution, ends } => {
                let problems: Vec<Problem> = ends.iter().map(|end| end.problem.clone()).collect();
                self.storms.ordered(at, &problems);
                self.alerts.ordered(execution, ends);
            }
            Fact::AlertSeen { alert, .. } => {
                self.storms.seen(at, alert, &self.alerts);
                self.alerts.apply(alert);
            }
            Fact::ToldOfRule { problem, rule, what } => self.alerts.tell_of(problem, rule, what),
            Fact::RuleReset { rule, .. } => self.remedies.reset(rule),
            Fact::ApiKeyMade { key, .. } => {
                self.api_keys.insert(key.name.clone(), ApiKey::clone(key));
            }
            Fact::ApiKeyGone { name, .. } => {
                self.api_keys.remove(name);
            }
            Fact::TriggerTaken(taken) => {
                self.storms.taken(taken);
                self.events.take(at, taken);
            }
            Fact::RuleSwitched { rule, enabled, by, .. } => {
                if *enabled {
                    self.remedies.reset(rule);
                }
                self.events.switch(rule, Switched { enabled: *enabled, by: by.clone(), at });
            }
            Fact::SensorSwitched { sensor, enabled, by, .. } => {
                self.sensors.insert(sensor.clone(), Switched { enabled: *enabled, by: by.clone(), at });
            }
            Fact::CheckpointTold { head, .. } => {
                self.checkpoints.push(Checkpoint { head: head.clone(), at });
                let old = self.checkpoints.len().saturating_sub(CHECKPOINTS);
                self.checkpoints.drain(..old);
            }
            Fact::AuditSetAside { place, .. } => self.audit_aside = Some(place.clone()),
            Fact::Scheduled(scheduled) => {
                self.scheduled.insert(scheduled.id.clone(), (**scheduled).clone());
            }
            Fact::ScheduleEnded { id, .. } => {
                self.scheduled.remove(id).ok_or_else(|| Contradiction::NotScheduled(id.clone()))?;
            }
            Fact::NameTied { kind, name, id } => {
                self.ties.insert((*kind, name.clone()), id.clone());
            }
            Fact::NameFreed { kind, name } => {
                self.ties.remove(&(*kind, name.clone()));
            }
        }
        Ok(())
    }

    /// Whether a post has been taken up. Only for posts not older than [`Memory::floor`] is a no the whole truth.
    pub fn has_taken(&self, post: &PostId) -> bool {
        self.taken.posts.contains_key(post)
    }

    /// When the server stored a post that was taken lately.
    pub fn written(&self, post: &PostId) -> Option<Timestamp> {
        self.taken.posts.get(post).map(|(created, _)| *created)
    }

    /// Until when every post has been considered, by the server's clock; absent when nobody ever listened. A store of a version that
    /// noted no such thing knows the newest post that it took up.
    pub fn heard(&self) -> Option<Timestamp> {
        self.heard.or(self.taken.newest)
    }

    /// When somebody listened for the first time, by the server's clock. What was written before is nobody's business.
    pub fn begun(&self) -> Option<Timestamp> {
        self.begun
    }

    /// What is older than this cannot be new to the bot.
    pub fn floor(&self) -> Option<Timestamp> {
        let floor = self.heard()?.saturating_sub(OVERLAP).unwrap_or(Timestamp::MIN);
        Some(self.begun.map_or(floor, |begun| floor.max(begun)))
    }

    fn take(&mut self, post: &PostId, created: Timestamp, at: Timestamp) {
        self.taken.newest = self.taken.newest.max(Some(created));
        self.taken.posts.insert(post.clone(), (created, at));
        self.taken.order.insert((created, post.clone()));
        self.forget_taken(at);
    }

    fn forget_taken(&mut self, now: Timestamp) {
        let Some(floor) = self.floor() else { return };
        let long_ago = now.saturating_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
        while let Some((created, post)) = self.taken.order.first() {
            let taken = self.taken.posts.get(post).map(|(_, at)| *at);
            if *created >= floor || taken.is_some_and(|taken| taken >= long_ago) {
                break;
            }
            if let Some((_, post)) = self.taken.order.pop_first() {
                self.taken.posts.remove(&post);
            }
        }
    }

    /// The question that comes with the end of an execution in chat: in the thread where it was asked for, or else in that of its post. What
    /// was asked for elsewhere is asked about by a post of its own.
    fn question(&self, execution: &Execution) -> Question {
        let user = match &execution.request.by {
            Principal::ChatUser { id, .. } => Some(id.clone()),
            Principal::LocalUser { .. } | Principal::Rule { .. } => None,
        };
        match &execution.request.back {
            Back::Chat { channel, root, .. } => {
                let shown = execution.request.parent.as_ref().map_or(&execution.request.id, |parent| &parent.root);
                let post = self.posts.get(&card_of(shown));
                let thread = root.as_ref().or(post).cloned();
                Question { user, channel: Some(channel.clone()), thread, unasked: None }
            }
            Back::Request { .. } | Back::Told { .. } => {
                Question { user, channel: None, thread: None, unasked: Some(Box::new(execution.clone())) }
            }
        }
    }

    /// Notes what can be pressed from now on.
    fn draw_buttons(&mut self, delivery: &Delivery, now: Timestamp) {
        let Some(attachments) = delivery.body.attachments() else { return };
        self.buttons.retain(|_, buttons| !buttons.is_over(now));
        let card = match &delivery.body {
            Body::Edit { of, .. } => of,
            Body::Post { .. } | Body::Attached { .. } | Body::Mark { .. } => &delivery.id,
        };
        if meanings(attachments).next().is_some() {
            let buttons = self.buttons.entry(card.clone()).or_default();
            buttons.add(meanings(attachments));
            buttons.gone = None;
        } else if let Some(buttons) = self.buttons.get_mut(card) {
            buttons.gone = Some(now);
        }
    }

    /// A card that could not be edited stands as a new post: its buttons are there from now on.
    fn follow_redrawn(&mut self, delivery: &DeliveryId, post: &PostId) {
        let body = self.unsent.iter().find(|known| known.id == *delivery).map(|known| &known.body);
        if let Some(Body::Edit { of, attachments: Some(_), .. }) = body {
            self.posts.insert(of.clone(), post.clone());
        }
    }

    /// The card that a post is, where it has or had buttons.
    pub fn card_at(&self, post: &PostId) -> Option<(&DeliveryId, &Buttons)> {
        self.buttons.iter().find(|(card, _)| self.posts.get(*card) == Some(post))
    }

    /// The executions whose run has begun and not ended.
    pub fn under_way(&self) -> impl Iterator<Item = &Execution> {
        self.executions.values().filter(|execution| !execution.status.waits())
    }

    /// Whether a workflow waits to hear of the end of an execution.
    fn is_waited_for(&self, execution: &Execution) -> bool {
        let parent = execution.request.parent.as_ref().and_then(|parent| self.executions.get(&parent.workflow));
        parent.is_some_and(|parent| parent.conducted.is_some())
    }

    fn keep_decided(&mut self, id: ExecutionId, approval: Box<Request>) {
        self.decided.push_back((id, approval));
        while self.decided.len() > DECIDED {
            self.decided.pop_front();
        }
    }

    fn live(&mut self, id: &ExecutionId) -> Result<&mut Execution, Contradiction> {
        self.executions.get_mut(id).ok_or_else(|| Contradiction::NotLive(id.clone()))
    }

    /// Keeps the posts that something may still refer to: cards of executions that are live or to be judged, posts that follow live ones, and
    /// posts named by deliveries that are still promised.
    fn forget_posts(&mut self) {
        let mut wanted: BTreeSet<DeliveryId> =
            self.executions.keys().chain(self.questions.keys()).map(card_of).collect();
        wanted.extend(self.tails.values().flatten().map(|tail| tail.delivery.clone()));
        wanted.extend(self.buttons.keys().cloned());
        let asking = self.executions.values().filter(|execution| execution.request.inquiry.is_some());
        wanted.extend(asking.map(|execution| inquiry_of(&execution.request.id)));
        let threads = self.executions.values().filter_map(|execution| match &execution.request.back {
            Back::Told { root: Some(Thread::Delivery { of }), .. } => Some(of.clone()),
            Back::Told { .. } | Back::Chat { .. } | Back::Request { .. } => None,
        });
        wanted.extend(threads);
        wanted.extend(self.alerts.alerts().filter_map(|alert| Some(alert.post.as_ref()?.delivery.clone())));
        let held = self.alerts.alerts().filter_map(|alert| match alert.held_by.as_ref()?.thread.clone() {
            Thread::Delivery { of } if alert.post.is_none() => Some(of),
            Thread::Delivery { .. } | Thread::Post { .. } => None,
        });
        wanted.extend(held);
        if let Some(storm) = self.storms.now() {
            wanted.insert(storm.posted.delivery.clone());
            wanted.extend(storm.parts().map(|(_, posted)| posted.delivery.clone()));
        }
        for delivery in &self.unsent {
            match &delivery.body {
                Body::Edit { of, .. } => {
                    wanted.insert(of.clone());
                }
                Body::Post { root: Some(Thread::Delivery { of }), .. }
                | Body::Attached { root: Some(Thread::Delivery { of }), .. } => {
                    wanted.insert(of.clone());
                }
                Body::Post { .. } | Body::Attached { .. } | Body::Mark { .. } => {}
            }
        }
        self.posts.retain(|delivery, _| wanted.contains(delivery));
    }
}

/// The delivery that says something about a line, by the post that it was written in.
pub fn answer_to(post: &PostId, what: &str) -> DeliveryId {
    DeliveryId::new(format!("{post}-{what}"))
}

/// Whether a delivery was named by [`answer_to`] for this post.
pub(crate) fn answers(post: &PostId, delivery: &DeliveryId) -> bool {
    delivery.as_str().strip_prefix(post.as_str()).is_some_and(|rest| rest.starts_with('-'))
}

/// The delivery that makes an execution's post.
pub fn card_of(id: &ExecutionId) -> DeliveryId {
    DeliveryId::new(format!("{id}-card"))
}

/// The delivery that makes the post in which an execution asks people something.
pub fn inquiry_of(id: &ExecutionId) -> DeliveryId {
    DeliveryId::new(format!("{id}-inquiry"))
}

/// The delivery that asks what became of an execution.
pub fn question_of(id: &ExecutionId) -> DeliveryId {
    DeliveryId::new(format!("{id}-question"))
}

/// A map whose keys are not text, as JSON can have it: a list of pairs.
pub(crate) mod pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    pub(crate) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(crate) fn deserialize<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<K, V>, D::Error> {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
