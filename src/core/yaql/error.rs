//! What can be wrong with an expression, or come of evaluating it.

use std::fmt;

/// What went wrong. Each is named after the exception of the reference, so that what catches one there finds it here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the reference's names say it, and `name` gives them")]
pub enum Kind {
    Lexical,
    Grammar,
    NoFunction,
    NoMethod,
    NoMatchingFunction,
    NoMatchingMethod,
    AmbiguousFunction,
    AmbiguousMethod,
    MappingTranslation,
    Argument,
    CollectionTooLarge,
    /// Text, numbers or values beyond the limits, and an expression that takes too many steps.
    MemoryQuotaExceeded,
    Recursion,
    Type,
    Value,
    Key,
    Index,
    ZeroDivision,
    Overflow,
    StopIteration,
    Assertion,
    Attribute,
    /// A regular expression that is none.
    Pattern,
    /// A function of the caller's could not give its value.
    Caller,
}

impl Kind {
    /// The name of the exception in yaql 3.2.0 and Python.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lexical => "YaqlLexicalException",
            Self::Grammar => "YaqlGrammarException",
            Self::NoFunction => "NoFunctionRegisteredException",
            Self::NoMethod => "NoMethodRegisteredException",
            Self::NoMatchingFunction => "NoMatchingFunctionException",
            Self::NoMatchingMethod => "NoMatchingMethodException",
            Self::AmbiguousFunction => "AmbiguousFunctionException",
            Self::AmbiguousMethod => "AmbiguousMethodException",
            Self::MappingTranslation => "MappingTranslationException",
            Self::Argument => "ArgumentException",
            Self::CollectionTooLarge => "CollectionTooLargeException",
            Self::MemoryQuotaExceeded => "MemoryQuotaExceededException",
            Self::Recursion => "RecursionError",
            Self::Type => "TypeError",
            Self::Value => "ValueError",
            Self::Key => "KeyError",
            Self::Index => "IndexError",
            Self::ZeroDivision => "ZeroDivisionError",
            Self::Overflow => "OverflowError",
            Self::StopIteration => "StopIteration",
            Self::Assertion => "AssertionError",
            Self::Attribute => "AttributeError",
            Self::Pattern => "error",
            Self::Caller => "ExpressionEvaluationException",
        }
    }
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YaqlError {
    /// What went wrong.
    pub kind: Kind,
    /// The same for people, without the place.
    pub message: String,
    /// Where in the expression, in characters from its start; nothing when that is not known.
    pub position: Option<usize>,
    /// The expression.
    pub text: String,
}

impl YaqlError {
    /// One without a place yet: whoever evaluates knows it.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), position: None, text: String::new() }
    }
}

impl fmt::Display for YaqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.text.is_empty() {
            write!(f, ", in `{}`", self.text)?;
        }
        match self.position {
            Some(position) => write!(f, " at character {}", position + 1),
            None => Ok(()),
        }
    }
}

impl std::error::Error for YaqlError {}

/// A value or why there is none. The error is in a box because it is rare and large.
pub type Outcome<T> = Result<T, Box<YaqlError>>;

pub(crate) fn fail<T>(kind: Kind, message: impl Into<String>) -> Outcome<T> {
    Err(Box::new(YaqlError::new(kind, message)))
}

/// The beginning of a text that an error quotes.
pub(crate) fn shortened(text: &str) -> String {
    let mut characters = text.chars();
    let start: String = characters.by_ref().take(60).collect();
    if characters.next().is_some() { format!("{start}…") } else { start }
}
