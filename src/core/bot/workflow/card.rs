//! How a workflow stands, for people: a row for each task while these are few; of many, how many stand how, and the rows of what is at work or has
//! failed. What a failed task gave is shown; what is fine is folded.

use super::Bot;
use crate::core::action::execution::{Execution, Status};
use crate::core::action::run::Exit;
use crate::core::bot::watch::remarks;
use crate::core::id::Host;
use crate::core::message::card::{Card, TaskCount, TaskFailure, TaskRow, WorkflowCard};
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use crate::core::message::sentences::Sentences;
use crate::core::message::span::span;
use crate::core::message::verdict::{mark, shown_line, shown_names, verdict};
use crate::core::message::zone::moment;
use crate::core::workflow::conducted::{Child, Conducted, TaskPlace};
use crate::core::workflow::status::Status as Stands;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How many tasks have a row each, whatever they do.
const ALL_ROWS: usize = 12;
/// How many rows a post has where there are more tasks than that.
const MOST_ROWS: usize = 8;
/// How many failed tasks are shown with what they gave.
const MOST_FAILURES: usize = 3;
/// How many characters of what one of them gave are shown.
const SHOWN_FAILURE: usize = 700;
/// How many characters of what a workflow gave are shown.
const SHOWN_OUTPUT: usize = 1_500;
/// How many rows the table of `show` has.
const TABLE: usize = 60;
/// How many names of inner tasks are shown.
const INNER: usize = 3;
/// How the message begins that says no more than that something has failed.
const FAILED: &str = "Execution failed.";

/// The tries of one task: on all its routes, for all its items.
pub(super) struct Group<'c> {
    /// Its number.
    pub(super) task: u32,
    name: &'c str,
    tries: Vec<(TaskPlace, &'c Child, Stands)>,
}

impl Bot {
    /// A workflow as it stands or ended.
    pub(in crate::core::bot) fn workflow_card(&self, execution: &Execution, now: Timestamp) -> WorkflowCard {
        let nothing = Conducted::default();
        let conducted = execution.conducted.as_deref().unwrap_or(&nothing);
        let groups = groups(conducted);
        let mut rows: Vec<TaskRow> = groups.iter().map(|group| self.row(conducted, group, now)).collect();
        let few = rows.len() <= ALL_ROWS;
        let counts = if few { Vec::new() } else { counts(&rows) };
        let idle = if few { 0 } else { conducted.state.board.task_count().saturating_sub(rows.len()) };
        let (failures, failures_more) = failures(conducted, &groups, &self.sentences);
        let mut more = 0;
        if !few {
            // What is told below, with what it wrote, needs no row besides.
            let told = |row: &TaskRow| row.count == 1 && failures.iter().any(|failure| failure.task == row.task);
            rows.retain(|row| row.status != "succeeded" && !(row.status == "failed" && told(row)));
            rows.sort_by_key(|row| row.status != "failed");
            more = rows.len().saturating_sub(MOST_ROWS);
            rows.truncate(MOST_ROWS);
        }
        let over = execution.status.is_final();
        let paused = matches!(execution.status, Status::Pausing | Status::Paused);
        let errors = conducted.state.errors.iter().filter(|error| {
            // What an action gave is shown with its task.
            execution.status != Status::Canceled && error.result.is_none() && !error.message.starts_with(FAILED)
        });
        let output = conducted.state.output.clone().filter(|output| over && !output.is_empty());
        let output = output.map(|output| conducted.without_secrets(Value::Object(output)));
        let held = if !over && self.conducting.held.contains(&execution.request.id) {
            self.frozen_why()
        } else {
            String::new()
        };
        WorkflowCard {
            mark: mark(execution.status),
            line: shown_line(execution),
            id: execution.request.id.short().to_owned(),
            verdict: verdict(execution, &self.sentences),
            elapsed: span(execution.elapsed(now)),
            over,
            canceling: execution.status == Status::Canceling,
            paused,
            paused_by: conducted
                .paused_by
                .as_ref()
                .map(|by| super::super::answer::name_of(by).to_owned())
                .unwrap_or_default(),
            held,
            counts,
            idle,
            rows,
            more,
            failures,
            failures_more,
            errors: errors.map(|error| markdown::prose(&markdown::shorten(&error.message, SHOWN_FAILURE))).collect(),
            output: output.map(|output| fenced(&output)).unwrap_or_default(),
            by: String::new(),
            began: String::new(),
            remarks: remarks(execution, &self.sentences),
            ack: execution
                .request
                .telling
                .as_ref()
                .filter(|_| !over)
                .map(|telling| telling.ack.clone())
                .unwrap_or_default(),
            table: String::new(),
        }
    }

