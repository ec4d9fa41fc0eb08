//! The catalog: people, teams, and what belongs to whom. Context and ownership come from here.
//!
//! | file | holds |
//! |---|---|
//! | `model.rs` | the entries |
//! | `lookup.rs` | context, owner, person |
//! | `compile.rs` | files → catalog |
//! | `read.rs` | the catalog's own form |
//! | `backstage.rs` | Backstage entities as they are |
//! | `draft.rs` | names resolved once all files are read |

mod backstage;
mod compile;
mod draft;
mod lookup;
mod model;
mod read;

pub use model::{Catalog, Entry, Person, Relation, ResourcePattern, Service, Team};
