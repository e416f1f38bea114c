//! What of the SSH adapter needs no server: the wrapper under the shells that nodes have, ssh's reasons in plain words, captured output.

use async_trait::async_trait;
use halcyon::adapters::ssh::reason::explain;
use halcyon::core::action::capture::showable;
use halcyon::core::action::run::{Captured, Exit, INLINE_OUTPUT, Parting, Secret, ShellCommand};
use halcyon::core::action::wrapper::{self, Report, Standing, Verb};
use halcyon::core::id::{BlobId, ExecutionId, Host};
use halcyon::runtime::capture::{Allowance, Live, Stream};
use halcyon::runtime::ports::{BlobWriter, Blobs, StoreError};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Blobs in memory, named by their number.
#[derive(Default, Clone)]
pub(crate) struct MemoryBlobs(Arc<Mutex<Vec<Vec<u8>>>>);

impl MemoryBlobs {
    pub(crate) fn get(&self, blob: &BlobId) -> Vec<u8> {
        self.0.lock().unwrap()[blob.as_str().parse::<usize>().unwrap()].clone()
    }
}

struct MemoryWriter(MemoryBlobs, Vec<u8>);

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn create(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        Ok(Box::new(MemoryWriter(self.clone(), Vec::new())))
    }

    async fn read(&self, blob: &BlobId, offset: u64, limit: usize) -> Result<Vec<u8>, StoreError> {
        let offset = usize::try_from(offset).unwrap();
        Ok(self.get(blob).into_iter().skip(offset).take(limit).collect())
    }
}

#[async_trait]
impl BlobWriter for MemoryWriter {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.1.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<BlobId, StoreError> {
        let mut blobs = self.0.0.lock().unwrap();
        blobs.push(self.1);
        Ok(BlobId::new((blobs.len() - 1).to_string()))
    }
}

/// A disk that is full.
struct FullBlobs;

#[async_trait]
impl Blobs for FullBlobs {
    async fn create(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        Err(StoreError::Index("no space left".to_owned()))
    }

    async fn read(&self, _: &BlobId, _: u64, _: usize) -> Result<Vec<u8>, StoreError> {
        Err(StoreError::Index("no space left".to_owned()))
    }
}

pub(crate) fn shell(script: &str) -> ShellCommand {
    ShellCommand {
        parting: Parting::default(),
        read_only: false,
        script: script.to_owned(),
        cwd: None,
        env: BTreeMap::new(),
        sudo: false,
        sudo_password: None,
        timeout: Duration::from_secs(60),
    }
}

/// An id that was never used, also not by an earlier run of the tests: nodes remember.
pub(crate) fn execution() -> ExecutionId {
    ExecutionId::generate(jiff::Timestamp::UNIX_EPOCH, getrandom::u64().unwrap())
}

/// Waits for something to become true.
pub(crate) fn poll(what: &str, holds: impl FnMut() -> bool) {
    poll_within(Duration::from_secs(20), what, holds);
}

/// The same for what takes longer.
pub(crate) fn poll_within(patience: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {} s", patience.as_secs());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process of this group is alive, zombies left out.
pub(crate) fn group_lives(group: u32) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { return false };
        let Some((_, rest)) = stat.rsplit_once(") ") else { return false };
        let words: Vec<&str> = rest.split(' ').collect();
        words[0] != "Z" && words[0] != "X" && words[2] == group.to_string()
    })
}

/// The wrapper under one shell, as a node would run it.
struct Node {
    shell: Vec<&'static str>,
    /// Where its notes are kept, where not at their usual place.
    notes: Option<PathBuf>,
}

impl Node {
    fn request(&self, verb: Verb, id: &str, command: &ShellCommand) -> Command {
        let mut words = wrapper::words(verb, id, command);
        assert_eq!(words[0], "sh");
        if let Some(notes) = &self.notes {
            let usual = if rustix::process::geteuid().is_root() { "/run/halcyon" } else { "/tmp/.halcyon-$uid" };
            assert_eq!(words[2].matches(usual).count(), 1);
            words[2] = words[2].replace(usual, notes.to_str().unwrap());
        }
        let mut request = Command::new(self.shell[0]);
        request.args(&self.shell[1..]).args(&words[1..]);
        request.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        request
    }

