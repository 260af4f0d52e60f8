//! Comments, likes, gifts and the number of viewers.

use anyhow::{Result, ensure};
use e2e::pages::{ChatLine, StudioPage, WatchPage};
use e2e::{Browser, SOON, Server};

#[tokio::test]
async fn everybody_in_a_room_shares_comments_likes_and_gifts() -> Result<()> {
    let server = Server::start().await?;
    let (host, first) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Together").await?;
    let ann = WatchPage::watch(&first, &server, &key).await?;

    ann.say_as("Ann", "hello from the sofa").await?;
    ann.hears("Ann", "hello from the sofa").await?;
    studio.hears("Ann", "hello from the sofa").await?;

    // Whoever comes later reads what was said before.
    let second = Browser::start().await?;
    let bob = WatchPage::watch(&second, &server, &key).await?;
    bob.hears("Ann", "hello from the sofa").await?;

    let markup = "<img src=x onerror=alert(1)> & <b>bold</b>";
    bob.say_as("Bob", markup).await?;
    for page in [&*studio, &*ann, &*bob] {
        page.hears("Bob", markup).await?;
    }

    studio.say("welcome, both").await?;
    for browser in [&first, &second] {
        let page = if std::ptr::eq(browser, &first) {
            &ann
        } else {
            &bob
        };
        browser
            .wait("the broadcaster is heard", SOON, async || {
                let newest = page.comments().await?.pop();
                ensure!(
                    newest.as_ref().is_some_and(|c| c.text == "welcome, both"),
                    "{newest:?}"
                );
                Ok(())
            })
            .await?;
    }

    for _ in 0..3 {
        ann.like().await?;
    }
    bob.like().await?;
    for page in [&*studio, &*ann, &*bob] {
        page.sees_likes(4).await?;
    }
    ensure!(
        server.room(&key).await?.likes == 4,
        "the API counts otherwise"
    );

    ann.give(5).await?;
    for page in [&*studio, &*bob] {
        page.sees_gift_from("Ann").await?;
    }
    server.stop().await
}

#[tokio::test]
async fn viewers_are_counted_when_they_come_and_go() -> Result<()> {
    let server = Server::start().await?;
    let (host, first, second) = (
        Browser::start().await?,
        Browser::start().await?,
        Browser::start().await?,
    );
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Counting").await?;
    studio.counts_viewers(0).await?;
    let ann = WatchPage::watch(&first, &server, &key).await?;
    WatchPage::watch(&second, &server, &key).await?;
    studio.counts_viewers(2).await?;
    ann.counts_viewers(2).await?;

    second.open("about:blank").await?;
    studio.counts_viewers(1).await?;
    ann.counts_viewers(1).await?;
    host.shows("peak", 2, SOON).await?;
    server.stop().await
}

#[tokio::test]
async fn a_name_is_remembered_by_the_page() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Names").await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;
    watch.say_as("Ann", "first").await?;
    watch.hears("Ann", "first").await?;

    viewer.reload().await?;
    watch.hears("Ann", "first").await?;
    watch.say("second").await?;
    watch.hears("Ann", "second").await?;
    let said = |text: &str| ChatLine {
        name: "Ann".into(),
        text: text.into(),
    };
    ensure!(
        studio.comments().await? == [said("first"), said("second")],
        "nothing twice"
    );
    server.stop().await
}
