//! Series that count what happens to cases: openings, closings, targets, answers, commands.

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};

use super::durations::seconds;
use super::labels::{Maker, PATHS, Words};
use super::observation::{
    Answer, ApprovalOutcome, BudgetOutcome, Change, Closing, Means, Observation, Opening, Resolution, SlaOutcome,
    SlaTarget,
};
use crate::finding::Class;
use crate::wire::{ActionKind, FeedbackKind};

/// Persons' answers per closed case: none is the aim, more than ten is a meeting.
const TOUCHES: &[f64] = &[0.0, 1.0, 2.0, 3.0, 5.0, 10.0];
/// How late a timer may fire: it waits for feedback to be read first, bounded by a minute.
const LATENESS: &[f64] = &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 3_600.0];

pub(super) struct Cases {
    opened: IntCounterVec,
    closed: IntCounterVec,
    touches: HistogramVec,
    sla: IntCounterVec,
    warnings: IntCounterVec,
    lapsed: IntCounterVec,
    re_owned: IntCounterVec,
    approvals: IntCounterVec,
    contained: IntCounterVec,
    escalations: IntCounterVec,
    commands: IntCounterVec,
    unanswered: IntCounterVec,
    feedback: IntCounterVec,
    budgets: IntCounterVec,
    detections: IntCounterVec,
    flapping: IntCounter,
    lateness: Histogram,
}

impl Cases {
    pub fn new(make: &Maker<'_>) -> Self {
        let risk = &["risk_class"];
        Self {
            opened: make.counters(
                "shutter_cases_opened_total",
                "Cases that opened: new, recurred after a closing, or again because a fix didn't hold or wasn't verified.",
                &["opening", "path", "risk_class", "class"],
            ),
            closed: make.counters(
                "shutter_cases_closed_total",
                "Cases that closed, by how and by who resolved them. Only closing=\"verified\" is an exposure gone.",
                &["closing", "resolution", "path", "risk_class", "class"],
            ),
            touches: make.histograms(
                "shutter_case_human_touches",
                "Answers by persons per closed case.",
                risk,
                TOUCHES,
            ),
            sla: make.counters(
                "shutter_sla_total",
                "Targets that ended, met or breached.",
                &["target", "outcome", "risk_class", "class"],
            ),
            approvals: make.counters(
                "shutter_approvals_total",
                "Approvals that ended.",
                &["outcome", "risk_class", "class"],
            ),
            contained: make.counters(
                "shutter_auto_contained_total",
                "Cases whose exposure was contained unasked, by a containment or by the action itself.",
                &["means", "risk_class", "class"],
            ),
            warnings: make.counters(
                "shutter_sla_warnings_total",
                "Warnings before a target's deadline.",
                &["target", "risk_class"],
            ),
            lapsed: make.counters(
                "shutter_acknowledgements_lapsed_total",
                "Acknowledgements that nothing followed in time.",
                risk,
            ),
            re_owned: make.counters(
                "shutter_cases_reowned_total",
                "Open cases that became another owner's because the catalog or their facts changed.",
                risk,
            ),
            escalations: make.counters("shutter_escalations_total", "Escalation steps that went out.", risk),
            commands: make.counters("shutter_commands_total", "Commands that went out, by topic.", &["kind"]),
            unanswered: make.counters(
                "shutter_commands_unanswered_total",
                "Commands without an answer in time: outcome unknown.",
                &["kind"],
            ),
            feedback: make.counters("shutter_feedback_total", "Feedback that a case looked at.", &["kind", "answer"]),
            budgets: make.counters("shutter_budget_answers_total", "What budgets answered.", &["outcome"]),
            detections: make.counters(
                "shutter_detections_total",
                "Detections that reached a case, by what they changed.",
                &["change"],
            ),
            flapping: make.counter("shutter_flapping_total", "Cases held because they reopen too often."),
            lateness: make.histogram(
                "shutter_timer_lateness_seconds",
                "How long after it was due a timer fired.",
                LATENESS,
            ),
        }
    }

