//! # Runtime: joins

pub mod capture;
pub mod ports;
pub mod watch;
