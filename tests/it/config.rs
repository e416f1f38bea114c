//! `config.toml`: what is wrong with a file is told all at once; what is right is understood.

use halcyon::config::{Config, Environment, GroupSource, HostKeys, LogFormat, Network};
use halcyon::core::content::diagnostic::Diagnostic;
use halcyon::core::host::fold;
use halcyon::core::settings::{Address, Grant, Verb};
use std::fmt::Write;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config")
}

fn shown(diagnostics: &[Diagnostic]) -> String {
    let directory = format!("{}/", data().display());
    diagnostics
        .iter()
        .fold(String::new(), |mut text, diagnostic| {
            writeln!(text, "{diagnostic}").unwrap();
            text
        })
        .replace(&directory, "")
}

/// Reads `name.toml` and compares what is said about it with `name.txt`.
fn check(name: &str, sound: bool) {
    let path = data().join(name).with_extension("toml");
    let said = match Config::load(&path, &Environment::new()) {
        Ok(config) => {
            assert!(sound, "{name}: accepted, with {:#?}", config.warnings);
            shown(&config.warnings)
        }
        Err(problems) => {
            assert!(!sound, "{name}: {}", shown(&problems));
            shown(&problems)
        }
    };
    let expected = std::fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
    assert_eq!(said, expected, "{name}: what is said is on the left");
}

#[test]
fn what_is_wrong_is_told_all_at_once() {
    check("everything-wrong", false);
    check("not-toml", false);
    check("tables-expected", false);
    check("empty-sections", false);
    check("tls", false);
    check("inventory", false);
    check("access", false);
    check("alerts", false);
}

#[test]
fn what_is_doubtful_is_told_and_accepted() {
    check("warnings", true);
    check("nothing", true);
}

/// Reads a text as if it stood in `/etc/halcyon/config.toml`.
fn read(text: &str, environment: &[(&str, &str)]) -> Config {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::parse(Path::new("/etc/halcyon/config.toml"), text, &environment)
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn a_time_zone_goes_by_its_iana_name() {
    let text = |zone: &str| {
        format!(
            "[mattermost]\nurl = \"https://chat.example.org\"\nteam = \"ops\"\nchannels = [\"cluster\"]\ntime_zone = \"{zone}\"\n"
        )
    };
    assert_eq!(read(&text("Europe/Berlin"), &[]).settings(0).zone, "Europe/Berlin");
    let problems = Config::parse(Path::new("config.toml"), &text("Berlin"), &Environment::new()).unwrap_err();
    let expected = "config.toml:5: mattermost.time_zone: names no time zone; it is an IANA name such as `Europe/Berlin`, or `UTC`\n";
    assert_eq!(shown(&problems), expected);
}

#[test]
fn the_shipped_file_is_valid_and_means_what_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml");
    let environment = Environment::from([("HALCYON_MATTERMOST_TOKEN".to_owned(), "secret".to_owned())]);
    let config = Config::load(&path, &environment).unwrap();
    assert_eq!(config.warnings, []);
    let chat = config.mattermost.as_ref().unwrap();
    assert_eq!(chat.url, "https://chat.example.org");
    assert_eq!(chat.token.as_ref().unwrap().reveal(), "secret");
    let settings = config.settings(1000);
    assert_eq!(settings.channels, ["cluster"]);
    assert_eq!(settings.admin_channel.as_deref(), Some("cluster"));
    assert_eq!(settings.address, [Address::Mention, Address::Prefix]);
    assert_eq!(settings.prefix, "!");
    assert_eq!(settings.mention_after, Duration::from_secs(30));
    assert_eq!(settings.own_uid, 1000);
    assert_eq!(settings.roles[0].grants[1], Grant::new(Verb::Run, "site.*"));
    assert_eq!(settings.roles[1].users, ["lead"]);
    assert_eq!(config.store.path, path.with_file_name("var/halcyon"));
    assert_eq!(config.control.socket, path.with_file_name("var/halcyon/control.sock"));
    assert_eq!(config.content.packs, [Path::new(env!("CARGO_MANIFEST_DIR"))]);
    assert_eq!(config.local.run_as.as_deref(), Some("halcyon-run"));
    assert_eq!(config.inventory.groups["workers"], GroupSource::Members(vec!["wn[001-150]".to_owned()]));
}

