//! `shutter check`: is this policy, and this catalog, right? Every error and lint with its place.
//!
//! Not for finding them (`policy/`).

mod against;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;
use serde::Serialize;

use crate::clock;
use crate::policy::report::{Colour, Diagnostic};
use crate::policy::{Catalog, Level, Policy, Report, Rules, compile, files};

use super::help::Ending;
use super::site::Site;
use super::{exit, shown};
use against::Moves;

/// The end of `shutter check --help`.
pub const END: Ending = Ending {
    examples: &[
        "shutter check --policy deploy/policy",
        "shutter check --policy deploy/policy --catalog deploy/catalog --strict",
        "shutter check --catalog catalog-info.yaml --format json",
        "shutter check --policy policy --against-running --config shutter.yaml",
    ],
    notes: &[],
    found: Some("there are warnings, and --strict was given"),
};

/// `shutter check`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Policy: a YAML file, or a folder of them.
    #[arg(long, value_name = "DIR", required_unless_present = "catalog")]
    policy: Option<PathBuf>,
    /// Catalog: a YAML file, or a folder of them.
    #[arg(long, value_name = "DIR")]
    catalog: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Warnings fail too.
    #[arg(long)]
    strict: bool,
    /// Count what these rules would change about the cases that are open now
    #[arg(long, requires_all = ["policy", "config"])]
    against_running: bool,
    /// With --against-running: the configuration of the installation
    #[arg(long, value_name = "FILE", requires = "against_running")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, with the lines meant.
    Text,
    /// One JSON object.
    Json,
}

/// What `--format json` prints.
#[derive(Debug, Default, Serialize)]
struct Answer<'a> {
    errors: usize,
    warnings: usize,
    notes: usize,
    policy_digest: Option<&'a str>,
    grouping_digest: Option<&'a str>,
    catalog_digest: Option<&'a str>,
    diagnostics: Vec<&'a Diagnostic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against_running: Option<&'a Moves>,
}

/// Reads, compiles, prints.
///
/// # Errors
/// Files that can't be read.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut reports: Vec<Report> = Vec::new();
    let mut catalog: Option<Catalog> = None;
    if let Some(path) = &args.catalog {
        let (compiled, report) = Catalog::compiled(read(path)?);
        reports.push(files::named(report, path));
        catalog = compiled;
    }
    let mut policy: Option<Policy> = None;
    if let Some(path) = &args.policy {
        let mut compiled = compile(read(path)?);
        compiled.check_time(clock::now());
        if let Some(catalog) = &catalog {
            compiled.check_catalog(catalog);
        }
        reports.push(files::named(compiled.report, path));
        policy = compiled.policy;
    }
    let moves = match (&args.config, &policy) {
        (Some(config), Some(policy)) => Some(against_running(config, policy, catalog.as_ref())?),
        _ => None,
    };
    let total = |level| reports.iter().map(|report| report.count(level)).sum::<usize>();
    let answer = Answer {
        errors: total(Level::Error),
        warnings: total(Level::Warning),
        notes: total(Level::Note),
        policy_digest: policy.as_ref().map(|policy| policy.digest.as_str()),
        grouping_digest: policy.as_ref().map(|policy| policy.grouping.as_str()),
        catalog_digest: catalog.as_ref().map(|catalog| catalog.digest.as_str()),
        diagnostics: reports.iter().flat_map(|report| &report.diagnostics).collect(),
        against_running: moves.as_ref(),
    };
    shown::though_unread(match args.format {
        Format::Json => shown::json(&answer),
        Format::Text => text(&reports, catalog.as_ref(), policy.as_ref(), &moves).map_err(anyhow::Error::from),
    })?;
    Ok(ExitCode::from(match (answer.errors, answer.warnings) {
        (0, 0) => exit::OK,
        (0, _) if args.strict => exit::FOUND,
        (0, _) => exit::OK,
        _ => exit::USAGE,
    }))
}

/// Every diagnostic with the lines meant, what policy and catalog hold, and what would move.
fn text<'a>(
    reports: &[Report],
    catalog: Option<&Catalog>,
    policy: Option<&Policy>,
    moves: impl IntoIterator<Item = &'a Moves>,
) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let colour = if out.is_terminal() { Colour::Always } else { Colour::Never };
    for report in reports.iter().filter(|report| !report.diagnostics.is_empty()) {
        writeln!(out, "{}\n", report.render(colour))?;
    }
    if let Some(catalog) = catalog {
        writeln!(out, "catalog: {}", held(catalog))?;
    }
    if let Some(policy) = policy {
        writeln!(out, "policy: {}", says(policy))?;
    }
    let total = |level| reports.iter().map(|report| report.count(level)).sum::<usize>();
    writeln!(out, "{}, {}", counted(total(Level::Error), "error"), counted(total(Level::Warning), "warning"))?;
    for line in moves.into_iter().flat_map(Moves::lines) {
        writeln!(out, "{}", shown::line(&line))?;
    }
    Ok(())
}

/// Under the catalog that was named, else the one that the configuration names.
fn against_running(config: &Path, policy: &Policy, catalog: Option<&Catalog>) -> anyhow::Result<Moves> {
    let site = Site::open(config)?;
    let catalog = match (catalog, &site.config.catalog) {
        (Some(catalog), _) => catalog.clone(),
        (None, None) => Catalog::default(),
        (None, Some(path)) => match Catalog::compiled(read(path)?) {
            (Some(catalog), _) => catalog,
            (None, report) => {
                let told = report.render(Colour::Never);
                return Err(exit::usage(format!("{told}\nthe configuration's catalog can't be used")));
            }
        },
    };
    against::moves(&site, &Rules { policy: Arc::new(policy.clone()), catalog: Arc::new(catalog) })
}

fn read(path: &Path) -> anyhow::Result<crate::policy::Sources> {
    files::read(path).map_err(|error| exit::usage(error.to_string()))
}

fn counted(number: usize, what: &str) -> String {
    match number {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

fn says(policy: &Policy) -> String {
    format!(
        "{}, {}, {}, ceiling {}, digest {}",
        counted(policy.playbooks.len(), "playbook"),
        counted(policy.actions.len(), "action"),
        counted(policy.suppress.len(), "suppression"),
        policy.ceiling,
        crate::limits::cut(&policy.digest, 12)
    )
}

fn held(catalog: &Catalog) -> String {
    let entries =
        catalog.accounts.len() + catalog.repositories.len() + catalog.services.len() + catalog.resources.len();
    format!(
        "{} people, {}, {entries} accounts, repositories, services and resources, {}, digest {}",
        catalog.people.len(),
        counted(catalog.teams.len(), "team"),
        counted(catalog.relations.len(), "relation"),
        crate::limits::cut(&catalog.digest, 12)
    )
}