    fn ask_with(&self, verb: Verb, id: &str, command: &ShellCommand, input: &[u8]) -> Output {
        let mut child = self.request(verb, id, command).spawn().unwrap();
        // A wrapper that refuses does not read.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    fn ask(&self, verb: Verb, id: &str, command: &ShellCommand) -> (i32, String, String) {
        let input = wrapper::input(verb, id, command).unwrap();
        let output = self.ask_with(verb, id, command, input.reveal().as_bytes());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    fn standing(&self, id: &str) -> Option<Standing> {
        Standing::parse(&self.ask(Verb::Status, id, &shell("")).1)
    }
}

/// The shells that nodes have, as far as this machine has them too. `sh` is one of them everywhere.
fn nodes() -> Vec<Node> {
    let all = [vec!["sh"], vec!["bash"], vec!["bash", "--posix"], vec!["dash"], vec!["busybox", "sh"]];
    let here = |shell: &&str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(shell).is_file())
    };
    all.into_iter().filter(|shell| here(&shell[0])).map(|shell| Node { shell, notes: None }).collect()
}

fn fresh_id() -> String {
    wrapper::node_id(&execution(), &Host::new("here"), 0)
}

#[test]
fn the_wrapper_runs_once_and_remembers() {
    for node in nodes() {
        let id = fresh_id();
        let command = shell("echo out; echo err >&2; cat; exit 3");
        assert_eq!(node.standing(&id), Some(Standing::Nothing), "{:?}", node.shell);
        assert_eq!(node.ask(Verb::Run, &id, &command), (3, "out\n".to_owned(), "err\n".to_owned()), "{:?}", node.shell);
        assert_eq!(node.standing(&id), Some(Standing::Exited(3)));
        let (code, stdout, stderr) = node.ask(Verb::Run, &id, &command);
        assert_eq!((code, stdout.as_str()), (125, ""));
        let Exit::Unreachable { why } = wrapper::exit(code, &Captured::Inline { text: stderr }) else {
            panic!("it was run")
        };
        assert!(why.contains("was run before"), "{why}");
        assert_eq!(node.ask(Verb::Kill, &id, &command).0, 0);
        assert_eq!(node.ask(Verb::Forget, &id, &command).0, 0);
        assert_eq!(node.standing(&id), Some(Standing::Nothing));
    }
}

#[test]
fn the_wrapper_takes_directory_environment_and_any_text() {
    for node in nodes() {
        let mut command = shell(
            "pwd; printf '%s|' \"$A\" \"$B_2\" 'it''s' \"\\\\\"; echo \"${0##*/} $#\"\ncat <<EOF\n$A\nEOF\n# the end",
        );
        command.cwd = Some("/usr/../tmp".to_owned());
        command.env.insert("A".to_owned(), Secret::new("quote ' double \" dollar $HOME `id` back \\ new\nline ü"));
        command.env.insert("B_2".to_owned(), Secret::new("-n"));
        let value = "quote ' double \" dollar $HOME `id` back \\ new\nline ü";
        let expected = format!("/usr/../tmp\n{value}|-n|its|\\|halcyon 0\n{value}\n");
        let (code, stdout, stderr) = node.ask(Verb::Run, &fresh_id(), &command);
        let stdout = stdout.replacen("/tmp\n", "/usr/../tmp\n", usize::from(stdout.starts_with("/tmp")));
        assert_eq!((code, stdout, stderr.as_str()), (0, expected, ""), "{:?}", node.shell);

        command.cwd = Some("no such place".to_owned());
        let (code, stdout, stderr) = node.ask(Verb::Run, &fresh_id(), &command);
        assert_eq!((code, stdout.as_str()), (1, ""), "{:?}", node.shell);
        assert!(stderr.contains("no such place"), "{stderr}");

        let long = format!("true {}\necho the end", "x".repeat(300_000));
        assert_eq!(node.ask(Verb::Run, &fresh_id(), &shell(&long)).1, "the end\n", "{:?}", node.shell);
        let open = "cat <<END\nopen";
        assert_eq!(node.ask(Verb::Run, &fresh_id(), &shell(open)).1, "open\n", "{:?}", node.shell);
    }
}

