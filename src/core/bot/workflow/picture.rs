//! How a workflow stands, as a picture: into the thread of its post when it ends, and to whoever asks for it.

use super::Bot;
use super::card::{Group, groups};
use crate::core::action::execution::Execution;
use crate::core::bot::answer::answer;
use crate::core::bot::{Moment, Step};
use crate::core::effect::{Answer, Body, Delivery, Thread, Upload, UploadPart};
use crate::core::input::{Back, Ticket};
use crate::core::memory::{Contradiction, answer_to};
use crate::core::message::card::{Card, TaskRow};
use crate::core::message::markdown::shorten;
use crate::core::message::phrase::Phrase;
use crate::core::message::span::span;
use crate::core::message::verdict::{SHOWN_LINE, shown_line, verdict};
use crate::core::picture::fold::{Folded, fold};
use crate::core::picture::{Edge, MOST_TASKS, Meaning, Node, Picture, State};
use crate::core::workflow::board::Followed;
use crate::core::workflow::conducted::Conducted;
use crate::core::workflow::graph::Graph;
use crate::core::workflow::status::Status as Stands;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A workflow of fewer tasks has no picture of its own accord: there is nothing to see that the post does not say.
const FEWEST: usize = 2;
/// How many characters of a name a box for several shows.
const SHOWN_NAME: usize = 14;

/// Why there is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Undrawn {
    NoWorkflow,
    NotBegun,
    Unreadable,
    TooMany(usize),
}

/// One task, as it is drawn where it has a box for itself.
struct Task {
    name: String,
    note: String,
    state: State,
}

impl Bot {
    /// `graph ID`
    pub(in crate::core::bot) fn draw(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        ticket: &Ticket,
        execution: &Execution,
    ) -> Result<(), Contradiction> {
        let picture = match self.picture(execution, moment.at) {
            Ok(picture) => picture,
            Err(why) => {
                let (why, tasks) = match why {
                    Undrawn::NoWorkflow => ("no_workflow", 0),
                    Undrawn::NotBegun => ("not_begun", 0),
                    Undrawn::Unreadable => ("unreadable", 0),
                    Undrawn::TooMany(tasks) => ("too_many", tasks),
                };
                let id = execution.request.id.short().to_owned();
                let card = Card::NoPicture { id, why, tasks, most: MOST_TASKS };
                return self.say(step, moment, &ticket.back, &card);
            }
        };
        let (channel, root, post) = match &ticket.back {
            Back::Request { request } => {
                answer(step, *request, Answer::Picture { picture: Box::new(picture) });
                return Ok(());
            }
            Back::Chat { channel, root, post } => (channel.clone(), root.clone(), post),
            // Nobody asked.
            Back::Told { .. } => return Ok(()),
        };
        let text = self.sentences.say(&self.caption(execution, moment.at));
        let files = vec![file(execution, picture)];
        let body = Body::Post { root: root.map(|post| Thread::Post { post }), text, files };
        self.deliver(step, moment, Delivery { id: answer_to(post, "graph"), channel, body })
    }

    /// The picture that goes with the end of a workflow; none where there is little to see.
    pub(in crate::core::bot) fn last_picture(&self, execution: &Execution, now: Timestamp) -> Option<Upload> {
        let picture = self.picture(execution, now).ok()?;
        let tasks = picture.nodes.len();
        (tasks >= FEWEST || picture.nodes.iter().any(|node| node.several)).then(|| file(execution, picture))
    }

    /// What stands above a picture that was asked for.
    fn caption(&self, execution: &Execution, now: Timestamp) -> Card {
        Card::Pictured {
            id: execution.request.id.short().to_owned(),
            line: shown_line(execution),
            verdict: verdict(execution, &self.sentences),
            elapsed: span(execution.elapsed(now)),
        }
    }

    fn picture(&self, execution: &Execution, now: Timestamp) -> Result<Picture, Undrawn> {
        if execution.request.workflow.is_none() {
            return Err(Undrawn::NoWorkflow);
        }
        let conducted = execution.conducted.as_deref().ok_or(Undrawn::NotBegun)?;
        let graph = self.graph_of(execution).ok_or(Undrawn::Unreadable)?;
        let count = graph.nodes.iter().filter(|node| node.command.is_none()).count();
        if count > MOST_TASKS {
            return Err(Undrawn::TooMany(count));
        }
        let tasks = self.tasks(&graph, conducted, now);
        let states: Vec<State> = tasks.iter().map(|task| task.state).collect();
        let Folded { groups, edges } = fold(&states, &edges(&graph, conducted));
        let boxes = groups.len();
        let nodes = groups.into_iter().map(|group| self.node(&group, &tasks)).collect();
        let meaning = |state: &State| {
            let count = states.iter().filter(|known| *known == state).count();
            let text = self.sentences.phrase(&Phrase::PictureState { state: state.word(), count });
            (count > 0).then_some(Meaning { state: *state, text })
        };
        let line =
            if execution.request.line.is_empty() { execution.request.action.as_str() } else { &execution.request.line };
        let (verdict, elapsed) = (verdict(execution, &self.sentences), span(execution.elapsed(now)));
        let id = execution.request.id.short();
        Ok(Picture {
            title: shorten(line, SHOWN_LINE),
            subtitle: self.sentences.phrase(&Phrase::PictureSubtitle { verdict: &verdict, elapsed: &elapsed, id }),
            nodes,
            edges,
            legend: State::ALL.iter().filter_map(meaning).collect(),
            remark: if boxes < count {
                self.sentences.phrase(&Phrase::PictureFolded { tasks: count, boxes })
            } else {
                String::new()
            },
        })
    }

