//! The pulse: an input that goes through the loop every few seconds and brings what was measured outside of it.
//!
//! **Only the loop can prove that the loop turns**: the proof is a pulse that came out at its other end. A loop that waits because the disk
//! refuses is alive all the same, and restarting it would help nobody; every refusal that it takes note of counts as a proof. A loop that waits
//! for a disk that says nothing is not told apart from one that is stuck.

use crate::core::action::execution::Execution;
use crate::core::audit::question::{Question, Told};
use crate::core::effect::Query;
use crate::core::fact::Dated;
use crate::core::input::Input;
use crate::core::vitals::Vitals;
use crate::runtime::metrics::Metrics;
use crate::runtime::ports::{Clock, Recalled, Room, Snapshot, Store, StoreError};
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How often.
pub const EVERY: Duration = Duration::from_secs(2);
/// A loop that has proven nothing for so long is stuck.
pub const STUCK: Duration = Duration::from_secs(20);

/// Sends the pulse until `stop`, or until nobody takes inputs any more.
pub async fn pulse(
    measure: impl Fn() -> Vitals + Send + Sync,
    inputs: mpsc::WeakSender<Input>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let beating = async {
        loop {
            ticks.tick().await;
            let Some(inputs) = inputs.upgrade() else { return };
            if inputs.send(Input::Vitals(measure())).await.is_err() {
                return;
            }
        }
    };
    stop.run_until_cancelled(beating).await;
}

/// A store that is watched: how long it takes, and what it refuses.
pub struct WatchedStore {
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    trouble: Mutex<Option<(String, Timestamp)>>,
}

impl WatchedStore {
    /// Watches this store.
    pub fn new(store: Arc<dyn Store>, metrics: Arc<Metrics>, clock: Arc<dyn Clock>) -> Self {
        Self { store, metrics, clock, trouble: Mutex::default() }
    }

    /// Why the last write was refused, and since when writes are.
    pub fn trouble(&self) -> Option<(String, Timestamp)> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Store for WatchedStore {
    async fn append(&self, facts: Vec<Dated>) -> Result<(), StoreError> {
        let began = Instant::now();
        let result = self.store.append(facts).await;
        self.metrics.written(began.elapsed());
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match &result {
            Ok(()) => *trouble = None,
            Err(problem) => {
                let since = trouble.take().map_or_else(|| self.clock.now(), |(_, since)| since);
                *trouble = Some((problem.to_string(), since));
                self.metrics.prove();
            }
        }
        result
    }

    async fn replay(&self) -> Result<Vec<Dated>, StoreError> {
        self.store.replay().await
    }

    async fn recall(&self) -> Result<Recalled, StoreError> {
        self.store.recall().await
    }

    fn wants_snapshot(&self) -> bool {
        self.store.wants_snapshot()
    }

    fn snapshot(&self, snapshot: Snapshot) {
        self.store.snapshot(snapshot);
    }

    async fn room(&self) -> Option<Room> {
        self.store.room().await
    }

    async fn audit(&self, question: &Question) -> Result<Told, StoreError> {
        self.store.audit(question).await
    }

    async fn find(&self, query: &Query) -> Result<Vec<Execution>, StoreError> {
        self.store.find(query).await
    }
}
