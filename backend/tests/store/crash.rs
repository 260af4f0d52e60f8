//! `kill -9` while many people write.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use shared::api::CreatedRoom;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::folder::Folder;
use crate::process::{PATIENCE, Process};

/// People who write at once.
const PEOPLE: u8 = 40;
/// What each of them may say in one go.
const EACH: u32 = 5;
/// Comments that are acknowledged before the server is killed: while others are on their way.
const ACKNOWLEDGED: usize = 60;

/// Has everybody write, and kills the server meanwhile. What was acknowledged: texts by their numbers.
async fn write_and_kill(server: Process, room: &CreatedRoom, round: u32) -> HashMap<u64, String> {
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let mut people = JoinSet::new();
    for person in 0..PEOPLE {
        let mut socket = server.join(room, person + 1).await;
        let (key, count) = (room.room.key.clone(), Arc::clone(&acknowledged));
        people.spawn(async move {
            let (mut said, mut kept) = (HashMap::new(), Vec::new());
            for number in 0..EACH {
                let text = format!("round {round}, person {person}, comment {number}");
                let comment = json!({"roomKey": key, "text": text});
                let Some(call) = socket.ask("comment", comment).await else {
                    break;
                };
                said.insert(call, text);
            }
            while let Some((call, answer)) = socket.answer().await {
                if let Some(id) = answer["id"].as_u64() {
                    kept.push((id, said[&call].clone()));
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
            kept
        });
    }
    let enough = async {
        while acknowledged.load(Ordering::SeqCst) < ACKNOWLEDGED {
            sleep(Duration::from_micros(200)).await;
        }
    };
    timeout(PATIENCE, enough)
        .await
        .expect("comments are acknowledged");
    server.kill().await;
    people.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_comment_is_lost_and_no_number_is_given_twice() {
    let folder = Folder::new();
    let server = Process::start(folder.path()).await;
    let room = server.create_room().await;
    let mut server = Some(server);
    let mut kept = HashMap::new();
    for round in 0..3 {
        let running = match server.take() {
            Some(server) => server,
            None => Process::start(folder.path()).await,
        };
        let more = write_and_kill(running, &room, round).await;
        println!("round {round}: {} acknowledged before the kill", more.len());
        for (id, text) in more {
            assert!(
                kept.insert(id, text).is_none(),
                "number {id} was given twice"
            );
        }
        let restarted = Process::start(folder.path()).await;
        let found = restarted.comments(&room).await;
        println!("round {round}: {} found after the restart", found.len());
        let found: HashMap<_, _> = found.into_iter().map(|said| (said.id, said.text)).collect();
        for (id, text) in &kept {
            assert_eq!(found.get(id), Some(text), "of comment {id}");
        }
        server = Some(restarted);
    }
}
