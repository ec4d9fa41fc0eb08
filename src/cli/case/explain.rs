//! `shutter case explain`: the receipts of one case, in the order in which they were written; with `--why-not`, what
//! stood between its last decision and another one.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use super::One;
use crate::casework::{Argument, CasePath};
use crate::cli::announced::{self, Announced};
use crate::cli::site::{Format, Site};
use crate::cli::{exit, shown};
use crate::wire::Receipt;

/// Which case, and what about it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    one: One,
    /// Say what stood between the last decision and this path.
    #[arg(long, value_name = "PATH", value_parser = path)]
    why_not: Option<CasePath>,
    /// With --why-not: the policy that decided, where the installation no longer has it.
    #[arg(long, value_name = "DIR", requires = "why_not")]
    policy: Option<PathBuf>,
    /// With --policy: the catalog that goes with it.
    #[arg(long, value_name = "DIR", requires = "policy")]
    catalog: Option<PathBuf>,
}

fn path(word: &str) -> Result<CasePath, String> {
    let wanted = CasePath::parse(word).filter(|path| *path != CasePath::Observe);
    wanted.ok_or_else(|| "expected enforce, approve, ticket or incident".to_owned())
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let one = &args.one;
    let site = Site::open(&one.at.config)?;
    let view = site.case(&one.uid)?;
    let mut receipts: Vec<Receipt> = Vec::new();
    site.each(&site.topics.audit, &mut |receipt: Receipt| {
        if receipt.case_uid == view.uid {
            receipts.push(receipt);
        }
    })?;
    receipts.sort_by_key(|receipt| receipt.at);
    if let Some(wanted) = args.why_not {
        return differently(args, &site, &receipts, wanted);
    }
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

/// What stood between the last decision and another one.
fn differently(args: &Args, site: &Site, receipts: &[Receipt], wanted: CasePath) -> anyhow::Result<ExitCode> {
    let Some(receipt) = receipts.iter().rfind(|receipt| !receipt.argument.is_empty()) else {
        anyhow::bail!("no receipt of a decision is left; the audit topic keeps receipts for a limited time");
    };
    let argument: Argument = serde_json::from_str(&receipt.argument).with_context(|| {
        format!(
            "receipt {}: its argument was written by {}, and this version can't read it",
            receipt.id, receipt.engine_version
        )
    })?;
    let rules = match &args.policy {
        Some(policy) => announced::from_disk(policy, args.catalog.as_deref())?,
        None => Announced::read(site)?.rules(&argument.rules)?.ok_or_else(|| {
            exit::usage(format!(
                "policy {} with catalog {} is no longer on `{}`; name it with --policy and --catalog",
                argument.rules.policy, argument.rules.catalog, site.topics.control
            ))
        })?,
    };
    let stamp = rules.stamp();
    if stamp != argument.rules {
        shown::remark(format_args!(
            "policy {} with catalog {} isn't what decided ({} with {}); this is what it would have said",
            stamp.policy, stamp.catalog, argument.rules.policy, argument.rules.catalog
        ));
    }
    let answer = super::why_not(&rules, &argument, wanted);
    match args.one.at.format {
        Format::Json => shown::json(&answer)?,
        Format::Text => {
            let mut out = std::io::stdout().lock();
            writeln!(out, "case {}, decided {} on {}", receipt.case_uid, receipt.at, shown::line(&receipt.trigger))?;
            for line in answer.lines() {
                writeln!(out, "{}", shown::line(&line))?;
            }
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
