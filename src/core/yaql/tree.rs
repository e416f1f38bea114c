//! A parsed expression.

use super::value::Value;
use std::sync::Arc;

/// A part of an expression and where it begins, in characters.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) what: What,
    pub(crate) at: usize,
}

#[derive(Debug)]
pub(crate) enum What {
    /// A number, quoted text, `true`, `false`, `null`
    Constant(Value),
    /// A bare word, which is text but also a name
    Keyword(Arc<str>),
    /// `$name`, without the dollar; `1` for the bare dollar
    Variable(Arc<str>),
    /// `name(…)`: what can be called on something with a dot
    Function(Arc<str>, Vec<Argument>),
    /// `a.b`
    Dot(Arc<Node>, Arc<Node>),
    /// `a?.b`
    SafeDot(Arc<Node>, Arc<Node>),
    /// An operator by the name of its function in the reference
    Operator(&'static str, Vec<Argument>),
    /// `(a)`, which is no constant and no function any more
    Wrap(Arc<Node>),
    /// `a => b`
    Rule(Arc<Node>, Arc<Node>),
}

/// What is given to a function.
#[derive(Debug, Clone)]
pub(crate) enum Argument {
    /// Not evaluated yet
    Node(Arc<Node>),
    Value(Value),
    /// Left out between two commas
    Skipped,
}

impl Argument {
    /// The value of a constant, or a value itself.
    pub(crate) fn constant(&self) -> Option<Value> {
        match self {
            Self::Node(node) => match &node.what {
                What::Constant(value) => Some(value.clone()),
                What::Keyword(word) => Some(Value::Text(word.clone())),
                _ => None,
            },
            Self::Value(value) => Some(value.clone()),
            Self::Skipped => None,
        }
    }
}
