//! Somebody asked about executions, or asked over the control socket to run something.

use super::hand_out::hand_out;
use super::may::Question;
use super::start::Wish;
use super::{Bot, Moment, Step};
use crate::core::access::{Asker, Place, Rights};
use crate::core::action::execution::{Execution, Status};
use crate::core::action::spec::Action;
use crate::core::alias::suggest::nearest;
use crate::core::chat::filter::{Filter, ListWords, SeenBy};
use crate::core::effect::{Answer, Body, Delivery, Effect, Query, Thread};
use crate::core::fact::Fact;
use crate::core::host::{Inventory, expand, fold};
use crate::core::id::{ActionRef, Host, RequestId};
use crate::core::input::{Ask, Back, Principal, Purpose, Ticket};
use crate::core::memory::{Contradiction, answer_to};
use crate::core::message::card::{Card, Ended, ListRow};
use crate::core::message::markdown;
use crate::core::message::output::{self, Detail};
use crate::core::message::phrase::Phrase;
use crate::core::message::span::span;
use crate::core::message::verdict::{SHOWN_LINE, mark, shown_line, verdict};
use crate::core::message::zone;
use crate::core::settings::Verb;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The most executions that one caller of the control socket gets.
const MOST_LISTED: usize = 1000;
/// What began earlier is told by the clock instead of by the time that has passed.
const LONG_AGO: SignedDuration = SignedDuration::from_hours(1);
/// How many posts may follow one execution.
const MOST_TAILS: usize = 8;
/// What `show ID` is told to show only what failed.
const FAILED: &str = "failed";
/// What `show ID` is told to attach all that was written, however short.
const OUTPUT: &str = "output";

/// What of an execution is shown.
#[derive(Debug, Default)]
struct Part {
    /// Only these of its hosts.
    hosts: Option<Vec<Host>>,
    /// All that was written goes with it as a file, also where it could stand in the post.
    attached: bool,
}

/// What a caller of the control socket wants to have run.
struct AskedToRun {
    action: ActionRef,
    given: BTreeMap<String, Value>,
    trace_tag: Option<String>,
}

