//! `rule test`: whether a rule matches an event, and why; `rule list|show|enable|disable` and `trigger list`: told by the bot that runs.

use super::arguments::{RuleCommand, TriggerCommand};
use super::daemon::{Daemon, odd};
use super::look::{harmless, table};
use super::{Failure, Surroundings, load, yaml};
use crate::app::{self, TriedRule};
use crate::core::alert::source::KIND;
use crate::core::effect::{Answer, ShownOutcome, ShownRule};
use crate::core::input::{Ask, RuleAsk};
use crate::core::rule::criterion::shown;
use crate::core::rule::spec::Explained;
use crate::core::rule::trigger::Outcome;
use serde_json::{Value, json};
use std::path::Path;

pub(crate) fn rule(file: &Path, command: RuleCommand, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let (ask, as_json) = match command {
        RuleCommand::Test { rule, trigger_instance, json } => {
            // Without a configuration the rule is tried by itself.
            let config = if file.is_file() { Some(load(file, surroundings)?) } else { None };
            let tried = app::try_rule(config.as_ref(), &rule, &trigger_instance, (surroundings.now)());
            return test(&tried.map_err(Failure::Wrong)?, json, surroundings);
        }
        RuleCommand::List { json } => (RuleAsk::List, json),
        RuleCommand::Show { rule, json } => (RuleAsk::Show { rule }, json),
        RuleCommand::Enable { rule, json } => (RuleAsk::Switch { rule, enabled: true }, json),
        RuleCommand::Disable { rule, json } => (RuleAsk::Switch { rule, enabled: false }, json),
        RuleCommand::Reset { rule, json } => (RuleAsk::Reset { rule }, json),
    };
    let config = load(file, surroundings)?;
    let rules = match Daemon::new(&config)?.ask(&Ask::Rules(ask.clone()))? {
        Answer::Rules { rules } => rules,
        other => return Err(odd(&other)),
    };
    let out = &mut *surroundings.out;
    match (ask, rules.as_slice()) {
        (RuleAsk::List, rules) if as_json => writeln!(out, "{:#}", rules.iter().map(value).collect::<Value>())?,
        (RuleAsk::List, []) => writeln!(out, "No matching items found")?,
        (RuleAsk::List, rules) => {
            let rows: Vec<[String; 6]> = rules.iter().map(row).collect();
            writeln!(out, "{}", table(&["ref", "trigger", "action", "enabled", "count", "last"], &rows))?;
        }
        (_, [rule]) if as_json => writeln!(out, "{:#}", value(rule))?,
        (RuleAsk::Switch { .. } | RuleAsk::Reset { .. }, [rule]) => {
            writeln!(out, "{} is {}", rule.reference, if rule.enabled { "in force" } else { "not in force" })?;
        }
        (_, rules) => {
            for rule in rules {
                for (name, value) in value(rule).as_object().into_iter().flatten() {
                    writeln!(out, "{}", yaml::attribute(name, value))?;
                }
            }
        }
    }
    Ok(())
}

pub(crate) fn trigger(
    file: &Path,
    command: TriggerCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let TriggerCommand::List { json: as_json } = command;
    let config = load(file, surroundings)?;
    let triggers = match Daemon::new(&config)?.ask(&Ask::Rules(RuleAsk::Triggers))? {
        Answer::Triggers { triggers } => triggers,
        other => return Err(odd(&other)),
    };
    let out = &mut *surroundings.out;
    if as_json {
        let value = |trigger: &crate::core::effect::ShownTrigger| json!({"ref": trigger.reference, "description": trigger.description, "rules": trigger.rules});
        writeln!(out, "{:#}", triggers.iter().map(value).collect::<Value>())?;
        return Ok(());
    }
    let rows: Vec<[String; 3]> = triggers
        .iter()
        .map(|trigger| [trigger.reference.to_string(), trigger.rules.len().to_string(), harmless(&trigger.description)])
        .collect();
    writeln!(out, "{}", table(&["ref", "rules", "description"], &rows))?;
    Ok(())
}

