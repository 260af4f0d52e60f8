//! A number with its meaning.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::logic::number;

/// A count beside its icon; the full number and its name are there for screen readers and pointers.
#[component]
pub fn Count(
    /// The icon.
    glyph: Glyph,
    /// What is counted.
    label: &'static str,
    /// How many.
    #[prop(into)]
    value: Signal<u64>,
    /// The `data-test` of the number.
    test: &'static str,
) -> impl IntoView {
    view! {
        <span class="count" title=move || format!("{}: {}", label, value.get())>
            <Icon glyph />
            <span class="visually-hidden">{label} ": "</span>
            <span data-test=test>{move || number::compact(value.get())}</span>
        </span>
    }
}

/// A figure under its name, for a row of figures.
#[component]
pub fn Figure(
    /// The name.
    label: &'static str,
    /// The `data-test` of the figure.
    #[prop(optional)]
    test: &'static str,
    /// The figure.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="figure">
            <dt>{label}</dt>
            <dd data-test=(!test.is_empty()).then_some(test)>{children()}</dd>
        </div>
    }
}
