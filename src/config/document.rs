//! A TOML document walked key by key. Whoever asks for a key makes it known; what nobody asked for is reported when the section closes.

use crate::core::content::diagnostic::{Diagnostic, Severity};
use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text of a file with the problems found in it so far.
pub(super) struct Document<'t> {
    file: String,
    text: &'t str,
    problems: RefCell<Vec<Diagnostic>>,
}

/// A value with the place where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot<T> {
    pub(super) value: T,
    pub(super) line: Option<usize>,
    pub(super) key_path: String,
}

impl<T> Spot<T> {
    /// The same place with another value.
    pub(super) fn with<U>(&self, value: U) -> Spot<U> {
        Spot { value, line: self.line, key_path: self.key_path.clone() }
    }
}

impl<'t> Document<'t> {
    pub(super) fn new(file: String, text: &'t str) -> Self {
        Self { file, text, problems: RefCell::new(Vec::new()) }
    }

    /// Parses the text; what is not TOML is reported, the rest is gone through all the same.
    pub(super) fn parse(&self) -> Spanned<DeTable<'t>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        let mut last = None;
        for error in errors {
            let line = error.span().map(|span| self.line(&span));
            // One slip of the pen upsets the parser several times on the same line; the first complaint is the one that helps.
            if last.is_some() && last == line {
                continue;
            }
            last = line;
            self.problem(&Spot { value: (), line, key_path: String::new() }, sentence(error.message()), None);
        }
        table
    }

    /// The file, as it is named in messages.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Whether something has been reported at this key.
    pub(super) fn complained(&self, key_path: &str) -> bool {
        self.problems.borrow().iter().any(|problem| problem.key_path == key_path)
    }

    /// Whether anything has been reported.
    pub(super) fn broken(&self) -> bool {
        !self.problems.borrow().is_empty()
    }

    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }

    /// Reports an error.
    pub(super) fn problem<T>(&self, at: &Spot<T>, message: impl Into<String>, suggestion: Option<String>) {
        self.report(Severity::Error, at, message.into(), suggestion);
    }

    /// Reports something that is probably not as meant.
    pub(super) fn warning<T>(&self, at: &Spot<T>, message: impl Into<String>, suggestion: Option<String>) {
        self.report(Severity::Warning, at, message.into(), suggestion);
    }

    /// Makes a diagnostic of this file without reporting it.
    pub(super) fn diagnostic<T>(
        &self,
        severity: Severity,
        at: &Spot<T>,
        message: String,
        suggestion: Option<String>,
    ) -> Diagnostic {
        Diagnostic {
            file: self.file.clone(),
            line: at.line,
            key_path: at.key_path.clone(),
            severity,
            message,
            suggestion,
        }
    }

    fn report(&self, severity: Severity, at: &Spot<impl Sized>, message: String, suggestion: Option<String>) {
        let diagnostic = self.diagnostic(severity, at, message, suggestion);
        self.problems.borrow_mut().push(diagnostic);
    }

    /// Everything reported, in the order of the file.
    pub(super) fn into_problems(self) -> Vec<Diagnostic> {
        let mut problems = self.problems.into_inner();
        problems.sort_by(|a, b| (a.line, &a.key_path).cmp(&(b.line, &b.key_path)));
        problems
    }
}

/// A table of the document, read key by key.
pub(super) struct Section<'d, 't> {
    document: &'d Document<'t>,
    table: &'d DeTable<'t>,
    /// Where the table is written; its key path is the path of the table.
    pub(super) place: Spot<()>,
    known: RefCell<Vec<&'static str>>,
}

type Value<'d, 't> = Spot<&'d DeValue<'t>>;

impl<'d, 't> Section<'d, 't> {
    pub(super) fn root(document: &'d Document<'t>, table: &'d DeTable<'t>) -> Self {
        let place = Spot { value: (), line: None, key_path: String::new() };
        Self { document, table, place, known: RefCell::default() }
    }

    fn inner(document: &'d Document<'t>, value: &Value<'d, 't>) -> Option<Self> {
        match value.value {
            DeValue::Table(table) => Some(Self { document, table, place: value.with(()), known: RefCell::default() }),
            other => {
                document.problem(value, wanted("a table", other), None);
                None
            }
        }
    }

    fn take(&self, key: &'static str) -> Option<Value<'d, 't>> {
        self.known.borrow_mut().push(key);
        self.find(key)
    }

    fn find(&self, key: &str) -> Option<Value<'d, 't>> {
        let (name, value) = self.table.get_key_value(key)?;
        Some(Spot { value: value.get_ref(), line: Some(self.document.line(&name.span())), key_path: self.path(key) })
    }

