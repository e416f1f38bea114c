//! What is kept of an output stream: its outline while the bytes go elsewhere, and lines fit to be shown.
//!
//! **Nothing is cut in silence**: what is dropped is counted. **Nothing that moves a cursor or turns text around survives into a
//! [`TailLine`](super::run::TailLine).**

use super::run::{Captured, INLINE_OUTPUT};
use crate::core::id::BlobId;
use std::collections::VecDeque;

/// The size of the first and the last lines that stand for a long output.
const OUTLINE: usize = 1500;

/// The longest line of live output, in characters.
const LONGEST_LINE: usize = 500;

/// How many lines of live output are shown.
pub const TAIL_LINES: usize = 20;

/// Bytes and lines of a stream, its beginning and its end. The bytes in between are somebody else's to keep.
#[derive(Debug, Clone, Default)]
pub struct Outline {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    kept: u64,
    dropped: u64,
    line_ends: u64,
    last: Option<u8>,
}

impl Outline {
    /// Takes note of bytes, of which the first `kept` are kept and the rest is dropped.
    pub fn push(&mut self, bytes: &[u8], kept: usize) {
        let kept = kept.min(bytes.len());
        self.kept += kept as u64;
        self.dropped += (bytes.len() - kept) as u64;
        self.line_ends += bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.last = bytes.last().copied().or(self.last);
        let room = OUTLINE.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(room));
        let newest = &bytes[bytes.len().saturating_sub(OUTLINE)..];
        self.tail.extend(newest);
        let over = self.tail.len().saturating_sub(OUTLINE);
        self.tail.drain(..over);
    }

    /// What stands for the stream when all of it is in `blob`.
    pub fn in_blob(&self, blob: BlobId) -> Captured {
        Captured::Blob {
            blob,
            bytes: self.kept,
            lines: self.lines(),
            head: self.first_lines(),
            tail: self.last_lines(),
            dropped: self.dropped,
        }
    }

    /// What stands for the stream when the rest of it could not be kept.
    pub fn alone(&self, why: &str) -> Captured {
        let why: String = why.chars().take(300).collect();
        let middle = format!("[the output between could not be kept: {why}]");
        let text = [self.first_lines(), middle, self.last_lines()].join("\n");
        let end = text.floor_char_boundary(INLINE_OUTPUT);
        Captured::Inline { text: text[..end].to_owned() }
    }

    fn lines(&self) -> u64 {
        let unfinished = self.last.is_some_and(|last| last != b'\n');
        self.line_ends + u64::from(unfinished)
    }

    fn first_lines(&self) -> String {
        let text = String::from_utf8_lossy(&self.head);
        let whole = if self.kept + self.dropped > self.head.len() as u64 {
            text.rfind('\n').map_or(&*text, |end| &text[..end])
        } else {
            &text
        };
        without_last_line_end(whole).to_owned()
    }

    fn last_lines(&self) -> String {
        let bytes: Vec<u8> = self.tail.iter().copied().collect();
        let text = without_last_line_end(&String::from_utf8_lossy(&bytes)).to_owned();
        let cut = self.kept + self.dropped > bytes.len() as u64;
        match text.split_once('\n') {
            Some((_, whole)) if cut => whole.to_owned(),
            _ => text,
        }
    }
}

/// A short stream as it is kept, when it is short enough also as text.
pub fn inline(bytes: &[u8]) -> Option<Captured> {
    let text = String::from_utf8_lossy(bytes);
    let text = without_last_line_end(&text);
    (text.len() <= INLINE_OUTPUT).then(|| Captured::Inline { text: text.to_owned() })
}

/// Takes one line end away, as StackStorm does.
pub(crate) fn without_last_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// Cuts a stream into lines for live show.
#[derive(Debug, Clone, Default)]
pub struct LineCutter {
    open: Vec<u8>,
}

impl LineCutter {
    /// Takes bytes and gives the lines that they end. A lone carriage return ends a line too: progress bars are written with it.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for chunk in bytes.split_inclusive(|&byte| byte == b'\n' || byte == b'\r') {
            let (text, ends) = match chunk.split_last() {
                Some((b'\n' | b'\r', text)) => (text, true),
                _ => (chunk, false),
            };
            // Four bytes are the most that a character takes; what is beyond is not shown anyway, save control sequences.
            let room = (LONGEST_LINE * 8).saturating_sub(self.open.len());
            self.open.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                lines.extend(self.finish());
            }
        }
        lines
    }

    /// Gives the line that has not ended, if there is something in it.
    pub fn finish(&mut self) -> Option<String> {
        let line = showable(&String::from_utf8_lossy(&std::mem::take(&mut self.open)));
        (!line.trim().is_empty()).then_some(line)
    }
}

/// The text as it can be shown in one line: without control sequences and characters, at most 500 characters.
pub fn showable(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars().peekable();
    let mut length = 0;
    while let Some(character) = characters.next() {
        let shown = match character {
            '\u{1b}' => {
                skip_sequence(&mut characters);
                continue;
            }
            '\t' => ' ',
            _ if character.is_control() || turns_text(character) => continue,
            _ => character,
        };
        if length == LONGEST_LINE {
            out.pop();
            out.push('…');
            break;
        }
        out.push(shown);
        length += 1;
    }
    out
}

/// Skips what follows an escape character: a control sequence up to its final byte, a string up to its terminator, or one character.
fn skip_sequence(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match characters.next() {
        Some('[') => {
            for character in characters.by_ref() {
                if ('\u{40}'..='\u{7e}').contains(&character) {
                    break;
                }
            }
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(character) = characters.next() {
                if character == '\u{7}' {
                    break;
                }
                if character == '\u{1b}' {
                    characters.next();
                    break;
                }
            }
        }
        Some('(' | ')' | '#' | '%') => {
            characters.next();
        }
        _ => {}
    }
}

/// Invisible characters that change the direction or the look of what stands beside them.
fn turns_text(character: char) -> bool {
    matches!(
        character,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
    )
}
