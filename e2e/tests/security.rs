//! What only a real browser can tell about security.

use anyhow::{Result, ensure};
use e2e::pages::{StudioPage, WatchPage};
use e2e::{Browser, LONG, Server};
use serde_json::json;

/// A name that is not this machine's to a browser.
const NAME: &str = "golive.test";

#[tokio::test]
async fn no_page_does_what_its_policy_forbids() -> Result<()> {
    let server = Server::start().await?;
    let (host, viewer) = (Browser::start().await?, Browser::start().await?);
    let studio = StudioPage::open(&host, &server).await?;
    let key = studio.go_live("Within the rules").await?;
    let none = async |browser: &Browser, page: &str| {
        let violations = browser.violations().await?;
        ensure!(violations == json!([]), "{page}: {violations}");
        Ok(())
    };
    for path in ["/", "/live"] {
        viewer.open(&server.url(path)).await?;
        viewer
            .wait("the page runs", LONG, async || {
                let text = viewer.js("return document.body.innerText", vec![]).await?;
                ensure!(
                    text.as_str().is_some_and(|text| text.len() > 20),
                    "it says {text}"
                );
                Ok(())
            })
            .await?;
        none(&viewer, path).await?;
    }
    let watch = WatchPage::watch(&viewer, &server, &key).await?;
    watch.plays().await?;
    none(&viewer, "the watch page").await?;
    viewer.open(&server.url(&format!("/embed/{key}"))).await?;
    viewer
        .wait("the player plays", LONG, async || {
            let playing = "return document.querySelector('video')?.videoWidth ?? 0";
            let width = viewer.js(playing, vec![]).await?;
            ensure!(width.as_u64() > Some(16), "its width is {width}");
            Ok(())
        })
        .await?;
    none(&viewer, "the embedded player").await?;
    none(&host, "the studio").await?;
    studio.end().await?;
    none(&host, "the studio at its end").await?;
    server.stop().await
}

/// Browsers give no camera to a page of `http://` and another name than localhost.
#[tokio::test]
async fn a_camera_is_given_over_https_with_a_certificate_of_our_own_making() -> Result<()> {
    let server = Server::start_with(&["--tls", "self-signed"]).await?;
    let (host, viewer) = (
        Browser::trusting(NAME).await?,
        Browser::trusting(NAME).await?,
    );
    let url = server.url("/live").replace("127.0.0.1", NAME);
    host.open(&url).await?;
    let studio = StudioPage::here(&host);
    studio.sees_camera().await?;
    studio.go_live("From a phone").await?;
    let link = studio.share_link().await?;
    ensure!(
        link.starts_with(&format!("https://{NAME}:")),
        "the link is {link}"
    );
    viewer.open(&link).await?;
    WatchPage::here(&viewer).plays().await?;
    let protocol = "return performance.getEntriesByType('navigation')[0].nextHopProtocol";
    let protocol = viewer.js(protocol, vec![]).await?;
    ensure!(protocol == "h2", "the page came by {protocol}");
    studio.end().await?;
    server.stop().await
}
