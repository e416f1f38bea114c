//! Names of the accounts on this machine.

use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// How long a directory service may take for a name.
const PATIENCE: Duration = Duration::from_secs(3);

/// The name of an account. One that has none is called by its number with a `#`, which no account's name begins with: a role that is
/// given to a name is never taken by a number.
pub async fn name(uid: u32) -> String {
    let local = tokio::fs::read_to_string("/etc/passwd").await.ok();
    if let Some(name) = local.and_then(|text| find(&text, uid)) {
        return name;
    }
    // Accounts of a directory service are known to the system's library only, which `getent` asks.
    let getent =
        Command::new("getent").arg("passwd").arg(uid.to_string()).stdin(Stdio::null()).kill_on_drop(true).output();
    let answer = tokio::time::timeout(PATIENCE, getent).await.ok().and_then(Result::ok);
    let name = answer.and_then(|answer| find(&String::from_utf8_lossy(&answer.stdout), uid));
    name.unwrap_or_else(|| format!("#{uid}"))
}

/// Looks an account up in lines as `/etc/passwd` has them.
fn find(lines: &str, uid: u32) -> Option<String> {
    lines.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}
