//! Keeps the screen on (W3C Screen Wake Lock).

use gloo_events::EventListener;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;

use crate::browser;

#[wasm_bindgen(inline_js = "
// Resolves to undefined where the browser knows no such lock, or saves its battery.
export async function lockScreen() {
    try {
        return await navigator.wakeLock?.request('screen');
    } catch {
        return undefined;
    }
}
")]
extern "C" {
    type Sentinel;

    #[wasm_bindgen(js_name = lockScreen)]
    async fn lock_screen() -> JsValue;
    #[wasm_bindgen(method)]
    fn release(this: &Sentinel) -> js_sys::Promise;
}

/// Keeps the screen on while `wanted`, until the component that calls this ends.
pub fn keep_screen_on(wanted: Signal<bool>) {
    let held = StoredValue::new_local(None::<Sentinel>);
    let release = move || {
        if let Some(Some(sentinel)) = held.try_update_value(Option::take) {
            // Done once it is called; the answer says nothing.
            let _ = sentinel.release();
        }
    };
    let update = move || {
        if wanted.try_get_untracked() != Some(true) {
            release();
            return;
        }
        spawn_local(async move {
            let locked = lock_screen().await;
            if locked.is_undefined() {
                return;
            }
            let sentinel: Sentinel = locked.unchecked_into();
            // Meanwhile the page may have been left, or the broadcast have ended.
            if wanted.try_get_untracked() == Some(true) {
                release();
                held.try_set_value(Some(sentinel));
            } else {
                let _ = sentinel.release();
            }
        });
    };
    Effect::new(move |_| {
        wanted.track();
        update();
    });
    // The browser takes the lock back whenever the page is hidden.
    let seen = EventListener::new(&document(), "visibilitychange", move |_| {
        if browser::page_is_visible() {
            update();
        }
    });
    StoredValue::new_local(seen);
    on_cleanup(release);
}
