//! What can be wrong with a node.

use std::time::Duration;

/// One thing that is wrong with a node. A node has at most one fault at a time.
///
/// Setting a fault that concerns connecting ends the connections that are open, so that the next request meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Every command starts this much later.
    Slow(Duration),
    /// The port is closed.
    RefuseConnections,
    /// No key is good enough.
    RefuseLogin,
    /// Connections are accepted and nobody speaks.
    Hang,
    /// Login works; commands are neither started nor answered.
    HangAfterLogin,
    /// The node shows another host key than the one in `known_hosts`.
    WrongHostKey,
    /// The connection is cut when a command has written so many bytes.
    DropAfterBytes(u64),
    /// The connection is cut so long after a command began.
    DropAfter(Duration),
    /// Every command ends at once with this code.
    FailCommand(u8),
    /// The next reboot does not come back: the node is down until this is healed, and boots then.
    StaysDown,
}

impl Fault {
    /// Whether open connections must end for this fault to show.
    pub(crate) fn concerns_connecting(&self) -> bool {
        matches!(self, Fault::RefuseConnections | Fault::RefuseLogin | Fault::Hang | Fault::WrongHostKey)
    }
}
