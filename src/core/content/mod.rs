//! # Content
//!
//! What the packs say: files in, a [`Catalog`] and [`diagnostic::Diagnostic`]s out. Reading files is somebody else's work.

pub mod diagnostic;

use crate::core::action::spec::Action;
use crate::core::alias::spec::Alias;
use crate::core::id::ActionRef;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything that is in force, built from one reading of all packs.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Every pack by its ref, `core` included.
    pub packs: BTreeMap<String, Pack>,
    /// Every action, disabled ones included.
    pub actions: BTreeMap<ActionRef, Arc<Action>>,
    /// Every alias, disabled ones included, in load order.
    pub aliases: Vec<Arc<Alias>>,
    // matcher: built from `aliases`
}

/// A pack as its `pack.yaml` says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    /// Its ref.
    pub reference: String,
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// Its version.
    pub version: String,
}

/// One pack as it was read from disk.
#[derive(Debug, Clone)]
pub struct PackSource {
    /// The name of its directory, which is its ref when `pack.yaml` gives none.
    pub directory: String,
    /// Its files, sorted by name.
    pub files: Vec<SourceFile>,
}

/// One file as it was read.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The path as the user would name it, for messages.
    pub shown: String,
    /// The path inside the pack, with slashes: `aliases/uptime.yaml`.
    pub inside: String,
    /// Its text, or why there is none.
    pub text: Result<String, String>,
}
