//! # Sensors
//!
//! Programs of packs, in any language, that tell what happens: a line of JSON on standard output for each event. `docs/sensors.md` is their
//! description for those who write them.
//!
//! ## From a file to an event
//! 1. A file of `sensors/` is a [`spec::Sensor`]. One that names a `class_name` is StackStorm's, a class in a Python module; one that does not is a
//!    program of its own.
//! 2. [`supervision::Supervised`] says of each when it is started, stopped and started again.
//! 3. The program is told its [`Launch::settings`] on standard input, and runs until it ends or is to be stopped.
//! 4. Each [`mod@line`] that it writes is an event like any other, and is taken up before the next one is read.
//!
//! - **A sensor that should run and does not is always either to be started at a known moment or told of**; none is ever given up.
//! - **Never does a sensor run twice**: what replaces one begins when that one has ended.
//! - **Nothing that a program writes is trusted**: what cannot be understood is counted, told once, and changes nothing.
//! - **No secret stands in arguments or in the environment**, where others can read them.
//! - **What a supervisor knows is lost with the process, without harm.** What is remembered is who switched a sensor on or off.

pub mod line;
pub mod spec;
pub mod supervision;

use crate::core::action::params::MASK;
use crate::core::action::run::Secret;
use crate::core::id::SensorRef;
use std::fmt;

/// How many of the last lines of standard error are kept.
pub const KEPT_ERRORS: usize = 10;
/// The longest line of standard output that is read; the same as the longest body of a webhook.
pub const LONGEST_LINE: usize = 1 << 20;

/// What is to be started.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Which sensor.
    pub sensor: SensorRef,
    /// Its number among the starts of this sensor.
    pub run: u64,
    /// The program's absolute path.
    pub program: String,
    /// What it finds on standard input: one line of JSON.
    pub settings: Secret,
    /// What of it is secret, so that it can be hidden where the program repeats it.
    pub hidden: Vec<Secret>,
}

/// A text that a sensor wrote, with every secret hidden that it was told.
pub fn masked(text: &str, hidden: &[Secret]) -> String {
    let hide = |text: String, secret: &Secret| text.replace(secret.reveal(), MASK);
    hidden.iter().fold(text.to_owned(), hide)
}

/// What is told of a sensor that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Its program has begun.
    Started {
        /// Its process id, which is its group's, too.
        pid: u32,
    },
    /// It has written a line. The next one is read when this one has been answered.
    Said(Heard),
    /// The last lines of its standard error, whenever there are others.
    Errors(Vec<String>),
    /// It is not there any more, and nothing of its process group is. Comes once, last.
    Ended {
        /// How.
        end: End,
        /// The last lines of its standard error.
        errors: Vec<String>,
    },
}

/// A line of standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// As it was written, without its end.
    Line(String),
    /// Longer than [`LONGEST_LINE`]; this is how it begins.
    TooLong(String),
    /// Not UTF-8; this is it as far as it can be read.
    NotText(String),
}

/// How a sensor ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It never began.
    NotStarted {
        /// Why.
        why: String,
    },
}

impl End {
    /// The exit code of a shell that has waited for it.
    pub fn of_shell(code: i32) -> Self {
        match code {
            129..=192 => Self::Signal(code - 128),
            code => Self::Code(code),
        }
    }

    /// As a shell counts; nothing where it never began.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(*code),
            Self::Signal(signal) => Some(128 + signal),
            Self::NotStarted { .. } => None,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(0) => f.write_str("it ended by itself (exit code 0)"),
            Self::Code(code) => write!(f, "it ended with exit code {code}"),
            Self::Signal(signal) => write!(f, "it was killed by signal {signal}"),
            Self::NotStarted { why } => write!(f, "it could not be started: {why}"),
        }
    }
}
