//! Inquiries: executions that ask people something and wait for the answer (StackStorm's `inquirer` runner, `core.ask`).
//!
//! What is asked for is a JSON schema, read here as a form: a field for each of its properties. What comes back, by a button, a dialog, an emoji,
//! a line or a command, is text or values by the names of the fields; [`Form::read`] casts it, fills in defaults and checks it as StackStorm's
//! validator does (JSON Schema draft 4 with `required: true` on properties).
//!
//! **Differs from StackStorm on purpose**: a name that the schema does not have is refused unless `additionalProperties` says otherwise, since it
//! is a slip of the hand; and a schema with `secret: true` in it cannot be asked, since an answer is kept and a secret is not.

use super::flaw::Flaw;
use super::params::ParameterProblem;
use super::schema;
use super::spec::{Parameter, ParameterType};
use crate::core::chat::code::Code;
use crate::core::id::{ChannelId, UserId};
use crate::core::input::Principal;
use crate::core::template::value::{cast, written};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// More choices than this are no row of buttons.
const MOST_BUTTONS: usize = 8;

/// What an execution asks, as it was when it began to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inquiry {
    /// By which people name it.
    pub code: Code,
    /// What the answer has to be like.
    pub schema: Map<String, Value>,
    /// Names of roles of which the one who answers has one; nobody needs any when empty.
    pub roles: Vec<String>,
    /// Names of users who may answer, as they were given; everybody when empty.
    pub users: Vec<String>,
    /// Those users. A name that somebody else has by now gives them nothing.
    pub user_ids: Vec<UserId>,
    /// StackStorm's route, as it was given.
    pub route: String,
    /// How many minutes it waits; 0 for ever.
    pub ttl: u64,
    /// Until when it waits; absent when for ever.
    pub until: Option<Timestamp>,
    /// Where it is asked; absent when there is no chat.
    pub channel: Option<ChannelId>,
    /// The time zone of those who are asked, an IANA name; empty when that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub zone: String,
}

impl Inquiry {
    /// What StackStorm has as the result while nobody has answered.
    pub fn result(&self) -> Map<String, Value> {
        let Inquiry { schema, roles, users, route, ttl, .. } = self;
        let mut result = Map::new();
        result.insert("schema".to_owned(), Value::Object(schema.clone()));
        result.insert("roles".to_owned(), json!(roles));
        result.insert("users".to_owned(), json!(users));
        result.insert("route".to_owned(), json!(route));
        result.insert("ttl".to_owned(), json!(ttl));
        result
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// Who gave it.
    pub by: Principal,
    /// When.
    pub at: Timestamp,
    /// It, checked.
    pub response: Map<String, Value>,
}

/// A schema as fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Form {
    /// The fields, as the schema has them.
    pub fields: Vec<FormField>,
    /// Other names are welcome.
    open: bool,
}

/// One field.
#[derive(Debug, Clone, PartialEq)]
pub struct FormField {
    /// Its name in the answer.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it has to be; absent for anything.
    pub kind: Option<ParameterType>,
    /// The only values that it can have; empty where there are no such.
    pub choices: Vec<Value>,
    /// What it is when nothing is given.
    pub default: Option<Value>,
    /// It has to be given.
    pub required: bool,
    schema: Map<String, Value>,
}

/// What is wrong with one field of an answer, as a sentence with names in backticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The field.
    pub field: String,
    /// What is wrong.
    pub why: String,
}

impl Form {
    /// Reads a schema.
    ///
    /// # Errors
    /// Why nobody could be asked for that.
    pub fn of(schema: &Map<String, Value>) -> Result<Self, Flaw> {
        if schema.get("type").is_some_and(|kind| kind != "object") {
            return Err(Flaw::NotAForm);
        }
        let properties =
            schema.get("properties").and_then(Value::as_object).filter(|properties| !properties.is_empty());
        let properties = properties.ok_or(Flaw::NothingAsked)?;
        let named = schema.get("required").and_then(Value::as_array);
        let mut fields = Vec::new();
        for (name, property) in properties {
            let property = property.as_object().ok_or_else(|| Flaw::NotAProperty { name: name.clone() })?;
            if property.get("secret") == Some(&Value::Bool(true)) {
                return Err(Flaw::SecretAsked { name: name.clone() });
            }
            let word = match property.get("type") {
                Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
                kind => kind.and_then(Value::as_str),
            };
            let required = property.get("required") == Some(&Value::Bool(true))
                || named.is_some_and(|named| named.iter().any(|required| required.as_str() == Some(name)));
            let described = ["description", "title"].iter().find_map(|key| property.get(*key).and_then(Value::as_str));
            fields.push(FormField {
                name: name.clone(),
                description: described.unwrap_or_default().trim().to_owned(),
                kind: word.and_then(schema::kind),
                choices: property.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
                default: property.get("default").filter(|default| !default.is_null()).cloned(),
                required,
                schema: property.clone(),
            });
        }
        let open = schema.get("additionalProperties").is_some_and(|more| *more == true || more.is_object());
        Ok(Self { fields, open })
    }

