//! A storm: so many new problems at once that they are told in one post.
//!
//! ```text
//! ──more than so many new ones within a window──> rising ──nothing new and nothing over for a while, or too old──┬─ few are left ─> over
//!                                                   ^                                                            └─> calm ─ few are left ─> over
//!                                                   └────────────── a new wave: another storm takes over what is left of it ──┘
//! ```
//!
//! - **There is one storm at a time**, and every problem that opens while it rises belongs to it, whatever it is like: what began all of it is
//!   often the one that is unlike the others. That it is not overlooked is the matter of the post.
//! - **A member has no post of its own** until few are left; then each of these gets one.
//! - **What broke in a storm is left alone by rules until a person lets them act**, also after it is over ([`Storm::holds`]). What they would have done
//!   is kept and asked again then.
//! - **It costs the same for every event**, and what is known of a member is a few words: how it stands is known of the problem itself.

use super::life::{Board, Change, Posted, Turn};
use super::notification::Problem;
use crate::core::id::{RuleRef, StormId};
use crate::core::input::Principal;
use crate::core::memory::pairs;
use crate::core::rule::trigger::{Outcome, Taken, TriggerInstance};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// No more new problems than this can be asked for.
pub const MOST_PROBLEMS: usize = 500;
/// No longer window can be.
pub const LONGEST_WINDOW: Duration = Duration::from_secs(3600);
/// When so many or fewer are left, each gets a post of its own.
pub const FEW: usize = 5;
/// So many new problems are remembered to have come.
const MOST_RECENT: usize = 1_000;
/// Of so many problems it is kept what rules would have done.
const MOST_HELD: usize = 1_000;
/// Of so many groups of a host it is known that it is in them.
const MOST_GROUPS: usize = 8;
/// So many words of people about single members are told in its thread.
pub const MOST_SAID: u32 = 20;
/// Why something that was held was not begun can be long; this much of it is told.
const MOST_WHY: usize = 300;

/// When many problems are a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// More new problems than this within the window; 0 for never.
    pub problems: usize,
    /// The window.
    pub window: Duration,
    /// It is over when for so long nothing has begun and nothing has ended.
    pub quiet: Duration,
    /// It takes nothing in any more after so long, whatever comes.
    pub longest: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            problems: 10,
            window: Duration::from_secs(120),
            quiet: Duration::from_secs(300),
            longest: Duration::from_secs(4 * 3600),
        }
    }
}

/// How it stands with a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// What opens belongs to it.
    Rising,
    /// Nothing comes any more, and many problems are left.
    Calm,
    /// It is told that it is over.
    Over,
}

/// What is known of a problem as a part of a storm.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Member {
    /// It is a problem now.
    pub open: bool,
    /// It has a post of its own.
    pub apart: bool,
    /// It had that since a storm before this one, and is only held back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub before: bool,
    /// The groups of its host, as the monitoring says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

impl Member {
    /// It is told by the post of the storm, and nowhere else.
    fn is_listed(&self) -> bool {
        self.open && !self.apart
    }
}

/// What rules would have done for a problem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// The newest event on which they would have.
    pub instance: TriggerInstance,
    /// They.
    pub rules: Vec<RuleRef>,
}

/// A person lets rules act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// Who.
    pub by: Principal,
    /// When.
    pub at: Timestamp,
}

/// What came of what was held, when it was asked again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// So many things were begun, or wait to begin.
    pub begun: usize,
    /// So many were not.
    pub not: usize,
    /// Why the first of these was not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// A storm that begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Began {
    /// It.
    pub storm: StormId,
    /// Its post.
    pub posted: Posted,
    /// When the first of the problems came.
    pub since: Timestamp,
    /// Those that came before it was seen to be one.
    pub members: Vec<Problem>,
}

/// What happens to a storm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "turn")]
pub enum StormTurn {
    /// Nothing comes any more, and many are left.
    Calm,
    /// It is over.
    Over,
    /// The posts of its first problems say that they are a part of it.
    Linked,
    /// Its post shows how it stands after so many turns.
    Drawn {
        /// See [`Storm::turned`].
        turned: u32,
    },
    /// Something that was held was asked again.
    Asked {
        /// For which problem.
        problem: Problem,
        /// What came of it.
        #[serde(flatten)]
        asked: Asked,
    },
    /// It is told what came of that.
    Told,
}

