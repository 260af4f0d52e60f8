//! AAC as far as a server has to understand it: the AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1).

use bytes::Bytes;

/// Sampling frequencies by their index (table 1.18), in Hz.
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];
/// Announces an extension behind the configuration (section 1.6.6.1).
const SYNC_EXTENSION: u32 = 0x2b7;

/// Audio object types (table 1.17).
mod object_type {
    pub(super) const LC: u32 = 2;
    pub(super) const SBR: u32 = 5;
    pub(super) const PS: u32 = 29;
}

/// An AAC-LC track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AacFormat {
    /// The AudioSpecificConfig, as it was sent.
    pub config: Bytes,
    /// In Hz.
    pub sample_rate: u32,
    /// 1 or 2.
    pub channels: u8,
}

/// A configuration that cannot be used. `Display` says what to choose instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AacError {
    /// It ends early, or names a reserved value.
    #[error("the AAC configuration is not valid")]
    Invalid,
    /// HE-AAC, or HE-AAC v2.
    #[error("the sound is HE-AAC, please choose AAC-LC (often simply called AAC)")]
    HighEfficiency,
    /// Another audio object type than LC.
    #[error("the sound is AAC of object type {0}, please choose AAC-LC (often simply called AAC)")]
    ObjectType(u32),
    /// More than two channels, or a layout of the stream's own.
    #[error("the sound has neither one nor two channels, please choose mono or stereo")]
    Channels,
}

impl AacFormat {
    /// Reads an AudioSpecificConfig.
    ///
    /// # Errors
    /// [`AacError`].
    pub fn parse(config: Bytes) -> Result<Self, AacError> {
        let mut bits = Bits::new(&config);
        let object_type = bits.object_type()?;
        let sample_rate = match bits.take(4)? {
            15 => bits.take(24)?,
            index => *RATES.get(index as usize).ok_or(AacError::Invalid)?,
        };
        let layout = bits.take(4)?;
        match object_type {
            object_type::LC => {}
            object_type::SBR | object_type::PS => return Err(AacError::HighEfficiency),
            other => return Err(AacError::ObjectType(other)),
        }
        if sample_rate == 0 {
            return Err(AacError::Invalid);
        }
        let channels = match layout {
            1 => 1,
            2 => 2,
            _ => return Err(AacError::Channels),
        };
        // GASpecificConfig (section 4.4.1): frame length, core coder, extension.
        bits.take(3)?;
        if bits.announces_sbr() {
            return Err(AacError::HighEfficiency);
        }
        Ok(Self {
            config,
            sample_rate,
            channels,
        })
    }
}

/// Reads bits, the most significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// At most 32.
    fn take(&mut self, count: usize) -> Result<u32, AacError> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8).ok_or(AacError::Invalid)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }

    fn object_type(&mut self) -> Result<u32, AacError> {
        match self.take(5)? {
            31 => Ok(32 + self.take(6)?),
            object_type => Ok(object_type),
        }
    }

    /// Whether what follows says that high frequencies are coded as SBR. OBS says that they are not.
    fn announces_sbr(&mut self) -> bool {
        self.take(11) == Ok(SYNC_EXTENSION)
            && self.object_type() == Ok(object_type::SBR)
            && self.take(1) == Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(config: &'static [u8]) -> Result<(u32, u8), AacError> {
        AacFormat::parse(Bytes::from_static(config)).map(|aac| (aac.sample_rate, aac.channels))
    }

    #[test]
    fn two_bytes_are_enough() {
        assert_eq!(parse(&[0x12, 0x10]), Ok((44_100, 2)));
        assert_eq!(parse(&[0x11, 0x88]), Ok((48_000, 1)));
    }

    #[test]
    fn obs_sends_five_bytes() {
        assert_eq!(parse(&[0x11, 0x90, 0x56, 0xe5, 0x00]), Ok((48_000, 2)));
    }

    #[test]
    fn a_rate_may_be_written_out() {
        assert_eq!(parse(&[0x17, 0x80, 0x5d, 0xc0, 0x10]), Ok((48_000, 2)));
    }

    #[test]
    fn he_aac_is_told_apart_however_it_is_signalled() {
        // The first four are libfdk-aac's, version 1 and 2 at 48 and at 44.1 kHz.
        for config in [
            &[0x2b, 0x11, 0x88, 0x00][..],
            &[0x2b, 0x92, 0x08, 0x00],
            &[0xeb, 0x09, 0x88, 0x00],
            &[0xeb, 0x8a, 0x08, 0x00],
            &[0x11, 0x90, 0x56, 0xe5, 0x80],
        ] {
            assert_eq!(
                parse(config),
                Err(AacError::HighEfficiency),
                "{config:02x?}"
            );
        }
    }

    #[test]
    fn other_object_types_are_named() {
        assert_eq!(parse(&[0x0a, 0x10]), Err(AacError::ObjectType(1)));
    }

    #[test]
    fn more_than_two_channels_are_refused() {
        assert_eq!(parse(&[0x11, 0xb0]), Err(AacError::Channels));
        assert_eq!(parse(&[0x11, 0x80]), Err(AacError::Channels));
    }

    #[test]
    fn what_ends_early_is_refused() {
        for config in [&[][..], &[0x12], &[0x17, 0x80]] {
            assert_eq!(parse(config), Err(AacError::Invalid), "{config:?}");
        }
    }
}