impl Bot {
    pub(super) fn asked(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        request: RequestId,
        from: Principal,
        ask: Ask,
    ) -> Result<(), Contradiction> {
        let rights = match &from {
            Principal::LocalUser { uid, name } => {
                self.rights(Asker::Local { uid: *uid, name }, &Place::outside(moment.at))
            }
            Principal::ChatUser { .. } | Principal::Rule { .. } => Rights::default(),
        };
        if matches!(ask, Ask::Health) {
            let parts = self.health(moment.at);
            answer(step, request, Answer::Health { healthy: parts.iter().all(|part| part.works), parts });
            return Ok(());
        }
        // Whether they may is said by their key.
        if let Ask::Webhook(call) = ask {
            return self.called(step, moment, request, *call);
        }
        if !rights.any() {
            let name = name_of(&from);
            let text = self.sentences.phrase(&Phrase::NoLocalRole { name });
            let back = Back::Request { request };
            self.deny(step, moment, (&from, &back), String::new(), None, "a role".to_owned())?;
            answer(step, request, Answer::Refused { text });
            return Ok(());
        }
        let back = Back::Request { request };
        let listed = |limit| self.visible(limit, &rights, Filter::default());
        let query = match &ask {
            Ask::Executions { limit } => listed((*limit).min(MOST_LISTED)),
            _ => Query::Newest(0),
        };
        let mut look_up = |query, asked, purpose| {
            let (from, rights, back) = (from.clone(), rights.clone(), back.clone());
            let ticket = Ticket { from, rights, back, zone: String::new(), asked, purpose, again: false };
            step.effects.push(Effect::Find { query, ticket: Box::new(ticket) });
            Ok(())
        };
        match ask {
            Ask::Run { action, parameters, trace_tag } => {
                let asked = AskedToRun { action, given: parameters, trace_tag };
                self.asked_to_run(step, moment, request, from, &rights, asked)
            }
            Ask::Executions { limit } => look_up(query, limit.min(MOST_LISTED).to_string(), Purpose::List),
            Ask::Execution { id } => look_up(Query::ById(id.clone()), id, Purpose::Show),
            Ask::Output { id, part } => look_up(Query::ById(id.clone()), id, Purpose::HandOut(part)),
            Ask::Cancel { id } => look_up(Query::ById(id.clone()), id, Purpose::Cancel),
            Ask::Rerun { id } => look_up(Query::ById(id.clone()), id, Purpose::Rerun),
            Ask::RerunFrom { id, tasks } => look_up(Query::ById(id.clone()), id, Purpose::RerunFrom(tasks)),
            Ask::Graph { id } => look_up(Query::ById(id.clone()), id, Purpose::Draw),
            Ask::Pause { id } => look_up(Query::ById(id.clone()), id, Purpose::Pause),
            Ask::Resume { id } => look_up(Query::ById(id.clone()), id, Purpose::Resume),
            Ask::Settle { id, judgement } => look_up(Query::ById(id.clone()), id, Purpose::Settle(judgement)),
            Ask::Approvals => {
                self.list_approvals(step, request, &rights);
                Ok(())
            }
            Ask::Decide { of, verdict, words } => {
                self.decide_by_command(step, request, &from, (of, verdict, words));
                Ok(())
            }
            Ask::Freeze { reason } => self.change_freeze(step, moment, from, &rights, Some(reason), &back),
            Ask::Unfreeze => self.change_freeze(step, moment, from, &rights, None, &back),
            Ask::Reload => self.ask_reload(step, moment, from, &rights, back),
            Ask::Audit { about } => self.asked_for_audit(step, moment, request, from, &rights, about),
            Ask::Values(ask) => self.asked_for_values(step, moment, request, &from, &rights, ask),
            Ask::Inquiries { id } => {
                self.asked_for_inquiries(step, request, &from, &rights, id.as_deref());
                Ok(())
            }
            Ask::Respond { id, response } => {
                self.asked_to_respond(step, moment, request, (&from, &rights), (&id, response))
            }
            Ask::May { user: None, channel, line } => {
                let here: Vec<String> = channel.into_iter().collect();
                let question =
                    Question { who: String::new(), by: &from, rights: &rights, asker: None, here, at: moment.at };
                let card = self.may(&question, &line);
                self.tell_may(step, moment, &back, &card)
            }
            Ask::May { user: Some(_), .. } if !rights.administers() => {
                let card = Card::NotAdmin { command: "may --user".to_owned(), who: self.administrators() };
                self.say(step, moment, &back, &card)
            }
            Ask::May { user: Some(user), channel, line } => {
                let purpose = Purpose::May { line, here: channel.into_iter().collect() };
                let ticket =
                    Ticket { from, rights, back, zone: String::new(), asked: user.clone(), purpose, again: false };
                self.ask_who(step, &user, ticket);
                Ok(())
            }
            Ask::ApiKeys(ask) => self.asked_for_api_keys(step, moment, request, (&from, &rights), ask),
            Ask::Sensors(ask) => self.asked_for_sensors(step, moment, request, (&from, &rights), ask),
            Ask::Rules(ask) => self.asked_for_rules(step, moment, request, (&from, &rights), ask),
            Ask::Health | Ask::Webhook(_) => Ok(()),
        }
    }

    fn asked_to_run(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        request: RequestId,
        by: Principal,
        rights: &Rights,
        asked: AskedToRun,
    ) -> Result<(), Contradiction> {
        let AskedToRun { action, given, trace_tag } = asked;
        if self.stopping {
            answer(step, request, Answer::Refused { text: self.sentences.say(&Card::Stopping) });
            return Ok(());
        }
        let may = |known: &Arc<Action>| self.may_with_given(rights, moment.at, known, &given, &by);
        let known = self.catalog.actions.get(&action).filter(|known| may(known)).cloned();
        let Some(action) = known else {
            if self.catalog.actions.contains_key(&action) {
                let (back, needed) = (Back::Request { request }, format!("run:{action}"));
                self.deny(step, moment, (&by, &back), format!("run {action}"), Some(&action), needed)?;
            }
            let similar = self.similar_action(&action, rights);
            let similar = similar.unwrap_or_default();
            let text = self.sentences.phrase(&Phrase::NoAction { action: action.as_str(), similar: &similar });
            answer(step, request, Answer::Refused { text });
            return Ok(());
        };
        let back = Back::Request { request };
        let wish = Wish {
            action,
            given,
            by,
            back,
            line: String::new(),
            correctable: false,
            alias: None,
            trusted: Vec::new(),
            rights: rights.clone(),
            rerun_of: None,
            trace_tag,
            zone: String::new(),
            takes_up: None,
            parent: None,
            hidden: BTreeSet::new(),
            settles: None,
            again: None,
        };
        let told = match self.start(step, moment, wish)? {
            Ok(id) => Answer::Started { id },
            Err(declined) => Answer::Refused { text: markdown::bare(&self.sentences.say(&declined.card)) },
        };
        answer(step, request, told);
        Ok(())
    }

