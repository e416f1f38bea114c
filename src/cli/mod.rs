//! # Commands
//!
//! The program as a person at a terminal meets it. Arguments in, text or JSON out, an exit code: 0 done, 1 the thing asked for failed,
//! 2 the asking was wrong.
//!
//! `serve` and `demo` are handed to [`crate::app`]. `run`, `execution`, `status` and `reload` talk to the running bot over its socket; `execution list` and
//! `execution get` read the store themselves when no bot runs. `check`, `pack list`, `alias match`, `test`, `rule test` and `workflow` need nothing but the files. `export` reads the
//! store, `import` fills one. `key` and `api-key` ask the running bot, or the store when none runs. `freeze` and `unfreeze` are for the bot that runs. `audit` asks the running bot, or the store
//! when none runs; `notify` runs where the bot does not, and talks to it over HTTP; `audit verify` and `audit export` read the files beside it.
//!
//! **Nothing is printed but through [`Surroundings`]**: data to `out`, sentences to `err`. **No colours.** What commands printed on far
//! machines is shown with its control characters escaped. **What StackStorm's `st2` shows, looks as there.**

mod alias;
mod api_key;
mod approval;
mod arguments;
mod audit;
mod check;
mod daemon;
mod doctor;
mod execution;
mod export;
mod failure;
mod freeze;
mod inquiry;
mod key;
mod look;
mod may;
mod notify;
mod output;
mod pack;
mod rule;
mod sensor;
mod serve;
mod status;
mod tail;
mod test;
mod workflow;
mod yaml;

pub use arguments::{Arguments, Command};
pub use look::{execution_list, execution_text};

use crate::config::{Config, Environment};
use crate::core::approval::Verdict;
use crate::core::content::diagnostic::Diagnostic;
use arguments::{
    AliasCommand, ApprovalCommand, ExecutionCommand, KeyCommand, NotifyCommand, PackCommand, WorkflowCommand,
};
use clap::Parser;
use failure::Failure;
use jiff::Timestamp;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

/// What a command may touch besides files and sockets.
pub struct Surroundings<'a> {
    /// For data.
    pub out: &'a mut dyn Write,
    /// For sentences.
    pub err: &'a mut dyn Write,
    /// Whether `out` is a terminal, which text could steer.
    pub terminal: bool,
    /// The variables of the process.
    pub environment: Environment,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// Carries out one command line, the program's name included, and gives the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>, mut surroundings: Surroundings<'_>) -> u8 {
    let done = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => carry_out(arguments, &mut surroundings),
        Err(answer) => {
            let text = answer.render().to_string();
            let text = text.trim_end();
            let wanted = answer.exit_code() == 0;
            let to: &mut dyn Write = if wanted { surroundings.out } else { surroundings.err };
            let _ = writeln!(to, "{text}");
            return if wanted { 0 } else { 2 };
        }
    };
    let flushed = surroundings.out.flush().map_err(Failure::from);
    match done.and(flushed) {
        Ok(()) => 0,
        Err(failure) => {
            if let Some(sentence) = failure.sentence() {
                let _ = writeln!(surroundings.err, "halcyon: {sentence}");
            }
            failure.exit_code()
        }
    }
}

