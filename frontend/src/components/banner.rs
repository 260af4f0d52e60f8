//! A passing trouble, told over the picture.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// Shows `text` while there is any.
#[component]
pub fn Banner(
    /// What is the matter; `None` hides the banner.
    #[prop(into)]
    text: Signal<Option<String>>,
) -> impl IntoView {
    // The region is always there: a live region that appears together with its text is not read.
    view! {
        <div class="banner-region" role="status">
            {move || {
                text.get()
                    .map(|text| {
                        view! {
                            <p class="banner" data-test="banner">
                                <span class="spinner" aria-hidden="true"></span>
                                {text}
                            </p>
                        }
                    })
            }}
        </div>
    }
}

/// Shows an error that stays until it is dealt with.
#[component]
pub fn ErrorNote(
    /// The sentence; `None` hides the note.
    #[prop(into)]
    text: Signal<Option<String>>,
    /// The `data-test`.
    test: &'static str,
) -> impl IntoView {
    view! {
        <div role="alert">
            {move || {
                text.get()
                    .map(|text| {
                        view! {
                            <p class="note" data-test=test>
                                <Icon glyph=Glyph::Warning />
                                <span>{text}</span>
                            </p>
                        }
                    })
            }}
        </div>
    }
}
