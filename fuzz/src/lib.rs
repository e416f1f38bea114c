//! What libFuzzer runs. The checks themselves stand in [`targets`], which the ordinary tests use as well; here is only what belongs to
//! fuzzing: a limit on the time that one input may take, and a word on the slowest one.

#[path = "targets/mod.rs"]
mod targets;

use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicU64, Ordering};

/// Processor time that one input may take, in microseconds. Processor time, because a busy machine is nobody's mistake.
const LONGEST: u64 = 1_000_000;

static SLOWEST: AtomicU64 = AtomicU64::new(1_000);

/// Checks one input with the target of this name.
///
/// # Panics
/// When the check fails, or takes too long.
pub fn check(name: &str, data: &[u8]) {
    let Some((_, target)) = targets::TARGETS.iter().find(|(known, _)| *known == name) else {
        panic!("there is no target {name}");
    };
    let start = processor_time();
    target(data);
    let taken = processor_time() - start;
    if taken > SLOWEST.load(Ordering::Relaxed) * 5 / 4 {
        SLOWEST.store(taken, Ordering::Relaxed);
        eprintln!("slowest so far: {taken} µs for {} bytes", data.len());
    }
    assert!(taken <= LONGEST, "the input took {taken} µs");
}

fn processor_time() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(now.tv_sec).unwrap_or_default() * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default() / 1_000
}
