//! Text to be copied.

use gloo_timers::callback::Timeout;
use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::icon::{Glyph, Icon};
use crate::browser;

/// A line of text under its name, with a button that copies it; a secret is masked until the person
/// wants to see it.
#[component]
pub fn CopyField(
    /// What it is. Screen readers hear it; `visible_label` shows it as well.
    label: &'static str,
    /// Whether the name is shown.
    #[prop(default = true)]
    visible_label: bool,
    /// The text.
    #[prop(into)]
    text: Signal<String>,
    /// Whether nobody should see it over the person's shoulder, or in the broadcast itself.
    #[prop(optional)]
    secret: bool,
    /// The `data-test` of the text; the buttons' are `copy-` and `reveal-` before it.
    test: &'static str,
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let revealed = RwSignal::new(!secret);
    let reset = StoredValue::new_local(None::<Timeout>);
    let input = NodeRef::<Input>::new();
    let select = move || {
        if let Some(input) = input.get_untracked() {
            input.select();
        }
    };
    let copy = move |_| {
        let text = text.get_untracked();
        spawn_local(async move {
            if browser::copy(&text).await.is_err() {
                // Then at least it is there, selected, for the person to copy.
                revealed.try_set(true);
                select();
                return;
            }
            copied.try_set(true);
            let later = Timeout::new(2_000, move || {
                copied.try_set(false);
            });
            reset.try_set_value(Some(later));
        });
    };
    let glyph = Signal::derive(move || {
        if copied.get() {
            Glyph::Check
        } else {
            Glyph::Copy
        }
    });
    let eye = Signal::derive(move || {
        if revealed.get() {
            Glyph::EyeOff
        } else {
            Glyph::Eye
        }
    });
    view! {
        <div class="field copy-field" role="group" aria-label=label>
            {visible_label.then(|| view! { <span aria-hidden="true">{label}</span> })}
            <div class="copy-row">
                <input
                    type=move || if revealed.get() { "text" } else { "password" }
                    readonly=true
                    autocomplete="off"
                    spellcheck="false"
                    data-test=test
                    aria-label=label
                    prop:value=text
                    node_ref=input
                    on:focus=move |_| select()
                />
                {secret
                    .then(|| {
                        view! {
                            <button
                                type="button"
                                class="icon-button large"
                                data-test=format!("reveal-{test}")
                                aria-pressed=move || revealed.get().to_string()
                                aria-label=format!("Show {label}")
                                title="Show or hide"
                                on:click=move |_| revealed.update(|revealed| *revealed = !*revealed)
                            >
                                <Icon glyph=eye />
                            </button>
                        }
                    })}
                <button
                    type="button"
                    class="button"
                    data-test=format!("copy-{test}")
                    aria-label=format!("Copy {label}")
                    on:click=copy
                >
                    <Icon glyph />
                    <span aria-live="polite">
                        {move || if copied.get() { "Copied" } else { "Copy" }}
                    </span>
                </button>
            </div>
        </div>
    }
}
