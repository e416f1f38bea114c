//! Paths into data, in the dialect of StackStorm's `jsonpath_query`.
//!
//! `$`, names, `*`, indices, slices, `..`, `|`, `where`, `` `this` `` and `` `parent` ``. A bracket binds weakest of all: `$..a[0]` is the first
//! item of every `a`, and `|` binds stronger than a point.

use crate::core::template::python::{DEEPEST, items, kind, refuse, too_deep};
use crate::core::template::render::into_jinja;
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};
use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;

/// Makes one path of two.
type Join = fn(Box<Path>, Box<Path>) -> Path;

/// Bytes of a query.
const LONGEST: usize = 2_000;

/// A path.
#[derive(Debug, Clone)]
pub(crate) enum Path {
    Root,
    This,
    Parent,
    Names(Vec<String>),
    Index(i64),
    Slice(Option<i64>, Option<i64>, Option<i64>),
    Child(Box<Path>, Box<Path>),
    Descendants(Box<Path>, Box<Path>),
    Union(Box<Path>, Box<Path>),
    Where(Box<Path>, Box<Path>),
}

/// Something that a path can lead through; `M` counts the steps, so that every search ends.
pub(crate) trait Tree<M: ?Sized>: Clone {
    /// One step more.
    fn step(meter: &M) -> Result<(), Error>;

    /// What it is, as far as paths go.
    fn shape(&self) -> Shape;

    /// What stands under a name in a map.
    fn child(&self, name: &str) -> Result<Option<Self>, Error>;

    /// What stands in a map, in its order, or the items of a list.
    fn children(&self, meter: &M) -> Result<Vec<Self>, Error>;

    /// The letters of a text.
    fn letters(&self) -> Vec<Self>;

    /// The word for it in what is said to people.
    fn word(&self) -> &'static str;
}

/// Kinds of values that paths tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Map,
    List,
    Text,
    /// A truth value or a number.
    Plain,
    Nothing,
}

impl Tree<State<'_, '_>> for Value {
    fn step(meter: &State<'_, '_>) -> Result<(), Error> {
        meter.consume_fuel(1)
    }

    fn shape(&self) -> Shape {
        match self.kind() {
            ValueKind::Map => Shape::Map,
            ValueKind::Seq | ValueKind::Iterable => Shape::List,
            ValueKind::String => Shape::Text,
            ValueKind::Bool | ValueKind::Number => Shape::Plain,
            _ => Shape::Nothing,
        }
    }

    fn child(&self, name: &str) -> Result<Option<Self>, Error> {
        let found = self.get_item(&Value::from(name))?;
        Ok((!found.is_undefined()).then_some(found))
    }

    fn children(&self, meter: &State<'_, '_>) -> Result<Vec<Self>, Error> {
        match self.kind() {
            ValueKind::Map => items(meter, self)?.iter().map(|key| self.get_item(key)).collect(),
            ValueKind::Seq | ValueKind::Iterable => items(meter, self),
            _ => Ok(Vec::new()),
        }
    }

    fn letters(&self) -> Vec<Self> {
        self.as_str().unwrap_or_default().chars().map(Value::from).collect()
    }

    fn word(&self) -> &'static str {
        kind(self)
    }
}

/// How many more steps a search through plain data may take.
#[derive(Debug)]
pub(crate) struct Steps(Cell<u32>);

impl Steps {
    pub(crate) fn new(most: u32) -> Self {
        Self(Cell::new(most))
    }
}

