//! The part of JSON Schema draft 4 that packs use to say what a value must be like.

use crate::core::action::params::{ParameterProblem, quoted};
use crate::core::action::spec::{Parameter, ParameterType};
use crate::core::template::value::cast;
use serde_json::{Map, Value};

/// Steps that a pattern may take on a value.
const MOST_STEPS: usize = 100_000;

/// Checks a value that has the declared type, and casts the items of a list to theirs.
pub(crate) fn check(name: &str, parameter: &Parameter, value: Value) -> Result<Value, Vec<ParameterProblem>> {
    let mut checker = Checker { secret: parameter.secret, problems: Vec::new() };
    if let Some(choices) = &parameter.choices {
        checker.choices(name, choices, &value);
    }
    let value = checker.value(name, &parameter.schema, value);
    if checker.problems.is_empty() { Ok(value) } else { Err(checker.problems) }
}

struct Checker {
    secret: bool,
    problems: Vec<ParameterProblem>,
}

impl Checker {
    fn shown(&self, value: &Value) -> Option<String> {
        (!self.secret).then(|| quoted(value))
    }

    fn limit(&mut self, name: &str, value: &Value, limit: String) {
        let value = self.shown(value);
        self.problems.push(ParameterProblem::Limit { name: name.to_owned(), limit, value });
    }

    fn choices(&mut self, name: &str, choices: &[Value], value: &Value) {
        if !choices.contains(value) {
            let allowed = choices.iter().map(quoted).collect();
            let value = self.shown(value);
            self.problems.push(ParameterProblem::NotAllowed { name: name.to_owned(), allowed, value });
        }
    }

    fn value(&mut self, name: &str, schema: &Map<String, Value>, value: Value) -> Value {
        match &value {
            Value::Number(number) => self.number(name, schema, number.as_f64().unwrap_or_default(), &value),
            Value::String(text) => self.text(name, schema, text, &value),
            Value::Array(items) => self.count(name, schema, items, &value),
            _ => {}
        }
        match value {
            Value::Array(items) => match schema.get("items").and_then(Value::as_object) {
                Some(of) => {
                    let items = items.into_iter().enumerate();
                    items.map(|(at, item)| self.inner(&format!("{name}[{at}]"), of, item)).collect()
                }
                None => Value::Array(items),
            },
            Value::Object(map) => self.map(name, schema, map),
            other => other,
        }
    }

    /// A value inside another: its schema says the type, too.
    fn inner(&mut self, name: &str, schema: &Map<String, Value>, value: Value) -> Value {
        let kind = schema.get("type").and_then(Value::as_str).and_then(kind);
        let value = match kind {
            None => value,
            Some(kind) => match cast(&value, kind) {
                Some(Value::Null) if kind != ParameterType::Null => value,
                Some(cast) => cast,
                None => {
                    let shown = self.shown(&value);
                    self.problems.push(ParameterProblem::Type { name: name.to_owned(), expected: kind, value: shown });
                    return value;
                }
            },
        };
        if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
            self.choices(name, choices, &value);
        }
        self.value(name, schema, value)
    }

    fn number(&mut self, name: &str, schema: &Map<String, Value>, number: f64, value: &Value) {
        let bound = |key: &str, exclusive: &str| {
            let bound = schema.get(key)?;
            Some((bound.as_f64()?, bound.to_string(), schema.get(exclusive) == Some(&Value::Bool(true))))
        };
        if let Some((least, text, exclusive)) = bound("minimum", "exclusiveMinimum") {
            if exclusive && number <= least {
                self.limit(name, value, format!("be more than {text}"));
            } else if number < least {
                self.limit(name, value, format!("be at least {text}"));
            }
        }
        if let Some((most, text, exclusive)) = bound("maximum", "exclusiveMaximum") {
            if exclusive && number >= most {
                self.limit(name, value, format!("be less than {text}"));
            } else if number > most {
                self.limit(name, value, format!("be at most {text}"));
            }
        }
        if let Some(step) = schema.get("multipleOf").and_then(Value::as_f64)
            && number % step != 0.0
        {
            self.limit(name, value, format!("be a multiple of {step}"));
        }
    }

    fn text(&mut self, name: &str, schema: &Map<String, Value>, text: &str, value: &Value) {
        let length = text.chars().count() as u64;
        if let Some(least) = whole(schema, "minLength").filter(|least| length < *least) {
            self.limit(name, value, format!("have at least {}", counted(least, "character")));
        }
        if let Some(most) = whole(schema, "maxLength").filter(|most| length > *most) {
            self.limit(name, value, format!("have at most {}", counted(most, "character")));
        }
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
            let mut builder = fancy_regex::RegexBuilder::new(pattern);
            match builder.backtrack_limit(MOST_STEPS).build().map(|regex| regex.is_match(text)) {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => self.limit(name, value, format!("look like `{pattern}`")),
                Ok(Err(_)) => self.limit(name, value, format!("be easier to compare with `{pattern}`")),
                Err(_) => self.limit(name, value, format!("look like `{pattern}`, which is no regular expression")),
            }
        }
    }

    fn count(&mut self, name: &str, schema: &Map<String, Value>, items: &[Value], value: &Value) {
        let length = items.len() as u64;
        if let Some(least) = whole(schema, "minItems").filter(|least| length < *least) {
            self.limit(name, value, format!("have at least {}", counted(least, "item")));
        }
        if let Some(most) = whole(schema, "maxItems").filter(|most| length > *most) {
            self.limit(name, value, format!("have at most {}", counted(most, "item")));
        }
        if schema.get("uniqueItems") == Some(&Value::Bool(true))
            && items.iter().enumerate().any(|(at, item)| items[..at].contains(item))
        {
            self.limit(name, value, "have no item twice".into());
        }
    }

    fn map(&mut self, name: &str, schema: &Map<String, Value>, map: Map<String, Value>) -> Value {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Value::Object(map) };
        for (key, of) in properties {
            let required = of.get("required") == Some(&Value::Bool(true));
            if required && map.get(key).is_none_or(Value::is_null) {
                self.problems.push(ParameterProblem::Required { name: format!("{name}.{key}") });
            }
        }
        let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        let mut checked = Map::new();
        for (key, item) in map {
            let inside = format!("{name}.{key}");
            let item = match properties.get(&key).and_then(Value::as_object) {
                Some(of) => self.inner(&inside, of, item),
                None => {
                    if closed {
                        let limit = format!("not be there: `{name}` has no such key");
                        self.problems.push(ParameterProblem::Limit { name: inside.clone(), limit, value: None });
                    }
                    item
                }
            };
            checked.insert(key, item);
        }
        Value::Object(checked)
    }
}

fn whole(schema: &Map<String, Value>, key: &str) -> Option<u64> {
    schema.get(key).and_then(Value::as_u64)
}

fn counted(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// The type of this word.
pub(crate) fn kind(word: &str) -> Option<ParameterType> {
    Some(match word {
        "string" => ParameterType::String,
        "integer" => ParameterType::Integer,
        "number" => ParameterType::Number,
        "boolean" => ParameterType::Boolean,
        "array" => ParameterType::Array,
        "object" => ParameterType::Object,
        "null" => ParameterType::Null,
        _ => return None,
    })
}
