//! The bar at the top of the page.

use leptos::prelude::*;
use leptos_router::components::A;

use super::icon::{Glyph, Icon};
use super::theme_toggle::ThemeToggle;

/// Logo, theme and, unless the page is the studio itself, the way into it.
#[component]
pub fn SiteHeader(
    /// Hides "Go live".
    #[prop(optional)]
    in_studio: bool,
    /// Asked before the logo leads away from this page; `false` stays.
    #[prop(optional, into)]
    may_leave: Option<Callback<(), bool>>,
) -> impl IntoView {
    let guard = move |event: leptos::ev::MouseEvent| {
        if may_leave.is_some_and(|may_leave| !may_leave.run(())) {
            event.prevent_default();
            event.stop_propagation();
        }
    };
    view! {
        <header class="site-header">
            <A href="/" attr:class="logo" on:click=guard>
                <svg class="logo-mark" viewBox="0 0 32 32" aria-hidden="true">
                    <rect width="32" height="32" rx="9" />
                    <path d="M13 10.6v10.8c0 .9 1 1.5 1.8 1l8.6-5.4a1.2 1.2 0 0 0 0-2l-8.6-5.4c-.8-.5-1.8.1-1.8 1Z" />
                    <circle cx="8.4" cy="8.4" r="2.4" />
                </svg>
                "Golive"
            </A>
            <nav class="site-nav" aria-label="Site">
                <ThemeToggle />
                {(!in_studio)
                    .then(|| {
                        view! {
                            <A href="/live" attr:class="button primary" attr:data-test="go-live">
                                <Icon glyph=Glyph::Broadcast />
                                "Go live"
                            </A>
                        }
                    })}
            </nav>
        </header>
    }
}
