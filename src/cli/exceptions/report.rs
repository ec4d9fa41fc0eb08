//! `shutter exceptions report`: a month of exceptions, for whoever reviews them.
//!
//! From the topic `exceptions` (one record for each case that one holds or held) and the grants on `control`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde::Serialize;

use super::{Report, trust};
use crate::cli::shown::Listing;
use crate::cli::site::Site;
use crate::cli::{exit, shown};
use crate::clock;
use crate::service::exceptions::Known;
use crate::time::WallTime;
use crate::wire::{ExceptionGrant, ExceptionOrigin, ExceptionRecord};

pub(super) fn run(args: &Report) -> anyhow::Result<ExitCode> {
    let site = Site::open(&args.at.config)?;
    let known = Known::read(&*site.desk, &site.topics, &trust(&site))?;
    let grants = known.book.grants();
    let month = Month::of(&site.exceptions()?, grants.iter(), args.month, clock::now());
    match args.at.format {
        Listing::Json => shown::json(&month)?,
        Listing::Text | Listing::Tsv => month.print(args.at.format)?,
    }
    Ok(ExitCode::from(exit::OK))
}

/// What happened in a month.
#[derive(Debug, Serialize)]
struct Month {
    from: WallTime,
    to: WallTime,
    /// By kind.
    kinds: BTreeMap<String, Count>,
    /// How often each person said yes, to a grant or a renewal.
    by: BTreeMap<String, u64>,
    /// One line for each case that was held, or closed as accepted, in it.
    cases: Vec<Line>,
}

/// Of one kind.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Count {
    /// Granted in the month: of single cases, and beyond one.
    granted: u64,
    /// Renewed in it.
    renewed: u64,
    /// Taken back in it.
    revoked: u64,
    /// Over in it in any other way.
    ended: u64,
    /// Cases that it held in it.
    cases: u64,
    /// Hours for which cases were exposed under it, within the month.
    exposure_hours: f64,
}

/// One case under one exception.
#[derive(Debug, Serialize)]
struct Line {
    id: String,
    kind: String,
    origin: String,
    case_uid: String,
    title: String,
    requested_by: String,
    approvers: Vec<String>,
    since: WallTime,
    until: WallTime,
    renewals: usize,
    ended: Option<String>,
    exposure_hours: f64,
    reason: String,
}

