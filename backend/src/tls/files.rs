//! A certificate that somebody else puts into files, such as certbot.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::certificate::Certificate;
use super::{Shown, TlsError};

/// How often the files are looked at. Their names may be links whose targets are exchanged, which no
/// notification of the system tells reliably.
const LOOK: Duration = Duration::from_secs(2);

/// The two files and what was in them.
#[derive(Clone, Debug)]
pub(super) struct Files {
    certificate: PathBuf,
    key: PathBuf,
    read: Arc<(Vec<u8>, Vec<u8>)>,
}

impl Files {
    pub(super) fn start(
        certificate: PathBuf,
        key: PathBuf,
        shown: &Shown,
    ) -> Result<Self, TlsError> {
        let read = Arc::new((read(&certificate)?, read(&key)?));
        let files = Self {
            certificate,
            key,
            read,
        };
        shown.show(files.certificate()?.shown);
        Ok(files)
    }

    /// Shows what the files say whenever that changes. While they do not fit, as when only one of them has
    /// been written, the last good certificate stays.
    pub(super) async fn tend(mut self, shown: &Shown) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let files = self.clone();
            let Ok(Some((files, certificate))) = spawn_blocking(move || files.changed()).await
            else {
                continue;
            };
            self = files;
            match certificate {
                Ok(certificate) => {
                    let names = certificate.names.join(", ");
                    tracing::info!("the certificate was exchanged for one of {names}");
                    shown.show(certificate.shown);
                }
                Err(error) => tracing::warn!("the certificate stays the old one: {error}"),
            }
        }
    }

    /// What is in the files, if it is something else than it was. When one cannot be read, it is just being
    /// exchanged.
    fn changed(self) -> Option<(Self, Result<Certificate, TlsError>)> {
        let (certificate, key) = (read(&self.certificate).ok()?, read(&self.key).ok()?);
        let read = Arc::new((certificate, key));
        if read == self.read {
            return None;
        }
        let files = Self { read, ..self };
        let certificate = files.certificate();
        Some((files, certificate))
    }

    fn certificate(&self) -> Result<Certificate, TlsError> {
        let (certificate, key) = &*self.read;
        let certificate =
            Certificate::from_pem(certificate, key).map_err(|source| TlsError::Certificate {
                path: self.certificate.clone(),
                source,
            })?;
        if certificate.expires < SystemTime::now() {
            tracing::warn!("{} has expired", self.certificate.display());
        }
        Ok(certificate)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::File {
        path: path.to_owned(),
        done: "read",
        source,
    })
}
