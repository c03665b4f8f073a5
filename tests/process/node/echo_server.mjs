// A WebSocket server of other make, against which the harness itself is tested: sends what it gets to everybody.
// Commands as text: "close CODE REASON", "ping", "cut".
import { WebSocketServer, WebSocket } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
server.on("listening", () => console.log(`listening on 127.0.0.1:${server.address().port}`));
server.on("connection", (socket) => {
  socket.on("error", (error) => console.log(`error ${error.code}`));
  socket.on("close", (code, reason) => console.log(`closed ${code} ${reason}`));
  socket.on("pong", (data) => console.log(`pong ${data}`));
  socket.on("message", (data, binary) => {
    const words = binary ? [] : data.toString().split(" ");
    if (words[0] === "close") return socket.close(Number(words[1]), words[2]);
    if (words[0] === "ping") return socket.ping("are you there");
    if (words[0] === "cut") return socket.terminate();
    for (const other of server.clients) {
      if (other.readyState === WebSocket.OPEN) other.send(data, { binary });
    }
  });
});
