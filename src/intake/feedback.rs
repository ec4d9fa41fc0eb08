//! Bytes → feedback whose credential has been looked at, bounded, for this tenant.
//!
//! Whether the case exists, and whether this actor may say this, is casework's to judge.

use std::borrow::Cow;
use std::fmt;

use smol_str::SmolStr;

use crate::formats::{Redactor, Reject};
use crate::limits;
use crate::log::{Header, Record};
use crate::policy::Catalog;
use crate::time::{Span, WallTime};
use crate::wire::{Actor, ActorKind, Drill, Feedback, RejectCode, SignedFeedback};

/// 1990-01-01: no responder is older, so an earlier time is a broken clock or a zero.
const EARLIEST: WallTime = WallTime::from_millis(631_152_000_000);
/// How far a responder's clock may run ahead of the broker's.
const AHEAD: Span = Span::days(1);

/// How feedback is read and its sender known. A seam, since a codec may have to ask a Schema Registry.
pub trait ReadFeedback: Send + Sync + fmt::Debug {
    /// One answer, from Avro or JSON.
    ///
    /// # Errors
    /// Why the bytes are none, with what was expected.
    fn decode(&self, bytes: &[u8]) -> Result<Feedback, Reject>;

    /// Who says so, by the credential in the headers; [`ActorKind::Unauthenticated`] where there is none.
    ///
    /// # Errors
    /// Which credential is wrong and why, without repeating it.
    fn authenticate(&self, feedback: &Feedback, headers: &[Header]) -> Result<Actor, String>;

    /// The drill that the mark of a source's record proves.
    ///
    /// # Errors
    /// Why it proves none; where nobody knows any key, always.
    fn drill(&self, _tenant: &str, _source: &str, _value: &[u8], _mark: &[u8]) -> Result<Drill, String> {
        Err("no key is known here".to_owned())
    }
}

/// Why a feedback goes no further.
#[derive(Debug)]
pub(super) enum Refused {
    /// It can't be read, or breaks a bound.
    Rejected(Reject),
    /// It can be read, but its credential is wrong: somebody tries, so it is audited.
    Forged(Box<Feedback>, Reject),
}

impl From<Reject> for Refused {
    fn from(reject: Reject) -> Self {
        Self::Rejected(reject)
    }
}

/// The feedback in a record, and who proves to say so.
pub(super) fn feedback(
    tenant: &str,
    record: &Record,
    reader: &dyn ReadFeedback,
    catalog: &Catalog,
    redactor: &Redactor,
) -> Result<SignedFeedback, Refused> {
    let Some(bytes) = record.value.as_deref() else {
        return Err(Reject::new(RejectCode::Malformed, "the record has no value; expected a feedback").into());
    };
    feedback_is_small(bytes)?;
    let mut feedback = reader.decode(bytes)?;
    feedback_is_acceptable(tenant, &feedback, record.timestamp)?;
    let actor = match reader.authenticate(&feedback, &record.headers) {
        Ok(actor) => one_person(actor, catalog),
        Err(why) => return Err(Refused::Forged(Box::new(feedback), Reject::new(RejectCode::Forged, why))),
    };
    // Only now: the signature covers what was sent.
    scrub(&mut feedback, redactor);
    Ok(SignedFeedback { feedback, actor, received_at: record.timestamp })
}

/// One person's many accounts are one: the catalog's name for whom the credential belongs to.
fn one_person(actor: Actor, catalog: &Catalog) -> Actor {
    match (actor.kind, catalog.person(&actor.id)) {
        (ActorKind::Person, Some(person)) => Actor { id: SmolStr::from(&*person.id), ..actor },
        _ => actor,
    }
}

/// Whether so many bytes are read at all.
///
/// # Errors
/// They aren't.
pub fn feedback_is_small(bytes: &[u8]) -> Result<(), Reject> {
    if bytes.len() > limits::FEEDBACK_BYTES {
        let (found, most) = (bytes.len(), limits::FEEDBACK_BYTES);
        return Err(too_large(format!("the feedback has {found} bytes; at most {most} are read")));
    }
    Ok(())
}

/// Whether a feedback that was received then is looked at, whoever sent it. Also for whoever takes it in before it is on
/// the topic: told at once, the sender needn't look into the dead letters.
///
/// # Errors
/// Why it would become a dead letter.
pub fn feedback_is_acceptable(tenant: &str, feedback: &Feedback, received_at: WallTime) -> Result<(), Reject> {
    bounded(feedback)?;
    timely(feedback, received_at)?;
    if !feedback.tenant.is_empty() && feedback.tenant != tenant {
        let message = format!("it is for tenant `{}`; this installation is `{tenant}`", feedback.tenant);
        return Err(Reject::new(RejectCode::WrongShape, message));
    }
    Ok(())
}

fn too_large(message: String) -> Reject {
    Reject::new(RejectCode::TooLarge, message + "; put what is long behind a link in `evidence`")
}

fn bounded(feedback: &Feedback) -> Result<(), Reject> {
    if feedback.id.trim().is_empty() {
        let message = "`id` is empty; expected one that is new for every answer, so that a repeat is known";
        return Err(Reject::new(RejectCode::MissingIdentity, message));
    }
    let some = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    for (field, found, most) in [
        ("id", feedback.id.len(), limits::FEEDBACK_ID_BYTES),
        ("reason", some(&feedback.reason), limits::REASON_BYTES),
        ("command_id", some(&feedback.command_id), limits::FEEDBACK_ID_BYTES),
        ("digest", some(&feedback.digest), limits::FEEDBACK_ID_BYTES),
        ("claimed_actor", some(&feedback.claimed_actor), limits::FIELD_BYTES),
        ("reference", some(&feedback.reference), limits::FIELD_BYTES),
        ("assignee", some(&feedback.assignee), limits::FIELD_BYTES),
        ("evidence", feedback.evidence.iter().map(String::len).max().unwrap_or(0), limits::FIELD_BYTES),
        (
            "observed",
            feedback.observed.iter().map(|(name, value)| name.len().max(value.len())).max().unwrap_or(0),
            limits::FIELD_BYTES,
        ),
    ] {
        if found > most {
            return Err(too_large(format!("`{field}` has {found} bytes; at most {most} are kept")));
        }
    }
    for (field, found, most) in [
        ("evidence", feedback.evidence.len(), limits::EVIDENCE_LINKS),
        ("observed", feedback.observed.len(), limits::OBSERVED_FIELDS),
    ] {
        if found > most {
            return Err(too_large(format!("`{field}` has {found} entries; at most {most} are kept")));
        }
    }
    Ok(())
}

fn timely(feedback: &Feedback, received_at: WallTime) -> Result<(), Reject> {
    if feedback.at < EARLIEST || feedback.at > received_at.plus(AHEAD) {
        let message = format!("`at` is {}; it was received at {received_at}: the sender's clock is wrong", feedback.at);
        return Err(Reject::new(RejectCode::BadTime, message));
    }
    Ok(())
}

/// Somebody may have pasted a credential into a remark.
fn scrub(feedback: &mut Feedback, redactor: &Redactor) {
    let prose = [&mut feedback.reason, &mut feedback.reference, &mut feedback.claimed_actor];
    let texts = prose.into_iter().flatten().chain(&mut feedback.evidence).chain(feedback.observed.values_mut());
    for text in texts {
        if let Cow::Owned(clean) = redactor.scrub(text) {
            *text = clean;
        }
    }
}
