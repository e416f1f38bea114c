//! What a workflow's file says, key by key. What has the wrong shape was told by the syntax check and is left out here.

use super::inline::arguments;
use super::{At, shared};
use crate::core::content::yaml::{Entry, Node, Value};
use crate::core::workflow::graph::{Command, Join};
use serde_json::Value as Json;
use std::sync::Arc;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub(super) at: At,
    pub(super) value: Json,
}

/// A name, what it is set to, and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named {
    pub(super) name: Arc<str>,
    /// Its place in the list.
    pub(super) at: At,
    pub(super) value: Json,
}

/// A workflow.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Definition {
    pub(super) description: Option<String>,
    pub(super) inputs: Vec<Named>,
    pub(super) vars: Vec<Named>,
    pub(super) output: Vec<Named>,
    pub(super) timeout: Option<Said>,
    /// Where the tasks stand.
    pub(super) at: At,
    pub(super) tasks: Vec<Task>,
}

/// A task.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Task {
    pub(super) name: Arc<str>,
    pub(super) at: At,
    pub(super) action: Option<Said>,
    pub(super) input: Option<Said>,
    pub(super) items: Option<Said>,
    pub(super) concurrency: Option<Said>,
    /// It has `with`, whatever stands there.
    pub(super) itemised: bool,
    pub(super) delay: Option<Said>,
    pub(super) timeout: Option<Said>,
    pub(super) join: Option<Join>,
    pub(super) retry: Option<Retry>,
    pub(super) next: Vec<Next>,
}

/// `retry`
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Retry {
    pub(super) when: Option<Said>,
    pub(super) count: Said,
    pub(super) delay: Option<Said>,
}

/// An entry of `next`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Next {
    pub(super) at: At,
    pub(super) when: Option<Said>,
    pub(super) publish: Vec<Named>,
    /// Where `publish` stands.
    pub(super) publish_at: At,
    /// The names, and where they stand.
    pub(super) to: Vec<Arc<str>>,
    pub(super) to_at: At,
    /// `do` as it is written, for expressions that have no business there.
    pub(super) written: Json,
}

impl Definition {
    pub(super) fn read(document: &Node) -> Self {
        let root = At { line: document.line, ..At::default() };
        let table = Table { entries: entries(document), at: &root };
        let tasks = table.entry("tasks");
        let at = tasks.map(|entry| root.key("tasks", entry.line)).unwrap_or_else(|| root.key("tasks", document.line));
        let read = tasks.into_iter().flat_map(|entry| entries(&entry.node)).map(|entry| Task::read(entry, &at));
        let tasks = read.collect();
        Self {
            description: table.text("description").map(|said| said.1),
            inputs: table.assignments("input"),
            vars: table.assignments("vars"),
            output: table.assignments("output"),
            timeout: table.said("timeout"),
            at,
            tasks,
        }
    }

    /// A task by its name.
    pub(super) fn task(&self, name: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| *task.name == *name)
    }
}