    /// The same as the answer to `show`, with StackStorm's table of the tasks.
    pub(in crate::core::bot) fn shown_workflow(
        &self,
        execution: &Execution,
        now: Timestamp,
        by: String,
        clock: &TimeZone,
    ) -> Card {
        let began = moment(execution.started, now, clock);
        let table = execution
            .conducted
            .as_deref()
            .map(|conducted| table(conducted, &self.sentences, clock))
            .unwrap_or_default();
        let card = WorkflowCard { by, began, table, ..self.workflow_card(execution, now) };
        Card::Workflow(Box::new(WorkflowCard { rows: Vec::new(), counts: Vec::new(), more: 0, ..card }))
    }

    /// One task as it stands.
    pub(super) fn row(&self, conducted: &Conducted, group: &Group<'_>, now: Timestamp) -> TaskRow {
        let count =
            |wanted: &dyn Fn(Stands) -> bool| group.tries.iter().filter(|(_, _, stands)| wanted(*stands)).count();
        let failed = count(&|stands| stands.is_abended());
        let done = count(&|stands| stands == Stands::Succeeded);
        let running = count(&|stands| !stands.is_completed());
        let stands = match group.tries.as_slice() {
            [(_, _, stands)] => *stands,
            _ if running > 0 => Stands::Running,
            _ if failed > 0 => Stands::Failed,
            _ if done == group.tries.len() => Stands::Succeeded,
            _ => Stands::Canceled,
        };
        // Of items, all count, begun or not.
        let routes: BTreeSet<u32> = group.tries.iter().map(|(place, ..)| place.route).collect();
        let all = routes.into_iter().map(|route| {
            let items = conducted.state.staged(group.task, route).and_then(|staged| staged.items.as_ref());
            let begun = || group.tries.iter().filter(|(place, ..)| place.route == route).count();
            items.map_or_else(begun, |items| items.list.len())
        });
        let mut row = TaskRow {
            mark: mark_of(stands),
            task: group.name.to_owned(),
            status: stands.word(),
            attempt: group.tries.iter().map(|(_, child, _)| child.attempt).max().unwrap_or(1),
            count: all.sum(),
            done,
            failed,
            running,
            ..TaskRow::default()
        };
        let began = group.tries.iter().map(|(_, child, _)| child.began).min();
        let ended = group.tries.iter().map(|(_, child, _)| child.ended).collect::<Option<Vec<_>>>();
        let ended = ended.and_then(|all| all.into_iter().max());
        if let Some(began) = began {
            let took = Duration::try_from(ended.unwrap_or(now).duration_since(began)).unwrap_or_default();
            row.elapsed = span(took);
        }
        if let [(_, child, _)] = group.tries.as_slice() {
            row.hosts.clone_from(&child.hosts);
        }
        if let [(_, child, _)] = group.tries.as_slice()
            && let Some(id) = &child.id
            && let Some(known) = self.memory.executions.get(id)
        {
            id.short().clone_into(&mut row.id);
            row.mark = mark(known.status);
            row.status = known.status.word();
            if let Some(inner) = known.conducted.as_deref() {
                row.inner_done = inner.children.values().filter(|child| child.ended.is_some()).count();
                let names = inner.at_work.values().map(|place| inner.state.board.name(place.task).to_owned());
                let mut names: Vec<String> = names.collect();
                names.dedup();
                let more = names.len().saturating_sub(INNER);
                names.truncate(INNER);
                if more > 0 {
                    names.push(format!("+{more}"));
                }
                row.inner = names.join(", ");
            }
        }
        row
    }
}

/// The tasks that have begun, in the order in which they did.
pub(super) fn groups(conducted: &Conducted) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<u32, Group<'_>> = BTreeMap::new();
    for (place, child) in &conducted.children {
        let name = conducted.state.board.name(place.task);
        let group = groups.entry(place.task).or_insert_with(|| Group { task: place.task, name, tries: Vec::new() });
        group.tries.push((*place, child, conducted.status(*place)));
    }
    let mut groups: Vec<Group<'_>> = groups.into_values().collect();
    groups.sort_by_key(|group| group.tries.iter().map(|(_, child, _)| child.began).min());
    groups
}

