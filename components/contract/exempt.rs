//! Components without a row, each with the reason, and with the test that replaces the row.

pub(super) const EXEMPT: &[(&str, &str)] = &[
    (
        "accept_tls",
        "it needs a client that begins a handshake: components/server/secure/tests.rs",
    ),
    (
        "decrypt",
        "its input is that of a TLS session: components/tls/tests.rs",
    ),
    (
        "encrypt",
        "it sends nothing before a handshake: components/server/secure/tests.rs",
    ),
    (
        "encrypt_stream",
        "it sends nothing before a handshake: components/tls/tests.rs",
    ),
    (
        "tls_client",
        "it needs a server that speaks TLS: components/tls/tests.rs",
    ),
    (
        "tls_server",
        "its outside is a TLS session: components/tls/tests.rs",
    ),
    (
        "accept_opening",
        "it needs a client that asks: components/websocket/part/tests.rs",
    ),
    (
        "accept_permitted",
        "its inbox is fed from downstream: components/net/accept_permitted.rs tests its end and its permits",
    ),
    (
        "accept_websocket",
        "its requests are handshakes, and their connection goes on: components/server/mount/tests.rs",
    ),
    (
        "answer_faults",
        "a fault comes from a graph only: the tests of components/http/server.rs let components fail",
    ),
    (
        "connect_websocket",
        "it needs a server: components/websocket/part/tests.rs",
    ),
    (
        "console_reader",
        "it would read the standard input of the tests: tests/end_to_end/cookbook.rs runs it",
    ),
    (
        "dial",
        "it ends with its last connection, which is up to a server: components/net/dial/tests.rs",
    ),
    (
        "dial_any",
        "it is dial over TCP or TLS: components/net/dial/tests.rs, tests/end_to_end/thor.rs",
    ),
    (
        "dial_by",
        "it is dial over any kind of connection: the tests of components/load simulate them",
    ),
    (
        "draw_topology",
        "it needs a page that draws: components/inspect/topology tests it",
    ),
    (
        "follow",
        "it follows its file until its graph ends: components/file/follow.rs",
    ),
    (
        "gather_sketches",
        "it keeps what is drawn for as long as a page shows it: components/inspect/topology tests it",
    ),
    (
        "encode_responses",
        "it waits for its writer: components/web/encode/tests.rs and the simulation of the server",
    ),
    (
        "hangups",
        "a signal concerns the whole process of the tests: tests/end_to_end/configuration.rs reloads by it",
    ),
    (
        "hand_over_connection",
        "it starts this program again: tests/end_to_end/modes.rs",
    ),
    (
        "hold_connection",
        "it runs the graph of a connection, which the simulation of the server does in 10,000 ways",
    ),
    (
        "parse_requests",
        "it ends at a pause of its peer: the simulation of the server and components/http/parse/tests.rs",
    ),
    (
        "process",
        "it is a simulated process, whose time passes in a simulation only: components/simulated",
    ),
    (
        "read_bytes",
        "its end is that of a socket, whose other end is a peer: components/net/read.rs",
    ),
    (
        "read_pipe",
        "its pipe belongs to a process: unix_process, which has a row, is made of it",
    ),
    (
        "refuse_connection",
        "it runs the graph of a connection that is one too many: tests/end_to_end/slow.rs",
    ),
    (
        "serve_cgi",
        "it runs programs: tests/end_to_end/cgi_faults.rs",
    ),
    (
        "relay_over",
        "it needs a connection that is open: the tunnels of the proxy test it",
    ),
    (
        "serve_connections",
        "what it is fed are connections: components/net/serve_connections.rs",
    ),
    (
        "serve_connections_of_many",
        "it is serve_connections with a limit: components/net/serve_connections.rs",
    ),
    (
        "serve_wsgi",
        "it needs a pool of Python processes: tests/end_to_end/wsgi.rs",
    ),
    (
        "unix_client",
        "it is tcp_client, which has a row, over another kind of socket",
    ),
    (
        "unix_server",
        "it is tcp_server, which has a row, over another kind of socket",
    ),
    (
        "receive_messages",
        "it ends with a close frame, which its peer sends: components/websocket/part/tests.rs",
    ),
    (
        "request_opening",
        "it needs a server that answers: components/websocket/part/tests.rs",
    ),
    (
        "send_messages",
        "it ends with its controls, whatever messages are left: components/websocket/part/tests.rs",
    ),
    (
        "upgraded_websocket",
        "it is websocket without its handshake: components/server/mount/tests.rs",
    ),
    (
        "upgraded_websocket_with_close",
        "it is websocket without its handshake: components/server/mount/tests.rs",
    ),
    (
        "websocket",
        "its outside is a connection of bytes that begins with a handshake: components/websocket/part/tests.rs",
    ),
    (
        "websocket_client",
        "it needs a server: components/websocket/part/tests.rs",
    ),
    (
        "write_bytes",
        "it writes to a socket whose peer reads: components/net/write/tests.rs and the simulation of the server",
    ),
];
