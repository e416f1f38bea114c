//! The thin binary: arguments in, exit code out.

use halcyon::app;
use halcyon::cli::{self, Surroundings};
use std::io::{self, IsTerminal};
use std::process::ExitCode;

fn main() -> ExitCode {
    // A value may hold what some check has printed, in whatever encoding.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
    let surroundings = Surroundings {
        out: &mut io::stdout(),
        err: &mut io::stderr(),
        environment: environment.collect(),
        terminal: io::stdout().is_terminal(),
        now: app::now,
    };
    ExitCode::from(cli::main(std::env::args_os(), surroundings))
}
