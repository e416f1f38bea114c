//! Lines that hang together: each has the hash of the one before.
//!
//! ```text
//! {"hash":"<64 digits>","previous":"<64 digits>","entry":{…}}
//! ```
//!
//! The hash is the SHA-256 of the 64 digits of `previous` with the text of `entry` behind them, as it stands there, byte for byte. Before the
//! first line stand 64 zeros. The places of the three are fixed, so that a few lines of any language can check it: the page on the audit has
//! such a script.

use crate::core::audit::entry::{Entry, Event};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// What stands for the hash before the first line.
pub const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// How many flaws are told; where one is there may be very many.
const MOST_FLAWS: usize = 20;

const BEFORE_HASH: &str = "{\"hash\":\"";
const BEFORE_PREVIOUS: &str = "\",\"previous\":\"";
const BEFORE_ENTRY: &str = "\",\"entry\":";

/// The newest line, by which all lines up to it are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its number; 0 when there is none.
    pub number: u64,
    /// Its hash.
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { number: 0, hash: BEGINNING.to_owned() }
    }
}

impl fmt::Display for Head {
    /// `17:3f0c…`, as [`Head::read`] takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.hash)
    }
}

impl Head {
    /// Reads what [`fmt::Display`] writes.
    pub fn read(text: &str) -> Option<Self> {
        let (number, hash) = text.trim().split_once(':')?;
        let sound = hash.len() == BEGINNING.len() && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(Self { number: number.parse().ok()?, hash: hash.to_ascii_lowercase() }).filter(|_| sound)
    }
}

/// Makes the line that follows this one. Gives it with the new head.
///
/// # Errors
/// The entry cannot be written as JSON, which is a bug of ours.
pub fn append(head: &Head, entry: &Entry) -> serde_json::Result<(String, Head)> {
    let text = serde_json::to_string(entry)?;
    let hash = hash(&head.hash, &text);
    let line = format!("{BEFORE_HASH}{hash}{BEFORE_PREVIOUS}{}{BEFORE_ENTRY}{text}}}", head.hash);
    Ok((line, Head { number: entry.number, hash }))
}

fn hash(previous: &str, entry: &str) -> String {
    let digest = Sha256::new().chain_update(previous).chain_update(entry).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parts of a line, not judged yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The hash that it claims.
    pub hash: &'a str,
    /// The hash of the line before, as it claims.
    pub previous: &'a str,
    /// The entry as JSON.
    pub entry: &'a str,
}

impl<'a> Parts<'a> {
    /// Takes a line apart; nothing when it has not the form of one.
    pub fn of(line: &'a str) -> Option<Self> {
        let rest = line.strip_prefix(BEFORE_HASH)?;
        let (hash, rest) = rest.split_at_checked(BEGINNING.len())?;
        let rest = rest.strip_prefix(BEFORE_PREVIOUS)?;
        let (previous, rest) = rest.split_at_checked(BEGINNING.len())?;
        let entry = rest.strip_prefix(BEFORE_ENTRY)?.strip_suffix('}')?;
        Some(Self { hash, previous, entry })
    }

    /// The entry in it; nothing when it is none that this program knows.
    pub fn decode(&self) -> Option<Entry> {
        serde_json::from_str(self.entry).ok()
    }

    /// Its number.
    fn number(&self) -> Option<u64> {
        #[derive(Deserialize)]
        struct Numbered {
            number: u64,
        }
        serde_json::from_str::<Numbered>(self.entry).ok().map(|entry| entry.number)
    }

    /// The head that it is.
    pub fn head(&self) -> Option<Head> {
        Some(Head { number: self.number()?, hash: self.hash.to_owned() })
    }
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "flaw")]
pub enum Flaw {
    /// A line has not the form of one.
    Unreadable {
        /// The number that it should have.
        number: u64,
    },
    /// An entry is not what was written: its hash is another.
    Changed {
        /// Its number.
        number: u64,
    },
    /// An entry has been put in anew: it does not follow the one before, though each is sound by itself.
    Unlinked {
        /// Its number.
        number: u64,
    },
    /// An entry stands in the place of another.
    Misplaced {
        /// Its number.
        number: u64,
        /// The number that is due there.
        due: u64,
    },
    /// Entries are not there.
    Missing {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// A checkpoint knows more than there is: the end has been cut off.
    CutOff {
        /// The number of the newest entry.
        newest: u64,
        /// The number that the checkpoint knows.
        known: u64,
    },
    /// A checkpoint knows another hash: the entry, or one before it, was written anew together with all that follows.
    Rewritten {
        /// The number of the entry.
        number: u64,
    },
    /// The file that the entries are in is damaged.
    Damaged {
        /// The number of the entry that is due there.
        number: u64,
        /// The file, the place in it, and what is bad.
        what: String,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Unreadable { number } => write!(f, "entry {number}: what stands there is no entry"),
            Flaw::Changed { number } => write!(f, "entry {number} was changed: its hash is another"),
            Flaw::Unlinked { number } => {
                write!(f, "entry {number} does not follow the one before it: one of the two was written anew")
            }
            Flaw::Misplaced { number, due } => write!(f, "entry {number} stands where entry {due} is due"),
            Flaw::Missing { first, last } if first == last => write!(f, "entry {first} is missing"),
            Flaw::Missing { first, last } => write!(f, "entries {first} to {last} are missing"),
            Flaw::CutOff { newest, known } => {
                write!(f, "the end was cut off: a checkpoint knows entry {known}, and the newest is {newest}")
            }
            Flaw::Rewritten { number } => {
                write!(
                    f,
                    "entry {number} is not the one that a checkpoint knows: it, or one before it, was written anew"
                )
            }
            Flaw::Damaged { number, what } => write!(f, "entry {number} cannot be read: {what}"),
        }
    }
}

