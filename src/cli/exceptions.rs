//! `shutter exceptions list|grant|revoke|report`: what is held back or accepted, and until when.
//!
//! Those of one case are asked for with `shutter feedback request-exception`; here are all of them, and those granted
//! beyond one case.

mod list;
mod report;
mod say;

use std::process::ExitCode;
use std::sync::Arc;

use super::feedback::{day, exception_kind};
use super::help::Ending;
use super::site::{Listed, Site, Where};
use crate::config::read_key;
use crate::metrics::SlaTarget;
use crate::policy::term::parse_from;
use crate::time::WallTime;
use crate::wire::{ExceptionKind, Keyring};
use crate::worker::Trust;

/// The end of `shutter exceptions --help`.
pub const END: Ending =
    Ending { examples: &["shutter exceptions list --config shutter.yaml"], notes: &[COUNTS], found: None };
const COUNTS: &str = "A grant counts where `grants` of the policy in force lets the person whose key signs it grant it, for as \
                      long. It holds what fits, open cases and new ones, and lets them go at its end.";
const LIST: Ending = Ending {
    examples: &[
        "shutter exceptions list --config shutter.yaml",
        "shutter exceptions list --config shutter.yaml --all --format json",
    ],
    notes: &[],
    found: None,
};
const GRANT: Ending = Ending {
    examples: &[
        "shutter exceptions grant --config shutter.yaml --as radia-2026 --kind legal_hold --scope account=1111 \\\n  \
         --until 2027-01-31 --reason 'counsel asks to keep it as it is'",
        "shutter exceptions grant --config shutter.yaml --as vint-2026 --kind freeze --scope site --until 2027-01-04 \\\n  \
         --pauses remediate,verify --reason 'the network is being moved'",
    ],
    notes: &[COUNTS, "Renew one by granting it again with --id."],
    found: None,
};
const REVOKE: Ending = Ending {
    examples: &["shutter exceptions revoke legal-hold-3f2a1c --config shutter.yaml --as radia-2026 --reason settled"],
    notes: &["One of a single case ends with `shutter feedback revoke-exception`."],
    found: None,
};
const REPORT: Ending =
    Ending { examples: &["shutter exceptions report --config shutter.yaml --month 2026-11"], notes: &[], found: None };

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// Those in force, and those to come.
    #[command(after_help = LIST.text())]
    List(List),
    /// Grant one beyond one case, or renew it.
    #[command(after_help = GRANT.text())]
    Grant(Grant),
    /// Take one back that was granted beyond one case.
    #[command(after_help = REVOKE.text())]
    Revoke(Revoke),
    /// What was granted, renewed and ended in a month, by whom, and how long cases were exposed under it.
    #[command(after_help = REPORT.text())]
    Report(Report),
}

/// Which to show.
#[derive(Debug, clap::Args)]
pub struct List {
    #[command(flatten)]
    at: Listed,
    /// Those that are over, too.
    #[arg(long)]
    all: bool,
}

/// What is granted.
#[derive(Debug, clap::Args)]
pub struct Grant {
    #[command(flatten)]
    at: Where,
    /// Id of the key that signs, of `feedback_keys`: a person's.
    #[arg(long = "as", value_name = "KEYID")]
    key: String,
    /// Its kind.
    #[arg(long, value_parser = exception_kind)]
    kind: ExceptionKind,
    /// What it is for: `account=…`, `resource=…`, `rule=…`, `case=…` (all that are given must fit), or `site`.
    #[arg(long, value_name = "WHAT", required = true, value_parser = scope)]
    scope: Vec<Option<(String, String)>>,
    /// Its end: a date (through that day, UTC) or a time.
    #[arg(long, value_name = "DATE", value_parser = day)]
    until: WallTime,
    /// It begins then; at once where nothing is said.
    #[arg(long, value_name = "DATE", value_parser = from)]
    from: Option<WallTime>,
    /// Somebody looks again then.
    #[arg(long, value_name = "DATE", value_parser = day)]
    revisit: Option<WallTime>,
    /// Deadlines whose clocks stand still; all where nothing is said.
    #[arg(long, value_name = "TARGETS", value_delimiter = ',', value_parser = target)]
    pauses: Vec<SlaTarget>,
    /// Why.
    #[arg(long)]
    reason: String,
    /// Who asked for it; never who grants it.
    #[arg(long, value_name = "WHO")]
    requested_by: Option<String>,
    /// Its id: to renew one, or a name of your own. Made from its kind where nothing is said.
    #[arg(long)]
    id: Option<String>,
}

