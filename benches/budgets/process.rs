//! What processes have used, as the system counts it.

use std::fs;
use std::path::{Path, PathBuf};

/// CPU seconds of this process and of those of its children that it has waited for.
pub(crate) fn own_and_children() -> f64 {
    ticks("/proc/self/stat", 11..15)
}

/// CPU seconds of the children that this process has waited for.
pub(crate) fn waited_children() -> f64 {
    ticks("/proc/self/stat", 13..15)
}

/// CPU seconds of another process with all its threads, its children left out.
pub(crate) fn of(pid: u32) -> f64 {
    ticks(&format!("/proc/{pid}/stat"), 11..13)
}

fn ticks(file: &str, fields: std::ops::Range<usize>) -> f64 {
    let stat = fs::read_to_string(file).unwrap_or_default();
    let Some((_, rest)) = stat.rsplit_once(") ") else { return 0.0 };
    let fields = rest.split(' ').skip(fields.start).take(fields.len());
    // USER_HZ is 100 wherever Linux runs today.
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// CPU seconds of a process's living threads, exact where `/proc/.../stat` counts in hundredths.
pub(crate) fn threads_of(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let nanoseconds = tasks.filter_map(|task| {
        let schedule = fs::read_to_string(task.path().join("schedstat")).ok()?;
        schedule.split(' ').next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() / 1e9
}

/// Memory that is resident, in MB.
pub(crate) fn resident(pid: u32) -> f64 {
    kilobytes(&PathBuf::from(format!("/proc/{pid}/status")), "VmRSS:") / 1024.0
}

/// Memory with what is shared counted by share, in MB.
pub(crate) fn proportional(pid: u32) -> f64 {
    kilobytes(&PathBuf::from(format!("/proc/{pid}/smaps_rollup")), "Pss:") / 1024.0
}

fn kilobytes(file: &Path, key: &str) -> f64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(f64::NAN)
}

/// Processes whose command line names this place.
pub(crate) fn naming(place: &Path) -> Vec<u32> {
    let place = place.display().to_string();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let named = String::from_utf8_lossy(&line).starts_with("ssh: ") || line.starts_with(b"ssh\0");
        named && String::from_utf8_lossy(&line).contains(&place)
    })
    .collect()
}
