//! Halcyon: a ChatOps bot for Mattermost with an automation engine inside.

pub mod adapters;
pub mod core;
pub mod runtime;
