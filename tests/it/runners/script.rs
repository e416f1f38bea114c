//! Scripts of packs: the command line is StackStorm's, the script finds what it needs, and nothing is left behind.

use super::{action, outcome, outcome_until, pack, text, told, work};
use crate::ssh::{MemoryBlobs, poll};
use halcyon::adapters::content::read_packs;
use halcyon::adapters::local::{LocalOptions, LocalRunner};
use halcyon::core::action::launcher::{Place, arguments, launcher};
use halcyon::core::action::params;
use halcyon::core::action::run::{Exit, ShellCommand, Work};
use halcyon::core::content::load::load;
use halcyon::core::id::ActionRef;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

fn runner(run_as: Option<&str>) -> (LocalRunner, MemoryBlobs) {
    let blobs = MemoryBlobs::default();
    let options = LocalOptions { run_as: run_as.map(str::to_owned), ..LocalOptions::default() };
    (LocalRunner::new(options, Arc::new(blobs.clone())), blobs)
}

/// What StackStorm's `get_args` and its script action make of the same values.
#[test]
fn the_command_line_is_stackstorms() {
    let file = "{name: a, runner_type: local-shell-script, entry_point: a.sh, parameters: {
        text: {type: string, position: 3}, number: {type: number, position: 4}, whole: {type: integer, position: 5},
        flag: {type: boolean, position: 6}, list: {type: array, position: 7}, map: {type: object, position: 8},
        any: {position: 9}, named: {type: string}, other: {type: boolean}, many: {type: array}, deep: {type: object},
        count: {type: integer}}}";
    let action = action(&[pack("/p", &[("actions/a.yaml", file), ("actions/a.sh", "")])], "t.a");
    for (given, expected) in [
        // Every positional one has its place.
        (json!({}), vec!["", "", "", "", "", "", ""]),
        (
            json!({"text": "two words", "number": 0.5, "whole": 7, "flag": true, "list": [1, "b"], "map": {"a": 1}, "any": "x"}),
            vec!["two words", "0.5", "7", "1", "1,b", r#"{"a":1}"#, "x"],
        ),
        (json!({"flag": false, "number": 0, "whole": 0, "list": [], "map": {}}), vec!["", "0", "", "0", "", "", ""]),
        (
            json!({"named": "it's; $(here)", "other": true, "many": ["a", 1], "deep": {"a": true}, "count": 0}),
            vec![
                "--count=0",
                "--deep={'a': True}",
                "--many=['a', 1]",
                "--named=it's; $(here)",
                "--other",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
            ],
        ),
        (json!({"named": "", "other": false}), vec!["", "", "", "", "", "", ""]),
    ] {
        let given: BTreeMap<String, Value> = serde_json::from_value(given).unwrap();
        let resolved = params::resolve(&action, &given).unwrap();
        assert_eq!(arguments(&action, &resolved.values, "--"), expected, "{given:?}");
    }
    let given = BTreeMap::from([("named".to_owned(), json!("x"))]);
    let resolved = params::resolve(&action, &given).unwrap();
    assert_eq!(arguments(&action, &resolved.values, "-")[0], "-named=x");
}

#[test]
fn what_a_script_runner_needs_is_looked_for_when_it_is_loaded() {
    let file = |entry: &str| format!("{{name: a, runner_type: remote-shell-script, entry_point: {entry}}}");
    for (entry, said) in [
        ("b.sh", "/p/actions/a.yaml:1: entry_point: there is no file actions/b.sh in the pack\n"),
        ("../b.sh", "/p/actions/a.yaml:1: entry_point: must not lead out of the pack's actions\n"),
        ("/etc/passwd", "/p/actions/a.yaml:1: entry_point: must not lead out of the pack's actions\n"),
        ("''", "/p/actions/a.yaml: entry_point: the runner remote-shell-script needs the script that it is to run\n"),
        ("./a.sh", ""),
        (
            "zero.sh",
            "/p/actions/a.yaml:1: entry_point: the script /p/actions/zero.sh holds zero bytes: it is a program and not a text\n",
        ),
    ] {
        let files = [("actions/a.yaml", &*file(entry)), ("actions/a.sh", "true"), ("actions/zero.sh", "\0")];
        let loaded = load(&[pack("/p", &files)]);
        assert_eq!(
            told(&loaded)
                .replace("/p/actions/a.yaml:1: entry_point: there is no file actions/../b.sh in the pack\n", ""),
            said,
            "{entry}"
        );
        assert_eq!(loaded.catalog.actions.contains_key(&ActionRef::new("t.a")), said.is_empty(), "{entry}");
    }
    let cmd = "{name: a, runner_type: local-shell-cmd, entry_point: a.sh, parameters: {cmd: {default: id}}}";
    let loaded = load(&[pack("/p", &[("actions/a.yaml", cmd)])]);
    assert!(told(&loaded).contains("did you mean \"local-shell-script\"?"), "{}", told(&loaded));
}