    fn similar_action(&self, wanted: &ActionRef, rights: &Rights) -> Option<String> {
        let eyes = self.eyes(rights);
        // What was asked for is not there, whatever the catalog says.
        let known =
            self.catalog.actions.values().filter(|known| known.reference != *wanted && eyes.may(Verb::Run, known));
        nearest(wanted.as_str(), known.map(|known| known.reference.as_str())).map(str::to_owned)
    }

    pub(super) fn found(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        ticket: Ticket,
        mut executions: Vec<Execution>,
    ) -> Result<(), Contradiction> {
        // One that ended while the store was being asked still goes on in this answer. The next answer knows better: by then the end is
        // on disk. Taking this one for true would stop what is not there, which the memory does not forgive.
        // The same goes for a judgement.
        let (live, open) = (&self.memory.executions, &self.memory.questions);
        let overtaken = |found: &Execution| {
            let id = &found.request.id;
            (!found.status.is_final() && !live.contains_key(id))
                || (found.status == Status::Unknown && found.judged.is_none() && !open.contains_key(id))
        };
        if executions.iter().any(overtaken) {
            if !ticket.again {
                step.effects.push(Effect::Find {
                    query: self.query(&ticket, moment.at),
                    ticket: Box::new(Ticket { again: true, ..ticket }),
                });
                return Ok(());
            }
            executions.retain(|found| !overtaken(found));
        }
        let wanted = match ticket.purpose {
            Purpose::Show
            | Purpose::ShowPart(_)
            | Purpose::HandOut(_)
            | Purpose::Draw
            | Purpose::Tail
            | Purpose::List => Verb::View,
            Purpose::Cancel
            | Purpose::Rerun
            | Purpose::RerunFrom(_)
            | Purpose::Pause
            | Purpose::Resume
            | Purpose::Settle(_) => Verb::Run,
            // Nothing is looked for in the store to answer that.
            Purpose::May { .. } => return Ok(()),
        };
        // What may not be seen does not exist; what may be seen is shown as it stands in memory, which is ahead of the store.
        let hidden = executions.first().map(|execution| execution.request.action.clone());
        let mut visible: Vec<Execution> = executions
            .into_iter()
            .filter(|execution| ticket.rights.may_with_execution(wanted, execution, &self.inventory))
            .map(|execution| self.memory.executions.get(&execution.request.id).cloned().unwrap_or(execution))
            .collect();
        if ticket.purpose == Purpose::List
            && visible.is_empty()
            && words(&ticket.asked).narrows()
            && matches!(ticket.back, Back::Chat { .. })
        {
            return self.say(step, moment, &ticket.back, &Card::NoneListed { words: ticket.asked });
        }
        if ticket.purpose == Purpose::List {
            return self.list(step, moment, &ticket, visible);
        }
        if visible.len() > 1 {
            return self.say(step, moment, &ticket.back, &Card::ManyExecutions { id: ticket.asked });
        }
        if let (true, Some(action)) = (visible.is_empty(), hidden) {
            let (line, needed) = (asked_of(&ticket), format!("{}:{action}", wanted.word()));
            self.deny(step, moment, (&ticket.from, &ticket.back), line, Some(&action), needed)?;
        }
        let Some(execution) = visible.pop() else {
            return self.say(step, moment, &ticket.back, &Card::NoExecution { id: ticket.asked });
        };
        match ticket.purpose {
            Purpose::Show | Purpose::List => self.show(step, moment, &ticket, execution, Part::default()),
            Purpose::ShowPart(ref part) => self.show_part(step, moment, &ticket, execution, part),
            Purpose::HandOut(ref part) => {
                if let Back::Request { request } = ticket.back {
                    hand_out(step, request, &execution, part);
                }
                Ok(())
            }
            Purpose::Draw => self.draw(step, moment, &ticket, &execution),
            Purpose::Tail => self.tail(step, moment, &ticket.back, &execution),
            Purpose::Cancel => self.cancel(step, moment, ticket, &execution),
            Purpose::RerunFrom(ref tasks) => self.rerun_from(step, moment, &ticket, &execution, tasks),
            Purpose::Pause => self.pause_or_resume(step, moment, &ticket, &execution, true),
            Purpose::Resume => self.pause_or_resume(step, moment, &ticket, &execution, false),
            Purpose::Rerun => self.rerun(step, moment, &ticket, &execution),
            Purpose::Settle(judgement) => self.settle(step, moment, ticket, &execution, judgement),
            Purpose::May { .. } => Ok(()),
        }
    }

