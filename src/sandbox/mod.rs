//! # Sandbox: a whole cluster in one process

pub mod nodes;
