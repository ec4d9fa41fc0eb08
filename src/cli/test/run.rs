//! Runs the tests of all files, and keeps what came of each.

use std::time::Duration;

use super::compare::{Failure, Mend};
use super::coverage::Coverage;
use super::model::TestFile;
use super::rules::Library;
use super::stage;
use crate::clock;
use crate::policy::glob::Glob;
use crate::policy::report::Place;

/// What came of one file.
pub(super) struct Told {
    pub file: String,
    pub outcomes: Vec<Outcome>,
}

/// What came of one test.
pub(super) struct Outcome {
    pub name: String,
    pub at: Place,
    pub failures: Vec<Failure>,
    pub mends: Vec<Mend>,
    pub took: Duration,
}

impl Outcome {
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Which tests are meant: all, or those whose name has this in it; `*` stands for anything.
pub(super) struct Filter(Option<Glob>);

impl Filter {
    pub fn new(text: Option<&str>) -> Self {
        Self(text.map(|text| Glob::new(&format!("*{text}*"))))
    }

    fn takes(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|glob| glob.matches(name))
    }
}

/// Runs the tests of one file.
pub(super) fn file(file: &TestFile, library: &Library, filter: &Filter, coverage: &mut Coverage) -> Told {
    let tests = file.tests.iter().filter(|test| filter.takes(&test.name));
    let outcomes = tests
        .map(|test| {
            let began = clock::instant();
            let compared = stage::perform(test, library, coverage);
            Outcome {
                name: test.name.clone(),
                at: test.at.clone(),
                failures: compared.failures,
                mends: compared.mends,
                took: began.elapsed(),
            }
        })
        .collect();
    Told { file: file.path.display().to_string(), outcomes }
}
