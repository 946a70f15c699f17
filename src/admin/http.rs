//! HTTP/1.1 for the admin listener: heads of requests in, whole answers out.
//!
//! Pure: no socket, no clock. `httparse` finds the lines; what they may say is decided here. A
//! request has no body: what little there is to say stands in its query.

use crate::limits::{ADMIN_HEAD_SIZE_MAX, ADMIN_HEADER_COUNT_MAX};

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Method {
    /// Something is to be told.
    Get,
    /// Only the head of the answer is wanted.
    Head,
    /// Something is to be changed.
    Post,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Request<'a> {
    /// What is to be done.
    pub(super) method: Method,
    /// The path, without its query.
    pub(super) path: &'a str,
    /// What stands behind its question mark, as it is written.
    pub(super) query: &'a str,
    /// Whom the client believes to talk to, if it says.
    pub(super) host: Option<&'a str>,
    /// What it shows to be let in, if anything.
    pub(super) authorization: Option<&'a [u8]>,
    /// Where the page comes from that a browser asks for, as the browser says.
    pub(super) origin: Option<&'a str>,
    /// How that place and this one are related, as the browser says.
    pub(super) site: Option<&'a str>,
    /// A person goes there, and no page asks behind its reader's back.
    pub(super) is_navigation: bool,
    /// More requests may follow on this connection.
    pub(super) keep_alive: bool,
}

impl<'a> Request<'a> {
    /// What the query says of a name: what stands behind `NAME=`, as it is written.
    pub(super) fn asks(&self, name: &str) -> Option<&'a str> {
        let mut pairs = self.query.split('&');
        pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}

/// What the front of a buffer holds.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Parsed<'a> {
    /// Nothing wrong so far, and no whole head.
    Partial,
    /// A whole head.
    Complete {
        /// What it asks for.
        request: Request<'a>,
        /// Bytes that it takes.
        size: usize,
    },
    /// Nothing that is answered; the connection is closed with this.
    Refused(Status),
}

/// How a request ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Status {
    /// Here it is.
    Ok,
    /// It is no request that is understood.
    BadRequest,
    /// A token is missing or wrong.
    Unauthorized,
    /// It is not for this client, or not for this listener.
    Forbidden,
    /// There is no such page.
    NotFound,
    /// Something else is to be done than can be done there.
    MethodNotAllowed,
    /// It is being done already.
    Conflict,
    /// It has a body.
    ContentTooLarge,
    /// Its head is too large.
    HeadTooLarge,
    /// Not now.
    Unavailable,
}

impl Status {
    /// As the first line of an answer has it.
    const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::Unauthorized => "401 Unauthorized",
            Self::Forbidden => "403 Forbidden",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::Conflict => "409 Conflict",
            Self::ContentTooLarge => "413 Content Too Large",
            Self::HeadTooLarge => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable",
        }
    }

    /// A header that this status must have.
    const fn header(self) -> &'static str {
        match self {
            // Browsers ask their user for a password, and show it from then on.
            Self::Unauthorized => {
                "WWW-Authenticate: Bearer realm=\"larder\"\r\n\
                 WWW-Authenticate: Basic realm=\"larder\", charset=\"UTF-8\"\r\n"
            }
            Self::MethodNotAllowed => "Allow: GET, HEAD, POST\r\n",
            Self::Ok
            | Self::BadRequest
            | Self::Forbidden
            | Self::NotFound
            | Self::Conflict
            | Self::ContentTooLarge
            | Self::HeadTooLarge
            | Self::Unavailable => "",
        }
    }
}

/// An answer without its frame.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Answer {
    /// How it went.
    pub(super) status: Status,
    /// What the body is.
    pub(super) content_type: &'static str,
    /// What is told.
    pub(super) body: String,
    /// What a browser may do with it.
    pub(super) policy: &'static str,
}

/// The policy of what is not for browsers.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Plain text.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

impl Answer {
    /// An answer of words.
    pub(super) fn text(status: Status, body: impl Into<String>) -> Self {
        Self {
            status,
            ..Self::of(TEXT, body.into())
        }
    }

    /// An answer of another kind.
    pub(super) const fn of(content_type: &'static str, body: String) -> Self {
        Self {
            status: Status::Ok,
            content_type,
            body,
            policy: POLICY,
        }
    }

