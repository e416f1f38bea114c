//! Watches the room on the store's disk, so that nothing new is begun before it is too late to note how it ended.

use crate::core::input::{Input, Storage};
use crate::runtime::ports::{Room, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How often the room is looked at.
const EVERY: Duration = Duration::from_secs(3);
/// A change by less than one part in so many is told to nobody.
const PART: u64 = 16;

/// Tells the loop how much room there is, whenever that has changed by much or begins or ceases to be too little, until `stop`.
pub async fn watch(store: Arc<dyn Store>, inputs: mpsc::Sender<Input>, stop: CancellationToken) {
    let mut told: Option<Storage> = None;
    loop {
        if let Some(Room { free, reserve }) = store.room().await {
            let storage = Storage { free: Some(free), reserve, refused: None };
            let worth = told.as_ref().is_none_or(|told| {
                let before = told.free.unwrap_or_default();
                told.is_low() != storage.is_low() || before.abs_diff(free) > before / PART
            });
            if worth {
                if told.as_ref().is_some_and(Storage::is_low) != storage.is_low() {
                    tracing::warn!(free, reserve, low = storage.is_low(), "room on the disk of the store");
                }
                if inputs.send(Input::Storage(storage.clone())).await.is_err() {
                    return;
                }
                told = Some(storage);
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
