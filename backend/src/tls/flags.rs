//! What the program is told about TLS.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{Source, TlsError};

/// Flags about TLS for the HTTP port.
#[derive(Args, Clone, Debug)]
pub struct TlsFlags {
    /// Serve https: `self-signed` makes a certificate, `acme` gets one for --domain from a certificate
    /// authority, which has to reach this port as 443
    #[arg(
        long,
        env = "GOLIVE_TLS",
        value_name = "HOW",
        conflicts_with_all = ["tls_cert", "tls_key"],
        requires_if("acme", "domains")
    )]
    pub tls: Option<Mode>,

    /// Serve https with this certificate, in PEM with its chain; exchanged when the file changes
    #[arg(
        long,
        env = "GOLIVE_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert, in PEM
    #[arg(
        long,
        env = "GOLIVE_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    pub tls_key: Option<PathBuf>,

    /// Where certificates that are made or fetched are kept
    #[arg(long, env = "GOLIVE_TLS_FOLDER", value_name = "DIR")]
    pub tls_folder: Option<PathBuf>,

    /// A name of this server, for --tls acme; may be repeated
    #[arg(
        long = "domain",
        env = "GOLIVE_DOMAIN",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub domains: Vec<String>,

    /// Where the certificate authority may write to about its certificates
    #[arg(long, env = "GOLIVE_ACME_CONTACT", value_name = "MAIL")]
    pub acme_contact: Option<String>,

    /// The certificate authority, by the address of its ACME directory
    #[arg(
        long,
        env = "GOLIVE_ACME_DIRECTORY",
        value_name = "URL",
        default_value = "https://acme-v02.api.letsencrypt.org/directory"
    )]
    pub acme_directory: String,

    /// Who vouches for that address, in PEM [default: whom this machine trusts]
    #[arg(long, env = "GOLIVE_ACME_ROOT", value_name = "FILE")]
    pub acme_root: Option<PathBuf>,
}

/// How to get a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Make one.
    SelfSigned,
    /// From a certificate authority.
    Acme,
}

impl TlsFlags {
    /// Where the certificate comes from, if TLS is wanted. What is to be kept goes to `folder`, if no other
    /// was given; `names` are what this machine is called.
    ///
    /// # Errors
    /// [`TlsError::NowhereToKeep`].
    pub fn source(
        &self,
        folder: Option<&Path>,
        names: impl FnOnce() -> Vec<String>,
    ) -> Result<Option<Source>, TlsError> {
        let folder = self.tls_folder.as_deref().or(folder);
        Ok(match (self.tls, &self.tls_cert, &self.tls_key) {
            (Some(Mode::SelfSigned), ..) => Some(Source::SelfSigned {
                names: names(),
                folder: folder.map(Path::to_owned),
            }),
            (Some(Mode::Acme), ..) => Some(Source::Acme {
                domains: self.domains.clone(),
                contact: self.acme_contact.clone(),
                directory: self.acme_directory.clone(),
                root: self.acme_root.clone(),
                folder: folder.ok_or(TlsError::NowhereToKeep)?.to_owned(),
            }),
            (None, Some(certificate), Some(key)) => Some(Source::Files {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            (None, ..) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        tls: TlsFlags,
    }

    fn source(flags: &[&str], folder: Option<&str>) -> Result<Option<Source>, TlsError> {
        let flags = Flags::try_parse_from([&["golive"], flags].concat()).unwrap();
        flags.tls.source(folder.map(Path::new), Vec::new)
    }

    fn refused(flags: &[&str]) -> bool {
        Flags::try_parse_from([&["golive"], flags].concat()).is_err()
    }

    #[test]
    fn without_flags_there_is_no_tls() {
        assert!(source(&[], Some("/data")).unwrap().is_none());
    }

    #[test]
    fn flags_that_need_each_other_are_asked_for() {
        assert!(refused(&["--tls", "acme"]));
        assert!(refused(&["--tls-cert", "c.pem"]));
        assert!(refused(&[
            "--tls",
            "self-signed",
            "--tls-cert",
            "c.pem",
            "--tls-key",
            "k.pem"
        ]));
    }

    #[test]
    fn an_account_has_to_be_kept_somewhere() {
        let acme = ["--tls", "acme", "--domain", "live.example"];
        assert!(matches!(source(&acme, None), Err(TlsError::NowhereToKeep)));
        let kept = |source: Option<Source>| match source {
            Some(Source::Acme { folder, .. }) => folder,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            kept(source(&acme, Some("/data")).unwrap()),
            Path::new("/data")
        );
        let elsewhere = [&acme[..], &["--tls-folder", "/tls"]].concat();
        assert_eq!(
            kept(source(&elsewhere, Some("/data")).unwrap()),
            Path::new("/tls")
        );
    }
}
