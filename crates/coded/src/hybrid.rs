//! The hybrid of run lengths and packed bits, in which Parquet writes levels and numbers of a dictionary.

/// A run of as many equal values is worth a run length.
const RUN: usize = 8;

/// Appends `values`, each below `2^width`.
pub(crate) fn encode(values: &[u32], width: u32, out: &mut Vec<u8>) {
    let mut packed = 0;
    let mut at = 0;
    while at < values.len() {
        let length = values[at..].iter().take_while(|value| **value == values[at]).count();
        // Packed values come in whole groups, which the first of the run may have to fill.
        let filling = (at - packed).next_multiple_of(RUN) - (at - packed);
        if length >= filling + RUN {
            pack(&values[packed..at + filling], width, out);
            varint((length - filling) << 1, out);
            out.extend_from_slice(&values[at].to_le_bytes()[..width.div_ceil(8) as usize]);
            packed = at + length;
        }
        at += length;
    }
    pack(&values[packed..], width, out);
}

/// Appends values in groups of eight; the last one is filled with zeros.
fn pack(values: &[u32], width: u32, out: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let n_groups = values.len().div_ceil(RUN);
    varint(n_groups << 1 | 1, out);
    let end = out.len() + n_groups * width as usize;
    let (mut bits, mut n_bits) = (0_u64, 0);
    for value in values {
        bits |= u64::from(*value) << n_bits;
        n_bits += width;
        if n_bits >= 32 {
            out.extend_from_slice(&bits.to_le_bytes()[..4]);
            bits >>= 32;
            n_bits -= 32;
        }
    }
    out.extend_from_slice(&bits.to_le_bytes()[..n_bits.div_ceil(8) as usize]);
    out.resize(end, 0);
}

fn varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(values: &[u32], width: u32) -> Vec<u8> {
        let mut out = Vec::new();
        encode(values, width, &mut out);
        out
    }

    #[test]
    fn the_examples_of_the_format_are_written_as_it_says() {
        // 0 to 7 in three bits each, as the specification of the format packs them.
        assert_eq!(encoded(&[0, 1, 2, 3, 4, 5, 6, 7], 3), [0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010]);
        assert_eq!(encoded(&[1; 100], 1), [200, 1, 1]);
        assert_eq!(encoded(&[300; 8], 9), [16, 44, 1]);
        assert_eq!(encoded(&[], 1).len(), 0);
    }

    #[test]
    fn a_run_fills_the_group_before_it() {
        let mut values = vec![1, 0, 1];
        values.extend([0; 13]);
        assert_eq!(encoded(&values, 1), [0b11, 0b101, 16, 0]);
        values.truncate(15);
        assert_eq!(encoded(&values, 1), [0b101, 0b101, 0], "a run that is too short once the group is full");
    }
}
