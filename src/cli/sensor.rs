//! `sensor list|show|enable|disable`: told by the bot that runs.

use super::daemon::{Daemon, odd};
use super::look::{harmless, table};
use super::{Failure, Surroundings, load, yaml};
use crate::core::effect::{Answer, ShownSensor};
use crate::core::input::{Ask, SensorAsk};
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::Path;

/// `sensor …`
#[derive(Debug, Subcommand)]
pub enum SensorCommand {
    /// All sensors, and how they are
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// One sensor, with what it wrote last
    Show {
        /// Its ref, or its name alone
        sensor: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Have a sensor run, whatever its file says
    Enable {
        /// Its ref, or its name alone
        sensor: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Have a sensor run no more, whatever its file says
    Disable {
        /// Its ref, or its name alone
        sensor: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn sensor(file: &Path, command: SensorCommand, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let (ask, as_json) = match command {
        SensorCommand::List { json } => (SensorAsk::List, json),
        SensorCommand::Show { sensor, json } => (SensorAsk::Show { sensor }, json),
        SensorCommand::Enable { sensor, json } => (SensorAsk::Switch { sensor, enabled: true }, json),
        SensorCommand::Disable { sensor, json } => (SensorAsk::Switch { sensor, enabled: false }, json),
    };
    let config = load(file, surroundings)?;
    let sensors = match Daemon::new(&config)?.ask(&Ask::Sensors(ask.clone()))? {
        Answer::Sensors { sensors } => sensors,
        other => return Err(odd(&other)),
    };
    let out = &mut *surroundings.out;
    match (ask, sensors.as_slice()) {
        (SensorAsk::List, sensors) if as_json => writeln!(out, "{:#}", sensors.iter().map(value).collect::<Value>())?,
        (SensorAsk::List, []) => writeln!(out, "No matching items found")?,
        (SensorAsk::List, sensors) => {
            let rows: Vec<[String; 6]> = sensors.iter().map(row).collect();
            writeln!(out, "{}", table(&["ref", "state", "failures", "events", "refused", "last end"], &rows))?;
        }
        (_, [sensor]) if as_json => writeln!(out, "{:#}", value(sensor))?,
        (SensorAsk::Switch { enabled, .. }, [sensor]) => {
            writeln!(out, "{} is {}", sensor.reference, if enabled { "to run" } else { "switched off" })?;
        }
        (_, sensors) => {
            for sensor in sensors {
                for (name, value) in value(sensor).as_object().into_iter().flatten() {
                    writeln!(out, "{}", yaml::attribute(name, value))?;
                }
            }
        }
    }
    Ok(())
}

fn row(sensor: &ShownSensor) -> [String; 6] {
    [
        sensor.reference.to_string(),
        sensor.state.clone(),
        sensor.failures.to_string(),
        sensor.events.to_string(),
        sensor.refused.to_string(),
        harmless(&sensor.last_end),
    ]
}

/// A sensor with StackStorm's names where it has some.
fn value(sensor: &ShownSensor) -> Value {
    json!({
        "ref": sensor.reference,
        "description": sensor.description,
        "enabled": sensor.enabled,
        "switched_by": sensor.switched_by,
        "state": sensor.state,
        "since": sensor.since,
        "pid": sensor.pid,
        "poll_interval": sensor.poll_interval,
        "failures": sensor.failures,
        "down": sensor.down,
        "next": sensor.next,
        "last_end": sensor.last_end,
        "events": sensor.events,
        "refused": sensor.refused,
        "complaint": sensor.complaint,
        "stderr": sensor.errors,
        "trigger_types": sensor.triggers,
        "file": sensor.file,
    })
}
