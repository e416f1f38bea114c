//! # Actions
//!
//! What can be run, with what parameters, and the life of one run.
//!
//! An action's file is [`spec`]. What somebody gives is brought together with the file's defaults in [`params`], and becomes work for a runner
//! in [`plan`]; [`run`] is that work, [`execution`] its life. What an execution asks people is an [`inquiry`].
//!
//! **A value that somebody gives is data**: it is never a template, and it reaches a shell command only if a shell sees nothing in it.

pub mod capture;
pub mod execution;
pub mod flaw;
mod http;
pub mod inquiry;
pub mod launcher;
mod mail;
pub(crate) mod monitoring;
pub mod params;
pub mod plan;
pub mod reason;
pub mod result;
pub mod run;
mod schema;
pub(crate) mod shell;
pub mod spec;
pub mod waiting;
pub mod wrapper;
