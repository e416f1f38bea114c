//! Graphs as drawings: what is folded, where it stands, what the SVG says, and that a painting stays small.

use crate::golden;
use halcyon::core::picture::fold::{Folded, fold};
use halcyon::core::picture::svg::svg;
use halcyon::core::picture::{Edge, MOST_NODES, MOST_TASKS, Meaning, Node, Picture, State};
use halcyon::runtime::painting::{MOST_PIXELS, paint};
use regex::Regex;

/// Tasks as `name state note`, one a line; arrows as `from > to`, `from >> to` where it was followed.
fn graph(text: &str) -> (Vec<Node>, Vec<Edge>) {
    let (mut nodes, mut edges): (Vec<Node>, Vec<(String, String, bool)>) = (Vec::new(), Vec::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let arrow = |sign: &str, taken| line.split_once(sign).map(|(from, to)| (from.into(), to.into(), taken));
        if let Some(edge) = arrow(" >> ", true).or_else(|| arrow(" > ", false)) {
            edges.push(edge);
            continue;
        }
        let mut words = line.splitn(3, ' ');
        let (name, word) = (words.next().unwrap(), words.next().unwrap());
        let state = State::ALL.into_iter().find(|state| state.word() == word).unwrap();
        let note = words.next().unwrap_or_default().to_owned();
        nodes.push(Node { name: name.to_owned(), note, state, several: false });
    }
    let number = |name: &str| nodes.iter().position(|node| node.name == name).unwrap().try_into().unwrap();
    let edges = edges.iter().map(|(from, to, taken)| Edge { from: number(from), to: number(to), taken: *taken });
    let edges = edges.collect();
    (nodes, edges)
}

/// The picture of a graph, as the bot makes it.
fn picture(nodes: &[Node], edges: &[Edge]) -> Picture {
    let states: Vec<State> = nodes.iter().map(|node| node.state).collect();
    let Folded { groups, edges } = fold(&states, edges);
    let node = |group: &Vec<u32>| match group.as_slice() {
        [only] => nodes[*only as usize].clone(),
        many => Node {
            name: format!("{} tasks", many.len()),
            note: nodes[many[0] as usize].name.clone(),
            state: states[many[0] as usize],
            several: true,
        },
    };
    let count = |state: State| states.iter().filter(|known| **known == state).count();
    let legend = State::ALL.into_iter().filter(|state| count(*state) > 0);
    Picture {
        title: "upgrade kernel on wn001".into(),
        subtitle: "failed · 12 min 4 s · 5c61ab".into(),
        nodes: groups.iter().map(node).collect(),
        edges,
        legend: legend.map(|state| Meaning { state, text: format!("{} {}", count(state), state.word()) }).collect(),
        remark: String::new(),
    }
}

/// The sizes of what is drawn as one.
fn sizes(nodes: &[Node], edges: &[Edge]) -> Vec<usize> {
    let states: Vec<State> = nodes.iter().map(|node| node.state).collect();
    fold(&states, edges).groups.iter().map(Vec::len).collect()
}

fn row(count: usize, state: impl Fn(usize) -> State) -> Vec<Node> {
    let node = |at| Node { name: format!("step_{at:03}"), note: String::new(), state: state(at), several: false };
    (0..count).map(node).collect()
}

fn arrow(from: usize, to: usize) -> Edge {
    Edge { from: from.try_into().unwrap(), to: to.try_into().unwrap(), taken: from.is_multiple_of(2) }
}

fn chain(count: usize) -> Vec<Edge> {
    (1..count).map(|to| arrow(to - 1, to)).collect()
}

/// One, so many side by side, and one that waits for all of them.
fn fan(count: usize) -> Vec<Edge> {
    (1..=count).flat_map(|at| [arrow(0, at), arrow(at, count + 1)]).collect()
}

