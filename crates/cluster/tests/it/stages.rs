//! Runs that wait, and runs that nobody needs.
