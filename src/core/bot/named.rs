//! One of several things of packs, as people name it: by its ref, or by its own name where only one has it.

use std::sync::Arc;

/// The one that is meant; nothing where none or several may be.
pub(super) fn named<'a, T>(all: &'a [Arc<T>], reference: impl Fn(&T) -> &str, name: &str) -> Option<&'a Arc<T>> {
    let exact = all.iter().find(|one| reference(one) == name);
    let own = |one: &&Arc<T>| reference(one).split_once('.').is_some_and(|(_, own)| own == name);
    let mut alike = all.iter().filter(own);
    exact.or_else(|| alike.next().filter(|_| alike.next().is_none()))
}
