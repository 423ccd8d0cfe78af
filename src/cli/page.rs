//! One self-contained page: counts first, lists to open below, readable without a network.
//!
//! Whatever is put in is text and is escaped here; no part of a page is a script.

use std::fmt::Write as _;

use crate::api::escape;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--soft:#8881}\
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem;margin:0 0 .25rem}p{margin:.25rem 0 1rem}\
dl{display:grid;gap:.75rem;margin:1.5rem 0;\
grid-template-columns:repeat(auto-fill,minmax(9rem,1fr))}\
dl div{border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem}\
dt{font-size:.85rem;opacity:.75}dd{margin:0;font-size:1.5rem;font-variant-numeric:tabular-nums}\
.look dd{color:#b3261e}\
details{border-top:1px solid var(--line);padding:.5rem 0}\
summary{cursor:pointer;font-weight:600}summary span{opacity:.7;font-weight:400}\
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;margin:.5rem 0;font-size:.9rem}\
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;\
border-bottom:1px solid var(--line)}\
td{overflow-wrap:anywhere}th{white-space:nowrap}\
footer{margin-top:2rem;opacity:.7;font-size:.85rem}";

/// A page that grows from the top.
pub struct Page {
    title: String,
    body: String,
}

impl Page {
    pub fn new(title: &str, intro: &str) -> Self {
        let mut page = Self {
            title: title.to_owned(),
            body: String::new(),
        };
        page.add(format_args!(
            "<h1>{}</h1><p>{}</p>",
            escape(title),
            escape(intro)
        ));
        page
    }

    /// Figures side by side; those to `look` at first stand out.
    pub fn figures(&mut self, figures: &[(&str, String, bool)]) {
        self.body.push_str("<dl>");
        for (name, value, look) in figures {
            let class = if *look { " class=\"look\"" } else { "" };
            let (name, value) = (escape(name), escape(value));
            self.add(format_args!(
                "<div{class}><dt>{name}</dt><dd>{value}</dd></div>"
            ));
        }
        self.body.push_str("</dl>");
    }

    /// A list that opens; the first ones are open when they are `look`ed at first.
    pub fn list(&mut self, title: &str, headers: &[&str], rows: &[Vec<String>], open: bool) {
        if rows.is_empty() {
            return;
        }
        let open = if open { " open" } else { "" };
        let (title, count) = (escape(title), rows.len());
        self.add(format_args!(
            "<details{open}><summary>{title} <span>({count})</span></summary>\
             <div class=\"wide\"><table><thead><tr>"
        ));
        for header in headers {
            self.add(format_args!("<th scope=\"col\">{}</th>", escape(header)));
        }
        self.body.push_str("</tr></thead><tbody>\n");
        for row in rows {
            self.body.push_str("<tr>");
            for cell in row {
                self.add(format_args!("<td>{}</td>", escape(cell)));
            }
            self.body.push_str("</tr>\n");
        }
        self.body.push_str("</tbody></table></div></details>\n");
    }

    pub fn end(self, note: &str) -> String {
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'\">\
             <title>{}</title><style>{STYLE}</style></head><body>\n{}<footer>{}</footer>\
             </body></html>\n",
            escape(&self.title),
            self.body,
            escape(note),
        )
    }

    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        self.body.write_fmt(text).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_markup_is_shown_and_not_run() {
        let hostile = "<script>alert('1')</script>\u{0}&amp;\"";
        let mut page = Page::new(hostile, hostile);
        page.figures(&[(hostile, hostile.to_owned(), true)]);
        page.list(hostile, &[hostile], &[vec![hostile.to_owned()]], true);
        let text = page.end(hostile);
        assert!(!text.contains("<script"), "{text}");
        assert!(!text.contains('\u{0}'));
        assert_eq!(text.matches("&lt;script&gt;").count(), 9, "{text}");
    }

    #[test]
    fn a_list_without_rows_is_not_shown() {
        let mut page = Page::new("a", "b");
        page.list("none", &["x"], &[], true);
        assert!(!page.end("").contains("<details"));
    }
}
