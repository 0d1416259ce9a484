//! HTTP/1.1 and HTTP/1.0 (RFC 9110, RFC 9112): a sans-IO core, and the components around it.
