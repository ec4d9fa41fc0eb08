//! The policy under test, and the catalogs that its tests name, each compiled once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::model::CatalogFrom;
use crate::policy::report::Colour;
use crate::policy::{Catalog, Ceiling, Policy, Rules, Sources, compile, files};

/// What tests are performed under.
pub(super) struct Library {
    pub policy: Arc<Policy>,
    /// Where a test names none.
    otherwise: Option<PathBuf>,
    catalogs: RefCell<BTreeMap<String, Arc<Catalog>>>,
}

impl Library {
    /// With a policy, and the catalog of tests that name none.
    pub fn new(policy: Policy, otherwise: Option<PathBuf>) -> Self {
        Self { policy: Arc::new(policy), otherwise, catalogs: RefCell::default() }
    }

    /// Policy and catalog of a test. The errors are for people.
    pub fn rules(
        &self,
        policy: Option<&Path>,
        catalog: Option<&CatalogFrom>,
        ceiling: Option<Ceiling>,
    ) -> Result<Arc<Rules>, String> {
        let mut policy = match policy {
            None => (*self.policy).clone(),
            Some(path) => other(path)?,
        };
        if let Some(ceiling) = ceiling {
            policy.ceiling = ceiling;
        }
        Ok(Arc::new(Rules { policy: Arc::new(policy), catalog: self.catalog(catalog)? }))
    }

    fn catalog(&self, from: Option<&CatalogFrom>) -> Result<Arc<Catalog>, String> {
        let from = match (from, &self.otherwise) {
            (Some(CatalogFrom::Nothing), _) | (None, None) => return Ok(Arc::new(Catalog::default())),
            (Some(from), _) => from.clone(),
            (None, Some(path)) => CatalogFrom::Path(path.clone()),
        };
        let key = format!("{from:?}");
        if let Some(known) = self.catalogs.borrow().get(&key) {
            return Ok(Arc::clone(known));
        }
        let sources = match &from {
            CatalogFrom::Text(text) => Sources::new([("catalog", text)]),
            CatalogFrom::Path(path) => files::read(path).map_err(|error| error.to_string())?,
            CatalogFrom::Nothing => Sources::default(),
        };
        let catalog = match Catalog::compiled(sources) {
            (Some(catalog), _) => Arc::new(catalog),
            (None, report) => return Err(format!("the catalog can't be used:\n{}", report.render(Colour::Never))),
        };
        self.catalogs.borrow_mut().insert(key, Arc::clone(&catalog));
        Ok(catalog)
    }
}

fn other(path: &Path) -> Result<Policy, String> {
    let compiled = compile(files::read(path).map_err(|error| error.to_string())?);
    let told = || format!("{} can't be used:\n{}", path.display(), compiled.report.render(Colour::Never));
    compiled.policy.clone().ok_or_else(told)
}
