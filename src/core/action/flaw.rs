//! Why no runner can use the value of a parameter. It is one table, so that all of it can be read at once: each is the rest of a sentence that
//! begins with the parameter's name.

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// No command.
    #[error("is empty, so there is no command to run")]
    NoCommand,
    /// No address.
    #[error("is empty, so there is no address to ask")]
    NoAddress,
    /// No machine.
    #[error("names no machine")]
    NoMachine,
    /// No script; a fault of the pack.
    #[error("names no script")]
    NoScript,
    /// Nobody to write to.
    #[error("names nobody")]
    Nobody,
    /// A mail without a text, where that is forbidden.
    #[error("is empty, and `send_empty_body` is off")]
    NoBody,
    /// What starts no command has no command to be repeated.
    #[error("is missing: this action starts no command")]
    NothingRuns,
    /// A zero byte, which no program can be given.
    #[error("must not contain a zero byte")]
    ZeroByte,
    /// The same in one of several arguments.
    #[error("must not contain a zero byte, and number {number} does")]
    ZeroByteAt {
        /// Which, from 1.
        number: usize,
    },
    /// More than one line.
    #[error("must not contain line breaks")]
    LineBreak,
    /// Characters without a sign of their own.
    #[error("must not contain control characters")]
    ControlCharacter,
    /// A method of HTTP.
    #[error("must consist of letters only")]
    NotLetters,
    /// A login name or a jump host.
    #[error("must consist of letters, digits and `._-@:` only")]
    NotAName,
    /// Names of environment variables.
    #[error("can only name variables made of letters, digits and `_`")]
    NotVariables,
    /// A header with its value.
    #[error("must be a header and its value, as in `x-auth-token=XYZ`")]
    NotAHeader,
    /// A query.
    #[error("must be names with values")]
    NotNamed,
    /// JSON that is none.
    #[error("is not JSON, although its content type says so")]
    NotJson,
    /// A time.
    #[error("must be a number of seconds")]
    NotSeconds,
    /// A time that is not nothing.
    #[error("must be a number of seconds above 0")]
    NotATimeout,
    /// The same with an upper bound.
    #[error("must be a number of seconds above 0, and at most a day")]
    NotATimeoutOfADay,
    /// A port.
    #[error("must be between 1 and 65535")]
    NotAPort,
    /// Text and file together.
    #[error("cannot be given together with a file")]
    BesideFile,
    /// Both lists of hosts.
    #[error("cannot be given together with `url_hosts_blacklist`")]
    BesideBlacklist,
    /// A path on our own machine.
    #[error("is not supported, because I read no files for others; give `file_name` and `file_content` instead")]
    FilePath,
    /// The same in a mail.
    #[error("cannot be sent, because I read no files for a mail")]
    Attachments,
    /// Another program for mails.
    #[error("cannot be chosen: I send mails myself, see [mail] in config.toml")]
    MailProgram,
    /// Another version of a pack.
    #[error("cannot be chosen: I run the version that I have loaded")]
    ContentVersion,
    /// The flag of StackStorm's announcements.
    #[error("must be true, as StackStorm wants it of announcements")]
    NotExperimental,
    /// A message that only one person sees.
    #[error("is not offered; name the user, and the message mentions them in the channel")]
    Whisper,
    /// The environment of a pack's command.
    #[error("cannot be given, because it could change what the action's own command does")]
    PacksEnvironment,
    /// As whom a pack's command runs.
    #[error("cannot be given, because the action itself decides as whom its command runs")]
    PacksAccount,
    /// The names of the machines could not be put into a default.
    #[error("cannot be put into the command")]
    NotInCommand,
    /// Nothing is connected.
    #[error("cannot be reached: there is no chat")]
    NoChat,
    /// What nobody can be asked, by its schema.
    #[error("must be of type object, since an answer has names")]
    NotAForm,
    /// A schema that asks nothing.
    #[error("has no properties, so there is nothing to answer")]
    NothingAsked,
    /// A property that is none.
    #[error("says nothing about `{name}`")]
    NotAProperty {
        /// Which.
        name: String,
    },
    /// A secret to be answered.
    #[error("asks for the secret `{name}`: answers are kept, and secrets are not")]
    SecretAsked {
        /// Which.
        name: String,
    },
    /// How long an inquiry waits.
    #[error("must be minutes, from 0 to {most}")]
    NotMinutes {
        /// The longest time.
        most: u64,
    },
    /// A role that does not exist.
    #[error("names `{name}`, and there is no such role")]
    NoRole {
        /// It.
        name: String,
    },
    /// A user who is not known by id.
    #[error("names `{name}`, and I only know users who are named in a role")]
    NoUser {
        /// They.
        name: String,
    },
    /// An event that cannot be.
    #[error("cannot be brought on: {why}")]
    NoEvent {
        /// Why.
        why: String,
    },
    /// No order that the runner knows.
    #[error("names nothing that can be asked of a monitoring")]
    NoOrder,
    /// A point in time.
    #[error("must be a point in time, as in `2026-12-01T18:00:00Z`")]
    NotAMoment,
    /// A comment without words.
    #[error("is empty, so there is nothing to write")]
    NoComment,
    /// A list of problems that is none.
    #[error("must be a list of maps with `host` and `service`")]
    NotProblems,
    /// Too much at once.
    #[error("names more than {most} problems")]
    TooManyProblems {
        /// How many may be named.
        most: usize,
    },
    /// A name that cannot stand in a command.
    #[error("must be names as the monitoring has them: no semicolons, no line breaks, at most 500 letters")]
    NotWatchedName,
    /// Several machines where one is meant.
    #[error("takes one host by the name that the monitoring has for it, and no ranges, lists or groups")]
    NotOneWatched,
    /// How long a downtime is.
    #[error("must be a time within a year, such as `30m`, `2h`, `1d` or `until 18:00`")]
    NotASpan,
    /// A downtime without an end.
    #[error("is missing: say how long, as in `2h` or `until 18:00`")]
    NoEnd,
    /// A monitoring that is not configured.
    #[error("names none of the monitorings in config.toml: {}", .known.join(", "))]
    NoSuchMonitoring {
        /// Those that there are.
        known: Vec<String>,
    },
    /// There is none.
    #[error("names no host that I know, and there is no storm")]
    NoStorm,
    /// All of it is so, or nothing of it.
    #[error("names the storm, and none of its problems is left for that")]
    NoneOfStorm,
    /// Nothing can be asked.
    #[error("is missing: config.toml names no [[monitoring]] that I could ask")]
    NoMonitoring,
    /// One of several problems.
    #[error("is missing: {host} has several open problems ({}), and I cannot tell which is meant", .services.join(", "))]
    WhichProblem {
        /// The host.
        host: String,
        /// They; the name of the host for the host itself.
        services: Vec<String>,
    },
    /// One of several.
    #[error("is missing: there are {}, and I cannot tell which is meant", .known.join(", "))]
    WhichMonitoring {
        /// Those that there are.
        known: Vec<String>,
    },
    /// A channel or route.
    #[error("names none of the channels that I know: {}", .known.join(", "))]
    NoChannel {
        /// Those that there are.
        known: Vec<String>,
    },
}
