//! What a line would do, without doing it.

use super::Bot;
use super::approval_card::wanted_approval;
use super::hear::Speaker;
use super::start::{Prepared, Wish};
use crate::core::access::arguments::HOSTS;
use crate::core::action::execution::EffectClass;
use crate::core::action::params::Resolved;
use crate::core::action::plan::Plan;
use crate::core::action::run::{ShellCommand, Work};
use crate::core::action::spec::Action;
use crate::core::alias::matcher::Selection;
use crate::core::chat::command::Command;
use crate::core::chat::secret::hide;
use crate::core::host::fold;
use crate::core::id::Host;
use crate::core::message::card::{Card, Numbered, PlanCard, PlannedParameter, PlannedTask};
use crate::core::message::markdown;
use crate::core::message::span::span;
use crate::core::message::verdict::{SHOWN_LINE, shown_hosts};
use crate::core::template::value::written;
use crate::core::workflow::expression::Tree;
use crate::core::workflow::graph::{Graph, Node};
use jiff::Timestamp;
use std::sync::Arc;

/// The longest command, and the longest value, that is shown.
const LONGEST: usize = 2_000;

/// How many tasks of a workflow are listed.
const TASKS: usize = 20;

impl Bot {
    /// `plan LINE`
    pub(super) fn plan(&self, at: Timestamp, speaker: &Speaker<'_>, line: &str) -> Card {
        if Command::read(line).is_some() {
            return Card::NothingToPlan { line: self.masked(Some(speaker), line) };
        }
        let found = match self.select_here(speaker, line) {
            Selection::One(found) => found,
            Selection::None | Selection::Undecided(_) => {
                return Card::NotUnderstood {
                    line: self.masked(Some(speaker), line),
                    suggestions: Vec::new(),
                    alike: Vec::new(),
                };
            }
            Selection::Ambiguous(found) => {
                let choices = found.iter().enumerate().map(|(place, found)| Numbered {
                    number: place + 1,
                    line: found.display.to_string(),
                    description: found.alias.description.clone(),
                });
                return Card::Ambiguous {
                    line: self.masked(Some(speaker), line),
                    choices: choices.collect(),
                    pick: false,
                };
            }
        };
        let mut wishes = match self.wishes(at, speaker, (line, true), &found) {
            Ok(wishes) => wishes,
            Err(card) => return *card,
        };
        let further = wishes.len().saturating_sub(1);
        if wishes.is_empty() {
            return Card::NothingToPlan { line: self.masked(Some(speaker), line) };
        }
        let wish = wishes.swap_remove(0);
        let action = Arc::clone(&wish.action);
        // What is switched off would still do something if it were not.
        let on = Wish { action: Arc::new(Action { enabled: true, ..(*action).clone() }), ..wish };
        match self.would_begin(at, on) {
            Ok((on, prepared)) => {
                let terms = self.wanted(&on, &prepared);
                let approvals = terms.iter().map(|terms| wanted_approval(terms, &[], &self.sentences)).collect();
                let ways = self.would_wait(&on, &prepared);
                let (resolved, plan) = &prepared;
                Card::Plan(PlanCard { approvals, ways, ..self.planned(&on, &action, resolved, plan, further) })
            }
            Err(declined) => declined.card,
        }
    }

    /// A plan as it stands on the card of what waits.
    pub(super) fn shown_plan(&self, wish: &Wish, (resolved, plan): &Prepared) -> PlanCard {
        let shown = self.planned(wish, &wish.action, resolved, plan, 0);
        PlanCard { frozen: String::new(), ..shown }
    }

    fn planned(&self, wish: &Wish, action: &Action, resolved: &Resolved, plan: &Plan, further: usize) -> PlanCard {
        let secrets = || resolved.hidden();
        let (command, hosts, user): (Option<&ShellCommand>, Vec<Host>, Option<String>) = match plan {
            Plan::Run(Work::Remote(remote)) => {
                let hosts = remote.hosts.iter().map(|machine| machine.host.clone()).collect();
                (Some(&remote.command), hosts, remote.username.clone())
            }
            Plan::Run(Work::Local(command)) => (Some(command), Vec::new(), None),
            _ => (None, Vec::new(), None),
        };
        let tasks = match plan {
            Plan::Conduct(workflow) => tasks(&workflow.graph),
            _ => Vec::new(),
        };
        let script = command.map(|command| hide(&command.script, secrets())).unwrap_or_default();
        let own = |name: &&String| !action.runner_parameters.contains(name) || resolved.given.contains(*name);
        let masked = resolved.masked();
        // The machines are told beside the parameters, unless they were written another way.
        let told = |name: &&String| *name == HOSTS && written(&masked[*name]) == fold(&hosts);
        let wanted = masked.keys().filter(own).filter(|name| !masked[*name].is_null() && !told(name));
        let (mut given, defaults): (Vec<&String>, Vec<&String>) =
            wanted.partition(|name| resolved.given.contains(*name));
        // Where it happens comes before how.
        given.sort_by_key(|name| *name != HOSTS);
        let planned = |name: &String| PlannedParameter {
            name: name.clone(),
            value: markdown::shorten(&hide(&written(&masked[name]), secrets()), SHOWN_LINE),
        };
        PlanCard {
            line: markdown::code(&markdown::shorten(&wish.line, SHOWN_LINE)),
            action: action.reference.to_string(),
            runner: action.runner.word().to_owned(),
            effect: match action.effect {
                EffectClass::ReadOnly => "read-only",
                EffectClass::Idempotent => "idempotent",
                EffectClass::Destructive => "destructive",
            }
            .to_owned(),
            parameters: given.into_iter().map(planned).collect(),
            defaults: defaults.into_iter().map(planned).collect(),
            count: hosts.len(),
            hosts: if hosts.is_empty() { String::new() } else { shown_hosts(&hosts) },
            user: user.unwrap_or_default(),
            sudo: command.is_some_and(|command| command.sudo),
            timeout: command.map(|command| span(command.timeout)).unwrap_or_default(),
            command: if script.is_empty() {
                String::new()
            } else {
                markdown::fence(&markdown::shorten(&script, LONGEST))
            },
            tasks_more: tasks.len().saturating_sub(TASKS),
            tasks: tasks.into_iter().take(TASKS).collect(),
            further,
            policies: self.policy_lines(&action.reference),
            ways: Vec::new(),
            off: !action.enabled,
            approvals: Vec::new(),
            guards: self.catalog.guards.get(&action.reference).cloned().unwrap_or_default(),
            frozen: if action.effect == EffectClass::ReadOnly { String::new() } else { self.frozen_why() },
        }
    }
}

/// The tasks of a workflow with what they run, where the file says it.
fn tasks(graph: &Graph) -> Vec<PlannedTask> {
    let planned = |node: &Node| PlannedTask {
        name: node.name.to_string(),
        action: match &node.action {
            Some(Tree::Fixed(action)) => action.as_str().unwrap_or_default().to_owned(),
            _ => String::new(),
        },
    };
    graph.nodes.iter().filter(|node| node.command.is_none()).map(planned).collect()
}
