//! Host expressions: `tests/data/host/expressions.txt` and `fold.txt` are tables, one case a line.

use halcyon::core::host::{HostError, Inventory, MOST_HOSTS, expand, fold};
use halcyon::core::id::Host;
use std::collections::BTreeMap;

/// The inventory that the tables speak of.
fn cluster() -> Inventory {
    let hosts = ["wn[001-150]", "se01 se02", "r[1-2]n[01-04]", "login.example.org"].map(str::to_owned);
    let groups = BTreeMap::from([
        ("rack1".to_owned(), Ok(vec!["wn[001-003]".to_owned()])),
        ("storage".to_owned(), Ok(vec!["se02".to_owned(), "se01".to_owned()])),
        ("all-racks".to_owned(), Ok(vec!["@rack1,r1n[01-02]".to_owned(), "!wn002".to_owned()])),
        ("slurm".to_owned(), Err("`sinfo` ended with exit code 1".to_owned())),
    ]);
    let (inventory, problems) = Inventory::build(&hosts, &groups);
    assert_eq!(problems.len(), 1, "{problems:?}");
    inventory
}

/// What an expression means, in one line.
fn meaning(expression: &str, inventory: &Inventory) -> String {
    match expand(expression, inventory) {
        Ok(machines) => {
            let names = machines.iter().map(|machine| match machine.port {
                Some(port) => format!("{}:{port}", machine.host),
                None => machine.host.to_string(),
            });
            names.collect::<Vec<_>>().join(" ")
        }
        Err(error) => {
            let similar = match &error {
                HostError::UnknownHost { similar, .. } | HostError::UnknownGroup { similar, .. } => similar.join(" "),
                _ => String::new(),
            };
            format!("! {error} {}", if similar.is_empty() { similar } else { format!("({similar})") })
                .trim_end()
                .to_owned()
        }
    }
}

fn check(table: &str, answer: impl Fn(&str) -> String) {
    let mut wrong = Vec::new();
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (given, expected) = line.split_once(" => ").unwrap();
        let got = answer(given.trim());
        if got != expected.trim() {
            wrong.push(format!("{given}\n  expected: {expected}\n  got:      {got}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn expressions_mean_what_the_table_says() {
    let (cluster, open) = (cluster(), Inventory::default());
    check(include_str!("../data/host/expressions.txt"), |given| match given.strip_prefix("open: ") {
        Some(given) => meaning(given, &open),
        None => meaning(given, &cluster),
    });
}

#[test]
fn names_are_folded_as_the_table_says_and_back() {
    check(include_str!("../data/host/fold.txt"), |given| {
        let names: Vec<Host> = given.split_whitespace().map(Host::new).collect();
        let folded = fold(&names);
        let mut back: Vec<Host> =
            expand(&folded, &Inventory::default()).unwrap().into_iter().map(|machine| machine.host).collect();
        back.sort();
        let mut names = names;
        names.sort();
        names.dedup();
        assert_eq!(back, names, "{folded} does not mean what it was made of");
        folded
    });
}

#[test]
fn an_expression_is_counted_before_it_costs_anything() {
    let open = Inventory::default();
    for huge in [
        "a[1-999999999999999999]",
        "a[1-10001]",
        "a[1-200]b[1-200]",
        "a[1-100][1-100][1-100][1-100][1-100][1-100][1-100][1-100][1-100][1-100][1-100][1-100][1-100]",
        "a[1-9000],!a[1-9000]",
    ] {
        assert_eq!(expand(huge, &open), Err(HostError::TooMany), "{huge}");
    }
    assert_eq!(expand("a[1-10000]", &open).unwrap().len(), MOST_HOSTS);
    // As many brackets as fit into a post: without a look at the length of the name first, each would copy ten thousand names.
    let brackets = format!("a[1-10000]{}", "[1]".repeat(5_000));
    let start = std::time::Instant::now();
    assert!(matches!(expand(&brackets, &open), Err(HostError::Malformed { why, .. }) if why.contains("at most 253")));
    assert_eq!(expand(&format!("a[1-10000]{}", "[1]".repeat(240)), &open).unwrap().len(), MOST_HOSTS);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[test]
fn what_is_wrong_with_the_lists_is_said_and_the_rest_stands() {
    let groups = BTreeMap::from([
        ("typo".to_owned(), Ok(vec!["wn01,wn2".to_owned()])),
        ("stranger".to_owned(), Ok(vec!["@rack".to_owned()])),
        ("racks".to_owned(), Ok(vec!["wn01".to_owned()])),
        ("one".to_owned(), Ok(vec!["@two".to_owned()])),
        ("two".to_owned(), Ok(vec!["@one".to_owned()])),
        ("down".to_owned(), Err("it took longer than 10 s".to_owned())),
        ("nobody".to_owned(), Ok(vec![String::new()])),
    ]);
    let (inventory, problems) = Inventory::build(&["wn[01-03]".to_owned(), "-oProxy=x".to_owned()], &groups);
    let said: Vec<String> = problems
        .iter()
        .map(|problem| {
            format!("{}: {} {}", problem.key_path, problem.message, problem.suggestion.as_deref().unwrap_or(""))
        })
        .collect();
    let expected = [
        "hosts: `-oProxy=x` is not a host name or range: a name starts with a letter or a digit ",
        "groups.down: it took longer than 10 s ",
        "groups.two: the group is in a circle through `@one` ",
        "groups.one: the members of `@two` are not known: the group is in a circle through `@one` ",
        "groups.stranger: there is no group `@rack` did you mean \"@racks\"?",
        "groups.typo: there is no host `wn2` did you mean \"wn02\"?",
    ];
    assert_eq!(said, expected);
    assert_eq!(inventory.groups.keys().collect::<Vec<_>>(), ["nobody", "racks"]);
    assert_eq!(meaning("@racks", &inventory), "wn01");
    assert_eq!(meaning("@nobody", &inventory), "! no host is left of `@nobody`");
    assert_eq!(meaning("@down", &inventory), "! the members of `@down` are not known: it took longer than 10 s");
}
