//! The common shape of a log line, read without a general parser: one flat object without blanks and escapes.

/// A value as it stands in the line.
pub(crate) enum Token<'a> {
    /// A text without escapes, in ASCII.
    Text(&'a str),
    /// A number, by its digits.
    Number(&'a str),
    Bool(bool),
    Null,
}

/// Calls `field` with each name and value of a flat JSON object, those whose name `wanted` refuses left out, and gives
/// their number, the left out ones included.
///
/// `None` where the line has another shape, valid or not: a general parser has to judge it. `field` may have been called
/// before that is known.
pub(crate) fn flat_object<'a>(
    line: &'a [u8],
    wanted: impl Fn(&str) -> bool,
    mut field: impl FnMut(&'a str, Token<'a>),
) -> Option<usize> {
    let mut rest = line.strip_prefix(b"{")?;
    let mut fields = 0;
    if rest == b"}" {
        return Some(0);
    }
    loop {
        let name;
        (name, rest) = text(rest, true)?;
        rest = rest.strip_prefix(b":")?;
        let name = str::from_utf8(name).ok()?;
        let keep = wanted(name);
        let token;
        (token, rest) = value(rest, keep)?;
        if keep {
            field(name, token?);
        }
        fields += 1;
        match rest.split_first()? {
            (b',', after) => rest = after,
            (b'}', []) => return Some(fields),
            _ => return None,
        }
    }
}

/// The inside of a quoted text, and what follows; only ASCII where `ascii` says so.
fn text(quoted: &[u8], ascii: bool) -> Option<(&[u8], &[u8])> {
    let inside = quoted.strip_prefix(b"\"")?;
    let end = inside
        .iter()
        .position(|b| *b == b'"' || *b == b'\\' || *b < 0x20)?;
    let sound = inside[end] == b'"' && (!ascii || inside[..end].is_ascii());
    sound.then(|| (&inside[..end], &inside[end + 1..]))
}

/// The value that comes next, unless it is not to be kept, and what follows.
fn value(rest: &[u8], keep: bool) -> Option<(Option<Token<'_>>, &[u8])> {
    match rest.first()? {
        b'"' => {
            let (inside, rest) = text(rest, keep)?;
            let token = if keep {
                Some(Token::Text(str::from_utf8(inside).ok()?))
            } else {
                None
            };
            Some((token, rest))
        }
        b't' => Some((Some(Token::Bool(true)), rest.strip_prefix(b"true")?)),
        b'f' => Some((Some(Token::Bool(false)), rest.strip_prefix(b"false")?)),
        b'n' => Some((Some(Token::Null), rest.strip_prefix(b"null")?)),
        _ => {
            let length = number(rest)?;
            let digits = str::from_utf8(&rest[..length]).ok()?;
            Some((Some(Token::Number(digits)), &rest[length..]))
        }
    }
}

/// How long the JSON number is that the line begins with.
fn number(rest: &[u8]) -> Option<usize> {
    let digits = |from: usize| rest[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = usize::from(rest.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && rest[at] == b'0') {
        return None;
    }
    at += whole;
    if rest.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if matches!(rest.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(rest.get(at + 1), Some(b'+' | b'-')));
        let power = digits(at + 1 + sign);
        if power == 0 {
            return None;
        }
        at += 1 + sign + power;
    }
    Some(at)
}
