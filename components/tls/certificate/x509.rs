//! What the fields of a certificate say (RFC 5280 section 4.1).

use std::fmt::Write as _;
use std::net::IpAddr;

use ring::digest::{SHA256, digest};
use yasna::models::ObjectIdentifier;
use yasna::tags::{TAG_GENERALIZEDTIME, TAG_UTCTIME};
use yasna::{ASN1Error, ASN1ErrorKind, ASN1Result, BERReader, BERReaderSeq, Tag, parse_der};

/// The object identifier of the names of the subject (RFC 5280 section 4.2.1.6).
const SUBJECT_ALTERNATIVE_NAMES: &[u64] = &[2, 5, 29, 17];

/// The object identifier of the key that has signed it (RFC 5280 section 4.2.1.1).
const AUTHORITY_KEY_IDENTIFIER: &[u64] = &[2, 5, 29, 35];

/// The short names of attributes (RFC 4514 section 3), by the last number of their identifier.
const ATTRIBUTES: [(&[u64], &str); 6] = [
    (&[2, 5, 4, 3], "CN"),
    (&[2, 5, 4, 6], "C"),
    (&[2, 5, 4, 7], "L"),
    (&[2, 5, 4, 8], "ST"),
    (&[2, 5, 4, 10], "O"),
    (&[2, 5, 4, 11], "OU"),
];

/// The fields of a certificate that the server shows or decides by.
#[derive(Debug, Clone, Default)]
pub(super) struct Read {
    pub(super) serial: String,
    /// The serial number as it is encoded.
    pub(super) serial_der: Vec<u8>,
    /// The identifier of the key that has signed it.
    pub(super) authority_key: Option<Vec<u8>>,
    pub(super) issuer: String,
    pub(super) subject: String,
    /// In seconds since 1970.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    pub(super) names: Names,
}

/// The names and addresses that a certificate is for.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Read {
    /// Reads a certificate in DER form; otherwise says what is wrong.
    pub(super) fn of(der: &[u8]) -> Result<Self, String> {
        let read = parse_der(der, |certificate| {
            certificate.read_sequence(|parts| {
                let read = parts.next().read_sequence(to_be_signed)?;
                // The algorithm and the signature: the handshake checks these.
                parts.next().read_der()?;
                parts.next().read_der()?;
                Ok(read)
            })
        });
        read.map_err(|error| match error.kind() {
            ASN1ErrorKind::Eof => "it ends too early".to_owned(),
            _ => "it is not an X.509 certificate in DER form".to_owned(),
        })
    }
}

fn to_be_signed(fields: &mut BERReaderSeq<'_, '_>) -> ASN1Result<Read> {
    let mut read = Read::default();
    fields.read_optional(|version| version.read_tagged(Tag::context(0), |it| it.read_der()))?;
    let (serial, _) = fields.next().read_bigint_bytes()?;
    read.serial = hexadecimal(&serial, "");
    // Where the first bit is set, a zero keeps the number positive (X.690 section 8.3).
    let zero = serial.first().is_some_and(|first| first & 0x80 != 0);
    read.serial_der = [&[0][..usize::from(zero)], &serial].concat();
    fields.next().read_der()?;
    read.issuer = fields.next().read_sequence_text()?;
    (read.not_before, read.not_after) = fields
        .next()
        .read_sequence(|validity| Ok((moment(validity.next())?, moment(validity.next())?)))?;
    read.subject = fields.next().read_sequence_text()?;
    fields.next().read_der()?;
    for unique_id in [1, 2] {
        fields.read_optional(|id| {
            id.read_tagged_implicit(Tag::context(unique_id), |it| it.read_bitvec_bytes())
        })?;
    }
    let extensions = fields.read_optional(|extensions| {
        extensions.read_tagged(Tag::context(3), |extensions| {
            extensions.collect_sequence_of(extension)
        })
    })?;
    let extensions = extensions.unwrap_or_default();
    let find = |wanted: &[u64]| {
        let mut extensions = extensions.iter();
        let found = extensions.find(|(oid, _)| oid.components().as_slice() == wanted);
        found.map(|(_, value)| value)
    };
    read.authority_key = find(AUTHORITY_KEY_IDENTIFIER).and_then(|value| key_identifier(value));
    if let Some(value) = find(SUBJECT_ALTERNATIVE_NAMES) {
        read.names = parse_der(value, |names| {
            let mut found = Names::default();
            names.read_sequence_of(|name| found.add(name))?;
            Ok(found)
        })?;
    }
    Ok(read)
}

