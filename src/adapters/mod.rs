//! # Adapters: touch the world
//!
//! One module for each outside system. They use the words of [`crate::core`] and the ports of [`crate::runtime`], never each other; what
//! an outside system's messages look like stays inside its module.

pub mod content;
