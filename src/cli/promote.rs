//! `shutter promote`: which playbooks that ask have shown that they need not ask any more, by the policy's own bar.
//!
//! Reads receipts: of the topic `audit`, or those that a replay left behind. Changes nothing.

mod measure;

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::help::Ending;
use super::shown::Listing;
use super::site::Site;
use super::{announced, exit, shown};
use crate::clock;
use crate::config::Config;
use crate::policy::{Path, Policy, Promotion, files};
use crate::time::WallTime;
use crate::wire::Receipt;

use measure::{Measured, measured};

/// The end of `shutter promote --help`.
pub const END: Ending = Ending {
    examples: &[
        "shutter promote --config shutter.yaml",
        "shutter promote --config shutter.yaml --policy policy --format json",
        "shutter promote --policy deploy/policy --receipts out/receipts.jsonl",
    ],
    notes: &[
        "For every playbook with `path: approve`: cases that were asked about, how many were approved as asked at the first \
         question, verified at the first look, taken back because something suffered, and came back; and whether that meets \
         the policy's `promotion`.",
    ],
    found: Some("the playbook that was named with --playbook doesn't meet the bar"),
};

/// `shutter promote`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration of the installation
    #[arg(long, value_name = "FILE", required_unless_present = "receipts")]
    config: Option<PathBuf>,
    /// Receipts that a replay left behind, in place of an installation's
    #[arg(long, value_name = "FILE", conflicts_with = "config", requires = "policy")]
    receipts: Option<PathBuf>,
    /// Policy with the playbooks and the bar [default: the configuration's]
    #[arg(long, value_name = "DIR")]
    policy: Option<PathBuf>,
    /// Only this playbook; fails where it doesn't meet the bar
    #[arg(long, value_name = "ID")]
    playbook: Option<String>,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Listing,
}

/// Reads, counts, prints.
///
/// # Errors
/// A policy or receipts that can't be read.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (policy, receipts, now) = read(args)?;
    let bar = policy.promotion;
    let from = bar.map_or(WallTime::from_millis(i64::MIN), |bar| now.minus(bar.within));
    let asks: Vec<_> = policy.playbooks.iter().filter(|playbook| playbook.path == Path::Approve).collect();
    if let Some(name) = &args.playbook
        && !asks.iter().any(|playbook| playbook.id == *name)
    {
        let names: Vec<&str> = asks.iter().map(|playbook| playbook.id.as_str()).collect();
        let near = crate::nearest::did_you_mean(name, names.iter().copied());
        return Err(exit::usage(format!(
            "no playbook `{name}` has the path approve{near}; there are: {}",
            names.join(", ")
        )));
    }
    let mut measured = measured(&receipts, from);
    let rows: Vec<(String, Measured, Vec<String>)> = asks
        .into_iter()
        .filter(|playbook| args.playbook.as_ref().is_none_or(|name| playbook.id == *name))
        .map(|playbook| {
            let counts = measured.remove(&playbook.id).unwrap_or_default();
            let short = bar.map(|bar| falls_short(&counts, bar)).unwrap_or_default();
            (playbook.id.to_string(), counts, short)
        })
        .collect();
    match args.format {
        Listing::Json => {
            let list: Vec<_> = rows
                .iter()
                .map(|(id, counts, short)| json!({"playbook": id, "counts": counts, "meets_the_bar": bar.map(|_| short.is_empty()), "falls_short": short}))
                .collect();
            shown::json(&json!({"policy_digest": policy.digest, "from": bar.map(|_| from), "playbooks": list}))?;
        }
        listing => text(&rows, bar, listing)?,
    }
    let failed = args.playbook.is_some() && (bar.is_none() || rows.iter().any(|(_, _, short)| !short.is_empty()));
    Ok(ExitCode::from(if failed { exit::FOUND } else { exit::OK }))
}

