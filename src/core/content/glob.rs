//! `site.*`: a text in which `*` stands for any text, as in grants and in a policy's `resource_ref`.

/// Whether the pattern covers the whole text. Takes time in proportion to both lengths, whatever the pattern.
pub fn covers(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}
