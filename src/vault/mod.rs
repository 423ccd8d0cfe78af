//! Sealed credentials: envelope encryption, one data key per workspace, under keys from outside.
//!
//! The key-encryption key comes from a file or the environment ([`Keyring`]) and is never stored.
//! It seals a data key per workspace, which seals that workspace's secrets. Every ciphertext is
//! tied to its place, so that a row copied elsewhere opens nothing. May use the store and the
//! clock; knows nothing of what it seals.

mod alive;
mod credentials;
mod envelope;
mod keeper;
mod keyring;
mod probe;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};

use crate::model::WorkspaceId;
use crate::store::{Store, StoreError};

pub use credentials::{Credentials, Grant, audience};
use envelope::DataKey;
pub use keeper::{Granted, Keeper, KeeperError, OnLoss};
pub use keyring::{Keyring, KeyringFault};
pub use probe::Probed;

/// The service's own data key is that of the workspace without a name.
const OWN: &str = "";
const PAGE: u32 = 500;

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] KeyringFault),
    #[error(
        "the store was sealed with the key {found}, which is not at hand; give the key that this \
         store was made with"
    )]
    UnknownKey { found: String },
    #[error("the key does not open this store; give the key that this store was made with")]
    WrongKey,
    #[error(
        "a sealed value of {ws} cannot be opened: it was changed, cut or copied from elsewhere"
    )]
    Damaged { ws: String },
}

/// Reads the keys from where they are kept; asked again when a key is not known.
pub type ReadKeys = dyn Fn() -> Result<Keyring, KeyringFault> + Send + Sync;

pub struct Vault {
    store: Arc<Store>,
    read: Box<ReadKeys>,
    ring: RwLock<Keyring>,
    /// Opened data keys by workspace.
    open: Mutex<BTreeMap<String, Arc<DataKey>>>,
    signer: hmac::Key,
}

impl Vault {
    /// Opens the store's own data key, or makes it: a key that is not the store's is found out
    /// here, before anything else is done with it.
    pub async fn open(store: Arc<Store>, read: Box<ReadKeys>) -> Result<Self, VaultError> {
        let open = Mutex::default();
        let ring = read()?;
        // Replaced below; a signer needs the data key that only the vault can open.
        let mut vault = Self {
            store,
            read,
            ring: RwLock::new(ring),
            open,
            signer: hmac::Key::new(hmac::HMAC_SHA256, &[]),
        };
        let own = vault.data_key(OWN).await?;
        vault.signer = own.signer();
        Ok(vault)
    }

    /// Seals a secret of the workspace for one place, such as `connection/hubspot`.
    pub async fn seal(
        &self,
        ws: &WorkspaceId,
        place: &str,
        secret: &SecretString,
    ) -> Result<String, VaultError> {
        let key = self.data_key(ws.as_str()).await?;
        Ok(key.seal(&tied(ws.as_str(), place), secret.expose_secret().as_bytes()))
    }

    /// Opens what was sealed for the very same workspace and place.
    pub async fn unseal(
        &self,
        ws: &WorkspaceId,
        place: &str,
        sealed: &str,
    ) -> Result<SecretString, VaultError> {
        let damaged = || VaultError::Damaged {
            ws: ws.as_str().to_owned(),
        };
        let key = self.data_key(ws.as_str()).await?;
        let plain = key
            .open(&tied(ws.as_str(), place), sealed)
            .ok_or_else(damaged)?;
        String::from_utf8(plain)
            .map(SecretString::from)
            .map_err(|_| damaged())
    }

    /// A text that only this service can have made, for one purpose: the payload and a signature.
    pub fn sign(&self, purpose: &str, payload: &str) -> String {
        let body = URL_SAFE_NO_PAD.encode(payload);
        let tag = hmac::sign(&self.signer, format!("{purpose}\n{body}").as_bytes());
        format!("{body}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// The payload, if this service made the text for this purpose.
    pub fn verify(&self, purpose: &str, text: &str) -> Option<String> {
        let (body, tag) = text.split_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        let signed = format!("{purpose}\n{body}");
        hmac::verify(&self.signer, signed.as_bytes(), &tag).ok()?;
        String::from_utf8(URL_SAFE_NO_PAD.decode(body).ok()?).ok()
    }

    /// Reads the keys again, and seals every data key with the first of them. Answers how many were
    /// sealed anew; the old keys are needed until then.
    pub async fn rotate(&self) -> Result<u64, VaultError> {
        let ring = self.read_again()?;
        let mut after: Option<String> = None;
        let mut sealed_anew = 0;
        loop {
            let page = self.store.data_keys(after.as_deref(), PAGE).await?;
            let Some((last, _)) = page.last() else {
                return Ok(sealed_anew);
            };
            after = Some(last.clone());
            for (ws, was) in &page {
                let key = ring.unwrap(ws, was)?;
                if ring.is_current(was) {
                    continue;
                }
                let wrapped = ring.wrap(ws, &key);
                sealed_anew += u64::from(self.store.rewrap_data_key(ws, was, &wrapped).await?);
            }
        }
    }

    /// Forgets an opened data key, of a workspace that is gone.
    pub fn forget(&self, ws: &WorkspaceId) {
        self.opened().remove(ws.as_str());
    }

    async fn data_key(&self, ws: &str) -> Result<Arc<DataKey>, VaultError> {
        if let Some(key) = self.opened().get(ws) {
            return Ok(Arc::clone(key));
        }
        let wrapped = match self.store.data_key(ws).await? {
            Some(wrapped) => wrapped,
            None => {
                let fresh = self.ring().wrap(ws, &DataKey::random());
                // Another process may have been first; the one that was kept counts.
                self.store.put_data_key(ws, &fresh).await?
            }
        };
        let unwrapped = match self.ring().unwrap(ws, &wrapped) {
            // Another process may have turned to a key that was added meanwhile.
            Err(VaultError::UnknownKey { .. }) => self.read_again()?.unwrap(ws, &wrapped),
            other => other,
        };
        let key = Arc::new(unwrapped?);
        self.opened().insert(ws.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    fn read_again(&self) -> Result<Keyring, VaultError> {
        let ring = (self.read)()?;
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring.clone();
        Ok(ring)
    }

    fn ring(&self) -> Keyring {
        self.ring
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<DataKey>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What ties a ciphertext to its place. Neither part can hold the separator.
fn tied(ws: &str, place: &str) -> String {
    format!("{ws}\n{place}")
}

/// A text that nobody can guess: 256 bits.
pub fn random_text() -> SecretString {
    SecretString::from(URL_SAFE_NO_PAD.encode(envelope::random::<32>()))
}

/// What is kept of a secret that is only ever compared: SHA-256 in hex. For random secrets, not
/// for passwords.
pub fn hash(secret: &str) -> String {
    let bytes = digest(&SHA256, secret.as_bytes());
    bytes.as_ref().iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write as _;
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

/// Whether two hashes are equal, in a time that does not tell where they differ.
pub fn same_hash(left: &str, right: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(left.as_bytes(), right.as_bytes()).is_ok()
}
