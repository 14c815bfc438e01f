//! One gzipped CloudTrail object in; Arrow rows, rejects and a tally out.
