//! Formats that people define: a mapping file says how records of JSON or CSV become findings.
//!
//! | file | holds |
//! |---|---|
//! | `schema.rs` | the file as it is written |
//! | `path.rs` | paths into a record: `a.b[0].c`, `a[*].b`, `a["b.c"]` |
//! | `load.rs` | the file checked → [`Mapping`]; errors name file, line, column |
//! | `value.rs` | one field's value: paths, constants, cutting, joining, maps, times |
//! | `decode.rs` | records → findings |
//!
//! Identity: the fields that the file names under `identity`; one that may change (severity, title, times) is refused
//! when the file is loaded. The language is told by example in docs/mapping.md.

mod decode;
mod load;
mod path;
mod schema;
mod value;

pub use load::Mapping;
