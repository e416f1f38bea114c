//! A run tells how it goes: its post is brought up to date, its end is judged and told.

use super::acting::is_seen_at_the_problem;
use super::approval_card::stands_in;
use super::telling::is_quiet;
use super::{Bot, Moment, Step, react, unreact};
use crate::core::action::capture::TAIL_LINES;
use crate::core::action::execution::{Execution, LOCALHOST, Requested, Status};
use crate::core::action::run::{Exit, HostOutcome, Progress, RunNews, TailLine};
use crate::core::action::spec::RunnerType;
use crate::core::effect::{Body, Delivery, Effect, Thread};
use crate::core::fact::Fact;
use crate::core::id::{ChannelId, DeliveryId, ExecutionId, Host};
use crate::core::input::{Back, Principal};
use crate::core::memory::{Contradiction, Doubt, Tail, card_of};
use crate::core::message::attachment::Attachment;
use crate::core::message::card::{Card, Ended, FailedPart, Following, LastLines, Running, Told, WorkflowCard};
use crate::core::message::markdown;
use crate::core::message::output::{self, Detail, Outputs};
use crate::core::message::phrase::Phrase;
use crate::core::message::sentences::Sentences;
use crate::core::message::span::span;
use crate::core::message::verdict::{mark, shown_hosts, shown_line, shown_names, verdict};
use crate::core::workflow::conducted::Parent;
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A post is edited at most this often.
const SHORTEST_REFRESH: SignedDuration = SignedDuration::from_secs(1);
/// How many ways of failing a post names while the run goes on.
const NAMED_FAILURES: usize = 5;
/// How many lines of live output a card shows.
const SHOWN_TAIL: usize = 6;

/// What is known of a run in the making. Lost without harm: the facts know what ended.
#[derive(Debug, Clone)]
pub struct Watch {
    waiting: BTreeSet<Host>,
    running: BTreeSet<Host>,
    progress: Progress,
    changed: bool,
    refreshed: Timestamp,
    /// Runs that have not finished: one, and one more for each host that is tried again.
    runs: usize,
    /// What one of them has said of itself as a whole.
    error: Option<String>,
    /// It was begun before this process.
    attached: bool,
}

impl Watch {
    pub(super) fn new(hosts: &[Host], now: Timestamp) -> Self {
        Self {
            waiting: hosts.iter().cloned().collect(),
            running: BTreeSet::new(),
            progress: Progress::default(),
            changed: false,
            refreshed: now,
            runs: 1,
            error: None,
            attached: false,
        }
    }

    /// One that was begun before this process, on `hosts`, and is open on some of them.
    pub(super) fn attached(hosts: &[Host], open: &[Host], now: Timestamp) -> Self {
        let open: Vec<Host> = open.iter().filter(|host| hosts.contains(host)).cloned().collect();
        Self { attached: true, changed: true, ..Self::new(&open, now) }
    }

    /// There is something new to show.
    pub(super) fn change(&mut self) {
        self.changed = true;
    }

    /// A host is tried again.
    pub(super) fn begin_again(&mut self, host: &Host) {
        self.runs += 1;
        if self.running.remove(host) {
            self.waiting.insert(host.clone());
        }
    }

    /// The newest output.
    pub fn tail(&self) -> &[TailLine] {
        &self.progress.tail
    }

    /// When the post is to be edited next: a second after the last edit when something changed, else so that the time elapsed stays true
    /// enough, more rarely the longer it takes.
    pub(super) fn due(&self, started: Timestamp) -> Timestamp {
        let age = self.refreshed.duration_since(started);
        let pause = if self.changed {
            SHORTEST_REFRESH
        } else if age < SignedDuration::from_mins(1) {
            SignedDuration::from_secs(5)
        } else if age < SignedDuration::from_mins(10) {
            SignedDuration::from_secs(15)
        } else {
            SignedDuration::from_mins(1)
        };
        self.refreshed.saturating_add(pause).unwrap_or(Timestamp::MAX)
    }
}