    fn list(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        ticket: &Ticket,
        executions: Vec<Execution>,
    ) -> Result<(), Contradiction> {
        if let Back::Request { request } = ticket.back {
            answer(step, request, Answer::Executions { executions });
            return Ok(());
        }
        let zone = self.clock(&ticket.zone);
        let rows = executions.iter().map(|execution| ListRow {
            mark: mark(execution.status),
            id: execution.request.id.short().to_owned(),
            line: shown_line(execution),
            who: name_of(&execution.request.by).to_owned(),
            ago: if moment.at.duration_since(execution.started) > LONG_AGO {
                String::new()
            } else {
                ago(execution.started, moment.at)
            },
            at: zone::moment(execution.started, moment.at, &zone),
            verdict: match execution.status {
                Status::Delayed => self.waits_for(execution),
                _ => verdict(execution, &self.sentences),
            },
        });
        let card = Card::List { rows: rows.collect() };
        self.say(step, moment, &ticket.back, &card)
    }

    /// Shows an execution, or what it did on some of its hosts.
    fn show(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        ticket: &Ticket,
        execution: Execution,
        Part { hosts: part, attached }: Part,
    ) -> Result<(), Contradiction> {
        let id = execution.request.id.clone();
        let (channel, root, post) = match &ticket.back {
            Back::Request { request } => {
                let tail = self.watches.get(&id).map(|watch| watch.tail()).unwrap_or_default();
                let tail = tail.iter().map(|line| format!("{}: {}", line.host, line.text)).collect();
                answer(step, *request, Answer::Execution { execution: Box::new(execution), tail });
                return Ok(());
            }
            Back::Chat { channel, root, post } => (channel.clone(), root.clone(), post),
            Back::Told { .. } => return Ok(()),
        };
        let (text, files) = if execution.request.workflow.is_some() && !execution.status.waits() {
            let by = name_of(&execution.request.by).to_owned();
            let clock = self.clock(&ticket.zone);
            (self.sentences.say(&self.shown_workflow(&execution, moment.at, by, &clock)), Vec::new())
        } else if execution.request.inquiry.is_some() && execution.status.is_final() {
            (self.sentences.say(&self.inquiry_end(&execution, moment.at)), Vec::new())
        } else if execution.status.is_final() || part.is_some() || attached {
            let (places, detail) = match &part {
                Some(part) => (part.clone(), if part.len() == 1 { Detail::Closer } else { Detail::Post }),
                None => (execution.places(), Detail::Post),
            };
            let outputs = output::outputs(&places, &execution.outcomes, detail, &self.sentences);
            let name = format!("{}-{}.txt", execution.request.action.name(), id.short());
            let wrote = |host: &Host| {
                let outcome = execution.outcomes.get(host);
                outcome.is_some_and(|outcome| !outcome.stdout.is_empty() || !outcome.stderr.is_empty())
            };
            let attach = outputs.attach || (attached && places.iter().any(wrote));
            let files = if attach {
                vec![output::attachment(&name, &places, &execution.outcomes, &self.sentences)]
            } else {
                Vec::new()
            };
            let card = Card::Ended(Ended {
                attached: false,
                attached_here: attach,
                outputs,
                by: name_of(&execution.request.by).to_owned(),
                began: zone::moment(execution.started, moment.at, &self.clock(&ticket.zone)),
                part: part.map(|part| fold(&part)).unwrap_or_default(),
                ..self.ended_card(&execution, span(execution.elapsed(moment.at)))
            });
            (self.sentences.say(&card), files)
        } else {
            (self.first_card(&id, moment.at), Vec::new())
        };
        let body = Body::Post { root: root.map(|post| Thread::Post { post }), text, files };
        self.deliver(step, moment, Delivery { id: answer_to(post, "show"), channel, body })
    }

