//! The rules that an event could concern, found without asking all of them.
//!
//! Rules are kept by their trigger, and those of one trigger by the one criterion that tells most of them apart: that a value is a certain text,
//! or begins with one. **What an event costs grows with the rules that it could match**, not with those that there are. A rule without such a
//! criterion is asked each time.
//!
//! **The index leaves no rule out that would match**; it leaves out rules one of whose criteria is certainly not met, without looking whether
//! another of them could be judged.

use super::criterion::Criterion;
use super::operator::Operator;
use super::spec::{Condition, Rule};
use crate::core::id::{RuleRef, TriggerRef};
use regex_syntax::ast::{Ast, LiteralKind};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Every rule that is known, with ways to those that listen to something.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    all: BTreeMap<RuleRef, Arc<Rule>>,
    by_trigger: BTreeMap<TriggerRef, Listeners>,
}

/// The rules that listen to one trigger.
#[derive(Debug, Clone, Default)]
struct Listeners {
    /// In the order of their names.
    rules: Vec<Arc<Rule>>,
    /// Those that are found by a value.
    by_value: BTreeMap<Vec<String>, Values>,
    /// Those that are asked each time.
    others: Vec<usize>,
}

/// Rules by the text at one place of the payload.
#[derive(Debug, Clone, Default)]
struct Values {
    /// It has to be this.
    equal: BTreeMap<String, Vec<usize>>,
    /// It has to begin with this.
    beginning: BTreeMap<String, Vec<usize>>,
    /// The lengths of those beginnings, in bytes.
    lengths: BTreeSet<usize>,
}

/// What a value has to be for a rule to match.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Equal(String),
    Beginning(String),
}

/// A criterion by which a rule can be found: the place, and one of these marks has to be there.
type Handle<'r> = (&'r [String], Vec<Mark>);

impl Rules {
    /// The index over these.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let all: BTreeMap<RuleRef, Arc<Rule>> =
            rules.into_iter().map(|rule| (rule.reference.clone(), Arc::new(rule))).collect();
        let mut by_trigger: BTreeMap<TriggerRef, Vec<Arc<Rule>>> = BTreeMap::new();
        for rule in all.values() {
            by_trigger.entry(rule.trigger.clone()).or_default().push(Arc::clone(rule));
        }
        let by_trigger = by_trigger.into_iter().map(|(trigger, rules)| (trigger, Listeners::new(rules))).collect();
        Self { all, by_trigger }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.all.values()
    }

    /// One of them.
    pub fn get(&self, reference: &RuleRef) -> Option<&Arc<Rule>> {
        self.all.get(reference)
    }

    /// The rules that listen to a trigger, whatever the event.
    pub fn listening(&self, trigger: &TriggerRef) -> &[Arc<Rule>] {
        self.by_trigger.get(trigger).map_or(&[], |listeners| &listeners.rules)
    }

    /// The rules that an event could match, in the order of their names.
    pub fn concerned(&self, trigger: &TriggerRef, parameters: &Map<String, Value>, payload: &Value) -> Vec<&Arc<Rule>> {
        let Some(listeners) = self.by_trigger.get(trigger) else { return Vec::new() };
        let mut found = listeners.others.clone();
        for (names, values) in &listeners.by_value {
            let value = names.iter().try_fold(payload, |value, name| value.get(name));
            values.collect(value, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        let rules = found.into_iter().filter_map(|place| listeners.rules.get(place));
        rules.filter(|rule| rule.hears(parameters)).collect()
    }
}

impl Listeners {
    fn new(rules: Vec<Arc<Rule>>) -> Self {
        // How many rules have each mark: the rarest is the best handle.
        let mut counts: BTreeMap<(Vec<String>, Mark), usize> = BTreeMap::new();
        for rule in &rules {
            for (names, marks) in handles(rule) {
                for mark in marks {
                    *counts.entry((names.to_vec(), mark)).or_default() += 1;
                }
            }
        }
        let mut listeners = Self::default();
        for (place, rule) in rules.iter().enumerate() {
            let cost = |(names, marks): &Handle<'_>| -> usize {
                marks.iter().filter_map(|mark| counts.get(&(names.to_vec(), mark.clone()))).sum()
            };
            match handles(rule).into_iter().min_by_key(cost) {
                None => listeners.others.push(place),
                Some((names, marks)) => {
                    let values = listeners.by_value.entry(names.to_vec()).or_default();
                    marks.into_iter().for_each(|mark| values.add(mark, place));
                }
            }
        }
        listeners.rules = rules;
        listeners
    }
}

impl Values {
    fn add(&mut self, mark: Mark, place: usize) {
        match mark {
            Mark::Equal(text) => self.equal.entry(text).or_default().push(place),
            Mark::Beginning(text) => {
                self.lengths.insert(text.len());
                self.beginning.entry(text).or_default().push(place);
            }
        }
    }

    fn collect(&self, value: Option<&Value>, found: &mut Vec<usize>) {
        match value {
            Some(Value::String(text)) => {
                found.extend(self.equal.get(text).into_iter().flatten());
                for length in &self.lengths {
                    let beginning = text.get(..*length).and_then(|beginning| self.beginning.get(beginning));
                    found.extend(beginning.into_iter().flatten());
                }
            }
            // What is no text begins with nothing, and to ask that is a mistake which has to be told.
            _ => found.extend(self.beginning.values().flatten()),
        }
    }
}

/// The criteria by which a rule can be found.
fn handles(rule: &Rule) -> Vec<Handle<'_>> {
    let criteria = rule.criteria.iter().filter_map(|condition| match condition {
        Condition::One(criterion) => Some(criterion.as_ref()),
        Condition::Any { .. } => None,
    });
    criteria.filter_map(handle).collect()
}

fn handle(criterion: &Criterion) -> Option<Handle<'_>> {
    let (names, pattern) = criterion.fixed()?;
    let marks = match criterion.operator() {
        Operator::Equals => vec![Mark::Equal(pattern.as_str()?.to_owned())],
        Operator::Inside => {
            // What stands in a text in pieces is no list of values.
            let items = pattern.as_array()?.iter();
            items.map(|item| item.as_str().map(|text| Mark::Equal(text.to_owned()))).collect::<Option<Vec<_>>>()?
        }
        Operator::StartsWith => vec![Mark::Beginning(pattern.as_str().filter(|text| !text.is_empty())?.to_owned())],
        Operator::Regex => vec![Mark::Beginning(beginning(pattern.as_str()?)?)],
        _ => return None,
    };
    Some((names, marks))
}

/// The text with which everything begins that a pattern is found in; nothing where there is none, or nobody can tell.
fn beginning(pattern: &str) -> Option<String> {
    let ast = regex_syntax::ast::parse::Parser::new().parse(pattern).ok()?;
    let Ast::Concat(parts) = &ast else { return None };
    let mut parts = parts.asts.iter();
    let first = parts.next()?;
    let starts = matches!(first, Ast::Assertion(assertion) if matches!(
        assertion.kind,
        regex_syntax::ast::AssertionKind::StartLine | regex_syntax::ast::AssertionKind::StartText
    ));
    if !starts {
        return None;
    }
    let mut text = String::new();
    for part in parts {
        let Ast::Literal(literal) = part else { break };
        if !matches!(literal.kind, LiteralKind::Verbatim | LiteralKind::Meta | LiteralKind::Superfluous) {
            break;
        }
        text.push(literal.c);
    }
    (!text.is_empty()).then_some(text)
}
