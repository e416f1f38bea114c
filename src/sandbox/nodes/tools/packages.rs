//! Packages and what follows from them: `dnf`, `yum`, `rpm`, `reboot`.

use std::fmt::Write;

use super::{Call, Ran};
use crate::sandbox::nodes::content;
use crate::sandbox::nodes::machine::Package;

pub(super) async fn run(call: &Call<'_>) -> Ran {
    match call.name {
        "rpm" => rpm(call).await,
        "dnf" | "yum" => dnf(call).await,
        "needs-restarting" => needs_restarting(call).await,
        _ => reboot(call).await,
    }
}

/// Reboots the node. The connection goes before there is an answer.
pub(super) async fn reboot(call: &Call<'_>) -> Ran {
    if call.user != "root" {
        let _ = call.streams.err.write("Call to Reboot failed: Interactive authentication required.\n").await;
        return Ok(1);
    }
    call.machine.note("systemd-logind[1022]", "The system will reboot now!");
    call.machine.reboot();
    std::future::pending::<()>().await;
    Ok(0)
}

async fn needs_restarting(call: &Call<'_>) -> Ran {
    let (running, newest) = {
        let state = call.machine.state();
        (state.kernel.clone(), state.kernels.last().cloned().unwrap_or_default())
    };
    if running == newest {
        return call
            .print("No core libraries or services have been updated since boot-up.\nReboot should not be necessary.\n")
            .await;
    }
    call.out("Core libraries or services have been updated since boot-up:\n  * kernel\n\nReboot is required to fully utilize these updates.\nMore information: https://access.redhat.com/solutions/27943\n").await?;
    Ok(1)
}

async fn rpm(call: &Call<'_>) -> Ran {
    let packages = call.machine.state().packages.clone();
    if !call.has('q') {
        return call.fail(1, "this sandbox node knows rpm -q and rpm -qa only").await;
    }
    let full = |name: &str, package: &Package| format!("{name}-{}.{}\n", package.version, package.architecture);
    if call.has('a') {
        let lines: String = packages.iter().map(|(name, package)| full(name, package)).collect();
        return call.print(lines).await;
    }
    let kernels = call.machine.state().kernels.clone();
    let mut code = 0;
    for name in call.operands() {
        let line = match packages.get(name) {
            // Kernels stay beside each other.
            Some(_) if matches!(name, "kernel" | "kernel-core") => {
                kernels.iter().map(|kernel| format!("{name}-{kernel}\n")).collect()
            }
            Some(package) => full(name, package),
            None => {
                code += 1;
                format!("package {name} is not installed\n")
            }
        };
        call.out(line).await?;
    }
    Ok(code)
}

/// What waits as an update among the wanted packages, all when none is named.
fn waiting(call: &Call<'_>, wanted: &[&str]) -> Vec<(String, Package, String)> {
    let state = call.machine.state();
    let chosen = state.packages.iter().filter(|(name, _)| {
        wanted.is_empty()
            || wanted.iter().any(|pattern| crate::sandbox::nodes::shell::fits(pattern, name))
            || wanted.contains(&"kernel") && name.starts_with("kernel-")
    });
    chosen
        .filter_map(|(name, package)| package.update.clone().map(|update| (name.clone(), package.clone(), update)))
        .collect()
}

