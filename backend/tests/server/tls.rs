//! The HTTP port over TLS.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::StreamExt;
use rcgen::{CertificateParams, KeyPair};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Version};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme, version::TLS13,
};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{SOON, Server};

/// Takes any certificate, as a person who clicks the warning away.
fn trusting() -> ClientBuilder {
    Client::builder().danger_accept_invalid_certs(true)
}

fn url(server: &Server, path: &str) -> String {
    format!("https://{}{path}", server.authority())
}

async fn self_signed() -> Server {
    Server::start_with(&["--tls", "self-signed"]).await
}

/// What a client is shown.
pub(crate) async fn shown_certificate(address: SocketAddr, name: &str) -> Vec<u8> {
    try_shown_certificate(address, name).await.unwrap()
}

/// The same; `None` if there is none yet.
pub(crate) async fn try_shown_certificate(address: SocketAddr, name: &str) -> Option<Vec<u8>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = connector(&[]).connect(name, stream).await.ok()?;
    let (_, session) = stream.get_ref();
    Some(session.peer_certificates()?.first()?.to_vec())
}

/// Offers these protocols.
pub(crate) fn connector(protocols: &[&[u8]]) -> TlsConnector {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = ring::default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[tokio::test]
async fn http_2_is_spoken_with_who_knows_it_and_http_1_with_the_others() {
    let server = self_signed().await;
    let new = trusting().build().unwrap();
    let old = trusting().http1_only().build().unwrap();
    for (client, version) in [(new, Version::HTTP_2), (old, Version::HTTP_11)] {
        let response = client.get(url(&server, "/")).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.version(), version);
    }
}

#[tokio::test]
async fn links_lead_to_https() {
    let server = self_signed().await;
    for client in [trusting(), trusting().http1_only()] {
        let request = client.build().unwrap().post(url(&server, "/api/rooms"));
        let response = request.json(&json!({"title": "r"})).send().await.unwrap();
        let created: Value = response.error_for_status().unwrap().json().await.unwrap();
        let watch = created["links"]["watch"].as_str().unwrap();
        assert!(watch.starts_with(&url(&server, "/room/")), "{watch}");
        let rtmp = created["links"]["rtmp_server"].as_str().unwrap();
        assert!(rtmp.starts_with("rtmp://127.0.0.1:"), "{rtmp}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_made_is_for_the_addresses_of_this_machine() {
    let server = self_signed().await;
    let shown = shown_certificate(server.authority().parse().unwrap(), "localhost").await;
    let (_, certificate) = x509_parser::parse_x509_certificate(&shown).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    let names = format!("{:?}", names.value.general_names);
    assert!(names.contains("DNSName(\"localhost\")"), "{names}");
    assert!(names.contains("IPAddress([127, 0, 0, 1])"), "{names}");
}

#[tokio::test]
async fn http_on_the_port_of_https_is_told_where_to_go() {
    let server = self_signed().await;
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let plain = format!("http://{}/room/abc", server.authority());
    let response = client.get(&plain).send().await.unwrap();
    assert_eq!(response.status(), 307);
    assert_eq!(
        response.headers()["location"],
        url(&server, "/room/abc").as_str()
    );
    let follows = trusting().build().unwrap().get(plain).send().await.unwrap();
    assert_eq!(follows.status(), 200);
}

#[tokio::test]
async fn sockets_work_over_tls() {
    let server = self_signed().await;
    let stream = TcpStream::connect(server.authority()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connector(&[]).connect(name, stream).await.unwrap();
    let url = "wss://localhost/socket.io/?EIO=4&transport=websocket";
    let (mut socket, _) = client_async(url, stream).await.unwrap();
    let first = timeout(SOON, socket.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(matches!(first, Message::Text(text) if text.starts_with("0{")));
}

#[tokio::test]
async fn a_server_with_https_connections_stops() {
    let server = self_signed().await;
    let client = trusting().build().unwrap();
    client.get(url(&server, "/")).send().await.unwrap();
    let silent = TcpStream::connect(server.authority()).await.unwrap();
    timeout(SOON, server.stop()).await.unwrap();
    drop(silent);
}

/// A folder with a certificate for `name` and its key.
fn write_certificate(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    fs::create_dir_all(folder).unwrap();
    let (cert_file, key_file) = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::write(&cert_file, certificate.pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    (cert_file, key_file)
}

fn folder(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("golive-tls-{}-{name}", std::process::id()))
}

#[tokio::test]
async fn a_certificate_in_files_is_exchanged_when_they_change() {
    let folder = folder("exchanged");
    let (cert, key) = write_certificate(&folder, "one.example");
    let flags = [
        "--tls-cert",
        cert.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let server = Server::start_with(&flags).await;
    let address = server.authority().parse().unwrap();
    let old = shown_certificate(address, "one.example").await;
    // Half of it is written: nothing fits, and the old one stays.
    fs::write(&key, "nonsense").unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(shown_certificate(address, "one.example").await, old);
    write_certificate(&folder, "two.example");
    let exchanged = async {
        while shown_certificate(address, "two.example").await == old {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    timeout(SOON * 3, exchanged).await.unwrap();
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_certificate_without_its_key_is_no_start() {
    let folder = folder("no-key");
    let (cert, _) = write_certificate(&folder, "one.example");
    let cert = cert.to_str().unwrap();
    let error = Server::refused_start(&["--tls-cert", cert, "--tls-key", cert]).await;
    assert!(
        error.contains("there is no private key in PEM in it"),
        "{error}"
    );
    let error = Server::refused_start(&["--tls-cert", cert, "--tls-key", "/no/such"]).await;
    assert!(error.contains("/no/such cannot be read"), "{error}");
    fs::remove_dir_all(folder).unwrap();
}
