//! The database file: opened, refused when damaged, opened again after the disk failed.
//!
//! redb answers nothing more once a write has failed, until it is opened again. A count of commits, written
//! with each, then says whether the failed one is there. Not for what is in the tables.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use redb::{Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable, WriteTransaction};

use super::error::{EmbeddedError, Stop};
use super::tables::{CHUNKS, ENDS, GRAVES, LATEST, LAYOUT, META, ORDER, POSITIONS, SEEN, TOPICS, TURNS};

/// Pages kept in memory; the tail of the log is what is read.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Opens or creates the file; tests give a disk that fails.
pub(super) type Opener = Box<dyn Fn(&Builder, &Path) -> Result<Database, redb::DatabaseError> + Send + Sync>;

/// Where a write failed.
enum Failed<T> {
    /// Before its commit began: nothing of it is there.
    Before(Stop),
    /// In its commit: it may be there.
    Committing { stop: Stop, count: u64, value: T },
}

/// One database file.
pub(super) struct Store {
    path: PathBuf,
    opener: Opener,
    /// `None` while the disk doesn't let it be opened again.
    database: RwLock<Option<Database>>,
    /// Held for a whole write, opening again included, so that a failed commit is judged before the next.
    writer: Mutex<()>,
}

impl Store {
    /// Opens or creates `folder/log.redb`, and reads all of it once to know that it is whole.
    pub(super) fn open(folder: &Path, opener: Opener) -> Result<Self, EmbeddedError> {
        let path = folder.join("log.redb");
        let io = |error: std::io::Error| EmbeddedError::Io { path: path.clone(), cause: error.to_string() };
        fs::create_dir_all(folder).map_err(io)?;
        let database = open_database(&path, &opener)?;
        // The file's name is durable only once its folder is.
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        let store = Self { opener, database: RwLock::new(Some(database)), writer: Mutex::new(()), path };
        store.write(|write| {
            let found = write.open_table(META)?.get("layout")?.map(|found| found.value());
            match found {
                None => write.open_table(META)?.insert("layout", LAYOUT).map(|_| ())?,
                Some(LAYOUT) => {}
                Some(found) => {
                    let path = store.path.clone();
                    return Err(EmbeddedError::Layout { path, found, expected: LAYOUT }.into());
                }
            }
            write.open_table(TOPICS)?;
            write.open_table(ENDS)?;
            write.open_table(POSITIONS)?;
            write.open_table(CHUNKS)?;
            write.open_table(LATEST)?;
            write.open_table(ORDER)?;
            write.open_table(GRAVES)?;
            write.open_table(SEEN)?;
            write.open_table(TURNS)?;
            Ok(())
        })?;
        Ok(store)
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `read` on one consistent view.
    pub(super) fn read<T>(&self, read: impl Fn(&ReadTransaction) -> Result<T, Stop>) -> Result<T, EmbeddedError> {
        let attempt = || match &*self.database.read().unwrap_or_else(PoisonError::into_inner) {
            Some(database) => database.begin_read().map_err(Stop::from).and_then(|view| read(&view)),
            None => Err(redb::StorageError::PreviousIo.into()),
        };
        match attempt() {
            Err(stop) if stop.needs_reopening() => {
                self.reopen(&self.exclusive())?;
                attempt().map_err(|stop| stop.at(&self.path))
            }
            result => result.map_err(|stop| stop.at(&self.path)),
        }
    }

    /// Runs `write` in one transaction; once this returns `Ok`, all of it is on the disk, else none of it
    /// (but for [`EmbeddedError::Unknown`]). `write` may run twice, when the disk had failed before.
    pub(super) fn write<T>(&self, write: impl Fn(&WriteTransaction) -> Result<T, Stop>) -> Result<T, EmbeddedError> {
        let held = self.exclusive();
        let again = match self.attempt(&write) {
            Ok(value) => return Ok(value),
            Err(Failed::Before(stop)) if stop.is_previous_failure() => stop,
            Err(failed) => return self.judge(&held, failed),
        };
        tracing::debug!(error = ?again, "the disk had failed before");
        self.reopen(&held)?;
        self.attempt(&write).or_else(|failed| self.judge(&held, failed))
    }

    fn attempt<T>(&self, write: &impl Fn(&WriteTransaction) -> Result<T, Stop>) -> Result<T, Failed<T>> {
        let before = || -> Result<_, Stop> {
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let transaction = database.as_ref().ok_or(redb::StorageError::PreviousIo)?.begin_write()?;
            let value = write(&transaction)?;
            let mut meta = transaction.open_table(META)?;
            let count = meta.get("commits")?.map_or(0, |count| count.value()) + 1;
            meta.insert("commits", count)?;
            drop(meta);
            Ok((transaction, count, value))
        };
        let (transaction, count, value) = before().map_err(Failed::Before)?;
        match transaction.commit() {
            Ok(()) => Ok(value),
            Err(error) => Err(Failed::Committing { stop: error.into(), count, value }),
        }
    }

    /// After a failure: the database is opened again, and a commit is found there or not.
    fn judge<T>(&self, held: &MutexGuard<'_, ()>, failed: Failed<T>) -> Result<T, EmbeddedError> {
        match failed {
            Failed::Before(stop) => {
                if stop.needs_reopening()
                    && let Err(again) = self.reopen(held)
                {
                    tracing::warn!(error = %again, "the log stays shut until the disk works again");
                }
                Err(stop.at(&self.path))
            }
            Failed::Committing { stop, count, value } => {
                let cause = stop.at(&self.path);
                match self.reopen(held).and_then(|()| self.commits()) {
                    Ok(found) if found >= count => Ok(value),
                    Ok(_) => Err(cause),
                    Err(again) => {
                        Err(EmbeddedError::Unknown { path: self.path.clone(), cause: format!("{cause}; {again}") })
                    }
                }
            }
        }
    }

    fn exclusive(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the database answers no more. Only under the writer's lock.
    fn is_shut(&self) -> bool {
        match &*self.database.read().unwrap_or_else(PoisonError::into_inner) {
            Some(database) => database.try_begin_write().is_err(),
            None => true,
        }
    }

    fn commits(&self) -> Result<u64, EmbeddedError> {
        let count = || -> Result<u64, Stop> {
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let database = database.as_ref().ok_or(redb::StorageError::PreviousIo)?;
            let meta = database.begin_read()?.open_table(META)?;
            Ok(meta.get("commits")?.map_or(0, |count| count.value()))
        };
        count().map_err(|stop| stop.at(&self.path))
    }

    /// Opens the database again; the old one lets go of the file first.
    fn reopen(&self, _writer: &MutexGuard<'_, ()>) -> Result<(), EmbeddedError> {
        if !self.is_shut() {
            return Ok(());
        }
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        *database = None;
        *database = Some(open_database(&self.path, &self.opener)?);
        tracing::warn!(path = %self.path.display(), "the log was opened again after the disk failed");
        Ok(())
    }
}

fn open_database(path: &Path, opener: &Opener) -> Result<Database, EmbeddedError> {
    let mut builder = Builder::new();
    // A file that something else altered is refused here rather than trusted later.
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
    // redb may panic on a file that was altered.
    match catch_unwind(AssertUnwindSafe(|| opener(&builder, path))) {
        Ok(opened) => opened.map_err(|error| Stop::from(error).at(path)),
        Err(_) => Err(Stop::damaged(path, "its structure does not hold together").at(path)),
    }
}
