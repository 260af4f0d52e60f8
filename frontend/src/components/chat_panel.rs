//! The chat with everything that belongs to it.

use leptos::prelude::*;

use super::chat::Chat;
use super::composer::Composer;
use super::pinned::PinnedComment;
use crate::realtime::RoomFeed;

/// What people say, and where one says it.
#[component]
pub fn ChatPanel(
    /// The room.
    feed: RoomFeed,
    /// Whether the host is at it.
    #[prop(optional)]
    host: bool,
) -> impl IntoView {
    let offline = move || feed.connected.get() == Some(false);
    let waits_for = move || {
        if feed.restarting.get() {
            "The server is restarting…"
        } else {
            "Reconnecting…"
        }
    };
    view! {
        <section class="chat-panel" aria-label="Chat">
            <h2 class="chat-heading">
                "Chat"
                <Show when=offline>
                    <span class="chat-offline" role="status">{waits_for}</span>
                </Show>
            </h2>
            <PinnedComment feed />
            <Chat feed />
            <Composer feed host />
        </section>
    }
}
