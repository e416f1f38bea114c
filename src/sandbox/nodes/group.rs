//! A process group: what is killed together, and how much it may do.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Steps that a script may take. A step is a command or one turn of a loop.
const STEPS: u64 = 1_000_000;
/// Bytes that a script may write to the channel.
const OUTPUT: u64 = 64 << 20;

/// Shells that a script may have at once.
const SHELLS: u32 = 400;

pub(crate) const TERM: i32 = 15;
pub(crate) const KILL: i32 = 9;

/// All processes that one request has started.
#[derive(Debug, Default)]
pub(crate) struct Group {
    token: CancellationToken,
    members: TaskTracker,
    signal: AtomicI32,
    steps: AtomicU64,
    output: AtomicU64,
    shells: AtomicU32,
}

impl Group {
    /// Runs a member of the group to its end, or to the group's.
    pub(crate) fn spawn<F>(&self, member: F) -> tokio::task::JoinHandle<i32>
    where
        F: Future<Output = i32> + Send + 'static,
    {
        let token = self.token.clone();
        self.members.spawn(async move { token.run_until_cancelled(member).await.unwrap_or(-1) })
    }

    pub(crate) fn signal(&self, signal: i32) {
        let _ = self.signal.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
        self.token.cancel();
    }

    /// The signal that ended the group; 0 when none did.
    pub(crate) fn ended_by(&self) -> i32 {
        self.signal.load(Ordering::SeqCst)
    }

    /// Waits until nobody is left.
    pub(crate) async fn emptied(&self) {
        self.members.close();
        self.members.wait().await;
    }

    /// Takes steps from what is left; false when none is left.
    pub(crate) fn charge_steps(&self, steps: u64) -> bool {
        self.steps.fetch_add(steps, Ordering::Relaxed) + steps <= STEPS
    }

    /// Takes output from what is left; beyond it the group is ended, as a full log disk would.
    pub(crate) fn charge_output(&self, bytes: usize) -> bool {
        let within = self.output.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64 <= OUTPUT;
        if !within {
            self.signal(KILL);
        }
        within
    }

    /// Room for one more shell; none when there are too many.
    pub(crate) fn seat(self: &Arc<Group>) -> Option<Seat> {
        // The seat is made first: its drop takes back what was counted.
        let taken = self.shells.fetch_add(1, Ordering::Relaxed);
        let seat = Seat(self.clone());
        (taken < SHELLS).then_some(seat)
    }
}

/// A shell's place among those of its group.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Group>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.shells.fetch_sub(1, Ordering::Relaxed);
    }
}
