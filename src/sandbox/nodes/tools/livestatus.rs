//! `unixcat`: what is written to the monitoring's socket, and what comes back.

use super::{Call, Ran};
use crate::sandbox::nodes::monitoring::{SITE, livestatus};

/// Where the monitoring listens, on its machine.
pub(crate) fn socket() -> String {
    format!("/omd/sites/{SITE}/tmp/run/live")
}

pub(super) async fn run(call: &Call<'_>) -> Ran {
    let operands = call.operands();
    let [path] = operands.as_slice() else {
        let _ = call.streams.err.write(format!("Usage: {} UNIX-socket\n", call.name)).await;
        return Ok(1);
    };
    let monitoring = call.machine.monitoring().filter(|_| call.path(path) == socket());
    let Some(monitoring) = monitoring else {
        let problem = match call.machine.files(|files| files.exists(&call.path(path))) {
            true => "Connection refused",
            false => "No such file or directory",
        };
        let _ = call.streams.err.write(format!("Couldn't connect to UNIX-socket at {path}: {problem}.\n")).await;
        return Ok(4);
    };
    let Some(question) = call.held_input().await else { return Ok(1) };
    let said = livestatus::answer(monitoring, &String::from_utf8_lossy(&question)).await;
    call.print(said).await
}
