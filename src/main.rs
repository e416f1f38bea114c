//! The thin binary: arguments in, exit code out.

use halcyon::app;
use halcyon::cli::{self, Surroundings};
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    let environment =
        std::env::vars_os().filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()));
    let surroundings = Surroundings {
        out: &mut io::stdout(),
        err: &mut io::stderr(),
        environment: environment.collect(),
        now: app::now,
    };
    ExitCode::from(cli::main(std::env::args_os(), surroundings))
}
