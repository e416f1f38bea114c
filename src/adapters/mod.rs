//! # Adapters: touch the world
//!
//! One folder or file for each system outside. An adapter implements a port of [`crate::runtime::ports`] or translates what it hears into
//! inputs; it decides nothing.
//!
//! - **Adapters know core and the ports, never each other.**
//! - **Wire types never leave their folder.**

pub mod api;
pub mod callback_key;
pub mod clock;
pub mod content;
pub mod control;
pub mod http;
pub mod inventory;
pub mod local;
pub mod mail;
pub mod mattermost;
pub mod monitoring;
pub mod notify;
pub mod ssh;
pub mod store;
pub mod systemd;
