//! Somebody asks for rules, or switches one on or off.
//!
//! A rule is seen by whoever may see the action that it starts. **Switching one takes `admin` on that action**: it decides what runs without
//! anybody asking.

use super::super::alert::Concern;
use super::super::hear::Speaker;
use super::super::named::named;
use super::super::{Bot, Moment, Step, answer};
use crate::core::access::Rights;
use crate::core::alias::suggest::nearest;
use crate::core::effect::{Answer, ShownOutcome, ShownRule, ShownTrigger};
use crate::core::fact::Fact;
use crate::core::id::RequestId;
use crate::core::id::TriggerInstanceId;
use crate::core::input::{Back, Principal, RuleAsk};
use crate::core::memory::Contradiction;
use crate::core::message::card::{Card, RuleCard, RuleOutcome, RuleRow, RuleTold};
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use crate::core::message::span::span;
use crate::core::rule::criterion::shown;
use crate::core::rule::spec::{Condition, Rule};
use crate::core::rule::trigger::{Enforcement, Outcome};
use crate::core::settings::Verb;
use crate::core::template::value::written;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How many rules a list shows in chat.
const SHOWN: usize = 40;
/// The same of one rule is not told again before so long.
const QUIET: SignedDuration = SignedDuration::from_mins(10);
/// Of how many tellings it is known when they were.
const TELLINGS: usize = 1_000;

impl Bot {
    /// The rules that somebody may see.
    fn rules_for(&self, rights: &Rights) -> Vec<Arc<Rule>> {
        let rules = self.catalog.rules.all();
        rules.filter(|rule| rights.may(Verb::View, &rule.action)).cloned().collect()
    }

    /// One of them, or what may be meant.
    fn rule_for(&self, rights: &Rights, name: &str) -> Result<Arc<Rule>, String> {
        let rules = self.rules_for(rights);
        match named(&rules, |rule| rule.reference.as_str(), name) {
            Some(rule) => Ok(Arc::clone(rule)),
            None => {
                let similar = nearest(name, rules.iter().map(|rule| rule.reference.as_str()));
                let similar = similar.unwrap_or_default().to_owned();
                Err(self.sentences.phrase(&Phrase::Event { what: "no_rule", name, why: &similar }))
            }
        }
    }

    /// `rule …` in chat.
    pub(in crate::core::bot) fn hear_of_rules(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        speaker: &Speaker<'_>,
        line: &str,
        ask: RuleAsk,
    ) -> Result<(), Contradiction> {
        let by = speaker.principal();
        let told = self.about_rules(step, moment, (&by, &speaker.rights, &speaker.back), line, ask)?;
        match told {
            Ok(Some(card)) => self.say(step, moment, &speaker.back, &card),
            Ok(None) => Ok(()),
            Err(why) => {
                self.not_done(step, speaker, "question");
                let told = RuleTold { why: markdown::prose(&why), ..RuleTold::default() };
                self.say(step, moment, &speaker.back, &Card::RuleTold(told))
            }
        }
    }

    /// `rule …` over the control socket.
    pub(in crate::core::bot) fn asked_for_rules(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        request: RequestId,
        (by, rights): (&Principal, &Rights),
        ask: RuleAsk,
    ) -> Result<(), Contradiction> {
        let back = Back::Request { request };
        let wanted = ask.clone();
        let line = ask.words();
        let told = self.about_rules(step, moment, (by, rights, &back), &line, ask)?;
        let told = match told {
            Err(text) => Answer::Refused { text },
            Ok(_) => match wanted {
                RuleAsk::Triggers => Answer::Triggers { triggers: self.shown_triggers(rights) },
                RuleAsk::List => {
                    Answer::Rules { rules: self.rules_for(rights).iter().map(|rule| self.shown_rule(rule)).collect() }
                }
                RuleAsk::Show { rule } | RuleAsk::Switch { rule, .. } | RuleAsk::Reset { rule } => {
                    let rule = self.rule_for(rights, &rule);
                    Answer::Rules { rules: rule.iter().map(|rule| self.shown_rule(rule)).collect() }
                }
            },
        };
        answer::answer(step, request, told);
        Ok(())
    }

