//! Records that bear the mark of a drill: they take the way of a real detection, apart from all real ones, and are counted
//! nowhere. A mark that proves nothing is told and has no effect: the record is taken for real.

use smol_str::SmolStr;

use super::decode;
use super::guard::guarded;
use super::intake::Intake;
use super::output::{IntakeOut, Visibility};
use super::place::{InCase, Place, place};
use super::receipt;
use crate::finding::Finding;
use crate::ids::{CaseUid, Fingerprint, Identity};
use crate::limits;
use crate::log::Record;
use crate::time::WallTime;
use crate::wire::{CaseEvent, CaseEventKind, DRILL_HEADER, Drill, FindingEvent, LONGEST_DRILL};

/// Put before every title of a drill.
const TITLE: &str = "DRILL: ";

impl Intake {
    /// Takes a record that a drill's mark is good for. False where it is a real one.
    pub(super) fn take_drill(&self, name: &str, record: &Record, now: WallTime, out: &mut IntakeOut) -> bool {
        let Some(mark) = record.header(DRILL_HEADER) else { return false };
        let settings = self.settings();
        let value = record.value.as_deref().unwrap_or_default();
        let drill = match settings.feedback.drill(&settings.tenant, name, value, mark) {
            Ok(drill) if drill.until.since(record.timestamp) > LONGEST_DRILL => {
                self.note_drill(
                    "drill_refused",
                    &format!("it would last longer than {LONGEST_DRILL}"),
                    record,
                    now,
                    out,
                );
                return false;
            }
            Ok(drill) => drill,
            Err(why) => {
                self.note_drill("drill_refused", &format!("{why}; taken for a real detection"), record, now, out);
                return false;
            }
        };
        if record.timestamp > drill.until {
            self.note_drill("drill_over", &format!("drill {} was over at {}", drill.id, drill.until), record, now, out);
            return true;
        }
        let Some(source) = self.source(name) else { return false };
        match guarded(|| decode::findings(&settings.tenant, source, record, &settings.redactor)) {
            Ok(Ok(findings)) => {
                if findings.is_empty() {
                    self.note_drill("drill_empty", "no finding is in this record", record, now, out);
                }
                for finding in findings {
                    self.send_drill(finding, &drill, record, now, out);
                }
            }
            Ok(Err(reject)) => {
                self.note_drill("drill_rejected", &reject.message, record, now, out);
                self.bury(record, reject, Visibility::Restricted, now, out);
            }
            Err(_) => self.note_drill("drill_rejected", "the program stumbled over this record", record, now, out),
        }
        true
    }

    fn send_drill(&self, mut finding: Finding, drill: &Drill, record: &Record, now: WallTime, out: &mut IntakeOut) {
        let settings = self.settings();
        let apart = |bytes: &str| Identity::of("drill").text(&settings.tenant).text(&drill.id).text(bytes).finish();
        finding.fingerprint = Fingerprint(apart(&finding.fingerprint.to_string()));
        finding.title = limits::cut(&format!("{TITLE}{}", finding.title), limits::PROSE_BYTES).to_owned();
        let placed = guarded(|| place(&settings.tenant, self.rules(), &finding, record.timestamp));
        let Ok(Place { suppressed_by, case }) = placed else {
            return self.note_drill("drill_rejected", "the program stumbled over this record", record, now, out);
        };
        // No case has it already: a drill's identities are its own.
        if let Some(rule) = suppressed_by {
            let text = format!("drill {} is suppressed by {}: {}", drill.id, rule.id, rule.reason);
            return self.note_drill("drill_suppressed", &text, record, now, out);
        }
        let Some(InCase { context, grouping, uid }) = case else { return };
        let uid = CaseUid(apart(&uid.to_string()));
        let event = FindingEvent {
            group_key: grouping.readable(),
            group_rule: grouping.rule,
            count: 1,
            last_observed: finding.observed_at,
            received_at: record.timestamp,
            context,
            suppressed_by: None,
            drill: Some(drill.clone()),
            finding,
        };
        self.send(CaseEvent { finding: Some(event), ..self.event(CaseEventKind::Finding, uid, None) }, out);
    }

    /// Once for each outcome and batch: a sender of bad marks can't fill the audit.
    fn note_drill(&self, outcome: &'static str, why: &str, record: &Record, now: WallTime, out: &mut IntakeOut) {
        if out.receipts.iter().any(|receipt| receipt.outcome == outcome) {
            return;
        }
        out.receipts.push(receipt::drill(&self.site(now), SmolStr::new_static(outcome), why, record));
    }
}