/// What is taken back.
#[derive(Debug, clap::Args)]
pub struct Revoke {
    /// Id of the exception.
    id: String,
    #[command(flatten)]
    at: Where,
    /// Id of the key that signs, of `feedback_keys`: a person's.
    #[arg(long = "as", value_name = "KEYID")]
    key: String,
    /// Who granted it, where several have one of this id.
    #[arg(long, value_name = "WHO")]
    of: Option<String>,
    /// Why.
    #[arg(long)]
    reason: String,
}

/// Which month.
#[derive(Debug, clap::Args)]
pub struct Report {
    #[command(flatten)]
    at: Listed,
    /// The month, such as 2026-11.
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    month: (WallTime, WallTime),
}

fn scope(text: &str) -> Result<Option<(String, String)>, String> {
    match text.split_once('=') {
        None if text == "site" => Ok(None),
        Some((word @ ("account" | "resource" | "rule" | "case"), value)) if !value.trim().is_empty() => {
            Ok(Some((word.to_owned(), value.to_owned())))
        }
        _ => Err("expected account=…, resource=…, rule=…, case=… or site".to_owned()),
    }
}

fn from(text: &str) -> Result<WallTime, String> {
    parse_from(text).map_err(|_| "expected a date, such as 2027-01-31, or an RFC 3339 time".to_owned())
}

fn target(word: &str) -> Result<SlaTarget, String> {
    SlaTarget::parse(word).ok_or_else(|| "expected acknowledge, contain, remediate or verify".to_owned())
}

/// First and last instant of a month, the last not in it.
fn month(text: &str) -> Result<(WallTime, WallTime), String> {
    let no = || "expected a month, such as 2026-11".to_owned();
    let (year, month) = text.split_once('-').ok_or_else(no)?;
    let (year, month): (u32, u32) = (year.parse().map_err(|_| no())?, month.parse().map_err(|_| no())?);
    if !(1..=12).contains(&month) || !(1970..=9998).contains(&year) {
        return Err(no());
    }
    let first = |year: u32, month: u32| WallTime::parse(&format!("{year:04}-{month:02}-01T00:00:00Z"));
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    Ok((first(year, month).map_err(|_| no())?, first(next_year, next_month).map_err(|_| no())?))
}

/// Runs it.
///
/// # Errors
/// No such key, one that may not, or a log that can't be reached.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args {
        Args::List(args) => list::run(&args),
        Args::Grant(args) => say::grant(&args),
        Args::Revoke(args) => say::revoke(&args),
        Args::Report(args) => report::run(&args),
    }
}

/// By the keys that this machine can read.
fn trust(site: &Site) -> Trust {
    let mut keyring = Keyring::default();
    for key in &site.config.feedback_keys {
        let read = key.secret(|name| std::env::var(name).ok());
        // One that can't be read here leaves what it signed unjudged: told as not believed.
        let _judged_without = read.and_then(|secret| keyring.insert(&key.id, &key.actor, key.kind, &secret));
    }
    let made = || site.config.log.embedded.as_ref().map(|embedded| embedded.dir.join("site.key"));
    let file = site.config.redaction_key_file.clone().or_else(made);
    let site_key = file.as_deref().and_then(|file| read_key(file).ok()).unwrap_or_default();
    Trust::new(&site.config.tenant, site.topics.control.clone(), &site_key, Arc::new(keyring))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_where_the_next_begins() {
        let told = |text: &str| month(text).map(|(from, to)| format!("{from} {to}"));
        assert_eq!(told("2026-11"), Ok("2026-11-01T00:00:00.000Z 2026-12-01T00:00:00.000Z".to_owned()));
        assert_eq!(told("2026-12"), Ok("2026-12-01T00:00:00.000Z 2027-01-01T00:00:00.000Z".to_owned()));
        assert!(told("2026-13").is_err() && told("11").is_err());
    }
}