impl Tree<Steps> for Cow<'_, serde_json::Value> {
    fn step(meter: &Steps) -> Result<(), Error> {
        let left = meter.0.get().checked_sub(1).ok_or_else(|| refuse("the path leads through too much"))?;
        meter.0.set(left);
        Ok(())
    }

    fn shape(&self) -> Shape {
        match self.as_ref() {
            serde_json::Value::Object(_) => Shape::Map,
            serde_json::Value::Array(_) => Shape::List,
            serde_json::Value::String(_) => Shape::Text,
            serde_json::Value::Bool(_) | serde_json::Value::Number(_) => Shape::Plain,
            serde_json::Value::Null => Shape::Nothing,
        }
    }

    fn child(&self, name: &str) -> Result<Option<Self>, Error> {
        Ok(match self {
            Cow::Borrowed(value) => value.get(name).map(Cow::Borrowed),
            Cow::Owned(value) => value.get(name).cloned().map(Cow::Owned),
        })
    }

    fn children(&self, meter: &Steps) -> Result<Vec<Self>, Error> {
        let mut found = Vec::new();
        let mut add = |child| {
            <Self as Tree<Steps>>::step(meter)?;
            found.push(child);
            Ok::<(), Error>(())
        };
        match self {
            Cow::Borrowed(serde_json::Value::Object(map)) => {
                map.values().try_for_each(|item| add(Cow::Borrowed(item)))?
            }
            Cow::Borrowed(serde_json::Value::Array(list)) => {
                list.iter().try_for_each(|item| add(Cow::Borrowed(item)))?
            }
            Cow::Owned(serde_json::Value::Object(map)) => {
                map.values().try_for_each(|item| add(Cow::Owned(item.clone())))?;
            }
            Cow::Owned(serde_json::Value::Array(list)) => {
                list.iter().try_for_each(|item| add(Cow::Owned(item.clone())))?
            }
            _ => {}
        }
        Ok(found)
    }

    fn letters(&self) -> Vec<Self> {
        let letters = self.as_str().unwrap_or_default().chars();
        letters.map(|letter| Cow::Owned(serde_json::Value::from(letter.to_string()))).collect()
    }

    fn word(&self) -> &'static str {
        kind(&into_jinja(self))
    }
}

/// A value that was found, and what it was found in.
#[derive(Debug, Clone)]
struct Place<T> {
    value: T,
    parent: Option<Rc<Place<T>>>,
}

fn inside<T>(parent: &Rc<Place<T>>, value: T) -> Rc<Place<T>> {
    Rc::new(Place { value, parent: Some(Rc::clone(parent)) })
}

impl Path {
    /// Everything that the path leads to.
    pub(crate) fn find<M: ?Sized, T: Tree<M>>(&self, meter: &M, value: &T) -> Result<Vec<T>, Error> {
        let root = Rc::new(Place { value: value.clone(), parent: None });
        Ok(self.from(meter, &root)?.iter().map(|place| place.value.clone()).collect())
    }

    /// The names that a path leads along, where it does nothing else.
    pub(crate) fn straight(&self) -> Option<Vec<&str>> {
        match self {
            Self::Names(names) => match names.as_slice() {
                [name] if name != "*" => Some(vec![name]),
                _ => None,
            },
            Self::Child(left, right) => {
                let mut names = left.straight()?;
                names.extend(right.straight()?);
                Some(names)
            }
            Self::Root
            | Self::This
            | Self::Parent
            | Self::Index(_)
            | Self::Slice(..)
            | Self::Descendants(..)
            | Self::Union(..)
            | Self::Where(..) => None,
        }
    }

    fn from<M: ?Sized, T: Tree<M>>(&self, meter: &M, place: &Rc<Place<T>>) -> Result<Vec<Rc<Place<T>>>, Error> {
        T::step(meter)?;
        Ok(match self {
            Self::Root => {
                let mut root = place;
                while let Some(parent) = &root.parent {
                    root = parent;
                }
                vec![Rc::clone(root)]
            }
            Self::This => vec![Rc::clone(place)],
            Self::Parent => place.parent.iter().cloned().collect(),
            Self::Names(_) if place.value.shape() != Shape::Map => Vec::new(),
            Self::Names(names) if names.iter().any(|name| name == "*") => {
                place.value.children(meter)?.into_iter().map(|value| inside(place, value)).collect()
            }
            Self::Names(names) => {
                let found = names.iter().map(|name| place.value.child(name)).collect::<Result<Vec<_>, _>>()?;
                found.into_iter().flatten().map(|value| inside(place, value)).collect()
            }
            Self::Index(index) => {
                let all = sequence(meter, &place.value)?;
                let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
                if count <= *index {
                    return Ok(Vec::new());
                }
                let at = if *index < 0 { count + index } else { *index };
                let found = usize::try_from(at).ok().and_then(|at| all.get(at).cloned());
                vec![inside(place, found.ok_or_else(|| refuse(format!("there is no item {index}")))?)]
            }
            Self::Slice(start, end, step) => {
                let single = matches!(place.value.shape(), Shape::Map | Shape::Text | Shape::Plain);
                // One thing counts as a list of it.
                let all = if single { vec![place.value.clone()] } else { sequence(meter, &place.value)? };
                slice(all.len(), *start, *end, *step)?.into_iter().map(|at| inside(place, all[at].clone())).collect()
            }
            Self::Child(left, right) => {
                let mut found = Vec::new();
                for place in left.from(meter, place)? {
                    found.extend(right.from(meter, &place)?);
                }
                found
            }
            Self::Descendants(left, right) => {
                let mut found = Vec::new();
                for place in left.from(meter, place)? {
                    right.below(meter, &place, 0, &mut found)?;
                }
                found
            }
            Self::Union(left, right) => {
                let mut found = left.from(meter, place)?;
                found.extend(right.from(meter, place)?);
                found
            }
            Self::Where(left, right) => {
                let mut found = Vec::new();
                for place in left.from(meter, place)? {
                    if !right.from(meter, &place)?.is_empty() {
                        found.push(place);
                    }
                }
                found
            }
        })
    }

