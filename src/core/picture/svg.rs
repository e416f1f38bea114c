//! The text of the drawing.

use super::places::{
    BEHIND, Frame, Heading, NAME_SIZE, NOTE_SIZE, PADDING, Places, SIGN, Way, cells_in, cut, places, shown, width_of,
};
use super::{Node, Picture, State};
use std::fmt::Write;

/// What is free around everything.
const MARGIN: f64 = 20.0;
const TITLE_SIZE: f64 = 15.0;
/// No drawing is narrower, so that its title can be read.
const NARROWEST: f64 = 420.0;
/// The height of a line of the legend.
const LINE: f64 = 20.0;

/// A drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// Its text.
    pub svg: String,
    /// How wide it is, in its own units.
    pub width: f64,
    /// How high.
    pub height: f64,
}

/// The colours of a state: inside, of the edge and the sign, of the text.
struct Look {
    inside: &'static str,
    edge: &'static str,
    text: &'static str,
    /// How wide the edge is.
    strong: f64,
    dashed: bool,
}

const DARK: &str = "#1f2328";
const GREY: &str = "#59636e";

fn look(state: State) -> Look {
    let (inside, edge, text, strong) = match state {
        // What went wrong is seen from afar.
        State::Failed => ("#cf222e", "#82071e", "#ffffff", 3.0),
        State::TimedOut => ("#bc4c00", "#762c00", "#ffffff", 3.0),
        State::Unknown => ("#fff1e5", "#bc4c00", DARK, 3.0),
        State::Running => ("#ddf4ff", "#0969da", DARK, 2.0),
        State::Waiting => ("#fff8c5", "#9a6700", DARK, 2.0),
        State::Paused => ("#fbefff", "#8250df", DARK, 2.0),
        State::Succeeded => ("#dafbe1", "#1a7f37", DARK, 1.2),
        State::Canceled => ("#eaeef2", "#59636e", DARK, 1.2),
        State::Idle => ("#ffffff", "#8c959f", GREY, 1.2),
    };
    Look { inside, edge, text, strong, dashed: state == State::Idle }
}

/// The sign of a state around 0, 0: what is drawn as a line, and what is filled.
fn sign(state: State) -> (&'static str, &'static str) {
    match state {
        State::Failed => ("M-4.5 -4.5L4.5 4.5M4.5 -4.5L-4.5 4.5", ""),
        State::TimedOut => ("M0 -6A6 6 0 1 1 0 6A6 6 0 1 1 0 -6M0 -3.2V0L2.6 1.6", ""),
        State::Unknown => ("M-3 -2.6A3 3 0 1 1 1.4 0.2Q0 0.9 0 2.4M0 5.6V5.7", ""),
        State::Running => ("", "M-3.5 -5.5L5.5 0L-3.5 5.5Z"),
        State::Waiting => ("M-4.5 -6H4.5M-4.5 6H4.5", "M-3.5 -5.2H3.5L-3.5 5.2H3.5Z"),
        State::Paused => ("M-2.6 -5V5M2.6 -5V5", ""),
        State::Succeeded => ("M-5 0.5L-1.5 4.5L5.5 -4.5", ""),
        State::Canceled => ("M0 -6A6 6 0 1 1 0 6A6 6 0 1 1 0 -6M-4 4L4 -4", ""),
        State::Idle => ("M0 -4.5A4.5 4.5 0 1 1 0 4.5A4.5 4.5 0 1 1 0 -4.5", ""),
    }
}

/// Draws a picture.
pub fn svg(picture: &Picture) -> Drawing {
    let placed = places(picture);
    let width = (placed.width + 2.0 * MARGIN).max(NARROWEST).ceil();
    let inner = width - 2.0 * MARGIN;
    let mut text = Text(String::new());
    let mut y = MARGIN;
    for (said, size, colour) in [(&picture.title, TITLE_SIZE, DARK), (&picture.subtitle, NOTE_SIZE, GREY)] {
        if !said.is_empty() {
            y += size + 4.0;
            text.write(MARGIN, y - 4.0, size, colour, &cut(said, cells_in(inner, size)));
        }
    }
    let left = MARGIN + (inner - placed.width) / 2.0;
    y += 12.0;
    text.put(format_args!("<g transform=\"translate({left:.1} {y:.1})\">\n"));
    text.graph(picture, &placed);
    text.put(format_args!("</g>\n"));
    y += placed.height + 16.0;
    y = text.legend(picture, inner, y);
    if !picture.remark.is_empty() {
        y += LINE;
        text.write(MARGIN, y - 6.0, NOTE_SIZE, GREY, &cut(&picture.remark, cells_in(inner, NOTE_SIZE)));
    }
    let height = (y + MARGIN / 2.0).ceil();
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\">\n<title>{}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{}</svg>\n",
        escaped(&picture.title),
        text.0
    );
    Drawing { svg, width, height }
}

