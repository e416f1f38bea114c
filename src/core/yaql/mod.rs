//! # YAQL
//!
//! The expressions between `<%` and `%>`, as yaql 3.2.0 has them: its grammar, its operators, lambdas and its standard library, with its results
//! and its errors.
//!
//! An [`Expression`] is parsed once and evaluated many times, each time in a [`Context`]: what `$` and `$name` are, the functions that only
//! the caller can have ([`Functions`]), the time, entropy, and [limits](Limits). Nothing in an expression reaches outside of that.
//! [Values](Value) are shared and never copied, so that an evaluation over the results of thousands of items costs what it looks at.
//!
//! **Every evaluation ends**: steps, depth, the length of collections and of text are bounded, and regular expressions have bounds of their own.
//! **Only what a pack's author wrote is ever an expression.** What comes out of one is a value.
//! An error quotes up to 60 characters of a value: **who hands a secret in keeps errors that quote it from being shown.**
//!
//! Where it differs from the reference on purpose stands in `docs/yaql.md`.

mod embed;
mod error;
mod iterate;
mod json;
mod library;
mod parse;
mod pattern;
mod resolve;
mod run;
mod scan;
mod signature;
mod text;
mod time;
mod tree;
mod value;

pub use embed::{Embedded, Piece};
pub use error::{Kind, Outcome, YaqlError};
pub use resolve::{Arguments, NamedValues};
pub use run::Limits;
pub use text::{python, written};
pub use value::{List, Map, Set, Value};

use jiff::Timestamp;
use std::sync::Arc;
use tree::Node;

/// A time in any usual way of writing, as `datetime` reads it: without an offset it is UTC, and what is not written is taken from today.
///
/// # Errors
/// It is no time.
pub fn read_time(text: &str, now: Timestamp) -> Outcome<Timestamp> {
    let read = library::time_text::read(text, time::Moment::at(now.as_microsecond(), 0)?)?;
    let moment = Timestamp::from_microsecond(read.utc);
    moment.or_else(|_| error::fail(Kind::Overflow, "years go from 1 to 9999"))
}

/// A parsed expression.
#[derive(Debug, Clone)]
pub struct Expression {
    text: Arc<str>,
    node: Arc<Node>,
}

/// Functions that the caller has, before those of the library.
pub trait Functions {
    /// The value of the function with this name, or nothing when the caller has none.
    fn call(&self, name: &str, arguments: &Arguments<'_>) -> Option<Outcome<Value>>;
}

/// No functions.
impl Functions for () {
    fn call(&self, _: &str, _: &Arguments<'_>) -> Option<Outcome<Value>> {
        None
    }
}

/// What an evaluation may look at.
pub struct Context<'a> {
    /// `$`
    pub root: Value,
    /// `$name`, without the dollar
    pub names: &'a [(&'a str, Value)],
    /// Functions of the caller's.
    pub functions: &'a dyn Functions,
    /// What `now()` is.
    pub now: Timestamp,
    /// Seconds that the local time is ahead of UTC, for `localtz()`.
    pub offset: i32,
    /// What `random()` is made from.
    pub entropy: u64,
    /// How much it may take.
    pub limits: Limits,
}

impl Context<'_> {
    /// One with nothing but the library.
    pub fn empty() -> Self {
        Self {
            root: Value::Null,
            names: &[],
            functions: &(),
            now: Timestamp::UNIX_EPOCH,
            offset: 0,
            entropy: 0,
            limits: Limits::default(),
        }
    }

    fn name(&self, name: &str) -> Option<Value> {
        if name == "1" {
            return Some(self.root.clone());
        }
        self.names.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }
}

impl Expression {
    /// Parses an expression, without the `<%` and `%>` around it.
    ///
    /// # Errors
    /// When it is none, with the place.
    pub fn parse(text: &str) -> Outcome<Self> {
        Ok(Self { text: text.into(), node: parse::parse(text)? })
    }

    /// The text that it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its value: data alone, with every iterator gone through and sets as lists.
    ///
    /// # Errors
    /// When it has none, or takes too much to evaluate.
    pub fn evaluate(&self, context: &Context<'_>) -> Outcome<Value> {
        let run = run::Run::new(context);
        let scope = root();
        run::evaluate(&run, &scope, &self.node)
            .and_then(|value| run::finish(&run, value))
            .map_err(|error| self.named(error))
    }

    /// An error of this expression's.
    fn named(&self, mut error: Box<YaqlError>) -> Box<YaqlError> {
        error.text = self.text.as_ref().into();
        error
    }
}

/// The scope with nothing in it.
fn root() -> Arc<run::Scope> {
    thread_local! {
        static ROOT: Arc<run::Scope> = Arc::default();
    }
    ROOT.with(Arc::clone)
}
