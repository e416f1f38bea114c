//! The file of rehearsals: its text in, a [`Script`] or everything that is wrong with it out.

use super::{Cue, Expected, Happening, Mocks, Operation, Outcome, Placed, Rehearsal, Script, WantedStart, Which};
use crate::core::content::diagnostic::{Diagnostic, Severity};
use crate::core::content::fields::{Report, Table, not_among, wrong_kind};
use crate::core::content::yaml::{self, Entry, Node, Value};
use crate::core::workflow::status::Status;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// How an action can end.
const ENDS: [Status; 5] = [Status::Succeeded, Status::Failed, Status::Timeout, Status::Abandoned, Status::Canceled];
/// How a workflow can stand when nothing happens any more.
const STANDS: [Status; 8] = [
    Status::Succeeded,
    Status::Failed,
    Status::Canceled,
    Status::Paused,
    Status::Running,
    Status::Pausing,
    Status::Canceling,
    Status::Resuming,
];
/// The keys that a file can set for all of its rehearsals.
const SHARED: [&str; 4] = ["inputs", "context", "datastore", "mocks"];

/// Reads a file of rehearsals. There is none when anything is wrong with the file.
pub fn read(file: &str, text: &str) -> (Option<Script>, Vec<Diagnostic>) {
    let (root, mut diagnostics) = yaml::read(file, text);
    for diagnostic in &mut diagnostics {
        // Of two mocks of one name the first would be lost.
        if diagnostic.message.contains("is set twice") {
            diagnostic.severity = Severity::Error;
        }
    }
    let mut report = Report::new(file);
    report.diagnostics = diagnostics;
    let script = root.and_then(|root| script(&root, &mut report));
    let sound = !report.has_errors();
    (script.filter(|_| sound), report.diagnostics)
}

fn script(root: &Node, report: &mut Report<'_>) -> Option<Script> {
    let table = Table::document(root, report)?;
    table.only(&["workflow", SHARED[0], SHARED[1], SHARED[2], SHARED[3], "rehearsals"], report);
    let workflow = table.required_text("workflow", report).map(str::to_owned);
    let line = table.entry("workflow").map_or(1, |entry| entry.line);
    let shared = Common::read(&table, report);
    if table.entry("rehearsals").is_none() {
        table.missing("rehearsals", report);
    }
    let mut rehearsals = Vec::new();
    for (at, node) in table.list("rehearsals", report).unwrap_or_default().iter().enumerate() {
        rehearsals.extend(rehearsal(node, &format!("rehearsals[{at}]"), &shared, report));
    }
    Some(Script { workflow: workflow?, line, rehearsals })
}

/// What stands above all rehearsals of a file, or in one of them.
#[derive(Clone, Default)]
struct Common {
    inputs: Map<String, Json>,
    context: Map<String, Json>,
    datastore: Map<String, Json>,
    mocks: BTreeMap<String, Mocks>,
}

impl Common {
    fn read(table: &Table<'_>, report: &mut Report<'_>) -> Self {
        let mut mocks = BTreeMap::new();
        if let Some(inside) = table.table("mocks", report) {
            for entry in inside.entries {
                let path = inside.path_of(&entry.key);
                mocks.insert(entry.key.clone(), task_mocks(entry, &path, report));
            }
        }
        Self {
            inputs: table.free_map("inputs", report),
            context: table.free_map("context", report),
            datastore: table.free_map("datastore", report),
            mocks,
        }
    }

    /// This one's words go before those of the file.
    fn over(mut self, shared: &Self) -> Self {
        let lay = |own: &mut Map<String, Json>, shared: &Map<String, Json>| {
            for (name, value) in shared {
                own.entry(name.clone()).or_insert_with(|| value.clone());
            }
        };
        lay(&mut self.inputs, &shared.inputs);
        lay(&mut self.context, &shared.context);
        lay(&mut self.datastore, &shared.datastore);
        for (task, mocks) in &shared.mocks {
            self.mocks.entry(task.clone()).or_insert_with(|| mocks.clone());
        }
        self
    }
}

