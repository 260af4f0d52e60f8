//! Every page, wide and narrow, dark and light, is usable by everybody, as far as a program can tell.

use anyhow::Result;
use e2e::browser::Screen;
use e2e::pages::{HomePage, StudioPage, WatchPage};
use e2e::{Browser, LONG, SOON, Server};

/// Each page is looked at on each of these.
async fn on_every_screen(browser: &Browser, what: &str) -> Result<()> {
    for (width, height) in [(390, 844), (1440, 900)] {
        for dark in [true, false] {
            let screen = Screen {
                width,
                height,
                dark,
            };
            browser.show_on(screen).await?;
            let theme = if dark { "dark" } else { "light" };
            let what = format!("{what}, {width} px wide, {theme}");
            browser.is_accessible(&what).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn pages_where_nobody_is_live() -> Result<()> {
    let server = Server::start().await?;
    let browser = Browser::start().await?;
    HomePage::open(&browser, &server).await?;
    on_every_screen(&browser, "an empty list").await?;
    StudioPage::open(&browser, &server).await?;
    on_every_screen(&browser, "the studio before").await?;
    browser.click("way-encoder").await?;
    on_every_screen(&browser, "the studio for software").await?;
    browser.open(&server.url("/nonsense")).await?;
    on_every_screen(&browser, "a page that is not there").await?;
    let nowhere = WatchPage::open(&browser, &server, "nowhere").await?;
    nowhere.is("not-found", LONG).await?;
    on_every_screen(&browser, "a room that is not there").await?;
    server.stop().await
}

#[tokio::test]
async fn pages_of_a_broadcast() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("For everybody").await?;
    let watch = WatchPage::watch(&viewer, &server, &key).await?;
    watch.say_as("Ann", "good evening").await?;
    studio.hears("Ann", "good evening").await?;
    on_every_screen(&viewer, "a room").await?;
    on_every_screen(&host, "the studio, live").await?;
    studio.moderate("good evening", "pin").await?;
    host.fill("word", "spam").await?;
    host.click("add-word").await?;
    studio.says("moderation", "spam").await?;
    host.click("comment-more").await?;
    studio.says("comment-tools", "Delete").await?;
    on_every_screen(&host, "the studio, moderating").await?;
    on_every_screen(&viewer, "a room with a pinned message").await?;
    HomePage::open(&viewer, &server)
        .await?
        .lists(&[&key])
        .await?;
    on_every_screen(&viewer, "a list with a room").await?;
    viewer.open(&server.url(&format!("/embed/{key}"))).await?;
    watch.is("live", LONG).await?;
    on_every_screen(&viewer, "an embedded room").await?;
    studio.end().await?;
    watch.is("ended", LONG).await?;
    on_every_screen(&host, "the summary").await?;
    viewer.state("watch", "ended", SOON).await?;
    on_every_screen(&viewer, "a room that has ended").await?;
    server.stop().await
}
