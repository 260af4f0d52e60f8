//! The Debian package: what is in it, and whether it installs, runs and goes again without a trace.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::target_dir;

const UNIT: &str = "/lib/systemd/system/golive.service";
const DATA: &str = "/var/lib/golive";
/// Long enough for a server to start or to stop.
const SOON: Duration = Duration::from_secs(20);

/// Files of the package: from where in the repository, to where, with which permissions.
const FILES: [(&str, &str, u32); 7] = [
    (
        "deploy/golive.service",
        "lib/systemd/system/golive.service",
        0o644,
    ),
    ("deploy/debian/golive.default", "etc/default/golive", 0o644),
    (
        "deploy/prometheus.yml",
        "usr/share/doc/golive/examples/prometheus.yml",
        0o644,
    ),
    (
        "deploy/grafana.json",
        "usr/share/doc/golive/examples/grafana.json",
        0o644,
    ),
    ("deploy/debian/postinst", "DEBIAN/postinst", 0o755),
    ("deploy/debian/prerm", "DEBIAN/prerm", 0o755),
    ("deploy/debian/postrm", "DEBIAN/postrm", 0o755),
];

/// Packs a built server and returns where the package is.
pub(crate) fn package(sh: &Shell, server: &Path) -> Result<PathBuf> {
    let version = env!("CARGO_PKG_VERSION");
    let architecture = cmd!(sh, "dpkg --print-architecture").quiet().read()?;
    let name = format!("golive_{version}_{architecture}");
    let root = target_dir().join("dist").join(&name);
    sh.remove_path(&root)?;
    put(sh, server, &root.join("usr/bin/golive"), 0o755)?;
    for (from, to, mode) in FILES {
        put(sh, &sh.current_dir().join(from), &root.join(to), mode)?;
    }
    let copyright = root.join("usr/share/doc/golive/copyright");
    let (mit, apache) = (
        sh.read_file("LICENSE-MIT")?,
        "/usr/share/common-licenses/Apache-2.0",
    );
    let text = format!(
        "Golive is under the MIT licence or the Apache licence 2.0, as you like.\n\n{mit}\nThe Apache licence is in {apache}.\n"
    );
    sh.write_file(&copyright, text)?;
    mode(&copyright, 0o644)?;
    // What it was linked with; an older one may lack something.
    let format = "--showformat=${Version}";
    let libc = cmd!(sh, "dpkg-query --show {format} libc6")
        .quiet()
        .read()?;
    let libc = libc.split('-').next().unwrap_or_default();
    let control = format!(
        "Package: golive\nVersion: {version}\nArchitecture: {architecture}\n\
         Maintainer: Golive <golive@localhost>\nSection: video\nPriority: optional\n\
         Depends: adduser, libc6 (>= {libc}), libgcc-s1\nRecommends: ca-certificates\n\
         Description: live broadcast server\n \
         Go live from a browser tab or from OBS; friends open a link and watch with less than a\n \
         second of delay. One program with the page inside.\n"
    );
    sh.write_file(root.join("DEBIAN/control"), control)?;
    sh.write_file(root.join("DEBIAN/conffiles"), "/etc/default/golive\n")?;
    let package = target_dir().join("dist").join(format!("{name}.deb"));
    cmd!(sh, "dpkg-deb --root-owner-group --build {root} {package}")
        .quiet()
        .run()?;
    Ok(package)
}

fn put(sh: &Shell, from: &Path, to: &Path, permissions: u32) -> Result<()> {
    if let Some(folder) = to.parent() {
        sh.create_dir(folder)?;
    }
    sh.copy_file(from, to)?;
    mode(to, permissions)
}

fn mode(file: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = fs::Permissions::from_mode(mode);
    fs::set_permissions(file, permissions).with_context(|| file.display().to_string())
}

/// Installs the package on this machine, starts what its unit starts, as its unit's user, stops it and
/// purges it.
pub(crate) fn check(sh: &Shell, package: &Path) -> Result<()> {
    ensure!(
        cmd!(sh, "id -u").quiet().read()? == "0",
        "Only root can install a package: please run this in a container, or with sudo"
    );
    ensure!(
        !Path::new(UNIT).exists(),
        "golive is installed on this machine already, and would be purged"
    );
    cmd!(sh, "dpkg --install {package}").run()?;
    let checked = run_as_installed();
    cmd!(sh, "dpkg --purge golive").run()?;
    checked?;
    for left in [UNIT, DATA, "/etc/default/golive", "/usr/bin/golive"] {
        ensure!(!Path::new(left).exists(), "{left} is left after the purge");
    }
    let user = cmd!(sh, "getent passwd golive")
        .quiet()
        .ignore_status()
        .read()?;
    ensure!(user.is_empty(), "the user is left after the purge");
    Ok(())
}

/// Does what systemd would do with the unit, as far as that matters here.
fn run_as_installed() -> Result<()> {
    let unit = fs::read_to_string(UNIT)?;
    let set = |name: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(name));
        line.with_context(|| format!("the unit has no {name}"))
    };
    let owner = Command::new("stat")
        .args(["--format=%U %a", DATA])
        .output()?;
    let owner = String::from_utf8_lossy(&owner.stdout).trim().to_owned();
    ensure!(owner == "golive 750", "{DATA} is {owner}");
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    // These two become the server, so that signals reach it and its status is its own.
    let user = set("User=")?;
    let mut server = Command::new("setpriv")
        .args(["--reuid", user, "--regid", user, "--init-groups", "env"])
        .arg(set("Environment=")?)
        .arg(format!("GOLIVE_HTTP=127.0.0.1:{port}"))
        .args(["GOLIVE_RTMP=127.0.0.1:0", "GOLIVE_WEBRTC=127.0.0.1:0"])
        .arg(set("ExecStart=")?)
        .current_dir(set("WorkingDirectory=")?)
        .spawn()?;
    let answered = answers(port);
    let stopped = stop(&mut server);
    answered?;
    stopped
}

fn answers(port: u16) -> Result<()> {
    let until = Instant::now() + SOON;
    while Instant::now() < until {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            stream.write_all(request)?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            ensure!(answer.starts_with("HTTP/1.1 200"), "it answers {answer}");
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    bail!("the server does not answer")
}

/// By SIGTERM, as systemd does.
fn stop(server: &mut Child) -> Result<()> {
    let pid = server.id().to_string();
    ensure!(
        Command::new("kill").arg(&pid).status()?.success(),
        "it ended by itself"
    );
    let until = Instant::now() + SOON;
    while Instant::now() < until {
        if let Some(status) = server.try_wait()? {
            ensure!(status.success(), "after SIGTERM it ended with {status}");
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    server.kill()?;
    bail!("it still runs after SIGTERM")
}
