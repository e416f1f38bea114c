//! What was measured, beside whom, and whether it keeps its budget.

use std::fmt::Write;

/// What a figure is held against.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
}

impl Bound {
    fn verdict(self, figure: f64) -> String {
        let (kept, factor) = match self {
            Bound::AtMost(bound) => (figure <= bound, figure / bound),
            Bound::AtLeast(bound) => (figure >= bound, bound / figure),
        };
        if kept { "kept".to_owned() } else { format!("MISSED x{factor:.2}") }
    }

    fn text(self, what: &str) -> String {
        match self {
            Bound::AtMost(bound) => format!("<= {}{what}", figure(bound)),
            Bound::AtLeast(bound) => format!(">= {}{what}", figure(bound)),
        }
    }
}

/// One line of the table.
struct Row {
    budget: &'static str,
    what: String,
    ours: String,
    peer: String,
    ratio: String,
    bound: String,
    verdict: String,
}

/// The table in the making.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    remarks: Vec<String>,
}

/// A figure for people: three or four digits that matter.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        large if large >= 1000.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        small if small >= 0.1 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

impl Report {
    /// Our figure as it stands, against a bound.
    pub(crate) fn value(&mut self, budget: &'static str, what: &str, ours: f64, unit: &str, bound: Option<Bound>) {
        self.row(Row {
            budget,
            what: what.to_owned(),
            ours: format!("{} {unit}", figure(ours)),
            peer: String::new(),
            ratio: String::new(),
            bound: bound.map(|bound| bound.text(&format!(" {unit}"))).unwrap_or_default(),
            verdict: bound.map(|bound| bound.verdict(ours)).unwrap_or_default(),
        });
    }

    /// Our figure divided by a peer's, against a bound.
    pub(crate) fn beside(
        &mut self,
        budget: &'static str,
        what: &str,
        ours: f64,
        unit: &str,
        (name, peer): (&str, f64),
        bound: Option<Bound>,
    ) {
        let ratio = ours / peer;
        self.row(Row {
            budget,
            what: what.to_owned(),
            ours: format!("{} {unit}", figure(ours)),
            peer: format!("{name} {}", figure(peer)),
            ratio: format!("{ratio:.3}"),
            bound: bound.map(|bound| bound.text("x")).unwrap_or_default(),
            verdict: bound.map(|bound| bound.verdict(ratio)).unwrap_or_default(),
        });
    }

    /// Something to be read beside the table.
    pub(crate) fn remark(&mut self, text: String) {
        println!("  {text}");
        self.remarks.push(text);
    }

    fn row(&mut self, row: Row) {
        println!("  {}: {} {} {} {}", row.what, row.ours, row.peer, row.ratio, row.verdict);
        self.rows.push(row);
    }

    /// The whole table.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let cells = |row: &Row| {
            [&row.budget.to_owned(), &row.what, &row.ours, &row.peer, &row.ratio, &row.bound, &row.verdict]
                .map(String::clone)
        };
        let head = ["#", "what", "Halcyon", "beside", "ratio", "budget", "verdict"].map(str::to_owned);
        let rows: Vec<[String; 7]> = std::iter::once(head).chain(self.rows.iter().map(cells)).collect();
        let widths: Vec<usize> =
            (0..7).map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)).collect();
        for (number, row) in rows.iter().enumerate() {
            for (cell, &width) in row.iter().zip(&widths) {
                // Writing to a string does not fail.
                let _ = write!(text, "| {cell:<width$} ");
            }
            text.push_str("|\n");
            if number == 0 {
                for &width in &widths {
                    let _ = write!(text, "|{}", "-".repeat(width + 2));
                }
                text.push_str("|\n");
            }
        }
        for remark in &self.remarks {
            let _ = writeln!(text, "- {remark}");
        }
        text
    }
}

/// The middle one.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which this share of the values lies.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() {
        return f64::NAN;
    }
    let at = ((sorted.len() - 1) as f64 * share).round() as usize;
    sorted[at]
}

/// Smallest and largest, for people.
pub(crate) fn range(values: &[f64]) -> String {
    format!("{}..{}", figure(quantile(values, 0.0)), figure(quantile(values, 1.0)))
}
