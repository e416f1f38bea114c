//! StackStorm's filters for YAML. What is written looks as libyaml's emitter lays it out: block style, keys in their order, lines folded at
//! the first blank behind column 80.

use super::{Filter, filter};
use crate::core::content::diagnostic::Severity;
use crate::core::content::{scalar, yaml};
use crate::core::template::python::{
    DEEPEST, float, items, kind, number_text, pairs, refuse, room_for, text, too_deep, undefined,
};
use crate::core::template::render::into_jinja;
use crate::core::template::surroundings::Step;
use crate::core::template::value::float_text;
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};
use std::fmt::Write;

pub(super) const FILTERS: &[Filter] = &[
    filter("from_yaml_string", &["value"], |call| {
        let text = call.text(0)?;
        let (tree, problems) = yaml::read("it", &text);
        match tree {
            Some(tree) if problems.iter().all(|problem| problem.severity != Severity::Error) => {
                Ok(into_jinja(&tree.json()))
            }
            _ => {
                let first = problems.iter().find(|problem| problem.severity == Severity::Error);
                let why = first.map(|problem| format!(" (line {}): {}", problem.line.unwrap_or(1), problem.message));
                Err(refuse(format!("it is not YAML{}", why.unwrap_or_default())))
            }
        }
    }),
    filter("to_yaml_string", &["value", "indent", "allow_unicode"], |call| {
        let indent = call.whole_or(1, 2)?;
        let mut emitter = Emitter {
            out: String::new(),
            column: 0,
            // Other widths than these are none to libyaml.
            step: usize::try_from(indent).ok().filter(|step| (2..10).contains(step)).unwrap_or(2),
            unicode: call.truth_or(2, true),
            at_blank: true,
            at_indent: true,
        };
        let value = call.defined(0)?.clone();
        emitter.node(call.state, &value, None, Within::Top, 0)?;
        if !emitter.out.ends_with('\n') {
            emitter.out.push('\n');
        }
        Ok(Value::from(emitter.out))
    }),
];

/// Columns behind which a line is folded.
const WIDTH: usize = 80;
/// The longest text of a key that is not written with `?`.
const LONGEST_KEY: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Top,
    List,
    Map,
    Key,
}

struct Emitter {
    out: String,
    column: usize,
    step: usize,
    unicode: bool,
    /// A blank would be one too many here.
    at_blank: bool,
    /// Nothing but indentation and marks of lists are on this line.
    at_indent: bool,
}

/// What a text allows to be done with it.
struct Analysis {
    multiline: bool,
    plain: bool,
    single: bool,
}

impl Emitter {
    fn push(&mut self, character: char) {
        self.out.push(character);
        if is_break(character) {
            self.column = 0;
        } else {
            self.column += 1;
        }
    }

    fn mark(&mut self, mark: &str, blank_before: bool, is_blank: bool, is_indent: bool) {
        if blank_before && !self.at_blank {
            self.push(' ');
        }
        mark.chars().for_each(|character| self.push(character));
        self.at_blank = is_blank;
        self.at_indent = self.at_indent && is_indent;
    }

    fn new_line(&mut self, indent: usize) {
        if !self.at_indent || self.column > indent || (self.column == indent && !self.at_blank) {
            self.push('\n');
        }
        while self.column < indent {
            self.push(' ');
        }
        self.at_blank = true;
        self.at_indent = true;
    }

    /// The indentation one level deeper.
    fn deeper(&self, indent: Option<usize>) -> usize {
        indent.map_or(0, |indent| indent + self.step)
    }

    fn node(
        &mut self,
        state: &State<'_, '_>,
        value: &Value,
        indent: Option<usize>,
        within: Within,
        depth: usize,
    ) -> Result<(), Error> {
        state.consume_fuel(1)?;
        if depth > DEEPEST {
            return Err(too_deep());
        }
        room_for(self.out.len())?;
        match value.kind() {
            ValueKind::Undefined => Err(undefined()),
            ValueKind::Seq | ValueKind::Iterable => {
                let all = items(state, value)?;
                if all.is_empty() {
                    self.mark("[", true, true, false);
                    self.mark("]", false, false, false);
                    return Ok(());
                }
                let indentless = within == Within::Map && !self.at_indent;
                let inner = if indentless { indent.unwrap_or_default() } else { self.deeper(indent) };
                for item in &all {
                    self.new_line(inner);
                    self.mark("-", true, false, true);
                    self.node(state, item, Some(inner), Within::List, depth + 1)?;
                }
                Ok(())
            }
            ValueKind::Map => self.map(state, value, indent, depth),
            _ => {
                let (text, is_text) = scalar_text(value)?;
                self.scalar(&text, is_text, indent, within == Within::Key);
                Ok(())
            }
        }
    }