impl Bot {
    pub(super) fn watch(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        news: RunNews,
    ) -> Result<(), Contradiction> {
        // A run that ended in our books may have a last word on its way; the books stand.
        if !self.memory.executions.contains_key(id) {
            return Ok(());
        }
        let watch = self.watches.entry(id.clone()).or_insert_with(|| Watch::new(&[], moment.at));
        watch.changed = true;
        match news {
            RunNews::HostStarted { host } => {
                watch.waiting.remove(&host);
                watch.running.insert(host);
                Ok(())
            }
            RunNews::Progress(progress) => {
                watch.progress = progress;
                Ok(())
            }
            // It is taken before, since it says nothing of the run.
            RunNews::Read(_) => Ok(()),
            RunNews::HostFinished { host, outcome } => {
                watch.waiting.remove(&host);
                watch.running.remove(&host);
                // What ends here says nothing of the way to the nodes.
                if host.as_str() != LOCALHOST {
                    self.standing.met(&host, &outcome.exit, moment.at);
                }
                if self.is_wanted_again(id, &outcome.exit) {
                    return self.lost(step, moment, id, host, *outcome);
                }
                let outcome = Box::new(self.in_doubt(id, &host, *outcome));
                self.note(step, moment, Fact::HostFinished { id: id.clone(), host, outcome })
            }
            RunNews::HostLost { host, outcome } => {
                self.standing.met(&host, &outcome.exit, moment.at);
                self.lost(step, moment, id, host, *outcome)
            }
            RunNews::Finished { error } => {
                watch.runs = watch.runs.saturating_sub(1);
                watch.error = watch.error.take().or(error);
                if watch.runs > 0 {
                    return Ok(());
                }
                let error = watch.error.take();
                let Some(execution) = self.memory.executions.get(id) else { return Ok(()) };
                let status = execution.verdict(error.as_deref());
                self.finish(step, moment, id, status, error)
            }
        }
    }

    /// An outcome with the doubt that an earlier try has left: that the host could not be reached now says nothing of that one.
    pub(super) fn in_doubt(&self, id: &ExecutionId, host: &Host, outcome: HostOutcome) -> HostOutcome {
        let again = self.memory.executions.get(id).and_then(|execution| execution.attempts.get(host));
        let doubt = again.is_some_and(|again| !again.never_began);
        match &outcome.exit {
            Exit::Unreachable { why } | Exit::NeverBegan { why } if doubt => {
                let why = self.sentences.phrase(&Phrase::LostTwice { why });
                HostOutcome { exit: Exit::Unknown { why }, ..outcome }
            }
            _ => outcome,
        }
    }

    /// Ends pauses and questions whose time has come. Says whether there were any.
    pub(super) fn end_what_is_over(&mut self, step: &mut Step, moment: &Moment) -> Result<bool, Contradiction> {
        let over: Vec<ExecutionId> = self
            .memory
            .executions
            .values()
            .filter(|execution| execution.request.ends_at.is_some_and(|at| at <= moment.at))
            .map(|execution| execution.request.id.clone())
            .collect();
        let unanswered = self.unanswered(moment.at);
        let any = !over.is_empty() || !unanswered.is_empty();
        for id in over {
            self.finish(step, moment, &id, Status::Succeeded, None)?;
        }
        for id in unanswered {
            self.finish(step, moment, &id, Status::Timeout, None)?;
        }
        Ok(any)
    }

    /// Edits the posts that are due.
    pub(super) fn refresh(&mut self, step: &mut Step, moment: &Moment) {
        let mut workflows = Vec::new();
        for (id, watch) in &mut self.watches {
            let Some(execution) = self.memory.executions.get(id) else { continue };
            let tails = self.memory.tails.get(id).map(Vec::as_slice).unwrap_or_default();
            let place =
                stands_in(execution).filter(|_| !is_quiet(&execution.request)).map(|(channel, _)| channel.clone());
            if (place.is_none() && tails.is_empty()) || watch.due(execution.began()) > moment.at {
                continue;
            }
            watch.refreshed = moment.at;
            watch.changed = false;
            if execution.request.workflow.is_some() {
                workflows.extend(place.map(|channel| (id.clone(), channel)));
            } else if let Some(channel) = place {
                let text = self.sentences.say(&running_card(execution, watch, moment.at, &self.sentences));
                step.effects.push(Effect::Refresh { channel, of: card_of(id), text, attachments: None });
            }
            if !tails.is_empty() {
                let text = self.sentences.say(&following_card(execution, watch, moment.at, true));
                let refresh = |tail: &Tail| Effect::Refresh {
                    channel: tail.channel.clone(),
                    of: tail.delivery.clone(),
                    text: text.clone(),
                    attachments: None,
                };
                step.effects.extend(tails.iter().map(refresh));
            }
        }
        for (id, channel) in workflows {
            let text = self.first_card(&id, moment.at);
            step.effects.push(Effect::Refresh { channel, of: card_of(&id), text, attachments: None });
        }
    }

