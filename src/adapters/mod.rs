//! # Adapters: touch the world
//!
//! One folder for each system outside. An adapter implements a port of `runtime::ports` or translates what it hears into inputs; it
//! decides nothing.
//!
//! - **Adapters know core and the ports, never each other.**
//! - **Wire types never leave their folder.**

pub mod clock;
//! # Adapters: touch
//!
//! One folder for each outside system. What is peculiar to a system never leaves its folder; adapters use the core's types and
//! [`crate::runtime::ports`], never each other.

pub mod store;
//! One module for each outside system. They use the words of [`crate::core`] and the ports of [`crate::runtime`], never each other; what
//! an outside system's messages look like stays inside its module.

pub mod content;
//! # Adapters: touch
//!
//! One folder per outside system. **Wire types never leave their folder; an adapter never names another.**

pub mod mattermost;
pub mod api;
pub mod control;
