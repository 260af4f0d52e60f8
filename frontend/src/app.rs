//! The router.

use gloo_events::EventListener;
use leptos::prelude::*;
use leptos_meta::provide_meta_context;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::clock::Ticker;
use crate::pages::{Embed, Home, NotFound, Studio, Watch};

/// All pages. The routes are part of the public interface.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    Ticker::provide();
    follow_the_keyboard();
    view! {
        <Router>
            <Routes fallback=NotFound>
                <Route path=path!("/") view=Home />
                // One route for both, so that going live keeps the camera running.
                <Route path=path!("/live/:key?") view=Studio />
                <Route path=path!("/room/:key") view=Watch />
                <Route path=path!("/embed/:key") view=Embed />
            </Routes>
        </Router>
    }
}

/// Tells the style sheet how high the page is above an on-screen keyboard: on iOS the keyboard covers
/// the page instead of resizing it.
fn follow_the_keyboard() {
    let Some(viewport) = window().visual_viewport() else {
        return;
    };
    let watched = viewport.clone();
    let resized = EventListener::new(&viewport, "resize", move |_| {
        let root = document()
            .document_element()
            .and_then(|root| root.dyn_into::<HtmlElement>().ok());
        let Some(root) = root else { return };
        // While zoomed in, the visible part says nothing about keyboards.
        let zoomed = (watched.scale() - 1.0).abs() > 0.01;
        let height = if zoomed {
            String::new()
        } else {
            format!("{}px", watched.height())
        };
        // Fails for malformed names only.
        let _ = root.style().set_property("--visible-height", &height);
    });
    StoredValue::new_local(resized);
}
