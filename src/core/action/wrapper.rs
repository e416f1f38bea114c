//! # The node wrapper: what is said to a machine
//!
//! A command never runs bare. It runs under a small POSIX shell script that travels with every request, gives it an id and a process
//! group of its own, and notes how it ended (`docs/node-wrapper.md` is the contract). The same words serve the bot's own machine.
//!
//! **Nothing of a command is ever in a command line**: script, directory and environment go over standard input, after the password where
//! `sudo` asks for one. **Half a script does not run**: two marks tell the wrapper that it has arrived whole.

use crate::core::action::capture::showable;
use crate::core::action::run::{Captured, Exit, Secret, ShellCommand};
use crate::core::id::{ExecutionId, Host};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::time::Duration;

/// The protocol and its version; the wrapper's `$0`.
const PROTOCOL: &str = "halcyon-1";

/// The wrapper exits with this code, and a line that begins with `halcyon-1: `, when it has not run the command.
const REFUSED: i32 = 125;

/// The answer to a kill of what is not known. It will not be started any more.
const UNKNOWN: i32 = 3;

/// The longest time that a command may take of which nothing is kept: StackStorm's default for actions on machines.
pub const LONGEST_LOOK: Duration = Duration::from_secs(60);

/// What can be asked of the wrapper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Run the script that comes over standard input.
    Run,
    /// The same of a script that only looks: it ends with its connection, and nothing is kept of how it ended.
    Look,
    /// End every process of the command's group.
    Kill,
    /// Say how it stands.
    Status,
    /// Remove what is kept of it.
    Forget,
}

impl Verb {
    /// The one that carries a command out. What looks for long is not begun anew because its end was not heard.
    pub fn of(command: &ShellCommand) -> Self {
        if command.read_only && command.timeout <= LONGEST_LOOK { Verb::Look } else { Verb::Run }
    }

    fn word(self) -> &'static str {
        match self {
            Verb::Run => "run",
            Verb::Look => "look",
            Verb::Kill => "kill",
            Verb::Status => "status",
            Verb::Forget => "forget",
        }
    }
}

/// How an id stands on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The command has not ended.
    Running,
    /// It ended with this code.
    Exited(i32),
    /// The machine knows nothing of it, which is no proof that it never ran.
    Nothing,
}

/// What a machine answers when it is asked about an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// How the id stands.
    pub standing: Standing,
    /// How long the machine has been up; absent where it does not say.
    pub up: Option<Duration>,
    /// How long the command has been running, where it is.
    pub running_for: Option<Duration>,
    /// For how long the machine has surely kept what it notes; absent where it does not say.
    pub noted: Option<Duration>,
}

impl Report {
    /// Reads what `status` prints.
    pub fn parse(text: &str) -> Option<Self> {
        let standing = Standing::parse(text)?;
        let mut words = text.lines().nth(1).unwrap_or_default().split_whitespace();
        let (mut up, mut running_for, mut noted) = (None, None, None);
        while let (Some(word), Some(number)) = (words.next(), words.next()) {
            let time = number.parse().ok().map(Duration::from_secs);
            match word {
                "up" => up = time,
                "for" => running_for = time,
                "noted" => noted = time,
                // What a later version may add.
                _ => {}
            }
        }
        Some(Self { standing, up, running_for, noted })
    }
}

/// What a `kill` has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Killed {
    /// Nobody of the group is left, or the command had ended by itself.
    Gone,
    /// The machine knew nothing of the id. It will not be started there any more.
    Barred,
}

impl Standing {
    /// Reads the first line that `status` prints.
    pub fn parse(text: &str) -> Option<Self> {
        match text.lines().next()?.trim() {
            "running" => Some(Standing::Running),
            "none" => Some(Standing::Nothing),
            other => other.strip_prefix("exited ")?.parse().ok().map(Standing::Exited),
        }
    }
}

/// Why a command cannot be put into a script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// Not a name that a shell can export.
    #[error("`{0}` cannot be the name of an environment variable: letters, digits and `_`, not starting with a digit")]
    Name(String),
    /// A zero byte.
    #[error("{0} has a zero byte in it, which no shell can take")]
    Zero(String),
}

