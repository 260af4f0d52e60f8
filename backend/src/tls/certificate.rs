//! A certificate chain with its private key, from PEM.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::provider;

/// A certificate that can be shown.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) shown: Arc<CertifiedKey>,
    pub(super) begins: SystemTime,
    pub(super) expires: SystemTime,
    /// What it is for: names and addresses.
    pub(super) names: Vec<String>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadCertificate {
    /// Not in PEM, or something else in PEM.
    #[error("there is no {0} in PEM in it")]
    Missing(&'static str),
    /// Broken PEM.
    #[error("its PEM is broken ({0})")]
    Pem(pem::Error),
    /// Broken inside the PEM.
    #[error("the certificate cannot be read")]
    Der,
    /// For example a key that is not the certificate's.
    #[error("certificate and key cannot be used together ({0})")]
    Rustls(#[from] rustls::Error),
}

impl Certificate {
    /// Reads a chain, the server's own certificate first, and its key.
    pub(super) fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, BadCertificate> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(BadCertificate::Pem)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            pem::Error::NoItemsFound => BadCertificate::Missing("private key"),
            error => BadCertificate::Pem(error),
        })?;
        let own = chain
            .first()
            .ok_or(BadCertificate::Missing("certificate"))?;
        let (_, own) = X509Certificate::from_der(own).map_err(|_| BadCertificate::Der)?;
        let time = |seconds: i64| {
            let seconds = u64::try_from(seconds).unwrap_or_default();
            SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
        };
        let validity = own.validity();
        let (begins, expires) = (
            time(validity.not_before.timestamp()),
            time(validity.not_after.timestamp()),
        );
        let names = names(&own);
        Ok(Self {
            shown: Arc::new(CertifiedKey::from_der(chain, key, &provider())?),
            begins,
            expires,
            names,
        })
    }

    /// Whether it is for all of these names and addresses.
    pub(super) fn is_for(&self, names: &[String]) -> bool {
        let has = |wanted: &String| {
            self.names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(wanted))
        };
        names.iter().all(has)
    }
}

/// Subject alternative names (RFC 5280 section 4.2.1.6): no client looks at any others.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = names.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes).map(|ip| ip.to_string()),
            _ => None,
        })
        .collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::super::self_signed::make;
    use super::*;

    fn names() -> Vec<String> {
        ["live.example", "192.0.2.1", "2001:db8::1"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn names_and_addresses_of_a_certificate_are_read() {
        let pem = make(&names()).unwrap();
        let certificate = Certificate::from_pem(pem.as_bytes(), pem.as_bytes()).unwrap();
        assert_eq!(certificate.names, names());
        assert!(certificate.is_for(&names()[1..]));
        assert!(!certificate.is_for(&["other.example".to_owned()]));
        assert!(certificate.expires > certificate.begins);
    }

    #[test]
    fn another_certificates_key_is_refused() {
        let (a, b) = (make(&names()).unwrap(), make(&names()).unwrap());
        let refused = Certificate::from_pem(a.as_bytes(), b.as_bytes()).unwrap_err();
        assert!(matches!(refused, BadCertificate::Rustls(_)), "{refused}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let pem = make(&names()).unwrap();
        let without = |chain: &str, key: &str| {
            Certificate::from_pem(chain.as_bytes(), key.as_bytes())
                .unwrap_err()
                .to_string()
        };
        assert!(without("", &pem).contains("no certificate"));
        assert!(without(&pem, "").contains("no private key"));
    }
}
