//! What building and testing need. Only what is missing is installed, and each installation is said.

mod for_tests;

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

pub(crate) use self::for_tests::{cargo_deny, for_tests};
use crate::target_dir;

/// What the page is compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Programs that building needs, and the Debian packages they come in.
const BUILD_PROGRAMS: [(&str, &str); 5] = [
    ("cc", "build-essential"),
    ("make", "build-essential"),
    ("cmake", "cmake"),
    ("node", "nodejs"),
    ("npm", "npm"),
];

/// Makes `cargo`, `trunk`, `wasm-bindgen` and `wasm-opt` ready to be run in `sh`.
pub(crate) fn for_build(sh: &Shell) -> Result<()> {
    let missing = BUILD_PROGRAMS
        .iter()
        .filter(|(program, _)| find_program(sh, program).is_none());
    let missing: Vec<&str> = missing.map(|&(_, package)| package).collect();
    apt_install(sh, &missing)?;
    add_wasm_target(sh)?;
    npm_ci(sh, "frontend")?;
    extend_path(sh)?;
    install_page_tools(sh)
}

fn add_wasm_target(sh: &Shell) -> Result<()> {
    let libraries = cmd!(sh, "rustc --print target-libdir --target {WASM_TARGET}")
        .quiet()
        .read()?;
    if !sh.path_exists(libraries) {
        println!("Installing the compiler's target {WASM_TARGET}");
        cmd!(sh, "rustup target add {WASM_TARGET}")
            .run()
            .context("Rust needs this target for the page; without rustup, install it your way")?;
    }
    Ok(())
}

/// Fetches the npm packages of `directory`, unless what is there is as new as the lock file.
fn npm_ci(sh: &Shell, directory: &str) -> Result<()> {
    let _directory = sh.push_dir(directory);
    let age = |file: &str| sh.current_dir().join(file).metadata()?.modified();
    let is_fresh = age("node_modules/.package-lock.json")
        .is_ok_and(|installed| age("package-lock.json").is_ok_and(|lock| lock <= installed));
    if !is_fresh {
        println!("Installing the npm packages of {directory}/ into {directory}/node_modules");
        cmd!(sh, "npm ci --no-audit --no-fund --ignore-scripts").run()?;
    }
    Ok(())
}

/// Puts the repository's own tools first: ours, then `wasm-opt` from npm, then the machine's.
fn extend_path(sh: &Shell) -> Result<()> {
    let ours = [
        tools_dir().join("bin"),
        sh.current_dir().join("frontend/node_modules/.bin"),
    ];
    let path = sh.var_os("PATH").unwrap_or_default();
    let path = env::join_paths(ours.into_iter().chain(env::split_paths(&path)))
        .context("a folder with ':' in its name cannot be on PATH")?;
    sh.set_var("PATH", path);
    Ok(())
}

/// Builds `trunk` and `wasm-bindgen` where the right version is not on `PATH`.
fn install_page_tools(sh: &Shell) -> Result<()> {
    // The tool and the crate of the same name only work in the same version.
    let lock = sh.read_file("Cargo.lock")?;
    let wasm_bindgen =
        locked_version(&lock, "wasm-bindgen").context("Cargo.lock has no wasm-bindgen")?;
    // The versions that wasm-bindgen-cli was released with are not all to be had any more.
    install_tool(sh, "wasm-bindgen", "wasm-bindgen-cli", wasm_bindgen, &[])?;

    // Trunk only compiles with the versions that it was released with.
    let config = sh.read_file("Trunk.toml")?;
    let trunk = pinned_trunk(&config).context("Trunk.toml has no trunk-version")?;
    let options = ["--locked", "--no-default-features", "--features=rustls"];
    install_tool(sh, "trunk", "trunk", trunk, &options)
}

/// Builds one tool, in the profile that takes least time from here to the finished page.
fn install_tool(
    sh: &Shell,
    program: &str,
    package: &str,
    version: &str,
    options: &[&str],
) -> Result<()> {
    let found = cmd!(sh, "{program} --version")
        .env_remove("NO_COLOR")
        .quiet()
        .ignore_stderr();
    if found
        .read()
        .is_ok_and(|found| found.split_whitespace().any(|word| word == version))
    {
        return Ok(());
    }
    let root = tools_dir();
    println!(
        "Building {package} {version} into {} (a few minutes, once)",
        root.display()
    );
    cmd!(
        sh,
        "cargo install --debug --root {root} --version {version} {options...} {package}"
    )
    .env("CARGO_PROFILE_DEV_DEBUG", "0")
    .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
    // Both tools share what they have in common.
    .env("CARGO_TARGET_DIR", root.join("build"))
    .run()?;
    Ok(())
}

fn tools_dir() -> PathBuf {
    target_dir().join("tools")
}

/// Installs Debian packages as root or by `sudo`; else says the command.
fn apt_install(sh: &Shell, packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    ensure!(
        find_program(sh, "apt-get").is_some(),
        "Please install what Debian calls: {list}"
    );
    let by_hand = format!("sudo apt-get update && sudo apt-get install {list}");
    let is_root = is_root(sh)?;
    if !is_root
        && cmd!(sh, "sudo -n true")
            .quiet()
            .ignore_stderr()
            .run()
            .is_err()
    {
        bail!("Some programs are missing. Please run\n    {by_hand}");
    }
    println!("Installing with apt: {list}");
    let wrapper = if is_root { "env" } else { "sudo" };
    let apt = [
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "--yes",
        "--quiet",
    ];
    cmd!(sh, "{wrapper} {apt...} update").run()?;
    cmd!(
        sh,
        "{wrapper} {apt...} install --no-install-recommends {packages...}"
    )
    .run()
    .with_context(|| format!("Please try: {by_hand}"))
}

fn is_root(sh: &Shell) -> Result<bool> {
    Ok(cmd!(sh, "id -u").quiet().read()? == "0")
}

fn find_program(sh: &Shell, name: &str) -> Option<PathBuf> {
    let path = sh.var_os("PATH")?;
    env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

/// The version of `package` in the text of a `Cargo.lock`.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let entry = lock
        .split("[[package]]")
        .find(|entry| entry.lines().any(|line| line == name))?;
    quoted(entry.lines().find(|line| line.starts_with("version = "))?)
}

/// The exact version that a `Trunk.toml` asks for, without the operator before it.
fn pinned_trunk(config: &str) -> Option<&str> {
    let line = config
        .lines()
        .find(|line| line.starts_with("trunk-version = "))?;
    Some(quoted(line)?.trim_start_matches(['^', '=', '~']))
}

/// What stands between the quotes of `key = "value"`.
fn quoted(line: &str) -> Option<&str> {
    line.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
[[package]]
name = "wasm-bindgen-futures"
version = "0.4.80"

[[package]]
name = "wasm-bindgen"
version = "0.2.130"
source = "registry"
"#;

    #[test]
    fn the_locked_version_is_that_of_the_package_with_exactly_this_name() {
        assert_eq!(locked_version(LOCK, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked_version(LOCK, "wasm"), None);
    }

    #[test]
    fn the_pinned_trunk_is_an_exact_version() {
        assert_eq!(
            pinned_trunk("trunk-version = \"^0.21.14\"\n[build]"),
            Some("0.21.14")
        );
        assert_eq!(pinned_trunk("[build]"), None);
    }
}
