//! Dark or light.

use leptos::prelude::*;

use crate::{browser, storage};

/// The colours of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Light text on dark surfaces.
    Dark,
    /// Dark text on light surfaces.
    Light,
}

impl Theme {
    const fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light => Self::Dark,
        }
    }

    /// What the person chose, else what the system prefers.
    #[must_use]
    pub fn current() -> Self {
        match storage::get(storage::THEME).as_deref() {
            Some("dark") => Self::Dark,
            Some("light") => Self::Light,
            _ if browser::media_matches("(prefers-color-scheme: light)") => Self::Light,
            _ => Self::Dark,
        }
    }

    /// Chooses this theme, now and for later visits.
    pub fn choose(self) {
        storage::set(storage::THEME, self.name());
        self.apply();
    }

    fn apply(self) {
        if let Some(root) = document().document_element() {
            // Setting an attribute fails for malformed names only.
            let _ = root.set_attribute("data-theme", self.name());
        }
    }
}

/// Shows the theme that the person chose on an earlier visit; without one the style sheet follows
/// the system.
pub fn apply_stored() {
    if storage::get(storage::THEME).is_some() {
        Theme::current().apply();
    }
}
