//! The pictures of the README, taken while everything runs, so that they stay true.
//!
//! With `UPDATE_SCREENSHOTS=1` they go to `docs/screenshots/`, else to `target/screenshots/`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use e2e::browser::Screen;
use e2e::pages::{HomePage, StudioPage, WatchPage};
use e2e::socket_io::{SocketIo, Transport, Version, accepted};
use e2e::{Browser, Server, scenery, target_dir, top_level};
use serde_json::json;

const DESKTOP: Screen = Screen {
    width: 1440,
    height: 900,
    dark: true,
};
const PHONE: Screen = Screen {
    width: 390,
    height: 844,
    dark: true,
};

const SAID: [(&str, &str); 5] = [
    ("Mira", "good evening from Lisbon"),
    ("Jonas", "those colours!"),
    ("Aiko", "which line is this?"),
    ("Tom", "just in time for the sunset"),
    ("Mira", "🌹 for the driver"),
];

fn directory() -> PathBuf {
    let update = std::env::var_os("UPDATE_SCREENSHOTS").is_some();
    if update {
        top_level().join("docs/screenshots")
    } else {
        target_dir().join("screenshots")
    }
}

async fn shoot(browser: &Browser, name: &str) -> Result<()> {
    let picture = browser.screenshot().await?;
    ensure!(picture.len() > 10_000, "{name} is an empty page");
    let path = directory().join(format!("{name}.png"));
    fs::write(&path, &picture)?;
    println!("{} ({} kB)", path.display(), picture.len() / 1_000);
    Ok(())
}

#[tokio::test]
async fn the_pages_look_like_this() -> Result<()> {
    fs::create_dir_all(directory())?;
    let server = Server::start().await?;
    let host = Browser::with_camera(&scenery::film()?).await?;
    let (desktop, phone) = (Browser::start().await?, Browser::start().await?);
    host.show_on(DESKTOP).await?;
    desktop.show_on(DESKTOP).await?;
    phone.show_on(PHONE).await?;

    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Dusk from the night train").await?;
    let wide = WatchPage::watch(&desktop, &server, &key).await?;
    let narrow = WatchPage::watch(&phone, &server, &key).await?;
    let mut crowd = SocketIo::connect(&server, Version::V4, Transport::WebSocket).await?;
    accepted(&crowd.call("join_room", json!({"key": key})).await?)?;
    for (name, text) in SAID {
        let comment = json!({"roomKey": key, "name": name, "text": text});
        accepted(&crowd.call("comment", comment).await?)?;
    }
    for page in [&*studio, &*wide, &*narrow] {
        page.hears("Mira", SAID[4].1).await?;
    }
    let mut excitement = async || -> Result<()> {
        let gift = json!({"roomKey": key, "name": "Jonas", "giftId": 5, "giftCount": 1});
        crowd.emit("gift", gift).await?;
        for count in [3, 2, 4] {
            crowd
                .emit("upvote", json!({"roomKey": key, "count": count}))
                .await?;
            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        }
        Ok(())
    };
    for (browser, page, name) in [
        (&host, &*studio, "studio"),
        (&desktop, &*wide, "watch"),
        (&phone, &*narrow, "phone-dark"),
    ] {
        excitement().await?;
        page.sees_gift_from("Jonas").await?;
        shoot(browser, name).await?;
    }
    phone
        .show_on(Screen {
            dark: false,
            ..PHONE
        })
        .await?;
    excitement().await?;
    narrow.sees_gift_from("Jonas").await?;
    shoot(&phone, "phone-light").await?;

    HomePage::open(&desktop, &server)
        .await?
        .lists(&[&key])
        .await?;
    shoot(&desktop, "rooms").await?;
    server.stop().await
}
