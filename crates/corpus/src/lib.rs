//! Seeded synthetic trails with the ground truth of every link.
