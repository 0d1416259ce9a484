//! The tape archive (POSIX.1-1988 ustar, with the long names of GNU tar, which every program
//! reads).

/// The size of a block, in bytes: headers and contents are padded to it.
const BLOCK: usize = 512;

/// The longest name in a header, in bytes.
const LONGEST_NAME: usize = 100;

/// Returns the header of a folder, whose name ends with a slash, or of a file.
pub(super) fn header(name: &[u8], length: u64, modified: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if name.len() > LONGEST_NAME {
        // The name comes first, as the contents of an entry of its own.
        let long = [name, b"\0"].concat();
        bytes.extend(block(b"././@LongLink", b'L', long.len() as u64, 0));
        bytes.extend(&long);
        bytes.extend(padding(long.len() as u64));
    }
    let kind = if name.ends_with(b"/") { b'5' } else { b'0' };
    let shown = &name[..name.len().min(LONGEST_NAME)];
    bytes.extend(block(shown, kind, length, modified));
    bytes
}

/// Returns the bytes after contents of this length.
pub(super) fn padding(length: u64) -> Vec<u8> {
    let rest = (length % BLOCK as u64) as usize;
    vec![0; if rest == 0 { 0 } else { BLOCK - rest }]
}

/// Returns the end of an archive.
pub(super) fn end() -> Vec<u8> {
    vec![0; 2 * BLOCK]
}

fn block(name: &[u8], kind: u8, length: u64, modified: i64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mode: &[u8] = if kind == b'5' {
        b"0000755\0"
    } else {
        b"0000644\0"
    };
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name);
    put(100, mode);
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, &number(length));
    put(136, &number(u64::try_from(modified).unwrap_or(0)));
    // The sum counts its own field as spaces.
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar  \0");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// Returns a number in octal digits, or in binary if it has too many (an extension of GNU tar).
fn number(number: u64) -> [u8; 12] {
    let mut field = [0; 12];
    if number < 1 << 33 {
        field[..11].copy_from_slice(format!("{number:011o}").as_bytes());
    } else {
        field[0] = 0x80;
        field[4..].copy_from_slice(&number.to_be_bytes());
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_fit_into_their_field() {
        assert_eq!(&number(8), b"00000000010\0");
        assert_eq!(&number((1 << 33) - 1), b"77777777777\0");
        assert_eq!(number(1 << 33), [0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
    }

    #[test]
    fn contents_end_at_a_block() {
        for (length, expected) in [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)] {
            assert_eq!(padding(length).len(), expected, "{length}");
        }
    }

    #[test]
    fn a_long_name_comes_before_its_header() {
        assert_eq!(header(&[b'a'; 100], 0, 0).len(), BLOCK);
        let long = header(&[b'a'; 600], 0, 0);
        assert_eq!(long.len(), 4 * BLOCK);
        assert_eq!(&long[512..1112], [b'a'; 600]);
    }
}