fn read(args: &Args) -> anyhow::Result<(Policy, Vec<Receipt>, WallTime)> {
    let policy = |path: &std::path::Path| announced::from_disk(path, None).map(|rules| (*rules.policy).clone());
    if let (Some(file), Some(path)) = (&args.receipts, &args.policy) {
        let text = files::read_text(file).map_err(|error| exit::usage(error.to_string()))?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let receipt = |(number, line): (usize, &str)| {
            serde_json::from_str::<Receipt>(line)
                .map_err(|error| exit::usage(format!("{}:{}: no receipt: {error}", file.display(), number + 1)))
        };
        let receipts = lines.map(receipt).collect::<anyhow::Result<Vec<_>>>()?;
        // A replay's clock is that of its records.
        let now = receipts.iter().map(|receipt| receipt.at).max().unwrap_or_default();
        return Ok((policy(path)?, receipts, now));
    }
    let Some(config) = &args.config else { return Err(exit::usage("--config or --receipts is missing")) };
    let own = Config::load(config)?.policy;
    let path = args
        .policy
        .clone()
        .or(own)
        .ok_or_else(|| exit::usage("the configuration names no policy; name one with --policy"))?;
    let policy = policy(&path)?;
    let site = Site::open(config)?;
    let mut receipts = Vec::new();
    site.each(&site.topics.audit, &mut |receipt: Receipt| receipts.push(receipt))?;
    Ok((policy, receipts, clock::now()))
}

/// What is missing for the bar, each with what was seen.
fn falls_short(counts: &Measured, bar: Promotion) -> Vec<String> {
    let mut short = Vec::new();
    if counts.asked < u64::from(bar.cases) {
        short.push(format!("{} of {} cases", counts.asked, bar.cases));
    }
    let mut least = |name: &str, share: Option<crate::policy::Share>, part: u64, all: u64| {
        if let Some(share) = share.filter(|share| !share.is_reached(part, all)) {
            short.push(format!("{name} {part} of {all}, below {share}"));
        }
    };
    least("approved unchanged", bar.approved_unchanged, counts.approved_unchanged, counts.asked);
    least("verified first time", bar.verified_first_time, counts.verified_first_time, counts.looked_at);
    let mut most = |name: &str, share: Option<crate::policy::Share>, part: u64, all: u64| {
        if let Some(share) = share.filter(|share| !share.is_kept(part, all)) {
            short.push(format!("{name} {part} of {all}, above {share}"));
        }
    };
    most("rolled back", bar.rolled_back, counts.rolled_back, counts.done);
    most("recurred", bar.recurred, counts.recurred, counts.closed);
    short
}

fn text(rows: &[(String, Measured, Vec<String>)], bar: Option<Promotion>, listing: Listing) -> anyhow::Result<()> {
    let share = |part: u64, all: u64| match (part * 100).checked_div(all) {
        None => "-".to_owned(),
        Some(percent) => format!("{part}/{all} {percent}%"),
    };
    let head =
        ["playbook", "asked", "approved unchanged", "verified first time", "rolled back", "recurred", "may enforce"];
    let row = |(id, counts, short): &(String, Measured, Vec<String>)| {
        let verdict = match (bar, short.is_empty()) {
            (None, _) => "no bar".to_owned(),
            (Some(_), true) => "yes".to_owned(),
            (Some(_), false) => format!("not yet: {}", short.join("; ")),
        };
        vec![
            id.clone(),
            counts.asked.to_string(),
            share(counts.approved_unchanged, counts.asked),
            share(counts.verified_first_time, counts.looked_at),
            share(counts.rolled_back, counts.done),
            share(counts.recurred, counts.closed),
            verdict,
        ]
    };
    let table: Vec<Vec<String>> = rows.iter().map(row).collect();
    shown::table(&head, &table, &["recurred", "rolled back"], listing)?;
    match bar {
        None => shown::remark("the policy sets no bar; docs/policy.md, When asking is no longer needed, has one"),
        Some(bar) => shown::remark(format_args!(
            "of the last {}; set `path: enforce` in the policy where you agree, and run its tests",
            bar.within
        )),
    }
    Ok(())
}
