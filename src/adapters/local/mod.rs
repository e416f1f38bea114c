//! # Local commands
//!
//! Commands on the bot's own machine, under the same wrapper as on a node: an id, a process group, a kill that reaches all of it, the
//! script over standard input. The programs of sensors run here, too: `sensor`.
//!
//! - **A local command does not run as the account that can read the token and the store**, where the site has named another: root switches by
//!   `setpriv`, others by a `sudo` that asks no password. Where neither is possible nothing runs, and the reason is said.
//!
//! - **Nothing of the bot's environment gets through** but what a list allows: `HALCYON_*`, systemd's credentials and the agent's socket stay here.

mod sensor;

use crate::core::action::reason::Reason;
use crate::core::action::run::{Attach, Begun, Captured, Exit, HostOutcome, Parting, Run, RunNews, ShellCommand, Work};
use crate::core::action::wrapper::{self, Killed, Report, Standing, Verb};
use crate::core::id::{ExecutionId, Host};
use crate::runtime::attend::{Asked, Attended, Terms, attend};
use crate::runtime::capture::{Allowance, Live, Stream};
use crate::runtime::ports::{Blobs, Runner};
use crate::runtime::watch::{Limits, watch};
use async_trait::async_trait;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// The name under which the results are kept.
pub const LOCALHOST: &str = "localhost";

/// The parts of our environment that a command may see; `LC_*` too.
const ALLOWED: [&str; 9] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR"];

/// How long a question to the wrapper or the system may take.
const ASKING: Duration = Duration::from_secs(15);

/// How long this machine is asked what became of a command when it does not answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// How local commands are run.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// The account that they run as; the bot's own when absent.
    pub run_as: Option<String>,
    /// How many bytes of output are kept of one command.
    pub output_limit: u64,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self { run_as: None, output_limit: 10 * 1024 * 1024 }
    }
}

/// Runs commands on the bot's own machine.
#[derive(Clone)]
pub struct LocalRunner {
    options: LocalOptions,
    blobs: Arc<dyn Blobs>,
}

/// The words that stand before a command so that it runs as somebody else; none when it need not.
type Switch = Vec<String>;

impl LocalRunner {
    /// A runner; nothing is tried yet.
    pub fn new(options: LocalOptions, blobs: Arc<dyn Blobs>) -> Self {
        Self { options, blobs }
    }

    /// Asks how a command stands that was run as the first try.
    ///
    /// # Errors
    /// Why that cannot be said.
    pub async fn standing(&self, execution: &ExecutionId, command: &ShellCommand) -> Result<Standing, String> {
        let switch = self.switch().await?;
        let one = OneCommand { switch: &switch, id: &id(execution, 0), command };
        one.status().await.map(|report| report.standing)
    }

    /// Asks what has become of a command that was begun so long ago, until that is known.
    async fn attend(
        &self,
        attach: &Attach,
        command: &ShellCommand,
        begun: Begun,
        news: &mpsc::Sender<RunNews>,
        cancel: &CancellationToken,
    ) -> Result<Attended, String> {
        let switch = self.switch().await?;
        let one = OneCommand { switch: &switch, id: &id(&attach.execution, begun.attempt), command };
        let terms = Terms { parting: Parting::Stays, ..Terms::of(command, begun.ago, PATIENCE, cancel) };
        let seen = async || {
            // A receiver that is gone does not stop the run.
            let _ = news.send(RunNews::HostStarted { host: Host::new(LOCALHOST) }).await;
        };
        Ok(attend(&one, &terms, seen).await)
    }

    /// Finds out how to run as the account that the site has named.
    async fn switch(&self) -> Result<Switch, String> {
        let Some(user) = &self.options.run_as else { return Ok(Switch::new()) };
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let (_, line, _) = output_of(words(&["getent", "passwd", "--", user])).await?;
        let fields: Vec<&str> = line.trim_end().split(':').collect();
        let (uid, gid) = match fields[..] {
            [_, _, uid, gid, ..] if uid.parse::<u32>().is_ok() && gid.parse::<u32>().is_ok() => (uid, gid),
            _ => return Err(Reason::NoAccount { user }.to_string()),
        };
        let own = rustix::process::geteuid();
        if uid == own.as_raw().to_string() {
            return Ok(Switch::new());
        }
        if own.is_root() {
            return Ok(words(&["setpriv", "--reuid", uid, "--regid", gid, "--init-groups", "--reset-env", "--"]));
        }
        let switch = words(&["sudo", "-n", "-H", "-u", user, "--"]);
        let (code, _, stderr) = output_of([&switch[..], &words(&["true"])].concat()).await?;
        if code == 0 {
            return Ok(switch);
        }
        Err(Reason::NoSwitch { user, why: stderr.trim() }.to_string())
    }

