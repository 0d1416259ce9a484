// ws of Node: an echo at /echo, compressed if the client asks, and a chat at /chat.
const { createServer } = require("node:http");
const { WebSocketServer, WebSocket } = require("ws");

const server = createServer();
const options = { server, maxPayload: 16 << 20, perMessageDeflate: true, skipUTF8Validation: false };
const sockets = new WebSocketServer(options);
const chat = new Set();
sockets.on("connection", (socket, request) => {
  socket.on("error", () => {});
  if (request.url === "/chat") {
    chat.add(socket);
    socket.on("close", () => chat.delete(socket));
    socket.on("message", (data, binary) => {
      for (const other of chat) {
        if (other.readyState === WebSocket.OPEN) {
          other.send(data, { binary });
        }
      }
    });
    return;
  }
  socket.on("message", (data, binary) => socket.send(data, { binary }));
});
server.listen(0, "127.0.0.1", () => {
  console.log(`Listening on 127.0.0.1:${server.address().port}`);
});
