//! `scontrol`: nodes are shown in full, and changed.

use super::options::{Flag, absent, flag, long, read};
use super::{NO_CONTROLLER, Said, VERSION, elapsed, is_operator, time};
use crate::sandbox::nodes::batch::{Job, Model, PARTITIONS, Unwanted, Wanted, compress, expand};
use crate::sandbox::nodes::tools::Call;

const FLAGS: &[Flag] = &[
    flag('a', "all", false),
    flag('d', "details", false),
    flag('h', "help", false),
    long("hide"),
    flag('o', "oneliner", false),
    flag('Q', "quiet", false),
    long("usage"),
    flag('v', "verbose", false),
    flag('V', "version", false),
    absent(None, "federation", false),
    absent(Some('F'), "future", false),
    absent(None, "local", false),
    absent(Some('M'), "cluster", true),
    absent(Some('M'), "clusters", true),
    absent(None, "sibling", false),
    absent(Some('u'), "uid", true),
];

/// The command's own words, the first of them those that are played.
const KEYWORDS: [&str; 28] = [
    "show",
    "update",
    "ping",
    "version",
    "help",
    "abort",
    "cancel_reboot",
    "cluster",
    "clusters",
    "completing",
    "create",
    "delete",
    "exit",
    "getaddrs",
    "hold",
    "listpids",
    "notify",
    "pidinfo",
    "quit",
    "reboot",
    "reboot_nodes",
    "reconfigure",
    "release",
    "requeue",
    "resume",
    "setdebug",
    "suspend",
    "takeover",
];
const PLAYED: usize = 5;
const USAGE: &str = "scontrol [<OPTION>] [<COMMAND>]\n    show node [LIST] | show job [ID] | show hostnames LIST | show hostlist LIST\n    \
                     update nodename=LIST state=STATE reason=TEXT\n    ping | version | help\n";

pub(super) fn run(call: &Call<'_>) -> Said {
    let line = match read(FLAGS, call.arguments) {
        Ok(line) => line,
        Err(problem) => {
            return Said::badly(1, format!("scontrol: {problem}\nTry \"scontrol --help\" for more information"));
        }
    };
    if line.has("version") {
        return Said::well(VERSION);
    }
    if line.has("help") || line.has("usage") {
        return Said::well(USAGE);
    }
    let Some((keyword, operands)) = line.operands.split_first() else {
        // It would ask; nobody answers.
        return Said::well("scontrol: \n");
    };
    let lowered = keyword.to_ascii_lowercase();
    let found = KEYWORDS.iter().position(|known| known.starts_with(&lowered));
    let Some(found) = found else { return Said::badly(1, format!("invalid keyword: {keyword}")) };
    if found >= PLAYED {
        return Said::badly(1, format!("scontrol: {} is not played in this sandbox", KEYWORDS[found]));
    }
    let mut model = call.machine.batch().map(|batch| batch.look()).filter(|model| model.answers);
    match KEYWORDS[found] {
        "help" => Said::well(USAGE),
        "version" => Said::well(VERSION),
        "ping" => {
            let word = if model.is_some() { "UP" } else { "DOWN" };
            let server = call.machine.batch_server().unwrap_or("nowhere");
            let mut out = format!("Slurmctld(primary) at {server} is {word}\n");
            if model.is_none() {
                let rule = "*".repeat(41);
                out.push_str(&format!("{rule}\n** RESTORE SLURMCTLD DAEMON TO SERVICE **\n{rule}\n"));
            }
            Said { out, code: i32::from(model.is_none()), ..Said::default() }
        }
        "show" => show(model.as_deref(), operands, line.has("oneliner")),
        _ => update(call, model.as_deref_mut(), operands),
    }
}

fn show(model: Option<&Model>, operands: &[String], one_line: bool) -> Said {
    let Some((entity, rest)) = operands.split_first() else {
        return Said::badly(1, "too few arguments for keyword:show");
    };
    let lowered = entity.to_ascii_lowercase();
    let is = |whole: &str, least: usize| lowered.len() >= least && whole.starts_with(&lowered);
    let list = rest.first().map(String::as_str);
    if is("hostnames", 5) || is("hostlist", 5) {
        let names = match expand(list.unwrap_or_default()) {
            Ok(names) => names,
            Err(part) => return Said::badly(1, format!("Invalid hostlist: {part}")),
        };
        return match is("hostnames", 5) {
            true => Said::well(names.iter().map(|name| format!("{name}\n")).collect::<String>()),
            false => Said::well(format!("{}\n", compress(names.iter().map(String::as_str)))),
        };
    }
    if is("nodes", 3) {
        let Some(model) = model else { return Said::badly(1, format!("slurm_load_node error: {NO_CONTROLLER}")) };
        let names = match list.map(expand) {
            None => model.nodes.keys().cloned().collect(),
            Some(Ok(names)) => names,
            Some(Err(_)) => list.map(str::to_owned).into_iter().collect(),
        };
        let mut said = Said::default();
        for name in names {
            match node(model, &name) {
                Some(lines) => said.out.push_str(&written(&lines, one_line)),
                None => {
                    said.out.push_str(&format!("Node {name} not found\n"));
                    said.code = 1;
                }
            }
        }
        return said;
    }
    if is("jobs", 3) {
        let Some(model) = model else { return Said::badly(1, format!("slurm_load_jobs error: {NO_CONTROLLER}")) };
        let jobs: Vec<&Job> = match list {
            None => model.jobs.values().collect(),
            Some(id) => match id.parse().ok().and_then(|id: u32| model.jobs.get(&id)) {
                Some(job) => vec![job],
                None => return Said::badly(1, "slurm_load_jobs error: Invalid job id specified"),
            },
        };
        return Said::well(jobs.iter().map(|job| written(&job_lines(model, job), one_line)).collect::<String>());
    }
    if ["partition", "config", "reservation", "steps", "topology", "daemons", "licenses", "burstbuffer"]
        .iter()
        .any(|known| is(known, 3))
    {
        return Said::badly(1, format!("scontrol: show {entity} is not played in this sandbox"));
    }
    Said::badly(1, format!("invalid entity:{entity} for keyword:show "))
}

