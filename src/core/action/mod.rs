//! # Actions
//!
//! What can be run, with what parameters, and the life of one run.

pub mod capture;
pub mod execution;
pub mod run;
pub mod spec;
pub mod wrapper;
