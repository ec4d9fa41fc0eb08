//! `replay --receipt`: takes decisions again from the arguments in their receipts, and says whether they come out byte
//! for byte, or what differs: the policy, the catalog, the version of this program, the outcome, a reason.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use super::super::case::why_not;
use super::super::{exit, shown};
use crate::casework::{Argument, CasePath, decide};
use crate::policy::Rules;
use crate::policy::files;
use crate::wire::Receipt;

/// Versions that write receipts of this form: this one.
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) fn path(word: &str) -> Result<CasePath, String> {
    let wanted = CasePath::parse(word).filter(|path| *path != CasePath::Observe);
    wanted.ok_or_else(|| "expected enforce, approve, ticket or incident".to_owned())
}

/// What came of one receipt.
enum Again {
    /// The same bytes.
    Same,
    /// Nothing was decided in it: it notes something that happened.
    NoDecision,
    /// What differs, one line each.
    Differs(Vec<String>),
}

/// Reads the receipts, takes their decisions again, tells.
pub(super) fn run(file: &Path, rules: &Rules, wanted: Option<CasePath>) -> anyhow::Result<ExitCode> {
    let receipts = read(file)?;
    let mut out = std::io::stdout().lock();
    let (mut same, mut different, mut noted) = (0_u64, 0_u64, 0_u64);
    for receipt in &receipts {
        let again = again(receipt, rules);
        let line = |word: &str| format!("{word}  {}  {} at {}", receipt.id, receipt.outcome, receipt.at);
        match &again {
            Again::NoDecision => {
                noted += 1;
                if receipts.len() == 1 {
                    writeln!(out, "{}", shown::line(&line("nothing was decided")))?;
                }
            }
            Again::Same => {
                same += 1;
                writeln!(out, "{}", shown::line(&line("byte for byte")))?;
            }
            Again::Differs(lines) => {
                different += 1;
                writeln!(out, "{}", shown::line(&line("differs")))?;
                for line in lines {
                    writeln!(out, "  {}", shown::line(line))?;
                }
            }
        }
        if let Some(wanted) = wanted
            && let Ok(argument) = serde_json::from_str::<Argument>(&receipt.argument)
        {
            for line in why_not(rules, &argument, wanted).lines() {
                writeln!(out, "  {}", shown::line(&line))?;
            }
        }
    }
    writeln!(out, "{} receipts: {same} byte for byte, {different} differ, {noted} without a decision", receipts.len())?;
    Ok(ExitCode::from(if different == 0 { exit::OK } else { exit::FOUND }))
}

/// One receipt, a list of them, or one a line.
fn read(file: &Path) -> anyhow::Result<Vec<Receipt>> {
    let text = files::read_text(file).map_err(|error| exit::usage(error.to_string()))?;
    let unlike = |line: usize, error: serde_json::Error| {
        exit::usage(format!(
            "{}:{line}: no receipt: {error}; expected one of `receipts.jsonl`, of the topic `audit`, or of `shutter case \
             explain --format json`",
            file.display()
        ))
    };
    let values: Vec<(usize, Value)> = match serde_json::from_str::<Value>(&text) {
        Ok(Value::Array(items)) => items.into_iter().map(|item| (1, item)).collect(),
        Ok(one) => vec![(1, one)],
        Err(_) => {
            let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            let read = |(number, line): (usize, &str)| match serde_json::from_str(line) {
                Ok(value) => Ok((number + 1, value)),
                Err(error) => Err(unlike(number + 1, error)),
            };
            lines.map(read).collect::<anyhow::Result<_>>()?
        }
    };
    let receipt = |(line, value)| serde_json::from_value(value).map_err(|error| unlike(line, error));
    let receipts: Vec<Receipt> = values.into_iter().map(receipt).collect::<anyhow::Result<_>>()?;
    if receipts.is_empty() {
        return Err(exit::usage(format!("{}: no receipt in it", file.display())));
    }
    Ok(receipts)
}

fn again(receipt: &Receipt, rules: &Rules) -> Again {
    if receipt.argument.is_empty() {
        return Again::NoDecision;
    }
    let mut lines = Vec::new();
    let mut differs = |what: &str, was: &str, is: &str| {
        if was != is {
            lines.push(format!("{what}: was {was}, is {is}"));
        }
    };
    let version = receipt.engine_version.rsplit(' ').next().unwrap_or_default();
    if version != "shutter" {
        differs("version of the engine", version, VERSION);
    }
    let stamp = rules.stamp();
    differs("policy", &receipt.policy_digest, &stamp.policy);
    differs("catalog", &receipt.catalog_digest, &stamp.catalog);
    let argument: Argument = match serde_json::from_str(&receipt.argument) {
        Ok(argument) => argument,
        Err(error) => {
            lines.push(format!("argument: can't be read by this version: {error}"));
            return Again::Differs(lines);
        }
    };
    let written = serde_json::to_string(&argument).unwrap_or_default();
    differs("argument, written again", &receipt.argument, &written);
    let decision = decide(rules, &argument);
    differs("outcome", &receipt.outcome, decision.path.as_str());
    differs("rules", &json(&receipt.rules), &json(&decision.matched));
    let (was, is) = (&receipt.reasons, &decision.reasons);
    for place in 0..was.len().max(is.len()) {
        let told = |reasons: &[crate::wire::Reason]| {
            reasons.get(place).map_or_else(|| "nothing".to_owned(), |r| format!("{} ({})", r.code, r.text))
        };
        differs(&format!("reason {}", place + 1), &told(was), &told(is));
    }
    let names: std::collections::BTreeSet<&String> = receipt.facts.keys().chain(decision.facts.keys()).collect();
    for name in names {
        let told = |facts: &std::collections::BTreeMap<String, String>| {
            facts.get(name).cloned().unwrap_or_else(|| "unknown".to_owned())
        };
        differs(&format!("fact {name}"), &told(&receipt.facts), &told(&decision.facts));
    }
    let made = Receipt {
        outcome: decision.path.as_str().into(),
        rules: decision.matched,
        reasons: decision.reasons,
        facts: decision.facts,
        argument: written,
        policy_digest: stamp.policy,
        catalog_digest: stamp.catalog,
        ..receipt.clone()
    };
    if lines.is_empty() && json(&made) != json(receipt) {
        lines.push("something that isn't told apart here; a defect of ours".to_owned());
    }
    if lines.is_empty() { Again::Same } else { Again::Differs(lines) }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
