//! stub
use super::{run::Work, spec::Action, params::Resolved}; use crate::core::host::{Inventory, HostError}; use std::time::Duration;
/// p
#[derive(Debug)] pub enum Plan { /// r
 Run(Work), /// n
 Noop, /// p
 Pause(Duration) }
/// p
#[derive(Debug, thiserror::Error)] pub enum PlanProblem { /// h
 #[error("h")] Hosts(HostError), /// o
 #[error("o")] Other }
/// f
pub fn plan(_a: &Action, _r: &Resolved, _i: &Inventory) -> Result<Plan, PlanProblem> { Err(PlanProblem::Other) }
