//! One problem from its first notification to its end, and all of them on a board.
//!
//! [`Board::meaning`] says what a notification means for what is known, [`Board::apply`] takes it over. The monitoring sends no notification of a problem that is
//! acknowledged, in a downtime or flapping; so **a problem that is told again is none of these any more**, also when nobody has said so.
//! Where the monitoring knows no acknowledgements, they are ours alone, and last as long as the problem.

use super::notification::{Kind, Notification, Problem, State};
use super::offer::{Offered, Offers, Origin};
use super::order::{Mark, Target};
use super::source::Source;
use super::standing::{Reading, Said, Standing};
use crate::core::action::execution::Status;
use crate::core::effect::Thread;
use crate::core::id::{ActionRef, ChannelId, DeliveryId, ExecutionId, RuleRef};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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
    /// When the monitoring was asked last of what it has said of this: what was sent before is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Timestamp>,
    /// Since when the monitoring does not know it any more, when it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Timestamp>,
    /// How often it was another choice what people can have the monitoring do about it.
    #[serde(default, skip_serializing_if = "no_choices")]
    pub choices: u32,
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
    /// Why it did not end well, where that is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// What came of an order for one problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderEnd {
    /// The problem.
    pub problem: Problem,
    /// How it ended: a timeout is what was taken and never seen.
    pub status: Status,
    /// Why it did not end well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
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
    /// It is over, which nobody has told: the monitoring said so when it was asked.
    FoundOver,
    /// Somebody has taken it on.
    Acknowledged,
    /// Nobody has it any more.
    GivenBack,
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
    /// It is known already, since it was seen or is our own.
    Echo,
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
    /// One that is no member of a storm.
    pub(super) fn new(turn: Turn, alert: Alert, word: Option<Word>) -> Self {
        Self { turn, alert, word, opens: false, in_storm: false }
    }
}

