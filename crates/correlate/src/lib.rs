//! The joins of KMS with EC2 events as one plan over the lake.