    /// Does it. Gives what is said in chat, or why it cannot be; nothing where it is not asked for there.
    fn about_rules(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        (by, rights, back): (&Principal, &Rights, &Back),
        line: &str,
        ask: RuleAsk,
    ) -> Result<Result<Option<Card>, String>, Contradiction> {
        Ok(match ask {
            RuleAsk::Triggers => Ok(None),
            RuleAsk::List => Ok(Some(self.rule_list(rights, moment.at))),
            RuleAsk::Show { rule } => {
                self.rule_for(rights, &rule).map(|rule| Some(self.rule_card(&rule, rights, moment.at)))
            }
            RuleAsk::Reset { rule } => match self.rule_to_change(step, moment, (by, rights, back), line, &rule)? {
                Err(why) => Err(why),
                Ok(rule) => self.reset_rule(step, moment, (by, back), &rule).map(|card| Ok(Some(card)))?,
            },
            RuleAsk::Switch { rule, enabled } => {
                match self.rule_to_change(step, moment, (by, rights, back), line, &rule)? {
                    Err(why) => Err(why),
                    Ok(rule) => {
                        let already = self.memory.events.is_enabled(&rule) == enabled;
                        if already && enabled && self.rests(&rule.reference).is_some() {
                            return self.reset_rule(step, moment, (by, back), &rule).map(|card| Ok(Some(card)));
                        }
                        if !already {
                            let (by, from) = (by.clone(), Some(back.clone()));
                            let rule = rule.reference.clone();
                            self.note(step, moment, Fact::RuleSwitched { rule, enabled, by, from })?;
                            self.follow_timers(step, moment)?;
                        }
                        Ok(Some(Card::RuleTold(RuleTold {
                            rule: rule.reference.to_string(),
                            what: match (enabled, already) {
                                (true, false) => "enabled",
                                (false, false) => "disabled",
                                (true, true) => "enabled_already",
                                (false, true) => "disabled_already",
                            },
                            ..RuleTold::default()
                        })))
                    }
                }
            }
        })
    }

    /// A rule that somebody wants to change, where they may.
    fn rule_to_change(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        (by, rights, back): (&Principal, &Rights, &Back),
        line: &str,
        name: &str,
    ) -> Result<Result<Arc<Rule>, String>, Contradiction> {
        let rule = match self.rule_for(rights, name) {
            Ok(rule) if rights.may(Verb::Admin, &rule.action) => return Ok(Ok(rule)),
            Ok(rule) => rule,
            Err(why) => return Ok(Err(why)),
        };
        let needed = format!("admin:{}", rule.action);
        self.deny(step, moment, (by, back), line.to_owned(), Some(&rule.action), needed.clone())?;
        let name = rule.reference.as_str();
        Ok(Err(self.sentences.phrase(&Phrase::Event { what: "not_yours", name, why: &needed })))
    }

    /// Lets a rule act again that rests.
    fn reset_rule(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        (by, back): (&Principal, &Back),
        rule: &Rule,
    ) -> Result<Card, Contradiction> {
        let failed = self.memory.remedies.failures(&rule.reference) > 0;
        if failed {
            let (by, from, rule) = (by.clone(), Some(back.clone()), rule.reference.clone());
            self.note(step, moment, Fact::RuleReset { rule, by, from })?;
        }
        let what = if failed { "reset" } else { "reset_already" };
        Ok(Card::RuleTold(RuleTold { rule: rule.reference.to_string(), what, ..RuleTold::default() }))
    }

    fn rule_list(&self, rights: &Rights, at: Timestamp) -> Card {
        let rules = self.rules_for(rights);
        let rows = rules.iter().take(SHOWN).map(|rule| {
            let past = self.memory.events.past(&rule.reference);
            let last = past.and_then(|past| past.last.back());
            RuleRow {
                name: rule.reference.to_string(),
                trigger: rule.trigger.to_string(),
                action: rule.action.to_string(),
                enabled: self.memory.events.is_enabled(rule),
                dry_run: rule.dry_run,
                offer: label_of(rule),
                rests: self.rests(&rule.reference).is_some(),
                count: past.map_or(0, |past| past.count),
                last: last.map(|last| ago(last.at, at)).unwrap_or_default(),
                outcome: last.map_or("", |last| last.outcome.word()),
            }
        });
        Card::Rules { rows: rows.collect(), more: rules.len().saturating_sub(SHOWN) }
    }

