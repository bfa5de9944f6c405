//! Names of files inside a manifest, and which of them are refused.

use std::path::{Component, Path};

/// The name of `path` (relative) as a manifest holds it, with `/`; `None` where it may not stand there.
pub(crate) fn name_of(path: &Path) -> Option<String> {
    let mut name = String::new();
    for component in path.components() {
        let Component::Normal(part) = component else {
            return None;
        };
        if !name.is_empty() {
            name.push('/');
        }
        name.push_str(part.to_str()?);
    }
    is_sound(&name).then_some(name)
}

/// Whether a name from a manifest stays inside the folder on every system.
pub(crate) fn is_sound(name: &str) -> bool {
    let drive = name.as_bytes().get(1) == Some(&b':');
    let part = |part: &str| !part.is_empty() && part != "." && part != "..";
    !drive
        && name.len() <= 4096
        && !name.contains(['\\', '\0'])
        && !name.chars().any(char::is_control)
        && name.split('/').all(part)
}

/// What two names share that would be one file where case does not count.
pub(crate) fn folded(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_the_folder() {
        for good in ["a", "a/b.safetensors", "ä/ß", "..a", "a..b/c"] {
            assert!(is_sound(good), "{good}");
        }
        for bad in [
            "", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\\b", "c:/x", "C:", "a\0", "a\nb",
        ] {
            assert!(!is_sound(bad), "{bad:?}");
        }
    }
}
