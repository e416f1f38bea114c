//! A YAML document as a tree that knows where each part stands.
//!
//! The syntax is read by `saphyr-parser`; the meaning is that of PyYAML's safe loader, which StackStorm reads packs with:
//! YAML 1.1 scalars (see [`super::scalar`]), anchors, merge keys, one document a file, the last of two equal keys wins, and a quoted text may be
//! continued anywhere to the left. Three things are
//! deliberately different: two equal keys are worth a warning, a key is always the text that was written (`on:` is the key `on`), and
//! **what a file can cost is bounded** ([`MAX_BYTES`], [`MAX_NODES`] after all anchors are followed, [`MAX_DEPTH`]).

use super::diagnostic::{Diagnostic, Severity};
use super::scalar;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The longest text that is read.
pub const MAX_BYTES: usize = 1 << 20;
/// The most nodes of a document, those that stand behind anchors counted each time they are used.
pub const MAX_NODES: usize = 100_000;
/// The deepest nesting.
pub const MAX_DEPTH: usize = 64;
/// So many quoted texts of a file may be continued further to the left than YAML allows.
const MOST_OUTDENTED: usize = 100;
/// So many bytes are read again for them: of a long file fewer such texts are taken.
const MOST_AGAIN: usize = 2 * MAX_BYTES;
/// What the parser says of one that is.
const OUTDENTED: &str = "invalid indentation in quoted scalar";

/// A part of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its line, from 1.
    pub line: usize,
    /// Its column, from 1.
    pub column: usize,
    /// What it says.
    pub value: Value,
}

/// What a node says.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, `~`, `null`.
    Null,
    /// `true`, `yes`, `on` and their opposites.
    Boolean(bool),
    /// Any number.
    Number(serde_json::Number),
    /// Text, quoted or not; dates too.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, each key once.
    Map(Vec<Entry>),
}

/// A key and what it is set to.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key as it was written.
    pub key: String,
    /// The key's line, from 1.
    pub line: usize,
    /// The key's column, from 1.
    pub column: usize,
    /// What it is set to.
    pub node: Node,
}

impl Node {
    /// The same in JSON, without places.
    pub fn json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Boolean(value) => serde_json::Value::Bool(*value),
            Value::Number(number) => serde_json::Value::Number(number.clone()),
            Value::Text(text) => serde_json::Value::String(text.clone()),
            Value::List(items) => serde_json::Value::Array(items.iter().map(Node::json).collect()),
            Value::Map(entries) => {
                serde_json::Value::Object(entries.iter().map(|entry| (entry.key.clone(), entry.node.json())).collect())
            }
        }
    }

    /// What kind of thing it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Boolean(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// Reads a text. There is no tree when it is not YAML or goes over a bound; diagnostics of severity [`Severity::Error`] can also come
/// with a tree, which then lacks what they are about.
pub fn read(file: &str, text: &str) -> (Option<Node>, Vec<Diagnostic>) {
    let first = attempt(file, text);
    let Err((said, mut outdented)) = first else { return first.unwrap_or_default() };
    // What is wrong is told of the text as it was written.
    let mut indented = Cow::Borrowed(text);
    for _ in 0..MOST_OUTDENTED.min(MOST_AGAIN / text.len().max(1)) {
        let Some(more) = outdented.and_then(|(line, column)| indent(&indented, line, column)) else { break };
        match attempt(file, &more) {
            Ok(read) => return read,
            Err((_, next)) => outdented = next,
        }
        indented = Cow::Owned(more);
    }
    (None, said)
}

/// One reading: the root and what is to be said; or what is wrong, and where a quoted text is continued too far to the left if that is it.
type Attempt = Result<(Option<Node>, Vec<Diagnostic>), (Vec<Diagnostic>, Option<(usize, usize)>)>;

fn attempt(file: &str, text: &str) -> Attempt {
    let mut builder = Builder {
        file,
        diagnostics: Vec::new(),
        frames: Vec::new(),
        anchors: BTreeMap::new(),
        nodes: 0,
        documents: 0,
        last_line: last_line(text),
        root: None,
        outdented: None,
    };
    match builder.run(text) {
        Ok(()) => {
            let root = builder.root.unwrap_or(Node { line: 1, column: 1, value: Value::Null });
            Ok((Some(root), builder.diagnostics))
        }
        Err(Stop) => Err((builder.diagnostics, builder.outdented)),
    }
}

