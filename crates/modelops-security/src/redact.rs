//! Keeping our own tokens out of logs.

use std::borrow::Cow;

use crate::kernel::base62;

/// Replaces every API key and every JSON Web Token in `text`; the public name of an API key stays, so that the line is still of use.
///
/// It knows the forms this crate issues: `mo_ENV_ID_SECRET` with a right checksum, and compact tokens that begin like a JSON header.
/// It is a last line of defence, for text that others wrote; our own types never print their secrets.
///
/// ```
/// use modelops_security::auth::{ApiKeyGrant, ApiKeys, Pepper, UnixSeconds};
/// use modelops_security::{redact, SystemRandom};
/// let mut random = SystemRandom::new();
/// let keys = ApiKeys::new("live", &Pepper::generate(&mut random)?)?;
/// let issued = keys.issue(&ApiKeyGrant::new("p"), UnixSeconds(0), &mut random)?;
/// let line = format!("401 for {} from 203.0.113.7", issued.token.expose());
/// assert_eq!(redact(&line), format!("401 for mo_live_{}_[REDACTED] from 203.0.113.7", issued.id));
/// assert_eq!(redact("nothing secret"), "nothing secret");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Complexity
///
/// O(bytes); borrows where there is nothing to hide.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let (mut kept, mut at) = (0, 0);
    // No token begins before here: what follows the word that was looked at last makes it none.
    let mut tokenless = 0;
    while at < text.len() {
        let rest = &text[at..];
        let mut found = api_key(rest);
        if found.is_none() && at >= tokenless && rest.starts_with("eyJ") {
            found = token(rest).map(|len| (0, len));
            tokenless = at + word(rest);
        }
        let Some((shown, len)) = found else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        out.push_str(&text[kept..at + shown]);
        out.push_str("[REDACTED]");
        at += len;
        kept = at;
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[kept..]);
    Cow::Owned(out)
}

/// Bytes of an API key that may be shown, and bytes in all.
fn api_key(text: &str) -> Option<(usize, usize)> {
    let rest = text.strip_prefix("mo_")?;
    let (environment, rest) = rest.split_at(rest.find('_').filter(|len| (1..=8).contains(len))?);
    let bytes = rest.as_bytes();
    let shown = 3 + environment.len() + 1 + 12 + 1;
    let len = shown + 43 + 6;
    if bytes.get(13) != Some(&b'_') || !bytes.get(14..63)?.iter().all(|b| base62::is_digit(*b)) {
        return None;
    }
    let mut checksum = [0; 6];
    base62::write_u32(crc32fast::hash(&text.as_bytes()[..len - 6]), &mut checksum);
    (text.as_bytes()[len - 6..len] == checksum).then_some((shown, len))
}

/// Bytes of a compact JWS at the start of `text`: two dots, base64url between.
fn token(text: &str) -> Option<usize> {
    let header = word(text);
    let payload = word(text.get(header..)?.strip_prefix('.')?);
    let signature = word(text.get(header + 1 + payload..)?.strip_prefix('.')?);
    (payload > 0).then_some(header + payload + signature + 2)
}

/// Bytes of base64url at the start of `text`.
fn word(text: &str) -> usize {
    text.bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || b"-_".contains(b))
        .count()
}