    /// The field, where there is but one.
    pub fn only(&self) -> Option<&FormField> {
        match self.fields.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// The answers that can be given with one press, as they are written, where these are all.
    pub fn presses(&self) -> Vec<String> {
        let Some(only) = self.only() else { return Vec::new() };
        let choices: Vec<String> = match only.kind {
            _ if !only.choices.is_empty() => only.choices.iter().map(written).collect(),
            Some(ParameterType::Boolean) => vec!["yes".to_owned(), "no".to_owned()],
            _ => Vec::new(),
        };
        if choices.len() > MOST_BUTTONS { Vec::new() } else { choices }
    }

    /// A line that would answer it, without the word before.
    pub fn example(&self) -> String {
        if let Some(only) = self.only() {
            return only.such_as();
        }
        let wanted: Vec<&FormField> = self.fields.iter().filter(|field| field.required).collect();
        let wanted = if wanted.is_empty() { self.fields.iter().take(1).collect() } else { wanted };
        wanted.iter().map(|field| format!("{}={}", field.name, field.such_as())).collect::<Vec<_>>().join(" ")
    }

    /// Makes an answer of what was given: text is cast to what is wanted, defaults are filled in, all of it is checked.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(&self, mut given: BTreeMap<String, Value>) -> Result<Map<String, Value>, Vec<Complaint>> {
        let (mut answer, mut complaints) = (Map::new(), Vec::new());
        for field in &self.fields {
            // What is left empty in a dialog was not given.
            let given = given.remove(&field.name).filter(|value| !value.is_null() && *value != "");
            let Some(value) = given.or_else(|| field.default.clone()) else {
                if field.required {
                    complaints.push(field.complaint(&ParameterProblem::Required { name: field.name.clone() }));
                }
                continue;
            };
            match field.read(value) {
                Ok(value) => drop(answer.insert(field.name.clone(), value)),
                Err(problems) => complaints.extend(problems.iter().map(|problem| field.complaint(problem))),
            }
        }
        for (name, value) in given {
            if self.open {
                answer.insert(name, value);
            } else {
                let names: Vec<String> = self.fields.iter().map(|field| format!("`{}`", field.name)).collect();
                let why = format!("`{name}` is not asked for: it is {}", super::params::either(&names));
                complaints.push(Complaint { field: name, why });
            }
        }
        if complaints.is_empty() { Ok(answer) } else { Err(complaints) }
    }
}

impl FormField {
    /// A value that it could have.
    fn such_as(&self) -> String {
        if let Some(choice) = self.choices.first() {
            return quoted(&written(choice));
        }
        match self.kind {
            Some(ParameterType::Boolean) => "yes".to_owned(),
            Some(ParameterType::Integer | ParameterType::Number) => "1".to_owned(),
            Some(ParameterType::Array) => "one,two".to_owned(),
            Some(ParameterType::Object) => "{\"name\": \"value\"}".to_owned(),
            _ => "\"…\"".to_owned(),
        }
    }

    fn read(&self, value: Value) -> Result<Value, Vec<ParameterProblem>> {
        let value = match self.kind {
            None => value,
            Some(kind) => match cast(&value, kind) {
                Some(value) => value,
                None => {
                    let (name, value) = (self.name.clone(), Some(super::params::quoted(&value)));
                    return Err(vec![ParameterProblem::Type { name, expected: kind, value }]);
                }
            },
        };
        // Choices are written as text in a line, whatever they are.
        let written_alike = |choice: &&Value| written(choice) == written(&value);
        let value = self.choices.iter().find(written_alike).cloned().unwrap_or(value);
        let parameter = Parameter {
            kind: self.kind,
            choices: (!self.choices.is_empty()).then(|| self.choices.clone()),
            schema: self.schema.clone(),
            ..Parameter::default()
        };
        schema::check(&self.name, &parameter, value)
    }

    fn complaint(&self, problem: &ParameterProblem) -> Complaint {
        Complaint { field: self.name.clone(), why: problem.to_string() }
    }
}

/// A value as it stands in a line.
fn quoted(value: &str) -> String {
    if value.contains(char::is_whitespace) { format!("\"{value}\"") } else { value.to_owned() }
}
