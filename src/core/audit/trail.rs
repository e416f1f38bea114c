//! From facts to entries.
//!
//! Some facts say only what changes: the end of an execution does not repeat what was run. What is needed of the facts before is kept for as
//! long as it may be needed, and a [`Trail`] that begins with a memory goes on exactly like one that has seen all facts.

use crate::core::action::execution::{Execution, Requested};
use crate::core::approval::request::{Event as Happened, Unseat, Via, Voter};
use crate::core::audit::entry::{Entry, Event, Hosts, Origin, shortened};
use crate::core::datastore::Kept;
use crate::core::fact::{Concerned, Dated, Fact};
use crate::core::host::fold;
use crate::core::id::{ActionRef, ExecutionId, Host};
use crate::core::input::{Back, Principal};
use crate::core::memory::Memory;
use crate::core::rule::trigger::Enforcement;
use crate::core::schedule::{ScheduleEnd, Scheduled};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What has to be known of the facts before, to make entries of those that come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail {
    executions: BTreeMap<ExecutionId, Going>,
    scheduled: BTreeMap<ExecutionId, Waiting>,
}

/// An execution that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Going {
    action: ActionRef,
    started: Timestamp,
    /// It has not begun.
    waits: bool,
    /// It is a task that touches nothing, of which nobody needs to read.
    silent: bool,
    /// Where it has not done what was asked, or nothing is known yet.
    failed: BTreeSet<Host>,
}

/// A line that waits for its time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiting {
    action: ActionRef,
    line: String,
    by: Principal,
}

impl Going {
    fn new(execution: &Execution) -> Self {
        let succeeded = |host: &Host| execution.outcomes.get(host).is_some_and(|outcome| outcome.exit.succeeded());
        Self {
            action: execution.request.action.clone(),
            started: execution.began(),
            waits: execution.status.waits(),
            silent: is_silent(&execution.request),
            failed: execution.places().into_iter().filter(|host| !succeeded(host)).collect(),
        }
    }
}

impl Waiting {
    fn new(line: &Scheduled) -> Self {
        Self { action: line.action.clone(), line: line.line.clone(), by: line.by.clone() }
    }
}

/// So many problems are named for which people were called.
const MOST_NAMED: usize = 10;

/// What an entry says besides when it happened.
type Said = Box<dyn FnOnce(&mut Entry)>;

impl Trail {
    /// As after all facts that come to this memory.
    pub fn of(memory: &Memory) -> Self {
        let going = memory.executions.iter().map(|(id, execution)| (id.clone(), Going::new(execution)));
        let waiting = memory.scheduled.iter().map(|(id, line)| (id.clone(), Waiting::new(line)));
        Self { executions: going.collect(), scheduled: waiting.collect() }
    }

    /// Takes the next fact in. Gives the entry that comes of it, if one does: `number` is the one that it gets, `fact` the fact's own.
    pub fn take(&mut self, dated: &Dated, fact: u64, number: u64) -> Option<Entry> {
        let (event, say) = self.said(dated)?;
        let mut entry = Entry::new(number, fact, dated.at, event);
        say(&mut entry);
        Some(entry)
    }