impl Month {
    fn of<'a>(
        records: &[ExceptionRecord],
        grants: impl Iterator<Item = &'a ExceptionGrant>,
        (from, to): (WallTime, WallTime),
        now: WallTime,
    ) -> Self {
        let mut month = Self { from, to, kinds: BTreeMap::new(), by: BTreeMap::new(), cases: Vec::new() };
        let within = |at: WallTime| from <= at && at < to;
        for grant in grants.filter(|grant| within(grant.at)) {
            month.kinds.entry(grant.kind.to_string()).or_default().granted += 1;
            *month.by.entry(grant.granted_by.to_string()).or_default() += 1;
        }
        for record in records {
            let end = record.ended.as_ref().map_or(now, |ended| ended.at);
            if record.since >= to || end < from {
                continue;
            }
            let shared = end.min(to).since(record.since.max(from)).as_millis().max(0);
            let hours = (shared as f64 / 360_000.0).round() / 10.0;
            let count = month.kinds.entry(record.kind.to_string()).or_default();
            count.cases += 1;
            count.exposure_hours += hours;
            if record.origin == ExceptionOrigin::Case {
                if within(record.since) {
                    count.granted += 1;
                    // A renewal has its own approvers; the first are known until there is one.
                    let first = record.approvers.iter().filter(|_| record.renewals.is_empty());
                    first.for_each(|by| *month.by.entry(by.to_string()).or_default() += 1);
                }
                for renewal in record.renewals.iter().filter(|renewal| within(renewal.at)) {
                    count.renewed += 1;
                    renewal.approvers.iter().for_each(|by| *month.by.entry(by.to_string()).or_default() += 1);
                }
            }
            if let Some(ended) = record.ended.as_ref().filter(|ended| within(ended.at)) {
                if ended.how.as_str() == "revoked" {
                    count.revoked += 1;
                } else {
                    count.ended += 1;
                }
            }
            month.cases.push(Line {
                id: record.id.to_string(),
                kind: record.kind.to_string(),
                origin: record.origin.to_string(),
                case_uid: record.case_uid.to_string(),
                title: record.about.get("title").cloned().unwrap_or_default(),
                requested_by: record.requested_by.to_string(),
                approvers: record.approvers.iter().map(ToString::to_string).collect(),
                since: record.since,
                until: record.until,
                renewals: record.renewals.len(),
                ended: record.ended.as_ref().map(|end| format!("{} {} by {}", end.at, end.how, end.by)),
                exposure_hours: hours,
                reason: record.reason.clone(),
            });
        }
        month.cases.sort_by(|a, b| b.exposure_hours.total_cmp(&a.exposure_hours).then_with(|| a.id.cmp(&b.id)));
        month
    }

    fn print(&self, as_: Listing) -> std::io::Result<()> {
        shown::say(format_args!("exceptions from {} to {}", self.from, self.to))?;
        let head = ["kind", "granted", "renewed", "revoked", "ended", "cases", "exposure hours"];
        let row = |(kind, count): (&String, &Count)| {
            let Count { granted, renewed, revoked, ended, cases, exposure_hours } = count;
            let counts = [granted, renewed, revoked, ended, cases].map(ToString::to_string);
            [kind.clone()].into_iter().chain(counts).chain([format!("{exposure_hours:.1}")]).collect()
        };
        let rows: Vec<Vec<String>> = self.kinds.iter().map(row).collect();
        shown::table(&head, &rows, &[], as_)?;
        let by: Vec<String> = self.by.iter().map(|(who, times)| format!("{} {times}", shown::line(who))).collect();
        let by = if by.is_empty() { "nobody".to_owned() } else { by.join(", ") };
        shown::say(format_args!("said yes: {by}"))?;
        let head =
            ["exception", "kind", "case", "asked by", "approved by", "since", "until", "ended", "hours", "title"];
        let row = |line: &Line| {
            vec![
                shown::line(&line.id),
                line.kind.clone(),
                line.case_uid.chars().take(12).collect(),
                shown::line(&line.requested_by),
                shown::short(&line.approvers.join(", "), 40),
                line.since.to_string(),
                line.until.to_string(),
                line.ended.clone().unwrap_or_else(|| "-".to_owned()),
                format!("{:.1}", line.exposure_hours),
                shown::short(&line.title, 50),
            ]
        };
        let rows: Vec<Vec<String>> = self.cases.iter().map(row).collect();
        shown::table(&head, &rows, &["since", "until", "title", "asked by"], as_)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{CaseUid, Generation};
    use crate::time::Span;
    use crate::wire::{Ended, ExceptionEnd, ExceptionKind, Renewal};

    fn at(text: &str) -> WallTime {
        WallTime::parse(text).expect("a time")
    }

    fn record(since: &str, ended: Option<(&str, ExceptionEnd)>) -> ExceptionRecord {
        let since = at(since);
        ExceptionRecord {
            id: "x1".into(),
            tenant: "t".into(),
            kind: ExceptionKind::Freeze,
            origin: ExceptionOrigin::Case,
            case_uid: CaseUid::default(),
            generation: Generation(1),
            about: BTreeMap::new(),
            reason: "why".to_owned(),
            requested_by: "ada".into(),
            approvers: vec!["grace".into()],
            since,
            until: since.plus(Span::days(40)),
            revisit: None,
            pauses: Vec::new(),
            renewals: Vec::new(),
            ended: ended.map(|(time, how)| Ended { at: at(time), how, by: "grace".into(), why: String::new() }),
        }
    }

    #[test]
    fn hours_are_those_of_the_month_and_each_word_is_counted_in_its_own() {
        let month = (at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"));
        let now = at("2026-12-05T00:00:00Z");
        let mut renewed = record("2026-10-20T00:00:00Z", None);
        let approvers = vec!["vint".into(), "grace".into()];
        renewed.renewals.push(Renewal { at: at("2026-11-02T00:00:00Z"), until: now, approvers });
        let records = [
            // Ten days before the month, ten in it.
            record("2026-10-22T00:00:00Z", Some(("2026-11-11T00:00:00Z", ExceptionEnd::Revoked))),
            record("2026-11-30T12:00:00Z", None),
            renewed,
            // Neither of these is of this month.
            record("2026-10-01T00:00:00Z", Some(("2026-10-31T00:00:00Z", ExceptionEnd::Expired))),
            record("2026-12-01T00:00:00Z", None),
        ];
        let told = Month::of(&records, std::iter::empty(), month, now);
        let freeze = told.kinds.get("freeze").expect("counted");
        let hours = 10.0 * 24.0 + 12.0 + 30.0 * 24.0;
        let expected = Count { granted: 1, renewed: 1, revoked: 1, ended: 0, cases: 3, exposure_hours: hours };
        assert_eq!(*freeze, expected);
        assert_eq!(told.by, BTreeMap::from([("grace".to_owned(), 2), ("vint".to_owned(), 1)]));
        assert_eq!(told.cases.len(), 3);
    }
}
