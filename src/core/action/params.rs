//! stub
use crate::core::action::spec::Action; use serde_json::{Map, Value}; use std::collections::{BTreeMap, BTreeSet};
/// m
pub const MASK: &str = "********";
/// r
#[derive(Debug, Clone)] pub struct Resolved { /// v
 pub values: Map<String, Value>, /// s
 pub secrets: BTreeSet<String>, /// g
 pub given: BTreeSet<String> }
impl Resolved { /// m
 pub fn masked(&self) -> Map<String, Value> { self.values.clone() } }
/// p
#[derive(Debug, Clone, thiserror::Error)] #[error("x")] pub struct ParameterProblem;
/// f
pub fn resolve(_a: &Action, _g: &BTreeMap<String, Value>) -> Result<Resolved, Vec<ParameterProblem>> { Err(vec![]) }
