//! One problem from its first notification to its end, and all of them on a board.
//!
//! [`Board::meaning`] says what a notification means for what is known, [`Board::apply`] takes it over. The monitoring sends no notification of a problem that is
//! acknowledged, in a downtime or flapping; so **a problem that is told again is none of these any more**, also when nobody has said so.
//! Where the monitoring knows no acknowledgements, they are ours alone, and last as long as the problem.

use super::notification::{Kind, Notification, Problem, State};
use super::offer::{Offered, Offers, Origin};
use super::source::Source;
use crate::core::action::execution::Status;
use crate::core::effect::Thread;
use crate::core::id::{ActionRef, ChannelId, DeliveryId, ExecutionId, RuleRef};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A problem that comes back so soon after it has gone is the same, and its post tells it.
pub const COMES_BACK: SignedDuration = SignedDuration::from_mins(10);
/// So many are known at once. Beyond, the monitoring has a problem of its own.
pub const MOST: usize = 10_000;
/// What a check says can be long; this much of it is remembered.
const MOST_OUTPUT: usize = 2_000;
/// So many of the things that were begun because of one alert are known.
const MOST_REMEDIES: usize = 20;
/// Of so many rules it is known what was told of them last.
const MOST_TOLD: usize = 100;
/// What was told of a rule can be long; this much of it tells it from something else.
const MOST_TOLD_TEXT: usize = 300;
/// What is over is kept so long for a remedy that has not ended.
const LINGERS: SignedDuration = SignedDuration::from_hours(24);

/// Somebody's word in the monitoring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Who; not always known.
    pub by: Option<String>,
    /// What they said.
    pub comment: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A problem as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Which.
    pub problem: Problem,
    /// How it stands; absent where the monitoring used a word that is not known.
    pub state: Option<State>,
    /// What the check said last, in one line.
    pub output: String,
    /// And the lines behind it.
    pub details: String,
    /// Since when it is a problem.
    pub since: Timestamp,
    /// When it was heard of last, by the clock of the one who told.
    pub told: Timestamp,
    /// Somebody has taken it on.
    pub acknowledged: Option<Word>,
    /// Nobody needs to mind.
    pub downtime: Option<Word>,
    /// It comes and goes.
    pub flapping: bool,
    /// It is over, since then.
    pub recovered: Option<Timestamp>,
    /// The groups of the host.
    pub host_groups: Vec<String>,
    /// Its page in the monitoring, as a path.
    pub url: Option<String>,
    /// The post that tells it, and its channel; absent where there was none to tell it in.
    pub post: Option<Posted>,
    /// What was begun because of it, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
    /// The execution of ours that had the machine out of service when it was told last, and in whose thread that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<Holder>,
    /// That one has ended well, and until then the problem may still end by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settles: Option<Timestamp>,
    /// When it was heard of; absent for what was known before that was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Timestamp>,
    /// When somebody touched it last, or stopped to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touched: Option<Timestamp>,
    /// Of so many steps of the escalation it was said that nobody touches it, or that they are not for it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub escalated: usize,
    /// What was told last in its thread of rules that did not begin anything: a person reads the same once.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told_of: BTreeMap<RuleRef, String>,
    /// The alerts that are this problem together, by the monitoring's own names of them; empty where a problem is one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, State>,
}

/// Where an alert is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// The delivery that makes the post.
    pub delivery: DeliveryId,
    /// Its channel.
    pub channel: ChannelId,
}

/// An execution of ours that has a machine out of service, and where it is told what becomes of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// It.
    pub execution: ExecutionId,
    /// What it runs.
    pub action: ActionRef,
    /// The channel of its post, or of the post of the workflow that it belongs to.
    pub channel: ChannelId,
    /// The thread of that post.
    pub thread: Thread,
}

/// Something that was begun because of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    /// The execution.
    pub execution: ExecutionId,
    /// Why it was begun.
    #[serde(flatten)]
    pub origin: Origin,
    /// How it ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Status>,
}

/// What a notification means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Turn {
    /// A new problem.
    Opened,
    /// One that had gone a moment ago is back.
    Back,
    /// Its state is another, and bad too.
    Changed,
    /// It is told once more.
    Again,
    /// It is over.
    Recovered,
    /// Somebody has taken it on.
    Acknowledged,
    /// A downtime has begun.
    DowntimeBegun,
    /// It is over, or was taken off.
    DowntimeOver,
    /// It comes and goes.
    FlappingBegun,
    /// It does not any more.
    FlappingOver,
    /// A person says something.
    Said,
    /// It was sent before something that is known already; for the history only.
    Late,
}