#[test]
fn half_a_script_does_not_run() {
    let marker = tempfile::tempdir().unwrap();
    let file = marker.path().join("ran");
    for node in nodes() {
        let command = shell(&format!("touch {}", file.display()));
        let id = fresh_id();
        let whole = wrapper::input(Verb::Run, &id, &command).unwrap();
        let whole = whole.reveal().as_bytes();
        for length in [0, 10, whole.len() / 2, whole.len() - 30, whole.len() - 2] {
            let output = node.ask_with(Verb::Run, &id, &command, &whole[..length]);
            assert_eq!(output.status.code(), Some(125), "{:?} after {length} bytes", node.shell);
            assert!(!file.exists(), "{:?} after {length} bytes", node.shell);
        }
        // A password that sudo did not ask for is not a line of the script.
        let output = node.ask_with(Verb::Run, &id, &command, &[b"password\n", whole].concat());
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]), "{:?}", node.shell);
        assert!(file.exists());
        std::fs::remove_file(&file).unwrap();
    }
}

#[test]
fn a_kill_leaves_nobody_of_the_group() {
    for node in nodes() {
        for script in [
            "sleep 600 & echo $$; sleep 601; echo no",
            "trap '' TERM; (trap '' TERM; sleep 600; sleep 602) & echo $$; sleep 603; sleep 604",
        ] {
            let id = fresh_id();
            let command = shell(script);
            let mut run = node.request(Verb::Run, &id, &command).spawn().unwrap();
            let input = wrapper::input(Verb::Run, &id, &command).unwrap();
            run.stdin.take().unwrap().write_all(input.reveal().as_bytes()).unwrap();
            // Its first line says that the group is complete.
            let mut said = BufReader::new(run.stdout.take().unwrap());
            let mut group = String::new();
            said.read_line(&mut group).unwrap();
            assert_eq!(node.standing(&id), Some(Standing::Running));
            let (code, _, stderr) = node.ask(Verb::Kill, &id, &command);
            assert_eq!((code, stderr.as_str()), (0, ""), "{:?}", node.shell);
            let ended = run.wait().unwrap();
            assert!(!group_lives(group.trim().parse().unwrap()), "{:?}", node.shell);
            let code = if script.starts_with("trap") { 137 } else { 143 };
            assert_eq!(ended.code(), Some(code), "{:?}", node.shell);
            assert_eq!(node.standing(&id), Some(Standing::Exited(code)));
        }
        // A kill that overtakes its run keeps it from starting.
        let id = fresh_id();
        assert_eq!(node.ask(Verb::Kill, &id, &shell("")).0, 3);
        assert_eq!(node.ask(Verb::Run, &id, &shell("echo no")).1, "");
    }
}

