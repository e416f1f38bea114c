//! `serve` and `demo`: handed on to [`crate::app`] with a log that goes to standard error.

use super::{Failure, Surroundings};
use crate::adapters::mattermost::LOG_LIMITS;
use crate::app;
use crate::config::{Config, Log, LogFormat};
use crate::core::content::diagnostic::Diagnostic;
use std::fmt;
use std::sync::Arc;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Writer, format};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

pub(crate) fn serve(config: Config, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let token = config.mattermost.as_ref().map(|chat| &chat.token);
    // What keeps it from starting is told as that, and not as a warning as well.
    let told = |warning: &&Diagnostic| !matches!(token, Some(Err(problem)) if is_about(warning, problem));
    for warning in config.warnings.iter().filter(told) {
        writeln!(surroundings.err, "halcyon: {warning}")?;
    }
    match token {
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
    let options = app::DemoOptions {
        once: demo.once,
        nodes: demo.nodes,
        page_port: demo.page_port,
        nodes_down: demo.nodes_down,
        dead: demo.dead,
    };
    if app::demo(options, surroundings.out)? { Ok(()) } else { Err(Failure::Shown) }
}

/// Whether a warning tells of the same as what keeps the bot from starting.
fn is_about(warning: &Diagnostic, problem: &Diagnostic) -> bool {
    (&warning.file, warning.line, &warning.key_path) == (&problem.file, problem.line, &problem.key_path)
        && warning.message.starts_with(&problem.message)
}

/// Starts the log of this process. A second start in one process changes nothing.
fn log(log: &Log) {
    let mut filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    for limit in LOG_LIMITS {
        filter = filter.add_directive(limit.parse().expect("a constant of ours that is a directive"));
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let _ = match log.format {
        LogFormat::Text if goes_to_journal() => {
            builder.event_format(ForJournal(format().without_time().with_ansi(false))).try_init()
        }
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

/// Whether standard error is the stream that the journal gave to this service.
fn goes_to_journal() -> bool {
    let Some(stream) = std::env::var_os("JOURNAL_STREAM") else { return false };
    let Ok(about) = rustix::fs::fstat(std::io::stderr()) else { return false };
    stream.to_str() == Some(&format!("{}:{}", about.st_dev, about.st_ino))
}

/// Lines that begin with their priority, as the journal takes it from what a service writes.
struct ForJournal<F>(F);

impl<S, N, F> FormatEvent<S, N> for ForJournal<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}
