//! The sections of policy files, and the way from files to a policy.

use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use crate::ids::KEY_VERSION;
use crate::limits;
use crate::policy::fields::{Fields, Problems, some_span, text, word};
use crate::policy::lint::{self, outside::Places};
use crate::policy::model::{Ceiling, GroupRule, Policy};
use crate::policy::node::{Node, documents};
use crate::policy::report::{Level, Place, Report, Warning};
use crate::policy::source::Sources;

use super::draft::{Draft, Named, NamedRecipient};
use super::{acting, calendars, clocks, correlations, exceptions, promotion, rules, storms, templates};

/// The language that these files are written in.
const LANGUAGE: &str = "shutter/1";

/// What came of compiling.
#[derive(Debug)]
pub struct Compiled {
    /// The policy; none where there are errors.
    pub policy: Option<Policy>,
    /// Everything that was found.
    pub report: Report,
    /// Teams and people that it names, for a check against a catalog.
    pub recipients: Vec<(SmolStr, Place)>,
    /// Places of approvals.
    pub(in crate::policy) places: Places,
    /// Places of suppressions.
    pub(in crate::policy) suppress: Places,
    /// Places of exceptions.
    pub(in crate::policy) exceptions: Places,
}

impl Policy {
    /// Compiles the files of a policy.
    ///
    /// # Errors
    /// Everything that is wrong in any of them.
    pub fn compile(files: impl Into<Sources>) -> Result<(Self, Vec<Warning>), Report> {
        let Compiled { policy, report, .. } = compile(files.into());
        match policy {
            Some(policy) => {
                Ok((policy, report.diagnostics.into_iter().filter(|d| d.level == Level::Warning).collect()))
            }
            None => Err(report),
        }
    }
}

/// Compiles the files of a policy, and says everything that there is to say about them.
pub fn compile(sources: Sources) -> Compiled {
    let mut problems = Problems::default();
    let mut draft = Draft::new();
    let bytes: usize = sources.files().iter().map(|file| file.text.len()).sum();
    if sources.files().is_empty() {
        problems
            .error(&Place::default(), "empty", "no policy file")
            .help("a policy is one .yaml file or a folder of them");
    } else if sources.files().len() > limits::RULE_FILES || bytes > limits::RULE_BYTES {
        let message = format!("{} files with {bytes} bytes", sources.files().len());
        let most = format!("at most {} files with {} bytes are read", limits::RULE_FILES, limits::RULE_BYTES);
        problems.error(&Place::default(), "too-many", message).help(most);
    } else {
        for (number, file) in sources.files().iter().enumerate() {
            match documents(number, file) {
                Ok(documents) if documents.is_empty() => {
                    let place = Place { number, file: file.name.as_str().into(), ..Place::default() };
                    problems.warning(&place, "empty", "nothing stands in this file");
                }
                Ok(documents) => documents.iter().for_each(|document| section(document, &mut draft, &mut problems)),
                Err(error) => problems.0.push(*error),
            }
        }
        whole(&mut draft, &mut problems);
        clocks::settled(&draft, &mut problems);
        lint::lint(&draft, &mut problems);
    }
    let named = |kind: Named| -> Places {
        draft.defined.iter().filter(|((k, _), _)| *k == kind).map(|((_, id), at)| (id.clone(), at.clone())).collect()
    };
    let (places, suppress) = (named(Named::Approval), named(Named::Suppress));
    let exceptions = named(Named::Exception);
    let Draft { mut policy, recipients, .. } = draft;
    policy.digest = sources.digest();
    policy.grouping = grouping(&policy.group);
    let mut report = Report { sources, diagnostics: problems.0 };
    report.sort();
    let policy = (!report.has_errors()).then(|| policy.indexed());
    let recipients = recipients.into_iter().map(|NamedRecipient { name, at }| (name, at)).collect();
    Compiled { policy, report, recipients, places, suppress, exceptions }
}

