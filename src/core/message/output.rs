//! What hosts wrote, so that a person grasps it: equal outputs are told once, what failed or differs comes first, a small difference is told
//! instead of the whole, long outputs are shown by their ends and attached whole.
//!
//! **Everything that is left out is counted, and the file that goes along has it.** What is said of a group fits a phone: running text that
//! wraps wherever one line is all there is, a fence only for what has several.

use crate::core::action::run::{Captured, Exit, HostOutcome};
use crate::core::effect::{Upload, UploadPart};
use crate::core::host::fold;
use crate::core::id::Host;
use crate::core::message::folding::{Difference, Fold, Folds};
use crate::core::message::markdown::{code, fence, plain};
use crate::core::message::phrase::Phrase;
use crate::core::message::sentences::Sentences;
use serde::Serialize;
use std::collections::BTreeMap;

/// How many groups of equal output one post shows.
const SHOWN_GROUPS: usize = 12;
/// How many of them with an output of several lines.
const SHOWN_BLOCKS: usize = 6;
/// How many rows a block of one-line outputs has.
const SHOWN_ROWS: usize = 40;
/// The longest output that is said in the line of its hosts, in bytes.
const ONE_LINE: usize = 160;
/// The longest set of hosts that stands behind the number of those that are left.
const LONGEST_REST: usize = 120;
/// The longest set of hosts that is shown at all.
const LONGEST_SET: usize = 240;
/// Hosts of this length and less are set in a column.
const COLUMN: usize = 24;

/// How much of it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What is read in a channel, also on a phone.
    Post,
    /// What somebody has asked for by name.
    Closer,
    /// The last lines only.
    Last,
}

/// The measures of a [`Detail`].
#[derive(Clone, Copy)]
struct Measure {
    /// Characters of all outputs together.
    characters: usize,
    /// Lines of one output at its beginning; 0 shows its end only.
    head: usize,
    /// Lines of one output at its end.
    tail: usize,
}

impl Detail {
    fn measure(self) -> Measure {
        match self {
            // More than this is no longer read in a channel, least of all on a phone.
            Detail::Post => Measure { characters: 2_400, head: 8, tail: 8 },
            // Fits, with all around it, into a post of the servers that take least.
            Detail::Closer => Measure { characters: 3_200, head: 30, tail: 30 },
            Detail::Last => Measure { characters: 2_400, head: 0, tail: 20 },
        }
    }
}

/// Hosts that ended the same way with the same words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The emoji of an end that was not good; empty otherwise.
    pub mark: &'static str,
    /// The hosts, written the short way; empty where there is one host only, or where they are the rest and too scattered.
    pub hosts: String,
    /// How many they are.
    pub count: usize,
    /// It is the one host that there is, and is not named.
    pub alone: bool,
    /// They are all that there are, and several.
    pub all: bool,
    /// They are all that no other group of the post names.
    pub rest: bool,
    /// How it ended there, `exit code 1`; empty when it succeeded.
    pub ended: String,
    /// How the output differs from what most said; empty when it is shown whole.
    pub like: String,
    /// An output of one line, or the one line that differs, as inline code; empty otherwise.
    pub line: String,
    /// The output, or the lines that differ, in a fence; empty otherwise.
    pub block: String,
    /// Nothing was written, and it ended well.
    pub silent: bool,
    /// What was left out, as a sentence; empty when nothing was.
    pub left_out: String,
}

/// The outputs of a run, ready for a template.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outputs {
    /// How many say the same and how many differ, as a sentence; empty where the groups tell it at a glance.
    pub summary: String,
    /// One fence with a row a group, where there are many groups that wrote one line at most.
    pub rows: String,
    /// The groups in the order of interest; empty when `rows` says it all.
    pub groups: Vec<Group>,
    /// Hosts in groups that did not fit; 0 when all did.
    pub more: usize,
    /// Whether the whole is worth attaching.
    #[serde(skip)]
    pub attach: bool,
}

