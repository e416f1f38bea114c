//! What is wrong with a file, said so that the one who wrote it can mend it.

use std::fmt;

/// One problem in one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// The file, as the user would name it.
    pub file: String,
    /// Its line from 1; absent when the whole file is meant.
    pub line: Option<usize>,
    /// Where in the document: `parameters.hosts.type`; empty for the whole document.
    pub key_path: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do: `did you mean "formats"?`.
    pub suggestion: Option<String>,
}

/// Whether the file is in force all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file (or the format) is not in force.
    Error,
    /// It is, but probably not as meant.
    Warning,
    /// It is sound and asks for something that this version does not do.
    NotSupported,
}

impl fmt::Display for Diagnostic {
    /// `aliases/uptime.yaml:3: formts: unknown key; did you mean "formats"?`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        match self.severity {
            Severity::Error => {}
            Severity::Warning => f.write_str("warning: ")?,
            Severity::NotSupported => f.write_str("not supported: ")?,
        }
        if !self.key_path.is_empty() {
            write!(f, "{}: ", self.key_path)?;
        }
        f.write_str(&self.message)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; {suggestion}")?;
        }
        Ok(())
    }
}
