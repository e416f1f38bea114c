//! The master key, and what it makes of a secret.
//!
//! A sealed value is `sealed:v1:<key>:<base64>`: the first eight hexadecimal digits by which the key is known, and nonce, ciphertext and tag of
//! ChaCha20-Poly1305. Scope and name are bound to it, so that a sealed value put under another name does not open.
//!
//! **The nonce is synthetic**: a keyed hash of the name, the value, the time and the randomness of the event. Two values have the same nonce only
//! when all of these are the same, and then the sealed texts are equal and tell no more than one of them.
//!
//! **The key is used under names of its own** for sealing, for nonces, for imprints and for being recognised, each derived by HMAC-SHA256.

use crate::core::datastore::key::{Key, Scope};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac::{self, HMAC_SHA256};
use std::fmt;
use std::fmt::Write;

/// What a sealed value begins with.
const MARK: &str = "sealed:v1:";
/// What a written key begins with, so that it is not taken for another secret.
const WRITTEN: &str = "halcyon-master-key-v1-";

/// The key to all secrets of the datastore.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey([u8; 32]);

/// The digits by which it is known, never the key.
impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.digits())
    }
}

/// A text that is no master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a master key: one begins with `halcyon-master-key-v1-` and has 43 characters more")]
pub struct NotAKey;

/// Why a sealed value does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another key sealed it.
    #[error("it was sealed with the master key {theirs}, and the one in force is {ours}")]
    OtherKey {
        /// The digits of the key that sealed it.
        theirs: String,
        /// The digits of this key.
        ours: String,
    },
    /// It is not what was sealed under this name.
    #[error("it is damaged, or was sealed under another name")]
    Damaged,
}

impl MasterKey {
    /// A key of these bytes, which have to be random.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads a written key.
    ///
    /// # Errors
    /// It is none.
    pub fn read(text: &str) -> Result<Self, NotAKey> {
        let digits = text.trim().strip_prefix(WRITTEN).ok_or(NotAKey)?;
        let bytes = URL_SAFE_NO_PAD.decode(digits).map_err(|_| NotAKey)?;
        bytes.try_into().map(Self).map_err(|_| NotAKey)
    }

    /// The key as it is written into its file.
    pub fn written(&self) -> String {
        format!("{WRITTEN}{}", URL_SAFE_NO_PAD.encode(self.0))
    }

    /// Eight digits by which the key is known; they tell nothing about it.
    pub fn digits(&self) -> String {
        self.derived("name").iter().take(4).fold(String::new(), |mut text, byte| {
            // Writing into a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// A keyed hash, by which what was hashed is recognised and cannot be guessed.
    pub fn imprint(&self, bytes: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&hmac::Key::new(HMAC_SHA256, &self.derived("imprint")), bytes);
        tag.as_ref().try_into().expect("HMAC-SHA256 has 32 bytes")
    }

    fn derived(&self, purpose: &str) -> [u8; 32] {
        let key = hmac::Key::new(HMAC_SHA256, &self.0);
        let tag = hmac::sign(&key, format!("halcyon datastore v1 {purpose}").as_bytes());
        tag.as_ref().try_into().expect("HMAC-SHA256 has 32 bytes")
    }

    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &self.derived("seal"));
        LessSafeKey::new(key.expect("ChaCha20 takes keys of 32 bytes"))
    }

    /// Seals a value under its name.
    pub fn seal(&self, key: &Key, value: &str, at: Timestamp, entropy: u64) -> String {
        let bound = bound(key);
        let mut hash = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, &self.derived("nonce")));
        hash.update(&at.as_nanosecond().to_be_bytes());
        hash.update(&entropy.to_be_bytes());
        hash.update(&(bound.len() as u64).to_be_bytes());
        hash.update(&bound);
        hash.update(value.as_bytes());
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&hash.sign().as_ref()[..NONCE_LEN]);
        let mut text = value.as_bytes().to_vec();
        let sealed =
            self.cipher().seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound), &mut text);
        sealed.expect("a value is far shorter than the cipher's bound");
        let whole = [&nonce[..], &text].concat();
        format!("{MARK}{}:{}", self.digits(), URL_SAFE_NO_PAD.encode(whole))
    }

    /// Opens what was sealed under this name.
    ///
    /// # Errors
    /// It was sealed with another key, under another name, or is damaged.
    pub fn open(&self, key: &Key, sealed: &str) -> Result<String, OpenError> {
        let (theirs, text) =
            sealed.strip_prefix(MARK).and_then(|rest| rest.split_once(':')).ok_or(OpenError::Damaged)?;
        let ours = self.digits();
        if theirs != ours {
            return Err(OpenError::OtherKey { theirs: theirs.to_owned(), ours });
        }
        let mut whole = URL_SAFE_NO_PAD.decode(text).map_err(|_| OpenError::Damaged)?;
        if whole.len() < NONCE_LEN {
            return Err(OpenError::Damaged);
        }
        let mut text = whole.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&whole).map_err(|_| OpenError::Damaged)?;
        let opened = self.cipher().open_in_place(nonce, Aad::from(bound(key)), &mut text);
        let opened = opened.map_err(|_| OpenError::Damaged)?.to_vec();
        String::from_utf8(opened).map_err(|_| OpenError::Damaged)
    }
}

/// Whether a text is a sealed value by its looks.
pub fn looks_sealed(text: &str) -> bool {
    text.starts_with(MARK)
}

/// What binds a sealed value to its name.
fn bound(key: &Key) -> Vec<u8> {
    let scope = match &key.scope {
        Scope::System => "system\0".to_owned(),
        Scope::User { user } => format!("user\0{user}\0"),
    };
    [scope.as_bytes(), key.name.as_bytes()].concat()
}
