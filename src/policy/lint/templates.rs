//! A ticket's template without what nobody can act without: each of its tickets would be refused.

use crate::policy::compile::draft::{Draft, Named};
use crate::policy::fields::Problems;
use crate::policy::model::TemplateField;

/// What opens a ticket or an incident; other actions only comment.
const TICKETS: [&str; 3] = ["open_ticket", "open_incident", "open_problem"];

pub(super) fn incomplete(draft: &Draft, problems: &mut Problems) {
    for action in draft.policy.actions.values().filter(|action| TICKETS.contains(&action.id.as_str())) {
        let Some(template) = action.template.as_ref().and_then(|name| draft.policy.templates.get(name)) else {
            continue;
        };
        let said: Vec<TemplateField> = template.fields().collect();
        let lacking: Vec<&str> =
            TemplateField::NEEDED.iter().filter(|field| !said.contains(field)).map(|field| field.as_str()).collect();
        if lacking.is_empty() {
            continue;
        }
        let at = draft.defined.get(&(Named::Template, template.id.clone())).cloned().unwrap_or_default();
        let message = format!("`{}` of `{}` doesn't say {}", template.id, action.id, lacking.join(", "));
        let put: Vec<String> = lacking.iter().map(|name| format!("{{{{ {name} }}}}")).collect();
        let problem = problems.error(&at, "incomplete-template", message);
        problem.help(format!("a ticket that nobody can act on is not sent: add {}", put.join(", ")));
        if let Some(place) = draft.defined.get(&(Named::Action, action.id.clone())) {
            problem.also(place, "the action");
        }
    }
}
