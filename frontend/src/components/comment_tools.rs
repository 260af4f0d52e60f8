//! What the host can do about a comment.

use leptos::html::Div;
use leptos::prelude::*;
use leptos::task::spawn_local;
use shared::events::{Action, Comment};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, KeyboardEvent, ScrollIntoViewOptions, ScrollLogicalPosition};

use super::icon::{Glyph, Icon};
use crate::logic::moderation::TIMEOUT_SECONDS;
use crate::realtime::RoomFeed;

/// The buttons that open the tools, as the arrow keys find them.
const MORE: &str = ".comment-more";

/// The host's tools for the comments of one list. One comment at a time has them out.
#[derive(Clone, Copy)]
pub struct Desk {
    feed: RoomFeed,
    list: NodeRef<Div>,
    open: RwSignal<Option<u64>>,
    /// The one comment whose button the Tab key finds: there are too many to walk through.
    current: Memo<Option<u64>>,
    focused: RwSignal<Option<u64>>,
    /// What was done, or why it was not.
    outcome: RwSignal<Option<Result<&'static str, String>>>,
}

impl Desk {
    /// Tools for the comments in `list`.
    #[must_use]
    pub fn new(feed: RoomFeed, list: NodeRef<Div>) -> Self {
        let focused = RwSignal::new(None);
        let current = Memo::new(move |_| {
            feed.chat.with(|chat| {
                let is_there = |id: &u64| chat.comments().any(|comment| comment.id == *id);
                let newest = Some(chat.newest()).filter(|id| *id > 0);
                focused.get().filter(is_there).or(newest)
            })
        });
        Self {
            feed,
            list,
            open: RwSignal::new(None),
            current,
            focused,
            outcome: RwSignal::new(None),
        }
    }

    /// Whether there are tools at all.
    #[must_use]
    pub fn is_host(self) -> bool {
        self.feed.rules.is_host()
    }

    /// Whether this comment has the tools out.
    #[must_use]
    pub fn is_open(self, id: u64) -> bool {
        self.open.get() == Some(id)
    }

    /// Whether the list has to hold still, so that nothing moves away from under the hand.
    #[must_use]
    pub fn holds_still(self) -> bool {
        self.open.with_untracked(Option::is_some)
    }

    fn toggle(self, id: u64) {
        self.outcome.set(None);
        self.open
            .update(|open| *open = (*open != Some(id)).then_some(id));
    }

    /// The arrow keys go from comment to comment, Escape puts the tools away.
    pub fn key(self, event: &KeyboardEvent) {
        let target = event
            .target()
            .and_then(|target| target.dyn_into::<Element>().ok());
        let Some(target) = target else { return };
        let step = match event.key().as_str() {
            "ArrowUp" => -1,
            "ArrowDown" => 1,
            "Escape" if self.open.with_untracked(Option::is_some) => {
                event.stop_propagation();
                focus(target.closest(".comment").ok().flatten(), MORE);
                self.open.set(None);
                return;
            }
            _ => return,
        };
        if target.matches(MORE) != Ok(true) {
            return;
        }
        event.prevent_default();
        let line = target.closest(".comment").ok().flatten();
        let next = line.and_then(|line| {
            if step < 0 {
                line.previous_element_sibling()
            } else {
                line.next_element_sibling()
            }
        });
        focus(next, MORE);
    }

    fn act(self, action: Action, done: &'static str) {
        self.open.set(None);
        // The button that had the focus is gone; it must not fall back to the top of the page.
        if let Some(list) = self.list.get_untracked() {
            let _ = list.focus();
        }
        spawn_local(async move {
            let outcome = self.feed.moderate(action).await;
            let outcome = outcome.map(|()| done).map_err(|refusal| refusal.error);
            self.outcome.try_set(Some(outcome));
        });
    }
}

fn focus(within: Option<Element>, selector: &str) {
    let found = within.and_then(|within| within.query_selector(selector).ok().flatten());
    if let Some(found) = found.and_then(|found| found.dyn_into::<HtmlElement>().ok()) {
        // Only what cannot have the focus refuses it.
        let _ = found.focus();
    }
}

