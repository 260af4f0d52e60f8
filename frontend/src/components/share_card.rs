//! The link to share.

use leptos::prelude::*;
use qrcodegen::{QrCode, QrCodeEcc};

use super::copy_field::CopyField;

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
            </div>
            <QrPicture text=url />
        </section>
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