#[test]
fn an_action_is_another_one_when_its_script_is() {
    let content = |script: &str, library: &str| {
        let file = "{name: a, runner_type: local-shell-script, entry_point: a.sh}";
        let files = [("actions/a.yaml", file), ("actions/a.sh", script), ("actions/lib/l.sh", library)];
        action(&[pack("/p", &files)], "t.a").content.clone()
    };
    assert_eq!(content("a", "b"), content("a", "b"));
    assert_ne!(content("a", "b"), content("a2", "b"));
    assert_ne!(content("a", "b"), content("a", "b2"));
    assert_ne!(content("ab", ""), content("a", "b"));
}

/// A pack on disk as somebody would write one, run as this account and as another one, which may read the pack or not.
#[tokio::test]
async fn a_script_runs_among_what_lies_beside_it_and_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("t");
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("pack.yaml", "{ref: t, name: t, description: t, version: 1.0.0, author: t}");
    write("etc/greeting", "hello from the pack");
    write("actions/lib/words.sh", "word=library\n");
    write("actions/deep/beside.sh", "echo \"beside: $1\"\n");
    write(
        "actions/a.yaml",
        "{name: a, runner_type: local-shell-script, entry_point: deep/a script.sh, parameters: {\
         first: {type: string, position: 0}, second: {type: string, position: 1}, quiet: {type: boolean}, name: {type: string}}}",
    );
    write(
        "actions/deep/a script.sh",
        "#!/bin/bash\nhere=$(dirname \"$0\")\n. \"$here/../lib/words.sh\"\n. \"$here/beside.sh\" \"$word\"\n\
         cat \"$here/../../etc/greeting\"; echo\nprintf '<%s>' \"$@\"; echo\necho \"$PWD\" \"$KEY\" >&2\necho \"$here\"\nexit 5\n",
    );
    let loaded = load(&read_packs(std::slice::from_ref(&root)));
    assert_eq!(told(&loaded), "");
    let action = &loaded.catalog.actions[&ActionRef::new("t.a")];
    let hard = "it's \"hard\"; $(id) `id`\n# halcyon-1 end";
    let given = json!({"first": hard, "second": "", "quiet": true, "name": "a b", "cwd": "/tmp", "timeout": 20});
    let mut others = vec![None];
    if rustix::process::geteuid().is_root() {
        others.push(Some("nobody"));
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }
    for run_as in others {
        let (runner, blobs) = runner(run_as);
        let Work::Local(mut command) = work(action, &given) else { panic!("it is local") };
        command.env.insert("KEY".to_owned(), halcyon::core::action::run::Secret::new("v a l"));
        let ended = outcome(&runner, Work::Local(command)).await.unwrap();
        let (stdout, stderr) = (text(&ended.stdout, &blobs), text(&ended.stderr, &blobs));
        assert_eq!(ended.exit, Exit::Code { code: 5 }, "{stdout} {stderr}");
        let (said, here) = stdout.rsplit_once('\n').unwrap();
        assert_eq!(said, format!("beside: library\nhello from the pack\n<--name=a b><--quiet><{hard}><>"));
        assert_eq!(stderr, "/tmp v a l");
        assert!(here.ends_with("/t/actions/deep"), "{here}");
        assert!(!std::path::Path::new(here).exists(), "{here} was left");
    }
    // Who cannot read the pack can run the script all the same.
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let (runner, blobs) = runner(Some("nobody"));
        let ended = outcome(&runner, work(action, &given)).await.unwrap();
        assert!(text(&ended.stdout, &blobs).contains("<--quiet>"), "{ended:?}");
    }
}

