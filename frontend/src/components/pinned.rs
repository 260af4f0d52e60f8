//! The comment that the host has pinned.

use leptos::prelude::*;
use leptos::task::spawn_local;
use shared::events::Action;

use super::icon::{Glyph, Icon};
use crate::realtime::RoomFeed;

/// Shows it on top of the chat, while there is one.
#[component]
pub fn PinnedComment(
    /// The room.
    feed: RoomFeed,
) -> impl IntoView {
    let rules = feed.rules;
    let unpin = move |_| {
        spawn_local(async move {
            // If it is refused, the comment stays where it is seen to be.
            let _ = feed.moderate(Action::Unpin).await;
        });
    };
    // The region is always there: a live region that appears together with its text is not read.
    view! {
        <div class="pinned-region" aria-live="polite">
            {move || {
                rules
                    .pinned
                    .get()
                    .map(|comment| {
                        view! {
                            <aside class="pinned" data-test="pinned" aria-label="Pinned message">
                                <Icon glyph=Glyph::Pin />
                                <p>
                                    <b>{comment.name}</b>
                                    {comment
                                        .host
                                        .then(|| view! { <span class="host-badge">"Host"</span> })}
                                    " "
                                    <span data-test="pinned-text">{comment.text}</span>
                                </p>
                                <Show when=move || rules.is_host()>
                                    <button
                                        type="button"
                                        class="icon-button"
                                        data-test="unpin"
                                        aria-label="Unpin the message"
                                        on:click=unpin
                                    >
                                        <Icon glyph=Glyph::Close />
                                    </button>
                                </Show>
                            </aside>
                        }
                    })
            }}
        </div>
    }
}
