//! One request: a bare command, or a verb of the node wrapper (`docs/node-wrapper.md`).
//!
//! The script of the wrapper is not read here: its marker says what is meant, and the verbs act on the node's model.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::fault::Fault;
use super::group::{Group, TERM};
use super::machine::{Kept, Machine};
use super::shell::{Shell, Sudo};
use super::stream::{Lane, Sink, Source, Streams};

/// The wrapper's `$0`.
const MARKER: &str = "halcyon-1";
/// What every other protocol version would begin with.
const MARKER_STEM: &str = "halcyon-";

/// An exec request as it arrives.
pub(crate) struct Request {
    pub(crate) machine: Arc<Machine>,
    pub(crate) user: String,
    pub(crate) line: String,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) input: Source,
    pub(crate) sender: mpsc::Sender<(Lane, Bytes)>,
}

/// How a request ended.
pub(crate) struct Ended {
    pub(crate) code: u8,
    /// How long what is left in the background may go on writing to the channel; none is until it ends by itself.
    pub(crate) lingering: Option<Duration>,
}

/// For how long a wrapped command's background may hold the channel open.
const LINGERING: Duration = Duration::from_secs(2);

/// What a command line asks for.
enum Asked {
    Bare,
    Wrapped { sudo: Option<Sudo>, verb: String, id: String },
    Malformed(String),
}

/// The words of a line that is one command of constant words: none when a shell would do more than split it.
fn split_words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        match character {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let open = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        '\'' => break,
                        quoted => open.push(quoted),
                    }
                }
            }
            '"' => {
                let open = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        '"' => break,
                        '$' | '`' => return None,
                        '\\' => match rest.next()? {
                            escaped @ ('"' | '\\' | '$' | '`') => open.push(escaped),
                            '\n' => {}
                            other => open.extend(['\\', other]),
                        },
                        quoted => open.push(quoted),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(rest.next()?),
            '\n' | ';' | '|' | '&' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?' | '[' | '#' => return None,
            plain => word.get_or_insert_default().push(plain),
        }
    }
    words.extend(word.take());
    Some(words)
}

fn understand(line: &str) -> Asked {
    let Some(words) = split_words(line) else { return Asked::Bare };
    let (sudo, words) = match words.split_first() {
        Some((first, rest)) if first == "sudo" => match Sudo::parse(rest) {
            Ok(sudo) => {
                let words = rest.get(sudo.command..).unwrap_or_default().to_vec();
                (Some(sudo), words)
            }
            Err(_) => return Asked::Bare,
        },
        _ => (None, words),
    };
    let [shell, flag, _script, marker, rest @ ..] = words.as_slice() else { return Asked::Bare };
    if !matches!(shell.as_str(), "sh" | "/bin/sh") || flag != "-c" || !marker.starts_with(MARKER_STEM) {
        return Asked::Bare;
    }
    if marker != MARKER {
        return Asked::Malformed(format!("this node knows {MARKER}, not {marker}"));
    }
    match rest {
        [verb, id, ..] if is_id(id) => Asked::Wrapped { sudo, verb: verb.clone(), id: id.clone() },
        [_, id, ..] => Asked::Malformed(format!("not an id: {id}")),
        _ => Asked::Malformed("a verb and an id are needed".to_owned()),
    }
}

fn is_id(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-'))
}

/// The script between its two marks; none when one is missing.
fn between_marks<'a>(text: &'a str, id: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("# {MARKER} begin {id}\n"))?;
    rest.trim_end_matches('\n').strip_suffix(&format!("\n# {MARKER} end {id}"))
}

impl Request {
    /// Plays the request to its end.
    pub(crate) async fn play(self) -> Ended {
        match understand(&self.line) {
            Asked::Bare => Ended { code: self.bare().await, lingering: None },
            Asked::Malformed(problem) => {
                self.complain(&problem).await;
                let begins = |word: &String| matches!(word.as_str(), "run" | "look");
                let run = split_words(&self.line).is_some_and(|words| words.iter().any(begins));
                Ended { code: if run { 125 } else { 2 }, lingering: Some(LINGERING) }
            }
            Asked::Wrapped { sudo, verb, id } => {
                // Nobody waits beside a look, so nobody lets go of the channel for what it has left behind.
                let lingering = (verb != "look").then_some(LINGERING);
                Ended { code: self.wrapped(sudo, &verb, id).await, lingering }
            }
        }
    }

