//! The ICE-lite side of connectivity checks (RFC 8445 section 2.5): it answers, it never asks.

use std::net::SocketAddr;
use std::sync::Arc;

use rtc::crypto::RTCCryptoProvider;
use rtc::stun::attributes::{ATTR_ICE_CONTROLLED, ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc::stun::error_code::CODE_ROLE_CONFLICT;
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS, Message, Setter};
use rtc::stun::xoraddr::XorMappedAddress;

/// Both sides' names and our password (RFC 8839 section 5.4).
#[derive(Clone)]
pub(in crate::webrtc) struct Credentials {
    pub(in crate::webrtc) ufrag: String,
    pub(in crate::webrtc) password: String,
    pub(in crate::webrtc) remote_ufrag: String,
}

/// What an authentic check leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Checked {
    /// Goes back to where the check came from.
    pub(super) response: Vec<u8>,
    /// Whether the path that the check took works.
    pub(super) valid: bool,
    /// Whether media has to take that path from now on.
    pub(super) nominated: bool,
}

/// Answers the checks of one viewer.
pub(super) struct IceLite {
    username: String,
    password: String,
    crypto: Arc<dyn RTCCryptoProvider>,
}

impl IceLite {
    pub(super) fn new(credentials: Credentials, crypto: Arc<dyn RTCCryptoProvider>) -> Self {
        let Credentials {
            ufrag,
            password,
            remote_ufrag,
        } = credentials;
        Self {
            username: format!("{ufrag}:{remote_ufrag}"),
            password,
            crypto,
        }
    }

    /// Looks at a STUN message. `None` when it is no request, or nobody who knows the password made it:
    /// such messages are not answered, so that we amplify nothing.
    pub(super) fn check(&self, datagram: &[u8], from: SocketAddr) -> Option<Checked> {
        let mut request = Message::new();
        request.unmarshal_binary(datagram).ok()?;
        if request.typ != BINDING_REQUEST {
            return None;
        }
        // RFC 8445 section 7.3: the name is ours, then the client's.
        if request.get(ATTR_USERNAME).ok()? != self.username.as_bytes() {
            return None;
        }
        MessageIntegrity::check(&mut request, self.password.as_bytes(), self.crypto.crypto())
            .ok()?;
        // RFC 8445 section 7.3.1.1: we are lite, so the client has to be controlling (section 6.1.1).
        if request.contains(ATTR_ICE_CONTROLLED) {
            return Some(Checked {
                response: self.response(&request, Box::new(BINDING_ERROR), {
                    Box::new(CODE_ROLE_CONFLICT)
                })?,
                valid: false,
                nominated: false,
            });
        }
        let mapped = XorMappedAddress {
            ip: from.ip(),
            port: from.port(),
        };
        Some(Checked {
            response: self.response(&request, Box::new(BINDING_SUCCESS), Box::new(mapped))?,
            valid: true,
            nominated: request.contains(ATTR_USE_CANDIDATE),
        })
    }

    fn response(
        &self,
        request: &Message,
        kind: Box<dyn Setter>,
        body: Box<dyn Setter>,
    ) -> Option<Vec<u8>> {
        let integrity = MessageIntegrity::new_short_term_integrity_with_provider(
            self.password.clone(),
            self.crypto.crypto(),
        );
        let mut response = Message::new();
        let setters: [Box<dyn Setter + '_>; 5] = [
            Box::new(request.transaction_id),
            kind,
            body,
            Box::new(integrity),
            Box::new(FINGERPRINT),
        ];
        response.build(&setters).ok()?;
        Some(response.raw)
    }
}
