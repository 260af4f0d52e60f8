//! What is in `deploy/` for Prometheus and Grafana speaks of what there is.

use std::collections::{HashMap, HashSet};

use clap::Parser;
use golive::config::Config;
use serde_json::{Value, json};

use crate::support::{Server, Socket};

const DASHBOARD: &str = include_str!("../../../deploy/grafana.json");
const SCRAPE: &str = include_str!("../../../deploy/prometheus.yml");

/// The names of samples, and which labels they have.
type Samples = HashMap<String, HashSet<String>>;

/// Of a server where something has happened: what is counted by label has no samples before.
async fn samples() -> Samples {
    let server = Server::start().await;
    let mut socket = Socket::connect(&server).await;
    socket.emit("join_lobby", json!(null)).await;
    socket.lives().await;
    server.create_room("r").await;
    let text = server.get("/metrics").await.text().await.unwrap();
    let mut samples = Samples::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (sample, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
        let names = labels.split(',').filter_map(|label| label.split_once('='));
        let known = samples.entry(name.to_owned()).or_default();
        known.extend(names.map(|(label, _)| label.to_owned()));
    }
    samples
}

/// Each query of the dashboard and how its lines are named.
fn queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    targets
        .map(|target| (text(&target["expr"]), text(&target["legendFormat"])))
        .collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

/// What stands between each `open` and the next `close`.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    let after = text.split(open).skip(1);
    after
        .filter_map(|rest| Some(rest.split_once(close)?.0))
        .collect()
}

/// Labels that a query or a name of lines speaks of.
fn labels<'a>(query: &'a str, legend: &'a str) -> Vec<&'a str> {
    let matched = between(query, "{", "}").into_iter();
    let matched = matched.flat_map(|matchers| matchers.split(','));
    let matched = matched.filter_map(|matcher| words(matcher).next());
    let grouped = between(query, "by (", ")").into_iter().flat_map(words);
    let named = between(legend, "{{", "}}").into_iter();
    matched.chain(grouped).chain(named).collect()
}

#[tokio::test]
async fn every_query_of_the_dashboard_finds_something() {
    let samples = samples().await;
    let queries = queries();
    assert!(queries.len() > 20, "{queries:?}");
    for (query, legend) in queries {
        let metrics: Vec<_> = words(&query)
            .filter(|word| word.starts_with("golive_") || word.starts_with("process_"))
            .collect();
        assert!(!metrics.is_empty(), "{query}");
        for metric in metrics {
            let known = samples.get(metric);
            let known = known.unwrap_or_else(|| panic!("there is no {metric} for {query}"));
            for label in labels(&query, &legend) {
                assert!(known.contains(label), "{metric} has no {label}: {query}");
            }
        }
    }
}

#[tokio::test]
async fn all_that_is_counted_is_on_the_dashboard_or_known_not_to_be() {
    const APART: [&str; 5] = [
        "golive_store_commit_seconds_sum",
        "golive_whep_loss_ratio",
        "golive_whep_packets_total",
        "golive_whep_round_trip_seconds",
        "process_start_time_seconds",
    ];
    let queries = queries();
    for metric in samples().await.keys() {
        let is_shown = queries
            .iter()
            .any(|(query, _)| words(query).any(|word| word == metric));
        assert_ne!(is_shown, APART.contains(&metric.as_str()), "{metric}");
    }
}

#[tokio::test]
async fn prometheus_is_sent_where_the_metrics_are() {
    let setting = |name: &str| {
        let line = SCRAPE.lines().find_map(|line| {
            let line = line.trim_start().trim_start_matches("- ");
            line.strip_prefix(name)
        });
        line.unwrap_or_else(|| panic!("there is no {name}")).trim()
    };
    let server = Server::start().await;
    let answer = server.get(setting("metrics_path:")).await;
    assert_eq!(answer.status(), 200);
    let port = Config::parse_from(["golive"]).http.port();
    let target = format!("[\"localhost:{port}\"]");
    assert_eq!(setting("targets:"), target);
}
