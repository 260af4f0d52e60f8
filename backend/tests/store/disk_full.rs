//! The disk fills up while the server runs, and is made room on again.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::folder::Folder;
use crate::process::{PATIENCE, Process, Socket};

/// A small disk of its own; gone with the test.
struct Disk(Folder);

impl Disk {
    /// `None` where this user may not mount one.
    fn new() -> Option<Self> {
        let folder = Folder::new();
        fs::create_dir(folder.path()).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]);
        let mounted = mount.arg(folder.path()).status();
        mounted
            .is_ok_and(|status| status.success())
            .then(|| Self(folder))
    }

    fn fill(&self) {
        let mut file = File::create(self.0.path().join("filler")).unwrap();
        while file.write_all(&[0; 1024]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.0.path().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Comments until the answer is as it should be; the answer.
async fn say_until(
    socket: &mut Socket,
    key: &str,
    done: impl Fn(&serde_json::Value) -> bool,
) -> String {
    let text = "x".repeat(200);
    let said = async {
        loop {
            let comment = json!({"roomKey": key, "text": text});
            let answer = socket.call("comment", comment).await.unwrap();
            if done(&answer) {
                return answer.to_string();
            }
            let wait = answer["retry_after_ms"].as_u64().unwrap_or(20);
            sleep(Duration::from_millis(wait)).await;
        }
    };
    timeout(PATIENCE, said).await.expect("the answer comes")
}

/// What is counted without labels.
async fn counted(server: &Process) -> HashMap<String, f64> {
    let answer = server.request(reqwest::Method::GET, "/metrics");
    let text = answer.send().await.unwrap().text().await.unwrap();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_are_refused_while_the_disk_is_full_and_taken_again_after() {
    let Some(disk) = Disk::new() else {
        eprintln!("skipped: only the administrator may mount a disk");
        return;
    };
    let server = Process::start(disk.0.path()).await;
    let room = server.create_room().await;
    let key = room.room.key.as_str();
    let mut socket = server.join(&room, 1).await;
    say_until(&mut socket, key, |answer| answer["ok"] == true).await;

    disk.fill();
    let refused = |answer: &serde_json::Value| {
        let error = answer["error"].as_str().unwrap_or_default();
        error.contains("cannot save")
    };
    let mut others = Vec::new();
    let mut refusal = None;
    // The log of the database has some room left.
    for number in 2..200 {
        let mut other = server.join(&room, number).await;
        let comment = json!({"roomKey": key, "text": "y".repeat(300)});
        let answer = other.call("comment", comment).await.unwrap();
        others.push(other);
        if refused(&answer) {
            refusal = Some(answer);
            break;
        }
    }
    println!("{}", refusal.expect("comments are refused"));
    // Nobody is told of a room that would not outlive a restart.
    let request = server.request(reqwest::Method::POST, "/api/rooms");
    let response = request.json(&json!({"title": "r"})).send().await.unwrap();
    assert_eq!(response.status(), 503);
    let health = server.request(reqwest::Method::GET, "/healthz");
    let health = health.send().await.unwrap();
    assert_eq!(health.status(), 503);
    let why = health.text().await.unwrap();
    assert!(why.contains("cannot save anything"), "{why}");
    let metrics = counted(&server).await;
    assert!(metrics["golive_store_failures_total"] > 0.0);
    assert!(metrics["golive_store_waiting"] > 0.0);
    // Everything else goes on.
    assert_eq!(server.get(&format!("/api/rooms/{key}")).await["key"], key);
    let like = socket.call("upvote", json!(key)).await.unwrap();
    assert_eq!(like["ok"], true);

    disk.free();
    say_until(&mut socket, key, |answer| answer["ok"] == true).await;
    let health = server.request(reqwest::Method::GET, "/healthz");
    assert_eq!(health.send().await.unwrap().status(), 200);
    let metrics = counted(&server).await;
    let (batches, changes) = (
        metrics["golive_store_commit_seconds_count"],
        metrics["golive_store_changes_total"],
    );
    assert!(0.0 < batches && batches <= changes, "{batches} {changes}");
    let (log, said) = (server.log(), server.comments(&room).await);
    assert!(
        log.contains("the disk is full") && log.contains("taken again"),
        "{log}"
    );
    assert!(!log.contains("panicked"), "{log}");
    server.kill().await;
    let server = Process::start(disk.0.path()).await;
    assert_eq!(server.comments(&room).await, said);
    assert_eq!(server.get(&format!("/api/rooms/{key}")).await["likes"], 1);
}
