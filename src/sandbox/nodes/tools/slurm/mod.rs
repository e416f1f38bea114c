//! # Slurm's commands over the model of the batch system
//!
//! `sinfo`, `squeue`, `scontrol`, `scancel`.
//!
//! Options, formats, refusals and exit codes are those of Slurm 22.05. **An option that the real command has and that is not played here is
//! refused in words**, so that nobody takes silence for an answer.

mod format;
mod options;
mod scancel;
mod scontrol;
mod sinfo;
mod squeue;

use jiff::tz::TimeZone;

use super::{Call, Ran};

const VERSION: &str = "slurm-wlm 22.05.8\n";
/// What every command says when there is no daemon to ask.
const NO_CONTROLLER: &str = "Unable to contact slurm controller (connect failure)";

pub(super) async fn run(call: &Call<'_>) -> Ran {
    let said = match call.name {
        "sinfo" => sinfo::run(call),
        "squeue" => squeue::run(call),
        "scontrol" => scontrol::run(call),
        _ => scancel::run(call),
    };
    call.out(said.out).await?;
    let _ = call.streams.err.write(said.err).await;
    Ok(said.code)
}

/// All that a command says, and its exit code.
#[derive(Debug, Default)]
struct Said {
    out: String,
    err: String,
    code: i32,
}

impl Said {
    fn well(out: impl Into<String>) -> Self {
        Self { out: out.into(), ..Self::default() }
    }

    fn badly(code: i32, err: impl Into<String>) -> Self {
        let mut err = err.into();
        err.push('\n');
        Self { err, code, ..Self::default() }
    }
}

/// Whether an account may change what is not its own: Slurm's own, and root.
fn is_operator(user: &str) -> bool {
    matches!(user, "root" | "slurm")
}

/// A moment as Slurm prints it.
fn time(second: i64) -> String {
    let moment = jiff::Timestamp::from_second(second).unwrap_or_default().to_zoned(TimeZone::UTC);
    moment.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// A duration as Slurm prints it: `D-HH:MM:SS` as far as needed.
fn elapsed(seconds: u64) -> String {
    let (days, hours, minutes, seconds) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{seconds:02}"),
        (0, _) => format!("{hours}:{minutes:02}:{seconds:02}"),
        _ => format!("{days}-{hours:02}:{minutes:02}:{seconds:02}"),
    }
}