    fn said(&mut self, dated: &Dated) -> Option<(Event, Said)> {
        Some(match &dated.fact {
            Fact::ExecutionStarted(request) => {
                let execution = Execution::start(dated.at, Requested::clone(request));
                // A second start of the same execution is nonsense, and no new beginning.
                if self.executions.get(&request.id).is_none_or(|going| going.waits) {
                    self.executions.insert(request.id.clone(), Going::new(&execution));
                }
                if is_silent(request) {
                    return None;
                }
                (Event::Started, started(request))
            }
            Fact::ExecutionWaits(waits) => {
                let execution = Execution::wait(dated.at, waits);
                self.executions.entry(waits.request.id.clone()).or_insert_with(|| Going::new(&execution));
                let event = if waits.approval.is_some() { Event::ApprovalAsked } else { Event::Delayed };
                let (started, due) = (started(&waits.request), waits.approval.as_ref().map(|request| request.until));
                let say = move |entry: &mut Entry| {
                    started(entry);
                    entry.due = due;
                };
                (event, Box::new(say))
            }
            Fact::Approval { id, event, .. } => self.decided(id, event)?,
            Fact::HostFinished { id, host, outcome } => {
                if let Some(going) = self.executions.get_mut(id)
                    && outcome.exit.succeeded()
                {
                    going.failed.remove(host);
                }
                return None;
            }
            Fact::HostAgain { id, host, never_began, .. } => {
                let action = self.executions.get(id).map(|going| going.action.clone());
                let (id, host) = (id.clone(), host.clone());
                let reason =
                    if *never_began { "it had never begun there" } else { "nobody knew how it had ended there" };
                let say = move |entry: &mut Entry| {
                    (entry.execution, entry.action, entry.hosts) = (Some(id), action, hosts(&[host]));
                    reason.clone_into(&mut entry.reason);
                };
                (Event::RanAgain, Box::new(say))
            }
            Fact::TriedAgain { id, next } => {
                let action = self.executions.get(id).map(|going| going.action.clone());
                let (id, next) = (id.clone(), next.clone());
                let say = move |entry: &mut Entry| {
                    (entry.execution, entry.action, entry.due) = (Some(id), action, Some(next.at));
                    entry.reason = format!("try {} of {}", next.number, next.of);
                    entry.executions.push(next.id);
                };
                (Event::TriedAgain, Box::new(say))
            }
            Fact::ExecutionFinished { id, status, error } => {
                let going = self.executions.remove(id);
                if going.as_ref().is_some_and(|going| going.silent) {
                    return None;
                }
                let (id, status, reason, at) = (id.clone(), *status, error.clone().unwrap_or_default(), dated.at);
                let say = move |entry: &mut Entry| {
                    (entry.execution, entry.status, entry.reason) = (Some(id), Some(status), reason);
                    if let Some(Going { action, started, failed, .. }) = going {
                        let took = at.duration_since(started).as_millis();
                        entry.milliseconds = Some(u64::try_from(took).unwrap_or_default());
                        (entry.action, entry.failed) = (Some(action), hosts(&Vec::from_iter(failed)));
                    }
                };
                (Event::Ended, Box::new(say))
            }
            Fact::CancelAsked { id, by, from } => {
                let going = self.executions.get_mut(id);
                let action = going.map(|going| {
                    // What is stopped while it waits never begins.
                    going.waits = false;
                    going.action.clone()
                });
                let (id, who) = (id.clone(), who(by, from.as_ref()));
                let say = move |entry: &mut Entry| {
                    (entry.execution, entry.action) = (Some(id), action);
                    who(entry);
                };
                (Event::CancelAsked, Box::new(say))
            }
            Fact::PauseAsked { id, by, from } | Fact::ResumeAsked { id, by, from } => {
                let event =
                    if matches!(dated.fact, Fact::PauseAsked { .. }) { Event::PauseAsked } else { Event::ResumeAsked };
                let action = self.executions.get(id).map(|going| going.action.clone());
                let (id, who) = (id.clone(), who(by, Some(from)));
                let say = move |entry: &mut Entry| {
                    (entry.execution, entry.action) = (Some(id), action);
                    who(entry);
                };
                (event, Box::new(say))
            }
            Fact::InquiryAnswered { id, by, response } => {
                let action = self.executions.get(id).map(|going| going.action.clone());
                let (id, who, parameters) = (id.clone(), who(by, None), shortened(response));
                let say = move |entry: &mut Entry| {
                    (entry.execution, entry.action, entry.parameters) = (Some(id), action, parameters);
                    who(entry);
                };
                (Event::Answered, Box::new(say))
            }
            Fact::Judged { id, by, judgement, repeated_as, action, from } => {
                let (id, action, reason) = (id.clone(), action.clone(), judgement.words().to_owned());
                let (again, who) = (repeated_as.clone(), who(by, from.as_ref()));
                let say = move |entry: &mut Entry| {
                    (entry.execution, entry.action, entry.reason) = (Some(id), action, reason);
                    entry.executions.extend(again);
                    who(entry);
                };
                (Event::Settled, Box::new(say))
            }
            Fact::Scheduled(line) => {
                self.scheduled.insert(line.id.clone(), Waiting::new(line));
                let line = Scheduled::clone(line);
                let who = who(&line.by, Some(&line.back));
                let say = move |entry: &mut Entry| {
                    who(entry);
                    (entry.execution, entry.action) = (Some(line.id), Some(line.action));
                    (entry.line, entry.due) = (line.line, Some(line.due));
                };
                (Event::Scheduled, Box::new(say))
            }
            Fact::ScheduleEnded { id, end } => self.schedule_ended(id, end),
            Fact::Frozen { why, by, from } => {
                let (why, who) = (why.clone(), by.as_ref().map(|by| who(by, from.as_ref())));
                let say = move |entry: &mut Entry| {
                    entry.reason = why;
                    who.into_iter().for_each(|who| who(entry));
                };
                (Event::Frozen, Box::new(say))
            }
            Fact::Unfrozen { by, from } => (Event::Unfrozen, who(by, from.as_ref())),
            Fact::ValueSet { key, value, expires, by, from } => {
                let event = if matches!(**value, Kept::Sealed { .. }) { Event::SecretSet } else { Event::ValueSet };
                (event, about_values(vec![key.reference()], *expires, by, from.as_ref()))
            }
            Fact::ValueDeleted { key, by, from } => {
                (Event::ValueDeleted, about_values(vec![key.reference()], None, by, from.as_ref()))
            }
            Fact::ValuesOpened { keys, by, from } => {
                let names = keys.iter().map(crate::core::datastore::key::Key::reference).collect();
                (Event::SecretsShown, about_values(names, None, by, from.as_ref()))
            }
            Fact::ApiKeyMade { key, from } => {
                (Event::ApiKeyMade, about_values(vec![key.name.clone()], None, &key.by, from.as_ref()))
            }
            Fact::ApiKeyGone { name, by, from } => {
                (Event::ApiKeyGone, about_values(vec![name.clone()], None, by, from.as_ref()))
            }
            Fact::RuleSwitched { rule, by, from, .. } | Fact::RuleReset { rule, by, from } => {
                let event = match &dated.fact {
                    Fact::RuleSwitched { enabled: true, .. } => Event::RuleEnabled,
                    Fact::RuleSwitched { .. } => Event::RuleDisabled,
                    _ => Event::RuleReset,
                };
                let (rule, who) = (rule.to_string(), who(by, from.as_ref()));
                let say = move |entry: &mut Entry| {
                    who(entry);
                    entry.names = vec![rule];
                };
                (event, Box::new(say))
            }
            Fact::Escalated { what, called, .. } => {
                let about = what.iter().map(|what| match what {
                    Concerned::Problem { problem } => match &problem.service {
                        Some(service) => format!("{}/{service}", problem.host),
                        None => problem.host.clone(),
                    },
                    Concerned::Storm { storm } => storm.to_string(),
                });
                let about: Vec<String> = about.take(MOST_NAMED).collect();
                let (names, reason) = (called.clone(), format!("nobody has touched {}", about.join(", ")));
                let say = move |entry: &mut Entry| (entry.names, entry.reason) = (names, reason);
                (Event::Escalated, Box::new(say))
            }
            Fact::StormReleased { by, from, .. } => (Event::StormReleased, who(by, from.as_ref())),
            Fact::SensorSwitched { sensor, enabled, by, from } => {
                let event = if *enabled { Event::SensorEnabled } else { Event::SensorDisabled };
                let (sensor, who) = (sensor.to_string(), who(by, from.as_ref()));
                let say = move |entry: &mut Entry| {
                    who(entry);
                    entry.names = vec![sensor];
                };
                (event, Box::new(say))
            }
            // What a rule starts has an entry of its own.
            Fact::TriggerTaken(taken) => {
                let idle = taken.enforcements.iter().filter(|enforcement| enforcement.outcome.execution().is_none());
                let idle: Vec<Enforcement> = idle.cloned().collect();
                let (first, instance) = (idle.first()?, taken.instance.clone());
                let by = Principal::Rule { rule: first.rule.clone(), instance: instance.id, chain: instance.chain };
                let (action, reason) = (first.action.clone(), said_of(first));
                let names = idle.iter().map(|enforcement| enforcement.rule.to_string()).collect();
                let say = move |entry: &mut Entry| {
                    (entry.by, entry.from, entry.action) = (Some(by), Some(Origin::Rule), Some(action));
                    (entry.names, entry.reason) = (names, reason);
                };
                (Event::RuleIdle, Box::new(say))
            }
            Fact::NameTied { kind, name, id } => {
                let (name, id) = (format!("{}:{name}", kind.word()), id.clone());
                let say = move |entry: &mut Entry| (entry.names, entry.reason) = (vec![name], id);
                (Event::NameTied, Box::new(say))
            }
            Fact::NameFreed { kind, name } => {
                let name = format!("{}:{name}", kind.word());
                (Event::NameFreed, Box::new(move |entry: &mut Entry| entry.names = vec![name]))
            }
            Fact::AccessDenied { by, from, line, action, needed } => {
                let (line, action, needed) = (line.clone(), action.clone(), needed.clone());
                let who = who(by, Some(from));
                let say = move |entry: &mut Entry| {
                    who(entry);
                    (entry.line, entry.action) = (line, action);
                    entry.reason = format!("needs {needed}");
                };
                (Event::Refused, Box::new(say))
            }
            Fact::CallbackRefused { why, user, post, from, action, unnoted } => {
                let origin = Origin::Callback { address: from.clone(), post: post.clone(), user: user.clone() };
                let (why, line, unnoted) = (why.word().replace('_', "-"), action.clone(), *unnoted);
                let say = move |entry: &mut Entry| {
                    (entry.from, entry.line) = (Some(origin), line);
                    entry.reason = if unnoted == 0 { why } else { format!("{why}, and {unnoted} others before it") };
                };
                (Event::CallbackRefused, Box::new(say))
            }
            Fact::Reloaded { by, from, in_force, changed, problems } => {
                let who = by.as_ref().map(|by| who(by, from.as_ref()));
                let (names, problems, in_force) = (changed.clone(), *problems, *in_force);
                let say = move |entry: &mut Entry| {
                    entry.names = names;
                    let force = if in_force { "in force" } else { "not in force" };
                    entry.reason = format!("{force}, {problems} mistakes in files");
                    who.into_iter().for_each(|who| who(entry));
                };
                (Event::Reloaded, Box::new(say))
            }
            Fact::CheckpointTold { head, by, from } => {
                let (head, who) = (head.clone(), by.as_ref().map(|by| who(by, from.as_ref())));
                let say = move |entry: &mut Entry| {
                    entry.head = Some(head);
                    who.into_iter().for_each(|who| who(entry));
                };
                (Event::Checkpoint, Box::new(say))
            }
            Fact::AuditSetAside { place, why, head } => {
                let reason = if why.is_empty() { place.clone() } else { format!("{why}; it lies in {place}") };
                let head = head.clone();
                (Event::SetAside, Box::new(move |entry: &mut Entry| (entry.reason, entry.head) = (reason, Some(head))))
            }
            Fact::AuditCut { head, by } => {
                let (head, who) = (head.clone(), who(by, None));
                let say = move |entry: &mut Entry| {
                    entry.head = Some(head);
                    who(entry);
                };
                (Event::Cut, Box::new(say))
            }
            Fact::PostTaken { .. }
            | Fact::PressTaken { .. }
            | Fact::TailBegun { .. }
            | Fact::WorkflowMoved(_)
            | Fact::WorkflowTakenUp { .. }
            | Fact::TurnAwaited { .. }
            | Fact::DeliveryIntended(_)
            | Fact::DeliverySent { .. }
            | Fact::DeliveryRefused { .. }
            | Fact::AnswerOwed { .. }
            | Fact::Heard { .. }
            | Fact::InstanceNamed { .. }
            | Fact::OtherInstanceSeen { .. }
            | Fact::ChoiceOffered { .. }
            | Fact::ChoiceClosed { .. }
            | Fact::ValueAsked { .. }
            | Fact::ValueClosed { .. }
            | Fact::LineKept { .. }
            | Fact::TimerBegun { .. }
            | Fact::TimerTicked { .. }
            | Fact::TimerGone { .. }
            | Fact::AlertChanged(_)
            | Fact::Touched { .. }
            | Fact::StormBegan(_)
            | Fact::StormTurned { .. }
            | Fact::AlertOffered { .. }
            | Fact::AlertPosted { .. }
            | Fact::AlertSettles { .. }
            | Fact::RemedyBegun { .. }
            | Fact::OrderGiven { .. }
            | Fact::OrderEnded { .. }
            | Fact::AlertSeen { .. }
            | Fact::ToldOfRule { .. }
            | Fact::AlertForgotten { .. } => return None,
        })
    }

