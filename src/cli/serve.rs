//! `serve` and `demo`: handed on to [`crate::app`] with a log that goes to standard error.

use super::{Failure, Surroundings};
use crate::adapters::mattermost::LOG_LIMITS;
use crate::app;
use crate::config::{Config, Log, LogFormat};
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

pub(crate) fn serve(config: Config, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    for warning in &config.warnings {
        writeln!(surroundings.err, "halcyon: {warning}")?;
    }
    match config.mattermost.as_ref().map(|chat| &chat.token) {
        Some(Err(problem)) => return Err(Failure::Wrong(problem.to_string())),
        Some(Ok(_)) => {}
        None => {
            let sentence = "there is no [mattermost] in the configuration, so there is nobody to listen to";
            return Err(Failure::Wrong(sentence.to_owned()));
        }
    }
    log(&config.log);
    let (file, environment) = (config.file.clone(), surroundings.environment.clone());
    let read = move || Config::load(&file, &environment);
    Ok(app::serve(config, Arc::new(read), &surroundings.environment)?)
}

#[cfg(feature = "sandbox")]
pub(crate) fn demo(demo: super::arguments::Demo, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    log(&Log { level: "warn".to_owned(), format: LogFormat::Text });
    let options =
        app::DemoOptions { once: demo.once, nodes: demo.nodes, page_port: demo.page_port, nodes_down: demo.nodes_down };
    if app::demo(options, surroundings.out)? { Ok(()) } else { Err(Failure::Shown) }
}

/// Starts the log of this process. A second start in one process changes nothing.
fn log(log: &Log) {
    let mut filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    for limit in LOG_LIMITS {
        filter = filter.add_directive(limit.parse().expect("a constant of ours that is a directive"));
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let _ = match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
