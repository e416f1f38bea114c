//! `export`: the whole memory of the bot as lines of JSON, for another program or another store.

use super::{Failure, Surroundings};
use crate::app;
use crate::config::Config;

pub(crate) fn export(config: &Config, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    for fact in app::facts(config)? {
        let line = serde_json::to_string(&fact).map_err(|error| Failure::Failed(error.to_string()))?;
        writeln!(surroundings.out, "{line}")?;
    }
    Ok(())
}
