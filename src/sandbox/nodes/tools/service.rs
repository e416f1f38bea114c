//! Services and logs: `systemctl`, `journalctl`, `dmesg`, `logger`.

use std::fmt::Write;

use jiff::tz::TimeZone;

use super::{Call, Ran};
use crate::sandbox::nodes::content;
use crate::sandbox::nodes::machine::{Activity, Process, Service, wall_clock};

pub(super) async fn run(call: &Call<'_>) -> Ran {
    match call.name {
        "systemctl" => systemctl(call).await,
        "journalctl" => journalctl(call).await,
        "logger" => {
            call.machine.note(call.user, &call.operands().join(" "));
            Ok(0)
        }
        _ => dmesg(call).await,
    }
}

/// The unit's name as the model has it.
fn unit(name: &str) -> &str {
    name.strip_suffix(".service").unwrap_or(name)
}

async fn systemctl(call: &Call<'_>) -> Ran {
    let operands = call.operands();
    let verb = operands.first().copied().unwrap_or("list-units");
    let units: Vec<&str> = operands.iter().skip(1).map(|name| unit(name)).collect();
    let service = |name: &str| call.machine.state().services.get(name).cloned();
    match verb {
        "is-system-running" => {
            let failed = call.machine.state().services.values().any(|service| service.active == Activity::Failed);
            call.out(if failed { "degraded\n" } else { "running\n" }).await?;
            Ok(i32::from(failed))
        }
        "is-active" | "is-enabled" | "is-failed" => {
            let mut code = 0;
            for name in units {
                let found = service(name);
                let word = match (verb, &found) {
                    ("is-enabled", Some(service)) => {
                        if service.enabled {
                            "enabled"
                        } else {
                            "disabled"
                        }
                    }
                    ("is-enabled", None) => "Failed to get unit file state: No such file or directory",
                    (_, Some(service)) => service.active.word(),
                    (_, None) => "inactive",
                };
                let good = match verb {
                    "is-enabled" => word == "enabled",
                    "is-failed" => word == "failed",
                    _ => word == "active",
                };
                if !good {
                    code = if verb == "is-active" { 3 } else { 1 };
                }
                if !call.has('q') && !call.has_long("--quiet") {
                    call.out(format!("{word}\n")).await?;
                }
            }
            Ok(code)
        }
        "status" => {
            let mut code = 0;
            for name in units {
                match service(name) {
                    Some(service) => {
                        if service.active != Activity::Active {
                            code = 3;
                        }
                        call.out(status(call, name, &service)).await?;
                    }
                    None => {
                        code = 4;
                        let _ = call.streams.err.write(format!("Unit {name}.service could not be found.\n")).await;
                    }
                }
            }
            Ok(code)
        }
        "start" | "stop" | "restart" | "reload" | "try-restart" | "reload-or-restart" | "enable" | "disable"
        | "reset-failed" => {
            if call.user != "root" {
                let problem = format!(
                    "Failed to {verb} {}.service: Interactive authentication required.\nSee system logs and 'systemctl status {0}.service' for details.\n",
                    units.first().unwrap_or(&"unit")
                );
                let _ = call.streams.err.write(problem).await;
                return Ok(1);
            }
            let mut code = 0;
            for name in units {
                if service(name).is_none() {
                    let _ = call
                        .streams
                        .err
                        .write(format!("Failed to {verb} {name}.service: Unit {name}.service not found.\n"))
                        .await;
                    code = 5;
                    continue;
                }
                tokio::time::sleep(call.machine.paced(0.6)).await;
                act(call, verb, name);
            }
            Ok(code)
        }
        "daemon-reload" | "list-jobs" => Ok(0),
        "reboot" | "poweroff" => super::packages::reboot(call).await,
        "list-units" | "list-unit-files" => list(call).await,
        "show" => {
            for name in units {
                if let Some(service) = service(name) {
                    call.out(format!(
                        "Id={name}.service\nActiveState={}\nMainPID={}\n",
                        service.active.word(),
                        service.pid
                    ))
                    .await?;
                }
            }
            Ok(0)
        }
        other => {
            let _ = call.streams.err.write(format!("Unknown command verb {other}.\n")).await;
            Ok(1)
        }
    }
}

