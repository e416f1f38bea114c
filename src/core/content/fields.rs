//! Reading a map key by key, with a diagnostic for everything that is not as it should be.
//!
//! A key set to nothing counts as a key that is not there, as in StackStorm.

use super::diagnostic::{Diagnostic, Severity};
use super::suggest::did_you_mean;
use super::yaml::{Entry, Node, Value};
use serde_json::Map;

/// The problems of one file, as they are found.
pub(crate) struct Report<'f> {
    file: &'f str,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'f> Report<'f> {
    pub(crate) fn new(file: &'f str) -> Self {
        Self { file, diagnostics: Vec::new() }
    }

    /// The file under report, as shown in messages.
    pub(crate) fn file(&self) -> &'f str {
        self.file
    }

    pub(crate) fn error(&mut self, line: Option<usize>, path: &str, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Error, line, path, message)
    }

    pub(crate) fn warning(&mut self, line: Option<usize>, path: &str, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Warning, line, path, message)
    }

    pub(crate) fn not_supported(
        &mut self,
        line: Option<usize>,
        path: &str,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::NotSupported, line, path, message)
    }

    /// Whether anything was found that keeps the file out of force.
    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    fn add(
        &mut self,
        severity: Severity,
        line: Option<usize>,
        path: &str,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.diagnostics.push(Diagnostic {
            file: self.file.to_owned(),
            line,
            key_path: path.to_owned(),
            severity,
            message: message.into(),
            suggestion: None,
        });
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }
}

/// A map of the file and the path that leads to it.
pub(crate) struct Table<'n> {
    pub(crate) entries: &'n [Entry],
    /// Where the map starts; absent for the document itself, so that a missing key is a matter of the whole file.
    pub(crate) line: Option<usize>,
    pub(crate) path: String,
}

