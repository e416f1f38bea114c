//! What hosts wrote, so that a person grasps it: equal outputs are told once, one-line outputs stand in one block, long ones are shown by
//! their head and tail and attached whole.

use crate::core::action::run::{Captured, HostOutcome};
use crate::core::effect::{Upload, UploadPart};
use crate::core::host::fold;
use crate::core::id::Host;
use crate::core::message::markdown::{fence, plain};
use crate::core::message::phrase::Phrase;
use crate::core::message::sentences::Sentences;
use serde::Serialize;
use std::collections::BTreeMap;

/// How much output one post shows, in characters. More than this is no longer read in a channel, least of all on a phone.
pub const SHOWN: usize = 2_400;
/// How many groups of equal output one post shows.
const SHOWN_GROUPS: usize = 12;
/// How many lines of one output a post shows at its head, and as many at its tail.
const SHOWN_LINES: usize = 8;
/// How many rows a block of one-line outputs has.
const SHOWN_ROWS: usize = 40;

/// Hosts that ended the same way with the same words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The hosts, written the short way.
    pub hosts: String,
    /// How many they are.
    pub count: usize,
    /// How it ended there, `exit code 1`; empty when it succeeded.
    pub ended: String,
    /// The output in a fence; empty when there was none.
    pub block: String,
    /// What was left out of the block, as a sentence; empty when nothing was.
    pub left_out: String,
}

/// The outputs of a run, ready for a template.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outputs {
    /// One fence with a row a group, where all groups wrote one line at most.
    pub rows: String,
    /// The groups, failures first; empty when `rows` says it all.
    pub groups: Vec<Group>,
    /// Groups or rows that did not fit.
    pub more: usize,
    /// Whether the whole is worth attaching.
    #[serde(skip)]
    pub attach: bool,
}

/// Folds outcomes for a post. `hosts` gives the order.
pub fn outputs(hosts: &[Host], outcomes: &BTreeMap<Host, HostOutcome>, sentences: &Sentences) -> Outputs {
    let folded = folded(hosts, outcomes);
    if folded.len() > 1 && folded.iter().all(|(_, outcome)| is_one_line(outcome)) {
        return rows(&folded, sentences);
    }
    let alone = folded.len() == 1;
    let budget = (SHOWN / folded.len().clamp(1, SHOWN_GROUPS)).max(200);
    let mut attach = false;
    let groups: Vec<Group> = folded
        .iter()
        .take(SHOWN_GROUPS)
        .map(|(hosts, outcome)| {
            let shown = shown(outcome, budget, sentences);
            attach |= !shown.left_out.is_empty();
            Group {
                hosts: if alone && hosts.len() == 1 { String::new() } else { fold(hosts) },
                count: hosts.len(),
                ended: sentences.phrase(&Phrase::Exit(&outcome.exit)),
                block: if shown.text.is_empty() { String::new() } else { fence(&shown.text) },
                left_out: shown.left_out,
            }
        })
        .collect();
    let more = folded.len().saturating_sub(SHOWN_GROUPS);
    Outputs { rows: String::new(), groups, more, attach: attach || more > 0 }
}

/// All outputs as one file, a heading a group, for what a post cannot show.
pub fn attachment(name: &str, hosts: &[Host], outcomes: &BTreeMap<Host, HostOutcome>, sentences: &Sentences) -> Upload {
    let mut parts = Vec::new();
    for (hosts, outcome) in folded(hosts, outcomes) {
        let how = sentences.phrase(&Phrase::Exit(&outcome.exit));
        let how = if how.is_empty() { "exit code 0".to_owned() } else { how };
        let mut heading = format!("===== {} ({how}) =====\n", fold(&hosts));
        for (label, captured) in [("", &outcome.stdout), ("----- stderr -----\n", &outcome.stderr)] {
            match captured {
                Captured::Inline { text } if text.is_empty() => {}
                Captured::Inline { text } => heading.push_str(&format!("{label}{text}\n")),
                Captured::Blob { blob, dropped, .. } => {
                    heading.push_str(label);
                    parts.push(UploadPart::Text { text: std::mem::take(&mut heading) });
                    parts.push(UploadPart::Blob { blob: blob.clone() });
                    heading.push('\n');
                    if *dropped > 0 {
                        heading.push_str(&format!("===== {dropped} bytes more were not kept =====\n"));
                    }
                }
            }
        }
        parts.push(UploadPart::Text { text: heading });
    }
    Upload { name: name.to_owned(), parts }
}

/// Groups hosts by equal outcome; failures first, then larger groups, then the order of the hosts.
fn folded<'a>(hosts: &[Host], outcomes: &'a BTreeMap<Host, HostOutcome>) -> Vec<(Vec<Host>, &'a HostOutcome)> {
    let mut groups: Vec<(Vec<Host>, &HostOutcome)> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for host in hosts {
        let Some(outcome) = outcomes.get(host) else { continue };
        let key = format!("{:?}\u{0}{:?}\u{0}{:?}", outcome.exit, outcome.stdout, outcome.stderr);
        match known.get(&key) {
            Some(&place) => {
                if let Some((hosts, _)) = groups.get_mut(place) {
                    hosts.push(host.clone());
                }
            }
            None => {
                known.insert(key, groups.len());
                groups.push((vec![host.clone()], outcome));
            }
        }
    }
    groups.sort_by_key(|(hosts, outcome)| (outcome.exit.succeeded(), std::cmp::Reverse(hosts.len())));
    groups
}

