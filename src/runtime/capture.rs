//! Streams of output on their way into blobs, and what is seen of them live. Every runner uses it; it knows only ports.

use super::ports::{BlobWriter, Blobs, StoreError};
use crate::core::action::capture::{LineCutter, Outline, TAIL_LINES, inline};
use crate::core::action::run::{Captured, INLINE_OUTPUT, Progress, RunNews, TailLine};
use crate::core::id::Host;
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// The least time between two [`RunNews::Progress`].
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// What is read at once: most streams bring a line or none, and a run has two for each of its hosts.
const LEAST_CHUNK: usize = 512;
/// The same for a stream that brings more.
const MOST_CHUNK: usize = 32 * 1024;

/// How many more bytes a host may write before the rest is dropped; both streams draw on it.
#[derive(Debug)]
pub struct Allowance(AtomicU64);

impl Allowance {
    /// An allowance of so many bytes.
    pub fn new(bytes: u64) -> Self {
        Self(AtomicU64::new(bytes))
    }

    fn draw(&self, bytes: usize) -> usize {
        let wish = bytes as u64;
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(wish)));
        let granted = before.unwrap_or(0).min(wish);
        usize::try_from(granted).unwrap_or(bytes)
    }
}

/// The live side of a run: counters and the newest lines of all hosts.
#[derive(Debug, Default)]
pub struct Live {
    seen: Mutex<Seen>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Seen {
    lines: u64,
    bytes: u64,
    tail: VecDeque<TailLine>,
}

impl Live {
    fn note(&self, host: &Host, bytes: &[u8], lines: Vec<String>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.bytes += bytes.len() as u64;
        seen.lines += bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        seen.tail.extend(lines.into_iter().map(|text| TailLine { host: host.clone(), text }));
        let over = seen.tail.len().saturating_sub(TAIL_LINES);
        seen.tail.drain(..over);
        drop(seen);
        self.changed.notify_one();
    }

    fn snapshot(&self) -> Progress {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Progress { lines: seen.lines, bytes: seen.bytes, tail: seen.tail.iter().cloned().collect() }
    }

    /// Sends a snapshot whenever something changed, at most twice a second. Never returns: it is raced with the run.
    pub async fn report(&self, news: &mpsc::Sender<RunNews>) -> std::convert::Infallible {
        loop {
            self.changed.notified().await;
            // The receiver may be gone; the run goes on all the same.
            let _ = news.send(RunNews::Progress(self.snapshot())).await;
            tokio::time::sleep(PROGRESS_EVERY).await;
        }
    }
}

/// One stream of one host's command.
pub struct Stream<'a> {
    /// Where it is written.
    pub host: &'a Host,
    /// Where long ones go.
    pub blobs: &'a dyn Blobs,
    /// How much may be kept.
    pub allowance: &'a Allowance,
    /// Who watches.
    pub live: &'a Live,
}

impl Stream<'_> {
    /// Reads to the end of the stream, or until it is `abandoned`.
    pub async fn read(&self, from: impl AsyncRead, abandoned: &CancellationToken) -> Captured {
        let mut from = pin!(from);
        let mut keeper = Keeper::new(self.blobs);
        let mut cutter = LineCutter::default();
        let mut chunk = vec![0; LEAST_CHUNK];
        loop {
            let length = tokio::select! {
                read = from.read(&mut chunk) => match read {
                    Ok(length) if length > 0 => length,
                    Ok(_) | Err(_) => break,
                },
                () = abandoned.cancelled() => break,
            };
            let bytes = &chunk[..length];
            self.live.note(self.host, bytes, cutter.push(bytes));
            keeper.push(bytes, self.allowance.draw(length)).await;
            if length == chunk.len() && length < MOST_CHUNK {
                chunk.resize(MOST_CHUNK.min(length * 8), 0);
            }
        }
        if let Some(line) = cutter.finish() {
            self.live.note(self.host, &[], vec![line]);
        }
        keeper.finish().await
    }
}

/// Keeps bytes inline until they are too many, then in a blob.
struct Keeper<'a> {
    blobs: &'a dyn Blobs,
    outline: Outline,
    place: Place,
}

enum Place {
    Memory(Vec<u8>),
    Blob(Box<dyn BlobWriter>),
    /// The blob could not be written.
    Lost(String),
}

impl<'a> Keeper<'a> {
    fn new(blobs: &'a dyn Blobs) -> Self {
        Self { blobs, outline: Outline::default(), place: Place::Memory(Vec::new()) }
    }

    async fn push(&mut self, bytes: &[u8], kept: usize) {
        self.outline.push(bytes, kept);
        let dropped = kept < bytes.len();
        let bytes = &bytes[..kept];
        let result = match &mut self.place {
            // What has lost something becomes a blob, however short: only that can say so.
            Place::Memory(held) if held.len() + bytes.len() <= INLINE_OUTPUT && !dropped => {
                held.extend_from_slice(bytes);
                Ok(())
            }
            Place::Memory(held) => {
                held.extend_from_slice(bytes);
                let held = std::mem::take(held);
                self.open(&held).await
            }
            Place::Blob(writer) => writer.write(bytes).await,
            Place::Lost(_) => Ok(()),
        };
        if let Err(error) = result {
            self.place = Place::Lost(error.to_string());
        }
    }

    async fn open(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let mut writer = self.blobs.create().await?;
        writer.write(bytes).await?;
        self.place = Place::Blob(writer);
        Ok(())
    }

    async fn finish(mut self) -> Captured {
        if let Place::Memory(held) = &self.place {
            if let Some(short) = inline(held) {
                return short;
            }
            // Short as bytes and long as text: every invalid byte has become three.
            let held = held.clone();
            if let Err(error) = self.open(&held).await {
                self.place = Place::Lost(error.to_string());
            }
        }
        match self.place {
            Place::Blob(writer) => match writer.finish().await {
                Ok(blob) => self.outline.in_blob(blob),
                Err(error) => self.outline.alone(&error.to_string()),
            },
            Place::Lost(why) => self.outline.alone(&why),
            Place::Memory(_) => self.outline.alone("it was never written"),
        }
    }
}
