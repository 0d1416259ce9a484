//! The account at an authority: made once, and kept (RFC 8555 section 7.3).

use instant_acme::{Account, AccountCredentials, NewAccount};
use kamea_components::process::run_unconfined;
use serde_json::{Value, json};

use crate::exchange::Link;
use crate::order::again;
use crate::{AcmeError, AuthorityOptions};

/// Opens the account: the one that was kept, with the contacts of the options; otherwise a new one,
/// which is kept.
pub(crate) async fn open(options: &AuthorityOptions, link: Link) -> Result<Account, AcmeError> {
    let file = options.store.account_file();
    let wrong = |error| AcmeError::state(format!("cannot read {}", file.display()), &error);
    let store = options.store.clone();
    let kept = run_unconfined(move || store.account()).await;
    let Some(kept) = kept.map_err(wrong)? else {
        return create(options, link).await;
    };
    let not_ours = || AcmeError::State(format!("{} is no account: remove it", file.display()));
    let kept: Value = serde_json::from_str(&kept).map_err(|_| not_ours())?;
    let credentials: AccountCredentials =
        serde_json::from_value(kept["account"].clone()).map_err(|_| not_ours())?;
    let builder = Account::builder_with_http(Box::new(link));
    let account = builder.from_credentials(credentials).await?;
    if kept["contacts"] != json!(options.contacts) {
        let contacts: Vec<_> = options.contacts.iter().map(String::as_str).collect();
        again(async || account.update_contacts(&contacts).await).await?;
        keep(options, &kept["account"]).await?;
    }
    Ok(account)
}

/// Forgets the account: the authority no longer knows it.
pub(crate) async fn forget(options: &AuthorityOptions) {
    let file = options.store.account_file();
    // If that fails, so does the next task, and says so.
    let _ = run_unconfined(move || std::fs::remove_file(file)).await;
}

async fn create(options: &AuthorityOptions, link: Link) -> Result<Account, AcmeError> {
    let contacts: Vec<_> = options.contacts.iter().map(String::as_str).collect();
    let new = NewAccount {
        contact: &contacts,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    // The client itself tries again for a bad nonce, but not often enough. A builder is used up.
    let mut bad_nonces = 0;
    let (account, credentials) = loop {
        let builder = Account::builder_with_http(Box::new(link.clone()));
        let created = builder.create(&new, options.directory.clone(), None);
        match created.await {
            Err(error) if AcmeError::is_bad_nonce(&error) && bad_nonces < 10 => bad_nonces += 1,
            created => break created?,
        }
    };
    let credentials = serde_json::to_value(credentials);
    let credentials = credentials.map_err(|error| AcmeError::Answer(error.to_string()))?;
    keep(options, &credentials).await?;
    Ok(account)
}

async fn keep(options: &AuthorityOptions, account: &Value) -> Result<(), AcmeError> {
    let text = json!({ "contacts": options.contacts, "account": account }).to_string();
    let store = options.store.clone();
    let kept = run_unconfined(move || store.keep_account(&text)).await;
    let file = options.store.account_file();
    kept.map_err(|error| AcmeError::state(format!("cannot write {}", file.display()), &error))
}
