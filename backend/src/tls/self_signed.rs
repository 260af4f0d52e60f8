//! A certificate that the program makes itself, so that phones on the same network have a camera to offer:
//! browsers give none to pages that came without TLS.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use time::OffsetDateTime;
use tokio::time::sleep;

use super::certificate::Certificate;
use super::{BadCertificate, Shown, TlsError, keep};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Browsers take no certificate that is good for much longer than a year.
const GOOD_FOR: Duration = Duration::from_secs(397 * 24 * 60 * 60);
/// It is replaced when less is left.
const LEFT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const FILE: &str = "self-signed.pem";

/// Makes a certificate and keeps it.
#[derive(Debug)]
pub(super) struct SelfSigned {
    names: Vec<String>,
    file: Option<PathBuf>,
    expires: SystemTime,
}

impl SelfSigned {
    /// Takes the one that is kept, if it is still good; so people are warned once, not after each restart.
    pub(super) fn start(
        names: Vec<String>,
        folder: Option<PathBuf>,
        shown: &Shown,
    ) -> Result<Self, TlsError> {
        let mut keeper = Self {
            names,
            file: folder.map(|folder| folder.join(FILE)),
            expires: SystemTime::UNIX_EPOCH,
        };
        let certificate = match keeper.kept()? {
            Some(certificate) => certificate,
            None => keeper.renew()?,
        };
        keeper.expires = certificate.expires;
        shown.show(certificate.shown);
        Ok(keeper)
    }

    pub(super) async fn tend(mut self, shown: &Shown) {
        loop {
            sleep(DAY).await;
            if is_stale(self.expires) {
                match self.renew() {
                    Ok(certificate) => {
                        self.expires = certificate.expires;
                        shown.show(certificate.shown);
                    }
                    Err(error) => tracing::warn!("the certificate could not be renewed: {error}"),
                }
            }
        }
    }

    /// The kept certificate, if it is for all the names and for some time to come.
    fn kept(&self) -> Result<Option<Certificate>, TlsError> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let Some(pem) = keep::read(file)? else {
            return Ok(None);
        };
        let certificate = Certificate::from_pem(pem.as_bytes(), pem.as_bytes());
        if let Err(error) = &certificate {
            tracing::warn!("{} is replaced: {error}", file.display());
        }
        let is_good = |it: &Certificate| it.is_for(&self.names) && !is_stale(it.expires);
        Ok(certificate.ok().filter(is_good))
    }

    fn renew(&self) -> Result<Certificate, TlsError> {
        let pem = make(&self.names)?;
        if let Some(file) = &self.file {
            keep::write(file, &pem)?;
        }
        Certificate::from_pem(pem.as_bytes(), pem.as_bytes()).map_err(|error| match error {
            BadCertificate::Rustls(error) => TlsError::Rustls(error),
            error => TlsError::Certificate {
                path: self.file.clone().unwrap_or_default(),
                source: error,
            },
        })
    }
}

fn is_stale(expires: SystemTime) -> bool {
    expires < SystemTime::now() + LEFT
}

/// A certificate for these names and its key, in PEM.
pub(super) fn make(names: &[String]) -> Result<String, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "Golive");
    // Yesterday, for clocks that are slow.
    let now = OffsetDateTime::now_utc();
    params.not_before = now - DAY;
    params.not_after = now + GOOD_FOR - DAY;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key)?;
    Ok(format!("{}{}", key.serialize_pem(), certificate.pem()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("golive-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    fn shown_by(names: &[String], folder: &Path) -> Vec<u8> {
        let shown = Arc::new(Shown::default());
        SelfSigned::start(names.to_vec(), Some(folder.to_owned()), &shown).unwrap();
        let certificate = shown.certificate.read().clone().unwrap();
        certificate.cert[0].to_vec()
    }

    #[test]
    fn a_kept_certificate_is_shown_again_while_it_fits() {
        let folder = folder("kept");
        let first = shown_by(&names(&["localhost", "192.0.2.1"]), &folder);
        assert_eq!(shown_by(&names(&["192.0.2.1"]), &folder), first);
        assert_ne!(shown_by(&names(&["192.0.2.2"]), &folder), first);
    }

    #[test]
    fn its_key_is_for_nobody_else_to_read() {
        let folder = folder("mode");
        shown_by(&names(&["localhost"]), &folder);
        let mode = std::fs::metadata(folder.join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_replaced() {
        let folder = folder("damaged");
        let first = shown_by(&names(&["localhost"]), &folder);
        std::fs::write(folder.join(FILE), "nonsense").unwrap();
        assert_ne!(shown_by(&names(&["localhost"]), &folder), first);
    }

    #[test]
    fn a_certificate_that_expires_soon_is_stale() {
        assert!(is_stale(SystemTime::now() + DAY));
        assert!(!is_stale(SystemTime::now() + GOOD_FOR));
    }
}