    fn map(&mut self, state: &State<'_, '_>, value: &Value, indent: Option<usize>, depth: usize) -> Result<(), Error> {
        let mut entries = pairs(value)?;
        if entries.is_empty() {
            self.mark("{", true, true, false);
            self.mark("}", false, false, false);
            return Ok(());
        }
        // Keys that have no order stay in theirs.
        if entries.iter().all(|(key, _)| key.as_str().is_some()) {
            entries.sort_by(|(one, _), (other, _)| one.as_str().cmp(&other.as_str()));
        } else if entries.iter().all(|(key, _)| float(key).is_some()) {
            entries.sort_by(|(one, _), (other, _)| {
                super::super::python::compare(one, other).unwrap_or(std::cmp::Ordering::Equal)
            });
        }
        let inner = self.deeper(indent);
        for (key, item) in &entries {
            self.new_line(inner);
            let (written, is_text) = scalar_text(key)?;
            let simple = written.len() <= LONGEST_KEY && !written.contains(is_break);
            if simple {
                self.scalar(&written, is_text, Some(inner), true);
                self.mark(":", false, false, false);
            } else {
                self.mark("?", true, false, true);
                self.scalar(&written, is_text, Some(inner), false);
                self.new_line(inner);
                self.mark(":", true, false, true);
            }
            self.node(state, item, Some(inner), Within::Map, depth + 1)?;
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, is_text: bool, indent: Option<usize>, key: bool) {
        let analysis = self.analyse(text);
        let indent = indent.map_or(self.step, |indent| indent + self.step);
        let as_plain = analysis.plain && !(text.is_empty() && key) && (!is_text || reads_as_text(text));
        if as_plain && !(key && analysis.multiline) {
            self.plain(text, indent, !key);
        } else if analysis.single && !(key && analysis.multiline) {
            self.single(text, indent, !key);
        } else {
            self.double(text, indent, !key);
        }
    }

    fn analyse(&self, text: &str) -> Analysis {
        if text.is_empty() {
            return Analysis { multiline: false, plain: true, single: true };
        }
        let blank = |character: Option<&char>| {
            character.is_none_or(|character| matches!(character, ' ' | '\t' | '\0') || is_break(*character))
        };
        let characters: Vec<char> = text.chars().collect();
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut breaks, mut special, mut break_space, mut space_break) = (false, false, false, false);
        let (mut after_space, mut after_break, mut after_blank) = (false, false, true);
        for (at, &character) in characters.iter().enumerate() {
            let before_blank = blank(characters.get(at + 1));
            indicators |= match character {
                '#' if at > 0 => after_blank,
                ':' => before_blank,
                '-' | '?' if at == 0 => before_blank,
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => {
                    at == 0
                }
                _ => false,
            };
            special |= !is_printable(character) || (!character.is_ascii() && !self.unicode);
            breaks |= is_break(character);
            if character == ' ' {
                break_space |= after_break;
                (after_space, after_break) = (true, false);
            } else if is_break(character) {
                space_break |= after_space;
                (after_space, after_break) = (false, true);
            } else {
                (after_space, after_break) = (false, false);
            }
            after_blank = blank(Some(&character));
        }
        let edge =
            |character: Option<&char>| character.is_some_and(|character| *character == ' ' || is_break(*character));
        let edges = edge(characters.first()) || edge(characters.last());
        Analysis {
            multiline: breaks,
            plain: !(edges || break_space || space_break || special || breaks || indicators),
            single: !(break_space || space_break || special),
        }
    }

    fn plain(&mut self, text: &str, indent: usize, folds: bool) {
        if !self.at_blank && !text.is_empty() {
            self.push(' ');
        }
        let characters: Vec<char> = text.chars().collect();
        let mut after_space = false;
        for (at, &character) in characters.iter().enumerate() {
            let next_is_space = characters.get(at + 1) == Some(&' ');
            if character == ' ' && folds && !after_space && self.column > WIDTH && !next_is_space {
                self.new_line(indent);
            } else {
                self.push(character);
            }
            after_space = character == ' ';
            self.at_indent &= character == ' ';
        }
        self.at_blank = false;
        self.at_indent = false;
    }

