//! What WHIP and WHEP have in common: an SDP offer is posted, a session is deleted.

use gloo_net::http::Request;
use leptos::prelude::window;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::api::{self, ApiError};

/// A session on the server.
pub(super) struct Session {
    url: String,
    bearer: Option<String>,
}

/// Posts `offer` and returns the SDP answer with the session it belongs to (RFC 9725 section 4.2).
///
/// # Errors
/// The server's refusal.
pub(super) async fn post_offer(
    endpoint: &str,
    bearer: Option<&str>,
    offer: &str,
) -> Result<(String, Session), ApiError> {
    let mut request = Request::post(endpoint).header("Content-Type", "application/sdp");
    if let Some(bearer) = bearer {
        request = request.header("Authorization", &format!("Bearer {bearer}"));
    }
    let request = request.body(offer).map_err(|_| ApiError::Unexpected)?;
    let response = api::accept(api::send(request).await?).await?;
    // The Location may be relative; the request then resolves it against this origin.
    let url = response
        .headers()
        .get("location")
        .ok_or(ApiError::Unexpected)?;
    let session = Session {
        url,
        bearer: bearer.map(str::to_owned),
    };
    let answer = response.text().await.map_err(|_| ApiError::Unexpected)?;
    Ok((answer, session))
}

impl Session {
    /// Ends the session (RFC 9725 section 4.2); answers with the HTTP status. The request is sent before
    /// this returns, and outlives the page that sends it.
    pub(super) fn delete(&self) -> impl Future<Output = Option<u16>> + use<> {
        let sent = self
            .delete_request()
            .map(|request| window().fetch_with_request(&request));
        async move {
            // A server that does not hear of it notices the silence within seconds.
            let response = JsFuture::from(sent.ok()?).await.ok()?;
            Some(response.unchecked_into::<web_sys::Response>().status())
        }
    }

    fn delete_request(&self) -> Result<web_sys::Request, JsValue> {
        let init = web_sys::RequestInit::new();
        init.set_method("DELETE");
        // The bindings lack this member.
        js_sys::Reflect::set(&init, &"keepalive".into(), &JsValue::TRUE)?;
        let request = web_sys::Request::new_with_str_and_init(&self.url, &init)?;
        if let Some(bearer) = &self.bearer {
            request
                .headers()
                .set("Authorization", &format!("Bearer {bearer}"))?;
        }
        Ok(request)
    }
}
