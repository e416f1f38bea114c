//! What ssh writes when it cannot connect, in plain words.

use crate::core::action::capture::showable;
use std::sync::LazyLock;

use regex::Regex;

/// What is said where no pattern fits: the last line of the log.
const LAST_LINE: &str = "ssh said: $1";
/// The same of an empty log.
const NO_REASON: &str = "ssh gave no reason";

/// A pattern of ssh's log and what it means. `$1` and so on stand for its groups.
struct Meaning {
    pattern: Regex,
    sentence: &'static str,
}

/// In the order in which they decide: what is more telling comes first.
static MEANINGS: LazyLock<Vec<Meaning>> = LazyLock::new(|| {
    [
        (
            r"(?s)REMOTE HOST IDENTIFICATION HAS CHANGED.*Offending (\S+) key in (\S+?):(\d+)",
            "its host key has changed: it is not the $1 key in $2 line $3. If the node was reinstalled, replace that line; if not, somebody may be in between",
        ),
        (
            r"REMOTE HOST IDENTIFICATION HAS CHANGED",
            "its host key has changed. If the node was reinstalled, replace its key in the known hosts; if not, somebody may be in between",
        ),
        (
            r"No (\S+) host key is known for (\S+) and you have requested strict checking",
            "its host key is not known: there is no $1 key for $2 in the known hosts file",
        ),
        (r"REVOKED HOST KEY|marked as revoked", "its host key is revoked"),
        (r"Host key verification failed", "its host key could not be verified"),
        (r"Could not resolve hostname ([^\s:]+)", "its name $1 cannot be resolved"),
        (r"Bad owner or permissions on (\S+)", "ssh refuses its configuration $1: wrong owner or open to others"),
        (r"(\S+: line \d+: Bad configuration option[^\r\n]*)", "ssh does not understand its configuration: $1"),
        (r"(\S+): terminating, (\d+) bad configuration options", "ssh does not understand its configuration $1"),
        (r"Can't open user config file (\S+?): ([^\r\n]*)", "ssh cannot read its configuration $1: $2"),
        (r"(?s)Load key .(\S+?).: ([^\r\n]*).*Permission denied \(", "the login was refused; the private key $1 could not be used: $2"),
        (r"(?s)UNPROTECTED PRIVATE KEY FILE.*for '(\S+)' are too open", "ssh refuses the private key $1: it is open to others"),
        (r"Too many authentication failures", "the login was refused after too many keys: name the right one with IdentityFile and IdentitiesOnly"),
        (r"([^\s@]+)@\S+: Permission denied \(([^)]*)\)", "the login as $1 was refused (it would take $2)"),
        (r"Permission denied \(([^)]*)\)", "the login was refused (it would take $1)"),
        (r"connect to host \S+ port (\d+): Connection refused", "it refuses connections on port $1"),
        (r"connect to host \S+ port (\d+): (?:Connection|Operation) timed out", "it did not answer on port $1 in time"),
        (r"connect to host \S+ port (\d+): ([^\r\n]*)", "no connection to its port $1: $2"),
        (r"timed out during banner exchange", "it takes connections, but its SSH service does not speak"),
        (r"Unable to negotiate with \S+ port \d+: ([^\r\n]*)", "there is no way to speak SSH with it: $1"),
        (r"Timeout, server \S+ not responding", "it has stopped answering"),
        (
            r"kex_exchange_identification: |Connection (?:closed|reset) by (?:remote host|\S+ port \d+)|Connection to \S+ closed by remote host",
            "it closed the connection",
        ),
        (r"Connection to \S+ port (\d+) timed out", "it did not answer on port $1 in time"),
    ]
    .into_iter()
    .map(|(pattern, sentence)| Meaning {
        pattern: Regex::new(pattern).expect("the patterns are ours and every one is used by a test"),
        sentence,
    })
    .collect()
});

/// Says in plain words what a log of ssh's tells. What is not understood is said as ssh said it.
pub fn explain(log: &str) -> String {
    for meaning in MEANINGS.iter() {
        if let Some(found) = meaning.pattern.captures(log) {
            let mut sentence = String::new();
            found.expand(meaning.sentence, &mut sentence);
            return showable(&sentence);
        }
    }
    let last = log.lines().map(showable).rfind(|line| !line.trim().is_empty());
    last.map_or_else(|| NO_REASON.to_owned(), |line| LAST_LINE.replace("$1", line.trim()))
}

/// Everything that [`explain`] can say; `$1` and so on stand for what ssh names.
pub fn meanings() -> impl Iterator<Item = &'static str> {
    MEANINGS.iter().map(|meaning| meaning.sentence).chain([LAST_LINE, NO_REASON])
}

/// Whether another try at once may go better: the far side hung up before the login, as a busy one does.
pub(super) fn is_passing(log: &str) -> bool {
    log.contains("kex_exchange_identification: ") || log.contains("ssh_dispatch_run_fatal")
}