fn counts(rows: &[TaskRow]) -> Vec<TaskCount> {
    let mut counts: Vec<TaskCount> = Vec::new();
    for row in rows {
        match counts.iter_mut().find(|known| known.status == row.status) {
            Some(known) => known.count += 1,
            None => counts.push(TaskCount { mark: row.mark, status: row.status, count: 1 }),
        }
    }
    counts.sort_by_key(|count| std::cmp::Reverse(count.count));
    counts
}

/// What the failed tasks gave, the newest first.
fn failures(conducted: &Conducted, groups: &[Group<'_>], sentences: &Sentences) -> (Vec<TaskFailure>, usize) {
    let mut failed: Vec<(&str, TaskPlace, Timestamp)> = Vec::new();
    for group in groups {
        let of = group.tries.iter().filter(|(_, _, stands)| stands.is_abended());
        failed.extend(of.map(|(place, child, _)| (group.name, *place, child.ended.unwrap_or(child.began))));
    }
    failed.sort_by_key(|(_, _, ended)| std::cmp::Reverse(*ended));
    let more = failed.len().saturating_sub(MOST_FAILURES);
    let shown = failed.into_iter().take(MOST_FAILURES).map(|(name, place, _)| {
        let item = conducted.children.get(&place).map(|child| child.item.clone()).unwrap_or_default();
        let item = written(&conducted.without_secrets(Value::String(item)));
        let task = match place.item {
            Some(number) if item.is_empty() => format!("{name}[{number}]"),
            _ => name.to_owned(),
        };
        let result = result_of(conducted, place).unwrap_or_default();
        let (why, output) = excerpt(&conducted.without_secrets(result), sentences);
        let output = output.trim_end();
        let output =
            if output.is_empty() { String::new() } else { markdown::fence(&markdown::shorten(output, SHOWN_FAILURE)) };
        TaskFailure { task, item, why: markdown::prose(&markdown::shorten(&why, SHOWN_FAILURE)), output }
    });
    (shown.collect(), more)
}

fn result_of(conducted: &Conducted, place: TaskPlace) -> Option<Value> {
    let state = &conducted.state;
    let of_item = |item: u32| {
        let kept = state.staged(place.task, place.route).and_then(|staged| staged.items.as_ref());
        let kept = kept.and_then(|items| items.results.get(item as usize).cloned().flatten());
        kept.map(|result| Value::clone(&result)).or_else(|| {
            let (_, entry) = state.board.latest(place.task, place.route)?;
            entry.result.as_ref()?.get(item as usize).cloned()
        })
    };
    match place.item {
        Some(item) => of_item(item),
        None => {
            let (_, entry) = state.board.latest(place.task, place.route)?;
            entry.result.as_ref().map(|result| Value::clone(result))
        }
    }
}

/// What went wrong and what was written, out of the shapes that results have.
fn excerpt(result: &Value, sentences: &Sentences) -> (String, String) {
    let Some(map) = result.as_object() else { return (String::new(), written(result)) };
    if let Some(found) = of_command(map, sentences) {
        return found;
    }
    // By host: the first that did not do what was asked.
    let by_host = map.iter().filter_map(|(host, entry)| Some((host, entry.as_object()?)));
    let failed: Vec<_> = by_host.filter(|(_, entry)| entry.get("succeeded") == Some(&Value::Bool(false))).collect();
    if let Some((_, entry)) = failed.first()
        && let Some((why, output)) = of_command(entry, sentences)
    {
        let hosts: Vec<Host> = failed.iter().map(|(host, _)| Host::new(host.as_str())).collect();
        let name = shown_names(&hosts);
        return (sentences.phrase(&Phrase::Workflow { what: "on_hosts", name: &name, why: &why }), output);
    }
    if let Some(errors) = map.get("errors").and_then(Value::as_array) {
        // That something has failed is known; what, is told by another error, where there is one.
        let told = |error: &&Value| {
            !error["result"].is_null() || !error["message"].as_str().unwrap_or_default().starts_with(FAILED)
        };
        let telling: Vec<&Value> = errors.iter().filter(told).collect();
        let errors = if telling.is_empty() { errors.iter().collect() } else { telling };
        let said = errors.into_iter().map(|error| {
            let task = error["task_id"].as_str().map(|task| format!("{task}: ")).unwrap_or_default();
            let (why, output) = excerpt(&error["result"], sentences);
            let message = error["message"].as_str().unwrap_or_default();
            let said = if why.is_empty() && output.is_empty() { message.to_owned() } else { format!("{why} {output}") };
            format!("{task}{}", said.trim())
        });
        let said: Vec<String> = said.collect();
        return match said.as_slice() {
            [one] if !one.contains('\n') => (one.clone(), String::new()),
            _ => (String::new(), said.join("\n")),
        };
    }
    (String::new(), written(result))
}

/// The end of one command: `exit code 1` or the error, and what it wrote.
fn of_command(map: &Map<String, Value>, sentences: &Sentences) -> Option<(String, String)> {
    let code = map.get("return_code")?;
    let text = |key: &str| map.get(key).filter(|value| !value.is_null()).map(written).unwrap_or_default();
    let why = match map.get("error").and_then(Value::as_str) {
        Some(error) => error.to_owned(),
        None => {
            let code = code.as_i64().and_then(|code| i32::try_from(code).ok()).unwrap_or_default();
            sentences.phrase(&Phrase::Exit(&Exit::Code { code }))
        }
    };
    let (stderr, stdout) = (text("stderr"), text("stdout"));
    Some((why, if stderr.trim().is_empty() { stdout } else { stderr }))
}

fn written(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => format!("{other:#}"),
    }
}