fn is_one_line(outcome: &HostOutcome) -> bool {
    let line = |captured: &Captured| match captured {
        Captured::Inline { text } => !text.trim().contains('\n') && text.len() <= 160,
        Captured::Blob { .. } => false,
    };
    let both = !outcome.stdout.is_empty() && !outcome.stderr.is_empty();
    line(&outcome.stdout) && line(&outcome.stderr) && !both
}

fn rows(folded: &[(Vec<Host>, &HostOutcome)], sentences: &Sentences) -> Outputs {
    let silent = sentences.phrase(&Phrase::NoOutput);
    let mut text = String::new();
    let mut shown = 0;
    for (hosts, outcome) in folded {
        let said = [&outcome.stdout, &outcome.stderr]
            .into_iter()
            .filter_map(|captured| match captured {
                Captured::Inline { text } if !text.trim().is_empty() => Some(plain(text.trim())),
                _ => None,
            })
            .next()
            .unwrap_or_default();
        let how = sentences.phrase(&Phrase::Exit(&outcome.exit));
        let row = match (how.is_empty(), said.is_empty()) {
            (true, true) => format!("{}: ({silent})\n", fold(hosts)),
            (true, false) => format!("{}: {said}\n", fold(hosts)),
            (false, true) => format!("{}: {how}\n", fold(hosts)),
            (false, false) => format!("{}: {how}: {said}\n", fold(hosts)),
        };
        if shown == SHOWN_ROWS || (shown > 0 && text.len() + row.len() > SHOWN + SHOWN / 2) {
            break;
        }
        text.push_str(&row);
        shown += 1;
    }
    let more = folded.len() - shown;
    Outputs { rows: fence(&text), groups: Vec::new(), more, attach: more > 0 }
}

struct Shown {
    text: String,
    left_out: String,
}

/// The text of one outcome within a budget: standard output, then standard error under a heading of its own.
fn shown(outcome: &HostOutcome, budget: usize, sentences: &Sentences) -> Shown {
    let both = !outcome.stdout.is_empty() && !outcome.stderr.is_empty();
    let share = if both { budget / 2 } else { budget };
    let stdout = excerpt(&outcome.stdout, share, sentences);
    let stderr = excerpt(&outcome.stderr, share, sentences);
    let text = match (stdout.text.is_empty(), stderr.text.is_empty()) {
        (_, true) => stdout.text,
        (true, false) => stderr.text,
        (false, false) => format!("{}\n--- stderr ---\n{}", stdout.text, stderr.text),
    };
    let left_out =
        [stdout.left_out, stderr.left_out].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
    Shown { text, left_out }
}

fn excerpt(captured: &Captured, budget: usize, sentences: &Sentences) -> Shown {
    match captured {
        Captured::Inline { text } => {
            let text = plain(text);
            let text = text.trim_end();
            if text.len() <= budget && text.lines().count() <= 2 * SHOWN_LINES {
                return Shown { text: text.to_owned(), left_out: String::new() };
            }
            let lines = text.lines().count();
            let (head, tail) = (first_lines(text, budget / 2), last_lines(text, budget / 2));
            let gone = lines.saturating_sub(head.lines().count() + tail.lines().count());
            Shown {
                text: format!("{head}\n[...]\n{tail}"),
                left_out: sentences.phrase(&Phrase::LeftOut { lines: gone, dropped: 0 }),
            }
        }
        Captured::Blob { lines, head, tail, dropped, .. } => {
            let (head, tail) = (plain(head), plain(tail));
            let (head, tail) = (first_lines(head.trim_end(), budget / 2), last_lines(tail.trim_end(), budget / 2));
            let shown = head.lines().count() + tail.lines().count();
            let gone = usize::try_from(*lines).unwrap_or(usize::MAX).saturating_sub(shown);
            Shown {
                text: format!("{head}\n[...]\n{tail}"),
                left_out: sentences.phrase(&Phrase::LeftOut { lines: gone, dropped: *dropped }),
            }
        }
    }
}

/// Whole lines from the start within a budget; at least a piece of the first.
fn first_lines(text: &str, budget: usize) -> String {
    let lines = text.match_indices('\n').nth(SHOWN_LINES - 1).map_or(text.len(), |(end, _)| end);
    let text = text.get(..lines).unwrap_or(text);
    let cut = floor(text, budget);
    if cut == text.len() {
        return text.to_owned();
    }
    let piece = text.get(..cut).unwrap_or_default();
    piece.rfind('\n').and_then(|end| piece.get(..end)).unwrap_or(piece).to_owned()
}

/// Whole lines up to the end within a budget; at least a piece of the last.
fn last_lines(text: &str, budget: usize) -> String {
    let lines = text.rmatch_indices('\n').nth(SHOWN_LINES - 1).map_or(0, |(start, _)| start + 1);
    let text = text.get(lines..).unwrap_or(text);
    if text.len() <= budget {
        return text.to_owned();
    }
    let cut = floor(text, text.len() - budget);
    let piece = text.get(cut..).unwrap_or_default();
    piece.find('\n').and_then(|start| piece.get(start + 1..)).unwrap_or(piece).to_owned()
}

/// The last character boundary at or before a byte offset.
fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
