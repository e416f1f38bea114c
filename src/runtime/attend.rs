//! A command that was begun and lost sight of, because this process or a connection ended: its machine is asked until it is known what has
//! become of it. Every runner uses it.
//!
//! **It always comes to an end**: with the command, its time, a cancel, or when the machine has not answered for as long as patience lasts.
//! **What a machine knows nothing of is barred there first**: only then is it said that it never began, or that nobody knows.

use crate::core::action::reason::Reason;
use crate::core::action::run::{Exit, Parting, ShellCommand};
use crate::core::action::wrapper::{Killed, Report, Standing};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// The first wait between two questions; each is longer than the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest wait while the command runs.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The longest wait while the machine does not answer.
const LONGEST_SILENCE: Duration = Duration::from_secs(30);
/// How long a machine that does not answer is tried once somebody has stopped the command.
const PATIENCE_WHEN_STOPPED: Duration = Duration::from_mins(1);
/// How many times a command is killed before it is given up.
const MOST_KILLS: u32 = 3;

/// How much longer than the command is old a machine must have been up, and its notes been kept, to know of it: clocks are set now and then.
const CLOCKS_DIFFER: Duration = Duration::from_mins(1);
/// How old a command may be for a machine that knows nothing of it to be believed: notes are swept away after some days.
const NOTES_STAY: Duration = Duration::from_hours(24);

/// A machine that can be asked about one command.
pub trait Asked: Sync {
    /// How it stands.
    fn status(&self) -> impl Future<Output = Result<Report, String>> + Send;
    /// Ends it, or bars it when it is not known.
    fn kill(&self) -> impl Future<Output = Result<Killed, String>> + Send;
}

/// What is known of the command, and how long it is waited for.
#[derive(Debug)]
pub struct Terms<'a> {
    /// How long ago it was asked for.
    pub ago: Duration,
    /// How long it may take.
    pub timeout: Duration,
    /// How long a machine that does not answer is asked again.
    pub patience: Duration,
    /// Fires when somebody wants it to end.
    pub cancel: &'a CancellationToken,
    /// What becomes of the connection when the command does what it should. One that reboots has done its work when the machine has been started
    /// anew, and not before; one by which the machine goes away has done it by then for certain.
    pub parting: Parting,
}

impl<'a> Terms<'a> {
    /// Those of a command that was asked for so long ago, on a machine that is usually asked for as long as `patience`.
    pub fn of(command: &ShellCommand, ago: Duration, patience: Duration, cancel: &'a CancellationToken) -> Self {
        let ShellCommand { timeout, parting, read_only, .. } = *command;
        let patience = match parting {
            // A machine may take longer to come back than one that is lost is asked for.
            Parting::Reboots => patience.max(timeout),
            // Whoever looks can look again: that is no reason to wait longer than the look itself may take.
            Parting::Stays | Parting::Leaves if read_only => patience.min(timeout),
            Parting::Stays | Parting::Leaves => patience,
        };
        Self { ago, timeout, patience, cancel, parting }
    }

    /// The end of a command whose work it is, where the machine has been started anew since it was asked for, `age` ago.
    fn started_anew(&self, report: &Report, age: Duration) -> Option<Exit> {
        let anew = report.up.is_some_and(|up| up < age);
        match self.parting {
            Parting::Reboots => anew.then_some(Exit::Rebooted),
            Parting::Leaves => anew.then_some(Exit::Left),
            Parting::Stays => None,
        }
    }
}

/// How it went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attended {
    /// The end.
    pub exit: Exit,
    /// The machine answered that it does not know: nothing of the command runs there or will, and it may be run again.
    pub lost: bool,
}

