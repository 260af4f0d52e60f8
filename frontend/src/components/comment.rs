//! One comment.

use leptos::prelude::*;
use shared::events::Comment;

use super::comment_tools::{CommentTools, Desk, MoreButton};
use crate::logic::poster;

/// Who said it, what, and for the host what to do about it.
#[component]
pub fn CommentLine(
    /// The comment.
    comment: Comment,
    /// The host's tools.
    desk: Desk,
) -> impl IntoView {
    let hue = poster::hue(&comment.name, poster::ANY).to_string();
    let (id, by_host) = (comment.id, comment.host);
    let moderated = StoredValue::new(comment.clone());
    view! {
        <div
            class="comment"
            data-test="comment"
            class:by-host=by_host
            class:open=move || desk.is_open(id)
        >
            <p>
                <span class="comment-name" data-test="comment-name" style=("--hue", hue)>
                    {comment.name}
                </span>
                {by_host.then(|| view! { <span class="host-badge">"Host"</span> })}
                " "
                <span class="comment-text" data-test="comment-text">
                    {comment.text}
                </span>
            </p>
            <Show when=move || desk.is_host()>
                <MoreButton comment=moderated.get_value() desk />
                <Show when=move || desk.is_open(id)>
                    <CommentTools comment=moderated.get_value() desk />
                </Show>
            </Show>
        </div>
    }
}