impl Alert {
    /// One of which nothing is known but its name and since when.
    pub(super) fn new(problem: Problem, told: Timestamp) -> Self {
        Self {
            problem,
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
            read: None,
            unknown: None,
            choices: 0,
            told_of: BTreeMap::new(),
            parts: BTreeMap::new(),
        }
    }

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
        let (by, comment) = (notification.author.clone(), notification.comment.clone());
        let word = self.word(&notification.problem.host, by, comment, told);
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
            Kind::AcknowledgementRemoved => match open?.acknowledged {
                Some(_) => Turn::GivenBack,
                None => Turn::Echo,
            },
            Kind::DowntimeStart if open.is_some() || bad => Turn::DowntimeBegun,
            Kind::DowntimeStart => return None,
            Kind::DowntimeEnd | Kind::DowntimeCancelled => open.map(|_| Turn::DowntimeOver)?,
            Kind::FlappingStart => Turn::FlappingBegun,
            Kind::FlappingStop | Kind::FlappingDisabled => open.map(|_| Turn::FlappingOver)?,
            Kind::Custom | Kind::AlertHandler => known.map(|_| Turn::Said)?,
        };
        let turn = match known {
            // What was seen since it was sent counts more.
            Some(known) if turn != Turn::Said && known.read.is_some_and(|read| told < read) => {
                if is_seen(turn, known, &word, notification.state) {
                    Turn::Echo
                } else if known.read.is_some_and(|read| latest(told) < read) {
                    return Some(Change::new(Turn::Late, known.clone(), Some(word)));
                } else {
                    turn
                }
            }
            Some(known)
                if turn == Turn::Acknowledged
                    && known.acknowledged.as_ref().is_some_and(|taken| taken.is_same(&word)) =>
            {
                Turn::Echo
            }
            _ => turn,
        };
        if known.is_none() && self.alerts.len() >= MOST {
            return None;
        }
        let fresh = open.is_none();
        let mut alert = known.cloned().unwrap_or_else(|| Alert::new(notification.problem.clone(), told));
        if alert.problem.site.is_empty() {
            alert.problem.site.clone_from(&notification.problem.site);
        }
        alert.told = told;
        if fresh && !matches!(turn, Turn::Said | Turn::Echo) {
            // How long the monitoring has known it counts, not when it was told.
            alert.since = notification.since.filter(|since| *since <= told).unwrap_or(told);
            (alert.recovered, alert.acknowledged, alert.downtime, alert.flapping) = (None, None, None, false);
            (alert.opened, alert.touched, alert.escalated) = (Some(now), None, 0);
            alert.held_by = None;
            alert.remedies.retain(|remedy| remedy.ended.is_none());
            alert.told_of.clear();
            (alert.read, alert.unknown) = (None, None);
            alert.choices = alert.choices.saturating_add(1);
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
            Turn::Recovered | Turn::FoundOver => {
                alert.recovered = Some(told);
                (alert.acknowledged, alert.downtime, alert.flapping) = (None, None, false);
            }
            Turn::Acknowledged => alert.acknowledged = Some(word.clone()),
            Turn::GivenBack => alert.acknowledged = None,
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
            Turn::Said | Turn::Late | Turn::Echo => {}
        }
        if turn_changes_choice(turn) {
            alert.choices = alert.choices.saturating_add(1);
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

    /// Who said something, and with what words: of what we have written ourselves the one who wanted it.
    fn word(&self, host: &str, by: Option<String>, comment: Option<String>, at: Timestamp) -> Word {
        match comment.as_deref().and_then(Mark::read) {
            Some((words, mark)) if self.knows_order(host, &mark) => {
                let words = (!words.is_empty()).then(|| words.to_owned());
                Word { by: Some(mark.who), comment: words, at }
            }
            _ => Word { by, comment, at },
        }
    }

    pub(super) fn said(&self, host: &str, said: &Said, at: Timestamp) -> Word {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        self.word(host, text(&said.by), text(&said.comment), at)
    }

    /// Whether an order with this mark was about a problem of this host. **Anybody can write a mark.**
    fn knows_order(&self, host: &str, mark: &Mark) -> bool {
        let of_host = self.alerts.values().filter(|alert| alert.problem.host == host);
        of_host.flat_map(|alert| &alert.remedies).any(|remedy| match &remedy.origin {
            Origin::Order { wanted_by, .. } => *wanted_by == mark.who && remedy.execution.short() == mark.execution,
            Origin::Rule { .. } | Origin::Offer { .. } => false,
        })
    }

    /// What a reading means for what is known, one problem after the other: what nobody has told, and is seen. Each problem comes with all its turns, the alert
    /// as it is after the last of them; without a turn where only what stands there is another.
    pub fn reconcile(&self, reading: &Reading, of: impl Fn(&Problem) -> bool) -> Vec<Seen> {
        let by_name: BTreeMap<(&str, Option<&str>), &Standing> = reading
            .list
            .iter()
            .map(|standing| ((standing.problem.host.as_str(), standing.problem.service.as_deref()), standing))
            .collect();
        let unknown: BTreeSet<&Target> = reading.unknown.iter().collect();
        let open = self.alerts.values().filter(|alert| alert.recovered.is_none() && of(&alert.problem));
        let mut seen = Vec::new();
        // What is told meanwhile is newer than the reading.
        for alert in
            open.filter(|alert| alert.told <= reading.asked && alert.read.is_none_or(|read| read <= reading.asked))
        {
            let Problem { host, service, .. } = &alert.problem;
            let target = Target { host: host.clone(), service: service.clone() };
            match by_name.get(&(host.as_str(), service.as_deref())) {
                Some(standing) if standing.problem.may_be(&alert.problem) => {
                    seen.extend(self.seen(alert, standing, reading.asked));
                }
                None if unknown.contains(&target) && alert.unknown.is_none() => {
                    let alert = Alert { unknown: Some(reading.asked), ..alert.clone() };
                    seen.push(Seen { alert, turns: Vec::new() });
                }
                _ => {}
            }
        }
        seen
    }

    /// What is seen of one problem; nothing where it is as it is known.
    fn seen(&self, known: &Alert, standing: &Standing, asked: Timestamp) -> Option<Seen> {
        let mut alert = known.clone();
        let mut turns = Vec::new();
        (alert.read, alert.unknown) = (Some(asked), None);
        if !standing.output.is_empty() {
            alert.output = shortened(&standing.output);
        }
        if standing.is_good() && !standing.flapping {
            let since = standing.since.filter(|since| *since >= alert.since && *since <= asked);
            alert.state = standing.state;
            alert.recovered = since.or(Some(asked));
            (alert.acknowledged, alert.downtime, alert.flapping, alert.settles) = (None, None, false, None);
            alert.choices = alert.choices.saturating_add(1);
            return Some(Seen { alert, turns: vec![(Turn::FoundOver, None)] });
        }
        if standing.hard && !standing.is_good() && standing.state.is_some() && standing.state != alert.state {
            alert.state = standing.state;
            turns.push((Turn::Changed, None));
        }
        let words = |said: &Said| self.said(&known.problem.host, said, asked);
        match (&standing.acknowledged, &alert.acknowledged) {
            // An acknowledgement that is ours alone cannot be seen.
            (None, Some(_)) if known.knows_acknowledgements() => {
                alert.acknowledged = None;
                turns.push((Turn::GivenBack, None));
            }
            (Some(said), taken) => {
                let word = words(said);
                let tells = word.by.is_some() || word.comment.is_some();
                if taken.as_ref().is_none_or(|taken| tells && !taken.is_same(&word)) {
                    alert.acknowledged = Some(word.clone());
                    turns.push((Turn::Acknowledged, tells.then_some(word)));
                }
            }
            (None, _) => {}
        }
        match (standing.in_downtime, alert.downtime.is_some()) {
            (true, false) => {
                let word = standing.downtimes.first().map(|downtime| words(&downtime.said));
                alert.downtime = Some(word.clone().unwrap_or(Word { by: None, comment: None, at: asked }));
                turns.push((Turn::DowntimeBegun, word));
            }
            (false, true) => {
                alert.downtime = None;
                turns.push((Turn::DowntimeOver, None));
            }
            _ => {}
        }
        if standing.flapping != alert.flapping {
            alert.flapping = standing.flapping;
            turns.push((if standing.flapping { Turn::FlappingBegun } else { Turn::FlappingOver }, None));
        }
        if turns.iter().any(|(turn, _)| turn_changes_choice(*turn)) {
            alert.choices = alert.choices.saturating_add(1);
        }
        if known.is_seen_to() && !alert.is_seen_to() {
            alert.touch(asked);
        }
        let shown = alert.output != known.output || known.unknown.is_some();
        (shown || !turns.is_empty()).then_some(Seen { alert, turns })
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
        alert.choices = alert.choices.saturating_add(1);
        alert.remedies.push(Remedy {
            execution: execution.clone(),
            origin: origin.clone(),
            ended: None,
            why: String::new(),
        });
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

    /// An order has ended.
    pub fn ordered(&mut self, execution: &ExecutionId, ends: &[OrderEnd]) {
        for OrderEnd { problem, status, why } in ends {
            let Some(alert) = self.known(problem) else { continue };
            alert.choices = alert.choices.saturating_add(1);
            for remedy in alert.remedies.iter_mut().filter(|remedy| remedy.execution == *execution) {
                (remedy.ended, remedy.why) = (Some(*status), why.clone());
            }
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

/// What a reading says of a problem.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// How it stands now.
    pub alert: Alert,
    /// What that means, and whose words are behind it.
    pub turns: Vec<(Turn, Option<Word>)>,
}

impl Word {
    /// Whether both say the same, whenever that was.
    fn is_same(&self, other: &Self) -> bool {
        (&self.by, &self.comment) == (&other.by, &other.comment)
    }
}

/// Whether what a notification says was seen already when the monitoring was asked.
fn is_seen(turn: Turn, known: &Alert, word: &Word, state: Option<State>) -> bool {
    let same = |kept: &Option<Word>| kept.as_ref().is_some_and(|kept| kept.is_same(word));
    match turn {
        Turn::Acknowledged => same(&known.acknowledged),
        Turn::DowntimeBegun => known.downtime.is_some(),
        Turn::DowntimeOver => known.downtime.is_none(),
        Turn::FlappingBegun => known.flapping,
        Turn::FlappingOver => !known.flapping,
        Turn::Changed | Turn::Again => known.state == state,
        Turn::Recovered => known.recovered.is_some(),
        Turn::Echo | Turn::Late => true,
        Turn::Said | Turn::Opened | Turn::Back | Turn::FoundOver | Turn::GivenBack => false,
    }
}

/// The latest moment at which something was sent, by the time that is told of it: whole seconds are all that some monitorings tell, and stand for any moment of that second.
fn latest(told: Timestamp) -> Timestamp {
    let rest =
        if told.subsec_nanosecond() == 0 { SignedDuration::from_nanos(999_999_999) } else { SignedDuration::ZERO };
    told.saturating_add(rest).unwrap_or(told)
}

/// Whether people can have something else done about a problem after a turn.
fn turn_changes_choice(turn: Turn) -> bool {
    match turn {
        Turn::Opened
        | Turn::Back
        | Turn::Recovered
        | Turn::FoundOver
        | Turn::Acknowledged
        | Turn::GivenBack
        | Turn::DowntimeBegun
        | Turn::DowntimeOver => true,
        Turn::Changed | Turn::Again | Turn::FlappingBegun | Turn::FlappingOver => false,
        Turn::Said | Turn::Echo | Turn::Late => false,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn no_choices(number: &u32) -> bool {
    *number == 0
}

/// As much of what is told of a rule as is remembered.
pub fn as_told(text: &str) -> String {
    text.chars().take(MOST_TOLD_TEXT).collect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

pub(super) fn shortened(text: &str) -> String {
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
