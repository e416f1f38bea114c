//! Which delivery became which post.
//!
//! Bounded: what was not asked for in a long time is forgotten, and then found again in the channel by its key.

use super::lock;
use crate::core::id::{DeliveryId, PostId};
use std::collections::BTreeMap;
use std::sync::Mutex;
use tokio::sync::Notify;

/// How many deliveries are remembered.
const MANY: usize = 2_000;

/// How a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// On its way.
    Waiting,
    /// As this post.
    Sent(PostId),
    /// The server did not have it.
    Refused,
}

#[derive(Default)]
pub(crate) struct Ledger {
    book: Mutex<Book>,
    changed: Notify,
}

#[derive(Default)]
struct Book {
    entries: BTreeMap<DeliveryId, (u64, Standing)>,
    clock: u64,
}

impl Ledger {
    pub(crate) fn look(&self, delivery: &DeliveryId) -> Option<Standing> {
        let mut book = lock(&self.book);
        book.clock += 1;
        let now = book.clock;
        let (used, standing) = book.entries.get_mut(delivery)?;
        *used = now;
        Some(standing.clone())
    }

    /// Begins a delivery. None if it is on its way already; otherwise whether it has been here before.
    pub(crate) fn begin(&self, delivery: &DeliveryId) -> Option<bool> {
        let mut book = lock(&self.book);
        book.clock += 1;
        let now = book.clock;
        match book.entries.insert(delivery.clone(), (now, Standing::Waiting)) {
            Some((_, Standing::Waiting)) => None,
            earlier => Some(earlier.is_some()),
        }
    }

    pub(crate) fn set(&self, delivery: DeliveryId, standing: Standing) {
        let mut book = lock(&self.book);
        book.clock += 1;
        let now = book.clock;
        book.entries.insert(delivery, (now, standing));
        if book.entries.len() > MANY {
            let mut uses: Vec<u64> = book.entries.values().map(|(used, _)| *used).collect();
            // A tenth at a time, so that the search for the oldest is rare.
            let (_, limit, _) = uses.select_nth_unstable(MANY / 10);
            let limit = *limit;
            book.entries.retain(|_, (used, standing)| *used > limit || *standing == Standing::Waiting);
        }
        drop(book);
        self.changed.notify_waiters();
    }

    /// Waits while the delivery is on its way.
    pub(crate) async fn settled(&self, delivery: &DeliveryId) -> Option<Standing> {
        loop {
            let changed = self.changed.notified();
            match self.look(delivery) {
                Some(Standing::Waiting) => changed.await,
                other => return other,
            }
        }
    }
}
