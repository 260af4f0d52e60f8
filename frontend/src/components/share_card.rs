//! The link to share.

use gloo_timers::callback::Timeout;
use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;
use qrcodegen::{QrCode, QrCodeEcc};

use super::icon::{Glyph, Icon};
use crate::browser;

/// The watch page's address as text and as a QR code.
#[component]
pub fn ShareCard(
    /// The address.
    #[prop(into)]
    url: String,
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let reset = StoredValue::new_local(None::<Timeout>);
    let input = NodeRef::<Input>::new();
    let address = url.clone();
    let copy = move |_| {
        let address = address.clone();
        spawn_local(async move {
            if browser::copy(&address).await.is_err() {
                // Then at least it is selected for the person to copy.
                if let Some(input) = input.get_untracked() {
                    input.select();
                }
                return;
            }
            copied.try_set(true);
            let later = Timeout::new(2_000, move || {
                copied.try_set(false);
            });
            reset.try_set_value(Some(later));
        });
    };
    let glyph = Signal::derive(move || {
        if copied.get() {
            Glyph::Check
        } else {
            Glyph::Copy
        }
    });
    let watch = url.clone();
    view! {
        <section class="card share" aria-labelledby="share-heading">
            <div class="share-text">
                <h2 id="share-heading">"Invite your friends"</h2>
                <p>
                    "Whoever has this link can watch. "
                    <a href=watch target="_blank" rel="noopener">"Open the watch page"</a>
                </p>
                <div class="share-row">
                    <input
                        type="text"
                        readonly=true
                        data-test="share-link"
                        aria-label="Link to the watch page"
                        prop:value=url.clone()
                        value=url.clone()
                        node_ref=input
                        on:focus=move |_| {
                            if let Some(input) = input.get_untracked() {
                                input.select();
                            }
                        }
                    />
                    <button type="button" class="button" data-test="copy-link" on:click=copy>
                        <Icon glyph />
                        {move || if copied.get() { "Copied" } else { "Copy" }}
                    </button>
                </div>
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