/// Arrows without an order of their own, the same for the same seed.
fn tangle(nodes: usize, seed: u64, circles: bool) -> Vec<Edge> {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move |most: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % most
    };
    let mut edges = Vec::new();
    for to in 1..nodes {
        for _ in 0..=next(3) {
            edges.push(arrow(to - 1 - next(to.min(12)), to));
        }
        if circles && next(10) == 0 {
            edges.push(arrow(to, next(nodes)));
        }
    }
    edges
}

#[test]
fn drawings_are_as_they_were() {
    let check = |name: &str, text: &str| {
        let (nodes, edges) = graph(text);
        golden(&format!("picture/{name}.svg"), &svg(&picture(&nodes, &edges)).svg);
    };
    check("one", "only idle");
    check(
        "chain",
        "drain succeeded wn001 · 2.1 s\nreboot failed wn001 · round 3 · 5 min 2 s\nundrain idle\ndrain >> reboot\nreboot > undrain",
    );
    check("join", "a succeeded\nb running\nc succeeded\nd waiting\na >> b\na >> c\nb > d\nc >> d");
    check(
        "circle",
        "look succeeded round 5\nwait running\nend idle\nlook >> wait\nwait >> look\nlook >> look\nlook > end",
    );
    let states = "a failed\nb timeout\nc unknown\nd running\ne waiting\nf paused\ng succeeded\nh canceled\ni idle";
    check("states", &format!("{states}\na >> b\nb >> c\na > d\nd >> e\nd > f\ne > i\ng > h\nb > i"));
    let columns: String = (0..12).map(|at| format!("s{at} {}\n", if at < 7 { "succeeded" } else { "idle" })).collect();
    let arrows: String = (1..12).map(|at| format!("s{} > s{at}\n", at - 1)).collect();
    check("columns", &(columns + &arrows));
    check("names", "</text><script>alert(1)</script> failed <&\">'\n");
}

#[test]
fn what_stands_alike_is_drawn_as_one_where_there_is_too_much() {
    let check = |about: &str, nodes: Vec<Node>, edges: Vec<Edge>, expected: &[usize]| {
        assert_eq!(sizes(&nodes, &edges), expected, "{about}");
    };
    let done = |_| State::Succeeded;
    check("few are left alone", row(5, done), chain(5), &[1; 5]);
    check("sixty in a row", row(60, done), chain(60), &[1; 60]);
    check("more in a row are one", row(61, done), chain(61), &[61]);
    let broken = |at: usize| if at == 30 { State::Failed } else { done(at) };
    check("what failed in a row stands alone", row(100, broken), chain(100), &[30, 1, 69]);
    check("eight side by side", row(10, done), fan(8), &[1; 10]);
    check("more side by side are one", row(302, done), fan(300), &[1, 300, 1]);
    check("what failed beside them stands alone", row(302, broken), fan(300), &[1, 299, 1, 1]);
    check(
        "two of a kind beside others, by their layer",
        row(12, |at| State::ALL[at % 5]),
        fan(10),
        &[1, 2, 2, 2, 2, 2, 1],
    );
    let twelve = |at: usize| if at % 25 == 1 { State::Failed } else { done(at) };
    check("many that failed are folded too", row(302, twelve), fan(300), &[1, 12, 288, 1]);
    let pairs = (0..100).flat_map(|at| [arrow(0, 2 * at + 1), arrow(2 * at + 1, 2 * at + 2)]).collect();
    check("rows of two, by their layers", row(201, done), pairs, &[1, 100, 100]);
    let threes =
        (0..100).flat_map(|at| [arrow(0, 3 * at + 1), arrow(3 * at + 1, 3 * at + 2), arrow(3 * at + 2, 3 * at + 3)]);
    check("rows of three, then side by side", row(301, done), threes.collect(), &[1, 300]);
    let all = |count: usize| (0..count).flat_map(move |from| (from + 1..count).map(move |to| arrow(from, to)));
    let many = row(300, |at| State::ALL[at % 9]);
    let sizes = sizes(&many, &all(300).collect::<Vec<_>>());
    assert!(sizes.len() <= MOST_NODES && sizes.iter().sum::<usize>() == 300, "{sizes:?}");
}

