//! `shutter demo`: the service of `shutter run` on made-up detections, with simulated responders and time sped up.
//!
//! | file | what |
//! |---|---|
//! | `command.rs` | the command: puts the parts together, and waits for the end |
//! | `site.rs` | a temporary folder with configuration, policy, catalog and keys (deploy/demo) |
//! | `pace.rs` | demo time |
//! | `examples.rs` | the worked examples: what four tools and three say of four risks |
//! | `noise.rs` | what else comes in: repeats, a suppressed scan, broken records |
//! | `answers.rs` | responders, approvers, owners and verifiers: read actions, post signed feedback |
//! | `story.rs` | prints each case's timeline as it grows |
//! | `stop.rs` | signals: the first ends it in good order, the second at once |
//! | `closing.rs` | the closing table, and whether everything expected has happened |

mod answers;
mod closing;
mod command;
mod examples;
mod noise;
mod pace;
mod site;
mod stop;
mod story;

pub use command::{Args, END, run};
