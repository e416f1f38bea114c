//! What an expression sees: the names that its branch knows, the task and the item that it is about, how the tasks stand, and the world
//! outside. And the functions that StackStorm adds to both languages, over that.

use super::board::Board;
use super::scope::Variables;
use super::status::Status;
use serde_json::{Map, Value};
use std::fmt::Debug;
use std::sync::Arc;

/// What the world outside of the workflow tells.
pub trait World: Debug + Send + Sync {
    /// A value of the datastore, by its name.
    ///
    /// # Errors
    /// Why it cannot be had, as a sentence.
    fn kept(&self, name: &str, decrypt: bool) -> Result<Option<Value>, String>;

    /// What the time and randomness of expressions come from.
    fn chance(&self) -> Chance {
        Chance::default()
    }
}

/// Time and randomness, as the input that is being decided about brought them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chance {
    /// Microseconds since 1970.
    pub now: i64,
    /// What randomness is made of.
    pub entropy: u64,
}

/// A world with nothing in it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

impl World for Nowhere {
    fn kept(&self, name: &str, _: bool) -> Result<Option<Value>, String> {
        Err(format!("there is no datastore here to look up {name} in"))
    }
}

/// The task that an expression is about.
#[derive(Debug, Clone)]
pub struct Current {
    /// Its node.
    pub task: u32,
    /// Its route.
    pub route: u32,
    /// What it gave, where it has ended.
    pub result: Option<Arc<Value>>,
}

/// What an expression sees.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The names that it knows.
    pub variables: Variables,
    /// The task that it is about.
    pub current: Option<Current>,
    /// The item that it is about.
    pub item: Option<Arc<Value>>,
    /// How the tasks stand.
    pub board: Arc<Board>,
    /// The world outside.
    pub world: Arc<dyn World>,
}

/// The functions that both languages have, by name.
pub(crate) const FUNCTIONS: [&str; 11] =
    ["completed", "ctx", "failed", "item", "json", "result", "st2kv", "succeeded", "task", "task_status", "zip"];

/// What a function is called with.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) placed: Vec<Value>,
    pub(crate) named: Map<String, Value>,
}

impl Arguments {
    /// An argument by its place or its name; none if it is not given or nothing.
    fn get(&self, place: usize, name: &str) -> Option<&Value> {
        self.placed.get(place).or_else(|| self.named.get(name)).filter(|value| !value.is_null())
    }

