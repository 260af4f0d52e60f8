//! The player's menu: which way the picture is to come.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use super::path_badge::PathBadge;
use crate::logic::path::PathChoice;
use crate::playback::Playback;

/// A button, and above it the choices while it is open.
#[component]
pub fn PathMenu(
    /// What plays.
    playback: Playback,
) -> impl IntoView {
    let open = RwSignal::new(false);
    let choices = move || {
        PathChoice::ALL.map(|choice| {
            let choose = move |_| {
                playback.choose(choice);
                open.set(false);
            };
            view! {
                <label class="menu-choice">
                    <input
                        type="radio"
                        name="path"
                        prop:checked=move || playback.choice() == choice
                        on:change=choose
                    />
                    <span data-test=format!("path-{}", choice.name())>{choice.label()}</span>
                </label>
            }
        })
    };
    let close_on_escape = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Escape" {
            open.set(false);
        }
    };
    view! {
        <div class="menu-anchor" on:keydown=close_on_escape>
            <Show when=move || open.get()>
                <fieldset class="menu" data-test="path-menu">
                    <legend class="menu-heading">"How to watch"</legend>
                    {choices}
                    <PathBadge playback />
                </fieldset>
            </Show>
            <button
                type="button"
                class="icon-button"
                data-test="path-open"
                aria-label="How to watch"
                aria-expanded=move || open.get().to_string()
                on:click=move |_| open.update(|open| *open = !*open)
            >
                <Icon glyph=Glyph::Settings />
            </button>
        </div>
    }
}
