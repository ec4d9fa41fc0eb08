//! `shutter case explain`: the receipts of one case, in the order in which they were written.

use std::io::Write as _;
use std::process::ExitCode;

use super::One;
use crate::cli::site::{Format, Site};
use crate::cli::{exit, shown};
use crate::wire::Receipt;

pub(super) fn run(one: &One) -> anyhow::Result<ExitCode> {
    let site = Site::open(&one.at.config)?;
    let view = site.case(&one.uid)?;
    let mut receipts: Vec<Receipt> = Vec::new();
    site.each(&site.topics.audit, &mut |receipt: Receipt| {
        if receipt.case_uid == view.uid {
            receipts.push(receipt);
        }
    })?;
    receipts.sort_by_key(|receipt| receipt.at);
    match one.at.format {
        Format::Json => shown::json(&receipts)?,
        Format::Text => {
            let mut out = std::io::stdout().lock();
            writeln!(out, "case {} (generation {}): {}", view.uid, view.generation, shown::line(&view.title))?;
            for receipt in &receipts {
                print(&mut out, receipt)?;
            }
            let oldest = if receipts.is_empty() { "; the audit topic keeps receipts for a limited time" } else { "" };
            writeln!(out, "{}{oldest}", shown::counted(receipts.len(), "receipt"))?;
        }
    }
    Ok(ExitCode::from(exit::OK))
}

fn print(out: &mut impl std::io::Write, receipt: &Receipt) -> std::io::Result<()> {
    writeln!(
        out,
        "\n{}  {} on {} by {} (generation {})",
        receipt.at,
        shown::line(&receipt.outcome),
        shown::line(&receipt.trigger),
        shown::line(&receipt.actor),
        receipt.generation
    )?;
    writeln!(out, "  input    {}", shown::line(&receipt.input))?;
    if !receipt.rules.is_empty() {
        let rules: Vec<String> = receipt.rules.iter().map(|rule| format!("{} {}", rule.kind, rule.id)).collect();
        writeln!(out, "  matched  {}", shown::line(&rules.join(", ")))?;
    }
    for reason in &receipt.reasons {
        writeln!(out, "  because  {}: {}", shown::line(&reason.code), shown::line(&reason.text))?;
    }
    for (name, value) in &receipt.facts {
        writeln!(out, "  fact     {} = {}", shown::line(name), shown::line(value))?;
    }
    for command in &receipt.commands {
        writeln!(out, "  sent     {}", shown::line(command))?;
    }
    let cut = |digest: &str| crate::limits::cut(digest, 12).to_owned();
    writeln!(
        out,
        "  under    policy {}, catalog {}, {}; receipt {}",
        cut(&receipt.policy_digest),
        cut(&receipt.catalog_digest),
        receipt.engine_version,
        shown::line(&receipt.id)
    )
}
