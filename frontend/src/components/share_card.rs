//! The link to share.

use leptos::ev::Event;
use leptos::prelude::*;
use leptos::task::spawn_local;
use qrcodegen::{QrCode, QrCodeEcc};
use shared::room::RoomKey;
use wasm_bindgen::JsCast;
use web_sys::Element;

use super::copy_field::CopyField;
use crate::api;

/// The watch page's address as text and as a QR code, and those for players.
#[component]
pub fn ShareCard(
    /// The address.
    #[prop(into)]
    url: String,
    /// Where players find the stream by HTTP-FLV.
    #[prop(into)]
    flv: String,
    /// Where players find it by RTMP, where the server has that.
    rtmp: Option<String>,
    /// The room and what makes this browser its host.
    host: (RoomKey, String),
) -> impl IntoView {
    let watch = url.clone();
    view! {
        <section class="card share" aria-labelledby="share-heading">
            <div class="share-text">
                <h2 id="share-heading">"Invite your friends"</h2>
                <p>
                    "Whoever has this link can watch. "
                    <a href=watch target="_blank" rel="noopener">"Open the watch page"</a>
                </p>
                <CopyField
                    label="Link to the watch page"
                    visible_label=false
                    text=url.clone()
                    test="share-link"
                />
                <details class="players">
                    <summary data-test="players">"Watch in a player"</summary>
                    <p>"For VLC, mpv or ffplay: open one of these as a network stream."</p>
                    {rtmp.map(|rtmp| view! { <CopyField label="RTMP" text=rtmp test="rtmp-link" /> })}
                    <CopyField label="HTTP-FLV" text=flv test="flv-link" />
                </details>
                <OtherDevice host />
            </div>
            <QrPicture text=url />
        </section>
    }
}

/// A link that opens this studio on another device, made when it is asked for.
#[component]
fn OtherDevice(
    /// The room and what makes this browser its host.
    host: (RoomKey, String),
) -> impl IntoView {
    let link = RwSignal::new(None::<Result<String, String>>);
    let host = StoredValue::new(host);
    let make = move || {
        link.set(None);
        let (key, token) = host.get_value();
        spawn_local(async move {
            let made = api::host_link(&key, &token).await;
            let made = made.map(|made| made.url).map_err(|error| error.to_string());
            link.try_set(Some(made));
        });
    };
    let toggled = move |event: Event| {
        let details = event
            .target()
            .and_then(|target| target.dyn_into::<Element>().ok());
        // A link is made for whoever looks at it, and a new one for whoever looks again.
        if details.is_some_and(|details| details.has_attribute("open")) {
            make();
        }
    };
    view! {
        <details class="players" on:toggle=toggled>
            <summary data-test="other-device">"Open on another device"</summary>
            <p>
                "Whoever opens this link runs the broadcast with you. It works once, within ten minutes."
            </p>
            {move || match link.get() {
                None => view! { <p role="status">"Making a link…"</p> }.into_any(),
                Some(Err(sentence)) => {
                    view! { <p role="alert" data-test="host-link-error">{sentence}</p> }.into_any()
                }
                Some(Ok(url)) => {
                    view! {
                        <CopyField
                            label="Link to this studio"
                            visible_label=false
                            text=url.clone()
                            secret=true
                            test="host-link"
                        />
                        <QrPicture text=url />
                    }
                        .into_any()
                }
            }}
        </details>
    }
}

/// A QR code as a vector picture, always dark on white: some readers know nothing else.
#[component]
fn QrPicture(text: String) -> impl IntoView {
    /// White modules around the code (ISO/IEC 18004 section 6.3.8 asks for four).
    const QUIET: i32 = 4;
    // Only a text of some thousand characters does not fit.
    QrCode::encode_text(&text, QrCodeEcc::Medium)
        .ok()
        .map(|code| {
            let size = code.size();
            let mut path = String::new();
            for y in 0..size {
                for x in (0..size).filter(|&x| code.get_module(x, y)) {
                    path.push_str(&format!("M{} {}h1v1h-1z", x + QUIET, y + QUIET));
                }
            }
            let side = size + 2 * QUIET;
            view! {
                <svg
                    class="qr"
                    data-test="qr"
                    role="img"
                    aria-label="QR code of the link"
                    viewBox=format!("0 0 {side} {side}")
                    shape-rendering="crispEdges"
                >
                    <rect width=side height=side fill="#fff" />
                    <path d=path fill="#000" />
                </svg>
            }
        })
}
