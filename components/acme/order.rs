//! One order (RFC 8555 section 7.4): from the first request to the certificate.

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeHandle, ChallengeType,
    Identifier, NewOrder, Order, OrderStatus,
};
use kamea::time::{sleep, wall_clock};
use kamea_components::process::run_unconfined;
use kamea_components::tls::{Certificate, challenge_certificate};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use crate::error::said;
use crate::{AcmeError, Challenge, Name, Store, Window};

/// The pause before the order is looked at again: the first one, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often a request is sent again because of its nonce. Each answer has the next nonce.
const NONCES: usize = 10;

/// Makes a request, again if its nonce was refused (RFC 8555 section 6.5).
pub(crate) async fn again<T>(
    mut ask: impl AsyncFnMut() -> Result<T, instant_acme::Error>,
) -> Result<T, AcmeError> {
    for _ in 0..NONCES {
        match ask().await {
            Err(error) if AcmeError::is_bad_nonce(&error) => {}
            answer => return Ok(answer?),
        }
    }
    Ok(ask().await?)
}

/// Orders a certificate for a name. It is checked to be for the name and the key, and to be valid.
pub(crate) async fn order(
    account: &Account,
    store: &Store,
    name: &Name,
    challenge: Challenge,
    replaces: Option<&Certificate>,
) -> Result<Certificate, AcmeError> {
    let mut order = begin(account, name, replaces).await?;
    let mut shown = None;
    let validated = validate(&mut order, store, name, challenge, &mut shown).await;
    // Serving threads may not remove it.
    let store = store.clone();
    run_unconfined(move || store.hide(shown.as_deref())).await;
    let status = validated?;
    let wrong = |error: rcgen::Error| AcmeError::State(error.to_string());
    let key = KeyPair::generate().map_err(wrong)?;
    if status == OrderStatus::Ready {
        let mut params = CertificateParams::new([name.to_string()]).map_err(wrong)?;
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&key).map_err(wrong)?;
        again(async || order.finalize_csr(request.der()).await).await?;
    }
    settled(&mut order, OrderStatus::Processing).await?;
    let chain = again(async || order.certificate().await).await?;
    let chain = chain.ok_or(AcmeError::Late)?;
    let certificate = Certificate::from_pem(chain.as_bytes(), key.serialize_pem().as_bytes())?;
    check(&certificate, name)?;
    Ok(certificate)
}

fn check(certificate: &Certificate, name: &Name) -> Result<(), AcmeError> {
    let names = certificate.names().join(", ");
    if !certificate.covers(name.as_str()) {
        let why = format!("its certificate is for {names}, and not for {name}");
        return Err(AcmeError::Answer(why));
    }
    let now = wall_clock().duration_since(UNIX_EPOCH).unwrap_or_default();
    if certificate.not_after() <= now.as_secs().cast_signed() {
        let why = "its certificate has expired: is the clock of this machine right?";
        return Err(AcmeError::Answer(why.into()));
    }
    Ok(())
}

async fn begin(
    account: &Account,
    name: &Name,
    replaces: Option<&Certificate>,
) -> Result<Order, AcmeError> {
    let identifiers = [Identifier::Dns(name.to_string())];
    if let Some(id) = replaces.and_then(identifier) {
        let new = NewOrder::new(&identifiers).replaces(id);
        match again(async || account.new_order(&new).await).await {
            // It has been replaced before, or the authority does not know it.
            Err(AcmeError::Refused(_) | AcmeError::Answer(_)) => {}
            begun => return begun,
        }
    }
    let new = NewOrder::new(&identifiers);
    again(async || account.new_order(&new).await).await
}

/// Lets the authority validate the name. `shown` gets the file that it asks for.
async fn validate(
    order: &mut Order,
    store: &Store,
    name: &Name,
    challenge: Challenge,
    shown: &mut Option<PathBuf>,
) -> Result<OrderStatus, AcmeError> {
    show(order, store, name, challenge, shown).await?;
    match settled(order, OrderStatus::Pending).await? {
        OrderStatus::Invalid => Err(why_invalid(order, name, challenge).await),
        status => Ok(status),
    }
}

