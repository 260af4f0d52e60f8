//! The program `golive`.

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;

use clap::Parser;
use golive::app::App;
use golive::config::Config;
use golive::greeting::{greet, invite};
use golive::log;
use golive::tls::flags::Mode;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Gives back what viewers that left had in use, which the C library's allocator keeps.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let config = Config::parse();
    match log::filter(&config.log) {
        Ok(filter) => {
            let lines = tracing_subscriber::fmt::layer().with_ansi(stdout().is_terminal());
            tracing_subscriber::registry()
                .with(lines.with_filter(filter))
                .init();
        }
        Err(error) => {
            eprintln!("--log {}: {error}", config.log);
            return ExitCode::FAILURE;
        }
    }
    // Every viewer has a connection or two, and the usual limit is 1024 files.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!("the limit of open files stays as it is: {error}");
    }
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let public_url = config.public_url.clone();
    let self_signed = config.tls.tls == Some(Mode::SelfSigned);
    let app = App::start(config).await?;
    greet(&app, public_url.as_deref());
    if self_signed {
        println!("{}", invite(&app));
    }
    either(&mut interrupt, &mut terminate).await;
    tracing::info!("stopping; once more stops at once");
    tokio::select! {
        () = app.stop() => Ok(()),
        // Without waiting for a disk that does not answer. What was acknowledged is on it.
        () = either(&mut interrupt, &mut terminate) => std::process::exit(1),
    }
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