impl Turn {
    /// Whether it is told that there is a problem, for the first time or once more.
    pub fn is_problem(self) -> bool {
        matches!(self, Turn::Opened | Turn::Back | Turn::Changed | Turn::Again)
    }
}

/// A turn with the alert as it is after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What it means.
    pub turn: Turn,
    /// How it stands now.
    pub alert: Alert,
    /// Who was behind it, and their words.
    pub word: Option<Word>,
    /// It is a problem that was none before, and counts for a storm.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub opens: bool,
    /// It is told by the post of the storm.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_storm: bool,
}

impl Change {
    fn new(turn: Turn, alert: Alert, word: Option<Word>) -> Self {
        Self { turn, alert, word, opens: false, in_storm: false }
    }
}

impl Alert {
    /// Whether the same was told of a rule last, or there is too much to tell.
    pub fn was_told_of(&self, rule: &RuleRef, what: &str) -> bool {
        match self.told_of.get(rule) {
            Some(told) => *told == as_told(what),
            None => self.told_of.len() >= MOST_TOLD,
        }
    }

    /// Whether its monitoring is silent about what somebody has taken on.
    fn knows_acknowledgements(&self) -> bool {
        let source = Source::ALL.into_iter().find(|source| source.name() == self.problem.source);
        source.is_none_or(Source::knows_acknowledgements)
    }

    /// Somebody has taken it on, or nobody needs to mind.
    pub fn is_seen_to(&self) -> bool {
        self.acknowledged.is_some() || self.downtime.is_some()
    }

    /// Since when nobody has touched it; absent where that is not known.
    pub fn untouched(&self) -> Option<Timestamp> {
        self.opened.map(|opened| self.touched.map_or(opened, |touched| touched.max(opened)))
    }

    /// Somebody touches it, or stops to: the time until others are called begins anew.
    fn touch(&mut self, at: Timestamp) {
        // Of what was known before this was noted nobody is called.
        if self.opened.is_some() && self.touched.is_none_or(|before| before < at) {
            (self.touched, self.escalated) = (Some(at), 0);
        }
    }

    /// When it is forgotten; never while it lasts.
    fn forgotten(&self) -> Option<Timestamp> {
        let heals = self.remedies.iter().any(|remedy| remedy.ended.is_none());
        self.recovered?.checked_add(if heals { LINGERS } else { COMES_BACK }).ok()
    }
}

/// Every problem that is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Board {
    #[serde(with = "as_list")]
    alerts: BTreeMap<Problem, Alert>,
    #[serde(default, skip_serializing_if = "Offered::is_empty")]
    offers: Offered,
}

