//! Jinja in workflows: the dialect of the packs' templates, with the functions of workflows, and with values instead of text where an
//! expression stands alone.

use super::expression::Compiled;
use super::scene::{Arguments, FUNCTIONS, Scene};
use crate::core::template::arguments::Call;
use crate::core::template::python::{DEEPEST, float, pairs, refuse, text, whole};
use crate::core::template::render::{Bounded, environment, failure, into_jinja};
use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, ValueKind};
use minijinja::{Environment, Error, State, Value as Jinja};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

static JINJA: LazyLock<Environment<'static>> = LazyLock::new(environment);

/// The filters that StackStorm has as functions too.
const ALSO_FUNCTIONS: [&str; 27] = [
    "basename",
    "dirname",
    "from_json_string",
    "from_yaml_string",
    "json_dump",
    "json_escape",
    "json_parse",
    "jsonpath_query",
    "regex_match",
    "regex_replace",
    "regex_search",
    "regex_substring",
    "to_human_time_from_seconds",
    "to_json_string",
    "to_yaml_string",
    "use_none",
    "version_bump_major",
    "version_bump_minor",
    "version_bump_patch",
    "version_compare",
    "version_equal",
    "version_less_than",
    "version_match",
    "version_more_than",
    "version_strip_patch",
    "yaml_dump",
    "yaml_parse",
];

/// One expression.
#[derive(Debug)]
pub(crate) struct Expression {
    source: String,
    compiled: minijinja::Expression<'static, 'static>,
}

impl Expression {
    pub(crate) fn compile(source: &str) -> Result<Self, String> {
        let compiled = JINJA.compile_expression_owned(source.to_owned());
        let compiled = compiled.map_err(|error| failure(source, &error).message)?;
        Ok(Self { source: source.to_owned(), compiled })
    }
}

impl Compiled for Expression {
    fn evaluate(&self, scene: &Scene) -> Result<Value, String> {
        let names = Jinja::from_object(Names(Arc::new(scene.clone())));
        let value = self.compiled.eval(names).map_err(|error| failure(&self.source, &error).message)?;
        plain(&value)
    }
}

/// A text with blocks, which is rendered as a whole and gives text.
#[derive(Debug)]
pub(crate) struct Block(String);

impl Block {
    pub(crate) fn compile(source: &str) -> Result<Self, String> {
        match JINJA.template_from_str(source) {
            Ok(_) => Ok(Self(source.to_owned())),
            Err(error) => Err(failure(source, &error).to_string()),
        }
    }
}

impl Compiled for Block {
    fn evaluate(&self, scene: &Scene) -> Result<Value, String> {
        let source = self.0.as_str();
        let names = Jinja::from_object(Names(Arc::new(scene.clone())));
        let compiled = JINJA.template_from_str(source).map_err(|error| failure(source, &error).to_string())?;
        let mut out = Bounded::default();
        compiled.render_captured_to(names, &mut out).map_err(|error| failure(source, &error).to_string())?;
        out.text().map(Value::String).map_err(|error| error.to_string())
    }
}

/// A value as data.
fn plain(value: &Jinja) -> Result<Value, String> {
    data(value, 0)
}

fn data(value: &Jinja, depth: usize) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err(format!("the value is nested deeper than {DEEPEST}"));
    }
    Ok(match value.kind() {
        ValueKind::Undefined => return Err("there is no such value".to_owned()),
        ValueKind::None => Value::Null,
        ValueKind::Bool => Value::Bool(value.is_true()),
        ValueKind::Number => match whole(value).and_then(|number| i64::try_from(number).ok()) {
            Some(number) => Value::from(number),
            None => float(value).map_or(Value::Null, Value::from),
        },
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().map_err(|error| error.to_string())?;
            items.map(|item| data(&item, depth + 1)).collect::<Result<_, _>>()?
        }
        ValueKind::Map => {
            let pairs = pairs(value).map_err(|error| error.to_string())?;
            let entry = |(key, item): (Jinja, Jinja)| {
                Ok::<_, String>((text(&key).map_err(|error| error.to_string())?, data(&item, depth + 1)?))
            };
            Value::Object(pairs.into_iter().map(entry).collect::<Result<_, _>>()?)
        }
        _ => Value::String(text(value).map_err(|error| error.to_string())?),
    })
}

/// The names that stand in a workflow's expressions.
#[derive(Debug)]
struct Names(Arc<Scene>);

impl Object for Names {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Jinja> {
        let name = FUNCTIONS.into_iter().find(|name| *name == key);
        if let Some(name) = name {
            return Some(Jinja::from_object(Function { scene: Arc::clone(&self.0), name }));
        }
        let filter = ALSO_FUNCTIONS.into_iter().find(|name| *name == key)?;
        Some(Jinja::from_object(Filter(canonical(filter))))
    }
}

/// StackStorm's older names for the same filters.
fn canonical(filter: &'static str) -> &'static str {
    match filter {
        "json_parse" => "from_json_string",
        "json_dump" => "to_json_string",
        "yaml_parse" => "from_yaml_string",
        "yaml_dump" => "to_yaml_string",
        same => same,
    }
}

/// A function of workflows.
#[derive(Debug)]
struct Function {
    scene: Arc<Scene>,
    name: &'static str,
}

impl Object for Function {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, given: &[Jinja]) -> Result<Jinja, Error> {
        if self.name == "ctx" && given.is_empty() {
            return Ok(Jinja::from_object(Variables(Arc::clone(&self.scene))));
        }
        let call = Call::new(state, &[], true, given)?;
        let mut arguments = Arguments::default();
        for value in &call.rest {
            arguments.placed.push(plain(value).map_err(refuse)?);
        }
        for (name, value) in &call.named {
            arguments.named.insert(name.clone(), plain(value).map_err(refuse)?);
        }
        let value = self.scene.call(self.name, &arguments).map_err(refuse)?;
        Ok(into_jinja(&value))
    }
}

/// A filter that is called as a function.
#[derive(Debug)]
struct Filter(&'static str);

impl Object for Filter {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, given: &[Jinja]) -> Result<Jinja, Error> {
        state.apply_filter(self.0, given)
    }
}

/// `ctx()`: a map whose values are made as they are looked at.
#[derive(Debug)]
struct Variables(Arc<Scene>);

impl Object for Variables {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let name = key.as_str().filter(|name| !name.starts_with("__"))?;
        self.0.variables.get(name).map(|value| into_jinja(value))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let seen = self.0.variables.iter().map(|(name, _)| name).filter(|name| !name.starts_with("__"));
        Enumerator::Values(seen.map(Jinja::from).collect())
    }
}

/// Whether StackStorm has a filter as a function too.
pub(crate) fn is_function(name: &str) -> bool {
    ALSO_FUNCTIONS.contains(&name)
}

/// Calls one of those with plain values: how YAQL has them.
///
/// # Errors
/// Why it gives nothing.
pub(crate) fn filter(name: &str, placed: &[Value], named: &BTreeMap<String, Value>) -> Result<Value, String> {
    let filter = ALSO_FUNCTIONS.into_iter().find(|known| *known == name);
    let filter = filter.ok_or_else(|| format!("there is no function `{name}`"))?;
    let mut given: Vec<Jinja> = placed.iter().map(into_jinja).collect();
    if !named.is_empty() {
        given.push(Kwargs::from_iter(named.iter().map(|(name, value)| (name.clone(), into_jinja(value)))).into());
    }
    let mut state = JINJA.empty_state();
    let value = state.apply_filter(canonical(filter), &given);
    value.map_err(|error| failure("", &error).message).and_then(|value| plain(&value))
}
