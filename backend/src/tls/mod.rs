//! TLS for the HTTP port: where its certificate comes from, and which one is shown now.
//!
//! [`certificate`] reads certificates; [`self_signed`], [`files`] and [`acme`] each get them from somewhere
//! and see to it that they stay good.

mod acme;
mod certificate;
mod files;
pub mod flags;
mod keep;
mod self_signed;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use self::acme::Acme;
pub use self::certificate::BadCertificate;
use self::files::Files;
use self::self_signed::SelfSigned;

/// HTTP/2 (RFC 9113 section 3.2).
pub(crate) const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";
/// A certificate authority looks whether the domain is ours (RFC 8737 section 4).
pub(crate) const ACME_TLS_1: &[u8] = b"acme-tls/1";

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The program makes it. Browsers warn once.
    SelfSigned {
        /// The names and addresses that it is for.
        names: Vec<String>,
        /// Where it is kept; without, it is made anew at each start.
        folder: Option<PathBuf>,
    },
    /// Somebody else puts it into files.
    Files {
        /// PEM, the chain with it.
        certificate: PathBuf,
        /// PEM.
        key: PathBuf,
    },
    /// A certificate authority gives it (RFC 8555).
    Acme {
        /// The names that it is for.
        domains: Vec<String>,
        /// Whom the authority may write to.
        contact: Option<String>,
        /// Where the authority is reached.
        directory: String,
        /// PEM of who vouches for that address; without, those this machine trusts.
        root: Option<PathBuf>,
        /// Where account and certificate are kept.
        folder: PathBuf,
    },
}

/// Why there is no TLS. `Display` says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{} cannot be {done} ({source}): please check the path and its permissions.", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// "read" or "written".
        done: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// What is in a file is no good.
    #[error("{}: {source}", path.display())]
    Certificate {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: BadCertificate,
    },
    /// A certificate could not be made.
    #[error("making a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// The library refuses what it was given.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] tokio_rustls::rustls::Error),
    /// There is nowhere to keep an account: the authority would soon refuse more of them.
    #[error(
        "--tls acme needs a folder to keep its account and certificate in: please give --tls-folder"
    )]
    NowhereToKeep,
}

/// TLS for one port.
pub struct Tls {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
    keeper: Keeper,
}

/// Who sees to it that the certificate stays good.
enum Keeper {
    SelfSigned(SelfSigned),
    Files(Files),
    Acme(Acme),
}

impl Tls {
    /// Reads or makes the certificate. One that has to be fetched comes later, by [`Tls::tend`].
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn start(source: Source) -> Result<Self, TlsError> {
        let shown = Arc::new(Shown::default());
        let keeper = match source {
            Source::SelfSigned { names, folder } => {
                Keeper::SelfSigned(SelfSigned::start(names, folder, &shown)?)
            }
            Source::Files { certificate, key } => {
                Keeper::Files(Files::start(certificate, key, &shown)?)
            }
            Source::Acme {
                domains,
                contact,
                directory,
                root,
                folder,
            } => {
                let mut acme = Acme::new(&domains, contact, directory, root, &folder);
                acme.start(&shown);
                Keeper::Acme(acme)
            }
        };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        let mut protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
        if matches!(keeper, Keeper::Acme(_)) {
            protocols.push(ACME_TLS_1.to_vec());
        }
        config.alpn_protocols = protocols;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            shown,
            keeper,
        })
    }

    /// Takes connections. What it shows them changes as the certificate does.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// Keeps the certificate good, for as long as it is polled.
    pub async fn tend(self) {
        match self.keeper {
            Keeper::SelfSigned(keeper) => keeper.tend(&self.shown).await,
            Keeper::Files(keeper) => keeper.tend(&self.shown).await,
            Keeper::Acme(keeper) => keeper.tend(&self.shown).await,
        }
    }
}

/// What clients are shown.
#[derive(Debug, Default)]
struct Shown {
    certificate: RwLock<Option<Arc<CertifiedKey>>>,
    /// For the certificate authority, by name.
    challenges: RwLock<HashMap<String, Arc<CertifiedKey>>>,
}

impl Shown {
    fn show(&self, certificate: Arc<CertifiedKey>) {
        *self.certificate.write() = Some(certificate);
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 8737 section 3: the authority offers this protocol and no other.
        let is_challenge = hello
            .alpn()
            .is_some_and(|mut protocols| protocols.any(|protocol| protocol == ACME_TLS_1));
        if is_challenge {
            let name = hello.server_name()?.to_ascii_lowercase();
            self.challenges.read().get(&name).cloned()
        } else {
            self.certificate.read().clone()
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
