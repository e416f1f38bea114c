//! What functions take.
//!
//! A signature is written as text beside its function, in a small language: `collection: Iterable, count: Int = 1`, where `*` and `**`
//! before a name take what is left, `?` allows null, and `= …` makes an argument optional.

use super::error::Outcome;
use super::resolve::Call;
use super::tree::{Argument, Node, What};
use super::value::Value;

/// What an argument has to be. The names are those of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    /// Anything
    Any,
    /// A whole number or a truth value, since those are numbers to Python
    Int,
    /// A whole number
    Integer,
    Number,
    Bool,
    String,
    Null,
    /// What can be gone through, but neither text nor a map
    Iterable,
    /// What can be gone through once
    Iterator,
    Sequence,
    /// A sequence, or the keys or items of a map, which were lists once
    Indexable,
    Mapping,
    Set,
    DateTime,
    Timespan,
    Regex,
    Ordering,
    Scope,
    Callable,
    /// The value of `a => b`
    Pair,
    /// An expression that is not evaluated beforehand
    Lambda,
    /// `a => b`, not evaluated beforehand
    Rule,
}

#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Type,
    pub(crate) nullable: bool,
    pub(crate) default: Option<Default>,
}

#[derive(Debug)]
pub(crate) enum Default {
    /// Nothing at all, which is not null
    Absent,
    Value(Value),
}

pub(crate) type Body = fn(&mut Call<'_, '_>) -> Outcome<Value>;

/// One way to call a function.
#[derive(Debug)]
pub(crate) struct Overload {
    /// `f(x)`
    pub(crate) function: bool,
    /// `x.f()`
    pub(crate) method: bool,
    /// `a => b` is an argument like others, not a named one
    pub(crate) rules: bool,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) rest: Option<Parameter>,
    pub(crate) extra: bool,
    pub(crate) body: Body,
}

/// How a function may be called.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Function,
    Method,
    Both,
    FunctionWithRules,
    MethodWithRules,
}

impl Overload {
    pub(crate) fn read(way: Way, signature: &'static str, body: Body) -> Self {
        let mut overload = Self {
            function: matches!(way, Way::Function | Way::Both | Way::FunctionWithRules),
            method: matches!(way, Way::Method | Way::Both | Way::MethodWithRules),
            rules: matches!(way, Way::FunctionWithRules | Way::MethodWithRules),
            parameters: Vec::new(),
            rest: None,
            extra: false,
            body,
        };
        for part in signature.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            if part.starts_with("**") {
                overload.extra = true;
            } else if let Some(rest) = part.strip_prefix('*') {
                overload.rest = Some(Parameter::read(rest));
            } else {
                overload.parameters.push(Parameter::read(part));
            }
        }
        overload
    }

    /// The parameter with this number in a [mapping](super::resolve).
    pub(crate) fn parameter(&self, at: usize) -> Option<&Parameter> {
        self.parameters.get(at).or(self.rest.as_ref())
    }
}

impl Parameter {
    fn read(text: &'static str) -> Self {
        let (declared, default) = match text.split_once('=') {
            Some((declared, default)) => (declared, Some(default.trim())),
            None => (text, None),
        };
        let (name, kind) = declared.split_once(':').unwrap_or((declared, "Any"));
        let kind = kind.trim();
        let nullable = kind.ends_with('?');
        let kind = match kind.trim_end_matches('?') {
            "Int" => Type::Int,
            "Integer" => Type::Integer,
            "Number" => Type::Number,
            "Bool" => Type::Bool,
            "String" => Type::String,
            "Null" => Type::Null,
            "Iterable" => Type::Iterable,
            "Iterator" => Type::Iterator,
            "Sequence" => Type::Sequence,
            "Indexable" => Type::Indexable,
            "Mapping" => Type::Mapping,
            "Set" => Type::Set,
            "DateTime" => Type::DateTime,
            "Timespan" => Type::Timespan,
            "Regex" => Type::Regex,
            "Ordering" => Type::Ordering,
            "Scope" => Type::Scope,
            "Callable" => Type::Callable,
            "Pair" => Type::Pair,
            "Lambda" => Type::Lambda,
            "Rule" => Type::Rule,
            _ => Type::Any,
        };
        let default = default.map(|default| match default {
            "" => Default::Absent,
            "null" => Default::Value(Value::Null),
            "true" => Default::Value(Value::Bool(true)),
            "false" => Default::Value(Value::Bool(false)),
            "timespan" => Default::Value(Value::Span(0)),
            number => match number.parse() {
                Ok(number) => Default::Value(Value::Int(number)),
                Err(_) => Default::Value(Value::text(number)),
            },
        });
        let nullable = nullable || matches!(kind, Type::Null | Type::Lambda);
        Self { name: name.trim(), kind, nullable, default }
    }

