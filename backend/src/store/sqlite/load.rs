//! Reads everything, once.

use std::collections::HashMap;

use rusqlite::{Connection, Row};
use shared::room::RoomKey;

use super::super::{CommentRecord, RoomRecord, StoredRoom};
use super::{Problem, schema};
use crate::rooms::secret::SecretHash;

/// All rooms.
pub(super) fn rooms(connection: &Connection) -> Result<Vec<StoredRoom>, Problem> {
    let mut statement = connection.prepare(
        "SELECT key, title, host_tokens, stream_key, state, closed, since, created_at, started_at,
             likes, peak_viewers, moderation
         FROM rooms",
    )?;
    let mut rows = statement.query([])?;
    let mut rooms = HashMap::new();
    while let Some(row) = rows.next()? {
        let room = room(row)?;
        rooms.insert(room.record.key.as_str().to_owned(), room);
    }
    comments(connection, &mut rooms)?;
    Ok(rooms.into_values().collect())
}

fn room(row: &Row<'_>) -> Result<StoredRoom, Problem> {
    let key: String = row.get("key")?;
    let damaged = |what: &str| Problem::Damaged(format!("room {key:?} has no valid {what}"));
    let host_tokens: Vec<u8> = row.get("host_tokens")?;
    let (hashes, []) = host_tokens.as_chunks() else {
        return Err(damaged("host tokens"));
    };
    let state: String = row.get("state")?;
    let record = RoomRecord {
        key: RoomKey::try_from(key.clone()).map_err(|_| damaged("key"))?,
        title: row.get("title")?,
        host_tokens: hashes.iter().copied().map(SecretHash::from_bytes).collect(),
        stream_key: SecretHash::from_bytes(row.get("stream_key")?),
        state: schema::state(&state).ok_or_else(|| damaged("state"))?,
        closed: row.get("closed")?,
        since: count(row.get("since")?),
        created_at: count(row.get("created_at")?),
        started_at: row.get::<_, Option<i64>>("started_at")?.map(count),
        likes: count(row.get("likes")?),
        peak_viewers: row.get("peak_viewers")?,
    };
    Ok(StoredRoom {
        record,
        comments: Vec::new(),
        last_comment: 0,
        moderation: row.get("moderation")?,
    })
}

fn comments(
    connection: &Connection,
    rooms: &mut HashMap<String, StoredRoom>,
) -> Result<(), Problem> {
    let mut statement = connection
        .prepare("SELECT room, id, document, origin, deleted FROM comments ORDER BY room, id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let room: String = row.get("room")?;
        let id = count(row.get("id")?);
        let Some(room) = rooms.get_mut(&room) else {
            return Err(Problem::Damaged(format!(
                "there is a comment of a room {room:?}, but no such room"
            )));
        };
        room.last_comment = id;
        if row.get("deleted")? {
            continue;
        }
        let document: String = row.get("document")?;
        let comment = serde_json::from_str(&document).map_err(|error| {
            let key = &room.record.key;
            Problem::Damaged(format!(
                "comment {id} of room {key} cannot be read: {error}"
            ))
        })?;
        room.comments.push(CommentRecord {
            comment,
            origin: row.get("origin")?,
        });
    }
    Ok(())
}

/// Numbers were written without a sign.
fn count(integer: i64) -> u64 {
    u64::try_from(integer).unwrap_or_default()
}
