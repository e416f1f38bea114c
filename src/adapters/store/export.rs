//! All facts as lines of JSON, for people and for other programs.

use crate::adapters::store::reading::{Reading, Stored};
use crate::adapters::store::{import, opening, snapshot};
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

/// The first line where facts were removed.
#[derive(Serialize)]
struct FirstLine<'a> {
    base: BaseLine<'a>,
}

#[derive(Serialize)]
struct BaseLine<'a> {
    sequence: u64,
    #[serde(flatten)]
    kept: &'a serde_json::Value,
}

/// Every fact of the store in this directory, a line of JSON each without its end: `{"sequence": 1, "at": "…", "fact": {…}}`. Where the
/// oldest facts were removed, the first line has what they came to: `{"base": {"sequence": 41, "version": 1, "at": "…", "memory": {…}}}`.
///
/// Every byte that it reads is checked. Takes no lock and changes nothing, so the bot may be running; what it stores meanwhile may or may
/// not be among the lines. Ends with the last complete batch, or with the first error.
pub fn export(store: &Path) -> impl Iterator<Item = Result<String, StoreError>> + use<> {
    let directory = store.join("log");
    let failed = {
        let directory = directory.clone();
        move |error| StoreError::Io { doing: "export", path: directory.clone(), source: io::Error::other(error) }
    };
    let base = import::refuse_unsettled(store).and_then(|()| opening::base(store));
    let (from, first) = match base {
        Err(error) => (u64::MAX, Some(Err(error))),
        Ok(None) => (1, None),
        Ok(Some(base)) => {
            let sequence = base.snapshot.newest;
            let line = snapshot::to_json(&base.snapshot, None).and_then(|json| {
                let kept = serde_json::from_slice(&json)?;
                serde_json::to_string(&FirstLine { base: BaseLine { sequence, kept: &kept } })
            });
            (sequence + 1, Some(line.map_err(&failed)))
        }
    };
    let facts = (from < u64::MAX).then(|| Reading::new(&directory, from, u64::MAX)).into_iter().flatten();
    first.into_iter().chain(facts.map(move |stored| {
        let Stored { sequence, dated, .. } = stored?;
        serde_json::to_string(&Line { sequence, dated: &dated }).map_err(&failed)
    }))
}
