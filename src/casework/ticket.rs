//! The text of a ticket, incident or comment: a template of the policy, filled in with what the case knows. A ticket
//! that nobody could act on is held back, told, and sent as soon as the missing part is known.
//!
//! Without a template the built-in one is used, and nothing is held back: what is missing is written as *not known*.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::neutral::{link, neutral};
use super::state::Case;
use super::step::{Step, reason};
use crate::finding::Severity;
use crate::limits;
use crate::policy::{Ceiling, Piece, Template, TemplateField};
use crate::time::WallTime;
use crate::wire::{ActionKind, TicketText};

/// Name of the template where the policy has none.
const BUILT_IN: SmolStr = SmolStr::new_static("built-in");

/// Between it, the fields; in the language of templates.
const BUILT_IN_TITLE: &str = "{{ severity }}: {{ title }}";
const BUILT_IN_TEXT: &str = "\
{{ summary }}

Affected: {{ asset }}
Recommended: {{ remediation }}
Due: {{ due }}
Owner: {{ owner }}
Evidence: {{ evidence }}
Next step: {{ next_step }} (waits for {{ waiting_for }})
Risk {{ risk }}, case {{ case }}, generation {{ generation }}";

static BUILT: LazyLock<Template> = LazyLock::new(|| {
    let pieces = |text| crate::policy::pieces(text).expect("the built-in template is one");
    let (title, text) = (pieces(BUILT_IN_TITLE), pieces(BUILT_IN_TEXT));
    Template { id: BUILT_IN, title, text, otherwise: std::collections::BTreeMap::new() }
});

/// A ticket that lacks what nobody can act without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBack {
    /// Topic.
    pub kind: ActionKind,
    /// Policy's name of the action.
    pub action: SmolStr,
    /// Why it was to be sent.
    pub summary: String,
    /// What it lacks, by name.
    pub missing: Vec<SmolStr>,
    /// Since when.
    pub since: WallTime,
}

impl Case {
    /// The text of one, or what it lacks.
    pub(super) fn ticket_text(
        &self,
        kind: ActionKind,
        action: &SmolStr,
        summary: &str,
        step: &Step<'_>,
    ) -> Result<TicketText, Vec<SmolStr>> {
        let policy = &step.rules.policy;
        let template =
            policy.action(action).and_then(|rule| rule.template.as_ref()).and_then(|t| policy.templates.get(t));
        let Some(template) = template else {
            return Ok(self.filled(&BUILT, summary));
        };
        let text = self.filled(template, summary);
        let refuses = matches!(kind, ActionKind::Ticket | ActionKind::Incident);
        let needed = |name: &&SmolStr| TemplateField::NEEDED.iter().any(|field| field.as_str() == name.as_str());
        let missing: Vec<SmolStr> = text.not_known.iter().filter(needed).cloned().collect();
        if refuses && !missing.is_empty() { Err(missing) } else { Ok(text) }
    }

