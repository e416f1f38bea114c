//! Halcyon: a ChatOps bot for Mattermost with an automation engine inside.
//!
//! Core decides, adapters touch, runtime joins:
//!
//! - [`core`]: what the bot does, as one pure machine;
//! - [`runtime`]: waits, makes facts durable, carries effects out;
//! - [`adapters`]: the world outside, a folder for each system;
//! - [`config`]: `config.toml`, as written and as used;
//! - [`app`]: puts the parts together;
//! - [`cli`]: the commands;
//! - `sandbox`: a whole cluster in one process, for the demo and the tests.
//!
//! `docs/architecture.md` is the map.

pub mod adapters;
pub mod app;
pub mod cli;
pub mod config;
pub mod core;
pub mod runtime;
#[cfg(feature = "sandbox")]
pub mod sandbox;