    /// Carries the command out to its end.
    async fn carry_out(
        &self,
        switch: &Switch,
        id: &str,
        command: &ShellCommand,
        news: &mpsc::Sender<RunNews>,
        cancel: &CancellationToken,
        live: &Live,
    ) -> HostOutcome {
        let host = Host::new(LOCALHOST);
        let began = Instant::now();
        let mut child = match start(&[&switch[..], &wrapper::words(Verb::Run, id, command)].concat()) {
            Ok(child) => child,
            Err(why) => {
                let (stdout, stderr) = (Captured::empty(), Captured::empty());
                return HostOutcome { exit: Exit::Unreachable { why }, stdout, stderr, seconds: 0.0 };
            }
        };
        // A receiver that is gone does not stop the run.
        let _ = news.send(RunNews::HostStarted { host: host.clone() }).await;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let allowance = Allowance::new(self.options.output_limit);
        let stream = Stream { host: &host, blobs: &*self.blobs, allowance: &allowance, live };
        let abandoned = CancellationToken::new();
        let work = async {
            let stdout = async {
                match stdout {
                    Some(stdout) => stream.read(stdout, &abandoned).await,
                    None => Captured::empty(),
                }
            };
            let stderr = async {
                match stderr {
                    Some(stderr) => stream.read(stderr, &abandoned).await,
                    None => Captured::empty(),
                }
            };
            let sending = async {
                tokio::select! {
                    () = send(stdin, Verb::Run, id, command) => {}
                    () = abandoned.cancelled() => {}
                }
            };
            let (stdout, stderr, ()) = tokio::join!(stdout, stderr, sending);
            let end = tokio::select! {
                status = child.wait() => status.map_err(|error| error.to_string()),
                () = abandoned.cancelled() => Err(Reason::DidNotEnd.to_string()),
            };
            (end, stdout, stderr)
        };
        let kill = async {
            let (code, _, stderr) = ask(switch, Verb::Kill, id, command).await?;
            wrapper::killed(code, &stderr)
        };
        let limits = Limits { timeout: command.timeout, cancel };
        let ((end, stdout, stderr), stopped) = watch(work, kill, &abandoned, &limits).await;
        let exit = stopped.unwrap_or_else(|| match end {
            Ok(status) => match status.code() {
                Some(code) => wrapper::exit(code, &stderr),
                None => {
                    Exit::Unknown { why: Reason::WrapperKilled { signal: status.signal().unwrap_or(0) }.to_string() }
                }
            },
            Err(why) => Exit::Unknown { why: Reason::NotWaitedFor { why: &why }.to_string() },
        });
        HostOutcome { exit, stdout, stderr, seconds: began.elapsed().as_secs_f64() }
    }
}

#[async_trait]
impl Runner for LocalRunner {
    async fn run(&self, run: Run, news: mpsc::Sender<RunNews>, cancel: CancellationToken) {
        let error = match &run.work {
            Work::Remote(_) | Work::Http(_) | Work::Mail(_) | Work::Monitoring(_) => {
                Some(Reason::WrongRunner.to_string())
            }
            Work::Local(command) => {
                let id = id(&run.execution, run.attempt);
                // What cannot be composed is found out before anything starts.
                let composed = wrapper::input(Verb::Run, &id, command).map_err(|error| error.to_string());
                let ready = match composed {
                    Ok(_) => self.switch().await,
                    Err(why) => Err(why),
                };
                match ready {
                    Err(why) => Some(why),
                    Ok(switch) => {
                        let live = Live::default();
                        let outcome = tokio::select! {
                            outcome = self.carry_out(&switch, &id, command, &news, &cancel, &live) => outcome,
                            never = live.report(&news) => match never {},
                        };
                        let _ = news
                            .send(RunNews::HostFinished { host: Host::new(LOCALHOST), outcome: Box::new(outcome) })
                            .await;
                        None
                    }
                }
            }
        };
        let _ = news.send(RunNews::Finished { error }).await;
    }