#[test]
fn a_kill_reaches_what_an_ended_command_has_left_and_nobody_else() {
    for node in nodes() {
        let id = fresh_id();
        let command = shell("sleep 600 >/dev/null 2>&1 & echo $$");
        let (code, group, _) = node.ask(Verb::Run, &id, &command);
        let group: u32 = group.trim().parse().unwrap();
        assert_eq!((code, node.standing(&id)), (0, Some(Standing::Exited(0))), "{:?}", node.shell);
        assert!(group_lives(group), "{:?}", node.shell);
        assert_eq!(node.ask(Verb::Kill, &id, &command).0, 0);
        assert!(!group_lives(group), "{:?}", node.shell);
        assert_eq!(node.standing(&id), Some(Standing::Exited(0)), "how it ended stays");

        // A group of the same number that bears no such id is somebody else's.
        let mut other = Command::new("setsid");
        let mut other = other.args(["sh", "-c", "sleep 600 & echo $$"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut number = String::new();
        BufReader::new(other.stdout.take().unwrap()).read_line(&mut number).unwrap();
        other.wait().unwrap();
        let number: u32 = number.trim().parse().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let folder = if uid == 0 { "/run/halcyon".to_owned() } else { format!("/tmp/.halcyon-{uid}") };
        let note = format!("{folder}/{id}.run");
        let (_, rest) =
            std::fs::read_to_string(&note).unwrap().split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        std::fs::write(&note, format!("{number} {rest}")).unwrap();
        assert_eq!(node.ask(Verb::Kill, &id, &command).0, 0);
        assert!(group_lives(number), "{:?}", node.shell);
        let group = rustix::process::Pid::from_raw(i32::try_from(number).unwrap()).unwrap();
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    }
}

#[test]
fn a_machine_says_how_long_it_has_been_up() {
    let uptime: f64 = std::fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap();
    for node in nodes() {
        let id = fresh_id();
        let command = shell("echo on; sleep 600");
        let mut run = node.request(Verb::Run, &id, &command).spawn().unwrap();
        let input = wrapper::input(Verb::Run, &id, &command).unwrap();
        run.stdin.take().unwrap().write_all(input.reveal().as_bytes()).unwrap();
        BufReader::new(run.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        let report = Report::parse(&node.ask(Verb::Status, &id, &command).1).unwrap();
        assert_eq!(report.standing, Standing::Running);
        let near = |seconds: f64, expected: f64| (seconds - expected).abs() < 60.0;
        assert!(near(report.up.unwrap().as_secs_f64(), uptime), "{report:?} {uptime}");
        assert!(near(report.running_for.unwrap().as_secs_f64(), 0.0), "{report:?}");
        assert_eq!(node.ask(Verb::Kill, &id, &command).0, 0);
        run.wait().unwrap();
        let report = Report::parse(&node.ask(Verb::Status, &id, &command).1).unwrap();
        assert_eq!((report.standing, report.running_for), (Standing::Exited(143), None));
    }
}

#[test]
fn a_machine_says_for_how_long_it_has_kept_its_notes() {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let boot = boot.trim();
    for node in nodes() {
        let place = tempfile::tempdir().unwrap();
        let notes = place.path().join("notes");
        let node = Node { notes: Some(notes.clone()), ..node };
        let noted = |verb| {
            assert_eq!(node.ask(verb, &fresh_id(), &shell("true")).0, if verb == Verb::Kill { 3 } else { 0 });
            Report::parse(&node.ask(Verb::Status, &fresh_id(), &shell("")).1).unwrap().noted.map(|time| time.as_secs())
        };
        // They are counted from whatever comes first.
        for verb in [Verb::Run, Verb::Look, Verb::Kill, Verb::Status, Verb::Forget] {
            assert!(noted(verb).unwrap() < 60, "{:?} {verb:?}", node.shell);
            assert!(notes.join("since").is_file(), "{:?} {verb:?}", node.shell);
            std::fs::remove_dir_all(&notes).unwrap();
        }
        std::fs::create_dir(&notes).unwrap();
        // What they have been counted from since, and whether that is believed.
        for (text, believed) in [
            (format!("0 {boot}\n"), true),
            ("0 01234567-89ab-cdef-0123-456789abcdef\n".to_owned(), false),
            (String::new(), false),
            ("0\n".to_owned(), false),
        ] {
            std::fs::write(notes.join("since"), &text).unwrap();
            let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
            let uptime: u64 = uptime.split('.').next().unwrap().parse().unwrap();
            let age = noted(Verb::Status).unwrap();
            assert!(if believed { age >= uptime } else { age < 60 }, "{:?} {text:?} {age}", node.shell);
            let counted = std::fs::read_to_string(notes.join("since")).unwrap();
            assert!(counted.ends_with(&format!(" {boot}\n")) && (counted == text) == believed, "{counted}");
        }
        // Where it cannot be written, nothing is said; nor of time to come.
        std::fs::remove_file(notes.join("since")).unwrap();
        std::fs::create_dir(notes.join("since")).unwrap();
        assert_eq!(noted(Verb::Status), None, "{:?}", node.shell);
        std::fs::remove_dir(notes.join("since")).unwrap();
        std::fs::write(notes.join("since"), format!("999999999999 {boot}\n")).unwrap();
        assert_eq!(noted(Verb::Status), None, "{:?}", node.shell);
    }
}

#[test]
fn a_lost_connection_does_not_end_the_command() {
    for node in nodes() {
        let id = fresh_id();
        let command = shell("for i in 1 2 3 4 5; do echo line; echo line >&2; sleep 0.1; done; exit 7");
        let mut run = node.request(Verb::Run, &id, &command).spawn().unwrap();
        let input = wrapper::input(Verb::Run, &id, &command).unwrap();
        run.stdin.take().unwrap().write_all(input.reveal().as_bytes()).unwrap();
        drop((run.stdout.take(), run.stderr.take()));
        poll("the command ends by itself", || node.standing(&id) == Some(Standing::Exited(7)));
        run.wait().unwrap();
    }
}

#[test]
fn a_look_is_heard_or_ends_and_leaves_no_status() {
    for node in nodes() {
        let looks = |script: &str| ShellCommand { read_only: true, ..shell(script) };
        let (id, command) = (fresh_id(), looks("echo out; echo err >&2; cat; exit 3"));
        assert_eq!(Verb::of(&command), Verb::Look);
        let longer = ShellCommand { timeout: wrapper::LONGEST_LOOK + Duration::from_secs(1), ..command.clone() };
        assert_eq!(Verb::of(&longer), Verb::Run);
        assert_eq!(
            node.ask(Verb::Look, &id, &command),
            (3, "out\n".to_owned(), "err\n".to_owned()),
            "{:?}",
            node.shell
        );
        assert_eq!(node.standing(&id), Some(Standing::Nothing), "{:?}", node.shell);
        // An id runs once, whatever it was run as.
        for verb in [Verb::Look, Verb::Run] {
            let (code, stdout, stderr) = node.ask(verb, &id, &command);
            assert_eq!((code, stdout.as_str()), (125, ""), "{:?}", node.shell);
            assert!(stderr.contains("was run before"), "{stderr}");
        }

        // Half a script does not run, and what is long arrives whole.
        let (id, long) = (fresh_id(), looks(&format!("true {}\necho the end", "x".repeat(300_000))));
        let whole = wrapper::input(Verb::Look, &id, &long).unwrap();
        let half = node.ask_with(Verb::Look, &id, &long, &whole.reveal().as_bytes()[..1_000]);
        assert_eq!((half.status.code(), &*half.stdout), (Some(125), &b""[..]), "{:?}", node.shell);
        assert_eq!(node.ask(Verb::Look, &id, &long).1, "the end\n", "{:?}", node.shell);

        // While it runs it is known, and a kill reaches all of it.
        let begin = |script: &str| {
            let (id, command) = (fresh_id(), looks(script));
            let mut look = node.request(Verb::Look, &id, &command).spawn().unwrap();
            let input = wrapper::input(Verb::Look, &id, &command).unwrap();
            look.stdin.take().unwrap().write_all(input.reveal().as_bytes()).unwrap();
            let mut said = BufReader::new(look.stdout.take().unwrap());
            let mut group = String::new();
            said.read_line(&mut group).unwrap();
            (id, look, said, group.trim().parse::<u32>().unwrap())
        };
        let (id, mut look, _said, group) = begin("sleep 600 & echo $$; sleep 601");
        assert_eq!(node.standing(&id), Some(Standing::Running), "{:?}", node.shell);
        assert_eq!(node.ask(Verb::Kill, &id, &shell("")).0, 0);
        look.wait().unwrap();
        assert!(!group_lives(group), "{:?}", node.shell);
        assert_eq!(node.standing(&id), Some(Standing::Nothing));

        // Nobody hears it any more: what it says next ends it.
        let (id, mut look, said, group) = begin("echo $$; while :; do echo more; sleep 0.05; done");
        drop((said, look.stderr.take()));
        look.wait().unwrap();
        poll("a look that nobody hears ends", || !group_lives(group));
        assert_eq!(node.standing(&id), Some(Standing::Nothing));

        // A kill that overtakes it keeps it from starting.
        let id = fresh_id();
        assert_eq!(node.ask(Verb::Kill, &id, &shell("")).0, 3);
        assert_eq!(node.ask(Verb::Look, &id, &looks("echo no")).1, "", "{:?}", node.shell);
    }
}

/// Of a look no end is ever kept, so a kill does not wait for one.
#[test]
fn a_kill_does_not_wait_for_what_is_never_kept() {
    let directory = tempfile::tempdir().unwrap();
    let naps = directory.path().join("naps");
    let sleep = directory.path().join("sleep");
    std::fs::write(&sleep, format!("#!/bin/sh\necho nap >>{}\nexec /bin/sleep \"$@\"\n", naps.display())).unwrap();
    std::fs::set_permissions(&sleep, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap());
    for node in nodes() {
        let (id, command) = (fresh_id(), ShellCommand { read_only: true, ..shell("echo seen") });
        assert_eq!(node.ask(Verb::Look, &id, &command).1, "seen\n");
        let killed = node.request(Verb::Kill, &id, &command).env("PATH", &path).stdin(Stdio::null()).status().unwrap();
        assert_eq!(killed.code(), Some(0), "{:?}", node.shell);
        assert_eq!(std::fs::read_to_string(&naps).unwrap_or_default(), "", "{:?}", node.shell);
    }
}

#[test]
fn what_is_left_in_the_background_does_not_hold_the_wrapper() {
    for node in nodes() {
        let id = fresh_id();
        let gate = tempfile::tempdir().unwrap();
        let (open, done) = (gate.path().join("open"), gate.path().join("done"));
        let script = format!(
            "(until [ -e {} ]; do sleep 0.1; done; echo more; echo more >&2; touch {}) & echo out; exit 4",
            open.display(),
            done.display()
        );
        let began = Instant::now();
        // Output is read to its end, which does not come before the wrapper lets go of it.
        let (code, stdout, stderr) = node.ask(Verb::Run, &id, &shell(&script));
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (4, "out\n", ""), "{:?}", node.shell);
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", node.shell);
        // It can write on without being killed for it.
        std::fs::write(open, "").unwrap();
        poll("what is in the background goes on", || done.exists());
    }
}

#[test]
fn what_is_not_of_the_protocol_is_refused() {
    let node = Node { shell: vec!["sh"], notes: None };
    for (id, verb, expected) in
        [("../x", Verb::Run, 125), ("", Verb::Kill, 2), (".x", Verb::Status, 2), ("a b", Verb::Forget, 2)]
    {
        let (code, _, stderr) = node.ask(verb, id, &shell("echo no"));
        assert_eq!(code, expected, "{id}");
        assert!(stderr.starts_with("halcyon-1: "), "{stderr}");
    }
    for (name, value) in [("1A", "x"), ("A-B", "x"), ("", "x"), ("A;reboot", "x"), ("A", "zero\0")] {
        let mut command = shell("true");
        command.env.insert(name.to_owned(), Secret::new(value));
        assert!(wrapper::input(Verb::Run, "a", &command).is_err(), "{name}={value}");
    }
}

#[test]
fn nothing_of_a_command_is_in_the_command_line() {
    let mut command = shell("echo s3cret-script");
    command.env.insert("TOKEN".to_owned(), Secret::new("s3cret-env"));
    command.cwd = Some("/s3cret-cwd".to_owned());
    command.sudo = true;
    command.sudo_password = Some(Secret::new("s3cret-password"));
    let line = wrapper::line(Verb::Run, "abc", &command);
    assert!(line.starts_with("sudo -E -H -S -p '' -- sh -c '"), "{line}");
    assert!(line.ends_with(" halcyon-1 run abc"), "{line}");
    assert!(!line.contains("s3cret"));
    let input = wrapper::input(Verb::Kill, "abc", &command).unwrap();
    assert_eq!(input.reveal(), "s3cret-password\n");
    assert_eq!(format!("{input:?}"), "********");
    let id = wrapper::node_id(&ExecutionId::new("0123456789abcdef01234567"), &Host::new("wn001"), 0);
    assert_eq!((id.len(), &id[..8]), (24, "01234567"));
    assert_ne!(id, wrapper::node_id(&ExecutionId::new("0123456789abcdef01234567"), &Host::new("wn002"), 0));
}

#[test]
fn reasons_are_said_in_plain_words() {
    let table = include_str!("../data/ssh/reasons.txt");
    let mut cases = 0;
    for case in table.split("\n\n").filter(|case| !case.trim().is_empty()) {
        let (log, expected) = case.trim().rsplit_once("\n=> ").unwrap();
        assert_eq!(explain(log), expected, "{log}");
        cases += 1;
    }
    assert!(cases > 20, "only {cases} cases");
}

#[test]
fn live_lines_cannot_paint() {
    for (given, expected) in [
        ("plain", "plain"),
        ("\u{1b}[1;31mred\u{1b}[0m", "red"),
        ("\u{1b}]0;title\u{7}after", "after"),
        ("\u{1b}]8;;http://x\u{1b}\\link", "link"),
        ("a\tb\u{8}\u{0}c\u{9b}d", "a bcd"),
        ("\u{202e}evil\u{2066}\u{200b}", "evil"),
        ("\u{1b}(Bx\u{1b}=y\u{1b}", "xy"),
    ] {
        assert_eq!(showable(given), expected, "{given:?}");
    }
    let long = showable(&"ü".repeat(600));
    assert_eq!((long.chars().count(), long.ends_with("ü…")), (500, true));
}

/// What is kept of bytes when so many are allowed.
async fn capture(bytes: &[u8], allowed: u64, blobs: &dyn Blobs) -> Captured {
    let (host, live, allowance) = (Host::new("h"), Live::default(), Allowance::new(allowed));
    let stream = Stream { host: &host, blobs, allowance: &allowance, live: &live };
    stream.read(bytes, &tokio_util::sync::CancellationToken::new()).await
}

#[tokio::test]
async fn short_output_is_kept_inline_and_long_output_in_a_blob() {
    let blobs = MemoryBlobs::default();
    for (given, expected) in [
        (&b""[..], ""),
        (b"one\n", "one"),
        (b"one\r\n", "one"),
        (b"one\n\n", "one\n"),
        (b"\n", ""),
        (b"bad \xff byte", "bad \u{fffd} byte"),
    ] {
        assert_eq!(capture(given, 1000, &blobs).await, Captured::Inline { text: expected.to_owned() });
    }
    let exactly = vec![b'x'; INLINE_OUTPUT];
    assert!(matches!(capture(&exactly, 1 << 20, &blobs).await, Captured::Inline { .. }));
    let invalid = vec![0xff; INLINE_OUTPUT];
    assert!(matches!(capture(&invalid, 1 << 20, &blobs).await, Captured::Blob { bytes: 4096, .. }));

    let lines: String = (1..=100_000).map(|number| format!("line {number}\n")).collect();
    let Captured::Blob { blob, bytes, lines: count, head, tail, dropped } =
        capture(lines.as_bytes(), 1 << 30, &blobs).await
    else {
        panic!("it is long")
    };
    assert_eq!((bytes, count, dropped), (lines.len() as u64, 100_000, 0));
    assert_eq!(blobs.get(&blob), lines.as_bytes());
    assert!(head.starts_with("line 1\nline 2\n") && head.len() <= 1500 && head.len() > 1400);
    assert!(tail.ends_with("line 99999\nline 100000") && tail.starts_with("line 9") && tail.len() > 1400);

    let Captured::Blob { blob, bytes, dropped, tail, .. } = capture(lines.as_bytes(), 10_000, &blobs).await else {
        panic!("it is long")
    };
    assert_eq!((bytes, dropped), (10_000, lines.len() as u64 - 10_000));
    assert_eq!(blobs.get(&blob), &lines.as_bytes()[..10_000]);
    assert!(tail.ends_with("line 100000"));
    assert!(matches!(capture(b"short", 2, &blobs).await, Captured::Blob { bytes: 2, dropped: 3, .. }));

    let Captured::Inline { text } = capture(lines.as_bytes(), 1 << 30, &FullBlobs).await else {
        panic!("there is no blob")
    };
    assert!(text.contains("could not be kept: the index of the store failed: no space left"));
    assert!(text.starts_with("line 1\n") && text.ends_with("line 100000") && text.len() <= INLINE_OUTPUT);
}
