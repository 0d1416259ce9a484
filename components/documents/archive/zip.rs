//! ZIP (APPNOTE.TXT 6.3.10 of PKWARE): files as they are, with their checksums behind them.

use crc32fast::Hasher;
use time::OffsetDateTime;

/// The largest number in a field of 32 bits; larger ones are in a field of ZIP64.
const LARGEST: u64 = u32::MAX as u64;

/// The versions of the format that an entry needs: 2.0, and 4.5 for ZIP64.
const VERSION: u16 = 20;
const VERSION_64: u16 = 45;

/// Flags: sizes and checksum follow the contents; the name is UTF-8.
const SIZES_FOLLOW: u16 = 1 << 3;
const IS_UTF8: u16 = 1 << 11;

/// A ZIP archive while it is written.
#[derive(Debug, Default)]
pub(super) struct Zip {
    /// The number of bytes so far.
    offset: u64,
    entries: u64,
    /// The size of the central directory so far.
    directory: u64,
    current: Option<Current>,
}

/// The file that is being written.
#[derive(Debug)]
struct Current {
    name: Vec<u8>,
    length: u64,
    modified: i64,
    offset: u64,
    sum: Hasher,
}

impl Zip {
    /// Begins a folder, whose name ends with a slash, or a file. Returns its header.
    pub(super) fn begin(&mut self, name: &[u8], length: u64, modified: i64) -> Vec<u8> {
        let current = Current {
            name: name.to_vec(),
            length,
            modified,
            offset: self.offset,
            sum: Hasher::new(),
        };
        let mut bytes = b"PK\x03\x04".to_vec();
        bytes.extend(current.common());
        // The sizes follow the contents, in 64 bits if there is this field.
        bytes.extend([0; 12]);
        bytes.extend((name.len() as u16).to_le_bytes());
        let is_large = length > LARGEST;
        bytes.extend((if is_large { 20_u16 } else { 0 }).to_le_bytes());
        bytes.extend(name);
        if is_large {
            bytes.extend([1, 0, 16, 0]);
            bytes.extend([0; 16]);
        }
        self.offset += bytes.len() as u64;
        self.current = Some(current);
        bytes
    }

    /// Counts some bytes of the current file.
    pub(super) fn count(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        if let Some(current) = &mut self.current {
            current.sum.update(bytes);
        }
    }

    /// Ends the current file. Returns what follows its contents, and its entry in the directory.
    pub(super) fn end_file(&mut self) -> (Vec<u8>, Vec<u8>) {
        let Some(current) = self.current.take() else {
            return (Vec::new(), Vec::new());
        };
        let sum = current.sum.clone().finalize();
        let mut bytes = b"PK\x07\x08".to_vec();
        bytes.extend(sum.to_le_bytes());
        for _ in 0..2 {
            match u32::try_from(current.length) {
                Ok(length) => bytes.extend(length.to_le_bytes()),
                Err(_) => bytes.extend(current.length.to_le_bytes()),
            }
        }
        self.offset += bytes.len() as u64;
        let entry = current.entry(sum);
        self.entries += 1;
        self.directory += entry.len() as u64;
        (bytes, entry)
    }

    /// Returns what follows the central directory.
    pub(super) fn end(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (start, size, entries) = (self.offset, self.directory, self.entries);
        if start > LARGEST || size > LARGEST || entries >= u64::from(u16::MAX) {
            bytes.extend(b"PK\x06\x06");
            bytes.extend(44_u64.to_le_bytes());
            bytes.extend([VERSION_64.to_le_bytes(), VERSION_64.to_le_bytes()].concat());
            bytes.extend([0; 8]);
            bytes.extend(
                [entries, entries, size, start]
                    .map(u64::to_le_bytes)
                    .concat(),
            );
            bytes.extend(b"PK\x06\x07\0\0\0\0");
            bytes.extend((start + size).to_le_bytes());
            bytes.extend(1_u32.to_le_bytes());
        }
        let entries = u16::try_from(entries).unwrap_or(u16::MAX);
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        bytes.extend([entries, entries].map(u16::to_le_bytes).concat());
        bytes.extend(
            [size, start]
                .map(|n| n.min(LARGEST) as u32)
                .map(u32::to_le_bytes)
                .concat(),
        );
        bytes.extend([0; 2]);
        bytes
    }
}

