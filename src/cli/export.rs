//! `export`: the whole memory of the bot as lines of JSON, for another program or another store; `import`: the way back.

use super::{Failure, Surroundings};
use crate::adapters::store::ImportError;
use crate::app;
use crate::config::Config;
use crate::runtime::ports::StoreError;
use serde_json::json;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

pub(crate) fn export(config: &Config, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    for line in app::export(config) {
        writeln!(surroundings.out, "{}", line?)?;
    }
    Ok(())
}

/// Exit code 2 where the asking was wrong: no such file, not an export, a store that is not empty or in use.
pub(crate) fn import(
    config: &Config,
    from: &Path,
    json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let lines: Box<dyn BufRead> = if from == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let file = File::open(from);
        let file = file.map_err(|error| Failure::Wrong(format!("cannot open {}: {error}", from.display())))?;
        Box::new(BufReader::new(file))
    };
    let facts = app::import(config, lines).map_err(|error| match error {
        ImportError::NotEmpty(_) | ImportError::Line { .. } | ImportError::Store(StoreError::InUse { .. }) => {
            Failure::Wrong(error.to_string())
        }
        ImportError::Read(_) | ImportError::Store(_) => Failure::Failed(error.to_string()),
    })?;
    let store = config.store.path.display();
    if json {
        writeln!(surroundings.out, "{}", json!({"facts": facts, "store": store.to_string()}))?;
    } else {
        writeln!(surroundings.out, "{facts} facts were taken into {store}")?;
    }
    Ok(())
}
