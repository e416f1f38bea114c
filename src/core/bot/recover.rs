//! What was begun and not heard of to its end: looked after when the process has started again, and tried again where that is right.
//!
//! A pause goes on, since its end is stored. A line that was being looked into is answered with the request to say it again. Of a command
//! its hosts are asked ([`Effect::Attach`]): one that runs is seen to its end, of one that has ended the code is told. What a host knows
//! nothing of is barred there before anything else is done, so that a command that was still on its way cannot start any more. Then:
//!
//! | what is known | what is done |
//! | --- | --- |
//! | it certainly never began, and was asked for lately | the promise stands: it is run there now, under a new number |
//! | nobody knows, and the action may be repeated without harm | it is run there again, once |
//! | it certainly never began, but that was long ago | it ends as not begun, a failure without a doubt |
//! | nobody knows | the execution ends as `unknown`, and a person is asked ([`super::settle`]) |
//!
//! A task of a workflow is expected for as long as its workflow goes on, and what of it may be repeated without harm is repeated until it is known, a few times.
//! **What only looks is looked at again where what it saw was lost**: the tasks behind it go by that. Of a look nobody is asked; it has failed.
//!
//! **Nothing runs again but by a fact that was durable before** ([`Fact::HostAgain`]), and only where the work is exactly the same: the
//! action's file has not changed, its parameters resolve to what they were, and no secret has been forgotten.
//! Deliveries that were promised are handed to the outbox by the runtime, which looks in the channel before it repeats one.

use super::{Bot, Moment, Step};
use crate::core::action::execution::{EffectClass, Execution, Reach, Status};
use crate::core::action::params::{self, MASK};
use crate::core::action::plan;
use crate::core::action::reason::Reason;
use crate::core::action::run::{
    Attach, Begun, Captured, Exit, HostOutcome, RemoteCommand, RemoteHost, Run, ShellCommand, Work,
};
use crate::core::action::shell;
use crate::core::action::spec::{Action, RunnerType};
use crate::core::effect::Effect;
use crate::core::fact::Fact;
use crate::core::id::{ExecutionId, Host};
use crate::core::memory::{Contradiction, Owed};
use crate::core::message::card::Card;
use crate::core::message::phrase::Phrase;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// For how long after it was asked for a command that never began is still begun. Later nobody expects it any more.
const EXPECTED: Duration = Duration::from_mins(10);

/// How many times a command is tried on a host in all. Each try after the first is one that the process or a connection was lost before.
const MOST_TRIES: u32 = 5;

impl Bot {
    /// The process has started again.
    pub(super) fn recover(&mut self, step: &mut Step, moment: &Moment) -> Result<(), Contradiction> {
        let owed: Vec<Owed> = self.memory.owed.values().cloned().collect();
        for Owed { back, line } in owed {
            self.say(step, moment, &back, &Card::Restarted { line })?;
        }
        let live: Vec<Execution> = self.memory.executions.values().cloned().collect();
        let live: Vec<Execution> = live.into_iter().filter(|execution| !execution.status.waits()).collect();
        let interrupted = live.iter().filter(|execution| execution.request.is_carried_out()).count();
        for execution in live {
            if execution.request.inquiry.is_some() {
                // It waits for people, whoever runs.
            } else if execution.request.ends_at.is_some() || execution.request.workflow.is_some() {
                // A pause ends by the clock, and of a workflow only its tasks run.
                self.watches.insert(execution.request.id.clone(), super::Watch::new(&[], moment.at));
            } else {
                self.look_after(step, moment, &execution)?;
            }
        }
        self.recover_workflows();
        self.announcement = Some(interrupted);
        Ok(())
    }

    /// Asks the hosts of an execution that have not told how it ended there.
    fn look_after(&mut self, step: &mut Step, moment: &Moment, execution: &Execution) -> Result<(), Contradiction> {
        let id = &execution.request.id;
        let open: Vec<Host> =
            execution.places().into_iter().filter(|host| !execution.outcomes.contains_key(host)).collect();
        if open.is_empty() {
            let status = execution.verdict(None);
            return self.finish(step, moment, id, status, None);
        }
        let work = match self.way_to(execution, &open, moment.at) {
            Ok(work) => work,
            Err(why) => {
                for host in open {
                    let outcome = Box::new(nothing_heard(Exit::Unknown { why: why.clone() }));
                    self.note(step, moment, Fact::HostFinished { id: id.clone(), host, outcome })?;
                }
                let status = self.memory.executions.get(id).map_or(Status::Unknown, |known| known.verdict(None));
                return self.finish(step, moment, id, status, None);
            }
        };
        let begun = |host: &Host| {
            let again = execution.attempts.get(host);
            let since = again.map_or(execution.began(), |again| again.at);
            Begun { attempt: again.map_or(0, |again| again.attempt), ago: between(since, moment.at) }
        };
        let begun = open.iter().map(|host| (host.clone(), begun(host))).collect();
        self.watches.insert(id.clone(), super::Watch::attached(&execution.request.hosts, &open, moment.at));
        step.effects.push(Effect::Attach(Box::new(Attach { execution: id.clone(), work, begun })));
        if execution.status == Status::Canceling {
            step.effects.push(Effect::Cancel(id.clone()));
        }
        Ok(())
    }

