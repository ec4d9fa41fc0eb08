//! `replay --decisions`: what the policy would have done beside what operators did. How often they agree, where they
//! don't and why, class by class.
//!
//! The policy's word is what it would do under the ceiling `enforce`: operators have no ceiling.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::json;
use smol_str::SmolStr;

use super::super::{exit, shown};
use super::case::Told;
use super::course::Outcome;
use super::output::{Lines, pretty};
use crate::casework::CasePath;
use crate::ids::CaseUid;
use crate::policy::glob::Glob;
use crate::wire::MatchedRule;

/// Columns that are read; others are left alone.
const COLUMNS: [&str; 4] = ["record", "rule", "resource", "decision"];
/// What an operator may have decided, from careful to bold.
const WORDS: [&str; 5] = ["suppress", "ticket", "incident", "approve", "enforce"];
/// Disagreements that are printed; all of them are in disagreements.jsonl.
const LISTED: usize = 10;

/// One decision of an operator.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decided {
    line: u64,
    record: Option<u64>,
    rule: Option<Glob>,
    resource: Option<Glob>,
    decision: &'static str,
}

/// One line of the comparison.
#[derive(Debug, Serialize)]
struct Disagreement<'a> {
    line: u64,
    operator: &'static str,
    policy: &'static str,
    class: SmolStr,
    case_uid: Option<CaseUid>,
    title: Option<&'a str>,
    playbook: Option<&'a str>,
    rules: &'a [MatchedRule],
    /// The decision's own words.
    because: &'a [String],
    /// Rules that suppressed it.
    suppressed_by: &'a [SmolStr],
}

/// Reads the file.
///
/// # Errors
/// A file that can't be read, a column that is missing, a word that is none, with their lines.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Decided>> {
    let wrong = |line: u64, what: String| exit::usage(format!("{}:{line}: {what}", path.display()));
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .comment(Some(b'#'))
        .from_path(path)
        .map_err(|error| exit::usage(format!("{}: {error}", path.display())))?;
    let header = reader.headers().map_err(|error| wrong(1, error.to_string()))?.clone();
    let column = |name: &str| header.iter().position(|own| own.eq_ignore_ascii_case(name));
    let [record, rule, resource, decision] = COLUMNS.map(column);
    let Some(decision) = decision else {
        let found: Vec<&str> = header.iter().collect();
        return Err(wrong(
            1,
            format!("no column `decision`; expected some of {}, found {}", COLUMNS.join(", "), found.join(", ")),
        ));
    };
    if record.or(rule).or(resource).is_none() {
        return Err(wrong(
            1,
            "no column `record`, `rule` or `resource`: nothing says what was decided about".to_owned(),
        ));
    }
    let mut all = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| exit::usage(format!("{}: {error}", path.display())))?;
        let line = row.position().map_or(0, csv::Position::line);
        let field = |at: Option<usize>| at.and_then(|at| row.get(at)).filter(|text| !text.is_empty());
        let said = row.get(decision).unwrap_or_default();
        let word = said.to_ascii_lowercase();
        let Some(decision) = WORDS.into_iter().find(|own| *own == word) else {
            let near = crate::nearest::did_you_mean(said, WORDS);
            return Err(wrong(line, format!("`{said}` is no decision; expected one of {}{near}", WORDS.join(", "))));
        };
        let number = field(record).map(|text| text.parse::<u64>().map_err(|_| text));
        let record =
            number.transpose().map_err(|text| wrong(line, format!("`{text}` is no number of a record, from 0")))?;
        let (rule, resource) =
            (field(rule).map(Glob::new), field(resource).map(|text| Glob::new(&format!("*{text}*"))));
        if record.is_none() && rule.is_none() && resource.is_none() {
            return Err(wrong(
                line,
                "neither record nor rule nor resource: nothing says what was decided about".to_owned(),
            ));
        }
        all.push(Decided { line, record, rule, resource, decision });
    }
    if all.is_empty() {
        return Err(exit::usage(format!("{}: no decision in it", path.display())));
    }
    Ok(all)
}

/// The policy's word, and the case that it is about.
struct Word<'a> {
    path: &'static str,
    told: Option<&'a Told>,
    suppressed: &'a [SmolStr],
}

fn word_of(path: CasePath) -> &'static str {
    match path {
        // Nothing but a record: nobody is asked or told.
        CasePath::Observe => "suppress",
        other => other.as_str(),
    }
}

fn boldness(word: &str) -> usize {
    WORDS.iter().position(|own| *own == word).unwrap_or_default()
}

