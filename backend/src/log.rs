//! What is written to the log.

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt, LevelFilter, ParseError, filter_fn};
use tracing_subscriber::layer::Filter;
use tracing_subscriber::{EnvFilter, Registry};

/// What `directives` ask for (see [`EnvFilter`]), but for what could tell secrets: at [`Level::TRACE`] some
/// libraries write every message that comes and goes. Of ourselves anything may be asked: secrets are
/// redacted by their types.
///
/// # Errors
/// Directives that are not understood.
pub fn filter(directives: &str) -> Result<impl Filter<Registry> + use<>, ParseError> {
    // Without a hint every line that anybody could write would be looked at, at any level.
    let discreet = filter_fn(is_discreet).with_max_level_hint(LevelFilter::TRACE);
    Ok(EnvFilter::try_new(directives)?.and(discreet))
}

fn is_discreet(metadata: &Metadata<'_>) -> bool {
    let is_ours = metadata.target().split("::").next() == Some("golive");
    is_ours || *metadata.level() <= Level::DEBUG
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written of lines of ours and of a library, at each level.
    fn written(directives: &str) -> Vec<String> {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .with_writer(move || writer.clone());
        let layer = layer.with_filter(filter(directives).unwrap());
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "library::frames", "library");
            tracing::debug!(target: "library::frames", "library");
            tracing::trace!(target: "library::frames", "library");
            tracing::trace!(target: "golive::web", "ours");
            tracing::trace!(target: "golives", "no relation");
        });
        let text = String::from_utf8(lines.0.lock().clone()).unwrap();
        let words = text.lines().map(str::split_whitespace);
        words
            .map(|words| words.collect::<Vec<_>>().join(" "))
            .collect()
    }

    #[test]
    fn libraries_say_no_more_than_is_safe_however_much_is_asked_for() {
        let all = ["WARN library", "DEBUG library", "TRACE ours"];
        assert_eq!(written("trace"), all);
        assert_eq!(written("trace,library=trace,library::frames=trace"), all);
    }

    #[test]
    fn they_say_no_more_than_is_asked_for() {
        assert_eq!(written("warn"), ["WARN library"]);
        assert_eq!(written("off,golive=trace"), ["TRACE ours"]);
    }

    #[test]
    fn what_is_not_asked_for_costs_no_more_than_a_look_at_its_level() {
        let most = |directives| filter(directives).unwrap().max_level_hint();
        assert_eq!(most("info"), Some(LevelFilter::INFO));
        assert_eq!(most("warn,golive=debug"), Some(LevelFilter::DEBUG));
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        assert!(filter("golive=loud").is_err());
    }
}
