//! # Runtime: joins

pub mod ports;
