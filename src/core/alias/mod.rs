//! # Aliases
pub mod spec;