fn act(call: &Call<'_>, verb: &str, name: &str) {
    let pid = call.machine.next_pid();
    let now = wall_clock().as_second();
    let note = {
        let mut state = call.machine.state();
        let Some(service) = state.services.get_mut(name) else { return };
        let (before, description) = (service.pid, service.description.clone());
        match verb {
            "enable" => service.enabled = true,
            "disable" => service.enabled = false,
            "stop" => service.active = Activity::Inactive,
            "reset-failed" if service.active == Activity::Failed => service.active = Activity::Inactive,
            "reload" | "reset-failed" => {}
            "start" if service.active == Activity::Active => {}
            _ => {
                service.active = Activity::Active;
                service.pid = pid;
                service.since = now;
            }
        }
        if call.has_long("--now") && matches!(verb, "enable" | "disable") {
            service.active = if verb == "enable" { Activity::Active } else { Activity::Inactive };
        }
        let (after, active) = (service.pid, service.active == Activity::Active);
        state.processes.remove(&before);
        if active {
            let process = Process {
                parent: 1,
                user: "root".to_owned(),
                command: content::daemon(name),
                started: now,
                group: None,
                token: Default::default(),
            };
            state.processes.insert(after, process);
        }
        match (verb, active) {
            ("stop", _) => format!("Stopped {description}."),
            (_, true) => format!("Started {description}."),
            (_, false) => format!("{description}: {verb}."),
        }
    };
    call.machine.note("systemd[1]", &note);
}

fn status(call: &Call<'_>, name: &str, service: &Service) -> String {
    let since = jiff::Timestamp::from_second(service.since).unwrap_or_default().to_zoned(TimeZone::UTC);
    let ago = (wall_clock().as_second() - service.since).max(0);
    let ago = match ago {
        0..60 => format!("{ago}s"),
        60..3_600 => format!("{}min", ago / 60),
        3_600..86_400 => format!("{}h", ago / 3_600),
        _ => format!("{} days", ago / 86_400),
    };
    let (dot, state) = match service.active {
        Activity::Active => ("●", "active (running)"),
        Activity::Inactive => ("○", "inactive (dead)"),
        Activity::Failed => ("×", "failed (Result: exit-code)"),
    };
    let enabled = if service.enabled { "enabled" } else { "disabled" };
    let mut text = format!(
        "{dot} {name}.service - {}\n     Loaded: loaded (/usr/lib/systemd/system/{name}.service; {enabled}; preset: enabled)\n     Active: {state} since {}; {ago} ago\n",
        service.description,
        since.strftime("%a %Y-%m-%d %H:%M:%S UTC"),
    );
    if service.active == Activity::Active {
        let _ = write!(
            text,
            "   Main PID: {} ({name})\n      Tasks: {} (limit: 819200)\n     Memory: {}.{}M\n     CGroup: /system.slice/{name}.service\n             └─{} {}\n",
            service.pid,
            call.machine.draw(&format!("tasks {name}"), 1, 12),
            call.machine.draw(&format!("memory {name}"), 2, 90),
            call.machine.draw(&format!("memory tenth {name}"), 0, 9),
            service.pid,
            content::daemon(name),
        );
    }
    text
}

async fn list(call: &Call<'_>) -> Ran {
    let services = call.machine.state().services.clone();
    let only_failed = call.has_long("--failed") || call.has_long("--state=failed");
    let bare = call.has_long("--no-legend");
    let mut text = String::new();
    if !bare {
        text.push_str("  UNIT                        LOAD   ACTIVE   SUB     DESCRIPTION\n");
    }
    let mut count = 0;
    for (name, service) in services.iter().filter(|(_, service)| !only_failed || service.active == Activity::Failed) {
        count += 1;
        let sub = match service.active {
            Activity::Active => "running",
            Activity::Inactive => "dead",
            Activity::Failed => "failed",
        };
        let dot = if service.active == Activity::Failed { "●" } else { " " };
        let unit = format!("{name}.service");
        let _ = writeln!(text, "{dot} {unit:<27} loaded {:<8} {sub:<7} {}", service.active.word(), service.description);
    }
    if !bare {
        let _ = writeln!(text, "\n{count} loaded units listed.");
    }
    call.print(text).await
}