    fn single(&mut self, text: &str, indent: usize, folds: bool) {
        self.mark("'", true, false, false);
        let characters: Vec<char> = text.chars().collect();
        let (mut after_space, mut after_break) = (false, false);
        for (at, &character) in characters.iter().enumerate() {
            if character == ' ' {
                let inside = at > 0 && at + 1 < characters.len() && characters.get(at + 1) != Some(&' ');
                if folds && !after_space && self.column > WIDTH && inside {
                    self.new_line(indent);
                } else {
                    self.push(' ');
                }
                after_space = true;
            } else if is_break(character) {
                if !after_break && character == '\n' {
                    self.push('\n');
                }
                self.push(character);
                self.at_indent = true;
                after_break = true;
            } else {
                if after_break {
                    self.new_line(indent);
                }
                if character == '\'' {
                    self.push('\'');
                }
                self.push(character);
                self.at_indent = false;
                (after_space, after_break) = (false, false);
            }
        }
        if after_break {
            self.new_line(indent);
        }
        self.mark("'", false, false, false);
    }

    fn double(&mut self, text: &str, indent: usize, folds: bool) {
        self.mark("\"", true, false, false);
        let characters: Vec<char> = text.chars().collect();
        let mut after_space = false;
        for (at, &character) in characters.iter().enumerate() {
            let shown = is_printable(character) && (character.is_ascii() || self.unicode);
            if !shown || is_break(character) || matches!(character, '"' | '\\' | '\u{feff}') {
                escaped(character).chars().for_each(|character| self.push(character));
                after_space = false;
            } else if character == ' ' {
                let inside = at > 0 && at + 1 < characters.len();
                if folds && !after_space && self.column > WIDTH && inside {
                    self.new_line(indent);
                    if characters.get(at + 1) == Some(&' ') {
                        self.push('\\');
                    }
                } else {
                    self.push(' ');
                }
                after_space = true;
            } else {
                self.push(character);
                after_space = false;
            }
        }
        self.mark("\"", false, false, false);
    }
}

fn is_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// As libyaml judges it: a tab is not, and nothing beyond the first 65,536 characters.
fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

fn escaped(character: char) -> String {
    let short = match character {
        '\0' => "0",
        '\u{7}' => "a",
        '\u{8}' => "b",
        '\t' => "t",
        '\n' => "n",
        '\u{b}' => "v",
        '\u{c}' => "f",
        '\r' => "r",
        '\u{1b}' => "e",
        '"' => "\"",
        '\\' => "\\",
        '\u{85}' => "N",
        '\u{a0}' => "_",
        '\u{2028}' => "L",
        '\u{2029}' => "P",
        _ => "",
    };
    let mut out = String::from("\\");
    let code = u32::from(character);
    // Writing into a `String` cannot fail.
    let _ = match (short, code) {
        ("", 0..=0xff) => write!(out, "x{code:02X}"),
        ("", 0x100..=0xffff) => write!(out, "u{code:04X}"),
        ("", _) => write!(out, "U{code:08X}"),
        (short, _) => write!(out, "{short}"),
    };
    out
}

/// What a value is as a scalar, and whether it is text.
fn scalar_text(value: &Value) -> Result<(String, bool), Error> {
    Ok(match value.kind() {
        ValueKind::None => ("null".into(), false),
        ValueKind::Bool => (if value.is_true() { "true" } else { "false" }.into(), false),
        ValueKind::Number if value.is_integer() => (number_text(value), false),
        ValueKind::Number => (float(value).map(float_yaml).unwrap_or_default(), false),
        ValueKind::String => (value.as_str().unwrap_or_default().to_owned(), true),
        _ if value.downcast_object_ref::<Step>().is_some() => (text(value)?, true),
        _ => return Err(refuse(format!("{} cannot be written as YAML", kind(value)))),
    })
}

fn float_yaml(float: f64) -> String {
    if float.is_nan() {
        return ".nan".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { ".inf" } else { "-.inf" }.into();
    }
    let text = float_text(float);
    if text.contains('.') { text } else { text.replace('e', ".0e") }
}

/// Whether plain text is read back as text and as nothing else.
fn reads_as_text(text: &str) -> bool {
    static DATE: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
        regex::Regex::new(concat!(
            r"^(?:\d{4}-\d\d-\d\d|\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?",
            r"(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?)$"
        ))
        .expect("the pattern is a constant and the table of filters goes through it")
    });
    let resolved = scalar::resolve(text);
    matches!(resolved.value, yaml::Value::Text(_))
        && resolved.kept_as_text.is_none()
        && !matches!(text, "=" | "<<")
        && !DATE.is_match(text)
}
