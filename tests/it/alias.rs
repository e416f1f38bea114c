//! Aliases: the grammar of formats, matching, suggestions and help.

use halcyon::core::alias::grammar::Format;
use halcyon::core::alias::help::help;
use halcyon::core::alias::lacking::put_in;
use halcyon::core::alias::matcher::{Matcher, Selection};
use halcyon::core::alias::spec::{Alias, FormatSpec, Representation};
use halcyon::core::alias::suggest::suggest;
use halcyon::core::id::{ActionRef, AliasRef, Host};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One recorded case: what the format makes of the text, or that it refuses it.
fn check_recorded(case: &Value) -> Result<(), String> {
    let text = |key: &str| case[key].as_str().map(str::to_owned);
    let (format, line) = (text("format").unwrap(), text("text").unwrap());
    let compiled = Format::compile(&format).map_err(|error| format!("`{format}`: {error}"))?;
    let found = compiled.read(&line, None).map_err(|error| error.to_string())?.map(|reading| reading.parameters);
    let expected: Option<BTreeMap<String, String>> =
        case.get("params").map(|params| serde_json::from_value(params.clone()).unwrap());
    if found == expected {
        return Ok(());
    }
    Err(format!("`{format}` on `{line}`: {found:?} instead of {expected:?} ({})", compiled.expression()))
}

