//! Names of files, as playlists give them.

use std::str::FromStr;

use crate::hls::playlist;
use crate::hls::segment::Next;
use crate::media::access_unit::TrackKind;

/// A file of a presentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum File {
    /// `video.m3u8`.
    Playlist(TrackKind),
    /// `video-init-0.mp4`.
    Init(TrackKind, u32),
    /// `video-7.m4s`.
    Segment(TrackKind, u64),
    /// `video-7.2.m4s`.
    Part(TrackKind, Next),
}

impl File {
    /// The rendition it belongs to.
    pub(super) const fn kind(self) -> TrackKind {
        match self {
            Self::Playlist(kind)
            | Self::Init(kind, _)
            | Self::Segment(kind, _)
            | Self::Part(kind, _) => kind,
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let kinds = [TrackKind::Video, TrackKind::Audio];
        let (kind, rest) = kinds
            .into_iter()
            .find_map(|kind| Some((kind, name.strip_prefix(playlist::name(kind))?)))?;
        if rest == ".m3u8" {
            return Some(Self::Playlist(kind));
        }
        let rest = rest.strip_prefix('-')?;
        if let Some(number) = rest.strip_prefix("init-") {
            return Some(Self::Init(kind, number_in(number.strip_suffix(".mp4")?)?));
        }
        let number = rest.strip_suffix(".m4s")?;
        Some(match number.split_once('.') {
            Some((segment, part)) => Self::Part(
                kind,
                Next {
                    segment: number_in(segment)?,
                    part: number_in(part)?,
                },
            ),
            None => Self::Segment(kind, number_in(number)?),
        })
    }
}

impl FromStr for File {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::parse(name).ok_or(())
    }
}

/// A number as we write it: every file has one name, for the sake of caches.
fn number_in<T: FromStr + ToString>(text: &str) -> Option<T> {
    let number: T = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_playlists_give_them() {
        let file = |name: &str| name.parse::<File>();
        assert_eq!(file("video.m3u8"), Ok(File::Playlist(TrackKind::Video)));
        assert_eq!(
            file("audio-init-1.mp4"),
            Ok(File::Init(TrackKind::Audio, 1))
        );
        assert_eq!(file("video-7.m4s"), Ok(File::Segment(TrackKind::Video, 7)));
        let next = Next {
            segment: 7,
            part: 2,
        };
        assert_eq!(
            file("video-7.2.m4s"),
            Ok(File::Part(TrackKind::Video, next))
        );
    }

    #[test]
    fn nothing_else_is_a_file() {
        for name in [
            "",
            "video",
            "sound.m3u8",
            "video-.m4s",
            "video-07.m4s",
            "video-+7.m4s",
            "video--7.m4s",
            "video-7.2.3.m4s",
            "video-18446744073709551616.m4s",
            "..",
            "video-init-0.m4s",
        ] {
            assert_eq!(name.parse::<File>(), Err(()), "{name}");
        }
    }
}
