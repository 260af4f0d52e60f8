use shared::events::Extra;
use shared::room::{RoomKey, RoomState};

use super::*;
use crate::rooms::secret::{HostToken, StreamKey};

/// A folder of a test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("golive-store-{}", crate::random::text::<16>());
        Self(std::env::temp_dir().join(name))
    }

    fn open(&self) -> (Sqlite, Vec<StoredRoom>) {
        Sqlite::open(&self.0).unwrap()
    }

    fn refusal(&self) -> OpenError {
        Sqlite::open(&self.0).unwrap_err()
    }

    fn database(&self) -> PathBuf {
        self.0.join(DATABASE)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn key(key: &str) -> RoomKey {
    key.parse().unwrap()
}

fn record(name: &str) -> RoomRecord {
    RoomRecord {
        key: key(name),
        title: "Cooking".into(),
        host_tokens: [(); 2].map(|()| HostToken::generate().hash()).into(),
        stream_key: StreamKey::generate().hash(),
        state: RoomState::Live,
        closed: false,
        since: 7,
        created_at: 3,
        started_at: Some(5),
        likes: u64::from(u32::MAX) + 1,
        peak_viewers: 12,
    }
}

fn comment(room: &str, id: u64) -> Change {
    Change::Comment(CommentRecord {
        comment: shared::events::Comment {
            id,
            room_key: key(room),
            name: "Ann".into(),
            text: format!("grüß {id}"),
            at: id,
            host: false,
            author: None,
            extra: Extra::from([("colour".to_owned(), serde_json::json!("red"))]),
        },
        origin: Some("192.0.2.0/24".to_owned()),
    })
}

fn ids(room: &StoredRoom) -> Vec<u64> {
    let ids = room.comments.iter().map(|record| record.comment.id);
    ids.collect()
}

/// What is read after these changes were made and the store was opened anew.
fn reopened(changes: &[Change]) -> Vec<StoredRoom> {
    let folder = Folder::new();
    let (mut store, rooms) = folder.open();
    assert!(rooms.is_empty());
    store.apply(changes).unwrap();
    store.close().unwrap();
    folder.open().1
}

#[test]
fn what_was_written_is_read_again() {
    let made = record("a");
    let decided = Change::Moderation {
        room: key("a"),
        document: "{}".to_owned(),
    };
    let changes = [Change::Room(made.clone()), comment("a", 1), decided];
    let [room] = &reopened(&changes)[..] else {
        panic!("one room");
    };
    assert_eq!(room.record, made);
    assert_eq!(Change::Comment(room.comments[0].clone()), changes[1]);
    assert_eq!(room.moderation.as_deref(), Some("{}"));
}

#[test]
fn a_room_that_changes_keeps_its_comments_and_decisions() {
    let (made, changed) = (record("a"), record("a"));
    let decided = Change::Moderation {
        room: key("a"),
        document: "[1]".to_owned(),
    };
    let (made, changed_now) = (Change::Room(made), Change::Room(changed.clone()));
    let rooms = reopened(&[made, comment("a", 1), decided, changed_now]);
    assert_eq!(rooms[0].record, changed);
    assert_eq!(ids(&rooms[0]), [1]);
    assert!(rooms[0].moderation.is_some());
}

#[test]
fn a_deleted_comment_leaves_only_its_number() {
    let delete = Change::Delete {
        room: key("a"),
        ids: vec![2, 9],
    };
    let folder = Folder::new();
    let (mut store, _) = folder.open();
    let room = Change::Room(record("a"));
    let changes = [room, comment("a", 1), comment("a", 2), delete];
    store.apply(&changes).unwrap();
    let left: String = store
        .connection
        .query_row(
            "SELECT document || coalesce(origin, '') FROM comments WHERE id = 2",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(left, "");
    drop(store);
    let rooms = folder.open().1;
    assert_eq!((ids(&rooms[0]), rooms[0].last_comment), (vec![1], 2));
}

#[test]
fn a_forgotten_room_takes_its_comments_with_it() {
    let [a, b] = ["a", "b"].map(|name| Change::Room(record(name)));
    let changes = [
        a,
        b,
        comment("a", 1),
        comment("b", 1),
        Change::Forget(key("a")),
    ];
    let rooms = reopened(&changes);
    assert_eq!(rooms.len(), 1);
    assert_eq!((&rooms[0].record.key, ids(&rooms[0])), (&key("b"), vec![1]));
}

#[test]
fn the_newest_comments_are_kept() {
    let mut changes = vec![Change::Room(record("a"))];
    let count = COMMENT_HISTORY as u64 + 30;
    changes.extend((1..=count).map(|id| comment("a", id)));
    let rooms = reopened(&changes);
    assert_eq!(ids(&rooms[0]), (31..=count).collect::<Vec<_>>());
}

#[test]
fn a_comment_of_a_room_that_is_gone_spoils_nothing() {
    let rooms = reopened(&[
        comment("gone", 1),
        Change::Room(record("a")),
        comment("a", 1),
    ]);
    assert_eq!(ids(&rooms[0]), [1]);
}

#[test]
fn a_batch_is_written_whole_or_not_at_all() {
    let folder = Folder::new();
    let (mut store, _) = folder.open();
    store.apply(&[Change::Room(record("a"))]).unwrap();
    let pages: i64 = store
        .connection
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    let limit = |store: &Sqlite, pages: i64| {
        let set = store
            .connection
            .pragma_update(None, "max_page_count", pages);
        set.unwrap();
    };
    limit(&store, pages);
    let batch: Vec<_> = (1..500).map(|id| comment("a", id)).collect();
    assert!(matches!(store.apply(&batch), Err(WriteError::Full)));
    limit(&store, 1_000_000);
    store.apply(&[comment("a", 500)]).unwrap();
    drop(store);
    assert_eq!(ids(&folder.open().1[0]), [500]);
}

#[test]
fn a_second_server_is_told_that_the_folder_is_in_use() {
    let folder = Folder::new();
    let open = folder.open();
    assert!(matches!(folder.refusal(), OpenError::InUse { .. }));
    drop(open);
    folder.open();
}

#[test]
fn a_newer_schema_is_left_alone() {
    let folder = Folder::new();
    let (store, _) = folder.open();
    store
        .connection
        .pragma_update(None, "user_version", schema::VERSION + 1)
        .unwrap();
    drop(store);
    let refusal = folder.refusal();
    assert!(matches!(refusal, OpenError::Newer { found, .. } if found == schema::VERSION + 1));
}

#[test]
fn the_database_of_another_program_is_left_alone() {
    let folder = Folder::new();
    fs::create_dir(&folder.0).unwrap();
    let other = Connection::open(folder.database()).unwrap();
    other.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(other);
    assert!(matches!(folder.refusal(), OpenError::Foreign { .. }));
}

#[test]
fn a_damaged_file_is_called_damaged() {
    let folder = Folder::new();
    let (mut store, _) = folder.open();
    let mut changes = vec![Change::Room(record("a"))];
    changes.extend((1..400).map(|id| comment("a", id)));
    store.apply(&changes).unwrap();
    store.close().unwrap();
    let mut bytes = fs::read(folder.database()).unwrap();
    let whole = bytes.clone();
    bytes[4096..].fill(0x5a);
    fs::write(folder.database(), &bytes).unwrap();
    assert!(matches!(folder.refusal(), OpenError::Damaged { .. }));
    fs::write(
        folder.database(),
        b"this is no database, but a letter to Ann",
    )
    .unwrap();
    assert!(matches!(folder.refusal(), OpenError::Damaged { .. }));
    fs::write(folder.database(), whole).unwrap();
    assert_eq!(folder.open().1.len(), 1);
}

#[test]
fn a_row_that_makes_no_sense_is_named() {
    let folder = Folder::new();
    let (mut store, _) = folder.open();
    store
        .apply(&[Change::Room(record("a")), comment("a", 1)])
        .unwrap();
    let spoil = "UPDATE comments SET document = '{'";
    store.connection.execute(spoil, []).unwrap();
    drop(store);
    let refusal = folder.refusal().to_string();
    assert!(refusal.contains("comment 1 of room a"), "{refusal}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named_with_what_to_do() {
    let folder = Folder::new();
    fs::write(&folder.0, "a file is in its place").unwrap();
    let refusal = folder.refusal();
    assert!(matches!(refusal, OpenError::Folder { .. }));
    assert!(refusal.to_string().contains("--data none"), "{refusal}");
    fs::remove_file(&folder.0).unwrap();
}