/// Folds outcomes for a post. `hosts` gives the order.
pub fn outputs(
    hosts: &[Host],
    outcomes: &BTreeMap<Host, HostOutcome>,
    detail: Detail,
    sentences: &Sentences,
) -> Outputs {
    let folds = Folds::of(hosts, outcomes);
    let summary = summary(&folds, sentences);
    if folds.groups.len() > SHOWN_GROUPS && folds.groups.iter().all(|group| is_one_line(group.outcome)) {
        return rows(&folds, summary, sentences);
    }
    let shown = worth_showing(&folds);
    let hidden = folds.groups.len() - shown.len();
    let known: usize = folds.groups.iter().map(|group| group.hosts.len()).sum();
    let complete = hidden == 0 && known == hosts.len();
    let measure = detail.measure();
    let whole = shown.iter().filter(|group| folds.difference(group).is_none()).count();
    let measure = Measure { characters: (measure.characters / whole.max(1)).max(200), ..measure };
    let mut attach = hidden > 0;
    let last = shown.len().saturating_sub(1);
    let groups: Vec<Group> = shown
        .iter()
        .enumerate()
        .map(|(place, group)| {
            let named = Named {
                alone: folds.groups.len() == 1 && complete,
                rest: folds.crowd && complete && place == last,
                difference: folds.difference(group).zip(folds.crowd().map(|crowd| crowd.hosts.len())),
            };
            let (group, cut) = tell(group, named, measure, sentences);
            attach |= cut;
            group
        })
        .collect();
    let more = known - shown.iter().map(|group| group.hosts.len()).sum::<usize>();
    Outputs { summary, rows: String::new(), groups, more, attach }
}

/// The first groups, as many as one takes in, and what most said.
fn worth_showing<'f, 'a>(folds: &'f Folds<'a>) -> Vec<&'f Fold<'a>> {
    let is_block = |group: &Fold<'_>| !is_one_line(group.outcome) && folds.difference(group).is_none();
    let reserved = usize::from(folds.crowd);
    let reserved_blocks = usize::from(folds.crowd().is_some_and(is_block));
    let mut blocks = 0;
    let mut shown = Vec::new();
    let first = folds.groups.iter().take(folds.groups.len() - reserved);
    for group in first.take(SHOWN_GROUPS - reserved) {
        blocks += usize::from(is_block(group));
        if blocks > SHOWN_BLOCKS - reserved_blocks {
            break;
        }
        shown.push(group);
    }
    shown.extend(folds.crowd());
    shown
}

/// What is known of a group besides itself.
struct Named {
    /// It is the only one.
    alone: bool,
    /// It is what most said, and all others are named.
    rest: bool,
    /// How it differs from what most said, and how many those are.
    difference: Option<(Difference, usize)>,
}

/// A group for a template, and whether something of it was cut.
fn tell(group: &Fold<'_>, named: Named, measure: Measure, sentences: &Sentences) -> (Group, bool) {
    let Fold { hosts, outcome } = group;
    let set = fold(hosts);
    let (set, cut_set) = match (named.alone, named.rest) {
        (true, _) if hosts.len() == 1 => (String::new(), false),
        (_, true) if set.len() > LONGEST_REST => (String::new(), false),
        _ if set.len() > LONGEST_SET => (cut_set(&set), true),
        _ => (set, false),
    };
    let mut told = Group {
        mark: if named.alone { "" } else { mark(&outcome.exit) },
        hosts: set,
        count: hosts.len(),
        alone: named.alone && hosts.len() == 1,
        all: named.alone && hosts.len() > 1,
        rest: named.rest,
        ended: sentences.phrase(&Phrase::Exit(&outcome.exit)),
        like: String::new(),
        line: String::new(),
        block: String::new(),
        silent: false,
        left_out: String::new(),
    };
    if let Some((difference, count)) = named.difference {
        told.like = like(&difference, count, sentences);
        let lines = match difference {
            Difference::But(lines) if lines.len() > 1 => {
                lines.into_iter().map(|(number, line)| format!("{number}: {line}")).collect()
            }
            Difference::But(lines) => lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>(),
            Difference::More(_, lines) => lines,
            Difference::Without(..) => Vec::new(),
        };
        match lines.as_slice() {
            [one] if one.len() <= ONE_LINE => told.line = code(plain(one).trim()),
            [] => {}
            _ => told.block = fence(&lines.join("\n")),
        }
        return (told, cut_set);
    }
    let shown = shown(outcome, measure, sentences);
    let single = hosts.len() == 1 && named.alone;
    if is_one_line(outcome) && !single {
        told.line = code(shown.text.trim());
    } else if !shown.text.is_empty() {
        told.block = fence(&shown.text);
    }
    told.silent = told.line.is_empty() && told.block.is_empty() && told.ended.is_empty();
    let cut = cut_set || !shown.left_out.is_empty();
    told.left_out = shown.left_out;
    (told, cut)
}