/// Shows what the authority asks for, and tells it so.
async fn show(
    order: &mut Order,
    store: &Store,
    name: &Name,
    wanted: Challenge,
    shown: &mut Option<PathBuf>,
) -> Result<(), AcmeError> {
    again(async || {
        let mut authorizations = order.authorizations();
        while let Some(found) = authorizations.next().await {
            let mut found = found?;
            match found.status {
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                _ => {
                    return Err(other(AcmeError::Answer(
                        "an authorization is not open".into(),
                    )));
                }
            }
            let kind = match wanted {
                Challenge::Http01 => ChallengeType::Http01,
                Challenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
            };
            let Some(mut challenge) = found.challenge(kind) else {
                let why = format!("it offers no challenge {}", wanted.as_str());
                return Err(other(AcmeError::Answer(why)));
            };
            let file = show_challenge(&challenge, store, name, wanted).await;
            *shown = Some(file.map_err(other)?);
            challenge.set_ready().await?;
        }
        Ok(())
    })
    .await
}

fn other(error: AcmeError) -> instant_acme::Error {
    instant_acme::Error::Other(Box::new(error))
}

async fn show_challenge(
    challenge: &ChallengeHandle<'_>,
    store: &Store,
    name: &Name,
    wanted: Challenge,
) -> Result<PathBuf, AcmeError> {
    let (store, name) = (store.clone(), name.clone());
    let folder = store.challenges();
    let answer = challenge.key_authorization();
    let shown = match wanted {
        Challenge::Http01 => {
            let (token, answer) = (challenge.token.clone(), answer.as_str().to_owned());
            run_unconfined(move || store.show_token(&token, &answer)).await
        }
        Challenge::TlsAlpn01 => {
            let digest = answer.digest();
            let certificate = challenge_certificate(name.as_str(), digest.as_ref())?;
            run_unconfined(move || store.show_certificate(&name, &certificate)).await
        }
    };
    shown.map_err(|error| AcmeError::state(format!("cannot write to {}", folder.display()), &error))
}

/// Waits until the order has another status than this one.
async fn settled(order: &mut Order, from: OrderStatus) -> Result<OrderStatus, AcmeError> {
    let mut pause = FIRST_PAUSE;
    // It has a status already, but not since we have told that we are ready.
    let mut status = order.state().status;
    while status == from {
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        status = again(async || order.refresh().await.map(|state| state.status)).await?;
    }
    Ok(status)
}

/// What the authority says about a challenge that has failed.
async fn why_invalid(order: &mut Order, name: &Name, challenge: Challenge) -> AcmeError {
    let why = again(async || {
        let mut authorizations = order.authorizations();
        while let Some(found) = authorizations.next().await {
            let mut found = found?;
            let state = found.refresh().await?;
            if let Some(problem) = state.challenges.iter().find_map(|it| it.error.as_ref()) {
                return Ok(Some(said(problem)));
            }
        }
        Ok(None)
    });
    let why = why.await.ok().flatten();
    let of_order = || order.state().error.as_ref().map(said);
    AcmeError::Invalid {
        name: name.to_string(),
        challenge: challenge.as_str(),
        why: why
            .or_else(of_order)
            .unwrap_or_else(|| "it does not say why".into()),
    }
}

/// Asks when to renew a certificate (RFC 9773); `None` if the authority does not say.
pub(crate) async fn ask_when(
    account: &Account,
    certificate: &Certificate,
) -> Result<Option<Window>, AcmeError> {
    let Some(id) = identifier(certificate) else {
        return Ok(None);
    };
    match account.renewal_info(&id).await {
        // It knows no such thing, or does it wrong.
        Err(instant_acme::Error::Unsupported(_) | instant_acme::Error::Str(_)) => Ok(None),
        Err(error) => Err(error.into()),
        Ok((info, ask_again)) => Ok(Some(Window {
            start: info.suggested_window.start.unix_timestamp(),
            end: info.suggested_window.end.unix_timestamp(),
            ask_again: ask_again.as_secs().cast_signed(),
        })),
    }
}

/// How the authority knows a certificate (RFC 9773 section 4.1).
fn identifier(certificate: &Certificate) -> Option<CertificateIdentifier<'static>> {
    let (authority, serial) = certificate.renewal_identifier()?;
    Some(CertificateIdentifier {
        authority_key_identifier: BASE64_URL_SAFE_NO_PAD.encode(authority).into(),
        serial: BASE64_URL_SAFE_NO_PAD.encode(serial).into(),
    })
}
