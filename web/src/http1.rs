//! HTTP/1.x as bytes: requests in, responses out.
//!
//! Everything here is pure: slices go in, values or bytes come out, and nothing is read,
//! written, timed or logged. What was refused and why is a [`HeadError`](error::HeadError) or
//! a [`BodyError`](error::BodyError), the only places where bad bytes become a status.
//!
//! The rule for what is accepted: where two readers could take the same bytes two ways, they
//! are refused, for one of the two readers may be a proxy in front of us.
//!
//! | file | what |
//! |---|---|
//! | `head` | bytes → request head |
//! | `head::partial` | heads that arrive in pieces |
//! | `head::target` | the path, query and authority of a request |
//! | `head::meaning` | what a head means for the connection |
//! | `framing` | how long a request's body is: `Content-Length`, `Transfer-Encoding` |
//! | `host` | what may stand in `Host` |
//! | `field` | space around values, lists of tokens |
//! | `byte_class` | which bytes may be in a token, a field value or a host |
//! | `range` | a part of a head, in 8 bytes |
//! | `body` | framed bytes → body |
//! | `inflate` | compressed body → body |
//! | `encode` | response head and chunks → bytes |
//! | `header_list` | the headers of a response, and which of them mean something here |
//! | `date` | the `Date` header, rendered once a second |
//! | `etag` | the automatic `Etag`, and `If-None-Match` |

pub(crate) mod body;
pub(crate) mod byte_class;
pub(crate) mod date;
pub(crate) mod encode;
pub(crate) mod error;
pub(crate) mod etag;
pub(crate) mod field;
pub(crate) mod framing;
pub(crate) mod head;
pub(crate) mod header_list;
pub(crate) mod host;
pub(crate) mod inflate;
pub(crate) mod range;
pub(crate) mod send_buffer;
