//! One viewer's SRTP and SRTCP (RFC 3711, RFC 7714), keyed by DTLS (RFC 5764).
//!
//! Media packets are the hot path: with AES-GCM they are encrypted where they lie, without a copy and
//! without an allocation. The fallback profile and SRTCP go through the `rtc-srtp` crate.

use bytes::BytesMut;
use rtc::crypto::{AeadAlgorithm, AeadCipher, BlockCipherAlgorithm, RTCCrypto};
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::dtls::state::State;
use rtc::shared::error::{Error, Result};
use rtc::srtp::config::{Config, LABEL_EXTRACTOR_DTLS_SRTP};
use rtc::srtp::context::Context;
use rtc::srtp::option::srtcp_replay_protection;
use rtc::srtp::protection_profile::ProtectionProfile;

/// An RTP header without sources and extensions (RFC 3550 section 5.1), which is all we send.
pub(super) const RTP_HEADER: usize = 12;
/// What AES-GCM adds to a packet (RFC 7714 section 13).
const TAG: usize = 16;
const SALT: usize = 12;
/// Received SRTCP packets that are remembered against replays (RFC 3711 section 3.3.2).
const REPLAY_WINDOW: usize = 64;
/// Sources that fail to authenticate before no more unknown ones are tried: each one tried is remembered.
const MAX_STRANGERS: usize = 256;
/// Sources a viewer sends RTCP as: one a track, and some to spare.
const MAX_SOURCES: usize = 8;

/// Labels of the key derivation (RFC 3711 section 4.3.1).
const LABEL_KEY: u8 = 0x00;
const LABEL_SALT: u8 = 0x02;

/// The profile we take where it is offered (RFC 7714 section 14.2).
pub(super) const PREFERRED: SrtpProtectionProfile = SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm;
/// The profiles we take (RFC 5764 section 4.1.2).
pub(super) const PROFILES: [SrtpProtectionProfile; 2] = [
    PREFERRED,
    SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
];

/// Both directions of one viewer.
pub(super) struct Srtp {
    media: Media,
    outbound: Context,
    inbound: Context,
    /// Sources that have authenticated.
    sources: Vec<u32>,
    strangers: usize,
}

enum Media {
    Gcm {
        cipher: Box<dyn AeadCipher>,
        salt: [u8; SALT],
    },
    Other(Box<Context>),
}

impl Srtp {
    /// From a finished handshake.
    ///
    /// # Errors
    /// When the client negotiated no profile of ours.
    pub(super) fn new(handshake: &State, crypto: &dyn RTCCrypto) -> Result<Self> {
        let profile = match handshake.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => ProtectionProfile::AeadAes128Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => {
                ProtectionProfile::Aes128CmHmacSha1_80
            }
            _ => return Err(Error::Other("no SRTP profile in common".to_owned())),
        };
        let mut config = Config {
            profile,
            ..Config::default()
        };
        let length = config.keying_material_len();
        let material = handshake.export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], length)?;
        config.set_session_keys_from_keying_material(material.as_ref(), handshake.is_client())?;
        Self::keyed(&config, crypto)
    }

    /// With these keys.
    ///
    /// # Errors
    /// When they do not fit the profile.
    pub(super) fn keyed(config: &Config, crypto: &dyn RTCCrypto) -> Result<Self> {
        let (profile, keys) = (config.profile, &config.keys);
        let (key, salt) = (&keys.local_master_key, &keys.local_master_salt);
        let context = |key: &[u8], salt: &[u8]| {
            let replays = Some(srtcp_replay_protection(REPLAY_WINDOW));
            Context::new(key, salt, profile, None, replays, crypto)
        };
        let media = match profile {
            ProtectionProfile::AeadAes128Gcm => Media::gcm(key, salt, crypto)?,
            _ => Media::Other(Box::new(context(key, salt)?)),
        };
        Ok(Self {
            media,
            outbound: context(key, salt)?,
            inbound: context(&keys.remote_master_key, &keys.remote_master_salt)?,
            sources: Vec::new(),
            strangers: 0,
        })
    }

    /// Encrypts the RTP packet that lies in `buffer` from `start` to the end. Its header says the lower
    /// half of its index, `rollovers` the upper one (RFC 3711 section 3.3.1).
    ///
    /// # Errors
    /// When the cipher refuses; then `buffer` ends at `start`.
    pub(super) fn protect(
        &mut self,
        buffer: &mut Vec<u8>,
        start: usize,
        rollovers: u32,
    ) -> Result<()> {
        let protected = self.media.protect(buffer, start, rollovers);
        if protected.is_err() {
            buffer.truncate(start);
        }
        protected
    }

    /// Encrypts a compound RTCP packet.
    ///
    /// # Errors
    /// When it is none, or the cipher refuses.
    pub(super) fn protect_rtcp(&mut self, compound: &[u8]) -> Result<BytesMut> {
        self.outbound.encrypt_rtcp(compound)
    }

    /// Decrypts a compound RTCP packet; `None` when it is forged, damaged or was there before.
    pub(super) fn open_rtcp(&mut self, packet: &[u8]) -> Option<BytesMut> {
        let source = u32::from_be_bytes(*packet.get(4..)?.first_chunk()?);
        let known = self.sources.contains(&source);
        if !known && (self.strangers >= MAX_STRANGERS || self.sources.len() >= MAX_SOURCES) {
            return None;
        }
        let opened = self.inbound.decrypt_rtcp(packet).ok();
        match (&opened, known) {
            (Some(_), false) => self.sources.push(source),
            (None, false) => self.strangers += 1,
            _ => {}
        }
        opened
    }
}

