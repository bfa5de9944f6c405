//! Words that are addresses and stay whole.

use super::classes::is_lower;

/// Whether the whole word is a URL, a host name or a mail address: an optional scheme, user, host name or public IPv4
/// address, port and path.
pub(super) fn is_url(word: &str) -> bool {
    // A host name has a dot inside.
    if word.len() < 4 || !word.as_bytes()[1..].contains(&b'.') {
        return false;
    }
    let scheme_end = word.find("://").filter(|&end| {
        word[..end].chars().count() >= 2
            && word[..end]
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '+' | '-' | '.'))
    });
    // The scheme is optional, and what precedes an at sign is anything.
    let starts = [Some(0), scheme_end.map(|end| end + 3)];
    starts.into_iter().flatten().any(|start| {
        let rest = &word[start..];
        is_host_and_tail(rest)
            || rest
                .match_indices('@')
                .any(|(at, _)| at > 0 && is_host_and_tail(&rest[at + 1..]))
    })
}

fn is_host_and_tail(text: &str) -> bool {
    // No host has an at sign; stopping there keeps a word of many at signs linear.
    let end = text.find(['/', '?', '#', ':', '@']).unwrap_or(text.len());
    (is_domain(&text[..end]) || is_public_address(&text[..end])) && is_tail(&text[end..])
}

/// `(:port)?([/?#]...)?`
fn is_tail(tail: &str) -> bool {
    let rest = match tail.strip_prefix(':') {
        None => tail,
        Some(port) => {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            if !(2..=5).contains(&digits) {
                return false;
            }
            &port[digits..]
        }
    };
    rest.is_empty() || rest.starts_with(['/', '?', '#'])
}

fn is_domain(host: &str) -> bool {
    let Some((labels, top)) = host.rsplit_once('.') else {
        return false;
    };
    (2..=63).contains(&top.chars().count()) && top.chars().all(is_lower) && labels.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric() || matches!(c, '\u{a1}'..='\u{ffff}');
    let inner = |c: char| edge(c) || matches!(c, '-' | '_');
    label.starts_with(edge)
        && label.ends_with(edge)
        && label.chars().all(inner)
        && label.chars().count() <= 64
}

fn is_public_address(host: &str) -> bool {
    let mut octets = [0u16; 4];
    let mut parts = host.split('.');
    for (place, octet) in octets.iter_mut().enumerate() {
        let Some(part) = parts.next() else {
            return false;
        };
        let plain = (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let leading_zero = part.starts_with('0');
        if !plain || (leading_zero && (place == 0 || place == 3)) {
            return false;
        }
        // In the middle octets `0`, `00` and `012` are allowed, `001` is not beyond three digits that begin with 1.
        if leading_zero && part.len() == 3 {
            return false;
        }
        *octet = part.parse().expect("three digits fit");
    }
    let [a, b, c, d] = octets;
    parts.next().is_none()
        && (1..=223).contains(&a)
        && b <= 255
        && c <= 255
        && (1..=254).contains(&d)
        && !(a == 10 || a == 127 || (a == 169 && b == 254) || (a == 192 && b == 168))
        && !(a == 172 && (16..=31).contains(&b))
}
