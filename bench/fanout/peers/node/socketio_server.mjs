// Peer "socketio": socket.io with its Redis adapter, WebSocket transport alone, a room is a channel.
//
// The adapter is there, as for every socket.io of more than one process, and idle: messages come in by a plain
// PUBLISH, as for the other peers, so the process subscribes to a channel when its room is made and passes on what comes to
// its own clients (io.local). The emitter that socket.io offers for backends would cost one decoding of msgpack more per message,
// whatever the number of clients.
//
// A client names its room in the CONNECT packet ({"room": …}) and hears "joined" once it will miss nothing.
import http from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';
import { die, listen, pingMs, redisUrl } from './settings.mjs';

async function connected() {
  const client = createClient({ url: redisUrl });
  client.on('error', die);
  await client.connect();
  return client;
}

const [publisher, adapterSubscriber, subscriber] = await Promise.all([connected(), connected(), connected()]);

const server = http.createServer();
const io = new Server(server, {
  transports: ['websocket'],
  perMessageDeflate: false,
  serveClient: false,
  pingInterval: pingMs,
  adapter: createAdapter(publisher, adapterSubscriber),
});

const standing = new Map(); // room -> promise of its subscription; for good: there are few

function subscribe(room) {
  let promise = standing.get(room);
  if (!promise) {
    promise = subscriber.subscribe(room, (message) => io.local.to(room).emit('m', message));
    standing.set(room, promise);
  }
  return promise;
}

io.on('connection', (socket) => {
  const { room } = socket.handshake.auth;
  subscribe(room)
    .then(() => {
      socket.join(room);
      socket.emit('joined');
    })
    .catch(die);
});

listen(server);