impl Current {
    /// The fields that the header and the entry in the directory share, up to the checksum.
    fn common(&self) -> Vec<u8> {
        let is_large = self.length > LARGEST || self.offset > LARGEST;
        let version = if is_large { VERSION_64 } else { VERSION };
        let utf8 = if str::from_utf8(&self.name).is_ok() {
            IS_UTF8
        } else {
            0
        };
        let (time, date) = dos_time(self.modified);
        [version, SIZES_FOLLOW | utf8, 0, time, date]
            .map(u16::to_le_bytes)
            .concat()
    }

    /// The entry in the central directory.
    fn entry(&self, sum: u32) -> Vec<u8> {
        let mut large = Vec::new();
        if self.length > LARGEST {
            large.extend([self.length, self.length].map(u64::to_le_bytes).concat());
        }
        if self.offset > LARGEST {
            large.extend(self.offset.to_le_bytes());
        }
        let (is_folder, length) = (self.name.ends_with(b"/"), self.length.min(LARGEST) as u32);
        let mut bytes = b"PK\x01\x02".to_vec();
        // Made on Unix, so that the attributes are a mode.
        bytes.extend(((3 << 8) | VERSION_64).to_le_bytes());
        bytes.extend(self.common());
        bytes.extend([sum, length, length].map(u32::to_le_bytes).concat());
        bytes.extend((self.name.len() as u16).to_le_bytes());
        let extra = if large.is_empty() { 0 } else { large.len() + 4 };
        bytes.extend((extra as u16).to_le_bytes());
        bytes.extend([0; 6]);
        let mode: u32 = if is_folder { 0o40755 } else { 0o100_644 };
        bytes.extend((mode << 16 | if is_folder { 0x10 } else { 0 }).to_le_bytes());
        bytes.extend((self.offset.min(LARGEST) as u32).to_le_bytes());
        bytes.extend(&self.name);
        if !large.is_empty() {
            bytes.extend([1, 0]);
            bytes.extend((large.len() as u16).to_le_bytes());
            bytes.extend(large);
        }
        bytes
    }
}

/// Returns a time of MS-DOS, in UTC: two seconds are its unit, and 1980 its first year.
fn dos_time(seconds: i64) -> (u16, u16) {
    const FIRST: (u16, u16) = (0, (1 << 5) | 1);
    let Ok(at) = OffsetDateTime::from_unix_timestamp(seconds) else {
        return FIRST;
    };
    let (hour, minute, second) = (at.hour().into(), at.minute().into(), u16::from(at.second()));
    let time: u16 = (second / 2) | minute_and_hour(minute, hour);
    match u16::try_from(at.year() - 1980) {
        Ok(year @ 0..128) => {
            let month = u16::from(u8::from(at.month()));
            (time, (year << 9) | (month << 5) | u16::from(at.day()))
        }
        _ => FIRST,
    }
}

fn minute_and_hour(minute: u16, hour: u16) -> u16 {
    (hour << 11) | (minute << 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_ms_dos() {
        // 1994-11-06 08:49:37
        assert_eq!(
            dos_time(784_111_777),
            ((8 << 11) | (49 << 5) | 18, (14 << 9) | (11 << 5) | 6)
        );
        for outside in [0, -1, i64::MAX, 4_500_000_000_000] {
            assert_eq!(dos_time(outside), (0, 33), "{outside}");
        }
    }

    #[test]
    fn numbers_beyond_32_bits_are_in_fields_of_zip64() {
        let mut zip = Zip {
            offset: LARGEST + 1,
            ..Zip::default()
        };
        let header = zip.begin(b"a", LARGEST + 1, 0);
        assert_eq!(header.len(), 30 + 1 + 20);
        let (after, entry) = zip.end_file();
        assert_eq!(after.len(), 4 + 4 + 16);
        assert_eq!(entry.len(), 46 + 1 + 4 + 24);
        assert!(zip.end().starts_with(b"PK\x06\x06"));
        let mut zip = Zip::default();
        assert_eq!(zip.begin(b"a", 1, 0).len(), 31);
        zip.count(b"a");
        let (after, entry) = zip.end_file();
        assert_eq!((after.len(), entry.len(), zip.end().len()), (16, 47, 22));
    }
}