    /// How to reach hosts that are to be asked: as the work would, or as the facts say.
    fn way_to(&self, execution: &Execution, hosts: &[Host], now: Timestamp) -> Result<Work, String> {
        if let Some(work) = self.same_work(execution, hosts, now) {
            return Ok(work);
        }
        let runner = RunnerType::of(&execution.request.runner);
        let no_way = |missing: &[String]| self.sentences.phrase(&Phrase::NoWay { missing });
        // Of what is no command nobody can be asked.
        let commands = runner.is_none_or(|runner| {
            !matches!(runner, RunnerType::HttpRequest | RunnerType::Mail | RunnerType::Monitoring)
        });
        let reach = execution.request.reach.as_ref().filter(|_| commands).ok_or_else(|| no_way(&[]))?;
        if !reach.missing.is_empty() {
            return Err(no_way(&reach.missing));
        }
        let command = ShellCommand {
            script: String::new(),
            cwd: None,
            env: BTreeMap::new(),
            sudo: reach.sudo,
            sudo_password: None,
            timeout: Duration::from_secs(reach.timeout),
            parting: reach.parting,
            read_only: execution.request.effect == EffectClass::ReadOnly,
        };
        if execution.request.hosts.is_empty() {
            return Ok(Work::Local(command));
        }
        Ok(Work::Remote(RemoteCommand {
            hosts: machines(reach, hosts),
            command,
            username: reach.username.clone(),
            port: reach.port,
            bastion: reach.bastion.clone(),
            private_key: None,
        }))
    }

    /// The work of an execution for some of its hosts, exactly as it was; nothing where that cannot be had. A secret of the datastore is the one
    /// that is there now: the one before may be of no use any more.
    fn same_work(&self, execution: &Execution, hosts: &[Host], now: Timestamp) -> Option<Work> {
        let request = &execution.request;
        let action = self.catalog.actions.get(&request.action)?;
        let unchanged = action.enabled && action.content == request.content && request.secrets.is_empty();
        if !unchanged || action.runner.word() != request.runner {
            return None;
        }
        let around = self.surroundings(now, action.reference.pack(), &request.by);
        let resolved = params::resolve_in(action, &given_before(action, execution), &around).ok()?;
        if resolved.masked() != request.parameters {
            return None;
        }
        let reach = request.reach.as_ref()?;
        // The command may speak of all its hosts by name, so it is made for all of them.
        let debug = resolved.values.get("debug") == Some(&Value::Bool(true));
        let mut work = plan::again(action, resolved, &machines(reach, &request.hosts)).ok()?;
        shell::identify(&mut work, (&request.action, super::answer::name_of(&request.by)), debug, &request.id);
        match work {
            same @ (Work::Local(_) | Work::Http(_) | Work::Mail(_) | Work::Monitoring(_)) => Some(same),
            Work::Remote(remote) => Some(Work::Remote(RemoteCommand { hosts: machines(reach, hosts), ..remote })),
        }
    }

    /// A host has been asked and knows nothing of the command, or not how it ended.
    pub(super) fn lost(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        host: Host,
        outcome: HostOutcome,
    ) -> Result<(), Contradiction> {
        let never_began = matches!(outcome.exit, Exit::NeverBegan { .. });
        let Some((work, attempt)) = self.another_try(id, &host, never_began, moment.at) else {
            let stopped = self.memory.executions.get(id).is_some_and(|known| known.status == Status::Canceling);
            // What somebody has stopped before it began, was stopped.
            let exit = match outcome.exit {
                Exit::NeverBegan { .. } if stopped => Exit::Canceled,
                // The tasks behind it would take nothing for what was seen.
                exit if self.is_wanted_again(id, &exit) => Exit::Unknown { why: Reason::NotSeen.to_string() },
                exit => exit,
            };
            let outcome = HostOutcome { exit, ..outcome };
            let outcome = Box::new(self.in_doubt(id, &host, outcome));
            return self.note(step, moment, Fact::HostFinished { id: id.clone(), host, outcome });
        };
        let earlier = self.memory.executions.get(id).and_then(|execution| execution.attempts.get(&host));
        let never_began = never_began && earlier.is_none_or(|earlier| earlier.never_began);
        if let Some(watch) = self.watches.get_mut(id) {
            watch.begin_again(&host);
        }
        self.note(step, moment, Fact::HostAgain { id: id.clone(), host, attempt, never_began })?;
        step.effects.push(Effect::Run(Box::new(Run { execution: id.clone(), work, attempt })));
        Ok(())
    }

