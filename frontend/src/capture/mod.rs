//! Camera, microphone and screen.

mod devices;
mod error;
mod sources;

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{MediaDevices, MediaStream, MediaStreamConstraints, MediaStreamTrack};

use crate::logic::quality::Quality;

pub use devices::{Device, Devices};
pub use error::CaptureError;
pub use sources::Sources;

/// What a track comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Picture, be it the screen's.
    Camera,
    /// Sound.
    Microphone,
}

impl Kind {
    /// Where `track` comes from.
    #[must_use]
    pub fn of(track: &MediaStreamTrack) -> Self {
        if track.kind() == "video" {
            Self::Camera
        } else {
            Self::Microphone
        }
    }
}

/// Which device to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The browser's choice.
    Default,
    /// The device with this id.
    Device(String),
    /// A window or a screen, in place of a camera; the person says which.
    Screen,
    /// None.
    Off,
}

impl Choice {
    fn camera_constraints(&self, quality: Quality) -> serde_json::Value {
        let (width, height) = quality.size();
        self.constraints(serde_json::json!({
            "width": {"ideal": width},
            "height": {"ideal": height},
            "frameRate": {"ideal": 30, "max": 30},
        }))
    }

    fn microphone_constraints(&self) -> serde_json::Value {
        self.constraints(serde_json::json!({
            "echoCancellation": true,
            "noiseSuppression": true,
            "autoGainControl": true,
        }))
    }

    fn constraints(&self, mut constraints: serde_json::Value) -> serde_json::Value {
        if *self == Self::Off {
            return false.into();
        }
        if let Self::Device(id) = self {
            constraints["deviceId"] = serde_json::json!({"exact": id});
        }
        constraints
    }
}

/// The browser's devices.
///
/// # Errors
/// [`CaptureError::Insecure`] where the page may not use any, being neither https nor localhost.
fn media_devices() -> Result<MediaDevices, CaptureError> {
    let window = leptos::prelude::window();
    // Absent in an insecure context, though the bindings say otherwise.
    let devices = js_sys::Reflect::get(&window.navigator(), &"mediaDevices".into())
        .ok()
        .filter(|devices| !devices.is_undefined())
        .ok_or(CaptureError::Insecure)?;
    Ok(devices.unchecked_into())
}

/// Asks for a camera, a microphone, or both; the browser asks the person.
async fn get_user_media(
    camera: &Choice,
    quality: Quality,
    microphone: &Choice,
) -> Result<MediaStream, CaptureError> {
    let constraints = serde_json::json!({
        "video": camera.camera_constraints(quality),
        "audio": microphone.microphone_constraints(),
    });
    let constraints: MediaStreamConstraints = js_sys::JSON::parse(&constraints.to_string())
        .map_err(|error| CaptureError::from_js(&error))?
        .unchecked_into();
    let asked = media_devices()?
        .get_user_media_with_constraints(&constraints)
        .map_err(|error| CaptureError::from_js(&error))?;
    let stream: JsValue = JsFuture::from(asked)
        .await
        .map_err(|error| CaptureError::from_js(&error))?;
    Ok(stream.unchecked_into())
}

/// Whether this browser can share a screen; phones cannot.
#[must_use]
pub fn can_share_screen() -> bool {
    media_devices().is_ok_and(|devices| {
        js_sys::Reflect::has(&devices, &"getDisplayMedia".into()).unwrap_or(false)
    })
}

/// Asks for a window or a screen; the browser lets the person choose.
async fn get_display_media() -> Result<MediaStreamTrack, CaptureError> {
    let asked = media_devices()?
        .get_display_media()
        .map_err(|error| CaptureError::from_js(&error))?;
    let stream: JsValue = JsFuture::from(asked)
        .await
        .map_err(|error| CaptureError::from_js(&error))?;
    let track = tracks(&stream.unchecked_into()).find(|track| Kind::of(track) == Kind::Camera);
    let track = track.ok_or(CaptureError::NotFound)?;
    // A screen that cannot be made smaller is sent as it is.
    let limits = serde_json::json!({
        "width": {"max": 1920}, "height": {"max": 1080}, "frameRate": {"max": 30},
    });
    constrain(&track, &limits).await;
    Ok(track)
}

/// Asks a running `track` for something else; where that cannot be, it stays as it is.
async fn constrain(track: &MediaStreamTrack, constraints: &serde_json::Value) {
    if let Ok(constraints) = js_sys::JSON::parse(&constraints.to_string())
        && let Ok(applied) = track.apply_constraints_with_constraints(constraints.unchecked_ref())
    {
        let _ = JsFuture::from(applied).await;
    }
}

fn tracks(stream: &MediaStream) -> impl Iterator<Item = MediaStreamTrack> + use<> {
    stream
        .get_tracks()
        .to_vec()
        .into_iter()
        .map(JsCast::unchecked_into)
}