/// The id of a command on one machine. It follows from execution, host and attempt, so that the machine can be asked after a restart, and
/// differs between hosts, so that two names of one machine do not meet. A first attempt has the number 0; every other has a fresh id, since
/// an id runs at most once.
pub fn node_id(execution: &ExecutionId, host: &Host, attempt: u32) -> String {
    let mut digest = Sha256::new().chain_update(execution.as_str()).chain_update([0]).chain_update(host.as_str());
    if attempt > 0 {
        digest = digest.chain_update([0]).chain_update(attempt.to_be_bytes());
    }
    let digest = digest.finalize();
    let mut id: String = execution.as_str().chars().filter(char::is_ascii_hexdigit).take(8).collect();
    for byte in &digest[..8] {
        write!(id, "{byte:02x}").expect("writing to a string does not fail");
    }
    id
}

/// The words of a request, as a program and its arguments.
pub fn words(verb: Verb, id: &str, command: &ShellCommand) -> Vec<String> {
    let mut words: Vec<&str> = Vec::new();
    if command.sudo {
        words.extend(["sudo", "-E", "-H"]);
        words.extend(if command.sudo_password.is_some() { &["-S", "-p", ""][..] } else { &["-n"] });
        words.push("--");
    }
    let text = text();
    words.extend(["sh", "-c", &text, PROTOCOL, verb.word(), id]);
    words.into_iter().map(str::to_owned).collect()
}

/// The words of a request, as a line for a far shell.
pub fn line(verb: Verb, id: &str, command: &ShellCommand) -> String {
    words(verb, id, command).iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

/// What a request is sent over standard input.
///
/// # Errors
/// When the command holds what no shell can take.
pub fn input(verb: Verb, id: &str, command: &ShellCommand) -> Result<Secret, ScriptError> {
    let mut input = String::new();
    if command.sudo
        && let Some(password) = &command.sudo_password
    {
        if password.reveal().contains(['\0', '\n']) {
            return Err(ScriptError::Zero("the password for sudo (or it has a line break)".to_owned()));
        }
        input.push_str(password.reveal());
        input.push('\n');
    }
    if matches!(verb, Verb::Run | Verb::Look) {
        input.push_str(&script(id, command)?);
    }
    Ok(Secret::new(input))
}

/// The script with its surroundings, between the marks.
fn script(id: &str, command: &ShellCommand) -> Result<String, ScriptError> {
    let whole = |what: &str, text: &str| {
        if text.contains('\0') { Err(ScriptError::Zero(what.to_owned())) } else { Ok(()) }
    };
    let mut script = format!("# {PROTOCOL} begin {id}\n");
    for (name, value) in &command.env {
        if !is_variable(name) {
            return Err(ScriptError::Name(name.clone()));
        }
        whole(&format!("the value of `{name}`"), value.reveal())?;
        script.push_str(&format!("export {name}={}\n", quote(value.reveal())));
    }
    if let Some(directory) = &command.cwd {
        whole("the working directory", directory)?;
        // A relative one is written so that it cannot be taken for an option.
        let before = if directory.starts_with('/') { "" } else { "./" };
        script.push_str(&format!("cd {} || exit 1\n", quote(&format!("{before}{directory}"))));
    }
    whole("the command", &command.script)?;
    script.push_str(&command.script);
    script.push_str(&format!("\n# {PROTOCOL} end {id}\n"));
    Ok(script)
}

/// What the exit code of a `run` means.
pub fn exit(code: i32, stderr: &Captured) -> Exit {
    let refusal = match stderr {
        Captured::Inline { text } if code == REFUSED => {
            text.strip_prefix(PROTOCOL).and_then(|rest| rest.strip_prefix(": "))
        }
        Captured::Inline { .. } | Captured::Blob { .. } => None,
    };
    match refusal {
        Some(why) => Exit::Unreachable { why: why.trim_end().to_owned() },
        None => Exit::Code { code },
    }
}

/// What the exit code of a `kill` means.
///
/// # Errors
/// Why the command may still run.
pub fn killed(code: i32, stderr: &str) -> Result<Killed, String> {
    match code {
        0 => Ok(Killed::Gone),
        UNKNOWN => Ok(Killed::Barred),
        _ => Err(format!("exit code {code}: {}", showable(stderr.trim()))),
    }
}

/// The wrapper's text, without its comments.
fn text() -> String {
    let lines = include_str!("wrapper.sh").lines().filter(|line| !line.trim_start().starts_with("# "));
    lines.collect::<Vec<_>>().join("\n")
}

/// One word of a shell, whatever is in it.
pub(crate) fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn is_variable(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
}