/// Numbers of the attributes of each box, but for what is behind those that stand for several.
fn boxes(svg: &str) -> Vec<[f64; 4]> {
    let rectangle = Regex::new(r#"<rect x="([\d.-]+)" y="([\d.-]+)" width="([\d.]+)" height="([\d.]+)" rx"#).unwrap();
    let number = |text: &str| text.parse().unwrap();
    rectangle.captures_iter(svg).map(|found| [1, 2, 3, 4].map(|at| number(&found[at]))).collect()
}

#[test]
fn nothing_stands_on_anything_and_all_of_it_is_in_the_picture() {
    let shift = Regex::new(r#"<g transform="translate\(([\d.]+) ([\d.]+)\)">\n"#).unwrap();
    for seed in 0..60 {
        for count in [2, 7, 18, 40] {
            let nodes = row(count, |at| State::ALL[(at + usize::try_from(seed).unwrap()) % 9]);
            let picture = picture(&nodes, &tangle(count, seed, seed.is_multiple_of(2)));
            assert!(picture.nodes.len() <= MOST_NODES);
            let drawing = svg(&picture);
            let boxes = boxes(&drawing.svg);
            if picture.nodes.iter().all(|node| !node.several) {
                assert_eq!(boxes.len(), picture.nodes.len());
                for (at, [x, y, width, height]) in boxes.iter().enumerate() {
                    let apart = |[left, top, wide, high]: &[f64; 4]| {
                        left + wide <= *x || x + width <= *left || top + high <= *y || y + height <= *top
                    };
                    assert!(boxes[at + 1..].iter().all(apart), "seed {seed}: {}", drawing.svg);
                }
            }
            let found = shift.captures(&drawing.svg).unwrap();
            let (left, top): (f64, f64) = (found[1].parse().unwrap(), found[2].parse().unwrap());
            for [x, y, width, height] in boxes {
                let inside =
                    x >= 0.0 && y >= 0.0 && left + x + width <= drawing.width && top + y + height <= drawing.height;
                assert!(inside, "seed {seed}: {}", drawing.svg);
            }
        }
    }
}

/// Width and height as a PNG says them.
fn size_of(png: &[u8]) -> (u32, u32) {
    assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn a_painting_stays_small_whatever_is_painted() {
    let check = |about: &str, nodes: Vec<Node>, edges: Vec<Edge>| {
        let picture = picture(&nodes, &edges);
        let kept = serde_json::to_string(&picture).unwrap();
        assert!(kept.len() < 32 << 10, "{about}: {} bytes in a fact", kept.len());
        assert_eq!(serde_json::from_str::<Picture>(&kept).unwrap(), picture, "{about}");
        let png = paint(&picture).unwrap();
        let (width, height) = size_of(&png);
        assert!(f64::from(width) * f64::from(height) <= MOST_PIXELS, "{about}: {width} x {height}");
        assert!(width >= 400 && height >= 150, "{about}: {width} x {height}");
        assert!(png.len() < 1 << 20, "{about}: {} bytes", png.len());
    };
    let mixed = |at: usize| State::ALL[at % 9];
    let long = |at: usize| Node::new(&"漢".repeat(300), &"x".repeat(3_000), mixed(at), false);
    check("nothing", Vec::new(), Vec::new());
    check("a row", row(60, mixed), chain(60));
    check("the most tasks", row(MOST_TASKS, mixed), tangle(MOST_TASKS, 7, true));
    check("side by side", row(300, mixed), Vec::new());
    check("long names", (0..50).map(long).collect(), tangle(50, 3, false));
    check(
        "letters that mean something",
        row(1, mixed)
            .into_iter()
            .map(|node| Node { name: "\u{1b}[31m<b>&\u{202e}\u{0}\u{ffff}</svg>]]>".into(), ..node })
            .collect(),
        Vec::new(),
    );
}
