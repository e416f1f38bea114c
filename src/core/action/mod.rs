//! # Actions
//!
//! What can be run, with what parameters, and the life of one run.

pub mod execution;
pub mod result;
pub mod run;
pub mod spec;