impl<'n> Table<'n> {
    /// The document, which has to be a map.
    pub(crate) fn document(node: &'n Node, report: &mut Report<'_>) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => Some(Self { entries, line: None, path: String::new() }),
            Value::Null => {
                report.error(None, "", "the file is empty");
                None
            }
            _ => {
                report.error(Some(node.line), "", format!("the file has to be a map, and it is {}", node.kind()));
                None
            }
        }
    }

    /// A map somewhere in the document; anything else is an error.
    pub(crate) fn nested(node: &'n Node, line: usize, path: String, report: &mut Report<'_>) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => Some(Self { entries, line: Some(line), path }),
            _ => {
                wrong_kind(node, line, &path, "a map", report);
                None
            }
        }
    }

    /// The path of one of this map's keys.
    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Refuses every key that is not among these.
    pub(crate) fn only(&self, keys: &[&str], report: &mut Report<'_>) {
        for entry in self.unknown(keys) {
            let suggestion = did_you_mean(&entry.key, keys.iter().copied());
            report.error(Some(entry.line), &self.path_of(&entry.key), "unknown key").suggestion = suggestion;
        }
    }

    /// Takes every key, and warns of those that look like a misspelt one of these.
    pub(crate) fn mostly(&self, keys: &[&str], report: &mut Report<'_>) {
        for entry in self.unknown(keys) {
            if let Some(suggestion) = did_you_mean(&entry.key, keys.iter().copied()) {
                report.warning(Some(entry.line), &self.path_of(&entry.key), "unknown key").suggestion =
                    Some(suggestion);
            }
        }
    }

    fn unknown<'k>(&self, keys: &'k [&'k str]) -> impl Iterator<Item = &'n Entry> + use<'n, 'k> {
        self.entries.iter().filter(move |entry| !keys.contains(&entry.key.as_str()))
    }

    /// The entry of a key that is set to something.
    pub(crate) fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == key && entry.node.value != Value::Null)
    }

    pub(crate) fn text(&self, key: &str, report: &mut Report<'_>) -> Option<&'n str> {
        let entry = self.entry(key)?;
        match &entry.node.value {
            Value::Text(text) => Some(text),
            _ => {
                let diagnostic = wrong_kind(&entry.node, entry.line, &self.path_of(key), "text", report);
                if matches!(entry.node.value, Value::Boolean(_) | Value::Number(_)) {
                    diagnostic.suggestion = Some("put quotes around it".to_owned());
                }
                None
            }
        }
    }

    /// A text that has to be there and say something.
    pub(crate) fn required_text(&self, key: &str, report: &mut Report<'_>) -> Option<&'n str> {
        let Some(entry) = self.entry(key) else {
            self.missing(key, report);
            return None;
        };
        let text = self.text(key, report)?;
        if text.trim().is_empty() {
            report.error(Some(entry.line), &self.path_of(key), "must not be empty");
            return None;
        }
        Some(text)
    }

    pub(crate) fn missing(&self, key: &str, report: &mut Report<'_>) {
        let message = format!("the key `{key}` is missing");
        report.error(self.line, &self.path, message);
    }

    pub(crate) fn boolean(&self, key: &str, report: &mut Report<'_>) -> Option<bool> {
        let entry = self.entry(key)?;
        match &entry.node.value {
            Value::Boolean(value) => Some(*value),
            _ => {
                wrong_kind(&entry.node, entry.line, &self.path_of(key), "true or false", report);
                None
            }
        }
    }

    /// A whole number of at least `least`.
    pub(crate) fn whole(&self, key: &str, least: u64, report: &mut Report<'_>) -> Option<u64> {
        let entry = self.entry(key)?;
        let value = match &entry.node.value {
            Value::Number(number) => number.as_u64().filter(|value| *value >= least),
            _ => None,
        };
        if value.is_none() {
            let wanted = format!("a whole number of at least {least}");
            wrong_kind(&entry.node, entry.line, &self.path_of(key), &wanted, report);
        }
        value
    }

    /// One of a few words.
    pub(crate) fn word(&self, key: &str, words: &[&str], report: &mut Report<'_>) -> Option<&'n str> {
        let text = self.text(key, report)?;
        if words.contains(&text) {
            return Some(text);
        }
        let line = self.entry(key).map(|entry| entry.line);
        not_among(line, &self.path_of(key), text, words, report);
        None
    }

    /// A map whose entries are nobody's business here.
    pub(crate) fn free_map(&self, key: &str, report: &mut Report<'_>) -> Map<String, serde_json::Value> {
        match self.table(key, report) {
            Some(table) => table.entries.iter().map(|entry| (entry.key.clone(), entry.node.json())).collect(),
            None => Map::new(),
        }
    }

    /// A map to be read further.
    pub(crate) fn table(&self, key: &str, report: &mut Report<'_>) -> Option<Table<'n>> {
        let entry = self.entry(key)?;
        Table::nested(&entry.node, entry.line, self.path_of(key), report)
    }

    /// A list.
    pub(crate) fn list(&self, key: &str, report: &mut Report<'_>) -> Option<&'n [Node]> {
        let entry = self.entry(key)?;
        match &entry.node.value {
            Value::List(items) => Some(items),
            _ => {
                wrong_kind(&entry.node, entry.line, &self.path_of(key), "a list", report);
                None
            }
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&self, key: &str, report: &mut Report<'_>) -> Vec<&'n str> {
        let mut texts = Vec::new();
        for (index, item) in self.list(key, report).unwrap_or_default().iter().enumerate() {
            match &item.value {
                Value::Text(text) => texts.push(text.as_str()),
                _ => {
                    let path = format!("{}[{index}]", self.path_of(key));
                    wrong_kind(item, item.line, &path, "text", report);
                }
            }
        }
        texts
    }
}

/// Says that a value is of the wrong kind.
pub(crate) fn wrong_kind<'r>(
    node: &Node,
    line: usize,
    path: &str,
    wanted: &str,
    report: &'r mut Report<'_>,
) -> &'r mut Diagnostic {
    let found = match &node.value {
        Value::Number(number) => number.to_string(),
        Value::Boolean(value) => value.to_string(),
        _ => node.kind().to_owned(),
    };
    report.error(Some(line), path, format!("has to be {wanted}, and it is {found}"))
}

/// Says that a word is none of those that are known here.
pub(crate) fn not_among(line: Option<usize>, path: &str, word: &str, words: &[&str], report: &mut Report<'_>) {
    let suggestion = did_you_mean(word, words.iter().copied());
    let list = words.join(", ");
    report.error(line, path, format!("`{}` is none of {list}", shorten(word))).suggestion = suggestion;
}

/// A word of the file as it can stand in a message: one line, not too long.
pub(crate) fn shorten(text: &str) -> String {
    const MOST: usize = 60;
    let mut short: String = text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

/// Checks the name of an action, an alias or a policy, which is the second half of a ref. Only an action's ref is ever typed, so only there
/// blanks are in the way.
pub(crate) fn check_name(table: &Table<'_>, name: &str, blanks: bool, report: &mut Report<'_>) -> bool {
    let line = table.entry("name").map(|entry| entry.line);
    let wrong = name.chars().find(|c| match c {
        ' ' => !blanks,
        '*' | '`' => true,
        other => other.is_control() || other.is_whitespace(),
    });
    if let Some(wrong) = wrong {
        let message = format!("`{}` cannot be a name: it holds {wrong:?}", shorten(name));
        report.error(line, &table.path_of("name"), message);
    }
    wrong.is_none()
}

/// Checks the optional `pack` of a resource: it can only repeat the pack that the file is in.
pub(crate) fn check_pack(table: &Table<'_>, pack: &str, report: &mut Report<'_>) {
    let line = table.entry("pack").map(|entry| entry.line);
    if let Some(said) = table.text("pack", report)
        && said != pack
    {
        let message = format!("says `{}`, and the file is in the pack `{pack}`", shorten(said));
        report.error(line, &table.path_of("pack"), message);
    }
}
