//! The end-to-end tests: they start `spidey` and send raw bytes over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod end_to_end {
    mod access_log;
    mod app_inspect;
    mod app_recipes;
    mod archives;
    mod browser;
    mod bulletin_board;
    mod cgi_faults;
    mod changes;
    mod closed_streams;
    mod command_line;
    mod configuration;
    mod cookbook;
    mod devtools;
    mod english;
    mod errors;
    mod escapes;
    mod gone;
    mod hostile;
    mod hostile_client;
    mod hostile_images;
    mod http;
    mod inspect;
    mod inspect_page;
    mod kamaelia;
    mod listing;
    mod malformed;
    mod modes;
    mod notation;
    mod passwords;
    mod programs;
    mod programs_of_www;
    mod proxied_paths;
    mod reported;
    mod rfc1945;
    mod rfc3875;
    mod rfc5789;
    mod rfc6266;
    mod rfc9110;
    mod rfc9111;
    mod rfc9112;
    mod scarce;
    mod server;
    mod sessions;
    mod slow;
    mod structure;
    mod thumbnails;
    mod tls;
    mod tls_programs;
    mod trust_authority;
    mod trust_code;
    mod trust_files;
    mod trust_rights;
    mod websocket;
    mod wrong_values;
    mod wsgi;
}
