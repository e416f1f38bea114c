//! A text cut to what the server takes, and the remarks on it.

use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use crate::core::message::sentences::Sentences;

/// A remark of the bot on its own text: in italics, but for what it quotes.
pub(crate) fn remark(sentences: &Sentences, phrase: Phrase<'_>) -> String {
    let mut remark = String::new();
    for (place, piece) in sentences.phrase(&phrase).split('`').enumerate() {
        let words = piece.trim();
        if place % 2 == 1 {
            remark.push_str(&markdown::code(piece));
        } else if !words.is_empty() {
            let (before, after) = (piece.starts_with(' '), piece.ends_with(' '));
            let blank = |wanted| if wanted { " " } else { "" };
            remark.push_str(&format!("{}_{}_{}", blank(before), markdown::escape(words), blank(after)));
        }
    }
    remark
}

/// The text if it is short enough; otherwise its beginning, open code blocks closed, and `remark` below, which nearly no text needs. Lengths count
/// characters, as the server does.
pub(crate) fn fit(text: &str, max: usize, remark: impl FnOnce() -> String) -> String {
    if !is_longer(text, max) {
        return text.to_owned();
    }
    let remark = remark();
    // Room for a closing fence and the blank line before the remark.
    const MARGIN: usize = 16;
    let room = max.saturating_sub(remark.chars().count() + MARGIN);
    let end = text.char_indices().nth(room).map_or(text.len(), |(at, _)| at);
    let head = &text[..end];
    // Whole lines read better, where that does not cost much.
    let head = match head.rfind('\n') {
        Some(line) if line >= head.len() - head.len() / 4 => &head[..line],
        _ => head,
    };
    let mut cut = head.to_owned();
    if let Some(fence) = open_fence(head) {
        cut.push('\n');
        cut.push_str(&"`".repeat(fence.min(MARGIN - 4)));
    }
    cut.push_str("\n\n");
    cut.push_str(&remark);
    cut
}

pub(crate) fn is_longer(text: &str, max: usize) -> bool {
    text.chars().nth(max).is_some()
}

/// How many backticks the code block that is open at the end was opened with.
fn open_fence(text: &str) -> Option<usize> {
    let mut open: Option<usize> = None;
    for line in text.lines() {
        let line = line.trim();
        let ticks = line.chars().take_while(|letter| *letter == '`').count();
        open = match open {
            None if ticks >= 3 => Some(ticks),
            Some(fence) if ticks >= fence && ticks == line.len() => None,
            other => other,
        };
    }
    open
}
