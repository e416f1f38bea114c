//! # Adapters: touch
//!
//! One folder for each outside system. What is peculiar to a system never leaves its folder; adapters use the core's types and
//! [`crate::runtime::ports`], never each other.

pub mod api;
pub mod control;
