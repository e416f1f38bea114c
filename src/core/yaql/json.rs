//! Between JSON and values.

use super::error::{Kind, Outcome, fail};
use super::text;
use super::value::Value;
use serde_json::{Map, Number, Value as Json};

impl Value {
    /// The value of JSON, with everything that expressions do not change: lists are tuples.
    ///
    /// # Errors
    /// When it is nested too deeply.
    pub fn from_json(json: &Json) -> Outcome<Self> {
        Ok(match json {
            Json::Null => Self::Null,
            Json::Bool(truth) => Self::Bool(*truth),
            Json::Number(number) => match number.as_i128() {
                Some(whole) => Self::Int(whole),
                None => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::text(text),
            Json::Array(items) => Self::tuple(items.iter().map(Self::from_json).collect::<Outcome<_>>()?)?,
            Json::Object(entries) => {
                let entries = entries.iter().map(|(key, item)| Ok((Self::text(key), Self::from_json(item)?)));
                Self::map(entries.collect::<Outcome<Vec<_>>>()?)?
            }
        })
    }

    /// The same as JSON. Keys that are no text are written as JSON writes them; times are text as Python writes them.
    ///
    /// # Errors
    /// For what JSON does not have: whole numbers beyond 64 bits, floats that are no numbers, what is no data.
    pub fn to_json(&self) -> Outcome<Json> {
        let all = |values: &mut dyn Iterator<Item = &Self>| {
            Outcome::Ok(Json::Array(values.map(Self::to_json).collect::<Outcome<_>>()?))
        };
        match self {
            Self::Null => Ok(Json::Null),
            Self::Bool(truth) => Ok(Json::Bool(*truth)),
            Self::Int(number) => match Number::from_i128(*number) {
                Some(number) => Ok(Json::Number(number)),
                None => fail(Kind::Overflow, format!("the number {number} is too large to be kept")),
            },
            Self::Float(float) => match Number::from_f64(*float) {
                Some(number) => Ok(Json::Number(number)),
                None => fail(Kind::Value, format!("{float} is no number that could be kept")),
            },
            Self::Text(text) => Ok(Json::String(text.as_ref().into())),
            Self::List(list) => all(&mut list.items.iter()),
            Self::Set(set) => all(&mut set.members.iter()),
            Self::View(..) => all(&mut self.members().unwrap_or_default().iter()),
            Self::Map(map) => {
                let mut object = Map::new();
                for (key, item) in &map.entries {
                    object.insert(text::inside(key), item.to_json()?);
                }
                Ok(Json::Object(object))
            }
            Self::Moment(moment) => Ok(Json::String(moment.to_string())),
            Self::Span(span) => Ok(Json::String(super::time::span_text(*span))),
            other => fail(Kind::Type, format!("{} is no data that could be kept", other.kind())),
        }
    }
}
