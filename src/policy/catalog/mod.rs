//! The catalog: people, teams, and what belongs to whom. Context and ownership come from here.
//!
//! | file | holds |
//! |---|---|
//! | `model.rs` | the entries |
//! | `lookup.rs` | context, owner, person |

mod lookup;
mod model;

pub use model::{Catalog, Entry, Person, Relation, ResourcePattern, Service, Team};
