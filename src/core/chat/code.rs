//! The codes by which people name what waits for them: four characters that cannot be mistaken for each other, such as `K3QZ`.
//!
//! **A code is no word**: it has a letter and a digit at least, so that a line of talk is not taken for one; **and it is no end of an execution's
//! id**, so that `cancel K3QZ` can mean one thing only. **It proves nothing**: who may
//! answer is asked of the user, never of the code.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Without 0 and O, 1, I and L.
const LETTERS: &[u8; 31] = b"ABCDEFGHJKMNPQRSTUVWXYZ23456789";
const DIGITS: &[u8; 8] = b"23456789";
/// How many characters one has.
const LENGTH: usize = 4;

/// One code, in capitals.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(String);

impl Code {
    /// A code that is not `taken`. `bits` gives fresh random bits.
    pub fn generate(mut bits: impl FnMut() -> u64, taken: impl Fn(&Code) -> bool) -> Self {
        loop {
            let code = Self::draw(bits());
            if !taken(&code) && !is_end_of_id(&code.0) {
                return code;
            }
        }
    }

    fn draw(mut bits: u64) -> Self {
        let mut pick = |among: u64| {
            let picked = bits % among;
            bits /= among;
            usize::try_from(picked).unwrap_or_default()
        };
        let mut code: [u8; LENGTH] = std::array::from_fn(|_| LETTERS[pick(31)]);
        let place = pick(4);
        let (digit, letter) = (DIGITS[pick(8)], LETTERS[pick(23)]);
        if !code.iter().any(u8::is_ascii_digit) {
            code[place] = digit;
        }
        if !code.iter().any(u8::is_ascii_uppercase) {
            code[place] = letter;
        }
        Self(code.iter().map(|letter| char::from(*letter)).collect())
    }

    /// Reads a code as somebody wrote it, in capitals or not.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.to_ascii_uppercase();
        let sound = text.len() == LENGTH
            && text.bytes().all(|letter| LETTERS.contains(&letter))
            && text.bytes().any(|letter| letter.is_ascii_digit())
            && text.bytes().any(|letter| letter.is_ascii_uppercase());
        (sound && !is_end_of_id(&text)).then_some(Self(text))
    }

    /// The code itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_end_of_id(code: &str) -> bool {
    code.bytes().all(|letter| letter.is_ascii_hexdigit())
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
