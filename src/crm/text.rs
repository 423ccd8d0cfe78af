//! What may leave this floor as text: messages cut to size, with addresses and tokens masked.
//!
//! Platforms quote the values they refuse, and a message ends up in logs and dead letters.

/// Messages longer than this say nothing more that helps.
const MESSAGE_CHARS: usize = 500;
/// Longer unbroken runs with digits are tokens or keys; a UUID has 36 characters.
const TOKEN_CHARS: usize = 40;

/// Cuts to `max` characters.
pub fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// An id or a name that a reply gives: masked like any text, and short.
pub fn label(text: &str) -> String {
    cut(&redact(text), 100)
}

/// Masks e-mail addresses and anything that looks like a token, then cuts.
pub fn redact(text: &str) -> String {
    // Ten times the limit is enough to fill it, and bounds the work on a hostile body.
    let head = match text.char_indices().nth(MESSAGE_CHARS * 10) {
        Some((end, _)) => &text[..end],
        None => text,
    };
    let mut out = String::new();
    let mut word = String::new();
    for c in head.chars() {
        if is_word(c) {
            word.push(c);
        } else {
            push_word(&mut out, &word);
            word.clear();
            out.push(if c.is_control() { ' ' } else { c });
        }
    }
    push_word(&mut out, &word);
    cut(&out, MESSAGE_CHARS)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || "@._!+-%/=&#*?^~{|}$`'".contains(c)
}

fn push_word(out: &mut String, word: &str) {
    if let Some(at) = word.rfind('@')
        && at > 0
        && word[at + 1..].contains(|c: char| c.is_alphanumeric())
    {
        let quote = word.starts_with('\'');
        out.push_str(if quote { "'***@" } else { "***@" });
        out.push_str(&word[at + 1..]);
    } else if looks_like_token(word) {
        out.push_str("[masked]");
    } else {
        out.push_str(word);
    }
}

fn looks_like_token(word: &str) -> bool {
    let joined = |c: char| c.is_ascii_alphanumeric() || "._!-+=".contains(c);
    word.split(|c| !joined(c))
        .any(|part| part.len() >= TOKEN_CHARS && part.contains(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_tokens_do_not_pass() {
        let text = "Email address ann+x@acme.test is invalid for 'bob@acme.test' \
                    with 00D5f000000abcd!AQ0AQHpAbc123456789012345678901234567890";
        let redacted = redact(text);
        assert!(!redacted.contains("ann"), "{redacted}");
        assert!(!redacted.contains("bob"), "{redacted}");
        assert!(!redacted.contains("AQHp"), "{redacted}");
        assert!(redacted.contains("***@acme.test"), "{redacted}");
    }

    #[test]
    fn ids_and_words_pass() {
        let text = "duplicates value on record with id: 0035f00002JUZPDAA5 (Tandem_Link_Id__c)";
        assert_eq!(redact(text), text);
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(redact(&"é ".repeat(9_000)).chars().count(), 501);
    }
}