/// A storm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Storm {
    /// It.
    pub id: StormId,
    /// Its post.
    pub posted: Posted,
    /// When the first of its problems came.
    pub since: Timestamp,
    /// When it was seen to be one.
    pub begun: Timestamp,
    /// When something began or ended last.
    pub last: Timestamp,
    /// How it stands.
    pub phase: Phase,
    #[serde(with = "pairs")]
    members: BTreeMap<Problem, Member>,
    /// How many of them are told here alone.
    listed: usize,
    /// Who lets rules act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Released>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "pairs")]
    held: BTreeMap<Problem, Held>,
    /// What came of what was held.
    #[serde(default)]
    pub asked: Asked,
    /// It was told what came of that.
    #[serde(default)]
    pub told: bool,
    /// The posts of members that do not say yet that these are told here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "pairs")]
    parts: BTreeMap<Problem, Posted>,
    /// How often something happened that its post is promised to show.
    #[serde(default)]
    pub turned: u32,
    /// After how many of these it was promised.
    #[serde(default)]
    pub drawn: u32,
    /// How many words of people about single members were told.
    #[serde(default)]
    pub said: u32,
    /// When somebody touched it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touched: Option<Timestamp>,
    /// Of so many steps of the escalation it was said that nobody touches it, or that they are not for it.
    #[serde(default)]
    pub escalated: usize,
}

impl Storm {
    fn new(at: Timestamp, began: &Began) -> Self {
        Self {
            id: began.storm.clone(),
            posted: began.posted.clone(),
            since: began.since,
            begun: at,
            last: at,
            phase: Phase::Rising,
            members: BTreeMap::new(),
            listed: 0,
            released: None,
            held: BTreeMap::new(),
            asked: Asked::default(),
            told: false,
            parts: BTreeMap::new(),
            turned: 0,
            drawn: 0,
            said: 0,
            touched: None,
            escalated: 0,
        }
    }

    /// All that belong to it, also those that are over.
    pub fn members(&self) -> impl Iterator<Item = (&Problem, &Member)> {
        self.members.iter().filter(|(_, member)| !member.before)
    }

    /// How many these are.
    pub fn count(&self) -> usize {
        self.members().count()
    }

    /// What is known of a problem as a part of it.
    pub fn member(&self, problem: &Problem) -> Option<&Member> {
        self.key(problem).and_then(|key| self.members.get(key))
    }

    /// Whether a problem is told by its post, and nowhere else.
    pub fn lists(&self, problem: &Problem) -> bool {
        self.member(problem).is_some_and(Member::is_listed)
    }

    /// How many are.
    pub fn listed(&self) -> usize {
        self.listed
    }

    /// Whether rules leave a problem alone since it broke in a storm, and no person has let them act.
    pub fn holds(&self, problem: &Problem) -> bool {
        self.released.is_none() && self.member(problem).is_some_and(|member| member.open)
    }

    /// For how many problems rules would have acted.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Since when nobody has touched it.
    pub fn untouched(&self) -> Timestamp {
        self.touched.unwrap_or(self.begun).max(self.begun)
    }

    /// What is to be asked again, the first of it.
    pub fn next_held(&self) -> Option<(&Problem, &Held)> {
        self.held.first_key_value()
    }

    /// The posts of members that do not say yet that these are told here.
    pub fn parts(&self) -> impl Iterator<Item = (&Problem, &Posted)> {
        self.parts.iter()
    }

    /// A member by the name that it is known by here: a sender that does not know its site may mean any.
    fn key(&self, problem: &Problem) -> Option<&Problem> {
        if let Some((key, _)) = self.members.get_key_value(problem) {
            return Some(key);
        }
        // Only one that names no site, or has come from somebody who does not, needs to be looked for.
        let siteless = Problem { site: String::new(), ..problem.clone() };
        match problem.site.is_empty() {
            false => self.members.get_key_value(&siteless).map(|(key, _)| key),
            true => {
                let mut others = self.members.keys().filter(|known| known.may_be(problem));
                others.next().filter(|_| others.next().is_none())
            }
        }
    }