    /// The answer to a request that is refused, with what there is to say about it.
    pub(super) fn refusal(status: Status) -> Self {
        let (_, words) = status.line().split_once(' ').unwrap_or_default();
        Self::text(status, format!("{words}\n"))
    }

    /// Appends it as it goes over the wire.
    pub(super) fn write(&self, is_head: bool, keep_alive: bool, out: &mut Vec<u8>) {
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {connection}\r\n\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
             Content-Security-Policy: {}\r\nCross-Origin-Resource-Policy: same-origin\r\n\
             Referrer-Policy: no-referrer\r\n{}\r\n",
            self.status.line(),
            self.content_type,
            self.body.len(),
            self.policy,
            self.status.header(),
        );
        out.extend_from_slice(head.as_bytes());
        if !is_head {
            out.extend_from_slice(self.body.as_bytes());
        }
    }
}

/// Looks for one request at the front of a buffer.
pub(super) fn parse(input: &[u8]) -> Parsed<'_> {
    let mut headers = [httparse::EMPTY_HEADER; ADMIN_HEADER_COUNT_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let size = match head.parse(input) {
        Ok(httparse::Status::Complete(size)) if size <= ADMIN_HEAD_SIZE_MAX => size,
        Ok(httparse::Status::Partial) if input.len() < ADMIN_HEAD_SIZE_MAX => {
            return Parsed::Partial;
        }
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {
            return Parsed::Refused(Status::HeadTooLarge);
        }
        Err(_) => return Parsed::Refused(Status::BadRequest),
    };
    match read(&head) {
        Ok(request) => Parsed::Complete { request, size },
        Err(status) => Parsed::Refused(status),
    }
}

