//! `sinfo`: how the nodes stand, by state or one by one.

use super::format;
use super::options::{Flag, Line, absent, flag, long, read};
use super::{NO_CONTROLLER, Said, VERSION, time};
use crate::sandbox::nodes::batch::{Model, PARTITIONS, Standing, compress, expand};
use crate::sandbox::nodes::machine::wall_clock;
use crate::sandbox::nodes::tools::Call;

const FLAGS: &[Flag] = &[
    flag('a', "all", false),
    flag('d', "dead", false),
    flag('l', "long", false),
    flag('n', "nodes", true),
    long("noconvert"),
    flag('h', "noheader", false),
    flag('N', "Node", false),
    flag('o', "format", true),
    flag('p', "partition", true),
    flag('r', "responding", false),
    flag('R', "list-reasons", false),
    flag('s', "summarize", false),
    flag('t', "states", true),
    flag('v', "verbose", false),
    flag('V', "version", false),
    long("help"),
    long("hide"),
    long("usage"),
    absent(Some('e'), "exact", false),
    absent(None, "federation", false),
    absent(Some('i'), "iterate", true),
    absent(None, "json", false),
    absent(None, "local", false),
    absent(Some('M'), "clusters", true),
    absent(Some('O'), "Format", true),
    absent(Some('S'), "sort", true),
    absent(Some('T'), "reservation", false),
    absent(None, "yaml", false),
];

const USAGE: &str = "Usage: sinfo [-abdelNRrsTv] [-i seconds] [-t states] [-p partition] [-n nodes]
             [-S fields] [-o format] [-O Format] [--federation] [--local]
";

/// A node in a partition: what a line is made of.
struct Place<'a> {
    partition: usize,
    name: &'a str,
    standing: Standing,
}

pub(super) fn run(call: &Call<'_>) -> Said {
    let line = match read(FLAGS, call.arguments) {
        Ok(line) => line,
        Err(problem) => return Said::badly(1, format!("sinfo: {problem}\nTry \"sinfo --help\" for more information")),
    };
    if line.has("version") {
        return Said::well(VERSION);
    }
    if line.has("help") || line.has("usage") {
        return Said::well(USAGE);
    }
    let states = line.list("states");
    for state in states.iter().flatten() {
        if Standing::default().fits(state).is_none() {
            return Said::badly(1, format!("sinfo: error: Bad state string: \"{state}\""));
        }
    }
    let Some(model) = call.machine.batch().map(|batch| batch.look()).filter(|model| model.answers) else {
        return Said::badly(1, format!("slurm_load_partitions: {NO_CONTROLLER}"));
    };
    list(&line, &model)
}

fn list(line: &Line, model: &Model) -> Said {
    let by_node = line.has("Node");
    let written = match line.value("format") {
        Some(format) => format,
        None if line.has("list-reasons") => "%20E %9u %19H %N",
        None if line.has("summarize") => "%9P %.5a %.10l %.16F %N",
        None if by_node && line.has("long") => "%#9N %.6D %.#P %.11T %4c %.8z %.6m %.8d %.6w %.8f %20E",
        None if by_node => "%#9N %.6D %.#P %6t",
        None if line.has("long") => "%9P %.5a %.10l %.10s %.4r %.8h %.10g %.6D %.11T %N",
        None => "%9P %.5a %.10l %.6D %.6t %N",
    };
    let pieces = format::read(written);
    let letters = format::letters(&pieces);
    let mut said = Said::default();
    for letter in letters.iter().filter(|letter| header(**letter).is_none()) {
        said.err.push_str(&format!("Invalid node format specification: {letter}\n"));
    }
    if line.has("long") && !line.has("noheader") {
        let now = jiff::Zoned::new(wall_clock(), jiff::tz::TimeZone::UTC);
        said.out = format!("{}\n", now.strftime("%a %b %d %H:%M:%S %Y"));
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    if !line.has("noheader") {
        let names = letters.iter().map(|letter| header(*letter).map_or_else(|| format!("%{letter}"), str::to_owned));
        rows.push(names.collect());
    }
    let wanted = line.value("nodes").map(|list| expand(list).unwrap_or_default());
    let all = places(line, model, wanted.as_deref());
    if line.has("list-reasons") {
        reasons(model, &all, &letters, &mut rows);
    } else if by_node {
        rows.extend(all.iter().map(|place| cells(&letters, model, &[place])));
    } else {
        let by_partition = letters.iter().any(|letter| of_partition(*letter));
        for partition in partitions(line) {
            let mut places: Vec<&Place<'_>> = all.iter().collect();
            if by_partition {
                places.retain(|place| place.partition == partition);
            } else {
                // Nothing tells the partitions apart: each node counts once.
                places.dedup_by_key(|place| place.name);
            }
            grouped(partition, &places, &letters, model, &mut rows, wanted.is_some() || line.has("states"));
            if !by_partition {
                break;
            }
        }
    }
    said.out.push_str(&format::write(&pieces, &rows));
    said
}

fn partitions(line: &Line) -> Vec<usize> {
    let wanted = line.list("partition");
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted.contains(&name));
    (0..PARTITIONS.len()).filter(|at| is_wanted(PARTITIONS[*at].0)).collect()
}

