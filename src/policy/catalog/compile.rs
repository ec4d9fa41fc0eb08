//! Catalog files → catalog, with every error of every file.

use crate::limits;
use crate::policy::fields::{Fields, Problems, text};
use crate::policy::node::documents;
use crate::policy::report::{Level, Place, Report, Warning};
use crate::policy::source::Sources;
use crate::time::WallTime;

use super::draft::Draft;
use super::model::Catalog;
use super::{backstage, read};

const LANGUAGE: &str = "shutter/1";

impl Catalog {
    /// Compiles the files of a catalog; no file at all is an empty catalog.
    ///
    /// # Errors
    /// Everything that is wrong in any of them.
    pub fn compile(files: impl Into<Sources>) -> Result<(Self, Vec<Warning>), Report> {
        let (catalog, report) = Self::compiled(files.into());
        match catalog {
            Some(catalog) => Ok((catalog, report.diagnostics)),
            None => Err(report),
        }
    }

    /// Nothing known.
    pub fn empty() -> Self {
        Self { digest: Sources::default().digest(), ..Self::default() }
    }

    /// The catalog, where there are no errors, and everything that there is to say about its files.
    pub fn compiled(sources: Sources) -> (Option<Self>, Report) {
        let mut problems = Problems::default();
        let mut draft = Draft::default();
        let bytes: usize = sources.files().iter().map(|file| file.text.len()).sum();
        if sources.files().len() > limits::RULE_FILES || bytes > limits::RULE_BYTES {
            let message = format!("{} files with {bytes} bytes", sources.files().len());
            let most = format!("at most {} files with {} bytes are read", limits::RULE_FILES, limits::RULE_BYTES);
            problems.error(&Place::default(), "too-many", message).help(most);
        } else {
            for (number, file) in sources.files().iter().enumerate() {
                match documents(number, file) {
                    Ok(documents) => file_of(&documents, &mut draft, &mut problems),
                    Err(error) => problems.0.push(*error),
                }
            }
        }
        let mut catalog = draft.resolved(&mut problems);
        catalog.digest = sources.digest();
        let mut report = Report { sources, diagnostics: problems.0 };
        report.sort();
        ((!report.has_errors()).then_some(catalog), report)
    }
}

/// All documents of a file; a `verified_at` holds for those behind it too.
fn file_of(documents: &[crate::policy::node::Node], draft: &mut Draft, problems: &mut Problems) {
    let mut verified: Option<WallTime> = None;
    for document in documents {
        let (accounts, services) = (draft.accounts.len(), draft.services.len());
        let (repositories, resources) = (draft.repositories.len(), draft.resources.len());
        if backstage::is_entity(document) {
            backstage::entity(document, verified, draft, problems);
        } else {
            let Some(mut fields) = Fields::of(document, "a catalog file", problems) else { continue };
            let language = fields.get("catalog");
            match language.map(|node| text(node, "the language", problems)) {
                None => drop(
                    problems
                        .error(fields.at, "missing-key", "neither a catalog file nor a Backstage entity")
                        .help(format!("begin it with `catalog: {LANGUAGE}`")),
                ),
                Some(Some(found)) if found != LANGUAGE => drop(
                    problems
                        .error(fields.at, "unknown-word", format!("catalog `{found}` is not known to this version"))
                        .help(format!("expected {LANGUAGE}")),
                ),
                Some(_) => {}
            }
            if let Some(node) = fields.get("verified_at") {
                verified = read::time(node, problems);
            }
            read::sections(&mut fields, verified, draft, problems);
            fields.finish(problems);
        }
        let ages = (draft.accounts.iter().skip(accounts).map(|raw| (&raw.at, raw.value.1.verified_at)))
            .chain(draft.services.iter().skip(services).map(|raw| (&raw.at, raw.value.entry.verified_at)))
            .chain(draft.repositories.iter().skip(repositories).map(|raw| (&raw.at, raw.value.1.verified_at)))
            .chain(draft.resources.iter().skip(resources).map(|raw| (&raw.at, raw.value.1.verified_at)));
        let ageless: Vec<&Place> = ages.filter(|(_, age)| age.is_none()).map(|(at, _)| at).collect();
        if let Some(at) = ageless.first() {
            let message = format!("{} entries don't say when somebody last looked at them", ageless.len());
            problems
                .note(Level::Warning, at, "no-age", message)
                .help("their owner counts as stale; add `verified_at: 2026-11-01` to the file or the entry");
        }
    }
}