    fn put(&mut self, problem: &Problem, member: Member) {
        if let Some(key) = self.key(problem).filter(|key| *key != problem).cloned()
            && let Some(known) = self.members.remove(&key)
        {
            self.listed -= usize::from(known.is_listed());
            if let Some(held) = self.held.remove(&key) {
                self.held.insert(problem.clone(), held);
            }
        }
        self.listed += usize::from(member.is_listed());
        if !member.open {
            self.held.remove(problem);
        }
        if let Some(known) = self.members.insert(problem.clone(), member) {
            self.listed -= usize::from(known.is_listed());
        }
    }

    /// Nothing of it is to be told or kept back any more.
    fn is_done(&self) -> bool {
        let waits = self.held.is_empty() && (self.released.is_none() || self.told);
        let holds = self.released.is_none() && self.members.values().any(|member| member.open);
        self.phase == Phase::Over && self.drawn == self.turned && self.parts.is_empty() && waits && !holds
    }
}

/// A new problem that came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Recent {
    at: Timestamp,
    problem: Problem,
}

/// What is known of storms: the one that is, and how many problems came lately.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Storms {
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    recent: VecDeque<Recent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storm: Option<Box<Storm>>,
}

impl Storms {
    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.storm.is_none()
    }

    /// The storm that is, or of which something is still kept back.
    pub fn now(&self) -> Option<&Storm> {
        self.storm.as_deref()
    }

    /// The new problems of the last while, each once, the first of them first; and when that came.
    pub fn recent(&self, now: Timestamp, window: Duration) -> (Vec<&Problem>, Option<Timestamp>) {
        let from = now.saturating_sub(SignedDuration::try_from(window).unwrap_or_default()).unwrap_or(Timestamp::MIN);
        let mut found: Vec<&Problem> = Vec::new();
        let mut first = None;
        for recent in self.recent.iter().filter(|recent| recent.at > from) {
            first = first.or(Some(recent.at));
            if !found.contains(&&recent.problem) {
                found.push(&recent.problem);
            }
        }
        (found, first)
    }

    /// How a problem stands has changed.
    pub fn changed(&mut self, at: Timestamp, change: &Change, board: &Board) {
        let alert = &change.alert;
        if change.opens {
            self.recent.push_back(Recent { at, problem: alert.problem.clone() });
            let long_ago = |recent: &Recent| at.duration_since(recent.at).unsigned_abs() > LONGEST_WINDOW;
            while self.recent.len() > MOST_RECENT || self.recent.front().is_some_and(long_ago) {
                self.recent.pop_front();
            }
        }
        let Some(storm) = self.storm.as_deref_mut() else { return };
        let known = storm.member(&alert.problem).cloned();
        if known.is_none() && !change.in_storm {
            return;
        }
        if change.in_storm
            && let Some(posted) = board.find(&alert.problem).and_then(|known| known.post.clone())
        {
            storm.parts.insert(alert.problem.clone(), posted);
        }
        let open = alert.recovered.is_none();
        if known.as_ref().is_none_or(|known| known.open != open) {
            storm.last = at;
        }
        if change.turn == Turn::Said && change.in_storm {
            storm.said = storm.said.saturating_add(1);
        }
        let known_before = known.as_ref().is_some_and(|known| known.before);
        let groups = match alert.host_groups.as_slice() {
            [] => known.map(|known| known.groups).unwrap_or_default(),
            groups => groups.iter().take(MOST_GROUPS).cloned().collect(),
        };
        let before = !change.in_storm && known_before;
        storm.put(&alert.problem, Member { open, apart: alert.post.is_some(), before, groups });
        self.tidy();
    }

    /// A storm begins. What is left of the one before belongs to it.
    pub fn begin(&mut self, at: Timestamp, began: &Began, board: &mut Board) {
        let mut storm = Storm::new(at, began);
        if let Some(before) = self.storm.take() {
            storm.held = before.held;
            storm.parts = before.parts;
            for (problem, member) in before.members.iter().filter(|(_, member)| member.open) {
                storm.put(problem, Member { before: member.apart, ..member.clone() });
            }
        }
        for problem in &began.members {
            let Some(alert) = board.find(problem) else { continue };
            let groups = alert.host_groups.iter().take(MOST_GROUPS).cloned().collect();
            let (open, known) = (alert.recovered.is_none(), alert.problem.clone());
            if let Some(posted) = board.unpost(&known) {
                storm.parts.insert(known.clone(), posted);
            }
            storm.put(&known, Member { open, apart: false, before: false, groups });
        }
        self.storm = Some(Box::new(storm));
    }

    /// Something happens to a storm.
    pub fn turn(&mut self, id: &StormId, turn: &StormTurn) {
        let Some(storm) = self.storm.as_deref_mut().filter(|storm| storm.id == *id) else { return };
        match turn {
            StormTurn::Calm => (storm.phase, storm.turned) = (Phase::Calm, storm.turned.saturating_add(1)),
            StormTurn::Over => (storm.phase, storm.turned) = (Phase::Over, storm.turned.saturating_add(1)),
            StormTurn::Linked => storm.parts.clear(),
            StormTurn::Drawn { turned } => storm.drawn = *turned,
            StormTurn::Asked { problem, asked } => {
                storm.held.remove(problem);
                storm.asked.begun += asked.begun;
                storm.asked.not += asked.not;
                if storm.asked.why.is_empty() {
                    storm.asked.why.clone_from(&asked.why);
                }
            }
            StormTurn::Told => storm.told = true,
        }
        self.tidy();
    }

    /// A person lets rules act on what broke in a storm.
    pub fn release(&mut self, id: &StormId, at: Timestamp, by: &Principal) {
        if let Some(storm) = self.storm.as_deref_mut().filter(|storm| storm.id == *id) {
            storm.released = Some(Released { by: by.clone(), at });
            storm.turned = storm.turned.saturating_add(1);
        }
        self.touch(id, at);
    }

    /// Somebody touches a storm.
    pub fn touch(&mut self, id: &StormId, at: Timestamp) {
        let storm = self.storm.as_deref_mut().filter(|storm| storm.id == *id);
        if let Some(storm) = storm.filter(|storm| storm.touched.is_none_or(|before| before < at)) {
            (storm.touched, storm.escalated) = (Some(at), 0);
        }
    }

    /// A monitoring is asked to do something about these problems, or has ended with that: the post says so, and its buttons are others.
    pub fn ordered(&mut self, at: Timestamp, problems: &[Problem]) {
        let Some(storm) = self.storm.as_deref_mut().filter(|storm| storm.phase != Phase::Over) else { return };
        if problems.iter().any(|problem| storm.lists(problem)) {
            storm.turned = storm.turned.saturating_add(1);
            let id = storm.id.clone();
            self.touch(&id, at);
        }
    }

    /// It is said that nobody touches it, for so many steps.
    pub fn escalate(&mut self, id: &StormId, steps: usize) {
        if let Some(storm) = self.storm.as_deref_mut().filter(|storm| storm.id == *id) {
            storm.escalated = steps;
        }
    }

    /// An event was taken up: what rules would have done on it is kept.
    pub fn taken(&mut self, taken: &Taken) {
        let Some(storm) = self.storm.as_deref_mut() else { return };
        let held = taken.enforcements.iter().filter_map(|one| match &one.outcome {
            Outcome::Held { problem, .. } => Some((problem, one.rule.clone())),
            _ => None,
        });
        let held: Vec<(&Problem, RuleRef)> = held.collect();
        let Some((problem, _)) = held.first() else { return };
        let problem = storm.key(problem).unwrap_or(problem).clone();
        if storm.held.len() < MOST_HELD || storm.held.contains_key(&problem) {
            let rules = held.into_iter().map(|(_, rule)| rule).collect();
            storm.held.insert(problem, Held { instance: taken.instance.clone(), rules });
        }
    }

    /// A problem gets a post of its own.
    pub fn post(&mut self, problem: &Problem) {
        let Some(storm) = self.storm.as_deref_mut() else { return };
        if let Some(member) = storm.member(problem).cloned() {
            storm.put(problem, Member { apart: true, ..member });
        }
    }

    fn tidy(&mut self) {
        if self.storm.as_deref().is_some_and(Storm::is_done) {
            self.storm = None;
        }
    }
}

/// As much of why something was not begun as is told.
pub fn as_told(why: &str) -> String {
    why.chars().take(MOST_WHY).collect()
}
