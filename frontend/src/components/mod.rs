//! The parts that pages are made of, one a file.

pub mod banner;
pub mod chat;
pub mod chat_panel;
pub mod comment;
pub mod comment_tools;
pub mod composer;
pub mod confirm_dialog;
pub mod copy_field;
pub mod device_picker;
pub mod elapsed;
pub mod gift_toast;
pub mod gift_tray;
pub mod hearts;
pub mod icon;
pub mod live_badge;
pub mod message;
pub mod mic_meter;
pub mod pinned;
pub mod player;
pub mod player_controls;
pub mod poster;
pub mod room_card;
pub mod share_card;
pub mod site_header;
pub mod stat;
pub mod theme_toggle;
