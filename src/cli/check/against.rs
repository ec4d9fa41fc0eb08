//! `shutter check --against-running`: what the rules on disk would change about the cases that are open now.
//!
//! Each open case is decided twice at this moment, from the argument in its last receipt: under the rules that decided
//! it, and under those on disk. Only the rules differ, so only they make a difference. Nothing is written.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::casework::{Argument, deadlines, decide};
use crate::cli::announced::Announced;
use crate::cli::site::Site;
use crate::clock;
use crate::ids::CaseUid;
use crate::policy::Rules;
use crate::time::WallTime;
use crate::wire::{Deadlines, Receipt};

/// Cases that are named; the counts are of all.
const NAMED: usize = 20;

/// What would move.
#[derive(Debug, Default, Serialize)]
pub(super) struct Moves {
    pub running_policy: Option<String>,
    pub running_catalog: Option<String>,
    pub open_cases: u64,
    /// Cases whose receipts are gone, or were written by another version.
    pub untold: u64,
    /// `approve → enforce` and how many.
    pub path: BTreeMap<String, u64>,
    pub playbook: BTreeMap<String, u64>,
    pub owner: BTreeMap<String, u64>,
    /// Cases with a deadline that would come earlier.
    pub deadlines_tightened: u64,
    /// Cases whose deadline would be later if they were opened now; running ones are never loosened.
    pub deadlines_kept: u64,
    /// Whether findings are grouped in another way.
    pub grouping_changed: bool,
    /// Open cases that would have another key.
    pub regrouped: u64,
    /// Some of the cases that move, each with how.
    pub cases: Vec<String>,
}

/// Decides every open case again.
pub(super) fn moves(site: &Site, disk: &Rules) -> anyhow::Result<Moves> {
    let announced = Announced::read(site)?;
    let now = clock::now();
    let mut last: BTreeMap<CaseUid, Receipt> = BTreeMap::new();
    site.each(&site.topics.audit, &mut |receipt: Receipt| {
        let newer = last.get(&receipt.case_uid).is_none_or(|known| known.at <= receipt.at);
        if newer && !receipt.argument.is_empty() {
            last.insert(receipt.case_uid, receipt);
        }
    })?;
    let mut moves = Moves::default();
    if let Some(current) = &announced.current {
        moves.running_policy = Some(current.stamp.policy.to_string());
        moves.running_catalog = Some(current.stamp.catalog.to_string());
        moves.grouping_changed = current.grouping != disk.policy.grouping;
    }
    let mut versions: BTreeMap<String, Option<Rules>> = BTreeMap::new();
    for view in site.cases()?.into_iter().filter(|view| view.bottleneck.is_some()) {
        moves.open_cases += 1;
        let argument = last.get(&view.uid).and_then(|receipt| serde_json::from_str::<Argument>(&receipt.argument).ok());
        let Some(argument) = argument else {
            moves.untold += 1;
            continue;
        };
        let stamp = format!("{}/{}", argument.rules.policy, argument.rules.catalog);
        if !versions.contains_key(&stamp) {
            versions.insert(stamp.clone(), announced.rules(&argument.rules)?);
        }
        let Some(Some(running)) = versions.get(&stamp) else {
            moves.untold += 1;
            continue;
        };
        one(&mut moves, &view.group_key, argument, running, disk, now);
    }
    Ok(moves)
}

fn one(moves: &mut Moves, key: &[String], argument: Argument, running: &Rules, disk: &Rules, now: WallTime) {
    let under = |rules: &Rules| Argument {
        context: rules.catalog.context(&argument.lead),
        now,
        rules: rules.stamp(),
        ..argument.clone()
    };
    let (was, is) = (decide(running, &under(running)), decide(disk, &under(disk)));
    let mut how = Vec::new();
    let mut moved = |counts: &mut BTreeMap<String, u64>, was: &str, is: &str| {
        if was != is {
            *counts.entry(format!("{was} → {is}")).or_default() += 1;
            how.push(format!("{was} → {is}"));
        }
    };
    moved(&mut moves.path, was.path.as_str(), is.path.as_str());
    moved(&mut moves.playbook, &was.playbook, &is.playbook);
    let owner =
        |decision: &crate::casework::Decision| decision.owner.as_ref().map_or("nobody".into(), |o| o.id.clone());
    moved(&mut moves.owner, &owner(&was), &owner(&is));
    let due = |rules: &Rules, risk: &str| -> Deadlines {
        let class = rules.policy.risk.iter().find(|class| class.id == risk);
        deadlines(&rules.policy, class, argument.detected_at.as_wall())
    };
    let (before, after) = (due(running, &was.risk), due(disk, &is.risk));
    let named: BTreeMap<&str, WallTime> = before.each().collect();
    let earlier = after.each().any(|(name, at)| named.get(name).is_none_or(|was| at < *was));
    let later = before != after && !earlier;
    moves.deadlines_tightened += u64::from(earlier);
    moves.deadlines_kept += u64::from(later);
    if earlier {
        how.push("an earlier deadline".to_owned());
    }
    moves.regrouped += u64::from(disk.policy.group(&argument.lead).readable() != key);
    if !how.is_empty() && moves.cases.len() < NAMED {
        let uid = argument.uid.to_string();
        let short = uid.get(..12).unwrap_or_default();
        moves.cases.push(format!("{short}  {}: {}", how.join(", "), argument.lead.title));
    }
}

impl Moves {
    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let cut = |digest: &Option<String>| {
            digest.as_deref().map_or("none".to_owned(), |d| crate::limits::cut(d, 12).to_owned())
        };
        let mut lines = vec![format!(
            "against the running site: {} open cases under policy {}, catalog {}",
            self.open_cases,
            cut(&self.running_policy),
            cut(&self.running_catalog)
        )];
        let mut put = |name: &str, text: String| lines.push(format!("  {name:<10}{text}"));
        for (name, counts) in [("path", &self.path), ("playbook", &self.playbook), ("owner", &self.owner)] {
            let all: u64 = counts.values().sum();
            let each: Vec<String> = counts.iter().map(|(one, count)| format!("{one} {count}")).collect();
            put(
                name,
                if all == 0 { "no case changes".to_owned() } else { format!("{all} change: {}", each.join(", ")) },
            );
        }
        let kept = match self.deadlines_kept {
            0 => String::new(),
            kept => format!("; {kept} would have later ones if they were opened now, and keep theirs"),
        };
        put("deadlines", format!("{} get earlier ones{kept}", self.deadlines_tightened));
        put(
            "grouping",
            match (self.grouping_changed, self.regrouped) {
                (false, _) => "unchanged".to_owned(),
                (true, count) => {
                    format!("changed: {count} of these cases would have another key, so a reload is refused")
                }
            },
        );
        if self.untold > 0 {
            put("untold", format!("{} cases, whose receipts or rules are no longer there", self.untold));
        }
        lines.extend(self.cases.iter().map(|case| format!("    {case}")));
        lines
    }
}
