//! What can go wrong with the embedded log, told to whoever has to mend it.
//!
//! Not for the fates of a worker's calls; [`EmbeddedError::into_fate`] leads there.

use std::io;
use std::path::{Path, PathBuf};

use crate::log::LogError;

/// What went wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Another process holds the folder.
    #[error(
        "the log in {} is in use by another process; stop that one (a `shutter run`?), or give this one a folder of its own",
        .0.display()
    )]
    InUse(PathBuf),
    /// The file is cut, altered, or not a log.
    #[error(
        "the log {} is damaged: {cause}; it was not opened. Restore it from a backup, or move it away to start with an empty log",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        cause: String,
    },
    /// Written by another version of the layout.
    #[error("the log {} has layout {found}, this version reads layout {expected}; open it with the version that wrote it", .path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// Layout of the file.
        found: u64,
        /// Layout of this code.
        expected: u64,
    },
    /// No room on the disk.
    #[error(
        "no room to write to the log {}: {cause}; free some disk space. What was written before is kept, and this was not written",
        .path.display()
    )]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// Any other failure of the disk.
    #[error("the log {} could not be read or written: {cause}; check the disk. What was committed before is kept", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// The disk failed in the middle of a commit and the file could not be opened again to look.
    #[error(
        "whether this was written to the log {} is not known: {cause}; once the disk works again, send it once more with the same idempotency key",
        .path.display()
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// A topic that the log doesn't have.
    #[error("the log has no topic `{0}`; it has the topics that the configuration names at start")]
    NoTopic(String),
    /// A partition that the topic doesn't have.
    #[error("topic `{topic}` has no partition {partition}; it has 0 to {}", .count - 1)]
    NoPartition {
        /// The topic.
        topic: String,
        /// What was asked for.
        partition: i32,
        /// How many there are.
        count: i32,
    },
    /// The configuration asks for another number of partitions than the log was created with.
    #[error(
        "topic `{topic}` in {} has {found} partitions, the configuration asks for {expected}; set it back to {found}, or start with an empty folder",
        .path.display()
    )]
    Topology {
        /// The file.
        path: PathBuf,
        /// The topic.
        topic: String,
        /// As created.
        found: i32,
        /// As configured.
        expected: i32,
    },
    /// A record beyond the topic's limit.
    #[error("a record of {found} bytes is too large for topic `{topic}`; at most {limit} bytes")]
    TooLarge {
        /// The topic.
        topic: String,
        /// Size of the record.
        found: usize,
        /// The topic's limit.
        limit: usize,
    },
    /// A record without key on a compacted topic.
    #[error("a record for the compacted topic `{0}` needs a key")]
    NoKey(String),
    /// An idempotency key was used before, with other content.
    #[error(
        "this idempotency key was used before for other records, on topic `{0}`; use a new key for new records, and the same key only to repeat the same ones"
    )]
    KeyReused(String),
    /// A worker's handle that a newer one has replaced, or a call out of turn.
    #[error("{0}")]
    Fenced(String),
}

impl EmbeddedError {
    /// The fate of a worker's call that met this.
    pub fn into_fate(self) -> LogError {
        let text = self.to_string();
        match self {
            Self::DiskFull { .. } | Self::Io { .. } => LogError::Transient(text),
            Self::Unknown { .. } => LogError::Unknown(text),
            _ => LogError::Fatal(text),
        }
    }
}

/// What stopped a step on the database: a refusal of ours, or redb's own.
#[derive(Debug)]
pub(super) enum Stop {
    Refused(EmbeddedError),
    Redb(Box<redb::Error>),
}

impl Stop {
    pub(super) fn damaged(path: &Path, cause: impl Into<String>) -> Self {
        Self::Refused(EmbeddedError::Damaged { path: path.to_owned(), cause: cause.into() })
    }

    /// For the user.
    pub(super) fn at(self, path: &Path) -> EmbeddedError {
        let redb = match self {
            Self::Refused(error) => return error,
            Self::Redb(redb) => *redb,
        };
        let path = path.to_owned();
        match redb {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
                EmbeddedError::InUse(path.parent().map(Path::to_owned).unwrap_or(path))
            }
            redb::Error::Io(error) if is_full(&error) => EmbeddedError::DiskFull { path, cause: error.to_string() },
            // What redb says of a file that is no database, and of one that is cut.
            redb::Error::Io(error)
                if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                EmbeddedError::Damaged { path, cause: error.to_string() }
            }
            redb::Error::Io(error) => EmbeddedError::Io { path, cause: error.to_string() },
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => {
                EmbeddedError::Io { path, cause: "the disk failed before".to_owned() }
            }
            redb::Error::Corrupted(cause) => EmbeddedError::Damaged { path, cause },
            other => EmbeddedError::Damaged { path, cause: other.to_string() },
        }
    }

    /// Whether it only says that the disk failed earlier.
    pub(super) fn is_previous_failure(&self) -> bool {
        matches!(self, Self::Redb(error) if matches!(**error, redb::Error::PreviousIo))
    }

    /// Whether the database must be opened again before it does anything more.
    pub(super) fn needs_reopening(&self) -> bool {
        matches!(self, Self::Redb(error) if !matches!(**error, redb::Error::ValueTooLarge(_)))
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

impl From<EmbeddedError> for Stop {
    fn from(error: EmbeddedError) -> Self {
        Self::Refused(error)
    }
}

macro_rules! from_redb {
    ($($error:ty),+) => {$(
        impl From<$error> for Stop {
            fn from(error: $error) -> Self {
                Self::Redb(Box::new(error.into()))
            }
        }
    )+};
}

from_redb!(
    redb::Error,
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError
);