fn check_file(json: &str) {
    let cases: Vec<Value> = serde_json::from_str(json).unwrap();
    assert!(cases.len() >= 30, "the recording is cut short: {} cases", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(|case| check_recorded(case).err()).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn reads_what_stackstorm_reads() {
    check_file(include_str!("../data/alias/st2_cases.json"));
}

#[test]
fn reads_what_the_shared_recording_says() {
    let Ok(folder) = std::env::var("HALCYON_CONFORMANCE") else { return };
    let path = std::path::Path::new(&folder).join("st2_alias_cases.json");
    check_file(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
}

#[test]
fn reads_formats_as_documented() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../data/alias/formats.json")).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let (format, line) = (case["format"].as_str().unwrap(), case["line"].as_str().unwrap());
        let known: Option<BTreeSet<String>> = serde_json::from_value(case["known"].clone()).unwrap();
        let expected: Option<BTreeMap<String, String>> = serde_json::from_value(case["params"].clone()).unwrap();
        let slow = case["slow"].as_bool().unwrap_or(false);
        let found = Format::compile(format).map(|compiled| {
            let found = compiled.read(line, known.as_ref()).unwrap().map(|reading| reading.parameters);
            (found, compiled.is_linear(), compiled.expression().to_owned())
        });
        match found {
            Ok((found, linear, _)) if found == expected && linear != slow => {}
            other => wrong.push(format!("{}: `{format}` on `{line}`: {other:?}", case["why"])),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// What a format reads is found through the index too, whatever the format begins with.
#[test]
fn the_index_loses_nothing() {
    let mut cases: Vec<Value> = serde_json::from_str(include_str!("../data/alias/formats.json")).unwrap();
    let recorded: Vec<Value> = serde_json::from_str(include_str!("../data/alias/st2_cases.json")).unwrap();
    cases.extend(recorded);
    for case in &cases {
        let format = case["format"].as_str().unwrap();
        let line = case["line"].as_str().or(case["text"].as_str()).unwrap();
        let known: Option<Vec<String>> = serde_json::from_value(case["known"].clone()).unwrap();
        let one = alias(&serde_json::json!({"name": "one", "action": "site.x", "formats": [format]}));
        let (matcher, _) = Matcher::new(&[one], &|_| known.clone());
        let found = matcher.matches(line).first().map(|hit| serde_json::to_value(&hit.parameters).unwrap());
        assert_eq!(found.unwrap_or_default(), case["params"], "`{format}` on `{line}`");
    }
}

#[test]
fn says_what_is_wrong_with_a_format() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../data/alias/bad_formats.json")).unwrap();
    for case in &cases {
        let format = case["format"].as_str().unwrap();
        let problem = Format::compile(format).map(|_| ()).unwrap_err().to_string();
        assert_eq!(problem, case["problem"].as_str().unwrap(), "`{format}`");
    }
}

/// A site as `site.json` draws it: its aliases, and the names of those that the asker may not use.
struct Site {
    data: Value,
    aliases: Vec<Arc<Alias>>,
    forbidden: BTreeSet<String>,
}

impl Site {
    fn load() -> Self {
        let data: Value = serde_json::from_str(include_str!("../data/alias/site.json")).unwrap();
        let all = data["aliases"].as_array().unwrap();
        let forbidden = all.iter().filter(|alias| alias["forbidden"] == true).map(name).collect();
        Self { aliases: all.iter().map(alias).collect(), forbidden, data }
    }

    fn matcher(&self) -> Matcher {
        let (matcher, problems) = Matcher::new(&self.aliases, &|action| {
            serde_json::from_value(self.data["actions"][action.as_str()].clone()).unwrap()
        });
        assert_eq!(problems, []);
        matcher
    }

    fn may(&self) -> impl Fn(&Alias) -> bool {
        |alias| !self.forbidden.contains(short(&alias.reference))
    }

    fn cases(&self, key: &str) -> &[Value] {
        self.data[key].as_array().unwrap()
    }
}

fn name(alias: &Value) -> String {
    alias["name"].as_str().unwrap().to_owned()
}

fn short(reference: &AliasRef) -> &str {
    reference.as_str().strip_prefix("site.").unwrap()
}

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .map(|texts| texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect())
        .unwrap_or_default()
}

fn alias(written: &Value) -> Arc<Alias> {
    let formats = written["formats"].as_array().unwrap().iter().enumerate().map(|(at, format)| {
        let texts = format.as_str().map_or_else(|| texts(&format["representation"]), |text| vec![text.to_owned()]);
        let representations =
            texts.into_iter().map(|text| Representation { text, line: at + 3, key_path: format!("formats[{at}]") });
        FormatSpec {
            display: format["display"].as_str().map(str::to_owned),
            representations: representations.collect(),
            help: format["help"].as_str().map(str::to_owned),
            match_multiple: format["match_multiple"] == true,
        }
    });
    Arc::new(Alias {
        reference: AliasRef::new(format!("site.{}", name(written))),
        description: written["description"].as_str().unwrap_or_default().to_owned(),
        enabled: written["enabled"] != false,
        action: ActionRef::new(written["action"].as_str().unwrap()),
        formats: formats.collect(),
        ack: None,
        result: None,
        immutable_parameters: serde_json::Map::new(),
        extra: serde_json::Map::new(),
        file: format!("aliases/{}.yaml", name(written)),
    })
}

#[test]
fn selects_what_a_line_means() {
    let site = Site::load();
    let matcher = site.matcher();
    for case in site.cases("lines") {
        let line = case["line"].as_str().unwrap();
        match matcher.select(line) {
            Selection::One(hit) => {
                assert_eq!(case["one"], *short(&hit.alias.reference), "`{line}`");
                assert_eq!(case["params"], serde_json::to_value(&hit.parameters).unwrap(), "`{line}`");
                assert_eq!(texts(&case["defaulted"]), hit.defaulted.into_iter().collect::<Vec<_>>(), "`{line}`");
            }
            Selection::Ambiguous(hits) => {
                let names: Vec<&str> = hits.iter().map(|hit| short(&hit.alias.reference)).collect();
                assert_eq!(texts(&case["ambiguous"]), names, "`{line}`");
            }
            Selection::None => assert_eq!(case["none"], true, "`{line}`"),
            Selection::Undecided(_) => panic!("`{line}` is undecided"),
        }
    }
}

#[test]
fn reports_lines_that_mean_two_aliases() {
    let site = Site::load();
    let found = site.matcher().ambiguities();
    let found: Vec<Value> = found
        .iter()
        .map(|ambiguity| {
            serde_json::json!({
                "first": short(&ambiguity.first.0.reference),
                "second": short(&ambiguity.second.0.reference),
                "example": ambiguity.example,
                "far_fetched": ambiguity.far_fetched,
            })
        })
        .collect();
    assert_eq!(site.cases("ambiguities"), found);
}

#[test]
fn suggests_lines_that_would_match() {
    let site = Site::load();
    let matcher = site.matcher();
    let hosts = texts(&site.data["hosts"]).into_iter().map(Host::new).collect();
    for case in site.cases("suggestions") {
        let line = case["line"].as_str().unwrap();
        assert_eq!(texts(&case["lines"]), suggest(line, &matcher, &site.may(), &hosts), "`{line}`");
    }
}

#[test]
fn helps_with_what_one_may_use() {
    let site = Site::load();
    for case in site.cases("help") {
        let shown = help(case["query"].as_str(), &site.aliases, &site.may());
        let shown: Vec<&str> = shown.iter().map(|line| line.display.as_str()).collect();
        assert_eq!(texts(&case["lines"]), shown, "{}", case["query"]);
    }
}

#[test]
fn a_bad_format_stops_nothing_else() {
    let broken = alias(&serde_json::json!({"name": "broken", "action": "site.x", "formats": [
        "foo {{a", "bar {{hots}}", {"representation": ["all {{a}}"], "match_multiple": true}, "call (?!all){{hosts}}"
    ]}));
    let (matcher, problems) = Matcher::new(&[broken], &|_| Some(vec!["hosts".into()]));
    let said: Vec<String> = problems.iter().map(|problem| problem.diagnostic.to_string()).collect();
    assert_eq!(
        said,
        [
            "aliases/broken.yaml:3: formats[0]: `{{` has no matching `}}`",
            "aliases/broken.yaml:4: warning: formats[1]: the action site.x has no parameter `hots`; did you mean `hosts`?",
            "aliases/broken.yaml:5: warning: formats[2]: the action site.x has no parameter `a`",
            "aliases/broken.yaml:6: warning: formats[3]: look-around, back references and possessive repeats are matched by a slow engine \
             that gives up on difficult lines; write the format without them",
        ]
    );
    assert!(matches!(matcher.select("bar x"), Selection::One(_)));
    assert!(matches!(matcher.select("foo x"), Selection::None));
    assert!(matches!(matcher.select("all x"), Selection::One(_)));
    assert!(matches!(matcher.select("call x"), Selection::One(_)));
}

/// Every format that an own command of the bot hides, and a line for example.
#[test]
fn says_what_own_commands_hide() {
    for (format, example) in [
        ("status", Some("status")),
        ("show {{id}}", Some("show 0a1b")),
        ("list {{what}}", Some("list 5")),
        ("help me with {{what}}", Some("help me with x")),
        ("freeze {{hosts}}", Some("freeze x")),
        ("again", Some("again")),
        ("(?P<word>[a-z]+)", Some("help")),
        ("status of {{hosts}}", None),
        ("show the {{hosts}}", None),
        ("restart {{service}}", None),
    ] {
        let one = alias(&serde_json::json!({"name": "one", "action": "site.x", "formats": [format]}));
        let (matcher, _) = Matcher::new(&[one], &|_| None);
        let said: Vec<String> = matcher.shadowed().iter().map(ToString::to_string).collect();
        let expected: Vec<String> = example
            .iter()
            .map(|line| {
                format!(
                    "aliases/one.yaml:3: warning: formats[0]: `{line}` is a command of the bot's own, which is meant wherever a line can \
                     be both; people reach the alias with `alias {line}`"
                )
            })
            .collect();
        assert_eq!(said, expected, "`{format}`");
    }
}

/// A format that only its expression describes is aligned as help shows it.
#[test]
fn a_slip_is_put_right_by_what_help_shows() {
    let one = alias(&serde_json::json!({"name": "one", "action": "site.x", "formats": [
        {"display": "hush {{host}} \"{{service}}\" {{time}}", "representation": [
            r#"hush (?P<host>[^\s"]+)( "(?P<service>[^"]+)")? (?P<time>\d+[mh])"#]},
        {"display": "hush {{host}} {{time}}", "representation": [
            r#"(hush|quieten) (?P<host>[^\s"]+)( "(?P<service>[^"]+)")? (?P<time>\d+[mh])( (?P<why>[^"].*))?"#]},
    ]}));
    let (matcher, _) = Matcher::new(&[one], &|_| None);
    let hosts = BTreeSet::from([Host::new("wn001")]);
    for (line, expected) in [
        ("huhs wn001 2h", vec!["hush wn001 2h"]),
        ("huhs wn01 2h", vec!["hush wn001 2h"]),
        ("huhs wn001 \"CPU load\" 2h", vec!["hush wn001 \"CPU load\" 2h"]),
        ("huhs wn001", vec![]),
        ("wn001 2h", vec![]),
    ] {
        assert_eq!(suggest(line, &matcher, &|_| true, &hosts), expected, "`{line}`");
    }
}

/// One value short, or not.
#[test]
fn knows_what_a_line_lacks() {
    let formats = [
        "reboot {{hosts}}",
        "send {{text}} to {{who}}",
        "run {{cmd}} {{times=1}}",
        "cut( down)? {{tree}}",
        r"note (on )?(?P<place>[^\s]+):? (?P<words>.*)",
    ];
    let one = alias(&serde_json::json!({"name": "one", "action": "site.x", "formats": formats}));
    let (matcher, _) = Matcher::new(&[one], &|_| None);
    for (line, expected) in [
        ("reboot", vec![("hosts", "reboot X")]),
        ("send hello to", vec![("who", "send hello to X")]),
        ("send to lead", vec![("text", "send X to lead")]),
        ("send to", vec![]),
        ("run", vec![("cmd", "run X")]),
        ("cut down", vec![("tree", "cut down X")]),
        ("cut timeout=5", vec![("tree", "cut X timeout=5")]),
        ("rebot", vec![]),
        ("note wn001", vec![("words", "note wn001 X")]),
        ("note", vec![("place", "note X")]),
    ] {
        let found = matcher.lacking(line, &|_| true);
        let found: Vec<(&str, String)> =
            found.iter().map(|lacking| (&*lacking.parameter, put_in(line, lacking.place, "X"))).collect();
        let expected: Vec<(&str, String)> = expected.into_iter().map(|(name, line)| (name, line.to_owned())).collect();
        assert_eq!(found, expected, "`{line}`");
        assert!(matcher.lacking(line, &|_| false).is_empty());
    }
}

/// A line on which backtracking takes time without end; the engine counts and gives up.
#[test]
fn a_slow_format_gives_up_and_says_so() {
    let slow = alias(&serde_json::json!({"name": "slow", "action": "site.x", "formats": ["((?P<w>a+)(?P=w)?)+b"]}));
    let (matcher, _) = Matcher::new(&[slow], &|_| None);
    let Selection::Undecided(undecided) = matcher.select(&"a".repeat(4_000)) else { panic!("it was decided") };
    assert_eq!(undecided[0].why.to_string(), "the format took more than 100000 steps on this line");
}

/// Whatever a line holds, the longest post is read without the counting engine, and so in time linear in its length.
#[test]
fn plain_formats_are_linear() {
    let site = Site::load();
    for format in site.aliases.iter().flat_map(|alias| &alias.formats).flat_map(|format| &format.representations) {
        assert!(Format::compile(&format.text).unwrap().is_linear(), "`{}`", format.text);
    }
    let worst = Format::compile("deploy {{a}} {{b}} {{c}} to {{d}}").unwrap();
    assert!(worst.is_linear());
    let words = "deploy ".to_owned() + &"x ".repeat(8_187);
    assert_eq!(worst.read(&words, None), Ok(None));
    let quotes = "deploy ".to_owned() + &"\" ' { a= ".repeat(1_600);
    assert_eq!(worst.read(&quotes, None), Ok(None));
}

/// Letters that expressions without case take for one are one for the index.
#[test]
fn the_index_folds_letters_as_the_expressions_do() {
    for (format, line) in
        [("status {{x}}", "\u{17f}tatu\u{17f} a"), ("{{x}} ΜΑΣ", "a μασ"), ("kelvin", "\u{212a}elvin")]
    {
        assert!(Format::compile(format).unwrap().read(line, None).unwrap().is_some(), "`{format}` on `{line}`");
        let one = alias(&serde_json::json!({"name": "one", "action": "site.x", "formats": [format]}));
        let (matcher, _) = Matcher::new(&[one], &|_| None);
        assert_eq!(matcher.matches(line).len(), 1, "`{format}` on `{line}`");
    }
}

/// Formats that crowd under one first word, or have none, are found all the same.
#[test]
fn every_format_is_found_through_the_index() {
    let many: Vec<Arc<Alias>> = (0..200)
        .flat_map(|number| {
            [
                format!("deploy {{{{x}}}} to place{number}"),
                format!("{{{{x}}}} of kind{number}"),
                format!("(do|make) thing{number}"),
            ]
            .map(|format| (number, format))
        })
        .map(|(number, format)| {
            let name = format!("{}{number}", format.chars().filter(char::is_ascii_lowercase).collect::<String>());
            alias(&serde_json::json!({"name": name, "action": "site.x", "formats": [format]}))
        })
        .collect();
    let (matcher, problems) = Matcher::new(&many, &|_| None);
    assert_eq!(problems, []);
    for number in 0..200 {
        for line in
            [format!("Deploy web to Place{number}"), format!("apples of kind{number}"), format!("make thing{number}")]
        {
            assert!(matches!(matcher.select(&line), Selection::One(_)), "`{line}`");
        }
    }
}

/// Compiling a format costs more than all else about it; at a large site most are never needed.
#[test]
fn what_no_line_needs_is_not_compiled() {
    let many: Vec<_> = (0..50)
        .map(|number| {
            let formats = [format!("do{number} {{{{what}}}} now"), format!("draw {{{{what}}}} of{number}")];
            alias(&serde_json::json!({"name": format!("a{number}"), "action": "site.x", "formats": formats}))
        })
        .collect();
    let (matcher, _) = Matcher::new(&many, &|_| None);
    let compiled = || format!("{matcher:?}").matches("OnceLock(Some(").count();
    assert_eq!((matcher.shadowed(), matcher.ambiguities().len()), (vec![], 0));
    assert_eq!(compiled(), 0);
    assert!(matches!(matcher.select("do7 it now"), Selection::One(_)));
    assert_eq!(compiled(), 1);
}