impl Media {
    fn gcm(key: &[u8], master_salt: &[u8], crypto: &dyn RTCCrypto) -> Result<Self> {
        let session_key = derive(LABEL_KEY, key, master_salt, crypto)?;
        let salt = derive(LABEL_SALT, key, master_salt, crypto)?;
        let cipher = crypto
            .new_aead(AeadAlgorithm::Aes128Gcm, &session_key)
            .map_err(|error| Error::Crypto(error.to_string()))?;
        let salt = salt.first_chunk().copied().unwrap_or_default();
        Ok(Self::Gcm { cipher, salt })
    }

    fn protect(&mut self, buffer: &mut Vec<u8>, start: usize, rollovers: u32) -> Result<()> {
        match self {
            Self::Gcm { cipher, salt } => {
                let packet = &mut buffer[start..];
                let nonce = nonce(packet, rollovers, salt);
                let (header, payload) = packet
                    .split_at_mut_checked(RTP_HEADER)
                    .ok_or(Error::ErrTooShortRtp)?;
                let mut tag = [0; TAG];
                cipher
                    .seal_in_place(&nonce, header, payload, &mut tag)
                    .map_err(|error| Error::Crypto(error.to_string()))?;
                buffer.extend_from_slice(&tag);
            }
            // It counts the rollovers itself, as the receiver does.
            Self::Other(context) => {
                let protected = context.encrypt_rtp(&buffer[start..])?;
                buffer.truncate(start);
                buffer.extend_from_slice(&protected);
            }
        }
        Ok(())
    }
}

/// SSRC, rollovers and sequence number, mixed with the salt (RFC 7714 section 8.1).
fn nonce(packet: &[u8], rollovers: u32, salt: &[u8; SALT]) -> [u8; SALT] {
    let mut nonce = [0; SALT];
    if let (Some(sequence), Some(ssrc)) = (packet.get(2..4), packet.get(8..12)) {
        nonce[2..6].copy_from_slice(ssrc);
        nonce[6..10].copy_from_slice(&rollovers.to_be_bytes());
        nonce[10..].copy_from_slice(sequence);
    }
    for (byte, salt) in nonce.iter_mut().zip(salt) {
        *byte ^= salt;
    }
    nonce
}

/// The first block of the key stream for a label (RFC 3711 section 4.3.3), which is all AES-128 needs.
fn derive(label: u8, key: &[u8], salt: &[u8], crypto: &dyn RTCCrypto) -> Result<[u8; 16]> {
    let mut block = [0; 16];
    for (byte, salt) in block[..14].iter_mut().zip(salt) {
        *byte = *salt;
    }
    block[7] ^= label;
    crypto
        .block_encrypt(BlockCipherAlgorithm::Aes128, key, &mut block)
        .map_err(|error| Error::Crypto(error.to_string()))?;
    Ok(block)
}
