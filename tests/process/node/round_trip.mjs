// npm ws as a client. Arguments: URL of the sender's gateway, URL of the receiver's, and "tagged" where messages come as ID:message.
// Ends with 0 when everything came.
import WebSocket from "ws";
import assert from "node:assert/strict";

const [senderUrl, receiverUrl, tagged] = process.argv.slice(2);

/// A socket with its messages as an async queue.
function open(url) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    const queue = [];
    let waiting = null;
    socket.on("message", (data, binary) => {
      if (tagged) data = data.subarray(data.indexOf(":") + 1);
      const entry = { data: binary ? data : data.toString(), binary };
      if (waiting) {
        waiting(entry);
        waiting = null;
      } else {
        queue.push(entry);
      }
    });
    socket.next = () =>
      queue.length > 0 ? Promise.resolve(queue.shift()) : new Promise((take) => (waiting = take));
    socket.on("error", reject);
    socket.on("open", () => resolve(socket));
  });
}

const closed = (socket) => new Promise((resolve) => socket.on("close", (code) => resolve(code)));

/// A gateway confirms a subscription after the handshake, so the receiver may miss what is sent at once: until it hears.
async function meet(sender, receiver) {
  let sent = 0;
  const again = setInterval(() => sender.send(`there? ${++sent}`), 20);
  let heard = await receiver.next();
  clearInterval(again);
  const last = `there? ${sent}`;
  while (heard.data !== last) heard = await receiver.next();
  while ((await sender.next()).data !== last);
}

setTimeout(() => {
  console.error("timed out");
  process.exit(2);
}, 30000).unref();

const sender = await open(senderUrl);
const receiver = await open(receiverUrl);
assert.equal(sender.extensions, "");
await meet(sender, receiver);

for (const text of ["hello", "ümläut 😀", "x".repeat(60000)]) {
  sender.send(text);
  for (const socket of [sender, receiver]) {
    assert.deepEqual(await socket.next(), { data: text, binary: false });
  }
}
const bytes = Buffer.from([0, 255, 192, 128]);
sender.send(bytes);
for (const socket of [sender, receiver]) {
  const got = await socket.next();
  assert.equal(got.binary, true);
  assert.ok(got.data.equals(bytes));
}
sender.send("in ", { fin: false });
sender.ping();
sender.send("pieces", { fin: true });
assert.equal((await receiver.next()).data, "in pieces");
await new Promise((resolve) => {
  sender.once("pong", resolve);
  sender.ping("once more");
});
for (let i = 0; i < 1000; ++i) sender.send(String(i));
for (let i = 0; i < 1000; ++i) assert.equal((await receiver.next()).data, String(i));

const end = closed(receiver);
receiver.close(1000);
assert.equal(await end, 1000);
const tooBig = closed(sender);
sender.send("x".repeat(65537));
assert.equal(await tooBig, 1009);
console.log("round trip ok");
process.exit(0);