    fn text(&self, place: usize, name: &str) -> Result<Option<&str>, String> {
        match self.get(place, name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{name}` has to be text")),
        }
    }

    fn route(&self, place: usize) -> Result<Option<u32>, String> {
        match self.get(place, "route") {
            None => Ok(None),
            Some(value) => {
                let route = value.as_u64().and_then(|route| u32::try_from(route).ok());
                route.map(Some).ok_or_else(|| "`route` has to be the number of a route".to_owned())
            }
        }
    }

    fn only(&self, function: &str, most: usize, names: &[&str]) -> Result<(), String> {
        if self.placed.len() > most {
            return Err(format!("`{function}` takes {most} arguments at most"));
        }
        match self.named.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(format!("`{function}` has no argument `{name}`")),
            None => Ok(()),
        }
    }
}

impl Scene {
    /// Calls one of [`FUNCTIONS`].
    ///
    /// # Errors
    /// Why it gives nothing.
    pub(crate) fn call(&self, function: &str, arguments: &Arguments) -> Result<Arc<Value>, String> {
        let flag = |flag: bool| Ok(Arc::new(Value::Bool(flag)));
        match function {
            "ctx" => {
                arguments.only(function, 1, &["key"])?;
                match arguments.text(0, "key")? {
                    Some("") | None => Ok(Arc::new(Value::Object(self.visible().collect()))),
                    Some(name) => self.variable(name),
                }
            }
            "item" => {
                arguments.only(function, 1, &["key"])?;
                self.item_part(arguments.text(0, "key")?)
            }
            "result" => {
                arguments.only(function, 0, &[])?;
                let current = self.current()?;
                Ok(current.result.clone().unwrap_or_default())
            }
            "succeeded" | "failed" | "completed" => {
                arguments.only(function, 0, &[])?;
                let current = self.current()?;
                let status = self.board.status_seen(current.task, current.route);
                flag(match function {
                    "succeeded" => status == Status::Succeeded,
                    "failed" => status == Status::Failed,
                    _ => status.is_completed(),
                })
            }
            "task_status" => {
                arguments.only(function, 2, &["task_id", "route"])?;
                let name = arguments.text(0, "task_id")?.ok_or("`task_status` needs the name of a task")?;
                let route = arguments.route(1)?.or(self.current.as_ref().map(|current| current.route)).unwrap_or(0);
                let task = self.board.task(name);
                let status = task.map(|task| self.board.status_seen(task, route)).unwrap_or_default();
                Ok(Arc::new(Value::from(status.word())))
            }
            "task" => {
                arguments.only(function, 2, &["task_id", "route"])?;
                self.task(arguments)
            }
            "st2kv" => {
                arguments.only(function, 2, &["key", "decrypt", "default"])?;
                let name = arguments.text(0, "key")?.ok_or("`st2kv` needs the name of a value")?;
                let decrypt = arguments.get(1, "decrypt") == Some(&Value::Bool(true));
                match (self.world.kept(name, decrypt)?, arguments.named.get("default")) {
                    (Some(value), _) => Ok(Arc::new(value)),
                    (None, Some(default)) => Ok(Arc::new(default.clone())),
                    (None, None) => Err(format!("the datastore has no {name}")),
                }
            }
            "json" => {
                arguments.only(function, 1, &["s"])?;
                match arguments.get(0, "s") {
                    Some(map @ Value::Object(_)) => Ok(Arc::new(map.clone())),
                    Some(Value::String(text)) => {
                        let value = serde_json::from_str(text).map_err(|why| format!("this is not JSON: {why}"))?;
                        Ok(Arc::new(value))
                    }
                    _ => Err("`json` reads text".to_owned()),
                }
            }
            "zip" => zip(arguments),
            other => Err(format!("there is no function `{other}`")),
        }
    }

    /// The names that an expression may see, with their values.
    pub(crate) fn visible(&self) -> impl Iterator<Item = (String, Value)> {
        let seen = self.variables.iter().filter(|(name, _)| !name.starts_with("__"));
        seen.map(|(name, value)| (name.to_owned(), Value::clone(value)))
    }

    /// The value of a name.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn variable(&self, name: &str) -> Result<Arc<Value>, String> {
        if name.starts_with("__") {
            return Err(format!("`{name}` is the engine's own and cannot be seen"));
        }
        self.variables.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.variables.iter().map(|(name, _)| name).collect();
            format!("there is no variable `{name}`; there are {}", known.join(", "))
        })
    }

    fn current(&self) -> Result<&Current, String> {
        self.current.as_ref().ok_or_else(|| "no task is at hand here".to_owned())
    }

    fn item_part(&self, key: Option<&str>) -> Result<Arc<Value>, String> {
        let item = self.item.as_ref().ok_or_else(|| "no item is at hand here".to_owned())?;
        let Some(key) = key.filter(|key| !key.is_empty()) else { return Ok(Arc::clone(item)) };
        match &**item {
            Value::Object(parts) => {
                let part = parts.get(key).ok_or_else(|| format!("the item has no `{key}`"))?;
                Ok(Arc::new(part.clone()))
            }
            _ => Err(format!("the item has no names, so no `{key}`")),
        }
    }

    /// What StackStorm tells of a task.
    fn task(&self, arguments: &Arguments) -> Result<Arc<Value>, String> {
        let name = arguments.text(0, "task_id")?;
        let current = self.current.as_ref();
        let task = match name {
            Some(name) => self.board.task(name).ok_or_else(|| format!("there is no task `{name}`"))?,
            None => self.current()?.task,
        };
        let mut route = arguments.route(1)?.or(current.map(|current| current.route)).unwrap_or(0);
        let entry = loop {
            match self.board.latest(task, route) {
                Some((_, entry)) => break entry,
                None if route > 0 => route -= 1,
                None => return Err(format!("the task `{}` has not run yet", self.board.name(task))),
            }
        };
        let name = self.board.name(task);
        let own = current.filter(|current| current.task == task && current.route == route);
        let result = own.and_then(|current| current.result.clone()).or_else(|| entry.result.clone());
        let result = result.map(|result| Value::clone(&result)).unwrap_or_default();
        let result = match result {
            Value::Array(results) if entry.itemised => {
                let items: Vec<_> =
                    results.into_iter().map(|result| Map::from_iter([("result".into(), result)])).collect();
                Value::Object(Map::from_iter([("items".into(), items.into())]))
            }
            plain => plain,
        };
        let told: [(&str, Value); 5] = [
            ("task_id", name.into()),
            ("task_name", name.into()),
            ("route", entry.route.into()),
            ("status", entry.status.word().into()),
            ("result", result),
        ];
        Ok(Arc::new(Value::Object(told.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())))
    }
}

/// Lists side by side, as long as the longest; what is missing is `pad`.
fn zip(arguments: &Arguments) -> Result<Arc<Value>, String> {
    let pad = arguments.named.get("pad").cloned().unwrap_or_default();
    let mut lists = Vec::new();
    for value in &arguments.placed {
        match value {
            Value::Null => lists.push(Vec::new()),
            Value::Array(items) => lists.push(items.clone()),
            _ if arguments.placed.len() == 1 => return Ok(Arc::new(value.clone())),
            _ => return Err("`zip` takes lists".to_owned()),
        }
    }
    if lists.len() == 1 {
        return Ok(Arc::new(Value::Array(lists.remove(0))));
    }
    let longest = lists.iter().map(Vec::len).max().unwrap_or_default();
    let row = |at: usize| lists.iter().map(|list| list.get(at).unwrap_or(&pad).clone()).collect::<Value>();
    Ok(Arc::new((0..longest).map(row).collect()))
}