fn like(difference: &Difference, count: usize, sentences: &Sentences) -> String {
    let (how, lines, several) = match difference {
        Difference::But(lines) => {
            let numbers: Vec<String> = lines.iter().map(|(number, _)| number.to_string()).collect();
            let several = numbers.len() > 1;
            ("but", numbers.join(", "), several)
        }
        Difference::More(after, _) => ("more", after.to_string(), false),
        Difference::Without(from, to) if from == to => ("without", from.to_string(), false),
        Difference::Without(from, to) => ("without", format!("{from}-{to}"), true),
    };
    sentences.phrase(&Phrase::Like { count, how, lines, several })
}

/// Whole pieces of a set of hosts, and an ellipsis for the rest.
fn cut_set(set: &str) -> String {
    let kept = set.get(..floor(set, LONGEST_SET)).unwrap_or_default();
    let kept = kept.rfind(',').and_then(|comma| kept.get(..comma)).unwrap_or(kept);
    format!("{kept},…")
}

fn mark(exit: &Exit) -> &'static str {
    match exit {
        exit if exit.succeeded() => "",
        Exit::Timeout => "alarm_clock",
        Exit::Canceled => "no_entry",
        Exit::Unknown { .. } => "question",
        Exit::Answered { .. }
        | Exit::Code { .. }
        | Exit::Unheard { .. }
        | Exit::Unreachable { .. }
        | Exit::Rebooted
        | Exit::Left
        | Exit::NeverBegan { .. } => "x",
    }
}

fn summary(folds: &Folds<'_>, sentences: &Sentences) -> String {
    match folds.crowd() {
        Some(crowd) if folds.differing() > 0 => {
            let (same, differ, failed) = (crowd.hosts.len(), folds.differing(), folds.failed());
            sentences.phrase(&Phrase::Summary { same, differ, failed })
        }
        Some(_) | None => String::new(),
    }
}

/// All outputs as one file, a heading a group, for what a post cannot show.
pub fn attachment(name: &str, hosts: &[Host], outcomes: &BTreeMap<Host, HostOutcome>, sentences: &Sentences) -> Upload {
    let mut parts = Vec::new();
    for Fold { hosts, outcome } in Folds::of(hosts, outcomes).groups {
        let how = sentences.phrase(&Phrase::Exit(&outcome.exit));
        let mut heading =
            format!("===== {} =====\n", sentences.phrase(&Phrase::FileHeading { hosts: fold(&hosts), how }));
        let errors = format!("----- {} -----\n", sentences.phrase(&Phrase::StandardError));
        for (label, captured) in [("", &outcome.stdout), (errors.as_str(), &outcome.stderr)] {
            match captured {
                Captured::Inline { text } if text.is_empty() => {}
                Captured::Inline { text } => heading.push_str(&format!("{label}{text}\n")),
                Captured::Blob { blob, dropped, .. } => {
                    heading.push_str(label);
                    parts.push(UploadPart::Text { text: std::mem::take(&mut heading) });
                    parts.push(UploadPart::Blob { blob: blob.clone() });
                    heading.push('\n');
                    if *dropped > 0 {
                        let lost = sentences.phrase(&Phrase::NotKept { bytes: *dropped });
                        heading.push_str(&format!("===== {lost} =====\n"));
                    }
                }
            }
        }
        parts.push(UploadPart::Text { text: heading });
    }
    Upload { name: name.to_owned(), parts }
}

fn is_one_line(outcome: &HostOutcome) -> bool {
    let line = |captured: &Captured| match captured {
        Captured::Inline { text } => !text.trim().contains('\n') && text.len() <= ONE_LINE,
        Captured::Blob { .. } => false,
    };
    let both = !outcome.stdout.is_empty() && !outcome.stderr.is_empty();
    line(&outcome.stdout) && line(&outcome.stderr) && !both
}

