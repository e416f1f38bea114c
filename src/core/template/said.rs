//! Templates whose text is shown to people: `ack` and `result` of an alias.
//!
//! What the pack's author wrote is Markdown and stays so. **Every value that a template writes out is outside text**: it comes from a line of
//! chat or from a command. It is made harmless for the place where it stands: escaped in running text, kept in its block or its code, put into a
//! block of its own where it has several lines.

use crate::core::message::markdown;
use crate::core::template::render::{TemplateError, environment, failure, from_jinja, into_jinja, shown_text};
use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use serde_json::{Map, Value};
use std::sync::{Arc, LazyLock};

/// Around each value that a template writes out. From the area that Unicode gives no meaning to; values that hold them lose them.
const BEGIN: char = '\u{e100}';
const END: char = '\u{e101}';

/// What becomes of a name that has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undefined {
    /// It is an error, as in `ack` and in `extra`.
    Error,
    /// It is nothing, as in `result.format`.
    Nothing,
}

/// A rendered text in which it is still known what came from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said(String);

static STRICT: LazyLock<Environment<'static>> = LazyLock::new(|| marking(UndefinedBehavior::Strict));
static LENIENT: LazyLock<Environment<'static>> = LazyLock::new(|| marking(UndefinedBehavior::Lenient));

fn marking(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut environment = environment();
    environment.set_undefined_behavior(undefined);
    environment.set_formatter(write_marked);
    environment
}

fn write_marked(out: &mut Output<'_>, state: &mut State<'_, '_>, shown: &minijinja::Value) -> Result<(), Error> {
    if shown.is_undefined() && state.undefined_behavior() == UndefinedBehavior::Lenient {
        return Ok(());
    }
    let text = shown_text(shown)?;
    // What a macro or a block has given is marked inside already, and the rest of it is the author's.
    if text.contains(BEGIN) {
        return out.write_str(&text).map_err(Error::from);
    }
    out.write_str(&format!("{BEGIN}{text}{END}")).map_err(Error::from)
}

/// Renders a template over the names of `context`, and `six`, which old packs go through maps with.
///
/// # Errors
/// As [`super::render::render`].
pub fn render(template: &str, context: &Map<String, Value>, undefined: Undefined) -> Result<Said, TemplateError> {
    let environment = match undefined {
        Undefined::Error => &STRICT,
        Undefined::Nothing => &LENIENT,
    };
    let compiled = environment.template_from_str(template).map_err(|error| failure(template, &error))?;
    let names = context.iter().map(|(name, value)| (name.clone(), into_jinja(&unmarked(value))));
    let six = ("six".to_owned(), minijinja::Value::from_object(Six));
    let context = minijinja::Value::from_pairs(names.chain([six]));
    let mut out = super::render::Bounded::default();
    compiled.render_captured_to(context, &mut out).map_err(|error| failure(template, &error))?;
    out.text().map(Said)
}

impl Said {
    /// The text as Markdown that nothing from outside can break out of, or mention anybody with.
    pub fn markdown(&self) -> String {
        let mut text = String::with_capacity(self.0.len() + 16);
        let mut place = Place::default();
        for (outside, piece) in self.pieces() {
            if outside {
                text.push_str(&place.harmless(piece, text.is_empty() || text.ends_with('\n')));
            } else {
                place.pass(piece);
                text.push_str(piece);
            }
        }
        text.trim().to_owned()
    }

    /// The text as it is, for what is not shown as Markdown.
    pub fn plain(&self) -> String {
        self.0.chars().filter(|character| !matches!(*character, BEGIN | END)).collect::<String>().trim().to_owned()
    }

    /// The two parts around the first `separator` that the author wrote.
    pub fn split(&self, separator: &str) -> Option<(Said, Said)> {
        let mut at = 0;
        for (outside, piece) in self.pieces() {
            let start = piece.as_ptr() as usize - self.0.as_ptr() as usize;
            if let (false, Some(found)) = (outside, piece.find(separator)) {
                at = start + found + 1;
                break;
            }
        }
        let at = at.checked_sub(1)?;
        Some((Said(self.0[..at].to_owned()), Said(self.0[at + separator.len()..].to_owned())))
    }

    /// The text in pieces, each with whether it comes from outside. A mark that is lost makes outside text of what follows.
    fn pieces(&self) -> impl Iterator<Item = (bool, &str)> {
        let mut outside = false;
        self.0.split_inclusive([BEGIN, END]).map(move |piece| {
            let now = outside;
            let text = match piece.chars().next_back() {
                Some(BEGIN) => {
                    outside = true;
                    piece.strip_suffix(BEGIN)
                }
                Some(END) => {
                    outside = false;
                    piece.strip_suffix(END)
                }
                _ => None,
            };
            (now, text.unwrap_or(piece))
        })
    }
}

/// Where in the Markdown a value stands.
#[derive(Default)]
struct Place {
    block: bool,
    code: bool,
}

impl Place {
    /// Goes past text of the author's.
    fn pass(&mut self, text: &str) {
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let ticks = rest.len() - rest.trim_start_matches('`').len();
            if ticks >= 3 {
                self.block = !self.block;
                self.code = false;
            } else if ticks > 0 && !self.block {
                self.code = !self.code;
            } else if character == '\n' {
                self.code = false;
            }
            rest = &rest[ticks.max(character.len_utf8())..];
        }
    }

    fn harmless(&self, value: &str, at_start: bool) -> String {
        let value = value.trim_end_matches(['\n', '\r']);
        if self.block {
            // A fence keeps what is in it, so the inside of one is what is wanted.
            let fenced = markdown::fence(value);
            let inside = fenced.strip_prefix("```text\n").and_then(|rest| rest.strip_suffix("\n```"));
            return inside.unwrap_or_default().to_owned();
        }
        if self.code {
            return markdown::code(value).trim_matches('`').to_owned();
        }
        if value.contains('\n') {
            return format!("{}{}\n", if at_start { "" } else { "\n" }, markdown::fence(value));
        }
        markdown::escape(value)
    }
}

/// A value without the marks: nobody outside sets one.
fn unmarked(value: &Value) -> Value {
    let clean = |text: &str| text.replace([BEGIN, END], "\u{fffd}");
    match value {
        Value::String(text) => Value::String(clean(text)),
        Value::Array(items) => items.iter().map(unmarked).collect(),
        Value::Object(map) => map.iter().map(|(key, item)| (clean(key), unmarked(item))).collect(),
        other => other.clone(),
    }
}

/// The functions of Python's `six` that go through a map.
#[derive(Debug)]
struct Six;

impl Object for Six {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[minijinja::Value],
    ) -> Result<minijinja::Value, Error> {
        let map = match arguments.first().map(from_jinja).transpose()? {
            Some(Value::Object(map)) => map,
            _ => return Err(Error::new(ErrorKind::InvalidOperation, format!("`six.{method}` takes a map"))),
        };
        let items: Vec<Value> = match method {
            "iteritems" => map.into_iter().map(|(key, item)| Value::from(vec![Value::from(key), item])).collect(),
            "iterkeys" => map.into_iter().map(|(key, _)| Value::from(key)).collect(),
            "itervalues" => map.into_iter().map(|(_, item)| item).collect(),
            _ => return Err(Error::new(ErrorKind::UnknownMethod, format!("there is no `six.{method}` here"))),
        };
        Ok(into_jinja(&Value::from(items)))
    }
}
