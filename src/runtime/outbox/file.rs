//! A file put together from its parts, in bounded memory.

use crate::core::effect::{Upload, UploadPart};
use crate::core::message::phrase::Phrase;
use crate::core::message::sentences::Sentences;
use crate::core::message::span::size;
use crate::runtime::painting;
use crate::runtime::ports::{Blobs, StoreError};
use std::collections::VecDeque;

/// How much of a stored output is read at once.
const PIECE: usize = 256 << 10;

/// Why a file cannot be put together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unassembled {
    /// A stored output cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A picture cannot be painted.
    #[error(transparent)]
    Picture(#[from] painting::Unpainted),
}

/// The file, or its beginning and its end with a remark between them.
pub(crate) async fn assemble(
    blobs: &dyn Blobs,
    upload: &Upload,
    limit: usize,
    sentences: &Sentences,
) -> Result<Vec<u8>, Unassembled> {
    // A picture that is cut is none.
    if let [UploadPart::Picture { picture }] = upload.parts.as_slice() {
        return Ok(painting::painted(picture).await?);
    }
    let mut file = Ends { head: Vec::new(), tail: VecDeque::new(), half: (limit / 2).max(1), left_out: 0 };
    for part in &upload.parts {
        match part {
            UploadPart::Text { text } => file.push(text.as_bytes()),
            UploadPart::Picture { picture } => file.push(&painting::painted(picture).await?),
            UploadPart::Blob { blob } => {
                let mut offset = 0;
                loop {
                    let piece = match blobs.read(blob, offset, PIECE).await {
                        Err(StoreError::NotKept) => {
                            file.push(sentences.phrase(&Phrase::FileNotKept).as_bytes());
                            break;
                        }
                        piece => piece?,
                    };
                    if piece.is_empty() {
                        break;
                    }
                    offset += piece.len() as u64;
                    file.push(&piece);
                }
            }
        }
    }
    let gap = |left_out| {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        sentences.phrase(&Phrase::FileGap { size: size(left_out), limit: size(limit) })
    };
    Ok(file.finish(gap))
}

struct Ends {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    half: usize,
    left_out: u64,
}

impl Ends {
    fn push(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(self.half - self.head.len()));
        self.head.extend_from_slice(first);
        self.tail.extend(rest);
        let surplus = self.tail.len().saturating_sub(self.half);
        self.tail.drain(..surplus);
        self.left_out += surplus as u64;
    }

    /// The file; `gap` says what is left out.
    fn finish(self, gap: impl Fn(u64) -> String) -> Vec<u8> {
        let mut file = self.head;
        if self.left_out > 0 {
            file.extend_from_slice(format!("\n\n[... {} ...]\n\n", gap(self.left_out)).as_bytes());
        }
        file.extend(self.tail);
        file
    }
}
