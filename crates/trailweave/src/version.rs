//! The version of the program, as `--version` tells it.

use std::sync::LazyLock;

/// Version, commit and features, a line for each.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let commit = option_env!("TRAILWEAVE_COMMIT").filter(|commit| !commit.is_empty()).unwrap_or("unknown");
    let features =
        [("query", cfg!(feature = "query")), ("glue", cfg!(feature = "glue")), ("otlp", cfg!(feature = "otlp"))];
    let built_in: Vec<&str> = features.iter().filter(|(_, is_built_in)| *is_built_in).map(|(name, _)| *name).collect();
    let built_in = if built_in.is_empty() { "none".to_owned() } else { built_in.join(", ") };
    format!("{}\ncommit: {commit}\nfeatures: {built_in}", env!("CARGO_PKG_VERSION"))
});

/// Returns version, commit and features. The commit is what `TRAILWEAVE_COMMIT` said while the program was built.
pub(crate) fn version() -> &'static str {
    &VERSION
}