    /// What happened to a request for an approval.
    fn decided(&self, id: &ExecutionId, happened: &Happened) -> Option<(Event, Said)> {
        let chat = |voter: &Voter| Principal::ChatUser { id: voter.id.clone(), name: voter.name.clone() };
        let (mut by, mut from, mut reason, mut names) = (None, None, String::new(), Vec::new());
        let event = match happened {
            Happened::Approved { by: voter, reason: why, via, .. } => {
                (by, from, reason) = (Some(chat(voter)), origin(via), why.clone());
                Event::Approved
            }
            Happened::Denied { by: voter, reason: why, via } => {
                (by, from, reason) = (Some(chat(voter)), origin(via), why.clone());
                Event::Denied
            }
            Happened::Revoked { by: voter } => {
                by = Some(chat(voter));
                Event::Revoked
            }
            Happened::Withdrawn { by: who } => {
                by = Some(who.clone());
                Event::Withdrawn
            }
            Happened::Expired => Event::Expired,
            Happened::Void { why } => {
                reason.clone_from(why);
                Event::Void
            }
            Happened::Unseated { voter, why } => {
                names.push(voter.to_string());
                let words = match why {
                    Unseat::Account => "the account is deactivated, or a bot's",
                    Unseat::Right => "they may not decide about this any more",
                };
                words.clone_into(&mut reason);
                Event::Unseated
            }
            Happened::Joined { joined } => {
                (by, from) = (Some(joined.by.clone()), Some(Origin::of(&joined.back)));
                Event::ApprovalAsked
            }
            Happened::Reminded => return None,
        };
        let (id, action) = (id.clone(), self.executions.get(id).map(|going| going.action.clone()));
        let say = move |entry: &mut Entry| {
            (entry.execution, entry.action) = (Some(id), action);
            (entry.by, entry.from, entry.reason, entry.names) = (by, from, reason, names);
        };
        Some((event, Box::new(say)))
    }

