//! What a file of `sensors/` says.

use crate::core::id::{SensorRef, TriggerRef};

/// A sensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sensor {
    /// Its name.
    pub reference: SensorRef,
    /// For people.
    pub description: String,
    /// Whether its file wants it to run.
    pub enabled: bool,
    /// How many seconds lie between two runs of a program that ends when it has looked once. A program that does not end is told of it.
    pub poll_interval: Option<u64>,
    /// The types of triggers that its file declares.
    pub triggers: Vec<TriggerRef>,
    /// What runs.
    pub runs: Runs,
    /// Where it is defined, for messages.
    pub file: String,
}

/// What a sensor is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runs {
    /// A program of its own.
    Program {
        /// Its absolute path.
        path: String,
        /// Differs when the program, or what lies in `sensors/lib`, does.
        stamp: String,
    },
    /// A class in a Python module, as in StackStorm. Nothing can run it yet.
    Class {
        /// Its name.
        name: String,
    },
}

impl Sensor {
    /// The pack that it belongs to.
    pub fn pack(&self) -> &str {
        self.reference.as_str().split_once('.').map_or("", |(pack, _)| pack)
    }
}