    /// The newest output of an execution under way; `follows` says whether the post is kept up to date.
    pub(super) fn following(&self, execution: &Execution, now: Timestamp, follows: bool) -> Card {
        let none = Watch::new(&[], now);
        let watch = self.watches.get(&execution.request.id).unwrap_or(&none);
        following_card(execution, watch, now, follows)
    }

    /// The last lines of an execution that has ended.
    pub(super) fn last_lines(&self, execution: &Execution, took: String) -> Card {
        let outputs = output::outputs(&execution.places(), &execution.outcomes, Detail::Last, &self.sentences);
        Card::LastLines(LastLines {
            mark: mark(execution.status),
            line: shown_line(execution),
            id: execution.request.id.short().to_owned(),
            verdict: verdict(execution, &self.sentences),
            took,
            error: execution.error.clone().unwrap_or_default(),
            cut: outputs.attach,
            outputs,
        })
    }

    /// The last texts of the posts that follow an execution.
    fn last_tails(&self, execution: &Execution, now: Timestamp) -> Vec<Delivery> {
        let Some(tails) = self.memory.tails.get(&execution.request.id) else { return Vec::new() };
        let text = self.sentences.say(&self.last_lines(execution, span(execution.elapsed(now))));
        let last = |tail: &Tail| Delivery {
            id: DeliveryId::new(format!("{}-end", tail.delivery)),
            channel: tail.channel.clone(),
            body: Body::Edit { of: tail.delivery.clone(), text: text.clone(), attachments: None },
        };
        tails.iter().map(last).collect()
    }

    /// The first text of an execution's post.
    pub(super) fn first_card(&self, id: &ExecutionId, now: Timestamp) -> String {
        let execution = self.memory.executions.get(id);
        if let Some(execution) = execution.filter(|execution| execution.status.waits()) {
            return self.waiting_text(execution, now);
        }
        if let Some((execution, inquiry)) = execution.and_then(|known| Some((known, known.request.inquiry.as_deref()?)))
        {
            return self.sentences.say(&self.inquiry_card(execution, inquiry, now));
        }
        if let Some(execution) = execution.filter(|execution| execution.request.workflow.is_some()) {
            return self.sentences.say(&Card::Workflow(Box::new(self.workflow_card(execution, now))));
        }
        match (execution, self.watches.get(id)) {
            (Some(execution), Some(watch)) => self.sentences.say(&running_card(execution, watch, now, &self.sentences)),
            _ => String::new(),
        }
    }

    /// Ends an execution: the fact, the last text of its post, a reply that calls the one who asked where that is due.
    pub(super) fn finish(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        status: Status,
        error: Option<String>,
    ) -> Result<(), Contradiction> {
        self.watches.remove(id);
        let status = self.as_workflows_hear(id, status);
        // The end is promised together with the fact, so the execution is taken in its last state before it leaves the memory.
        let Some(mut execution) = self.memory.executions.get(id).cloned() else { return Ok(()) };
        let fact = Fact::ExecutionFinished { id: id.clone(), status, error };
        let mut ended = execution.clone();
        ended.apply(moment.at, &fact)?;
        // What a task of a workflow does again, its workflow says.
        let tries = if execution.request.parent.is_some() { None } else { self.next_try(moment.at, &ended) };
        let (next, hindered) = match tries {
            Some(Ok(next)) => (Some(next), None),
            Some(Err(why)) => (None, Some(why)),
            None => (None, None),
        };
        if let Some(next) = &next {
            let again = Fact::TriedAgain { id: id.clone(), next: next.next.clone() };
            execution.apply(moment.at, &again)?;
            self.note(step, moment, again)?;
        }
        execution.apply(moment.at, &fact)?;
        let mut told = self.last_words(&execution, moment.at, hindered);
        // Those whom the action names are told of the last try.
        if next.is_none() && self.notifies(&execution) {
            told.extend(self.notices(&execution));
        }
        told.extend(self.last_tails(&execution, moment.at));
        for delivery in told {
            self.deliver(step, moment, delivery)?;
        }
        self.note(step, moment, fact)?;
        if execution.request.runner == RunnerType::Monitoring.word() {
            self.order_ended(step, moment, &execution)?;
        }
        self.ended_event(&execution, moment.at);
        if execution.request.parent.is_some() {
            self.child_ended(&execution);
            return self.ask_admins(step, moment);
        }
        let tried_again = next.is_some();
        if let Some(next) = next {
            self.await_try(step, moment, *next)?;
        }
        if let Back::Chat { channel, post, .. } = &execution.request.back {
            if !tried_again {
                react(step, channel, post, mark(status));
            }
            // One line may have started several.
            let same = |other: &Execution| matches!(&other.request.back, Back::Chat { post: of, .. } if of == post);
            if !self.memory.executions.values().any(same) {
                unreact(step, channel, post, super::hear::HEARD);
            }
        }
        self.ask_admins(step, moment)
    }