/// Asks until it is known. `seen` is awaited once when the command is found running.
pub async fn attend(machine: &impl Asked, terms: &Terms<'_>, seen: impl AsyncFnOnce()) -> Attended {
    let began = Instant::now();
    let mut seen = Some(seen);
    let (mut answered, mut pause, mut kills) = (began, FIRST_PAUSE, 0);
    loop {
        let age = terms.ago + began.elapsed();
        let stopped = terms.cancel.is_cancelled();
        let mut left = Duration::MAX;
        let report = machine.status().await;
        if let Some(exit) = report.as_ref().ok().and_then(|report| terms.started_anew(report, age)) {
            return sure(exit);
        }
        let asked = match report {
            Err(why) => Err(why),
            Ok(report) => match report.standing {
                Standing::Exited(0) if terms.parting == Parting::Reboots && !stopped => {
                    answered = Instant::now();
                    left = terms.patience.saturating_sub(began.elapsed());
                    if left.is_zero() {
                        let why = Reason::NotRebooted { seconds: terms.patience.as_secs() }.to_string();
                        return sure(Exit::Unknown { why });
                    }
                    Ok(())
                }
                Standing::Exited(code) => return told(code, stopped),
                Standing::Nothing => match machine.kill().await {
                    Ok(Killed::Barred) => return barred(&report, age),
                    Ok(Killed::Gone) => return after_all(machine).await,
                    Err(why) => Err(why),
                },
                Standing::Running => {
                    if let Some(seen) = seen.take() {
                        seen().await;
                    }
                    answered = Instant::now();
                    let over = report.running_for.unwrap_or(age) >= terms.timeout;
                    left = terms.timeout.saturating_sub(report.running_for.unwrap_or(age));
                    if over || stopped {
                        kills += 1;
                        match machine.kill().await {
                            Ok(_) => return killed(machine, over).await,
                            Err(why) if kills >= MOST_KILLS => {
                                let why = Reason::NotStopped { why: &why }.to_string();
                                return sure(Exit::Unknown { why });
                            }
                            Err(_) => {}
                        }
                    }
                    Ok(())
                }
            },
        };
        let longest = match asked {
            Ok(()) => LONGEST_PAUSE,
            Err(why) => {
                let patience = if stopped { terms.patience.min(PATIENCE_WHEN_STOPPED) } else { terms.patience };
                let silence = answered.elapsed();
                if silence >= patience {
                    let why = Reason::NotAsked { seconds: silence.as_secs(), why: &why }.to_string();
                    return sure(Exit::Unknown { why });
                }
                left = patience - silence;
                LONGEST_SILENCE
            }
        };
        tokio::select! {
            // A little later than its time, so that it is not asked twice.
            () = sleep(pause.min(left.saturating_add(FIRST_PAUSE))) => {}
            () = terms.cancel.cancelled(), if !stopped => {}
        }
        pause = (pause * 3 / 2).min(longest);
    }
}

/// The code that the machine told.
fn told(code: i32, stopped: bool) -> Attended {
    // A kill that was asked for and not heard of any more has done its work.
    sure(if stopped && by_kill(code) { Exit::Canceled } else { Exit::Unheard { code } })
}

/// After a kill: what it has ended, or what had ended by itself.
async fn killed(machine: &impl Asked, over: bool) -> Attended {
    let exit = if over { Exit::Timeout } else { Exit::Canceled };
    match machine.status().await.map(|report| report.standing) {
        Ok(Standing::Exited(code)) if !by_kill(code) => sure(Exit::Unheard { code }),
        Ok(Standing::Exited(_) | Standing::Running | Standing::Nothing) | Err(_) => sure(exit),
    }
}

/// The machine knew nothing and has barred the id. That the command never began is believed only where its note could not have been lost: a
/// machine that was up may all the same have lost them, where its temporary files are cleaned away or are not the same for everybody.
fn barred(report: &Report, age: Duration) -> Attended {
    let needed = age + CLOCKS_DIFFER;
    let unknown = |why: Reason<'_>| Exit::Unknown { why: why.to_string() };
    let exit = match (report.up, report.noted) {
        (Some(up), _) if up <= needed => unknown(Reason::StartedAnew),
        (None, _) | (_, None) => unknown(Reason::Forgotten),
        _ if age >= NOTES_STAY => unknown(Reason::Forgotten),
        (_, Some(noted)) if noted <= needed => unknown(Reason::NotesYounger),
        (Some(_), Some(_)) => Exit::NeverBegan { why: Reason::NotArrived.to_string() },
    };
    Attended { exit, lost: true }
}

/// The machine knew nothing, but when it was to be barred it did: it was on its way, or its note was never written.
async fn after_all(machine: &impl Asked) -> Attended {
    match machine.status().await.map(|report| report.standing) {
        Ok(Standing::Exited(code)) if !by_kill(code) => sure(Exit::Unheard { code }),
        Ok(Standing::Exited(_) | Standing::Nothing) => {
            let why = Reason::EndNotNoted.to_string();
            Attended { exit: Exit::Unknown { why }, lost: true }
        }
        Ok(Standing::Running) => sure(Exit::Unknown { why: Reason::RunsAllTheSame.to_string() }),
        Err(why) => sure(Exit::Unknown { why: Reason::LostWhenStopped { why: &why }.to_string() }),
    }
}

/// Whether a code is what a kill makes of a command.
fn by_kill(code: i32) -> bool {
    matches!(code, 137 | 143)
}

fn sure(exit: Exit) -> Attended {
    Attended { exit, lost: false }
}
