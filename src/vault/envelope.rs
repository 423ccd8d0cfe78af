//! AES-256-GCM with a random nonce: sealing bytes for one place, and the keys that do it.
//!
//! Text of a ciphertext: `s1.` and base64 of nonce, ciphertext and tag.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub const KEY_LEN: usize = 32;
const VERSION: &str = "s1.";

/// A key of 256 bits. Prints nothing of itself.
pub struct DataKey {
    bytes: [u8; KEY_LEN],
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Clone for DataKey {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes }
    }
}

impl Drop for DataKey {
    fn drop(&mut self) {
        self.bytes.fill(0);
        std::hint::black_box(&self.bytes);
    }
}

impl DataKey {
    pub fn random() -> Self {
        Self { bytes: random() }
    }

    pub fn of(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.try_into().ok()?;
        Some(Self { bytes })
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A key for signatures, made from this one and good for nothing else.
    pub fn signer(&self) -> hmac::Key {
        let own = hmac::Key::new(hmac::HMAC_SHA256, &self.bytes);
        let derived = hmac::sign(&own, b"tandem signer");
        hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, &self.bytes)
            .ok()
            .map(LessSafeKey::new)
    }

    pub fn seal(&self, place: &str, plain: &[u8]) -> String {
        let nonce: [u8; NONCE_LEN] = random();
        let mut bytes = plain.to_vec();
        let sealed = self.cipher().and_then(|cipher| {
            let nonce = Nonce::assume_unique_for_key(nonce);
            let place = Aad::from(place.as_bytes());
            cipher
                .seal_in_place_append_tag(nonce, place, &mut bytes)
                .ok()
        });
        // A key of the right length and a text far below 64 GB cannot fail.
        assert!(sealed.is_some(), "sealing with a sound key");
        let mut all = nonce.to_vec();
        all.extend(bytes);
        format!("{VERSION}{}", URL_SAFE_NO_PAD.encode(all))
    }

    /// `None` when it was sealed with another key or for another place, or was changed.
    pub fn open(&self, place: &str, sealed: &str) -> Option<Vec<u8>> {
        let all = URL_SAFE_NO_PAD.decode(sealed.strip_prefix(VERSION)?).ok()?;
        let (nonce, bytes) = all.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = bytes.to_vec();
        let place = Aad::from(place.as_bytes());
        let plain = self
            .cipher()?
            .open_in_place(nonce, place, &mut bytes)
            .ok()?;
        Some(plain.to_vec())
    }
}

/// Bytes nobody can guess.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The system's source of chance fails on no platform this runs on; going on without it would
    // seal with a key that can be guessed.
    let filled = rand::fill(&mut bytes);
    assert!(filled.is_ok(), "the system has no source of chance");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_in_its_place_and_nowhere_else() {
        let key = DataKey::random();
        let sealed = key.seal("acme/production\nconnection/hubspot", b"secret");
        assert!(!sealed.contains("secret"));
        let open = |place: &str, text: &str| key.open(place, text);
        assert_eq!(
            open("acme/production\nconnection/hubspot", &sealed).as_deref(),
            Some(&b"secret"[..])
        );
        assert_eq!(open("acme/sandbox\nconnection/hubspot", &sealed), None);
        assert_eq!(
            open("acme/production\nconnection/salesforce", &sealed),
            None
        );
        assert_eq!(
            DataKey::random().open("acme/production\nconnection/hubspot", &sealed),
            None
        );
    }

    #[test]
    fn a_changed_or_cut_text_opens_nothing() {
        let key = DataKey::random();
        let sealed = key.seal("place", b"secret");
        for at in VERSION.len()..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last character of base64 holds bits that are not used.
            if at + 1 < sealed.len() {
                assert_eq!(key.open("place", &changed), None, "{at}");
            }
            assert_eq!(key.open("place", &sealed[..at]), None, "{at}");
        }
        for text in ["", "s1.", "s1.AAAA", "s2.", "é", "s1.é"] {
            assert_eq!(key.open("place", text), None, "{text}");
        }
    }

    #[test]
    fn two_seals_of_one_secret_differ() {
        let key = DataKey::random();
        assert_ne!(key.seal("p", b"s"), key.seal("p", b"s"));
        assert_eq!(format!("{key:?}"), "***");
    }
}
