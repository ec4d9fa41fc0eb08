//! `shutter test`: the tests that lie beside a policy, each performed in memory with time that advances.
//!
//! What would this policy do with a detection that nobody has seen yet? Not for recorded detections (`replay.rs`).

mod bless;
mod compare;
mod coverage;
mod detection;
mod excepted;
mod found;
mod junit;
mod model;
mod print;
mod read;
mod rules;
mod run;
mod stage;
mod tree;
mod wanted;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::exit;
use super::help::Ending;
use crate::policy::report::Colour;
use crate::policy::{Policy, compile, files};

use compare::Sort;
use coverage::Coverage;
use model::TestFile;
use rules::Library;
use run::Filter;

/// The end of `shutter test --help`.
pub const END: Ending = Ending {
    examples: &[
        "shutter test --policy deploy/policy",
        "shutter test --policy deploy/policy --filter secret --junit tests.xml",
        "shutter test --policy policy --tests policy/tests/new_test.yaml --bless",
    ],
    notes: &[
        "Tests are the files …_test.yaml in the policy's folder and below; they are no part of the policy. docs/testing.md is \
         the reference of their language. --bless writes what was found into each `expect` that failed; review the \
         difference as you would review the policy.",
    ],
    found: Some(
        "a test failed (with --bless: something is left to mend by hand), or with --cover a playbook is decided by no test",
    ),
};

/// `shutter test`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Policy: a YAML file, or a folder of them
    #[arg(long, value_name = "DIR")]
    policy: PathBuf,
    /// Tests: a file, or a folder of …_test.yaml; may be given again [default: the policy's folder]
    #[arg(long, value_name = "PATH")]
    tests: Vec<PathBuf>,
    /// Catalog of tests that name none
    #[arg(long, value_name = "DIR")]
    catalog: Option<PathBuf>,
    /// Only tests whose name has this in it; `*` stands for anything
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write what was found into every `expect` that failed
    #[arg(long)]
    bless: bool,
    /// Fail too where a playbook is decided by no test
    #[arg(long, conflicts_with = "filter")]
    cover: bool,
}

/// Reads, performs, prints.
///
/// # Errors
/// Policy, catalog or tests that can't be used.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let policy = policy(&args.policy)?;
    let read = read(args)?;
    let library = Library::new(policy, args.catalog.clone());
    library.rules(None, None, None).map_err(exit::usage)?;
    let filter = Filter::new(args.filter.as_deref());
    let mut coverage = Coverage::default();
    let told: Vec<run::Told> = read.iter().map(|file| run::file(file, &library, &filter, &mut coverage)).collect();
    let shares = coverage.shares(&library.policy);
    if told.iter().all(|file| file.outcomes.is_empty()) {
        return Err(exit::usage(match &args.filter {
            Some(text) => format!("no test has `{text}` in its name"),
            None => "there is no test in these files".to_owned(),
        }));
    }
    print::all(&told, &shares)?;
    if let Some(path) = &args.junit {
        std::fs::write(path, junit::document(&told))
            .map_err(|error| exit::usage(format!("{}: can't be written: {error}", path.display())))?;
    }
    let mut failures = told.iter().flat_map(|file| &file.outcomes).flat_map(|outcome| &outcome.failures);
    let failed = if args.bless {
        let mut left = 0;
        for (file, told) in read.iter().zip(&told) {
            left += bless::file(file, told)?;
        }
        left > 0 || failures.any(|failure| failure.sort == Sort::ByHand)
    } else {
        failures.next().is_some()
    };
    let bare = args.cover && shares.iter().any(|share| share.kind == "playbook" && !share.missing.is_empty());
    Ok(ExitCode::from(if failed || bare { exit::FOUND } else { exit::OK }))
}

fn colour() -> Colour {
    if std::io::stderr().is_terminal() { Colour::Always } else { Colour::Never }
}

fn policy(path: &Path) -> anyhow::Result<Policy> {
    let compiled = compile(files::read(path).map_err(|error| exit::usage(error.to_string()))?);
    let report = files::named(compiled.report, path);
    compiled.policy.ok_or_else(|| exit::usage(format!("{}\nthe policy can't be used", report.render(colour()))))
}

fn read(args: &Args) -> anyhow::Result<Vec<TestFile>> {
    let beside = if args.policy.is_dir() { args.policy.clone() } else { PathBuf::from(".") };
    let beside = args.policy.parent().filter(|_| !args.policy.is_dir()).map_or(beside, Path::to_path_buf);
    let beside = if beside.as_os_str().is_empty() { PathBuf::from(".") } else { beside };
    let roots = if args.tests.is_empty() { vec![beside] } else { args.tests.clone() };
    let mut paths: Vec<PathBuf> = Vec::new();
    for root in &roots {
        for path in files::tests(root).map_err(|error| exit::usage(error.to_string()))? {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    if paths.is_empty() {
        let looked: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
        return Err(exit::usage(format!(
            "{}: no file of tests there; tests are files named …_test.yaml (docs/testing.md), or named with --tests",
            looked.join(", ")
        )));
    }
    let mut read = Vec::new();
    let mut wrong = Vec::new();
    for path in paths {
        let text = files::read_text(&path).map_err(|error| exit::usage(error.to_string()))?;
        match read::file(&path, &text) {
            Ok(file) => read.push(file),
            Err(report) => wrong.push(report.render(colour())),
        }
    }
    if wrong.is_empty() { Ok(read) } else { Err(exit::usage(format!("{}\nno test was run", wrong.join("\n\n")))) }
}