/// Lines as they stand, with an empty one after them, or all in one.
fn written(lines: &[String], one_line: bool) -> String {
    match one_line {
        true => format!("{}\n", lines.iter().map(|line| line.as_str()).collect::<Vec<_>>().join(" ")),
        false => format!("{}\n\n", lines.join("\n   ")),
    }
}

fn node(model: &Model, name: &str) -> Option<Vec<String>> {
    let (node, standing) = (model.nodes.get(name)?, model.standing(name)?);
    let seen = node.seen.as_ref();
    let partitions: Vec<&str> = model.partitions_of(name).into_iter().map(|at| PARTITIONS[at].0).collect();
    let (cores, memory) = (node.cores, node.memory);
    let load = seen.map_or_else(|| "N/A".to_owned(), |seen| format!("{:.2}", seen.load));
    let booted = seen.map_or_else(|| "None".to_owned(), |seen| time(seen.booted));
    let mut lines = vec![
        format!("NodeName={name} Arch=x86_64 CoresPerSocket={} ", cores / 2),
        format!("CPUAlloc={} CPUEfctv={cores} CPUTot={cores} CPULoad={load}", standing.taken),
        "AvailableFeatures=(null)".to_owned(),
        "ActiveFeatures=(null)".to_owned(),
        "Gres=(null)".to_owned(),
        format!("NodeAddr={} NodeHostName={name} Version=22.05.8", node.address),
        format!("OS=Linux {} #1 SMP PREEMPT_DYNAMIC ", seen.map_or("", |seen| seen.kernel.as_str())),
        format!("RealMemory={memory} AllocMem=0 FreeMem={} Sockets=2 Boards=1", memory / 3),
        format!("State={} ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A", standing.flags()),
        format!("Partitions={} ", partitions.join(",")),
        format!("BootTime={booted} SlurmdStartTime={booted}"),
        format!("LastBusyTime={}", time(model.wall(model.now()))),
        format!("CfgTRES=cpu={cores},mem={memory}M,billing={cores}"),
        match standing.taken {
            0 => "AllocTRES=".to_owned(),
            taken => format!("AllocTRES=cpu={taken}"),
        },
        "CapWatts=n/a".to_owned(),
        "CurrentWatts=0 AveWatts=0".to_owned(),
        "ExtSensorsJoules=n/s ExtSensorsWatts=0 ExtSensorsTemp=n/s".to_owned(),
    ];
    if let Some(reason) = &node.reason {
        lines.push(format!("Reason={} [{}@{}]", reason.text, reason.user, time(reason.at)));
    }
    Some(lines)
}

fn job_lines(model: &Model, job: &Job) -> Vec<String> {
    let ran = model.now().saturating_sub(job.since).as_secs();
    let state = if job.stopped { "COMPLETING" } else { "RUNNING" };
    vec![
        format!("JobId={} JobName={}", job.id, job.name),
        format!("UserId={}({}) GroupId=users(100) MCS_label=N/A", job.user, job.uid),
        format!("JobState={state} Reason=None Dependency=(null)"),
        format!("RunTime={} StartTime={}", elapsed(ran), time(model.wall(job.since))),
        format!("Partition={} NodeList={} BatchHost={1}", job.partition, job.node),
        format!("NumNodes=1 NumCPUs={} NumTasks=1 CPUs/Task={0}", job.cores),
    ]
}

/// What a word after `state=` wants; shortened as far as the real command takes it.
fn wanted(word: &str) -> Result<Wanted, Option<&'static str>> {
    const STATES: [(&str, usize, Option<Wanted>); 13] = [
        ("DRAIN", 3, Some(Wanted::Drain)),
        ("DOWN", 2, Some(Wanted::Down)),
        ("FAIL", 3, Some(Wanted::Fail)),
        ("IDLE", 2, Some(Wanted::Idle)),
        ("RESUME", 5, Some(Wanted::Resume)),
        ("UNDRAIN", 3, Some(Wanted::Undrain)),
        ("CANCEL_REBOOT", 3, None),
        ("FUTURE", 3, None),
        ("NORESP", 4, None),
        ("POWER_DOWN", 7, None),
        ("POWER_DOWN_ASAP", 12, None),
        ("POWER_DOWN_FORCE", 12, None),
        ("POWER_UP", 7, None),
    ];
    let upper = word.to_ascii_uppercase();
    let found = STATES.iter().find(|(state, least, _)| upper.len() >= *least && state.starts_with(&upper));
    match found {
        Some((_, _, Some(wanted))) => Ok(*wanted),
        Some((state, _, None)) => Err(Some(state)),
        None => Err(None),
    }
}

