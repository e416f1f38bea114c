//! The way to a node: login, wrapper, sudo, clock.

use super::Findings;
use super::machine::{carry_out, text, told, trial};
use crate::adapters::ssh::{self, SshRunner};
use crate::adapters::store::MemoryBlobs;
use crate::app::{engine, now};
use crate::config::{Config, GroupSource};
use crate::core::action::run::{Exit, HostOutcome, RemoteCommand, RemoteHost, ShellCommand, Work};
use crate::core::host::{Inventory, expand};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// How far a node's clock may be apart.
const APART: f64 = 5.0;
/// Key exchanges that are cheap and good.
const GOOD_EXCHANGES: [&str; 3] = ["curve25519-sha256", "sntrup761x25519-sha512", "mlkem768x25519-sha256"];

pub(super) async fn examine(config: &Config, host: Option<&str>, findings: &mut Findings) {
    let (inventory, problems) = inventory(config);
    for problem in problems {
        findings.warn("ssh", problem, "");
    }
    let Some(name) = host else {
        findings.ok("ssh", "no way to a node was tried; name one by --host");
        return;
    };
    let machine = match expand(name, &inventory).or_else(|_| expand(name, &Inventory::default())) {
        Ok(machines) if machines.len() == 1 => machines[0].clone(),
        Ok(machines) => {
            findings.fail("ssh", format!("`{name}` means {} machines", machines.len()), "name one by --host");
            return;
        }
        Err(problem) => {
            findings.fail("ssh", format!("`{name}`: {problem}"), "name a machine by --host");
            return;
        }
    };
    if !inventory.hosts.is_empty() && !inventory.hosts.contains(&machine.host) {
        let advice = "add it to inventory.hosts, or nobody can name it in chat";
        findings.warn("ssh", format!("{name} is not in the inventory"), advice);
    }
    let options = engine::ssh_options(config);
    match ssh::agreement(&options, &machine.host).await {
        Err(why) => {
            let advice = "run `ssh -v` to it as the bot's account; keys, known hosts and ssh_config are that account's";
            findings.fail("ssh", format!("logging in on {name}: {why}"), advice);
            return;
        }
        Ok(agreed) => {
            let tried = format!("logged in on {name}: {}, keys by {}", agreed.server, agreed.key_exchange);
            if GOOD_EXCHANGES.iter().any(|good| agreed.key_exchange.starts_with(good)) {
                findings.ok("ssh", tried);
            } else {
                let advice = "where it can, put curve25519-sha256 first in KexAlgorithms of ssh_config: it is cheaper";
                findings.warn("ssh", tried, advice);
            }
        }
    }
    let runner = match SshRunner::open(options, Arc::new(MemoryBlobs::default())).await {
        Ok(runner) => runner,
        Err(problem) => {
            findings.fail("ssh", problem.to_string(), "run this as the bot's account");
            return;
        }
    };
    wrapper(&runner, &machine, findings).await;
    sudo(&runner, &machine, findings).await;
    runner.shutdown().await;
}

/// What the configuration itself says of hosts; groups whose members a command prints are left to the bot.
fn inventory(config: &Config) -> (Inventory, Vec<String>) {
    let mut known = BTreeMap::new();
    for (name, source) in &config.inventory.groups {
        if let GroupSource::Members(members) = source {
            known.insert(name.clone(), Ok(members.clone()));
        }
    }
    let (inventory, problems) = Inventory::build(&config.inventory.hosts, &known);
    let told = problems.into_iter().map(|problem| format!("inventory: {}: {}", problem.key_path, problem.message));
    (inventory, told.collect())
}

/// A command by the wrapper, as every action of a pack runs.
async fn wrapper(runner: &SshRunner, machine: &RemoteHost, findings: &mut Findings) {
    let began = Instant::now();
    let asked = now().as_millisecond() as f64 / 1000.0;
    match run(runner, machine, trial("id -un; date +%s; uname -sr", false)).await {
        Ok(outcome) if outcome.exit.succeeded() => {
            let took = began.elapsed();
            let lines: Vec<&str> = text(&outcome.stdout).lines().collect();
            let [account, time, system] = lines.as_slice() else {
                let tried = format!("{} answers something else than it was asked", machine.host);
                findings.fail("ssh", tried, "what its shell prints at login must not come from a command's session");
                return;
            };
            let tried = format!("a command ran by the wrapper as {account} on {system}, {} ms", took.as_millis());
            findings.ok("ssh", tried);
            if let Ok(time) = time.parse::<f64>() {
                // The node cuts the second off, and half of the way is ours.
                let ahead = time + 0.5 - (asked + took.as_secs_f64() / 2.0);
                let (apart, direction) = (ahead.abs(), if ahead > 0.0 { "ahead of" } else { "behind" });
                if apart <= APART {
                    findings.ok("ssh", format!("its clock agrees with ours to {:.0} s", apart.ceil()));
                } else {
                    let tried = format!("its clock is {apart:.0} s {direction} ours");
                    findings.warn("ssh", tried, "set its clock (NTP)");
                }
            }
        }
        Ok(outcome) => {
            let advice = "the login shell must be a POSIX shell, and the account must be able to write its runtime or temporary directory: docs/node-wrapper.md";
            findings.fail("ssh", format!("running a command by the wrapper: {}", told(&outcome)), advice);
        }
        Err(why) => findings.fail("ssh", format!("running a command by the wrapper: {why}"), ""),
    }
}

async fn sudo(runner: &SshRunner, machine: &RemoteHost, findings: &mut Findings) {
    match run(runner, machine, trial("id -u", true)).await {
        Ok(HostOutcome { exit: Exit::Code { code: 0 }, stdout, .. }) if text(&stdout).trim() == "0" => {
            findings.ok("ssh", "sudo gives root there without a password");
        }
        Ok(outcome) => {
            let advice = "actions with `sudo` need NOPASSWD there, or a password in `sudo_password`; nothing to do if you have none";
            findings.warn("ssh", format!("sudo there: {}", told(&outcome)), advice);
        }
        Err(why) => findings.warn("ssh", format!("sudo there: {why}"), ""),
    }
}

async fn run(runner: &SshRunner, machine: &RemoteHost, command: ShellCommand) -> Result<HostOutcome, String> {
    let command = RemoteCommand {
        hosts: vec![machine.clone()],
        command,
        username: None,
        port: None,
        bastion: None,
        private_key: None,
    };
    let outcomes = carry_out(runner, Work::Remote(command)).await?;
    outcomes.into_values().next().ok_or_else(|| "it ended without a word".to_owned())
}
