//! Host expressions. The first line is the expression; further ones are groups, `name` and its expressions.

use halcyon::core::host::{Inventory, MOST_HOSTS, expand, fold};
use std::collections::BTreeMap;
use std::sync::LazyLock;

pub(crate) fn check(data: &[u8]) {
    let text = super::text(data);
    let mut lines = text.lines();
    let expression = lines.next().unwrap_or_default();
    let groups: Vec<&str> = lines.take(8).collect();
    if groups.is_empty() {
        return INVENTORIES.iter().for_each(|inventory| expanded(expression, inventory));
    }
    inventories(&groups).iter().for_each(|inventory| expanded(expression, inventory));
}

/// One that knows all machines and one that takes any name.
static INVENTORIES: LazyLock<[Inventory; 2]> = LazyLock::new(|| inventories(&["storage se[01-04]"]));

fn inventories(lines: &[&str]) -> [Inventory; 2] {
    let mut groups = BTreeMap::new();
    for line in lines {
        let (name, members) = line.split_once(' ').unwrap_or((line, ""));
        let members = if members.starts_with('?') { Err(members.to_owned()) } else { Ok(vec![members.to_owned()]) };
        groups.insert(name.to_owned(), members);
    }
    [&["wn[001-020]".to_owned(), "se[01-04],login".to_owned()][..], &[]].map(|known| {
        let (inventory, problems) = Inventory::build(known, &groups);
        for problem in problems {
            assert!(!problem.key_path.is_empty() && !problem.message.is_empty());
        }
        inventory
    })
}

fn expanded(expression: &str, inventory: &Inventory) {
    let Ok(machines) = expand(expression, inventory) else { return };
    assert!(!machines.is_empty() && machines.len() <= MOST_HOSTS);
    let mut hosts: Vec<_> = machines.into_iter().map(|machine| machine.host).collect();
    for host in &hosts {
        let sound = |character: char| character.is_ascii_alphanumeric() || ".-_".contains(character);
        assert!(host.as_str().chars().all(sound), "{host:?}");
        assert!(!host.as_str().starts_with('-'), "{host:?} could be an option");
        assert!(inventory.hosts.is_empty() || inventory.hosts.contains(host), "{host:?} is not known");
    }
    if hosts.len() > 300 {
        return;
    }
    let folded = fold(&hosts);
    let again = expand(&folded, &Inventory::default());
    let mut again: Vec<_> = again.unwrap().into_iter().map(|machine| machine.host).collect();
    hosts.sort();
    again.sort();
    assert_eq!(hosts, again, "{folded}");
}
