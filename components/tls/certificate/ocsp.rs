//! What an OCSP response says of a certificate (RFC 6960 section 4.2).

use yasna::models::ObjectIdentifier;
use yasna::{ASN1Result, BERReader, BERReaderSeq, Tag, parse_der};

use super::x509::{hexadecimal, moment};

/// The type of a basic response (RFC 6960 section 4.2.1).
const BASIC: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 48, 1, 1];

/// The status of a certificate that has not been revoked.
const GOOD: u64 = 0;

/// The response of an authority about one certificate, for a server to send with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    /// From when on there is newer information, in seconds since 1970.
    pub(super) next_update: Option<i64>,
}

/// What a response says of one certificate.
struct Single {
    serial: String,
    status: u64,
    next_update: Option<i64>,
}

impl Said {
    /// Reads a response in DER form about the certificate of this serial number; otherwise says
    /// what is wrong. Clients check its signature.
    pub(super) fn of(der: &[u8], serial: &str) -> Result<Self, String> {
        let wrong = "it is not an OCSP response in DER form";
        let (status, basic) = parse_der(der, response).map_err(|_| wrong.to_owned())?;
        let Some(basic) = basic.filter(|_| status == 0) else {
            return Err(format!(
                "the authority has answered with the error {status} instead of a status"
            ));
        };
        let singles = parse_der(&basic, basic_response).map_err(|_| wrong.to_owned())?;
        let single = singles.into_iter().find(|single| single.serial == serial);
        match single {
            None => Err("it is about another certificate".to_owned()),
            Some(Single {
                status: GOOD,
                next_update,
                ..
            }) => Ok(Self { next_update }),
            Some(_) => Err("it says that the certificate is revoked or unknown".to_owned()),
        }
    }

    /// Whether it is current at this time, in seconds since 1970.
    pub(super) fn is_current_at(self, seconds: i64) -> bool {
        self.next_update.is_none_or(|next| seconds < next)
    }
}

/// The status of the answer, and the response itself.
fn response(response: BERReader<'_, '_>) -> ASN1Result<(i64, Option<Vec<u8>>)> {
    response.read_sequence(|parts| {
        let status = parts.next().read_enum()?;
        let basic = parts.read_optional(|tagged| {
            tagged.read_tagged(Tag::context(0), |bytes| {
                bytes.read_sequence(|parts| {
                    let oid: ObjectIdentifier = parts.next().read_oid()?;
                    let bytes = parts.next().read_bytes()?;
                    Ok((oid.components().as_slice() == BASIC).then_some(bytes))
                })
            })
        })?;
        Ok((status, basic.flatten()))
    })
}

fn basic_response(response: BERReader<'_, '_>) -> ASN1Result<Vec<Single>> {
    response.read_sequence(|parts| {
        let singles = parts.next().read_sequence(response_data)?;
        // The algorithm, the signature, and certificates.
        parts.next().read_der()?;
        parts.next().read_der()?;
        parts.read_optional(|certificates| certificates.read_der())?;
        Ok(singles)
    })
}

fn response_data(fields: &mut BERReaderSeq<'_, '_>) -> ASN1Result<Vec<Single>> {
    fields.read_optional(|version| version.read_tagged(Tag::context(0), |it| it.read_der()))?;
    // Who answers, and when.
    fields.next().read_tagged_der()?;
    fields.next().read_der()?;
    let singles = fields.next().collect_sequence_of(single)?;
    fields.read_optional(|extensions| extensions.read_der())?;
    Ok(singles)
}

fn single(response: BERReader<'_, '_>) -> ASN1Result<Single> {
    response.read_sequence(|parts| {
        let serial = parts.next().read_sequence(|id| {
            for _ in ["algorithm", "hash of the name", "hash of the key"] {
                id.next().read_der()?;
            }
            Ok(hexadecimal(&id.next().read_bigint_bytes()?.0, ""))
        })?;
        let status = parts.next().read_tagged_der()?.tag().tag_number;
        moment(parts.next())?;
        let next_update = parts.read_optional(|next| next.read_tagged(Tag::context(0), moment))?;
        parts.read_optional(|extensions| extensions.read_der())?;
        Ok(Single {
            serial,
            status,
            next_update,
        })
    })
}
