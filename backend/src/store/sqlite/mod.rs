//! A store in one file, by SQLite.
//!
//! Written with a write-ahead log and an `fsync` for every batch: what was applied outlives a crash of
//! the program and of the machine.

mod load;
mod schema;
#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rusqlite::{CachedStatement, Connection, ErrorCode, Transaction, params};
use shared::limits::COMMENT_HISTORY;

use super::error::{OpenError, WriteError};
use super::{Change, CommentRecord, RoomRecord, Store, StoredRoom};
use crate::rooms::secret::SecretHash;

/// The database, in the data folder.
const DATABASE: &str = "golive.db";
/// Locked by whoever uses the folder.
const LOCK: &str = "golive.lock";
/// Only the server's own user may read what people said and from where.
const FOLDER_MODE: u32 = 0o700;
/// Prepared statements that are kept: all there are.
const STATEMENTS: usize = 16;

/// The store in a folder.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    /// Locked until it is closed; the system frees it whatever becomes of the program.
    _lock: File,
}

impl Sqlite {
    /// Opens the database in `folder`, made where it is not there, and reads what it holds.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(folder: &Path) -> Result<(Self, Vec<StoredRoom>), OpenError> {
        let lock = lock(folder)?;
        let file = folder.join(DATABASE);
        let opened = (|| {
            let mut connection = Connection::open(&file)?;
            schema::prepare(&mut connection)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            let rooms = load::rooms(&connection)?;
            Ok((connection, rooms))
        })();
        let (connection, rooms) = opened.map_err(|problem| explain(problem, file))?;
        let store = Self {
            connection,
            _lock: lock,
        };
        Ok((store, rooms))
    }
}

/// What is wrong with a database.
#[derive(Debug)]
enum Problem {
    Newer(i64),
    Foreign,
    Damaged(String),
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

fn explain(problem: Problem, file: PathBuf) -> OpenError {
    match problem {
        Problem::Newer(found) => OpenError::Newer {
            file,
            found,
            known: schema::VERSION,
        },
        Problem::Foreign => OpenError::Foreign { file },
        Problem::Damaged(detail) => OpenError::Damaged { file, detail },
        Problem::Database(source) => match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => OpenError::Full { file },
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseBusy
                | ErrorCode::SystemIoFailure,
            ) => OpenError::NotWritable { file, source },
            _ => OpenError::Damaged {
                file,
                detail: source.to_string(),
            },
        },
    }
}

/// Takes the folder for this process.
fn lock(folder: &Path) -> Result<File, OpenError> {
    let wrap = |source| OpenError::Folder {
        folder: folder.to_owned(),
        source,
    };
    if !folder.is_dir() {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(FOLDER_MODE);
        builder.create(folder).map_err(wrap)?;
    }
    let options = || {
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(false).write(true);
        options
    };
    let lock = options().open(folder.join(LOCK)).map_err(wrap)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
            folder: folder.to_owned(),
        }),
        // A file system without locks (some network shares): the operator has to know what he does.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(lock),
        Err(TryLockError::Error(error)) => Err(wrap(error)),
    }
}

impl Store for Sqlite {
    fn apply(&mut self, changes: &[Change]) -> Result<(), WriteError> {
        let transaction = self.connection.transaction().map_err(told)?;
        for change in changes {
            write(&transaction, change).map_err(told)?;
        }
        transaction.commit().map_err(told)
    }

    fn close(self) -> Result<(), WriteError> {
        self.connection.close().map_err(|(_, error)| told(error))
    }
}

fn told(error: rusqlite::Error) -> WriteError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => WriteError::Full,
        _ => WriteError::Database(error),
    }
}

fn write(transaction: &Transaction<'_>, change: &Change) -> rusqlite::Result<()> {
    let prepare = |sql| transaction.prepare_cached(sql);
    match change {
        Change::Room(record) => write_room(prepare(WRITE_ROOM)?, record),
        Change::Forget(room) => {
            // Its comments go with it.
            let forget = "DELETE FROM rooms WHERE key = ?1";
            prepare(forget)?.execute([room.as_str()]).map(drop)
        }
        Change::Comment(record) => write_comment(transaction, record),
        Change::Delete { room, ids } => {
            // The row stays: its number is not given again.
            let mut delete = prepare(
                "UPDATE comments SET deleted = 1, document = '', origin = NULL WHERE room = ?1 AND id = ?2",
            )?;
            for id in ids {
                delete.execute(params![room.as_str(), integer(*id)])?;
            }
            Ok(())
        }
        Change::Moderation { room, document } => {
            let decide = "UPDATE rooms SET moderation = ?2 WHERE key = ?1";
            let values = [room.as_str(), document];
            prepare(decide)?.execute(values).map(drop)
        }
    }
}

const WRITE_ROOM: &str = "
    INSERT INTO rooms (key, title, host_tokens, stream_key, state, closed, since, created_at, started_at,
        likes, peak_viewers)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (key) DO UPDATE SET title = ?2, host_tokens = ?3, stream_key = ?4, state = ?5,
        closed = ?6, since = ?7, started_at = ?9, likes = ?10, peak_viewers = ?11";

fn write_room(mut statement: CachedStatement<'_>, record: &RoomRecord) -> rusqlite::Result<()> {
    let host_tokens: Vec<u8> = record
        .host_tokens
        .iter()
        .flat_map(SecretHash::as_bytes)
        .copied()
        .collect();
    let written = statement.execute(params![
        record.key.as_str(),
        record.title,
        host_tokens,
        record.stream_key.as_bytes(),
        schema::state_name(record.state),
        record.closed,
        integer(record.since),
        integer(record.created_at),
        record.started_at.map(integer),
        integer(record.likes),
        record.peak_viewers,
    ]);
    written.map(drop)
}

fn write_comment(
    transaction: &Transaction<'_>,
    CommentRecord { comment, origin }: &CommentRecord,
) -> rusqlite::Result<()> {
    let document = serde_json::to_string(comment)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let (room, id) = (comment.room_key.as_str(), integer(comment.id));
    let mut insert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO comments (room, id, document, origin)
         SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM rooms WHERE key = ?1)",
    )?;
    insert.execute(params![room, id, document, origin])?;
    let oldest = id - COMMENT_HISTORY as i64;
    let mut prune =
        transaction.prepare_cached("DELETE FROM comments WHERE room = ?1 AND id <= ?2")?;
    prune.execute(params![room, oldest]).map(drop)
}

/// SQLite's integers have a sign; nothing that is counted here gets near the end.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
