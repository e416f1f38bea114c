//! Why a command did not begin somewhere, or why nobody knows how it ended, as far as the program itself says it: one table for all runners.
//! What ssh says of a connection is put into plain words by `adapters/ssh/reason.rs`.

/// A reason, said as a part of a sentence.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Reason<'a> {
    /// A cancel that failed.
    #[error("it should have been stopped, but could not be killed: {why}")]
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
    /// The machine answered with something else.
    #[error("the answer of the machine makes no sense (exit code {code}): {said}")]
    NotUnderstood {
        /// The exit code of the question.
        code: i32,
        /// What it wrote.
        said: &'a str,
    },
    /// A question was not answered in time.
    #[error("no answer for {seconds} s")]
    NoAnswer {
        /// How long it was waited for.
        seconds: u64,
    },
    /// The machine has lost what it knew.
    #[error("the machine has been rebooted meanwhile and knows nothing of it")]
    StartedAnew,
    /// It never came to the machine.
    #[error("the machine was up all the time, and the command never arrived there")]
    NotArrived,
    /// What was to reboot it did not.
    #[error("the machine has not rebooted within {seconds} s")]
    NotRebooted {
        /// How long it was waited for.
        seconds: u64,
    },
    /// The machine's note is too old to be there.
    #[error("the machine no longer knows anything of it")]
    Forgotten,
    /// What the machine noted at the time may have been lost, or it had noted nothing before.
    #[error("the machine knows nothing of it, but what it keeps of commands is no older than this one")]
    NotesYounger,
    /// It was begun and its end never noted.
    #[error("it had begun there, but how it ended was never noted")]
    EndNotNoted,
    /// A look of a workflow of which only the exit code came through, and that could not be repeated.
    #[error("what it wrote is lost, and it could not be run again")]
    NotSeen,
    /// A bug: when it was begun is not known.
    #[error("nobody noted when it was begun, which is a bug of mine")]
    NoBeginning,
    /// A kill came before it began, and it began.
    #[error("it should have been stopped, but it is running")]
    RunsAllTheSame,
    /// The machine was lost while it was being stopped.
    #[error("it was being stopped when the machine was lost: {why}")]
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
    /// It was killed, and its end was not heard of.
    #[error("it did not end")]
    DidNotEnd,
    /// It has no exit code.
    #[error("it ended without an exit code")]
    NoCode,
    /// A task of ours has died.
    #[error("the task that watched it has died, which is a bug of mine: {why}")]
    WatcherDied {
        /// How.
        why: &'a str,
    },
    /// A runner has a bug.
    #[error("my runner failed, which is a bug of mine: {why}")]
    RunnerFailed {
        /// What is known.
        why: &'a str,
    },
    /// A runner ended and did not say so.
    #[error("it ended without a word")]
    WithoutAWord,
    /// Work for another runner.
    #[error("the work was given to a runner that cannot do it, which is a bug of mine")]
    WrongRunner,
    /// The run has ended meanwhile.
    #[error("the run has ended")]
    RunOver,
    /// The bot ends.
    #[error("I am being stopped")]
    Stopping,
    /// The bot ended while a server was asked.
    #[error("I was stopped before the answer came")]
    AnswerNotAwaited,
    /// A program of our own machine is missing.
    #[error("the program `{program}` cannot be started on my host: {why}")]
    NoProgram {
        /// Which.
        program: &'a str,
        /// What the system said.
        why: &'a str,
    },
    /// A bug: no program is named.
    #[error("there is nothing to start, which is a bug of mine")]
    NothingToStart,
    /// The account for local commands does not exist.
    #[error("local commands are to run as `{user}`, and there is no such account on my host")]
    NoAccount {
        /// Which.
        user: &'a str,
    },
    /// The account for local commands cannot be switched to.
    #[error(
        "local commands are to run as `{user}`, and my own account may not switch to it ({why}): allow it in sudoers without a password, or leave out `run_as`"
    )]
    NoSwitch {
        /// Which.
        user: &'a str,
        /// What sudo said.
        why: &'a str,
    },
    /// Somebody has killed what runs around the command.
    #[error("the wrapper around it was killed by signal {signal}")]
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
    /// A login name that ssh could take for something else.
    #[error("`{name}` cannot be a login name")]
    NotALogin {
        /// Which.
        name: &'a str,
    },
    /// A jump host that ssh could take for something else.
    #[error("`{name}` cannot be a jump host")]
    NotAJumpHost {
        /// Which.
        name: &'a str,
    },
    /// The login hangs.
    #[error("it takes connections, but the login did not finish within {seconds} s")]
    LoginHangs {
        /// For how long it was waited.
        seconds: u64,
    },
    /// ssh went away on our own machine.
    #[error("the program `ssh` cannot be waited for on my host: {why}")]
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
    /// A connection that stands and does not speak.
    #[error("the connection stands, but nothing was heard over it for {seconds} s")]
    Silent {
        /// How long it was waited.
        seconds: u64,
    },
    /// A bug of the connection: nothing can be written to the command.
    #[error("the command has no standard input")]
    NoInput,
    /// It was closed at this end.
    #[error("the connection was closed")]
    ConnectionClosed,
    /// It is not there any more.
    #[error("the connection is gone")]
    ConnectionGone,
    /// It was closed at the other end.
    #[error("the machine closed the connection")]
    HungUp,
    /// A URL that is none.
    #[error("that is not an address: {why}")]
    NotAnAddress {
        /// Why not.
        why: &'a str,
    },
    /// An address of another kind.
    #[error("the address must begin with http:// or https://")]
    NotHttp,
    /// A proxy that is none.
    #[error("that is not a proxy: {why}")]
    NotAProxy {
        /// Why not.
        why: &'a str,
    },
    /// A content type that is none.
    #[error("`{kind}` is not a content type")]
    NotAContentType {
        /// What was given.
        kind: &'a str,
    },
    /// A host that may not be asked.
    #[error("{host} may not be asked: `url_hosts_whitelist` or `url_hosts_blacklist` forbids it")]
    HostForbidden {
        /// Which.
        host: &'a str,
    },
    /// A redirect to a host that may not be asked.
    #[error("it was redirected to {host}, which may not be asked")]
    RedirectForbidden {
        /// Which.
        host: &'a str,
    },
    /// A circle of redirects.
    #[error("it was redirected more than {most} times")]
    TooManyRedirects {
        /// How many are followed.
        most: usize,
    },
    /// Half an answer.
    #[error("the answer broke off: {why}")]
    AnswerBrokeOff {
        /// What happened.
        why: &'a str,
    },
    /// The site has none.
    #[error("there is no mail server: name one in the section [mail] of config.toml")]
    NoMailServer,
    /// An address that is none.
    #[error("`{address}` is not an address to write from: {why}")]
    NotASender {
        /// What was given.
        address: &'a str,
        /// Why not.
        why: &'a str,
    },
    /// Addresses that are none.
    #[error("`{addresses}` is not a list of addresses: {why}")]
    NotRecipients {
        /// What was given.
        addresses: &'a str,
        /// Why not.
        why: &'a str,
    },
    /// The mail itself.
    #[error("the mail cannot be written: {why}")]
    MailNotWritten {
        /// Why not.
        why: &'a str,
    },
    /// The password could not be read.
    #[error("there is no password for the mail server: {why}")]
    NoMailPassword {
        /// Why not.
        why: &'a str,
    },
    /// The file of the authority.
    #[error("cannot read the certificate {file}: {why}")]
    CertificateUnread {
        /// Which.
        file: &'a str,
        /// Why not.
        why: &'a str,
    },
    /// The file of the authority holds something else.
    #[error("{file} is not a certificate: {why}")]
    NotACertificate {
        /// Which.
        file: &'a str,
        /// Why not.
        why: &'a str,
    },
    /// TLS cannot be prepared.
    #[error("the connection cannot be encrypted: {why}")]
    NoEncryption {
        /// Why not.
        why: &'a str,
    },
    /// The server did not take it.
    #[error("the mail server {server} did not take it: {why}")]
    MailRefused {
        /// Host and port.
        server: &'a str,
        /// What it said.
        why: &'a str,
    },
    /// The site has none.
    #[error("there is no monitoring to ask: name one in [[monitoring]] of config.toml")]
    NoMonitoring,
    /// It is called otherwise, or is not configured any more.
    #[error("there is no monitoring `{name}` in config.toml")]
    UnknownMonitoring {
        /// Which.
        name: &'a str,
    },
    /// The secret could not be read.
    #[error("there is no secret for the monitoring: {why}")]
    NoMonitoringSecret {
        /// Why not.
        why: &'a str,
    },
    /// It does not answer.
    #[error("the monitoring cannot be asked: {why}")]
    MonitoringSilent {
        /// What happened.
        why: &'a str,
    },
    /// It does not do it.
    #[error("the monitoring refuses: {why}")]
    MonitoringRefused {
        /// In its own words.
        why: &'a str,
    },
    /// It has said that it would, and did not.
    #[error("the monitoring took it, but does not show it after {seconds} s")]
    NotConfirmed {
        /// How long it was looked for.
        seconds: u64,
    },
    /// Nothing of that name.
    #[error("the monitoring knows no such host or service, or does not show it to my account")]
    NotWatched,
    /// A problem that was to be taken on is over.
    #[error("is well by now")]
    WellAlready,
    /// The way for it is not configured.
    #[error("a check can only be forced by Livestatus: name it by `livestatus` in [[monitoring]] of config.toml")]
    NoLivestatus,
    /// Nagios and Icinga cannot.
    #[error("this monitoring cannot have a downtime end at another time: take it off, and open another one")]
    NoMoving,
    /// Alertmanager has none.
    #[error("Alertmanager keeps no comments")]
    NoComments,
    /// Alertmanager does none.
    #[error("Alertmanager checks nothing itself; what fires is for Prometheus to find out")]
    NoChecksThere,
    /// There is no alert of that name.
    #[error("no such alert fires at the moment, so there is nothing to silence")]
    NotFiring,
    /// The file is not the one of Nagios.
    #[error("{file} is no status file of Nagios")]
    NoStatus {
        /// Which.
        file: &'a str,
    },
    /// Nobody writes it any more.
    #[error("Nagios has not written its status file for {seconds} s; it does not seem to run")]
    StatusStale {
        /// For how long.
        seconds: u64,
    },
    /// The daemon is gone.
    #[error(
        "nobody reads the command pipe; Nagios does not seem to run, or takes no commands (check_external_commands)"
    )]
    NobodyReadsPipe,
    /// Something else lies there.
    #[error("{file} is no pipe; a command was probably written there while Nagios did not run")]
    NoPipe {
        /// Which.
        file: &'a str,
    },
    /// It does not fit.
    #[error("the command is longer than the pipe of Nagios takes at once")]
    TooLongForPipe,
    /// Livestatus said something else than an answer.
    #[error("Livestatus gives no sound answer: {why}")]
    LivestatusUnsound {
        /// What.
        why: &'a str,
    },
    /// An answer that is no answer of such a server.
    #[error("the answer is none of a monitoring's: {why}")]
    AnswerUnsound {
        /// What is wrong with it.
        why: &'a str,
    },
    /// The address leads elsewhere.
    #[error("it sends me on to another address; check `address` in [[monitoring]] of config.toml")]
    SentElsewhere,
    /// The server took too long.
    #[error("the mail server took too long; it may have taken the mail nevertheless")]
    MailLate,
}
