//! The hearts that float up over the picture.

use leptos::prelude::*;

use crate::logic::hearts::HeartField;
use crate::realtime::RoomFeed;

/// Draws the feed's hearts; their number is bounded by [`HeartField::CAPACITY`].
#[component]
pub fn Hearts(
    /// The room.
    feed: RoomFeed,
) -> impl IntoView {
    view! {
        <div
            class="hearts"
            data-test="hearts"
            aria-hidden="true"
            style=("--float", format!("{}ms", HeartField::FLOAT_MS))
        >
            <For
                each=move || feed.hearts.with(|field| field.hearts().to_vec())
                key=|heart| heart.id
                children=|heart| {
                    view! {
                        <svg
                            class="heart"
                            data-test="heart"
                            viewBox="0 0 24 24"
                            style=("--x", format!("{:.3}", heart.x))
                            style=("--sway", format!("{:.3}", heart.sway))
                            style=("--size", format!("{:.3}", heart.size))
                            style=("--delay", format!("{}ms", heart.delay_ms))
                        >
                            <path d="M12 21S3 15.6 3 9.2A4.9 4.9 0 0 1 12 6.6a4.9 4.9 0 0 1 9 2.6C21 15.6 12 21 12 21z" />
                        </svg>
                    }
                }
            />
        </div>
    }
}
