//! Moves every object of a listing through decode into committed Parquet, restartable.
