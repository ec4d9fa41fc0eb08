//! `shutter exceptions list`: those of the policy, those granted beyond one case, and those of single cases.

use std::process::ExitCode;

use serde_json::json;

use super::{List, trust};
use crate::cli::shown::Listing;
use crate::cli::site::Site;
use crate::cli::{exit, shown};
use crate::clock;
use crate::policy::ExceptionRule;
use crate::service::exceptions::Known;
use crate::time::WallTime;
use crate::wire::{ExceptionGrant, ExceptionOrigin, ExceptionRecord};

pub(super) fn run(args: &List) -> anyhow::Result<ExitCode> {
    let site = Site::open(&args.at.config)?;
    let now = clock::now();
    let known = Known::read(&*site.desk, &site.topics, &trust(&site))?;
    let rules = known.book.current_rules();
    let policy: Vec<ExceptionRule> = rules.iter().flat_map(|rules| rules.policy.exceptions.rules.clone()).collect();
    let policy: Vec<&ExceptionRule> = policy.iter().filter(|rule| args.all || now < rule.until).collect();
    let grants = known.book.grants();
    let granted: Vec<(&ExceptionGrant, Option<String>)> = grants
        .iter()
        .map(|grant| (grant, known.against(grant)))
        .filter(|(grant, against)| args.all || now < grant.until && (against.is_none() || rules.is_none()))
        .collect();
    let records = site.exceptions()?;
    let holds = |id: &str, origin: ExceptionOrigin| {
        records.iter().filter(|r| r.id == *id && r.origin == origin && r.ended.is_none()).count()
    };
    let own: Vec<&ExceptionRecord> = records
        .iter()
        .filter(|record| record.origin == ExceptionOrigin::Case && (args.all || record.ended.is_none()))
        .collect();
    let mut rows = Vec::new();
    for rule in policy {
        rows.push(Row {
            id: rule.id.to_string(),
            kind: rule.kind.to_string(),
            of: "policy".to_owned(),
            what: rule.matcher.to_string(),
            by: rule.approver.to_string(),
            stands: stands(rule.from, rule.until, None, now),
            until: rule.until,
            revisit: rule.revisit,
            cases: holds(&rule.id, ExceptionOrigin::Policy),
            reason: rule.reason.clone(),
        });
    }
    for (grant, against) in granted {
        let scope: Vec<String> = grant.scope.iter().map(|(word, value)| format!("{word}={value}")).collect();
        rows.push(Row {
            id: grant.id.to_string(),
            kind: grant.kind.to_string(),
            of: "grant".to_owned(),
            what: if scope.is_empty() { "site".to_owned() } else { scope.join(" ") },
            by: grant.granted_by.to_string(),
            stands: stands(grant.from, grant.until, against, now),
            until: grant.until,
            revisit: grant.revisit,
            cases: holds(&grant.id, ExceptionOrigin::Grant),
            reason: grant.reason.clone(),
        });
    }
    for record in own {
        let over = record.ended.as_ref().map(|end| format!("{} by {}: {}", end.how, end.by, end.why));
        rows.push(Row {
            id: record.id.to_string(),
            kind: record.kind.to_string(),
            of: format!("case {}", record.case_uid),
            what: record.about.get("title").cloned().unwrap_or_default(),
            by: record.approvers.join(", "),
            stands: stands(None, record.until, over, now),
            until: record.until,
            revisit: record.revisit,
            cases: usize::from(record.ended.is_none()),
            reason: record.reason.clone(),
        });
    }
    match args.at.format {
        Listing::Json => shown::json(&json!({"exceptions": rows, "rules_known": rules.is_some()}))?,
        Listing::Text | Listing::Tsv => {
            let head = ["id", "kind", "of", "what", "by", "stands", "until", "revisit", "cases", "reason"];
            let cells: Vec<Vec<String>> = rows.iter().map(Row::cells).collect();
            shown::table(&head, &cells, &["revisit", "of", "cases", "reason", "by"], args.at.format)?;
        }
    }
    if rules.is_none() {
        shown::remark("the rules in force aren't known here (redaction_key_file): who may grant what can't be judged");
    }
    for d in &known.disbelieved {
        shown::remark(format_args!("warning: a record on `control` at offset {} changes nothing: {}", d.offset, d.why));
    }
    Ok(ExitCode::from(exit::OK))
}

#[derive(serde::Serialize)]
struct Row {
    id: String,
    kind: String,
    of: String,
    what: String,
    by: String,
    stands: String,
    until: WallTime,
    revisit: Option<WallTime>,
    cases: usize,
    reason: String,
}

impl Row {
    fn cells(&self) -> Vec<String> {
        vec![
            shown::line(&self.id),
            self.kind.clone(),
            shown::short(&self.of, 24),
            shown::short(&self.what, 40),
            shown::short(&self.by, 40),
            shown::short(&self.stands, 60),
            self.until.to_string(),
            self.revisit.map_or_else(|| "-".to_owned(), |at| at.to_string()),
            self.cases.to_string(),
            shown::short(&self.reason, 60),
        ]
    }
}

fn stands(from: Option<WallTime>, until: WallTime, against: Option<String>, now: WallTime) -> String {
    match against {
        Some(why) => why,
        None if until <= now => "over".to_owned(),
        None => from.filter(|from| *from > now).map_or("in force".to_owned(), |from| format!("from {from}")),
    }
}
