//! Data folders that the server does not start with.

use std::fs;
use std::path::Path;

use crate::folder::Folder;
use crate::process::{Process, refusal};

/// A folder with a database and one room.
async fn used() -> Folder {
    let folder = Folder::new();
    let mut server = Process::start(folder.path()).await;
    server.create_room().await;
    server.signal("-TERM");
    assert_eq!(server.ended().await, Some(0));
    folder
}

/// The server does not start, says why in these words, and does not panic.
async fn is_refused(data: &Path, words: &[&str]) {
    let (code, said) = refusal(data).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
}

#[tokio::test]
async fn a_damaged_database() {
    let folder = used().await;
    let mut bytes = fs::read(folder.database()).unwrap();
    bytes[100..].fill(0xa5);
    fs::write(folder.database(), bytes).unwrap();
    is_refused(folder.path(), &["golive.db is damaged", "backup"]).await;
}

#[tokio::test]
async fn a_file_that_is_no_database() {
    let folder = used().await;
    fs::write(
        folder.database(),
        "Dear Ann, this is a letter and nothing else.",
    )
    .unwrap();
    is_refused(folder.path(), &["golive.db is damaged"]).await;
}

#[tokio::test]
async fn the_database_of_a_newer_version() {
    let folder = used().await;
    let database = rusqlite::Connection::open(folder.database()).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    is_refused(folder.path(), &["newer golive", "schema 99"]).await;
}

#[tokio::test]
async fn the_folder_of_a_running_server() {
    let folder = Folder::new();
    let _running = Process::start(folder.path()).await;
    is_refused(folder.path(), &["in use by another golive"]).await;
}

#[tokio::test]
async fn a_file_in_the_place_of_the_folder() {
    let folder = Folder::new();
    fs::write(folder.path(), "").unwrap();
    is_refused(folder.path(), &["--data", "--data none"]).await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_written() {
    // Even the system's administrator makes no folder there.
    let folder = Path::new("/proc/golive-data");
    is_refused(folder, &["--data /proc/golive-data", "may write"]).await;
}