/// Every optional line of the shipped file, taken out of its comment, is valid too, and says the default where it claims to.
#[test]
fn the_shipped_comments_are_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let optional = |line: &&str| {
        let bare = line.trim_start_matches("# ");
        bare.starts_with('[') && bare.ends_with(']')
            || bare.split_once(" = ").is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    };
    let lines = |keep: &dyn Fn(&str) -> bool| {
        let lines = text.lines().map(|line| if keep(line) { line.trim_start_matches("# ") } else { line });
        lines.collect::<Vec<_>>().join("\n")
    };
    let environment = Environment::new();
    let short = Config::load(&path, &environment).unwrap();
    let whole = Config::parse(&path, &lines(&|line| optional(&line)), &environment);
    let whole = whole.unwrap_or_else(|problems| panic!("{}", shown(&problems)));
    assert_eq!(whole.ssh.known_hosts, short.ssh.known_hosts);
    assert_eq!(whole.ssh.connect_timeout, short.ssh.connect_timeout);
    assert_eq!(whole.ssh.output_limit, short.ssh.output_limit);
    assert_eq!(whole.local.output_limit, short.local.output_limit);
    assert_eq!(whole.control.socket, short.control.socket);
    assert_eq!((&whole.log.level, whole.log.format), (&short.log.level, short.log.format));
    assert_eq!(whole.settings(0).mention_after, short.settings(0).mention_after);
    assert_eq!(whole.http.unwrap().allow.len(), 2);
    assert_eq!(whole.roles[0].unix_users, ["root"]);
    assert_eq!(whole.inventory.groups.len(), 3);
}

#[test]
fn defaults_and_paths() {
    let config = read("[store]\npath = \"./state\"\n[content]\npacks = [\"/usr\"]", &[]);
    assert_eq!(config.store.path, Path::new("/etc/halcyon/state"));
    assert_eq!(config.control.socket, Path::new("/etc/halcyon/state/control.sock"));
    assert_eq!(config.ssh.known_hosts, HostKeys::Strict);
    assert_eq!(config.ssh.max_parallel, 64);
    assert_eq!(config.log.format, LogFormat::Text);
    assert!(config.mattermost.is_none() && config.http.is_none() && config.warnings.is_empty());
    assert_eq!(config.settings(7).channels, [] as [&str; 0]);

    let config = read(
        "[ssh]\nconnect_timeout = 2.5\nknown_hosts = 'accept-new'\n[inventory.groups]\ndown = { command = 'sinfo' }\n\
         [[access.roles]]\nname = 'lead'\nusers = ['@Lead']\nchannels = ['~cluster']\nunix_users = ['root']\ngrants = ['admin:*']",
        &[],
    );
    assert_eq!(config.ssh.connect_timeout, Duration::from_millis(2500));
    assert_eq!(config.ssh.known_hosts, HostKeys::AcceptNew);
    let refresh = Duration::from_secs(300);
    assert_eq!(config.inventory.groups["down"], GroupSource::Command { command: "sinfo".to_owned(), refresh });
    assert_eq!(config.roles[0].users, ["lead"]);
    assert_eq!(config.roles[0].channels, ["cluster"]);
    assert_eq!(config.roles[0].unix_users, ["root"]);
}

