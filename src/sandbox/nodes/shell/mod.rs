//! # The nodes' shell
//!
//! An interpreter over a parsed shell script: lists, pipes, redirections, variables, expansions, functions, loops. It is
//! near enough to bash for administration scripts; what it does not know ends with a message, not with a guess.
//!
//! **A shell reaches its node and nothing else**: names that are not built in are looked up in `tools`.
//! **It always gives way**: each step is counted against the group's limit and yields to other tasks now and then.

mod arithmetic;
mod builtin;
mod condition;
mod expand;
mod launch;
mod parameter;
mod parse;
mod pattern;
mod redirect;
mod run;

use std::collections::BTreeMap;
use std::sync::Arc;

use brush_parser::ast;
use tokio::sync::watch;

use super::group::{Group, Seat};
use super::machine::Machine;
use super::stream::Streams;

pub(crate) use launch::Sudo;
pub(crate) use pattern::matches as fits;

/// Nested calls, substitutions and groups that a script may have.
const DEPTH: u32 = 40;
/// Bytes that one value may have.
const VALUE: usize = 4 << 20;

/// Why a command ended something around it.
#[derive(Debug)]
pub(crate) enum Stop {
    Break(u32),
    Continue(u32),
    Return(i32),
    Exit(i32),
}

/// An exit code, or the end of something around the command.
pub(crate) type Outcome = Result<i32, Stop>;

/// A variable: a scalar is an array of one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variable {
    pub(crate) values: Vec<String>,
    pub(crate) exported: bool,
    pub(crate) read_only: bool,
}

/// The options of `set`.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    errexit: bool,
    nounset: bool,
    pipefail: bool,
    xtrace: bool,
}

/// One shell process.
#[derive(Clone)]
pub(crate) struct Shell {
    pub(crate) machine: Arc<Machine>,
    pub(crate) group: Arc<Group>,
    pub(crate) streams: Streams,
    pub(crate) user: String,
    pub(crate) directory: String,
    pub(crate) pid: u32,
    variables: BTreeMap<String, Variable>,
    functions: BTreeMap<String, Arc<ast::FunctionBody>>,
    /// Values that `local` hides, one layer a running function.
    hidden: Vec<BTreeMap<String, Option<Variable>>>,
    name: String,
    positional: Vec<String>,
    flags: Flags,
    last: i32,
    /// The exit code of the last command substitution of the command that is being expanded.
    substituted: i32,
    depth: u32,
    loops: u32,
    steps: u32,
    /// Above zero where a failure is asked for, so that `set -e` does not end the script.
    tested: u32,
    jobs: Vec<(u32, watch::Receiver<Option<i32>>)>,
    exit_trap: Option<String>,
    /// Its place among the group's shells; the first one needs none.
    seat: Option<Arc<Seat>>,
}

impl Shell {
    /// A login shell of a user.
    pub(crate) fn new(machine: Arc<Machine>, group: Arc<Group>, streams: Streams, user: &str) -> Shell {
        let pid = machine.next_pid();
        let mut shell = Shell {
            machine,
            group,
            streams,
            user: String::new(),
            directory: String::new(),
            pid,
            variables: BTreeMap::new(),
            functions: BTreeMap::new(),
            hidden: Vec::new(),
            name: "bash".to_owned(),
            positional: Vec::new(),
            flags: Flags::default(),
            last: 0,
            substituted: 0,
            depth: 0,
            loops: 0,
            steps: 0,
            tested: 0,
            jobs: Vec::new(),
            exit_trap: None,
            seat: None,
        };
        shell.become_user(user);
        shell.directory = shell.value("HOME").unwrap_or_else(|| "/".to_owned());
        shell.export("PATH", "/usr/local/bin:/usr/bin:/usr/local/sbin:/usr/sbin");
        shell.export("SHELL", "/bin/bash");
        shell.export("LANG", "C.UTF-8");
        shell
    }

    fn become_user(&mut self, user: &str) {
        self.user = user.to_owned();
        let home = self.machine.home(user);
        self.export("HOME", &home);
        self.export("USER", user);
        self.export("LOGNAME", user);
    }

    pub(crate) fn export(&mut self, name: &str, value: &str) {
        self.variables
            .insert(name.to_owned(), Variable { values: vec![value.to_owned()], exported: true, read_only: false });
    }

    /// The scalar value of a variable, also of those that the shell makes up.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        if let Some(variable) = self.variables.get(name) {
            return variable.values.first().cloned();
        }
        match name {
            "PWD" => Some(self.directory.clone()),
            "HOSTNAME" => Some(format!("{}.{}", self.machine.name, self.machine.domain)),
            "UID" | "EUID" => Some(if self.user == "root" { "0" } else { "1000" }.to_owned()),
            "IFS" => Some(" \t\n".to_owned()),
            "PPID" => Some("1".to_owned()),
            "RANDOM" => Some((self.machine.draw(&format!("{}{}", self.pid, self.steps), 0, 32_767)).to_string()),
            "SECONDS" => Some("0".to_owned()),
            "BASH_VERSION" => Some("5.1.8(1)-release".to_owned()),
            _ => None,
        }
    }

    fn values(&self, name: &str) -> Vec<String> {
        match self.variables.get(name) {
            Some(variable) => variable.values.clone(),
            None => self.value(name).into_iter().collect(),
        }
    }

    /// Exported variables, as `env` prints them.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let exported = self.variables.iter().filter(|(_, variable)| variable.exported);
        let mut environment: Vec<(String, String)> = exported
            .map(|(name, variable)| (name.clone(), variable.values.first().cloned().unwrap_or_default()))
            .collect();
        environment.push(("PWD".to_owned(), self.directory.clone()));
        environment
    }

    async fn complain(&self, message: &str) {
        let _ = self.streams.err.write(format!("bash: {message}\n")).await;
    }

    /// Counts a step, and lets other tasks run now and then.
    async fn step(&mut self) -> Result<(), Stop> {
        self.steps = self.steps.wrapping_add(1);
        if self.steps.is_multiple_of(32) {
            tokio::task::yield_now().await;
        }
        if self.group.charge_steps(1) {
            return Ok(());
        }
        self.complain("this sandbox node ends scripts that take so many steps").await;
        Err(Stop::Exit(137))
    }

    /// Sets a scalar; the error has been said.
    async fn assign(&mut self, name: &str, value: String) -> Result<(), Stop> {
        self.assign_values(name, vec![value]).await
    }

    async fn assign_values(&mut self, name: &str, values: Vec<String>) -> Result<(), Stop> {
        let bytes: usize = values.iter().map(String::len).sum();
        if bytes > VALUE || !self.group.charge_steps(bytes as u64 / 64) {
            self.complain(&format!("{name}: value too large for this sandbox node")).await;
            return Err(Stop::Exit(2));
        }
        let variable = self.variables.entry(name.to_owned()).or_default();
        if variable.read_only {
            self.complain(&format!("{name}: readonly variable")).await;
            return Err(Stop::Exit(1));
        }
        variable.values = values;
        Ok(())
    }
}
