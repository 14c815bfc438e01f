//! What is adopted, and what is refused. Needs no Spark.
