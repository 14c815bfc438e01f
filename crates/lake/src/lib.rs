//! The lake on disk: its format, its lock, and Parquet files that appear whole or not at all.
