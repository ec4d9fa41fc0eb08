//! The closing table: what came in, what it became, how long each stage took; and whether everything expected has
//! happened. Read from the views and the metrics, as anybody could.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::presets;
use comfy_table::{CellAlignment, Table};

use super::examples::EXPECTED;
use crate::cli::shown::counted;
use crate::time::WallTime;
use crate::wire::CaseView;

/// Numbers of a moment.
pub struct Closing {
    views: Vec<CaseView>,
    metrics: String,
    records: usize,
}

impl Closing {
    /// From the views, the metrics as text, and how many records were sent.
    pub fn new(views: Vec<CaseView>, metrics: String, records: usize) -> Self {
        Self { views, metrics, records }
    }

    /// The sum of a metric's series whose labels hold all of `labels`.
    fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let of = |line: &str| -> Option<f64> {
            let (series, value) = line.rsplit_once(' ')?;
            let rest = series.strip_prefix(name)?;
            ((rest.is_empty() || rest.starts_with('{')) && labels.iter().all(|l| rest.contains(l)))
                .then(|| value.parse().ok())?
        };
        self.metrics.lines().filter(|line| !line.starts_with('#')).filter_map(of).sum()
    }

    /// Whether every record was read, and every case that was opened is closed.
    pub fn all_quiet(&self) -> bool {
        let read = self.sum("shutter_source_records_total", &[]);
        read >= as_number(self.records)
            && !self.views.is_empty()
            && self.views.iter().all(|view| view.closed_at.is_some())
    }

    /// What was expected and hasn't happened; empty = everything has.
    pub fn missing(&self, broken: usize) -> Vec<String> {
        let mut missing = Vec::new();
        for expected in EXPECTED {
            let mut cases =
                self.views.iter().filter(|view| view.class.as_str() == expected.class && view.path != "ticket");
            match cases.next() {
                None => missing.push(format!("no case for: {}", expected.what)),
                Some(case) if case.phase != "closed_verified" => {
                    missing.push(format!("{} is not closed as verified but {}", expected.what, case.phase));
                }
                Some(_) => {}
            }
        }
        let read = self.sum("shutter_source_records_total", &[]);
        if read < as_number(self.records) {
            missing.push(format!("{read} of {} records were read", self.records));
        }
        let dead = self.sum("shutter_dead_letters_total", &[]);
        if dead < as_number(broken) {
            missing.push(format!("{dead} of {broken} broken records are in the dead letters"));
        }
        missing
    }

    /// What is true at a moment at which it was told to stop.
    pub fn stopped(&self, round: usize, now: WallTime) -> String {
        let read = self.sum("shutter_source_records_total", &[]);
        let closed = self.views.iter().filter(|view| view.phase == "closed_verified").count();
        let open = self.views.iter().filter(|view| view.closed_at.is_none()).count();
        let cases = counted(self.views.len(), "case");
        let time = now.to_string();
        let time = time.get(5..16).unwrap_or(&time).replace('T', " ");
        if self.all_quiet() {
            return format!(
                "Stopped after round {round}, at {time} demo time: every record was read, and of {cases} all are closed as verified."
            );
        }
        format!(
            "Stopped in the middle of round {round}, at {time} demo time: {read} of {} records were read; of {cases}, \
             {closed} closed as verified and {open} open.\nWhat is open was on its way: nothing is said about how it would have ended.",
            self.records
        )
    }

    /// Both tables.
    pub fn tables(&self) -> String {
        let mut text = String::new();
        let _infallible = writeln!(text, "{}\n\n{}", self.funnel(), self.stages());
        text
    }

    fn funnel(&self) -> Table {
        let closed = |phase: &str| self.views.iter().filter(|view| view.phase == phase).count();
        let mut paths: BTreeMap<&str, usize> = BTreeMap::new();
        for view in &self.views {
            *paths.entry(view.path.as_str()).or_default() += 1;
        }
        let paths: Vec<String> = paths.iter().map(|(path, cases)| format!("{path} {cases}")).collect();
        let findings: u64 = self.views.iter().map(|view| u64::from(view.findings)).sum();
        let open = self.views.iter().filter(|view| view.closed_at.is_none()).count();
        let automatic = self.sum("shutter_cases_closed_total", &["closing=\"verified\"", "resolution=\"automatic\""]);
        let mut table = table();
        for (name, value, what) in [
            ("detections", self.sum("shutter_source_records_total", &[]).to_string(), "records read".to_owned()),
            (
                "dead letters",
                self.sum("shutter_dead_letters_total", &[]).to_string(),
                "broken, kept whole with the reason".to_owned(),
            ),
            (
                "suppressed",
                self.sum("shutter_suppressed_total", &[]).to_string(),
                "by a rule with a reason and an end".to_owned(),
            ),
            ("findings", findings.to_string(), "distinct; all else were repeats".to_owned()),
            ("cases", self.views.len().to_string(), paths.join(", ")),
            ("verified closures", closed("closed_verified").to_string(), format!("{automatic} without any person")),
            ("open", open.to_string(), "still waiting for somebody".to_owned()),
        ] {
            table.add_row([name, value.as_str(), what.as_str()]);
        }
        aligned(table)
    }

    fn stages(&self) -> Table {
        let mut table = table();
        table.set_header(["stage", "cases", "mean (demo time)"]);
        for (stage, words) in [
            ("detected_to_received", "detected → received"),
            ("detected_to_routed", "detected → routed"),
            ("approval_asked_to_answered", "approval asked → answered"),
            ("assigned_to_first_action", "assigned → first action"),
            ("first_action_to_verified_closure", "first action → verified closure"),
            ("detected_to_verified_closure", "detected → verified closure"),
        ] {
            let label = format!("stage=\"{stage}\"");
            let count = self.sum("shutter_stage_duration_seconds_count", &[&label]);
            let mean = self.sum("shutter_stage_duration_seconds_sum", &[&label]) / count;
            table.add_row([
                words.to_owned(),
                count.to_string(),
                if count > 0.0 { length(mean) } else { String::new() },
            ]);
        }
        aligned(table)
    }
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// The numbers to the right; only a table that has rows has columns.
fn aligned(mut table: Table) -> Table {
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[allow(clippy::cast_precision_loss, reason = "counts of a demo")]
fn as_number(count: usize) -> f64 {
    count as f64
}

/// `1 h 05 min`, `4 min 10 s`.
#[allow(clippy::cast_possible_truncation, reason = "seconds of a demo")]
fn length(seconds: f64) -> String {
    let seconds = seconds.round() as i64;
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_only_the_series_that_are_meant() {
        let text = "# HELP a x\na_total{b=\"1\"} 2\na_total{b=\"2\"} 3\na_total_more 9\na_total 1\n";
        let closing = Closing::new(Vec::new(), text.to_owned(), 0);
        assert!((closing.sum("a_total", &[]) - 6.0).abs() < 1e-9);
        assert!((closing.sum("a_total", &["b=\"2\""]) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn without_cases_everything_is_missing() {
        let closing = Closing::new(Vec::new(), String::new(), 1);
        assert_eq!(closing.missing(1).len(), EXPECTED.len() + 2);
        assert!(!closing.all_quiet());
    }

    #[test]
    fn where_it_was_stopped_nothing_is_missing_and_nothing_is_claimed() {
        let text = "shutter_source_records_total{source=\"a\"} 3\n".to_owned();
        let told = Closing::new(Vec::new(), text, 5).stopped(2, WallTime::from_millis(1_772_442_000_000));
        assert!(
            told.starts_with("Stopped in the middle of round 2, at 03-02 09:00 demo time: 3 of 5 records"),
            "{told}"
        );
        assert!(!told.contains("missing") && !told.contains("All "), "{told}");
    }

    #[test]
    fn lengths_are_for_people() {
        assert_eq!([length(9.4), length(250.0), length(3_900.0)], ["9 s", "4 min 10 s", "1 h 05 min"]);
    }
}
