//! Workers: the shell around intake and casework. Each is one OS thread with its own log handle,
//! transactions, partitions and state; they share no lock on the way of a detection.
//!
//! | file | what |
//! |---|---|
//! | `worker` | the loop: control, restore, poll, rebalance, transaction |
//! | `transaction` | one attempt: batch → outputs → commit; poison |
//! | `ending` | what follows: committed, again, or everything dropped |
//! | `control`, `ownership` | rules and kill switch; partitions that come and go |
//! | `part` | one owned partition, restoring or at work |
//! | `barrier` | when a deadline may fire |
//! | `book`, `announce` | versions of the rules on `control` |
//! | `switch`, `trust` | the kill switch; whom a worker believes on `control` |
//! | `grants` | exceptions granted beyond one case: who may say what, which records count |
//! | `outputs`, `state_codec` | what goes where, as which bytes |
//! | `unread` | a batch waits while a Schema Registry doesn't answer |
//! | `shared` | what HTTP and metrics may see |

mod announce;
mod barrier;
mod book;
mod control;
mod ending;
mod grants;
mod outputs;
mod ownership;
mod part;
#[cfg(test)]
mod poisoned;
mod shared;
mod state_codec;
mod switch;
mod transaction;
mod trust;
mod unread;
#[expect(clippy::module_inception, reason = "the folder's word is the type's word")]
mod worker;

pub use announce::{Announcement, Refused};
pub use book::{Book, Current, Disbelieved, Start};
pub use grants::{EXCEPTION, GrantError, REVOCATION, Said};
pub use outputs::Outputs;
pub use shared::{Readiness, Shared, Standing};
pub use state_codec::{StateCodec, StateError};
pub use switch::{ENFORCEMENT, Statement, Switch, SwitchError, Thrown};
pub use transaction::Done;
pub use trust::{NotOurs, Trust};
pub use worker::{Setup, Worker, WorkerError};
