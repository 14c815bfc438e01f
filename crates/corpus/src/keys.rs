//! The keys that digests are signed with, made from the seed of a corpus.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::PrivateKey;
use rsa::pkcs1::{EncodeRsaPrivateKey, EncodeRsaPublicKey};

use crate::dice::Dice;

const BITS: usize = 2048;

/// A key of RSA.
pub(crate) struct SigningKey {
    pair: RsaKeyPair,
    /// Its public part, as PKCS#1 has it, in base64.
    pub(crate) public: String,
    /// The MD5 of that part's bytes.
    pub(crate) fingerprint: String,
}

impl SigningKey {
    /// Finds the primes of a key; equal dice give equal keys.
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let key = PrivateKey::new(dice.rng(), BITS).expect("there are primes of 1024 bits");
        let private = key.to_pkcs1_der().expect("a key of two primes has this form");
        let public = key.to_public_key().to_pkcs1_der().expect("every public key has this form").into_vec();
        let pair = RsaKeyPair::from_der(private.as_bytes()).expect("a key of 2048 bits");
        Self { pair, public: STANDARD.encode(&public), fingerprint: hex(&Md5::digest(&public)) }
    }

    /// Signs a text by RSASSA-PKCS1-v1_5 with SHA-256, which needs no chance; in hexadecimal.
    pub(crate) fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let signed = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature);
        signed.expect("a key of its own length signs");
        hex(&signature)
    }
}

/// Writes bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
