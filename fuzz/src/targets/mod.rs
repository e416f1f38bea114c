//! A function for each thing that takes text or bytes from outside. It feeds one input to it and asserts what that thing promises, beyond
//! not to panic. Bytes that are no UTF-8 are replaced where text is due, so that no input is wasted.

mod alias;
mod config;
mod content;
mod control;
mod frame;
mod host;
mod markdown;
mod record;
mod template;
mod yaml;
mod yaql;

/// Feeds one input to a target and asserts what it promises.
pub(crate) type Check = fn(&[u8]);

/// Every target by its name, which is also the name of its corpus.
pub(crate) const TARGETS: [(&str, Check); 11] = [
    ("alias", alias::check),
    ("config", config::check),
    ("content", content::check),
    ("control", control::check),
    ("frame", frame::check),
    ("host", host::check),
    ("markdown", markdown::check),
    ("record", record::check),
    ("template", template::check),
    ("yaml", yaml::check),
    ("yaql", yaql::check),
];

/// The input as text.
fn text(data: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// Asserts that a line, if there is one, is a line of the text or the one behind its end. A return that stands alone ends a line too.
fn inside(line: Option<usize>, text: &str) {
    if let Some(line) = line {
        let last = text.replace("\r\n", "\n").split(['\n', '\r']).count();
        assert!(line >= 1, "lines count from 1");
        assert!(line <= last, "line {line} of {last}");
    }
}