    /// Every series exists from the start, so that a rate over the first event is right.
    pub fn appear(&self, words: &Words) {
        for risk in words.risks() {
            self.touches.with_label_values(&[risk]);
            self.escalations.with_label_values(&[risk]);
            self.lapsed.with_label_values(&[risk]);
            self.re_owned.with_label_values(&[risk]);
            for target in SlaTarget::ALL {
                self.warnings.with_label_values(&[target.as_str(), risk]);
            }
            Class::ALL.iter().for_each(|class| self.appear_for(risk, class.as_str()));
        }
        for kind in ActionKind::ALL {
            self.commands.with_label_values(&[kind.as_str()]);
            self.unanswered.with_label_values(&[kind.as_str()]);
        }
        for kind in FeedbackKind::ALL {
            for answer in Answer::ALL {
                self.feedback.with_label_values(&[kind.as_str(), answer.as_str()]);
            }
        }
        for outcome in BudgetOutcome::ALL {
            self.budgets.with_label_values(&[outcome.as_str()]);
        }
        for change in Change::ALL {
            self.detections.with_label_values(&[change.as_str()]);
        }
    }

    fn appear_for(&self, risk: &str, class: &str) {
        for path in PATHS {
            for opening in Opening::ALL {
                self.opened.with_label_values(&[opening.as_str(), path, risk, class]);
            }
            for closing in Closing::ALL {
                for resolution in Resolution::ALL {
                    self.closed.with_label_values(&[closing.as_str(), resolution.as_str(), path, risk, class]);
                }
            }
        }
        for target in SlaTarget::ALL {
            for outcome in SlaOutcome::ALL {
                self.sla.with_label_values(&[target.as_str(), outcome.as_str(), risk, class]);
            }
        }
        for outcome in ApprovalOutcome::ALL {
            self.approvals.with_label_values(&[outcome.as_str(), risk, class]);
        }
        for means in Means::ALL {
            self.contained.with_label_values(&[means.as_str(), risk, class]);
        }
    }

    /// Applies one observation; those of durations, of where cases wait, of correlations and storms are
    /// applied elsewhere.
    pub fn observe(&self, words: &Words, seen: &Observation) {
        match seen {
            Observation::StageDone { .. }
            | Observation::Paused { .. }
            | Observation::Moved { .. }
            | Observation::Correlation { .. }
            | Observation::Storm { .. }
            | Observation::Exception { .. }
            | Observation::Excepted { .. } => {}
            Observation::Opened { opening, of } => {
                let [path, risk, class] = words.slice(of);
                self.opened.with_label_values(&[opening.as_str(), path, risk, class]).inc();
            }
            Observation::Closed { closing, resolution, human_touches, of } => {
                let [path, risk, class] = words.slice(of);
                self.closed.with_label_values(&[closing.as_str(), resolution.as_str(), path, risk, class]).inc();
                self.touches.with_label_values(&[risk]).observe(f64::from(*human_touches));
            }
            Observation::Sla { target, outcome, of } => {
                let [_, risk, class] = words.slice(of);
                self.sla.with_label_values(&[target.as_str(), outcome.as_str(), risk, class]).inc();
            }
            Observation::Approval { outcome, of } => {
                let [_, risk, class] = words.slice(of);
                self.approvals.with_label_values(&[outcome.as_str(), risk, class]).inc();
            }
            Observation::AutoContained { means, of } => {
                let [_, risk, class] = words.slice(of);
                self.contained.with_label_values(&[means.as_str(), risk, class]).inc();
            }
            Observation::SlaWarned { target, risk } => {
                self.warnings.with_label_values(&[target.as_str(), words.risk(risk)]).inc();
            }
            Observation::AcknowledgementLapsed { risk } => self.lapsed.with_label_values(&[words.risk(risk)]).inc(),
            Observation::ReOwned { risk } => self.re_owned.with_label_values(&[words.risk(risk)]).inc(),
            Observation::Escalated { risk } => self.escalations.with_label_values(&[words.risk(risk)]).inc(),
            Observation::Commanded { kind } => self.commands.with_label_values(&[kind.as_str()]).inc(),
            Observation::Unanswered { kind } => self.unanswered.with_label_values(&[kind.as_str()]).inc(),
            Observation::Answered { kind, answer } => {
                self.feedback.with_label_values(&[kind.as_str(), answer.as_str()]).inc();
            }
            Observation::Budget { outcome } => self.budgets.with_label_values(&[outcome.as_str()]).inc(),
            Observation::Finding { detections, changed } => {
                self.detections.with_label_values(&[changed.as_str()]).inc_by(*detections);
            }
            Observation::Flapping => self.flapping.inc(),
            Observation::TimerFired { late_by } => self.lateness.observe(seconds(*late_by)),
        }
    }
}