impl Decided {
    /// What the policy does with what was decided about; of several cases the boldest. None where there is nothing.
    fn answer<'a>(&self, now: &'a Outcome) -> Option<Word<'a>> {
        let reached = self.record.map(|record| now.traced.records.get(&record));
        let fits = |told: &&'a Told| {
            reached.is_none_or(|reached| reached.is_some_and(|reached| reached.cases.contains(&told.view.uid)))
                && self.rule.as_ref().is_none_or(|rule| rule.matches(&told.view.rule))
                && self.resource.as_ref().is_none_or(|resource| resource.matches(&told.view.resource))
        };
        let boldest = now.cases.iter().filter(fits).max_by_key(|told| boldness(word_of(told.prospect.lifted)));
        let suppressed = reached.flatten().map(|reached| reached.suppressed.as_slice()).unwrap_or_default();
        match boldest {
            Some(told) => Some(Word { path: word_of(told.prospect.lifted), told: Some(told), suppressed }),
            None if !suppressed.is_empty() => Some(Word { path: "suppress", told: None, suppressed }),
            None => None,
        }
    }
}

/// Operator's word, then the policy's.
type Matrix = BTreeMap<&'static str, BTreeMap<&'static str, u64>>;

/// Compares, writes, prints.
pub(super) fn tell(decided: &[Decided], now: &Outcome, out: &Path) -> anyhow::Result<()> {
    let mut lines = Lines::create(&out.join("disagreements.jsonl"))?;
    let mut classes: BTreeMap<SmolStr, Matrix> = BTreeMap::new();
    let mut whole = Matrix::new();
    let (mut agreed, mut bolder, mut unmatched) = (0_u64, 0_u64, Vec::new());
    let mut listed = Vec::new();
    for one in decided {
        let Some(word) = one.answer(now) else {
            unmatched.push(one.line);
            continue;
        };
        let class = word.told.map_or_else(|| SmolStr::new_static("suppressed"), |told| told.view.class.as_str().into());
        for matrix in [classes.entry(class.clone()).or_default(), &mut whole] {
            *matrix.entry(one.decision).or_default().entry(word.path).or_default() += 1;
        }
        if word.path == one.decision {
            agreed += 1;
            continue;
        }
        bolder += u64::from(boldness(word.path) > boldness(one.decision));
        let disagreement = Disagreement {
            line: one.line,
            operator: one.decision,
            policy: word.path,
            class,
            case_uid: word.told.map(|told| told.view.uid),
            title: word.told.map(|told| told.view.title.as_str()),
            playbook: word.told.map(|told| told.view.playbook.as_str()),
            rules: word.told.map(|told| told.prospect.matched.as_slice()).unwrap_or_default(),
            because: word.told.map(|told| told.prospect.because.as_slice()).unwrap_or_default(),
            suppressed_by: word.suppressed,
        };
        lines.put(&disagreement)?;
        if listed.len() < LISTED {
            listed.push(line(&disagreement));
        }
    }
    lines.close()?;
    let compared: u64 = whole.values().flat_map(BTreeMap::values).sum();
    let differ = compared - agreed;
    pretty(
        &out.join("agreement.json"),
        &json!({
            "decisions": decided.len(), "compared": compared, "agree": agreed, "policy_bolder": bolder,
            "policy_more_careful": differ - bolder, "unmatched_lines": unmatched, "operator_then_policy": whole,
            "by_class": classes,
        }),
    )?;
    shown::say(format_args!("\n{} decisions of operators, {compared} about something in the records", decided.len()))?;
    if !unmatched.is_empty() {
        let some: Vec<String> = unmatched.iter().take(5).map(u64::to_string).collect();
        shown::say(format_args!(
            "  {} are about nothing here: lines {}{}",
            unmatched.len(),
            some.join(", "),
            if unmatched.len() > 5 { " …" } else { "" }
        ))?;
    }
    shown::say(format_args!(
        "  {agreed} agree ({}%), with ceiling enforce; the policy is bolder in {bolder}, more careful in {}",
        share(agreed, compared),
        differ - bolder
    ))?;
    print_matrix("all", &whole)?;
    if classes.len() > 1 {
        classes.iter().try_for_each(|(class, matrix)| print_matrix(class, matrix))?;
    }
    listed.iter().try_for_each(|line| shown::say(format_args!("{line}")))?;
    if differ > LISTED as u64 {
        shown::say(format_args!("  and {} more in disagreements.jsonl", differ - LISTED as u64))?;
    }
    Ok(())
}

fn share(part: u64, all: u64) -> u64 {
    part * 100 / all.max(1)
}

fn line(one: &Disagreement<'_>) -> String {
    let what = one.title.map_or_else(
        || format!("suppressed by {}", one.suppressed_by.join(", ")),
        |title| format!("{} ({})", shown::short(title, 70), one.because.join("; ")),
    );
    format!("  line {}: operator {}, policy {}: {}", one.line, one.operator, one.policy, shown::line(&what))
}

fn print_matrix(title: &str, matrix: &Matrix) -> std::io::Result<()> {
    shown::say(format_args!("\n{title:20} policy:{}", WORDS.map(|word| format!("{word:>10}")).concat()))?;
    for word in WORDS {
        let Some(row) = matrix.get(word) else { continue };
        let cells =
            WORDS.map(|own| row.get(own).map_or_else(|| format!("{:>10}", "·"), |count| format!("{count:>10}")));
        shown::say(format_args!("  operator: {word:<16}{}", cells.concat()))?;
    }
    Ok(())
}
