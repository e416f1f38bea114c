//! Lines of JSON over a stream, with limits.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The version of the protocol. A change that an older peer would misread gets another number.
pub(super) const VERSION: u32 = 1;
/// The longest question.
pub(super) const LONGEST_ASK: u64 = 1024 * 1024;
/// The longest answer.
pub(super) const LONGEST_ANSWER: u64 = 256 * 1024 * 1024;

/// The first line of the server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Greeting {
    /// The version of the protocol.
    #[serde(rename = "halcyon-control")]
    pub(super) version: u32,
}

/// Why a line could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    /// The other side has gone.
    #[error("the connection has ended")]
    Ended,
    /// The other side sends without end.
    #[error("the line is longer than {0} bytes")]
    TooLong(u64),
    /// Not what was expected.
    #[error("the line is not understood: {0}")]
    Malformed(serde_json::Error),
    /// The system failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

pub(super) async fn read<T: DeserializeOwned>(
    stream: &mut (impl AsyncBufRead + Unpin),
    longest: u64,
) -> Result<T, LineError> {
    let mut line = Vec::new();
    stream.take(longest + 1).read_until(b'\n', &mut line).await?;
    if line.last() != Some(&b'\n') {
        return Err(if line.len() as u64 > longest { LineError::TooLong(longest) } else { LineError::Ended });
    }
    serde_json::from_slice(&line).map_err(LineError::Malformed)
}

pub(super) async fn write(stream: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await
}
