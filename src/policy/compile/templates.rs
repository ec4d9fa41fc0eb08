//! Reads `templates:`, texts of tickets, incidents and comments.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::limits;
use crate::policy::fields::{Fields, Problems, entries, is_name, one_of};
use crate::policy::model::{BadPiece, Piece, Template, TemplateField, pieces};
use crate::policy::node::{Kind, Node};

use super::draft::{Draft, Named};

/// Fields by name, for messages.
fn names() -> Vec<&'static str> {
    TemplateField::ALL.iter().map(|field| field.as_str()).collect()
}

/// `templates: {standard: {title: …, text: …, otherwise: {…}}}`
pub(super) fn templates(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for (key, node) in entries(node, "templates", problems) {
        if !is_name(&key.name, &key.at, problems) {
            continue;
        }
        let Some(mut fields) = Fields::of(node, "a template", problems) else { continue };
        let title = fields.need("title", problems).and_then(|node| text(node, limits::FIELD_BYTES, problems));
        let body = fields.need("text", problems).and_then(|node| text(node, limits::TEMPLATE_BYTES, problems));
        let otherwise = fields.get("otherwise").map_or_else(BTreeMap::new, |node| otherwise(node, problems));
        fields.finish(problems);
        let id = SmolStr::from(&key.name);
        // Defined even where something in it is wrong, so that its uses aren't errors too.
        draft.define(Named::Template, &id, &key.at, problems);
        if let (Some(title), Some(text)) = (title, body) {
            draft.policy.templates.insert(id.clone(), Template { id, title, text, otherwise });
        }
    }
}

fn text(node: &Node, most: usize, problems: &mut Problems) -> Option<Vec<Piece>> {
    let Kind::Scalar(text) = &node.kind else {
        problems.expected(node, "a text");
        return None;
    };
    if text.trim().is_empty() {
        problems.error(&node.at, "wrong-type", "found an empty text").help("expected a text with {{ fields }} in it");
        return None;
    }
    if text.len() > most {
        let message = format!("a text of {} bytes; at most {most} are taken", text.len());
        problems.error(&node.at, "too-long", message);
        return None;
    }
    match pieces(text) {
        Ok(pieces) => Some(pieces),
        Err(bad) => {
            for one in bad {
                match one {
                    BadPiece::Unclosed => problems
                        .error(&node.at, "bad-template", "a placeholder isn't closed")
                        .help("write it as {{ title }}"),
                    BadPiece::Unknown(name) => problems
                        .error(
                            &node.at,
                            "unknown-field",
                            format!("{{{{ {} }}}} is no field of a template", limits::cut(&name, 80)),
                        )
                        .help(one_of(&name, &names())),
                };
            }
            None
        }
    }
}

fn otherwise(node: &Node, problems: &mut Problems) -> BTreeMap<TemplateField, String> {
    let mut found = BTreeMap::new();
    for (key, node) in entries(node, "texts for what isn't known", problems) {
        let Some(field) = TemplateField::parse(&key.name) else {
            problems
                .error(&key.at, "unknown-field", format!("`{}` is no field of a template", limits::cut(&key.name, 80)))
                .help(one_of(&key.name, &names()));
            continue;
        };
        if !field.may_be_given() {
            let instead = match field {
                TemplateField::Owner => "name `owners.fallback` for what nobody owns",
                TemplateField::Due => "give the risk class `sla: {remediate: …}`, and a last one without `match`",
                _ => "a ticket that doesn't say what is affected is none",
            };
            let message = format!("{field} can't be made up");
            problems.error(&key.at, "contradiction", message).help(instead);
            continue;
        }
        let text = crate::policy::fields::text(node, "a text", problems);
        found.extend(text.map(|text| (field, text.to_owned())));
    }
    found
}
