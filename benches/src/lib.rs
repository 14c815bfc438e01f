//! The bench levels and the floor they are held against.
