//! Processes: `ps`, `pgrep`, `kill`, `pkill`, `sleep`.

use std::fmt::Write;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::{Call, Ran, duration};
use crate::sandbox::nodes::group::{KILL, TERM};
use crate::sandbox::nodes::machine::{Process, wall_clock};

pub(super) async fn run(call: &Call<'_>) -> Ran {
    match call.name {
        "ps" => ps(call).await,
        "pgrep" => pgrep(call).await,
        "kill" => kill(call).await,
        "pkill" => pkill(call).await,
        "sleep" => sleep(call).await,
        _ => Ok(0),
    }
}

async fn sleep(call: &Call<'_>) -> Ran {
    let mut total = std::time::Duration::ZERO;
    for argument in call.arguments {
        match duration(argument) {
            Some(length) => total = total.saturating_add(length),
            None => return call.fail(1, &format!("invalid time interval '{argument}'")).await,
        }
    }
    if call.arguments.is_empty() {
        return call.fail(1, "missing operand").await;
    }
    tokio::time::sleep(total).await;
    Ok(0)
}

fn processes(call: &Call<'_>) -> Vec<(u32, Process)> {
    call.machine.state().processes.iter().map(|(pid, process)| (*pid, process.clone())).collect()
}

async fn ps(call: &Call<'_>) -> Ran {
    let flags: String = call.arguments.iter().filter(|argument| argument.len() < 6).map(String::as_str).collect();
    let all = flags.contains('e') || flags.contains('a') || flags.contains('A') || flags.contains('x');
    let detailed = flags.contains('u') && flags.contains('a');
    let full = flags.contains('f');
    let mut columns: Option<Vec<String>> = None;
    let mut wanted: Option<Vec<u32>> = None;
    let mut arguments = call.arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-o" | "-eo" | "-axo" | "axo" | "-Ao" => {
                let list = arguments.next().map(String::as_str).unwrap_or_default();
                columns = Some(list.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect());
            }
            "-p" | "--pid" => {
                let list = arguments.next().map(String::as_str).unwrap_or_default();
                wanted = Some(list.split(',').filter_map(|pid| pid.parse().ok()).collect());
            }
            _ => {}
        }
    }
    let mut shown = processes(call);
    match &wanted {
        Some(wanted) => shown.retain(|(pid, _)| wanted.contains(pid)),
        None if !all => shown.retain(|(pid, process)| *pid == call.pid || process.group.is_some()),
        None => {}
    }
    let none = shown.is_empty();
    let mut text = String::new();
    let now = wall_clock().as_second();
    let clock = |second: i64| {
        let time = jiff::Timestamp::from_second(second).unwrap_or_default().to_zoned(TimeZone::UTC);
        if now - second < 86_400 { time.strftime("%H:%M").to_string() } else { time.strftime("%b%d").to_string() }
    };
    let name = |process: &Process| -> String {
        let word = process.command.split([' ', ':']).next().unwrap_or_default();
        word.rsplit('/').next().unwrap_or(word).to_owned()
    };
    if let Some(columns) = columns {
        let header = columns.iter().any(|column| !column.ends_with('='));
        if header {
            let _ = writeln!(
                text,
                "{}",
                columns.iter().map(|column| format!("{:>8}", column.to_uppercase())).collect::<String>()
            );
        }
        for (pid, process) in &shown {
            let cells: Vec<String> = columns
                .iter()
                .map(|column| match column.trim_end_matches('=') {
                    "pid" => format!("{pid:>8}"),
                    "ppid" => format!("{:>8}", process.parent),
                    "user" | "uname" => format!("{:<8}", process.user),
                    "etimes" => format!("{:>8}", now - process.started),
                    "pcpu" | "%cpu" | "pmem" | "%mem" => " 0.0".to_owned(),
                    "stat" | "state" | "s" => "S".to_owned(),
                    "comm" => name(process),
                    _ => process.command.clone(),
                })
                .collect();
            let _ = writeln!(text, "{}", cells.join(" "));
        }
    } else if detailed {
        text.push_str("USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n");
        for (pid, process) in &shown {
            let (size, resident) = (8_000 + pid % 900 * 12, 2_000 + pid % 900 * 5);
            let (user, start, command) = (&process.user, clock(process.started), &process.command);
            let _ = writeln!(
                text,
                "{user:<8} {pid:>7}  0.0  0.0 {size:>6} {resident:>5} ?        S    {start:>5}   0:00 {command}"
            );
        }
    } else if full {
        text.push_str("UID          PID    PPID  C STIME TTY          TIME CMD\n");
        for (pid, process) in &shown {
            let (user, parent, start) = (&process.user, process.parent, clock(process.started));
            let _ =
                writeln!(text, "{user:<8} {pid:>7} {parent:>7}  0 {start:>5} ?        00:00:00 {}", process.command);
        }
    } else {
        text.push_str("    PID TTY          TIME CMD\n");
        for (pid, process) in &shown {
            let _ = writeln!(text, "{pid:>7} ?        00:00:00 {}", name(process));
        }
    }
    call.out(text).await?;
    Ok(i32::from(none))
}

