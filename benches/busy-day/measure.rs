//! What a process and a directory have used, and how a set of times is spread.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Times in milliseconds.
#[derive(Debug, Default, Clone)]
pub(crate) struct Times(Vec<f64>);

impl Times {
    pub(crate) fn add(&mut self, milliseconds: f64) {
        self.0.push(milliseconds);
    }

    /// The time that this share of all does not exceed.
    pub(crate) fn share(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
    }
}

/// Resident memory of a process in MB.
pub(crate) fn resident(pid: i32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kilobytes| kilobytes / 1024.0)
}

/// CPU seconds of a process, its children left out.
pub(crate) fn cpu(pid: i32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let ticks: f64 = rest.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Some(ticks / 100.0)
}

/// What a store takes on disk, and what of it is live.
#[derive(Debug, Default)]
pub(crate) struct Size {
    pub(crate) disk: f64,
    pub(crate) live: f64,
    pub(crate) retention: String,
}

/// MB that the files of a directory take on disk, room that is reserved and not written included.
pub(crate) fn disk(directory: &Path) -> f64 {
    let mut bytes = 0;
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            // A file may go while it is looked at.
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() {
                directories.push(entry.path());
            } else if about.is_file() {
                bytes += about.blocks() * 512;
            }
        }
    }
    bytes as f64 / 1e6
}

/// MB of what exports of the store and of its audit name: every fact and every entry once, and every blob that a fact refers to.
pub(crate) fn live(lines: impl Iterator<Item = String>) -> f64 {
    let (mut bytes, mut blobs) = (0, BTreeSet::new());
    for line in lines {
        bytes += line.len() as u64;
        if let Ok(fact) = serde_json::from_str::<serde_json::Value>(&line) {
            find_blobs(&fact, &mut blobs);
        }
    }
    bytes += blobs.into_iter().map(|(_, size)| size).sum::<u64>();
    bytes as f64 / 1e6
}

/// An object with a blob's id and its length, wherever it stands.
fn find_blobs(value: &serde_json::Value, found: &mut BTreeSet<(String, u64)>) {
    match value {
        serde_json::Value::Object(map) => {
            let id = map.get("blob").and_then(serde_json::Value::as_str);
            let size = map.get("bytes").and_then(serde_json::Value::as_u64);
            if let (Some(id), Some(size)) = (id, size) {
                found.insert((id.to_owned(), size));
            }
            map.values().for_each(|value| find_blobs(value, found));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| find_blobs(value, found)),
        _ => {}
    }
}