    fn filled(&self, template: &Template, summary: &str) -> TicketText {
        let mut not_known: Vec<SmolStr> = Vec::new();
        let mut fill = |pieces: &[Piece]| {
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    Piece::Text(literal) => text.push_str(literal),
                    Piece::Field(field) => match (self.field(*field, summary), template.otherwise.get(field)) {
                        (Some(value), _) => text.push_str(&value),
                        (None, Some(otherwise)) => text.push_str(otherwise),
                        (None, None) => {
                            text.push_str(&format!("not known: {field}"));
                            let name = SmolStr::new_static(field.as_str());
                            if !not_known.contains(&name) {
                                not_known.push(name);
                            }
                        }
                    },
                }
            }
            text
        };
        let title = fill(&template.title);
        let text = fill(&template.text);
        TicketText {
            template: template.id.clone(),
            // Its line ends are the policy's, where a title has none.
            title: limits::cut(title.split('\n').next().unwrap_or_default(), limits::PROSE_BYTES).to_owned(),
            text: limits::cut(&text, limits::TICKET_BYTES).to_owned(),
            not_known,
        }
    }

    /// What the case knows of a field, made harmless. What there need not be is `none`, and known.
    fn field(&self, field: TemplateField, summary: &str) -> Option<String> {
        let some = |text: &str| Some(neutral(text, limits::PROSE_BYTES)).filter(|text| !text.is_empty());
        let (lead, owner) = (&self.lead, self.owner.as_ref());
        let held = self.containment.as_ref().filter(|c| c.state == super::state::ContainmentState::Holding);
        let or_none = |text: Option<String>| Some(text.unwrap_or_else(|| "none".to_owned()));
        match field {
            TemplateField::Asset => {
                let resource = &lead.resource;
                let named = !resource.id.is_empty() || resource.name.as_ref().is_some_and(|name| !name.is_empty());
                some(&self.resource_line()).filter(|_| named)
            }
            TemplateField::Remediation => some(lead.recommended_action.as_deref()?),
            TemplateField::Due => self.deadlines.remediate.map(|at| at.to_string()),
            TemplateField::Owner => some(&owner?.id),
            TemplateField::Evidence => {
                let links: Vec<&str> = lead.evidence.iter().filter_map(|text| link(text)).collect();
                Some(links.join(" ")).filter(|links| !links.is_empty())
            }
            TemplateField::Title => some(&lead.title),
            TemplateField::Summary => some(summary),
            TemplateField::Severity => some(Severity::word_of(lead.severity)),
            TemplateField::Risk => some(&self.risk),
            TemplateField::Case => some(&self.uid.to_string()),
            TemplateField::Generation => some(&self.generation.to_string()),
            TemplateField::Playbook => some(&self.playbook),
            TemplateField::Path => some(self.path.as_str()),
            TemplateField::Rule => some(&lead.rule),
            TemplateField::Source => some(&lead.source),
            TemplateField::DetectedAt => some(&self.detected_at.to_string()),
            TemplateField::Queue => some(owner?.queue.as_deref()?),
            TemplateField::WaitingFor => {
                or_none(self.waits_for().and_then(|(kind, who, _)| some(&format!("{kind} {who}"))))
            }
            TemplateField::NextStep => or_none(self.waits_for().and_then(|(_, _, step)| some(&step))),
            TemplateField::ContainedBy => or_none(held.and_then(|c| some(&c.action))),
            TemplateField::ContainedUntil => or_none(held.and_then(|c| c.lease_until).map(|at| at.to_string())),
        }
    }

    /// Puts the text on the command that was sent last.
    pub(super) fn write(text: TicketText, step: &mut Step<'_>) {
        if let Some(sent) = step.out.actions.last_mut() {
            sent.text = Some(text);
        }
    }

    /// It is not sent: named, in the case and to its people, once for what is missing.
    pub(super) fn hold_back(
        &mut self,
        kind: ActionKind,
        action: &SmolStr,
        summary: String,
        missing: Vec<SmolStr>,
        step: &mut Step<'_>,
    ) {
        let known = self.held_back.iter_mut().find(|held| held.action == *action);
        let told = known.as_ref().is_some_and(|held| held.missing == missing);
        match known {
            Some(held) => (held.summary, held.missing) = (summary, missing.clone()),
            None => {
                let (action, missing, since) = (action.clone(), missing.clone(), step.now);
                self.held_back.push(HeldBack { kind, action, summary, missing, since });
            }
        }
        if told {
            return;
        }
        let text = format!("{action} is not sent, since nobody could act on it: {} not known", missing.join(", "));
        step.tell(self, &text);
        step.noted(self, "ticket_incomplete", vec![reason("incomplete", text.clone())]);
        self.tell_owner("ticket_incomplete", text, step);
    }

    /// After a step: sends what was held back and lacks nothing any more.
    pub(super) fn send_what_was_held_back(&mut self, step: &mut Step<'_>) {
        if self.held_back.is_empty() {
            return;
        }
        if !self.phase.is_open() {
            self.held_back.clear();
            return;
        }
        if step.ceiling() == Ceiling::Observe {
            return;
        }
        for held in self.held_back.clone() {
            self.send_once(held.kind, &held.action, held.summary, step);
        }
    }
}
