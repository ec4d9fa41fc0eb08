//! Text from outside made harmless for a ticket or a comment: nobody is mentioned, nothing becomes a link, a heading or
//! a tag, whichever markup the other system knows.
//!
//! What begins markup is written in its full-width form, which everybody reads and no system acts on. Not for a terminal
//! (`cli/shown.rs`) or for secrets (`formats/redact.rs`).

use crate::limits;

/// A text on one line, at most so many bytes of it.
pub(super) fn neutral(text: &str, bytes: usize) -> String {
    let mut line = String::with_capacity(text.len().min(bytes));
    for c in text.chars() {
        if line.len() >= bytes {
            break;
        }
        match c {
            '<' => line.push('＜'),
            '>' => line.push('＞'),
            '[' => line.push('［'),
            ']' => line.push('］'),
            '{' => line.push('｛'),
            '}' => line.push('｝'),
            '`' => line.push('｀'),
            '*' => line.push('＊'),
            '|' => line.push('｜'),
            '~' => line.push('～'),
            '@' => line.push('＠'),
            '&' => line.push('＆'),
            '\\' => line.push('＼'),
            '"' => line.push('＂'),
            '#' => line.push('＃'),
            '!' => line.push('！'),
            // Not seen, or turns the line around.
            '\u{00ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {}
            c if c.is_control() || c.is_whitespace() => {
                if !line.ends_with(' ') && !line.is_empty() {
                    line.push(' ');
                }
            }
            c => line.push(c),
        }
    }
    // A system that makes links of bare addresses sees none.
    let line = line.trim_end().replace("://", ":／／").replace("www.", "www．");
    limits::cut(&line, bytes).to_owned()
}

/// A link that may stand as it is: http or https, a host without a user before it, and no letter that begins markup.
pub(super) fn link(text: &str) -> Option<&str> {
    let text = text.trim();
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_graphic() && !"<>\"'`[]{}|\\^*~".contains(c);
    let good = text.len() <= limits::FIELD_BYTES
        && text.chars().all(plain)
        && !host.is_empty()
        && host.chars().all(|c| c.is_ascii_alphanumeric() || "-.:".contains(c));
    good.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        neutral(text, 1_024)
    }

    #[test]
    fn what_begins_markup_begins_nothing_any_more() {
        for text in [
            "<!channel> come",
            "@channel @everyone @ada",
            "[click](https://evil.example)",
            "![x](http://evil.example/x.png)",
            "[text|http://evil.example]",
            "{color:red}x{color}",
            "<img src=x onerror=alert(1)>",
            "&lt;script&gt;",
            "`code` *bold* ~~no~~ # head",
            "see https://evil.example and www.evil.example",
            "[~accountid:1]",
        ] {
            let shown = line(text);
            assert!(!shown.contains(['<', '>', '[', ']', '{', '}', '`', '*', '@', '&', '|', '#', '~', '!']), "{shown}");
            assert!(!shown.contains("://") && !shown.contains("www."), "{shown}");
        }
        assert_eq!(line("@scope/left-pad 1.2.3 in C:/x (CVE-2024-1)"), "＠scope/left-pad 1.2.3 in C:/x (CVE-2024-1)");
    }

    #[test]
    fn it_is_one_line_without_what_is_not_seen_and_of_bounded_length() {
        assert_eq!(line("a\r\nh1. b\u{2028}c\td\u{0}e  f\n"), "a h1. b c d e f");
        assert_eq!(line("pay\u{202e}gnp.exe\u{200b}"), "paygnp.exe");
        let long = neutral(&"@".repeat(1_000), 100);
        assert!(long.len() <= 100 && long.chars().all(|c| c == '＠'), "{long}");
    }

    #[test]
    fn a_link_is_one_that_leads_where_it_says() {
        for good in ["https://example.org", "http://10.0.0.1:8080/a?b=c&d=(e)#f", "https://example.org/@scope/pad"] {
            assert_eq!(link(good), Some(good));
        }
        for bad in [
            "javascript:alert(1)",
            "https://github.com@evil.example/",
            "https://user:pass@example.org",
            "https://example.org/[x](y)",
            "https://example.org/ <b>",
            "https://",
            "file:///etc/passwd",
            "https://exämple.org",
        ] {
            assert_eq!(link(bad), None, "{bad}");
        }
    }
}
