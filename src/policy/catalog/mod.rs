//! The catalog: people, teams, and what belongs to whom. Context and ownership come from here.
//!
//! | file | holds |
//! |---|---|
//! | `model.rs` | the entries |
//! | `lookup.rs` | context, owner, person |
//! | `absence.rs` | who is there: absences, deputies, on-call rotations |
//! | `compile.rs` | files → catalog |
//! | `read.rs`, `duty.rs` | the catalog's own form |
//! | `backstage.rs` | Backstage entities as they are |
//! | `draft.rs` | names resolved once all files are read |

mod absence;
mod backstage;
mod compile;
mod draft;
mod duty;
mod lookup;
mod model;
mod read;

pub use absence::{Absence, Every, Reached, Rotation, Shifts};
pub use model::{Catalog, Entry, Person, Relation, ResourcePattern, Service, Team};
