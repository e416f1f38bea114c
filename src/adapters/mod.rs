//! # Adapters: touch the world
//!
//! One folder for each outside system; its wire types never leave it. Adapters use core types and [`crate::runtime::ports`], never each
//! other.

pub mod inventory;
pub mod local;
pub mod ssh;