fn rehearsal(node: &Node, path: &str, shared: &Common, report: &mut Report<'_>) -> Option<Rehearsal> {
    let table = Table::nested(node, node.line, path.to_owned(), report)?;
    table.only(&["name", SHARED[0], SHARED[1], SHARED[2], SHARED[3], "order", "expect"], report);
    let name = table.required_text("name", report).map(str::to_owned);
    let Common { inputs, context, datastore, mocks } = Common::read(&table, report).over(shared);
    let mut order = Vec::new();
    for (at, node) in table.list("order", report).unwrap_or_default().iter().enumerate() {
        order.extend(cue(node, &format!("{}[{at}]", table.path_of("order")), report));
    }
    let success = Placed { line: node.line, value: Status::Succeeded };
    let mut expected = Expected { status: success, line: node.line, ..Expected::default() };
    if let Some(inside) = table.table("expect", report) {
        expect(&inside, &mut expected, report);
    }
    Some(Rehearsal { name: name?, line: node.line, inputs, context, datastore, mocks, order, expected })
}

/// A map is what the action gives each time, a list what it gives the first time, the second time and so on.
fn task_mocks(entry: &Entry, path: &str, report: &mut Report<'_>) -> Mocks {
    let mut outcomes = Vec::new();
    match &entry.node.value {
        Value::List(items) => {
            for (at, item) in items.iter().enumerate() {
                outcomes.extend(outcome(item, item.line, format!("{path}[{at}]"), Some(1), report));
            }
        }
        // `mail:` with nothing behind it: it goes well and gives nothing.
        Value::Null => outcomes.push(Outcome {
            line: entry.line,
            status: Status::Succeeded,
            result: None,
            action: Which::default(),
            times: None,
        }),
        _ => outcomes.extend(outcome(&entry.node, entry.line, path.to_owned(), None, report)),
    }
    Mocks { line: entry.line, outcomes }
}

fn outcome(node: &Node, line: usize, path: String, times: Option<u64>, report: &mut Report<'_>) -> Option<Outcome> {
    let table = Table::nested(node, line, path, report)?;
    table.only(&["status", "result", "item", "for", "route", "times"], report);
    let status = status(&table, &ENDS, report).map_or(Status::Succeeded, |status| status.value);
    let result = table.entry("result").map(|entry| entry.node.json());
    let times = match table.entry("times").map(|entry| &entry.node.value) {
        None => times,
        Some(Value::Text(word)) if word == "always" => None,
        Some(_) => table.whole("times", 1, report),
    };
    Some(Outcome { line, status, result, action: which(&table, report), times })
}

fn which(table: &Table<'_>, report: &mut Report<'_>) -> Which {
    let mut number = |key| table.whole(key, 0, report).and_then(|number| u32::try_from(number).ok());
    let (item, route) = (number("item"), number("route"));
    Which { item, value: table.entry("for").map(|entry| entry.node.json()), route }
}

fn status(table: &Table<'_>, allowed: &[Status], report: &mut Report<'_>) -> Option<Placed<Status>> {
    let words: Vec<&str> = allowed.iter().map(|status| status.word()).collect();
    let word = table.word("status", &words, report)?;
    let line = table.entry("status").map_or(0, |entry| entry.line);
    Status::of(word).map(|value| Placed { line, value })
}

