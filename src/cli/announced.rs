//! Policies and catalogs that an installation has announced on `control`, by digest, as the command line reads them.
//!
//! A digest is that of the text itself, so nobody can pass another policy off as the one that decided. Which one is in
//! force is for workers to judge (`worker/book.rs`); here it's the last that was announced.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use smol_str::SmolStr;

use super::exit;
use super::site::Site;
use crate::policy::report::Colour;
use crate::policy::{Catalog, Policy, Rules, Sources, compile, files};
use crate::wire::RulesStamp;
use crate::worker::Current;

/// Key of the pointer to the version that was announced last.
const CURRENT: &[u8] = b"rules";

/// What was announced.
#[derive(Default)]
pub(super) struct Announced {
    texts: BTreeMap<SmolStr, Sources>,
    /// The last announcement.
    pub current: Option<Current>,
}

impl Announced {
    /// Reads `control`.
    ///
    /// # Errors
    /// Where the log doesn't answer.
    pub fn read(site: &Site) -> anyhow::Result<Self> {
        let mut this = Self::default();
        site.desk.scan(&site.topics.control, &mut |record| {
            let (Some(key), Some(value)) = (record.key.as_deref(), record.value.as_deref()) else {
                return ControlFlow::Continue(());
            };
            if key == CURRENT {
                this.current = serde_json::from_slice(value).ok().or(this.current.take());
            } else if key.starts_with(b"policy/") || key.starts_with(b"catalog/") {
                let sources = std::str::from_utf8(value).ok().and_then(|text| Sources::from_bundle(text).ok());
                // Under the digest of what it is, not under the one that the key claims.
                this.texts.extend(sources.map(|sources| (sources.digest(), sources)));
            }
            ControlFlow::Continue(())
        })?;
        Ok(this)
    }

    /// A version; none where its text is no longer there.
    ///
    /// # Errors
    /// A text that this version of the program can't compile.
    pub fn rules(&self, stamp: &RulesStamp) -> anyhow::Result<Option<Rules>> {
        let Some(policy) = self.texts.get(&stamp.policy) else { return Ok(None) };
        let (policy, _) = Policy::compile(policy)
            .map_err(|report| anyhow::anyhow!("policy {} was written for another version:\n{report}", stamp.policy))?;
        let catalog = match self.texts.get(&stamp.catalog) {
            None if stamp.catalog == Catalog::default().digest => Catalog::default(),
            None => return Ok(None),
            Some(sources) => {
                let compiled = Catalog::compile(sources).map_err(|report| {
                    anyhow::anyhow!("catalog {} was written for another version:\n{report}", stamp.catalog)
                })?;
                compiled.0
            }
        };
        Ok(Some(Rules { policy: Arc::new(policy), catalog: Arc::new(catalog) }))
    }
}

/// Policy and catalog from disk; what is wrong with them is told with its place.
pub(super) fn from_disk(policy: &Path, catalog: Option<&Path>) -> anyhow::Result<Rules> {
    use std::io::IsTerminal as _;
    let colour = if std::io::stderr().is_terminal() { Colour::Always } else { Colour::Never };
    let read = |path: &Path| files::read(path).map_err(|error| exit::usage(error.to_string()));
    let compiled = compile(read(policy)?);
    let Some(compiled_policy) = compiled.policy else {
        let report = files::named(compiled.report, policy);
        return Err(exit::usage(format!("{}\nthe policy can't be used", report.render(colour))));
    };
    let catalog = match catalog {
        None => Catalog::default(),
        Some(path) => match Catalog::compiled(read(path)?) {
            (Some(catalog), _) => catalog,
            (None, report) => {
                let report = files::named(report, path);
                return Err(exit::usage(format!("{}\nthe catalog can't be used", report.render(colour))));
            }
        },
    };
    Ok(Rules { policy: Arc::new(compiled_policy), catalog: Arc::new(catalog) })
}
