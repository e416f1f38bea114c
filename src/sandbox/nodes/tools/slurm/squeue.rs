//! `squeue`: the jobs there are.

use super::format;
use super::options::{Flag, absent, flag, long, read};
use super::{NO_CONTROLLER, Said, VERSION, elapsed, time};
use crate::sandbox::nodes::batch::{Job, Model, PARTITIONS, expand};
use crate::sandbox::nodes::machine::wall_clock;
use crate::sandbox::nodes::tools::Call;

const FLAGS: &[Flag] = &[
    flag('a', "all", false),
    flag('h', "noheader", false),
    flag('j', "jobs", true),
    flag('l', "long", false),
    flag('n', "name", true),
    flag('o', "format", true),
    flag('p', "partition", true),
    flag('r', "array", false),
    flag('t', "states", true),
    flag('u', "user", true),
    flag('v', "verbose", false),
    flag('V', "version", false),
    flag('w', "nodelist", true),
    long("help"),
    long("hide"),
    long("noconvert"),
    long("usage"),
    absent(Some('A'), "account", true),
    absent(None, "array-unique", false),
    absent(None, "federation", false),
    absent(Some('i'), "iterate", true),
    absent(None, "json", false),
    absent(None, "local", false),
    absent(Some('L'), "licenses", true),
    absent(Some('M'), "clusters", true),
    absent(None, "me", false),
    absent(Some('O'), "Format", true),
    absent(Some('q'), "qos", true),
    absent(Some('R'), "reservation", true),
    absent(None, "sibling", false),
    absent(Some('s'), "steps", true),
    absent(Some('S'), "sort", true),
    absent(None, "start", false),
    absent(None, "yaml", false),
];

const USAGE: &str = "Usage: squeue [-A account] [--clusters names] [-i seconds] [--job jobid]
              [-n name] [-o format] [-p partitions] [--qos qos]
              [--reservation reservation] [--sort fields] [--start]
              [--step step_id] [-t states] [-u user_name] [--usage]
              [-L licenses] [-w nodes] [--federation] [--local] [--sibling]
	      [-ahjlrsv]
";

/// State, short form.
const STATES: [(&str, &str); 12] = [
    ("PENDING", "PD"),
    ("RUNNING", "R"),
    ("SUSPENDED", "S"),
    ("COMPLETED", "CD"),
    ("CANCELLED", "CA"),
    ("FAILED", "F"),
    ("TIMEOUT", "TO"),
    ("NODE_FAIL", "NF"),
    ("PREEMPTED", "PR"),
    ("COMPLETING", "CG"),
    ("CONFIGURING", "CF"),
    ("ALL", "ALL"),
];

fn state(job: &Job) -> (&'static str, &'static str) {
    if job.stopped { ("COMPLETING", "CG") } else { ("RUNNING", "R") }
}