/// The text with the lines moved to the right that go on with the quoted text at this place, so that they stand behind its beginning. Blanks there mean nothing.
/// Nothing where no quoted text begins there, or none ends.
fn indent(text: &str, line: usize, column: usize) -> Option<String> {
    let before: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let rest = text.get(before..)?;
    let start = before + rest.char_indices().nth(column)?.0;
    let quote = text.get(start..)?.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (mut moved, mut characters) =
        (text.get(..=start)?.to_owned(), text.get(start + 1..)?.char_indices().peekable());
    while let Some((at, character)) = characters.next() {
        moved.push(character);
        match character {
            '\\' if quote == '"' => moved.extend(characters.next_if(|(_, next)| *next != '\n').map(|(_, next)| next)),
            '\'' if quote == '\'' && characters.peek().is_some_and(|(_, next)| *next == quote) => {
                moved.extend(characters.next().map(|(_, next)| next));
            }
            end if end == quote => {
                moved.push_str(text.get(start + 1 + at + 1..)?);
                return Some(moved);
            }
            '\n' => moved.extend(std::iter::repeat_n(' ', column + 1)),
            _ => {}
        }
    }
    None
}

/// Nothing more can be read; the diagnostic has been written.
struct Stop;

struct Builder<'f> {
    file: &'f str,
    diagnostics: Vec<Diagnostic>,
    frames: Vec<Frame>,
    anchors: BTreeMap<usize, Anchored>,
    nodes: usize,
    documents: usize,
    /// The last line that has anything on it. The parser places what is missing at the end behind it.
    last_line: usize,
    root: Option<Node>,
    /// Line and column of a quoted text that is continued too far to the left.
    outdented: Option<(usize, usize)>,
}

struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

/// A collection that is still open.
struct Frame {
    line: usize,
    column: usize,
    anchor: usize,
    parts: Parts,
}

enum Parts {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// What `<<` brings in, in the order in which later ones win.
        merged: Vec<Entry>,
        key: Option<Key>,
        /// A key was itself a flow mapping: somebody wrote `{{ name }}` without quotes.
        bare_template: bool,
    },
}

struct Key {
    text: String,
    line: usize,
    column: usize,
    role: Role,
}

enum Role {
    Ordinary,
    /// `<<`, which takes over the entries of another mapping.
    Merge,
    /// Not a text; reported, and what it is set to is dropped.
    Refused,
}