async fn journalctl(call: &Call<'_>) -> Ran {
    let mut wanted: Option<&str> = None;
    let mut count = usize::MAX;
    let mut follow = false;
    let mut arguments = call.arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-u" | "--unit" => wanted = arguments.next().map(|name| unit(name)),
            "-n" | "--lines" => count = arguments.next().and_then(|lines| lines.parse().ok()).unwrap_or(10),
            "-S" | "--since" | "-U" | "--until" | "-p" | "-o" | "-b" => {
                if argument != "-b" {
                    arguments.next();
                }
            }
            "-k" => wanted = Some("kernel"),
            "-f" => follow = true,
            other => {
                if let Some(name) =
                    other.strip_prefix("-u").filter(|name| !name.is_empty()).or(other.strip_prefix("--unit="))
                {
                    wanted = Some(unit(name));
                } else if let Some(lines) = other.strip_prefix("-n").or(other.strip_prefix("--lines=")) {
                    count = lines.parse().unwrap_or(10);
                }
            }
        }
    }
    let (journal, description) = {
        let state = call.machine.state();
        let description = wanted.and_then(|name| state.services.get(name)).map(|service| service.description.clone());
        (state.journal.clone(), description)
    };
    let fits = |line: &&String| match wanted {
        None => true,
        Some(name) => {
            line.contains(&format!(" {name}["))
                || line.contains(&format!(" {name}:"))
                || description.as_ref().is_some_and(|description| line.contains(&format!(" {description}")))
        }
    };
    let lines: Vec<&String> = journal.iter().filter(fits).collect();
    let from = lines.len() - count.min(lines.len());
    if lines.is_empty() {
        return call.print("-- No entries --\n").await;
    }
    let text: String = lines[from..].iter().map(|line| format!("{line}\n")).collect();
    call.out(text).await?;
    if follow {
        std::future::pending::<()>().await;
    }
    Ok(0)
}

async fn dmesg(call: &Call<'_>) -> Ran {
    let kernel = call.machine.state().kernel.clone();
    let mut text = format!(
        "[    0.000000] Linux version {kernel} (mockbuild@x64-builder02.example) (gcc (GCC) 11.4.1 20231218)\n"
    );
    let _ = writeln!(
        text,
        "[    0.000000] Command line: BOOT_IMAGE=(hd0,gpt2)/vmlinuz-{kernel} root=/dev/mapper/vg0-root ro crashkernel=1G-4G:192M"
    );
    let mut time = 0.0_f64;
    for at in 0..call.machine.cores() {
        time += 0.004_211;
        let _ = writeln!(text, "[{time:>12.6}] smpboot: CPU {at} is now up");
    }
    for at in 0..400 {
        time += 0.013_77;
        let slot = at % 32;
        let _ = writeln!(
            text,
            "[{time:>12.6}] pci 0000:{:02x}:{slot:02x}.0: BAR {}: assigned [mem 0x{:08x}-0x{:08x}]",
            at / 32,
            at % 6,
            0xc000_0000_u32 + at * 0x1000,
            0xc000_0fff_u32 + at * 0x1000
        );
    }
    let _ = writeln!(text, "[{:>12.6}] XFS (dm-0): Mounting V5 Filesystem", time + 0.2);
    let _ = writeln!(text, "[{:>12.6}] XFS (dm-0): Ending clean mount", time + 0.3);
    let _ = writeln!(text, "[{:>12.6}] mlx5_core 0000:41:00.0 eth0: Link up", time + 1.1);
    call.print(text).await
}
