//! What is in a mail: its header and its text, decoded as far as plain mails need it (RFC 5322, 2045 and 2047).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A mail as a person reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letter {
    /// Every line of the header, unfolded and decoded: name and value.
    pub header: Vec<(String, String)>,
    /// The text.
    pub body: String,
}

impl Letter {
    pub(super) fn read(raw: &str) -> Self {
        // Without a header the empty line after it comes first.
        let (head, body) =
            raw.strip_prefix('\n').map(|body| ("", body)).or_else(|| raw.split_once("\n\n")).unwrap_or((raw, ""));
        let mut header: Vec<(String, String)> = Vec::new();
        for line in head.lines() {
            if line.starts_with([' ', '\t'])
                && let Some((_, value)) = header.last_mut()
            {
                value.push(' ');
                value.push_str(line.trim());
            } else if let Some((name, value)) = line.split_once(':') {
                header.push((name.to_owned(), value.trim().to_owned()));
            }
        }
        for (_, value) in &mut header {
            *value = words(value);
        }
        let mut letter = Self { header, body: String::new() };
        letter.body = match letter.value("Content-Transfer-Encoding").to_ascii_lowercase().as_str() {
            "base64" => base64(body),
            "quoted-printable" => quoted(body),
            _ => body.to_owned(),
        };
        letter
    }

    /// The first line of the header of this name; empty where there is none.
    pub fn value(&self, name: &str) -> &str {
        let found = self.header.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// What it is about.
    pub fn subject(&self) -> &str {
        self.value("Subject")
    }
}

fn base64(text: &str) -> String {
    let packed: String = text.split_whitespace().collect();
    STANDARD.decode(&packed).map_or_else(|_| text.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Text with `=XX` for octets, and `=` at the end of lines that go on.
fn quoted(text: &str) -> String {
    let joined = text.replace("=\n", "");
    String::from_utf8_lossy(&octets(&joined)).into_owned()
}

fn octets(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let octet = match (first, after) {
            (b'=', [high, low, ..]) => hexadecimal(*high, *low),
            _ => None,
        };
        bytes.push(octet.unwrap_or(first));
        rest = if octet.is_some() { &after[2..] } else { after };
    }
    bytes
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// A value of the header with its encoded words decoded. The space between two of them belongs to neither.
fn words(value: &str) -> String {
    let (mut said, mut rest, mut joined) = (String::new(), value, false);
    while let Some((before, after)) = rest.split_once("=?") {
        let Some((decoded, left)) = word(after) else {
            said.push_str(before);
            said.push_str("=?");
            (rest, joined) = (after, false);
            continue;
        };
        if !(joined && before.chars().all(char::is_whitespace)) {
            said.push_str(before);
        }
        said.push_str(&decoded);
        (rest, joined) = (left, true);
    }
    said.push_str(rest);
    said
}

/// The text of an encoded word after its `=?`, and what follows it.
fn word(text: &str) -> Option<(String, &str)> {
    let (charset, rest) = text.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (inside, rest) = rest.split_once("?=")?;
    if !matches!(charset.to_ascii_lowercase().as_str(), "utf-8" | "us-ascii") {
        return None;
    }
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(inside).ok()?,
        "Q" | "q" => octets(&inside.replace('_', " ")),
        _ => return None,
    };
    Some((String::from_utf8_lossy(&bytes).into_owned(), rest))
}
