//! Figures as a Markdown table on stdout, and as JSON in `target/benches/`, for whoever compares runs.

use std::path::Path;

use serde_json::{Map, Value, json};

/// Whether `cargo bench` runs this. Anything else (`cargo test --all-targets`) only wants to see that it works.
pub fn is_measuring() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// How many detections to work on: `SHUTTER_BENCH_DETECTIONS`, else `usual`, else few where nobody measures.
///
/// # Panics
/// On a value that is no number.
pub fn effort(usual: usize) -> usize {
    match std::env::var("SHUTTER_BENCH_DETECTIONS") {
        Ok(text) => text.parse().expect("SHUTTER_BENCH_DETECTIONS is a number of detections, such as 300000"),
        Err(_) if is_measuring() => usual,
        Err(_) => 200,
    }
}

/// One table.
pub struct Report {
    name: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    json: Vec<Value>,
}

impl Report {
    /// Without rows; the first column says what a row is about.
    pub fn new(name: &'static str, columns: &[&'static str]) -> Self {
        Self { name, columns: columns.to_vec(), rows: Vec::new(), json: Vec::new() }
    }

    /// Adds a row: what it is about, then a number per column. Whole numbers from 100 on, else two digits.
    pub fn row(&mut self, about: &str, figures: &[f64]) {
        let mut object = Map::from_iter([("row".to_owned(), json!(about))]);
        let mut row = vec![about.to_owned()];
        for (column, figure) in self.columns.iter().skip(1).zip(figures) {
            object.insert((*column).to_owned(), json!(figure));
            row.push(match figure.abs() {
                size if size >= 100.0 => format!("{figure:.0}"),
                size if size >= 10.0 => format!("{figure:.1}"),
                _ => format!("{figure:.2}"),
            });
        }
        self.rows.push(row);
        self.json.push(Value::Object(object));
    }

    /// Prints the table, and writes `target/benches/<name>.json` where `cargo bench` runs.
    pub fn finish(self) {
        println!("\n| {} |", self.columns.join(" | "));
        println!("|---{}|", "|---:".repeat(self.columns.len().saturating_sub(1)));
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
        if !is_measuring() {
            return;
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/benches");
        let file = folder.join(format!("{}.json", self.name));
        let text = serde_json::to_string_pretty(&self.json).expect("figures are numbers and texts");
        if let Err(error) = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, text)) {
            eprintln!("{}: {error}", file.display());
        }
    }
}