#[test]
fn secrets_come_from_a_file_or_the_environment_and_are_never_shown() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    let token = directory.path().join("token");
    let text =
        "[mattermost]\nurl = 'https://chat.example.org'\nteam = 'ops'\nchannels = ['cluster']\ntoken_file = 'token'";
    let load = |environment: &[(&str, &str)]| {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut config = Config::parse(&path, text, &environment).unwrap();
        assert!(!format!("{config:?}").contains("abc"), "a secret is shown");
        let warnings: Vec<_> = config.warnings.iter().map(|warning| warning.message.clone()).collect();
        let token = config.mattermost.take().unwrap().token;
        (token.map(|secret| secret.reveal().to_owned()).map_err(|problem| problem.message), warnings)
    };
    let write = |text: &str, mode: u32| {
        std::fs::write(&token, text).unwrap();
        std::fs::set_permissions(&token, std::fs::Permissions::from_mode(mode)).unwrap();
    };

    let (missing, warnings) = load(&[]);
    assert!(missing.unwrap_err().contains("No such file"));
    assert!(warnings[0].contains("`halcyon serve` cannot start without"));

    write("abc\n", 0o600);
    assert_eq!(load(&[]), (Ok("abc".to_owned()), vec![]));
    assert_eq!(load(&[("HALCYON_MATTERMOST_TOKEN", "abcdef")]), (Ok("abcdef".to_owned()), vec![]));
    assert!(load(&[("HALCYON_MATTERMOST_TOKEN", " ")]).0.unwrap_err().contains("is set and empty"));

    write("abc", 0o644);
    let (secret, warnings) = load(&[]);
    assert_eq!(secret.unwrap(), "abc");
    assert!(warnings[0].contains("every user of this machine"), "{warnings:?}");

    write("\n", 0o600);
    assert!(load(&[]).0.unwrap_err().ends_with("is empty"));
    write("two words", 0o600);
    assert!(load(&[]).0.unwrap_err().contains("more than one word"));
}

#[test]
fn groups_come_from_lists_and_from_what_commands_print() {
    let config = read(
        "[inventory]\nhosts = ['wn[1-9]']\n[inventory.groups]\nall = ['wn[1-9]', '!@down']\ndown = { command = 'sinfo' }",
        &[],
    );
    let printed = |answer: Result<&str, &str>| {
        let answer = answer.map(str::to_owned).map_err(str::to_owned);
        let (inventory, _) = config.inventory.build(&[("down".to_owned(), answer)].into());
        let group = inventory.groups.get("all").cloned();
        group.map(|hosts| fold(&hosts)).ok_or_else(|| inventory.broken.get("down").cloned().unwrap())
    };
    assert_eq!(printed(Ok("wn[2-3]\nwn9,wn7\n")), Ok("wn[1,4-6,8]".to_owned()));
    assert_eq!(printed(Ok("\n")), Ok("wn[1-9]".to_owned()));
    assert_eq!(printed(Err("exit code 1")), Err("exit code 1".to_owned()));
}

#[test]
fn networks() {
    let check = |network: &str, address: &str, inside: bool| {
        let network: Network = network.parse().unwrap();
        assert_eq!(network.contains(address.parse::<IpAddr>().unwrap()), inside, "{network} {address}");
    };
    check("10.0.0.0/8", "10.255.0.1", true);
    check("10.0.0.0/8", "11.0.0.1", false);
    check("10.0.0.0/8", "::ffff:10.0.0.1", true);
    check("127.0.0.1", "127.0.0.1", true);
    check("127.0.0.1", "127.0.0.2", false);
    check("0.0.0.0/0", "192.0.2.1", true);
    check("0.0.0.0/0", "2001:db8::1", false);
    check("2001:db8::/32", "2001:db8:1::1", true);
    check("2001:db8::/32", "2001:db9::1", false);
    check("::/0", "2001:db9::1", true);
}

#[test]
fn a_file_that_is_not_there_is_told_so() {
    let problems = Config::load(Path::new("absent/config.toml"), &Environment::new()).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "absent/config.toml: cannot read the configuration: No such file or directory (os error 2); \
         go to its directory or name it by --config"
    );
}