    /// Whether the end of an execution is told as its action says: of a task only where its workflow names it.
    fn notifies(&self, execution: &Execution) -> bool {
        let Some(parent) = &execution.request.parent else { return true };
        let workflow = self.memory.executions.get(&parent.workflow);
        let named = workflow.and_then(|workflow| workflow.request.parameters.get("notify")?.as_array());
        named.is_some_and(|names| names.iter().any(|name| name.as_str() == Some(&parent.task)))
    }

    /// The last text of an execution's post.
    pub(super) fn ended_card(&self, execution: &Execution, took: String) -> Ended {
        let outputs = output::outputs(&execution.places(), &execution.outcomes, Detail::Post, &self.sentences);
        Ended {
            mark: mark(execution.status),
            line: shown_line(execution),
            id: execution.request.id.short().to_owned(),
            verdict: verdict(execution, &self.sentences),
            took,
            error: execution.error.clone().unwrap_or_default(),
            attached: outputs.attach,
            attached_here: false,
            by: String::new(),
            began: String::new(),
            part: String::new(),
            outputs,
            remarks: remarks(execution, &self.sentences),
            unknown: execution.status == Status::Unknown && execution.judged.is_none(),
        }
    }

    /// What became of a task of a workflow is asked in the thread of that workflow's post.
    fn asked_of_child(&self, execution: &Execution, parent: &Parent) -> Vec<Delivery> {
        let root = self.memory.executions.get(&parent.root).and_then(stands_in);
        let Some((channel, thread)) = root else { return Vec::new() };
        let card = self.question(execution, false);
        let root = thread.unwrap_or_else(|| Thread::Delivery { of: card_of(&parent.root) });
        let body = Body::Post { root: Some(root), text: self.sentences.say(&card), files: Vec::new() };
        vec![Delivery { id: DeliveryId::new(format!("{}-told", execution.request.id)), channel: channel.clone(), body }]
    }

