//! A certificate from a certificate authority (RFC 8555), which looks at our port to see whose the domain is
//! (TLS-ALPN-01, RFC 8737).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use instant_acme::{
    Account, AccountBuilder, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier,
    NewAccount, NewOrder, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use tokio::time::sleep;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::sign::CertifiedKey;

use super::certificate::Certificate;
use super::{BadCertificate, Shown, TlsError, keep, provider};

/// How long to wait after the first failure; each further one doubles it. Authorities allow few.
const RETRY: Duration = Duration::from_secs(5 * 60);
const LONGEST_RETRY: Duration = Duration::from_secs(60 * 60);
/// How long the authority may take to look.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the certificate is looked at, at the longest.
const LOOK: Duration = Duration::from_secs(12 * 60 * 60);

/// An account with an authority and what it has given.
#[derive(Debug)]
pub(super) struct Acme {
    domains: Vec<String>,
    contact: Option<String>,
    directory: String,
    root: Option<PathBuf>,
    /// One for each authority.
    folder: PathBuf,
    /// When the present certificate is to be renewed.
    renew_at: SystemTime,
}

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
enum AcmeError {
    #[error(transparent)]
    Acme(#[from] instant_acme::Error),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Make(#[from] rcgen::Error),
    #[error(transparent)]
    Certificate(#[from] BadCertificate),
    #[error("the account in {} cannot be read ({source})", path.display())]
    Account {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("{0} does not offer to look at this port (TLS-ALPN-01)")]
    NoChallenge(String),
    #[error("the authority could not reach {0} at port 443, or found something else there")]
    Refused(String),
}

impl Acme {
    pub(super) fn new(
        domains: &[String],
        contact: Option<String>,
        directory: String,
        root: Option<PathBuf>,
        folder: &Path,
    ) -> Self {
        let authority: String = directory
            .trim_start_matches("https://")
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '.' {
                    c
                } else {
                    '-'
                }
            })
            .collect();
        let domains = domains.iter().map(|domain| domain.to_ascii_lowercase());
        Self {
            domains: domains.collect(),
            contact,
            directory,
            root,
            folder: folder.join(authority),
            renew_at: SystemTime::UNIX_EPOCH,
        }
    }

    /// Shows the kept certificate, if there is one.
    pub(super) fn start(&mut self, shown: &Shown) {
        match self.kept() {
            Ok(Some(certificate)) => self.take(certificate, shown),
            Ok(None) => {}
            Err(error) => tracing::warn!("the kept certificate cannot be used: {error}"),
        }
    }

    /// Gets a certificate when there is none or it is old.
    pub(super) async fn tend(mut self, shown: &Shown) {
        // The library looks for it.
        let _ = ring::default_provider().install_default();
        let mut retry = RETRY;
        loop {
            let left = self.renew_at.duration_since(SystemTime::now());
            if let Ok(left) = left {
                sleep(left.min(LOOK)).await;
                continue;
            }
            let domains = self.domains.join(", ");
            tracing::info!(
                "getting a certificate for {domains} from {}",
                self.directory
            );
            match self.order(shown).await {
                Ok(certificate) => {
                    tracing::info!("there is a new certificate for {domains}");
                    self.take(certificate, shown);
                    retry = RETRY;
                }
                Err(error) => {
                    let seconds = retry.as_secs();
                    tracing::warn!(
                        "no certificate for {domains}: {error}; next try in {seconds} s"
                    );
                    sleep(retry).await;
                    retry = (retry * 2).min(LONGEST_RETRY);
                }
            }
            shown.challenges.write().clear();
        }
    }

    fn take(&mut self, certificate: Certificate, shown: &Shown) {
        self.renew_at = renew_at(certificate.begins, certificate.expires);
        shown.show(certificate.shown);
    }

    /// The kept certificate, if it is for all the domains.
    fn kept(&self) -> Result<Option<Certificate>, AcmeError> {
        let Some(pem) = keep::read(&self.certificate_file())? else {
            return Ok(None);
        };
        let certificate = Certificate::from_pem(pem.as_bytes(), pem.as_bytes())?;
        Ok(Some(certificate).filter(|certificate| certificate.is_for(&self.domains)))
    }

