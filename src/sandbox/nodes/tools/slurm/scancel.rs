//! `scancel`: jobs are stopped.

use super::options::{Flag, absent, flag, long, read};
use super::{NO_CONTROLLER, Said, VERSION, is_operator};
use crate::sandbox::nodes::batch::{Job, expand};
use crate::sandbox::nodes::tools::Call;

const FLAGS: &[Flag] = &[
    flag('b', "batch", false),
    flag('f', "full", false),
    flag('n', "name", true),
    flag('p', "partition", true),
    flag('Q', "quiet", false),
    flag('s', "signal", true),
    flag('t', "state", true),
    flag('u', "user", true),
    flag('v', "verbose", false),
    flag('V', "version", false),
    flag('w', "nodelist", true),
    long("help"),
    long("usage"),
    absent(Some('A'), "account", true),
    absent(Some('c'), "ctld", false),
    absent(Some('H'), "hurry", false),
    absent(Some('i'), "interactive", false),
    absent(Some('M'), "clusters", true),
    absent(Some('q'), "qos", true),
    absent(Some('R'), "reservation", true),
    absent(None, "sibling", true),
    absent(None, "wckey", true),
];

const USAGE: &str = "Usage: scancel [-A account] [--batch] [--full] [--interactive] [-n job_name]
               [-p partition] [-Q] [-q qos] [-R reservation] [-s signal | integer]
               [-t PENDING | RUNNING | SUSPENDED] [--usage] [-u user_name]
               [--hurry] [-V] [-v] [-w hosts...] [--wckey=wckey]
               [job_id[_array_id][.step_id]]
";

/// Signals by name and number, and whether a job ends by them.
const SIGNALS: [(&str, &str, bool); 10] = [
    ("HUP", "1", true),
    ("INT", "2", true),
    ("QUIT", "3", true),
    ("KILL", "9", true),
    ("TERM", "15", true),
    ("USR1", "10", false),
    ("USR2", "12", false),
    ("URG", "23", false),
    ("CONT", "18", false),
    ("STOP", "19", false),
];

pub(super) fn run(call: &Call<'_>) -> Said {
    let line = match read(FLAGS, call.arguments) {
        Ok(line) => line,
        Err(problem) => {
            return Said::badly(1, format!("scancel: {problem}\nTry \"scancel --help\" for more information"));
        }
    };
    if line.has("version") {
        return Said::well(VERSION);
    }
    if line.has("help") || line.has("usage") {
        return Said::well(USAGE);
    }
    let ends = match line.value("signal") {
        None => true,
        Some(signal) => {
            let plain = signal.to_ascii_uppercase();
            let plain = plain.strip_prefix("SIG").unwrap_or(&plain);
            match SIGNALS.iter().find(|(name, number, _)| *name == plain || *number == plain) {
                Some((.., ends)) => *ends,
                None => return Said::badly(1, format!("Unknown job signal: {signal}")),
            }
        }
    };
    let state = line.value("state");
    if let Some(state) = state
        && !["PENDING", "PD", "RUNNING", "R", "SUSPENDED", "S"].iter().any(|word| word.eq_ignore_ascii_case(state))
    {
        return Said::badly(
            1,
            format!("Invalid job state specified: {state}\nValid job states are PENDING, RUNNING, and SUSPENDED"),
        );
    }
    let mut ids: Vec<u32> = Vec::new();
    for operand in &line.operands {
        match operand.parse().ok().filter(|id| *id > 0) {
            Some(id) => ids.push(id),
            None => return Said::badly(1, format!("scancel: error: Invalid job id {operand}")),
        }
    }
    let by_property = ["name", "partition", "state", "user", "nodelist"].iter().any(|long| line.has(long));
    if ids.is_empty() && !by_property {
        return Said::badly(1, "scancel: error: No job identification provided");
    }
    let Some(mut model) = call.machine.batch().map(|batch| batch.look()).filter(|model| model.answers) else {
        let id = ids.first().copied().unwrap_or_default();
        return Said::badly(8, format!("scancel: error: Kill job error on job id {id}: {NO_CONTROLLER}"));
    };
    let mut said = Said::default();
    if by_property {
        let nodes = line.value("nodelist").map(|list| expand(list).unwrap_or_default());
        let fits = |job: &Job| {
            (ids.is_empty() || ids.contains(&job.id))
                && line.value("name").is_none_or(|name| name == job.name)
                && line.value("partition").is_none_or(|partition| partition == job.partition)
                && line.value("user").is_none_or(|user| user == job.user)
                && state.is_none_or(|state| {
                    !job.stopped && ["RUNNING", "R"].iter().any(|word| word.eq_ignore_ascii_case(state))
                })
                && nodes.as_ref().is_none_or(|nodes| nodes.contains(&job.node))
        };
        ids = model.jobs.values().filter(|job| fits(job)).map(|job| job.id).collect();
    }
    for id in ids {
        if line.has("verbose") {
            said.err.push_str(&format!("scancel: Terminating job {id}\n"));
        }
        match model.jobs.get(&id) {
            Some(job) if !is_operator(call.user) && job.user != call.user => {
                said.err
                    .push_str(&format!("scancel: error: Kill job error on job id {id}: Access/permission denied\n"));
                // ESLURM_ACCESS_DENIED, as far as an exit code holds it.
                said.code = 210;
            }
            Some(_) if ends => model.stop(id),
            Some(_) => {}
            None if line.has("signal") => {
                said.err
                    .push_str(&format!("scancel: error: Kill job error on job id {id}: Invalid job id specified\n"));
                said.code = 1;
            }
            // One that has gone is as well as stopped; only who wants to know is told.
            None if line.has("verbose") => said.err.push_str(&format!(
                "scancel: error: Kill job error on job id {id}: Job/step already completing or completed\n"
            )),
            None => {}
        }
    }
    said
}
