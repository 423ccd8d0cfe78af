//! What all pages share: the frame, the style, escaping.

/// One style for every page; light and dark.
pub const STYLE: &str = include_str!("style.css");

/// A whole page. `body` is HTML already; `title` and `style` are not.
pub fn frame(title: &str, style: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{}</title><link rel=\"stylesheet\" href=\"{}\"></head>\
         <body><main>{body}</main></body></html>",
        escape(title),
        escape(style)
    )
}

/// Text as it may stand anywhere in HTML, attributes in double quotes included. Control characters
/// are shown as such.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() && c != '\n' && c != '\t' => safe.push('\u{fffd}'),
            _ => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let page = frame("<b>", "\" onload=\"x", "");
        assert!(!page.contains("<b>") && !page.contains("\" onload"));
        assert_eq!(escape("<a href='x'>&"), "&lt;a href=&#39;x&#39;&gt;&amp;");
    }
}
