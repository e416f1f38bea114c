//! Signatures over what was sent: HMAC-SHA256 by a secret that both sides have.
//!
//! Two forms are read. Ours, `X-Halcyon-Signature: t=SECONDS,id=NAME,v1=HEX`, is over `SECONDS.NAME.BODY`, where the name may be left out and is empty
//! then; neither of the first two can hold a dot, so that no text can be cut another way. GitHub's, `X-Hub-Signature-256: sha256=HEX`, is over the
//! body alone, and knows no time.
//!
//! - **Hashes are compared in constant time.**
//! - **What is not signed names no event** where the signature could: who has seen a request can only send the same again.

use jiff::{SignedDuration, Timestamp};
use ring::hmac::{self, HMAC_SHA256};
use sha2::{Digest, Sha256};

/// How far the sender's clock may be from ours.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(5);
/// The shortest secret.
pub const SHORTEST_SECRET: usize = 16;
/// The longest secret.
pub const LONGEST_SECRET: usize = 1_000;
/// How many keys may sign: each of them is tried on what comes to their webhooks.
pub const MOST_SIGNING: usize = 50;
/// How many hashes one header may have, so that a secret can be exchanged for the next.
const MOST_HASHES: usize = 4;
/// The longest header that is read.
const LONGEST_HEADER: usize = 1_000;
/// The longest name of an event.
const LONGEST_NAME: usize = 100;

/// A header as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// `X-Halcyon-Signature`.
    Own(String),
    /// `X-Hub-Signature-256`.
    Hub(String),
}

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// When it was signed, in seconds since 1970; absent in GitHub's form.
    seconds: Option<i64>,
    /// What the sender calls the event; empty when nothing.
    name: String,
    hashes: Vec<[u8; 32]>,
}

impl Header {
    /// Reads it; nothing where it is not of its form.
    pub fn read(&self) -> Option<Signature> {
        match self {
            Self::Own(text) => own(text),
            Self::Hub(text) => {
                let hash = hash(text.trim().strip_prefix("sha256=")?)?;
                Some(Signature { seconds: None, name: String::new(), hashes: vec![hash] })
            }
        }
    }
}

fn own(text: &str) -> Option<Signature> {
    if text.len() > LONGEST_HEADER {
        return None;
    }
    let (mut seconds, mut name, mut hashes) = (None, None, Vec::new());
    for part in text.split(',') {
        match part.trim().split_once('=')? {
            // The text is what was signed, so it can be written in one way only.
            ("t", value) if seconds.is_none() => {
                let read: i64 = value.parse().ok()?;
                seconds = (read.to_string() == value).then_some(read);
                seconds?;
            }
            ("id", value) if name.is_none() => {
                let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':');
                let sound = value.len() <= LONGEST_NAME && value.bytes().all(letter);
                name = Some(sound.then(|| value.to_owned())?);
            }
            ("v1", value) if hashes.len() < MOST_HASHES => hashes.push(hash(value)?),
            ("t" | "id" | "v1", _) => return None,
            // Other versions may come to stand beside.
            _ => {}
        }
    }
    (!hashes.is_empty()).then_some(())?;
    Some(Signature { seconds: Some(seconds?), name: name.unwrap_or_default(), hashes })
}

/// 64 hexadecimal digits.
fn hash(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if text.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

impl Signature {
    /// Whether it was made over this body by who has the secret.
    pub fn is_by(&self, secret: &str, body: &[u8]) -> bool {
        let key = hmac::Key::new(HMAC_SHA256, secret.as_bytes());
        let signed = self.signed(body);
        // All of them are compared, and each in constant time.
        self.hashes.iter().fold(false, |found, hash| hmac::verify(&key, &signed, hash).is_ok() | found)
    }

    /// What was signed.
    fn signed(&self, body: &[u8]) -> Vec<u8> {
        match self.seconds {
            Some(seconds) => [format!("{seconds}.{}.", self.name).as_bytes(), body].concat(),
            None => body.to_vec(),
        }
    }

    /// Whether it is of about now, where it says when.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        let far = |seconds: i64| i128::from(now.as_second()).abs_diff(i128::from(seconds));
        self.seconds.is_none_or(|seconds| far(seconds) <= WINDOW.as_secs().unsigned_abs().into())
    }

    /// The name of the event, where the signature gives it one: the sender's, or else one made of all that was signed, so that the same request is the
    /// same event.
    pub fn event_name(&self, body: &[u8]) -> Option<String> {
        self.seconds?;
        if !self.name.is_empty() {
            return Some(self.name.clone());
        }
        let digest = Sha256::digest(self.signed(body));
        Some(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }
}
