//! Line icons on a 24 by 24 grid, drawn in the colour of the text.

use leptos::prelude::*;

/// Which icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what its name says")]
pub enum Glyph {
    ArrowDown,
    ArrowLeft,
    Ban,
    Broadcast,
    Camera,
    CameraOff,
    Check,
    Clock,
    Close,
    Collapse,
    Copy,
    Expand,
    Eye,
    EyeOff,
    Gift,
    Heart,
    Mic,
    MicOff,
    Moon,
    More,
    Pause,
    Pin,
    Play,
    Refresh,
    Screen,
    Send,
    Sun,
    Trash,
    Volume,
    VolumeOff,
    Warning,
}

impl Glyph {
    /// The outline, as the `d` of an SVG path.
    const fn path(self) -> &'static str {
        match self {
            Self::ArrowDown => "M12 5v14M6 13l6 6 6-6",
            Self::ArrowLeft => "M19 12H5M11 6l-6 6 6 6",
            Self::Ban => "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM6 6l12 12",
            Self::Broadcast => {
                "M12 12h.01M8.5 15.5a5 5 0 0 1 0-7M15.5 8.5a5 5 0 0 1 0 7M5.6 18.4a9 9 0 0 1 \
                 0-12.8M18.4 5.6a9 9 0 0 1 0 12.8"
            }
            Self::Camera => {
                "M3 8a2 2 0 0 1 2-2h8a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2zM15 \
                 10.5l6-3.5v10l-6-3.5z"
            }
            Self::CameraOff => {
                "M9.5 6H13a2 2 0 0 1 2 2v3l6-4v10l-2.5-1.6M15 15v1a2 2 0 0 1-2 2H5a2 2 0 0 \
                 1-2-2V8a2 2 0 0 1 2-2M3 3l18 18"
            }
            Self::Check => "M5 12.5l4.5 4.5L19 7",
            Self::Clock => "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM12 7v5l3.5 2",
            Self::Close => "M6 6l12 12M18 6 6 18",
            Self::Collapse => "M9 4v5H4M15 4v5h5M9 20v-5H4M15 20v-5h5",
            Self::Copy => {
                "M9 11a2 2 0 0 1 2-2h7a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-7a2 2 0 0 1-2-2zM15 \
                 9V6a2 2 0 0 0-2-2H6a2 2 0 0 0-2 2v7a2 2 0 0 0 2 2h3"
            }
            Self::Expand => "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
            Self::Eye => {
                "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 \
                 14.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6z"
            }
            Self::EyeOff => {
                "M10 5.7a9.6 9.6 0 0 1 2-.2c6 0 9.5 6.5 9.5 6.5a16 16 0 0 1-2.6 3.4M6.5 7.2A15.6 15.6 0 0 0 2.5 \
                 12S6 18.5 12 18.5a9 9 0 0 0 4.2-1M9.9 10.2a2.8 2.8 0 0 0 3.9 3.9M3 3l18 18"
            }
            Self::Gift => {
                "M4 12h16v7a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 19zM3 8h18v4H3zM12 \
                 8v12.5M12 8S10.8 3.5 8.3 3.5a2.2 2.2 0 0 0 0 4.5zM12 8s1.2-4.5 3.7-4.5a2.2 \
                 2.2 0 0 1 0 4.5z"
            }
            Self::Heart => {
                "M12 20.3S3.5 15.4 3.5 9.3A4.6 4.6 0 0 1 12 6.8a4.6 4.6 0 0 1 8.5 2.5c0 \
                 6.1-8.5 11-8.5 11z"
            }
            Self::Mic => {
                "M12 15a3 3 0 0 0 3-3V6a3 3 0 0 0-6 0v6a3 3 0 0 0 3 3zM5.5 11.5a6.5 6.5 0 0 0 \
                 13 0M12 18v3M9 21h6"
            }
            Self::MicOff => {
                "M15 9.5V6a3 3 0 0 0-5.8-1M9 9v3a3 3 0 0 0 4.8 2.4M5.5 11.5a6.5 6.5 0 0 0 10.8 \
                 4.9M18.3 13a6.5 6.5 0 0 0 .2-1.5M12 18v3M9 21h6M3 3l18 18"
            }
            Self::Moon => "M20 14.2A8.2 8.2 0 0 1 9.8 4a8.2 8.2 0 1 0 10.2 10.2z",
            Self::More => {
                "M5 12h.01M12 12h.01M19 12h.01M5.6 12a.6.6 0 1 1-1.2 0 .6.6 0 0 1 1.2 0zM12.6 12a.6.6 0 1 \
                 1-1.2 0 .6.6 0 0 1 1.2 0zM19.6 12a.6.6 0 1 1-1.2 0 .6.6 0 0 1 1.2 0z"
            }
            Self::Pause => "M8.5 5v14M15.5 5v14",
            Self::Pin => "M9 4h6M10 4v6l-3 4h10l-3-4V4M12 14v6",
            Self::Play => {
                "M7 4.8v14.4a.6.6 0 0 0 .9.5l11.6-7.2a.6.6 0 0 0 0-1L7.9 4.3a.6.6 0 0 0-.9.5z"
            }
            Self::Refresh => {
                "M20 11.5A8 8 0 0 0 5.6 7M4 4v4.5h4.5M4 12.5A8 8 0 0 0 18.4 17M20 20v-4.5h-4.5"
            }
            Self::Screen => {
                "M3 6a1.5 1.5 0 0 1 1.5-1.5h15A1.5 1.5 0 0 1 21 6v9.5a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 \
                 15.5zM9 20.5h6M12 17v3.5"
            }
            Self::Send => "M20.5 3.5 10.3 13.7M20.5 3.5 14 20.5l-3.7-6.8L3.5 10z",
            Self::Sun => {
                "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 \
                 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 \
                 1.4M6.7 17.3l-1.4 1.4"
            }
            Self::Trash => "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 12.5h9l1-12.5M10 11v5M14 11v5",
            Self::Volume => {
                "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11"
            }
            Self::VolumeOff => "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5",
            Self::Warning => "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17h.01",
        }
    }
}

/// An icon beside or instead of a text; screen readers skip it.
#[component]
pub fn Icon(
    /// Which one.
    #[prop(into)]
    glyph: Signal<Glyph>,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
            <path d=move || glyph.get().path() />
        </svg>
    }
}
