//! One case as a line of cases.jsonl: what matters first, the worst case first. Not a record of any topic.

use std::cmp::Reverse;

use serde::Serialize;
use serde_json::{Value, json};

use super::outlook::Prospect;
use crate::casework::CasePath;
use crate::finding::Severity;
use crate::ids::CaseUid;
use crate::time::WallTime;
use crate::wire::CaseView;

/// A case as it was last.
#[derive(Debug)]
pub(super) struct Told {
    pub view: CaseView,
    pub prospect: Prospect,
    /// Numbers of its records, where they were asked for.
    pub members: Option<Vec<[u64; 2]>>,
}

/// Where a case stands among the others.
type Rank = (Reverse<u8>, Reverse<Option<Severity>>, bool, Reverse<u64>, WallTime, CaseUid);

impl Told {
    /// Boldest first, then the most severe, the open ones, those with most detections, the oldest.
    pub fn rank(&self) -> Rank {
        let view = &self.view;
        let boldness = match self.prospect.lifted {
            CasePath::Incident => 4,
            CasePath::Enforce => 3,
            CasePath::Approve => 2,
            CasePath::Ticket => 1,
            CasePath::Exception | CasePath::Observe => 0,
        };
        let closed = view.closed_at.is_some();
        (Reverse(boldness), Reverse(view.severity), closed, Reverse(view.detections), view.opened_at, view.uid)
    }

    /// Its line.
    pub fn line(&self) -> Line {
        let Self { view, prospect, members } = self;
        // Taken apart without `..`: a new field must find its place here.
        let CaseView {
            uid,
            tenant,
            generation,
            phase,
            path,
            playbook,
            risk,
            class,
            rule,
            title,
            severity,
            resource,
            group_key,
            owner,
            bottleneck,
            deadlines,
            met,
            breached,
            detected_at,
            opened_at,
            last_observed,
            closed_at,
            verified_by,
            verified_how,
            open_findings,
            findings,
            detections,
            sources,
            fingerprints,
            evidence,
            remediation,
            containment,
            contained_at,
            commands,
            timeline,
            exception,
            paused_ms,
            // The records of a file bear no mark that counts.
            drill: _,
            parent,
            children,
            policy_digest,
        } = view;
        let mut line = Line::default();
        line.put("case_uid", json!(uid));
        line.put("kind", json!(prospect.lifted));
        line.put("would_do", json!(prospect.would_do));
        line.put("path", json!(path));
        line.put("because", json!(prospect.because));
        line.put("severity", json!(Severity::word_of(*severity)));
        line.put("risk", json!(risk));
        line.put("title", json!(title));
        line.put("resource", json!(resource));
        line.put("class", json!(class));
        line.put("rule", json!(rule));
        line.put("playbook", json!(playbook));
        line.put("owner", json!(owner));
        line.put("phase", json!(phase));
        line.put("bottleneck", json!(bottleneck));
        line.put("detections", json!(detections));
        line.put("findings", json!(findings));
        line.put("open_findings", json!(open_findings));
        line.put("generation", json!(generation));
        line.put("detected_at", json!(detected_at));
        line.put("opened_at", json!(opened_at));
        line.put("last_observed", json!(last_observed));
        line.put("closed_at", json!(closed_at));
        line.put("verified_by", json!(verified_by));
        line.put("verified_how", json!(verified_how));
        line.put("deadlines", json!(deadlines));
        line.put("met", json!(met));
        line.put("breached", json!(breached));
        line.put("containment", json!(containment));
        line.put("contained_at", json!(contained_at));
        exception.iter().for_each(|held| line.put("exception", json!(held)));
        if *paused_ms > 0 {
            line.put("paused_ms", json!(paused_ms));
        }
        line.put("remediation", json!(remediation));
        line.put("group_key", json!(group_key));
        line.put("sources", json!(sources));
        line.put("commands", json!(commands));
        line.put("timeline", json!(timeline));
        line.put("parent", json!(parent));
        line.put("children", json!(children));
        line.put("evidence", json!(evidence));
        line.put("fingerprints", json!(fingerprints));
        line.put("tenant", json!(tenant));
        line.put("policy_digest", json!(policy_digest));
        line.put("uid", json!(uid));
        if let Some(members) = members {
            line.put("member_ranges", json!(members));
        }
        line
    }
}

/// Fields in the order in which a person reads them.
#[derive(Debug, Default)]
pub(super) struct Line(Vec<(&'static str, Value)>);

impl Line {
    fn put(&mut self, name: &'static str, value: Value) {
        self.0.push((name, value));
    }
}

impl Serialize for Line {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