#[tokio::test]
async fn a_script_in_another_language_and_one_without_a_first_line_run() {
    for (script, expected) in [
        ("#!/usr/bin/env bash\necho \"${BASH_VERSION:+bash} $1\"", "bash x y"),
        ("#!/usr/bin/awk -f\nBEGIN { print \"awk \" ARGV[1] }", "awk x y"),
        ("echo \"plain $1\"", "plain x y"),
    ] {
        let file =
            "{name: a, runner_type: local-shell-script, entry_point: a, parameters: {x: {type: string, position: 1}}}";
        let action = action(&[pack("/no/such", &[("actions/a.yaml", file), ("actions/a", script)])], "t.a");
        let (runner, blobs) = runner(None);
        let ended = outcome(&runner, work(&action, &json!({"x": "x y"}))).await.unwrap();
        assert_eq!(text(&ended.stdout, &blobs), expected, "{ended:?}");
        assert_eq!(ended.exit, Exit::Code { code: 0 });
    }
}

#[tokio::test]
async fn a_script_that_is_stopped_leaves_nothing_either() {
    let place = tempfile::tempdir().unwrap();
    let seen = place.path().join("seen");
    let file =
        "{name: a, runner_type: local-shell-script, entry_point: a.sh, parameters: {x: {type: string, position: 1}}}";
    let script = "#!/bin/sh\ndirname \"$0\" >\"$1.new\"; mv \"$1.new\" \"$1\"\nsleep 600\n";
    let action = action(&[pack("/no/such", &[("actions/a.yaml", file), ("actions/a.sh", script)])], "t.a");
    let (runner, _) = runner(None);
    let cancel = CancellationToken::new();
    let stop = async {
        while !seen.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        cancel.cancel();
    };
    let work = work(&action, &json!({"x": seen.display().to_string()}));
    let (ended, ()) = tokio::join!(outcome_until(&runner, work, cancel.clone()), stop);
    assert_eq!(ended.unwrap().exit, Exit::Canceled);
    let directory = fs::read_to_string(&seen).unwrap();
    poll("the directory is gone", || !std::path::Path::new(directory.trim()).exists());
}

#[test]
fn what_goes_to_a_node_carries_script_and_library_along() {
    let file =
        "{name: a, runner_type: remote-shell-script, entry_point: sub/a.sh, parameters: {dir: {default: /var/tmp}}}";
    let files = [
        ("actions/a.yaml", file),
        ("actions/sub/a.sh", "#!/bin/sh\necho 'hi'\n"),
        ("actions/lib/x/y.sh", "#!/bin/sh\n"),
    ];
    let action = action(&[pack("/p", &files)], "t.a");
    let Work::Remote(remote) = work(&action, &json!({"hosts": "wn001"})) else { panic!("it is remote") };
    let script = &remote.command.script;
    let expected = launcher(action.script.as_ref().unwrap(), Place::There("/var/tmp"), "t", &[]);
    assert_eq!(*script, expected);
    assert!(script.starts_with("halcyon_place=/var/tmp/halcyon-$HALCYON_RUN\n"), "{script}");
    for part in
        ["mkdir -p \"$halcyon_place\"/lib/x || exit 1", "\"$halcyon_place\"/lib/x/y.sh", "\"$halcyon_place\"/a.sh\n"]
    {
        assert!(script.contains(part), "{part} in {script}");
    }
    assert!(!script.contains("ln -s"), "{script}");
}

#[test]
fn what_a_person_gives_to_a_script_is_an_argument_and_nothing_else() {
    let file = "{name: a, runner_type: local-shell-script, entry_point: a.sh, parameters: {x: {type: string}}}";
    let action = action(&[pack("/p", &[("actions/a.yaml", file), ("actions/a.sh", "")])], "t.a");
    for (given, why) in [
        (
            json!({"env": {"BASH_ENV": "x"}}),
            "`env` cannot be given, because it could change what the action's own command does",
        ),
        (json!({"sudo": true}), "`sudo` cannot be given, because the action itself decides as whom its command runs"),
        (json!({"content_version": "v1"}), "`content_version` cannot be chosen: I run the version that I have loaded"),
        (json!({"x": "a\u{0}b"}), "`the arguments` must not contain a zero byte, and number 1 does"),
    ] {
        assert_eq!(super::planned(&action, &given).unwrap_err().to_string(), why);
    }
    let Work::Local(ShellCommand { script, .. }) = work(&action, &json!({"x": "; rm -rf /"})) else { panic!() };
    assert!(script.ends_with("a.sh '--x=; rm -rf /'\n"), "{script}");
}
