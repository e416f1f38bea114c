//! # Hosts
//!
//! Which machines there are, and what a host expression in a line of chat means.
//!
//! Expression: names and ranges separated by commas or blanks (`wn[001-150]`, `wn[001-010,015]`, `r[1-4]n[01-36]`), groups by `@name`,
//! `name:port`, and `!` before an item to take it away (`wn[001-150],!wn[005-007]`).
//!
//! **Every name is checked before it leaves this module**: letters, digits, `.`, `-`, `_`, not starting with `-` or `.`, at most 253
//! characters. Nothing else ever reaches ssh.

use crate::core::action::run::RemoteHost;
use crate::core::id::Host;
use std::collections::{BTreeMap, BTreeSet};

/// The machines and groups that the site has named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// All known names. Empty means that the site keeps no list and any well-formed name is taken.
    pub hosts: BTreeSet<Host>,
    /// Group name to members, in the order in which the site wrote them.
    pub groups: BTreeMap<String, Vec<Host>>,
    /// Groups whose list could not be had: name and why. Using one is an error that says so.
    pub broken: BTreeMap<String, String>,
}

/// The most hosts that one expression may mean.
pub const MOST_HOSTS: usize = 10_000;

/// Why an expression means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Not of the form.
    #[error("`{item}` is not a host name or range: {why}")]
    Malformed {
        /// The item as written.
        item: String,
        /// What is wrong with it.
        why: String,
    },
    /// Not in the inventory.
    #[error("there is no host `{name}`")]
    UnknownHost {
        /// The name.
        name: String,
        /// Names that look like it, best first.
        similar: Vec<String>,
    },
    /// No such group.
    #[error("there is no group `@{name}`")]
    UnknownGroup {
        /// The name.
        name: String,
        /// Names that look like it, best first.
        similar: Vec<String>,
    },
    /// The group's list could not be had.
    #[error("the members of `@{name}` are not known: {why}")]
    BrokenGroup {
        /// The name.
        name: String,
        /// Why.
        why: String,
    },
    /// More than [`MOST_HOSTS`].
    #[error("that means more than {MOST_HOSTS} hosts")]
    TooMany,
    /// Nothing is left.
    #[error("no host is left of `{0}`")]
    Empty(String),
}

/// Expands an expression to machines, each once, in the order written.
///
/// # Errors
/// The first item that cannot be understood or is not known.
pub fn expand(_expression: &str, _inventory: &Inventory) -> Result<Vec<RemoteHost>, HostError> {
    Err(HostError::TooMany)
}

/// Writes names the short way, `wn[001-024],se01`: consecutive numbers of equal width become ranges.
pub fn fold(_hosts: &[Host]) -> String {
    String::new()
}