/// The key identifier in the value of an extension; `None` if there is none.
fn key_identifier(value: &[u8]) -> Option<Vec<u8>> {
    let read = parse_der(value, |value| {
        value.read_sequence(|parts| {
            let key = parts.read_optional(|key| {
                key.read_tagged_implicit(Tag::context(0), |it| it.read_bytes())
            })?;
            // The issuer and its serial number may follow.
            while parts.read_optional(|more| more.read_der())?.is_some() {}
            Ok(key)
        })
    });
    read.ok().flatten()
}

/// The identifier and the value of an extension.
fn extension(extension: BERReader<'_, '_>) -> ASN1Result<(ObjectIdentifier, Vec<u8>)> {
    extension.read_sequence(|parts| {
        let oid = parts.next().read_oid()?;
        parts.read_default(false, |it| it.read_bool())?;
        Ok((oid, parts.next().read_bytes()?))
    })
}

/// A time of either form, in seconds since 1970 (RFC 5280 section 4.1.2.5).
pub(super) fn moment(time: BERReader<'_, '_>) -> ASN1Result<i64> {
    match time.lookahead_tag()? {
        TAG_UTCTIME => Ok(time.read_utctime()?.datetime().unix_timestamp()),
        TAG_GENERALIZEDTIME => Ok(time.read_generalized_time()?.datetime().unix_timestamp()),
        _ => Err(ASN1Error::new(ASN1ErrorKind::Invalid)),
    }
}

trait ReadText {
    /// Reads a distinguished name as text, such as `CN=www.example, O=Example`.
    fn read_sequence_text(self) -> ASN1Result<String>;
}

impl ReadText for BERReader<'_, '_> {
    fn read_sequence_text(self) -> ASN1Result<String> {
        let mut parts = Vec::new();
        self.read_sequence_of(|relative| {
            relative.read_set_of(|attribute| {
                parts.push(attribute.read_sequence(|pair| {
                    let oid = pair.next().read_oid()?;
                    let value = pair.next().read_tagged_der()?;
                    let known = ATTRIBUTES
                        .iter()
                        .find(|(number, _)| oid.components().as_slice() == *number);
                    let name =
                        known.map_or_else(|| oid.to_string(), |(_, name)| (*name).to_owned());
                    let value = String::from_utf8_lossy(value.value()).into_owned();
                    Ok(format!("{name}={value}"))
                })?);
                Ok(())
            })
        })?;
        Ok(parts.join(", "))
    }
}

impl Names {
    /// Adds a general name, if it is a name of the DNS or an address.
    fn add(&mut self, name: BERReader<'_, '_>) -> ASN1Result<()> {
        let name = name.read_tagged_der()?;
        let value = name.value();
        match name.tag().tag_number {
            2 => self
                .names
                .push(String::from_utf8_lossy(value).to_lowercase()),
            7 => {
                let four = <[u8; 4]>::try_from(value).map(IpAddr::from);
                let sixteen = || <[u8; 16]>::try_from(value).map(IpAddr::from);
                self.addresses.extend(four.or_else(|_| sixteen()).ok());
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether one of them stands for `name`.
    pub(super) fn cover(&self, name: &str) -> bool {
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return self.addresses.contains(&address);
        }
        let name = name.trim_end_matches('.').to_lowercase();
        self.names.iter().any(|own| match own.strip_prefix("*.") {
            // A wildcard stands for one whole label (RFC 9525 section 6.3).
            Some(rest) => name
                .split_once('.')
                .is_some_and(|(label, below)| !label.is_empty() && below == rest),
            None => *own == name,
        })
    }

    /// All of them, as text.
    pub(super) fn to_vec(&self) -> Vec<String> {
        let addresses = self.addresses.iter().map(IpAddr::to_string);
        self.names.iter().cloned().chain(addresses).collect()
    }
}

/// The SHA-256 fingerprint of a certificate in DER form.
pub(super) fn fingerprint(der: &[u8]) -> String {
    hexadecimal(digest(&SHA256, der).as_ref(), ":")
}

pub(super) fn hexadecimal(bytes: &[u8], separator: &str) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for (place, byte) in bytes.iter().enumerate() {
        let separator = if place > 0 { separator } else { "" };
        // Writing to a string succeeds.
        let _ = write!(text, "{separator}{byte:02X}");
    }
    text
}