    fn schedule_ended(&mut self, id: &ExecutionId, end: &ScheduleEnd) -> (Event, Said) {
        let waiting = self.scheduled.remove(id);
        let (mut executions, mut withdrawn) = (Vec::new(), None);
        let event = match end {
            ScheduleEnd::Begun { executions: begun } => {
                executions.clone_from(begun);
                Event::ScheduleBegun
            }
            ScheduleEnd::Refused => Event::ScheduleRefused,
            ScheduleEnd::Asked => Event::ScheduleAsked,
            ScheduleEnd::Missed => Event::ScheduleMissed,
            ScheduleEnd::Canceled { by } => {
                withdrawn = Some(by.clone());
                Event::ScheduleWithdrawn
            }
        };
        let id = id.clone();
        let say = move |entry: &mut Entry| {
            (entry.execution, entry.executions) = (Some(id), executions);
            if let Some(Waiting { action, line, by }) = waiting {
                (entry.action, entry.line, entry.by) = (Some(action), line, Some(by));
            }
            if withdrawn.is_some() {
                entry.by = withdrawn;
            }
        };
        (event, Box::new(say))
    }
}

/// Where a decision came from. The card that a button or an emoji stands on is told by the execution.
fn origin(via: &Via) -> Option<Origin> {
    match via {
        Via::Line { channel, post } => Some(Origin::post(channel, post)),
        Via::CommandLine { .. } => Some(Origin::ControlSocket),
        Via::Button | Via::Reaction => None,
    }
}