    /// `hindered` says why it is not tried again, where a policy wants that.
    fn last_words(&self, execution: &Execution, now: Timestamp, hindered: Option<String>) -> Vec<Delivery> {
        let request = &execution.request;
        if request.inquiry.is_some() {
            return self.inquiry_ended(execution, now);
        }
        if let (Some(parent), Status::Unknown) = (&request.parent, execution.status) {
            return self.asked_of_child(execution, parent);
        }
        if is_quiet(request) && is_seen_at_the_problem(execution) {
            return Vec::new();
        }
        let Some((channel, root)) = stands_in(execution) else { return Vec::new() };
        let took = span(execution.elapsed(now));
        let ending = self.ending(execution);
        let asks = execution.status == Status::Unknown;
        // Neither announced nor told: the mark that the line gets is all, and it is promised.
        if let Back::Chat { post, .. } = &request.back
            && is_quiet(request)
            && ending.off
            && execution.status == Status::Succeeded
        {
            let body = Body::Mark { post: post.clone(), emoji: mark(execution.status).to_owned() };
            return vec![Delivery {
                id: DeliveryId::new(format!("{}-end", request.id)),
                channel: channel.clone(),
                body,
            }];
        }
        let mut card = self.ended_card(execution, took.clone());
        card.remarks.extend(ending.problem);
        card.remarks.extend(hindered);
        card.attached &= !ending.off;
        if ending.bare {
            card.outputs =
                Outputs { summary: String::new(), rows: String::new(), groups: Vec::new(), more: 0, attach: false };
        }
        let attach = card.attached;
        let (line, verdict, mark) = (card.line.clone(), card.verdict.clone(), card.mark);
        let card = match request.workflow {
            Some(_) => Card::Workflow(Box::new(WorkflowCard {
                remarks: std::mem::take(&mut card.remarks),
                output: if ending.bare { String::new() } else { self.workflow_card(execution, now).output },
                ..self.workflow_card(execution, now)
            })),
            None => Card::Ended(card),
        };
        let headline = self.sentences.say(&card);
        let said_at_the_end = headline.clone();
        let end = Said { headline, words: ending.text, attachments: ending.attachments };
        let mut deliveries = end.deliveries(request, channel, root.as_ref());
        // Where it was asked for and others do not read.
        if let Some((asked, thread)) = request.back.place()
            && asked != channel
            // What nobody asked for is told where there is a thread for it.
            && (thread.is_some() || matches!(request.back, Back::Chat { .. }))
        {
            let (asked, root) = (asked.clone(), thread);
            let body = Body::Post { root, text: said_at_the_end, files: Vec::new() };
            deliveries.push(Delivery { id: DeliveryId::new(format!("{}-answer", request.id)), channel: asked, body });
        }
        let picture = if ending.off || is_quiet(request) { None } else { self.last_picture(execution, now) };
        // Only the last of several tries calls somebody.
        let call = execution.elapsed(now) > self.settings.mention_after && execution.retried.is_none();
        if call || attach || asks || picture.is_some() {
            let who = match &request.by {
                Principal::ChatUser { name, .. } if call => markdown::mention(name),
                _ => String::new(),
            };
            let card = match asks {
                true => self.question(execution, attach),
                false => Card::Told(Told { who, mark, line, verdict, took, attached: attach }),
            };
            let name = format!("{}-{}.txt", request.action.name(), request.id.short());
            let output =
                attach.then(|| output::attachment(&name, &execution.places(), &execution.outcomes, &self.sentences));
            let files = output.into_iter().chain(picture).collect();
            let root = root.unwrap_or_else(|| Thread::Delivery { of: card_of(&request.id) });
            deliveries.push(Delivery {
                id: DeliveryId::new(format!("{}-told", request.id)),
                channel: channel.clone(),
                body: Body::Post { root: Some(root), text: self.sentences.say(&card), files },
            });
        }
        deliveries
    }
}

/// The last words of an execution.
struct Said {
    headline: String,
    words: String,
    attachments: Vec<Attachment>,
}

impl Said {
    fn deliveries(self, request: &Requested, channel: &ChannelId, root: Option<&Thread>) -> Vec<Delivery> {
        let Self { headline, words, attachments } = self;
        let (card, end) = (card_of(&request.id), DeliveryId::new(format!("{}-end", request.id)));
        let root = || root.cloned();
        let together =
            |words: String| if words.is_empty() { headline.clone() } else { format!("{headline}\n\n{words}") };
        let bodies = match (is_quiet(request), attachments.is_empty()) {
            (false, true) => vec![(end, Body::Edit { of: card, text: together(words), attachments: None })],
            (true, true) => vec![(card, Body::Post { root: root(), text: together(words), files: Vec::new() })],
            (true, false) => vec![(card, Body::Attached { root: root(), text: together(words), attachments })],
            // An edit brings no attachments, so they are a post of their own.
            (false, false) => vec![
                (end, Body::Edit { of: card, text: headline, attachments: None }),
                (
                    DeliveryId::new(format!("{}-result", request.id)),
                    Body::Attached { root: root(), text: words, attachments },
                ),
            ],
        };
        bodies.into_iter().map(|(id, body)| Delivery { id, channel: channel.clone(), body }).collect()
    }
}

