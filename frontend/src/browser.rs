//! Small questions to the browser.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::logic::shortcut::Focus;

/// Whether the person asked the system for less motion.
#[must_use]
pub fn prefers_reduced_motion() -> bool {
    media_matches("(prefers-reduced-motion: reduce)")
}

/// Whether a media query holds now.
#[must_use]
pub fn media_matches(query: &str) -> bool {
    window()
        .match_media(query)
        .ok()
        .flatten()
        .is_some_and(|list| list.matches())
}

/// Whether the person can see this page now.
#[must_use]
pub fn page_is_visible() -> bool {
    document().visibility_state() == web_sys::VisibilityState::Visible
}

/// The page's scheme, host and port.
#[must_use]
pub fn origin() -> String {
    window().location().origin().unwrap_or_default()
}

/// Takes what is behind `#name=` out of the address, where nobody looks over the person's shoulder for
/// it, nor finds it in the history.
#[must_use]
pub fn take_fragment(name: &str) -> Option<String> {
    let location = window().location();
    let hash = location.hash().ok()?;
    let value = hash.strip_prefix('#')?.strip_prefix(name)?;
    let value = value.strip_prefix('=')?.to_owned();
    let history = window().history().ok()?;
    // The router keeps its own things there.
    let state = history.state().unwrap_or(JsValue::NULL);
    let path = location.pathname().ok();
    // Where it cannot be taken out, it is of no use to anybody any more all the same.
    let _ = history.replace_state_with_url(&state, "", path.as_deref());
    Some(value)
}

/// A number in `0.0..1.0`.
#[must_use]
pub fn random() -> f64 {
    js_sys::Math::random()
}

/// 128 random bits in hexadecimal digits, fit for a secret.
#[must_use]
pub fn random_text() -> Option<String> {
    let mut bytes = [0; 16];
    let crypto = window().crypto().ok()?;
    crypto.get_random_values_with_u8_array(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What a JavaScript error says.
#[must_use]
pub fn error_message(error: &JsValue) -> String {
    error
        .dyn_ref::<js_sys::Error>()
        .map(|error| String::from(error.message()))
        .or_else(|| {
            error
                .dyn_ref::<web_sys::DomException>()
                .map(web_sys::DomException::message)
        })
        .unwrap_or_else(|| format!("{error:?}"))
}

/// What a JavaScript error is called, such as `NotAllowedError`.
#[must_use]
pub fn error_name(error: &JsValue) -> String {
    error
        .dyn_ref::<web_sys::DomException>()
        .map(web_sys::DomException::name)
        .or_else(|| {
            error
                .dyn_ref::<js_sys::Error>()
                .map(|error| String::from(error.name()))
        })
        .unwrap_or_default()
}

/// What has the focus, by the keys that belong to it.
#[must_use]
pub fn focus() -> Focus {
    let Some(element) = document().active_element() else {
        return Focus::Page;
    };
    let input_type = element.get_attribute("type");
    match (element.tag_name().as_str(), input_type.as_deref()) {
        ("INPUT", Some("range" | "radio")) => Focus::Slider,
        ("INPUT" | "TEXTAREA" | "SELECT", _) => Focus::Field,
        ("BUTTON" | "A", _) => Focus::Button,
        _ if element.has_attribute("tabindex") => Focus::Slider,
        _ => Focus::Page,
    }
}

/// Copies text.
///
/// # Errors
/// Where the browser forbids it: outside a secure context, or without the person's doing.
pub async fn copy(text: &str) -> Result<(), JsValue> {
    // Absent in an insecure context, though the bindings say otherwise.
    let clipboard = js_sys::Reflect::get(&window().navigator(), &"clipboard".into())?;
    let clipboard: web_sys::Clipboard = if clipboard.is_undefined() {
        return Err(clipboard);
    } else {
        clipboard.unchecked_into()
    };
    JsFuture::from(clipboard.write_text(text)).await.map(|_| ())
}

/// Whether the browser's own player takes HLS.
#[must_use]
pub fn plays_hls() -> bool {
    let video = document()
        .create_element("video")
        .map(JsCast::unchecked_into::<web_sys::HtmlMediaElement>);
    video.is_ok_and(|video| {
        !video
            .can_play_type("application/vnd.apple.mpegurl")
            .is_empty()
    })
}

/// Whether a video can float in a window of its own.
#[must_use]
pub fn has_picture_in_picture() -> bool {
    js_sys::Reflect::get(&document(), &"pictureInPictureEnabled".into())
        .is_ok_and(|enabled| enabled.is_truthy())
}

/// Lets `video` float in a window of its own, or brings it back.
pub fn toggle_picture_in_picture(video: &web_sys::HtmlVideoElement) {
    let document: JsValue = document().into();
    let floats = js_sys::Reflect::get(&document, &"pictureInPictureElement".into())
        .is_ok_and(|element| element.is_truthy());
    let (target, method) = if floats {
        (&document, "exitPictureInPicture")
    } else {
        (video.as_ref(), "requestPictureInPicture")
    };
    let called = js_sys::Reflect::get(target, &method.into())
        .and_then(|method| method.unchecked_into::<js_sys::Function>().call0(target));
    if let Ok(promise) = called {
        leptos::task::spawn_local(async move {
            // Refused before the first frame, and where the page embedding this one forbids it.
            let _ = JsFuture::from(promise.unchecked_into::<js_sys::Promise>()).await;
        });
    }
}