    /// Whether the machine has told only how a look ended that a task of a workflow took, and not what was seen.
    pub(super) fn is_wanted_again(&self, id: &ExecutionId, exit: &Exit) -> bool {
        matches!(exit, Exit::Unheard { code: 0 }) && self.memory.executions.get(id).is_some_and(is_look_of_task)
    }

    /// How an execution ends: of a look that a task of a workflow took, nobody needs to be asked what became of it.
    pub(super) fn as_workflows_hear(&self, id: &ExecutionId, status: Status) -> Status {
        let look = self.memory.executions.get(id).is_some_and(is_look_of_task);
        if look && status == Status::Unknown { Status::Failed } else { status }
    }

    /// What is run on a host once more, and as which try; nothing where it must not or cannot be.
    fn another_try(&self, id: &ExecutionId, host: &Host, never_began: bool, now: Timestamp) -> Option<(Work, u32)> {
        let execution = self.memory.executions.get(id)?;
        let earlier = execution.attempts.get(host);
        let attempt = earlier.map_or(0, |earlier| earlier.attempt) + 1;
        if execution.status != Status::Running || self.stopping || attempt >= MOST_TRIES {
            return None;
        }
        // What was to be begun there is no longer wanted.
        if self.memory.frozen.is_some() && execution.request.effect != EffectClass::ReadOnly {
            return None;
        }
        let timeout = execution.request.reach.as_ref().map_or(0, |reach| reach.timeout);
        let harmless = matches!(execution.request.effect, EffectClass::ReadOnly | EffectClass::Idempotent);
        let first_doubt = earlier.is_none_or(|earlier| earlier.never_began);
        let is_task = execution.request.parent.is_some();
        let expected = if never_began { EXPECTED } else { EXPECTED + Duration::from_secs(timeout) };
        let may = never_began || (harmless && (first_doubt || is_task));
        if !may || (!is_task && execution.elapsed(now) > expected) {
            return None;
        }
        Some((self.same_work(execution, std::slice::from_ref(host), now)?, attempt))
    }
}

fn is_look_of_task(execution: &Execution) -> bool {
    execution.request.parent.is_some() && execution.request.effect == EffectClass::ReadOnly
}

/// The parameters that an execution was given, as far as they have to be given again: what the action says itself is found out anew.
pub(super) fn given_before(action: &Action, execution: &Execution) -> BTreeMap<String, Value> {
    let given = execution.request.parameters.iter().filter(|(name, value)| {
        let parameter = action.parameters.get(*name);
        let fixed = parameter.is_some_and(|parameter| parameter.immutable || parameter.secret);
        let defaulted = parameter.is_some_and(|parameter| parameter.default.as_ref() == Some(*value));
        // A default that a secret was put into is remembered as stars, and has to be rendered again.
        !fixed && !defaulted && value.as_str() != Some(MASK)
    });
    given.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The way to the machines of this work, as far as it is no secret.
pub(super) fn reach(work: &Work) -> Reach {
    let (command, remote) = match work {
        Work::Http(request) => return Reach { timeout: request.timeout.as_secs(), ..Reach::default() },
        Work::Mail(letter) => return Reach { timeout: letter.timeout.as_secs(), ..Reach::default() },
        Work::Monitoring(order) => {
            return Reach { timeout: order.patience.unwrap_or_default().as_secs(), ..Reach::default() };
        }
        Work::Local(command) => (command, None),
        Work::Remote(remote) => (&remote.command, Some(remote)),
    };
    let mut missing = Vec::new();
    if command.sudo && command.sudo_password.is_some() {
        missing.push("sudo_password".to_owned());
    }
    let mut reach =
        Reach { sudo: command.sudo, timeout: command.timeout.as_secs(), parting: command.parting, ..Reach::default() };
    if let Some(remote) = remote {
        if remote.private_key.is_some() {
            missing.push("private_key".to_owned());
        }
        let ports = remote.hosts.iter().filter_map(|machine| Some((machine.host.clone(), machine.port?)));
        reach.ports = ports.collect();
        (reach.username, reach.port) = (remote.username.clone(), remote.port);
        reach.bastion = remote.bastion.clone();
    }
    reach.missing = missing;
    reach
}

fn machines(reach: &Reach, hosts: &[Host]) -> Vec<RemoteHost> {
    hosts.iter().map(|host| RemoteHost { host: host.clone(), port: reach.ports.get(host).copied() }).collect()
}

fn nothing_heard(exit: Exit) -> HostOutcome {
    HostOutcome { exit, stdout: Captured::empty(), stderr: Captured::empty(), seconds: 0.0 }
}

fn between(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}
