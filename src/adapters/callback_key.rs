//! The key by which callbacks are known to be ours, where the site gives none: made at the first start, kept beside the store.
//!
//! Whoever has it can press buttons in the name of anybody. **Losing it costs little**: what stands in posts is refused from then on, text and
//! emojis go on, and every card that is drawn anew is signed with the new key.

use crate::core::callback::signature::CallbackKey;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The name of its file.
const NAME: &str = "callback.key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("the key of the callbacks, {}: {source}", path.display())]
    File {
        /// It.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{} holds no key of callbacks; delete it, and one is made: buttons that stand in posts are refused then", path.display())]
    Damaged {
        /// It.
        path: PathBuf,
    },
}

/// Reads the key of a store, or makes it. The store must be ours alone.
///
/// # Errors
/// The file can be neither read nor written, or holds something else.
pub fn keep(store: &Path) -> Result<CallbackKey, KeyError> {
    let path = store.join(NAME);
    match fs::read_to_string(&path) {
        Ok(text) => CallbackKey::read(&text).map_err(|_| KeyError::Damaged { path }),
        Err(problem) if problem.kind() == ErrorKind::NotFound => {
            make(store, &path).map_err(|source| KeyError::File { path, source })
        }
        Err(source) => Err(KeyError::File { path, source }),
    }
}

/// Whole or not at all: what a crash leaves half written has another name.
fn make(store: &Path, path: &Path) -> io::Result<CallbackKey> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let key = CallbackKey::new(bytes);
    let making = store.join(format!("{NAME}.new"));
    match fs::remove_file(&making) {
        Err(problem) if problem.kind() != ErrorKind::NotFound => return Err(problem),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&making)?;
    writeln!(file, "{}", key.written())?;
    file.sync_all()?;
    fs::rename(&making, path)?;
    File::open(store)?.sync_all()?;
    Ok(key)
}