fn fenced(output: &Value) -> String {
    let lines = output.as_object().into_iter().flatten().map(|(name, value)| match value {
        Value::String(text) if !text.contains('\n') => format!("{name}: {text}"),
        Value::String(text) => format!("{name}:\n{text}"),
        Value::Array(items) => match listed(items) {
            Some(list) => format!("{name}: {list}"),
            None => format!("{name}: {value:#}"),
        },
        other => format!("{name}: {other:#}"),
    });
    markdown::fence(&markdown::shorten(&lines.collect::<Vec<_>>().join("\n"), SHOWN_OUTPUT))
}

/// A list of words on one line, one of longer texts with a line each; nothing of what is no list of texts.
fn listed(items: &[Value]) -> Option<String> {
    let texts: Vec<&str> = items.iter().map(Value::as_str).collect::<Option<_>>()?;
    if texts.is_empty() || texts.iter().any(|text| text.is_empty() || text.contains('\n')) {
        return None;
    }
    let words = texts.iter().all(|text| !text.contains([',', ' ']));
    Some(if words || texts.len() == 1 {
        texts.join(", ")
    } else {
        texts.iter().map(|text| format!("\n  {text}")).collect()
    })
}

/// `id | status | task | action | start_timestamp`, as StackStorm's command line shows it.
fn table(conducted: &Conducted, sentences: &Sentences, clock: &TimeZone) -> String {
    let mut children: Vec<(&TaskPlace, &Child)> = conducted.children.iter().collect();
    children.sort_by_key(|(_, child)| child.began);
    let left_out = children.len().saturating_sub(TABLE);
    let head = ["id", "status", "task", "action", "start_timestamp"].map(str::to_owned);
    let rows = children.into_iter().skip(left_out).map(|(place, child)| {
        let task = conducted.state.board.name(place.task);
        let task = place.item.map_or_else(|| task.to_owned(), |item| format!("{task}[{item}]"));
        [
            child.id.as_ref().map(|id| id.short().to_owned()).unwrap_or_default(),
            conducted.status(*place).word().to_owned(),
            task,
            child.action.clone(),
            child.began.to_zoned(clock.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
        ]
    });
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(rows).collect();
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join(" | ").trim_end().to_owned()
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if left_out > 0 {
        let left_out = left_out.to_string();
        lines.insert(1, sentences.phrase(&Phrase::Workflow { what: "earlier", name: &left_out, why: "" }));
    }
    markdown::fence(&lines.join("\n"))
}

fn mark_of(stands: Stands) -> &'static str {
    match stands {
        Stands::Succeeded => "white_check_mark",
        Stands::Failed | Stands::Abandoned => "x",
        Stands::Timeout => "alarm_clock",
        Stands::Canceled => "no_entry",
        Stands::Pending => "speech_balloon",
        Stands::Pausing | Stands::Paused => "double_vertical_bar",
        Stands::Delayed | Stands::Requested | Stands::Scheduled | Stands::Unset => "hourglass",
        Stands::Running | Stands::Resuming | Stands::Retrying | Stands::Canceling => "hourglass_flowing_sand",
    }
}