/// One document: any sections, in any order.
fn section(document: &Node, draft: &mut Draft, problems: &mut Problems) {
    let Some(mut fields) = Fields::of(document, "a policy file", problems) else { return };
    match fields.get("language") {
        None => {
            problems
                .error(fields.at, "missing-key", "the file doesn't say which language it is written in")
                .help(format!("begin it with `language: {LANGUAGE}`"));
        }
        Some(node) => {
            if let Some(found) = text(node, "the language", problems)
                && found != LANGUAGE
            {
                problems
                    .error(&node.at, "unknown-word", format!("language `{found}` is not known to this version"))
                    .help(format!("expected {LANGUAGE}"));
            }
        }
    }
    if let Some(node) = fields.get("ceiling") {
        draft.only_once("ceiling", &node.at, problems);
        if let Some(ceiling) = word(node, "ceiling", Ceiling::ALL, Ceiling::as_str, problems) {
            draft.policy.ceiling = ceiling;
        }
    }
    if let Some(node) = fields.get("greatest_age") {
        draft.only_once("greatest_age", &node.at, problems);
        if let Some(age) = some_span(node, problems) {
            draft.policy.greatest_age = age;
        }
    }
    type Reader = fn(&Node, &mut Draft, &mut Problems);
    let once: [(&'static str, Reader); 3] =
        [("owners", rules::owners), ("reopen", rules::reopen), ("promotion", promotion::promotion)];
    for (key, read) in once {
        if let Some(node) = fields.get(key) {
            draft.only_once(key, fields.key(key).unwrap_or(&node.at), problems);
            read(node, draft, problems);
        }
    }
    let lists: [(&'static str, Reader); 19] = [
        ("suppress", rules::suppress),
        ("group", rules::group),
        ("calendars", calendars::calendars),
        ("risk", clocks::risk),
        ("escalation", clocks::escalation),
        ("approvals", acting::approvals),
        ("actions", acting::actions),
        ("templates", templates::templates),
        ("playbooks", acting::playbooks),
        ("correlations", correlations::correlations),
        ("storms", storms::storms),
        ("budgets", rules::budgets),
        ("breakers", rules::breakers),
        ("own_actors", rules::own_actors),
        ("sources", rules::sources),
        ("protect", rules::protect),
        ("exceptions", exceptions::rules),
        ("grants", exceptions::grants),
        ("verifiers", rules::verifiers),
    ];
    for (key, read) in lists {
        if let Some(node) = fields.get(key) {
            read(node, draft, problems);
        }
    }
    fields.finish(problems);
}

/// What all files together must have.
fn whole(draft: &mut Draft, problems: &mut Problems) {
    let policy = &draft.policy;
    let sizes = [
        ("suppressions", policy.suppress.len()),
        ("group rules", policy.group.len()),
        ("risk classes", policy.risk.len()),
        ("playbooks", policy.playbooks.len()),
        ("correlations", policy.correlations.len()),
        ("storms", policy.storms.len()),
        ("budgets", policy.budgets.len()),
        ("breakers", policy.breakers.len()),
        ("sources", policy.sources.len()),
        ("protections", policy.protect.len()),
        ("exceptions", policy.exceptions.rules.len()),
        ("grants", policy.exceptions.grants.len()),
    ];
    for (what, size) in sizes.into_iter().filter(|(_, size)| *size > limits::RULES) {
        let message = format!("{size} {what} in all files; at most {} are taken", limits::RULES);
        problems.error(&Place::default(), "too-many", message);
    }
    if !draft.has("owners") {
        problems.warning(&Place::default(), "no-owners", "the policy doesn't say where owners are looked for").help(
            "add `owners: {order: [account, repository, service], fallback: team/…}`; until then nothing enforces",
        );
    } else if draft.policy.owners.fallback.is_none() {
        problems
            .warning(&Place::default(), "no-fallback", "what nobody owns has no owner")
            .help("add `fallback: team/…` to `owners`");
    }
}

/// Over the group rules as they are meant, not as they are spelt.
fn grouping(rules: &[GroupRule]) -> SmolStr {
    let mut hash = Sha256::new();
    hash.update(KEY_VERSION.to_be_bytes());
    for rule in rules {
        let by: Vec<String> = rule.by.iter().map(ToString::to_string).collect();
        for part in [rule.id.to_string(), rule.matcher.to_string(), by.join(",")] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    hex::encode(hash.finalize()).into()
}
