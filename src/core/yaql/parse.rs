//! From words to a tree.
//!
//! The reference's grammar is made for a table-driven parser; the bindings below come out of its table. What surprises in it is kept:
//! `(` behind a value calls the value, and binds less than every operator; `f(a, , b)` leaves an argument out.

use super::error::{Kind, Outcome, YaqlError};
use super::scan::{Word, scan};
use super::tree::{Argument, Node, What};
use std::sync::Arc;

/// How deep brackets and operators may be nested in a text.
const DEEPEST: usize = 100;
/// Bytes of an expression.
const LONGEST: usize = 1 << 16;

/// How strongly a sign binds what is left of it; the more the closer.
fn binding(sign: &str) -> Option<(u8, &'static str)> {
    Some(match sign {
        "." => (12, "#operator_."),
        "?." => (12, "#operator_?."),
        "[" => (11, "#indexer"),
        "=~" => (9, "#operator_=~"),
        "!~" => (9, "#operator_!~"),
        "*" => (8, "#operator_*"),
        "/" => (8, "#operator_/"),
        "mod" => (8, "#operator_mod"),
        "+" => (7, "#operator_+"),
        "-" => (7, "#operator_-"),
        ">" => (6, "#operator_>"),
        "<" => (6, "#operator_<"),
        ">=" => (6, "#operator_>="),
        "<=" => (6, "#operator_<="),
        "!=" => (6, "*not_equal"),
        "=" => (6, "*equal"),
        "in" => (6, "#operator_in"),
        "and" => (4, "#operator_and"),
        "or" => (3, "#operator_or"),
        "->" => (2, "#operator_->"),
        "(" => (1, "#call"),
        _ => return None,
    })
}

pub(crate) fn parse(text: &str) -> Outcome<Arc<Node>> {
    let placed = |mut error: Box<YaqlError>| {
        error.text = text.to_owned();
        error
    };
    if text.len() > LONGEST {
        return Err(Box::new(YaqlError::new(
            Kind::MemoryQuotaExceeded,
            format!("an expression may have {LONGEST} bytes"),
        )));
    }
    let words = scan(text).map_err(placed)?;
    let mut parser = Parser { words, at: 0, depth: 0 };
    let node = parser.value(0).map_err(placed)?;
    if parser.at < parser.words.len() {
        return Err(placed(parser.unexpected("an operator or the end")));
    }
    Ok(node)
}

