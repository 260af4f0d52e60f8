//! What goes wrong with cameras, in plain words.

use wasm_bindgen::JsValue;

use crate::browser;

/// Why there is no picture or no sound. `Display` is a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// The person, or the system, said no.
    #[error(
        "Camera and microphone are blocked for this page. Allow them with the camera symbol beside \
         the address (on a phone: in the browser's settings for this site), then try again."
    )]
    NotAllowed,
    /// There is no such device.
    #[error("No camera or microphone was found. Please connect one and try again.")]
    NotFound,
    /// Another program has it.
    #[error(
        "The camera or microphone is used by another program. Please close that program, then try \
         again."
    )]
    InUse,
    /// The device cannot do what was asked of it.
    #[error("This device does not offer what a broadcast needs. Please choose another one.")]
    Overconstrained,
    /// Browsers give cameras to secure pages only.
    #[error(
        "Browsers allow the camera only on secure pages. Please open this page over https, or on \
         localhost."
    )]
    Insecure,
    /// Both camera and microphone are switched off.
    #[error("Please choose a camera or a microphone: a broadcast needs at least one of them.")]
    NothingChosen,
    /// Anything else.
    #[error("The camera could not be started ({0}). Please reload the page and try again.")]
    Other(String),
}

impl CaptureError {
    /// Reads what `getUserMedia` rejects with.
    pub(super) fn from_js(error: &JsValue) -> Self {
        Self::from_name(&browser::error_name(error), || {
            browser::error_message(error)
        })
    }

    /// By the exception's name (Media Capture and Streams, section 10.2).
    fn from_name(name: &str, message: impl FnOnce() -> String) -> Self {
        match name {
            "NotAllowedError" | "PermissionDeniedError" => Self::NotAllowed,
            "NotFoundError" | "DevicesNotFoundError" => Self::NotFound,
            "NotReadableError" | "TrackStartError" | "AbortError" => Self::InUse,
            "OverconstrainedError" | "ConstraintNotSatisfiedError" => Self::Overconstrained,
            "SecurityError" => Self::Insecure,
            _ => Self::Other(message()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_exception_has_its_own_words() {
        let of = |name| CaptureError::from_name(name, || "message".into());
        assert_eq!(of("NotAllowedError"), CaptureError::NotAllowed);
        assert_eq!(of("NotFoundError"), CaptureError::NotFound);
        assert_eq!(of("NotReadableError"), CaptureError::InUse);
        assert_eq!(of("OverconstrainedError"), CaptureError::Overconstrained);
        assert_eq!(of("TypeError"), CaptureError::Other("message".into()));
    }
}
