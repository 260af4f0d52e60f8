//! Opening and closing WHIP and WHEP sessions (RFC 9725 section 4.2, draft-ietf-wish-whep).

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Client, StatusCode, Url};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// An address where sessions are opened: `/whip/{key}` or `/whep/{key}`.
#[derive(Clone, Debug)]
pub struct Endpoint {
    http: Client,
    url: Url,
    bearer: Option<String>,
}

impl Endpoint {
    /// The endpoint at `url`, which wants `bearer` as authorisation.
    ///
    /// # Errors
    /// It is not a URL.
    pub fn new(url: &str, bearer: Option<&str>) -> Result<Self> {
        // Idle connections would look like leaked file descriptors of the server.
        let http = Client::builder()
            .pool_max_idle_per_host(0)
            .timeout(PATIENCE)
            .build()?;
        Ok(Self {
            http,
            url: Url::parse(url).with_context(|| format!("{url} is no address"))?,
            bearer: bearer.map(str::to_owned),
        })
    }

    /// Posts an offer. Answers with the session and the server's answer.
    ///
    /// # Errors
    /// The server refused, and said why.
    pub async fn open(&self, offer: String) -> Result<(Session, String)> {
        let mut request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/sdp")
            .body(offer);
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        let response = request.send().await?;
        let status = response.status();
        let location = response.headers().get(LOCATION).cloned();
        let body = response.text().await?;
        ensure!(status == StatusCode::CREATED, "{status}: {body}");
        let location = location.context("the session has no Location")?;
        let session = Session {
            http: self.http.clone(),
            location: self.url.join(location.to_str()?)?,
            bearer: self.bearer.clone(),
        };
        Ok((session, body))
    }
}

/// A session at the server.
#[derive(Debug)]
pub struct Session {
    http: Client,
    location: Url,
    bearer: Option<String>,
}

impl Session {
    /// Ends it. Answers whether the server still knew it.
    ///
    /// # Errors
    /// The server cannot be reached, or refused.
    pub async fn close(self) -> Result<bool> {
        let mut request = self.http.delete(self.location);
        if let Some(bearer) = self.bearer {
            request = request.bearer_auth(bearer);
        }
        let response = request.send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        response.error_for_status()?;
        Ok(true)
    }
}