struct Parser {
    words: Vec<(Word, usize)>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn sign(&self) -> Option<&'static str> {
        match self.words.get(self.at) {
            Some((Word::Sign(sign), _)) => Some(sign),
            _ => None,
        }
    }

    fn is(&self, sign: &str) -> bool {
        self.sign() == Some(sign)
    }

    fn unexpected(&self, wanted: &str) -> Box<YaqlError> {
        let (message, position) = match self.words.get(self.at) {
            Some((word, position)) => {
                (format!("`{}` is not expected: {wanted} should stand here", word.shown()), Some(*position))
            }
            None => (format!("the expression ends where {wanted} should stand"), None),
        };
        Box::new(YaqlError { position, ..YaqlError::new(Kind::Grammar, message) })
    }

    fn take(&mut self, sign: &str) -> Outcome<()> {
        if !self.is(sign) {
            return Err(self.unexpected(&format!("`{sign}`")));
        }
        self.at += 1;
        Ok(())
    }

    fn deeper(&mut self) -> Outcome<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let position = self.words.get(self.at).map(|(_, position)| *position);
            let error = YaqlError::new(Kind::Recursion, format!("the expression is nested deeper than {DEEPEST}"));
            return Err(Box::new(YaqlError { position, ..error }));
        }
        Ok(())
    }

    /// A value with all operators that bind at least this strongly.
    fn value(&mut self, least: u8) -> Outcome<Arc<Node>> {
        let before = self.depth;
        self.deeper()?;
        let mut left = self.operand()?;
        while let Some((strength, name)) = self.sign().and_then(binding) {
            if strength < least {
                break;
            }
            // A tree that leans to the left is as deep as one that leans to the right.
            self.deeper()?;
            let at = self.words[self.at].1;
            self.at += 1;
            let what = match name {
                "#indexer" | "#call" => {
                    let mut arguments = vec![Argument::Node(left)];
                    arguments.extend(self.arguments(if name == "#call" { ")" } else { "]" })?);
                    if name == "#call" {
                        What::Function(name.into(), arguments)
                    } else {
                        What::Operator(name, arguments)
                    }
                }
                _ => {
                    // `->` leans to the right, all others to the left.
                    let right = self.value(if name == "#operator_->" { strength } else { strength + 1 })?;
                    match name {
                        "#operator_." => What::Dot(left, right),
                        "#operator_?." => What::SafeDot(left, right),
                        _ => What::Operator(name, vec![Argument::Node(left), Argument::Node(right)]),
                    }
                }
            };
            left = Arc::new(Node { what, at });
        }
        self.depth = before;
        Ok(left)
    }

    fn operand(&mut self) -> Outcome<Arc<Node>> {
        let Some((word, at)) = self.words.get(self.at).cloned() else { return Err(self.unexpected("a value")) };
        let wrong = || self.unexpected("a value");
        let node = |what| Ok(Arc::new(Node { what, at }));
        match word {
            Word::Constant(value) => {
                self.at += 1;
                node(What::Constant(value))
            }
            Word::Keyword(keyword) => {
                self.at += 1;
                node(What::Keyword(keyword))
            }
            Word::Variable(name) => {
                self.at += 1;
                node(What::Variable(if name.is_empty() { "1".into() } else { name }))
            }
            Word::Function(name) => {
                self.at += 1;
                let arguments = self.arguments(")")?;
                // The reference lets a name end with underscores, for the sake of Python's own words.
                node(What::Function(name.trim_end_matches('_').into(), arguments))
            }
            Word::Sign(sign) => {
                let (name, strength) = match sign {
                    "+" => ("#unary_operator_+", 10),
                    "-" => ("#unary_operator_-", 10),
                    "not" => ("#unary_operator_not", 5),
                    "(" | "[" | "{" => ("", 0),
                    _ => return Err(wrong()),
                };
                self.at += 1;
                match sign {
                    "(" => {
                        let inside = self.value(0)?;
                        self.take(")")?;
                        node(What::Wrap(inside))
                    }
                    "[" => {
                        let items = self.arguments("]")?;
                        node(What::Operator("#list", items))
                    }
                    "{" => {
                        let items = self.arguments("}")?;
                        node(What::Operator("#map", items))
                    }
                    _ => {
                        let operand = self.value(strength)?;
                        node(What::Operator(name, vec![Argument::Node(operand)]))
                    }
                }
            }
        }
    }

    /// Arguments up to the closing bracket. Positional ones come first and may be left out; named ones follow.
    fn arguments(&mut self, close: &str) -> Outcome<Vec<Argument>> {
        let mut arguments = Vec::new();
        let mut skipped = 0;
        let mut named = false;
        if self.is(close) {
            self.at += 1;
            return Ok(arguments);
        }
        loop {
            if self.is(",") && !named {
                self.at += 1;
                arguments.push(Argument::Skipped);
                skipped += 1;
                continue;
            }
            let value = self.value(0)?;
            if self.is("=>") {
                // Before the first named argument one may be left out, and only behind another.
                let follows = arguments.len() > 1 && matches!(arguments[arguments.len() - 2], Argument::Node(_));
                if !named && skipped > 0 && matches!(arguments.last(), Some(Argument::Skipped)) && !follows {
                    return Err(self.unexpected("a value without a name"));
                }
                let at = self.words[self.at].1;
                self.at += 1;
                let item = self.value(0)?;
                arguments.push(Argument::Node(Arc::new(Node { what: What::Rule(value, item), at })));
                named = true;
            } else if named {
                return Err(self.unexpected("`=>`"));
            } else {
                arguments.push(Argument::Node(value));
            }
            if self.is(close) {
                self.at += 1;
                return Ok(arguments);
            }
            self.take(",").map_err(|_| self.unexpected(&format!("`,` or `{close}`")))?;
        }
    }
}
