//! Why something cannot be as asked, why a command did not begin: what errors say to people.

use halcyon::core::action::flaw::Flaw;
use halcyon::core::action::params::ParameterProblem;
use halcyon::core::action::plan::PlanProblem;
use halcyon::core::action::reason::Reason;
use halcyon::core::action::spec::ParameterType;
use halcyon::core::host::{HostError, Inventory, expand};
use halcyon::core::id::ActionRef;
use std::collections::BTreeSet;

/// What is said of parameters and hosts, each way once.
pub(super) fn refusals() -> Vec<String> {
    let action = || ActionRef::new("site.log");
    let name = || "lines".to_owned();
    let value = || Some("many".to_owned());
    let parameters = [
        ParameterProblem::Unknown { name: name(), action: action(), similar: Some("line".into()) },
        ParameterProblem::Unknown { name: name(), action: action(), similar: None },
        ParameterProblem::Immutable { name: name(), action: action() },
        ParameterProblem::Required { name: name() },
        ParameterProblem::Type { name: name(), expected: ParameterType::Integer, value: value() },
        ParameterProblem::Type { name: name(), expected: ParameterType::Boolean, value: None },
        ParameterProblem::NotAllowed { name: name(), allowed: vec!["few".into(), "all".into()], value: value() },
        ParameterProblem::Limit { name: name(), limit: "be at least 1".into(), value: Some("0".into()) },
        ParameterProblem::Default {
            name: name(),
            action: action(),
            file: "actions/upgrade.yaml".into(),
            why: "`when` is not known".into(),
        },
    ];
    let hosts = [
        HostError::UnknownHost { name: "wn0001".into(), similar: vec![] },
        HostError::UnknownGroup { name: "idle".into(), similar: vec![] },
        HostError::BrokenGroup { name: "idle".into(), why: "sinfo: command not found".into() },
        HostError::TooMany,
        HostError::Empty("wn001,!wn001".into()),
    ];
    // What is wrong with an expression is found out by reading it.
    let malformed = ["wn[1-", "wn[2-1]", "wn[x]", "-wn", "wn:0", "@", "wn/1", "a,b:1,b:2", "wn[1-2/0]"];
    let known = Inventory::default();
    let malformed =
        malformed.into_iter().filter_map(|text| expand(text, &known).err()).map(|problem| problem.to_string());
    let plans = [
        PlanProblem::Tainted { parameter: name(), characters: BTreeSet::from([';', '\n']), action: action() },
        PlanProblem::Tainted { parameter: name(), characters: BTreeSet::new(), action: action() },
        PlanProblem::Password { parameter: "password".into() },
    ];
    let unusable = |(parameter, why): (&str, Flaw)| PlanProblem::Unusable { parameter: parameter.into(), why };
    let parameters = parameters.iter().map(ToString::to_string);
    let plans = plans.into_iter().chain(flaws().into_iter().map(unusable)).map(|problem| problem.to_string());
    parameters.chain(hosts.iter().map(ToString::to_string)).chain(malformed).chain(plans).collect()
}

/// What no runner can use, each with a parameter that it is said of.
fn flaws() -> Vec<(&'static str, Flaw)> {
    vec![
        ("cmd", Flaw::NoCommand),
        ("url", Flaw::NoAddress),
        ("hosts", Flaw::NoMachine),
        ("entry_point", Flaw::NoScript),
        ("to", Flaw::Nobody),
        ("body", Flaw::NoBody),
        ("cmd", Flaw::NothingRuns),
        ("cwd", Flaw::ZeroByte),
        ("the arguments", Flaw::ZeroByteAt { number: 2 }),
        ("subject", Flaw::LineBreak),
        ("cookies", Flaw::ControlCharacter),
        ("method", Flaw::NotLetters),
        ("username", Flaw::NotAName),
        ("env", Flaw::NotVariables),
        ("auth", Flaw::NotAHeader),
        ("params", Flaw::NotNamed),
        ("body", Flaw::NotJson),
        ("max_pause", Flaw::NotSeconds),
        ("timeout", Flaw::NotATimeout),
        ("timeout", Flaw::NotATimeoutOfADay),
        ("port", Flaw::NotAPort),
        ("body", Flaw::BesideFile),
        ("url_hosts_whitelist", Flaw::BesideBlacklist),
        ("file_path", Flaw::FilePath),
        ("attachments", Flaw::Attachments),
        ("sendmail_binary", Flaw::MailProgram),
        ("content_version", Flaw::ContentVersion),
        ("experimental", Flaw::NotExperimental),
        ("whisper", Flaw::Whisper),
        ("schema", Flaw::NotAForm),
        ("schema", Flaw::NothingAsked),
        ("schema", Flaw::NotAProperty { name: "rack".into() }),
        ("schema", Flaw::SecretAsked { name: "pin".into() }),
        ("ttl", Flaw::NotMinutes { most: 5_270_400 }),
        ("trigger", Flaw::NoEvent { why: "there is no type of triggers `t.pushd`".into() }),
        ("roles", Flaw::NoRole { name: "nobody".into() }),
        ("users", Flaw::NoUser { name: "nobody".into() }),
        ("env", Flaw::PacksEnvironment),
        ("sudo", Flaw::PacksAccount),
        ("hosts", Flaw::NotInCommand),
        ("channel", Flaw::NoChat),
        ("order", Flaw::NoOrder),
        ("end", Flaw::NotAMoment),
        ("comment", Flaw::NoComment),
        ("problems", Flaw::NotProblems),
        ("problems", Flaw::TooManyProblems { most: 500 }),
        ("service", Flaw::NotWatchedName),
        ("host", Flaw::NotOneWatched),
        ("host", Flaw::NoStorm),
        ("host", Flaw::NoneOfStorm),
        ("duration", Flaw::NotASpan),
        ("duration", Flaw::NoEnd),
        ("monitoring", Flaw::NoSuchMonitoring { known: vec!["hep".into(), "cloud".into()] }),
        ("monitoring", Flaw::NoMonitoring),
        (
            "service",
            Flaw::WhichProblem { host: "wn042".into(), services: vec!["CPU load".into(), "Filesystem /".into()] },
        ),
        ("monitoring", Flaw::WhichMonitoring { known: vec!["hep".into(), "cloud".into()] }),
        ("channel", Flaw::NoChannel { known: vec!["ops".into(), "cluster".into()] }),
    ]
}