impl Task {
    fn read(entry: &Entry, tasks: &At) -> Self {
        let at = tasks.task(&entry.key, entry.line);
        let table = Table { entries: entries(&entry.node), at: &at };
        let mut task = Self {
            name: shared(&entry.key),
            input: table.said("input").filter(|said| said.value.is_string() || said.value.is_object()),
            delay: table.said("delay"),
            timeout: table.said("timeout"),
            join: table.said("join").and_then(|said| match said.value {
                Json::String(word) => (word == "all").then_some(Join::All),
                other => other.as_u64().map(Join::Count),
            }),
            ..Self::default()
        };
        if let Some((said, text)) = table.text("action") {
            let inline = arguments(&text);
            let name = if inline.is_empty() { text.as_str() } else { text.split(' ').next().unwrap_or_default() };
            task.action = Some(Said { at: said.clone(), value: Json::from(name) });
            if !inline.is_empty() {
                let value = Json::Object(inline.into_iter().collect());
                task.input = Some(Said { at: At { line: said.line, ..at.key("input", said.line) }, value });
            }
        }
        if let Some(with) = table.entry("with") {
            let here = at.key("with", with.line);
            task.itemised = true;
            match &with.node.value {
                Value::Text(text) => {
                    task.items = Some(Said { at: here.key("items", with.line), value: Json::from(text.as_str()) });
                }
                _ => {
                    let inside = Table { entries: entries(&with.node), at: &here };
                    task.items = inside.said("items").filter(|said| said.value.is_string());
                    task.concurrency = inside.said("concurrency");
                }
            }
        }
        if let Some(retry) = table.entry("retry") {
            let here = at.key("retry", retry.line);
            let inside = Table { entries: entries(&retry.node), at: &here };
            task.retry = inside.said("count").map(|count| Retry {
                when: inside.said("when"),
                count,
                delay: inside.said("delay"),
            });
        }
        if let Some(next) = table.entry("next") {
            let here = at.key("next", next.line);
            if let Value::List(items) = &next.node.value {
                let read =
                    items.iter().enumerate().map(|(number, item)| Next::read(item, here.item(number, item.line)));
                task.next = read.collect();
            }
        }
        task.at = at;
        task
    }
}

impl Next {
    fn read(node: &Node, at: At) -> Self {
        let table = Table { entries: entries(node), at: &at };
        let publish_at = at.key("publish", table.entry("publish").map_or(node.line, |entry| entry.line));
        let publish = match table.text("publish") {
            Some((_, text)) => {
                let named = arguments(&text).into_iter().enumerate();
                named
                    .map(|(number, (name, value))| Named {
                        name: shared(&name),
                        at: publish_at.entry(number, publish_at.line),
                        value,
                    })
                    .collect()
            }
            None => table.assignments("publish"),
        };
        let said = table.said("do");
        let to_at = said.as_ref().map_or_else(|| at.key("do", node.line), |said| said.at.clone());
        let written = said.map(|said| said.value).unwrap_or_default();
        let to: Vec<Arc<str>> = match &written {
            Json::String(names) if !names.is_empty() => names.split(',').map(|name| shared(name.trim())).collect(),
            Json::Array(names) => names.iter().filter_map(Json::as_str).map(shared).collect(),
            _ => Vec::new(),
        };
        let to = if to.is_empty() { vec![shared(Command::Continue.word())] } else { to };
        Self { when: table.said("when"), publish, publish_at, to, to_at, written, at: at.clone() }
    }
}

/// The entries of a map; of anything else none.
fn entries(node: &Node) -> &[Entry] {
    match &node.value {
        Value::Map(entries) => entries,
        _ => &[],
    }
}

/// A map of the file.
struct Table<'n> {
    entries: &'n [Entry],
    at: &'n At,
}

impl<'n> Table<'n> {
    fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == key && entry.node.value != Value::Null)
    }

    fn said(&self, key: &str) -> Option<Said> {
        let entry = self.entry(key)?;
        Some(Said { at: self.at.key(key, entry.node.line.max(entry.line)), value: entry.node.json() })
    }

    fn text(&self, key: &str) -> Option<(At, String)> {
        match self.said(key)? {
            Said { at, value: Json::String(text) } => Some((at, text)),
            _ => None,
        }
    }

    /// A list of names with what they are set to; an input may be a name alone.
    fn assignments(&self, key: &str) -> Vec<Named> {
        let Some(entry) = self.entry(key) else { return Vec::new() };
        let at = self.at.key(key, entry.line);
        let Value::List(items) = &entry.node.value else { return Vec::new() };
        let read = items.iter().enumerate().filter_map(|(number, item)| {
            let at = at.entry(number, item.line);
            match &item.value {
                Value::Text(name) => Some(Named { name: shared(name), at, value: Json::Null }),
                Value::Map(entries) => {
                    let [entry] = &entries[..] else { return None };
                    Some(Named { name: shared(&entry.key), at, value: entry.node.json() })
                }
                _ => None,
            }
        });
        read.collect()
    }
}
