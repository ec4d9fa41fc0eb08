//! Clocks that stand still at night: a class for findings that anybody can reach must not use them.

use crate::finding::{Exposure, ExposureKind};
use crate::policy::compile::draft::Draft;
use crate::policy::fields::Problems;
use crate::policy::predicate::Predicate;

use super::logic::{Fuel, implies, refutes};

/// Steps for one pair of classes.
const PAIR: u32 = 4_000;
/// Whose clock starts at detection and stops only at verification.
const EXPOSED: [ExposureKind; 3] =
    [ExposureKind::InternetFacing, ExposureKind::PrivilegeBearing, ExposureKind::PipelineAdjacent];

/// Classes that count exposed findings in a calendar.
pub(super) fn exposed(draft: &Draft, problems: &mut Problems) {
    let way = Predicate::Exposure { any_of: EXPOSED.into_iter().collect::<Exposure>(), none: false };
    for (number, (class, places)) in draft.policy.risk.iter().zip(&draft.classes).enumerate() {
        let Some((target, term, at)) = places.targets.iter().find(|(_, term, _)| term.needs_calendar()) else {
            continue;
        };
        let earlier: Vec<&Predicate> = draft.policy.risk.iter().take(number).map(|class| &class.matcher).collect();
        if choices(&class.matcher).into_iter().any(|choice| reaches(choice, &way, &earlier)) {
            problems
                .warning(
                    at,
                    "clock-stops",
                    format!("`{}` may hold exposed findings, and `{target}: {term}` stands still in between", class.id),
                )
                .help(
                    "internet-facing, privilege-bearing and pipeline-adjacent findings need hours of the clock; put a \
                     class for `exposure: [internet_facing, privilege_bearing, pipeline_adjacent]` before this one",
                );
        }
    }
}

fn choices(matcher: &Predicate) -> Vec<&Predicate> {
    match matcher {
        Predicate::Any(parts) => parts.iter().collect(),
        other => vec![other],
    }
}

/// Whether an exposed finding may match that no earlier class takes.
fn reaches(choice: &Predicate, way: &Predicate, earlier: &[&Predicate]) -> bool {
    let both = Predicate::All(vec![choice.clone(), way.clone()]);
    let taken = earlier.iter().any(|wide| implies(&both, wide, &mut Fuel(PAIR)));
    !taken && !refutes(choice, way, &mut Fuel(PAIR))
}
