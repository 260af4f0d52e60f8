//! What can be given.

use leptos::prelude::*;
use shared::gift::GIFTS;

/// How many of a gift one press gives.
const COUNTS: [u32; 3] = [1, 5, 10];

/// The gifts, and how many of them.
#[component]
pub fn GiftTray(
    /// Called with gift id and count.
    #[prop(into)]
    on_give: Callback<(u32, u32)>,
) -> impl IntoView {
    let count = RwSignal::new(COUNTS[0]);
    let counts = COUNTS.map(|value| {
        view! {
            <label class="segment">
                <input
                    type="radio"
                    name="gift-count"
                    class="visually-hidden"
                    prop:checked=move || count.get() == value
                    on:change=move |_| count.set(value)
                />
                <span>"×" {value}</span>
            </label>
        }
    });
    let gifts = GIFTS.map(|gift| {
        view! {
            <button
                type="button"
                class="gift"
                data-test=format!("gift-{}", gift.id)
                on:click=move |_| on_give.run((gift.id, count.get_untracked()))
            >
                <span class="gift-emoji" aria-hidden="true">{gift.emoji}</span>
                <span>{gift.name}</span>
            </button>
        }
    });
    view! {
        <div class="gift-tray" role="group" aria-label="Gifts">
            <div class="gift-grid">{gifts}</div>
            <div class="segments" role="radiogroup" aria-label="How many">
                {counts}
            </div>
        </div>
    }
}
