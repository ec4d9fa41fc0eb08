//! `shutter replay`: a file of detections through the whole of Shutter in memory, with event time as the clock.
//!
//! What would this policy have done with what happened? One order of inputs; a live installation reads many partitions
//! at once, so the same detections may arrive in other orders there. Not for logs: nothing is sent anywhere.

mod answers;
mod case;
mod compare;
mod course;
mod decisions;
mod ledger;
mod members;
mod order;
mod outlook;
mod output;
mod receipt;
mod table;
mod tally;
mod trace;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args as ClapArgs, ValueEnum};

use super::help::Ending;
use super::input::Form;
use super::{announced, exit, normalize};
use crate::casework::CasePath;
use crate::clock;
use crate::formats::Format;
use crate::policy::{Ceiling, Rules, term};
use crate::time::{Span, WallTime};

pub(super) use answers::NoFeedback;
use course::Course;
use output::{Output, Overwrite};
use trace::Trace;

/// The end of `shutter replay --help`.
pub const END: Ending = Ending {
    examples: &[
        "shutter replay --policy deploy/policy --catalog deploy/catalog --format trivy --input report.json --out out",
        "shutter replay --policy deploy/policy --mapping deploy/mappings/ait-ads.yaml --input alerts.csv.gz --out out \\\n    \
         --ceiling enforce --answers simulated --go-on 30d --members",
        "shutter replay --policy new --compare old --format trivy --input report.json --out out",
        "shutter replay --policy deploy/policy --format falco --input day.ndjson --out out --decisions operators.csv",
        "shutter replay --policy deploy/policy --catalog deploy/catalog --receipt receipt.json --why-not enforce",
    ],
    notes: &[
        "Records are taken in the order of their event time, and the clock stops at the last one unless --go-on lets it run \
         on. That is one order of inputs: a live installation reads many partitions at once and may meet the same \
         detections in another order. Cases, generations, actions and targets are comparable between runs; opening times \
         and ids with time in them need not be. The same file under the same rules gives the same bytes.",
        "Into DIR: cases.jsonl (the case that matters most first), actions.jsonl, receipts.jsonl, dead_letters.jsonl \
         (dead_letters.restricted.jsonl for what may bear secrets), summary.json; docs/replay.md explains each field. \
         Secrets are hashed with SHUTTER_SITE_KEY from the environment, as by normalize.",
    ],
    found: Some("records were rejected, or a receipt doesn't come out again"),
};

/// Who answers what is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Answers {
    /// Nobody: every answer is missed, as with no responder connected.
    #[default]
    None,
    /// Everybody does what is asked, in made-up times.
    Simulated,
}

/// Options of `shutter replay`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Policy: a YAML file, or a folder of them
    #[arg(long, value_name = "DIR")]
    policy: PathBuf,

    /// Catalog: a YAML file, or a folder of them
    #[arg(long, value_name = "DIR")]
    catalog: Option<PathBuf>,

    /// Format of the records
    #[arg(long, value_name = "NAME", value_parser = normalize::format, required_unless_present_any = ["mapping", "receipt"], help = normalize::format_help())]
    format: Option<Format>,

    /// Mapping file that says how the records are read, in place of a format
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    mapping: Option<PathBuf>,

    /// How the file is cut into records; by default its name and its first bytes decide
    #[arg(long, value_enum)]
    records: Option<Form>,

    /// File of records: .json, .ndjson, .csv, each also gzipped; - is standard input
    #[arg(long, value_name = "FILE", required_unless_present = "receipt")]
    input: Option<PathBuf>,

    /// Folder for what comes out
    #[arg(long, value_name = "DIR", required_unless_present = "receipt")]
    out: Option<PathBuf>,

    /// Compare with what another policy makes of the same records, and say which rule made the difference
    #[arg(long, value_name = "OLD_POLICY", conflicts_with = "receipt")]
    compare: Option<PathBuf>,

    /// With --compare: the catalog of the other policy [default: the same]
    #[arg(long, value_name = "DIR", requires = "compare")]
    compare_catalog: Option<PathBuf>,

    /// Compare with what operators did: CSV with `record` or `rule` or `resource`, and `decision`
    #[arg(long, value_name = "FILE", conflicts_with = "receipt")]
    decisions: Option<PathBuf>,

    /// Take the decisions of these receipts again, and say whether they come out byte for byte
    #[arg(long, value_name = "FILE", conflicts_with_all = ["input", "out", "mapping", "format"])]
    receipt: Option<PathBuf>,

    /// With --receipt: say what stood between each decision and this path
    #[arg(long, value_name = "PATH", requires = "receipt", value_parser = receipt::path)]
    why_not: Option<CasePath>,

    /// Overwrite what an earlier replay left in that folder
    #[arg(long)]
    force: bool,

    /// List in each case the 0-based numbers of the records it holds
    #[arg(long)]
    members: bool,

    /// Who answers what is sent
    #[arg(long, value_enum, default_value = "none")]
    answers: Answers,

    /// Let the clock run on for so long after the last record: deadlines, escalations, answers, forgetting
    #[arg(long, value_name = "SPAN", value_parser = span)]
    go_on: Option<Span>,

    /// Judge as if this were the policy's ceiling [default: the policy's own]
    #[arg(long, value_name = "LEVEL", value_parser = ceiling)]
    ceiling: Option<Ceiling>,

    /// Name of the source [default: the name of the format]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,

    /// Tenant
    #[arg(long, value_name = "NAME", default_value = "default")]
    tenant: String,

    /// Partitions of casework
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(1..=1024))]
    partitions: u32,

    /// When the records arrived, for those without a time of their own [default: the file's own time]
    #[arg(long, value_name = "TIME", value_parser = normalize::time)]
    received_at: Option<WallTime>,
}

