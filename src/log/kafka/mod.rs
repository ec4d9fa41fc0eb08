//! The log on Apache Kafka, through rdkafka: the seam of production.
//!
//! | file | what |
//! |---|---|
//! | `config` | settings of an operator, secrets kept out of sight, clients made from them |
//! | `worker_log` | [`KafkaLog`]: the seam, put together from the parts below |
//! | `member` | the consumer: group, assignment, positions, urgent topics first |
//! | `group` | what librdkafka calls back with: rebalances, logs, errors |
//! | `ties` | which inputs go along with which partition of `case-events` |
//! | `look` | starts, ends, partitions and committed positions |
//! | `producer` | transactions, and a plain append |
//! | `restore` | reading a changelog to the end that counts; the `control` topic |
//! | `reader` | [`KafkaReader`], [`KafkaAppender`]: for the command line, in no group and no transaction |
//! | `record` | messages as records and back |
//! | `fates` | errors of librdkafka by what must happen next |
//! | `admin`, `check` | topics: made, and compared with what they must be |
//!
//! Not here: what is in a record. **A transaction never spans a poll**, so a rebalance never meets one.

mod admin;
mod check;
mod config;
mod fates;
mod group;
mod look;
mod member;
mod producer;
mod reader;
mod record;
mod restore;
mod ties;
mod worker_log;

pub use admin::{AdminError, Created, Purge, create_topics};
pub use check::{TopicFinding, check_topics};
pub use config::{ConfigError, KafkaConfig, Setting};
pub use reader::{KafkaAppender, KafkaReader};
pub use worker_log::KafkaLog;
