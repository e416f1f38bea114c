//! Expressions inside text, as Orquesta 1.6 has them.
//!
//! A text that is one expression and nothing else has the expression's value. In every other text each expression is replaced by its value
//! as Python writes it. **A value is never looked through for expressions**, as the reference does it: what a command printed is no program.

use super::error::{Outcome, YaqlError};
use super::text::written;
use super::value::Value;
use super::{Context, Expression};

const OPEN: &str = "<%";
const CLOSE: &str = "%>";

/// A text with expressions in it.
#[derive(Debug, Clone)]
pub struct Embedded {
    pieces: Vec<Piece>,
}

/// A piece of such a text.
#[derive(Debug, Clone)]
pub enum Piece {
    /// What stands around expressions
    Text(String),
    /// What stands between `<%` and `%>`
    Expression(Expression),
}

impl Embedded {
    /// Whether there is an expression in a text.
    pub fn is_in(text: &str) -> bool {
        text.find(OPEN).is_some_and(|at| text[at + OPEN.len()..].contains(CLOSE))
    }

    /// Reads a text; nothing when there is no expression in it. An expression ends at the first `%>`, and may go over several lines.
    ///
    /// # Errors
    /// One for each expression that is none, with the place inside of it.
    pub fn parse(text: &str) -> Result<Option<Self>, Vec<YaqlError>> {
        let mut pieces = Vec::new();
        let mut errors = Vec::new();
        let mut rest = text;
        while let Some((before, (inside, behind))) =
            rest.split_once(OPEN).and_then(|(before, after)| Some((before, after.split_once(CLOSE)?)))
        {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            match Expression::parse(inside.trim()) {
                Ok(expression) => pieces.push(Piece::Expression(expression)),
                Err(error) => errors.push(*error),
            }
            rest = behind;
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        if pieces.is_empty() {
            return Ok(None);
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Some(Self { pieces }))
    }

    /// What it is made of, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The expressions in it, in order.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Expression(expression) => Some(expression),
            Piece::Text(_) => None,
        })
    }

    /// The value of the only expression, or the text with the values of all.
    ///
    /// # Errors
    /// When one has no value, or the text would be too long.
    pub fn evaluate(&self, context: &Context<'_>) -> Outcome<Value> {
        if let [Piece::Expression(only)] = self.pieces.as_slice() {
            return only.evaluate(context);
        }
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Expression(expression) => {
                    let value = expression.evaluate(context)?;
                    super::run::Run::new(context).charge_for(&value).map_err(|error| expression.named(error))?;
                    out.push_str(&written(&value));
                    super::run::Run::new(context).room_for(out.len()).map_err(|error| expression.named(error))?;
                }
            }
        }
        Ok(Value::from(out))
    }
}