fn found(call: &Call<'_>) -> Vec<(u32, Process)> {
    let Some(pattern) = call.operands().last().map(|pattern| (*pattern).to_owned()) else { return Vec::new() };
    let whole = call.has('f');
    let mut found = processes(call);
    found.retain(|(pid, process)| {
        let name = process.command.split([' ', ':']).next().unwrap_or_default();
        *pid != call.pid && if whole { process.command.contains(&pattern) } else { name.contains(&pattern) }
    });
    found
}

async fn pgrep(call: &Call<'_>) -> Ran {
    let found = found(call);
    let lines: String = found
        .iter()
        .map(|(pid, process)| match call.has('a') || call.has('l') {
            true => format!("{pid} {}\n", process.command),
            false => format!("{pid}\n"),
        })
        .collect();
    call.out(lines).await?;
    Ok(i32::from(found.is_empty()))
}

async fn pkill(call: &Call<'_>) -> Ran {
    let found = found(call);
    for (pid, process) in &found {
        end(call, *pid, process);
    }
    Ok(i32::from(found.is_empty()))
}

async fn kill(call: &Call<'_>) -> Ran {
    if call.arguments.is_empty() {
        return call.fail(1, "not enough arguments").await;
    }
    let mut signal = TERM;
    let mut code = 0;
    let mut arguments = call.arguments.iter().peekable();
    if let Some(first) = arguments.peek()
        && let Some(name) = first.strip_prefix('-')
    {
        if name == "l" {
            return call.print(" 1) SIGHUP\t 2) SIGINT\t 9) SIGKILL\t15) SIGTERM\n").await;
        }
        let (name, given_apart) = match name {
            "s" | "n" => (call.arguments.get(1).map(String::as_str).unwrap_or_default(), true),
            name => (name, false),
        };
        let known = match name.trim_start_matches("SIG") {
            "-" => Some(TERM),
            "KILL" | "9" => Some(KILL),
            "TERM" | "15" => Some(TERM),
            "INT" => Some(2),
            "HUP" => Some(1),
            other => other.parse().ok(),
        };
        if let Some(known) = known {
            signal = known;
            arguments.next();
            if given_apart {
                arguments.next();
            }
        }
    }
    for argument in arguments.filter(|argument| *argument != "--") {
        let Ok(target) = argument.parse::<i64>() else {
            let _ = call.fail(1, &format!("{argument}: arguments must be process or job IDs")).await;
            code = 1;
            continue;
        };
        let process =
            u32::try_from(target.unsigned_abs()).ok().and_then(|pid| call.machine.state().processes.get(&pid).cloned());
        let foreign = process.as_ref().is_some_and(|process| process.group.is_none()) && call.user != "root";
        match process {
            None => {
                let _ = call.fail(1, &format!("({argument}) - No such process")).await;
                code = 1;
            }
            Some(_) if foreign => {
                let _ = call.fail(1, &format!("({argument}) - Operation not permitted")).await;
                code = 1;
            }
            Some(_) if signal == 0 => {}
            Some(process) if target < 0 => end_group(&process, signal),
            Some(process) => end(call, target as u32, &process),
        }
    }
    Ok(code)
}

fn end(call: &Call<'_>, pid: u32, process: &Process) {
    process.token.cancel();
    // Nobody follows what has no parent.
    if process.is_abandoned() {
        call.machine.state().processes.remove(&pid);
    }
}

fn end_group(process: &Process, signal: i32) {
    match &process.group {
        Some(group) => Arc::clone(group).signal(signal),
        None => process.token.cancel(),
    }
}