    fn below<M: ?Sized, T: Tree<M>>(
        &self,
        meter: &M,
        place: &Rc<Place<T>>,
        depth: usize,
        found: &mut Vec<Rc<Place<T>>>,
    ) -> Result<(), Error> {
        if depth > DEEPEST {
            return Err(too_deep());
        }
        // What is no list has no items, here as well.
        if !matches!(self, Self::Index(_)) || place.value.shape() == Shape::List {
            found.extend(self.from(meter, place)?);
        }
        for value in place.value.children(meter)? {
            self.below(meter, &inside(place, value), depth + 1, found)?;
        }
        Ok(())
    }
}

fn sequence<M: ?Sized, T: Tree<M>>(meter: &M, value: &T) -> Result<Vec<T>, Error> {
    match value.shape() {
        Shape::Text => Ok(value.letters()),
        Shape::List => value.children(meter),
        Shape::Map | Shape::Plain | Shape::Nothing => Err(refuse(format!("{} has no items to count", value.word()))),
    }
}

/// The places that Python's slice picks.
fn slice(length: usize, start: Option<i64>, end: Option<i64>, step: Option<i64>) -> Result<Vec<usize>, Error> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(refuse("the step of a slice cannot be 0"));
    }
    let (lowest, highest) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let clamp = |at: i64| (if at < 0 { at.saturating_add(length) } else { at }).clamp(lowest, highest);
    let mut at = start.map_or(if step > 0 { 0 } else { length - 1 }, clamp);
    let end = end.map_or(if step > 0 { length } else { -1 }, clamp);
    let mut places = Vec::new();
    while (step > 0 && at < end) || (step < 0 && at > end) {
        places.extend(usize::try_from(at).ok());
        at = at.saturating_add(step);
    }
    Ok(places)
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Named(String),
    Number(i64),
    DoublePoint,
    Sign(char),
}

/// Reads a query.
pub(crate) fn read(query: &str) -> Result<Path, String> {
    if query.len() > LONGEST {
        return Err(format!("a path may have {LONGEST} bytes"));
    }
    let mut reader = Reader { tokens: tokens(query)?, at: 0, depth: 0 };
    let path = reader.path(0)?;
    match reader.tokens.get(reader.at) {
        None => Ok(path),
        Some(_) => Err("the path goes on where it should end".into()),
    }
}

