//! Python's methods on text, maps and lists, as far as templates of packs use them.

use minijinja::value::{ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

pub(crate) fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    match (value.as_str(), value.kind()) {
        (Some(text), _) => on_text(text, method, arguments),
        (None, ValueKind::Map) => on_map(state, value, method, arguments),
        (None, ValueKind::Seq | ValueKind::Iterable) => on_list(value, method, arguments),
        _ => Err(unknown(method)),
    }
}

fn unknown(method: &str) -> Error {
    Error::new(ErrorKind::UnknownMethod, format!("there is no method `{method}` here"))
}

fn on_text(text: &str, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    let stripped = |from_start: bool, from_end: bool| -> Result<Value, Error> {
        let (set,): (Option<String>,) = from_args(arguments)?;
        let outside = |character: char| match &set {
            Some(set) => set.contains(character),
            None => character.is_whitespace(),
        };
        let text = if from_start { text.trim_start_matches(outside) } else { text };
        Ok(Value::from(if from_end { text.trim_end_matches(outside) } else { text }))
    };
    Ok(match method {
        "strip" => stripped(true, true)?,
        "lstrip" => stripped(true, false)?,
        "rstrip" => stripped(false, true)?,
        "upper" => Value::from(text.to_uppercase()),
        "lower" => Value::from(text.to_lowercase()),
        "startswith" => {
            let (beginning,): (String,) = from_args(arguments)?;
            Value::from(text.starts_with(&beginning))
        }
        "endswith" => {
            let (end,): (String,) = from_args(arguments)?;
            Value::from(text.ends_with(&end))
        }
        "replace" => {
            let (old, new): (String, String) = from_args(arguments)?;
            Value::from(text.replace(&old, &new))
        }
        "split" => {
            let (separator, most): (Option<String>, Option<usize>) = from_args(arguments)?;
            match separator.filter(|separator| !separator.is_empty()) {
                Some(separator) => match most {
                    Some(most) => text.splitn(most.saturating_add(1), &separator).map(Value::from).collect(),
                    None => text.split(&separator).map(Value::from).collect(),
                },
                None => text.split_whitespace().map(Value::from).collect(),
            }
        }
        "splitlines" => text.lines().map(Value::from).collect(),
        "isdigit" => Value::from(!text.is_empty() && text.chars().all(|character| character.is_ascii_digit())),
        "join" => {
            let (items,): (Value,) = from_args(arguments)?;
            let items: Result<Vec<String>, Error> = items
                .try_iter()?
                .checked()
                .map(|item| item?.as_str().map(str::to_owned).ok_or_else(|| unknown("join of what is no text")))
                .collect();
            Value::from(items?.join(text))
        }
        _ => return Err(unknown(method)),
    })
}

fn on_map(state: &mut State<'_, '_>, value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    match method {
        "items" => state.apply_filter("items", std::slice::from_ref(value)),
        "keys" => state.apply_filter("list", std::slice::from_ref(value)),
        "values" => {
            let values: Result<Vec<Value>, Error> =
                value.try_iter()?.checked().map(|key| value.get_item(&key?)).collect();
            Ok(Value::from(values?))
        }
        "get" => {
            let (key, default): (Value, Option<Value>) = from_args(arguments)?;
            let found = value.get_item(&key)?;
            Ok(if found.is_undefined() { default.unwrap_or_else(|| Value::from(())) } else { found })
        }
        _ => Err(unknown(method)),
    }
}

fn on_list(value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    let (wanted,): (Value,) = from_args(arguments)?;
    let mut items = value.try_iter()?;
    match method {
        "count" => Ok(Value::from(items.filter(|item| *item == wanted).count())),
        "index" => items
            .position(|item| item == wanted)
            .map(Value::from)
            .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "the list does not hold it")),
        _ => Err(unknown(method)),
    }
}