pub(super) fn run(call: &Call<'_>) -> Said {
    let line = match read(FLAGS, call.arguments) {
        Ok(line) => line,
        Err(problem) => {
            return Said::badly(1, format!("squeue: {problem}\nTry \"squeue --help\" for more information"));
        }
    };
    if line.has("version") {
        return Said::well(VERSION);
    }
    if line.has("help") || line.has("usage") {
        return Said::well(USAGE);
    }
    if let Some(stray) = line.operands.first() {
        let err = format!("squeue: error: Unrecognized option: {stray}\n");
        return Said { out: USAGE.to_owned(), err, code: 1 };
    }
    let states = line.list("states");
    for asked in states.iter().flatten() {
        if !STATES.iter().any(|(long, short)| asked.eq_ignore_ascii_case(long) || asked.eq_ignore_ascii_case(short)) {
            let names: Vec<&str> = STATES.iter().map(|(long, _)| *long).filter(|long| *long != "ALL").collect();
            return Said::badly(
                1,
                format!(
                    "squeue: error: Invalid job state specified: {asked}\nsqueue: error: Valid job states include: {}\n",
                    names.join(",")
                ),
            );
        }
    }
    let Some(model) = call.machine.batch().map(|batch| batch.look()).filter(|model| model.answers) else {
        return Said::badly(1, format!("slurm_load_jobs error: {NO_CONTROLLER}"));
    };
    let nodes = match line.value("nodelist").map(expand) {
        None => None,
        Some(Err(part)) => return Said::badly(1, format!("squeue: error: Invalid node name {part}")),
        Some(Ok(names)) => {
            if let Some(stranger) = names.iter().find(|name| !model.nodes.contains_key(*name)) {
                return Said::badly(1, format!("squeue: error: Invalid node name {stranger}"));
            }
            Some(names)
        }
    };
    let ids = match line.list("jobs").map(|ids| ids.iter().map(|id| id.parse().map_err(|_| *id)).collect()) {
        None => None,
        Some(Err(id)) => return Said::badly(1, format!("squeue: error: Invalid job id: {id}")),
        Some(Ok(ids)) => {
            let ids: Vec<u32> = ids;
            if !ids.iter().any(|id| model.knew(*id)) {
                return Said::badly(1, "slurm_load_jobs error: Invalid job id specified");
            }
            Some(ids)
        }
    };
    let (users, names, partitions) = (line.list("user"), line.list("name"), line.list("partition"));
    let is_state = |job: &Job, asked: &str| {
        let (long, short) = state(job);
        [long, short, "ALL"].iter().any(|word| word.eq_ignore_ascii_case(asked))
    };
    let mut jobs: Vec<&Job> = model
        .jobs
        .values()
        .filter(|job| {
            nodes.as_ref().is_none_or(|nodes| nodes.contains(&job.node))
                && ids.as_ref().is_none_or(|ids| ids.contains(&job.id))
                && users.as_ref().is_none_or(|users| users.contains(&job.user.as_str()))
                && names.as_ref().is_none_or(|names| names.contains(&job.name.as_str()))
                && partitions.as_ref().is_none_or(|partitions| partitions.contains(&job.partition))
                && states.as_ref().is_none_or(|states| states.iter().any(|asked| is_state(job, asked)))
        })
        .collect();
    jobs.sort_by_key(|job| (!job.stopped, job.id));
    let written = match line.value("format") {
        Some(format) => format,
        None if line.has("long") => "%.18i %.9P %.8j %.8u %.8T %.10M %.9l %.6D %R",
        None => "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R",
    };
    let pieces = format::read(written);
    let letters = format::letters(&pieces);
    let mut said = Said::default();
    for letter in letters.iter().filter(|letter| header(**letter).is_none()) {
        said.err.push_str(&format!("Invalid job format specification: {letter}\n"));
    }
    let mut rows = Vec::new();
    if !line.has("noheader") {
        if line.has("long") {
            let now = jiff::Zoned::new(wall_clock(), jiff::tz::TimeZone::UTC);
            said.out = format!("{}\n", now.strftime("%a %b %d %H:%M:%S %Y"));
        }
        let heads = letters.iter().map(|letter| header(*letter).map_or_else(|| format!("%{letter}"), str::to_owned));
        rows.push(heads.collect());
    }
    rows.extend(jobs.iter().map(|job| letters.iter().map(|letter| cell(*letter, job, &model)).collect::<Vec<_>>()));
    said.out.push_str(&format::write(&pieces, &rows));
    said
}

fn header(letter: char) -> Option<&'static str> {
    Some(match letter {
        'A' | 'i' => "JOBID",
        'B' => "EXEC_HOST",
        'C' => "CPUS",
        'D' => "NODES",
        'j' => "NAME",
        'l' => "TIME_LIMIT",
        'M' => "TIME",
        'N' => "NODELIST",
        'P' => "PARTITION",
        'r' => "REASON",
        'R' => "NODELIST(REASON)",
        'S' => "START_TIME",
        't' => "ST",
        'T' => "STATE",
        'u' => "USER",
        'U' => "UID",
        'V' => "SUBMIT_TIME",
        _ => return None,
    })
}

fn cell(letter: char, job: &Job, model: &Model) -> String {
    let limit = PARTITIONS.iter().find(|(name, ..)| *name == job.partition).map_or("infinite", |(_, limit, _)| limit);
    match letter {
        'A' | 'i' => job.id.to_string(),
        'B' | 'N' | 'R' => job.node.clone(),
        'C' => job.cores.to_string(),
        'D' => "1".to_owned(),
        'j' => job.name.clone(),
        'l' => limit.to_owned(),
        'M' => elapsed(model.now().saturating_sub(job.since).as_secs()),
        'P' => job.partition.to_owned(),
        'r' => "None".to_owned(),
        'S' | 'V' => time(model.wall(job.since)),
        't' => state(job).1.to_owned(),
        'T' => state(job).0.to_owned(),
        'u' => job.user.clone(),
        'U' => job.uid.to_string(),
        other => format!("%{other}"),
    }
}
