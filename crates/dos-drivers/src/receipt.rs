//! Signing a receipt, and checking one.
//!
//! With a shared key (HMAC-SHA256) whoever can check a receipt can also forge one; with a key pair
//! (Ed25519) the public half checks and cannot sign. Which it is stands in the receipt and is signed
//! with it; a key of one kind is never taken for one of the other.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::witness::Receipt;
use dos_core::witness::receipt::Algorithm;
use dos_store::snapshot::hex;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A key that signs.
pub enum Signing {
    /// A secret that both sides know.
    Shared(Vec<u8>),
    /// The secret half of a key pair.
    Pair(Box<SigningKey>),
}

/// Why a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing is no secret.
    #[error("the key is empty")]
    Empty,
    /// A key pair where a shared secret belongs: the public half is no secret.
    #[error("the key is a PEM file, which is no shared secret; sign with --sign ed25519")]
    PemAsSecret,
    /// No secret half.
    #[error("the key is no Ed25519 private key in PEM (PKCS #8); `dos attest-key` makes one")]
    NoPrivateKey,
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Is the signature right?
    pub valid: bool,
    /// Why, for people.
    pub reason: String,
}

impl Signing {
    /// The key that this content of a file is, for this algorithm.
    pub fn read(content: &[u8], algorithm: Algorithm) -> Result<Self, KeyError> {
        if content.is_empty() {
            return Err(KeyError::Empty);
        }
        match algorithm {
            Algorithm::HmacSha256 if is_pem(content) => Err(KeyError::PemAsSecret),
            Algorithm::HmacSha256 => Ok(Self::Shared(content.to_vec())),
            Algorithm::Ed25519 => {
                let key = std::str::from_utf8(content).ok();
                let key = key.and_then(|pem| SigningKey::from_pkcs8_pem(pem).ok());
                key.map(|key| Self::Pair(Box::new(key))).ok_or(KeyError::NoPrivateKey)
            }
        }
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Shared(_) => Algorithm::HmacSha256,
            Self::Pair(_) => Algorithm::Ed25519,
        }
    }

    /// Signs a receipt that says that it is signed in this way.
    pub fn sign(&self, mut receipt: Receipt) -> Receipt {
        receipt.algorithm = self.algorithm();
        let bytes = receipt.canonical_bytes();
        receipt.signature = match self {
            Self::Shared(secret) => match mac(secret, &bytes) {
                Some(mac) => hex(&mac.finalize().into_bytes()),
                None => String::new(),
            },
            Self::Pair(key) => hex(&key.sign(&bytes).to_bytes()),
        };
        receipt
    }
}

/// A key file of this kind is never a shared secret: the public half of a pair is known to all. Text
/// may stand before the key, which PEM allows.
fn is_pem(content: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN";
    content.windows(BEGIN.len()).any(|window| window == BEGIN)
}

fn mac(secret: &[u8], bytes: &[u8]) -> Option<Hmac<Sha256>> {
    // A key of any length will do.
    let mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    Some(mac.chain_update(bytes))
}

/// Checks a receipt with the content of a key file.
pub fn check(receipt: &Receipt, key: &[u8]) -> Checked {
    let algorithm = receipt.algorithm.token();
    let invalid = |why: &str| Checked { valid: false, reason: format!("INVALID: {why}") };
    if receipt.signature.is_empty() {
        return invalid("it is not signed");
    }
    let Some(signature) = bytes_of(&receipt.signature) else {
        return invalid("its signature is no hex");
    };
    let bytes = receipt.canonical_bytes();
    let right = match receipt.algorithm {
        Algorithm::HmacSha256 if key.is_empty() => return invalid("the key is empty"),
        // Else anybody who has the public half could sign with it.
        Algorithm::HmacSha256 if is_pem(key) => {
            return invalid("it is signed with a shared secret, and this key is a PEM file");
        }
        // Compared in constant time.
        Algorithm::HmacSha256 => {
            mac(key, &bytes).is_some_and(|mac| mac.verify_slice(&signature).is_ok())
        }
        Algorithm::Ed25519 => {
            let pem = std::str::from_utf8(key).unwrap_or_default();
            let Ok(public) = VerifyingKey::from_public_key_pem(pem) else {
                return invalid("it needs the Ed25519 public key in PEM, and this key is none");
            };
            let signature = Signature::from_slice(&signature);
            signature.is_ok_and(|signature| public.verify_strict(&bytes, &signature).is_ok())
        }
    };
    match right {
        true => {
            Checked { valid: true, reason: format!("VALID: the {algorithm} signature is right") }
        }
        false => invalid(
            "the signature is not that of these fields under this key: a field was changed, the \
             key is another one, or the signature was made up",
        ),
    }
}

/// The bytes of lower-case hex digits.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let digits: Option<Vec<u8>> = text.as_bytes().iter().map(digit).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect(),
    )
}

/// Writes a new key pair: the secret half, which only its owner may read, and the public half beside
/// it. Returns where that is. Nothing that is there is written over.
pub fn write_pair(path: &Utf8Path, seed: &[u8; 32]) -> io::Result<Utf8PathBuf> {
    let key = SigningKey::from_bytes(seed);
    let odd = |_| io::Error::other("the key cannot be written as PEM");
    let private = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| odd(()))?;
    let public = key.verifying_key().to_public_key_pem(LineEnding::LF).map_err(|_| odd(()))?;
    let beside = Utf8PathBuf::from(format!("{path}.pub"));
    let write = |path: &Utf8Path, mode: u32, text: &str| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write(path, 0o600, &private)?;
    write(&beside, 0o644, &public)?;
    Ok(beside)
}
