//! The commands of this repository: `cargo xtask <command>`.

mod dist;
mod page;
mod setup;
mod steps;
mod tally;

use std::env;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::steps::Steps;
use crate::tally::Tally;

const USAGE: &str = "\
Usage: cargo xtask <command>

  run [-- <args>]  build page and server, then run the server with <args> (try: -- --help)
  build            build page and server into one program: target/release/golive
  dist [--check]   build a Debian package: target/dist; with --check install, start, stop and purge it
  test             check and test everything, real browsers included
  bench            measure
  setup            install what building and testing need, and nothing that is there already";

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let args: Vec<String> = args.skip_while(|arg| arg == "--").collect();
    match execute(&command, &args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: &str, args: &[String]) -> Result<ExitCode> {
    let sh = Shell::new()?;
    sh.change_dir(top_level());
    match command {
        "run" => run(&sh, args)?,
        "build" => println!("Built {}", build(&sh)?.display()),
        "dist" => dist(&sh, args)?,
        "test" => return test(&sh),
        "bench" => bench(&sh)?,
        "setup" => {
            setup::for_build(&sh)?;
            setup::for_tests(&sh)?;
        }
        "help" | "--help" | "-h" => println!("{USAGE}"),
        _ => bail!("there is no command {command:?}\n\n{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Becomes the server, so that signals reach it directly.
fn run(sh: &Shell, args: &[String]) -> Result<()> {
    let server = build(sh)?;
    let error = Command::new(&server).args(args).exec();
    Err(error).with_context(|| format!("{} cannot be run", server.display()))
}

/// Builds page and server and returns where the server is.
fn build(sh: &Shell) -> Result<PathBuf> {
    setup::for_build(sh)?;
    page::build(sh)?;
    build_server(sh)
}

/// The Debian package; of the server that the environment variable `GOLIVE_BIN` names, if there is one.
fn dist(sh: &Shell, args: &[String]) -> Result<()> {
    let server = match env::var_os("GOLIVE_BIN") {
        Some(server) => server.into(),
        None => build(sh)?,
    };
    let package = dist::package(sh, &server)?;
    println!("Packed {}", package.display());
    match args {
        [] => Ok(()),
        [check] if check == "--check" => dist::check(sh, &package),
        _ => bail!("dist takes --check and nothing else"),
    }
}

/// The server with the page of `dist/` inside.
fn build_server(sh: &Shell) -> Result<PathBuf> {
    cmd!(sh, "cargo build --release --package golive").run()?;
    Ok(target_dir().join("release/golive"))
}

/// Checks and tests everything; the last line says how many tests passed and failed.
fn test(sh: &Shell) -> Result<ExitCode> {
    let mut steps = Steps::default();
    let outcome = test_steps(sh, &mut steps);
    println!("\n{steps}");
    let tally = outcome?;
    println!("{tally}");
    Ok(if tally.all_passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Every `cargo test` selects the whole workspace, so that features unify alike in all of them and
/// each dependency is compiled once.
fn test_steps(sh: &Shell, steps: &mut Steps) -> Result<Tally> {
    steps.run("Set up", || {
        setup::for_build(sh)?;
        setup::for_tests(sh)
    })?;
    steps.run("Formatting", || {
        Ok(cmd!(sh, "cargo fmt --all --check").run()?)
    })?;
    steps.run("Licences and sources", || {
        let deny = setup::cargo_deny(sh).context("cargo-deny is not there")?;
        Ok(cmd!(
            sh,
            "{deny} check --hide-inclusion-graph licenses sources bans"
        )
        .run()?)
    })?;
    steps.run("Page", || page::build(sh))?;
    // The page is checked for the target it runs on, everything else for this machine.
    steps.run("Clippy", || {
        cmd!(
            sh,
            "cargo clippy --workspace --exclude frontend --all-targets -- -D warnings"
        )
        .run()?;
        let wasm = setup::WASM_TARGET;
        cmd!(
            sh,
            "cargo clippy -p frontend --all-targets --target {wasm} -- -D warnings"
        )
        .run()?;
        Ok(())
    })?;
    let cargo_test = "cargo test --workspace --no-fail-fast";
    let mut tally = steps.run("Unit tests", || {
        Tally::of(sh, &format!("{cargo_test} --lib --bins"))
    })?;
    tally += steps.run("Examples in comments", || {
        Tally::of(sh, &format!("{cargo_test} --doc"))
    })?;
    let server = steps.run("Server", || build_server(sh))?;
    tally += steps.run("Integration and browser tests", || {
        let _server = sh.push_env("GOLIVE_BIN", server);
        Tally::of(sh, &format!("{cargo_test} --test *"))
    })?;
    Ok(tally)
}

/// Micro-benchmarks of the server's parts, then load on the whole of it.
fn bench(sh: &Shell) -> Result<()> {
    let server = build(sh)?;
    cmd!(sh, "cargo bench --package golive").run()?;
    let _server = sh.push_env("GOLIVE_BIN", server);
    for load in [
        &["load-whep"][..],
        &["load-whep", "--", "--churn", "3"],
        &["load-rtmp", "--", "--slow", "20"],
        &["load-hls"],
        &["load-social"],
        &["load-social", "--", "--kept"],
    ] {
        cmd!(sh, "cargo run --release --package e2e --bin {load...}").run()?;
    }
    Ok(())
}

/// Where the repository is, wherever the command was given.
fn top_level() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Where Cargo puts what it builds.
fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| top_level().join("target"), PathBuf::from)
}
