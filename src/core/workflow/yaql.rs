//! YAQL in workflows: the language is `core::yaql`'s, the functions are those of workflows.

use super::expression::Compiled;
use super::jinja;
use super::scene::{Arguments, FUNCTIONS, Scene};
use crate::core::yaql::{self, Context, Expression, Functions, Kind, Limits, Outcome, Value, YaqlError};
use jiff::Timestamp;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Reads an expression, without its delimiters.
pub(super) fn compile(text: &str) -> Result<Box<dyn Compiled>, String> {
    let expression = Expression::parse(text).map_err(|error| error.to_string())?;
    Ok(Box::new(Parsed(expression)))
}

#[derive(Debug)]
struct Parsed(Expression);

impl Compiled for Parsed {
    fn evaluate(&self, scene: &Scene) -> Result<Json, String> {
        let chance = scene.world.chance();
        let context = Context {
            root: Value::Null,
            names: &[],
            functions: &Host(scene),
            now: Timestamp::from_microsecond(chance.now).unwrap_or(Timestamp::UNIX_EPOCH),
            offset: 0,
            entropy: chance.entropy,
            limits: Limits::default(),
        };
        let value = self.0.evaluate(&context).and_then(|value| value.to_json());
        value.map_err(|error| format!("{}: {}", error.kind.name(), error.message))
    }
}

/// The functions of workflows.
struct Host<'s>(&'s Scene);

impl Functions for Host<'_> {
    fn call(&self, name: &str, arguments: &yaql::Arguments<'_>) -> Option<Outcome<Value>> {
        if FUNCTIONS.contains(&name) {
            return Some(self.function(name, arguments));
        }
        if !jinja::is_function(name) {
            return None;
        }
        Some(plain(arguments).and_then(|Arguments { placed, named }| {
            let named: BTreeMap<String, Json> = named.into_iter().collect();
            match jinja::filter(name, &placed, &named) {
                Ok(value) => Value::from_json(&value),
                Err(why) => Err(refused(why)),
            }
        }))
    }
}

impl Host<'_> {
    fn function(&self, name: &str, arguments: &yaql::Arguments<'_>) -> Outcome<Value> {
        let arguments = plain(arguments)?;
        let value = self.0.call(name, &arguments).map_err(refused)?;
        Value::from_json(&value)
    }
}

fn refused(why: String) -> Box<YaqlError> {
    Box::new(YaqlError::new(Kind::Caller, why))
}

fn plain(arguments: &yaql::Arguments<'_>) -> Outcome<Arguments> {
    let (placed, named) = arguments.all()?;
    let data = |value: Value| arguments.data(value).and_then(|value| value.to_json());
    Ok(Arguments {
        placed: placed.into_iter().map(data).collect::<Outcome<_>>()?,
        named: named.into_iter().map(|(name, value)| Ok((name.to_string(), data(value)?))).collect::<Outcome<_>>()?,
    })
}