fn ceiling(word: &str) -> Result<Ceiling, String> {
    let words = || Ceiling::ALL.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", ");
    Ceiling::parse(word).ok_or_else(|| format!("`{word}` is no ceiling; expected one of {}", words()))
}

fn span(text: &str) -> Result<Span, String> {
    term::parse_span(text).map_err(|error| error.to_string())
}

/// Runs it.
///
/// # Errors
/// A policy, a catalog, a file or a folder that can't be used; a disk that says no; a broken promise of the engine.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let rules = rules(&args, &args.policy, args.catalog.as_deref())?;
    if let Some(file) = &args.receipt {
        return receipt::run(file, &rules, args.why_not);
    }
    let (Some(input), Some(out)) = (&args.input, &args.out) else {
        return Err(exit::usage("--input and --out are missing"));
    };
    let old = match &args.compare {
        Some(policy) => Some(rules_of_old(&args, policy)?),
        None => None,
    };
    let wanted = args.decisions.as_deref().map(decisions::read).transpose()?;
    let overwrite = if args.force { Overwrite::Earlier } else { Overwrite::Never };
    Output::check(out, input, overwrite)?;
    let before = out.join("old");
    if old.is_some() {
        Output::check(&before, input, overwrite)?;
    }
    let began = clock::instant();
    let course = Course::read(&args, input)?;
    let trace = if old.is_some() || wanted.is_some() { Trace::On } else { Trace::Off };
    let now = course.run(&args, &rules, out, trace)?;
    writeln!(std::io::stdout(), "{}", table::table(&now.tally, &now.cases, began.elapsed(), &args))?;
    if let Some(old_rules) = &old {
        let was = course.run(&args, old_rules, &before, trace)?;
        compare::tell(&was, &now, (old_rules, &rules), out)?;
    }
    if let Some(wanted) = &wanted {
        decisions::tell(wanted, &now, out)?;
    }
    Ok(ExitCode::from(if now.tally.rejects() == 0 { exit::OK } else { exit::FOUND }))
}

/// Policy and catalog, compiled, under the ceiling that is asked for.
fn rules(args: &Args, policy: &Path, catalog: Option<&Path>) -> anyhow::Result<Arc<Rules>> {
    let mut rules = announced::from_disk(policy, catalog)?;
    if let Some(ceiling) = args.ceiling {
        Arc::make_mut(&mut rules.policy).ceiling = ceiling;
    }
    Ok(Arc::new(rules))
}

fn rules_of_old(args: &Args, policy: &Path) -> anyhow::Result<Arc<Rules>> {
    rules(args, policy, args.compare_catalog.as_deref().or(args.catalog.as_deref()))
}