    fn rule_card(&self, rule: &Rule, rights: &Rights, at: Timestamp) -> Card {
        let past = self.memory.events.past(&rule.reference);
        let switched = self.memory.events.switched(&rule.reference);
        let last = past.into_iter().flat_map(|past| past.last.iter().rev());
        // What it offers, people ask for.
        let may = rule.offer.is_some() || self.rights_of_rule(rule, at).may(Verb::Run, &rule.action);
        // The words of a rule may speak of more than what may be seen of its action.
        let parameters = rule.parameters.iter().map(|(name, value)| format!("{name}: {}", written(value)));
        let parameters: Vec<String> = parameters.collect();
        Card::Rule(Box::new(RuleCard {
            name: rule.reference.to_string(),
            description: rule.description.clone(),
            enabled: self.memory.events.is_enabled(rule),
            switched_by: switched
                .map(|switched| super::super::answer::name_of(&switched.by).to_owned())
                .unwrap_or_default(),
            switched: switched.map(|switched| ago(switched.at, at)).unwrap_or_default(),
            backstop: rule.kind == crate::core::rule::spec::Kind::Backstop,
            dry_run: rule.dry_run,
            offer: label_of(rule),
            rests: self.rests(&rule.reference).unwrap_or_default(),
            trigger: rule.trigger.to_string(),
            criteria: rule.criteria.iter().flat_map(criteria_lines).collect(),
            action: rule.action.to_string(),
            parameters: if parameters.is_empty() { String::new() } else { markdown::fence(&parameters.join("\n")) },
            may,
            file: if rights.administers() { rule.file.clone() } else { String::new() },
            count: past.map_or(0, |past| past.count),
            last: last
                .map(|past| RuleOutcome {
                    ago: ago(past.at, at),
                    outcome: past.outcome.word(),
                    id: past.outcome.execution().map(|id| id.short().to_owned()).unwrap_or_default(),
                    why: markdown::prose(past.outcome.why()),
                })
                .collect(),
        }))
    }

    /// A rule, as the control socket shows it.
    fn shown_rule(&self, rule: &Rule) -> ShownRule {
        let past = self.memory.events.past(&rule.reference);
        let switched = self.memory.events.switched(&rule.reference);
        ShownRule {
            reference: rule.reference.clone(),
            description: rule.description.clone(),
            enabled: self.memory.events.is_enabled(rule),
            switched_by: switched.map(|switched| switched.by.clone()),
            kind: rule.kind.word().to_owned(),
            dry_run: rule.dry_run,
            offer: label_of(rule),
            rests: self.rests(&rule.reference).is_some(),
            trigger: rule.trigger.clone(),
            trigger_parameters: rule.trigger_parameters.clone(),
            criteria: rule.criteria.iter().flat_map(criteria_lines).collect(),
            action: rule.action.clone(),
            parameters: rule.parameters.clone(),
            count: past.map_or(0, |past| past.count),
            last: past
                .into_iter()
                .flat_map(|past| past.last.iter().rev())
                .map(|past| ShownOutcome {
                    at: past.at,
                    instance: past.instance.clone(),
                    outcome: past.outcome.clone(),
                })
                .collect(),
        }
    }

    fn shown_triggers(&self, rights: &Rights) -> Vec<ShownTrigger> {
        let all = self.catalog.triggers.values();
        all.map(|kind| ShownTrigger {
            reference: kind.reference.clone(),
            description: kind.description.clone(),
            rules: self
                .rules_for(rights)
                .iter()
                .filter(|rule| rule.trigger == kind.reference)
                .map(|rule| rule.reference.clone())
                .collect(),
        })
        .collect()
    }

