//! What the host does about the chat, seen from both sides.

use anyhow::{Result, ensure};
use e2e::pages::{StudioPage, WatchPage};
use e2e::{Browser, LONG, SOON, Server};
use serde_json::json;

#[tokio::test]
async fn a_deleted_message_disappears_from_every_page() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Deleting").await?;
    let ann = WatchPage::open(&viewer, &server, &key).await?;
    ann.is("live", LONG).await?;
    ann.say_as("Ann", "something rude").await?;
    ann.hears("Ann", "something rude").await?;
    ann.say("something nice").await?;
    studio.hears("Ann", "something nice").await?;
    ensure!(
        viewer.count("comment-more").await? == 0,
        "a viewer has the host's tools"
    );

    studio.moderate("something rude", "delete").await?;
    studio.shows_comments(&["something nice"]).await?;
    ann.shows_comments(&["something nice"]).await?;
    viewer.reload().await?;
    ann.is("live", LONG).await?;
    ann.shows_comments(&["something nice"]).await?;
    server.stop().await
}

#[tokio::test]
async fn the_tools_are_used_with_the_keyboard_alone() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Keys").await?;
    let ann = WatchPage::open(&viewer, &server, &key).await?;
    ann.is("live", LONG).await?;
    for text in ["first", "second", "third"] {
        ann.say_as("Ann", text).await?;
        studio.hears("Ann", text).await?;
    }
    // The Tab key finds one button of all the comments': the newest one's.
    host.js(
        r#"document.querySelector('[data-test="chat"]').focus()"#,
        vec![],
    )
    .await?;
    for keys in ["\u{e004}", "\u{e013}", "\u{e007}"] {
        // Tab, up, Enter.
        host.press(keys).await?;
    }
    studio.says("delete", "Delete").await?;
    host.press("\u{e00c}").await?; // Escape
    studio.has_no("delete").await?;
    let focused = "return document.activeElement.getAttribute('aria-label')";
    let focused = host.js(focused, vec![]).await?;
    ensure!(
        focused == "Moderate Ann: second",
        "the focus is on {focused}"
    );
    for keys in ["\u{e007}", "\u{e004}", "\u{e007}"] {
        // Enter, Tab, Enter: the first tool deletes.
        host.press(keys).await?;
    }
    ann.shows_comments(&["first", "third"]).await?;
    server.stop().await
}

#[tokio::test]
async fn slow_mode_counts_down_and_keeps_the_draft() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Slowly").await?;
    let ann = WatchPage::open(&viewer, &server, &key).await?;
    ann.is("live", LONG).await?;
    ann.say_as("Ann", "before").await?;
    studio.hears("Ann", "before").await?;

    host.choose("slow-mode-select", "30").await?;
    ann.says("slow-mode", "30 seconds").await?;
    ann.say("one").await?;
    ann.hears("Ann", "one").await?;
    ann.says("send", "s").await?;
    let left = viewer.number("send").await?;
    ensure!((1..=30).contains(&left), "{left} s are left");
    viewer.fill("composer", "two").await?;
    viewer.press("\u{e007}").await?;
    ann.says("composer-error", "stays here").await?;
    ensure!(ann.draft().await? == "two", "the draft is gone");
    ensure!(ann.comments().await?.len() == 2, "it was sent");
    // The host does not wait.
    studio.say("hello").await?;
    studio.hears("Host", "hello").await?;
    studio.say("and welcome").await?;
    ann.hears("Host", "and welcome").await?;
    ensure!(ann.draft().await? == "two", "the draft is gone");
    server.stop().await
}

#[tokio::test]
async fn who_is_banned_sees_why_and_may_speak_again_when_the_ban_is_lifted() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Banning").await?;
    let ann = WatchPage::open(&viewer, &server, &key).await?;
    ann.is("live", LONG).await?;
    ann.say_as("Ann", "something rude").await?;
    studio.hears("Ann", "something rude").await?;
    viewer.fill("composer", "a draft").await?;

    studio.moderate("something rude", "ban").await?;
    ann.says("silenced", "banned").await?;
    ann.shows_comments(&[]).await?;
    ensure!(ann.draft().await? == "a draft", "the draft is gone");
    // A reload does not help, and the picture goes on.
    viewer.reload().await?;
    ann.is("live", LONG).await?;
    ann.says("silenced", "banned").await?;

    studio.says("banned", "Ann").await?;
    host.click("unban").await?;
    ann.has_no("silenced").await?;
    studio.has_no("banned").await?;
    ann.say("sorry").await?;
    studio.hears("Ann", "sorry").await?;

    studio.moderate("sorry", "timeout").await?;
    ann.says("silenced", "timed you out").await?;
    ann.says("silenced-for", ":").await?;
    studio.says("banned", "Timed out").await?;
    server.stop().await
}

#[tokio::test]
async fn a_pinned_message_is_on_top_for_everybody_and_blocked_words_are_said_to_be() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Pinning").await?;
    let ann = WatchPage::open(&viewer, &server, &key).await?;
    ann.is("live", LONG).await?;
    ann.say_as("Ann", "which song is this?").await?;
    studio.hears("Ann", "which song is this?").await?;
    studio.moderate("which song is this?", "pin").await?;
    ann.says("pinned-text", "which song").await?;
    viewer.reload().await?;
    ann.is("live", LONG).await?;
    ann.says("pinned-text", "which song").await?;
    host.click("unpin").await?;
    ann.has_no("pinned").await?;

    host.fill("word", "spam, eggs").await?;
    host.click("add-word").await?;
    host.wait("both words are blocked", SOON, async || {
        let script = "return document.querySelectorAll('.words > li').length";
        let count = host.js(script, vec![]).await?;
        ensure!(count == 2, "there are {count}");
        Ok(())
    })
    .await?;
    ann.say("buy SPAM").await?;
    ann.says("composer-error", "words").await?;
    ensure!(ann.draft().await? == "buy SPAM", "the draft is gone");
    server.stop().await
}

#[tokio::test]
async fn the_host_moderates_on_the_watch_page_too() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let made = server.create_room("From the sofa").await?;
    let key = made.room.key.as_str();
    let secrets = json!({"host_token": made.host_token, "stream_key": made.stream_key});
    host.open(&server.url("/")).await?;
    let remember = "localStorage.setItem(arguments[0], arguments[1])";
    let name = format!("golive.room.{key}");
    host.js(remember, vec![json!(name), json!(secrets.to_string())])
        .await?;
    let sofa = WatchPage::open(&host, &server, key).await?;
    let ann = WatchPage::open(&viewer, &server, key).await?;
    for page in [&sofa, &ann] {
        page.is("waiting", LONG).await?;
    }
    ann.say_as("Ann", "hi").await?;
    sofa.hears("Ann", "hi").await?;
    sofa.moderate("hi", "delete").await?;
    ann.shows_comments(&[]).await?;

    // A token that is void keeps nobody out.
    let void = json!({"host_token": "x", "stream_key": "y"});
    host.js(remember, vec![json!(name), json!(void.to_string())])
        .await?;
    host.reload().await?;
    sofa.is("waiting", LONG).await?;
    ann.say("are you still there?").await?;
    sofa.hears("Ann", "are you still there?").await?;
    sofa.has_no("comment-more").await?;
    server.stop().await
}
