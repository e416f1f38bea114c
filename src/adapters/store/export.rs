//! All facts as lines of JSON, for people and for other programs.

use crate::adapters::store::reading::{Reading, Stored};
use crate::runtime::ports::StoreError;
use serde::Serialize;
use std::io;
use std::path::Path;

#[derive(Serialize)]
struct Line<'a> {
    sequence: u64,
    #[serde(flatten)]
    dated: &'a crate::core::fact::Dated,
}

/// Every fact of the store in this directory, a line of JSON each without its end: `{"sequence": 1, "at": "…", "fact": {…}}`.
///
/// Takes no lock and changes nothing, so the bot may be running; what it stores meanwhile may or may not be among the lines. Ends with the
/// last complete batch, or with the first error.
pub fn export(store: &Path) -> impl Iterator<Item = Result<String, StoreError>> + use<> {
    let directory = store.join("log");
    Reading::new(&directory, 1, u64::MAX).map(move |stored| {
        let Stored { sequence, dated, .. } = stored?;
        let line = serde_json::to_string(&Line { sequence, dated: &dated });
        line.map_err(|error| StoreError::Io {
            doing: "export",
            path: directory.clone(),
            source: io::Error::other(error),
        })
    })
}
