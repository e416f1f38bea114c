//! Which hosts said the same, and what of the rest is worth a look: outcomes in, groups in the order of interest out.
//!
//! Two hosts are alike when they ended the same way and wrote the same bytes. Long outputs are known by the names of their blobs, which are
//! names of their content, so nothing is read for this. Everything here is linear in the hosts, but for sorting.
//!
//! The order: what failed, the most frequent way first; then what differs, the rarest first; then what most hosts said.

use crate::core::action::run::{Captured, Exit, HostOutcome};
use crate::core::id::{BlobId, Host};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Fewer hosts than this are no crowd that another could differ from.
const CROWD: usize = 3;
/// Outputs of fewer lines are read as fast whole as by their difference.
const SHORTEST_COMPARED: usize = 4;
/// More lines than this are no small difference.
const MOST_DIFFERING: usize = 3;

/// Hosts that ended the same way with the same words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fold<'a> {
    pub(super) hosts: Vec<Host>,
    pub(super) outcome: &'a HostOutcome,
}

/// All groups of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Folds<'a> {
    /// In the order of interest.
    pub(super) groups: Vec<Fold<'a>>,
    /// The last one is what most of those that succeeded said.
    pub(super) crowd: bool,
}

/// How an output differs from another in a few lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Difference {
    /// These lines read otherwise: their numbers from 1, and what they read.
    But(Vec<(usize, String)>),
    /// After this many lines it has these besides.
    More(usize, Vec<String>),
    /// It lacks the lines from this number, counted from 1, to that one.
    Without(usize, usize),
}

impl<'a> Folds<'a> {
    /// Groups the outcomes of these hosts. Hosts without an outcome are in no group.
    pub(super) fn of(hosts: &[Host], outcomes: &'a BTreeMap<Host, HostOutcome>) -> Self {
        let mut groups: Vec<Fold<'a>> = Vec::new();
        let mut known: BTreeMap<Sameness<'a>, usize> = BTreeMap::new();
        for host in hosts {
            let Some(outcome) = outcomes.get(host) else { continue };
            let place = *known.entry(Sameness::of(outcome)).or_insert_with(|| {
                groups.push(Fold { hosts: Vec::new(), outcome });
                groups.len() - 1
            });
            groups[place].hosts.push(host.clone());
        }
        let succeeded = |group: &Fold<'_>| group.outcome.exit.succeeded();
        groups.sort_by_key(|group| match succeeded(group) {
            false => (false, Reverse(group.hosts.len()), 0),
            true => (true, Reverse(0), group.hosts.len()),
        });
        let all: usize = groups.iter().filter(|group| succeeded(group)).map(|group| group.hosts.len()).sum();
        let crowd = groups.last().is_some_and(|last| {
            succeeded(last) && last.hosts.len() >= CROWD && last.hosts.len() * 2 > all && groups.len() > 1
        });
        Self { groups, crowd }
    }

    /// What most hosts said, where that is so.
    pub(super) fn crowd(&self) -> Option<&Fold<'a>> {
        self.groups.last().filter(|_| self.crowd)
    }

    /// How many hosts succeeded and said something else than the crowd.
    pub(super) fn differing(&self) -> usize {
        let Some((_, others)) = self.groups.split_last().filter(|_| self.crowd) else { return 0 };
        others.iter().filter(|group| group.outcome.exit.succeeded()).map(|group| group.hosts.len()).sum()
    }

    /// How many hosts did not do what was asked.
    pub(super) fn failed(&self) -> usize {
        self.groups.iter().filter(|group| !group.outcome.exit.succeeded()).map(|group| group.hosts.len()).sum()
    }

    /// How a group differs from the crowd, where that is a matter of a few lines.
    pub(super) fn difference(&self, group: &Fold<'_>) -> Option<Difference> {
        let crowd = self.crowd()?;
        if group.outcome.exit != crowd.outcome.exit
            || group.outcome.stderr != crowd.outcome.stderr
            || group.outcome.stdout == crowd.outcome.stdout
        {
            return None;
        }
        match (&crowd.outcome.stdout, &group.outcome.stdout) {
            (Captured::Inline { text: usual }, Captured::Inline { text }) => difference(usual, text),
            (Captured::Inline { .. } | Captured::Blob { .. }, Captured::Inline { .. } | Captured::Blob { .. }) => None,
        }
    }
}

/// What two outcomes have in common when they are told as one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sameness<'a> {
    exit: &'a Exit,
    stdout: Words<'a>,
    stderr: Words<'a>,
}

/// An output as far as it tells it from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Words<'a> {
    Text(&'a str),
    Blob(&'a BlobId, u64),
}

impl<'a> Sameness<'a> {
    fn of(outcome: &'a HostOutcome) -> Self {
        Self { exit: &outcome.exit, stdout: Words::of(&outcome.stdout), stderr: Words::of(&outcome.stderr) }
    }
}

impl<'a> Words<'a> {
    fn of(captured: &'a Captured) -> Self {
        match captured {
            Captured::Inline { text } => Words::Text(text),
            Captured::Blob { blob, dropped, .. } => Words::Blob(blob, *dropped),
        }
    }
}

/// How `text` differs from what is usual: line by line where both are equally long, otherwise in one place.
fn difference(usual: &str, text: &str) -> Option<Difference> {
    let (usual, lines): (Vec<&str>, Vec<&str>) = (usual.lines().collect(), text.lines().collect());
    if usual.len() < SHORTEST_COMPARED {
        return None;
    }
    if usual.len() == lines.len() {
        let differing = usual.iter().zip(&lines).enumerate().filter(|(_, (usual, line))| usual != line);
        let differing: Vec<(usize, String)> =
            differing.take(MOST_DIFFERING + 1).map(|(place, (_, line))| (place + 1, (*line).to_owned())).collect();
        return (1..=MOST_DIFFERING).contains(&differing.len()).then_some(Difference::But(differing));
    }
    let before = usual.iter().zip(&lines).take_while(|(usual, line)| usual == line).count();
    let room = usual.len().min(lines.len()) - before;
    let after = usual.iter().rev().zip(lines.iter().rev()).take(room).take_while(|(usual, line)| usual == line).count();
    let (lacks, has) = (usual.len() - before - after, lines.len() - before - after);
    match (lacks, has) {
        (0, 1..=MOST_DIFFERING) => {
            let more = lines.iter().skip(before).take(has).map(|line| (*line).to_owned());
            Some(Difference::More(before, more.collect()))
        }
        (1..=MOST_DIFFERING, 0) => Some(Difference::Without(before + 1, before + lacks)),
        _ => None,
    }
}
