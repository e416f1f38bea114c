//! Lines of a bounded length out of a pipe, and the last of them.

use crate::core::sensor::{Heard, KEPT_ERRORS};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// How much of a line that is too long is told.
const BEGINNING: usize = 200;

/// The lines of a pipe.
pub(super) struct Lines<R> {
    pipe: BufReader<R>,
    longest: usize,
    line: Vec<u8>,
    /// The line has become too long; what else comes of it is passed over.
    long: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(pipe: R, longest: usize) -> Self {
        Self { pipe: BufReader::new(pipe), longest, line: Vec::new(), long: false }
    }

    /// The next line; nothing at the end. What was read of a line stays when nobody waits for it any more.
    pub(super) async fn next(&mut self) -> Option<Heard> {
        loop {
            let read = self.pipe.fill_buf().await.unwrap_or_default();
            if read.is_empty() {
                let left = !self.line.is_empty() || self.long;
                return left.then(|| self.take());
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            let part = &read[..end.unwrap_or(read.len())];
            let room = self.longest.saturating_sub(self.line.len());
            self.long |= part.len() > room;
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            let used = end.map_or(read.len(), |end| end + 1);
            self.pipe.consume(used);
            if end.is_some() {
                return Some(self.take());
            }
        }
    }

    fn take(&mut self) -> Heard {
        let (line, long) = (std::mem::take(&mut self.line), std::mem::take(&mut self.long));
        let shown = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(BEGINNING)]).into_owned();
        if long {
            return Heard::TooLong(shown(&line));
        }
        match String::from_utf8(line) {
            Ok(text) => Heard::Line(text.trim_end_matches('\r').to_owned()),
            Err(error) => Heard::NotText(shown(error.as_bytes())),
        }
    }
}

/// The last lines of standard error.
#[derive(Debug, Default)]
pub(super) struct LastLines {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    fresh: bool,
}

impl LastLines {
    /// The longest that is kept of one.
    pub(super) const LONGEST: usize = 500;

    pub(super) fn add(&self, line: Heard) {
        let (Heard::Line(text) | Heard::TooLong(text) | Heard::NotText(text)) = line;
        let mut kept = self.kept();
        kept.lines.push_back(text);
        while kept.lines.len() > KEPT_ERRORS {
            kept.lines.pop_front();
        }
        kept.fresh = true;
    }

    /// The lines, where others have come since this was asked last.
    pub(super) fn news(&self) -> Option<Vec<String>> {
        let mut kept = self.kept();
        std::mem::take(&mut kept.fresh).then(|| kept.lines.iter().cloned().collect())
    }

    /// What was asked for last could not be told.
    pub(super) fn again(&self) {
        self.kept().fresh = true;
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.kept().lines.iter().cloned().collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
