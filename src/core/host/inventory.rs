//! The machines and groups that the site has named.

use super::fold::natural;
use super::{HostError, expand};
use crate::core::id::Host;
use std::collections::{BTreeMap, BTreeSet};

/// How many suggestions an error carries.
const SUGGESTIONS: usize = 3;

/// The machines and groups that the site has named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// All known names. Empty means that the site keeps no list and any well-formed name is taken.
    pub hosts: BTreeSet<Host>,
    /// Group name to members, in the order in which the site wrote them.
    pub groups: BTreeMap<String, Vec<Host>>,
    /// Groups whose list could not be had: name and why. Using one is an error that says so.
    pub broken: BTreeMap<String, String>,
    /// There are no other names than `hosts`, even where that is empty.
    pub closed: bool,
}

/// One thing that is wrong with the lists that an inventory is built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryProblem {
    /// `hosts`, or `groups.` and the group's name.
    pub key_path: String,
    /// What is wrong, in a sentence.
    pub message: String,
    /// `did you mean "wn001"?`
    pub suggestion: Option<String>,
}

impl Inventory {
    /// Builds the inventory from host expressions: `hosts` is the list of all, a group's expressions may name other groups. A group that
    /// is given as an error, or that cannot be understood, is broken; the rest stands.
    pub fn build(
        hosts: &[String],
        groups: &BTreeMap<String, Result<Vec<String>, String>>,
    ) -> (Self, Vec<InventoryProblem>) {
        let mut inventory = Self::default();
        let mut problems = Vec::new();
        for expression in hosts {
            match expand(expression, &Self::default()) {
                Ok(machines) => inventory.hosts.extend(machines.into_iter().map(|machine| machine.host)),
                Err(error) => problems.push(InventoryProblem::new("hosts".to_owned(), &error)),
            }
        }
        for name in groups.keys() {
            inventory.add_group(name, groups, &mut Vec::new(), &mut problems);
        }
        (inventory, problems)
    }

    /// The same as if there were only some of its machines: groups have no others, and a group that has none of them is not there. Neither is
    /// one whose list could not be had, since nobody knows what is in it. A site that keeps no list of hosts keeps none here either; what it
    /// has of names is for the caller to look at.
    pub fn with_only(&self, there: &dyn Fn(&Host) -> bool) -> Self {
        let keep = |members: &Vec<Host>| members.iter().filter(|host| there(host)).cloned().collect::<Vec<_>>();
        let groups = self.groups.iter().map(|(name, members)| (name, members, keep(members)));
        Self {
            hosts: self.hosts.iter().filter(|host| there(host)).cloned().collect(),
            groups: groups
                .filter(|(_, before, kept)| before.is_empty() || !kept.is_empty())
                .map(|(name, _, kept)| (name.clone(), kept))
                .collect(),
            broken: BTreeMap::new(),
            closed: self.closed || !self.hosts.is_empty(),
        }
    }

    /// Adds a group, those that it names first. `path` holds the groups that are being added.
    fn add_group<'a>(
        &mut self,
        name: &'a str,
        sources: &'a BTreeMap<String, Result<Vec<String>, String>>,
        path: &mut Vec<&'a str>,
        problems: &mut Vec<InventoryProblem>,
    ) {
        if self.groups.contains_key(name) || self.broken.contains_key(name) || path.contains(&name) {
            return;
        }
        let Some(source) = sources.get(name) else { return };
        path.push(name);
        let key_path = format!("groups.{name}");
        let members = match source {
            Err(why) => Err(InventoryProblem { key_path, message: why.clone(), suggestion: None }),
            Ok(expressions) => {
                for named in expressions.iter().flat_map(|text| groups_named(text)) {
                    self.add_group(named, sources, path, problems);
                }
                let circle = expressions.iter().flat_map(|text| groups_named(text)).find(|named| path.contains(named));
                match circle {
                    Some(named) => {
                        let message = format!("the group is in a circle through `@{named}`");
                        Err(InventoryProblem { key_path, message, suggestion: None })
                    }
                    None if expressions.iter().all(|text| text.trim().is_empty()) => Ok(Vec::new()),
                    None => expand(&expressions.join(","), self)
                        .map(|machines| machines.into_iter().map(|machine| machine.host).collect())
                        .map_err(|error| InventoryProblem::new(key_path, &error)),
                }
            }
        };
        path.pop();
        match members {
            Ok(members) => {
                self.groups.insert(name.to_owned(), members);
            }
            Err(problem) => {
                self.broken.insert(name.to_owned(), problem.message.clone());
                problems.push(problem);
            }
        }
    }

    /// The members of a group.
    pub(super) fn group(&self, name: &str) -> Result<&[Host], HostError> {
        if let Some(members) = self.groups.get(name) {
            return Ok(members);
        }
        if let Some(why) = self.broken.get(name) {
            return Err(HostError::BrokenGroup { name: name.to_owned(), why: why.clone() });
        }
        let known = self.groups.keys().chain(self.broken.keys()).map(String::as_str);
        Err(HostError::UnknownGroup { name: name.to_owned(), similar: similar(name, known) })
    }

    /// The host of this name, which is well-formed.
    pub(super) fn host(&self, name: String) -> Result<Host, HostError> {
        let host = Host::new(name);
        if (self.hosts.is_empty() && !self.closed) || self.hosts.contains(&host) {
            return Ok(host);
        }
        let lower = Host::new(host.as_str().to_ascii_lowercase());
        if self.hosts.contains(&lower) {
            return Ok(lower);
        }
        let similar = similar(host.as_str(), self.hosts.iter().map(Host::as_str));
        Err(HostError::UnknownHost { name: host.as_str().to_owned(), similar })
    }
}

impl InventoryProblem {
    fn new(key_path: String, error: &HostError) -> Self {
        let suggestion = match error {
            HostError::UnknownHost { similar, .. } => similar.first().map(|name| format!("did you mean \"{name}\"?")),
            HostError::UnknownGroup { similar, .. } => similar.first().map(|name| format!("did you mean \"@{name}\"?")),
            HostError::Malformed { .. } | HostError::BrokenGroup { .. } | HostError::TooMany | HostError::Empty(_) => {
                None
            }
        };
        Self { key_path, message: error.to_string(), suggestion }
    }
}

fn groups_named(expression: &str) -> impl Iterator<Item = &str> {
    expression
        .split(|character: char| character == ',' || character.is_whitespace())
        .filter_map(|item| item.trim_start_matches('!').strip_prefix('@'))
}

/// The names that look most like this one: the same but for leading zeros first, then by the number of slips of the finger.
fn similar<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let far = (name.len() / 3).max(1);
    let bare = without_padding(name);
    let mut near: Vec<(usize, _, &str)> = known
        .filter_map(|candidate| {
            let distance = if without_padding(candidate) == bare {
                0
            } else if candidate.len().abs_diff(name.len()) > far {
                return None;
            } else {
                strsim::damerau_levenshtein(name, candidate)
            };
            (distance <= far).then(|| (distance, natural(candidate), candidate))
        })
        .collect();
    near.sort();
    near.into_iter().take(SUGGESTIONS).map(|(_, _, candidate)| candidate.to_owned()).collect()
}

/// The name in lower case, its numbers without leading zeros.
fn without_padding(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut in_number = false;
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        let more_digits = characters.peek().is_some_and(char::is_ascii_digit);
        if character == '0' && !in_number && more_digits {
            continue;
        }
        in_number = character.is_ascii_digit();
        out.push(character.to_ascii_lowercase());
    }
    out
}
