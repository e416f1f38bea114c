//! Values that a StackStorm has encrypted.
//!
//! StackStorm's key file is JSON in keyczar's shape, `{"hmacKey": {"hmacKeyString", "size"}, "aesKeyString", "mode": "CBC", "size"}`, keys in URL-safe
//! base64. A ciphertext is hexadecimal: 5 bytes of header that mean nothing, 16 of IV, AES-CBC blocks with PKCS#5 padding, and 20 bytes of
//! HMAC-SHA1 over all before. It is only ever read here: what is taken over is sealed with the master key.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use aes::{Aes128, Aes192, Aes256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY};
use serde::Deserialize;
use std::fmt;

const HEADER: usize = 5;
const BLOCK: usize = 16;
const TAG: usize = 20;

/// A key of a StackStorm.
pub struct StackStormKey {
    aes: Vec<u8>,
    mac: hmac::Key,
}

/// Without the key.
impl fmt::Debug for StackStormKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StackStormKey(********)")
    }
}

/// What is wrong with a key file or a ciphertext of a StackStorm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyczarError {
    /// The key file is not as StackStorm writes it.
    #[error("this is no key file of a StackStorm: {0}")]
    Key(String),
    /// Not a ciphertext at all.
    #[error("it is not a value that a StackStorm has encrypted")]
    Malformed,
    /// The signature does not fit.
    #[error("it was encrypted with another key, or is damaged")]
    Signature,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    hmac_key: WrittenMac,
    aes_key_string: String,
    mode: String,
    size: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenMac {
    hmac_key_string: String,
}

impl StackStormKey {
    /// Reads the text of a key file.
    ///
    /// # Errors
    /// It is not one.
    pub fn read(text: &str) -> Result<Self, KeyczarError> {
        let wrong = |why: &str| KeyczarError::Key(why.to_owned());
        let written: Written = serde_json::from_str(text).map_err(|error| {
            // The place and not the words: they may be of the key.
            KeyczarError::Key(format!("line {} is not as it should be", error.line().max(1)))
        })?;
        if !written.mode.eq_ignore_ascii_case("CBC") {
            return Err(wrong("its mode is not CBC"));
        }
        let aes = decoded(&written.aes_key_string).ok_or_else(|| wrong("aesKeyString is not base64"))?;
        if !matches!(aes.len(), 16 | 24 | 32) || aes.len() * 8 != written.size as usize {
            return Err(wrong("aesKeyString has not the size that it should have"));
        }
        let mac = decoded(&written.hmac_key.hmac_key_string).ok_or_else(|| wrong("hmacKeyString is not base64"))?;
        Ok(Self { aes, mac: hmac::Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &mac) })
    }

    /// Decrypts a value.
    ///
    /// # Errors
    /// It is not one of this key's.
    pub fn decrypt(&self, ciphertext: &str) -> Result<String, KeyczarError> {
        let mut bytes = hexadecimal(ciphertext.trim()).ok_or(KeyczarError::Malformed)?;
        if bytes.len() < HEADER + BLOCK + TAG {
            return Err(KeyczarError::Malformed);
        }
        let tag = bytes.split_off(bytes.len() - TAG);
        hmac::verify(&self.mac, &bytes, &tag).map_err(|_| KeyczarError::Signature)?;
        let (head, body) = bytes.split_at_mut(HEADER + BLOCK);
        let iv = &head[HEADER..];
        let opened = match self.aes.len() {
            16 => cbc::Decryptor::<Aes128>::new_from_slices(&self.aes, iv)
                .ok()
                .map(|cbc| cbc.decrypt_padded::<Pkcs7>(body)),
            24 => cbc::Decryptor::<Aes192>::new_from_slices(&self.aes, iv)
                .ok()
                .map(|cbc| cbc.decrypt_padded::<Pkcs7>(body)),
            _ => cbc::Decryptor::<Aes256>::new_from_slices(&self.aes, iv)
                .ok()
                .map(|cbc| cbc.decrypt_padded::<Pkcs7>(body)),
        };
        let opened = opened.and_then(Result::ok).ok_or(KeyczarError::Malformed)?;
        String::from_utf8(opened.to_vec()).map_err(|_| KeyczarError::Malformed)
    }
}

/// URL-safe base64, with or without its padding, blanks passed over.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let plain: String = text.chars().filter(|c| !c.is_whitespace() && *c != '=').collect();
    URL_SAFE_NO_PAD.decode(plain).ok()
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| (pair[0] << 4) | pair[1]).collect())
}
