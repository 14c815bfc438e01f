//! Prints `docs/tables.md`: `cargo run -p trailweave-table --example tables > docs/tables.md`.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use trailweave_table::AUDIT;
use trailweave_table::TABLES;
use trailweave_table::markdown;
use trailweave_table::question_markdown;
use trailweave_table::view_markdown;

fn main() {
    let tables: Vec<_> = TABLES.into_iter().chain(AUDIT).collect();
    println!(
        "# Tables\n\nWritten by `cargo run -p trailweave-table --example tables`. Every column may be null. An id is that of the field in Parquet and Iceberg."
    );
    print!("{}{}{}", markdown(&tables), view_markdown(), question_markdown());
}
