// Peer "node-ws": npm's ws and redis, one process, the channel is the path.
//
// The first client of a channel subscribes to it; an upgrade is answered once the subscription stands, so that a client that
// is connected misses nothing. Messages stay the Buffers that Redis sent: ws would make one of a string for every client.
import http from 'node:http';
import { createClient } from 'redis';
import { WebSocket, WebSocketServer } from 'ws';
import { die, listen, pingMs, redisUrl } from './settings.mjs';

const redis = createClient({ url: redisUrl });
redis.on('error', die);
await redis.connect();

const channels = new Map(); // name -> { clients, standing }; for good: there are few

function broadcast(clients, message) {
  for (const client of clients) {
    if (client.readyState === WebSocket.OPEN) client.send(message, { binary: false });
  }
}

function channelOf(name) {
  let channel = channels.get(name);
  if (!channel) {
    const clients = new Set();
    channel = { clients, standing: redis.subscribe(name, (message) => broadcast(clients, message), true) };
    channels.set(name, channel);
  }
  return channel;
}

const server = http.createServer();
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });

function welcome(channel, client) {
  client.alive = true;
  channel.clients.add(client);
  client.on('pong', () => (client.alive = true));
  client.on('close', () => channel.clients.delete(client));
  client.on('error', () => client.terminate());
}

server.on('upgrade', (request, socket, head) => {
  const channel = channelOf(request.url.slice(1));
  channel.standing
    .then(() => sockets.handleUpgrade(request, socket, head, (client) => welcome(channel, client)))
    .catch(die);
});

// The heartbeat of ws' own manual.
setInterval(() => {
  for (const client of sockets.clients) {
    if (!client.alive) {
      client.terminate();
    } else {
      client.alive = false;
      client.ping();
    }
  }
}, pingMs);

listen(server);