/// What a check has found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// How many lines there are.
    pub entries: u64,
    /// The number of the first line; more than 1 where those before it were removed, 0 when there is none.
    pub first: u64,
    /// The newest line that was reached.
    pub head: Head,
    /// How many checkpoints were compared.
    pub checkpoints: usize,
    /// How many checkpoints are about lines that were removed, and say nothing any more.
    pub passed_over: usize,
    /// What is wrong, in the order of the lines, the first of it.
    pub flaws: Vec<Flaw>,
    /// How much more is wrong.
    pub more: usize,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.flaws.is_empty()
    }
}

/// Goes through lines from the first to the last.
#[derive(Debug)]
pub struct Check {
    verdict: Verdict,
    /// The checkpoints that are still to come, in order of their numbers.
    known: Vec<Head>,
    /// What the first line says of the one before it, as long as nothing explains that this one is not there.
    before: Option<Head>,
    /// Numbers that were due and have not come yet.
    lacking: Vec<(u64, u64)>,
    /// The number that is due.
    due: u64,
}

impl Check {
    /// A check against what is known from elsewhere.
    pub fn against(mut known: Vec<Head>) -> Self {
        known.retain(|head| head.number > 0);
        known.sort_by_key(|head| head.number);
        known.dedup();
        Self { verdict: Verdict::default(), known, before: None, lacking: Vec::new(), due: 0 }
    }

    /// Takes the next line in.
    pub fn take(&mut self, line: &str) {
        let begins = self.due == 0;
        let Some((parts, number)) = Parts::of(line).and_then(|parts| Some((parts, parts.number()?))) else {
            let number = self.due.max(1);
            self.verdict.entries += 1;
            self.due = number + 1;
            return self.note(Flaw::Unreadable { number });
        };
        let sound = hash(parts.previous, parts.entry) == parts.hash;
        if begins {
            self.due = number;
            self.verdict.first = number;
            let before = Head { number: number.saturating_sub(1), hash: parts.previous.to_owned() };
            if before.number == 0 && before != Head::default() {
                self.note(Flaw::Unlinked { number });
            }
            if before.number > 0 && !self.known.contains(&before) {
                self.before = Some(before.clone());
            }
            self.passed(&before, true);
            self.verdict.head = before;
        }
        if let Some(before) = &self.before
            && parts.entry.contains(&before.hash)
            && parts.decode().is_some_and(|entry| {
                matches!(entry.event, Event::Cut | Event::SetAside) && entry.head.as_ref() == Some(before)
            })
        {
            self.before = None;
        }
        self.verdict.entries += 1;
        if !sound {
            self.note(Flaw::Changed { number });
        }
        if number != self.due {
            self.note(Flaw::Misplaced { number, due: self.due });
            if number > self.due {
                self.lacking.push((self.due, number - 1));
            } else {
                self.found(number);
            }
        } else if parts.previous != self.verdict.head.hash && sound {
            self.note(Flaw::Unlinked { number });
        }
        let head = Head { number, hash: parts.hash.to_owned() };
        self.passed(&head, false);
        self.due = self.due.max(number + 1);
        self.verdict.head = head;
    }

    /// Where the lines are kept something is bad that is no matter of the lines.
    pub fn damaged(&mut self, what: String) {
        let number = self.due.max(1);
        self.note(Flaw::Damaged { number, what });
    }

    /// There are no more lines.
    pub fn end(mut self) -> Verdict {
        if let Some(before) = self.before.take() {
            self.note(Flaw::Missing { first: 1, last: before.number });
        }
        for (first, last) in std::mem::take(&mut self.lacking) {
            self.note(Flaw::Missing { first, last });
        }
        let newest = self.due.saturating_sub(1);
        for head in std::mem::take(&mut self.known) {
            self.verdict.checkpoints += 1;
            self.note(Flaw::CutOff { newest, known: head.number });
        }
        self.verdict
    }

    /// A checkpoint's line has come, or with the first line those before it are over.
    fn passed(&mut self, head: &Head, removed: bool) {
        while let Some(known) = self.known.first()
            && known.number <= head.number
        {
            let known = self.known.remove(0);
            if known.number < head.number {
                if removed {
                    self.verdict.passed_over += 1;
                } else {
                    // It is among those that are missing, which is told.
                    self.verdict.checkpoints += 1;
                }
                continue;
            }
            self.verdict.checkpoints += 1;
            if known.hash != head.hash {
                self.note(Flaw::Rewritten { number: known.number });
            }
        }
    }

    /// A number that had not come when it was due.
    fn found(&mut self, number: u64) {
        let Some(place) = self.lacking.iter().position(|(first, last)| (*first..=*last).contains(&number)) else {
            return;
        };
        let (first, last) = self.lacking.remove(place);
        let parts = [(first, number - 1), (number + 1, last)];
        self.lacking.extend(parts.into_iter().filter(|(first, last)| first <= last));
        self.lacking.sort_unstable();
    }

    fn note(&mut self, flaw: Flaw) {
        if self.verdict.flaws.len() < MOST_FLAWS {
            self.verdict.flaws.push(flaw);
        } else {
            self.verdict.more += 1;
        }
    }
}
