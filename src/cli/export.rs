//! `export`: the whole memory of the bot as lines of JSON, for another program or another store.

use super::{Failure, Surroundings};
use crate::app;
use crate::config::Config;

pub(crate) fn export(config: &Config, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    for line in app::export(config) {
        writeln!(surroundings.out, "{}", line?)?;
    }
    Ok(())
}
