//! # Adapters: touch the world
//!
//! One folder for each system outside. An adapter implements a port of `runtime::ports` or translates what it hears into inputs; it
//! decides nothing.
//!
//! - **Adapters know core and the ports, never each other.**
//! - **Wire types never leave their folder.**

pub mod clock;