impl Builder<'_> {
    fn run(&mut self, text: &str) -> Result<(), Stop> {
        if text.len() > MAX_BYTES {
            return Err(self.stop(None, format!("the file is longer than {MAX_BYTES} bytes")));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some((line, character)) = unprintable(text) {
            let code = u32::from(character);
            return Err(self.stop(Some(line), format!("the character U+{code:04X} cannot stand in YAML")));
        }
        let mut parser = Parser::new_from_str(text);
        while let Some(next) = parser.next_event() {
            match next {
                Ok((event, span)) => self.event(event, span.start)?,
                Err(error) => {
                    let at = error.marker();
                    self.outdented = (error.info() == OUTDENTED).then(|| (at.line(), at.col()));
                    let line = at.line().min(self.last_line);
                    let stop = self.stop(Some(line), format!("this is not YAML: {}", error.info()));
                    let bare = text.lines().nth(line.saturating_sub(1)).is_some_and(has_bare_template);
                    if bare && let Some(diagnostic) = self.diagnostics.last_mut() {
                        diagnostic.suggestion = Some(QUOTE_IT.to_owned());
                    }
                    return Err(stop);
                }
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, at: Marker) -> Result<(), Stop> {
        let (line, column) = (at.line().min(self.last_line), at.col() + 1);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(self.stop(Some(line), "a file holds one document, and here starts a second one"));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let node = Node { line, column, value: self.scalar(&text, style, tag.as_deref(), line) };
                self.count(1, line)?;
                self.remember(anchor, &node);
                self.scalar_or_key(node, text, style)
            }
            Event::SequenceStart(anchor, tag) => {
                self.collection_tag(tag.as_ref(), "seq", line);
                self.open(Frame { line, column, anchor, parts: Parts::List(Vec::new()) })
            }
            Event::MappingStart(anchor, tag) => {
                self.collection_tag(tag.as_ref(), "map", line);
                let parts = Parts::Map { entries: Vec::new(), merged: Vec::new(), key: None, bare_template: false };
                self.open(Frame { line, column, anchor, parts })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => {
                let Some(anchored) = self.anchors.get(&anchor) else {
                    return Err(self.stop(Some(line), "this anchor is used inside of what it stands for"));
                };
                let (nodes, depth) = (anchored.nodes, anchored.depth);
                if self.frames.len() + depth > MAX_DEPTH {
                    return Err(self.too_deep(line));
                }
                // Counted before it is copied, so that a few lines of anchors cannot fill the memory.
                self.count(nodes, line)?;
                let Some(anchored) = self.anchors.get(&anchor) else { return Ok(()) };
                let node = anchored.node.clone();
                self.place(node)
            }
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, line: usize) -> Value {
        let Some(tag) = tag else {
            if style != ScalarStyle::Plain {
                return Value::Text(text.to_owned());
            }
            return self.plain(text, line);
        };
        if tag.handle.is_empty() && tag.suffix == "!" {
            return Value::Text(text.to_owned());
        }
        let kind = if tag.is_yaml_core_schema() { tag.suffix.as_str() } else { "" };
        let fits = match kind {
            "str" | "timestamp" => return Value::Text(text.to_owned()),
            "null" => return Value::Null,
            "bool" => |value: &Value| matches!(value, Value::Boolean(_)),
            "int" => |value: &Value| matches!(value, Value::Number(number) if !number.is_f64()),
            "float" => |value: &Value| matches!(value, Value::Number(_)),
            _ => {
                self.unknown_tag(tag, line);
                return Value::Text(text.to_owned());
            }
        };
        let value = self.plain(text, line);
        if !fits(&value) {
            self.report(Severity::Error, Some(line), format!("`{text}` is not what its tag !!{kind} says"));
        }
        value
    }

    fn plain(&mut self, text: &str, line: usize) -> Value {
        let resolved = scalar::resolve(text);
        if let Some(why) = resolved.kept_as_text {
            self.report(Severity::Warning, Some(line), format!("`{text}` is kept as text: {why}"));
        }
        resolved.value
    }

    /// Collections can only be what they are.
    fn collection_tag(&mut self, tag: Option<&Cow<'_, Tag>>, plain: &str, line: usize) {
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && tag.suffix == plain)
            && !(tag.handle.is_empty() && tag.suffix == "!")
        {
            self.unknown_tag(tag, line);
        }
    }

    fn unknown_tag(&mut self, tag: &Tag, line: usize) {
        let name = if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() };
        self.report(Severity::Error, Some(line), format!("the tag {name} is not taken: packs are plain data"));
    }

    fn open(&mut self, frame: Frame) -> Result<(), Stop> {
        if self.frames.len() >= MAX_DEPTH {
            return Err(self.too_deep(frame.line));
        }
        self.count(1, frame.line)?;
        self.frames.push(frame);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Stop> {
        let Some(Frame { line, column, anchor, parts }) = self.frames.pop() else { return Ok(()) };
        let value = match parts {
            Parts::List(items) => Value::List(items),
            // Stands in for the template that was meant, so that one missing pair of quotes is one message and not three.
            Parts::Map { bare_template: true, .. } => Value::Text("{{ }}".to_owned()),
            Parts::Map { entries, merged, .. } => Value::Map(self.unite(merged, entries)),
        };
        let node = Node { line, column, value };
        self.remember(anchor, &node);
        self.place(node)
    }

    /// What `<<` brought in comes first, then the mapping's own entries; the last of equal keys wins.
    fn unite(&mut self, merged: Vec<Entry>, own: Vec<Entry>) -> Vec<Entry> {
        let mut united: Vec<Entry> = Vec::with_capacity(merged.len() + own.len());
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let inherited = merged.len();
        let mut first_own: BTreeMap<String, usize> = BTreeMap::new();
        for (index, entry) in merged.into_iter().chain(own).enumerate() {
            if index >= inherited
                && let Some(first) = first_own.insert(entry.key.clone(), entry.line)
            {
                let message = format!("`{}` is set twice (first in line {first}); the last one counts", entry.key);
                self.report(Severity::Warning, Some(entry.line), message);
            }
            match places.get(&entry.key).and_then(|place| united.get_mut(*place)) {
                Some(earlier) => *earlier = entry,
                None => {
                    places.insert(entry.key.clone(), united.len());
                    united.push(entry);
                }
            }
        }
        united
    }

    /// A scalar where a key is due is a key, and keeps the text that was written.
    fn scalar_or_key(&mut self, node: Node, text: Cow<'_, str>, style: ScalarStyle) -> Result<(), Stop> {
        if let Some(Frame { parts: Parts::Map { key: key @ None, .. }, .. }) = self.frames.last_mut() {
            let role = if text == "<<" && style == ScalarStyle::Plain { Role::Merge } else { Role::Ordinary };
            *key = Some(Key { text: text.into_owned(), line: node.line, column: node.column, role });
            return Ok(());
        }
        self.place(node)
    }

    /// Puts a finished node where it belongs.
    fn place(&mut self, node: Node) -> Result<(), Stop> {
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut frame.parts {
            Parts::List(items) => items.push(node),
            Parts::Map { key: key @ None, bare_template, .. } => {
                let (line, column) = (node.line, node.column);
                let text = match &node.value {
                    Value::Text(text) => Some(text.clone()),
                    Value::List(_) | Value::Map(_) => None,
                    _ => Some(node.json().to_string()),
                };
                let role = if text.is_some() { Role::Ordinary } else { Role::Refused };
                *key = Some(Key { text: text.unwrap_or_default(), line, column, role });
                if matches!(key, Some(Key { role: Role::Refused, .. })) {
                    let braces =
                        matches!(node.value, Value::Map(_)) && (frame.line, frame.column + 1) == (line, column);
                    *bare_template = braces;
                    let message = format!("a key has to be text, and this one is {}", node.kind());
                    self.report(Severity::Error, Some(line), message);
                    if braces && let Some(diagnostic) = self.diagnostics.last_mut() {
                        diagnostic.suggestion = Some(QUOTE_IT.to_owned());
                    }
                }
            }
            Parts::Map { entries, merged, key, .. } => {
                let Some(Key { text, line, column, role }) = key.take() else { return Ok(()) };
                match role {
                    Role::Refused => {}
                    Role::Ordinary => {
                        // What is not written at all has no place of its own.
                        let nowhere = node.value == Value::Null && node.line != line;
                        let node = if nowhere { Node { line, column, value: Value::Null } } else { node };
                        entries.push(Entry { key: text, line, column, node });
                    }
                    Role::Merge => match merge_entries(node) {
                        Some(brought) => merged.extend(brought),
                        None => self.report(
                            Severity::Error,
                            Some(line),
                            "`<<` takes over a map or a list of maps, and this is neither",
                        ),
                    },
                }
            }
        }
        Ok(())
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        if anchor > 0 {
            let (nodes, depth) = measure(node);
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, depth });
        }
    }

    fn count(&mut self, nodes: usize, line: usize) -> Result<(), Stop> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(self.stop(Some(line), format!("the file means more than {MAX_NODES} values")));
        }
        Ok(())
    }

    fn too_deep(&mut self, line: usize) -> Stop {
        self.stop(Some(line), format!("the nesting is deeper than {MAX_DEPTH}"))
    }

    fn stop(&mut self, line: Option<usize>, message: impl Into<String>) -> Stop {
        self.report(Severity::Error, line, message);
        Stop
    }

    fn report(&mut self, severity: Severity, line: Option<usize>, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic {
            file: self.file.to_owned(),
            line,
            key_path: String::new(),
            severity,
            message: message.into(),
            suggestion: None,
        });
    }
}

