//! What a policy's own files can't tell: whether the people that it names exist, and what time it is.

use std::collections::BTreeSet;

use smol_str::SmolStr;

use crate::nearest::did_you_mean;
use crate::policy::catalog::Catalog;
use crate::policy::compile::Compiled;
use crate::policy::fields::Problems;
use crate::policy::model::Recipient;
use crate::policy::report::Place;
use crate::time::WallTime;

impl Compiled {
    /// Adds teams and people that the catalog doesn't know, and approvals that too few can give.
    pub fn check_catalog(&mut self, catalog: &Catalog) {
        let mut problems = Problems::default();
        for (name, at) in &self.recipients {
            if let Some(now) = catalog.renamed.get(name) {
                problems
                    .warning(at, "renamed", format!("`{name}` is `{now}` now"))
                    .help(format!("write `{now}`; the old name works as long as the catalog has it"));
                continue;
            }
            if catalog.team(name).is_some() || catalog.person(name).is_some() {
                continue;
            }
            let names: Vec<String> = (catalog.teams.keys().map(|id| format!("team/{id}")))
                .chain(catalog.people.keys().map(|id| format!("person/{id}")))
                .collect();
            problems
                .error(at, "unknown-name", format!("the catalog doesn't know `{name}`"))
                .help(format!("add it to the catalog{}", did_you_mean(name, names.iter().map(String::as_str))));
        }
        for approval in self.policy.iter().flat_map(|policy| policy.approvals.values()) {
            let mut people: BTreeSet<SmolStr> = BTreeSet::new();
            let mut all_named = true;
            for who in &approval.ask {
                match who {
                    Recipient::Named(name) => match catalog.team(name) {
                        Some(team) => people.extend(team.members.iter().cloned()),
                        None => people.extend(catalog.person(name).map(|person| person.id.clone())),
                    },
                    _ => all_named = false,
                }
            }
            if all_named && people.len() < usize::try_from(approval.need).unwrap_or(usize::MAX) {
                let at = self.places.iter().find(|(id, _)| *id == approval.id).map(|(_, at)| at.clone());
                let message =
                    format!("`{}` needs {} people, and the catalog knows {}", approval.id, approval.need, people.len());
                problems
                    .error(&at.unwrap_or_default(), "cannot-be", message)
                    .help("add members to the teams that it asks, or ask more");
            }
        }
        self.add(problems);
    }

    /// Adds suppressions and exceptions that are over, or to be looked at again.
    pub fn check_time(&mut self, now: WallTime) {
        let mut problems = Problems::default();
        for rule in self.policy.iter().flat_map(|policy| &policy.suppress).filter(|rule| rule.until <= now) {
            let at = self.suppress.iter().find(|(id, _)| *id == rule.id).map(|(_, at)| at.clone()).unwrap_or_default();
            problems
                .warning(&at, "over", format!("suppression `{}` is over since {}", rule.id, rule.until))
                .help("look again, then give it a new end or remove it");
        }
        for rule in self.policy.iter().flat_map(|policy| &policy.exceptions.rules) {
            let at = || self.exceptions.iter().find(|(id, _)| *id == rule.id).map(|(_, at)| at.clone());
            if rule.until <= now {
                problems
                    .warning(
                        &at().unwrap_or_default(),
                        "over",
                        format!("exception `{}` is over since {}", rule.id, rule.until),
                    )
                    .help("remove it, or give it a new end");
            } else if let Some(revisit) = rule.revisit.filter(|revisit| *revisit <= now) {
                problems
                    .warning(
                        &at().unwrap_or_default(),
                        "revisit",
                        format!("exception `{}` was to be looked at again by {revisit}", rule.id),
                    )
                    .help("look whether it is still needed, then give it another `revisit`, or remove it");
            }
        }
        self.add(problems);
    }

    fn add(&mut self, problems: Problems) {
        self.report.diagnostics.extend(problems.0);
        self.report.sort();
        if self.report.has_errors() {
            self.policy = None;
        }
    }
}

/// Places by name.
pub(crate) type Places = Vec<(SmolStr, Place)>;
