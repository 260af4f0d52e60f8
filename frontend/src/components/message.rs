//! A state that fills a page or a player: what is, and what to do.

use leptos::prelude::*;

/// A heading, a sentence, and what to press.
#[component]
pub fn Message(
    /// What is.
    #[prop(into)]
    heading: Signal<String>,
    /// More about it.
    #[prop(into, optional)]
    detail: Signal<String>,
    /// The `data-test`.
    #[prop(optional)]
    test: &'static str,
    /// What to press.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="message" role="status" data-test=(!test.is_empty()).then_some(test)>
            <h2>{heading}</h2>
            <p>{detail}</p>
            {children.map(|children| view! { <div class="message-actions">{children()}</div> })}
        </div>
    }
}
