//! How a command ends when it does not end well.

use crate::adapters::control::ControlError;
use std::io;

/// A command's bad end, by whose fault it is.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The asking was wrong.
    Wrong(String),
    /// The thing asked for failed.
    Failed(String),
    /// The same, and what was printed says so already.
    Shown,
    /// Nothing is wrong, but not all that was asked for is built; what was printed says what.
    NotBuilt,
    /// Whoever reads our output has had enough of it, which is no failure at all.
    Enough,
}

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::Wrong(_) => 2,
            Failure::Failed(_) | Failure::Shown => 1,
            Failure::NotBuilt => 3,
            Failure::Enough => 0,
        }
    }

    pub(crate) fn sentence(&self) -> Option<&str> {
        match self {
            Failure::Wrong(sentence) | Failure::Failed(sentence) => Some(sentence),
            Failure::Shown | Failure::NotBuilt | Failure::Enough => None,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Enough,
            _ => Failure::Failed(format!("cannot write the output: {error}")),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Failed(told_once(&error))
    }
}

/// An error and its causes, those left out that a sentence before them holds already.
fn told_once(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told {
        told if told.is_empty() => cause,
        told if told.contains(&cause) => told,
        told => format!("{told}: {cause}"),
    })
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Denied { .. } => Failure::Wrong(error.to_string()),
            ControlError::NotRunning { .. }
            | ControlError::Version { .. }
            | ControlError::Gone
            | ControlError::Silent
            | ControlError::Failed { .. } => Failure::Failed(error.to_string()),
        }
    }
}
