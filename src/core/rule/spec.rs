//! A rule as its file says it.

use super::criterion::{Criterion, Finding, Scene};
use super::guard::OwnGuard;
use crate::core::alert::notification::Kind as Sent;
use crate::core::alert::source::{KIND, Source};
use crate::core::id::{ActionRef, RuleRef, TriggerRef};
use serde_json::{Map, Value};

/// When a rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Always.
    Standard,
    /// When no standard rule has matched the event.
    Backstop,
}

impl Kind {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Backstop => "backstop",
        }
    }
}

/// A test, or several of which one is enough.
#[derive(Debug, Clone)]
pub enum Condition {
    /// This.
    One(Box<Criterion>),
    /// All criteria of one of these.
    Any {
        /// How it is written.
        key: String,
        /// The groups.
        groups: Vec<Vec<Criterion>>,
    },
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name.
    pub reference: RuleRef,
    /// For people.
    pub description: String,
    /// Whether its file has it in force.
    pub enabled: bool,
    /// When it is asked.
    pub kind: Kind,
    /// The events that it listens to.
    pub trigger: TriggerRef,
    /// The parameters of its trigger.
    pub trigger_parameters: Map<String, Value>,
    /// What it asks of them; all of it has to hold.
    pub criteria: Vec<Condition>,
    /// What it starts.
    pub action: ActionRef,
    /// With what: values and templates.
    pub parameters: Map<String, Value>,
    /// It tells what it would run, and runs nothing.
    pub dry_run: bool,
    /// It begins nothing by itself: what it would begin is offered to people for as long as the problem lives.
    pub offer: Option<Offering>,
    /// How often it may act on problems, where it says so itself.
    pub guard: OwnGuard,
    /// It listens to the monitoring and does not look at why something is sent, so it is asked of problems only.
    pub only_problems: bool,
    /// Where it stands, for messages.
    pub file: String,
    /// Where its parameters stand there.
    pub parameters_at: &'static str,
}

/// How something is offered for a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offering {
    /// What stands on its button. The site's own words: nothing of an event is ever put into them.
    pub label: String,
}

/// What a rule says of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Its criteria are met.
    Matches,
    /// One of them is not.
    Differs,
    /// One of them cannot be judged.
    Troubled {
        /// The criterion.
        key: String,
        /// Why.
        why: String,
    },
}

/// What one condition of a rule found, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// Its key.
    pub key: String,
    /// The word of its operator; `any` for groups.
    pub operator: String,
    /// What it found; absent for groups.
    pub finding: Option<Finding>,
    /// Whether it holds.
    pub holds: bool,
    /// The groups, where it has some.
    pub groups: Vec<Vec<Explained>>,
}

impl Rule {
    /// Whether a rule is met by an event of its trigger. Criteria are asked in the order in which they are written, up to the first that is not
    /// met. An empty payload meets none.
    pub fn judge(&self, scene: &Scene<'_>, payload: &Value) -> Verdict {
        if !self.criteria.is_empty() && is_empty(payload) {
            return Verdict::Differs;
        }
        for condition in &self.criteria {
            match condition.judge(scene) {
                Verdict::Matches => {}
                other => return other,
            }
        }
        Verdict::Matches
    }

    /// What each of its criteria says of an event, all of them.
    pub fn explain(&self, scene: &Scene<'_>) -> Vec<Explained> {
        self.criteria.iter().map(|condition| condition.explain(scene)).collect()
    }

    /// Whether a rule on a trigger with these criteria is asked of problems only. **An acknowledgement, a downtime or a recovery carries the
    /// state too**, so a rule that asks for the state alone would act on them; one that looks at `notification_type` says itself what it is for.
    pub fn is_only_for_problems(trigger: &TriggerRef, criteria: &[Condition]) -> bool {
        let looks = |criterion: &Criterion| criterion.mentions(KIND);
        Source::of(trigger.as_str()).is_some()
            && !criteria.iter().any(|condition| match condition {
                Condition::One(criterion) => looks(criterion),
                Condition::Any { groups, .. } => groups.iter().flatten().any(looks),
            })
    }

    /// Whether what the monitoring sends is something that it is asked of. What does not say why it is sent is no problem, and it is for problems
    /// that something is offered.
    pub fn is_for(&self, payload: &Value) -> bool {
        let kind = || payload.get(KIND).and_then(Value::as_str).map(Sent::read);
        !(self.only_problems || self.offer.is_some()) || kind() == Some(Sent::Problem)
    }

    /// Whether it hears events that were watched for with these parameters.
    pub fn hears(&self, parameters: &Map<String, Value>) -> bool {
        self.trigger_parameters == *parameters
    }
}

impl Condition {
    fn judge(&self, scene: &Scene<'_>) -> Verdict {
        match self {
            Self::One(criterion) => judge(criterion, scene),
            Self::Any { groups, .. } => {
                let mut trouble = None;
                for group in groups {
                    match group.iter().map(|criterion| judge(criterion, scene)).find(|said| *said != Verdict::Matches) {
                        None => return Verdict::Matches,
                        Some(Verdict::Differs | Verdict::Matches) => {}
                        Some(troubled) => {
                            trouble.get_or_insert(troubled);
                        }
                    }
                }
                trouble.unwrap_or(Verdict::Differs)
            }
        }
    }

    fn explain(&self, scene: &Scene<'_>) -> Explained {
        match self {
            Self::One(criterion) => explain(criterion, scene),
            Self::Any { key, groups } => {
                let groups: Vec<Vec<Explained>> = groups
                    .iter()
                    .map(|group| group.iter().map(|criterion| explain(criterion, scene)).collect())
                    .collect();
                let holds = groups.iter().any(|group| group.iter().all(|explained| explained.holds));
                Explained { key: key.clone(), operator: "any".to_owned(), finding: None, holds, groups }
            }
        }
    }
}

fn judge(criterion: &Criterion, scene: &Scene<'_>) -> Verdict {
    match criterion.holds(scene) {
        Ok(true) => Verdict::Matches,
        Ok(false) => Verdict::Differs,
        Err(why) => Verdict::Troubled { key: criterion.key().to_owned(), why },
    }
}

fn explain(criterion: &Criterion, scene: &Scene<'_>) -> Explained {
    let finding = criterion.explain(scene);
    Explained {
        key: criterion.key().to_owned(),
        operator: criterion.word().to_owned(),
        holds: finding.holds,
        finding: Some(finding),
        groups: Vec::new(),
    }
}

/// Python's falsehood of a payload.
fn is_empty(payload: &Value) -> bool {
    match payload {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}