    fn path(&self, key: &str) -> String {
        if self.place.key_path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place.key_path) }
    }

    /// A section inside this one.
    pub(super) fn section(&self, key: &'static str) -> Option<Section<'d, 't>> {
        Section::inner(self.document, &self.take(key)?)
    }

    /// A list of tables, `[[key]]`.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'d, 't>> {
        self.items(key).iter().filter_map(|item| Section::inner(self.document, item)).collect()
    }

    /// All keys of a table whose keys are names that the site chose.
    pub(super) fn named(&self) -> Vec<(String, Value<'d, 't>)> {
        self.table
            .iter()
            .map(|(name, value)| {
                let spot = Spot {
                    value: value.get_ref(),
                    line: Some(self.document.line(&name.span())),
                    key_path: self.path(name.get_ref()),
                };
                (name.get_ref().clone().into_owned(), spot)
            })
            .collect()
    }

    /// The items of a list, each with its own place.
    pub(super) fn items(&self, key: &'static str) -> Vec<Value<'d, 't>> {
        self.take(key).map(|value| items(self.document, &value)).unwrap_or_default()
    }

    pub(super) fn string(&self, key: &'static str) -> Option<Spot<String>> {
        text(self.document, &self.take(key)?)
    }

    /// A list of strings; absent is not the same as empty.
    pub(super) fn strings(&self, key: &'static str) -> Option<Spot<Vec<Spot<String>>>> {
        let value = self.take(key)?;
        Some(value.with(texts(self.document, &value)))
    }

    /// A whole number within bounds.
    pub(super) fn number(&self, key: &'static str, bounds: Range<u64>) -> Option<Spot<u64>> {
        let value = self.take(key)?;
        let number = match value.value {
            DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
            other => {
                self.document.problem(&value, wanted("a whole number", other), None);
                return None;
            }
        };
        match number {
            Some(number) if bounds.contains(&number) => Some(value.with(number)),
            _ => {
                let said = format!("must be a whole number from {} to {}", bounds.start, bounds.end - 1);
                self.document.problem(&value, said, None);
                None
            }
        }
    }

    /// A time in seconds, whole or not.
    pub(super) fn seconds(&self, key: &'static str, bounds: Range<u64>) -> Option<Spot<Duration>> {
        let value = self.take(key)?;
        let seconds = match value.value {
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|n| n as f64),
            DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
            DeValue::String(_) => {
                let hint = Some(format!("write `{key} = 30` for half a minute"));
                self.document.problem(&value, "must be a number of seconds, not a string", hint);
                return None;
            }
            other => {
                self.document.problem(&value, wanted("a number of seconds", other), None);
                return None;
            }
        };
        let within = seconds.filter(|seconds| *seconds >= bounds.start as f64 && *seconds < bounds.end as f64);
        match within.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            Some(duration) => Some(value.with(duration)),
            None => {
                let said = format!("must be from {} to {} seconds", bounds.start, bounds.end - 1);
                self.document.problem(&value, said, None);
                None
            }
        }
    }

    /// Says that a key exists in the world of ours but must not be written here, and why.
    pub(super) fn refuse(&self, key: &'static str, message: &str, suggestion: &str) {
        if let Some(value) = self.find(key) {
            self.known.borrow_mut().push(key);
            self.document.problem(&value, message, Some(suggestion.to_owned()));
        }
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn close(self) {
        let known = self.known.into_inner();
        for (name, _) in self.table.iter() {
            if known.iter().any(|key| *key == name.get_ref()) {
                continue;
            }
            let key_path = if self.place.key_path.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{}.{}", self.place.key_path, name.get_ref())
            };
            let at = Spot { value: (), line: Some(self.document.line(&name.span())), key_path };
            let hint = match closest(name.get_ref(), &known) {
                Some(key) => format!("did you mean `{key}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            self.document.problem(&at, "unknown key", Some(hint));
        }
    }

    pub(super) fn document(&self) -> &'d Document<'t> {
        self.document
    }
}

/// The items of a list with their places.
pub(super) fn items<'d, 't>(document: &Document<'t>, value: &Value<'d, 't>) -> Vec<Value<'d, 't>> {
    match value.value {
        DeValue::Array(array) => array
            .iter()
            .enumerate()
            .map(|(index, item)| Spot {
                value: item.get_ref(),
                line: Some(document.line(&item.span())),
                key_path: format!("{}[{index}]", value.key_path),
            })
            .collect(),
        other => {
            document.problem(value, wanted("a list", other), None);
            Vec::new()
        }
    }
}

/// The strings of a list; what is none is reported and left out.
pub(super) fn texts<'d, 't>(document: &Document<'t>, value: &Value<'d, 't>) -> Vec<Spot<String>> {
    if let DeValue::String(one) = value.value {
        let hint = Some(format!("write [\"{one}\"]"));
        document.problem(value, "must be a list of strings, not a string", hint);
        return Vec::new();
    }
    items(document, value).iter().filter_map(|item| text(document, item)).collect()
}

/// A string.
pub(super) fn text<'d, 't>(document: &Document<'t>, value: &Value<'d, 't>) -> Option<Spot<String>> {
    match value.value {
        DeValue::String(string) => Some(value.with(string.clone().into_owned())),
        other => {
            document.problem(value, wanted("a string", other), None);
            None
        }
    }
}

/// A table that stands as a value.
pub(super) fn table<'d, 't>(document: &'d Document<'t>, value: &Value<'d, 't>) -> Option<Section<'d, 't>> {
    Section::inner(document, value)
}

fn wanted(what: &str, is: &DeValue<'_>) -> String {
    let found = match is {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    format!("must be {what}, not {found}")
}

/// The word that was probably meant.
pub(super) fn closest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let written = written.to_lowercase().replace('-', "_");
    known
        .iter()
        .map(|key| (strsim::damerau_levenshtein(&written, key), *key))
        .filter(|(distance, key)| *distance <= 1 + key.len() / 5)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, key)| key)
}

/// The parser's words as one line without a full stop.
fn sentence(message: &str) -> String {
    let line = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    format!("not TOML: {}", line.trim_end_matches('.'))
}
