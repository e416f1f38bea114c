//! # Core: decides
//!
//! Pure and synchronous: no clock, no files, no sockets, no tasks.

pub mod action;
pub mod alias;
pub mod content;
pub mod effect;
pub mod fact;
pub mod host;
pub mod id;
pub mod input;
pub mod settings;
pub mod template;