    /// Says what came of a rule where no execution says it: that it failed, was refused, or only tells what it would do. The same is not said
    /// again for a while, so that a flood of events is no flood of posts; in the thread of a problem it is said once.
    pub(super) fn tell_of_rule(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        instance: &TriggerInstanceId,
        enforcement: &Enforcement,
        concern: Option<&Concern>,
    ) -> Result<(), Contradiction> {
        let Enforcement { rule, action, outcome } = enforcement;
        // Of many alike it would be said many times.
        let in_storm = concern.and_then(|concern| self.storm_thread(&concern.problem));
        let offers = self.catalog.rules.get(rule).is_some_and(|rule| rule.offer.is_some());
        let (what, why) = match outcome {
            // Of what a storm holds back its own post tells.
            Outcome::Started { .. } | Outcome::Offered | Outcome::Held { .. } => return Ok(()),
            Outcome::Refused { .. } if in_storm.is_some() => return Ok(()),
            Outcome::WouldRun { parameters } => {
                (if offers { "would_offer" } else { "would_run" }, Value::Object(parameters.clone()).to_string())
            }
            Outcome::Failed { why } => ("failed", why.clone()),
            Outcome::Refused { why } => ("refused", why.clone()),
        };
        let thread = concern.filter(|_| in_storm.is_none());
        let thread = thread.and_then(|concern| Some((concern.problem.clone(), concern.back()?)));
        let (channel, root) = match thread {
            Some((problem, back)) => {
                let Some((channel, root)) = back.place() else { return Ok(()) };
                if !self.is_news(step, moment, &problem, rule, &why)? {
                    return Ok(());
                }
                (channel.clone(), root)
            }
            None => {
                let place = in_storm.map(|(channel, thread)| (channel, Some(thread)));
                let place = place.or_else(|| Some((self.alert_channel()?, None)));
                let Some(place) = place else { return Ok(()) };
                let key = (rule.clone(), why.clone());
                let recently = |told: &Timestamp| moment.at.duration_since(*told) < QUIET;
                self.told_of_rules.retain(|_, told| recently(told));
                if self.told_of_rules.contains_key(&key) || self.told_of_rules.len() >= TELLINGS {
                    return Ok(());
                }
                self.told_of_rules.insert(key, moment.at);
                place
            }
        };
        let shown = match outcome {
            Outcome::WouldRun { parameters } => {
                let lines = parameters.iter().map(|(name, value)| format!("{name}: {}", written(value)));
                let lines: Vec<String> = lines.collect();
                if lines.is_empty() { String::new() } else { markdown::fence(&lines.join("\n")) }
            }
            _ => String::new(),
        };
        let card = Card::RuleTold(RuleTold {
            rule: rule.to_string(),
            what,
            action: action.to_string(),
            why: if matches!(outcome, Outcome::WouldRun { .. }) { String::new() } else { markdown::prose(&why) },
            parameters: shown,
        });
        let body = crate::core::effect::Body::Post { root, text: self.sentences.say(&card), files: Vec::new() };
        let id = crate::core::id::DeliveryId::new(format!("{instance}-{rule}"));
        self.deliver(step, moment, crate::core::effect::Delivery { id, channel, body })
    }
}

/// The criteria of a rule, a line each.
fn criteria_lines(condition: &Condition) -> Vec<String> {
    match condition {
        Condition::One(criterion) => vec![line_of(criterion)],
        Condition::Any { key, groups } => {
            let group = |group: &Vec<_>| group.iter().map(line_of).collect::<Vec<_>>().join(", ");
            vec![format!("{key}: {}", groups.iter().map(group).collect::<Vec<_>>().join(" | "))]
        }
    }
}

fn line_of(criterion: &crate::core::rule::criterion::Criterion) -> String {
    format!("{} {} {}", criterion.key(), criterion.word(), shown(criterion.pattern())).trim().to_owned()
}

/// As what it offers what it would do; empty where it acts by itself.
fn label_of(rule: &Rule) -> String {
    rule.offer.as_ref().map(|offer| offer.label.clone()).unwrap_or_default()
}

fn ago(then: Timestamp, now: Timestamp) -> String {
    span(Duration::try_from(now.duration_since(then)).unwrap_or_default())
}