fn carry_out(arguments: Arguments, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let file = arguments.config.as_path();
    match arguments.command {
        Command::Serve => serve::serve(load(file, surroundings)?, surroundings),
        #[cfg(feature = "sandbox")]
        Command::Demo(demo) => serve::demo(demo, surroundings),
        Command::Check { path, complete, json } => check::check(path.as_deref(), file, complete, json, surroundings),
        Command::Status { json } => status::status(&load(file, surroundings)?, json, surroundings),
        Command::Reload { json } => reload(file, json, surroundings),
        Command::Doctor { host, json } => {
            doctor::examine(&load(file, surroundings)?, host.as_deref(), json, surroundings)
        }
        Command::May(may) => may::may(&load(file, surroundings)?, may, surroundings),
        Command::Run(run) => execution::run(&load(file, surroundings)?, run, surroundings),
        Command::Alias { command: AliasCommand::Match { text, json } } => {
            alias::matching(&load(file, surroundings)?, &text.join(" "), json, surroundings)
        }
        Command::Alias { command: AliasCommand::Test { path, json } } => {
            // Without a configuration the pack is tried by itself.
            let config = if file.is_file() { Some(load(file, surroundings)?) } else { None };
            alias::test(&path, config.as_ref(), json, surroundings)
        }
        Command::Test { paths, json } => {
            // Without a configuration the packs are tried by themselves.
            let config = if file.is_file() { Some(load(file, surroundings)?) } else { None };
            test::test(&paths, config.as_ref(), json, surroundings)
        }
        Command::Pack { command: PackCommand::List { json } } => {
            pack::list(&load(file, surroundings)?, json, surroundings)
        }
        Command::Rule { command } => rule::rule(file, command, surroundings),
        Command::Sensor { command } => sensor::sensor(file, command, surroundings),
        Command::Trigger { command } => rule::trigger(file, command, surroundings),
        Command::Workflow { command } => match command {
            WorkflowCommand::Inspect { file, json } => workflow::inspect(&file, json, surroundings),
            WorkflowCommand::Trace { file, script, json: _ } => workflow::run(&file, script.as_deref(), surroundings),
        },
        Command::Execution { command } => {
            let config = load(file, surroundings)?;
            match command {
                ExecutionCommand::List { last, json } => execution::list(&config, last, json, surroundings),
                ExecutionCommand::Get { id, json } => execution::get(&config, &id, json, surroundings),
                ExecutionCommand::Output { id, host, stderr, output: file } => {
                    output::output(&config, &id, (host, stderr), file.as_deref(), surroundings)
                }
                ExecutionCommand::Tail { id, json } => tail::tail(&config, &id, json, surroundings),
                ExecutionCommand::Cancel { ids, json } => execution::cancel(&config, &ids, json, surroundings),
                ExecutionCommand::Settle { id, judgement, json } => {
                    execution::settle(&config, &id, judgement, json, surroundings)
                }
                ExecutionCommand::Graph { id, output, json } => {
                    execution::graph(&config, id, output.as_deref(), json, surroundings)
                }
                ExecutionCommand::Pause { id, json } => {
                    execution::pause_or_resume(&config, &id, true, json, surroundings)
                }
                ExecutionCommand::Resume { id, json } => {
                    execution::pause_or_resume(&config, &id, false, json, surroundings)
                }
                ExecutionCommand::Rerun { id, from, detach, json } => {
                    execution::rerun(&config, (id, from), detach, json, surroundings)
                }
            }
        }
        Command::Export { json: _ } => export::export(&load(file, surroundings)?, surroundings),
        Command::Import { file: from, json } => export::import(&load(file, surroundings)?, &from, json, surroundings),
        Command::Audit { command } => audit::audit(&load(file, surroundings)?, command, surroundings),
        Command::Freeze { reason, json } => {
            freeze::change(&load(file, surroundings)?, Some(reason.join(" ")), json, surroundings)
        }
        Command::Inquiry { command } => inquiry::inquiry(&load(file, surroundings)?, command, surroundings),
        // Made before the configuration is right, which names it.
        Command::Key { command: KeyCommand::CreateMasterKey { file: Some(file), json } } => {
            key::create_master_key(&file, json, surroundings)
        }
        Command::Key { command } => key::key(&load(file, surroundings)?, command, surroundings),
        Command::ApiKey { command } => api_key::api_key(&load(file, surroundings)?, command, surroundings),
        Command::Notify { command: NotifyCommand::Checkmk(asked) } => notify::checkmk(asked, surroundings),
        Command::Notify { command: NotifyCommand::Nagios(asked) } => notify::nagios(asked, surroundings),
        Command::Approval { command } => approval(command, &load(file, surroundings)?, surroundings),
        Command::Unfreeze { json } => freeze::change(&load(file, surroundings)?, None, json, surroundings),
    }
}

fn approval(command: ApprovalCommand, config: &Config, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let (verdict, said) = match command {
        ApprovalCommand::List { json } => return approval::list(config, json, surroundings),
        ApprovalCommand::Approve(said) => (Verdict::Approve, said),
        ApprovalCommand::Deny(said) => (Verdict::Deny, said),
        ApprovalCommand::Revoke(said) => (Verdict::Revoke, said),
        ApprovalCommand::Withdraw(said) => (Verdict::Withdraw, said),
    };
    approval::decide(config, &said.code, verdict, &said.words, said.json, surroundings)
}

/// The running bot is found even when the configuration that it is to read again has mistakes: it then says what they are.
fn reload(file: &Path, as_json: bool, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    match Config::load(file, &surroundings.environment) {
        Ok(config) => status::reload(&config, as_json, surroundings),
        Err(problems) => match Config::control_of(file) {
            Some(config) => status::reload(&config, as_json, surroundings),
            None => Err(not_sound(&problems)),
        },
    }
}

fn not_sound(problems: &[Diagnostic]) -> Failure {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    Failure::Wrong(format!("the configuration is not sound:\n{}", lines.join("\n")))
}

/// Reads the configuration for a command that cannot go on without. Warnings are the business of `check` and `serve`.
fn load(file: &Path, surroundings: &Surroundings<'_>) -> Result<Config, Failure> {
    Config::load(file, &surroundings.environment).map_err(|problems| not_sound(&problems))
}
