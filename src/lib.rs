//! Halcyon: a ChatOps bot for Mattermost with an automation engine inside.

pub mod core;
pub mod runtime;
#[cfg(feature = "sandbox")]
pub mod sandbox;