fn cue(node: &Node, path: &str, report: &mut Report<'_>) -> Option<Cue> {
    let ends = |task: &str, action| Happening::Ends { task: task.to_owned(), action };
    let line = node.line;
    let what = match &node.value {
        Value::Text(task) => ends(task, Which::default()),
        Value::Map(_) => {
            let table = Table::nested(node, line, path.to_owned(), report)?;
            if let Some(entry) = table.entry("rerun") {
                table.only(&["rerun"], report);
                match &entry.node.value {
                    Value::Text(word) if word == "failed" => Happening::Again(Vec::new()),
                    Value::List(_) => {
                        Happening::Again(table.texts("rerun", report).into_iter().map(str::to_owned).collect())
                    }
                    _ => {
                        wrong_kind(
                            &entry.node,
                            entry.line,
                            &table.path_of("rerun"),
                            "`failed` or a list of tasks",
                            report,
                        );
                        return None;
                    }
                }
            } else if let Some(entry) = table.entry("do") {
                table.only(&["do"], report);
                let word = table.text("do", report)?;
                let known = Operation::ALL.into_iter().find(|(known, _)| *known == word);
                let Some((_, operation)) = known else {
                    let words = Operation::ALL.map(|(word, _)| word);
                    not_among(Some(entry.line), &table.path_of("do"), word, &words, report);
                    return None;
                };
                Happening::Asked(operation)
            } else {
                table.only(&["task", "item", "for", "route", "rerun", "do"], report);
                let task = table.required_text("task", report)?;
                ends(task, which(&table, report))
            }
        }
        _ => {
            wrong_kind(node, line, path, "the name of a task, or a map", report);
            return None;
        }
    };
    Some(Cue { line, what })
}

fn expect(table: &Table<'_>, expected: &mut Expected, report: &mut Report<'_>) {
    table.only(&["status", "tasks", "never", "output", "errors"], report);
    expected.line = table.line.unwrap_or(expected.line);
    if let Some(status) = status(table, &STANDS, report) {
        expected.status = status;
    }
    if table.entry("tasks").is_some() {
        let mut groups = Vec::new();
        for (at, node) in table.list("tasks", report).unwrap_or_default().iter().enumerate() {
            let path = format!("{}[{at}]", table.path_of("tasks"));
            match &node.value {
                Value::List(side_by_side) => {
                    let mut group = Vec::new();
                    for (at, node) in side_by_side.iter().enumerate() {
                        group.extend(starts(node, &format!("{path}[{at}]"), report));
                    }
                    groups.push(group);
                }
                _ => groups.extend(starts(node, &path, report).into_iter().map(|start| vec![start])),
            }
        }
        expected.tasks = Some(groups);
    }
    for (at, node) in table.list("never", report).unwrap_or_default().iter().enumerate() {
        match &node.value {
            Value::Text(task) => expected.never.push(Placed { line: node.line, value: task.clone() }),
            _ => {
                wrong_kind(node, node.line, &format!("{}[{at}]", table.path_of("never")), "the name of a task", report);
            }
        }
    }
    if let Some(entry) = table.entry("output") {
        // Anything but a map is told as such.
        let value = Json::Object(table.free_map("output", report));
        expected.output = Some(Placed { line: entry.line, value });
    }
    if let Some(entry) = table.entry("errors") {
        let value = table.texts("errors", report).into_iter().map(str::to_owned).collect();
        expected.errors = Some(Placed { line: entry.line, value });
    }
}

/// A start that is expected, as often as it is.
fn starts(node: &Node, path: &str, report: &mut Report<'_>) -> Vec<WantedStart> {
    let line = node.line;
    match &node.value {
        Value::Text(task) => vec![WantedStart { line, task: task.clone(), ..WantedStart::default() }],
        Value::Map(_) => {
            let Some(table) = Table::nested(node, line, path.to_owned(), report) else { return Vec::new() };
            table.only(&["task", "action", "input", "delay", "items", "times"], report);
            let Some(task) = table.required_text("task", report) else { return Vec::new() };
            let times = table.whole("times", 1, report).unwrap_or(1);
            let start = WantedStart {
                line,
                task: task.to_owned(),
                action: table.text("action", report).map(str::to_owned),
                input: table.entry("input").map(|_| table.free_map("input", report)),
                delay: table.whole("delay", 0, report).and_then(|delay| i64::try_from(delay).ok()),
                items: table.whole("items", 0, report).and_then(|items| usize::try_from(items).ok()),
            };
            (0..times.min(MOST_TIMES)).map(|_| start.clone()).collect()
        }
        _ => {
            wrong_kind(
                node,
                line,
                path,
                "the name of a task, a map, or a list of those that start in any order",
                report,
            );
            Vec::new()
        }
    }
}

/// How often a task can be expected to start: as often as a play has steps.
const MOST_TIMES: u64 = 10_000;