const QUOTE_IT: &str = r#"put quotes around a value that begins with a template: "{{ name }}""#;

fn has_bare_template(line: &str) -> bool {
    line.split_once("{{").is_some_and(|(before, _)| before.trim_end().ends_with([':', '-']))
}

/// What a value of `<<` brings in: of a list, the earlier maps win.
fn merge_entries(node: Node) -> Option<Vec<Entry>> {
    match node.value {
        Value::Map(entries) => Some(entries),
        Value::List(items) => {
            let mut brought = Vec::new();
            for item in items.into_iter().rev() {
                let Value::Map(entries) = item.value else { return None };
                brought.extend(entries);
            }
            Some(brought)
        }
        _ => None,
    }
}

/// How many nodes and levels a node is made of.
fn measure(node: &Node) -> (usize, usize) {
    let children: Vec<&Node> = match &node.value {
        Value::List(items) => items.iter().collect(),
        Value::Map(entries) => entries.iter().map(|entry| &entry.node).collect(),
        _ => return (1, 0),
    };
    children
        .into_iter()
        .map(measure)
        .fold((1, 1), |(nodes, depth), (more, deeper)| (nodes + more, depth.max(deeper + 1)))
}

/// The number of the last line that has anything on it, counted as the parser counts.
fn last_line(text: &str) -> usize {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    text.replace("\r\n", "\n").matches(['\n', '\r']).count() + 1
}

/// The first character that YAML 1.1 does not allow, with its line.
fn unprintable(text: &str) -> Option<(usize, char)> {
    let mut line = 1;
    for character in text.chars() {
        match character {
            '\n' => line += 1,
            '\t' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' => {}
            '\u{10000}'.. => {}
            other => return Some((line, other)),
        }
    }
    None
}