fn update(call: &Call<'_>, model: Option<&mut Model>, operands: &[String]) -> Said {
    if operands.is_empty() {
        return Said::badly(1, "too few arguments for update keyword");
    }
    let (mut names, mut state, mut reason) = (None, None, None);
    let begins = |key: &str, whole: &str| !key.is_empty() && whole.starts_with(&key.to_ascii_lowercase());
    let is_node = operands
        .iter()
        .any(|operand| operand.split_once('=').is_some_and(|(key, _)| key.len() >= 4 && begins(key, "nodename")));
    if !is_node {
        let others = ["partitionname", "reservationname", "jobid", "stepid", "slurmctlddebug", "suspend"];
        let mut keys = operands.iter().filter_map(|operand| operand.split_once('=')).map(|(key, _)| key);
        let other = keys.find(|key| others.iter().any(|known| key.len() >= 4 && begins(key, known)));
        return match other {
            Some(other) => Said::badly(1, format!("scontrol: update {other} is not played in this sandbox")),
            None => Said::badly(
                1,
                "No valid entity in update command\nInput line must include \"NodeName\", \"PartitionName\", \"Reservation\", \"JobId\", or \"SlurmctldDebug\"",
            ),
        };
    }
    for operand in operands {
        let Some((key, value)) = operand.split_once('=') else {
            return Said::badly(
                1,
                format!("scontrol: error: Invalid input: {operand}  Request aborted\nslurm_update error: No error"),
            );
        };
        if begins(key, "nodename") {
            names = Some(value);
        } else if begins(key, "state") {
            state = Some(match wanted(value) {
                Ok(wanted) => wanted,
                Err(Some(known)) => {
                    return Said::badly(1, format!("scontrol: state={known} is not played in this sandbox"));
                }
                // Words for how a node stands, and not for what it shall be.
                Err(None)
                    if ["res", "reserved", "allocated", "mixed", "unknown", "error"]
                        .contains(&value.to_ascii_lowercase().as_str()) =>
                {
                    return Said::badly(1, "slurm_update error: Invalid node state specified");
                }
                Err(None) => {
                    return Said::badly(
                        1,
                        format!(
                            "Invalid input: {operand}\nRequest aborted\nValid states are: NoResp DRAIN FAIL FUTURE RESUME POWER_DOWN POWER_UP UNDRAIN\nNot all states are valid given a node's prior state"
                        ),
                    );
                }
            });
        } else if begins(key, "reason") {
            let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
            reason = Some(bare);
        } else if [
            "activefeatures",
            "availablefeatures",
            "comment",
            "cpubind",
            "extra",
            "features",
            "gres",
            "nodeaddr",
            "nodehostname",
            "weight",
        ]
        .iter()
        .any(|known| begins(key, known))
        {
            return Said::badly(1, format!("scontrol: update of {key} is not played in this sandbox"));
        } else {
            return Said::badly(1, format!("Update of this parameter is not supported: {operand}\nRequest aborted"));
        }
    }
    if state.is_none() && reason.is_none() {
        return Said::badly(1, "No changes specified");
    }
    let needs = matches!(state, Some(Wanted::Drain | Wanted::Down | Wanted::Fail));
    if needs && reason.is_none_or(str::is_empty) {
        return Said::badly(1, "You must specify a reason when DOWNING or DRAINING a node. Request denied");
    }
    let Some(model) = model else { return Said::badly(1, format!("slurm_update error: {NO_CONTROLLER}")) };
    if !is_operator(call.user) {
        return Said::badly(1, "slurm_update error: Invalid user id");
    }
    let names = match names.unwrap_or_default() {
        "ALL" => model.nodes.keys().cloned().collect(),
        list => expand(list).unwrap_or_default(),
    };
    if names.is_empty() || names.iter().any(|name| !model.nodes.contains_key(name)) {
        return Said::badly(1, "slurm_update error: Invalid node name specified");
    }
    for name in &names {
        match state.map_or(Ok(()), |wanted| model.change(name, wanted)) {
            Ok(()) => {}
            Err(Unwanted::Name) => return Said::badly(1, "slurm_update error: Invalid node name specified"),
            Err(Unwanted::State) => return Said::badly(1, "slurm_update error: Invalid node state specified"),
        }
        // What is back in service needs no reason.
        if let Some(text) = reason.filter(|_| !matches!(state, Some(Wanted::Resume | Wanted::Idle))) {
            model.give_reason(name, text, call.user);
        }
    }
    Said::default()
}
