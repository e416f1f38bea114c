//! Halcyon: a ChatOps bot for Mattermost with an automation engine inside.

pub mod adapters;
pub mod app;
pub mod cli;
pub mod config;
pub mod core;
pub mod runtime;