    /// Whether this may be given, as far as is known of something that may not be evaluated yet.
    pub(crate) fn takes(&self, argument: &Argument) -> bool {
        match self.kind {
            Type::Lambda => true,
            Type::Rule => is_rule(argument),
            _ => match (argument.constant(), argument) {
                (Some(value), _) => self.fits(&value),
                (None, Argument::Skipped) => self.default.is_some(),
                (None, _) => true,
            },
        }
    }

    fn fits(&self, value: &Value) -> bool {
        if matches!(value, Value::Null) {
            return self.nullable;
        }
        match self.kind {
            Type::Any => true,
            Type::Int => matches!(value, Value::Int(_) | Value::Bool(_)),
            Type::Integer => matches!(value, Value::Int(_)),
            Type::Number => matches!(value, Value::Int(_) | Value::Float(_)),
            Type::Bool => matches!(value, Value::Bool(_)),
            Type::String => matches!(value, Value::Text(_)),
            Type::Null => false,
            Type::Iterable => matches!(
                value,
                Value::List(_) | Value::Set(_) | Value::View(..) | Value::Iterator(_) | Value::Ordered(_)
            ),
            Type::Iterator => matches!(value, Value::Iterator(_)),
            Type::Sequence => matches!(value, Value::List(_)),
            Type::Indexable => matches!(value, Value::List(_) | Value::View(..)),
            Type::Mapping => matches!(value, Value::Map(_)),
            Type::Set => matches!(value, Value::Set(_) | Value::View(..)),
            Type::DateTime => matches!(value, Value::Moment(_)),
            Type::Timespan => matches!(value, Value::Span(_)),
            Type::Regex => matches!(value, Value::Pattern(_)),
            Type::Ordering => matches!(value, Value::Ordered(_)),
            Type::Scope => matches!(value, Value::Scope(_)),
            Type::Callable => matches!(value, Value::Lambda(_)),
            Type::Pair => matches!(value, Value::Rule(_)),
            Type::Lambda | Type::Rule => true,
        }
    }

    pub(crate) fn lazy(&self) -> bool {
        matches!(self.kind, Type::Lambda | Type::Rule)
    }

    /// Whether this is a narrower type than the other, so that it is preferred.
    pub(crate) fn narrower_than(&self, other: &Self) -> bool {
        match (self.kind, other.kind) {
            (Type::Any | Type::Number | Type::Lambda | Type::Rule, _) => false,
            (_, Type::Any) => true,
            (
                Type::Sequence
                | Type::Indexable
                | Type::Set
                | Type::Mapping
                | Type::Iterator
                | Type::String
                | Type::Ordering,
                Type::Iterable,
            )
            | (Type::Bool, Type::Int | Type::Integer)
            | (Type::String, Type::Sequence) => true,
            _ => false,
        }
    }
}

pub(crate) fn is_rule(argument: &Argument) -> bool {
    matches!(argument, Argument::Node(node) if matches!(**node, Node { what: What::Rule(..), .. }))
}