    /// `show ID failed`, `show ID wn[003-005]`, `show ID output`, `show ID wn003 output`.
    fn show_part(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        ticket: &Ticket,
        execution: Execution,
        wanted: &str,
    ) -> Result<(), Contradiction> {
        let words: Vec<&str> = wanted.split_whitespace().collect();
        let (wanted, attached) = match words.as_slice() {
            [part @ .., last] if last.eq_ignore_ascii_case(OUTPUT) => (part.join(" "), true),
            _ => (words.join(" "), false),
        };
        if wanted.is_empty() {
            return self.show(step, moment, ticket, execution, Part { hosts: None, attached });
        }
        let id = execution.request.id.short().to_owned();
        let places = execution.places();
        let part: Vec<Host> = if wanted.eq_ignore_ascii_case(FAILED) {
            let failed = |host: &&Host| execution.outcomes.get(host).is_some_and(|outcome| !outcome.exit.succeeded());
            places.iter().filter(failed).cloned().collect()
        } else {
            // Its own hosts count, whatever the inventory says today.
            let own = Inventory { hosts: places.iter().cloned().collect(), ..(*self.inventory).clone() };
            match expand(&wanted, &own) {
                Ok(named) => {
                    let named: BTreeSet<Host> = named.into_iter().map(|machine| machine.host).collect();
                    places.iter().filter(|host| named.contains(*host)).cloned().collect()
                }
                Err(_) => Vec::new(),
            }
        };
        if !part.is_empty() {
            return self.show(step, moment, ticket, execution, Part { hosts: Some(part), attached });
        }
        let card = if wanted.eq_ignore_ascii_case(FAILED) {
            let (line, verdict) = (shown_line(&execution), verdict(&execution, &self.sentences));
            Card::NoneFailed { id, line, verdict }
        } else {
            let hosts = markdown::shorten(&fold(&execution.request.hosts), SHOWN_LINE);
            Card::NotItsHosts { id, asked: wanted, hosts }
        };
        self.say(step, moment, &ticket.back, &card)
    }

    /// Shows the newest output, and has it kept up to date while there may be more.
    fn tail(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        back: &Back,
        execution: &Execution,
    ) -> Result<(), Contradiction> {
        let Back::Chat { channel, root, post } = back else { return Ok(()) };
        let id = &execution.request.id;
        let delivery = answer_to(post, "tail");
        let card = if execution.status.is_final() {
            self.last_lines(execution, span(execution.elapsed(moment.at)))
        } else {
            let follows = self.memory.tails.get(id).map_or(0, Vec::len) < MOST_TAILS;
            if follows {
                let fact =
                    Fact::TailBegun { execution: id.clone(), delivery: delivery.clone(), channel: channel.clone() };
                self.note(step, moment, fact)?;
            }
            self.following(execution, moment.at, follows)
        };
        let root = root.clone().map(|post| Thread::Post { post });
        let body = Body::Post { root, text: self.sentences.say(&card), files: Vec::new() };
        self.deliver(step, moment, Delivery { id: delivery, channel: channel.clone(), body })
    }

