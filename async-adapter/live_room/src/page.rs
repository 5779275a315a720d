//! The page, embedded: what the server answers to a `GET`.

/// One file of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asset {
    /// The value of its `Content-Type`.
    pub(crate) content_type: &'static str,
    /// Its text.
    pub(crate) body: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// What the page may load and where it may connect: itself only.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'";

/// The file at a path of the address, such as `/` or `/app.js`.
pub(crate) fn asset(path: &str) -> Option<Asset> {
    let (content_type, body) = match path {
        "/" | "/index.html" => (HTML, include_str!("../page/index.html")),
        "/style.css" => (CSS, include_str!("../page/style.css")),
        "/panel.css" => (CSS, include_str!("../page/panel.css")),
        "/app.js" => (JS, include_str!("../page/app.js")),
        "/connection.js" => (JS, include_str!("../page/connection.js")),
        "/stage.js" => (JS, include_str!("../page/stage.js")),
        "/earlier.js" => (JS, include_str!("../page/earlier.js")),
        "/cards.js" => (JS, include_str!("../page/cards.js")),
        "/composer.js" => (JS, include_str!("../page/composer.js")),
        "/panel.js" => (JS, include_str!("../page/panel.js")),
        "/chart.js" => (JS, include_str!("../page/chart.js")),
        "/social.js" => (JS, include_str!("../page/social.js")),
        "/pins.js" => (JS, include_str!("../page/pins.js")),
        "/host.js" => (JS, include_str!("../page/host.js")),
        "/transcript.js" => (JS, include_str!("../page/transcript.js")),
        "/language.js" => (JS, include_str!("../page/language.js")),
        "/words.js" => (JS, include_str!("../page/words.js")),
        "/theme.js" => (JS, include_str!("../page/theme.js")),
        "/demo.js" => (JS, include_str!("../page/demo.js")),
        _ => return None,
    };
    Some(Asset { content_type, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_the_page_names_is_there() {
        let mut named = 0;
        for path in
            ["/", "/app.js", "/stage.js", "/panel.js", "/composer.js", "/host.js", "/social.js"]
        {
            let Asset { body, .. } = asset(path).unwrap();
            for piece in body
                .split(['"', '\''])
                .filter(|piece| matches!(piece.rsplit_once('.'), Some((_, "js" | "css"))))
            {
                let path = format!("/{}", piece.trim_start_matches("./").trim_start_matches('/'));
                assert!(asset(&path).is_some(), "{piece}");
                named += 1;
            }
        }
        assert!(named >= 8, "{named}");
        assert_eq!(asset("/../main.rs"), None);
    }

    /// Nothing comes from elsewhere, and no markup is made of text.
    #[test]
    fn the_page_loads_nothing_and_escapes_all_text() {
        let scripts = [
            "app",
            "stage",
            "cards",
            "composer",
            "panel",
            "chart",
            "connection",
            "social",
            "host",
            "earlier",
            "transcript",
            "language",
            "words",
            "theme",
        ];
        for path in
            scripts.map(|name| format!("/{name}.js")).iter().map(String::as_str).chain(["/"])
        {
            let Asset { body, .. } = asset(path).unwrap();
            for never in [
                "http://",
                "https://",
                "innerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
            ] {
                assert!(!body.contains(never), "{path} has {never}");
            }
        }
    }
}