fn tokens(query: &str) -> Result<Vec<Token>, String> {
    let characters: Vec<char> = query.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&character) = characters.get(at) {
        at += 1;
        let rest = &characters[at..];
        match character {
            blank if blank.is_whitespace() => {}
            '.' if rest.first() == Some(&'.') => {
                at += 1;
                found.push(Token::DoublePoint);
            }
            '"' | '\'' | '`' => {
                let mut text = String::new();
                loop {
                    let next = *characters.get(at).ok_or("a quote is not closed")?;
                    at += 1;
                    match next {
                        '\\' => {
                            text.push(*characters.get(at).ok_or("a quote is not closed")?);
                            at += 1;
                        }
                        end if end == character => break,
                        other => text.push(other),
                    }
                }
                found.push(if character == '`' { Token::Named(text) } else { Token::Quoted(text) });
            }
            first if first.is_ascii_digit() || (first == '-' && rest.first().is_some_and(char::is_ascii_digit)) => {
                let digits = rest.iter().take_while(|digit| digit.is_ascii_digit()).count();
                let text: String = characters[at - 1..at + digits].iter().collect();
                at += digits;
                found.push(Token::Number(text.parse().map_err(|_| format!("{text} is too large"))?));
            }
            first if first.is_ascii_alphabetic() || matches!(first, '_' | '@') => {
                let word = |letter: &&char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '@');
                let length = rest.iter().take_while(word).count();
                found.push(Token::Word(characters[at - 1..at + length].iter().collect()));
                at += length;
            }
            '$' | '.' | '*' | '[' | ']' | '(' | ')' | ',' | ':' | '|' | '&' => found.push(Token::Sign(character)),
            other => return Err(format!("`{other}` is not known in a path")),
        }
    }
    Ok(found)
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Reader {
    fn takes(&mut self, wanted: &Token) -> bool {
        let here = self.tokens.get(self.at) == Some(wanted);
        self.at += usize::from(here);
        here
    }

    fn expects(&mut self, sign: char) -> Result<(), String> {
        if self.takes(&Token::Sign(sign)) { Ok(()) } else { Err(format!("the path lacks a `{sign}`")) }
    }

    fn path(&mut self, weakest: u8) -> Result<Path, String> {
        self.depth += 1;
        if self.depth > 50 {
            return Err("the path is nested too deep".into());
        }
        let mut left = self.first()?;
        loop {
            let (strength, make): (u8, Join) = match self.tokens.get(self.at) {
                Some(Token::Sign('[')) if weakest == 0 => {
                    let index = self.bracket()?;
                    left = Path::Child(Box::new(left), Box::new(index));
                    continue;
                }
                Some(Token::DoublePoint) => (2, Path::Descendants),
                Some(Token::Sign('.')) => (3, Path::Child),
                Some(Token::Sign('|')) => (4, Path::Union),
                Some(Token::Sign('&')) => return Err("`&` is not offered".into()),
                Some(Token::Word(word)) if word == "where" => (6, Path::Where),
                _ => break,
            };
            if strength < weakest {
                break;
            }
            self.at += 1;
            let right = self.path(strength + 1)?;
            left = make(Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn first(&mut self) -> Result<Path, String> {
        let token = self.tokens.get(self.at).cloned().ok_or("the path ends too early")?;
        match token {
            Token::Sign('$') => {
                self.at += 1;
                Ok(Path::Root)
            }
            Token::Sign('(') => {
                self.at += 1;
                let path = self.path(0)?;
                self.expects(')')?;
                Ok(path)
            }
            Token::Sign('[') => self.bracket(),
            Token::Named(name) => {
                self.at += 1;
                match name.as_str() {
                    "this" => Ok(Path::This),
                    "parent" => Ok(Path::Parent),
                    other => Err(format!("`{other}` is not offered")),
                }
            }
            _ => self.names(),
        }
    }

    fn names(&mut self) -> Result<Path, String> {
        let mut names = Vec::new();
        loop {
            match self.tokens.get(self.at).cloned() {
                Some(Token::Word(name)) if name != "where" => names.push(name),
                Some(Token::Quoted(name)) => names.push(name),
                Some(Token::Sign('*')) => names.push("*".into()),
                _ => return Err("the path lacks a name".into()),
            }
            self.at += 1;
            if !self.takes(&Token::Sign(',')) {
                return Ok(Path::Names(names));
            }
        }
    }

    fn number(&mut self) -> Option<i64> {
        let Some(Token::Number(number)) = self.tokens.get(self.at) else { return None };
        self.at += 1;
        Some(*number)
    }

    fn bracket(&mut self) -> Result<Path, String> {
        self.expects('[')?;
        let path = match self.tokens.get(self.at) {
            Some(Token::Sign('*')) => {
                self.at += 1;
                Path::Slice(None, None, None)
            }
            Some(Token::Number(_) | Token::Sign(':')) => {
                let start = self.number();
                if self.takes(&Token::Sign(':')) {
                    let end = self.number();
                    let step = if self.takes(&Token::Sign(':')) { self.number() } else { None };
                    Path::Slice(start, end, step)
                } else {
                    Path::Index(start.unwrap_or_default())
                }
            }
            _ => self.names()?,
        };
        self.expects(']')?;
        Ok(path)
    }
}
