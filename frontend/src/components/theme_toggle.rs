//! Dark or light, at a press.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::theme::Theme;

/// Switches the theme and remembers it.
#[component]
pub fn ThemeToggle() -> impl IntoView {
    let theme = RwSignal::new(Theme::current());
    let toggle = move |_| {
        let other = theme.get_untracked().other();
        other.choose();
        theme.set(other);
    };
    let label = move || match theme.get() {
        Theme::Dark => "Switch to the light theme",
        Theme::Light => "Switch to the dark theme",
    };
    let glyph = Signal::derive(move || match theme.get() {
        Theme::Dark => Glyph::Sun,
        Theme::Light => Glyph::Moon,
    });
    view! {
        <button type="button" class="icon-button" on:click=toggle aria-label=label title=label>
            <Icon glyph />
        </button>
    }
}
