//! Masking (RFC 6455 section 5.3): each byte is combined with a byte of the key, in turns.

/// Masks or unmasks bytes in place. `offset` is the number of payload bytes before them.
///
/// Sixteen bytes at a time, which the compiler turns into vector instructions.
pub(super) fn apply_mask(bytes: &mut [u8], key: [u8; 4], offset: u64) {
    let mut turned = key;
    turned.rotate_left((offset % 4) as usize);
    let wide = u128::from_ne_bytes(std::array::from_fn(|at| turned[at % 4]));
    let (blocks, rest) = bytes.as_chunks_mut::<16>();
    for block in blocks {
        *block = (u128::from_ne_bytes(*block) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(turned.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_masks_like_the_definition() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let plain: Vec<u8> = (0..100).collect();
        let defined = plain
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ key[at % 4]);
        let defined: Vec<u8> = defined.collect();
        for cut in 0..=plain.len() {
            let mut masked = plain.clone();
            let (left, right) = masked.split_at_mut(cut);
            apply_mask(left, key, 0);
            apply_mask(right, key, cut as u64);
            assert_eq!(masked, defined, "cut at {cut}");
        }
    }

    /// RFC 6455 section 5.7: "A single-frame masked text message (contains "Hello")".
    #[test]
    fn the_example_of_the_rfc() {
        let mut bytes = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        apply_mask(&mut bytes, [0x37, 0xfa, 0x21, 0x3d], 0);
        assert_eq!(&bytes, b"Hello");
    }
}
