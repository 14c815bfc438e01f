//! The allowed dependency edges between crates, and what each crate must not use.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use toml::Table;
use toml::Value;

/// Crate, the crates of ours that it may depend on, the packages that it must not.
const LAYERS: [(&str, &[&str], &[&str]); 16] = [
    ("table", &[], &["parquet", "tokio", "datafusion", "simd-json"]),
    (
        "iceberg",
        &["table"],
        &["arrow", "parquet", "object_store", "tokio", "datafusion", "simd-json", "flate2", "clap"],
    ),
    ("coded", &[], &["object_store", "tokio", "datafusion", "simd-json", "flate2", "clap"]),
    ("lake", &["table", "coded", "iceberg"], &["datafusion", "simd-json", "flate2", "clap"]),
    ("decode", &["table"], &["tokio", "rayon", "datafusion", "parquet", "clap"]),
    ("digest", &[], &["tokio", "rayon", "arrow", "parquet", "flate2", "clap"]),
    ("ingest", &["table", "lake", "decode", "digest"], &["clap", "datafusion"]),
    ("glue", &["table", "lake", "ingest"], &["arrow", "parquet", "clap", "datafusion"]),
    ("correlate", &["table", "lake"], &["clap", "simd-json", "flate2", "datafusion", "tokio"]),
    ("query", &["table", "lake"], &["clap", "simd-json", "flate2"]),
    ("report", &["table", "lake"], &["clap", "simd-json", "flate2", "datafusion", "tokio"]),
    ("cluster", &["table", "lake", "correlate"], &["clap", "simd-json", "flate2", "datafusion", "tokio"]),
    // For tests and benches: no crate but `bench` has it among what it is built with.
    ("oracle", &["table", "lake", "decode"], &["datafusion", "clap"]),
    ("corpus", &[], &["datafusion", "arrow"]),
    (
        "trailweave",
        &["table", "lake", "ingest", "glue", "correlate", "cluster", "query", "report", "corpus"],
        &["datafusion", "simd-json"],
    ),
    ("bench", &["table", "lake", "decode", "ingest", "correlate", "oracle", "corpus"], &[]),
];

#[test]
fn every_crate_keeps_to_its_layer() {
    for (name, ours, banned) in LAYERS {
        for dependency in dependencies(name) {
            assert!(!banned.contains(&dependency.as_str()), "{name} must not use {dependency}");
            if let Some(layer) = dependency.strip_prefix("trailweave-") {
                assert!(ours.contains(&layer), "{name} must not know {layer}");
            }
        }
    }
}

#[test]
fn every_crate_has_a_layer() {
    let crates = fs::read_dir(root().join("crates")).unwrap();
    let found: BTreeSet<_> = crates.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    let known: BTreeSet<_> = LAYERS.iter().map(|(name, ..)| (*name).to_owned()).filter(|it| it != "bench").collect();
    assert_eq!(found, known);
}

#[test]
fn a_program_that_is_built_without_query_has_no_engine() {
    let arguments =
        ["tree", "--locked", "-p", "trailweave", "--no-default-features", "-e", "normal", "--prefix", "none"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("trailweave-correlate v"), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!tree.contains("datafusion"), "{tree}");
}

/// Names what the crate is built with; its tests may use more.
fn dependencies(name: &str) -> BTreeSet<String> {
    let folder = if name == "bench" { root().join("benches") } else { root().join("crates").join(name) };
    let manifest: Table = fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
    let of_targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    std::iter::once(&manifest)
        .chain(of_targets.filter_map(Value::as_table))
        .flat_map(|table| ["dependencies", "build-dependencies"].map(|section| table.get(section)))
        .filter_map(|section| section?.as_table())
        .flat_map(|table| table.keys().cloned())
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
