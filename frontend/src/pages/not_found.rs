//! There is no such page.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;

use crate::components::message::Message;
use crate::components::site_header::SiteHeader;

/// Says so, and leads back.
#[component]
pub fn NotFound() -> impl IntoView {
    view! {
        <Title text="Not found · Golive" />
        <SiteHeader />
        <main class="page">
            <Message
                heading="There is no such page"
                detail="The link may be misspelt. Please check it, or see who is live."
            >
                <A href="/" attr:class="button">"See who is live"</A>
            </Message>
        </main>
    }
}
