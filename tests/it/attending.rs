//! How long a machine that does not answer is asked what became of a command that was lost sight of.

use crate::ssh::shell;
use halcyon::core::action::run::{Exit, Parting, ShellCommand};
use halcyon::core::action::wrapper::{Killed, Report};
use halcyon::runtime::attend::{Asked, Terms, attend};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// It knows nothing of any command, and says for how long it has been up and has kept its notes.
struct Blank(Option<u64>, Option<u64>);

impl Asked for Blank {
    async fn status(&self) -> Result<Report, String> {
        let words = [("up", self.0), ("noted", self.1)];
        let said = words.iter().filter_map(|(word, time)| time.map(|time| format!("{word} {time} ")));
        let text = format!("none\n{}\n", said.collect::<String>());
        Ok(Report::parse(&text).unwrap_or_else(|| panic!("{text}")))
    }

    async fn kill(&self) -> Result<Killed, String> {
        Ok(Killed::Barred)
    }
}

/// It is off, and stays so.
struct Off;

impl Asked for Off {
    async fn status(&self) -> Result<Report, String> {
        Err("no route to host".to_owned())
    }

    async fn kill(&self) -> Result<Killed, String> {
        Err("no route to host".to_owned())
    }
}

const USUAL: Duration = Duration::from_mins(10);

async fn check(command: ShellCommand, stopped: bool, expected: Duration) {
    let cancel = CancellationToken::new();
    if stopped {
        cancel.cancel();
    }
    let began = Instant::now();
    let terms = Terms::of(&command, Duration::from_secs(5), USUAL, &cancel);
    let attended = attend(&Off, &terms, async || {}).await;
    let Exit::Unknown { why } = &attended.exit else { panic!("{command:?}: {attended:?}") };
    assert!(why.contains("no route to host"), "{why}");
    assert_eq!(began.elapsed().as_secs(), expected.as_secs(), "{command:?}");
    assert!(!attended.lost, "nobody has said that nothing runs there");
}

#[tokio::test]
async fn a_command_never_began_only_where_its_note_could_not_have_been_lost() {
    const DAY: u64 = 86_400;
    // How long it has been up, how long it has kept notes, how long ago the command was asked for, and what is said of it.
    let table = [
        (Some(1_000), Some(1_000), 5, "never"),
        (Some(1_000), Some(66), 5, "never"),
        (Some(1_000), Some(65), 5, "no older than this one"),
        (Some(1_000), Some(0), 5, "no older than this one"),
        (Some(1_000), None, 5, "no longer knows"),
        (Some(65), Some(65), 5, "rebooted"),
        (Some(65), Some(1_000), 5, "rebooted"),
        (None, Some(1_000), 5, "no longer knows"),
        (None, None, 5, "no longer knows"),
        (Some(9 * DAY), Some(9 * DAY), DAY, "no longer knows"),
    ];
    for (up, noted, ago, expected) in table {
        let cancel = CancellationToken::new();
        let terms = Terms::of(&shell("true"), Duration::from_secs(ago), USUAL, &cancel);
        let attended = attend(&Blank(up, noted), &terms, async || {}).await;
        assert!(attended.lost, "{up:?} {noted:?}");
        match (&attended.exit, expected) {
            (Exit::NeverBegan { .. }, "never") => {}
            (Exit::Unknown { why }, text) if why.contains(text) => {}
            other => panic!("{up:?} {noted:?} {ago}: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_is_asked_after_no_longer_than_it_may_take_and_anything_else_for_as_long_as_patience_lasts() {
    let command = || ShellCommand { timeout: Duration::from_secs(20), ..shell("true") };
    let (leaves, reboots) = (Parting::Leaves, Parting::Reboots);
    let hour = Duration::from_hours(1);
    check(command(), false, USUAL).await;
    check(ShellCommand { parting: leaves, ..command() }, false, USUAL).await;
    check(ShellCommand { read_only: true, ..command() }, false, Duration::from_secs(20)).await;
    check(ShellCommand { read_only: true, timeout: hour, ..command() }, false, USUAL).await;
    check(ShellCommand { parting: reboots, timeout: hour, ..command() }, false, hour).await;
    check(command(), true, Duration::from_mins(1)).await;
    check(ShellCommand { read_only: true, ..command() }, true, Duration::from_secs(20)).await;
}
