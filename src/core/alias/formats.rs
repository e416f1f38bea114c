//! Formats as they were compiled, kept for the next time that packs are read: one that has not changed is not compiled again.

use crate::core::alias::grammar::{Format, FormatError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Compiled formats by their texts.
#[derive(Debug, Clone, Default)]
pub struct Formats {
    /// Those that read a line once.
    once: BTreeMap<String, Kept>,
    /// Those of `match_multiple`.
    multiple: BTreeMap<String, Kept>,
    compiled: usize,
}

#[derive(Debug, Clone)]
struct Kept {
    format: Arc<Format>,
    used: bool,
}

impl Formats {
    /// The format of this text. One that is wrong is looked at each time.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn compile(&mut self, text: &str, multiple: bool) -> Result<Arc<Format>, FormatError> {
        let known = if multiple { &mut self.multiple } else { &mut self.once };
        if let Some(kept) = known.get_mut(text) {
            kept.used = true;
            return Ok(Arc::clone(&kept.format));
        }
        self.compiled += 1;
        let format = Arc::new(if multiple { Format::compile_multiple(text) } else { Format::compile(text) }?);
        known.insert(text.to_owned(), Kept { format: Arc::clone(&format), used: true });
        Ok(format)
    }

    /// How many had to be compiled so far.
    pub fn compiled(&self) -> usize {
        self.compiled
    }

    /// Forgets what was not asked for since this was called last.
    pub fn forget_unused(&mut self) {
        for known in [&mut self.once, &mut self.multiple] {
            known.retain(|_, kept| std::mem::take(&mut kept.used));
        }
    }
}