    async fn wrapped(mut self, sudo: Option<Sudo>, verb: &str, id: String) -> u8 {
        if let Some(sudo) = sudo {
            let password = self.machine.sudo_password.clone();
            if let Err(problem) = sudo.admit(&self.user, password.as_deref(), &self.input).await {
                let _ = self.sender.send((Lane::Err, format!("{problem}\n").into())).await;
                return 1;
            }
            self.user = sudo.user.unwrap_or_else(|| "root".to_owned());
        }
        match verb {
            "run" => self.run(id, false).await,
            "look" => self.run(id, true).await,
            "kill" => self.kill(&id).await,
            "status" => {
                let kept = self.machine.kept(&self.user, &id);
                let (line, age) = match kept.map(|kept| (*kept.code.borrow(), kept.since, kept.looks)) {
                    None | Some((Some(_), _, true)) => ("none".to_owned(), String::new()),
                    Some((None, since, _)) => ("running".to_owned(), format!(" for {}", since.elapsed().as_secs())),
                    Some((Some(code), _, false)) => (format!("exited {code}"), String::new()),
                };
                let (up, noted) = (self.machine.up().as_secs(), self.machine.noted().as_secs());
                let answer = format!("{line}\nup {up}{age} noted {noted}\n");
                let _ = self.sender.send((Lane::Out, answer.into())).await;
                0
            }
            "forget" => {
                if self.machine.kept(&self.user, &id).is_some_and(|kept| kept.code.borrow().is_none()) {
                    self.complain("still running").await;
                    return 4;
                }
                self.machine.forget(&self.user, &id);
                0
            }
            other => {
                self.complain(&format!("unknown verb {other}")).await;
                2
            }
        }
    }

    async fn complain(&self, problem: &str) {
        let _ = self.sender.send((Lane::Err, format!("{MARKER}: {problem}\n").into())).await;
    }

    async fn run(self, id: String, looks: bool) -> u8 {
        let Some(script) = self.input.rest().await else {
            self.complain("the script is too large").await;
            return 125;
        };
        let text = String::from_utf8_lossy(&script);
        let Some(script) = between_marks(&text, &id) else {
            self.complain("the script did not arrive whole; nothing was run").await;
            return 125;
        };
        let script = script.to_owned();
        let group = Arc::new(Group::default());
        let (done, code) = watch::channel(None);
        let kept = Kept { group: group.clone(), code, since: Instant::now(), looks };
        if let Err(problem) = self.machine.keep(&self.user, &id, kept) {
            self.complain(problem).await;
            return 125;
        }
        let input = Source::empty();
        self.start(Some(id), !looks, script, group, input, done).await
    }

    async fn kill(&self, id: &str) -> u8 {
        let Some(mut kept) = self.machine.kept_or_barred(&self.user, id) else { return 3 };
        kept.group.signal(TERM);
        kept.group.emptied().await;
        let _ = kept.code.wait_for(Option::is_some).await;
        0
    }

    async fn bare(self) -> u8 {
        let group = Arc::new(Group::default());
        let (done, _) = watch::channel(None);
        let (script, input) = (self.line.clone(), self.input.clone());
        self.start(None, false, script, group, input, done).await
    }

    /// Starts a script in its group and waits for its end. The script does not depend on the waiting, but unless it `outlives` its connection, on
    /// the channel that it writes to.
    async fn start(
        self,
        id: Option<String>,
        outlives: bool,
        script: String,
        group: Arc<Group>,
        input: Source,
        done: watch::Sender<Option<u8>>,
    ) -> u8 {
        let Request { machine, user, environment, sender, .. } = self;
        let entry = machine.open_entry(id.clone(), &script, &user);
        if let Some(Fault::FailCommand(code)) = machine.fault() {
            let _ = sender.send((Lane::Err, "bash: fork: Resource temporarily unavailable\n".into())).await;
            machine.close_entry(entry, Some(code), false);
            done.send_replace(Some(code));
            return code;
        }
        let lane = |lane| Sink::Channel { lane, sender: sender.clone(), forgiving: outlives, group: group.clone() };
        let streams = Streams { input, out: lane(Lane::Out), err: lane(Lane::Err) };
        drop(sender);
        let mut shell = Shell::new(machine.clone(), group.clone(), streams, &user);
        for (name, value) in environment {
            shell.export(&name, &value);
        }
        let entered = machine.enter(1, &user, &format!("bash -c {script}"), &group);
        shell.pid = entered.pid;
        let member = group.spawn(async move {
            let ran = entered.token.run_until_cancelled(shell.script(&script)).await;
            ran.unwrap_or(128 + TERM)
        });
        // A task of its own, so that the end is noted also when nobody waits for it.
        let noted = tokio::spawn(async move {
            let ended = member.await.unwrap_or(134);
            let signal = group.ended_by();
            let killed = ended < 0;
            let code = if killed { 128 + signal } else { ended };
            let code = u8::try_from(code).unwrap_or(u8::MAX);
            machine.close_entry(entry, Some(code), killed);
            done.send_replace(Some(code));
            code
        });
        noted.await.unwrap_or(134)
    }
}
