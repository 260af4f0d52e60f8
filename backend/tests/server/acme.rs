//! A certificate from a certificate authority: Pebble, the one that Let's Encrypt tests clients with.

use std::fs;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use golive::limits::Places;
use golive::tls::{Source, Tls};
use golive::web::server::{Proxies, Server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_util::sync::CancellationToken;

use crate::tls::{shown_certificate, try_shown_certificate};

const DOMAIN: &str = "live.example";
/// Pebble waits a while between its answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// A certificate authority, and a name server to which every name is 127.0.0.1.
struct Authority {
    _processes: [Child; 2],
    folder: PathBuf,
    directory: String,
    root: PathBuf,
}

impl Authority {
    /// One that looks for the domain's server at `tls_port`.
    async fn start(tls_port: u16) -> Self {
        let folder = std::env::temp_dir().join(format!("golive-acme-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let file = |name: &str| folder.join(name);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let own = params.signed_by(&key, &ca).unwrap();
        fs::write(file("ca.pem"), ca.pem()).unwrap();
        fs::write(file("cert.pem"), own.pem()).unwrap();
        fs::write(file("key.pem"), key.serialize_pem()).unwrap();
        let [acme, management, dns, http] = free_ports();
        let config = json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{acme}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": file("cert.pem"),
            "privateKey": file("key.pem"),
            "httpPort": http,
            "tlsPort": tls_port,
        }});
        fs::write(file("config.json"), config.to_string()).unwrap();
        let missing = "Debian's package pebble has it";
        let names = Command::new("pebble-challtestsrv")
            .args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""])
            .args(["-dns01", &format!("127.0.0.1:{dns}")])
            .args(["-http01", "", "-https01", "", "-tlsalpn01", ""])
            .args(["-management", &format!("127.0.0.1:{http}")])
            .kill_on_drop(true)
            .spawn()
            .expect(missing);
        let pebble = Command::new("pebble")
            .args(["-config", file("config.json").to_str().unwrap()])
            .args(["-dnsserver", &format!("127.0.0.1:{dns}")])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .kill_on_drop(true)
            .spawn()
            .expect(missing);
        let address: SocketAddr = ([127, 0, 0, 1], acme).into();
        let listens = async {
            while tokio::net::TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, listens).await.expect("pebble listens");
        Self {
            _processes: [names, pebble],
            directory: format!("https://127.0.0.1:{acme}/dir"),
            root: file("ca.pem"),
            folder,
        }
    }

    fn source(&self) -> Source {
        Source::Acme {
            domains: vec![DOMAIN.to_owned()],
            contact: Some("operator@live.example".to_owned()),
            directory: self.directory.clone(),
            root: Some(self.root.clone()),
            folder: self.folder.join("kept"),
        }
    }
}

fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| StdListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Serves with certificates of this authority until it is dropped.
fn serve(listener: TcpListener, source: Source) -> tokio::task::JoinHandle<()> {
    let tls = Tls::start(source).unwrap();
    let server = Server {
        routes: Router::new().route("/", get("hello")),
        tls: Some(tls.acceptor()),
        places: Places::new(100, 100),
        proxies: Proxies::default(),
    };
    tokio::spawn(async move {
        tokio::select! {
            () = server.serve(listener, CancellationToken::new()) => {}
            () = tls.tend() => {}
        }
    })
}

#[tokio::test]
async fn a_certificate_comes_from_an_authority_and_is_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let authority = Authority::start(address.port()).await;
    let serving = serve(listener, authority.source());
    let comes = async {
        loop {
            if let Some(certificate) = try_shown_certificate(address, DOMAIN).await {
                return certificate;
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    let certificate = timeout(PATIENCE, comes).await.expect("it comes");
    let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).unwrap();
    assert!(
        parsed.issuer().to_string().contains("Pebble"),
        "{}",
        parsed.issuer()
    );
    let names = parsed.subject_alternative_name().unwrap().unwrap();
    assert!(format!("{names:?}").contains(DOMAIN));
    serving.abort();

    // After a restart the same one is there at once, and nobody is asked.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let source = authority.source();
    let folder = authority.folder.clone();
    drop(authority);
    let serving = serve(listener, source);
    assert_eq!(shown_certificate(address, DOMAIN).await, certificate);
    serving.abort();
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn who_offers_the_challenges_protocol_is_shown_no_certificate_of_ours() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let folder = std::env::temp_dir().join(format!("golive-alpn-{}", std::process::id()));
    let source = Source::SelfSigned {
        names: vec!["localhost".to_owned()],
        folder: Some(folder.clone()),
    };
    let serving = serve(listener, source);
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = crate::tls::connector(&[b"acme-tls/1"]);
    assert!(connector.connect(name, stream).await.is_err());
    serving.abort();
    fs::remove_dir_all(folder).unwrap();
}