/// Tells what came of trying a rule; the exit code is 1 when it does not match.
fn test(tried: &TriedRule, as_json: bool, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let TriedRule { rule, trial, event, knows_action, warnings } = tried;
    for warning in warnings {
        writeln!(surroundings.err, "{}", harmless(&warning.to_string()))?;
    }
    let out = &mut *surroundings.out;
    if as_json {
        let told = json!({
            "matched": trial.matched,
            "rule": rule.reference,
            "trigger": {"rule": rule.trigger, "event": event.trigger, "heard": trial.heard, "asked": !trial.no_problem},
            "criteria": trial.criteria.iter().map(explained).collect::<Value>(),
            "offer": rule.offer.as_ref().map(|offer| &offer.label),
            "action": rule.action,
            "parameters": trial.parameters,
            "problems": trial.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        writeln!(out, "{told:#}")?;
        return if trial.matched { Ok(()) } else { Err(Failure::Shown) };
    }
    writeln!(out, "rule: {} ({})", rule.reference, harmless(&rule.file))?;
    let heard = if trial.heard { "yes" } else { "no" };
    writeln!(out, "hears {}: {heard}, it listens to {}", harmless(event.trigger.as_str()), rule.trigger)?;
    if trial.no_problem {
        let kind = event.payload.get(KIND).map_or_else(|| "absent".to_owned(), shown);
        let line = format!(
            "not asked: `notification_type` is {kind}, and {} is asked for \"PROBLEM\" only",
            if rule.offer.is_some() {
                "a rule that offers"
            } else {
                "a rule whose criteria do not look at trigger.notification_type"
            }
        );
        writeln!(out, "{}", harmless(&line))?;
    }
    for criterion in &trial.criteria {
        lines(criterion, 0, out)?;
    }
    if trial.empty {
        writeln!(out, "the payload is empty, and nothing empty meets criteria")?;
    }
    for problem in &trial.problems {
        writeln!(out, "{}", harmless(&problem.to_string()))?;
    }
    writeln!(out, "matched: {}", if trial.matched { "yes" } else { "no" })?;
    if let (Some(offer), true) = (&rule.offer, trial.matched) {
        writeln!(out, "offers: {} (it begins nothing by itself)", harmless(&offer.label))?;
    }
    if let Some(parameters) = &trial.parameters {
        writeln!(out, "action.ref: {}", rule.action)?;
        writeln!(out, "{}", yaml::attribute("parameters", &Value::Object(parameters.clone())))?;
        if !knows_action {
            writeln!(
                surroundings.err,
                "halcyon: {} is not known here, so the types of its parameters are not",
                rule.action
            )?;
        }
    }
    if trial.matched { Ok(()) } else { Err(Failure::Shown) }
}

/// One criterion and what it found: a line, and those of its groups below it.
fn lines(criterion: &Explained, depth: usize, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    let indent = "  ".repeat(depth);
    let sign = if criterion.holds { '+' } else { '-' };
    let (key, operator) = (harmless(&criterion.key), &criterion.operator);
    match &criterion.finding {
        None => writeln!(out, "{indent}{sign} {key}: one of {} has to hold", criterion.groups.len())?,
        Some(finding) => {
            let pattern =
                if finding.pattern.is_null() { String::new() } else { format!(" {}", shown(&finding.pattern)) };
            let why =
                finding.trouble.as_ref().map(|why| format!(", and that cannot be judged: {why}")).unwrap_or_default();
            let line = format!("{key} {operator}{pattern}: it is {}{why}", shown(&finding.value));
            writeln!(out, "{indent}{sign} {}", harmless(&line))?;
        }
    }
    for (number, group) in criterion.groups.iter().enumerate() {
        writeln!(out, "{indent}  {}.", number + 1)?;
        group.iter().try_for_each(|criterion| lines(criterion, depth + 2, out))?;
    }
    Ok(())
}

fn explained(criterion: &Explained) -> Value {
    let finding = criterion.finding.as_ref();
    let groups = criterion.groups.iter().map(|group| group.iter().map(explained).collect::<Value>());
    let mut told = json!({"key": criterion.key, "type": criterion.operator, "holds": criterion.holds});
    if let Some(finding) = finding {
        told["pattern"] = finding.pattern.clone();
        told["value"] = finding.value.clone();
        told["trouble"] = json!(finding.trouble);
    } else {
        told["groups"] = groups.collect();
    }
    told
}

fn row(rule: &ShownRule) -> [String; 6] {
    let enabled = match (rule.enabled, rule.dry_run) {
        (true, true) => "dry run",
        (true, false) if !rule.offer.is_empty() => "offers",
        (true, false) => "True",
        (false, _) => "False",
    };
    let last = rule.last.first().map(|last| format!("{} {:.0}", last.outcome.word(), last.at));
    [
        rule.reference.to_string(),
        rule.trigger.to_string(),
        rule.action.to_string(),
        enabled.to_owned(),
        rule.count.to_string(),
        last.unwrap_or_default(),
    ]
}

/// A rule with StackStorm's names where it has some.
fn value(rule: &ShownRule) -> Value {
    json!({
        "ref": rule.reference,
        "description": rule.description,
        "enabled": rule.enabled,
        "switched_by": rule.switched_by,
        "type": {"ref": rule.kind},
        "dry_run": rule.dry_run,
        "offer": rule.offer,
        "rests": rule.rests,
        "trigger": {"type": rule.trigger, "parameters": rule.trigger_parameters},
        "criteria": rule.criteria,
        "action": {"ref": rule.action, "parameters": rule.parameters},
        "count": rule.count,
        "enforcements": rule.last.iter().map(enforcement).collect::<Value>(),
    })
}

fn enforcement(past: &ShownOutcome) -> Value {
    let parameters = match &past.outcome {
        Outcome::WouldRun { parameters } => json!(parameters),
        Outcome::Started { .. }
        | Outcome::Offered
        | Outcome::Failed { .. }
        | Outcome::Refused { .. }
        | Outcome::Held { .. } => Value::Null,
    };
    json!({
        "enforced_at": past.at,
        "trigger_instance_id": past.instance,
        "status": past.outcome.word(),
        "execution_id": past.outcome.execution(),
        "failure_reason": past.outcome.why(),
        "parameters": parameters,
    })
}
