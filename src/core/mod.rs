//! # Core: decides
//!
//! Pure and synchronous: no clock, no files, no sockets, no tasks.

pub mod id;
pub mod input;
pub mod effect;
pub mod fact;
pub mod settings;
pub mod host;
pub mod action;
pub mod alias;
pub mod content;
