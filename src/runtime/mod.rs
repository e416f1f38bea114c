//! # Runtime: joins

pub mod outbox;
pub mod ports;