/// Makes sense of a head.
fn read<'a>(head: &httparse::Request<'_, 'a>) -> Result<Request<'a>, Status> {
    let is_modern = head.version == Some(1);
    let target = head.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let method = match head.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        Some("POST") => Method::Post,
        _ => return Err(Status::MethodNotAllowed),
    };
    let mut request = Request {
        method,
        path,
        query,
        host: None,
        authorization: None,
        origin: None,
        site: None,
        is_navigation: false,
        keep_alive: is_modern,
    };
    for header in &*head.headers {
        let text = || std::str::from_utf8(header.value).map_err(|_| Status::BadRequest);
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("host") {
            // Two of them would let each side believe another.
            if request.host.replace(text()?.trim()).is_some() {
                return Err(Status::BadRequest);
            }
        } else if is("authorization") {
            if request.authorization.replace(header.value).is_some() {
                return Err(Status::BadRequest);
            }
        } else if is("origin") {
            if request.origin.replace(text()?.trim()).is_some() {
                return Err(Status::BadRequest);
            }
        } else if is("sec-fetch-site") {
            request.site = Some(text()?.trim());
        } else if is("sec-fetch-mode") {
            request.is_navigation = text()?.trim() == "navigate";
        } else if is("connection") {
            let mut words = text()?.split(',').map(str::trim);
            if words.any(|word| word.eq_ignore_ascii_case("close")) {
                request.keep_alive = false;
            }
        } else if is("transfer-encoding") || (is("content-length") && text()?.trim() != "0") {
            return Err(Status::ContentTooLarge);
        }
    }
    if is_modern && request.host.is_none() || !request.path.starts_with('/') {
        return Err(Status::BadRequest);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "GET /metrics?a=b HTTP/1.1\r\nHost: localhost:9150\r\n\
                       authorization: Bearer x\r\n\r\n";

    #[test]
    fn a_request_is_read_and_what_follows_it_is_left() {
        let input = format!("{GET}GET / HTTP");
        let Parsed::Complete { request, size } = parse(input.as_bytes()) else {
            panic!("{:?}", parse(input.as_bytes()));
        };
        assert_eq!(size, GET.len());
        let expected = Request {
            method: Method::Get,
            path: "/metrics",
            query: "a=b",
            host: Some("localhost:9150"),
            authorization: Some(b"Bearer x"),
            origin: None,
            site: None,
            is_navigation: false,
            keep_alive: true,
        };
        assert_eq!(request, expected);
    }

    #[test]
    fn every_part_of_a_request_asks_for_more() {
        for cut in 0..GET.len() {
            assert_eq!(parse(&GET.as_bytes()[..cut]), Parsed::Partial, "{cut}");
        }
    }

    /// Whatever comes is answered, refused or waited for, and what decides it decides it at once:
    /// what follows changes nothing.
    fn fuzz_parse(input: &[u8]) {
        let whole = parse(input);
        for cut in 0..input.len() {
            match (parse(&input[..cut]), &whole) {
                (Parsed::Partial, _) => {}
                (early, whole) => assert_eq!(early, *whole, "decided after {cut} bytes"),
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered_refused_or_waited_for(
            input in proptest::collection::vec(proptest::num::u8::ANY, 0..200)
        ) {
            fuzz_parse(&input);
        }

        #[test]
        fn what_nearly_is_a_request_is_too(
            input in "(GET|HEAD|POST) /[a-z?%]{0,9} HTTP/1.[01]\r\n\
                      ((Host|Connection|content-length|Authorization|X): ?[ a-z0:,\u{0}\u{e9}]{0,9}\r?\n){0,4}\r?\n.{0,9}"
        ) {
            fuzz_parse(input.as_bytes());
        }
    }

    #[test]
    fn a_head_may_be_large_but_not_larger() {
        let of = |size: usize| {
            let frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
            let filling = "x".repeat(size - frame);
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {filling}\r\n\r\n")
        };
        let largest = of(ADMIN_HEAD_SIZE_MAX);
        assert!(matches!(
            parse(largest.as_bytes()),
            Parsed::Complete { size, .. } if size == ADMIN_HEAD_SIZE_MAX
        ));
        let refused = Parsed::Refused(Status::HeadTooLarge);
        assert_eq!(parse(of(ADMIN_HEAD_SIZE_MAX + 1).as_bytes()), refused);
        let endless = format!("GET /{}", "x".repeat(ADMIN_HEAD_SIZE_MAX));
        assert_eq!(parse(endless.as_bytes()), refused);
        let many = "a: b\r\n".repeat(ADMIN_HEADER_COUNT_MAX + 1);
        let many = format!("GET / HTTP/1.1\r\n{many}\r\n");
        assert_eq!(parse(many.as_bytes()), refused);
    }

    #[test]
    fn what_is_no_question_is_refused_with_its_reason() {
        for (head, status) in [
            ("PUT / HTTP/1.1\r\nHost: a", Status::MethodNotAllowed),
            ("OPTIONS * HTTP/1.1\r\nHost: a", Status::MethodNotAllowed),
            ("GET / HTTP/1.1", Status::BadRequest),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b", Status::BadRequest),
            ("GET / HTTP/1.1\r\nHost: a\r\n folded", Status::BadRequest),
            ("GET http://a/ HTTP/1.1\r\nHost: a", Status::BadRequest),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nOrigin: b\r\nOrigin: c",
                Status::BadRequest,
            ),
            ("GET / HTTP/2.0\r\nHost: a", Status::BadRequest),
            ("GET / HTTP/1.1\r\nHost: \u{1}", Status::BadRequest),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1",
                Status::ContentTooLarge,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1",
                Status::ContentTooLarge,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked",
                Status::ContentTooLarge,
            ),
            ("set a 0 0 1", Status::BadRequest),
            ("\u{16}\u{3}\u{1}", Status::BadRequest),
        ] {
            let head = format!("{head}\r\n\r\n");
            assert_eq!(parse(head.as_bytes()), Parsed::Refused(status), "{head}");
        }
    }

    #[test]
    fn a_connection_stays_open_unless_somebody_wants_otherwise() {
        let keeps = |head: &str| match parse(format!("{head}\r\n\r\n").as_bytes()) {
            Parsed::Complete { request, .. } => request.keep_alive,
            other => panic!("{other:?}"),
        };
        assert!(keeps("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0"));
        assert!(!keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close"));
        assert!(!keeps("GET / HTTP/1.0"));
    }

    #[test]
    fn a_head_is_answered_without_the_body_but_with_its_length() {
        let answer = Answer::text(Status::Ok, "seven b");
        let mut whole = Vec::new();
        answer.write(false, true, &mut whole);
        let mut head = Vec::new();
        answer.write(true, true, &mut head);
        let text = String::from_utf8(head.clone()).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.contains("\r\nContent-Length: 7\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n"), "{text}");
        assert_eq!(whole, [&head[..], b"seven b"].concat());
    }
}
