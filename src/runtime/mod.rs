//! # Runtime: joins

pub mod capture;
pub mod ports;
