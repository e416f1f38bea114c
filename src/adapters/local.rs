//! Not joined.
use crate::runtime::ports::*; use crate::core::action::run::*; use std::sync::Arc;
/// o
#[derive(Debug)] pub struct LocalOptions { /// r
 pub run_as: Option<String>, /// o
 pub output_limit: u64 }
/// r
pub struct LocalRunner;
impl LocalRunner { /// n
 pub fn new(_: LocalOptions, _: Arc<dyn Blobs>) -> Self { Self } }
#[async_trait::async_trait] impl Runner for LocalRunner { async fn run(&self, _: Run, news: tokio::sync::mpsc::Sender<RunNews>, _: tokio_util::sync::CancellationToken) { let _ = news.send(RunNews::Finished{error: Some("not joined".into())}).await; } }