    fn cancel(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        ticket: Ticket,
        execution: &Execution,
    ) -> Result<(), Contradiction> {
        let id = execution.request.id.clone();
        let short = id.short().to_owned();
        if execution.status.is_final() {
            let card = Card::AlreadyEnded { id: short, verdict: verdict(execution, &self.sentences) };
            return self.say(step, moment, &ticket.back, &card);
        }
        if execution.status.waits() {
            self.withdraw(step, moment, &id, ticket.from, Some(ticket.back.clone()))?;
        } else if matches!(execution.status, Status::Running | Status::Pending | Status::Pausing | Status::Paused) {
            let from = Some(ticket.back.clone());
            self.note(step, moment, Fact::CancelAsked { id: id.clone(), by: ticket.from, from })?;
            if execution.request.workflow.is_some() {
                self.conducting.wake(&id);
            } else if !execution.request.is_carried_out() {
                self.finish(step, moment, &id, Status::Canceled, None)?;
            } else {
                step.effects.push(Effect::Cancel(id));
            }
        }
        let card = Card::Canceling { id: short, line: shown_line(execution) };
        if let Back::Request { request } = ticket.back {
            answer(step, request, Answer::Done { text: markdown::bare(&self.sentences.say(&card)) });
            return Ok(());
        }
        self.say(step, moment, &ticket.back, &card)
    }

    fn rerun(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        ticket: &Ticket,
        execution: &Execution,
    ) -> Result<(), Contradiction> {
        if let (Some(id), Back::Request { request }) =
            (self.run_again(step, moment, ticket, execution, None)?, &ticket.back)
        {
            answer(step, *request, Answer::Started { id });
        }
        Ok(())
    }

    /// The question that a ticket went with.
    fn query(&self, ticket: &Ticket, now: Timestamp) -> Query {
        match ticket.purpose {
            Purpose::List => match ticket.asked.parse() {
                Ok(limit) => self.visible(limit, &ticket.rights, Filter::default()),
                Err(_) => self.listed(&words(&ticket.asked), &ticket.rights, &ticket.from, now),
            },
            Purpose::Show
            | Purpose::ShowPart(_)
            | Purpose::HandOut(_)
            | Purpose::Tail
            | Purpose::Cancel
            | Purpose::Rerun
            | Purpose::RerunFrom(_)
            | Purpose::Draw
            | Purpose::Pause
            | Purpose::Resume
            | Purpose::Settle(_)
            | Purpose::May { .. } => Query::ById(ticket.asked.clone()),
        }
    }

    /// What is asked of the store for a list.
    pub(super) fn listed(&self, words: &ListWords, rights: &Rights, by: &Principal, now: Timestamp) -> Query {
        let filter = if words.narrows() { words.filter(by, now) } else { Filter::default() };
        self.visible(words.most, rights, filter)
    }

    /// The newest executions of this kind that somebody may see.
    fn visible(&self, limit: usize, rights: &Rights, filter: Filter) -> Query {
        let actions = rights.globs(Verb::View);
        let seen_by =
            rights.have_conditions().then(|| SeenBy { rights: rights.clone(), inventory: Arc::clone(&self.inventory) });
        let filter = Filter { seen_by, ..filter };
        if filter == Filter::default() {
            Query::Visible { limit, actions }
        } else {
            Query::Filtered { limit, actions, filter }
        }
    }
}

/// What was written after `list`, which has been read before.
fn words(asked: &str) -> ListWords {
    let all = || ListWords::read(&[]).expect("nothing is something to list by");
    ListWords::read(&asked.split_whitespace().collect::<Vec<_>>()).unwrap_or_else(all)
}

pub(super) fn answer(step: &mut Step, request: RequestId, answer: Answer) {
    step.effects.push(Effect::Answer { request, answer: Box::new(answer) });
}

pub(super) fn name_of(principal: &Principal) -> &str {
    match principal {
        Principal::ChatUser { name, .. } | Principal::LocalUser { name, .. } => name,
        Principal::Rule { rule, .. } => rule.as_str(),
    }
}

fn ago(then: Timestamp, now: Timestamp) -> String {
    span(Duration::try_from(now.duration_since(then)).unwrap_or_default())
}

/// What was asked for, in the words of a command.
fn asked_of(ticket: &Ticket) -> String {
    let command = match ticket.purpose {
        Purpose::Show | Purpose::ShowPart(_) => "show",
        Purpose::HandOut(_) => "output",
        Purpose::Tail => "tail",
        Purpose::List => "list",
        Purpose::Cancel => "cancel",
        Purpose::Rerun | Purpose::RerunFrom(_) => "rerun",
        Purpose::Draw => "graph",
        Purpose::Pause => "pause",
        Purpose::Resume => "resume",
        Purpose::Settle(_) => "settle",
        Purpose::May { .. } => "may",
    };
    format!("{command} {}", ticket.asked)
}