    async fn attach(&self, attach: Attach, news: mpsc::Sender<RunNews>, cancel: CancellationToken) {
        let host = Host::new(LOCALHOST);
        let error = match (&attach.work, attach.begun.get(&host)) {
            (Work::Remote(_) | Work::Http(_) | Work::Mail(_) | Work::Monitoring(_), _) => {
                Some(Reason::WrongRunner.to_string())
            }
            (_, None) => Some(Reason::NoBeginning.to_string()),
            (Work::Local(command), Some(begun)) => {
                let asked = Instant::now();
                let attended = self.attend(&attach, command, *begun, &news, &cancel).await;
                // Where this account may not ask as the other one, nobody knows.
                let attended = attended.unwrap_or_else(|why| Attended { exit: Exit::Unknown { why }, lost: false });
                let (stdout, stderr) = (Captured::empty(), Captured::empty());
                let seconds = (begun.ago + asked.elapsed()).as_secs_f64();
                let outcome = Box::new(HostOutcome { exit: attended.exit, stdout, stderr, seconds });
                let told = if attended.lost {
                    RunNews::HostLost { host, outcome }
                } else {
                    RunNews::HostFinished { host, outcome }
                };
                let _ = news.send(told).await;
                None
            }
        };
        let _ = news.send(RunNews::Finished { error }).await;
    }
}

/// One command that the wrapper on this machine can be asked about.
struct OneCommand<'a> {
    switch: &'a Switch,
    id: &'a str,
    command: &'a ShellCommand,
}

impl Asked for OneCommand<'_> {
    async fn status(&self) -> Result<Report, String> {
        let (code, stdout, stderr) = ask(self.switch, Verb::Status, self.id, self.command).await?;
        let said = || format!("{} {}", stdout.trim(), stderr.trim());
        Report::parse(&stdout).ok_or_else(|| Reason::NotUnderstood { code, said: said().trim() }.to_string())
    }

    async fn kill(&self) -> Result<Killed, String> {
        let (code, _, stderr) = ask(self.switch, Verb::Kill, self.id, self.command).await?;
        wrapper::killed(code, &stderr)
    }
}

fn id(execution: &ExecutionId, attempt: u32) -> String {
    wrapper::node_id(execution, &Host::new(LOCALHOST), attempt)
}

/// Starts a program in a clean environment, away from our terminal and folder.
fn start(words: &[String]) -> Result<Child, String> {
    let (program, arguments) = words.split_first().ok_or_else(|| Reason::NothingToStart.to_string())?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/").env_clear().process_group(0);
    for (name, value) in std::env::vars_os() {
        let allowed = name.to_str().is_some_and(|name| ALLOWED.contains(&name) || name.starts_with("LC_"));
        if allowed {
            command.env(name, value);
        }
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().map_err(|error| Reason::NoProgram { program, why: &error.to_string() }.to_string())
}

async fn send(to: Option<ChildStdin>, verb: Verb, id: &str, command: &ShellCommand) {
    let (Some(mut to), Ok(input)) = (to, wrapper::input(verb, id, command)) else { return };
    // Whoever closes this early says why by an exit code.
    let _ = to.write_all(input.reveal().as_bytes()).await;
}

/// Exit code, standard output and standard error of a question to the wrapper.
async fn ask(switch: &Switch, verb: Verb, id: &str, command: &ShellCommand) -> Result<(i32, String, String), String> {
    let mut child = start(&[&switch[..], &wrapper::words(verb, id, command)].concat())?;
    let stdin = child.stdin.take();
    let asking = async {
        send(stdin, verb, id, command).await;
        child.wait_with_output().await
    };
    finished(asking).await
}

/// The same of a program that is given nothing.
async fn output_of(words: Vec<String>) -> Result<(i32, String, String), String> {
    let mut child = start(&words)?;
    drop(child.stdin.take());
    finished(child.wait_with_output()).await
}

async fn finished(
    output: impl Future<Output = std::io::Result<std::process::Output>>,
) -> Result<(i32, String, String), String> {
    let silent = |_| Reason::NoAnswer { seconds: ASKING.as_secs() }.to_string();
    let output = timeout(ASKING, output).await.map_err(silent)?;
    let output = output.map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((code_of(output.status), text(&output.stdout), text(&output.stderr)))
}

/// As a shell counts.
fn code_of(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
