//! What people say.

use gloo_events::EventListener;
use leptos::html::Div;
use leptos::prelude::*;

use super::comment::CommentLine;
use super::comment_tools::{Desk, Outcome};
use super::icon::{Glyph, Icon};
use crate::logic::chat_log::ChatLog;
use crate::realtime::RoomFeed;

/// How far from its end the list still counts as scrolled to it, in CSS pixels.
const NEAR_THE_END: i32 = 48;

/// The comments, scrolled to the newest unless the reader looks at older ones.
#[component]
pub fn Chat(
    /// The room.
    feed: RoomFeed,
) -> impl IntoView {
    let log = NodeRef::<Div>::new();
    let desk = Desk::new(feed, log);
    let scroll_to_end = move || {
        if let Some(log) = log.get_untracked() {
            log.set_scroll_top(log.scroll_height());
        }
    };
    let follow = move || {
        if feed
            .chat
            .try_with_untracked(ChatLog::following)
            .unwrap_or(false)
            && !desk.holds_still()
        {
            scroll_to_end();
        }
    };
    // After the new comment is laid out.
    Effect::new(move |_| {
        feed.chat.track();
        request_animation_frame(follow);
    });
    // A keyboard that opens takes room away from the list.
    StoredValue::new_local(EventListener::new(&window(), "resize", move |_| follow()));

    let scrolled = move |_| {
        let Some(log) = log.get_untracked() else {
            return;
        };
        let left = log.scroll_height() - log.scroll_top() - log.client_height();
        let at_the_end = left < NEAR_THE_END && !desk.holds_still();
        if feed.chat.with_untracked(ChatLog::following) != at_the_end {
            feed.chat.update(|chat| chat.scrolled(at_the_end));
        }
    };
    let unseen = Memo::new(move |_| feed.chat.with(ChatLog::unseen));
    let show_newest = move |_| {
        feed.chat.update(|chat| chat.scrolled(true));
        scroll_to_end();
    };
    let pill = move || match unseen.get() {
        1 => "1 new message".to_owned(),
        n => format!("{n} new messages"),
    };
    let empty = Memo::new(move |_| feed.chat.with(ChatLog::is_empty));

    view! {
        <div class="chat">
            <div
                class="chat-log"
                data-test="chat"
                role="log"
                aria-live="polite"
                aria-label="Chat"
                tabindex="0"
                node_ref=log
                on:scroll=scrolled
                on:keydown=move |event| desk.key(&event)
            >
                <Show when=move || empty.get()>
                    <p class="chat-empty">"Nobody has said anything yet. Say hello!"</p>
                </Show>
                <For
                    each=move || feed.chat.with(|chat| chat.comments().cloned().collect::<Vec<_>>())
                    key=|comment| comment.id
                    children=move |comment| view! { <CommentLine comment desk /> }
                />
            </div>
            <Outcome desk />
            <Show when=move || { unseen.get() > 0 }>
                <button type="button" class="pill" on:click=show_newest>
                    <Icon glyph=Glyph::ArrowDown />
                    {pill}
                </button>
            </Show>
        </div>
    }
}