async fn dnf(call: &Call<'_>) -> Ran {
    let operands = call.operands();
    let verb = operands.first().copied().unwrap_or("help");
    let wanted = operands.get(1..).unwrap_or_default();
    match verb {
        "check-update" => {
            let updates = waiting(call, wanted);
            let mut text = "Last metadata expiration check: 0:42:11 ago.\n\n".to_owned();
            for (name, package, update) in &updates {
                let full = format!("{name}.{}", package.architecture);
                let _ = writeln!(text, "{full:<34} {update:<34} baseos");
            }
            call.out(text).await?;
            Ok(if updates.is_empty() { 0 } else { 100 })
        }
        "update" | "upgrade" => {
            if call.user != "root" {
                let _ = call.streams.err.write("Error: This command has to be run with superuser privileges (under the root user on most systems).\n").await;
                return Ok(1);
            }
            update(call, waiting(call, wanted)).await
        }
        "list" | "info" => {
            let packages = call.machine.state().packages.clone();
            let mut text = "Installed Packages\n".to_owned();
            for (name, package) in
                packages.iter().filter(|(name, _)| wanted.len() < 2 || wanted.contains(&name.as_str()))
            {
                let full = format!("{name}.{}", package.architecture);
                let _ = writeln!(text, "{full:<34} {:<34} @baseos", package.version);
            }
            call.print(text).await
        }
        "clean" | "makecache" => {
            tokio::time::sleep(call.machine.paced(1.0)).await;
            call.print("Metadata cache created.\n").await
        }
        "install" => {
            let installed = call.machine.state().packages.clone();
            for name in wanted {
                if installed.contains_key(*name) {
                    call.out(format!("Package {name} is already installed.\n")).await?;
                } else {
                    call.out(format!("No match for argument: {name}\n")).await?;
                    let _ = call.streams.err.write(format!("Error: Unable to find a match: {name}\n")).await;
                    return Ok(1);
                }
            }
            call.print("Dependencies resolved.\nNothing to do.\nComplete!\n").await
        }
        other => {
            let _ = call
                .streams
                .err
                .write(format!("No such command: {other}. Please use /usr/bin/{} --help\n", call.name))
                .await;
            Ok(1)
        }
    }
}

/// Updates packages, some ten seconds of progress at life's pace.
async fn update(call: &Call<'_>, updates: Vec<(String, Package, String)>) -> Ran {
    let pause = async |seconds: f64| tokio::time::sleep(call.machine.paced(seconds)).await;
    call.out("Last metadata expiration check: 0:42:11 ago.\n").await?;
    pause(1.0).await;
    if updates.is_empty() {
        return call.print("Dependencies resolved.\nNothing to do.\nComplete!\n").await;
    }
    if !call.has('y') && !call.has_long("--assumeyes") {
        call.out("Is this ok [y/N]: \nOperation aborted.\n").await?;
        return Ok(1);
    }
    let rule = "=".repeat(78);
    let mut text = format!(
        "Dependencies resolved.\n{rule}\n Package              Arch     Version                      Repository    Size\n{rule}\nUpgrading:\n"
    );
    let mut total = 0;
    for (name, package, update) in &updates {
        total += package.kilobytes;
        let size = if package.kilobytes > 1_024 {
            format!("{:.1} M", f64::from(package.kilobytes) / 1_024.0)
        } else {
            format!("{} k", package.kilobytes)
        };
        let _ = writeln!(text, " {name:<20} {:<8} {update:<28} baseos     {size:>8}", package.architecture);
    }
    let count = updates.len();
    let _ = write!(
        text,
        "\nTransaction Summary\n{rule}\nUpgrade  {count} Packages\n\nTotal download size: {} M\nDownloading Packages:\n",
        total / 1_024
    );
    call.out(text).await?;
    let share = 5.0 / count as f64;
    for (at, (name, package, update)) in updates.iter().enumerate() {
        pause(share).await;
        let file = format!("({}/{count}): {name}-{update}.{}.rpm", at + 1, package.architecture);
        call.out(format!("{file:<60} {:>5.1} MB/s | {:>6} kB\n", 30.0 + (at % 7) as f64 * 3.1, package.kilobytes))
            .await?;
    }
    call.out("Running transaction check\nTransaction check succeeded.\nRunning transaction test\nTransaction test succeeded.\nRunning transaction\n").await?;
    for (at, (name, package, update)) in updates.iter().enumerate() {
        pause(share).await;
        let line = format!("  Upgrading        : {name}-{update}.{}", package.architecture);
        call.out(format!("{line:<68} {:>3}/{count}\n", at + 1)).await?;
        installed(call, name, package, update);
    }
    pause(1.0).await;
    let mut text = "\nUpgraded:\n".to_owned();
    for (name, package, update) in &updates {
        let _ = writeln!(text, "  {name}-{update}.{}", package.architecture);
    }
    text.push_str("\nComplete!\n");
    call.print(text).await
}

fn installed(call: &Call<'_>, name: &str, package: &Package, update: &str) {
    let mut state = call.machine.state();
    if let Some(held) = state.packages.get_mut(name) {
        held.version = update.to_owned();
        held.update = None;
    }
    let kernel = format!("{update}.{}", package.architecture);
    if matches!(name, "kernel" | "kernel-core") && update == content::NEXT_KERNEL && !state.kernels.contains(&kernel) {
        state.kernels.push(kernel);
    }
}