/// The drawing as it is being written.
struct Text(String);

impl Text {
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing into a String cannot fail.
        let _ = self.0.write_fmt(text);
    }

    fn write(&mut self, x: f64, y: f64, size: f64, colour: &str, said: &str) {
        let said = escaped(said);
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{colour}\">{said}</text>\n"
        ));
    }

    fn graph(&mut self, picture: &Picture, placed: &Places) {
        let taken = |way: &&Way| picture.edges.get(way.edge).is_some_and(|edge| edge.taken);
        // What was followed lies above what was not.
        for way in placed.ways.iter().filter(|way| !taken(way)) {
            self.way(way, "#afb8c1", 1.2);
        }
        for way in placed.ways.iter().filter(taken) {
            self.way(way, "#424a53", 1.6);
        }
        for (node, place) in picture.nodes.iter().zip(&placed.boxes) {
            self.node(node, *place);
        }
    }

    fn way(&mut self, way: &Way, colour: &str, strong: f64) {
        let dashes = if way.back { " stroke-dasharray=\"5 3\"" } else { "" };
        let path = &way.path;
        self.put(format_args!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{strong}\"{dashes}/>\n"
        ));
        let (x, y) = way.head;
        let head = match way.to {
            Heading::Down => "l-4 -8h8Z",
            Heading::Up => "l-4 8h8Z",
            Heading::Left => "l8 -4v8Z",
        };
        self.put(format_args!("<path d=\"M{x:.1} {y:.1}{head}\" fill=\"{colour}\"/>\n"));
    }

    fn node(&mut self, node: &Node, place: Frame) {
        let look = look(node.state);
        let Frame { x, y, width, height } = place;
        if node.several {
            for behind in [BEHIND, BEHIND / 2.0] {
                self.rectangle(Frame { x: x + behind, y: y + behind, ..place }, "#ffffff", &look, 1.2);
            }
        }
        self.rectangle(place, look.inside, &look, look.strong);
        let (name, note) = shown(node);
        let middle = if note.is_empty() { y + height / 2.0 } else { y + height * 0.36 };
        let colour = if matches!(node.state, State::Failed | State::TimedOut) { look.text } else { look.edge };
        let room = width - 2.0 * PADDING;
        let used = width_of(&name, NAME_SIZE) + SIGN;
        let begin = x + PADDING + ((room - used) / 2.0).max(0.0);
        self.sign(node.state, begin + SIGN / 2.0 - 4.0, middle, colour);
        self.write(begin + SIGN, middle + NAME_SIZE * 0.36, NAME_SIZE, look.text, &name);
        if !note.is_empty() {
            let begin = x + (width - width_of(&note, NOTE_SIZE)) / 2.0;
            self.write(begin, y + height * 0.78, NOTE_SIZE, if look.text == DARK { GREY } else { look.text }, &note);
        }
    }

    fn rectangle(&mut self, place: Frame, inside: &str, look: &Look, strong: f64) {
        let Frame { x, y, width, height } = place;
        let (edge, dashes) = (look.edge, if look.dashed { " stroke-dasharray=\"4 3\"" } else { "" });
        self.put(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"6\" fill=\"{inside}\" stroke=\"{edge}\" stroke-width=\"{strong}\"{dashes}/>\n"
        ));
    }

    fn sign(&mut self, state: State, x: f64, y: f64, colour: &str) {
        let (line, filled) = sign(state);
        self.put(format_args!("<g transform=\"translate({x:.1} {y:.1})\">"));
        if !filled.is_empty() {
            self.put(format_args!("<path d=\"{filled}\" fill=\"{colour}\"/>"));
        }
        if !line.is_empty() {
            self.put(format_args!(
                "<path d=\"{line}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-linecap=\"round\"/>"
            ));
        }
        self.put(format_args!("</g>\n"));
    }

    /// Writes what the signs mean, in as many lines as that takes. Gives where it ends.
    fn legend(&mut self, picture: &Picture, inner: f64, mut y: f64) -> f64 {
        let mut x = 0.0;
        for meaning in &picture.legend {
            let said = cut(&meaning.text, cells_in(inner - SIGN, NOTE_SIZE));
            let wide = SIGN + width_of(&said, NOTE_SIZE) + 14.0;
            if x == 0.0 || x + wide > inner {
                (x, y) = (0.0, y + LINE);
            }
            self.sign(meaning.state, MARGIN + x + 8.0, y - 10.0, look(meaning.state).edge);
            self.write(MARGIN + x + SIGN - 4.0, y - 6.0, NOTE_SIZE, GREY, &said);
            x += wide;
        }
        y
    }
}

/// Anybody's text between tags or quotes: it begins no tag, names no character, and has nothing in it that XML forbids or that turns
/// the text around.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {}
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            character if character.is_control() => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
    }
    escaped
}
