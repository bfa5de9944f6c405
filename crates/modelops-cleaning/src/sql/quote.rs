//! Names and texts inside a statement.

use std::fmt;

/// A name in backticks; a backtick inside is doubled, everything else stands for itself. Both engines read any text
/// between backticks as one name, so no name can end early and become syntax.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ident<'a>(pub(crate) &'a str);

impl fmt::Display for Ident<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.replace('`', "``"))
    }
}

/// A text in single quotes, with Spark's escapes. Doubled quotes are no escape there: `'a''b'` is `ab`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What an engine's lexer takes from the start of `text`: the name or text, and what follows it.
    fn lex(text: &str) -> Option<(String, &str)> {
        let mut chars = text.char_indices().peekable();
        let (_, open) = chars.next()?;
        let mut read = String::new();
        while let Some((at, c)) = chars.next() {
            match (open, c) {
                ('`', '`') if chars.peek().is_some_and(|(_, next)| *next == '`') => {
                    chars.next();
                    read.push('`');
                }
                ('\'', '\\') => read.push(chars.next()?.1),
                _ if c == open => return Some((read, &text[at + c.len_utf8()..])),
                _ => read.push(c),
            }
        }
        None
    }

    /// Text that is fond of the characters that end or escape something.
    fn hostile() -> impl Strategy<Value = String> {
        proptest::collection::vec(
            prop_oneof![
                Just('`'),
                Just('\''),
                Just('"'),
                Just('\\'),
                Just('\n'),
                Just('\r'),
                Just(';'),
                Just('-'),
                Just('/'),
                Just('*'),
                Just('\0'),
                Just(' '),
                any::<char>()
            ],
            0..24,
        )
        .prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #[test]
        fn no_name_and_no_text_ends_early(name in hostile(), rest in hostile()) {
            let (first, next) = if rest.starts_with('`') { (" ", rest.as_str()) } else { ("", rest.as_str()) };
            let statement = format!("{}{first}{next}", Ident(&name));
            prop_assert_eq!(lex(&statement), Some((name.clone(), &statement[statement.len() - first.len() - next.len()..])));
            let statement = format!("{}{rest}", Text(&name));
            prop_assert_eq!(lex(&statement), Some((name, rest.as_str())));
        }
    }
}