/// Brings the tools of a comment out, and puts them away.
#[component]
pub fn MoreButton(
    /// The comment.
    comment: Comment,
    /// The host's tools.
    desk: Desk,
) -> impl IntoView {
    let Comment { id, name, text, .. } = comment;
    let label = format!("Moderate {name}: {text}");
    view! {
        <button
            type="button"
            class="comment-more"
            data-test="comment-more"
            aria-label=label
            aria-expanded=move || desk.is_open(id).to_string()
            tabindex=move || if desk.current.get() == Some(id) { "0" } else { "-1" }
            on:focus=move |_| desk.focused.set(Some(id))
            on:click=move |_| desk.toggle(id)
        >
            <Icon glyph=Glyph::More />
        </button>
    }
}

/// The tools themselves.
#[component]
pub fn CommentTools(
    /// The comment.
    comment: Comment,
    /// The host's tools.
    desk: Desk,
) -> impl IntoView {
    let id = comment.id;
    let is_pinned = move || {
        let pinned = desk.feed.rules.pinned;
        pinned.with(|pinned| pinned.as_ref().is_some_and(|pinned| pinned.id == id))
    };
    let pin = move |_| {
        if untrack(is_pinned) {
            desk.act(Action::Unpin, "Message unpinned.");
        } else {
            desk.act(Action::Pin { id }, "Message pinned.");
        }
    };
    // The host's own comments have no use for the rest.
    let author = comment.author.filter(|_| !comment.host);
    let against = author.map(|author| {
        let (timed_out, banned) = (author.clone(), author);
        let time_out = move |_| {
            let (author, seconds) = (timed_out.clone(), TIMEOUT_SECONDS);
            desk.act(
                Action::Timeout { author, seconds },
                "Timed out for 10 minutes.",
            );
        };
        let ban = move |_| {
            let author = banned.clone();
            desk.act(Action::Ban { author }, "Banned.");
        };
        view! {
            <button type="button" class="tool" data-test="timeout" on:click=time_out>
                <Icon glyph=Glyph::Clock />
                "10 min"
                <span class="visually-hidden">" time-out"</span>
            </button>
            <button type="button" class="tool" data-test="ban" on:click=ban>
                <Icon glyph=Glyph::Ban />
                "Ban"
            </button>
        }
    });
    let tools = NodeRef::<Div>::new();
    // Those of the last comment open below the edge of the list.
    Effect::new(move |_| {
        if let Some(tools) = tools.get() {
            let options = ScrollIntoViewOptions::new();
            options.set_block(ScrollLogicalPosition::Nearest);
            request_animation_frame(move || {
                tools.scroll_into_view_with_scroll_into_view_options(&options);
            });
        }
    });
    view! {
        // What opens here is no news in the chat.
        <div
            class="comment-tools"
            data-test="comment-tools"
            node_ref=tools
            role="group"
            aria-live="off"
            aria-label=format!("Moderate {}", comment.name)
        >
            <button
                type="button"
                class="tool"
                data-test="delete"
                on:click=move |_| desk.act(Action::Delete { id }, "Message deleted.")
            >
                <Icon glyph=Glyph::Trash />
                "Delete"
            </button>
            <button type="button" class="tool" data-test="pin" on:click=pin>
                <Icon glyph=Glyph::Pin />
                {move || if is_pinned() { "Unpin" } else { "Pin" }}
            </button>
            {against}
        </div>
    }
}

/// Says what was done, or why it was not.
#[component]
pub fn Outcome(
    /// The host's tools.
    desk: Desk,
) -> impl IntoView {
    let said = move || match desk.outcome.get() {
        Some(Ok(done)) => view! { <span class="visually-hidden">{done}</span> }.into_any(),
        Some(Err(sentence)) => view! {
            <p class="note small" data-test="moderation-error">
                {sentence}
            </p>
        }
        .into_any(),
        None => ().into_any(),
    };
    view! { <div class="outcome" role="status">{said}</div> }
}
