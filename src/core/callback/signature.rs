//! What makes a callback one of ours: a keyed hash over what it means.
//!
//! A sealed meaning is `<base64 of the JSON>.<base64 of HMAC-SHA256>`, and the hash covers the bytes as they stand, so nothing has to be put
//! into an agreed order before it is verified. Buttons and dialogs are hashed under keys of their own, each derived from the one key, so that
//! neither can be passed for the other. Verifying compares in constant time.

use super::{Dialog, Meaning};
use crate::core::id::{DeliveryId, UserId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{self, HMAC_SHA256};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The name under which the signed meaning of a button stands in what the chat server hands back.
pub const SIGNED: &str = "halcyon";
/// What a written key begins with, so that it is not taken for another secret.
const WRITTEN: &str = "halcyon-callback-key-v1-";
/// What is longer is none of ours.
const LONGEST: usize = 8 << 10;

/// The key to all callbacks.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackKey([u8; 32]);

/// Never the key.
impl fmt::Debug for CallbackKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallbackKey")
    }
}

/// A text that is no callback key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a callback key: one begins with `halcyon-callback-key-v1-` and has 43 characters more")]
pub struct NotAKey;

/// What submitting a dialog means, for whom it was opened, and by which press.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialogState {
    /// What it means.
    pub meaning: Meaning,
    /// Who may submit it.
    pub user: UserId,
    /// The delivery that made the card whose button opened it.
    pub card: DeliveryId,
    /// A hash of the press that opened it, so that no two dialogs are alike.
    pub opened: String,
}

impl CallbackKey {
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

    /// Signs what a button means.
    pub fn sign_button(&self, meaning: &Meaning) -> String {
        self.sign("button", meaning)
    }

    /// What a button means that we signed; nothing where we did not.
    pub fn verify_button(&self, signed: &str) -> Option<Meaning> {
        self.verify("button", signed)
    }

    /// Signs what a dialog means; `trigger` is the press that opens it.
    pub fn sign_dialog(&self, dialog: &Dialog, trigger: &str) -> String {
        let opened = hmac::sign(&self.derived("trigger"), trigger.as_bytes());
        let opened = URL_SAFE_NO_PAD.encode(&opened.as_ref()[..12]);
        let Dialog { meaning, user, card, .. } = dialog.clone();
        self.sign("dialog", &DialogState { meaning, user, card, opened })
    }

    /// What a dialog means that we signed; nothing where we did not.
    pub fn verify_dialog(&self, signed: &str) -> Option<DialogState> {
        self.verify("dialog", signed)
    }

    fn derived(&self, purpose: &str) -> hmac::Key {
        let key = hmac::Key::new(HMAC_SHA256, &self.0);
        hmac::Key::new(HMAC_SHA256, hmac::sign(&key, format!("halcyon callback v1 {purpose}").as_bytes()).as_ref())
    }

    fn sign(&self, purpose: &str, what: &impl Serialize) -> String {
        let what = serde_json::to_vec(what).expect("plain data becomes JSON");
        let tag = hmac::sign(&self.derived(purpose), &what);
        format!("{}.{}", URL_SAFE_NO_PAD.encode(&what), URL_SAFE_NO_PAD.encode(tag))
    }

    fn verify<T: DeserializeOwned>(&self, purpose: &str, signed: &str) -> Option<T> {
        if signed.len() > LONGEST {
            return None;
        }
        let (what, tag) = signed.split_once('.')?;
        let (what, tag) = (URL_SAFE_NO_PAD.decode(what).ok()?, URL_SAFE_NO_PAD.decode(tag).ok()?);
        // Compares in constant time.
        hmac::verify(&self.derived(purpose), &what, &tag).ok()?;
        serde_json::from_slice(&what).ok()
    }
}