/// What is to be known of an execution besides how it stands: where a command is not run for the first time.
pub(super) fn remarks(execution: &Execution, sentences: &Sentences) -> Vec<String> {
    let voters = execution.approval.iter().flat_map(|request| request.voters());
    let voters = voters.collect::<Vec<_>>().join(", ");
    let approved = (!voters.is_empty()).then(|| sentences.phrase(&Phrase::ApprovedBy { names: &voters }));
    let again = |never_began: bool| {
        let hosts = execution.attempts.iter().filter(|(_, again)| again.never_began == never_began);
        let hosts: Vec<Host> = hosts.map(|(host, _)| host.clone()).collect();
        let hosts_said = if execution.request.hosts.is_empty() { String::new() } else { shown_names(&hosts) };
        (!hosts.is_empty()).then(|| sentences.phrase(&Phrase::Again { hosts: hosts_said, never_began }))
    };
    let next = execution.retried.as_ref().map(|next| {
        let wait = execution.ended.map(|ended| next.at.duration_since(ended)).unwrap_or_default();
        let wait = Duration::try_from(wait).unwrap_or_default();
        let wait = if wait.is_zero() { String::new() } else { span(wait) };
        let (id, number, of, asks) = (next.id.short(), next.number, next.of, next.asks);
        sentences.phrase(&Phrase::TriedAgain { id, number, of, wait: &wait, asks })
    });
    let locked = Doubt::of(execution).filter(|_| execution.status == Status::Unknown && execution.judged.is_none());
    let locked = locked.map(|doubt| {
        let (hosts, id) = (shown_names(&doubt.hosts), execution.request.id.short());
        sentences.phrase(&Phrase::Locked { hosts: &hosts, id })
    });
    [tried(execution, sentences), approved, again(true), again(false), next, locked].into_iter().flatten().collect()
}

/// Which of several tries an execution is, where it is not the first.
pub(super) fn tried(execution: &Execution, sentences: &Sentences) -> Option<String> {
    let tries = execution.request.tries.as_ref()?;
    let again = tries.again.as_ref()?;
    Some(sentences.phrase(&Phrase::Tried { number: tries.number, of: again.of, after: again.after.short() }))
}

/// The newest lines in a fence, each with its host where there are several; empty when there was no output.
fn newest(execution: &Execution, watch: &Watch, most: usize) -> String {
    let one_host = execution.places().len() == 1;
    let tail = &watch.progress.tail;
    let tail: Vec<String> = tail
        .iter()
        .skip(tail.len().saturating_sub(most))
        .map(|line| if one_host { line.text.clone() } else { format!("{}: {}", line.host, line.text) })
        .collect();
    if tail.is_empty() { String::new() } else { markdown::fence(&tail.join("\n")) }
}

fn following_card(execution: &Execution, watch: &Watch, now: Timestamp, follows: bool) -> Card {
    Card::Following(Following {
        line: shown_line(execution),
        id: execution.request.id.short().to_owned(),
        elapsed: span(execution.elapsed(now)),
        tail: newest(execution, watch, TAIL_LINES),
        lines: watch.progress.lines,
        follows,
    })
}

/// Those that failed so far, by how: the most frequent way first.
fn failures(execution: &Execution, sentences: &Sentences) -> Vec<(Vec<Host>, String)> {
    let mut by_exit: BTreeMap<&Exit, Vec<Host>> = BTreeMap::new();
    for (host, outcome) in execution.outcomes.iter().filter(|(_, outcome)| !outcome.exit.succeeded()) {
        by_exit.entry(&outcome.exit).or_default().push(host.clone());
    }
    let mut failures: Vec<(Vec<Host>, String)> =
        by_exit.into_iter().map(|(exit, hosts)| (hosts, sentences.phrase(&Phrase::Exit(exit)))).collect();
    failures.sort_by_key(|(hosts, _)| Reverse(hosts.len()));
    failures
}

fn running_card(execution: &Execution, watch: &Watch, now: Timestamp, sentences: &Sentences) -> Card {
    let failures = failures(execution, sentences);
    let part = |(hosts, how): &(Vec<Host>, String)| FailedPart { hosts: shown_names(hosts), how: how.clone() };
    Card::Running(Running {
        line: shown_line(execution),
        id: execution.request.id.short().to_owned(),
        count: execution.request.hosts.len(),
        done: execution.outcomes.len(),
        failed: failures.iter().take(NAMED_FAILURES).map(part).collect(),
        failed_more: failures.iter().skip(NAMED_FAILURES).map(|(hosts, _)| hosts.len()).sum(),
        running: shown_hosts(&watch.running.iter().cloned().collect::<Vec<Host>>()),
        waiting: shown_hosts(&watch.waiting.iter().cloned().collect::<Vec<Host>>()),
        elapsed: span(execution.elapsed(now)),
        tail: newest(execution, watch, SHOWN_TAIL),
        lines: watch.progress.lines,
        canceling: execution.status == Status::Canceling,
        restarted: watch.attached,
        remarks: remarks(execution, sentences),
        ack: execution.request.telling.as_ref().map(|telling| telling.ack.clone()).unwrap_or_default(),
    })
}
