//! Gifts over the picture.

use leptos::prelude::*;
use shared::gift;

use crate::realtime::RoomFeed;

/// One toast for each row of gifts, with its combo.
#[component]
pub fn GiftToasts(
    /// The room.
    feed: RoomFeed,
) -> impl IntoView {
    view! {
        <div class="gift-toasts" role="status">
            <For
                each=move || feed.gifts.with(|gifts| gifts.toasts().to_vec())
                key=|toast| toast.id
                children=move |toast| {
                    let id = toast.id;
                    let combo = Memo::new(move |known| {
                        feed.gifts
                            .with(|gifts| {
                                gifts
                                    .toasts()
                                    .iter()
                                    .find_map(|toast| (toast.id == id).then_some(toast.combo))
                            })
                            .or(known.copied())
                            .unwrap_or(1)
                    });
                    // A gift of a newer server is still a gift.
                    let (emoji, name) = gift::by_id(toast.gift_id)
                        .map_or(("🎁", "Gift"), |gift| (gift.emoji, gift.name));
                    view! {
                        <div class="gift-toast" data-test="gift-toast">
                            <span class="gift-emoji" aria-hidden="true">{emoji}</span>
                            <span class="gift-text">
                                <strong>{toast.name}</strong>
                                <span>"sent a " {name.to_lowercase()}</span>
                            </span>
                            // Keyed by its number, so that each step of a combo is animated.
                            <For each=move || [combo.get()] key=|combo| *combo let(combo)>
                                <span class="gift-combo">"×" {combo}</span>
                            </For>
                        </div>
                    }
                }
            />
        </div>
    }
}