/// Many groups that wrote one line at most, in one block: what stands below each other is compared at a glance.
fn rows(folds: &Folds<'_>, summary: String, sentences: &Sentences) -> Outputs {
    let silent = sentences.phrase(&Phrase::NoOutput);
    let most = Detail::Post.measure().characters * 3 / 2;
    let sets: Vec<String> = folds.groups.iter().map(|group| fold(&group.hosts)).collect();
    let column = sets.iter().map(|set| set.chars().count()).filter(|length| *length <= COLUMN).max().unwrap_or(0);
    let mut text = String::new();
    let mut shown = 0;
    for (Fold { outcome, .. }, set) in folds.groups.iter().zip(sets) {
        let said = [&outcome.stdout, &outcome.stderr]
            .into_iter()
            .filter_map(|captured| match captured {
                Captured::Inline { text } if !text.trim().is_empty() => Some(plain(text.trim())),
                _ => None,
            })
            .next()
            .unwrap_or_default();
        let how = sentences.phrase(&Phrase::Exit(&outcome.exit));
        let words = match (how.is_empty(), said.is_empty()) {
            (true, true) => format!("({silent})"),
            (true, false) => said,
            (false, true) => how,
            (false, false) => format!("{how}: {said}"),
        };
        let row = format!("{:width$} {words}\n", format!("{set}:"), width = column + 1);
        if shown == SHOWN_ROWS || (shown > 0 && text.len() + row.len() > most) {
            break;
        }
        text.push_str(&row);
        shown += 1;
    }
    let more = folds.groups.iter().skip(shown).map(|group| group.hosts.len()).sum();
    Outputs { summary, rows: fence(&text), groups: Vec::new(), more, attach: more > 0 }
}

#[derive(Default)]
struct Shown {
    text: String,
    left_out: String,
}

/// The text of one outcome within a budget: standard output, then standard error under a heading of its own.
fn shown(outcome: &HostOutcome, measure: Measure, sentences: &Sentences) -> Shown {
    let both = !outcome.stdout.is_empty() && !outcome.stderr.is_empty();
    let share = if both { Measure { characters: measure.characters / 2, ..measure } } else { measure };
    let stdout = excerpt(&outcome.stdout, share, sentences);
    let stderr = excerpt(&outcome.stderr, share, sentences);
    let text = match (stdout.text.is_empty(), stderr.text.is_empty()) {
        (_, true) => stdout.text,
        (true, false) => stderr.text,
        (false, false) => {
            let heading = sentences.phrase(&Phrase::StandardError);
            format!("{}\n--- {heading} ---\n{}", stdout.text, stderr.text)
        }
    };
    let left_out =
        [stdout.left_out, stderr.left_out].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
    Shown { text, left_out }
}

fn excerpt(captured: &Captured, measure: Measure, sentences: &Sentences) -> Shown {
    let Measure { characters, head: first, tail: last } = measure;
    let (head, tail, lines, dropped) = match captured {
        Captured::Inline { text } => {
            let text = plain(text);
            let text = text.trim_end().to_owned();
            let lines = text.lines().count();
            if text.len() <= characters && lines <= first + last {
                return Shown { text, left_out: String::new() };
            }
            (text.clone(), text, lines, 0)
        }
        Captured::Blob { lines, head, tail, dropped, .. } => {
            let (head, tail) = (plain(head).trim_end().to_owned(), plain(tail).trim_end().to_owned());
            (head, tail, usize::try_from(*lines).unwrap_or(usize::MAX), *dropped)
        }
    };
    let ends = if first == 0 {
        let tail = last_lines(&tail, last, characters);
        (tail.lines().count(), format!("[...]\n{tail}"))
    } else {
        let (head, tail) = (first_lines(&head, first, characters / 2), last_lines(&tail, last, characters / 2));
        (head.lines().count() + tail.lines().count(), format!("{head}\n[...]\n{tail}"))
    };
    let gone = lines.saturating_sub(ends.0);
    Shown { text: ends.1, left_out: sentences.phrase(&Phrase::LeftOut { lines: gone, dropped }) }
}

/// Whole lines from the start within a budget; at least a piece of the first.
fn first_lines(text: &str, most: usize, budget: usize) -> String {
    let lines = text.match_indices('\n').nth(most - 1).map_or(text.len(), |(end, _)| end);
    let text = text.get(..lines).unwrap_or(text);
    let cut = floor(text, budget);
    if cut == text.len() {
        return text.to_owned();
    }
    let piece = text.get(..cut).unwrap_or_default();
    piece.rfind('\n').and_then(|end| piece.get(..end)).unwrap_or(piece).to_owned()
}

/// Whole lines up to the end within a budget; at least a piece of the last.
fn last_lines(text: &str, most: usize, budget: usize) -> String {
    let lines = text.rmatch_indices('\n').nth(most - 1).map_or(0, |(start, _)| start + 1);
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
