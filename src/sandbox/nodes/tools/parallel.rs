//! `pdsh`: a command on other machines of the cluster, whose lines come back with the machine's name before them.

use std::collections::BTreeMap;

use bytes::BytesMut;
use tokio::sync::mpsc;

use super::{Call, Ran};
use crate::sandbox::nodes::batch::expand;
use crate::sandbox::nodes::fault::Fault;
use crate::sandbox::nodes::machine::Role;
use crate::sandbox::nodes::stream::{Lane, Source};
use crate::sandbox::nodes::wrapper::Request;

/// `pdsh -w HOSTS [-l USER] [-R ssh] [-N] [-f N] COMMAND…`. As the real one it ends with 0 whatever came of the command there.
pub(super) async fn run(call: &Call<'_>) -> Ran {
    if call.machine.role != Role::Administration {
        return call.fail(127, "command not found").await;
    }
    let (mut hosts, mut user, mut named) = (Vec::new(), call.user.to_owned(), true);
    let mut rest = call.arguments;
    while let [flag, after @ ..] = rest
        && flag.starts_with('-')
    {
        rest = after;
        if flag == "-N" {
            named = false;
            continue;
        }
        // The value stands behind the flag, or is the next word.
        let (flag, value) = match flag.char_indices().nth(2) {
            Some((at, _)) => (&flag[..at], flag[at..].to_owned()),
            None => {
                let [value, after @ ..] = rest else {
                    return call.fail(1, &format!("option requires an argument -- '{}'", &flag[1..])).await;
                };
                rest = after;
                (flag.as_str(), value.clone())
            }
        };
        match flag {
            "-w" => match expand(&value) {
                Ok(names) => hosts.extend(names),
                Err(_) => return call.fail(1, &format!("unable to parse the hosts {value}")).await,
            },
            "-l" => user = value,
            "-R" | "-f" | "-t" | "-u" => {}
            other => return call.fail(1, &format!("invalid option -- '{}'", &other[1..])).await,
        }
    }
    if hosts.is_empty() {
        return call.fail(1, "no remote hosts specified").await;
    }
    if rest.is_empty() {
        return call.fail(1, "this sandbox node's pdsh wants a command").await;
    }
    let line = rest.join(" ");
    for host in hosts {
        let prefix = if named { format!("{host}: ") } else { String::new() };
        let away = |machine: &crate::sandbox::nodes::machine::Machine| {
            !machine.is_up()
                || machine.fault().is_some_and(|fault| fault == Fault::Hang || fault == Fault::RefuseConnections)
        };
        let why = match call.machine.neighbour(&host) {
            None => "Could not resolve hostname: Name or service not known",
            Some(machine) if away(&machine) => "connect: No route to host",
            Some(machine) => {
                let (sender, mut output) = mpsc::channel(32);
                let (user, line) = (user.clone(), line.clone());
                let request = Request { machine, user, line, environment: Vec::new(), input: Source::empty(), sender };
                let playing = tokio::spawn(request.play());
                let mut held: BTreeMap<bool, BytesMut> = BTreeMap::new();
                while let Some((lane, data)) = output.recv().await {
                    let lines = held.entry(lane == Lane::Err).or_default();
                    lines.extend_from_slice(&data);
                    while let Some(end) = lines.iter().position(|byte| *byte == b'\n') {
                        let line = lines.split_to(end + 1);
                        put(call, lane, &prefix, &line).await?;
                    }
                }
                for (is_error, rest) in held.into_iter().filter(|(_, rest)| !rest.is_empty()) {
                    put(call, if is_error { Lane::Err } else { Lane::Out }, &prefix, &rest).await?;
                }
                if let Ok(ended) = playing.await
                    && ended.code != 0
                {
                    let told =
                        format!("pdsh@{}: {host}: ssh exited with exit code {}\n", call.machine.name, ended.code);
                    call.streams.err.write(told).await?;
                }
                continue;
            }
        };
        call.streams.err.write(format!("{prefix}ssh: {host}: {why}\n")).await?;
    }
    Ok(0)
}

async fn put(call: &Call<'_>, lane: Lane, prefix: &str, line: &[u8]) -> Result<(), super::Closed> {
    let mut whole = prefix.as_bytes().to_vec();
    whole.extend_from_slice(line);
    match lane {
        Lane::Out => call.streams.out.write(whole).await,
        Lane::Err => call.streams.err.write(whole).await,
    }
}
