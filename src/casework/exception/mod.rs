//! Exceptions: a case is not worked on for a while, or closed as accepted, because somebody entitled said so.
//!
//! ```text
//!   exception_requested ─► asked ─ approved ─► granted ─┐
//!        │ refused by name   └ rejected, silent: on     │
//!                                                       ▼
//!   grants and rules of the policy that fit ─────► in force ─► decide: path `exception` ─► excepted, or closed
//!                                                       │        clocks stand still          as accepted
//!                     its time is over, revoked, closed ┘──► decided again, clocks go on
//! ```
//! | file | what |
//! |---|---|
//! | `state` | what a case remembers of it |
//! | `ask` | asking, counting, silence, rejection |
//! | `grant` | granted, renewed, told of, revoked, over |
//! | `grants` | those that people granted beyond one case |
//! | `standing` | which are in force for a case, now |
//! | `hold` | what follows from a decision: clocks stand still, and go on |
//! | `meanwhile` | what is done while it holds, and taken back |
//! | `closing` | accepted risk and false positive |

mod ask;
mod closing;
mod grant;
mod grants;
mod hold;
mod meanwhile;
mod standing;
mod state;

pub use grants::Grants;
pub use standing::InForce;
pub(super) use standing::{all_standing, first};
pub use state::{Asked, Exception, Exceptions, Hold, Meanwhile, MeanwhileState, PausedFor, Stood};
