//! Cases of the partitions that this process owns; on Kafka, other instances own others, and it says so.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Problem;
use super::server::Http;
use crate::casework::{CasePath, Phase};
use crate::ids::CaseUid;
use crate::nearest::did_you_mean;
use crate::wire::BottleneckKind;

/// Most cases of one answer.
const PAGE: usize = 1_000;

/// Which cases.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Only in this phase; `open` = not closed.
    phase: Option<String>,
    /// Only with this bottleneck.
    bottleneck: Option<String>,
    /// Only of this path.
    path: Option<String>,
    /// Only uids after this one.
    after: Option<String>,
    /// At most so many.
    limit: Option<usize>,
}

/// Lists cases, in order of uid.
pub async fn list(
    State(http): State<Arc<Http>>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(which) = which?;
    known("phase", which.phase.as_deref(), Phase::ALL.iter().map(|p| p.as_str()).chain(["open"]))?;
    known("bottleneck", which.bottleneck.as_deref(), BottleneckKind::ALL.iter().map(|b| b.as_str()))?;
    known("path", which.path.as_deref(), CasePath::ALL.iter().map(|p| p.as_str()))?;
    let after =
        which.after.as_deref().map(CaseUid::parse).transpose().map_err(|e| Problem::bad(format!("after: {e}")))?;
    let limit = which.limit.unwrap_or(100).clamp(1, PAGE);
    let mut matching = http.shared.views().into_iter().filter(|view| {
        let phase = which.phase.as_deref().is_none_or(|p| view.phase == p || (p == "open" && view.closed_at.is_none()));
        let path = which.path.as_deref().is_none_or(|p| view.path == p);
        let waiting = view.bottleneck.as_ref().map(|b| b.kind.as_str());
        let bottleneck = which.bottleneck.as_deref().is_none_or(|b| waiting == Some(b));
        phase && path && bottleneck && after.is_none_or(|a| view.uid > a)
    });
    let page: Vec<_> = matching.by_ref().take(limit).collect();
    let more = matching.next().is_some();
    let next = page.last().filter(|_| more).map(|view| view.uid.to_string());
    let partitions: Vec<i32> = http.shared.partitions().keys().copied().collect();
    Ok(Json(json!({"cases": page, "next": next, "partitions": partitions})))
}

/// A word that no case ever has would give an empty list, which reads like good news.
fn known(name: &str, word: Option<&str>, words: impl Iterator<Item = &'static str> + Clone) -> Result<(), Problem> {
    match word {
        Some(word) if !words.clone().any(|known| known == word) => {
            let hint = did_you_mean(word, words.clone());
            let words: Vec<&str> = words.collect();
            let word = crate::limits::cut(word, 64);
            Err(Problem::bad(format!("{name}: found `{word}`, expected one of {}{hint}", words.join(", "))))
        }
        _ => Ok(()),
    }
}

/// One case.
pub async fn show(State(http): State<Arc<Http>>, Path(uid): Path<String>) -> Result<Json<Value>, Problem> {
    let uid = CaseUid::parse(&uid).map_err(|e| Problem::bad(e.to_string()))?;
    let view = http.shared.view(&uid).ok_or_else(|| {
        let owned: Vec<String> = http.shared.partitions().keys().map(ToString::to_string).collect();
        Problem::not_found(format!(
            "no case {uid} in the partitions owned here ({}); `shutter case show {uid}` looks in all of them",
            owned.join(", ")
        ))
    })?;
    serde_json::to_value(view).map(Json).map_err(Problem::log)
}
