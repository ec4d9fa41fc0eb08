//! SARIF 2.1.0 (OASIS): results of any static analysis tool.
//!
//! | file | holds |
//! |---|---|
//! | `schema.rs` | the log as the standard has it, as far as it is read |
//! | `rules.rs` | the rule of a result: by index, by id, in extensions |
//! | `identity.rs` | which fields make a result's identity |
//! | `kind.rs` | what sort of tool and rule this is → class |
//! | `results.rs` | results → findings |
//!
//! Identity: repository, tool, rule, and the first of these that there is:
//!
//! 1. for secrets, the credential (keyed hash) and the file: every tool agrees on them
//! 2. the first of `fingerprints`: the standard asks that they stay (§3.27.16)
//! 3. the file and a partial fingerprint that is a hash of the place; not those that are really commit, author,
//!    date, or a hash of the whole file
//! 4. the file, what is above the line (`logicalLocations`), and the hash of the code itself (`snippet`), so
//!    that an edit elsewhere in the file changes nothing; the line number is never in it
//!
//! A result without a rule (old gitleaks) is named by its message: there the message is the rule's name.

mod identity;
mod kind;
mod results;
mod rules;
mod schema;

pub(super) use results::read;
