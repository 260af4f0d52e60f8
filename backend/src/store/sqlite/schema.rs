//! The tables, and how older ones become today's.

use rusqlite::{Connection, TransactionBehavior};
use shared::room::RoomState;

use super::Problem;

/// "Golv", in the file's header: tells it from the databases of other programs.
const APPLICATION_ID: i64 = 0x476f_6c76;
/// The schema's version: how many [`MIGRATIONS`] were made.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Each makes the next version of the one before it, from an empty file on. Only ever added to.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE rooms (
        key TEXT PRIMARY KEY NOT NULL,
        title TEXT NOT NULL,
        host_tokens BLOB NOT NULL, -- SHA-256 after SHA-256
        stream_key BLOB NOT NULL, -- SHA-256
        state TEXT NOT NULL,
        closed INTEGER NOT NULL,
        since INTEGER NOT NULL, -- this and other times: milliseconds since 1970
        created_at INTEGER NOT NULL,
        started_at INTEGER,
        likes INTEGER NOT NULL,
        peak_viewers INTEGER NOT NULL,
        moderation TEXT -- JSON
    ) STRICT;
    CREATE TABLE comments (
        room TEXT NOT NULL REFERENCES rooms (key) ON DELETE CASCADE,
        id INTEGER NOT NULL,
        document TEXT NOT NULL, -- JSON, as it is told; empty where deleted
        origin TEXT,
        deleted INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (room, id)
    ) STRICT, WITHOUT ROWID;
"];

/// Sets a connection up and brings its tables up to date.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), Problem> {
    let version = number(connection, "user_version")?;
    let application = number(connection, "application_id")?;
    if version > VERSION && application == APPLICATION_ID {
        return Err(Problem::Newer(version));
    }
    let tables = "SELECT count(*) FROM sqlite_schema";
    let is_empty = connection.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0;
    if application != APPLICATION_ID && !is_empty {
        return Err(Problem::Foreign);
    }
    let check = "PRAGMA quick_check(1)";
    let found: String = connection.query_row(check, [], |row| row.get(0))?;
    if found != "ok" {
        return Err(Problem::Damaged(found));
    }
    // FULL: a commit is on the disk when it returns. The log is cut to its limit at each checkpoint.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA journal_size_limit = 8388608;",
    )?;
    // Writes even where there is nothing to do: a file that cannot be written shows it now.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in &MIGRATIONS[usize::try_from(version).unwrap_or_default()..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

/// A room's state in its row.
pub(super) const fn state_name(state: RoomState) -> &'static str {
    match state {
        RoomState::Offline => "offline",
        RoomState::Live => "live",
        RoomState::Reconnecting => "reconnecting",
        RoomState::Ended => "ended",
    }
}

/// The state with this name.
pub(super) fn state(name: &str) -> Option<RoomState> {
    use RoomState::{Ended, Live, Offline, Reconnecting};
    [Offline, Live, Reconnecting, Ended]
        .into_iter()
        .find(|state| state_name(*state) == name)
}
