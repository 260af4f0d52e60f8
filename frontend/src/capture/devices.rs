//! Which cameras and microphones there are.

use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{MediaDeviceInfo, MediaDeviceKind};

use super::{CaptureError, Kind, media_devices};

/// A camera or a microphone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The browser's id for it, stable on this site.
    pub id: String,
    /// What people call it.
    pub label: String,
}

/// All cameras and microphones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// Cameras.
    pub cameras: Vec<Device>,
    /// Microphones.
    pub microphones: Vec<Device>,
}

impl Devices {
    /// Asks the browser. Ids and labels are empty before the person allowed a device; such entries
    /// are left out.
    ///
    /// # Errors
    /// Where the page may not know.
    pub async fn list() -> Result<Self, CaptureError> {
        let asked = media_devices()?
            .enumerate_devices()
            .map_err(|error| CaptureError::from_js(&error))?;
        let found = JsFuture::from(asked)
            .await
            .map_err(|error| CaptureError::from_js(&error))?;
        let mut devices = Self::default();
        for info in js_sys::Array::from(&found).iter() {
            let info: MediaDeviceInfo = info.unchecked_into();
            let (list, noun) = match info.kind() {
                MediaDeviceKind::Videoinput => (&mut devices.cameras, "Camera"),
                MediaDeviceKind::Audioinput => (&mut devices.microphones, "Microphone"),
                _ => continue,
            };
            let (id, label) = (info.device_id(), info.label());
            if id.is_empty() {
                continue;
            }
            let label = if label.is_empty() {
                format!("{noun} {}", list.len() + 1)
            } else {
                label
            };
            list.push(Device { id, label });
        }
        Ok(devices)
    }

    /// The devices of one kind.
    #[must_use]
    pub fn of_kind(&self, kind: Kind) -> &[Device] {
        match kind {
            Kind::Camera => &self.cameras,
            Kind::Microphone => &self.microphones,
        }
    }
}
