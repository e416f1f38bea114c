//! # Hosts
//!
//! Which machines there are, and what a host expression in a line of chat means.
//!
//! Expression: names and ranges separated by commas or blanks (`wn[001-150]`, `wn[001-010,015]`, `wn[1-9/2]`, `r[1-4]n[01-36]`), groups
//! by `@name`, `name:port`, and `!` before an item to take it away (`wn[001-150],!wn[005-007]`), wherever it stands.
//!
//! - A range counts in the width of its start when that is written with leading zeros: `[08-12]` is `08` to `12`, `[8-12]` is `8` to `12`.
//! - A name that the inventory has only in lower case is taken in lower case: phones capitalise the first letter of a line.
//! - A site that keeps no list of hosts takes every well-formed name.
//!
//! **Every name is checked before it leaves this module**: letters, digits, `.`, `-`, `_`, not starting with `-` or `.`, at most 253
//! characters. Nothing else ever reaches ssh.
//!
//! **An expression is counted before it is expanded**, so that `a[1-999999999]` costs nothing.

mod expression;
mod fold;
mod inventory;

pub use expression::{expand, is_name};
pub use fold::fold;
pub use inventory::{Inventory, InventoryProblem};

/// The most hosts that one expression may mean, what it takes away included.
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