/// Every node in every partition that is asked for, in Slurm's order.
fn places<'a>(line: &Line, model: &'a Model, wanted: Option<&[String]>) -> Vec<Place<'a>> {
    let partitions = partitions(line);
    let states = line.list("states");
    let mut places = Vec::new();
    for name in model.nodes.keys() {
        let Some(standing) = model.standing(name) else { continue };
        let fits = wanted.is_none_or(|wanted| wanted.contains(name))
            && states.as_ref().is_none_or(|states| states.iter().any(|state| standing.fits(state) == Some(true)))
            && (standing.silent || !line.has("dead"))
            && (!standing.silent || !line.has("responding"));
        if !fits {
            continue;
        }
        let mut of_node: Vec<usize> = model.partitions_of(name);
        of_node.retain(|at| partitions.contains(at));
        places.extend(of_node.into_iter().map(|partition| Place { partition, name, standing }));
    }
    places
}

/// The lines of a partition: nodes that look the same in this format share one.
fn grouped(
    partition: usize,
    all: &[&Place<'_>],
    letters: &[char],
    model: &Model,
    rows: &mut Vec<Vec<String>>,
    filtered: bool,
) {
    let by_itself: Vec<char> = letters.iter().copied().filter(|letter| !shared(*letter)).collect();
    let mut groups: Vec<(Vec<String>, Vec<&Place<'_>>)> = Vec::new();
    for &place in all {
        let looks = cells(&by_itself, model, &[place]);
        match groups.iter_mut().find(|(known, _)| *known == looks) {
            Some((_, places)) => places.push(place),
            None => groups.push((looks, vec![place])),
        }
    }
    groups.sort_by_key(|(_, places)| std::cmp::Reverse(places.first().map_or(0, |place| place.standing.rank())));
    if groups.is_empty() && filtered {
        let empty = letters.iter().map(|letter| match letter {
            letter if of_partition(*letter) => cell(*letter, model, partition, &[]),
            'D' => "0".to_owned(),
            't' | 'T' => "n/a".to_owned(),
            _ => String::new(),
        });
        rows.push(empty.collect());
    }
    rows.extend(groups.iter().map(|(_, places)| cells(letters, model, places)));
}

/// The lines of `-R`: nodes with the same reason share one.
fn reasons(model: &Model, all: &[Place<'_>], letters: &[char], rows: &mut Vec<Vec<String>>) {
    let mut groups: Vec<Vec<&Place<'_>>> = Vec::new();
    let reason = |place: &Place<'_>| model.nodes.get(place.name).and_then(|node| node.reason.as_ref());
    for place in all.iter().filter(|place| place.partition == 0 && reason(place).is_some()) {
        match groups.iter_mut().find(|group| reason(group[0]) == reason(place)) {
            Some(group) => group.push(place),
            None => groups.push(vec![place]),
        }
    }
    groups.sort_by_key(|places| reason(places[0]).map(|reason| reason.at));
    rows.extend(groups.iter().map(|places| cells(letters, model, places)));
}

/// Whether a field is one value of all the nodes of a line.
fn shared(letter: char) -> bool {
    matches!(letter, 'D' | 'N' | 'A' | 'F' | 'C')
}

/// Whether a field is of the partition and not of its nodes.
fn of_partition(letter: char) -> bool {
    matches!(letter, 'P' | 'R' | 'a' | 'l' | 's' | 'r' | 'h' | 'g')
}

fn header(letter: char) -> Option<&'static str> {
    Some(match letter {
        'a' => "AVAIL",
        'A' => "NODES(A/I)",
        'c' => "CPUS",
        'C' => "CPUS(A/I/O/T)",
        'd' => "TMP_DISK",
        'D' => "NODES",
        'E' => "REASON",
        'f' => "AVAIL_FE",
        'F' => "NODES(A/I/O/T)",
        'g' => "GROUPS",
        'h' => "OVERSUBS",
        'H' => "TIMESTAMP",
        'l' => "TIMELIMIT",
        'm' => "MEMORY",
        'n' => "HOSTNAMES",
        'N' => "NODELIST",
        'o' => "NODE_ADDR",
        'O' => "CPU_LOAD",
        'P' | 'R' => "PARTITION",
        'r' => "ROOT",
        's' => "JOB_SIZE",
        't' | 'T' => "STATE",
        'u' => "USER",
        'w' => "WEIGHT",
        'z' => "S:C:T",
        _ => return None,
    })
}

fn cells(letters: &[char], model: &Model, places: &[&Place<'_>]) -> Vec<String> {
    let partition = places.first().map_or(0, |place| place.partition);
    letters.iter().map(|letter| cell(*letter, model, partition, places)).collect()
}

/// The value of a field. What is no field stands for itself, as the real command has it.
fn cell(letter: char, model: &Model, partition: usize, places: &[&Place<'_>]) -> String {
    let (name, limit, _) = PARTITIONS[partition];
    match letter {
        'P' => return format!("{name}{}", if partition == 0 { "*" } else { "" }),
        'R' => return name.to_owned(),
        'a' => return "up".to_owned(),
        'l' => return limit.to_owned(),
        's' => return "1-infinite".to_owned(),
        'r' => return "no".to_owned(),
        'h' => return "NO".to_owned(),
        'g' => return "all".to_owned(),
        'D' => return places.len().to_string(),
        'N' => return compress(places.iter().map(|place| place.name)),
        _ => {}
    }
    let standings = || places.iter().map(|place| place.standing);
    let out = |standing: &Standing| standing.down || standing.draining || standing.failing;
    let busy = standings().filter(|standing| !out(standing) && standing.taken > 0).count();
    let idle = standings().filter(|standing| !out(standing) && standing.taken == 0).count();
    let Some((first, node)) = places.first().and_then(|place| Some((place, model.nodes.get(place.name)?))) else {
        return String::new();
    };
    let reason = node.reason.as_ref();
    match letter {
        't' => first.standing.short(),
        'T' => first.standing.word(),
        'E' => reason.map_or("none", |reason| reason.text.as_str()).to_owned(),
        'u' => reason.map_or("Unknown", |reason| reason.user.as_str()).to_owned(),
        'H' => reason.map_or_else(|| "Unknown".to_owned(), |reason| time(reason.at)),
        'A' => format!("{busy}/{idle}"),
        'F' => format!("{busy}/{idle}/{}/{}", places.len() - busy - idle, places.len()),
        'C' => {
            let total: u32 = standings().map(|standing| standing.cores).sum();
            let taken: u32 = standings().map(|standing| standing.taken).sum();
            let other: u32 = standings().filter(out).map(|standing| standing.cores - standing.taken).sum();
            format!("{taken}/{}/{other}/{total}", total - taken - other)
        }
        'c' => node.cores.to_string(),
        'd' => "0".to_owned(),
        'f' => "(null)".to_owned(),
        'm' => node.memory.to_string(),
        'n' => first.name.to_owned(),
        'o' => node.address.clone(),
        'O' => node.seen.as_ref().map_or_else(|| "N/A".to_owned(), |seen| format!("{:.2}", seen.load)),
        'w' => "1".to_owned(),
        'z' => format!("2:{}:1", node.cores / 2),
        other => format!("%{other}"),
    }
}
