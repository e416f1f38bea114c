//! `[inventory]`: where the names of machines come from.

use super::document::{Document, Spot};
use crate::core::host::{Inventory, InventoryProblem, expand};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// `[inventory]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InventorySource {
    /// Host expressions; all known machines. None means that the site keeps no list.
    pub hosts: Vec<String>,
    /// Groups by name.
    pub groups: BTreeMap<String, GroupSource>,
}

/// Where the members of a group come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupSource {
    /// Host expressions.
    Members(Vec<String>),
    /// What a command prints: host expressions separated by blanks, commas or line ends.
    Command {
        /// For `sh -c`.
        command: String,
        /// How long the answer holds.
        refresh: Duration,
    },
}

impl InventorySource {
    /// The inventory with what the commands of the groups printed, by the group's name, or why they printed nothing. A group whose command
    /// has not been asked is broken.
    pub fn build(&self, printed: &BTreeMap<String, Result<String, String>>) -> (Inventory, Vec<InventoryProblem>) {
        let members = |(name, source): (&String, &GroupSource)| {
            let members = match source {
                GroupSource::Members(members) => Ok(members.clone()),
                GroupSource::Command { .. } => match printed.get(name) {
                    Some(Ok(text)) => Ok(text.split_whitespace().map(str::to_owned).collect()),
                    Some(Err(why)) => Err(why.clone()),
                    None => Err("its command has not been asked yet".to_owned()),
                },
            };
            (name.clone(), members)
        };
        Inventory::build(&self.hosts, &self.groups.iter().map(members).collect())
    }
}

/// Reports what can be known to be wrong without asking any command.
pub(super) fn check(
    document: &Document<'_>,
    source: &InventorySource,
    hosts: &[Spot<String>],
    groups: &BTreeMap<String, Spot<()>>,
) {
    for spot in hosts.iter().filter(|spot| !spot.value.trim().is_empty()) {
        if let Err(error) = expand(&spot.value, &Inventory::default()) {
            document.problem(spot, error.to_string(), None);
        }
    }
    let sound = hosts.iter().map(|spot| spot.value.clone()).filter(|text| expand(text, &Inventory::default()).is_ok());
    let known = InventorySource { hosts: sound.collect(), groups: source.groups.clone() };
    let (inventory, problems) = known.build(&BTreeMap::new());
    let open = open(&known);
    for problem in problems {
        let name = problem.key_path.strip_prefix("groups.").unwrap_or_default();
        match groups.get(name) {
            Some(spot) if inventory.broken.contains_key(name) && !open.contains(name) => {
                document.problem(spot, problem.message, problem.suggestion);
            }
            _ => {}
        }
    }
}

/// The groups whose members depend on what a command will print.
fn open(source: &InventorySource) -> BTreeSet<&str> {
    let mut open = BTreeSet::new();
    loop {
        let more: Vec<_> = source
            .groups
            .iter()
            .filter(|(name, source)| {
                !open.contains(name.as_str())
                    && match source {
                        GroupSource::Command { .. } => true,
                        GroupSource::Members(members) => {
                            let words = members.iter().flat_map(|text| text.split([',', ' ']));
                            words
                                .filter_map(|word| word.trim_start_matches('!').strip_prefix('@'))
                                .any(|group| open.contains(group))
                        }
                    }
            })
            .map(|(name, _)| name.as_str())
            .collect();
        if more.is_empty() {
            return open;
        }
        open.extend(more);
    }
}
