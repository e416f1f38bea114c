//! A store that forgets everything with the process, for tests: what it says is what the one on disk says.

use crate::adapters::store::index::fold;
use crate::core::action::execution::Execution;
use crate::core::content::glob::covers;
use crate::core::effect::Query;
use crate::core::fact::Dated;
use crate::core::id::{BlobId, ExecutionId};
use crate::runtime::ports::{BlobWriter, Blobs, Store, StoreError};
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Facts in memory. Clones share them, so that one can be looked into from outside, or opened again as after a restart.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    facts: Arc<Mutex<Vec<Dated>>>,
}

impl MemoryStore {
    /// A store that holds these facts already.
    pub fn with(facts: Vec<Dated>) -> Self {
        Self { facts: Arc::new(Mutex::new(facts)) }
    }

    /// All facts in order.
    pub fn facts(&self) -> Vec<Dated> {
        self.held().clone()
    }

    fn held(&self) -> MutexGuard<'_, Vec<Dated>> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn append(&self, facts: Vec<Dated>) -> Result<(), StoreError> {
        self.held().extend(facts);
        Ok(())
    }

    async fn replay(&self) -> Result<Vec<Dated>, StoreError> {
        Ok(self.facts())
    }

    async fn find(&self, query: &Query) -> Result<Vec<Execution>, StoreError> {
        let mut executions: BTreeMap<ExecutionId, Option<Execution>> = BTreeMap::new();
        for dated in self.held().iter() {
            if let Some(id) = dated.fact.execution() {
                fold(executions.entry(id.clone()).or_default(), dated);
            }
        }
        let mut found: Vec<Execution> = executions.into_values().flatten().collect();
        found.sort_by(|one, other| (other.started, &other.request.id).cmp(&(one.started, &one.request.id)));
        if !matches!(query, Query::ById(_)) {
            // What a workflow wanted is shown with it.
            found.retain(|found| found.request.parent.is_none());
        }
        match query {
            Query::ById(digits) => {
                let digits = digits.to_ascii_lowercase();
                found.retain(|found| !digits.is_empty() && found.request.id.as_str().ends_with(&digits));
            }
            Query::Newest(limit) => found.truncate(*limit),
            Query::Filtered { limit, actions, filter } => {
                found.retain(|found| actions.iter().any(|glob| covers(glob, found.request.action.as_str())));
                found.retain(|found| filter.takes(found));
                found.truncate(*limit);
            }
            Query::Visible { limit, actions } => {
                found.retain(|found| actions.iter().any(|glob| covers(glob, found.request.action.as_str())));
                found.truncate(*limit);
            }
        }
        Ok(found)
    }
}

/// Outputs in memory. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryBlobs {
    pieces: Arc<Mutex<BTreeMap<BlobId, Vec<u8>>>>,
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn create(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        Ok(Box::new(Writing { bytes: Vec::new(), blobs: self.clone() }))
    }

    async fn read(&self, blob: &BlobId, offset: u64, limit: usize) -> Result<Vec<u8>, StoreError> {
        let pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = pieces.get(blob).ok_or(StoreError::NotKept)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes.iter().skip(start).take(limit).copied().collect())
    }
}

struct Writing {
    bytes: Vec<u8>,
    blobs: MemoryBlobs,
}

#[async_trait]
impl BlobWriter for Writing {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<BlobId, StoreError> {
        let Writing { bytes, blobs } = *self;
        let digest = Sha256::digest(&bytes);
        let blob = BlobId::new(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        blobs.pieces.lock().unwrap_or_else(PoisonError::into_inner).insert(blob.clone(), bytes);
        Ok(blob)
    }
}