#[test]
fn every_reason_is_in_the_golden_file() {
    let check = |file: &str, said: usize| {
        let text = std::fs::read_to_string(file).unwrap();
        assert_eq!(text.matches("#[error(").count(), said, "{file}: list what is new above");
    };
    check("src/core/action/flaw.rs", flaws().len());
    check("src/core/action/reason.rs", reasons().len());
}

/// What runners say.
pub(super) fn reasons() -> Vec<String> {
    let why = "no answer for 10 s";
    let reasons = [
        Reason::NotStopped { why },
        Reason::NotKilled { seconds: 60.0, why },
        Reason::NotAsked { seconds: 10, why },
        Reason::NotUnderstood { code: 9, said: "sh: not found" },
        Reason::NoAnswer { seconds: 10 },
        Reason::StartedAnew,
        Reason::NotArrived,
        Reason::NotRebooted { seconds: 600 },
        Reason::Forgotten,
        Reason::NotesYounger,
        Reason::EndNotNoted,
        Reason::NotSeen,
        Reason::NoBeginning,
        Reason::RunsAllTheSame,
        Reason::LostWhenStopped { why },
        Reason::LostRunning { how: "it has stopped answering" },
        Reason::LostBefore { how: "it has stopped answering" },
        Reason::DidNotEnd,
        Reason::NoCode,
        Reason::WatcherDied { why },
        Reason::RunnerFailed { why },
        Reason::WithoutAWord,
        Reason::WrongRunner,
        Reason::RunOver,
        Reason::Stopping,
        Reason::AnswerNotAwaited,
        Reason::NoProgram { program: "ssh", why },
        Reason::NothingToStart,
        Reason::NoAccount { user: "halcyon-run" },
        Reason::NoSwitch { user: "halcyon-run", why },
        Reason::WrapperKilled { signal: 9 },
        Reason::NotWaitedFor { why },
        Reason::NotALogin { name: "-x" },
        Reason::NotAJumpHost { name: "-x" },
        Reason::LoginHangs { seconds: 10 },
        Reason::SshLost { why },
        Reason::NoKeyFile { why },
        Reason::Silent { seconds: 10 },
        Reason::NoInput,
        Reason::ConnectionClosed,
        Reason::ConnectionGone,
        Reason::HungUp,
        Reason::NotAnAddress { why },
        Reason::NotHttp,
        Reason::NotAProxy { why },
        Reason::NotAContentType { kind: "text" },
        Reason::HostForbidden { host: "10.0.0.1" },
        Reason::RedirectForbidden { host: "10.0.0.1" },
        Reason::TooManyRedirects { most: 5 },
        Reason::AnswerBrokeOff { why },
        Reason::NoMailServer,
        Reason::NotASender { address: "ops", why },
        Reason::NotRecipients { addresses: "ops, it", why },
        Reason::MailNotWritten { why },
        Reason::NoMailPassword { why },
        Reason::CertificateUnread { file: "ca.pem", why },
        Reason::NotACertificate { file: "ca.pem", why },
        Reason::NoEncryption { why },
        Reason::MailRefused { server: "mail.example.org:25", why },
        Reason::NoMonitoring,
        Reason::UnknownMonitoring { name: "hep" },
        Reason::NoMonitoringSecret { why },
        Reason::MonitoringSilent { why },
        Reason::MonitoringRefused { why: "Service not found (400)" },
        Reason::NotConfirmed { seconds: 60 },
        Reason::NotWatched,
        Reason::WellAlready,
        Reason::NoLivestatus,
        Reason::NoMoving,
        Reason::NoComments,
        Reason::NoChecksThere,
        Reason::NotFiring,
        Reason::NoStatus { file: "/var/lib/nagios4/status.dat" },
        Reason::StatusStale { seconds: 400 },
        Reason::NobodyReadsPipe,
        Reason::NoPipe { file: "/var/lib/nagios4/rw/nagios.cmd" },
        Reason::TooLongForPipe,
        Reason::LivestatusUnsound { why },
        Reason::AnswerUnsound { why: "value" },
        Reason::SentElsewhere,
        Reason::MailLate,
    ];
    reasons.iter().map(ToString::to_string).collect()
}
