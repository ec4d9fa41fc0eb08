//! What a commit asks of gates, and the answer. Pure: the gates that are known come in, a verdict comes out.
//!
//! The same for HTTP, for the command line, and for whoever reads the topic `gates` without us (docs/gates.md).

use std::collections::BTreeMap;

use super::gate::{Gate, GateState};
use crate::facts::Field;
use crate::finding::vocabulary;
use crate::nearest::did_you_mean;

vocabulary! {
    /// The answer to a commit.
    Verdict {
        /// At least one gate is shut.
        Closed = "closed",
        /// All cases are known, and none of them shuts a gate for this.
        Open = "open",
        /// No gate is known to be shut, but not everything is known: never to be taken for open.
        Unknown = "unknown",
    }
}

/// Short names for the fields that commits have.
const SHORT: &[(&str, &str)] = &[
    ("repository", "resource.repository"),
    ("package", "package.name"),
    ("ecosystem", "package.ecosystem"),
    ("image", "image.name"),
    ("branch", "code.branch"),
    ("account", "resource.account"),
    ("resource", "resource.id"),
    ("application", "app.id"),
    ("host", "host.name"),
    ("namespace", "kubernetes.namespace"),
    ("cluster", "kubernetes.cluster"),
];

/// What is asked about: fields of a target, each with the values that are at hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateQuestion {
    fields: BTreeMap<String, Vec<String>>,
}

impl GateQuestion {
    /// From `name=value` pairs; a name may come several times (the packages of one build).
    ///
    /// # Errors
    /// A name that no target has: a question that is misspelt must not be answered with *open*.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut this = Self::default();
        for (name, value) in pairs {
            let long = SHORT.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long);
            if Field::parse(long).is_none() {
                let names = || SHORT.iter().map(|(short, _)| *short);
                let hint = did_you_mean(name, names());
                let all: Vec<&str> = names().collect();
                return Err(format!(
                    "`{}` is no field of a target{hint}; expected {}, or a field's whole name such as package.name",
                    crate::limits::cut(name, 64),
                    all.join(", ")
                ));
            }
            let value = value.trim();
            if value.is_empty() {
                return Err(format!("{name} is empty; say what is asked about"));
            }
            this.fields.entry(long.to_owned()).or_default().push(plain(long, value));
        }
        if this.fields.is_empty() {
            return Err("nothing is asked about; expected at least one of repository, package, image …".to_owned());
        }
        Ok(this)
    }

    /// Whether a gate stands before this: they have a field in common, and no field contradicts. A field that only one
    /// of them has doesn't: the gate of a whole repository is before each of its packages, and who doesn't say which
    /// package is held up by any.
    pub fn meets(&self, gate: &Gate) -> bool {
        let mut common = false;
        for (name, value) in &gate.target.fields {
            if let Some(asked) = self.fields.get(name) {
                let value = plain(name, value);
                if !asked.contains(&value) {
                    return false;
                }
                common = true;
            }
        }
        common
    }

    /// The verdict of the gates that stand before this. `complete` says whether every case was looked at.
    pub fn verdict<'g>(gates: impl IntoIterator<Item = &'g Gate>, complete: Coverage) -> Verdict {
        if gates.into_iter().any(|gate| gate.state == GateState::Closed) {
            return Verdict::Closed;
        }
        match complete {
            Coverage::All => Verdict::Open,
            Coverage::Part => Verdict::Unknown,
        }
    }
}

/// Whether every case was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// All of them.
    All,
    /// Some partitions are elsewhere, or not restored yet.
    Part,
}

/// A value as it is compared: names of repositories and packages know no case, and those of packages (PEP 503) no
/// difference between `-`, `_` and `.`. Taking two for one shuts a gate too many, never one too few.
fn plain(field: &str, value: &str) -> String {
    let mut text = value.to_lowercase();
    if field == "package.name" {
        text = text.replace(['_', '.'], "-");
        while text.contains("--") {
            text = text.replace("--", "-");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(fields: &[(&str, &str)], state: GateState) -> Gate {
        let mut gate = Gate {
            tenant: "acme".into(),
            target: super::super::Target::default(),
            state,
            why: String::new(),
            since: crate::time::WallTime::from_millis(0),
            until: None,
            case_uid: crate::ids::CaseUid::default(),
            generation: crate::ids::Generation(1),
            action: "block_package".into(),
            responder: "gate".into(),
            command_id: String::new(),
            title: String::new(),
            severity: "high".into(),
            owner: None,
            waits_for: None,
            next_step: None,
            due: None,
            evidence: Vec::new(),
            when_away: crate::policy::WhenAway::Closed,
            meanwhile: String::new(),
            policy_digest: "".into(),
        };
        gate.target.fields = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        gate
    }

    fn asked(pairs: &[(&str, &str)]) -> GateQuestion {
        GateQuestion::of(pairs.iter().copied()).expect("a question")
    }

    #[test]
    fn a_gate_meets_what_shares_a_field_and_contradicts_none() {
        let package = gate(&[("package.name", "left-pad"), ("resource.repository", "acme/shop")], GateState::Closed);
        let whole = gate(&[("resource.repository", "acme/shop")], GateState::Closed);
        assert!(asked(&[("repository", "acme/shop"), ("package", "left-pad")]).meets(&package));
        assert!(asked(&[("repository", "ACME/shop"), ("package", "Left_Pad")]).meets(&package));
        assert!(asked(&[("package", "a"), ("package", "left.pad"), ("repository", "acme/shop")]).meets(&package));
        assert!(asked(&[("repository", "acme/shop")]).meets(&package), "who doesn't say which is held up by any");
        assert!(asked(&[("package", "left-pad")]).meets(&package));
        assert!(asked(&[("repository", "acme/shop"), ("package", "right-pad")]).meets(&whole));
        assert!(!asked(&[("repository", "acme/shop"), ("package", "right-pad")]).meets(&package));
        assert!(!asked(&[("repository", "acme/other"), ("package", "left-pad")]).meets(&package));
        assert!(!asked(&[("image", "acme/shop")]).meets(&package), "no field in common");
    }

    #[test]
    fn what_is_not_known_is_never_open_and_two_cases_must_agree() {
        let (shut, open) = (gate(&[], GateState::Closed), gate(&[], GateState::Open));
        assert_eq!(GateQuestion::verdict([&open, &shut], Coverage::All), Verdict::Closed);
        assert_eq!(GateQuestion::verdict([&shut], Coverage::Part), Verdict::Closed);
        assert_eq!(GateQuestion::verdict([&open], Coverage::Part), Verdict::Unknown);
        assert_eq!(GateQuestion::verdict([&open], Coverage::All), Verdict::Open);
        assert_eq!(GateQuestion::verdict([], Coverage::Part), Verdict::Unknown);
    }

    #[test]
    fn a_misspelt_question_is_refused() {
        let error = GateQuestion::of([("repositry", "acme/shop")]).expect_err("misspelt");
        assert!(error.contains("repository"), "{error}");
        assert!(GateQuestion::of([("package", " ")]).is_err());
        assert!(GateQuestion::of([]).is_err());
    }
}
