//! Why a command did not begin somewhere, or why nobody knows how it ended, as far as the program itself says it: one table for all runners.
//! What ssh says of a connection is put into plain words by `adapters/ssh/reason.rs`.

/// A reason, said as a part of a sentence.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Reason<'a> {
    /// A cancel that failed.
    #[error("it was to be stopped, but could not be killed: {why}")]
    NotStopped {
        /// What the machine said.
        why: &'a str,
    },
    /// A kill after its time that failed.
    #[error("its time of {seconds} s was over, but it could not be killed: {why}")]
    NotKilled {
        /// How long it was allowed to take.
        seconds: f64,
        /// What the machine said.
        why: &'a str,
    },
    /// The machine did not answer the question what became of it.
    #[error("the machine could not be asked for {seconds} s: {why}")]
    NotAsked {
        /// For how long it was tried.
        seconds: u64,
        /// What happened then.
        why: &'a str,
    },
    /// The machine has lost what it knew.
    #[error("the machine was started anew meanwhile, and knows nothing of it")]
    StartedAnew,
    /// It never came to the machine.
    #[error("the machine was up all the time, and it had not arrived there")]
    NotArrived,
    /// The machine's note is too old to be there.
    #[error("the machine knows nothing of it any more")]
    Forgotten,
    /// It was begun and its end never noted.
    #[error("it had begun there, but nobody noted how it ended")]
    EndNotNoted,
    /// A kill came before it began, and it began.
    #[error("it was to be stopped and runs all the same")]
    RunsAllTheSame,
    /// The machine was lost while it was being stopped.
    #[error("it was stopped on its way; then the machine was lost: {why}")]
    LostWhenStopped {
        /// What happened.
        why: &'a str,
    },
    /// The connection ended under it.
    #[error("the connection was lost while the command ran: {how}")]
    LostRunning {
        /// What is known of that.
        how: &'a str,
    },
    /// The connection ended before it.
    #[error("the connection was lost before the command could start: {how}")]
    LostBefore {
        /// What is known of that.
        how: &'a str,
    },
    /// A task of ours has died.
    #[error("the task that watched it has died, which is a fault of Halcyon: {why}")]
    WatcherDied {
        /// How.
        why: &'a str,
    },
    /// The login hangs.
    #[error("it takes connections, but the login did not come to an end within {seconds} s")]
    LoginHangs {
        /// For how long it was waited.
        seconds: u64,
    },
    /// ssh is missing on our own machine.
    #[error("the program `ssh` cannot be started: {why}")]
    NoSsh {
        /// What the system said.
        why: &'a str,
    },
    /// ssh went away on our own machine.
    #[error("the program `ssh` cannot be waited for: {why}")]
    SshLost {
        /// What the system said.
        why: &'a str,
    },
    /// The key could not be written where ssh reads it.
    #[error("the private key could not be handed to ssh: {why}")]
    NoKeyFile {
        /// What the system said.
        why: &'a str,
    },
    /// The bot ends.
    #[error("Halcyon is stopping")]
    Stopping,
    /// Somebody has killed what runs around the command.
    #[error("its wrapper was killed by signal {signal}")]
    WrapperKilled {
        /// Which.
        signal: i32,
    },
    /// Its end could not be waited for.
    #[error("its end could not be waited for: {why}")]
    NotWaitedFor {
        /// What the system said.
        why: &'a str,
    },
    /// A runner ended without a word.
    #[error("my runner failed (a bug of mine): {why}")]
    RunnerFailed {
        /// What is known.
        why: &'a str,
    },
}
