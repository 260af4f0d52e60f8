//! hls.js, as far as it is used here.

use js_sys::Object;
use wasm_bindgen::prelude::*;
use web_sys::HtmlVideoElement;

#[wasm_bindgen(inline_js = "
// Loaded when first needed, and not where it could not run.
export async function loadHls(config) {
    if (!self.ManagedMediaSource && !self.MediaSource) return undefined;
    const { default: Hls } = await import('/vendor/hls-1.7.4/hls.light.min.mjs');
    if (!Hls.isSupported()) return undefined;
    const hls = new Hls(config);
    // Where less than this is missing at its end, in seconds, 1.7.4 takes a segment for complete. By default
    // that is as long as a part: the last one of a segment was not fetched where the segment was over before
    // the part in front of it was there, and the picture stood still for as long as two segments.
    hls.streamController.fragmentTracker.bufferPadding = 0.01;
    return hls;
}
")]
extern "C" {
    pub(super) type Hls;

    /// `undefined` where the browser has no Media Source Extensions for H.264.
    #[wasm_bindgen(js_name = loadHls, catch)]
    pub(super) async fn load_hls(config: &Object) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, js_name = loadSource)]
    pub(super) fn load_source(this: &Hls, url: &str);
    #[wasm_bindgen(method, js_name = attachMedia)]
    pub(super) fn attach_media(this: &Hls, video: &HtmlVideoElement);
    #[wasm_bindgen(method)]
    pub(super) fn on(this: &Hls, event: &str, listener: &JsValue);
    #[wasm_bindgen(method)]
    pub(super) fn destroy(this: &Hls);

    /// Seconds behind the newest part; 0 while unknown.
    #[wasm_bindgen(method, getter)]
    pub(super) fn latency(this: &Hls) -> f64;
    /// Seconds behind the newest part that the playlist asks for; `null` while unknown.
    #[wasm_bindgen(method, getter, js_name = targetLatency)]
    pub(super) fn target_latency(this: &Hls) -> Option<f64>;
    /// The element's time that is the target; `null` while unknown.
    #[wasm_bindgen(method, getter, js_name = liveSyncPosition)]
    pub(super) fn live_sync_position(this: &Hls) -> Option<f64>;
}

/// What [`Hls`] tells of an error.
#[wasm_bindgen]
extern "C" {
    pub(super) type ErrorData;

    /// Whether hls.js gives up.
    #[wasm_bindgen(method, getter)]
    pub(super) fn fatal(this: &ErrorData) -> bool;
    /// What it is called.
    #[wasm_bindgen(method, getter)]
    pub(super) fn details(this: &ErrorData) -> String;
}
