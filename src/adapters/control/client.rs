//! The caller's end of the socket.

use super::wire::{self, Greeting, LONGEST_ANSWER, LineError, VERSION};
use crate::core::effect::Answer;
use crate::core::input::Ask;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long the bot may take for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error("the bot is not running (nobody listens on {}); start it with `halcyon serve`", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
    },
    /// The directory of the socket is closed to this user.
    #[error("this user may not talk to the bot: permission denied for {}", path.display())]
    Denied {
        /// The socket.
        path: PathBuf,
    },
    /// The bot is of another version.
    #[error(
        "the bot that runs speaks version {theirs} of the control protocol and this program version {VERSION}; restart the bot"
    )]
    Version {
        /// What the bot speaks.
        theirs: u32,
    },
    /// It has gone away in the middle.
    #[error("the bot went away before it answered; it is probably stopping")]
    Gone,
    /// It does not answer.
    #[error("the bot does not answer within {} seconds", PATIENCE.as_secs())]
    Silent,
    /// Anything else.
    #[error("cannot talk to the bot over {}: {why}", path.display())]
    Failed {
        /// The socket.
        path: PathBuf,
        /// What happened.
        why: String,
    },
}

/// Asks the bot that listens at `path`.
///
/// # Errors
/// When there is no answer.
pub async fn call(path: &Path, ask: &Ask) -> Result<Answer, ControlError> {
    match timeout(PATIENCE, converse(path, ask)).await {
        Ok(answer) => answer,
        Err(_) => Err(ControlError::Silent),
    }
}

async fn converse(path: &Path, ask: &Ask) -> Result<Answer, ControlError> {
    let failed = |why: String| ControlError::Failed { path: path.to_owned(), why };
    let stream = UnixStream::connect(path).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ControlError::NotRunning { path: path.to_owned() }
        }
        io::ErrorKind::PermissionDenied => ControlError::Denied { path: path.to_owned() },
        _ => failed(error.to_string()),
    })?;
    let line = |error: LineError| match error {
        LineError::Ended => ControlError::Gone,
        error => failed(error.to_string()),
    };
    let mut stream = BufReader::new(stream);
    let greeting: Greeting = wire::read(&mut stream, LONGEST_ANSWER).await.map_err(line)?;
    if greeting.version != VERSION {
        return Err(ControlError::Version { theirs: greeting.version });
    }
    wire::write(&mut stream, ask).await.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ControlError::Gone,
        _ => failed(error.to_string()),
    })?;
    wire::read(&mut stream, LONGEST_ANSWER).await.map_err(line)
}