    /// Asks for a certificate, proves that the domains are ours, and keeps what comes.
    async fn order(&self, shown: &Shown) -> Result<Certificate, AcmeError> {
        let account = self.account().await?;
        let identifiers: Vec<_> = self.domains.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let Some(mut challenge) = authorization.challenge(ChallengeType::TlsAlpn01) else {
                return Err(AcmeError::NoChallenge(self.directory.clone()));
            };
            let domain = challenge.identifier().to_string();
            let proof = proof(&domain, challenge.key_authorization().digest().as_ref())?;
            shown.challenges.write().insert(domain, Arc::new(proof));
            challenge.set_ready().await?;
        }
        let patience = RetryPolicy::new().timeout(PATIENCE);
        if order.poll_ready(&patience).await? != OrderStatus::Ready {
            return Err(AcmeError::Refused(self.domains.join(", ")));
        }
        let key = KeyPair::generate()?;
        let mut request = CertificateParams::new(self.domains.clone())?;
        request.distinguished_name = DistinguishedName::new();
        order
            .finalize_csr(request.serialize_request(&key)?.der())
            .await?;
        let chain = order.poll_certificate(&patience).await?;
        let pem = format!("{}{chain}", key.serialize_pem());
        let certificate = Certificate::from_pem(pem.as_bytes(), pem.as_bytes())?;
        keep::write(&self.certificate_file(), &pem)?;
        Ok(certificate)
    }

    /// The kept account, or a new one.
    async fn account(&self) -> Result<Account, AcmeError> {
        let file = self.folder.join("account.json");
        let unreadable = |source| AcmeError::Account {
            path: file.clone(),
            source,
        };
        if let Some(kept) = keep::read(&file)? {
            let credentials: AccountCredentials =
                serde_json::from_str(&kept).map_err(unreadable)?;
            return Ok(self.client()?.from_credentials(credentials).await?);
        }
        let contact = self.contact.as_ref().map(|mail| format!("mailto:{mail}"));
        let contact: Vec<&str> = contact.as_deref().into_iter().collect();
        let wish = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let (account, credentials) = self
            .client()?
            .create(&wish, self.directory.clone(), None)
            .await?;
        keep::write(
            &file,
            &serde_json::to_string(&credentials).map_err(unreadable)?,
        )?;
        Ok(account)
    }

    fn client(&self) -> Result<AccountBuilder, instant_acme::Error> {
        match &self.root {
            Some(root) => Account::builder_with_root(root),
            None => Account::builder(),
        }
    }

    fn certificate_file(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }
}

/// When two thirds of its time are over.
fn renew_at(begins: SystemTime, expires: SystemTime) -> SystemTime {
    let lifetime = expires.duration_since(begins).unwrap_or_default();
    begins + lifetime * 2 / 3
}

/// What shows the authority that we have its token (RFC 8737 section 3).
fn proof(domain: &str, digest: &[u8]) -> Result<CertifiedKey, AcmeError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([domain.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key)?;
    let chain = vec![certificate.der().clone()];
    let key = key
        .serialize_der()
        .try_into()
        .map_err(|_| BadCertificate::Der)?;
    let key = provider().key_provider.load_private_key(key);
    // Not compared with its certificate: the library refuses the extension, as every client but the
    // authority has to.
    Ok(CertifiedKey::new(chain, key.map_err(BadCertificate::from)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_when_two_thirds_of_its_time_are_over() {
        let begins = SystemTime::UNIX_EPOCH;
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(renew_at(begins, begins + day * 90), begins + day * 60);
    }

    #[test]
    fn each_authority_has_a_folder_of_its_own() {
        let folder = |directory: &str| {
            Acme::new(&[], None, directory.to_owned(), None, Path::new("/d")).folder
        };
        assert_eq!(
            folder("https://ca.example:14000/dir"),
            Path::new("/d/ca.example-14000-dir")
        );
        assert_ne!(
            folder("https://a.example/dir"),
            folder("https://b.example/dir")
        );
    }

    #[test]
    fn the_proof_is_a_certificate_with_the_acme_identifier() {
        let proof = proof("live.example", &[7; 32]).unwrap();
        // The extension's OID 1.3.6.1.5.5.7.1.31, critical, then the digest (RFC 8737 section 3).
        let der = proof.cert[0].as_ref();
        let oid = [0x2b, 6, 1, 5, 5, 7, 1, 31, 1, 1, 0xff];
        assert!(der.windows(oid.len()).any(|window| window == oid));
        assert!(der.windows(32).any(|window| window == [7; 32]));
    }
}