/// Whether it is a task of a workflow that does nothing but wait or pass: a circle of these would bury all else.
fn is_silent(request: &Requested) -> bool {
    request.parent.is_some() && matches!(request.runner.as_str(), "noop" | "pause" | "uuid")
}

fn started(request: &Requested) -> Said {
    let request = request.clone();
    Box::new(move |entry: &mut Entry| {
        who(&request.by, Some(&request.back))(entry);
        entry.hosts = hosts(&request.hosts);
        entry.parameters = shortened(&request.parameters);
        (entry.execution, entry.action) = (Some(request.id), Some(request.action));
        (entry.content, entry.effect, entry.line) = (request.content, Some(request.effect), request.line);
        entry.executions.extend(request.rerun_of);
        if let Some(parent) = request.parent {
            entry.reason = format!("task {} of {}", parent.task, parent.workflow);
            entry.executions.push(parent.workflow);
        }
    })
}

fn about_values(names: Vec<String>, expires: Option<Timestamp>, by: &Principal, from: Option<&Back>) -> Said {
    let who = who(by, from);
    Box::new(move |entry: &mut Entry| {
        who(entry);
        (entry.names, entry.due) = (names, expires);
    })
}

fn who(by: &Principal, from: Option<&Back>) -> Said {
    let (by, from) = (by.clone(), from.map(Origin::of));
    Box::new(move |entry: &mut Entry| (entry.by, entry.from) = (Some(by), from))
}

fn said_of(enforcement: &Enforcement) -> String {
    let (word, why) = (enforcement.outcome.word(), enforcement.outcome.why());
    if why.is_empty() { word.to_owned() } else { format!("{word}: {why}") }
}

/// Machines, where there are any.
fn hosts(hosts: &[Host]) -> Option<Hosts> {
    (!hosts.is_empty()).then(|| Hosts { count: hosts.len(), names: fold(hosts) })
}