    /// The tasks of a workflow in the order of its file.
    fn tasks(&self, graph: &Graph, conducted: &Conducted, now: Timestamp) -> Vec<Task> {
        let begun: BTreeMap<u32, Group<'_>> = groups(conducted).into_iter().map(|group| (group.task, group)).collect();
        let mut entered: BTreeMap<u32, Stands> = BTreeMap::new();
        for (_, entry) in conducted.state.board.newest() {
            let worst = entered.entry(entry.task).or_insert(entry.status);
            if entry.status.is_abended() || (!worst.is_abended() && !entry.status.is_completed()) {
                *worst = entry.status;
            }
        }
        let nodes = (0..).zip(&graph.nodes).filter(|(_, node)| node.command.is_none());
        let task = |(number, node): (u32, &crate::core::workflow::graph::Node)| {
            let (state, note) = match begun.get(&number) {
                Some(group) => {
                    let row = self.row(conducted, group, now);
                    (state_of(row.status), self.note_of(&row))
                }
                None => (entered.get(&number).map_or(State::Idle, |stands| state_of(stands.word())), String::new()),
            };
            Task { name: node.name.to_string(), note, state }
        };
        nodes.map(task).collect()
    }

    fn note_of(&self, row: &TaskRow) -> String {
        self.sentences.phrase(&Phrase::PictureNote(row)).trim().to_owned()
    }

    /// A box, of one task or of several.
    fn node(&self, group: &[u32], tasks: &[Task]) -> Node {
        let of: Vec<&Task> = group.iter().filter_map(|number| tasks.get(*number as usize)).collect();
        let (name, state) = of.first().map_or((String::new(), State::Idle), |task| (task.name.clone(), task.state));
        if let [only] = of.as_slice() {
            return Node::new(&name, &only.note, state, false);
        }
        let last = of.last().map_or("", |task| &task.name);
        let note = format!("{} … {}", shorten(&name, SHOWN_NAME), shorten(last, SHOWN_NAME));
        Node::new(&self.sentences.phrase(&Phrase::PictureGroup { count: of.len() }), &note, state, true)
    }
}

fn file(execution: &Execution, picture: Picture) -> Upload {
    let name = format!("{}-{}.png", execution.request.action.name(), execution.request.id.short());
    Upload { name, parts: vec![UploadPart::Picture { picture: Box::new(picture) }] }
}

/// What leads to what among the tasks. What the engine does itself has no box.
fn edges(graph: &Graph, conducted: &Conducted) -> Vec<Edge> {
    let mut taken: BTreeSet<(u32, u32)> = BTreeSet::new();
    for (_, entry) in conducted.state.board.entries() {
        // Of a task that ran several times, those that came of an earlier time are known by what they led to.
        taken.extend(entry.from.iter().map(|(from, _, _)| (*from, entry.task)));
        let Some(node) = graph.nodes.get(entry.task as usize) else { continue };
        let followed = entry.next.iter().filter(|(_, followed)| **followed != Followed::No);
        let led = followed.filter_map(|(place, _)| node.edges.get(*place as usize));
        taken.extend(led.map(|edge| (entry.task, edge.to)));
    }
    let mut edges = Vec::new();
    for (from, node) in (0..).zip(&graph.nodes) {
        let to_tasks = node.edges.iter().filter(|edge| graph.node(edge.to).command.is_none());
        edges.extend(to_tasks.map(|edge| Edge { from, to: edge.to, taken: taken.contains(&(from, edge.to)) }));
    }
    edges
}

/// How StackStorm's words are drawn.
fn state_of(word: &str) -> State {
    match word {
        "failed" | "abandoned" => State::Failed,
        "timeout" => State::TimedOut,
        "unknown" => State::Unknown,
        "succeeded" => State::Succeeded,
        "canceled" => State::Canceled,
        "paused" | "pausing" => State::Paused,
        "requested" | "delayed" | "pending" => State::Waiting,
        "null" => State::Idle,
        _ => State::Running,
    }
}