impl Board {
    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty()
    }

    /// They, in order of source, site, host and service.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values()
    }

    /// What is known of a problem, also when one of the two does not know its site.
    pub fn find(&self, problem: &Problem) -> Option<&Alert> {
        self.alerts.get(problem).or_else(|| {
            let mut others = self.alerts.values().filter(|alert| alert.problem.may_be(problem));
            others.next().filter(|_| others.next().is_none())
        })
    }

    /// What a notification that comes in at `now` means; nothing for what concerns no problem.
    pub fn meaning(&self, notification: &Notification, now: Timestamp) -> Option<Change> {
        let told = notification.sent.unwrap_or(now).min(now);
        let word = Word { by: notification.author.clone(), comment: notification.comment.clone(), at: told };
        let known = self.find(&notification.problem);
        let bad = notification.state.is_none_or(|state| !state.is_good());
        if let Some(known) = known
            && told < known.told
        {
            return Some(Change::new(Turn::Late, known.clone(), Some(word)));
        }
        let gone = known.is_some_and(|known| known.recovered.is_some());
        let open = known.filter(|_| !gone);
        let turn = match notification.kind {
            // What no known word says counts by its state.
            Kind::Problem | Kind::Other if !bad && open.is_some() => Turn::Recovered,
            Kind::Problem | Kind::Other if !bad => return None,
            Kind::Problem | Kind::Other => match known {
                None => Turn::Opened,
                Some(known) => match known.recovered {
                    Some(then) if told.duration_since(then) > COMES_BACK => Turn::Opened,
                    Some(_) => Turn::Back,
                    None if known.state != notification.state => Turn::Changed,
                    None => Turn::Again,
                },
            },
            Kind::Recovery => open.map(|_| Turn::Recovered)?,
            // It may be about a problem of which the first notification never came.
            Kind::Acknowledgement if bad => Turn::Acknowledged,
            Kind::Acknowledgement => return None,
            Kind::DowntimeStart if open.is_some() || bad => Turn::DowntimeBegun,
            Kind::DowntimeStart => return None,
            Kind::DowntimeEnd | Kind::DowntimeCancelled => open.map(|_| Turn::DowntimeOver)?,
            Kind::FlappingStart => Turn::FlappingBegun,
            Kind::FlappingStop | Kind::FlappingDisabled => open.map(|_| Turn::FlappingOver)?,
            Kind::Custom | Kind::AlertHandler => known.map(|_| Turn::Said)?,
        };
        if known.is_none() && self.alerts.len() >= MOST {
            return None;
        }
        let fresh = open.is_none();
        let mut alert = known.cloned().unwrap_or_else(|| Alert {
            problem: notification.problem.clone(),
            state: None,
            output: String::new(),
            details: String::new(),
            since: told,
            told,
            acknowledged: None,
            downtime: None,
            flapping: false,
            recovered: None,
            host_groups: Vec::new(),
            url: None,
            post: None,
            remedies: Vec::new(),
            held_by: None,
            settles: None,
            opened: None,
            touched: None,
            escalated: 0,
            told_of: BTreeMap::new(),
            parts: BTreeMap::new(),
        });
        if alert.problem.site.is_empty() {
            alert.problem.site.clone_from(&notification.problem.site);
        }
        alert.told = told;
        if fresh && turn != Turn::Said {
            // How long the monitoring has known it counts, not when it was told.
            alert.since = notification.since.filter(|since| *since <= told).unwrap_or(told);
            (alert.recovered, alert.acknowledged, alert.downtime, alert.flapping) = (None, None, None, false);
            (alert.opened, alert.touched, alert.escalated) = (Some(now), None, 0);
            alert.held_by = None;
            alert.remedies.retain(|remedy| remedy.ended.is_none());
            alert.told_of.clear();
            if known.and_then(|known| known.recovered).is_some_and(|then| told.duration_since(then) > COMES_BACK) {
                // Its post tells of another time.
                alert.post = None;
            }
        }
        alert.state = notification.state.or(alert.state);
        if !notification.output.is_empty() {
            alert.output = shortened(&notification.output);
            alert.details = shortened(&notification.details);
        }
        if !notification.host_groups.is_empty() {
            alert.host_groups.clone_from(&notification.host_groups);
        }
        alert.url = notification.url.clone().or(alert.url);
        alert.parts.clone_from(&notification.parts);
        match turn {
            Turn::Opened | Turn::Back | Turn::Changed | Turn::Again => {
                (alert.downtime, alert.flapping) = (None, false);
                if alert.knows_acknowledgements() {
                    alert.acknowledged = None;
                }
            }
            Turn::Recovered => {
                alert.recovered = Some(told);
                (alert.acknowledged, alert.downtime, alert.flapping) = (None, None, false);
            }
            Turn::Acknowledged => alert.acknowledged = Some(word.clone()),
            Turn::DowntimeBegun => alert.downtime = Some(word.clone()),
            Turn::DowntimeOver => alert.downtime = None,
            Turn::FlappingBegun => alert.flapping = true,
            Turn::FlappingOver => {
                alert.flapping = false;
                // A service that has come to rest where it is well sends no recovery.
                if !bad {
                    alert.recovered = Some(told);
                }
            }
            Turn::Said | Turn::Late => {}
        }
        if alert.recovered.is_some() {
            alert.settles = None;
        }
        if open.is_some_and(Alert::is_seen_to) && !alert.is_seen_to() {
            alert.touch(now);
        }
        let spoken = word.by.is_some() || word.comment.is_some();
        Some(Change::new(turn, alert, spoken.then_some(word)))
    }

    /// Takes over how an alert is now.
    pub fn apply(&mut self, alert: &Alert) {
        if !self.alerts.contains_key(&alert.problem)
            && let Some(siteless) = self.find(&alert.problem).map(|known| known.problem.clone())
        {
            self.alerts.remove(&siteless);
            self.offers.rename(&siteless, &alert.problem);
        }
        if alert.recovered.is_some() {
            self.offers.withdraw(&alert.problem);
        }
        self.alerts.insert(alert.problem.clone(), alert.clone());
    }

    fn known(&mut self, problem: &Problem) -> Option<&mut Alert> {
        let known = self.find(problem)?.problem.clone();
        self.alerts.get_mut(&known)
    }

    /// What people may have done about the problems that are known.
    pub fn offers(&self) -> &Offered {
        &self.offers
    }

    /// Something is offered for a problem, in place of what was.
    pub fn offer(&mut self, problem: &Problem, offers: &Offers) {
        if let Some(known) = self.find(problem).map(|alert| alert.problem.clone()) {
            self.offers.put(known, offers.clone());
        }
    }

    /// A problem gets the post that it had none of.
    pub fn post(&mut self, problem: &Problem, posted: &Posted, at: Timestamp) {
        if let Some(alert) = self.known(problem) {
            (alert.post, alert.settles) = (Some(posted.clone()), None);
            alert.touch(at);
        }
    }

    /// Somebody touches a problem, or stops to.
    pub fn touch(&mut self, problem: &Problem, at: Timestamp) {
        if let Some(alert) = self.known(problem) {
            alert.touch(at);
        }
    }

    /// It is said that nobody touches it, for so many steps.
    pub fn escalate(&mut self, problem: &Problem, steps: usize) {
        if let Some(alert) = self.known(problem) {
            alert.escalated = steps;
        }
    }

    /// A problem has no post of its own any more. Gives the one that it had.
    pub fn unpost(&mut self, problem: &Problem) -> Option<Posted> {
        self.known(problem)?.post.take()
    }

    /// A problem has until then to end by itself.
    pub fn settle(&mut self, problem: &Problem, until: Option<Timestamp>) {
        if let Some(alert) = self.known(problem) {
            alert.settles = until;
        }
    }

    /// When the first of those is due that have some time to end by themselves.
    pub fn next_settled(&self) -> Option<Timestamp> {
        self.alerts.values().filter_map(|alert| alert.settles).min()
    }

    /// Something was begun because of a problem.
    pub fn remedied(&mut self, problem: &Problem, execution: &ExecutionId, origin: &Origin) {
        let Some(alert) = self.known(problem) else { return };
        if let Some(rule) = origin.rule() {
            alert.told_of.remove(rule);
        }
        alert.remedies.push(Remedy { execution: execution.clone(), origin: origin.clone(), ended: None });
        let old = alert.remedies.len().saturating_sub(MOST_REMEDIES);
        alert.remedies.drain(..old);
        if origin.offerer().is_some() {
            let problem = alert.problem.clone();
            self.offers.turn(&problem);
        }
    }

    /// It is over.
    pub fn remedy_ended(&mut self, problem: &Problem, execution: &ExecutionId, status: Status, at: Timestamp) {
        let Some(alert) = self.known(problem) else { return };
        alert.touch(at);
        let mut taken = false;
        for remedy in alert.remedies.iter_mut().filter(|remedy| remedy.execution == *execution) {
            remedy.ended = Some(status);
            taken |= remedy.origin.offerer().is_some();
        }
        if taken {
            let problem = alert.problem.clone();
            self.offers.turn(&problem);
        }
    }

    /// Something is told of a rule in the thread of a problem.
    pub fn tell_of(&mut self, problem: &Problem, rule: &RuleRef, what: &str) {
        if let Some(alert) = self.known(problem)
            && (alert.told_of.len() < MOST_TOLD || alert.told_of.contains_key(rule))
        {
            alert.told_of.insert(rule.clone(), as_told(what));
        }
    }

    /// Those that have been over for so long that a new notification would be of a new problem.
    pub fn past(&self, now: Timestamp) -> Vec<Problem> {
        let over = |alert: &&Alert| alert.forgotten().is_some_and(|then| now > then);
        self.alerts.values().filter(over).map(|alert| alert.problem.clone()).collect()
    }

    /// When the next one will be.
    pub fn next_past(&self) -> Option<Timestamp> {
        let first = self.alerts.values().filter_map(Alert::forgotten).min()?;
        first.checked_add(SignedDuration::from_secs(1)).ok()
    }

    /// Forgets one.
    pub fn forget(&mut self, problem: &Problem) {
        self.alerts.remove(problem);
        self.offers.forget(problem);
    }
}

/// As much of what is told of a rule as is remembered.
pub fn as_told(text: &str) -> String {
    text.chars().take(MOST_TOLD_TEXT).collect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_OUTPUT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Keys of maps have to be texts in JSON.
mod as_list {
    use super::{Alert, Problem};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    pub(super) fn serialize<S: Serializer>(alerts: &BTreeMap<Problem, Alert>, to: S) -> Result<S::Ok, S::Error> {
        alerts.values().collect::<Vec<_>>().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Problem, Alert>, D::Error> {
        let alerts = Vec::<Alert>::deserialize(from)?;
        Ok(alerts.into_iter().map(|alert| (alert.problem.clone(), alert)).collect())
    }
}
